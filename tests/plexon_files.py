"""Tiny Plexon files, written byte by byte as Plexon's header file says."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

TICKS_PER_S = 40_000


def write_plx(
    path: Path,
    samples: np.ndarray,
    *,
    rate_hz: int = 1000,
    per_block: int = 100,
    first_tick: int = 400,
    lost_after: dict[int, int] | None = None,
    events: Sequence[tuple[int, int, int]] = (),
    names: Sequence[str] | None = None,
) -> Path:
    """Continuous channels whose blocks take turns, as they come from the amplifier.

    samples : (n_channels, n_samples) int16
    lost_after : block -> samples that were lost after it
    events : (tick, channel, number); 257 is the channel of strobed words
    """
    names = names or [f"FP{i + 1:02d}" for i in range(len(samples))]
    head = struct.pack("<IiI", 0x58454C50, 106, 0)[:8] + b"made for tests".ljust(128, b"\0")
    head += struct.pack("<4i", TICKS_PER_S, 1, 2, len(samples)) + struct.pack("<2i", 32, 8)
    head += struct.pack("<6i", 2024, 3, 1, 10, 0, 0) + struct.pack("<2id", 0, TICKS_PER_S, 0.0)
    head += struct.pack("<4B3H", 1, 1, 16, 16, 5000, 5000, 1000)
    raw = bytearray(head.ljust(7504, b"\0"))
    raw += struct.pack("<32s32si", b"sig001", b"sig001", 1).ljust(1020, b"\0")
    for name, channel in ((b"Strobed", 257), (b"Start", 258)):
        raw += struct.pack("<32si", name, channel).ljust(296, b"\0")
    for i, name in enumerate(names):
        fields = struct.pack("<32s5i", name.encode(), 64 + i, rate_hz, 1, 1, 1000)
        raw += fields.ljust(296, b"\0")
    blocks: list[tuple[int, bytes]] = []
    for tick, channel, number in events:
        blocks.append((tick, _block(4, tick, channel, number, b"", 0)))
    blocks.append((first_tick, _block(1, first_tick, 1, 0, b"\1\0" * 32, 1)))
    period = TICKS_PER_S // rate_hz
    taken = 0
    for block, start in enumerate(range(0, samples.shape[1], per_block)):
        tick = first_tick + taken * period
        for i, row in enumerate(samples[:, start : start + per_block]):
            blocks.append((tick, _block(5, tick, 64 + i, 0, row.astype("<i2").tobytes(), 1)))
        taken += min(per_block, samples.shape[1] - start) + (lost_after or {}).get(block, 0)
    blocks.sort(key=lambda entry: entry[0])
    path.write_bytes(raw + b"".join(block for _, block in blocks))
    return path


def _block(kind: int, tick: int, channel: int, number: int, words: bytes, n: int) -> bytes:
    head = struct.pack(
        "<HHIHHHH", kind, tick >> 32, tick & 0xFFFFFFFF, channel, number, n, len(words) // 2
    )
    return head + words
