"""How two regions go together within an epoch: coherence in each band, and correlation."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wakeful.signal.bands import BANDS
from wakeful.signal.epoch_spectrum import band_key
from wakeful.signal.feature import Feature

Floats = NDArray[np.float32]
Spectra = NDArray[np.complex64]

PAIRS = (
    *(
        Feature(
            name=f"coherence_{band_key(band)}",
            unit="",
            formula="|sum of X conj(Y)|^2 / (sum of |X|^2 times sum of |Y|^2) over tapers and over "
            f"the bins in {band.low_hz:g} to {band.high_hz:g} Hz, of the mean over each region's "
            "good channels",
            source="Carter 1987, Proc IEEE 75: 236; Thomson 1982, Proc IEEE 70: 1055",
        )
        for band in BANDS
    ),
    Feature(
        name="correlation",
        unit="",
        formula="Pearson's correlation, without lag, of the mean over each region's good channels",
        source="one number over all frequencies; slow waves weigh most",
    ),
)
"""In the order of the last axis of `compute_pairs`."""


def pairs_of(n_regions: int) -> list[tuple[int, int]]:
    """Every two regions, in the order of `compute_pairs`."""
    return [(a, b) for a in range(n_regions) for b in range(a + 1, n_regions)]


def compute_pairs(
    epochs_uv: Floats,
    spectra: Spectra,
    good: NDArray[np.bool_],
    region: NDArray[np.int64],
    trusted_from_hz: NDArray[np.float64],
    width_hz: float,
    usable_hz: float,
) -> Floats:
    """The features `PAIRS` of every two regions.

    Parameters
    ----------
    epochs_uv : (n_epochs, n_channels, n_samples), microvolts
    spectra : (n_epochs, n_channels, n_tapers, n_bins) of the tapered samples
    good : (n_epochs, n_channels) False for a channel that is left out of an epoch
    region : (n_channels,) number of each channel's region
    trusted_from_hz : (n_channels,) a channel is left out of its region's mean below it, unless
        the region has none better: then the band is NaN
    width_hz : from one bin to the next
    usable_hz : bands that reach beyond are NaN

    Returns
    -------
    (n_epochs, n_pairs, n_features); NaN where one of the two regions has no good channel
    """
    n_epochs, n_channels = good.shape
    n_regions = int(region.max()) + 1 if n_channels else 0
    edges = np.array(
        [
            (math.ceil(b.low_hz / width_hz - 1e-6), math.ceil(b.high_hz / width_hz - 1e-6))
            for b in BANDS
        ],
        np.int64,
    )
    least_hz = np.array([trusted_from_hz[region == r].min() for r in range(n_regions)])
    refused = np.array(
        [
            [b.low_hz < least - 1e-9 or b.high_hz > usable_hz + width_hz * 0.501 for b in BANDS]
            for least in least_hz
        ],
        np.bool_,
    ).reshape(n_regions, len(BANDS))
    first_bin = np.ceil(trusted_from_hz / width_hz - 1e-6).astype(np.int64)
    first_bin[trusted_from_hz <= least_hz[region]] = 0
    out = np.empty((n_epochs, len(pairs_of(n_regions)), len(PAIRS)), np.float32)
    n_bins = min(int(edges.max()), spectra.shape[-1])
    edges = np.minimum(edges, n_bins)
    for e in range(n_epochs):
        _pairs(
            epochs_uv[e],
            spectra[e],
            good[e],
            region,
            first_bin,
            edges,
            refused,
            n_bins,
            n_regions,
            out[e],
        )
    return out


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _pairs(
    x: Floats,
    spectra: Spectra,
    good: NDArray[np.bool_],
    region: NDArray[np.int64],
    first_bin: NDArray[np.int64],
    edges: NDArray[np.int64],
    refused: NDArray[np.bool_],
    n_bins: int,
    n_regions: int,
    out: Floats,
) -> None:
    n = x.shape[1]
    n_tapers = spectra.shape[1]
    n_bands = edges.shape[0]
    signal = np.zeros((n_regions, n), np.float32)
    real = np.zeros((n_regions, n_tapers, n_bins), np.float32)
    imaginary = np.zeros((n_regions, n_tapers, n_bins), np.float32)
    counts = np.zeros(n_regions, np.int64)
    members = np.zeros((n_regions, n_bins), np.int64)
    for c in range(x.shape[0]):
        if not good[c]:
            continue
        r = region[c]
        counts[r] += 1
        total = 0.0
        for i in range(n):
            total += np.float64(x[c, i])
        mean = np.float32(total / n)
        for i in range(n):
            signal[r, i] += x[c, i] - mean
        for i in range(first_bin[c], n_bins):
            members[r, i] += 1
        for k in range(n_tapers):
            for i in range(first_bin[c], n_bins):
                real[r, k, i] += spectra[c, k, i].real
                imaginary[r, k, i] += spectra[c, k, i].imag
    power = np.zeros((n_regions, n_bands))
    squares = np.zeros(n_regions)
    whole = np.ones((n_regions, n_bands), np.bool_)
    for r in range(n_regions):
        for i in range(n):
            squares[r] += np.float64(signal[r, i]) * np.float64(signal[r, i])
        # A sum over fewer channels must not weigh less than its neighbours in frequency.
        for i in range(n_bins):
            if members[r, i] > 1:
                for k in range(n_tapers):
                    real[r, k, i] /= np.float32(members[r, i])
                    imaginary[r, k, i] /= np.float32(members[r, i])
        for b in range(n_bands):
            for i in range(edges[b, 0], edges[b, 1]):
                if members[r, i] == 0:
                    whole[r, b] = False
                for k in range(n_tapers):
                    re, im = real[r, k, i], imaginary[r, k, i]
                    power[r, b] += re * re + im * im
    out[:] = np.float32(np.nan)
    pair = 0
    for a in range(n_regions):
        for c in range(a + 1, n_regions):
            if counts[a] > 0 and counts[c] > 0:
                for b in range(n_bands):
                    both = power[a, b] * power[c, b]
                    seen = whole[a, b] and whole[c, b]
                    if both > 0 and seen and not (refused[a, b] or refused[c, b]):
                        re_sum, im_sum = 0.0, 0.0
                        for k in range(n_tapers):
                            for i in range(edges[b, 0], edges[b, 1]):
                                ar, ai = real[a, k, i], imaginary[a, k, i]
                                cr, ci = real[c, k, i], imaginary[c, k, i]
                                re_sum += ar * cr + ai * ci
                                im_sum += ai * cr - ar * ci
                        out[pair, b] = (re_sum * re_sum + im_sum * im_sum) / both
                if squares[a] > 0 and squares[c] > 0:
                    product = 0.0
                    for i in range(n):
                        product += np.float64(signal[a, i]) * np.float64(signal[c, i])
                    out[pair, n_bands] = product / math.sqrt(squares[a] * squares[c])
            pair += 1
