"""Muscle tone read from the LFP: the correlation of fast activity between distant electrodes.

Muscles' fields reach all electrodes alike, so that the zero-lag correlation of 300-600 Hz between
channels of different regions follows the EMG (Schomburg et al. 2014, Neuron 84: 470; Watson et al.
2016, Neuron 90: 839).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wakeful.model.arrays import iterate_epochs
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Span
from wakeful.signal.decimation import mirror_index
from wakeful.signal.fir import fir_decimate, pad_taps
from wakeful.signal.windows import design_windowed_sinc

Floats = NDArray[np.float32]

BAND_HZ = (300.0, 600.0)
LOWEST_RATE_HZ = 1500.0
"""Below this rate 600 Hz lies beyond 80 % of Nyquist."""
_TRANSITION_HZ = 50.0
_STOP_DB = 60.0


@lru_cache(maxsize=8)
def design_bandpass(rate_hz: int) -> Floats:
    """Symmetric FIR, flat from 300 to 600 Hz, -60 dB below 250 and above 650 Hz.

    Parameters
    ----------
    rate_hz : whole, so that a clock that is fitted anew gives the same filter
    """
    half = math.ceil((_STOP_DB - 7.95) / (2.285 * 2 * math.pi * _TRANSITION_HZ / rate_hz) / 2)
    edges = (BAND_HZ[0] - _TRANSITION_HZ / 2, BAND_HZ[1] + _TRANSITION_HZ / 2)
    taps = design_windowed_sinc(2 * half + 1, edges, rate_hz, _STOP_DB)
    return np.ascontiguousarray(taps, np.float32)


def choose_channels(channels: Sequence[Channel], per_region: int) -> tuple[int, ...]:
    """Channels to compare: brain channels, at most `per_region` of each region, spread evenly.

    Channels whose hardware cut 600 Hz off are left out.

    Returns
    -------
    Numbers of the channels, in order; fewer than two mean that there is nothing to compare
    """
    regions: dict[str, list[int]] = {}
    for i, channel in enumerate(channels):
        cut_off = channel.lowpass_hz is not None and channel.lowpass_hz < BAND_HZ[1]
        if channel.kind.is_brain and not cut_off:
            regions.setdefault(channel.region, []).append(i)
    chosen: set[int] = set()
    for members in regions.values():
        places = np.linspace(0, len(members) - 1, min(per_region, len(members)))
        chosen.update(members[round(float(p))] for p in places)
    return tuple(sorted(chosen))


def pair_up(regions: Sequence[str]) -> NDArray[np.int64]:
    """Pairs of channels of different regions, all pairs where there is one region; (n_pairs, 2)."""
    one = len(set(regions)) < 2
    pairs = [
        (i, j)
        for i in range(len(regions))
        for j in range(i + 1, len(regions))
        if one or regions[i] != regions[j]
    ]
    return np.array(pairs, np.int64).reshape(-1, 2)


class LfpEmgMeter:
    """Correlations in bins counted from the session's start, from samples handed over in order.

    The result does not depend on how the samples are cut into pieces, nor a session into intervals.

    Parameters
    ----------
    spans : of the samples that will come, in the order of their numbers
    interval : bins that start in it are computed
    bin_s : length of a bin
    regions : of the channels, in the order of the rows
    """

    def __init__(
        self, spans: Sequence[Span], interval: Interval, bin_s: float, regions: Sequence[str]
    ) -> None:
        self._spans = tuple(spans)
        self._pairs = pair_up(regions)
        rate_hz = round(self._spans[0].rate_hz) if self._spans else round(LOWEST_RATE_HZ)
        self._taps, self._before = pad_taps(design_bandpass(rate_hz))
        self._after = len(self._taps) - 1 - self._before
        half_s = (max(self._before, self._after) + 2) / rate_hz
        self.needs = Interval(interval.start_s - half_s, interval.stop_s + bin_s + half_s)
        """The samples wanted."""

        numbers = {span: i for i, span in enumerate(self._spans)}
        self._waiting: list[list[tuple[int, int]]] = [[] for _ in self._spans]
        starts: list[float] = []
        for number, start_s, span, first_sample in iterate_epochs(self._spans, interval, bin_s):
            starts.append(start_s)
            if span is not None:
                offset = first_sample - span.first_sample
                self._waiting[numbers[span]].append((number, offset))
        self.start_s = np.array(starts)
        """(n_bins,) starts of the bins."""
        self.correlation = np.full(len(starts), np.nan, np.float32)
        """(n_bins,) mean over pairs; NaN where a bin touches a gap."""
        self._bin_s = bin_s
        self._held_span = -1
        self._held_from = 0
        self._held = np.empty((len(regions), 0), np.float32)

    def receive(self, number: int, offset: int, samples: Floats) -> None:
        """Take the samples that follow, (n_rows, n), of span `number` from `offset` on."""
        if number != self._held_span:
            self._held_span, self._held_from = number, offset
            self._held = np.empty((len(samples), 0), np.float32)
        self._held = np.concatenate([self._held, samples], axis=1)
        span, waiting = self._spans[number], self._waiting[number]
        n_bin = round(self._bin_s * span.rate_hz)
        reached = self._held_from + self._held.shape[1]
        ready = [
            place
            for place in waiting
            if min(place[1] + n_bin + self._after, span.n_samples) <= reached
        ]
        if ready:
            first, stop = ready[0][1], ready[-1][1] + n_bin
            filtered = self._filter(first, stop, span.n_samples)
            begins = np.array([o - first for _, o in ready])
            result = _correlate(filtered, begins, n_bin, self._pairs)
            self.correlation[[i for i, _ in ready]] = result
            del waiting[: len(ready)]
        half = len(self._taps)
        keep_from = (waiting[0][1] if waiting else reached) - half
        # A bin at the span's very end mirrors samples before it: keep what that may need.
        drop = min(max(0, keep_from - half - self._held_from), self._held.shape[1])
        self._held = self._held[:, drop:].copy()
        self._held_from += drop

    @property
    def n_waiting(self) -> int:
        """Bins whose samples have not come."""
        return sum(len(waiting) for waiting in self._waiting)

    def _filter(self, first: int, stop: int, n_span: int) -> Floats:
        """Offsets `first` to `stop` of the held span, band-passed."""
        index = np.arange(first - self._before, stop + self._after)
        index = mirror_index(index, n_span) - self._held_from
        out = np.empty((len(self._held), stop - first), np.float32)
        for row, values in zip(out, self._held, strict=True):
            fir_decimate(values[index], 1, self._taps, row)
        return out


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _correlate(x: Floats, begins: NDArray[np.int64], n: int, pairs: NDArray[np.int64]) -> Floats:
    """Mean zero-lag correlation over pairs of rows; rows without variance are left out."""
    out = np.empty(begins.size, np.float32)
    n_rows = x.shape[0]
    scaled = np.empty((n_rows, n), np.float64)
    live = np.empty(n_rows, np.bool_)
    for b in range(begins.size):
        for r in range(n_rows):
            values, row = x[r, begins[b] : begins[b] + n], scaled[r]
            mean = 0.0
            for i in range(n):
                mean += np.float64(values[i])
            mean /= n
            square = 0.0
            for i in range(n):
                row[i] = np.float64(values[i]) - mean
                square += row[i] * row[i]
            live[r] = square > 0
            if live[r]:
                norm = 1 / np.sqrt(square)
                for i in range(n):
                    row[i] *= norm
        total, count = 0.0, 0
        for p in range(pairs.shape[0]):
            if live[pairs[p, 0]] and live[pairs[p, 1]]:
                a, c = scaled[pairs[p, 0]], scaled[pairs[p, 1]]
                product = 0.0
                for i in range(n):
                    product += a[i] * c[i]
                total += product
                count += 1
        out[b] = total / count if count > 0 else np.nan
    return out
