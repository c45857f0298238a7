"""From the LFP to a table of features: every epoch is read once, and all is computed from it."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wakeful.model.arrays import Lfp
from wakeful.model.epochs import MuscleTone
from wakeful.model.errors import BadParameters
from wakeful.model.quality import ChannelQuality
from wakeful.model.time import Interval
from wakeful.signal.bands import USABLE
from wakeful.signal.epoch_shape import SHAPE, shape_and_taper
from wakeful.signal.epoch_spectrum import POWER_BANDS, SPECTRUM, TOTAL_HZ, compute_spectrum
from wakeful.signal.header_faults import TRUSTED_FROM_CORNERS, trusted_from_hz
from wakeful.signal.medians import median_of
from wakeful.signal.region_pairs import PAIRS, compute_pairs, pairs_of
from wakeful.signal.spectra import EpochBatch, design_multitaper, epoch_starts, read_epochs
from wakeful.signal.streaming import available_processors
from wakeful.sleep.feature_list import Column, list_columns
from wakeful.sleep.neighbours import fill_neighbours, find_stretches

Floats = NDArray[np.float32]

_AT_A_TIME = 400_000
"""Tapered samples transformed at a time by a thread: they stay in the caches."""
_PER_TASK = 8
"""So many times that are a task: what follows the transforms is cheaper for many epochs."""
_HIGHEST_HZ = POWER_BANDS[-1].high_hz


@dataclass(frozen=True, eq=False)
class Layout:
    """Which channel belongs to which region, and what of it is to be believed."""

    regions: tuple[str, ...]
    rows: tuple[int, ...]
    """Rows of the LFP, region after region."""
    channels: tuple[tuple[str, ...], ...]
    """Names of each region's channels."""
    region: NDArray[np.int64]
    """(n_rows,)"""
    bounds: NDArray[np.int64]
    """(n_regions + 1,) where each region's rows begin."""
    trusted_from_hz: NDArray[np.float64]
    """(n_rows,)"""

    @classmethod
    def of(cls, lfp: Lfp) -> Layout:
        """The brain's channels by region, in the order in which the regions come."""
        members: dict[str, list[int]] = {}
        for i, channel in enumerate(lfp.channels):
            if channel.kind.is_brain:
                members.setdefault(channel.region, []).append(i)
        rows = tuple(i for of in members.values() for i in of)
        sizes = np.array([len(of) for of in members.values()], np.int64)
        return cls(
            regions=tuple(members),
            rows=rows,
            channels=tuple(tuple(lfp.channels[i].name for i in of) for of in members.values()),
            region=np.repeat(np.arange(len(sizes)), sizes),
            bounds=np.r_[0, np.cumsum(sizes)].astype(np.int64),
            trusted_from_hz=np.array([trusted_from_hz(lfp.channels[i]) for i in rows]),
        )

    def region_trusted_hz(self) -> NDArray[np.float64]:
        """(n_regions,) from where on the best of a region's channels is to be believed."""
        return np.array(
            [self.trusted_from_hz[self.region == r].min() for r in range(len(self.regions))]
        )

    def refused(self) -> tuple[str, ...]:
        """What is NaN throughout because of hardware filters, in words."""
        told = []
        for region, trusted_hz in zip(self.regions, self.region_trusted_hz(), strict=True):
            lost = [band.name for band in POWER_BANDS if band.low_hz < trusted_hz - 1e-9]
            if TOTAL_HZ[0] < trusted_hz - 1e-9:
                lost.append("all that refers to the whole range")
            if lost:
                told.append(
                    f"{region}: hardware high-pass of {trusted_hz / TRUSTED_FROM_CORNERS:g} Hz: "
                    f"{', '.join(lost)} can't be trusted"
                )
        return tuple(told)


@dataclass(frozen=True, eq=False)
class EpochTable:
    """Features of every epoch of an interval."""

    start_s: NDArray[np.float64]
    values: Floats
    """(n_epochs, n_columns)"""
    columns: tuple[Column, ...]
    layout: Layout


