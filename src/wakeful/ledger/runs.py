"""What was done for each request: runs, and the jobs they are made of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, func, select, text
from sqlalchemy.exc import IntegrityError

from wakeful.ledger import audit
from wakeful.ledger.database import Database, now_utc
from wakeful.ledger.errors import DuplicateJob, UnknownRecord
from wakeful.ledger.schema import JOBS, RUNS


class RunState(StrEnum):
    """How far a run is."""

    QUEUED = "queued"
    TRANSFERRING = "transferring"
    RUNNING = "running"
    PUBLISHING = "publishing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobState(StrEnum):
    """How far a job is."""

    INTENDED = "intended"
    """Recorded, perhaps not yet started: whether it was must be looked up, never guessed."""
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED_RUNS: Final = frozenset({RunState.DONE, RunState.FAILED, RunState.CANCELLED})
ENDED_JOBS: Final = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What is done for one request."""

    id: int
    row_id: int
    request: str
    """Canonical JSON."""
    request_key: str
    """Equal for requests that ask for the same."""
    state: RunState
    attempts: int
    """How often it was begun."""
    message: str
    created: datetime
    started: datetime | None
    """When the last attempt began."""
    finished: datetime | None

    @property
    def has_ended(self) -> bool:
        """Done, failed or cancelled."""
        return self.state in ENDED_RUNS


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """One attempt at computing some results in one process."""

    job_id: str
    run_id: int
    keys: tuple[str, ...]
    """The results it is to make."""
    state: JobState
    attempt: int
    pid: int | None
    pid_start_time: float | None
    """Seconds since 1970, as the operating system says: tells a process from a later one of the
    same number."""
    external_id: str | None
    """The number a cluster gave it."""
    created: datetime
    started: datetime | None
    finished: datetime | None
    error: str

    @property
    def has_ended(self) -> bool:
        """Done, failed or cancelled."""
        return self.state in ENDED_JOBS


def canonical_json(document: object) -> str:
    """JSON that is equal for equal documents, whatever the order of their fields.

    Raises
    ------
    ValueError
        A number that is not finite.
    """
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def _run(found: RowMapping) -> RunRecord:
    return RunRecord(**{**found, "state": RunState(found["state"])})


def _job(found: RowMapping) -> JobRecord:
    return JobRecord(
        **{
            **found,
            "state": JobState(found["state"]),
            "keys": tuple(json.loads(found["keys"])),
        }
    )


def _get_run(connection: Connection, run_id: int) -> RunRecord:
    found = connection.execute(select(RUNS).where(RUNS.c.id == run_id)).mappings().first()
    if found is None:
        raise UnknownRecord("there is no such run", where=f"run {run_id}")
    return _run(found)


def _get_job(connection: Connection, job_id: str) -> JobRecord:
    found = connection.execute(select(JOBS).where(JOBS.c.job_id == job_id)).mappings().first()
    if found is None:
        raise UnknownRecord("there is no such job", where=f"job {job_id}")
    return _job(found)


