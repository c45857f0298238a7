"""Which event is which pulse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Matches:
    """Pairs of events and pulses, both rising."""

    event: NDArray[np.int64]
    """(n_pairs,)"""
    pulse: NDArray[np.int64]
    """(n_pairs,)"""
    evidence: str
    notes: tuple[str, ...] = ()

    @property
    def n_pairs(self) -> int:
        """How many pairs there are."""
        return len(self.event)


@njit(cache=True, nogil=True)
def rising(pulse: NDArray[np.int64]) -> NDArray[np.bool_]:  # pragma: no cover - compiled
    """Which pairs to keep so that pulses rise with events and the fewest pairs are lost.

    The longest rising subsequence (Schensted 1961), in n log n.
    """
    n = pulse.size
    tails = np.empty(n, np.int64)
    before = np.empty(n, np.int64)
    length = 0
    for i in range(n):
        low, high = 0, length
        while low < high:
            middle = (low + high) // 2
            if pulse[tails[middle]] < pulse[i]:
                low = middle + 1
            else:
                high = middle
        before[i] = tails[low - 1] if low > 0 else -1
        tails[low] = i
        length = max(length, low + 1)
    keep = np.zeros(n, np.bool_)
    i = tails[length - 1] if length else -1
    while i >= 0:
        keep[i] = True
        i = before[i]
    return keep
