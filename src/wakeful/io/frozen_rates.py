"""The straight line on which the samples of a span lie: fitted once, to its beginning, and kept.

A fit to all time stamps of a span changes with every record that is written, and with it the time
of samples that were analysed long ago. Here rate and start come from `RATE_HEADS` records spread
over the span's first `RATE_S` seconds, and from nothing else; they are the same to the bit whenever
the recording is opened, and however it is read.

The price is that later samples may leave the line, as the clock's rate changes with temperature.
So the line is checked every `CHECK_S`: where the median of `CHECK_HEADS` time stamps lies more than
`MOVED_S` beside it, the span ends and a new one begins, with a line of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.io.record_order import Segment, TimeTable
from wakeful.io.stretches import Clock, ReadTicks, Stretch

RATE_S = 600.0
"""Seconds at the beginning of a span from which its rate and start come. A span shorter than that
takes all it has. Whole microseconds spread over 600 s give a rate to 0.001 ppm."""

RATE_HEADS = 128
"""Time stamps that the fit takes, evenly spread over these seconds."""

RATE_ERROR_MAX = 20e-6
"""A fitted rate is used where its standard error is below this (the drift of a good clock)."""

MOVED_S = 2e-3
"""A clock that has moved by more than this against the samples begins a new span. A crystal whose
rate wanders by 0.1 ppm comes to this some four times a day."""

CHECK_S = 60.0
"""How often that is looked at, from the end of the first `RATE_S` seconds on."""

CHECK_HEADS = 15
"""Time stamps looked at each time; their median decides, so that single late ones do not."""

_MIN_RATE_RECORDS = 8
_CHECKS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Line:
    """Samples at equal distances in time."""

    first_sample: int
    """In the channel's numbering."""
    n_samples: int
    anchor_tick: int
    start_ticks: float
    """From the anchor to its first sample."""
    period_ticks: float
    moved_ticks: float = 0.0
    """How far the clock had moved against the line before, where that is why this one begins."""
    n_left_out: int = 0
    """Samples before its first that lie in time the line before has already taken."""

    def stop_from(self, anchor_tick: int) -> float:
        """When the sample after the last would have come, from another anchor."""
        return (
            self.anchor_tick - anchor_tick + self.start_ticks + self.n_samples * self.period_ticks
        )


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive samples of a channel that are to lie on one line or several."""

    table: TimeTable
    read_ticks: ReadTicks | None
    segment: Segment
    first_sample: int
    """In the channel's numbering: the first of a record."""
    n_samples: int


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A line beside the nominal one, from a record's first sample on."""

    origin: int
    """The record's first sample, counted from the part's."""
    anchor: int
    """Its time stamp."""
    intercept: float
    slope: float


