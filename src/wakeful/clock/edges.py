"""From what a recording noted of a TTL line to the pulses on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wakeful.model.events import EventSeries


def rising_edges(series: EventSeries) -> NDArray[np.float64]:
    """When a line went up, seconds from the recording's start, in order of time.

    An event counts where its code is above that of the event before it: for a single line, 1 after
    0; for a port read as one number, a bit more than before. A line of which only the rising edges
    were noted (all codes the same) gives all of them.
    """
    if series.n_events == 0:
        return np.empty(0)
    order = np.argsort(series.time_s, kind="stable")
    time_s, code = series.time_s[order], series.code[order]
    if np.all(code == code[0]):
        return np.asarray(time_s, np.float64)
    before = np.r_[0, code[:-1]]
    raised = (code & ~before) != 0
    return np.asarray(time_s[raised], np.float64)
