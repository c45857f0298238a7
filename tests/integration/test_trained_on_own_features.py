"""A lab's own scorer, from its own recording's features to its rows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from wakeful.analysis import open_library
from wakeful.cli import app
from wakeful.io.store import Store
from wakeful.simulate.neuralynx import write_neuralynx
from wakeful.simulate.plan import Pace, RecordingPlan, SubjectPlan
from wakeful.sleep.agreement import compute_agreement

from .conftest import FINISHED, Bench

runner = CliRunner()


@pytest.mark.slow
def test_a_scorer_is_trained_on_one_animal_and_scores_another(lab: Bench, tmp_path) -> None:
    truth: dict[str, np.ndarray] = {}
    for name, seed in (("M1", 5), ("M2", 6)):
        plan = RecordingPlan(
            subject=SubjectPlan(identifier=name, seed=seed, variability=0.3),
            duration_s=1800.0,
            rate_hz=2000,
            pace=Pace.SHORT,
        )
        write_neuralynx(plan, tmp_path / name)
        told = json.loads((tmp_path / name / "truth.json").read_text())
        truth[name] = np.array(told["state"], np.int8)
        lab.add(tmp_path / name, subject=name, analyses="sleep_features")
    config = lab.library.root / "wakeful.toml"
    config.write_text(config.read_text().replace("block_s = 60", "block_s = 600"))
    views = lab.run()
    assert all(view.update.status in FINISHED for view in views.values())

    # Labels are a column more in the exported table.
    session = next(s for s in open_library(lab.library.root).sessions() if "M1" in s.name)
    table = tmp_path / "M1.csv"
    library = ["--library", str(lab.library.root)]
    done = runner.invoke(app, ["export", "features", session.name, "-o", str(table), *library])
    assert done.exit_code == 0, done.output
    head, *rows = table.read_text().splitlines()
    names = {0: "W", 2: "NR", 3: "R"}
    labelled = [f"{row},{names.get(int(s), '')}" for row, s in zip(rows, truth["M1"], strict=True)]
    table.write_text("\n".join([f"{head},stage", *labelled]) + "\n")
    model = lab.library.root / "models" / "ours"
    done = runner.invoke(app, ["train", "sleep", str(table), "--labels", "stage", "-o", str(model)])
    assert done.exit_code == 0, done.output

    config.write_text(config.read_text() + '\n[parameters.trained.sleep]\nmodel = "ours"\n')
    number = lab.add(tmp_path / "M2", subject="M2", analyses="sleep", params="trained")
    view = lab.run()[number]
    assert view.update.status in FINISHED, view.update.message
    sessions = open_library(lab.library.root).sessions()
    (hypnogram,) = [s.hypnogram for s in sessions if "hypnogram" in s.outputs]
    agreement = compute_agreement(truth["M2"], hypnogram.state)
    assert hypnogram.scorer.startswith("ours (")
    assert agreement.kappa > 0.8, (agreement, hypnogram.notes)

    # The lab trains anew under the same name: what was made before can still be made again.
    again = [str(table), "--labels", "stage", "-o", str(model), "--overwrite", "--scorer", "trees"]
    done = runner.invoke(app, ["train", "sleep", *again])
    assert done.exit_code == 0, done.output
    (receipt,) = [r for r in Store(lab.library.results).receipts() if r.step == "sleep"]
    done = runner.invoke(app, ["verify", receipt.key, *library])
    assert done.exit_code == 0, done.output
