"""What is known of a file's records: a clock, stretches that follow each other, faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What is known of the time stamps before they are read."""

    ticks_per_s: float
    rate_hz: float
    """Nominal."""
    period_ticks: float
    """Measured ticks between samples, for the test of whether a record continues the last."""
    tolerance_ticks: float

    @property
    def nominal_ticks(self) -> float:
        """Ticks between samples at the nominal rate."""
        return self.ticks_per_s / self.rate_hz


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive records that follow each other without a gap; all but the last are full."""

    first_record: int
    n_records: int
    n_samples: int
    first_tick: int
    last_tick: int
    """Of its last record."""
    last_n: int
    """Samples in its last record."""
    file: int = 0
    """Which of the channel's files."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Consecutive records that are unsound for the same reason."""

    first_record: int
    n_records: int
    code: int
    """Number of the reason."""
    file: int = 0


@dataclass(frozen=True, slots=True)
class Findings:
    """What the heads of a file's first records have shown."""

    stretches: tuple[Stretch, ...]
    faults: tuple[Fault, ...]
    n_records: int
    open: bool
    """Whether the last record was sound, so that the next may continue it."""


class ReadTicks(Protocol):
    """Gives the time stamps of records of a channel."""

    def __call__(self, file: int, records: NDArray[np.int64]) -> NDArray[np.int64]:
        """Time stamps of some records of one of the channel's files, (n,)."""
        ...
