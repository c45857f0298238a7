"""Following one rhythm through time: which of an epoch's peaks it is, and how strong."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_APART_HZ = 1.0
"""Peaks of neighbouring epochs support each other less the further they lie apart: by a Gaussian of
this standard deviation."""


def number_runs(known: NDArray[np.bool_], starts_anew: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(n_epochs,) number of the run that each epoch belongs to; a hole ends a run, and is in none.

    Parameters
    ----------
    known : (n_epochs,) False in holes, which get -1
    starts_anew : (n_epochs,) True where an epoch does not follow the one before it
    """
    begins = known & (starts_anew | ~np.r_[False, known[:-1]])
    return np.where(known, np.cumsum(begins) - 1, -1)


def mean_over_window(values: Floats, run: NDArray[np.int64], reach: int) -> Floats:
    """Mean over the epochs of the same run that lie within `reach` epochs.

    Parameters
    ----------
    values : (n_epochs, n_values)
    run : (n_epochs,) from `number_runs`
    reach : epochs to either side

    Returns
    -------
    (n_epochs, n_values); NaN in holes. Each mean is summed in order of time, so that it does not
    depend on what else is handed in.
    """
    n = len(values)
    total = np.zeros(values.shape)
    count = np.zeros(n)
    for offset in range(-reach, reach + 1):
        here = np.arange(max(0, -offset), min(n, n - offset))
        here = here[(run[here] >= 0) & (run[here] == run[here + offset])]
        total[here] += values[here + offset]
        count[here] += 1
    total[count == 0] = np.nan
    mean: Floats = total / np.maximum(count, 1)[:, None]
    return mean


def follow_peak(
    peak_hz: Floats,
    peak_height: Floats,
    run: NDArray[np.int64],
    band_hz: tuple[float, float],
    reach: int,
) -> NDArray[np.int64]:
    """Which peak of each epoch is the rhythm: the one that is high and has its like around it.

    A peak's support is the sum, over the epochs of the same run within `reach`, of the height of
    the peak there that lies nearest in the sense of height times a Gaussian of the distance (1 Hz);
    nearer epochs weigh more. Nothing is carried over a hole, and nothing made up: an epoch without
    a peak in the band has none.

    Parameters
    ----------
    peak_hz, peak_height : (n_epochs, n_peaks), NaN where there is none
    run : (n_epochs,) from `number_runs`
    band_hz : where the rhythm's centre lies, both ends included
    reach : epochs to either side

    Returns
    -------
    (n_epochs,) number of the peak, -1 for none
    """
    n, n_peaks = peak_hz.shape
    if n_peaks == 0 or n == 0:
        return np.full(n, -1)
    inside = (peak_hz >= band_hz[0]) & (peak_hz <= band_hz[1])
    height = np.where(inside, peak_height, 0.0)
    centre = np.where(inside, peak_hz, -math.inf)
    support = np.zeros((n, n_peaks))
    for offset in range(-reach, reach + 1):
        here = np.arange(max(0, -offset), min(n, n - offset))
        here = here[(run[here] >= 0) & (run[here] == run[here + offset])]
        mine, theirs = centre[here][:, :, None], centre[here + offset][:, None, :]
        with np.errstate(invalid="ignore"):
            like = np.exp(-0.5 * ((mine - theirs) / _APART_HZ) ** 2)
        like = np.where(np.isfinite(like), like, 0.0) * height[here + offset][:, None, :]
        support[here] += like.max(axis=2) * (1 - abs(offset) / (reach + 1))
    support[~inside] = -1.0
    chosen = np.argmax(support, axis=1)
    return np.where(support[np.arange(n), chosen] > 0, chosen, -1)


def power_above(
    level: Floats, centre_hz: Floats, height: Floats, width_hz: Floats, frequency_hz: Floats
) -> Floats:
    """Power of a peak above the aperiodic part: the model with it less the model without it.

    Parameters
    ----------
    level : (n, n_frequencies) log10 density of the aperiodic part
    centre_hz, height, width_hz : (n,) of the peak; NaN where there is none
    frequency_hz : (n_frequencies,), evenly spaced

    Returns
    -------
    (n,) the density's unit times hertz
    """
    sd = width_hz[:, None] / 2
    rise = height[:, None] * np.exp(-0.5 * ((frequency_hz - centre_hz[:, None]) / sd) ** 2)
    above = 10.0**level * np.expm1(rise * math.log(10.0))
    power: Floats = np.sum(above, axis=1) * float(frequency_hz[1] - frequency_hz[0])
    return power
