"""The blocks of a Plexon file, walked through at the speed of the disk.

A block is a head of 16 bytes and a few hundred samples of one channel; where the next begins is
only known from its head. The kernels walk through pieces of the file that hold whole blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

HEAD_BYTES = 16
EVENT, CONTINUOUS = 4, 5
_TYPES_MAX = 5

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]


@njit(cache=True, nogil=True)
def _u16(raw: Bytes, at: int) -> Any:
    return np.int64(raw[at]) | (np.int64(raw[at + 1]) << 8)


@njit(cache=True, nogil=True)
def _tick(raw: Bytes, at: int) -> Any:
    """Five bytes: the upper one stands before the other four."""
    low = _u16(raw, at + 4) | (_u16(raw, at + 6) << 16)
    return low | (_u16(raw, at + 2) << 32)


@njit(cache=True, nogil=True)
def walk_blocks(
    raw: Bytes,
    slots: NDArray[np.int32],
    periods: NDArray[np.float64],
    expected: NDArray[np.float64],
    counts: Ints,
    breaks: Ints,
) -> tuple[int, int, bool]:
    """Walk through the whole blocks of a piece.

    Parameters
    ----------
    raw : a piece of the file that begins with a block
    slots : (65536,) channel number -> place of a continuous channel, or -1
    periods : (n_slots,) ticks from one sample to the next
    expected : (n_slots,) tick at which a channel's next sample is due, -1 before its first; changed
    counts : (n_slots,) samples so far; changed
    breaks : (n, 3) filled with (slot, samples before it, tick) wherever samples don't follow

    Returns
    -------
    bytes walked through, breaks found (more than fit are counted, not kept), whether all is sound
    """
    at, n_breaks = 0, 0
    while at + HEAD_BYTES <= len(raw):
        kind = _u16(raw, at)
        n_samples = _u16(raw, at + 12) * _u16(raw, at + 14)
        if kind < 1 or kind > _TYPES_MAX:
            return at, n_breaks, False
        if at + HEAD_BYTES + 2 * n_samples > len(raw):
            break
        if kind == CONTINUOUS and n_samples > 0:
            slot = slots[_u16(raw, at + 8)]
            if slot < 0:
                return at, n_breaks, False
            tick = _tick(raw, at)
            due = expected[slot]
            if due < 0 or abs(tick - due) > 0.5 * periods[slot]:
                if n_breaks < len(breaks):
                    breaks[n_breaks, 0] = slot
                    breaks[n_breaks, 1] = counts[slot]
                    breaks[n_breaks, 2] = tick
                n_breaks += 1
            expected[slot] = tick + n_samples * periods[slot]
            counts[slot] += n_samples
        at += HEAD_BYTES + 2 * n_samples
    return at, n_breaks, True


@njit(cache=True, nogil=True)
def gather_samples(
    raw: Bytes,
    slots: NDArray[np.int32],
    rows: NDArray[np.int32],
    counts: Ints,
    first: int,
    out: NDArray[np.int16],
) -> None:
    """Copy what a piece holds of the samples wanted.

    Parameters
    ----------
    raw : a piece of whole blocks
    rows : (n_slots,) the row of `out` a channel goes to, or -1
    counts : (n_slots,) samples of each channel before the piece; changed
    first : number of the sample in the first column of `out`
    out : (n_rows, n_samples)
    """
    at = 0
    stop = first + out.shape[1]
    while at + HEAD_BYTES <= len(raw):
        n_samples = _u16(raw, at + 12) * _u16(raw, at + 14)
        if _u16(raw, at) == CONTINUOUS:
            slot = slots[_u16(raw, at + 8)]
            row = rows[slot]
            begin = counts[slot]
            if row >= 0 and begin < stop and begin + n_samples > first:
                low = max(begin, first)
                high = min(begin + n_samples, stop)
                place = at + HEAD_BYTES + 2 * (low - begin)
                for i in range(low - first, high - first):
                    out[row, i] = np.int16(_u16(raw, place))
                    place += 2
            counts[slot] += n_samples
        at += HEAD_BYTES + 2 * n_samples


@njit(cache=True, nogil=True)
def gather_events(raw: Bytes, found: Ints) -> int:
    """The events of a piece: fills (n, 3) with (channel, tick, number); gives how many."""
    at, n_found = 0, 0
    while at + HEAD_BYTES <= len(raw):
        if _u16(raw, at) == EVENT and n_found < len(found):
            found[n_found, 0] = _u16(raw, at + 8)
            found[n_found, 1] = _tick(raw, at)
            number = _u16(raw, at + 10)
            found[n_found, 2] = number
            n_found += 1
        at += HEAD_BYTES + 2 * _u16(raw, at + 12) * _u16(raw, at + 14)
    return n_found
