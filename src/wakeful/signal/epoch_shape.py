"""The shape of an epoch's samples: Hjorth's parameters, amplitudes, moments, entropies.

One pass over an epoch gives them all and tapers the same samples for its spectrum, so that each
sample is fetched from memory once.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wakeful.signal.feature import Feature

Floats = NDArray[np.float32]

PERCENTILES = (5.0, 25.0, 75.0, 95.0)
PERMUTATION_DELAYS_S = (0.005, 0.02)
"""About a cycle of fast gamma and of beta between the three samples compared."""
SAMPLE_ENTROPY_HZ = 100.0
"""Sample entropy looks at means over 1 / this: its cost grows with the square of their number."""
_TOLERANCE_SDS = 0.2
_PATTERNS = 6

SHAPE = (
    Feature(
        name="log_activity",
        unit="ln uV^2",
        formula="ln of the samples' variance",
        source="Hjorth 1970, Electroenceph Clin Neurophysiol 29: 306",
    ),
    Feature(
        name="mobility",
        unit="1/s",
        formula="sqrt(var(x') / var(x)), x' the difference of neighbouring samples times the rate",
        source="Hjorth 1970, Electroenceph Clin Neurophysiol 29: 306",
    ),
    Feature(
        name="complexity",
        unit="",
        formula="mobility of x' over mobility of x",
        source="Hjorth 1970, Electroenceph Clin Neurophysiol 29: 306",
    ),
    Feature(
        name="line_length",
        unit="uV/s",
        formula="mean of |x'|",
        source="Esteller et al. 2001, Proc IEEE EMBS 23: 1707",
    ),
    Feature(
        name="zero_crossings",
        unit="1/s",
        formula="changes of sign of the samples minus their mean, per second",
        source="Kedem 1986, Proc IEEE 74: 1477",
    ),
    *(
        Feature(
            name=f"percentile_{percent:02.0f}",
            unit="uV",
            formula=f"{percent:.0f}th percentile of the samples minus their mean",
            source="distribution of amplitudes; interpolated as Hyndman & Fan 1996, type 7",
        )
        for percent in PERCENTILES
    ),
    Feature(
        name="interquartile_range",
        unit="uV",
        formula="75th minus 25th percentile of the samples",
        source="spread of amplitudes that outliers leave alone",
    ),
    Feature(
        name="skewness",
        unit="",
        formula="third central moment over variance^1.5",
        source="0 for a symmetric distribution; sharp and slow waves point to one side",
    ),
    Feature(
        name="kurtosis",
        unit="",
        formula="fourth central moment over variance^2, minus 3",
        source="0 for a normal distribution, higher where spikes and artefacts stand out",
    ),
    *(
        Feature(
            name=f"permutation_entropy_{delay_s * 1000:.0f}ms",
            unit="",
            formula=f"entropy of the order of three samples {delay_s * 1000:.0f} ms apart, "
            "over ln 6; equal samples count as rising",
            source="Bandt & Pompe 2002, Phys Rev Lett 88: 174102",
        )
        for delay_s in PERMUTATION_DELAYS_S
    ),
    Feature(
        name="sample_entropy",
        unit="",
        formula=f"-ln(A/B) of means over {1000 / SAMPLE_ENTROPY_HZ:.0f} ms: B pairs of runs of 2, "
        f"A of 3 within {_TOLERANCE_SDS:g} standard deviations; NaN where A or B is 0",
        source="Richman & Moorman 2000, Am J Physiol Heart 278: H2039",
    ),
)
"""In the order of the last axis of `compute_shape`."""


def compute_shape(epochs_uv: Floats, rate_hz: float) -> Floats:
    """The features `SHAPE` of epochs.

    Parameters
    ----------
    epochs_uv : (..., n_samples), microvolts
    rate_hz : sampling rate

    Returns
    -------
    (..., n_features); NaN throughout for an epoch that holds a NaN or does not change, and for
    entropies of epochs too short for them
    """
    n = epochs_uv.shape[-1]
    epochs = np.ascontiguousarray(epochs_uv, np.float32).reshape(-1, n)
    none = np.empty((0, n), np.float32)
    values = shape_and_taper(epochs, rate_hz, none, np.empty((len(epochs), 0, n), np.float32))
    return values.reshape(*epochs_uv.shape[:-1], len(SHAPE))


def shape_and_taper(epochs_uv: Floats, rate_hz: float, tapers: Floats, tapered: Floats) -> Floats:
    """As `compute_shape`, and in the same pass the samples minus their mean times each taper.

    Parameters
    ----------
    epochs_uv : (n_epochs, n_samples), contiguous
    rate_hz : sampling rate
    tapers : (n_tapers, n_samples)
    tapered : (n_epochs, n_tapers, n_fft); the first n_samples of each row are filled

    Returns
    -------
    (n_epochs, n_features)
    """
    delays = np.array([max(1, round(delay * rate_hz)) for delay in PERMUTATION_DELAYS_S], np.int64)
    # NumPy sorts float32 with the processor's widest registers, numba does not.
    ordered = np.sort(epochs_uv, axis=-1)
    values = np.empty((len(epochs_uv), len(SHAPE)), np.float32)
    width = max(1, round(rate_hz / SAMPLE_ENTROPY_HZ))
    shares = np.array(PERCENTILES) / 100
    for i in range(len(epochs_uv)):
        _shape(
            epochs_uv[i], ordered[i], rate_hz, delays, width, shares, tapers, tapered[i], values[i]
        )
    return values


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _shape(
    x: Floats,
    ordered: Floats,
    rate_hz: float,
    delays: NDArray[np.int64],
    width: int,
    shares: NDArray[np.float64],
    tapers: Floats,
    tapered: Floats,
    out: Floats,
) -> None:
    n = x.size
    # NaN comes last in order: it and an epoch that does not change show here.
    low, high = ordered[0], ordered[n - 1]
    out[:] = np.float32(np.nan)
    if not (high > low and high < np.inf and low > -np.inf):
        tapered[:] = np.float32(np.nan)
        return
    total = 0.0
    for i in range(n):
        total += np.float64(x[i])
    mean = total / n
    centred = np.empty(n, np.float32)
    for i in range(n):
        centred[i] = np.float32(np.float64(x[i]) - mean)
    for k in range(tapers.shape[0]):
        taper, row = tapers[k], tapered[k]
        for i in range(n):
            row[i] = centred[i] * taper[i]
    second, third, fourth = 0.0, 0.0, 0.0
    for i in range(n):
        d = np.float64(centred[i])
        square = d * d
        second += square
        third += square * d
        fourth += square * square
    second, third, fourth = second / n, third / n, fourth / n
    if not second > 0:
        return
    slope_squares, bend_squares, length = 0.0, 0.0, 0.0
    crossings = 0
    for i in range(n - 1):
        d = np.float64(x[i + 1]) - np.float64(x[i])
        slope_squares += d * d
        length += abs(d)
        crossings += (centred[i] < 0) != (centred[i + 1] < 0)
    for i in range(n - 2):
        d = np.float64(x[i + 2]) - 2 * np.float64(x[i + 1]) + np.float64(x[i])
        bend_squares += d * d
    mean_slope = (np.float64(x[n - 1]) - np.float64(x[0])) / (n - 1)
    slope_variance = slope_squares / (n - 1) - mean_slope * mean_slope
    first = np.float64(x[1]) - np.float64(x[0])
    last = np.float64(x[n - 1]) - np.float64(x[n - 2])
    mean_bend = (last - first) / (n - 2)
    bend_variance = bend_squares / (n - 2) - mean_bend * mean_bend
    out[0] = math.log(second)
    out[1] = math.sqrt(max(slope_variance, 0.0) / second) * rate_hz
    if slope_variance > 0:
        mobility_of_slope = math.sqrt(max(bend_variance, 0.0) / slope_variance)
        out[2] = mobility_of_slope / math.sqrt(slope_variance / second)
    out[3] = length / (n - 1) * rate_hz
    out[4] = crossings / (n - 1) * rate_hz
    place = 5
    quartiles = np.empty(shares.size)
    for q in range(shares.size):
        position = shares[q] * (n - 1)
        below = int(position)
        above = min(below + 1, n - 1)
        a, b = np.float64(ordered[below]), np.float64(ordered[above])
        quartiles[q] = a + (b - a) * (position - below)
        out[place] = quartiles[q] - mean
        place += 1
    out[place] = quartiles[2] - quartiles[1]
    out[place + 1] = third / second**1.5
    out[place + 2] = fourth / (second * second) - 3
    place += 3
    for k in range(delays.size):
        out[place] = _permutation_entropy(x, delays[k])
        place += 1
    out[place] = _sample_entropy(centred, width)


@njit(nogil=True, cache=True)
def _permutation_entropy(x: Floats, delay: int) -> float:
    n = x.size - 2 * delay
    if n < 1:
        return np.nan
    counts = np.zeros(8, np.int64)
    for i in range(n):
        a, b, c = x[i], x[i + delay], x[i + 2 * delay]
        counts[(a <= b) + 2 * (b <= c) + 4 * (a <= c)] += 1
    entropy = 0.0
    for k in range(8):
        if counts[k] > 0:
            share = counts[k] / n
            entropy -= share * math.log(share)
    return entropy / math.log(_PATTERNS)


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _sample_entropy(centred: Floats, width: int) -> float:
    """Sample entropy of means over `width` samples, for runs of 2 and 3."""
    n = centred.size // width
    if n < 4:
        return np.nan
    x = np.empty(n, np.float32)
    total, squares = 0.0, 0.0
    for i in range(n):
        part = 0.0
        for j in range(i * width, (i + 1) * width):
            part += np.float64(centred[j])
        x[i] = np.float32(part / width)
        total += np.float64(x[i])
    mean = total / n
    for i in range(n):
        d = np.float64(x[i]) - mean
        squares += d * d
    tolerance = np.float32(_TOLERANCE_SDS * math.sqrt(squares / n))
    near = np.empty(n, np.int32)
    two, three = 0, 0
    # Pairs of runs so many places apart: what is near is looked at once for all three lengths.
    for apart in range(1, n - 2):
        m = n - apart
        for i in range(m):
            near[i] = abs(x[i] - x[i + apart]) <= tolerance
        for i in range(m - 2):
            both = near[i] & near[i + 1]
            two += both
            three += both & near[i + 2]
    if two == 0 or three == 0:
        return np.nan
    return -math.log(three / two)
