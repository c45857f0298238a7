"""The bins a spectrogram is stored in: those of the transform below, wider ones above.

A day of spectra with every bin of the transform is large for nothing: rhythms are told apart by
ratios of frequency, not by differences. So bins are a quarter of a hertz wide up to 40 Hz, and grow
with frequency. The density of a wide bin is the mean over it, parts of the
transform's bins counted exactly, so that it integrates to the same power; and every edge of the
bands of mouse and rat is an edge of bins, or cuts one of the transform's own bins as it did there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from wakeful.signal.bands import edges_of

Floats = NDArray[np.float64]

ZONES_HZ = (
    (40.0, 0.25),
    (60.0, 2.5),
    (110.0, 5.0),
    (250.0, 10.0),
    (500.0, 25.0),
    (math.inf, 500.0),
)
"""Up to where, and how wide the bins are at least. Where `aperiodic` fits they are the transform's
own: from wider ones, interpolated, it finds half as many peaks again in plain noise."""


@dataclass(frozen=True, eq=False)
class SpectrogramBins:
    """How the transform's bins, k / epoch_s, become those that are stored."""

    edges_hz: Floats
    """(n_stored + 1,); below 0 where the first bin is the transform's own at 0 Hz."""
    frequency_hz: Floats
    """(n_stored,) middles."""
    first: NDArray[np.int64]
    """(n_stored,) the first of the transform's bins in each."""
    weights: NDArray[np.float64]
    """(n_stored, most) of those from `first` on; the mean over the bin."""


@lru_cache(maxsize=16)
def design_bins(n_bins: int, epoch_s: float) -> SpectrogramBins:
    """The bins for a transform's bins 0 to `n_bins` - 1, which lie at k / epoch_s.

    Where the transform's bins are as wide as a zone's, or wider, they stay as they are.
    """
    width_hz = 1 / epoch_s
    top_hz = (n_bins - 0.5) * width_hz
    edges: list[float] = []
    middles: list[float] = []
    k, low_hz = 0, 0.0
    for high_hz, zone_hz in ZONES_HZ:
        if width_hz >= zone_hz * (1 - 1e-9):
            k = round(edges[-1] * epoch_s + 0.5) if edges else 0
            edges = edges or [-width_hz / 2]
            while k < n_bins and k * width_hz <= high_hz + 1e-9:
                edges.append((k + 0.5) * width_hz)
                middles.append(k * width_hz)
                k += 1
        else:
            edges = edges or [0.0]
            # No slivers: the first bin of a zone is at least half as wide as the others.
            number = math.ceil((edges[-1] + zone_hz / 2) / zone_hz - 1e-9)
            last = min(high_hz, top_hz) + 1e-9
            while number * zone_hz <= last:
                middles.append((edges[-1] + number * zone_hz) / 2)
                edges.append(number * zone_hz)
                number += 1
        low_hz = edges[-1]
        if top_hz <= high_hz:
            break
    if top_hz - low_hz > 0.51 * width_hz:
        middles.append((low_hz + top_hz) / 2)
        edges.append(top_hz)
    edges_hz = np.array(edges)
    fine_hz: Floats = np.arange(n_bins, dtype=np.float64) * width_hz
    shares = _shares(edges_of(fine_hz), edges_hz)
    first = np.argmax(shares > 0, axis=1)
    n_used = shares.shape[1] - np.argmax(shares[:, ::-1] > 0, axis=1) - first
    weights = np.zeros((len(shares), int(n_used.max())))
    for row, start, n, share in zip(weights, first, n_used, shares, strict=True):
        row[:n] = share[start : start + n]
    return SpectrogramBins(edges_hz, np.array(middles), first, weights)


def _shares(fine_hz: Floats, edges_hz: Floats) -> Floats:
    """(n_stored, n_fine) what part of a stored bin each fine bin is.

    The bin at 0 Hz holds what lies on both sides of 0: its right half counts for the whole, and a
    stored bin that begins at 0 has the density that, times its width, is that power.
    """
    left = np.maximum(fine_hz[:-1], edges_hz[:-1, None])
    right = np.minimum(fine_hz[1:], edges_hz[1:, None])
    inside: Floats = np.clip(right - left, 0, None)
    inside[inside < 1e-9 * (fine_hz[2] - fine_hz[1])] = 0
    if edges_hz[0] == 0:
        inside[0, 0] *= 2
        return np.asarray(inside / np.diff(edges_hz)[:, None])
    return np.asarray(inside / inside.sum(axis=1, keepdims=True))


def even_density(power: Floats, frequency_hz: Floats, up_to_hz: float) -> tuple[Floats, Floats]:
    """Density on evenly spaced frequencies, as fits take it, from bins that grow wider.

    Between the middles of wider bins the logarithm of density is interpolated, beyond the last one
    it stays as it is; where bins are evenly spaced already, nothing changes.

    Parameters
    ----------
    power : (..., n_frequencies), 0 or more
    frequency_hz : (n_frequencies,) in order, two or more
    up_to_hz : no frequency above is given; not beyond the last bin's edge

    Returns
    -------
    (..., n_even) and (n_even,), from the first frequency on in steps of the least distance
    """
    steps = np.diff(frequency_hz)
    step_hz = float(steps.min())
    if np.allclose(steps, step_hz):
        within = frequency_hz <= up_to_hz + 1e-9
        return power[..., within], frequency_hz[within]
    n = math.floor((up_to_hz - frequency_hz[0]) / step_hz + 1e-6) + 1
    even_hz = frequency_hz[0] + np.arange(n) * step_hz
    below = np.clip(np.searchsorted(frequency_hz, even_hz + 1e-9) - 1, 0, len(steps) - 1)
    share = np.clip((even_hz - frequency_hz[below]) / steps[below], 0, 1)
    share[np.abs(share) < 1e-9] = 0
    share[np.abs(share - 1) < 1e-9] = 1
    return power[..., below] ** (1 - share) * power[..., below + 1] ** share, even_hz
