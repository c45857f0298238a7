"""Slow drift of electrodes and muscles, told apart from changes of state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_MIN_EPOCHS = 30
"""A median of fewer epochs says nothing about drift."""


def compute_drift(
    observed: Values,
    expected: Values,
    start_s: Values,
    *,
    window_s: float,
    centred: bool = True,
) -> Values:
    """Running median of what the states do not explain.

    A running mean of the features themselves would follow the amount of sleep; what is left after
    the expectation of each epoch's state does not.

    Parameters
    ----------
    observed : (n_epochs, n_features)
    expected : (n_epochs, n_features) mean of the features given the states' probabilities
    start_s : (n_epochs,) in order
    window_s : the median is taken over this long, at steps of a twelfth of it
    centred : its median over the session is taken out: the expectation is the session's own

    Returns
    -------
    (n_epochs, n_features); 0 where a feature is missing throughout
    """
    residual = observed - expected
    grid_s = np.arange(start_s[0], start_s[-1] + window_s / 12, window_s / 12)
    first = np.searchsorted(start_s, grid_s - window_s / 2)
    stop = np.searchsorted(start_s, grid_s + window_s / 2)
    drift = np.zeros_like(observed)
    for feature in range(observed.shape[1]):
        seen = np.isfinite(residual[:, feature])
        level = np.full(len(grid_s), np.nan)
        for i, (a, b) in enumerate(zip(first, stop, strict=True)):
            near = residual[a:b, feature][seen[a:b]]
            if near.size >= _MIN_EPOCHS:
                level[i] = np.median(near)
        known = np.isfinite(level)
        if known.any():
            drift[:, feature] = np.interp(start_s, grid_s[known], level[known])
            if centred:
                drift[:, feature] -= np.median(drift[:, feature])
    return drift
