"""What is counted of bouts: time, rates, latencies, fragmentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wakeful.model.bouts import STATES, Bouts, BoutStatistics, StateHours
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.ictal import IctalKind
from wakeful.model.movement import WAKE_KINDS, WakeKind
from wakeful.sleep.bouts import count_transitions, find_bouts, median_survival

SLEEP = (State.NREM, State.REM)
WHOLE = "whole"
_HOUR_S = 3600.0
_FIRST_CODE = max(State) + 1
"""Numbers from here on are no states."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a statistic calls an onset and a brief awakening."""

    brief_awakening_s: float
    """The longest that is brief."""
    onset_s: float
    """A bout shorter than this is no onset of sleep."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Waking:
    """What kinds of waking there are, epoch by epoch of the hypnogram."""

    kind: NDArray[np.int8]
    """(n_epochs,) values of `WakeKind`."""
    method: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Covered:
    """What is to be left out of a hypnogram, epoch by epoch."""

    ictal: NDArray[np.int8]
    """(n_epochs,) values of `IctalKind`."""
    untrusted: NDArray[np.bool_]
    """(n_epochs,) quarantined."""

    @property
    def left_out(self) -> NDArray[np.bool_]:
        """(n_epochs,)"""
        marked: NDArray[np.bool_] = (self.ictal != IctalKind.NONE) | self.untrusted
        return marked


def compute_bout_statistics(
    hypnogram: Hypnogram,
    covered: Covered,
    light: NDArray[np.bool_] | None,
    rules: Rules,
    waking: Waking | None = None,
) -> tuple[Bouts, BoutStatistics]:
    """Bouts of a hypnogram and their statistics; ictal and quarantined epochs are in neither.

    Parameters
    ----------
    light : (n_epochs,) whether the lights are on; None where that is unknown
    waking : None where waking was not divided
    """
    left_out = covered.left_out
    bouts = find_bouts(hypnogram, left_out)
    used = (hypnogram.state != State.NO_DATA) & ~left_out
    phases: dict[str, NDArray[np.bool_]] = {WHOLE: np.ones(hypnogram.n_rows, np.bool_)}
    if light is not None:
        phases |= {"light": light, "dark": ~light}
    epoch = np.searchsorted(hypnogram.start_s, bouts.start_s)
    member = np.stack([used & (hypnogram.state == s) for s in STATES])
    minutes = np.array([(member & inside).sum(axis=1) for inside in phases.values()], np.float64)
    minutes *= hypnogram.epoch_s / 60
    total = minutes.sum(axis=1, keepdims=True)
    counted = _count_bouts(bouts, {name: inside[epoch] for name, inside in phases.items()}, STATES)
    wake = _count_waking(hypnogram, left_out, phases, waking)
    transitions = count_transitions(hypnogram, left_out)
    changes = transitions * ~np.eye(len(STATES), dtype=np.bool_)
    sleep_h = minutes[:, [STATES.index(s) for s in SLEEP]].sum(axis=1) / 60
    brief = _brief_awakenings(bouts, rules.brief_awakening_s)
    n_brief = np.array([np.sum(brief & inside[epoch]) for inside in phases.values()], np.int64)
    shifts = _stage_shifts(hypnogram, left_out)
    n_shifts = np.array([np.sum(shifts & inside[:-1]) for inside in phases.values()], np.float64)
    nrem_s, rem_s, after_s = _latencies(hypnogram, used, bouts, rules.onset_s)
    marked = [float(np.sum(covered.ictal == k)) * hypnogram.epoch_s / 60 for k in (1, 2)]
    statistics = BoutStatistics(
        states=tuple(state.label for state in STATES),
        phases=tuple(phases),
        minutes=minutes,
        share=_ratio(minutes, total),
        n_bouts=counted.n_bouts,
        n_complete=counted.n_complete,
        bouts_per_hour=_ratio(counted.n_bouts.astype(np.float64), total / 60),
        mean_bout_s=counted.mean_s,
        median_bout_s=counted.median_s,
        transitions=transitions,
        epoch_probability=_ratio(
            transitions.astype(np.float64), transitions.sum(axis=1, keepdims=True)
        ),
        next_probability=_ratio(changes.astype(np.float64), changes.sum(axis=1, keepdims=True)),
        nrem_latency_s=nrem_s,
        rem_latency_s=rem_s,
        rem_after_nrem_s=after_s,
        stage_shift_index=_ratio(n_shifts, sleep_h),
        n_brief_awakenings=n_brief,
        brief_awakenings_per_hour=_ratio(n_brief.astype(np.float64), sleep_h),
        ictal_min=marked[0],
        post_ictal_min=marked[1],
        epoch_s=hypnogram.epoch_s,
        wake_kinds=tuple(kind.label for kind in WAKE_KINDS),
        wake_minutes=wake.minutes,
        wake_n_bouts=wake.counted.n_bouts,
        wake_mean_bout_s=wake.counted.mean_s,
        wake_median_bout_s=wake.counted.median_s,
        wake_method="" if waking is None else waking.method,
        notes=_notes(bouts, marked),
    )
    return bouts, statistics


def compute_state_hours(
    hypnogram: Hypnogram,
    covered: Covered,
    edges_s: NDArray[np.float64],
    zeitgeber_h: NDArray[np.float64],
    waking: Waking | None = None,
) -> StateHours:
    """Minutes and shares of each state between edges an hour apart.

    Parameters
    ----------
    edges_s : (n_hours + 1,) seconds from the session's start
    zeitgeber_h : (n_hours,)
    waking : None where waking was not divided
    """
    n_hours = len(edges_s) - 1
    at = np.searchsorted(edges_s, hypnogram.start_s + 1e-6, side="right") - 1
    inside = (at >= 0) & (at < n_hours)
    used = inside & (hypnogram.state != State.NO_DATA) & ~covered.left_out
    per_epoch_min = float(hypnogram.epoch_s) / 60
    counts = [np.bincount(at[used & (hypnogram.state == s)], minlength=n_hours) for s in STATES]
    minutes = np.stack(counts, axis=1).astype(np.float64) * per_epoch_min
    ictal = inside & (covered.ictal != IctalKind.NONE)
    left_out = np.bincount(at[ictal], minlength=n_hours).astype(np.float64) * per_epoch_min
    wake_minutes = np.full((n_hours, len(WAKE_KINDS)), np.nan)
    if waking is not None:
        of_kind = [
            np.bincount(at[used & (waking.kind == k)], minlength=n_hours) for k in WAKE_KINDS
        ]
        wake_minutes = np.stack(of_kind, axis=1).astype(np.float64) * per_epoch_min
    return StateHours(
        start_s=edges_s[:-1],
        minutes=minutes,
        share=_ratio(minutes, minutes.sum(axis=1, keepdims=True)),
        zeitgeber_h=zeitgeber_h,
        left_out_min=left_out,
        wake_minutes=wake_minutes,
        states=tuple(state.label for state in STATES),
    )


@dataclass(frozen=True, eq=False)
class _Counted:
    n_bouts: NDArray[np.int64]
    n_complete: NDArray[np.int64]
    mean_s: NDArray[np.float64]
    median_s: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _WakeCounted:
    minutes: NDArray[np.float64]
    counted: _Counted


def _count_waking(
    hypnogram: Hypnogram,
    left_out: NDArray[np.bool_],
    phases: Mapping[str, NDArray[np.bool_]],
    waking: Waking | None,
) -> _WakeCounted:
    """Minutes and bouts of the kinds of waking."""
    shape = (len(phases), len(WAKE_KINDS))
    if waking is None:
        nan = np.full(shape, np.nan)
        none = np.zeros(shape, np.int64)
        return _WakeCounted(nan, _Counted(none, none.copy(), nan.copy(), nan.copy()))
    # Kinds as states of their own behind the others, so that a run ends where the kind changes.
    # An epoch that is not told may be of either kind: it bounds a run as unclassified ones do.
    codes = np.full(len(WakeKind), int(State.UNCLASSIFIED), np.int8)
    codes[[WakeKind.QUIET, WakeKind.ACTIVE]] = _FIRST_CODE + np.arange(2)
    awake = hypnogram.state == State.AWAKE
    state = np.where(awake, codes[waking.kind], hypnogram.state).astype(np.int8)
    bouts = find_bouts(replace(hypnogram, state=state), left_out)
    epoch = np.searchsorted(hypnogram.start_s, bouts.start_s)
    untold = bouts.state == State.UNCLASSIFIED
    untold &= hypnogram.state[epoch] == State.AWAKE
    bouts = replace(bouts, state=np.where(untold, _FIRST_CODE + 2, bouts.state).astype(np.int8))
    used = awake & ~left_out
    minutes = np.array(
        [
            [np.sum(used & inside & (waking.kind == k)) for k in WAKE_KINDS]
            for inside in phases.values()
        ],
        np.float64,
    )
    return _WakeCounted(
        minutes * hypnogram.epoch_s / 60,
        _count_bouts(
            bouts,
            {name: inside[epoch] for name, inside in phases.items()},
            tuple(_FIRST_CODE + i for i in range(len(WAKE_KINDS))),
        ),
    )


def _count_bouts(
    bouts: Bouts, phases: Mapping[str, NDArray[np.bool_]], states: Sequence[int]
) -> _Counted:
    shape = (len(phases), len(states))
    n_bouts, n_complete = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    mean_s, median_s = np.full(shape, np.nan), np.full(shape, np.nan)
    complete = bouts.start_known & bouts.stop_known
    duration_s = bouts.duration_s
    for i, inside in enumerate(phases.values()):
        for j, state in enumerate(states):
            chosen = inside & (bouts.state == state)
            n_bouts[i, j], n_complete[i, j] = chosen.sum(), (chosen & complete).sum()
            if chosen.any():
                mean_s[i, j] = duration_s[chosen].mean()
                median_s[i, j] = median_survival(duration_s[chosen], complete[chosen])
    return _Counted(n_bouts, n_complete, mean_s, median_s)


def _brief_awakenings(bouts: Bouts, longest_s: float) -> NDArray[np.bool_]:
    """(n_bouts,) awake between sleep and sleep that touch it, and short."""
    sleep = np.isin(bouts.state, SLEEP)
    between = np.zeros(bouts.n_rows, np.bool_)
    between[1:-1] = sleep[:-2] & sleep[2:]
    # Known ends mean that the neighbours touch.
    seen = bouts.start_known & bouts.stop_known
    short = bouts.duration_s <= longest_s + 1e-6
    brief: NDArray[np.bool_] = (bouts.state == State.AWAKE) & between & seen & short
    return brief


def _stage_shifts(hypnogram: Hypnogram, left_out: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n_epochs - 1,) changes from NREM or REM to another of the three states."""
    state = hypnogram.state
    scored = np.isin(state, (State.AWAKE, *SLEEP)) & ~left_out
    touches = np.isclose(np.diff(hypnogram.start_s), hypnogram.epoch_s)
    shifts: NDArray[np.bool_] = (
        touches & scored[:-1] & scored[1:] & np.isin(state[:-1], SLEEP) & (state[:-1] != state[1:])
    )
    return shifts


