"""How the service is: what it did, how its last pass went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass
class Tally:
    """How many jobs began and ended how, and how many results came of them; only ever more."""

    started: int = 0
    retried: int = 0
    """Of those started, how many were not the first attempt."""
    done: int = 0
    failed: int = 0
    """Given up."""
    cancelled: int = 0
    results: int = 0


@dataclass(frozen=True)
class Pulse:
    """One pass of the service, as it stood when it ended."""

    ended: datetime
    seconds: float
    n_running: int
    n_waiting: int
    """Jobs that wait for a slot, or for another try."""
    tally: Tally
    """Since the service began."""
    backlog_s: float | None = None
    """How long the workers need for all that is missing; None where that is not known."""
