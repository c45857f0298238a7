"""How much an animal moves, and the two kinds of waking that tell by it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import PER_ROW, Floats, Rows


@dataclass(frozen=True, eq=False, kw_only=True)
class Movement(Rows):
    """How much an animal moved in each bin of time, as its tracker gave it."""

    amount: Floats = field(metadata=PER_ROW)
    """(n_bins,) 0 or more: speed, or any other measure that is greater where it moves more; NaN
    where the animal was not found."""
    bin_s: float
    """How long each bin lasts."""
    unit: str = ""
    """Of the amount, "cm/s"."""
    source: str = ""
    """Who or what measured it."""


class WakeKind(IntEnum):
    """What an epoch of waking is."""

    NONE = 0
    """Not awake, or no data."""
    QUIET = 1
    ACTIVE = 2
    UNTOLD = 3
    """Awake, and nothing tells which."""

    @property
    def label(self) -> str:
        """As written on figures and in tables; "" for none."""
        return ("", "quiet", "active", "not told")[int(self)]


WAKE_KINDS = (WakeKind.QUIET, WakeKind.ACTIVE, WakeKind.UNTOLD)
"""The parts of waking: together they are all of it."""


@dataclass(frozen=True, eq=False, kw_only=True)
class WakeKinds(Rows):
    """Active and quiet waking told apart, epoch by epoch."""

    kind: NDArray[np.int8] = field(metadata=PER_ROW)
    """(n_epochs,) values of `WakeKind`."""
    evidence: Floats = field(metadata=PER_ROW)
    """(n_epochs,) what it was told by: movement in its unit, or the probability of active waking;
    NaN where there is none."""
    threshold: float
    """Evidence above it is active; NaN where nothing is told."""
    method: str
    """"movement", "EMG and theta", "EMG", "theta", or "" where nothing is told."""
    signals: tuple[str, ...]
    """As `Hypnogram.signals`: what the two kinds must not be compared by."""
    epoch_s: float
    unit: str = ""
    """Of the evidence; "" for a probability."""
    notes: tuple[str, ...] = ()
    """What a reader must know: thresholds found, and why nothing is told."""
