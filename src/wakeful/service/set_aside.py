"""Work that failed is set aside with its reason; the rest of a row goes on and is published."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from wakeful.model.quality import duration_text
from wakeful.pipeline.plan import Job, Plan, Task
from wakeful.pipeline.scopes import Scopes
from wakeful.service.work import summarise


def makeable(job: Job, missing: Collection[str]) -> tuple[Task, ...]:
    """The tasks of a job that are missing, and whose needs are there or come from the job itself.

    Parameters
    ----------
    missing : keys of the results that are not there
    """
    coming: set[str] = set()
    found: list[Task] = []
    for task in job.tasks:
        if task.key in missing and all(
            need.key not in missing or need.key in coming for need in task.needs
        ):
            found.append(task)
            coming.add(task.key)
    return tuple(found)


def without_missing(
    plan: Plan, jobs: Iterable[Job], missing: Collection[str], failed: Mapping[str, str]
) -> Plan:
    """The plan as far as it has results, with notes of what failed and what is left out for it.

    Parameters
    ----------
    jobs : of the plan
    missing : keys of the results that are not there
    failed : name of each job that failed -> its message
    """
    messages: list[str] = []
    left_out: dict[str, None] = {}
    for job in jobs:
        if job.name in failed:
            messages.append(f"failed {_when(job)}: {failed[job.name]}")
        elif any(task.key in missing for task in job.tasks):
            left_out |= {task.step: None for task in job.tasks if task.key in missing}
    notes = [summarise(messages)] if messages else []
    if left_out:
        notes.append(f"left out for want of it, wholly or in part: {', '.join(left_out)}")
    return replace(
        plan,
        tasks=tuple(task for task in plan.tasks if task.key not in missing),
        notes=(*plan.notes, *notes),
    )


def _when(job: Job) -> str:
    """What a job is about, on the lab's clock: "block 2026-01-12 10:00-11:00"."""
    if job.scope.kind == "session":
        return "session"
    interval = Scopes(job.session).interval(job.scope)
    session = job.session
    if session.start_utc is None:
        span = f"{duration_text(interval.start_s)}-{duration_text(interval.stop_s)}"
        return f"{job.scope.kind} {span}"
    zone = ZoneInfo(session.time_zone)
    start, stop = (
        (session.start_utc + timedelta(seconds=s)).astimezone(zone)
        for s in (interval.start_s, interval.stop_s)
    )
    if job.scope.kind == "day":
        return f"day {(start + (stop - start) / 2):%Y-%m-%d}"
    until = f"{stop:%H:%M}" if stop.date() == start.date() else f"{stop:%Y-%m-%d %H:%M}"
    return f"block {start:%Y-%m-%d %H:%M}-{until}"
