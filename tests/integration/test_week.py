"""One animal, hour by hour: each hour is analysed when it is there, and never twice."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from wakeful.config import Config, Lab, Work, write_library
from wakeful.executor_config import Executor
from wakeful.ledger import Ledger
from wakeful.sheet.interface import Status
from wakeful.simulate.neuralynx import write_neuralynx
from wakeful.simulate.plan import RecordingPlan, RegionPlan, RegionProfile, SubjectPlan

from .conftest import FINISHED, Bench
from .test_following import results_of, run_once

HOUR_S = 3600.0
RATE_HZ = 4800
"""An hour of a channel is 35 MB: two pieces that are verified on their own, and a bit."""
SUMMARIES_AT_H = (1, 2, 4, 8, 16)


def write_recording(folder: Path, n_hours: int) -> None:
    plan = RecordingPlan(
        subject=SubjectPlan(
            identifier="M1",
            seed=5,
            regions=(RegionPlan(name="CA1", profile=RegionProfile.HIPPOCAMPUS, n_channels=1),),
            n_emg=0,
        ),
        duration_s=n_hours * HOUR_S,
        rate_hz=RATE_HZ,
        clock_drift_ppm=20.0,
    )
    write_neuralynx(plan, folder)


def append(whole: Path, target: Path, share: float) -> None:
    """Bring the recording to a share of its bytes, cut in the middle of a record."""
    target.mkdir(exist_ok=True)
    for path in whole.iterdir():
        copy = target / path.name
        if path.suffix != ".ncs":
            if not copy.exists():
                shutil.copy2(path, copy)
                os.utime(copy, (0, 0))  # written long before
            continue
        size = path.stat().st_size
        have = copy.stat().st_size if copy.exists() else 0
        wanted = size if share == 1 else int(size * share) - 77_777
        with path.open("rb") as source, copy.open("ab") as file:
            source.seek(have)
            file.write(source.read(wanted - have))


def hours_done(bench: Bench, step: str) -> set[int]:
    return {
        int(name.split()[2]) for name in results_of(bench.library.root) if name.split()[0] == step
    }


def work_in(bench: Bench) -> dict[str, tuple[int, float]]:
    """Kind of scope -> how many results were made, and for how many seconds."""
    with Ledger.open(bench.library.database) as ledger:
        found: dict[str, tuple[int, float]] = {}
        for entry in ledger.latest_results(100_000):
            kind = entry.scope.split()[0]
            n, seconds = found.get(kind, (0, 0.0))
            found[kind] = (n + 1, seconds + entry.seconds)
        return found


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("n_hours", [20, 168])
def test_every_hour_has_its_results_and_the_whole_costs_no_more(tmp_path, n_hours):
    whole, source = tmp_path / "whole", tmp_path / "M1"
    write_recording(whole, n_hours)
    config = Config(
        lab=Lab(time_zone="Europe/Berlin"),
        work=Work(block_s=HOUR_S, transfer="in-place"),
        executor=Executor(workers=2),
    )
    lab = Bench(write_library(tmp_path / "library", config))
    append(whole, source, 0.3 / n_hours)
    lab.add(source, analyses="band_power,muscle")
    before: dict[str, bytes] = {}
    slowest_s = 0.0
    for hour in range(1, n_hours):
        append(whole, source, (hour + 1) / n_hours)
        began = time.monotonic()
        view = run_once(lab, ended=False)
        slowest_s = max(slowest_s, time.monotonic() - began)
        assert view.update.status is Status.FOLLOWING, view.update.message
        # The hour that has just ended waits for its last piece; all before it are there.
        for step in ("convert", "muscle", "band_power"):
            assert hours_done(lab, step) >= set(range(hour)), (hour, step)
        now = results_of(lab.library.root)
        assert before.items() <= now.items(), "a result of an earlier hour was made again"
        before = now
        if hour in SUMMARIES_AT_H:
            assert Path(view.update.link).is_file()
    append(whole, source, 1.0)
    view = run_once(lab, ended=True)
    assert view.update.status in FINISHED, view.update.message

    other = Bench(write_library(tmp_path / "other", config))
    other.add(source, analyses="band_power,muscle")
    assert run_once(other, ended=True).update.status in FINISHED
    assert results_of(other.library.root) == results_of(lab.library.root)
    hourly, at_once = work_in(lab), work_in(other)
    print(f"slowest pass {slowest_s:.1f} s; hour by hour {hourly}; at once {at_once}")  # noqa: T201 -- shown by -s
    # Every block once; only what sums up the days so far comes as often as the days are summed up.
    assert hourly["block"][0] == at_once["block"][0]