class RunStore(Database):
    """Runs and jobs."""

    def add_run(self, row_id: int, request: str, request_key: str) -> RunRecord:
        """Queue a run.

        Parameters
        ----------
        row_id : the row it is for
        request : JSON; stored in canonical form
        request_key : equal for requests that ask for the same

        Raises
        ------
        UnknownRecord
            There is no such row.
        ValueError
            `request` is not JSON.
        """
        values: dict[str, Any] = {
            "row_id": row_id,
            "request": canonical_json(json.loads(request)),
            "request_key": request_key,
            "state": RunState.QUEUED.value,
            "attempts": 0,
            "message": "",
            "created": now_utc(),
        }
        with self.writing() as connection:
            try:
                answer = connection.execute(RUNS.insert().values(**values))
            except IntegrityError:
                raise UnknownRecord("there is no such row", where=f"row {row_id}") from None
            return _get_run(connection, answer.lastrowid)

    def begin_run(self, run_id: int, state: RunState = RunState.RUNNING) -> RunRecord:
        """Begin another attempt, also of a run that had failed or was cancelled."""
        with self.writing() as connection:
            run = _get_run(connection, run_id)
            connection.execute(
                RUNS.update()
                .where(RUNS.c.id == run_id)
                .values(
                    state=state.value,
                    attempts=run.attempts + 1,
                    started=now_utc(),
                    finished=None,
                    message="",
                )
            )
            return _get_run(connection, run_id)

    def set_run(
        self,
        run_id: int,
        state: RunState,
        message: str | None = None,
        *,
        actor: str | None = None,
    ) -> RunRecord:
        """Note how far a run is.

        A run that has ended stays so until `begin_run`: a cancellation that arrives between two
        reports is never overwritten. The caller looks at the state of what comes back.

        Parameters
        ----------
        run_id : which run
        state : its new state; the time of its end is noted with an end state
        message : for people; None keeps what is there
        actor : the person behind it, whose change is logged; None where Wakeful itself reports
        """
        with self.writing() as connection:
            run = _get_run(connection, run_id)
            if run.has_ended:
                return run
            values: dict[str, Any] = {"state": state.value}
            if message is not None:
                values["message"] = message
            if state in ENDED_RUNS:
                values["finished"] = now_utc()
            connection.execute(RUNS.update().where(RUNS.c.id == run_id).values(**values))
            if actor is not None:
                before, after = {"state": run.state.value}, {"state": state.value}
                audit.record(connection, actor, "status", f"run {run_id}", before, after)
            return _get_run(connection, run_id)

    def run(self, run_id: int) -> RunRecord:
        """One run."""
        with self.reading() as connection:
            return _get_run(connection, run_id)

    def runs(
        self,
        *,
        row_id: int | None = None,
        request_key: str | None = None,
        states: Iterable[RunState] | None = None,
    ) -> tuple[RunRecord, ...]:
        """The runs of a row, of a request, in some states; oldest first."""
        query = select(RUNS).order_by(RUNS.c.id)
        if row_id is not None:
            query = query.where(RUNS.c.row_id == row_id)
        if request_key is not None:
            query = query.where(RUNS.c.request_key == request_key)
        if states is not None:
            query = query.where(RUNS.c.state.in_([state.value for state in states]))
        with self.reading() as connection:
            return tuple(map(_run, connection.execute(query).mappings()))

    def latest_runs(self) -> dict[int, RunRecord]:
        """Row id -> its newest run."""
        newest = select(func.max(RUNS.c.id)).group_by(RUNS.c.row_id).scalar_subquery()
        query = select(RUNS).where(RUNS.c.id.in_(newest)).order_by(RUNS.c.row_id)
        with self.reading() as connection:
            found = connection.execute(query).mappings().all()
        return {int(run["row_id"]): _run(run) for run in found}

    def record_job(
        self, job_id: str, run_id: int, keys: Sequence[str], attempt: int = 1
    ) -> JobRecord:
        """Record that a job is about to be started. Only when this returns may it be.

        Raises
        ------
        DuplicateJob
            A job of that name was recorded before.
        UnknownRecord
            There is no such run.
        """
        with self.writing() as connection:
            _get_run(connection, run_id)
            try:
                connection.execute(
                    JOBS.insert().values(
                        job_id=job_id,
                        run_id=run_id,
                        keys=json.dumps(list(keys)),
                        state=JobState.INTENDED.value,
                        attempt=attempt,
                        created=now_utc(),
                        error="",
                    )
                )
            except IntegrityError:
                raise DuplicateJob(
                    "a job of this name was recorded before",
                    where=f"job {job_id}",
                    remedy="give each attempt a name of its own",
                ) from None
            return _get_job(connection, job_id)

    def start_job(
        self,
        job_id: str,
        *,
        pid: int | None = None,
        pid_start_time: float | None = None,
        external_id: str | None = None,
    ) -> JobRecord:
        """Note that a job runs, and as what.

        A job that has ended stays so: its end may have been seen before its start was noted.
        """
        with self.writing() as connection:
            if (job := _get_job(connection, job_id)).has_ended:
                return job
            connection.execute(
                JOBS.update()
                .where(JOBS.c.job_id == job_id)
                .values(
                    state=JobState.RUNNING.value,
                    started=now_utc(),
                    pid=pid,
                    pid_start_time=pid_start_time,
                    external_id=external_id,
                )
            )
            return _get_job(connection, job_id)

    def end_job(self, job_id: str, state: JobState, error: str = "") -> JobRecord:
        """Note how a job ended; the first end noted stays."""
        if state not in ENDED_JOBS:
            raise ValueError(f"{state} is not an end")
        with self.writing() as connection:
            if (job := _get_job(connection, job_id)).has_ended:
                return job
            connection.execute(
                JOBS.update()
                .where(JOBS.c.job_id == job_id)
                .values(state=state.value, finished=now_utc(), error=error)
            )
            return _get_job(connection, job_id)

    def job(self, job_id: str) -> JobRecord:
        """One job."""
        with self.reading() as connection:
            return _get_job(connection, job_id)

    def jobs(
        self, *, run_id: int | None = None, states: Iterable[JobState] | None = None
    ) -> tuple[JobRecord, ...]:
        """The jobs of a run, in some states; in the order they were recorded."""
        query = select(JOBS).order_by(JOBS.c.created, JOBS.c.job_id)
        if run_id is not None:
            query = query.where(JOBS.c.run_id == run_id)
        if states is not None:
            query = query.where(JOBS.c.state.in_([state.value for state in states]))
        with self.reading() as connection:
            return tuple(map(_job, connection.execute(query).mappings()))

    def latest_jobs(self, last: int) -> tuple[JobRecord, ...]:
        """The jobs that were recorded last, the newest first."""
        query = select(JOBS).order_by(text("rowid DESC")).limit(last)
        with self.reading() as connection:
            return tuple(map(_job, connection.execute(query).mappings()))

    def open_jobs(self) -> tuple[JobRecord, ...]:
        """The jobs that have not ended as far as is known: what a restart must look for."""
        return self.jobs(states=set(JobState) - ENDED_JOBS)
