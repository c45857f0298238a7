"""Samples of all channels side by side: Open Ephys binary, SpikeGLX, described flat files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests import acquisition_files as files
from tests.contract.examples import Example, example


def _side_by_side(samples: np.ndarray) -> bytes:
    return samples.T.tobytes()


@example("openephys-binary")
def openephys_binary(folder: Path) -> Example:
    """1,000 sample numbers are missing."""
    numbers = np.concatenate([np.arange(5000, 8000), np.arange(9000, 10_500)])
    files.flat.write_open_ephys(folder / "recording1", numbers, rate_hz=1000)
    return Example(
        folder,
        "openephys-binary",
        ("CH1", "CH2", "CH3"),
        1000,
        ((0.0, 3000), (4.0, 1500)),
        np.stack([files.ramp(10_500, c)[numbers] for c in range(3)]),
        0.195,
        stored=_side_by_side,
        headerless=True,
    )


@example("spikeglx")
def spikeglx(folder: Path) -> Example:
    """The low band of three sites of a probe."""
    table = "(0,384)" + "".join(f"({c} 0 0 500 250 1)" for c in range(384))
    path = files.flat.write_spikeglx(
        folder / "m_g0_t0.imec0.lf.bin", 3000, 3,
        nSavedChans=3, snsApLfSy="0,3,0", snsSaveChanSubset="384:386", fileSizeBytes=18_000,
        imSampRate=2500, **{"~imroTbl": table, "~snsChanMap": None},
    )  # fmt: skip
    planted = files.flat.frames(0, 3000, 3)
    path.write_bytes(planted.tobytes())
    return Example(
        folder,
        "spikeglx",
        ("LF384", "LF385", "LF386"),
        2500,
        ((0.0, 3000),),
        planted.T.copy(),
        0.6 / 512 / 250 * 1e6,
        stored=_side_by_side,
        headerless=True,
    )


@example("flat")
def flat(folder: Path) -> Example:
    """A sidecar says what it is."""
    planted = files.flat.frames(0, 3000, 3)
    described = {"rate_hz": 1000, "n_channels": 3, "gain_uv": 0.25}
    files.flat.write_flat(folder / "rec.dat", planted, described)
    return Example(
        folder,
        "flat",
        ("CH1", "CH2", "CH3"),
        1000,
        ((0.0, 3000),),
        planted.T.copy(),
        0.25,
        stored=_side_by_side,
        headerless=True,
    )


@example("flat-by-channel", reader="flat")
def flat_by_channel(folder: Path) -> Example:
    """All samples of a channel, then the next channel's."""
    planted = files.flat.frames(0, 3000, 2).T.astype("<f4") / 8
    described = {
        "rate_hz": 1000, "n_channels": 2, "gain_uv": 1.0, "dtype": "float32",
        "order": "channel-major", "names": ["C-0", "C-1"],
    }  # fmt: skip
    path = files.flat.write_flat(folder / "rec.bin", planted, described)
    return Example(
        path, "flat", ("C-0", "C-1"), 1000, ((0.0, 3000),), planted, 1.0, headerless=True
    )
