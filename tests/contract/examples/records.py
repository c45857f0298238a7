"""Formats made of equal records: Neuralynx, Open Ephys classic, Intan, EDF, binary with a table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests import acquisition_files as files
from tests.contract.examples import Example, example


def _kept(parts: list[tuple[int, int]], n_channels: int) -> np.ndarray:
    last = parts[-1][1]
    return np.stack(
        [np.concatenate([files.ramp(last, c)[a:b] for a, b in parts]) for c in range(n_channels)]
    )


@example("neuralynx")
def neuralynx(folder: Path) -> Example:
    for i in range(3):
        records = files.ncs_records(9, short={3: 400}, lost_after={3: 250}, channel=i)
        files.write_ncs(folder / f"CSC{i + 1}.ncs", files.ncs_header(f"CSC{i + 1}"), records)
    first, second = 3 * 512 + 400, 5 * 512
    return Example(
        folder,
        "neuralynx",
        ("CSC1", "CSC2", "CSC3"),
        2000,
        ((0.0, first), ((first + 250) / 2000, second)),
        _kept([(0, first), (first + 250, first + 250 + second)], 3),
        -0.030517578125,
    )


@example("openephys", reader="openephys-classic")
def openephys(folder: Path) -> Example:
    for i in range(2):
        files.write_continuous(
            folder / f"100_CH{i + 1}.continuous",
            4,
            channel=f"CH{i + 1}",
            lost_after={2: 256},
            number=i,
        )
    return Example(
        folder,
        "openephys-classic",
        ("CH1", "CH2"),
        1000,
        ((0.0, 3072), (3.328, 1024)),
        _kept([(0, 3072), (3328, 4352)], 2),
        0.195,
        stored=lambda samples: samples[0].astype(">i2").tobytes(),
    )


@example("intan")
def intan(folder: Path) -> Example:
    files.write_rhd(folder / "m_240131_235900.rhd", [0, 60, 120])
    files.write_rhd(folder / "m_240131_235901.rhd", [180, 240, 400])
    return Example(
        folder,
        "intan",
        ("A-000", "A-001"),
        20_000,
        ((0.0, 300), (0.02, 60)),
        _kept([(0, 300), (400, 460)], 2),
        0.195,
        stored=lambda samples: (samples[0].astype(np.int32) + 32_768).astype("<u2").tobytes(),
    )


@example("intan-rhs", reader="intan")
def intan_rhs(folder: Path) -> Example:
    path = files.write_rhs(folder / "m.rhs", [0, 128, 384])
    return Example(
        path,
        "intan",
        ("A-000", "A-001"),
        30_000,
        ((0.0, 256), (0.0128, 128)),
        _kept([(0, 256), (384, 512)], 2),
        0.195,
        stored=lambda samples: (samples[0].astype(np.int32) + 32_768).astype("<u2").tobytes(),
    )


def _intan_dat(folder: Path, by_channel: bool) -> Example:
    numbers = np.concatenate([np.arange(500), np.arange(700, 1200)])
    files.write_intan_dat(folder, numbers, by_channel=by_channel)
    return Example(
        folder,
        "intan",
        ("A-000", "A-001"),
        20_000,
        ((0.0, 500), (0.035, 500)),
        _kept([(0, 500), (700, 1200)], 2),
        0.195,
        headerless=True,
    )


@example("intan-dat", reader="intan")
def intan_dat(folder: Path) -> Example:
    return replace(_intan_dat(folder, by_channel=False), stored=lambda samples: samples.T.tobytes())


@example("intan-dat-by-channel", reader="intan")
def intan_dat_by_channel(folder: Path) -> Example:
    return _intan_dat(folder, by_channel=True)


def _big_edf(folder: Path) -> Path:
    n_records = 2_000_000
    path = files.write_edf(folder / "a.edf", ["EEG", "EMG"], [500, 500], 1, promised=n_records)
    with path.open("r+b") as file:
        file.truncate(256 * 3 + n_records * 2000)
    return path


@example("edf", big=_big_edf)
def edf(folder: Path) -> Example:
    path = files.write_edf(folder / "a.edf", ["EEG", "EMG"], [100, 100], 5)
    planted = np.stack([files.ramp(500, c) for c in range(2)])
    return Example(path, "edf", ("EEG", "EMG"), 100, ((0.0, 500),), planted, 0.1)


@example("edf+d", reader="edf")
def edf_with_gap(folder: Path) -> Example:
    path = files.write_edf(folder / "a.edf", ["EEG", "EMG"], [100, 100], 4, onsets=[0, 1, 5, 6])
    planted = np.stack([files.ramp(400, c) for c in range(2)])
    return Example(path, "edf", ("EEG", "EMG"), 100, ((0.0, 200), (5.0, 200)), planted, 0.1)


@example("bdf", reader="edf")
def bdf(folder: Path) -> Example:
    path = files.write_edf(folder / "a.bdf", ["Fz", "Cz"], [64, 64], 3, bdf=True)
    planted = np.stack([files.ramp(192, c).astype(np.int32) * 300 for c in range(2)])
    return Example(
        path,
        "bdf",
        ("Fz", "Cz"),
        64,
        ((0.0, 192),),
        planted,
        6553.5 / 16_777_215,
        # Its steps are not symmetric about zero.
        offset_uv=-0.0498047,
        stored=lambda samples: samples[0].astype("<i4")[:, None].view("u1")[:, :3].tobytes(),
    )


@example("edf-rotating", reader="edf")
def edf_rotating(folder: Path) -> Example:
    """Two files that continue each other with 7 s between them."""
    for i, clock in enumerate(("20.02.43", "20.02.55")):
        path = files.write_edf(folder / f"M1_{i:03d}.edf", ["EEG", "EMG"], [100, 100], 5)
        raw = path.read_bytes()
        path.write_bytes(raw[:176] + clock.encode() + raw[184:])
    planted = np.stack([np.tile(files.ramp(500, c), 2) for c in range(2)])
    spans = ((0.0, 500), (12.0, 500))
    return Example(folder, "edf", ("EEG", "EMG"), 100, spans, planted, 0.1)


def _big_binary(folder: Path) -> Path:
    path = files.write_binary_csv(folder, 10)
    with path.open("r+b") as file:
        file.truncate(12 * 200_000_000)
    return path


@example("binary-csv", big=_big_binary)
def binary_csv(folder: Path) -> Example:
    files.write_binary_csv(folder, 3000)
    planted = np.stack([files.ramp(3000, c) for c in range(3)]).astype(np.float32) / 8
    names = ("C-000", "C-001", "C-002")
    return Example(folder, "binary-csv", names, 1000, ((0.0, 3000),), planted, 1.0, headerless=True)
