"""What changes between two versions of the same result: epochs that get another state, events that
come and go.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadParameters
from wakeful.model.sleep_events import SleepEvents

STATES = tuple(State)
"""Rows and columns of `HypnogramChange.confusion`, in this order."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A run of epochs that all change from one state to another."""

    start_s: float
    stop_s: float
    before: State
    after: State


@dataclass(frozen=True, eq=False, kw_only=True)
class HypnogramChange:
    """How a hypnogram changes."""

    confusion: NDArray[np.int64]
    """(5, 5) epochs; rows are the states before, columns after, as in `STATES`; 0 off the diagonal
    where nothing changes."""
    stretches: tuple[Stretch, ...]
    """Every run of changed epochs, in order of time."""
    n_epochs: int
    n_raw_changed: int
    """Epochs whose state before smoothing changes."""
    minutes_before: dict[State, float]
    minutes_after: dict[State, float]
    n_bouts_before: dict[State, int]
    n_bouts_after: dict[State, int]

    @property
    def n_changed(self) -> int:
        """Epochs that get another state."""
        return int(self.confusion.sum() - np.trace(self.confusion))


def compute_hypnogram_change(before: Hypnogram, after: Hypnogram) -> HypnogramChange:
    """Which epochs get another state.

    "No data" and "unclassified" are states like the others here: an epoch that is no longer
    classified has changed.

    Raises
    ------
    BadParameters
        They are not of the same epochs.
    """
    if before.epoch_s != after.epoch_s or not np.array_equal(before.start_s, after.start_s):
        raise BadParameters(
            f"{before.n_rows} epochs of {before.epoch_s:g} s and {after.n_rows} of "
            f"{after.epoch_s:g} s are not the same stretch of time",
            where="compute_hypnogram_change",
            remedy="compare hypnograms of one session with one length of epoch",
        )
    rows = np.searchsorted(_NUMBERS, before.state)
    columns = np.searchsorted(_NUMBERS, after.state)
    confusion = np.zeros((len(STATES), len(STATES)), np.int64)
    np.add.at(confusion, (rows, columns), 1)
    return HypnogramChange(
        confusion=confusion,
        stretches=_stretches(before, after),
        n_epochs=before.n_rows,
        n_raw_changed=int(np.sum(before.raw_state != after.raw_state)),
        minutes_before=before.minutes(),
        minutes_after=after.minutes(),
        n_bouts_before=_count_bouts(before),
        n_bouts_after=_count_bouts(after),
    )


_NUMBERS = np.array(STATES, np.int8)


def _count_bouts(hypnogram: Hypnogram) -> dict[State, int]:
    states = [state for state, _ in hypnogram.bouts()]
    return {state: states.count(state) for state in STATES}


def _stretches(before: Hypnogram, after: Hypnogram) -> tuple[Stretch, ...]:
    rows = np.flatnonzero(before.state != after.state)
    if not rows.size:
        return ()
    same = (
        (np.diff(rows) == 1)
        & np.isclose(np.diff(before.start_s[rows]), before.epoch_s)
        & (np.diff(before.state[rows]) == 0)
        & (np.diff(after.state[rows]) == 0)
    )
    return tuple(
        Stretch(
            start_s=float(before.start_s[run[0]]),
            stop_s=float(before.start_s[run[-1]] + before.epoch_s),
            before=State(int(before.state[run[0]])),
            after=State(int(after.state[run[0]])),
        )
        for run in np.split(rows, np.flatnonzero(~same) + 1)
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class EventsChange:
    """How the events of one kind change.

    An event stays where one of the other version in the same region shares time with it; each is
    paired with one other at most, in order of time.
    """

    kind: str
    n_before: int
    n_after: int
    n_same: int
    """Pairs with the same start and stop, to the millisecond."""
    n_moved: int
    """Pairs whose start or stop differs."""
    lost: NDArray[np.intp]
    """Rows of the events before that have no partner."""
    gained: NDArray[np.intp]
    """Rows of the events after that have no partner."""


_SAME_S = 1e-3


def compute_events_change(before: SleepEvents, after: SleepEvents) -> EventsChange:
    """Which events come and go.

    Raises
    ------
    BadParameters
        They are not of one kind.
    """
    if before.kind != after.kind:
        raise BadParameters(
            f"{before.kind}s can't be compared with {after.kind}s",
            where="compute_events_change",
            remedy="give events of one kind",
        )
    partner = np.full(before.n_rows, -1, np.intp)
    for region in sorted({*before.regions} & {*after.regions}):
        mine = np.flatnonzero(before.region == before.regions.index(region))
        theirs = np.flatnonzero(after.region == after.regions.index(region))
        _pair(before, after, mine, theirs, partner)
    paired = np.flatnonzero(partner >= 0)
    others = partner[paired]
    same = (np.abs(before.start_s[paired] - after.start_s[others]) < _SAME_S) & (
        np.abs(before.stop_s[paired] - after.stop_s[others]) < _SAME_S
    )
    return EventsChange(
        kind=before.kind,
        n_before=before.n_rows,
        n_after=after.n_rows,
        n_same=int(same.sum()),
        n_moved=int((~same).sum()),
        lost=np.flatnonzero(partner < 0),
        gained=np.setdiff1d(np.arange(after.n_rows), others),
    )


def _pair(
    before: SleepEvents,
    after: SleepEvents,
    mine: NDArray[np.intp],
    theirs: NDArray[np.intp],
    partner: NDArray[np.intp],
) -> None:
    """Walk through both in order of time; whichever ends first is passed."""
    mine = mine[np.argsort(before.start_s[mine], kind="stable")]
    theirs = theirs[np.argsort(after.start_s[theirs], kind="stable")]
    i = j = 0
    while i < len(mine) and j < len(theirs):
        a, b = mine[i], theirs[j]
        if before.start_s[a] < after.stop_s[b] and after.start_s[b] < before.stop_s[a]:
            partner[a] = b
            i, j = i + 1, j + 1
        elif before.stop_s[a] <= after.stop_s[b]:
            i += 1
        else:
            j += 1
