"""Medians of a few numbers, what is not a number left out."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@njit(nogil=True, cache=True)
def median_of(values: Floats, ordered: Floats) -> np.float32:
    """Median, NaN left out; NaN where nothing is left. `ordered` is room to sort in."""
    n = 0
    for i in range(values.size):
        value = values[i]
        if np.isnan(value):
            continue
        place = n
        while place > 0 and ordered[place - 1] > value:
            ordered[place] = ordered[place - 1]
            place -= 1
        ordered[place] = value
        n += 1
    if n == 0:
        return np.float32(np.nan)
    return np.float32((ordered[(n - 1) // 2] + ordered[n // 2]) / 2)
