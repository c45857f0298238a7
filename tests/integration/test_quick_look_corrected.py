"""A file that a quick look misjudged is read in full, and its row goes on by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from wakeful.analysis import open_library
from wakeful.config import Config, Lab, Work, write_library
from wakeful.executor_config import Executor
from wakeful.simulate.neuralynx import write_neuralynx
from wakeful.simulate.plan import RecordingPlan, RegionPlan, RegionProfile, SubjectPlan

from .conftest import FINISHED, Bench

HEADER, RECORD, PER = 16_384, 1044, 512
SHORT, N_VALID = 6000, 400
RATE_HZ = 2000


def write(folder: Path) -> None:
    """36 minutes of a channel of which one record, amid thousands, is short before a gap of just
    what it lacks: the heads around it fit.
    """
    plan = RecordingPlan(
        subject=SubjectPlan(
            identifier="M1",
            seed=5,
            regions=(RegionPlan(name="CA1", profile=RegionProfile.HIPPOCAMPUS, n_channels=1),),
            n_emg=0,
        ),
        duration_s=8400 * PER / RATE_HZ,
        rate_hz=RATE_HZ,
    )
    write_neuralynx(plan, folder)
    (path,) = folder.glob("*.ncs")
    with path.open("r+b") as file:
        file.seek(HEADER + SHORT * RECORD + 16)
        assert int.from_bytes(file.read(4), "little") == PER
        file.seek(-4, 1)
        file.write(N_VALID.to_bytes(4, "little"))


@pytest.mark.slow
def test_a_row_goes_on_when_a_quick_look_was_wrong(tmp_path):
    write(tmp_path / "mouse")
    config = Config(
        lab=Lab(time_zone="Europe/Berlin"),
        work=Work(block_s=600.0, settle_s=0.0),
        executor=Executor(workers=2),
    )
    bench = Bench(write_library(tmp_path / "library", config))
    bench.add(tmp_path / "mouse", analyses="band_power")
    view = bench.run()[1]
    assert view.update.status in FINISHED, view.update.message
    logs = "".join(p.read_text() for p in bench.library.jobs.glob("block*/*/log.txt"))
    assert "a quick look at the time stamps can't see that" in logs, "nothing was tried"
    (session,) = open_library(bench.library.root).sessions()
    end_s = (SHORT * PER + N_VALID) / RATE_HZ
    stops = [span.stop_s for span in session.lfp.spans]
    assert any(abs(stop_s - end_s) < 0.01 for stop_s in stops)
    # And nothing is left to be done.
    assert bench.run()[1].n_made == 0
