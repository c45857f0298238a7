"""Which jobs are at work just now, read from outside the service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wakeful.config import Library
from wakeful.executors.interface import EXIT_NAME, JOB_NAME, PROGRESS_NAME, read_json
from wakeful.ledger import JobState, Ledger


@dataclass(frozen=True)
class JobAtWork:
    """A job that runs, or is about to."""

    job_id: str
    row: int
    what: str
    """What of which session, and by which steps."""
    said: str
    """What it said last."""
    done: float
    """From 0 to 1."""
    is_running: bool
    """False while it only has been handed over."""
    since: datetime | None


def find_jobs_at_work(library: Library, ledger: Ledger) -> tuple[JobAtWork, ...]:
    """The jobs that have not ended, by their own word where they have left one.

    The service need not run: jobs outlive it.
    """
    found = []
    for job in ledger.open_jobs():
        name, _, number = job.job_id.rpartition(".")
        folder = library.jobs / name / number
        if (folder / EXIT_NAME).exists():
            continue  # the service has not looked yet
        description = read_json(folder / JOB_NAME) or {}
        progress = read_json(folder / PROGRESS_NAME) or {}
        found.append(
            JobAtWork(
                job_id=job.job_id,
                row=ledger.run(job.run_id).row_id,
                what=_what(description),
                said=str(progress.get("message", "")),
                done=float(progress.get("fraction", 0.0)),
                is_running=job.state is JobState.RUNNING,
                since=job.started,
            )
        )
    return tuple(sorted(found, key=lambda job: (job.row, job.job_id)))


def _what(description: dict[str, object]) -> str:
    if description.get("kind") == "take_in":
        return f"take in {Path(str(description.get('source', ''))).name}"
    return str(description.get("comment", ""))
