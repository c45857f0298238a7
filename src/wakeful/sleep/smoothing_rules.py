"""Rules by which many labs smooth states that a classifier gave epoch by epoch."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
States = NDArray[np.int64]


def smooth_by_rules(
    states: States,
    starts: Mask,
    *,
    min_bout_epochs: int = 2,
    awake: int | None = None,
    rem: int | None = None,
) -> States:
    """States after the usual rules; the baseline that models of time are held against.

    First, bouts shorter than the least, with the same state on both sides, take that state, the
    shortest first. Then REM that follows awake at once becomes awake.

    Parameters
    ----------
    states : (n_epochs,)
    starts : (n_epochs,) True where a stretch begins: rules do not look across
    min_bout_epochs : bouts of fewer epochs are smoothed away
    awake, rem : numbers of these states; the second rule needs both

    Returns
    -------
    (n_epochs,)
    """
    out = states.copy()
    edges = [*np.flatnonzero(starts).tolist(), len(out)]
    if edges[0] != 0:
        edges.insert(0, 0)
    for first, stop in pairwise(edges):
        part = out[first:stop]
        for length in range(1, min_bout_epochs):
            _fill_short(part, length)
        if awake is not None and rem is not None:
            for a, b in _runs(part):
                if part[a] == rem and a > 0 and part[a - 1] == awake:
                    part[a:b] = awake
    return out


def _fill_short(part: States, length: int) -> None:
    for a, b in _runs(part):
        if b - a <= length and a > 0 and b < len(part) and part[a - 1] == part[b]:
            part[a:b] = part[b]


def _runs(part: States) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(part)) + 1
    return list(zip([0, *edges.tolist()], [*edges.tolist(), len(part)], strict=True))
