"""How full the disks were and how much had been recorded, now and then: what forecasts go by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select

from wakeful.ledger.database import Database
from wakeful.ledger.schema import RESULTS, SAMPLES

_KEPT: Final = timedelta(days=60)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A library at one moment."""

    time: datetime
    taken_in_bytes: int
    """Of all recordings that rows name."""
    stored_bytes: int
    """What the library holds: mirrored recordings and results."""
    recorded_s: float
    """Recorded time of all sessions, as far as it has come in."""
    backlog_s: float | None
    """Time that the workers need for what is missing; None where that is not known."""
    free_bytes: Mapping[str, int]
    """Folder -> room on its disk."""


class SampleStore(Database):
    """Samples, a few an hour."""

    def add_sample(self, sample: Sample) -> None:
        """Keep a sample; those of more than two months ago are forgotten."""
        with self.writing() as connection:
            connection.execute(SAMPLES.delete().where(SAMPLES.c.time < sample.time - _KEPT))
            connection.execute(
                SAMPLES.insert().values(
                    time=sample.time,
                    taken_in_bytes=sample.taken_in_bytes,
                    stored_bytes=sample.stored_bytes,
                    recorded_s=sample.recorded_s,
                    backlog_s=sample.backlog_s,
                    free_bytes=json.dumps(dict(sample.free_bytes)),
                )
            )

    def samples(self, since: datetime) -> tuple[Sample, ...]:
        """The samples from a time on, in order of time."""
        query = select(SAMPLES).where(SAMPLES.c.time >= since).order_by(SAMPLES.c.time)
        with self.reading() as connection:
            return tuple(
                Sample(
                    time=found["time"],
                    taken_in_bytes=found["taken_in_bytes"],
                    stored_bytes=found["stored_bytes"],
                    recorded_s=found["recorded_s"],
                    backlog_s=found["backlog_s"],
                    free_bytes=json.loads(found["free_bytes"]),
                )
                for found in connection.execute(query).mappings()
            )

    def blocks_of_sessions(self, step: str) -> dict[str, int]:
        """Session -> how many different blocks of it a step has results of."""
        query = (
            select(RESULTS.c.session, func.count(RESULTS.c.scope.distinct()))
            .where(RESULTS.c.step == step, RESULTS.c.kind == "result")
            .group_by(RESULTS.c.session)
        )
        with self.reading() as connection:
            return {str(session): int(n) for session, n in connection.execute(query)}

    def results_bytes(self) -> int:
        """How much all results that are known take."""
        query = select(func.coalesce(func.sum(RESULTS.c.bytes), 0))
        with self.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def work_since(self, since: datetime, step: str) -> tuple[float, tuple[str, ...]]:
        """Seconds of computing since a time, and the keys of a step's results among it.

        The keys come in order of time, the latest first.
        """
        recent = RESULTS.c.created >= since
        seconds = select(func.coalesce(func.sum(RESULTS.c.seconds), 0.0)).where(recent)
        keys = (
            select(RESULTS.c.key)
            .where(recent, RESULTS.c.step == step, RESULTS.c.kind == "result")
            .order_by(RESULTS.c.created.desc())
        )
        with self.reading() as connection:
            return (
                float(connection.execute(seconds).scalar_one()),
                tuple(str(key) for (key,) in connection.execute(keys)),
            )
