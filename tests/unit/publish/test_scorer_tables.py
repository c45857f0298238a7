"""Tables of a comparison of scorers."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from wakeful.model.epochs import Hypnogram
from wakeful.publish.scorer_tables import comparison_files, comparison_json
from wakeful.sleep.scorers import Comparison, compare_scorers


def make(subject: str, n_scorers: int) -> Comparison:
    rng = np.random.default_rng(len(subject))
    truth = np.repeat(rng.choice([0, 2], 60), 30)
    hypnograms = {}
    for i in range(n_scorers):
        state = np.where(rng.random(len(truth)) < 0.1, 2, truth).astype(np.int8)
        hypnograms[f"s{i}"] = Hypnogram(
            start_s=np.arange(len(state)) * 4.0,
            raw_state=state,
            state=state,
            confidence=np.ones(len(state), np.float32),
            epoch_s=4.0,
            scorer="s",
        )
    return compare_scorers(hypnograms, subject)


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def test_the_tables_hold_what_was_computed() -> None:
    one, two = make("M1", 3), make("M22", 2)
    files = comparison_files([one, two])
    agreement = rows(files["agreement.csv"])
    assert [(r["subject"], r["reference"], r["scorer"]) for r in agreement] == [
        ("M1", "s0", "s1"),
        ("M1", "s0", "s2"),
        ("M1", "s1", "s2"),
        ("M1", "consensus", "s0"),
        ("M1", "consensus", "s1"),
        ("M1", "consensus", "s2"),
        ("M22", "s0", "s1"),
    ]
    assert float(agreement[0]["kappa"]) == pytest.approx(one.pairs[0].agreement.kappa, abs=1e-6)
    assert agreement[0]["rem_f1"] == ""  # nobody has REM: not 0
    assert agreement[3]["near_transition"] == ""
    confusion = [r for r in rows(files["confusion.csv"]) if r["subject"] == "M22"]
    assert sum(int(r["n_epochs"]) for r in confusion) == 1800
    scorers = rows(files["scorers.csv"])
    assert float(scorers[0]["awake_min"]) == pytest.approx(one.minutes[0, 0], abs=1e-3)
    assert int(scorers[4]["nrem_bouts"]) == two.n_bouts[1, 2]
    altman = [
        r for r in rows(files["bland_altman.csv"]) if (r["first"], r["second"]) == ("s0", "s1")
    ]
    assert {r["per"]: r["n"] for r in altman} == {"animal": "2", "hour": "4"}


def test_the_same_as_json() -> None:
    found = comparison_json([make("M1", 2)])
    json.dumps(found, allow_nan=False)
    assert found["animals"][0]["fleiss_kappa"] is None
    assert found["agreement"][0]["rem_f1"] is None
