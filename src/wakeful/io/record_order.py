"""Which stretches of records are kept, where their time stamps contradict each other.

Decisions are taken in the order of the file and look ahead by no more than `SETTLE_S` of samples:
what is said of a recording's first hours never changes when later ones are written. A stretch with
that much behind it is *firm*; what contradicts it later is set apart, however long it is.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wakeful.io.records import Run
from wakeful.io.stretches import Clock, Fault, Findings, ReadTicks, Stretch

SETTLE_S = 600.0
"""Seconds of samples that decide on a contradiction, and after which nothing before them changes:
the time that a claim made later can still reach back."""

LONGEST_GAP_S = 31 * 86_400.0
"""Records further than this from all others carry a broken time stamp."""

EMPTY = 1
"""The fault number of records of nothing but zeros, in every format."""

_JUMPS = "time stamps jump ahead and back"
_STEPS_BACK = "time stamps step back over time that was recorded already"
_FAR = "time stamps more than 31 days away from the rest"


@dataclass(frozen=True, slots=True)
class TickSpan:
    """A gap-free stretch of one file, at its nominal rate."""

    start_ticks: float
    """From the table's `base_tick`."""
    n_samples: int
    rate_hz: float


@dataclass(frozen=True, slots=True)
class SetApart:
    """Records that are not used, and why."""

    start_ticks: float
    """From the table's `base_tick`; the time the records claim."""
    stop_ticks: float
    n_records: int
    reason: str


@dataclass(frozen=True, slots=True)
class Segment:
    """Kept stretches that continue each other."""

    first_tick: int
    end_tick: float
    """When the sample after the last would have come."""
    n_samples: int
    first_sample: int
    """In the numbering of all kept samples of the channel."""
    first_stretch: int
    n_stretches: int


@dataclass(frozen=True)
class TimeTable:
    """Where the samples of one channel lie, in its files and in time."""

    base_tick: int
    clock: Clock
    stretches: tuple[Stretch, ...]
    """Kept, in order of time."""
    segments: tuple[Segment, ...]
    runs: tuple[Run, ...]
    """One for each stretch."""
    set_apart: tuple[SetApart, ...]
    n_empty_last: int
    """Records of nothing but zeros at the end of the last file."""
    settled_tick: float
    """What lies before is final, whatever is written later."""

    @property
    def ticks_per_s(self) -> float:
        """Resolution of the time stamps."""
        return self.clock.ticks_per_s

    @property
    def n_samples(self) -> int:
        """Samples in all stretches."""
        return sum(stretch.n_samples for stretch in self.stretches)

    @property
    def spans(self) -> tuple[TickSpan, ...]:
        """The segments as time stamps that count samples give them: at the nominal rate."""
        return tuple(
            TickSpan(segment.first_tick - self.base_tick, segment.n_samples, self.clock.rate_hz)
            for segment in self.segments
        )


def put_in_order(
    found: Sequence[Findings],
    samples_per_record: int,
    clock: Clock,
    reasons: tuple[str, ...],
    read_ticks: ReadTicks | None = None,
    *,
    is_fixed: bool = True,
) -> TimeTable:
    """The time table of a channel.

    Parameters
    ----------
    found : of each of its files, in order of time
    reasons : what the fault numbers 1, 2, ... mean
    read_ticks : gives the time stamps of records; None where stamps count samples exactly
    is_fixed : whether the clock stays as it is when more is written; nothing is settled before
    """
    stretches = [replace(s, file=i) for i, part in enumerate(found) for s in part.stretches]
    faults = [replace(f, file=i) for i, part in enumerate(found) for f in part.faults]
    order = _Order(samples_per_record, clock, read_ticks)
    for stretch in stretches:
        order.take(stretch)
    order.close()
    kept = order.kept
    base = kept[0].first_tick if kept else 0
    set_apart = [_relative(apart, base) for apart in order.claims]
    set_apart += [
        order.locate(base, s.file, s.first_record, s.n_records, why) for s, why in order.apart
    ]
    set_apart += [
        order.locate(base, f.file, f.first_record, f.n_records, reasons[f.code - 1]) for f in faults
    ]
    segments, runs = order.join()
    return TimeTable(
        base,
        clock,
        tuple(kept),
        segments,
        runs,
        tuple(set_apart),
        _count_empty(faults, len(found) - 1, found[-1].n_records),
        order.settled_tick() if is_fixed else -math.inf,
    )


