"""Trained scorers on real mice that people scored."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from wakeful.io.feature_tables import Columns, read_feature_table
from wakeful.sleep.boosted_trees import TreeParams
from wakeful.sleep.evaluation import compute_score
from wakeful.sleep.feature_table import Labels
from wakeful.sleep.label_words import read_labels
from wakeful.sleep.trained import UNCLASSIFIED
from wakeful.sleep.trained_kinds import Kind
from wakeful.sleep.training import TrainParams, train_scorer

pytestmark = pytest.mark.real_data

HALF = 10_800


@pytest.fixture(scope="module")
def mouse(real_data: Path):
    path = real_data / "sleep" / "zfhx3_mouse_features" / "baseline.csv.gz"
    return read_feature_table(path, Columns(labels="Stage"))


def test_a_table_as_it_was_published_opens(mouse):
    assert mouse.table.names == ("Delta", "Theta", "Alpha", "Beta", "Gamma", "EMG")
    assert mouse.table.epoch_s == 4
    assert mouse.n_holes == 0
    labels, _, notes = read_labels(mouse.labels)
    assert labels.count() == {"awake": 13131, "NREM": 7342, "REM": 1002}
    assert "W* (123 epochs)" in notes[0]


@pytest.mark.slow
def test_half_a_day_that_the_scorer_was_not_trained_on(mouse):
    labels, _, _ = read_labels(mouse.labels)
    training = train_scorer(
        mouse.table.take(slice(0, HALF)),
        Labels(states=labels.states, state=labels.state[:HALF]),
    )
    assert training.evaluation.overall.kappa > 0.9
    assert training.evaluation.overall.ece < 0.01
    test = mouse.table.take(slice(HALF, None))
    scored = training.scorer.score(test)
    assert scored.refusal == ""
    score = compute_score(
        labels.state[HALF:], scored.state, scored.posterior, test.breaks, labels.states
    )
    assert score.kappa > 0.92
    assert score.ece < 0.01
    assert abs(score.bouts_bias) < 0.1
    marked = np.char.find(np.array(mouse.labels[HALF:]), "*") >= 0
    assert scored.artefact[marked].mean() > 0.6
    assert scored.artefact[~marked].mean() < 0.01
    alone = training.scorer.score(test.take(slice(0, 5400)))
    np.testing.assert_array_equal(alone.provisional[:5300], scored.provisional[:5300])


@pytest.mark.slow
@pytest.mark.parametrize("only", [0, 1])
def test_hours_of_one_state_only(mouse, only):
    labels, _, _ = read_labels(mouse.labels)
    scorer = train_scorer(
        mouse.table.take(slice(0, HALF)),
        Labels(states=labels.states, state=labels.state[:HALF]),
    ).scorer
    rows = np.flatnonzero(labels.state[HALF:] == only)[:1800] + HALF
    table = type(mouse.table).make(mouse.table.names, mouse.table.values[rows], epoch_s=4.0)
    scored = scorer.score(table)
    wrong = (scored.state != only) & (scored.state != UNCLASSIFIED)
    assert wrong.mean() <= 0.02


def test_a_mouse_without_rem_is_trained_on(real_data: Path, tmp_path: Path):
    """Two states, a hundred features."""
    arff = (real_data / "sleep" / "williams_mouse_features" / "mouse3EEG.arff").read_text()
    lines = arff.splitlines()
    names = [line.split()[1] for line in lines if line.startswith("@ATTRIBUTE")]
    data = [line.split(",") for line in lines if line and not line.startswith("@")]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([[cell.strip() for cell in row] for row in data if len(row) == len(names)])
    (tmp_path / "mouse.csv").write_text(text.getvalue())
    found = read_feature_table(tmp_path / "mouse.csv", Columns(labels="class"), epoch_s=6.0)
    assert len(found.table.names) == 100
    labels, _, _ = read_labels(found.labels)
    assert labels.states == ("awake", "NREM")
    training = train_scorer(
        found.table,
        labels,
        TrainParams(kind=Kind.TREES_HMM, trees=TreeParams(n_rounds=40), n_folds=3),
    )
    assert training.evaluation.overall.kappa > 0.6
