"""Values at lags and over windows of time, that never look across a hole in the recording."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wakeful.sleep.feature_list import Column, half_window

Floats = NDArray[np.float32]
_KINDS = {"lag": 0, "mean": 1, "median": 2}


def find_stretches(
    start_s: NDArray[np.float64], known: NDArray[np.bool_], epoch_s: float
) -> NDArray[np.int64]:
    """Number of the stretch without holes that each epoch lies in; -1 for a hole.

    Parameters
    ----------
    start_s : (n_epochs,)
    known : (n_epochs,) False where nothing is known of the brain
    """
    broken = np.ones(len(start_s), np.bool_)
    follows = np.isclose(np.diff(start_s), epoch_s, rtol=0, atol=1e-3)
    broken[1:] = ~(follows & known[1:] & known[:-1])
    return np.where(known, np.cumsum(broken), -1).astype(np.int64)


def fill_neighbours(
    values: Floats, columns: tuple[Column, ...], stretch: NDArray[np.int64], epoch_s: float
) -> None:
    """Fill the columns that look at the epochs around.

    Parameters
    ----------
    values : (n_epochs, n_columns) filled up to the neighbours, which are filled here
    stretch : (n_epochs,) from `find_stretches`
    """
    for i, column in enumerate(columns):
        neighbour = column.neighbour
        if neighbour is None:
            continue
        half = half_window(neighbour.window_s, epoch_s)
        kind = _KINDS[neighbour.kind]
        of = np.ascontiguousarray(values[:, column.of])
        filled = np.empty(len(values), np.float32)
        _look_around(of, stretch, kind, neighbour.lag, half, filled)
        values[:, i] = filled


@njit(nogil=True, cache=True)
def _look_around(
    x: Floats, stretch: NDArray[np.int64], kind: int, lag: int, half: int, out: Floats
) -> None:
    """Each window is summed or sorted on its own: no rounding is carried from epoch to epoch."""
    n = x.size
    window = np.empty(2 * half + 1, np.float32)
    for i in range(n):
        out[i] = np.float32(np.nan)
        if stretch[i] < 0:
            continue
        if kind == 0:
            j = i + lag
            if 0 <= j < n and stretch[j] == stretch[i]:
                out[i] = x[j]
            continue
        if np.isnan(x[i]):
            continue
        count = 0
        for j in range(max(0, i - half), min(n, i + half + 1)):
            if stretch[j] == stretch[i] and not np.isnan(x[j]):
                window[count] = x[j]
                count += 1
        if kind == 1:
            total = 0.0
            for j in range(count):
                total += np.float64(window[j])
            out[i] = np.float32(total / count)
        else:
            ordered = np.sort(window[:count])
            low = np.float64(ordered[(count - 1) // 2])
            out[i] = np.float32((low + np.float64(ordered[count // 2])) / 2)
