"""Seizures laid over a hypnogram: marks of their own, beside the states."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import Hypnogram
from wakeful.model.errors import BadParameters
from wakeful.model.ictal import IctalIntervals, IctalKind


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
    marks = np.full(hypnogram.n_rows, IctalKind.NONE, np.int8)
    if ictal is None or ictal.n_rows == 0:
        return marks
    _check(ictal)
    start_s, stop_s = hypnogram.start_s, hypnogram.start_s + hypnogram.epoch_s
    for kind in (IctalKind.POST_ICTAL, IctalKind.ICTAL):
        chosen = ictal.kind == kind
        # Of epochs in order, those touched are a run from the first that ends behind the start.
        first = np.searchsorted(stop_s, ictal.start_s[chosen], side="right")
        last = np.searchsorted(start_s, ictal.stop_s[chosen], side="left")
        for a, b in zip(first.tolist(), last.tolist(), strict=True):
            marks[a:b] = kind
    return marks


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
