"""Why there is nothing to draw, said as far as it is known."""

from __future__ import annotations

import numpy as np

from wakeful.figures.clock import TimeView
from wakeful.model.time import Interval

_TOLERANCE_S = 2e-3
"""A clock's fitted rate may make an epoch this much shorter than its nominal length."""


def why_nothing(view: TimeView, epoch_s: float, what: str) -> str:
    """Why a view has no value of `what` (power, EMG, ...).

    Raises nothing and never claims that nothing was recorded where that is not known.
    """
    session = view.session.interval
    short = f"no {what}: shorter than one epoch of {epoch_s:g} s"
    if not view.recorded_known:
        if session.duration_s < epoch_s - _TOLERANCE_S:
            return short
        return f"no {what}: nothing was recorded, the signal is flat or its channels were left out"
    inside = view.interval.intersect(session)
    stretches = [part for s in view.recorded if (part := inside.intersect(s)).duration_s > 0]
    if not stretches:
        return f"no {what}: nothing was recorded here"
    if max(part.duration_s for part in stretches) < epoch_s - _TOLERANCE_S:
        if len(stretches) == 1:
            return short
        return f"no {what}: every stretch is shorter than one epoch of {epoch_s:g} s"
    if not any(_holds_epoch(part, epoch_s) for part in stretches):
        return f"no {what}: no whole epoch of {epoch_s:g} s was recorded"
    bad_s = sum(part.intersect(bad).duration_s for part in stretches for bad in view.quarantined)
    if bad_s >= sum(part.duration_s for part in stretches) - _TOLERANCE_S:
        return f"no {what}: all that was recorded here is quarantined"
    return f"no {what}: the signal is flat or its channels were left out"


def _holds_epoch(stretch: Interval, epoch_s: float) -> bool:
    """Whether a whole epoch lies in a stretch; epochs are counted from the session's start."""
    first = np.ceil((stretch.start_s - _TOLERANCE_S) / epoch_s)
    return bool((first + 1) * epoch_s <= stretch.stop_s + _TOLERANCE_S)
