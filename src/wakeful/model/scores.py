"""What a person scored, as a file has it: stretches of time, each with a label."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import State


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoredStretches:
    """Labels of a file of hand scores, in its own words and on its own clock."""

    start_s: NDArray[np.float64]
    """(n_stretches,) seconds from the file's zero, in order; none overlaps another."""
    stop_s: NDArray[np.float64]
    """(n_stretches,)"""
    label: tuple[str, ...]
    """(n_stretches,) as written."""
    place: tuple[str, ...]
    """(n_stretches,) where each stands in the file, for messages: "line 14"."""
    artefact: NDArray[np.bool_]
    """(n_stretches,) scored, and marked as spoilt by an artefact besides."""
    source: str
    """The file's name."""
    format: str
    epoch_s: float = 0.0
    """Length of every stretch where all are epochs of one length; 0 where they are not."""
    zero_local: datetime | None = None
    """What second 0 is on the clock of whoever scored; no zone. None where the file has no date."""
    meaning: tuple[tuple[str, State], ...] = ()
    """Labels that the format itself defines, for example AccuSleep's 1, 2 and 3."""
    notes: tuple[str, ...] = ()
    """What a reader must know: what was left out, what was taken for what."""

    @property
    def n_stretches(self) -> int:
        """How many there are."""
        return len(self.start_s)
