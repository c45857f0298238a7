"""What wakeful.toml says of where the work runs."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from wakeful.executor_config import Executor, Slurm


def test_slots_are_workers_here_and_jobs_on_the_cluster():
    assert Executor(workers=3).slots == 3
    assert Executor(kind="slurm", workers=3, slurm=Slurm(max_jobs=40)).slots == 43


@pytest.mark.parametrize("option", ["constraint=avx2", "--array=1-3", "-J"])
def test_options_of_sbatch_that_make_no_sense_are_refused(option):
    with pytest.raises(ValidationError):
        Slurm(options=(option,))
