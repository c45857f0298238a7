"""The time that all of several channels have, and where their samples of it lie.

Channels of one acquisition count the same clock, but not the same records: they begin and end at
different ones, and one may lack a stretch that the others have. What they share is cut out here, to
the nearest sample of each.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from wakeful.io.record_order import Segment, TimeTable
from wakeful.io.stretches import ReadTicks

SAME_SAMPLES = 0.5
"""Samples of two channels are the same when they were taken within half a sample."""

_CLOCK_SAMPLES = 1
"""Over time that they share, channels of one clock have as many samples, but for roundings."""


@dataclass(frozen=True)
class Pattern:
    """When a channel has samples; several channels may share one."""

    table: TimeTable
    samples_per_record: int
    read_ticks: ReadTicks | None
    key: tuple[tuple[int, int], ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, table: TimeTable, samples_per_record: int, read_ticks: ReadTicks | None) -> Pattern:
        """The pattern of a time table."""
        key = tuple((s.first_tick, s.n_samples) for s in table.segments)
        return cls(table, samples_per_record, read_ticks, key)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Where it has samples."""
        return self.table.segments

    def sample_at(self, segment: Segment, tick: float) -> int:
        """The sample of a segment that was taken nearest to a time inside it."""
        if tick <= segment.first_tick:
            return segment.first_sample
        stretches = self.table.stretches[
            segment.first_stretch : segment.first_stretch + segment.n_stretches
        ]
        i = max(0, bisect_right(stretches, tick, key=lambda s: s.first_tick) - 1)
        s, per, clock = stretches[i], self.samples_per_record, self.table.clock
        before = sum(stretch.n_samples for stretch in stretches[:i])
        number = 0
        begin = s.first_tick
        if s.n_records > 1 and self.read_ticks is not None:
            step = (s.last_tick - s.first_tick) / (s.n_records - 1)
            number = min(max(int((tick - s.first_tick) / step), 0), s.n_records - 1)
            begin = self._tick_of(s.file, s.first_record + number)
            # Records do not come at quite even distances: the one that holds the time is sought.
            while begin > tick and number > 0:
                number -= 1
                begin = self._tick_of(s.file, s.first_record + number)
            while number + 1 < s.n_records:
                following = self._tick_of(s.file, s.first_record + number + 1)
                if following > tick:
                    break
                number, begin = number + 1, following
        inside = round((tick - begin) / clock.period_ticks)
        sample = segment.first_sample + before + number * per + inside
        return min(sample, segment.first_sample + segment.n_samples)

    def _tick_of(self, file: int, record: int) -> int:
        assert self.read_ticks is not None
        return int(self.read_ticks(file, np.array([record], np.int64))[0])

    def agrees_so_far(self, other: Pattern) -> bool:
        """Whether one pattern is the beginning of the other."""
        short, long = sorted((self.key, other.key), key=len)
        n = len(short) - 1
        if short[:n] != long[:n] or short[n][0] != long[n][0]:
            return False
        return len(short) == len(long) or short[n][1] <= long[n][1]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of time that all patterns have without a gap."""

    start_tick: int
    stop_tick: float
    n_samples: int
    reference: int
    """The pattern on whose record it begins."""
    segments: tuple[Segment, ...]
    """The one of each pattern that holds it."""
    first_samples: tuple[int, ...]
    """In the numbering of each pattern."""


@dataclass(frozen=True)
class Common:
    """What several patterns share."""

    pieces: tuple[Piece, ...]
    one_clock: bool
    """Whether they have as many samples in what they share."""

    @property
    def n_samples(self) -> int:
        """Samples in all pieces."""
        return sum(piece.n_samples for piece in self.pieces)


def find_common(patterns: Sequence[Pattern]) -> Common:
    """The time that all patterns have."""
    near = SAME_SAMPLES * patterns[0].table.clock.period_ticks
    at = [0] * len(patterns)
    pieces: list[Piece] = []
    one_clock = True
    while all(i < len(p.segments) for i, p in zip(at, patterns, strict=True)):
        segments = tuple(p.segments[i] for i, p in zip(at, patterns, strict=True))
        start = max(s.first_tick for s in segments)
        stop = min(s.end_tick for s in segments)
        if stop - start > near:
            piece = _cut(patterns, segments, start, stop)
            if piece.n_samples > 0:
                pieces.append(piece)
                one_clock = one_clock and _counts_agree(patterns, piece, near)
        for i, segment in enumerate(segments):
            if segment.end_tick <= stop + near:
                at[i] += 1
    return Common(tuple(pieces), one_clock)


def _cut(
    patterns: Sequence[Pattern], segments: tuple[Segment, ...], start: int, stop: float
) -> Piece:
    first = tuple(p.sample_at(s, start) for p, s in zip(patterns, segments, strict=True))
    n_samples = min(s.first_sample + s.n_samples - a for s, a in zip(segments, first, strict=True))
    reference = next(i for i, s in enumerate(segments) if s.first_tick == start)
    return Piece(start, stop, n_samples, reference, segments, first)


def _counts_agree(patterns: Sequence[Pattern], piece: Piece, near: float) -> bool:
    for pattern, segment, first in zip(patterns, piece.segments, piece.first_samples, strict=True):
        stop = segment.first_sample + segment.n_samples
        if segment.end_tick > piece.stop_tick + near:
            stop = pattern.sample_at(segment, piece.stop_tick)
        if abs(stop - first - piece.n_samples) > _CLOCK_SAMPLES:
            return False
    return True


def missing_between(
    patterns: Sequence[Pattern], start: float, stop: float
) -> list[tuple[float, float, tuple[int, ...]]]:
    """Where, between two times, some patterns have samples and others not: these others.

    Returns
    -------
    (start, stop, patterns without samples); stretches shorter than a sample are left out
    """
    period = patterns[0].table.clock.period_ticks
    covered: list[list[tuple[float, float]]] = []
    edges = {start, stop}
    for pattern in patterns:
        segments = pattern.segments
        i = max(0, bisect_right(segments, start, key=lambda s: s.first_tick) - 1)
        mine: list[tuple[float, float]] = []
        while i < len(segments) and segments[i].first_tick < stop:
            a, b = max(start, segments[i].first_tick), min(stop, segments[i].end_tick)
            if b - a > SAME_SAMPLES * period:
                mine.append((a, b))
                edges |= {a, b}
            i += 1
        covered.append(mine)
    found: list[tuple[float, float, tuple[int, ...]]] = []
    inside = sorted(edges)
    for a, b in pairwise(inside):
        if b - a <= period:
            continue
        lack = tuple(
            i
            for i, mine in enumerate(covered)
            if not any(p <= a + period and b - period <= q for p, q in mine)
        )
        if 0 < len(lack) < len(patterns):
            if found and found[-1][2] == lack and a - found[-1][1] <= period:
                found[-1] = (found[-1][0], b, lack)
            else:
                found.append((a, b, lack))
    return found
