"""Models as folders of data: read as written, or refused with the reason."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from wakeful.io.scorer_files import Card, TrainingFile, read_scorer, write_scorer
from wakeful.model.errors import BadModel
from wakeful.sleep.boosted_trees import TreeParams
from wakeful.sleep.feature_table import FeatureTable, Labels
from wakeful.sleep.trained_kinds import Kind
from wakeful.sleep.training import TrainParams, train_scorer

CARD = Card(
    title="test",
    kind="semi-markov",
    states=("awake", "NREM"),
    features=("a", "b"),
    epoch_s=4.0,
    label_map={"W": "awake"},
    files=(TrainingFile(name="t.csv", sha256="0" * 64, n_epochs=600, n_holes=0),),
    subjects=("M1",),
    epochs_per_state={"awake": 300, "NREM": 300},
    evaluation={"overall": {"kappa": None}},
    notes=("a note",),
    licence="CC-BY-4.0",
    versions={"wakeful": "0"},
    created_utc="2026-03-02T07:00:00+00:00",
)


@pytest.fixture(scope="module")
def table() -> FeatureTable:
    rng = np.random.default_rng(0)
    state = np.repeat(np.arange(40) % 2, 15)
    values = np.exp(rng.normal(0, 0.5, (600, 2)) + state[:, None])
    values[5, 1] = np.nan
    return FeatureTable.make(("a", "b"), values, epoch_s=4.0)


def train(table: FeatureTable, kind: Kind):
    labels = Labels(states=("awake", "NREM"), state=np.repeat(np.arange(40) % 2, 15))
    params = TrainParams(kind=kind, trees=TreeParams(n_rounds=5), n_folds=2)
    return train_scorer(table, labels, params).scorer


@pytest.fixture(scope="module")
def scorer(table):
    return train(table, Kind.SEMI_MARKOV)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_model_scores_as_before_it_was_written(tmp_path, table, kind):
    made = train(table, kind)
    content_hash = write_scorer(tmp_path / "m", made, replace(CARD, kind=kind.value))
    model = read_scorer(tmp_path / "m")
    before, after = made.score(table), model.scorer.score(table)
    np.testing.assert_array_equal(before.posterior, after.posterior)
    np.testing.assert_array_equal(before.state, after.state)
    assert model.content_hash == content_hash
    assert model.card == replace(CARD, kind=kind.value)
    assert {p.suffix for p in (tmp_path / "m").iterdir()} <= {".json", ".ubj"}
    assert not list(tmp_path.glob(".m*"))


def test_the_content_hash_is_of_what_scores_and_of_nothing_else(tmp_path, scorer):
    one = write_scorer(tmp_path / "a", scorer, CARD)
    two = write_scorer(tmp_path / "b", scorer, replace(CARD, title="another", licence="CC0-1.0"))
    three = write_scorer(tmp_path / "c", replace(scorer, min_confidence=0.7), CARD)
    assert one == two
    assert one != three


def test_what_is_there_is_replaced_only_when_asked_and_only_models(tmp_path, scorer):
    write_scorer(tmp_path / "m", scorer, CARD)
    with pytest.raises(BadModel, match="is there already"):
        write_scorer(tmp_path / "m", scorer, CARD)
    write_scorer(tmp_path / "m", scorer, replace(CARD, title="new"), overwrite=True)
    assert read_scorer(tmp_path / "m").card.title == "new"
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "draft.txt").write_text("years of work")
    with pytest.raises(BadModel, match="is no model"):
        write_scorer(tmp_path / "thesis", scorer, CARD, overwrite=True)
    assert (tmp_path / "thesis" / "draft.txt").is_file()


def test_files_that_are_not_those_written_are_refused(tmp_path, scorer):
    folder = tmp_path / "m"
    write_scorer(folder, scorer, CARD)
    whole = (folder / "alone.ubj").read_bytes()
    (folder / "alone.ubj").write_bytes(whole[:-1] + b"x")
    with pytest.raises(BadModel, match=r"alone\.ubj is not what was written"):
        read_scorer(folder)
    (folder / "alone.ubj").unlink()
    with pytest.raises(BadModel, match=r"alone\.ubj is missing"):
        read_scorer(folder)
    (folder / "alone.ubj").write_bytes(whole)
    read_scorer(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 99}, "format version 99; this Wakeful reads 1"),
        ({"format": "other"}, "no card of a sleep scorer"),
        ({"content_hash": "0"}, "hashes do not fit"),
        ({"hashes": {}}, "hashes do not fit"),
        ({"states": 5}, "can't be understood"),
    ],
)
def test_cards_that_can_not_be_trusted(tmp_path, scorer, change, message):
    folder = tmp_path / "m"
    write_scorer(folder, scorer, CARD)
    tree = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(tree | change))
    with pytest.raises(BadModel, match=message):
        read_scorer(folder)


def test_folders_that_are_no_models(tmp_path):
    with pytest.raises(BadModel, match="no such folder"):
        read_scorer(tmp_path / "none")
    with pytest.raises(BadModel, match=r"holds no card\.json"):
        read_scorer(tmp_path)
    (tmp_path / "card.json").write_text("{")
    with pytest.raises(BadModel, match="no JSON"):
        read_scorer(tmp_path)
