"""Medians over the channels of a region, what is not a number left out."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def median_over_channels(values: Floats) -> Floats:
    """Median over the first axis, NaN left out; NaN where nothing is left.

    Parameters
    ----------
    values : (n_channels, ...)

    Returns
    -------
    (...)
    """
    flat = np.ascontiguousarray(values, np.float32).reshape(len(values), -1)
    out = np.empty(flat.shape[1], np.float32)
    _medians(flat, out)
    return out.reshape(values.shape[1:])


@njit(nogil=True, cache=True)
def _medians(values: Floats, out: Floats) -> None:
    ordered = np.empty(values.shape[0], np.float32)
    for i in range(out.size):
        out[i] = median_of(values[:, i], ordered)


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