def _latencies(
    hypnogram: Hypnogram, used: NDArray[np.bool_], bouts: Bouts, onset_s: float
) -> tuple[float, float, float]:
    nan = float("nan")
    if not used.any():
        return nan, nan, nan
    begin_s = float(hypnogram.start_s[np.argmax(used)])
    long = bouts.duration_s >= onset_s - 1e-6

    def first(state: State, after_s: float) -> float:
        at = np.flatnonzero(long & (bouts.state == state) & (bouts.start_s >= after_s))
        return float(bouts.start_s[at[0]]) if at.size else nan

    nrem_s, rem_s = first(State.NREM, begin_s), first(State.REM, begin_s)
    after_s = first(State.REM, nrem_s) if np.isfinite(nrem_s) else nan
    return nrem_s - begin_s, rem_s - begin_s, after_s - nrem_s


def _ratio(
    part: NDArray[np.float64], whole: NDArray[np.floating] | NDArray[np.integer]
) -> NDArray[np.float64]:
    """NaN where there is nothing to divide by."""
    whole = np.broadcast_to(whole, part.shape).astype(np.float64)
    ratio = np.full(part.shape, np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio


def _notes(bouts: Bouts, marked: list[float]) -> tuple[str, ...]:
    notes: list[str] = []
    n_unseen = int(np.sum(~(bouts.start_known & bouts.stop_known)))
    if n_unseen:
        notes.append(
            f"{n_unseen:,} of {bouts.n_rows:,} bouts were not seen from beginning to end (holes, "
            "unclassified or left-out epochs): they lasted at least as long as they were seen"
        )
    if any(marked):
        notes.append(
            f"{marked[0]:.1f} min ictal and {marked[1]:.1f} min post-ictal are in no bout, state "
            "or transition"
        )
    return tuple(notes)
