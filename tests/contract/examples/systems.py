"""Blackrock and Plexon."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests import acquisition_files as files
from tests import blackrock_files, plexon_files, tdt_files
from tests.contract.examples import Example, example

_GAIN_UV = 8191 / 32764


def _ramps(n_samples: int, n_channels: int = 2) -> np.ndarray:
    return np.stack([files.ramp(n_samples, c) for c in range(n_channels)])


def _interleaved(samples: np.ndarray) -> bytes:
    return samples.T.tobytes()


def _big_nsx(folder: Path) -> Path:
    path = blackrock_files.write_nsx(folder / "a.ns2", [(0, _ramps(10))])
    raw = bytearray(path.read_bytes())
    at = 314 + 2 * 66
    raw[at + 5 : at + 9] = (500_000_000).to_bytes(4, "little")
    path.write_bytes(raw)
    with path.open("r+b") as file:
        file.truncate(at + 9 + 4 * 500_000_000)
    return path


@example("blackrock", big=_big_nsx)
def blackrock(folder: Path) -> Example:
    """A pause, and a packet that goes on where the last ended."""
    samples = _ramps(4000)
    packets = [(3000, samples[:, :1500]), (60_000, samples[:, 1500:2000])]
    packets.append((60_000 + 500 * 30, samples[:, 2000:]))
    blackrock_files.write_nsx(folder / "day1.ns2", packets)
    return Example(
        folder,
        "blackrock",
        ("chan1", "chan2"),
        1000,
        ((0.0, 1500), (1.9, 2500)),
        samples,
        _GAIN_UV,
        stored=_interleaved,
    )


@example("blackrock-precise", reader="blackrock")
def blackrock_precise(folder: Path) -> Example:
    """A time stamp a sample, by a clock that runs 20 parts in a million fast."""
    samples = _ramps(4000)
    number = np.concatenate([np.arange(1500), np.arange(2000, 4500)])
    ticks = 1_700_000_000_000_000_000 + np.rint(number * 1e6 * (1 - 2e-5)).astype(np.int64)
    path = blackrock_files.write_precise(folder / "day1.ns2", ticks, samples)
    return Example(
        path,
        "blackrock",
        ("chan1", "chan2"),
        1000,
        ((0.0, 1500), (2.0 * (1 - 2e-5), 2500)),
        samples,
        _GAIN_UV,
        stored=None,
    )


@example("plexon")
def plexon(folder: Path) -> Example:
    samples = _ramps(2950, 3)
    path = plexon_files.write_plx(folder / "day1.plx", samples, lost_after={9: 250})
    return Example(
        path,
        "plexon",
        ("FP01", "FP02", "FP03"),
        1000,
        ((0.0, 1000), (1.25, 1950)),
        samples,
        5000 / (0.5 * 2**16 * 1000) * 1000,
    )


@example("tdt")
def tdt(folder: Path) -> Example:
    """Two channels whose chunks take turns, with samples lost between two of them."""
    block = folder / "day1"
    block.mkdir()
    samples = _ramps(40 * tdt_files.PER_CHUNK).astype(np.float32) / 8
    tdt_files.write_tdt(block, samples, lost_after={15: 100})
    first = 16 * tdt_files.PER_CHUNK
    rate_hz = tdt_files.RATE_HZ
    return Example(
        block,
        "tdt",
        ("LFP1 1", "LFP1 2"),
        rate_hz,
        ((0.0, first), ((first + 100) / rate_hz, samples.shape[1] - first)),
        samples,
        1.0,
    )
