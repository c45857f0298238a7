"""Densities of regions, from samples as they are stored: one pass, an epoch at a time.

Days of many channels are bound by memory: each array of a batch that is made, read again and
thrown away costs as much as the transforms do. Here an epoch's channels are tapered straight from
the stored samples, transformed while they lie in the second-level cache, and reduced to the median
of their region at once. An epoch is computed by itself: its result does not depend on the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wakeful.model.arrays import Samples
from wakeful.signal.spectra import DETREND, Detrend, StoredBatch, Windows
from wakeful.signal.spectrogram_bins import SpectrogramBins

Floats = NDArray[np.float32]

_BATCH = 100_000
"""Tapered samples transformed at a time: in and out they stay in the second-level cache."""
_ABREAST = 4
"""SciPy transforms so many arrays at once, by vector instructions, and what is left one by one."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RegionPlan:
    """What is the same for every epoch."""

    bounds: NDArray[np.int64]
    """(n_regions + 1,) first channel of each region; channels are in the order of regions."""
    gain_uv: Floats
    """(n_channels,) see `Lfp.scale_uv`."""
    offset_uv: Floats
    """(n_channels,)"""
    cut_off: NDArray[np.bool_]
    """(n_channels, n_bins) what is left out of the median, of the transform's bins 0 to n_bins."""
    bins: SpectrogramBins
    detrend: Detrend


