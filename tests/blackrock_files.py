"""Tiny Blackrock files, written byte by byte as the published format says."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def _header(
    file_id: bytes,
    version: tuple[int, int],
    labels: Sequence[str],
    period: int,
    ticks_per_s: int,
    unit: str,
) -> bytes:
    size = 314 + 66 * len(labels)
    head = struct.pack("<8sBBI16s256s", file_id, *version, size, b"test", b"")
    head += struct.pack("<II8H", period, ticks_per_s, 2024, 3, 5, 1, 10, 0, 0, 500)
    head += struct.pack("<I", len(labels))
    for i, label in enumerate(labels):
        head += struct.pack("<2sH16sBB", b"CC", i + 1, label.encode(), 1, i)
        head += struct.pack("<4h16s", -32764, 32764, -8191, 8191, unit.encode())
        head += struct.pack("<IIHIIH", 300, 1, 1, 7_500_000, 3, 1)
    assert len(head) == size
    return head


def write_nsx(
    path: Path,
    packets: Sequence[tuple[int, np.ndarray]],
    *,
    labels: Sequence[str] = ("chan1", "chan2"),
    period: int = 30,
    version: tuple[int, int] = (2, 3),
    ticks_per_s: int = 30_000,
    unit: str = "uV",
) -> Path:
    """A file of data packets.

    packets : (time stamp, (n_channels, n_samples) int16)
    """
    file_id = b"NEURALCD" if version[0] == 2 else b"BRSMPGRP"
    raw = _header(file_id, version, labels, period, ticks_per_s, unit)
    for tick, samples in packets:
        form = "<BII" if version[0] == 2 else "<BQI"
        raw += struct.pack(form, 1, tick, samples.shape[1]) + samples.T.astype("<i2").tobytes()
    path.write_bytes(raw)
    return path


def write_precise(path: Path, ticks: np.ndarray, samples: np.ndarray, period: int = 30) -> Path:
    """A file of version 3.0 with one packet a sample and time stamps in nanoseconds."""
    labels = [f"chan{i + 1}" for i in range(len(samples))]
    raw = _header(b"BRSMPGRP", (3, 0), labels, period, 1_000_000_000, "uV")
    packet = np.dtype([("flag", "u1"), ("tick", "<u8"), ("n", "<u4"), ("x", "<i2", len(samples))])
    packets = np.zeros(samples.shape[1], packet)
    packets["flag"], packets["n"] = 1, 1
    packets["tick"] = ticks
    packets["x"] = samples.T
    path.write_bytes(raw + packets.tobytes())
    return path


def write_nev(
    path: Path,
    digital: Sequence[tuple[int, int]],
    comments: Sequence[tuple[int, str]] = (),
    version: tuple[int, int] = (2, 3),
) -> Path:
    """Changes of the digital port (tick, value) and comments (tick, text), in order of time."""
    n_bytes = 104
    file_id = b"NEURALEV" if version[0] == 2 else b"BREVENTS"
    raw = struct.pack("<8sBBHIIII", file_id, *version, 1, 336, n_bytes, 30_000, 30_000)
    raw += struct.pack("<8H32s256sI", 2024, 3, 5, 1, 10, 0, 0, 500, b"test", b"", 0)
    wide = "<I" if version[0] == 2 else "<Q"
    packets = [(tick, struct.pack(wide + "HBBH", tick, 0, 1, 0, value)) for tick, value in digital]
    packets += [
        (tick, struct.pack(wide + "HBBI", tick, 0xFFFF, 0, 0, 0) + text.encode("latin-1"))
        for tick, text in comments
    ]
    raw += b"".join(packet.ljust(n_bytes, b"\0") for _, packet in sorted(packets))
    path.write_bytes(raw)
    return path
