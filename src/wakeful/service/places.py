"""Where the jobs of a library run, as its wakeful.toml says."""

from __future__ import annotations

import sys

from wakeful.config import Library
from wakeful.executors.both import TwoPlaces
from wakeful.executors.interface import Executor
from wakeful.executors.local import LocalExecutor
from wakeful.executors.slurm import SlurmExecutor, SlurmOptions


def make_executor(library: Library) -> Executor:
    """The executor of a library."""
    config = library.config.executor
    here = LocalExecutor()
    if config.kind == "local":
        return here
    said = config.slurm
    options = SlurmOptions(
        partition=said.partition,
        account=said.account,
        qos=said.qos,
        options=said.options,
        setup=said.setup,
        python=said.python or sys.executable,
        scratch=said.scratch,
        most_memory_mb=1000 * said.max_memory_gb,
        most_time_s=3600 * said.max_hours,
        look_every_s=said.look_every_s,
        grace_s=said.grace_s,
    )
    return TwoPlaces(here, SlurmExecutor(library.jobs, options))