class _Records:
    """The records of a part, counted from its first."""

    def __init__(self, part: Part, samples_per_record: int) -> None:
        segment = part.segment
        stretches: Sequence[Stretch] = part.table.stretches[
            segment.first_stretch : segment.first_stretch + segment.n_stretches
        ]
        self._stretches = stretches
        self._read = part.read_ticks
        self._per = samples_per_record
        self._period = part.table.clock.nominal_ticks
        n_records = np.array([s.n_records for s in stretches])
        n_samples = np.array([s.n_samples for s in stretches])
        self._records = np.concatenate([[0], np.cumsum(n_records)])
        self._samples = np.concatenate([[0], np.cumsum(n_samples)])
        self._before = part.first_sample - segment.first_sample
        self._skip = self._record_of(self._before)
        self._length = part.n_samples
        self.n = self._record_of(self._before + part.n_samples - 1) + 1 - self._skip

    def _record_of(self, sample: int) -> int:
        i = int(np.searchsorted(self._samples, sample, side="right")) - 1
        return int(self._records[i] + (sample - self._samples[i]) // self._per)

    def offsets(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where records begin, in samples from the part's first."""
        i, inside = self._split(numbers)
        return np.asarray(self._samples[i] + inside * self._per - self._before)

    def offset(self, number: int) -> int:
        """Where one record begins, or the part ends."""
        return int(self.offsets(np.array([number]))[0]) if number < self.n else self._length

    def ticks(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Their time stamps."""
        which, inside = self._split(numbers)
        ticks = np.empty(len(numbers), np.int64)
        for i in np.unique(which):
            mine = which == i
            s = self._stretches[int(i)]
            if self._read is None:
                steps = np.round(inside[mine] * (self._per * self._period))
                ticks[mine] = s.first_tick + steps.astype(np.int64)
            else:
                ticks[mine] = self._read(s.file, s.first_record + inside[mine])
        return ticks

    def _split(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        absolute = numbers + self._skip
        i = np.searchsorted(self._records, absolute, side="right") - 1
        return i, absolute - self._records[i]


class LineFitter:
    """Fits lines to the parts of one stream, in order of time.

    Parameters
    ----------
    samples_per_record : samples in a full record
    clock : of the stream's channels
    """

    def __init__(self, samples_per_record: int, clock: Clock) -> None:
        self._per = samples_per_record
        self._clock = clock
        record_s = samples_per_record / clock.rate_hz
        self._n_rate = max(_MIN_RATE_RECORDS, math.ceil(RATE_S / record_s))
        self._n_check = max(CHECK_HEADS, math.ceil(CHECK_S / record_s))
        self._best = 0.0
        self._best_error = RATE_ERROR_MAX * clock.nominal_ticks
        self._last: Line | None = None
        self._wander = 0.0

    @property
    def wander_ticks(self) -> float:
        """Largest root mean square by which time stamps left the line fitted to them, so far."""
        return self._wander

    def fit(self, part: Part) -> tuple[list[Line], float]:
        """The lines of a part, and the time up to which they are final if more is written.

        A line begins where the one before ended, or later: where the clock has moved so that its
        samples would lie in time already taken, these are left out.
        """
        records = _Records(part, self._per)
        lines: list[Line] = []
        settled = -math.inf
        first, moved = 0, 0.0
        while True:
            origin = records.offset(first)
            anchor = int(records.ticks(np.array([first]))[0])
            intercept, slope = self._fit_beginning(records, first, origin, anchor)
            period = self._clock.nominal_ticks + slope
            fitted = _Fitted(origin, anchor, intercept, slope)
            checked, moved_next = self._look_along(records, first, fitted)
            if checked is not None:
                settled = anchor + intercept + (records.offset(checked) - origin) * period
            stop = part.n_samples if moved_next is None else records.offset(checked or 0)
            line = self._place(
                Line(part.first_sample + origin, stop - origin, anchor, intercept, period, moved)
            )
            if line is not None:
                lines.append(line)
                self._last = line
            if checked is None or moved_next is None:
                return lines, settled
            first, moved = checked, moved_next

    def _fit_beginning(
        self, records: _Records, first: int, origin: int, anchor: int
    ) -> tuple[float, float]:
        """Intercept and slope beyond the nominal line, in ticks and ticks per sample."""
        n = min(self._n_rate, records.n - first)
        numbers = first + np.unique(np.arange(RATE_HEADS) * (n - 1) // (RATE_HEADS - 1))
        x = (records.offsets(numbers) - origin).tolist()
        ticks = (records.ticks(numbers) - anchor).tolist()
        mean_x, mean_d, slope, error, rms = fit_line(x, ticks, self._clock)
        self._wander = max(self._wander, rms)
        limit = RATE_ERROR_MAX * self._clock.nominal_ticks
        # A span too short for a rate of its own takes the best known of those before it.
        if error > limit:
            slope = self._best
        elif error <= self._best_error:
            self._best, self._best_error = slope, error
        return mean_d - slope * mean_x, slope

    def _look_along(
        self, records: _Records, first: int, fitted: _Fitted
    ) -> tuple[int | None, float | None]:
        """Up to which record the line stands, None where it is not yet fixed; how far the clock
        has moved there, None where it has not.
        """
        if records.n - first < self._n_rate:
            return None, None
        begin = first + self._n_rate
        n_checks = (records.n - begin) // self._n_check
        limit = MOVED_S * self._clock.ticks_per_s
        spread = np.arange(CHECK_HEADS) * (self._n_check - 1) // (CHECK_HEADS - 1)
        for done in range(0, n_checks, _CHECKS_AT_ONCE):
            checks = np.arange(done, min(done + _CHECKS_AT_ONCE, n_checks))
            numbers = (begin + checks[:, None] * self._n_check + spread).reshape(-1)
            x = (records.offsets(numbers) - fitted.origin).astype(np.float64)
            beside = (records.ticks(numbers) - fitted.anchor) - x * self._clock.nominal_ticks
            beside -= fitted.intercept + fitted.slope * x
            median = np.median(beside.reshape(len(checks), -1), axis=1)
            left = np.flatnonzero(np.abs(median) > limit)
            if len(left):
                return begin + (done + int(left[0])) * self._n_check, float(median[left[0]])
        return begin + n_checks * self._n_check, None

    def _place(self, line: Line) -> Line | None:
        """Behind the line before: moved by less than half a sample, else without some samples."""
        if self._last is None:
            return line
        late = self._last.stop_from(line.anchor_tick) - line.start_ticks
        if late <= 0:
            return line
        if late <= line.period_ticks / 2:
            n, start = 0, line.start_ticks + late
        else:
            n = math.ceil(late / line.period_ticks)
            start = line.start_ticks + n * line.period_ticks
        if n >= line.n_samples:
            return None
        return Line(
            line.first_sample + n,
            line.n_samples - n,
            line.anchor_tick,
            start,
            line.period_ticks,
            line.moved_ticks,
            n,
        )


def fit_line(
    x: Sequence[int], ticks: Sequence[int], clock: Clock
) -> tuple[float, float, float, float, float]:
    """Least squares of what time stamps lie beside the nominal line.

    Sums are whole numbers and each result is rounded once, so that every processor gives the same
    bits.

    Parameters
    ----------
    x : samples from the first
    ticks : time stamps from the first

    Returns
    -------
    mean x, mean deviation, slope, its standard error (of at least a tick of scatter), root mean
    square of what is left
    """
    n = len(x)
    nominal, scale = clock.nominal_ticks.as_integer_ratio()
    d = [tick * scale - nominal * i for i, tick in zip(x, ticks, strict=True)]
    sum_x, sum_d = sum(x), sum(d)
    mxx = n * sum(i * i for i in x) - sum_x * sum_x
    mean_x, mean_d = sum_x / n, sum_d / (n * scale)
    if mxx == 0:
        return mean_x, mean_d, 0.0, math.inf, 0.0
    mxd = n * sum(i * e for i, e in zip(x, d, strict=True)) - sum_x * sum_d
    mdd = n * sum(e * e for e in d) - sum_d * sum_d
    left = (mdd * mxx - mxd * mxd) / (mxx * (n * scale) ** 2)
    rms = math.sqrt(max(0.0, left))
    error = max(1.0, rms) / math.sqrt(mxx / n)
    return mean_x, mean_d, mxd / (mxx * scale), error, rms
