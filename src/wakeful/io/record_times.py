"""From the time stamps of records to gap-free spans: gaps, short records, clocks that step back.

A record continues the one before when it comes within `tolerance` of where the samples before it
end; otherwise there is a gap. The rate of each span is a straight line fitted to its time stamps.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wakeful.io.records import Run
from wakeful.model.errors import BadRecording

MAX_RUNS = 100_000
"""More breaks than this in one file are damage, not gaps; also what keeps memory bounded."""

RATE_ERROR_MAX = 20e-6
"""A fitted rate is used where its standard error is below this (the drift of a good clock)."""

LONGEST_GAP_S = 31 * 86_400.0
"""Records further than this from all others carry a broken time stamp."""

_JUMPS = "time stamps jump ahead and back"
_STEPS_BACK = "time stamps step back over time that was recorded already"
_FAR = "time stamps more than 31 days away from the rest"


@dataclass(slots=True)
class LineFit:
    """Running sums of a straight line d = a + b x: mean and centred moments."""

    n: int = 0
    mean_x: float = 0.0
    mean_d: float = 0.0
    mxx: float = 0.0
    mxd: float = 0.0
    mdd: float = 0.0

    def add(self, x: NDArray[np.float64], d: NDArray[np.float64]) -> None:
        """Take in more points."""
        mean_x, mean_d = float(x.mean()), float(d.mean())
        dx, dd = x - mean_x, d - mean_d
        part = LineFit(len(x), mean_x, mean_d, float(dx @ dx), float(dx @ dd), float(dd @ dd))
        self.merge(part)

    def merge(self, part: LineFit, shift_x: float = 0.0, shift_d: float = 0.0) -> None:
        """Take in the points of another fit, moved (Chan, Golub and LeVeque 1983, pairwise)."""
        n = self.n + part.n
        if part.n == 0:
            return
        dx = part.mean_x + shift_x - self.mean_x
        dd = part.mean_d + shift_d - self.mean_d
        weight = self.n * part.n / n
        self.mxx += part.mxx + dx * dx * weight
        self.mxd += part.mxd + dx * dd * weight
        self.mdd += part.mdd + dd * dd * weight
        self.mean_x += dx * part.n / n
        self.mean_d += dd * part.n / n
        self.n = n

    @property
    def slope(self) -> float:
        """Deviation per unit of x."""
        return self.mxd / self.mxx if self.mxx > 0 else 0.0

    @property
    def rms(self) -> float:
        """Root mean square of what the line leaves."""
        if self.n < 2:
            return 0.0
        return math.sqrt(max(0.0, self.mdd - self.slope * self.mxd) / self.n)

    def slope_error(self, least: float) -> float:
        """Standard error of the slope; the scatter is taken as `least` at least."""
        if self.n < 2 or self.mxx <= 0:
            return math.inf
        return max(least, self.rms) / math.sqrt(self.mxx)


@dataclass(slots=True)
class _Stretch:
    """Consecutive records that follow each other without a gap."""

    first_record: int
    n_records: int
    n_samples: int
    first_tick: int
    last_tick: int
    last_n: int
    fit: LineFit = field(default_factory=LineFit)
    """x: samples from the stretch's first; d: ticks beyond first_tick + x * nominal period."""


@dataclass(frozen=True, slots=True)
class TickSpan:
    """A gap-free stretch of one file."""

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


