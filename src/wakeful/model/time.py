"""Intervals, spans and local days: all in seconds from the session's start."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass

_TOLERANCE_SAMPLES = 1e-3
"""Times within a thousandth of a sample of each other are the same time."""

_PER_S = 1_000_000
"""Time is accounted for in whole microseconds, so that sums are exact."""


def _microseconds(time_s: float) -> int:
    return round(time_s * _PER_S)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A stretch of time, start included and stop excluded."""

    start_s: float
    stop_s: float

    @property
    def duration_s(self) -> float:
        """Length in seconds; never negative."""
        return max(0.0, self.stop_s - self.start_s)

    def intersect(self, other: Interval) -> Interval:
        """The part shared with `other`; of zero length where nothing is shared."""
        start_s = max(self.start_s, other.start_s)
        return Interval(start_s, max(start_s, min(self.stop_s, other.stop_s)))

    def widen(self, before_s: float, after_s: float) -> Interval:
        """The interval with a margin on either side."""
        return Interval(self.start_s - before_s, self.stop_s + after_s)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A gap-free stretch of equally spaced samples.

    Sample `first_sample + i` of its source was taken at `start_s + i / rate_hz`.
    """

    start_s: float
    """Time of the first sample, seconds from the session's start."""
    n_samples: int
    rate_hz: float
    """The rate at which the samples really came (fitted to time stamps where there are any)."""
    first_sample: int
    """Number of the first sample in its source's own numbering."""

    @property
    def stop_s(self) -> float:
        """When the sample after the last would have come."""
        return self.start_s + self.n_samples / self.rate_hz

    @property
    def interval(self) -> Interval:
        """The time the samples cover."""
        return Interval(self.start_s, self.stop_s)

    @property
    def stop_sample(self) -> int:
        """Number one past the last sample."""
        return self.first_sample + self.n_samples

    def offset_at(self, time_s: float) -> int:
        """Offset into the span of the first sample at or after `time_s`, clipped to the span.

        Offsets are anchored to the span and to nothing else, so that a block boundary never
        changes which samples are taken.
        """
        position = (time_s - self.start_s) * self.rate_hz
        return min(max(math.ceil(position - _TOLERANCE_SAMPLES), 0), self.n_samples)

    def time_of(self, offset: int) -> float:
        """When the sample at an offset into the span was taken."""
        return self.start_s + offset / self.rate_hz

    def cut(self, interval: Interval) -> Span | None:
        """The samples whose times lie in `interval`, or None where there are none."""
        start, stop = self.offset_at(interval.start_s), self.offset_at(interval.stop_s)
        if stop <= start:
            return None
        return Span(self.time_of(start), stop - start, self.rate_hz, self.first_sample + start)


def cut_spans(spans: tuple[Span, ...], interval: Interval) -> tuple[Span, ...]:
    """The parts of `spans` whose samples lie in `interval`."""
    return tuple(part for span in spans if (part := span.cut(interval)) is not None)


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Recorded time that is kept apart because it can't be trusted."""

    interval: Interval
    reason: str


@dataclass(frozen=True, slots=True)
class Day:
    """One local calendar day as a session sees it."""

    date: dt.date
    number: int
    """0 for the day the session starts on."""
    interval: Interval
    """From local midnight to the next, seconds from the session's start (may begin before 0)."""

    @property
    def length_s(self) -> float:
        """82,800 to 90,000 s: a day on which the clocks change is shorter or longer.

        Exact: midnights are whole microseconds from the session's start, which floats only come
        near.
        """
        interval = self.interval
        return (_microseconds(interval.stop_s) - _microseconds(interval.start_s)) / _PER_S