def compute_table(
    lfp: Lfp,
    interval: Interval,
    *,
    epoch_s: float,
    half_bandwidth_hz: float,
    n_tapers: int,
    muscle: MuscleTone | None = None,
    quality: ChannelQuality | None = None,
) -> EpochTable:
    """All features of the epochs that start in an interval.

    Spectra are the median over a region's good channels, and so is every feature of shape; pairs
    are of the mean over them. A channel is left out of an epoch in which it is bad, does not
    change, or holds a sample that is not a number. What touches a gap is NaN.

    Parameters
    ----------
    lfp : its brain channels are used
    interval : neighbours in time are looked for in it too, and not beyond
    epoch_s : epochs are counted from the session's start
    half_bandwidth_hz, n_tapers : of the multitaper spectrum
    muscle : rows are matched by their time; NaN where None
    quality : which channels are bad when; None uses all

    Raises
    ------
    BadParameters
        More tapers than the bandwidth carries, or muscle tone in epochs of another length.
    """
    if muscle is not None and abs(muscle.epoch_s - epoch_s) > 1e-9:
        raise BadParameters(
            f"epochs of {muscle.epoch_s} s do not fit epochs of {epoch_s} s",
            where="muscle tone given to sleep features",
            remedy="compute muscle tone and features with the same epoch",
        )
    layout = Layout.of(lfp)
    columns = list_columns(layout.regions)
    start_s = epoch_starts(interval, epoch_s)
    bad = np.zeros((len(start_s), len(layout.rows)), np.bool_)
    if quality is not None:
        names = [name for of in layout.channels for name in of]
        bad = quality.is_bad(names, start_s, epoch_s)
    values = np.full((len(start_s), len(columns)), np.nan, np.float32)
    design = _Design(layout, epoch_s, half_bandwidth_hz, n_tapers, lfp.rate_hz)
    n_brain = design.n_features
    with ThreadPoolExecutor(available_processors()) as pool:
        for batch in read_epochs(lfp, layout.rows, interval, epoch_s):
            step = design.epochs_at_a_time(batch)
            numbers = [batch.numbers[i : i + step] for i in range(0, len(batch.numbers), step)]
            parts = [batch.samples_uv[:, i : i + step] for i in range(0, len(batch.numbers), step)]

            def work(
                samples_uv: Floats, rows: NDArray[np.int64], batch: EpochBatch = batch
            ) -> Floats:
                return design.compute(samples_uv, bad[rows], batch.rate_hz, batch.n_fft)

            for rows, found in zip(numbers, pool.map(work, parts, numbers), strict=True):
                values[rows, :n_brain] = found
    known = np.asarray(np.isfinite(values[:, :n_brain]).any(axis=1), np.bool_)
    if muscle is not None:
        _fill_muscle(values[:, n_brain : n_brain + 2], start_s, known, muscle)
    stretch = find_stretches(start_s, known, epoch_s)
    fill_neighbours(values, columns, stretch, epoch_s)
    return EpochTable(start_s, values, columns, layout)


def _fill_muscle(
    out: Floats, start_s: NDArray[np.float64], known: NDArray[np.bool_], muscle: MuscleTone
) -> None:
    if muscle.n_rows == 0:
        return
    rows = np.clip(np.searchsorted(muscle.start_s, start_s - 1e-3), 0, muscle.n_rows - 1)
    same = known & (np.abs(muscle.start_s[rows] - start_s) < 1e-3)
    emg_uv = muscle.emg_uv[rows].astype(np.float64)
    log_emg = np.full(len(start_s), np.nan)
    np.log(emg_uv, out=log_emg, where=emg_uv > 0)
    out[:, 0] = np.where(same, log_emg, np.nan)
    out[:, 1] = np.where(same, muscle.lfp_emg[rows], np.nan)


