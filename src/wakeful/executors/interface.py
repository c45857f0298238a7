"""What an executor is, and what a job's folder holds.

An attempt at a job has a folder of its own, so that no two attempts ever write one place:

    jobs/<name>/<attempt>/job.json       what is to be done, written before anything starts
    jobs/<name>/<attempt>/worker.lock    held from before the worker starts until it is gone
    jobs/<name>/<attempt>/process.json   who does it
    jobs/<name>/<attempt>/progress.json  how far it is
    jobs/<name>/<attempt>/log.txt        what it said
    jobs/<name>/<attempt>/exit.json      how it ended; appears whole, and is the truth
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from wakeful.io.atomic import write_json

JOB_NAME = "job.json"
LOCK_NAME = "worker.lock"
PROCESS_NAME = "process.json"
PROGRESS_NAME = "progress.json"
LOG_NAME = "log.txt"
EXIT_NAME = "exit.json"


class AttemptState(StrEnum):
    """How an attempt at a job stands."""

    WAITING = "waiting"
    """Its folder may be there; nobody has begun to work on it."""
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    """It ended and says why."""
    DIED = "died"
    """Its process is gone and left no word: killed, out of memory, power cut."""


@dataclass(frozen=True)
class AttemptStatus:
    """How an attempt stands, and what it says."""

    state: AttemptState
    message: str = ""
    fraction: float = 0.0
    """Done of this job, 0 to 1."""
    pid: int | None = None
    pid_start_time: float | None = None
    again: bool = False
    """It failed for a reason that passes by itself, so another try is worth it."""
    external_id: str | None = None
    """The number a cluster gave it, once that is known."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in (AttemptState.DONE, AttemptState.FAILED, AttemptState.DIED)


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What an attempt asks of the machine it runs on; a cluster holds it to that."""

    cpus: int = 1
    memory_mb: float = 2000.0
    time_s: float = 3600.0
    gpus: int = 0

    @classmethod
    def of(cls, description: dict[str, Any]) -> Needs:
        """As job.json has it; the defaults where it says nothing."""
        said = description.get("needs") or {}
        return cls(
            cpus=int(said.get("cpus", cls.cpus)),
            memory_mb=float(said.get("memory_mb", cls.memory_mb)),
            time_s=float(said.get("time_s", cls.time_s)),
            gpus=int(said.get("gpus", cls.gpus)),
        )


class Executor(Protocol):
    """Runs the attempts whose folders it is given."""

    def submit(self, folder: Path) -> None:
        """Start the attempt whose job.json lies in `folder`, at once or at the next `flush`."""
        ...

    def flush(self) -> None:
        """Start what waits to be started together; called once a pass."""
        ...

    def poll(self, folder: Path) -> AttemptStatus:
        """How the attempt stands; knows attempts that another service process started too.

        Where that can't be found out just now it stands as it stood: `RUNNING`, with the reason.
        """
        ...

    def cancel(self, folder: Path) -> None:
        """Stop the attempt; it then counts as died."""
        ...


def prepare_attempt(jobs: Path, name: str, number: int, description: dict[str, Any]) -> Path:
    """Make an attempt's folder with its job.json: the intent, recorded before the effect."""
    folder = jobs / name / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / JOB_NAME, description)
    return folder


def last_attempt(jobs: Path, name: str) -> int:
    """The number of the latest attempt at a job; 0 where there was none."""
    numbers = [int(f.name) for f in (jobs / name).glob("[0-9]*") if f.name.isdigit()]
    return max(numbers, default=0)


def read_json(path: Path) -> dict[str, Any] | None:
    """A file that appears whole; None while it is not there, or a failing disk made it unreadable.

    What it would have said is then not known: as after a kill.
    """
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return tree if isinstance(tree, dict) else None


def ended_status(folder: Path) -> AttemptStatus | None:
    """How an attempt ended by its own word; None while it has left none."""
    ended = read_json(folder / EXIT_NAME)
    if ended is None:
        return None
    state = AttemptState.DONE if ended["ok"] else AttemptState.FAILED
    return AttemptStatus(state, str(ended["message"]), 1.0, again=bool(ended.get("again", False)))
