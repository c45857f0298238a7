"""The compiled part of what looks at heads of records.

Opening 64 files of a minute means 240,000 heads: each is looked at, at the speed of the memory.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wakeful.io.record_kernel import pread


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def find_fault(
    words: NDArray[np.uint32],
    channel: int,
    rate: int,
    per: int,
    n_last: int,
    period_ticks: float,
    tolerance_ticks: float,
) -> int:
    """8 x the number of the first bad record + what is bad; -1 where none is."""
    n = words.shape[0]
    before = np.int64(0)
    for i in range(n):
        if words[i, 2] != channel or words[i, 3] != rate:
            return 8 * i + 1
        n_valid = np.int64(words[i, 4])
        if n_valid > per or n_valid < (n_last if i == n - 1 else per):
            return 8 * i + 2
        tick = np.int64(words[i, 0]) | (np.int64(words[i, 1]) << 32)
        if i > 0 and abs(float(tick - before) - per * period_ticks) > tolerance_ticks:
            return 8 * i + 3
        before = tick
    return -1


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def read_heads(
    descriptor: int,
    at: int,
    record_bytes: int,
    buffer: NDArray[np.uint8],
    heads: NDArray[np.uint8],
) -> bool:
    """Read what consecutive records begin with.

    Parameters
    ----------
    descriptor : of the open file
    at : where the first record begins
    buffer : room for at least one record; stays in the cache while it is used again and again
    heads : (n_records, n_bytes), filled

    Returns
    -------
    False where the file ended too early or could not be read; `heads` then holds anything
    """
    step = buffer.size // record_bytes
    if step == 0:
        return False
    number = 0
    while number < heads.shape[0]:
        n_records = min(step, heads.shape[0] - number)
        # What lies behind the last head is not asked for.
        n_bytes, n_got = (n_records - 1) * record_bytes + heads.shape[1], 0
        while n_got < n_bytes:
            place = np.uintp(buffer.ctypes.data + n_got)
            n = pread(np.intc(descriptor), place, np.uintp(n_bytes - n_got), at + n_got)
            if n <= 0:
                return False
            n_got += n
        for record in range(n_records):
            begin = record * record_bytes
            for i in range(heads.shape[1]):
                heads[number + record, i] = buffer[begin + i]
        at += n_records * record_bytes
        number += n_records
    return True


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def follow_each_other(
    ticks: NDArray[np.int64],
    n_valid: NDArray[np.int64],
    fault: NDArray[np.uint8],
    per: int,
    period_ticks: float,
    tolerance_ticks: float,
) -> bool:
    """Whether records are sound, each comes when the one before ends, and all but the last are
    full.
    """
    n = ticks.size
    for i in range(n):
        if fault[i] != 0 or n_valid[i] <= 0 or (i < n - 1 and n_valid[i] != per):
            return False
        if i > 0:
            late = float(ticks[i] - ticks[i - 1]) - per * period_ticks
            if not abs(late) <= tolerance_ticks:
                return False
    return True


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def read_heads_at(descriptor: int, places: NDArray[np.int64], heads: NDArray[np.uint8]) -> bool:
    """Read a few bytes here and there.

    Parameters
    ----------
    places : where they begin, (n,)
    heads : (n, n_bytes), filled

    Returns
    -------
    False where the file ended too early or could not be read; `heads` then holds anything
    """
    n_bytes = heads.shape[1]
    for i in range(places.size):
        at = np.uintp(heads.ctypes.data + i * n_bytes)
        if pread(np.intc(descriptor), at, np.uintp(n_bytes), places[i]) != n_bytes:
            return False
    return True


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def take_sound(
    words: NDArray[np.uint32],
    channel: int,
    rate: int,
    per: int,
    max_tick: int,
    ticks: NDArray[np.int64],
    n_valid: NDArray[np.int64],
) -> bool:
    """Take time stamps and numbers of samples out of heads, as long as all are sound.

    Parameters
    ----------
    words : (n, 5): time stamp (two words), channel, rate, number of valid samples
    per : samples in a full record
    max_tick : time stamps from here on are damage
    ticks, n_valid : (n,), filled

    Returns
    -------
    False where a head is of another channel or rate, has no sample or too many, or an impossible
    time stamp; `ticks` and `n_valid` then hold anything
    """
    for i in range(words.shape[0]):
        n = np.int64(words[i, 4])
        tick = np.int64(words[i, 0]) | (np.int64(words[i, 1]) << 32)
        if words[i, 2] != channel or words[i, 3] != rate:
            return False
        if n == 0 or n > per or tick < 0 or tick >= max_tick:
            return False
        ticks[i], n_valid[i] = tick, n
    return True


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def same_but_for(
    words: NDArray[np.uint32], others: NDArray[np.uint32], column: int, value: int
) -> bool:
    """Whether heads are those of another file, one word apart, which is the same throughout.

    Parameters
    ----------
    words, others : (n, n_words)
    column, value : the word that may differ, and what it has to be in `words`
    """
    for i in range(words.shape[0]):
        if words[i, column] != value:
            return False
        for k in range(words.shape[1]):
            if k != column and words[i, k] != others[i, k]:
                return False
    return True
