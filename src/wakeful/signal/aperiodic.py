"""The aperiodic part of a power spectrum and the peaks of oscillations on top of it.

The model is that of Donoghue et al. (2020, Nature Neuroscience 23: 1655): the logarithm of power is
an aperiodic part, a line in log-log space that may have a knee, plus Gaussians. The fit is our own:
a line that looks away from what rises above it, peaks taken one after the other from the highest
down, then aperiodic part and peaks together by least squares (Levenberg 1944, Marquardt 1963).
Spectra are fitted one by one in compiled code, so that the result of one does not depend on which
others came with it.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.errors import BadParameters, TooShort
from wakeful.signal.aperiodic_kernel import fit_all
from wakeful.signal.streaming import available_processors

Floats = NDArray[np.float64]

_LEAST_BINS = 12
"""Fewer bins than this carry no line and peaks."""
_CHUNK = 64


@dataclass(frozen=True, kw_only=True)
class FitPlan:
    """What is fitted, and what counts as a peak."""

    low_hz: float = 2.0
    high_hz: float = 45.0
    knee: bool = False
    """Whether the aperiodic part may be flat below a knee."""
    max_peaks: int = 6
    min_height: float = 0.1
    """A peak rises at least so much above the aperiodic part, log10 units."""
    threshold_sd: float = 2.0
    """And at least this many standard deviations of what is left when all peaks are taken out."""
    width_hz: tuple[float, float] = (1.0, 8.0)
    """Least and largest width of a peak, two standard deviations of its Gaussian."""

    def __post_init__(self) -> None:
        """Check ranges, all at once."""
        narrow, wide = self.width_hz
        checks = (
            ("low_hz, high_hz", (self.low_hz, self.high_hz), 0 < self.low_hz < self.high_hz < 1e9),
            ("max_peaks", self.max_peaks, 0 <= self.max_peaks <= 20),
            ("min_height", self.min_height, 0 <= self.min_height < 1e3),
            ("threshold_sd", self.threshold_sd, 0 <= self.threshold_sd < 1e3),
            ("width_hz", self.width_hz, 0 < narrow < wide < 1e6),
        )
        bad = [f"{name} = {value} is out of range" for name, value, holds in checks if not holds]
        if bad:
            raise BadParameters("; ".join(bad), where="aperiodic fit", remedy="correct the values")


@dataclass(frozen=True, eq=False, kw_only=True)
class SpectrumFits:
    """What was fitted to each spectrum; NaN throughout where a spectrum could not be."""

    offset: Floats
    """(...) log10 of the power that the aperiodic part has at 1 Hz, where there is no knee."""
    exponent: Floats
    """(...) x of 1/f^x."""
    knee_hz: Floats
    """(...) where the aperiodic part bends; NaN without one."""
    peak_hz: Floats
    """(..., max_peaks) centres in order of frequency, NaN beyond the last."""
    peak_height: Floats
    """(..., max_peaks) above the aperiodic part, log10 units."""
    peak_width_hz: Floats
    """(..., max_peaks) two standard deviations."""
    error: Floats
    """(...) mean absolute difference between model and spectrum, log10 units."""
    r_squared: Floats
    """(...) share of the variance of log power that the model explains."""


def fit_spectra(
    power: NDArray[np.floating], frequency_hz: Floats, plan: FitPlan | None = None
) -> SpectrumFits:
    """Aperiodic part and peaks of many power spectra.

    Parameters
    ----------
    power : (..., n_frequencies), linear power, for example uV^2/Hz
    frequency_hz : (n_frequencies,), evenly spaced
    plan : range and peaks; `FitPlan()` where None

    Returns
    -------
    Fits of shape (...). A spectrum with a bin in the range that is no number above zero is NaN.

    Raises
    ------
    TooShort
        The range holds fewer than 12 bins, or reaches beyond the last frequency.
    """
    plan = plan or FitPlan()
    step_hz = float(frequency_hz[1] - frequency_hz[0]) if len(frequency_hz) > 1 else math.inf
    first = int(np.searchsorted(frequency_hz, plan.low_hz - 0.01 * step_hz))
    stop = int(np.searchsorted(frequency_hz, plan.high_hz + 0.01 * step_hz))
    reaches = len(frequency_hz) > 0 and frequency_hz[-1] >= plan.high_hz - 0.51 * step_hz
    if stop - first < _LEAST_BINS or not reaches:
        ends = f"to {frequency_hz[-1]:g} Hz in steps of {step_hz:g}" if len(frequency_hz) else ""
        raise TooShort(
            f"frequencies {ends} do not carry a fit of {plan.low_hz:g} to {plan.high_hz:g} Hz",
            where="aperiodic fit",
            remedy=f"give a range of {_LEAST_BINS} bins or more inside the spectrum",
        )
    shape = power.shape[:-1]
    part = np.asarray(power[..., first:stop], np.float64).reshape(-1, stop - first)
    used_hz = np.ascontiguousarray(frequency_hz[first:stop], np.float64)
    table = np.full((len(part), 5 + 3 * plan.max_peaks), np.nan)
    usable = np.flatnonzero((np.isfinite(part) & (part > 0)).all(axis=1))
    level = np.log10(part[usable])
    fitted = np.empty((len(usable), table.shape[1]))
    narrow, wide = (width / 2 for width in plan.width_hz)
    settings = np.array([plan.min_height, plan.threshold_sd, narrow, wide])

    def work(start: int) -> None:
        here = slice(start, start + _CHUNK)
        fit_all(used_hz, level[here], plan.knee, plan.max_peaks, settings, fitted[here])

    with ThreadPoolExecutor(available_processors()) as pool:
        list(pool.map(work, range(0, len(usable), _CHUNK)))
    table[usable] = fitted
    peaks = table[:, 5:].reshape(len(part), plan.max_peaks, 3)

    def column(values: Floats) -> Floats:
        return np.ascontiguousarray(values).reshape((*shape, *values.shape[1:]))

    return SpectrumFits(
        offset=column(table[:, 0]),
        exponent=column(table[:, 1]),
        knee_hz=column(table[:, 2]),
        error=column(table[:, 3]),
        r_squared=column(table[:, 4]),
        peak_hz=column(peaks[:, :, 0]),
        peak_height=column(peaks[:, :, 1]),
        peak_width_hz=column(2 * peaks[:, :, 2]),
    )


def aperiodic_level(fits: SpectrumFits, frequency_hz: Floats) -> Floats:
    """log10 power of the aperiodic part, (..., n_frequencies); NaN where there is no fit."""
    offset, exponent = fits.offset[..., None], fits.exponent[..., None]
    log_f = np.log(np.asarray(frequency_hz, np.float64))
    # ln(knee^x + f^x), without a knee x ln(f): a negative exponent has no power of nothing.
    log_knee = np.log(np.where(np.isnan(fits.knee_hz), 1.0, fits.knee_hz))[..., None]
    with np.errstate(invalid="ignore"):
        bent = np.logaddexp(exponent * log_knee, exponent * log_f)
    straight = np.isnan(fits.knee_hz)[..., None]
    level: Floats = offset - np.where(straight, exponent * log_f, bent) / math.log(10.0)
    return level
