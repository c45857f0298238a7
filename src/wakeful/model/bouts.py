"""Bouts of sleep and waking, and what is counted of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import PER_ROW, Rows, State, Times

STATES = (State.AWAKE, State.UNCLASSIFIED, State.NREM, State.REM)
"""Rows and columns of all tables of states."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Bouts(Rows):
    """Runs of one state, in order. Holes, and what was left out, end a bout and are in none."""

    stop_s: Times = field(metadata=PER_ROW)
    """(n_bouts,)"""
    state: NDArray[np.int8] = field(metadata=PER_ROW)
    """(n_bouts,) values of `State`, never no data."""
    start_known: NDArray[np.bool_] = field(metadata=PER_ROW)
    """(n_bouts,) whether it was seen to begin: the epoch before has another state. False at the
    recording's start, behind a hole, behind what was left out and behind unclassified epochs."""
    stop_known: NDArray[np.bool_] = field(metadata=PER_ROW)
    """(n_bouts,) the same of its end. A bout with either unknown lasted at least this long."""

    @property
    def duration_s(self) -> Times:
        """(n_bouts,)"""
        return self.stop_s - self.start_s


@dataclass(frozen=True, eq=False, kw_only=True)
class StateHours(Rows):
    """Time in each state, hour by hour."""

    minutes: NDArray[np.float64] = field(metadata=PER_ROW)
    """(n_hours, 4) states as in `states`; an epoch counts for the hour it starts in."""
    share: NDArray[np.float64] = field(metadata=PER_ROW)
    """(n_hours, 4) of the time that has a state; NaN where none has."""
    zeitgeber_h: NDArray[np.float64] = field(metadata=PER_ROW)
    """(n_hours,) hours since lights on at which it begins, 0 to 23; NaN where that is unknown."""
    left_out_min: NDArray[np.float64] = field(metadata=PER_ROW)
    """(n_hours,) ictal and post-ictal."""
    wake_minutes: NDArray[np.float64] = field(metadata=PER_ROW)
    """(n_hours, 3) of waking that is quiet, active, not told: together they are awake. NaN where
    waking was not divided."""
    states: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class BoutStatistics:
    """Counts and rates of a session. Ictal and post-ictal epochs are in none of them."""

    states: tuple[str, ...]
    """awake, unclassified, NREM, REM."""
    phases: tuple[str, ...]
    """"whole", then "light" and "dark" where the light schedule is known. An epoch belongs to the
    phase it starts in, and a bout too."""
    minutes: NDArray[np.float64]
    """(n_phases, n_states)"""
    share: NDArray[np.float64]
    """(n_phases, n_states) of the time that has a state; NaN where none has."""
    n_bouts: NDArray[np.int64]
    """(n_phases, n_states)"""
    n_complete: NDArray[np.int64]
    """(n_phases, n_states) bouts seen from beginning to end."""
    bouts_per_hour: NDArray[np.float64]
    """(n_phases, n_states) per hour that has a state; NaN where none has."""
    mean_bout_s: NDArray[np.float64]
    """(n_phases, n_states) of all bouts as long as they were seen; NaN without any."""
    median_bout_s: NDArray[np.float64]
    """(n_phases, n_states) from the survival curve, which knows that some bouts lasted longer than
    they were seen; NaN where less than half of them ended in sight."""
    transitions: NDArray[np.int64]
    """(n_states, n_states) pairs of epochs that touch, from row to column, staying included."""
    epoch_probability: NDArray[np.float64]
    """(n_states, n_states) of a state in the next epoch; NaN where there is no pair."""
    next_probability: NDArray[np.float64]
    """(n_states, n_states) of the state that follows a bout; the diagonal is 0, NaN without any."""
    nrem_latency_s: float
    """From the first epoch that has a state to the first bout of NREM; NaN without any."""
    rem_latency_s: float
    """The same for REM."""
    rem_after_nrem_s: float
    """From the first bout of NREM to the first of REM behind it; NaN without."""
    stage_shift_index: NDArray[np.float64]
    """(n_phases,) changes from NREM or REM to another state an hour of sleep; NaN without sleep."""
    n_brief_awakenings: NDArray[np.int64]
    """(n_phases,) awake between sleep and sleep, no longer than the parameter says."""
    brief_awakenings_per_hour: NDArray[np.float64]
    """(n_phases,) per hour of sleep; NaN without sleep."""
    ictal_min: float
    post_ictal_min: float
    epoch_s: float
    wake_kinds: tuple[str, ...]
    """quiet, active, not told."""
    wake_minutes: NDArray[np.float64]
    """(n_phases, 3) of waking; together they are awake. NaN where waking was not divided."""
    wake_n_bouts: NDArray[np.int64]
    """(n_phases, 3) runs of one kind; 0 where waking was not divided."""
    wake_mean_bout_s: NDArray[np.float64]
    """(n_phases, 3) as long as they were seen; NaN without any."""
    wake_median_bout_s: NDArray[np.float64]
    """(n_phases, 3) from the survival curve."""
    wake_method: str
    """What waking was divided by; "" where it was not."""
    notes: tuple[str, ...] = ()
