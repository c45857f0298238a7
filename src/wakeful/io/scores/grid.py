"""A hypnogram as writers need it: a state for each epoch of a grid, or its bouts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadScores
from wakeful.model.time import Interval


@dataclass(frozen=True, kw_only=True)
class WriteOptions:
    """What a format wants to know beside the hypnogram."""

    start_local: datetime | None = None
    """When the session began, on the lab's clock, without a zone."""
    zone: str = ""
    """Of that clock, as in Europe/Berlin; "" where nobody said."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """A file's bytes, and what the format could not hold."""

    data: bytes
    notes: tuple[str, ...] = ()


def on_grid(hypnogram: Hypnogram) -> NDArray[np.int8]:
    """(n_epochs,) states from the session's start on; no data where there is no row.

    Raises
    ------
    BadScores
        The hypnogram is empty, or its epochs do not lie on a grid from the session's start.
    """
    if hypnogram.n_rows == 0:
        raise BadScores("the hypnogram is empty", remedy="give one that holds epochs")
    number = np.rint(hypnogram.start_s / hypnogram.epoch_s).astype(np.int64)
    if np.abs(number * hypnogram.epoch_s - hypnogram.start_s).max() > 1e-3 or number[0] < 0:
        raise BadScores(
            f"its epochs of {hypnogram.epoch_s:g} s are not counted from the session's start",
            where=hypnogram.scorer,
            remedy="bring them onto the session's grid first (resample_hypnogram)",
        )
    states = np.full(int(number[-1]) + 1, State.NO_DATA, np.int8)
    states[number] = hypnogram.state
    return states


def scored_bouts(hypnogram: Hypnogram) -> list[tuple[State, Interval]]:
    """Bouts in order, without those of no data.

    Raises
    ------
    BadScores
        There is none.
    """
    bouts: list[tuple[State, Interval]] = [
        (state, part) for state, part in hypnogram.bouts() if state != State.NO_DATA
    ]
    if not bouts:
        raise BadScores("the hypnogram holds no state", remedy="give one that was scored")
    return bouts


def count_missing(states: NDArray[np.int8], written_as: str) -> tuple[str, ...]:
    """The note of a format that can't leave time out; none where nothing is missing."""
    n_missing = int(np.sum(states == State.NO_DATA))
    if n_missing == 0:
        return ()
    note = f"{n_missing:,} epochs without data are written as {written_as}"
    return (f"{note}: the format can't leave time out",)


def seconds_text(seconds: float) -> str:
    """Seconds with the microseconds they have, no more."""
    text = f"{seconds:.6f}".rstrip("0").rstrip(".")
    return text or "0"