class _Design:
    """What is the same for every epoch."""

    def __init__(
        self,
        layout: Layout,
        epoch_s: float,
        half_bandwidth_hz: float,
        n_tapers: int,
        rate_hz: float,
    ) -> None:
        self._layout = layout
        self._epoch_s = epoch_s
        self._half_bandwidth_hz = half_bandwidth_hz
        self._n_tapers = n_tapers
        # As the spectrogram's: bins are k / epoch_s, and a limit that falls on a bin keeps it.
        self._usable_hz = min(_HIGHEST_HZ, USABLE * rate_hz / 2)
        n_bins = math.floor(self._usable_hz * epoch_s + 0.25) + 1
        self._frequency_hz = np.arange(n_bins) / epoch_s
        self._region_trusted_hz = layout.region_trusted_hz()
        least = self._region_trusted_hz[layout.region]
        trusted = layout.trusted_from_hz
        # A channel that the hardware cut off gives way to those of its region that it did not.
        self._cut_off = (self._frequency_hz < trusted[:, None] - 1e-9) & (trusted > least)[:, None]
        n_regions = len(layout.regions)
        self._per_region = len(SPECTRUM) + len(SHAPE)
        self.n_features = n_regions * self._per_region + len(pairs_of(n_regions)) * len(PAIRS)

    def epochs_at_a_time(self, batch: EpochBatch) -> int:
        """How many epochs are a thread's task."""
        return _PER_TASK * self._at_once(batch.n_fft)

    def _at_once(self, n_fft: int) -> int:
        return max(1, _AT_A_TIME // (len(self._layout.rows) * self._n_tapers * n_fft))

    def compute(
        self, samples_uv: Floats, bad: NDArray[np.bool_], rate_hz: float, n_fft: int
    ) -> Floats:
        """(n_epochs, n_features) of (n_channels, n_epochs, n_samples)."""
        n_epochs, n_regions = samples_uv.shape[1], len(self._layout.regions)
        psd = np.empty((n_epochs, n_regions, len(self._frequency_hz)), np.float32)
        shapes = np.empty((n_epochs, n_regions, len(SHAPE)), np.float32)
        pairs = np.empty((n_epochs, len(pairs_of(n_regions)), len(PAIRS)), np.float32)
        step = self._at_once(n_fft)
        for start in range(0, n_epochs, step):
            part = slice(start, min(n_epochs, start + step))
            pairs[part] = self._transform(
                samples_uv[:, part], bad[part], rate_hz, n_fft, psd[part], shapes[part]
            )
        spectrum = compute_spectrum(psd, self._frequency_hz, self._region_trusted_hz)
        of_regions = np.concatenate([spectrum, shapes], axis=-1)
        return np.concatenate(
            [of_regions.reshape(n_epochs, -1), pairs.reshape(n_epochs, -1)], axis=1
        )

    def _transform(
        self,
        samples_uv: Floats,
        bad: NDArray[np.bool_],
        rate_hz: float,
        n_fft: int,
        psd: Floats,
        shapes: Floats,
    ) -> Floats:
        """Fill densities and shapes of regions; returns the features of pairs."""
        from scipy import fft

        layout = self._layout
        n_channels, n_epochs, n = samples_uv.shape
        # The epoch's nominal length: a clock's fitted rate must not cost a taper.
        tapers = design_multitaper(
            n, n / self._epoch_s, self._half_bandwidth_hz, self._n_tapers
        ).values
        epochs = np.ascontiguousarray(samples_uv.swapaxes(0, 1))
        tapered = np.zeros((n_epochs * n_channels, len(tapers), n_fft), np.float32)
        shape = shape_and_taper(epochs.reshape(-1, n), rate_hz, tapers, tapered)
        shape = shape.reshape(n_epochs, n_channels, len(SHAPE))
        spectra = fft.rfft(tapered, axis=-1).reshape(n_epochs, n_channels, len(tapers), -1)
        good = ~bad & np.isfinite(shape[..., 0])
        scale = np.float32(2 / (rate_hz * len(tapers)))
        _median_psd(spectra, good, self._cut_off, layout.bounds, scale, psd)
        _median_shape(shape, good, layout.bounds, shapes)
        return compute_pairs(
            epochs,
            spectra,
            good,
            layout.region,
            layout.trusted_from_hz,
            1 / self._epoch_s,
            self._usable_hz,
        )


@njit(nogil=True, cache=True, fastmath={"contract"})
def _median_psd(
    spectra: NDArray[np.complex64],
    good: NDArray[np.bool_],
    cut_off: NDArray[np.bool_],
    bounds: NDArray[np.int64],
    scale: np.float32,
    out: Floats,
) -> None:
    """One-sided density of each region: the median over its good channels."""
    n_bins = out.shape[2]
    n_tapers = spectra.shape[2]
    most = 0
    for r in range(bounds.size - 1):
        most = max(most, bounds[r + 1] - bounds[r])
    power = np.empty((most, n_bins), np.float32)
    ordered = np.empty(most, np.float32)
    for e in range(out.shape[0]):
        for r in range(bounds.size - 1):
            first, stop = bounds[r], bounds[r + 1]
            for c in range(first, stop):
                row = power[c - first]
                row[:] = np.float32(0)
                for k in range(n_tapers):
                    values = spectra[e, c, k]
                    for i in range(n_bins):
                        re, im = values[i].real, values[i].imag
                        row[i] += re * re + im * im
                # Both halves of a spectrum, but for 0 Hz.
                row[0] /= np.float32(2)
                for i in range(n_bins):
                    row[i] *= scale
                    if not good[e, c] or cut_off[c, i]:
                        row[i] = np.float32(np.nan)
            if stop - first == 1:
                out[e, r] = power[0]
                continue
            for i in range(n_bins):
                out[e, r, i] = median_of(power[: stop - first, i], ordered)


@njit(nogil=True, cache=True)
def _median_shape(
    shape: Floats, good: NDArray[np.bool_], bounds: NDArray[np.int64], out: Floats
) -> None:
    """Each feature of each region: the median over its good channels."""
    ordered = np.empty(shape.shape[1], np.float32)
    for e in range(out.shape[0]):
        for r in range(bounds.size - 1):
            first, stop = bounds[r], bounds[r + 1]
            for f in range(out.shape[2]):
                values = shape[e, first:stop, f].copy()
                for c in range(first, stop):
                    if not good[e, c]:
                        values[c - first] = np.float32(np.nan)
                out[e, r, f] = median_of(values, ordered)
