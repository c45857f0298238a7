"""The compiled part of `wakeful.io.head_check`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


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
