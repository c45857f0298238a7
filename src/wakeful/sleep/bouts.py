"""Bouts and transitions of a hypnogram, with what was not seen kept apart from what was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wakeful.model.bouts import STATES, Bouts
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadParameters


def find_bouts(hypnogram: Hypnogram, left_out: NDArray[np.bool_] | None = None) -> Bouts:
    """Runs of one state, after smoothing.

    A hole in time, an epoch without data and one that is left out end a bout: nothing is bridged.

    Parameters
    ----------
    left_out : (n_epochs,) epochs that are to be in no bout (ictal, quarantined); none where None

    Raises
    ------
    BadParameters
        `left_out` has another length than the hypnogram.
    """
    used, touches = _usable(hypnogram, left_out)
    state, n = hypnogram.state, hypnogram.n_rows
    if n == 0 or not used.any():
        empty = np.empty(0)
        none = np.empty(0, np.bool_)
        return Bouts(
            start_s=empty,
            stop_s=empty,
            state=np.empty(0, np.int8),
            start_known=none,
            stop_known=none,
        )
    linked = touches & used[:-1] & used[1:]
    same = linked & (state[:-1] == state[1:])
    first = np.flatnonzero(used & ~np.r_[False, same])
    last = np.flatnonzero(used & ~np.r_[same, False])
    # A change is seen where both sides are; what borders on unclassified may reach into it.
    sure = linked & (state[:-1] != State.UNCLASSIFIED) & (state[1:] != State.UNCLASSIFIED)
    return Bouts(
        start_s=hypnogram.start_s[first],
        stop_s=hypnogram.start_s[last] + hypnogram.epoch_s,
        state=state[first],
        start_known=np.r_[False, sure][first],
        stop_known=np.r_[sure, False][last],
    )


def count_transitions(
    hypnogram: Hypnogram, left_out: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Pairs of epochs that touch, from row to column of `STATES`, staying included.

    Raises
    ------
    BadParameters
        `left_out` has another length than the hypnogram.
    """
    used, touches = _usable(hypnogram, left_out)
    linked = touches & used[:-1] & used[1:]
    n = len(STATES)
    before = hypnogram.state[:-1][linked].astype(np.int64)
    after = hypnogram.state[1:][linked]
    counts: NDArray[np.int64] = np.bincount(before * n + after, minlength=n * n).reshape(n, n)
    return counts


def compute_survival(
    duration_s: NDArray[np.float64], complete: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of bouts that last longer than a time (Kaplan and Meier 1958, J Am Stat Assoc 53:457).

    Parameters
    ----------
    duration_s : (n_bouts,) as long as each was seen
    complete : (n_bouts,) False for bouts that lasted longer than they were seen

    Returns
    -------
    (n_times,) seconds at which bouts ended, in order; (n_times,) share that lasted longer
    """
    times_s = np.unique(duration_s[complete])
    ordered = np.sort(duration_s)
    at_risk = len(ordered) - np.searchsorted(ordered, times_s, side="left")
    ended = np.sort(duration_s[complete])
    n_ended = np.searchsorted(ended, times_s, side="right") - np.searchsorted(ended, times_s)
    share = np.cumprod(1.0 - n_ended / np.maximum(at_risk, 1))
    return times_s, share.astype(np.float64)


def median_survival(duration_s: NDArray[np.float64], complete: NDArray[np.bool_]) -> float:
    """The time that half of the bouts outlast; NaN where fewer than half ended in sight."""
    times_s, share = compute_survival(duration_s, complete)
    below = np.flatnonzero(share <= 0.5 + 1e-12)
    return float(times_s[below[0]]) if below.size else float("nan")


def _usable(
    hypnogram: Hypnogram, left_out: NDArray[np.bool_] | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which epochs count, and which epochs touch the next one."""
    used = hypnogram.state != State.NO_DATA
    if left_out is not None:
        if left_out.shape != used.shape:
            raise BadParameters(
                f"left_out has shape {left_out.shape}, the hypnogram {hypnogram.n_rows} epochs",
                where="bouts",
                remedy="give one value an epoch",
            )
        used = used & ~left_out
    touches = np.isclose(np.diff(hypnogram.start_s), hypnogram.epoch_s)
    return used, touches