@dataclass(frozen=True, slots=True)
class Accounting:
    """Where the time of a stretch went; the four parts add up to its length.

    Each part is a whole number of microseconds. Sums of floats may differ in the last bit, those of
    `parts_us` never do.
    """

    recorded_s: float
    gap_s: float
    quarantined_s: float
    outside_s: float
    """Before the session's start or after its end."""

    @property
    def length_s(self) -> float:
        """The sum of the parts, exact."""
        return sum(self.parts_us) / _PER_S

    @property
    def parts_us(self) -> tuple[int, int, int, int]:
        """Recorded, gap, quarantined and outside, microseconds."""
        parts_s = (self.recorded_s, self.gap_s, self.quarantined_s, self.outside_s)
        recorded, gap, quarantined, outside = (_microseconds(part_s) for part_s in parts_s)
        return recorded, gap, quarantined, outside

    def rounded(self, per_s: int) -> tuple[int, int, int, int]:
        """The parts in units of 1 / `per_s` seconds, rounded so that they still add up.

        Parameters
        ----------
        per_s : units in a second, for example 1,000 for milliseconds; a divisor of a million
        """
        unit = _PER_S // per_s
        whole = [part // unit for part in self.parts_us]
        left = [part % unit for part in self.parts_us]
        missing = (sum(left) + unit // 2) // unit
        for at in sorted(range(4), key=lambda i: -left[i])[:missing]:
            whole[at] += 1
        recorded, gap, quarantined, outside = whole
        return recorded, gap, quarantined, outside


def account_for(
    interval: Interval,
    session: Interval,
    spans: tuple[Span, ...],
    quarantined: tuple[Quarantine, ...] = (),
) -> Accounting:
    """Account for every second of `interval`; each is counted once.

    Time that is kept apart is neither recorded nor a gap, whether it lies in a span (zeros that
    fill up the last record) or in the hole that a record left out makes.

    Parameters
    ----------
    interval : what is accounted for, for example a local day
    session : from the session's first sample to its end
    spans : what was recorded
    quarantined : stretches that can't be trusted, in spans or between them; they may overlap
    """
    whole = _Stretch.of(interval)
    inside = whole.intersect(_Stretch.of(session))
    apart = _merge(inside, (stretch.interval for stretch in quarantined))
    trusted = _without(_merge(inside, (span.interval for span in spans)), apart)
    recorded = sum(part.length for part in trusted)
    kept_apart = sum(part.length for part in apart)
    return Accounting(
        recorded_s=recorded / _PER_S,
        gap_s=(inside.length - recorded - kept_apart) / _PER_S,
        quarantined_s=kept_apart / _PER_S,
        outside_s=(whole.length - inside.length) / _PER_S,
    )


@dataclass(frozen=True, slots=True, order=True)
class _Stretch:
    """An interval in whole microseconds."""

    start: int
    stop: int

    @classmethod
    def of(cls, interval: Interval) -> _Stretch:
        start = _microseconds(interval.start_s)
        return cls(start, max(start, _microseconds(interval.stop_s)))

    @property
    def length(self) -> int:
        return self.stop - self.start

    def intersect(self, other: _Stretch) -> _Stretch:
        start = max(self.start, other.start)
        return _Stretch(start, max(start, min(self.stop, other.stop)))


def _merge(inside: _Stretch, stretches: Iterable[Interval]) -> list[_Stretch]:
    """The stretches cut to `inside`, in order, those that touch or overlap made one."""
    merged: list[_Stretch] = []
    cut = (inside.intersect(_Stretch.of(stretch)) for stretch in stretches)
    for part in sorted(part for part in cut if part.length > 0):
        if merged and part.start <= merged[-1].stop:
            merged[-1] = _Stretch(merged[-1].start, max(merged[-1].stop, part.stop))
        else:
            merged.append(part)
    return merged


def _without(stretches: list[_Stretch], holes: list[_Stretch]) -> list[_Stretch]:
    """What is left of `stretches` outside `holes`; both in order, neither overlapping itself."""
    left: list[_Stretch] = []
    position = 0
    for stretch in stretches:
        start = stretch.start
        while position < len(holes) and holes[position].stop <= start:
            position += 1
        for hole in holes[position:]:
            if hole.start >= stretch.stop:
                break
            left.append(_Stretch(start, max(start, hole.start)))
            start = hole.stop
        left.append(_Stretch(start, max(start, stretch.stop)))
    return left
