"""A recording that goes on: every hour is analysed when it is complete, and never twice."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from wakeful.analysis import open_library
from wakeful.catalog import load_catalog
from wakeful.config import Config, Lab, Work, write_library
from wakeful.config import open_library as open_config
from wakeful.executor_config import Executor
from wakeful.executors.local import LocalExecutor
from wakeful.ledger import Ledger
from wakeful.model.time import Interval
from wakeful.pipeline.plan import Scope
from wakeful.service.reconcile import Service
from wakeful.sheet.interface import Status
from wakeful.sheet.local import LocalSheet
from wakeful.simulate.neuralynx import write_neuralynx
from wakeful.simulate.plan import RecordingPlan, RegionPlan, RegionProfile, SubjectPlan

from .conftest import FINISHED, Bench
from .test_set_aside import obstruct

BLOCK_S = 120.0
SHARES = (0.45, 0.78, 0.95)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """25 minutes at 16 kHz with a gap: 50 MB a channel, three granules."""
    folder = tmp_path_factory.mktemp("whole") / "mouse"
    plan = RecordingPlan(
        subject=SubjectPlan(
            identifier="M1",
            seed=5,
            regions=(RegionPlan(name="CA1", profile=RegionProfile.HIPPOCAMPUS, n_channels=2),),
            n_emg=1,
        ),
        duration_s=1500.0,
        rate_hz=16_000,
        gaps=(Interval(101.0, 112.5),),
        clock_drift_ppm=35.0,
        timestamp_jitter_us=1,
    )
    write_neuralynx(plan, folder)
    return folder


def grow(whole: Path, target: Path, share: float, seed: int) -> None:
    """The beginning of every file, each cut somewhere else: in the middle of a record too."""
    target.mkdir(exist_ok=True)
    rng = np.random.default_rng(seed)
    for path in sorted(whole.iterdir()):
        copy = target / path.name
        if path.suffix != ".ncs":
            if not copy.exists():
                shutil.copy2(path, copy)
                os.utime(copy, (0, 0))  # written long before
            continue
        size = path.stat().st_size
        wanted = int(size * share) - int(rng.integers(0, 2_000_000)) if share < 1 else size
        have = copy.stat().st_size if copy.exists() else 0
        with path.open("rb") as source, copy.open("ab") as file:
            source.seek(have)
            file.write(source.read(max(0, wanted - have)))


def results_of(library: Path) -> dict[str, bytes]:
    """Key -> digests of every result of a block."""
    found = {}
    for path in library.glob("results/[!.]*/*/*/receipt.json"):
        tree = json.loads(path.read_text())
        if tree["scope"].startswith("block"):
            found[f"{tree['of_step']} {tree['scope']} {tree['key']}"] = tree["files"]
    return found


def run_once(bench: Bench, *, ended: bool):
    """One run; the source is taken to have ended, or to go on, whatever its files' dates."""
    library = open_config(bench.library.root)
    settle_s = 0.0 if ended else 3600.0
    work = library.config.work.model_copy(update={"settle_s": settle_s})
    library.config = library.config.model_copy(update={"work": work})
    with Ledger.open(library.database) as ledger:
        sheet = LocalSheet(ledger, actor="test")
        service = Service(library, ledger, sheet, LocalExecutor(), load_catalog())
        (view,) = service.run_once(patience_s=0.0)
        return view


@pytest.fixture
def lab(tmp_path) -> Bench:
    config = Config(
        lab=Lab(time_zone="Europe/Berlin"),
        work=Work(block_s=BLOCK_S),
        executor=Executor(workers=2),
    )
    return Bench(write_library(tmp_path / "library", config))


def test_hours_are_analysed_while_the_recording_goes_on(lab, whole, tmp_path):
    source = tmp_path / "mouse"
    grow(whole, source, 0.05, 0)
    lab.add(source, analyses="band_power,muscle")
    before: dict[str, bytes] = {}
    for stage, share in enumerate(SHARES):
        grow(whole, source, share, stage)
        view = run_once(lab, ended=False)
        assert view.update.status == Status.FOLLOWING, view.update.message
        now = results_of(lab.library.root)
        assert before.items() <= now.items(), "a result of an earlier hour was made again"
        before = now
        if view.update.link:
            assert "provisional" in Path(view.update.link).read_text()
    assert len(before) >= 2 * 3
    (session,) = open_library(lab.library.root).sessions()
    assert session.lfp.spans[0].n_samples > 100_000

    grow(whole, source, 1.0, 9)
    view = run_once(lab, ended=True)
    assert view.update.status in FINISHED, view.update.message
    followed = results_of(lab.library.root)
    assert before.items() <= followed.items()
    assert "provisional" not in Path(view.update.link).read_text()

    # One go over the whole recording gives the very same results.
    other = Bench(write_library(tmp_path / "other", lab.library.config))
    other.add(source, analyses="band_power,muscle")
    assert run_once(other, ended=True).update.status in FINISHED
    assert results_of(other.library.root) == followed


@pytest.mark.slow
def test_the_report_so_far_is_delivered_and_then_the_last_one(lab, whole, tmp_path):
    nas = tmp_path / "nas"
    nas.mkdir()
    toml = lab.library.root / "wakeful.toml"
    toml.write_text(f'{toml.read_text()}\n[delivery]\nto = "folder"\nfolder = "{nas}"\n')
    source = tmp_path / "mouse"
    grow(whole, source, SHARES[-1], 1)
    lab.add(source, analyses="muscle")
    view = run_once(lab, ended=False)
    assert view.update.status == Status.FOLLOWING, view.update.message
    (report,) = nas.glob("*/*/report.html")
    assert "provisional" in report.read_text()
    grow(whole, source, 1.0, 9)
    view = run_once(lab, ended=True)
    assert view.update.status in FINISHED, view.update.message
    assert view.update.link == str(report.parent)
    assert "provisional" not in report.read_text()


@pytest.mark.slow
def test_a_block_that_fails_holds_up_no_later_hour(lab, whole, tmp_path):
    source = tmp_path / "mouse"
    grow(whole, source, SHARES[1], 1)
    lab.add(source, analyses="muscle")
    assert run_once(lab, ended=False).update.link, "nothing was published yet"
    lab.edit(1, "analyses", "muscle,spectrogram")
    file = obstruct(lab, "spectrogram", Scope("block", 2))
    view = run_once(lab, ended=False)
    assert view.update.status == Status.FOLLOWING, view.update.message
    assert "failed block 2026-01-12 07:04-07:06: spectrogram, block 2" in view.update.message
    assert "failed block" in Path(view.update.link).read_text()
    before = results_of(lab.library.root)
    assert sum(name.startswith("spectrogram ") for name in before) == 2

    grow(whole, source, 1.0, 9)
    view = run_once(lab, ended=True)
    assert view.update.status == Status.DONE_WITH_WARNINGS, view.update.message
    assert "failed block 2026-01-12 07:04-07:06: spectrogram, block 2" in view.update.message
    assert "failed block" in Path(view.update.link).read_text()
    later = results_of(lab.library.root)
    assert before.items() <= later.items()
    assert sum(name.startswith("spectrogram ") for name in later) == 12

    file.unlink()
    view = run_once(lab, ended=True)
    assert view.update.status in FINISHED
    assert "failed" not in view.update.message
    assert any(n.startswith("spectrogram block 2 ") for n in results_of(lab.library.root))
