"""Drives jobs to their end: starts, adopts, tries again, remembers why one failed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from wakeful.executors.interface import (
    AttemptState,
    AttemptStatus,
    Executor,
    last_attempt,
    prepare_attempt,
)
from wakeful.ledger import JobState, Ledger


class DriveState(StrEnum):
    """How a job stands for those who wait for it."""

    WAITING = "waiting"
    """Not started: no free slot yet, or it waits for others."""
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass
class _Driven:
    number: int
    folder: Path | None = None
    status: AttemptStatus = field(default_factory=lambda: AttemptStatus(AttemptState.WAITING))
    tries: int = 0
    state: DriveState = DriveState.WAITING
    message: str = ""


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

    def poll(self) -> None:
        """Look at every attempt that runs."""
        for name, driven in self._driven.items():
            if driven.state is DriveState.RUNNING and driven.folder is not None:
                self._judge(name, driven, self._executor.poll(driven.folder))

    @property
    def n_running(self) -> int:
        """How many jobs run now."""
        return sum(d.state is DriveState.RUNNING for d in self._driven.values())

    def state(self, name: str) -> tuple[DriveState, str, float]:
        """How a job stands: state, message, done from 0 to 1."""
        driven = self._driven.get(name)
        if driven is None:
            return DriveState.WAITING, "", 0.0
        message = driven.message or driven.status.message
        return driven.state, message, driven.status.fraction

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
            self._close(name, number, status)
            return False
        self._driven[name] = _Driven(number, folder, status, 1, DriveState.RUNNING)
        return True

    def start(
        self, name: str, description: dict[str, Any], run_id: int, keys: Iterable[str]
    ) -> bool:
        """Start a job if a slot is free; False where it has to wait."""
        if self.adopt(name):
            return True
        if self.n_running >= self._slots:
            return False
        driven = self._driven.setdefault(name, _Driven(0))
        if driven.state in (DriveState.FAILED, DriveState.DONE):
            return True
        driven.number = last_attempt(self._jobs, name) + 1
        driven.tries += 1
        job_id = f"{name}.{driven.number}"
        self._ledger.record_job(job_id, run_id, tuple(keys), driven.number)
        driven.folder = prepare_attempt(self._jobs, name, driven.number, description)
        self._executor.submit(driven.folder)
        driven.state = DriveState.RUNNING
        driven.status = self._executor.poll(driven.folder)
        self._ledger.start_job(
            job_id, pid=driven.status.pid, pid_start_time=driven.status.pid_start_time
        )
        return True

    def forget(self, name: str) -> None:
        """Let a job that has ended be started again."""
        driven = self._driven.get(name)
        if driven is not None and driven.state is not DriveState.RUNNING:
            del self._driven[name]

    def _judge(self, name: str, driven: _Driven, status: AttemptStatus) -> None:
        driven.status = status
        if not status.has_ended:
            return
        self._close(name, driven.number, status)
        if status.state is AttemptState.DONE:
            driven.state = DriveState.DONE
        elif status.state is AttemptState.DIED and driven.tries < self._attempts:
            driven.state = DriveState.WAITING  # started again with the next free slot
        else:
            driven.state = DriveState.FAILED
            driven.message = status.message
            if status.state is AttemptState.DIED:
                driven.message = f"{status.message}; tried {driven.tries} times"

    def _close(self, name: str, number: int, status: AttemptStatus) -> None:
        job_id = f"{name}.{number}"
        known = {job.job_id for job in self._ledger.open_jobs()}
        if job_id in known:
            done = status.state is AttemptState.DONE
            self._ledger.end_job(
                job_id, JobState.DONE if done else JobState.FAILED, "" if done else status.message
            )
