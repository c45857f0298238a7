"""What wakeful.toml says of where the work runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from wakeful.oversight_config import Section


class Slurm(Section):
    """How jobs are handed to a Slurm cluster; [executor.slurm]."""

    partition: str = Field("", description="Partition; the cluster's default where empty")
    account: str = Field("", description="Account that is charged, where the cluster wants one")
    qos: str = Field("", description="Quality of service, where the cluster wants one")
    options: tuple[str, ...] = Field(
        (), description='Further options of sbatch, e.g. "--constraint=avx2"'
    )
    setup: tuple[str, ...] = Field(
        (), description='Lines of shell before a worker starts, e.g. "module load python/3.11"'
    )
    python: str = Field(
        "",
        description="Python with Wakeful on the nodes; the one this service runs with where empty",
    )
    scratch: Path | None = Field(None, description="Folder on the nodes for temporary files")
    max_jobs: Annotated[int, Field(ge=1, le=100_000)] = Field(
        100, description="Jobs queued and running at one time"
    )
    max_memory_gb: Annotated[float, Field(gt=0)] = Field(
        64.0, description="No job asks for more memory, however often it ran out of it"
    )
    max_hours: Annotated[float, Field(gt=0)] = Field(48.0, description="No job asks for more time")
    look_every_s: Annotated[float, Field(gt=0)] = Field(
        10.0, description="The queue is asked no more often, seconds"
    )
    grace_s: Annotated[float, Field(ge=0)] = Field(
        60.0,
        description="How long a job that left the queue may take to show its last word on a "
        "network disk, seconds",
    )

    @field_validator("options")
    @classmethod
    def _options(cls, options: tuple[str, ...]) -> tuple[str, ...]:
        if bad := [word for word in options if not word.startswith("-")]:
            raise ValueError(
                f"each is one option of sbatch and begins with a dash, not {', '.join(bad)}; write "
                '"--name=value" in one word'
            )
        ours = ("--array", "--job-name", "--output", "--requeue", "--parsable", "-a", "-J", "-o")
        if bad := [word for word in options if word.split("=")[0] in ours]:
            raise ValueError(f"{', '.join(bad)} is set by Wakeful itself")
        return options


class Executor(Section):
    """Where the work runs."""

    kind: Literal["local", "slurm"] = Field(
        "local", description="Worker processes on this machine, or jobs of a Slurm cluster"
    )
    workers: Annotated[int, Field(ge=1, le=256)] = Field(
        2, description="Jobs at one time on this machine; with Slurm, transfers"
    )
    slurm: Slurm = Slurm()
    attempts: Annotated[int, Field(ge=1, le=20)] = Field(
        3, description="How often a job that died is started before it counts as failed"
    )
    poll_s: Annotated[float, Field(gt=0)] = Field(
        15.0, description="Pause between passes of `wakeful run`, seconds"
    )

    @property
    def slots(self) -> int:
        """How many jobs are started before one has ended."""
        return self.workers if self.kind == "local" else self.workers + self.slurm.max_jobs
