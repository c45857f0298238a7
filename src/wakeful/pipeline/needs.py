"""What a job asks of a cluster: memory and time that grow with the recording."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from wakeful.catalog import Catalog
from wakeful.io.codec import to_plain
from wakeful.pipeline.plan import Job
from wakeful.pipeline.scopes import Scopes

MARGIN = 4.0
"""Limits are this many times what is expected, as in the AIND ephys pipeline: a job that is killed
for its limit costs more than one that waits a little longer in the queue."""


def describe_job(job: Job, results: Path, catalog: Catalog) -> dict[str, Any]:
    """The job.json of a job: what is to be done, what it needs, what people are told.

    Parameters
    ----------
    results : where results are written
    """
    steps = ", ".join(dict.fromkeys(task.step for task in job.tasks))
    return {
        "kind": "steps",
        "results": str(results),
        "job": to_plain(job),
        "needs": needs_of(job, catalog),
        "comment": f"{job.session.subject.identifier}/{job.session.name}: {job.scope}: {steps}",
    }


def needs_of(job: Job, catalog: Catalog) -> dict[str, Any]:
    """cpus, gpus, memory_mb and time_s of a job: its tasks' most, and the sum of their times."""
    hours = Scopes(job.session).interval(job.scope).duration_s / 3600
    n_channels = len(job.recording.channels)
    steps = [catalog.steps[task.step] for task in job.tasks]
    wants = [step.resources for step in steps]
    memory_mb = max(
        (w.memory_mb + w.memory_mb_per_channel_hour * n_channels * hours for w in wants),
        default=0.0,
    )
    time_s = sum(w.time_s + w.time_s_per_channel_hour * n_channels * hours for w in wants)
    return {
        "cpus": max((w.cpus for w in wants), default=1),
        "gpus": max((w.gpus for w in wants), default=0),
        "memory_mb": math.ceil(memory_mb),
        "time_s": math.ceil(MARGIN * time_s),
    }
