"""Stretches of time in which an animal has a seizure, or is recovering from one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import PER_ROW, Rows


class IctalKind(IntEnum):
    """What an epoch is beside its state."""

    NONE = 0
    ICTAL = 1
    POST_ICTAL = 2

    @property
    def label(self) -> str:
        """As written on figures and in tables."""
        return {0: "none", 1: "ictal", 2: "post-ictal"}[int(self)]


@dataclass(frozen=True, eq=False, kw_only=True)
class IctalIntervals(Rows):
    """Intervals handed in as ictal (seizures, spike-wave bursts) or post-ictal, in order."""

    stop_s: NDArray[np.float64] = field(metadata=PER_ROW)
    """(n_intervals,)"""
    kind: NDArray[np.int8] = field(metadata=PER_ROW)
    """(n_intervals,) values of `IctalKind`, ictal or post-ictal."""
    source: str = ""
    """Who or what found them."""
