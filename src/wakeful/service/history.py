"""What past results say of those to come: how long they take, how much room they need."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, quantiles
from typing import Final

from wakeful.ledger import JobState, Ledger, ResultEntry
from wakeful.pipeline.plan import Task

_LATEST: Final = 4000
"""Results that are looked at: some nights of one animal."""
_LATEST_JOBS: Final = 200
_FRESH_S: Final = 10.0
_ENOUGH: Final = 3
"""So many results of one kind say how the next will be."""

Kind = tuple[str, str, str]
"""Step, "result" or "figure", and "block", "day" or "session"."""


@dataclass(frozen=True)
class Spread:
    """A sum of what is expected (means), and between which values it is likely to lie.

    The bounds add up quartiles as if all results were dear, or all cheap, together: machines are
    slow for hours rather than for one result.
    """

    low: float
    mean: float
    high: float

    def __add__(self, other: Spread) -> Spread:
        return Spread(self.low + other.low, self.mean + other.mean, self.high + other.high)

    def times(self, factor: float) -> Spread:
        """All of it so many times."""
        return Spread(self.low * factor, self.mean * factor, self.high * factor)


NOTHING: Final = Spread(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Expectation:
    """What some tasks are likely to cost."""

    seconds: Spread
    """Of one worker, with the start of its jobs."""
    bytes: Spread
    n_known: int
    """Tasks that something is known of; the sums are of these."""
    unknown: tuple[str, ...]
    """Steps of which nothing is known, by name."""

    @property
    def is_whole(self) -> bool:
        """Whether something is known of each task."""
        return not self.unknown


class History:
    """Asks a library's index of results; looks again now and then.

    Parameters
    ----------
    ledger : holds the index
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._looked = -_FRESH_S
        self.edition = 0
        """Raised whenever it is looked up anew."""
        self._seconds: dict[tuple[str, Kind], Spread] = {}
        """(Session, kind) -> spread; of all sessions together under "", too."""
        self._bytes: dict[tuple[str, Kind], Spread] = {}
        self._overhead = 1.0

    @property
    def overhead(self) -> float:
        """How many times longer jobs take than the results they make."""
        self._refresh()
        return self._overhead

    def expect(self, tasks: Iterable[Task], session: str = "") -> Expectation:
        """What tasks that are not made yet are likely to cost.

        As much as the step's results of the same length (a block, a day, a session) did in this
        session, where it has some; else in any. A session longer than any before takes longer
        than is said here.

        Parameters
        ----------
        tasks : what is to be made
        session : name of the session they are of
        """
        self._refresh()
        seconds, n_bytes, n_known = NOTHING, NOTHING, 0
        unknown: dict[str, None] = {}
        for task in tasks:
            kind = (task.step, task.kind, task.scope.kind)
            place = (session, kind) if (session, kind) in self._seconds else ("", kind)
            if place not in self._seconds:
                unknown[task.step] = None
                continue
            n_known += 1
            seconds += self._seconds[place]
            n_bytes += self._bytes[place]
        return Expectation(seconds.times(self._overhead), n_bytes, n_known, tuple(unknown))

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._looked < _FRESH_S:
            return
        self._looked = now
        self.edition += 1
        entries = self._ledger.latest_results(_LATEST)
        self._seconds = _spreads(entries, [entry.seconds for entry in entries])
        self._bytes = _spreads(entries, [float(entry.bytes) for entry in entries])
        self._overhead = self._measure_overhead({entry.key: entry.seconds for entry in entries})

    def _measure_overhead(self, seconds: dict[str, float]) -> float:
        """How much longer jobs take than the results they make: starting, reading, looking on."""
        wall_s = computed_s = 0.0
        for job in self._ledger.latest_jobs(_LATEST_JOBS):
            if job.state is not JobState.DONE or job.started is None or job.finished is None:
                continue
            if job.keys and all(key in seconds for key in job.keys):
                wall_s += (job.finished - job.started).total_seconds()
                computed_s += sum(seconds[key] for key in job.keys)
        return max(1.0, wall_s / computed_s) if computed_s > 0 else 1.0


def _spreads(
    entries: Sequence[ResultEntry], values: Sequence[float]
) -> dict[tuple[str, Kind], Spread]:
    found: dict[tuple[str, Kind], list[float]] = defaultdict(list)
    for entry, value in zip(entries, values, strict=True):
        kind = (entry.step, entry.kind, entry.scope.partition(" ")[0])
        found["", kind].append(value)
        found[entry.session, kind].append(value)
    return {
        (session, kind): _spread(values)
        for (session, kind), values in found.items()
        if not session or len(values) >= _ENOUGH
    }


def _spread(values: Sequence[float]) -> Spread:
    mean = fmean(values)
    if len(values) < _ENOUGH:  # nothing can be said of how they scatter: half to twice as much
        return Spread(mean / 2, mean, 2 * mean)
    low, _, high = quantiles(values, n=4, method="inclusive")
    return Spread(min(low, mean), mean, max(high, mean))
