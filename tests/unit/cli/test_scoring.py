"""train sleep and score sleep, as a person or a script calls them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from wakeful.cli import app
from wakeful.figures import read_key
from wakeful.model.errors import BadModel, BadParameters, BadTable, Unavailable

runner = CliRunner()


def call(*arguments: object):
    result = runner.invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def write_table(path: Path, n_bouts: int, seed: int, *, gain: float = 1.0, hole: bool = False):
    """Bouts of three states with three features; typed labels; returns the labels."""
    rng = np.random.default_rng(seed)
    states, last = [], 0
    for _ in range(n_bouts):
        states += [last] * int(rng.integers(6, 30))
        last = int(rng.choice([s for s in range(3) if s != last]))
    levels = np.array([[5.0, 4.6, 3.6], [6.3, 5.0, 2.6], [4.4, 5.9, 2.0]])[states]
    values = gain * np.exp(levels + rng.normal(0, 0.3, levels.shape))
    words = [("W", "NR", "R")[s] for s in states]
    words[10] = "W*"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "start_s", "stage", "delta", "theta", "emg"])
        for i, (word, row) in enumerate(zip(words, values, strict=True)):
            start = 4.0 * i + (600 if hole and i >= 100 else 0)
            writer.writerow([i, start, word, *(f"{v:.5f}" for v in row)])
    return words


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scorers")
    write_table(folder / "train.csv", 40, 0)
    done = call(
        "train", "sleep", folder / "train.csv", "--labels", "stage", "-o", folder / "model",
        "--licence", "CC0-1.0",
    )  # fmt: skip
    return folder, done.output


def test_training_prints_how_good_it_is_and_where_it_lies(place):
    folder, output = place
    flat = " ".join(output.split())
    assert "Cohen's kappa" in flat
    assert "calibration error" in flat
    assert "W* (1 epochs)" in flat
    assert "next: wakeful score sleep TABLE --model" in flat
    card = json.loads((folder / "model" / "card.json").read_text())
    assert card["states"] == ["awake", "NREM", "REM"]
    assert card["features"] == ["delta", "theta", "emg"]
    assert card["licence"] == "CC0-1.0"
    assert card["label_map"] == {"W": "awake", "NR": "NREM", "R": "REM"}
    assert len(card["files"][0]["sha256"]) == 64
    assert card["evaluation"]["overall"]["kappa"] > 0.9
    assert card["versions"]["xgboost"]


def test_scoring_writes_a_row_an_epoch_and_compares(place):
    folder, _ = place
    words = write_table(folder / "new.csv", 30, 1, hole=True)
    output = call(
        "score", "sleep", folder / "new.csv", "--model", folder / "model", "--labels", "stage",
        "-o", folder / "new_scores.csv",
    ).output  # fmt: skip
    assert "Cohen's kappa with the labels" in " ".join(output.split())
    with (folder / "new_scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(words)
    assert rows[150]["start_s"] == "1200.0"
    names = {"W": "awake", "NR": "NREM", "R": "REM"}
    right = [row["state"] == names.get(word) for row, word in zip(rows, words, strict=True)]
    assert np.mean(right) > 0.95
    total = [sum(float(row[f"p_{s}"]) for s in names.values()) for row in rows]
    assert total == pytest.approx([1] * len(rows), abs=2e-4)
    assert {"raw_state", "provisional_state", "confidence"} <= set(rows[0])


def test_programs_get_json(place, tmp_path):
    folder, _ = place
    write_table(tmp_path / "t.csv", 40, 2)
    tree = json.loads(
        call(
            "train",
            "sleep",
            tmp_path / "t.csv",
            "--labels",
            "stage",
            "--scorer",
            "trees",
            "-o",
            tmp_path / "m",
            "--curve",
            "--json",
        ).output
    )
    assert tree["scorer"] == "trees"
    assert tree["evaluation"]["kappa_least"] <= tree["evaluation"]["overall"]["kappa"]
    assert [point["minutes"] for point in tree["curve"]] == [10, 30, 60, 120]
    assert len(tree["curve"][0]["kappa"]) >= 1
    assert "fewer than twice" in tree["curve"][3]["reason"]
    assert read_key(tmp_path / "m_curve.png") == tree["content_hash"]
    with (tmp_path / "m_curve.csv").open() as file:
        drawn = list(csv.DictReader(file))
    assert [float(r["kappa"]) for r in drawn if r["minutes"] == "10" and r["kappa"]] == (
        pytest.approx(tree["curve"][0]["kappa"], abs=1e-4)
    )
    assert len([r for r in drawn if r["minutes"] == "10"]) == tree["curve"][0]["n_draws"] == 8
    scored = json.loads(
        call(
            "score",
            "sleep",
            tmp_path / "t.csv",
            "--model",
            folder / "model",
            "-o",
            tmp_path / "s.csv",
            "--json",
        ).output
    )
    assert sum(scored["minutes"].values()) == pytest.approx(scored["n_epochs"] * 4 / 60, abs=0.01)
    assert scored["agreement"] is None


def test_an_animal_unlike_the_training_set_is_refused(place, tmp_path):
    folder, _ = place
    write_table(tmp_path / "odd.csv", 20, 3, gain=50)
    arguments = ("score", "sleep", tmp_path / "odd.csv", "--model", folder / "model")
    with pytest.raises(Unavailable, match=r"unlike the training set.*lies above.*--anyway"):
        call(*arguments, "-o", tmp_path / "s.csv")
    assert not (tmp_path / "s.csv").exists()
    assert "scored all the same" in call(*arguments, "-o", tmp_path / "s.csv", "--anyway").output


def test_what_can_not_be_done_is_said(place, tmp_path):
    folder, _ = place
    train = ("train", "sleep", folder / "train.csv")
    with pytest.raises(BadTable, match=r"no column Stage.*did you mean stage"):
        call(*train, "--labels", "Stage", "-o", tmp_path / "m")
    with pytest.raises(Unavailable, match="only awake"):
        call(*train, "--labels", "stage", "--map", "W=awake", "-o", tmp_path / "m")
    with pytest.raises(BadParameters, match="not LABEL=STATE"):
        call(*train, "--labels", "stage", "--map", "W", "-o", tmp_path / "m")
    with pytest.raises(BadParameters, match="is there already"):
        call(*train, "--labels", "stage", "-o", folder / "model")
    assert not (tmp_path / "m").exists()
    score = ("score", "sleep", folder / "train.csv", "-o", tmp_path / "s.csv")
    with pytest.raises(BadModel, match="no such folder"):
        call(*score, "--model", tmp_path / "m")
    (tmp_path / "none.csv").write_text("start_s,x\n0,1\n4,2\n")
    with pytest.raises(BadTable, match="none of the features"):
        call(*score[:2], tmp_path / "none.csv", *score[3:], "--model", folder / "model")
    (tmp_path / "few.csv").write_text("start_s,delta,emg\n0,1,2\n4,2,3\n8,3,1\n")
    with pytest.raises(BadParameters, match=r"1 of the 3 features .* missing: theta"):
        call("score", "sleep", tmp_path / "few.csv", "--model", folder / "model", "-o",
             tmp_path / "s.csv")  # fmt: skip
    (tmp_path / "s.csv").write_text("mine")
    with pytest.raises(BadParameters, match="is there already"):
        call(*score, "--model", folder / "model")
    assert (tmp_path / "s.csv").read_text() == "mine"
