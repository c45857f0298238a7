"""Slurm's own commands, asked and understood: sbatch, squeue, sacct, scancel.

A command that fails says nothing about a job: every failure is a `ClusterSilent`, never an answer.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT_S = 30.0
_FORMAT = "%F|%K|%T|%j|%r"
_JOB_ID = re.compile(r"(\d+)(;.*)?")


class ClusterSilent(Exception):
    """A command of Slurm failed or did not answer; its words."""


@dataclass(frozen=True)
class QueuedTask:
    """One task of an array, as the queue has it."""

    job_id: str
    state: str
    """Slurm's long form: PENDING, RUNNING, COMPLETED, TIMEOUT, ..."""
    reason: str


NO_TASK = -1
"""In place of an index: of an array whose waiting tasks were cancelled one by one, Slurm keeps one
line for all of them, and of a single such task none."""

Snapshot = Mapping[tuple[str, int], QueuedTask]
"""(job name, index in its array) -> what the queue says of it."""


def read_queue(prefix: str) -> Snapshot:
    """The jobs of this user whose names begin with `prefix`, also those that ended lately.

    Raises
    ------
    ClusterSilent
        squeue failed.
    """
    lines = _ask(
        ["squeue", "--me", "--array", "--noheader", "--states=all", f"--format={_FORMAT}"]
    ).splitlines()
    found: dict[tuple[str, int], QueuedTask] = {}
    for line in lines:
        parts = line.strip().split("|", 4)
        if len(parts) != 5 or not parts[3].startswith(prefix):
            continue
        job_id, index, state, name, reason = parts
        place = (name, int(index) if index.isdigit() else NO_TASK)
        # The same name twice: a later one counts.
        if place not in found or int(found[place].job_id) < int(job_id):
            found[place] = QueuedTask(job_id, state, reason)
    return found


def submit(options: Sequence[str], script: str, pass_fds: tuple[int, ...] = ()) -> str:
    """Hand a script to sbatch; returns the job's number.

    Parameters
    ----------
    pass_fds : descriptors that sbatch holds as long as it lives

    Raises
    ------
    ClusterSilent
        sbatch failed. Whether the job was taken is then not known: ask the queue by its name.
    """
    words = _ask(["sbatch", "--parsable", *options], script, pass_fds).strip().splitlines()
    match = _JOB_ID.fullmatch(words[-1]) if words else None
    if match is None:
        raise ClusterSilent(f"sbatch answered {' '.join(words) or 'nothing'!r}")
    return match.group(1)


def cancel(job_id: str, index: int) -> None:
    """Cancel one task.

    Raises
    ------
    ClusterSilent
        scancel failed.
    """
    _ask(["scancel", f"{job_id}_{index}"])


def account_of(job_id: str, index: int) -> str:
    """How the accounting says a task ended; "" where there is none, or it does not know."""
    if shutil.which("sacct") is None:
        return ""
    try:
        text = _ask(
            [
                *("sacct", "--noheader", "--parsable2", "--allocations"),
                *("--format=State", f"--jobs={job_id}_{index}"),
            ]
        )
    except ClusterSilent:
        return ""
    words = text.split()
    return words[0] if words else ""


def _ask(command: list[str], text: str | None = None, pass_fds: tuple[int, ...] = ()) -> str:
    try:
        done = subprocess.run(
            command,
            input="" if text is None else text,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
            pass_fds=pass_fds,
            cwd="/",
        )
    except FileNotFoundError:
        raise ClusterSilent(f"{command[0]} is not installed on this machine") from None
    except subprocess.TimeoutExpired:
        raise ClusterSilent(f"{command[0]} did not answer within {_TIMEOUT_S:.0f} s") from None
    except OSError as error:
        raise ClusterSilent(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        words = " ".join((done.stderr or done.stdout).split())
        raise ClusterSilent(words or f"{command[0]} ended with {done.returncode}")
    return done.stdout


def has_slurm() -> bool:
    """Whether this machine can submit jobs."""
    return all(shutil.which(command) for command in ("sbatch", "squeue", "scancel"))


def partitions() -> dict[str, str]:
    """Partition -> whether it is up.

    Raises
    ------
    ClusterSilent
        sinfo failed.
    """
    lines = _ask(["sinfo", "--noheader", "--format=%R|%a"]).splitlines()
    return dict(line.strip().split("|", 1) for line in lines if "|" in line)


def quoted(path: Path) -> str:
    """A file name as sbatch's patterns take it literally."""
    return str(path).replace("\\", "\\\\").replace("%", "%%")
