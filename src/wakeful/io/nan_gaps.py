"""Where an array of numbers with a decimal point holds nothing: NaN in all channels at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wakeful.io.record_times import MAX_RUNS
from wakeful.io.segments import Segment, Store, number_segments
from wakeful.model.errors import BadRecording
from wakeful.model.time import Span

_PIECE = 1 << 20
"""Numbers held at a time."""

Stretch = tuple[int, int]
"""First sample and one past the last."""


def find_recorded(store: Store, rows: Sequence[int], n_samples: int, where: str) -> list[Stretch]:
    """The stretches of an array in which at least one channel holds a number.

    Programs that lay several files on one time axis fill what is missing with NaN: that is a gap.
    NaN in some channels only is left as it is, a missing value. Types that know no NaN are not
    looked at; others are read through once.

    Parameters
    ----------
    rows : the channels that are looked at
    n_samples : how many samples there are
    where : the file, for errors

    Raises
    ------
    BadRecording
        There is no number at all, or the stretches are too many for a recording.
    """
    if store.dtype.kind != "f":
        return [(0, n_samples)]
    step = max(1, _PIECE // len(rows))
    first = np.empty((1, step), store.dtype)
    table = np.empty((len(rows), step), store.dtype)
    found: list[Stretch] = []
    for start in range(0, n_samples, step):
        n_here = min(step, n_samples - start)
        store.read(start, first[:, :n_here], rows[:1])
        missing: NDArray[np.bool_] = np.isnan(first[0, :n_here])
        if missing.any() and len(rows) > 1:
            store.read(start, table[:, :n_here], rows)
            missing = np.all(np.isnan(table[:, :n_here]), axis=0)
        edges = np.flatnonzero(np.diff(np.concatenate([[True], missing, [True]]).view(np.int8)))
        for a, b in edges.reshape(-1, 2).tolist():
            if found and found[-1][1] == start + a:
                found[-1] = (found[-1][0], start + b)
            else:
                found.append((start + a, start + b))
        if len(found) > MAX_RUNS:
            raise BadRecording(
                f"NaN in all channels breaks it into more than {MAX_RUNS:,} pieces",
                where=where,
                remedy="leave out channels or samples that hold nothing before writing the array",
            )
    if not found:
        raise BadRecording(
            "it holds nothing but NaN", where=where, remedy="check how the array was written"
        )
    return found


def lay_out(
    stretches: Sequence[Stretch], rate_hz: float, store: Store
) -> tuple[tuple[Span, ...], tuple[Segment, ...], float]:
    """Spans and segments of an array's stretches, and how long after its start the first begins.

    Times count from the first number there is: what lies before it was never recorded.
    """
    begin = stretches[0][0]
    spans, segments = number_segments(
        ((a - begin) / rate_hz, b - a, rate_hz, store, a) for a, b in stretches
    )
    return spans, segments, begin / rate_hz