def compute_region_psd(
    batch: StoredBatch, windows: Windows, bad: NDArray[np.bool_], plan: RegionPlan
) -> Floats:
    """One-sided density of each epoch and region, the median over the region's live channels.

    A channel is left out of an epoch in which it does not change, or holds a sample that is not a
    number.

    Parameters
    ----------
    batch : from `read_stored_epochs`
    windows : for epochs of `batch.n_samples`
    bad : (n_epochs, n_channels) what else is left out

    Returns
    -------
    (n_epochs, n_regions, n_stored), uV^2/Hz; NaN where no channel is left
    """
    from scipy import fft

    n_tapers, n_bins = len(windows.values), plan.cut_off.shape[1]
    n_channels = len(batch.stored)
    n_regions, n_stored = len(plan.bounds) - 1, len(plan.bins.frequency_hz)
    out = np.empty((len(batch.numbers), n_regions, n_stored), np.float32)
    # One-sided: all bins but zero and (for an even length) Nyquist stand for two.
    scale = np.full(n_bins, 2 / (batch.rate_hz * n_tapers), np.float32)
    scale[0] /= 2
    if batch.n_fft % 2 == 0 and n_bins == batch.n_fft // 2 + 1:
        scale[-1] /= 2
    step = _ABREAST * max(1, _BATCH // (_ABREAST * n_tapers * batch.n_fft))
    tapered = np.zeros((min(step, n_channels), n_tapers, batch.n_fft), np.float32)
    power = np.empty((len(batch.numbers), n_channels, n_bins), np.float32)
    live = np.empty((len(batch.numbers), n_channels), np.bool_)
    for i, offset in enumerate(batch.offsets):
        for start in range(0, n_channels, step):
            stop = min(n_channels, start + step)
            taper_stored(
                batch.stored[start:stop, offset : offset + batch.n_samples],
                plan.gain_uv[start:stop],
                plan.offset_uv[start:stop],
                windows.values,
                DETREND[plan.detrend],
                tapered,
                live[i, start:stop],
            )
            spectra = fft.rfft(tapered[: stop - start], axis=-1)
            _sum_power(spectra, scale, power[i, start:stop])
    sizes = np.diff(plan.bounds)
    networks = [sorting_network(int(n)) for n in sizes]
    ends = np.cumsum([0, *map(len, networks)])
    _median_and_merge(
        power,
        live & ~bad,
        plan.cut_off,
        plan.bounds,
        np.concatenate(networks),
        ends,
        plan.bins.first,
        plan.bins.weights,
        out,
    )
    return out


@lru_cache(maxsize=64)
def sorting_network(n: int) -> NDArray[np.int64]:
    """Pairs to compare and exchange, in order, that sort `n` values (Batcher 1968); (n_pairs, 2).

    The same pairs whatever the values are, so that many columns are sorted abreast.
    """
    pairs: list[tuple[int, int]] = []
    p = 1
    while p < n:
        k = p
        while k >= 1:
            for j in range(k % p, n - k, 2 * k):
                here = range(j, j + min(k, n - j - k))
                pairs += [(i, i + k) for i in here if i // (2 * p) == (i + k) // (2 * p)]
            k //= 2
        p *= 2
    return np.array(pairs, np.int64).reshape(-1, 2)


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def taper_stored(
    stored: Samples,
    gain_uv: Floats,
    offset_uv: Floats,
    windows: Floats,
    detrend: int,
    out: Floats,
    live: NDArray[np.bool_],
) -> None:
    """Make one epoch of each channel microvolts, take mean (1) or line (2) away, and taper it.

    Parameters
    ----------
    stored : (n_channels, n_samples)
    out : (n_channels or more, n_tapers, n_fft); beyond n_samples it is left as it is
    live : (n_channels,) filled with whether it changes and holds numbers only
    """
    n = stored.shape[1]
    middle = (n - 1) / 2
    epoch = np.empty(n, np.float32)
    for c in range(stored.shape[0]):
        row = stored[c]
        gain, level = gain_uv[c], offset_uv[c]
        for i in range(n):
            epoch[i] = np.float32(row[i]) * gain + level
        mean = np.float64(0)
        for i in range(n):
            mean += np.float64(epoch[i])
        mean /= n
        changes = False
        for i in range(1, n):
            if epoch[i] != epoch[0]:
                changes = True
                break
        live[c] = changes and np.isfinite(mean)
        slope = np.float64(0)
        if detrend == 2:
            for i in range(n):
                slope += (i - middle) * (np.float64(epoch[i]) - mean)
            slope /= n * (np.float64(n) * n - 1) / 12
            for i in range(n):
                epoch[i] = np.float32(epoch[i] - mean - slope * (i - middle))
        centre = np.float32(mean) if detrend == 1 else np.float32(0)
        for k in range(windows.shape[0]):
            window, to = windows[k], out[c, k]
            for i in range(n):
                to[i] = (epoch[i] - centre) * window[i]


@njit(nogil=True, cache=True, fastmath={"contract"})
def _sum_power(spectra: NDArray[np.complex64], scale: Floats, out: Floats) -> None:
    """Sum the tapers' squared magnitudes in their order, times `scale`, as far as `out` goes."""
    for e in range(spectra.shape[0]):
        row = out[e]
        row[:] = np.float32(0)
        for k in range(spectra.shape[1]):
            values = spectra[e, k]
            for i in range(row.size):
                re, im = values[i].real, values[i].imag
                row[i] += re * re + im * im
        for i in range(row.size):
            row[i] *= scale[i]


@njit(nogil=True, cache=True)
def _median_and_merge(
    power: Floats,
    kept: NDArray[np.bool_],
    cut_off: NDArray[np.bool_],
    bounds: NDArray[np.int64],
    networks: NDArray[np.int64],
    ends: NDArray[np.int64],
    first: NDArray[np.int64],
    weights: NDArray[np.float64],
    out: Floats,
) -> None:
    """The median of each epoch and region, and its means over the bins that are stored."""
    for e in range(power.shape[0]):
        for r in range(bounds.size - 1):
            a, b = bounds[r], bounds[r + 1]
            network = networks[ends[r] : ends[r + 1]]
            middle = median_of_rows(power[e, a:b], kept[e, a:b], cut_off[a:b], network)
            _merge(middle, first, weights, out[e, r])


@njit(nogil=True, cache=True)
def median_of_rows(
    power: Floats,
    kept: NDArray[np.bool_],
    cut_off: NDArray[np.bool_],
    network: NDArray[np.int64],
) -> Floats:
    """Median over the first axis of what is kept and not cut off; NaN where nothing is.

    Parameters
    ----------
    power : (n_channels, n_bins); it is sorted in place
    kept : (n_channels,)
    cut_off : (n_channels, n_bins)
    network : from `sorting_network`

    Returns
    -------
    (n_bins,)
    """
    n_channels, n_bins = power.shape
    n_left = np.zeros(n_bins, np.int64)
    nothing = np.float32(np.inf)  # sorted to the end
    for c in range(n_channels):
        row, cut = power[c], cut_off[c]
        if not kept[c]:
            row[:] = nothing
            continue
        for i in range(n_bins):
            n_left[i] += not cut[i]
            row[i] = nothing if cut[i] else row[i]
    for pair in range(network.shape[0]):
        low, high = power[network[pair, 0]], power[network[pair, 1]]
        for i in range(n_bins):
            a, b = low[i], high[i]
            low[i] = min(b, a)
            high[i] = max(a, b)
    out = np.empty(n_bins, np.float32)
    for i in range(n_bins):
        n = n_left[i]
        if n == 0:
            out[i] = np.float32(np.nan)
        else:
            out[i] = (power[(n - 1) // 2, i] + power[n // 2, i]) / np.float32(2)
    return out


@njit(nogil=True, cache=True)
def _merge(
    fine: Floats, first: NDArray[np.int64], weights: NDArray[np.float64], out: Floats
) -> None:
    """Means over the bins that are stored, summed from the lowest frequency up."""
    for i in range(out.size):
        total = np.float64(0)
        for k in range(weights.shape[1]):
            if weights[i, k] > 0:
                total += weights[i, k] * np.float64(fine[first[i] + k])
        out[i] = np.float32(total)
