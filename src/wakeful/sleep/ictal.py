"""Seizures laid over a hypnogram: marks of their own, beside the states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import Doubt, Hypnogram, SleepFeatures, State
from wakeful.model.errors import BadParameters
from wakeful.model.ictal import IctalIntervals, IctalKind
from wakeful.sleep.feature_list import list_columns
from wakeful.sleep.neighbours import fill_neighbours, find_stretches


def overlay_ictal(hypnogram: Hypnogram, ictal: IctalIntervals | None) -> NDArray[np.int8]:
    """Which epochs are ictal or post-ictal; the states themselves stay as they were scored.

    An epoch that shares any time with an interval is marked; ictal goes before post-ictal. The
    5-9 Hz discharge of absence epilepsy has the rhythm of REM without being it: what is marked is
    left out of bouts, state time and transitions (`find_bouts`, `compute_bout_statistics`).

    Returns
    -------
    (n_epochs,) values of `IctalKind`

    Raises
    ------
    BadParameters
        An interval ends before it begins, or its kind is neither ictal nor post-ictal.
    """
    return mark_ictal(hypnogram.start_s, hypnogram.epoch_s, ictal)


def mark_ictal(
    start_s: NDArray[np.float64], epoch_s: float, ictal: IctalIntervals | None
) -> NDArray[np.int8]:
    """Which epochs share any time with an interval; see `overlay_ictal`.

    Parameters
    ----------
    start_s : (n_epochs,) in order

    Returns
    -------
    (n_epochs,) values of `IctalKind`

    Raises
    ------
    BadParameters
        An interval ends before it begins, or its kind is neither ictal nor post-ictal.
    """
    marks = np.full(len(start_s), IctalKind.NONE, np.int8)
    if ictal is None or ictal.n_rows == 0:
        return marks
    _check(ictal)
    stop_s = start_s + epoch_s
    for kind in (IctalKind.POST_ICTAL, IctalKind.ICTAL):
        chosen = ictal.kind == kind
        # Of epochs in order, those touched are a run from the first that ends behind the start.
        first = np.searchsorted(stop_s, ictal.start_s[chosen], side="right")
        last = np.searchsorted(start_s, ictal.stop_s[chosen], side="left")
        for a, b in zip(first.tolist(), last.tolist(), strict=True):
            marks[a:b] = kind
    return marks


def blank_ictal(features: SleepFeatures, marks: NDArray[np.int8]) -> SleepFeatures:
    """Features without the epochs marked; their neighbours no longer look at them.

    Parameters
    ----------
    marks : (n_epochs,) from `mark_ictal`
    """
    marked = marks != IctalKind.NONE
    if not marked.any():
        return features
    columns = list_columns(features.regions)
    if tuple(column.name for column in columns) != features.names:
        raise BadParameters(
            "these columns are not the ones that Wakeful computes",
            where="features of a recording with seizures",
            remedy="compute them anew with sleep_features",
        )
    values = features.values.copy()
    values[marked] = np.nan
    n_plain = sum(column.neighbour is None for column in columns)
    known = np.asarray(np.isfinite(values[:, :n_plain]).any(axis=1), np.bool_)
    stretch = find_stretches(features.start_s, known, features.epoch_s)
    fill_neighbours(values, columns, stretch, features.epoch_s)
    return replace(features, values=values)


def set_apart(
    hypnogram: Hypnogram, marks: NDArray[np.int8], has_data: NDArray[np.bool_]
) -> Hypnogram:
    """Marked epochs are unclassified for what they are.

    Parameters
    ----------
    marks : (n_epochs,) from `mark_ictal`
    has_data : (n_epochs,) where something was recorded
    """
    marked = (marks != IctalKind.NONE) & has_data
    if not marked.any():
        return hypnogram

    def put(values: NDArray[np.int8], value: int) -> NDArray[np.int8]:
        return np.where(marked, np.int8(value), values)

    note = f"{int(marked.sum())} epochs are ictal or post-ictal: not scored"
    return replace(
        hypnogram,
        state=put(hypnogram.state, State.UNCLASSIFIED),
        raw_state=put(hypnogram.raw_state, State.UNCLASSIFIED),
        provisional=put(hypnogram.provisional, State.UNCLASSIFIED),
        doubt=put(hypnogram.doubt, Doubt.ICTAL),
        notes=(*hypnogram.notes, note),
    )


def _check(ictal: IctalIntervals) -> None:
    bad = np.flatnonzero(~(ictal.stop_s > ictal.start_s))
    if bad.size:
        i = int(bad[0])
        raise BadParameters(
            f"ictal interval {i + 1} reaches from {ictal.start_s[i]:g} to {ictal.stop_s[i]:g} s",
            where=ictal.source or "ictal intervals",
            remedy="each must end after it begins, in seconds from the session's start",
        )
    odd = np.setdiff1d(ictal.kind, [IctalKind.ICTAL, IctalKind.POST_ICTAL])
    if odd.size:
        raise BadParameters(
            f"{odd[0]} is no kind of ictal interval",
            where=ictal.source or "ictal intervals",
            remedy="use 1 (ictal) or 2 (post-ictal)",
        )