def _relative(apart: SetApart, base: int) -> SetApart:
    return replace(apart, start_ticks=apart.start_ticks - base, stop_ticks=apart.stop_ticks - base)


def _count_empty(faults: Sequence[Fault], file: int, n_records: int) -> int:
    if not faults:
        return 0
    last = faults[-1]
    at_end = last.file == file and last.first_record + last.n_records == n_records
    return last.n_records if last.code == EMPTY and at_end else 0


class _Order:
    """Keeps the stretches whose times grow; sets apart those that contradict them."""

    def __init__(self, per: int, clock: Clock, read_ticks: ReadTicks | None) -> None:
        self._per = per
        self._clock = clock
        self._read_ticks = read_ticks
        self._firm_samples = SETTLE_S * clock.rate_hz
        self._longest = LONGEST_GAP_S * clock.ticks_per_s
        self.kept: list[Stretch] = []
        self._before: list[int] = []
        """Samples kept before each of them."""
        self._total = 0
        self.apart: list[tuple[Stretch, str]] = []
        """Without a time of their own."""
        self.claims: list[SetApart] = []
        """Of time that was recorded already; ticks are absolute."""
        self._groups: list[int] = []
        """For each, the first of those before it without more than a month between them."""
        self._n_firm = 0
        self._n_sure = 0
        """Firm, whatever the last stretch may still oust when it goes on."""

    def take(self, stretch: Stretch) -> None:
        """The next stretch of the file.

        Where it begins before the last one ended, either what lies ahead of it was stamped too
        late (then the shorter side goes, or the one that is out of step), or its own clock
        stepped back: then the records that claim time already taken are set apart and the rest is
        kept.
        """
        n_firm = self._n_sure = self._n_firm
        kept, clock = self.kept, self._clock
        if n_firm and stretch.first_tick - kept[-1].last_tick > self._longest:
            self.apart.append((stretch, _FAR))
            return
        ahead = bisect_left(kept, stretch.first_tick, key=lambda s: s.first_tick)
        contested = n_firm <= ahead < len(kept)
        if contested:
            weight = self._total - self._before[ahead]
            if weight <= stretch.n_samples or self._in_step(ahead, stretch):
                self.apart += [(s, _JUMPS) for s in kept[ahead:]]
                self._forget(ahead)
                contested = False
        rest: Stretch | None = stretch
        if kept and stretch.first_tick < end_tick(kept[-1], clock) - clock.tolerance_ticks:
            rest = self._drop_front(stretch, end_tick(kept[-1], clock) - clock.tolerance_ticks)
        if rest is not None:
            self._keep(rest)
        self._n_sure = n_firm if contested else self._n_firm

    def _keep(self, stretch: Stretch) -> None:
        kept = self.kept
        far = not kept or stretch.first_tick - kept[-1].last_tick > self._longest
        group = len(kept) if far else self._groups[-1]
        kept.append(stretch)
        self._before.append(self._total)
        self._groups.append(group)
        self._total += stretch.n_samples
        first = max(self._n_firm, group)
        firm = first
        while firm < len(kept) and self._total - self._before[firm] >= self._firm_samples:
            firm += 1
        if firm == first:
            return
        if group:
            # Shorter groups weeks before the first one that is long enough.
            self.apart += [(s, _FAR) for s in kept[:group]]
            del kept[:group], self._before[:group]
            self._groups = [0] * len(kept)
        self._n_firm = firm - group

    def _forget(self, start: int) -> None:
        self._total = self._before[start]
        del self.kept[start:], self._before[start:], self._groups[start:]

    def close(self) -> None:
        """After the last stretch: of stretches weeks apart, none firm, the longest group stays."""
        if self._n_firm or not self.kept:
            return
        groups: list[list[Stretch]] = []
        for stretch in self.kept:
            if not groups or stretch.first_tick - groups[-1][-1].last_tick > self._longest:
                groups.append([])
            groups[-1].append(stretch)
        if len(groups) > 1:
            best = max(groups, key=lambda group: sum(s.n_samples for s in group))
            self.apart += [(s, _FAR) for group in groups if group is not best for s in group]
            self.kept = best

    def settled_tick(self) -> float:
        """What lies before is final; minus infinity where nothing is."""
        if self._n_sure == 0:
            return -math.inf
        end = end_tick(self.kept[self._n_sure - 1], self._clock)
        return end - SETTLE_S * self._clock.ticks_per_s

    def _in_step(self, ahead: int, stretch: Stretch) -> bool:
        """Whether a stretch comes when it should if those ahead had had no jump."""
        if ahead == 0:
            return False
        n_between = self._total - self._before[ahead]
        due = end_tick(self.kept[ahead - 1], self._clock) + n_between * self._clock.period_ticks
        return abs(stretch.first_tick - due) <= 2 * self._clock.tolerance_ticks

    def _drop_front(self, stretch: Stretch, until: float) -> Stretch | None:
        """Set the records apart that begin before `until`; what is left, if anything."""
        per_record = self._per * self._clock.period_ticks
        n_drop = math.ceil((until - stretch.first_tick) / per_record)
        if n_drop >= stretch.n_records:
            n_drop, rest = stretch.n_records, None
            stop = end_tick(stretch, self._clock)
        else:
            tick = self._tick_of(stretch, n_drop)
            rest = replace(
                stretch,
                first_record=stretch.first_record + n_drop,
                n_records=stretch.n_records - n_drop,
                n_samples=stretch.n_samples - n_drop * self._per,
                first_tick=tick,
            )
            stop = float(tick)
        # Time that is settled stays as it is, whatever is claimed later.
        taken = end_tick(self.kept[-1], self._clock)
        reach = taken - SETTLE_S * self._clock.ticks_per_s
        start, stop = max(float(stretch.first_tick), reach), max(stop, reach)
        self.claims.append(SetApart(start, stop, n_drop, _STEPS_BACK))
        return rest

    def _tick_of(self, stretch: Stretch, record: int) -> int:
        if self._read_ticks is None:
            return stretch.first_tick + round(record * self._per * self._clock.period_ticks)
        records = np.array([stretch.first_record + record], np.int64)
        return int(self._read_ticks(stretch.file, records)[0])

    def locate(
        self, base: int, file: int, first_record: int, n_records: int, reason: str
    ) -> SetApart:
        """Records without a time of their own lie between their sound neighbours in the file."""
        kept, clock = self.kept, self._clock
        length = n_records * self._per * clock.nominal_ticks
        after = bisect_left(kept, (file, first_record), key=lambda s: (s.file, s.first_record))
        if after:
            start = end_tick(kept[after - 1], clock) - base
            stop = start + length
            if after < len(kept):
                stop = max(start, min(stop, kept[after].first_tick - base))
        else:
            stop = (kept[0].first_tick - base) if kept else length
            start = stop - length
        return SetApart(start, stop, n_records, reason)

    def join(self) -> tuple[tuple[Segment, ...], tuple[Run, ...]]:
        """Segments of stretches that continue each other, and the runs behind them."""
        segments: list[Segment] = []
        runs: list[Run] = []
        total = 0
        end = -math.inf
        for i, s in enumerate(self.kept):
            runs.append(Run(total, s.n_samples, s.first_record, s.file))
            stop = end_tick(s, self._clock)
            if abs(s.first_tick - end) > self._clock.tolerance_ticks:
                segments.append(Segment(s.first_tick, stop, s.n_samples, total, i, 1))
            else:
                last = segments[-1]
                segments[-1] = replace(
                    last,
                    end_tick=stop,
                    n_samples=last.n_samples + s.n_samples,
                    n_stretches=last.n_stretches + 1,
                )
            total += s.n_samples
            end = stop
        return tuple(segments), tuple(runs)


def end_tick(stretch: Stretch, clock: Clock) -> float:
    """When the sample after a stretch's last would have come."""
    return stretch.last_tick + stretch.last_n * clock.period_ticks
