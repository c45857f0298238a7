"""What of a session that still goes on can be computed once and for all.

A block is closed when nothing that is recorded later can change its results: when its end and all
that a step looks at behind it are settled. Days and the whole session are summed up before their
end as well, so that somebody who looks in the morning finds figures; such summaries are
provisional. They are made whenever a local day has ended and, before the first one has, whenever
the closed time has doubled: a handful on the first day, one on each day after it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from wakeful.catalog import Catalog
from wakeful.model.subject import Session
from wakeful.step import GIVEN, Step

_SLACK_S = 1e-6


def count_closed_blocks(
    steps: Sequence[Step], catalog: Catalog, block_s: float, horizon_s: float
) -> dict[str, int]:
    """How many blocks of each step are closed, counted from the session's start.

    Parameters
    ----------
    steps : those planned, each after what it needs; only `block` and `scan` steps are counted
    block_s : length of a block
    horizon_s : everything before is settled; finite
    """
    closed: dict[str, int] = {}
    for step in steps:
        if step.per not in ("block", "scan"):
            continue
        makers = [catalog.maker_of(f) for f in step.input_fields() if f not in GIVEN]
        needed = [closed[m.name] for m in makers if m is not None and m.name in closed]
        settled_s = min([horizon_s, *(n * block_s for n in needed)])
        closed[step.name] = max(0, math.floor((settled_s - step.halo_s + _SLACK_S) / block_s))
    return closed


def summary_stop_s(session: Session, closed_s: float) -> float:
    """Up to when a session that goes on is summed up: a whole number of blocks, 0 for not yet.

    Parameters
    ----------
    session : its start, zone and blocks
    closed_s : up to where every block is closed
    """
    n_closed = math.floor((closed_s + _SLACK_S) / session.block_s)
    if n_closed < 1:
        return 0.0
    days = replace(session, duration_s=closed_s).days()
    ends = (math.ceil((day.interval.stop_s - _SLACK_S) / session.block_s) for day in days)
    n_to_midnight = max((n for n in ends if n <= n_closed), default=0)
    return (n_to_midnight or 1 << (n_closed.bit_length() - 1)) * session.block_s
