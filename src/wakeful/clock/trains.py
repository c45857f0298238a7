"""Trains of nearly periodic events, numbered: which are neighbours, which are lost, which extra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

ON_PHASE = 0.25
"""An event is the next of its train where it comes within so much of a period of its time."""
REGULAR_SHARE = 0.6
_REGULAR_WITHIN = 0.1
_LONG_PERIODS = 400
"""Pauses longer than this are numbered again, with the period fitted on both sides."""
_RELOCK = 4
_CLOSE = 3
_FIT_EVENTS = 20_000
_SEED = 1_000
_AROUND, _COMPANY = 10, 6


@dataclass(frozen=True, eq=False)
class Train:
    """Events with numbers that count periods; runs are stretches through which phase holds."""

    index: Counts
    """(n_kept,) which of the events given."""
    number: Counts
    """(n_kept,) rising; a jump by more than 1 means that events are missing."""
    run: Counts
    """(n_kept,) rises where the phase was lost."""
    time_s: Floats
    is_counted: bool = False
    """Whether the device counted itself, so that missing numbers are missing events for sure."""

    @property
    def n_numbers(self) -> int:
        """From the first number to the last, both counted."""
        return int(self.number[-1] - self.number[0]) + 1

    def deviations(self) -> tuple[Counts, NDArray[np.float32]]:
        """How much each interval between neighbours differs from the typical one.

        Returns
        -------
        The numbers of the later neighbours, and the differences in seconds. Differences further
        out than four robust standard deviations are set to that.
        """
        near = (np.diff(self.number) == 1) & (np.diff(self.run) == 0)
        gap_s = np.diff(self.time_s)[near]
        if len(gap_s) == 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        gap_s = gap_s - np.median(gap_s)
        most_s = 4 * 1.4826 * float(np.median(np.abs(gap_s)))
        return self.number[1:][near], np.clip(gap_s, -most_s, most_s).astype(np.float32)

    def run_spans(self) -> list[tuple[int, int]]:
        """First and last number of each run."""
        edges = np.flatnonzero(np.diff(self.run)) + 1
        starts, stops = np.r_[0, edges], np.r_[edges, len(self.run)]
        return [
            (int(self.number[a]), int(self.number[b - 1]))
            for a, b in zip(starts, stops, strict=True)
        ]


def typical_period(time_s: Floats) -> float:
    """Median interval of the events that follow each other, seconds; NaN for fewer than two."""
    gap_s = np.diff(time_s)
    gap_s = gap_s[gap_s > 0]
    return float(np.median(gap_s)) if len(gap_s) else float("nan")


def is_regular(time_s: Floats, period_s: float) -> bool:
    """Whether most intervals are whole multiples of a period."""
    gap_s = np.diff(time_s)
    gap_s = gap_s[gap_s > 0.5 * period_s]
    if len(gap_s) < 3 or not period_s > 0:
        return False
    periods = gap_s / period_s
    # Beyond ten periods a multiple is met by chance.
    near = (np.abs(periods - np.rint(periods)) < _REGULAR_WITHIN) & (periods < 10.5)
    return bool(np.mean(near) >= REGULAR_SHARE)


def number_by_phase(time_s: Floats, period_s: float, *, has_strays: bool) -> Train:
    """Number events by their times, leaving out those that are off the beat.

    Parameters
    ----------
    time_s : (n,) in the order in which they were noted; a step of the clock begins a new run
    period_s : about right (a fit follows it)
    has_strays : whether events between the beats are strays, as on a line of pulses; a camera has
        none: there they mean that its clock was set back by nearly a whole beat
    """
    seed = _seed(time_s, period_s)
    number = np.zeros(len(time_s), np.int64)
    run = np.full(len(time_s), -1, np.int64)
    _number(time_s, period_s, seed, has_strays, number, run)
    kept = np.flatnonzero(run >= 0)
    train = Train(kept.astype(np.int64), number[kept], run[kept], time_s[kept])
    return _renumber_after_pauses(train) if len(kept) else train


def number_by_counter(time_s: Floats, counter: Counts, period_s: float) -> Train:
    """Number events by the device's own counter.

    Where it starts over, or time says otherwise (the device paused, its clock was set), a new run
    begins.
    """
    index = np.flatnonzero(np.r_[True, np.diff(counter) != 0])  # a frame saved twice is one event
    step = np.diff(counter[index])
    over = step < 0
    step = np.where(over, 1, step)
    odd = np.abs(np.diff(time_s[index]) / period_s - step) > ON_PHASE + 1e-3 * step
    number = counter[0] + np.r_[0, np.cumsum(step)]
    run = np.r_[0, np.cumsum(over | odd)]
    return Train(
        index.astype(np.int64),
        number.astype(np.int64),
        run.astype(np.int64),
        time_s[index],
        is_counted=True,
    )


def without_strays(train: Train) -> Train:
    """The train without events that stand alone: a beat of strays in a silence is chance."""
    low = np.searchsorted(train.number, train.number - _AROUND)
    high = np.searchsorted(train.number, train.number + _AROUND, side="right")
    keep = high - low >= _COMPANY
    thinned = Train(train.index[keep], train.number[keep], train.run[keep], train.time_s[keep])
    return _renumber_after_pauses(thinned) if keep.any() else thinned


def _seed(time_s: Floats, period_s: float) -> int:
    """The first event of four on the beat; whatever comes before may be stray."""
    head = time_s[:_SEED]
    for i in range(len(head) - 3):
        periods = np.diff(head[i : i + 4]) / period_s
        if np.all(np.abs(periods - 1) < _REGULAR_WITHIN):
            return i
    return 0


@njit(cache=True, nogil=True)
def _number(
    time_s: Floats, period_s: float, seed: int, has_strays: bool, number: Counts, run: Counts
) -> None:  # pragma: no cover - compiled
    """Walk along the beat. `run` stays -1 where an event is left out."""
    n_events = time_s.size
    period = period_s
    beat = time_s[seed]
    number[seed] = 0
    run[seed] = 0
    last = 0
    runs = 0
    i = seed + 1
    streak = 0
    before = np.nan
    back = False
    while i < n_events:
        t = time_s[i]
        # A clock that was set back by whole periods keeps its beat, and yet is another.
        back = back or t < time_s[i - 1]
        n = int(np.rint((t - beat) / period))
        off = (t - beat) / period - n
        if n >= 1 and abs(off) < ON_PHASE:
            # Of several within one beat the nearest to it is the true one.
            while i + 1 < n_events:
                later = (time_s[i + 1] - beat) / period - n
                if abs(later) >= abs(off):
                    break
                i += 1
                t = time_s[i]
                off = later
            beat += n * period
            # Only what follows closely moves the beat: stray events in a silence don't.
            if n <= _CLOSE:
                beat += 0.3 * off * period
                period += 0.002 * off * period / n
                period = min(max(period, period_s * 0.999), period_s * 1.001)
            last += n
            if back:
                runs += 1
                back = False
            number[i] = last
            run[i] = runs
            streak = 0
            i += 1
            continue
        if n == 0 and not has_strays:
            back = True
        beats = (t - before) / period_s
        if n != 0 or abs(off) >= ON_PHASE:
            if abs(beats - np.rint(beats)) < _REGULAR_WITHIN and 0.5 < beats < 3.5:
                streak += 1
            else:
                streak = 1
            before = t
            if streak >= _RELOCK:
                # A beat of its own: the clock stepped, or the device began anew.
                first = i
                members = 1
                while members < streak and first > 0:
                    first -= 1
                    if run[first] < 0:
                        members += 1
                jump = int(np.rint((time_s[first] - beat) / period))
                last += max(1, jump)
                runs += 1
                number[first] = last
                run[first] = runs
                beat = time_s[first]
                i = first + 1
                streak = 0
                back = False
                before = np.nan
                continue
        i += 1
    # What lies before the seed, walking backwards.
    beat = time_s[seed]
    last = 0
    for i in range(seed - 1, -1, -1):
        n = int(np.rint((beat - time_s[i]) / period_s))
        off = (beat - time_s[i]) / period_s - n
        if n >= 1 and n < _LONG_PERIODS and abs(off) < ON_PHASE:
            last -= n
            beat = time_s[i]
            number[i] = last
            run[i] = 0


def _renumber_after_pauses(train: Train) -> Train:
    """Long pauses hold as many periods as the fit on both sides says; else a new run begins."""
    number, run = train.number.copy(), train.run.copy()
    for at in np.flatnonzero(np.diff(train.number) > _LONG_PERIODS) + 1:
        before = slice(max(0, at - _FIT_EVENTS), at)
        after = slice(at, at + _FIT_EVENTS)
        slopes = [
            slope
            for part in (before, after)
            if (slope := _fit_period(number[part], run[part], train.time_s[part])) is not None
        ]
        if not slopes:
            continue
        pause_s = train.time_s[at] - train.time_s[at - 1]
        periods = pause_s / float(np.mean(slopes))
        n = max(1, int(np.rint(periods)))
        number[at:] += n - (number[at] - number[at - 1])
        if abs(periods - n) >= ON_PHASE:
            run[at:] += 1
    return Train(train.index, number, run, train.time_s)


def _fit_period(number: Counts, run: Counts, time_s: Floats) -> float | None:
    """Slope over the longest run; None where that is short."""
    values, counts = np.unique(run, return_counts=True)
    chosen = run == values[np.argmax(counts)]
    # The part next to another long pause is numbered by its own fit.
    if chosen.sum() < 50:
        return None
    x = number[chosen].astype(np.float64)
    y = time_s[chosen]
    x = x - x.mean()
    if np.max(np.diff(number[chosen])) > _LONG_PERIODS:
        whole = np.flatnonzero(np.diff(number[chosen]) > _LONG_PERIODS)
        x, y = x[whole[-1] + 1 :], y[whole[-1] + 1 :]
        if len(x) < 50:
            return None
        x = x - x.mean()
    return float((x @ (y - y.mean())) / (x @ x))