@dataclass(frozen=True)
class TimeTable:
    """Where the samples of one file lie, in the file and in time."""

    base_tick: int
    ticks_per_s: float
    spans: tuple[TickSpan, ...]
    runs: tuple[Run, ...]
    set_apart: tuple[SetApart, ...]
    wander_s: float
    """Largest root mean square by which time stamps leave a span's fitted line."""
    n_empty_last: int
    """Records of nothing but zeros at the end of the file."""

    @property
    def n_samples(self) -> int:
        """Samples in all spans."""
        return sum(span.n_samples for span in self.spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What is known of the time stamps before they are read."""

    ticks_per_s: float
    rate_hz: float
    """Nominal."""
    period_ticks: float
    """Measured ticks between samples, for the test of whether a record continues the last."""
    tolerance_ticks: float


@dataclass(frozen=True, slots=True)
class Stamps:
    """Heads of consecutive records, one entry a record."""

    ticks: NDArray[np.int64]
    n_valid: NDArray[np.int64]
    fault: NDArray[np.uint8]
    """0 where the head is sound, else the number of a reason."""


class SpanFinder:
    """Takes the heads of a file's records piece by piece; memory grows with the gaps only.

    Parameters
    ----------
    samples_per_record : samples in a full record
    clock : rate and resolution of the time stamps
    reasons : what the fault numbers 1, 2, ... mean
    where : the file, for errors
    """

    EMPTY = 1
    """The fault number of records of nothing but zeros; `reasons[0]` says so."""

    def __init__(
        self, samples_per_record: int, clock: Clock, reasons: tuple[str, ...], where: str
    ) -> None:
        self._per = samples_per_record
        self._clock = clock
        self._nominal = clock.ticks_per_s / clock.rate_hz
        self._reasons = reasons
        self._where = where
        self._stretches: list[_Stretch] = []
        self._faults: list[tuple[int, int, int]] = []
        self._n_records = 0
        self._open = False

    def add(self, stamps: Stamps) -> None:
        """The next records of the file.

        Raises
        ------
        BadRecording
            More than `MAX_RUNS` breaks: the time stamps are damaged.
        """
        ticks, n_valid = stamps.ticks, stamps.n_valid
        if len(ticks) == 0:
            return
        good = (stamps.fault == 0) & (n_valid > 0)
        follows = np.empty(len(ticks), bool)
        late = np.diff(ticks) - n_valid[:-1] * self._clock.period_ticks
        follows[1:] = (
            good[1:]
            & good[:-1]
            & (n_valid[:-1] == self._per)
            & (np.abs(late) <= self._clock.tolerance_ticks)
        )
        last = self._stretches[-1] if self._stretches and self._open else None
        follows[0] = (
            last is not None
            and bool(good[0])
            and last.last_n == self._per
            and abs(int(ticks[0]) - last.last_tick - self._per * self._clock.period_ticks)
            <= self._clock.tolerance_ticks
        )
        starts = np.flatnonzero(good & ~follows)
        if follows[0]:
            starts = np.concatenate([[0], starts])
        stops = np.flatnonzero(good & ~np.append(follows[1:], False)) + 1
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            self._extend(ticks[start:stop], n_valid[start:stop], start, bool(follows[start]))
        self._note_faults(stamps)
        self._n_records += len(ticks)
        self._open = bool(good[-1])
        if len(self._stretches) + len(self._faults) > MAX_RUNS:
            raise BadRecording(
                f"the time stamps break off more than {MAX_RUNS:,} times",
                where=self._where,
                remedy="the file is damaged: copy it again, or leave it out of the folder",
            )

    def _extend(
        self, ticks: NDArray[np.int64], n_valid: NDArray[np.int64], offset: int, follows: bool
    ) -> None:
        if not follows:
            self._stretches.append(
                _Stretch(self._n_records + offset, 0, 0, int(ticks[0]), int(ticks[0]), 0)
            )
        stretch = self._stretches[-1]
        # Inside a stretch all records but the last are full.
        x = stretch.n_samples + self._per * np.arange(len(ticks), dtype=np.float64)
        d = (ticks - stretch.first_tick).astype(np.float64) - x * self._nominal
        stretch.fit.add(x, d)
        stretch.n_records += len(ticks)
        stretch.n_samples += self._per * (len(ticks) - 1) + int(n_valid[-1])
        stretch.last_tick, stretch.last_n = int(ticks[-1]), int(n_valid[-1])

    def _note_faults(self, stamps: Stamps) -> None:
        faulty = np.flatnonzero(stamps.fault)
        if len(faulty) == 0:
            return
        codes = stamps.fault[faulty]
        edges = np.flatnonzero((np.diff(faulty) > 1) | (np.diff(codes) != 0)) + 1
        for part, code in zip(
            np.split(faulty, edges), codes[np.concatenate([[0], edges])], strict=True
        ):
            first = self._n_records + int(part[0])
            if self._faults:
                before, n, same = self._faults[-1]
                if before + n == first and same == code:
                    self._faults[-1] = (before, n + len(part), same)
                    continue
            self._faults.append((first, len(part), int(code)))

    def finish(self) -> TimeTable:
        """The file's spans, after the last record."""
        kept, apart = self._keep_in_order()
        base = kept[0].first_tick if kept else 0
        set_apart = [
            SetApart(s.first_tick - base, self._end(s) - base, s.n_records, why)
            if why == _STEPS_BACK
            else self._locate(kept, base, s.first_record, s.n_records, why)
            for s, why in apart
        ]
        set_apart += [
            self._locate(kept, base, first, n_records, self._reasons[code - 1])
            for first, n_records, code in self._faults
        ]
        n_empty_last = 0
        if self._faults:
            first, n, code = self._faults[-1]
            if code == self.EMPTY and first + n == self._n_records:
                n_empty_last = n
        spans, runs, wander = self._join(kept, base)
        return TimeTable(
            base,
            self._clock.ticks_per_s,
            spans,
            runs,
            tuple(set_apart),
            wander / self._clock.ticks_per_s,
            n_empty_last,
        )

    def _end(self, stretch: _Stretch) -> float:
        return stretch.last_tick + stretch.last_n * self._clock.period_ticks

    def _keep_in_order(self) -> tuple[list[_Stretch], list[tuple[_Stretch, str]]]:
        """Stretches whose times grow, and those that contradict them.

        Where a stretch begins before the last one ended, either what lies ahead of it was stamped
        too late (then the shorter side goes, or the one that is out of step), or its own clock
        stepped back: then the records that claim time already taken are set apart and the rest is
        kept.
        """
        tolerance = self._clock.tolerance_ticks
        kept: list[_Stretch] = []
        apart: list[tuple[_Stretch, str]] = []
        for stretch in self._stretches:
            ahead, weight = len(kept), 0
            while ahead and kept[ahead - 1].first_tick >= stretch.first_tick:
                ahead -= 1
                weight += kept[ahead].n_samples
            if weight and (weight <= stretch.n_samples or self._in_step(kept, ahead, stretch)):
                apart += [(s, _JUMPS) for s in kept[ahead:]]
                del kept[ahead:]
            if not kept or stretch.first_tick >= self._end(kept[-1]) - tolerance:
                kept.append(stretch)
                continue
            overlap = self._end(kept[-1]) - tolerance - stretch.first_tick
            n_drop = math.ceil(overlap / (self._per * self._clock.period_ticks))
            dropped, rest = self._split(stretch, n_drop)
            apart.append((dropped, _STEPS_BACK))
            if rest is not None:
                kept.append(rest)
        return self._leave_far_ones(kept, apart)

    def _in_step(self, kept: list[_Stretch], ahead: int, stretch: _Stretch) -> bool:
        """Whether a stretch comes when it should if those ahead had had no jump."""
        if ahead == 0:
            return False
        n_between = sum(s.n_samples for s in kept[ahead:])
        due = self._end(kept[ahead - 1]) + n_between * self._clock.period_ticks
        return abs(stretch.first_tick - due) <= 2 * self._clock.tolerance_ticks

    def _split(self, stretch: _Stretch, n_drop: int) -> tuple[_Stretch, _Stretch | None]:
        if n_drop >= stretch.n_records:
            return stretch, None
        n_samples = n_drop * self._per
        period = self._nominal + stretch.fit.slope
        tick = stretch.first_tick + round(n_samples * period)
        dropped = _Stretch(
            stretch.first_record,
            n_drop,
            n_samples,
            stretch.first_tick,
            tick - round(self._per * period),
            self._per,
        )
        rest = _Stretch(
            stretch.first_record + n_drop,
            stretch.n_records - n_drop,
            stretch.n_samples - n_samples,
            tick,
            stretch.last_tick,
            stretch.last_n,
        )
        rest.fit.merge(
            stretch.fit, -n_samples, stretch.first_tick + n_samples * self._nominal - tick
        )
        return dropped, rest

    def _leave_far_ones(
        self, kept: list[_Stretch], apart: list[tuple[_Stretch, str]]
    ) -> tuple[list[_Stretch], list[tuple[_Stretch, str]]]:
        longest = LONGEST_GAP_S * self._clock.ticks_per_s
        groups: list[list[_Stretch]] = []
        for stretch in kept:
            if not groups or stretch.first_tick - groups[-1][-1].last_tick > longest:
                groups.append([])
            groups[-1].append(stretch)
        if len(groups) > 1:
            best = max(groups, key=lambda group: sum(s.n_samples for s in group))
            apart += [(s, _FAR) for group in groups if group is not best for s in group]
            kept = best
        return kept, apart

    def _locate(
        self, kept: list[_Stretch], base: int, first_record: int, n_records: int, reason: str
    ) -> SetApart:
        """Records without a time of their own lie between their sound neighbours in the file."""
        length = n_records * self._per * self._nominal
        after = bisect_left(kept, first_record, key=lambda s: s.first_record)
        if after:
            start = self._end(kept[after - 1]) - base
            stop = start + length
            if after < len(kept):
                stop = max(start, min(stop, kept[after].first_tick - base))
        else:
            stop = (kept[0].first_tick - base) if kept else length
            start = stop - length
        return SetApart(start, stop, n_records, reason)

    def _join(
        self, kept: list[_Stretch], base: int
    ) -> tuple[tuple[TickSpan, ...], tuple[Run, ...], float]:
        """Spans of stretches that continue each other, the runs behind them, the worst scatter."""
        tolerance = self._clock.tolerance_ticks
        groups: list[tuple[int, int, LineFit]] = []
        runs: list[Run] = []
        total = 0
        end = -math.inf
        for s in kept:
            runs.append(Run(total, s.n_samples, s.first_record))
            total += s.n_samples
            if abs(s.first_tick - end) > tolerance:
                groups.append((s.first_tick, 0, LineFit()))
            first_tick, n_samples, fit = groups[-1]
            fit.merge(s.fit, n_samples, s.first_tick - first_tick - n_samples * self._nominal)
            groups[-1] = (first_tick, n_samples + s.n_samples, fit)
            end = self._end(s)
        # The best-known rate of the file stands in where a span is too short for its own.
        best, best_error = 0.0, RATE_ERROR_MAX * self._nominal
        for _, _, fit in groups:
            error = fit.slope_error(1.0)
            if error <= best_error:
                best, best_error = fit.slope, error
        spans: list[TickSpan] = []
        stop = -math.inf
        for first_tick, n_samples, fit in groups:
            exact = fit.slope_error(1.0) <= RATE_ERROR_MAX * self._nominal
            slope = fit.slope if exact else best
            rate_hz = self._clock.ticks_per_s / (self._nominal + slope)
            # A fitted line may end a fraction of a tick after the next span begins.
            start = max(first_tick - base + fit.mean_d - slope * fit.mean_x, stop)
            spans.append(TickSpan(start, n_samples, rate_hz))
            stop = start + n_samples * (self._nominal + slope)
        wander = max((fit.rms for _, _, fit in groups), default=0.0)
        return tuple(spans), tuple(runs), wander
