"""Power spectral density per epoch: multitaper and Hann, one interface.

Multitaper after Thomson (1982, Proc. IEEE 70: 1055) with Slepian tapers of equal weight; see
Prerau et al. (2017, Physiology 32: 60) for its use in sleep. Scaling is exact: the density summed
over all bins and multiplied by the bin width is the tapered signal's mean square.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wakeful.model.arrays import Lfp, Samples, iterate_epochs
from wakeful.model.errors import BadParameters, TooShort
from wakeful.model.time import Interval, Span
from wakeful.signal.windows import design_slepian

Floats = NDArray[np.float32]
Detrend = Literal["none", "mean", "linear"]

DETREND = {"none": 0, "mean": 1, "linear": 2}
_BATCH = 131_072
"""Tapered samples transformed at a time: they stay in the second-level cache."""


@dataclass(frozen=True, eq=False)
class Windows:
    """Tapers; the density is the mean over them."""

    values: Floats
    """(n_tapers, n_samples), each with squares that sum to 1."""
    name: str
    """For a figure: "multitaper, 3 tapers, half bandwidth 0.5 Hz"."""


@lru_cache(maxsize=16)
def design_multitaper(
    n_samples: int, rate_hz: float, half_bandwidth_hz: float, n_tapers: int
) -> Windows:
    """Slepian (DPSS) tapers.

    Parameters
    ----------
    n_samples : length of an epoch
    rate_hz : sampling rate
    half_bandwidth_hz : a line is smeared over this much to either side
    n_tapers : at most 2 * n_samples / rate_hz * half_bandwidth_hz - 1

    Raises
    ------
    BadParameters
        More tapers than the bandwidth carries, or less than one Rayleigh bin of bandwidth.
    TooShort
        Fewer than 8 samples.
    """
    _check_length(n_samples)
    product = n_samples / rate_hz * half_bandwidth_hz
    most = math.floor(2 * product - 1 + 0.01)
    if most < 1 or not 1 <= n_tapers <= most:
        raise BadParameters(
            f"{n_tapers} tapers don't fit a half bandwidth of {half_bandwidth_hz:g} Hz on "
            f"{n_samples / rate_hz:g} s (at most {max(most, 0)})",
            where="multitaper",
            remedy="take fewer tapers or a wider half bandwidth",
        )
    tapers = design_slepian(n_samples, product, n_tapers).astype(np.float32)
    count = f"{n_tapers} taper" + ("s" if n_tapers > 1 else "")
    return Windows(tapers, f"multitaper, {count}, half bandwidth {half_bandwidth_hz:g} Hz")


@lru_cache(maxsize=16)
def design_hann(n_samples: int) -> Windows:
    """One Hann window.

    Raises
    ------
    TooShort
        Fewer than 8 samples.
    """
    _check_length(n_samples)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_samples) / n_samples)
    window /= math.sqrt(np.sum(window**2))
    return Windows(window.astype(np.float32)[None], "Hann window")


def _check_length(n_samples: int) -> None:
    if n_samples < 8:
        raise TooShort(
            f"an epoch of {n_samples} samples has no spectrum",
            where="spectra",
            remedy="take longer epochs or a higher rate",
        )


def frequencies(n_fft: int, rate_hz: float) -> NDArray[np.float64]:
    """The bins of `compute_psd`, (n_fft // 2 + 1,), Hz."""
    return np.arange(n_fft // 2 + 1, dtype=np.float64) * (rate_hz / n_fft)


def compute_psd(
    samples_uv: Floats,
    rate_hz: float,
    windows: Windows,
    *,
    detrend: Detrend = "mean",
    n_fft: int | None = None,
) -> Floats:
    """One-sided power spectral density of epochs.

    Parameters
    ----------
    samples_uv : (..., n_samples), microvolts
    rate_hz : sampling rate
    windows : from `design_multitaper` or `design_hann`, for n_samples
    detrend : take away the mean, the line of least squares, or nothing
    n_fft : padded with zeros to this length, n_samples where None

    Returns
    -------
    (..., n_fft // 2 + 1), uV^2/Hz, at `frequencies(n_fft, rate_hz)`. An epoch that holds a NaN is
    NaN throughout.

    Raises
    ------
    ValueError
        The windows are of another length, or `n_fft` is shorter than they are.
    """
    from scipy import fft

    n_tapers, n_samples = windows.values.shape
    n_fft = n_samples if n_fft is None else n_fft
    if samples_uv.shape[-1] != n_samples or n_fft < n_samples:
        raise ValueError(
            f"epochs of {samples_uv.shape[-1]} samples, windows of {n_samples}, n_fft {n_fft}"
        )
    epochs = np.ascontiguousarray(samples_uv, np.float32).reshape(-1, n_samples)
    n_bins = n_fft // 2 + 1
    power = np.empty((len(epochs), n_bins), np.float32)
    # One-sided: all bins but zero and (for an even length) Nyquist stand for two.
    scale = np.full(n_bins, 2 / (rate_hz * n_tapers), np.float32)
    scale[0] /= 2
    if n_fft % 2 == 0:
        scale[-1] /= 2
    step = max(1, _BATCH // (n_tapers * n_fft))
    tapered = np.zeros((step, n_tapers, n_fft), np.float32)
    for start in range(0, len(epochs), step):
        n = min(step, len(epochs) - start)
        for i in range(n):
            _taper(epochs[start + i], windows.values, DETREND[detrend], tapered[i])
        spectra = fft.rfft(tapered[:n], axis=-1)
        _sum_power(spectra, scale, power[start : start + n])
    return power.reshape(*samples_uv.shape[:-1], n_bins)


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _taper(x: Floats, windows: Floats, detrend: int, out: Floats) -> None:
    """Taper one epoch after taking its mean (1) or its line of least squares (2) away."""
    n = x.size
    mean = np.float64(0)
    slope = np.float64(0)
    middle = (n - 1) / 2
    if detrend >= 1:
        for i in range(n):
            mean += np.float64(x[i])
        mean /= n
    if detrend == 2:
        for i in range(n):
            slope += (i - middle) * (np.float64(x[i]) - mean)
        slope /= n * (np.float64(n) * n - 1) / 12
    for k in range(windows.shape[0]):
        window, row = windows[k], out[k]
        if detrend == 2:
            for i in range(n):
                row[i] = np.float32(x[i] - mean - slope * (i - middle)) * window[i]
        else:
            level = np.float32(mean)
            for i in range(n):
                row[i] = (x[i] - level) * window[i]


@njit(nogil=True, cache=True, fastmath={"contract"})
def _sum_power(spectra: NDArray[np.complex64], scale: Floats, out: Floats) -> None:
    """Sum the tapers' squared magnitudes in their order, times `scale`."""
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


@dataclass(frozen=True, eq=False)
class EpochBatch:
    """Neighbouring epochs of one span, read together."""

    numbers: NDArray[np.int64]
    """(n_epochs,) place among the epochs of the interval."""
    samples_uv: Floats
    """(n_rows, n_epochs, n_samples)"""
    rate_hz: float
    n_fft: int
    """The epoch's length in samples: bins k of a transform of this length lie at
    k / epoch_s, to within one part in `n_fft`."""


@dataclass(frozen=True, eq=False)
class StoredBatch:
    """The same as it is stored, before it is made microvolts: half the memory to go through."""

    numbers: NDArray[np.int64]
    """(n_epochs,) place among the epochs of the interval."""
    stored: Samples
    """(n_rows, n) of all the epochs."""
    offsets: NDArray[np.int64]
    """(n_epochs,) where each begins in `stored`."""
    n_samples: int
    """Of an epoch."""
    rate_hz: float
    n_fft: int
    """See `EpochBatch`."""


def epoch_starts(interval: Interval, epoch_s: float) -> NDArray[np.float64]:
    """(n_epochs,) starts of the epochs that start in the interval, seconds."""
    return np.array([start_s for _, start_s, *_ in iterate_epochs((), interval, epoch_s)])


def read_epochs(
    lfp: Lfp, rows: tuple[int, ...], interval: Interval, epoch_s: float, largest: int = 4_000_000
) -> Iterator[EpochBatch]:
    """The epochs that start in an interval and touch no gap, in bounded memory.

    An epoch takes the first sample at or after its start and the floor(epoch_s * rate) - 1 that
    follow: all lie inside the epoch, so that an epoch needs no sample from beyond it.

    Parameters
    ----------
    lfp : what to read
    rows : which channels
    interval : epochs that start in it are read
    epoch_s : epochs are counted from the session's start
    largest : samples of all channels held at a time
    """
    for numbers, span, offsets in _batches(lfp, len(rows), interval, epoch_s, largest):
        n = _epoch_samples(span, epoch_s)
        first = span.first_sample + int(offsets[0])
        piece = lfp.read_uv(first, int(offsets[-1] - offsets[0]) + n, rows)
        starts = offsets - offsets[0]
        if np.array_equal(starts, np.arange(len(starts)) * n):
            epochs = piece.reshape(len(rows), len(starts), n)  # one after the other: no copy
        else:
            epochs = np.stack([piece[:, o : o + n] for o in starts], axis=1)
        yield EpochBatch(numbers, epochs, span.rate_hz, _transform_samples(span, epoch_s))


def read_stored_epochs(
    lfp: Lfp, rows: tuple[int, ...], interval: Interval, epoch_s: float, largest: int = 1_000_000
) -> Iterator[StoredBatch]:
    """The same as `read_epochs` gives, not yet in microvolts."""
    for numbers, span, offsets in _batches(lfp, len(rows), interval, epoch_s, largest):
        n = _epoch_samples(span, epoch_s)
        first = span.first_sample + int(offsets[0])
        stored = lfp.read_stored(first, int(offsets[-1] - offsets[0]) + n, rows)
        n_fft = _transform_samples(span, epoch_s)
        yield StoredBatch(numbers, stored, offsets - offsets[0], n, span.rate_hz, n_fft)


def _batches(
    lfp: Lfp, n_rows: int, interval: Interval, epoch_s: float, largest: int
) -> Iterator[tuple[NDArray[np.int64], Span, NDArray[np.int64]]]:
    """Numbers of neighbouring epochs, their span, and where in it each begins."""
    batch: list[tuple[int, int]] = []
    last: Span | None = None

    def made(span: Span) -> tuple[NDArray[np.int64], Span, NDArray[np.int64]]:
        numbers, offsets = np.ascontiguousarray(np.array(batch, np.int64).T)
        return numbers, span, offsets

    for number, start_s, span, _ in iterate_epochs(lfp.spans, interval, epoch_s):
        if span is None:
            continue
        n_samples = _epoch_samples(span, epoch_s)
        full = (len(batch) + 1) * n_samples * n_rows > largest
        # Epochs apart are read apart, so that a gap of thousands of epochs costs no memory.
        apart = batch and number != batch[-1][0] + 1
        if last is not None and batch and (span is not last or full or apart):
            yield made(last)
            batch = []
        offset = min(span.offset_at(start_s), span.n_samples - n_samples)
        batch.append((number, max(0, offset)))
        last = span
    if last is not None and batch:
        yield made(last)


def _epoch_samples(span: Span, epoch_s: float) -> int:
    return math.floor(epoch_s * span.rate_hz + 1e-3)


def _transform_samples(span: Span, epoch_s: float) -> int:
    return max(_epoch_samples(span, epoch_s), round(epoch_s * span.rate_hz))
