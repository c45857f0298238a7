"""From rows and files of hand scores to a lab's own scorer, in one command."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from wakeful.analysis import open_library
from wakeful.catalog import load_catalog
from wakeful.cli import app
from wakeful.config import open_library as open_config
from wakeful.ledger import Ledger
from wakeful.model.errors import BadParameters, BadScores, UnknownResult
from wakeful.service.scorers import LabelledTable
from wakeful.service.session_training import ScoredRecording, ScoreReading, read_sessions
from wakeful.sheet.local import LocalSheet
from wakeful.simulate.neuralynx import write_neuralynx
from wakeful.simulate.plan import RecordingPlan, RegionPlan, RegionProfile, SubjectPlan

from .conftest import FINISHED, Bench

pytestmark = pytest.mark.slow

DURATION_S, EPOCH_S = 240.0, 4.0
CALM = ("--scorer", "trees", "--folds", "2")


@dataclass
class Scored:
    """A library with features of two animals, and labels that a model can learn from them."""

    bench: Bench
    session: dict[str, str]
    deep: dict[str, NDArray[np.bool_]]
    """(n_epochs,) where the power of delta is above its median."""

    def write(self, path: Path, animal: str, *, epoch_s: float = EPOCH_S, late_s: float = 0.0):
        """Hand scores on a clock that starts so much after the session."""
        each = np.repeat(self.deep[animal], round(EPOCH_S))[:: round(epoch_s)]
        rows = [
            f"{i * epoch_s + late_s:g},{(i + 1) * epoch_s + late_s:g},{'NR' if d else 'W'}"
            for i, d in enumerate(each)
        ]
        path.write_text("\n".join(["start_s,stop_s,state", *rows]) + "\n")
        return path

    def read(self, animal: str, scores: Path, offset_s: float | None = None) -> LabelledTable:
        """Features and labels, as they are trained on."""
        library = open_config(self.bench.library.root)
        with Ledger.open(library.database) as ledger:
            given = ScoredRecording(session=self.session[animal], scores=scores, offset_s=offset_s)
            sheet = LocalSheet(ledger, actor="test")
            return read_sessions(library, sheet, load_catalog(), [given], ScoreReading())

    def train(self, *words: object) -> dict:
        given = ["train", "sleep", *map(str, words), *CALM, "--json"]
        done = CliRunner().invoke(app, [*given, "--library", str(self.bench.library.root)])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return json.loads(done.output)


@pytest.fixture(scope="module")
def scored(tmp_path_factory, make_bench) -> Scored:
    """Made once; the second animal lacks a region."""
    folder = tmp_path_factory.mktemp("scored")
    bench = make_bench(folder)
    config = bench.library.root / "wakeful.toml"
    config.write_text(config.read_text().replace("block_s = 60", "block_s = 120"))
    ca1 = RegionPlan(name="CA1", profile=RegionProfile.HIPPOCAMPUS, n_channels=1)
    pfc = RegionPlan(name="PFC", profile=RegionProfile.CORTEX, n_channels=1)
    for name, seed, regions in (("M1", 5, (ca1, pfc)), ("M2", 6, (ca1,))):
        subject = SubjectPlan(identifier=name, seed=seed, regions=regions, n_emg=0)
        plan = RecordingPlan(subject=subject, duration_s=DURATION_S, rate_hz=2000)
        write_neuralynx(plan, folder / name)
        bench.add(folder / name, subject=name, analyses="sleep_features")
    assert all(view.update.status in FINISHED for view in bench.run().values())
    sessions = {
        s.session.subject.identifier: s for s in open_library(bench.library.root).sessions()
    }
    deep = {}
    for name, session in sessions.items():
        power = session.sleep_features.column("CA1.log_power_delta")
        deep[name] = power > np.median(power)
    return Scored(bench, {name: s.name for name, s in sessions.items()}, deep)


def test_two_animals_with_other_epochs_regions_and_clocks(scored, tmp_path):
    first = scored.write(tmp_path / "a.csv", "M1", epoch_s=2.0)
    second = scored.write(tmp_path / "b.csv", "M2", late_s=-1000.0)
    found = scored.train(
        *("--recording", scored.session["M1"], "--scores", first, "--offset", 0),
        *("--recording", scored.session["M2"], "--scores", second, "--offset", 1000),
        *("-o", tmp_path / "ours"),
    )
    said = " ".join(found["notes"])
    assert "a.csv: scored in epochs of 2 s, brought to 4 s" in said
    assert f"region PFC is left out: it is not in {scored.session['M2']}" in said
    assert found["evaluation"]["held_out"] == "animals or groups"
    assert sum(found["epochs_per_state"].values()) == 120
    assert not any(name.startswith("PFC") for name in found["features"])
    card = json.loads((tmp_path / "ours" / "card.json").read_text())
    assert card["subjects"] == ["M1", "M2"]
    assert card["label_map"] == {"NR": "NREM", "W": "awake"}
    names = [file["name"] for file in card["files"]]
    made = [f"features of {scored.session[animal]}" for animal in ("M1", "M2")]
    assert names == [made[0], "a.csv", made[1], "b.csv"]


def test_labels_lie_where_they_were_given(scored, tmp_path):
    late = scored.write(tmp_path / "late.csv", "M1", late_s=60.0)
    placed = scored.read("M1", late, offset_s=-60.0)
    np.testing.assert_array_equal(placed.labels.state == 1, scored.deep["M1"])
    moved = scored.read("M1", late)
    assert moved.labels.known.tolist() == [False] * 15 + [True] * 45
    np.testing.assert_array_equal(moved.labels.state[15:] == 1, scored.deep["M1"][:45])
    said = " ".join(moved.notes)
    assert "it has no clock time: it is taken to begin with the session" in said
    assert "0.02 h of it lie after the session's end and are left out" in said
    assert "45 of 60 epochs are scored (3.0 min)" in said


def test_a_clock_in_the_file_lays_it_on_the_session(scored, tmp_path):
    began = datetime.fromisoformat("2026-01-12T07:00:00")
    rows = ["start,stop,state"]
    for i, deep in enumerate(scored.deep["M2"][15:], start=15):
        at = [(began + timedelta(seconds=s * EPOCH_S)).isoformat() for s in (i, i + 1)]
        rows.append(",".join([*at, "NREM" if deep else "wake"]))
    (tmp_path / "clock.csv").write_text("\n".join(rows) + "\n")
    found = scored.read("M2", tmp_path / "clock.csv")
    assert "by its clock, it begins +60.000 s from the session's start" in " ".join(found.notes)
    assert not found.labels.known[:15].any()
    np.testing.assert_array_equal(found.labels.state[15:] == 1, scored.deep["M2"][15:])


def test_a_row_is_scored_with_it_at_once(scored, tmp_path):
    scores = scored.write(tmp_path / "a.csv", "M1")
    model = scored.bench.library.root / "models" / "ours"
    scored.train("--recording", scored.session["M1"], "--scores", scores, "-o", model)
    config = scored.bench.library.root / "wakeful.toml"
    config.write_text(config.read_text() + '\n[parameters.ours.sleep]\nmodel = "ours"\n')
    recording = scored.bench.library.root.parent / "M1"
    number = scored.bench.add(recording, subject="M1", analyses="sleep", params="ours")
    view = scored.bench.run()[number]
    assert view.update.status in FINISHED, view.update.message
    sessions = open_library(scored.bench.library.root).sessions()
    (hypnogram,) = [s.hypnogram for s in sessions if "hypnogram" in s.outputs]
    assert hypnogram.scorer.startswith("ours (")
    agree = (hypnogram.state == 2) == scored.deep["M1"]
    assert agree.mean() > 0.8


def test_what_does_not_fit_is_said(scored, tmp_path):
    scores = scored.write(tmp_path / "a.csv", "M1")
    one = ("--recording", scored.session["M1"])
    out = ("-o", tmp_path / "m")
    with pytest.raises(BadScores, match=r"scores 1\.00 h to 1\.07 h .* lasts 0\.07 h.*--offset"):
        scored.train(*one, "--scores", scores, "--offset", 3600, *out)
    with pytest.raises(BadParameters, match="1 recordings and 0 files of scores"):
        scored.train(*one, *out)
    with pytest.raises(BadParameters, match="30 epochs are scored in two of its files"):
        scored.train(*one, "--scores", scores, *one, "--scores", scores, *out)
    with pytest.raises(BadParameters, match="a table and --recording are both given"):
        scored.train(scores, *one, "--scores", scores, *out)
    with pytest.raises(BadParameters, match="--subject names a column"):
        scored.train(*one, "--scores", scores, "--subject", "animal", *out)
    with pytest.raises(BadParameters, match="nothing to train on"):
        scored.train(*out)
    with pytest.raises(UnknownResult, match="no rows have a session 'M9'"):
        scored.train("--recording", "M9", "--scores", scores, *out)
    with pytest.raises(BadParameters, match="there is no feature CA3"):
        scored.train(*one, "--scores", scores, "--leave-out", "CA3", *out)
    assert not (tmp_path / "m").exists()
