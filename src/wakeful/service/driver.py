"""Drives jobs to their end: starts, adopts, tries again, remembers why one failed.

Each attempt has a number that no attempt at the same job had before, neither in the ledger nor in
the folder of jobs: a kill may fall between the two, and either can be cleared by hand.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from wakeful.executors.interface import (
    JOB_NAME,
    AttemptState,
    AttemptStatus,
    Executor,
    last_attempt,
    prepare_attempt,
    read_json,
)
from wakeful.io.atomic import storable_text
from wakeful.ledger import JobState, Ledger, UnknownRecord
from wakeful.logs import get_log
from wakeful.service.pulse import Pulse, Tally

_FIRST_PAUSE_S = 1.0
"""Before another try at what may pass by itself; doubled with each."""


class DriveState(StrEnum):
    """How a job stands for those who wait for it."""

    WAITING = "waiting"
    """Not started: no free slot yet, or it waits for others."""
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass
class _Driven:
    job_id: str = ""
    """Of the latest attempt, as the ledger has it."""
    folder: Path | None = None
    status: AttemptStatus = field(default_factory=lambda: AttemptStatus(AttemptState.WAITING))
    tries: int = 0
    state: DriveState = DriveState.WAITING
    message: str = ""
    place: str | None = None
    """Where it writes alone: no two jobs of one place run at a time."""
    external_id: str | None = None
    """As the ledger has it."""
    cancelled: bool = False
    """Whether it was stopped because somebody wished so."""
    not_before: float = 0.0
    """On the monotonic clock: what is in the way may pass by then."""
    began: float = 0.0
    """On the monotonic clock: when this service started it, or found it."""
    facts: dict[str, str | int] = field(default_factory=dict)
    """What it is about, for the log."""


class Driver:
    """All jobs of one library's service.

    Parameters
    ----------
    executor : where they run
    ledger : where each attempt is recorded before it starts
    jobs : the folder of job folders
    slots : how many run at one time
    attempts : how often a job whose worker died is started before it counts as failed
    """

    def __init__(
        self, executor: Executor, ledger: Ledger, jobs: Path, *, slots: int, attempts: int
    ) -> None:
        self._executor = executor
        self._ledger = ledger
        self._jobs = jobs
        self._slots = slots
        self._attempts = attempts
        self._driven: dict[str, _Driven] = {}
        self._took_over = False
        self.tally = Tally()
        """What was done since this service began."""
        self._starts_nothing = False

    def start_nothing(self) -> None:
        """From now on begin no job; what runs goes on, and is adopted by the next service."""
        self._starts_nothing = True

    def poll(self) -> None:
        """Look at every attempt that runs; the first time also for those of an earlier service."""
        self._take_over()
        for driven in self._driven.values():
            if driven.state is DriveState.RUNNING and driven.folder is not None:
                self._judge(driven, self._executor.poll(driven.folder))

    def flush(self) -> None:
        """Let what was started in this pass go, where it goes together."""
        self._executor.flush()

    @property
    def n_running(self) -> int:
        """How many jobs run now."""
        return sum(d.state is DriveState.RUNNING for d in self._driven.values())

    @property
    def n_waiting(self) -> int:
        """How many jobs wait for a slot, or for another try."""
        return sum(d.state is DriveState.WAITING for d in self._driven.values())

    def pulse(self, seconds: float, backlog_s: float | None) -> Pulse:
        """How things stand after a pass that took so long."""
        now = datetime.now(UTC)
        return Pulse(now, seconds, self.n_running, self.n_waiting, replace(self.tally), backlog_s)

    def state(self, name: str) -> tuple[DriveState, str, float]:
        """How a job stands: state, message, done from 0 to 1."""
        driven = self._driven.get(name)
        if driven is None:
            return DriveState.WAITING, "", 0.0
        message = driven.message or driven.status.message
        return driven.state, message, driven.status.fraction

    def may_pass(self, name: str) -> bool:
        """Whether a job failed for a reason that passes by itself."""
        driven = self._driven.get(name)
        if driven is None:
            return False
        return driven.status.again or driven.status.state is AttemptState.DIED

    def adopt(self, name: str) -> bool:
        """Take over an attempt that an earlier service left running."""
        if name in self._driven:
            return self._driven[name].state is DriveState.RUNNING
        number = last_attempt(self._jobs, name)
        if number == 0:
            return False
        folder = self._jobs / name / str(number)
        status = self._executor.poll(folder)
        if status.state is not AttemptState.RUNNING:
            self._close(f"{name}.{number}", status)
            return False
        self._driven[name] = self._adopt(f"{name}.{number}", folder, status)
        return True

    def start(
        self, name: str, description: dict[str, Any], run_id: int, keys: Iterable[str]
    ) -> bool:
        """Start a job if a slot is free; False where it has to wait.

        It also waits while another job takes in what it is to take in.
        """
        self._take_over()
        if self.adopt(name):
            return True
        driven = self._driven.setdefault(name, _Driven())
        if driven.state in (DriveState.FAILED, DriveState.DONE):
            return True
        driven.place = _place_of(description)
        if self._starts_nothing or time.monotonic() < driven.not_before:
            return False
        if self.n_running >= self._slots or self._is_occupied(driven.place):
            return False
        number = self._new_number(name)
        driven.job_id = f"{name}.{number}"
        driven.tries += 1
        self._ledger.record_job(driven.job_id, run_id, tuple(keys), number)
        try:
            driven.folder = prepare_attempt(self._jobs, name, number, description)
            self._executor.submit(driven.folder)
        except Exception as error:
            self._ledger.end_job(
                driven.job_id, JobState.FAILED, storable_text(f"could not be started: {error}")
            )
            raise
        driven.state = DriveState.RUNNING
        driven.status = self._executor.poll(driven.folder)
        driven.began, driven.facts = time.monotonic(), self._facts_of(description, driven.job_id)
        self.tally.started += 1
        self.tally.retried += driven.tries > 1
        self._note_start(driven)
        get_log().info("job started", job=driven.job_id, run=run_id, **driven.facts)
        return True

    def cancel(self, name: str) -> None:
        """Stop a job that runs; it can be started again once it has ended."""
        driven = self._driven.get(name)
        if driven is None or driven.state is not DriveState.RUNNING or driven.folder is None:
            return
        driven.cancelled = True
        self._executor.cancel(driven.folder)

    def forget(self, name: str) -> None:
        """Let a job that has ended be started again."""
        driven = self._driven.get(name)
        if driven is not None and driven.state is not DriveState.RUNNING:
            del self._driven[name]

    def _take_over(self) -> None:
        """Adopt what an earlier service left running, before anything new is started.

        Whether somebody asks for it or not: it takes a slot until it ends. What the ledger holds
        for open and does not run is closed.
        """
        if self._took_over:
            return
        named = []
        for job in self._ledger.open_jobs():
            name, _, digits = job.job_id.rpartition(".")
            if name and digits.isdecimal():
                named.append((name, int(digits), job))
        # The latest attempt at a job first: it is the one that goes by the job's name.
        for name, number, job in sorted(named, key=lambda n: n[:2], reverse=True):
            if any(driven.job_id == job.job_id for driven in self._driven.values()):
                continue
            folder = self._jobs / name / str(number)
            status = self._executor.poll(folder)
            if status.state is not AttemptState.RUNNING:
                self._close(job.job_id, status)
                continue
            driven = self._adopt(job.job_id, folder, status)
            self._driven[job.job_id if name in self._driven else name] = driven
            if job.state is JobState.INTENDED:
                self._note_start(driven)
            get_log().info("job adopted", job=job.job_id, run=job.run_id, **driven.facts)
        self._took_over = True

    def _new_number(self, name: str) -> int:
        number = last_attempt(self._jobs, name) + 1
        while True:
            try:
                self._ledger.job(f"{name}.{number}")
            except UnknownRecord:
                return number
            number += 1

    def _is_occupied(self, place: str | None) -> bool:
        return place is not None and any(
            driven.place == place and driven.state is DriveState.RUNNING
            for driven in self._driven.values()
        )

    def _facts_of(self, description: dict[str, Any], job_id: str) -> dict[str, str | int]:
        """What a job is about, for the log: it outlives the service that knew its row."""
        facts: dict[str, str | int] = dict(_facts_of(description))
        with contextlib.suppress(UnknownRecord):
            facts["row"] = self._ledger.run(self._ledger.job(job_id).run_id).row_id
        return facts

    def _adopt(self, job_id: str, folder: Path, status: AttemptStatus) -> _Driven:
        description = read_json(folder / JOB_NAME) or {}
        return _Driven(
            job_id,
            folder,
            status,
            1,
            DriveState.RUNNING,
            place=_place_of(description),
            began=time.monotonic(),
            facts=self._facts_of(description, job_id),
        )

    def _note_start(self, driven: _Driven) -> None:
        status = driven.status
        driven.external_id = status.external_id
        self._ledger.start_job(
            driven.job_id,
            pid=status.pid,
            pid_start_time=status.pid_start_time,
            external_id=status.external_id,
        )

    def _judge(self, driven: _Driven, status: AttemptStatus) -> None:
        driven.status = status
        if not status.has_ended:
            if status.external_id != driven.external_id:
                self._note_start(driven)  # the cluster has given it a number by now
            return
        if driven.cancelled and status.state is not AttemptState.DONE:
            self._ledger.end_job(driven.job_id, JobState.CANCELLED)
            driven.state, driven.tries, driven.cancelled = DriveState.WAITING, 0, False
            self.tally.cancelled += 1
            get_log().info("job cancelled", job=driven.job_id, **driven.facts)
            return
        self._close(driven.job_id, status)
        died = status.state is AttemptState.DIED
        if status.state is AttemptState.DONE:
            driven.state = DriveState.DONE
        elif (died or status.again) and driven.tries < self._attempts:
            driven.state = DriveState.WAITING  # started again with the next free slot
            if not died:
                driven.not_before = time.monotonic() + _FIRST_PAUSE_S * 2 ** (driven.tries - 1)
        else:
            driven.state = DriveState.FAILED
            driven.message = status.message
            if died:
                driven.message = f"{status.message}; tried {driven.tries} times"
        self._log_end(driven, status)

    def _log_end(self, driven: _Driven, status: AttemptStatus) -> None:
        facts = {
            "job": driven.job_id,
            **driven.facts,
            "seconds": round(time.monotonic() - driven.began, 1),
            "message": status.message,
        }
        if status.state is AttemptState.DONE:
            self.tally.done += 1
            get_log().info("job done", **facts)
        elif driven.state is DriveState.WAITING:
            get_log().warning("job will be tried again", **facts, tries=driven.tries)
        else:
            self.tally.failed += 1
            get_log().error("job failed", **facts, tries=driven.tries)

    def _close(self, job_id: str, status: AttemptStatus) -> None:
        if job_id not in {job.job_id for job in self._ledger.open_jobs()}:
            return
        if status.state is AttemptState.DONE:
            self._ledger.end_job(job_id, JobState.DONE)
        else:
            message = status.message or "it was recorded and never started"
            self._ledger.end_job(job_id, JobState.FAILED, storable_text(message))


def _facts_of(description: dict[str, Any]) -> dict[str, str]:
    """What a job is about, as its job.json has it."""
    if description.get("kind") == "take_in":
        return {"source": str(description.get("source", ""))}
    if description.get("kind") == "deliver":
        return {name: str(description.get(name, "")) for name in ("kind", "subject", "session")}
    job = description.get("job")
    if not isinstance(job, dict):
        return {}
    session = job.get("session", {})
    steps = dict.fromkeys(str(task.get("step", "")) for task in job.get("tasks", ()))
    return {
        "subject": str(session.get("subject", {}).get("identifier", "")),
        "session": str(session.get("name", "")),
        "step": ", ".join(steps),
        "scope": str(description.get("comment", "")).partition(": ")[2].partition(": ")[0],
    }


def _place_of(description: dict[str, Any]) -> str | None:
    if description.get("kind") == "deliver":
        return "delivery"  # one at a time: they share their target
    return str(description["folder"]) if description.get("kind") == "take_in" else None
