"""Frequency bands, and the power in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from wakeful.model.errors import BadParameters

USABLE = 0.8
"""Fraction of Nyquist up to which a recording's spectrum is used: beyond, anti-aliasing filters
take hold."""


@dataclass(frozen=True, slots=True)
class Band:
    """A named stretch of frequency, low edge included and high edge excluded."""

    name: str
    low_hz: float
    high_hz: float

    def __post_init__(self) -> None:
        """Check the edges."""
        if not 0 <= self.low_hz < self.high_hz:
            raise BadParameters(
                f"{self.low_hz:g} to {self.high_hz:g} Hz is not a band",
                where=self.name,
                remedy="give a low edge of 0 Hz or more and a higher high edge",
            )


DELTA = Band("delta", 1.0, 4.0)
THETA = Band("theta", 6.0, 9.0)
SIGMA = Band("sigma", 10.0, 15.0)
BETA = Band("beta", 15.0, 30.0)
SLOW_GAMMA = Band("slow gamma", 30.0, 60.0)
FAST_GAMMA = Band("fast gamma", 60.0, 100.0)
BANDS = (DELTA, THETA, SIGMA, BETA, SLOW_GAMMA, FAST_GAMMA)
"""Rodent bands (Buzsaki & Draguhn 2004; Colgin et al. 2009 for the two gammas)."""
RIPPLE = Band("ripple", 110.0, 200.0)
PROFILES: Mapping[str, tuple[Band, ...]] = MappingProxyType(
    {
        "mouse": (*BANDS, RIPPLE),
        "rat": (
            DELTA,
            THETA,
            SIGMA,
            Band("beta", 15.0, 25.0),
            Band("slow gamma", 25.0, 50.0),
            Band("fast gamma", 65.0, 140.0),
            Band("ripple", 140.0, 200.0),
        ),
    }
)
"""Bands of a species, all of the same names. The rat's gammas are where Colgin et al. (2009) found
them in rats; ripples after Buzsaki (2015, Hippocampus 25: 1073). Delta and theta are those by which
sleep is scored in both."""


def edges_of(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges of evenly spaced bins, (n_frequencies + 1,): half a bin's width to either side."""
    half = float(frequency_hz[1] - frequency_hz[0]) / 2
    return np.append(frequency_hz - half, frequency_hz[-1] + half)


def bin_weights(
    frequency_hz: NDArray[np.float64],
    low_hz: float,
    high_hz: float,
    edges_hz: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """How many hertz of each bin lie in [low_hz, high_hz), (n_frequencies,).

    A bin reaches from one edge to the next. One that begins below 0, the transform's own at 0 Hz,
    is cut at 0 and counts whole, since it holds what two-sided spectra have on both sides of 0.

    Parameters
    ----------
    frequency_hz : middles of the bins
    low_hz, high_hz : the band
    edges_hz : (n_frequencies + 1,); bins are evenly spaced where None
    """
    edges = edges_of(frequency_hz) if edges_hz is None else edges_hz
    left, right = edges[:-1], edges[1:]
    weights: NDArray[np.float64] = np.clip(
        np.minimum(right, high_hz) - np.maximum(left, low_hz), 0, None
    )
    if left[0] < 0:
        shared = min(right[0], high_hz) - max(0.0, low_hz)
        weights[0] = max(0.0, shared) / right[0] * (right[0] - left[0])
    return weights


def reaches(
    frequency_hz: NDArray[np.float64],
    high_hz: float,
    edges_hz: NDArray[np.float64] | None = None,
) -> bool:
    """Whether the bins reach up to `high_hz` (to a thousandth of one)."""
    edges = edges_of(frequency_hz) if edges_hz is None else edges_hz
    return bool(high_hz <= edges[-1] + 0.001 * (edges[2] - edges[1]))


def integrate(psd: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float32]:
    """Sum of density times bin weight over the last axis; bins of no weight are not looked at.

    Parameters
    ----------
    psd : (..., n_frequencies), uV^2/Hz
    weights : (n_frequencies,) Hz

    Returns
    -------
    (...,) uV^2
    """
    used = np.flatnonzero(weights)
    if len(used) == 0:
        return np.full(psd.shape[:-1], np.nan, np.float32)
    first, stop = used[0], used[-1] + 1
    part = np.where(weights[first:stop] > 0, psd[..., first:stop], 0)
    # Row by row in one order: a matrix product's rounding would depend on the number of epochs.
    total: NDArray[np.float32] = np.sum(part * weights[first:stop], axis=-1).astype(np.float32)
    return total


def compute_band_power(
    psd: NDArray[np.float32],
    frequency_hz: NDArray[np.float64],
    bands: Sequence[Band] = BANDS,
    edges_hz: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """Power in each band: the density's integral, parts of bins counted exactly.

    Parameters
    ----------
    psd : (..., n_frequencies), uV^2/Hz, one-sided
    frequency_hz : (n_frequencies,), ending where the spectrum is no longer usable
    bands : which
    edges_hz : (n_frequencies + 1,) of the bins; evenly spaced where None

    Returns
    -------
    (..., n_bands), uV^2; NaN for a band that reaches beyond the last bin, and where the density is
    NaN
    """
    power = np.full((*psd.shape[:-1], len(bands)), np.nan, np.float32)
    for i, band in enumerate(bands):
        if reaches(frequency_hz, band.high_hz, edges_hz):
            weights = bin_weights(frequency_hz, band.low_hz, band.high_hz, edges_hz)
            power[..., i] = integrate(psd, weights)
    return power
