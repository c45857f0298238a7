"""Muscle tone from an EMG's spectrum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wakeful.signal.bands import USABLE, bin_weights, integrate


def emg_band(
    rate_hz: float, low_hz: float = 30.0, high_hz: float = 300.0
) -> tuple[float, float] | None:
    """The band an EMG is read in at a sampling rate; None where the rate leaves nothing of it."""
    high_hz = min(high_hz, USABLE * rate_hz / 2)
    return (low_hz, high_hz) if high_hz > low_hz else None


def compute_emg_rms(
    psd: NDArray[np.float32],
    frequency_hz: NDArray[np.float64],
    band_hz: tuple[float, float],
    mains_hz: float,
    mains_margin_hz: float = 2.0,
) -> NDArray[np.float32]:
    """Root mean square of an EMG in a band, mains and its harmonics left out.

    Parameters
    ----------
    psd : (..., n_frequencies), uV^2/Hz, one-sided
    frequency_hz : (n_frequencies,), evenly spaced from 0
    band_hz : low edge included, high edge excluded
    mains_hz : 50 or 60; 0 leaves nothing out
    mains_margin_hz : left out to either side of each multiple of the mains frequency

    Returns
    -------
    (...,) microvolts; NaN where the density is NaN or the margins leave nothing of the band
    """
    low_hz, high_hz = band_hz
    weights = bin_weights(frequency_hz, low_hz, high_hz)
    if mains_hz > 0:
        for harmonic in np.arange(mains_hz, high_hz + mains_margin_hz, mains_hz):
            left = max(low_hz, harmonic - mains_margin_hz)
            right = min(high_hz, harmonic + mains_margin_hz)
            if right > left:
                weights -= bin_weights(frequency_hz, left, right)
        # What rounding leaves of a bin that is taken out whole is nothing.
        weights[weights < 1e-9] = 0
    return np.sqrt(integrate(psd, weights))
