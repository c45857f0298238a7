"""Tables of a comparison of scorers."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from wakeful.model.epochs import Hypnogram
from wakeful.model.subject import Session, Subject
from wakeful.publish.scorer_page import comparison_report
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


def test_bouts_are_held_against_each_other_over_animals() -> None:
    animals = [make("M1", 2), make("M22", 2), make("M333", 2)]
    found = {r["state"]: r for r in rows(comparison_files(animals)["bland_altman_bouts.csv"])}
    bouts = np.array([a.n_bouts[1] - a.n_bouts[0] for a in animals])[:, 2]
    assert found["NREM"]["n_animals"] == "3"
    assert float(found["NREM"]["bias_bouts"]) == pytest.approx(bouts.mean(), abs=1e-6)
    half = 1.96 * bouts.std(ddof=1)
    assert float(found["NREM"]["upper_bouts"]) == pytest.approx(bouts.mean() + half, abs=1e-5)


def test_a_page_to_read_needs_no_other_file() -> None:
    one, two = make("M<1>", 2), make("M22", 2)
    sessions = [
        Session(name="", subject=Subject(identifier=c.subject), start_utc=None, duration_s=7200.0)
        for c in (one, two)
    ]
    files = comparison_report([one, two], sessions, ["s1: 3 stretches are unclassified"])
    page = files["report.html"].decode()
    assert "M&lt;1&gt;" in page
    assert "M<1>" not in page
    assert page.count("data:image/png;base64,") == 3
    assert f"{one.pairs[0].agreement.kappa:.3f}" in page
    assert f"{one.minutes[1, 2]:,.1f}" in page
    assert "mean of 2" in page
    assert "s1: 3 stretches are unclassified" in page
    assert {"animals.png", "M_1__scorers.png", "M22_scorers.png"} <= set(files)
    # Nothing is said over animals of one animal.
    alone = comparison_report([two], sessions[1:])
    assert "animals.png" not in alone
    assert "Bland-Altman over animals" not in alone["report.html"].decode()


def test_the_same_as_json() -> None:
    found = comparison_json([make("M1", 2)])
    json.dumps(found, allow_nan=False)
    assert found["animals"][0]["fleiss_kappa"] is None
    assert found["agreement"][0]["rem_f1"] is None
