"""Intervals, spans and local days: all in seconds from the session's start."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass

_TOLERANCE_SAMPLES = 1e-3
"""Times within a thousandth of a sample of each other are the same time."""


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
        """82,800 to 90,000 s: a day on which the clocks change is shorter or longer."""
        return self.interval.duration_s


@dataclass(frozen=True, slots=True)
class Accounting:
    """Where the time of a stretch went; the four parts add up to its length."""

    recorded_s: float
    gap_s: float
    quarantined_s: float
    outside_s: float
    """Before the session's start or after its end."""

    @property
    def length_s(self) -> float:
        """The sum of the parts."""
        return self.recorded_s + self.gap_s + self.quarantined_s + self.outside_s


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
    inside = interval.intersect(session)
    apart = _merge(inside, (stretch.interval for stretch in quarantined))
    trusted = _without(_merge(inside, (span.interval for span in spans)), apart)
    recorded_s = math.fsum(part.duration_s for part in trusted)
    quarantined_s = math.fsum(part.duration_s for part in apart)
    return Accounting(
        recorded_s=recorded_s,
        gap_s=max(0.0, inside.duration_s - recorded_s - quarantined_s),
        quarantined_s=quarantined_s,
        outside_s=interval.duration_s - inside.duration_s,
    )


def _merge(inside: Interval, stretches: Iterable[Interval]) -> list[Interval]:
    """The stretches cut to `inside`, in order, those that touch or overlap made one."""
    merged: list[Interval] = []
    cut = (inside.intersect(stretch) for stretch in stretches)
    for part in sorted(part for part in cut if part.duration_s > 0):
        if merged and part.start_s <= merged[-1].stop_s:
            stop_s = max(merged[-1].stop_s, part.stop_s)
            merged[-1] = Interval(merged[-1].start_s, stop_s)
        else:
            merged.append(part)
    return merged


def _without(stretches: list[Interval], holes: list[Interval]) -> list[Interval]:
    """What is left of `stretches` outside `holes`; both in order, neither overlapping itself."""
    left: list[Interval] = []
    position = 0
    for stretch in stretches:
        start_s = stretch.start_s
        while position < len(holes) and holes[position].stop_s <= start_s:
            position += 1
        for hole in holes[position:]:
            if hole.start_s >= stretch.stop_s:
                break
            left.append(Interval(start_s, hole.start_s))
            start_s = hole.stop_s
        left.append(Interval(start_s, stretch.stop_s))
    return left
