"""Scorers side by side, against scikit-learn and against textbooks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wakeful.io.scores import read_scores
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadParameters, Unavailable
from wakeful.sleep.agreement import LABELS, compute_agreement
from wakeful.sleep.hand_scores import make_hypnogram
from wakeful.sleep.scorers import (
    SCORED,
    Comparison,
    beside_transitions,
    compare_scorers,
    compute_bland_altman,
    compute_consensus,
    compute_fleiss_kappa,
    differences_of,
    minutes_per_hour,
)

A, U, N, R, X = 0, 1, 2, 3, -1


def hypnogram(states: list[int] | np.ndarray, first: int = 0, epoch_s: float = 4.0) -> Hypnogram:
    state = np.asarray(states, np.int8)
    return Hypnogram(
        start_s=(first + np.arange(len(state))) * epoch_s,
        raw_state=state,
        state=state,
        confidence=np.ones(len(state), np.float32),
        epoch_s=epoch_s,
        scorer="s",
    )


def test_fleiss_kappa_of_the_textbook() -> None:
    """Fleiss 1971 as worked through in many places: 14 raters, 10 subjects, 5 categories."""
    counts = np.array(
        [
            [0, 0, 0, 0, 14],
            [0, 2, 6, 4, 2],
            [0, 0, 3, 5, 6],
            [0, 3, 9, 2, 0],
            [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0],
            [3, 2, 6, 3, 0],
            [2, 5, 3, 2, 2],
            [6, 5, 2, 1, 0],
            [0, 2, 2, 3, 7],
        ]
    )
    assert compute_fleiss_kappa(counts) == pytest.approx(0.210, abs=5e-4)


def test_fleiss_kappa_of_two_raters_is_scotts_pi() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.choice(3, 400), rng.choice(3, 400)
    b = np.where(rng.random(400) < 0.6, a, b)
    counts = np.stack([(a == k).astype(int) + (b == k) for k in range(3)], axis=1)
    observed = np.mean(a == b)
    expected = np.sum((np.bincount(np.r_[a, b], minlength=3) / 800) ** 2)
    assert compute_fleiss_kappa(counts) == pytest.approx((observed - expected) / (1 - expected))


def test_fleiss_kappa_refuses() -> None:
    with pytest.raises(BadParameters, match="2 to 3 raters"):
        compute_fleiss_kappa(np.array([[1, 1], [2, 1]]))
    with pytest.raises(Unavailable):
        compute_fleiss_kappa(np.empty((0, 3), int))
    assert np.isnan(compute_fleiss_kappa(np.array([[3, 0], [3, 0]])))


@pytest.mark.parametrize("seed", range(3))
def test_precision_and_recall_equal_scikit_learn(seed: int) -> None:
    from sklearn.metrics import accuracy_score, precision_score, recall_score

    rng = np.random.default_rng(seed)
    reference = rng.choice([A, N, R], 500, p=[0.5, 0.4, 0.1])
    scored = np.where(rng.random(500) < 0.3, rng.choice([A, U, N, R], 500), reference)
    found = compute_agreement(reference, scored)
    chosen = {"labels": [A, N, R], "average": None}
    for ours, theirs in ((found.precision, precision_score), (found.recall, recall_score)):
        assert [ours[s] for s in SCORED] == pytest.approx(
            theirs(reference, scored, **chosen).tolist()
        )
    assert found.accuracy == pytest.approx(accuracy_score(reference, scored))


def test_the_consensus_is_what_most_say() -> None:
    states = np.array(
        [[A, A, N, R, A, U, A], [A, N, N, A, A, U, X], [A, N, R, N, U, A, A]], np.int8
    )
    found = compute_consensus(states)
    assert found.state.tolist() == [A, N, N, U, A, U, X]
    assert found.n_epochs == 4
    assert found.unanimous == 0.25


def test_epochs_of_different_stretches_are_matched_by_their_start() -> None:
    found = compare_scorers({"one": hypnogram([A, A, N, N]), "two": hypnogram([A, N, R], first=1)})
    assert found.start_s.tolist() == [0, 4, 8, 12]
    assert found.states.tolist() == [[A, A, N, N], [X, A, N, R]]
    assert found.pairs[0].agreement.n_epochs == 3
    assert found.pairs[0].agreement.accuracy == pytest.approx(2 / 3)
    assert found.consensus is None
    assert found.n_bouts.tolist() == [[1, 0, 1, 0], [1, 0, 1, 1]]
    assert found.minutes[0].tolist() == pytest.approx([4 / 60, 0, 8 / 60, 0])


def test_disagreements_beside_transitions() -> None:
    one = [A] * 10 + [N] * 10
    two = [A] * 8 + [N] * 7 + [R] + [N] * 4
    (pair,) = compare_scorers({"one": hypnogram(one), "two": hypnogram(two)}).pairs
    assert pair.n_disagreements == 3
    assert pair.near_transition == pytest.approx(1 / 3)  # epoch 9; 8 and 15 are not
    assert pair.all_near_transition == pytest.approx(2 / 20)
    start_s = np.array([0.0, 4.0, 100.0, 104.0])
    # A hole is no transition.
    assert not beside_transitions(np.array([A, A, N, N], np.int8), start_s, 4.0, 1).any()


def test_what_cannot_be_compared() -> None:
    with pytest.raises(BadParameters, match="1 scorer"):
        compare_scorers({"one": hypnogram([A])})
    with pytest.raises(BadParameters, match="one 4 s, two 2 s"):
        compare_scorers({"one": hypnogram([A]), "two": hypnogram([A], epoch_s=2.0)})
    with pytest.raises(Unavailable, match="one and two have no epoch in common"):
        compare_scorers({"one": hypnogram([A, N]), "two": hypnogram([A], first=9)})


def test_bland_altman_by_hand() -> None:
    found = compute_bland_altman(np.array([1.0, 2.0, 3.0, np.nan]), np.array([2.0, 2.0, 5.0, 1.0]))
    assert (found.n, found.bias, found.sd) == (3, 1.0, 1.0)
    assert (found.lower, found.upper) == pytest.approx((1 - 1.96, 1 + 1.96))
    assert np.isnan(compute_bland_altman(np.array([1.0]), np.array([2.0])).sd)
    with pytest.raises(Unavailable):
        compute_bland_altman(np.array([np.nan]), np.array([2.0]))


def test_minutes_of_whole_hours_only() -> None:
    one = np.full(2000, A)
    two = one.copy()
    two[:90] = N
    found = compare_scorers({"one": hypnogram(one), "two": hypnogram(two)}, "M1")
    minutes = minutes_per_hour(found)
    assert minutes.shape == (2, 3, 4)
    assert minutes[1, 0].tolist() == [54, 0, 6, 0]
    assert np.isnan(minutes[:, 2]).all()  # 2,000 epochs are 2 h 13 min
    differences = differences_of([found], "one", "two")
    assert differences["animal"][State.NREM].bias == 6.0
    assert differences["hour"][State.NREM].n == 2
    assert differences["hour"][State.NREM].bias == 3.0
    with pytest.raises(Unavailable, match="three"):
        differences_of([found], "one", "three")


@pytest.fixture(scope="module")
def experts(real_data: Path) -> list[Comparison]:
    folder = real_data / "sleep" / "focolab_3scorers"
    return [
        compare_scorers(
            {
                scorer: make_hypnogram(read_scores(folder / f"{mouse}scores_{scorer}.txt"))
                for scorer in ("GS", "LJ", "NG")
            },
            mouse,
        )
        for mouse in ("335", "336", "347")
    ]


@pytest.mark.real_data
@pytest.mark.slow
def test_three_experts_equal_scikit_learn(experts: list[Comparison]) -> None:
    """Pairs and consensus of three mice, 24 h each, scored by three people."""
    from sklearn.metrics import cohen_kappa_score, confusion_matrix, f1_score

    labels = [int(s) for s in LABELS]
    kappas = []
    for found in experts:
        assert found.consensus is not None
        states = dict(zip(found.names, found.states, strict=True))
        compared = [(states[p.first], states[p.second], p.agreement) for p in found.pairs]
        for a, b, agreement in compared:
            assert agreement.kappa == pytest.approx(cohen_kappa_score(a, b), abs=1e-12)
            kappas.append(agreement.kappa)
        # The consensus abstains where three experts say three things, and it is the only one to.
        compared += [
            (found.consensus.state, row, agreement)
            for row, agreement in zip(found.states, found.consensus.agreements, strict=True)
        ]
        for a, b, agreement in compared:
            assert agreement.kappa == pytest.approx(
                cohen_kappa_score(a, b, labels=labels), abs=1e-12
            )
            assert np.array_equal(agreement.confusion, confusion_matrix(a, b, labels=labels))
            assert [agreement.f1[s] for s in SCORED] == pytest.approx(
                f1_score(a, b, labels=[A, N, R], average=None).tolist(), abs=1e-12
            )
        # Fleiss from pairs: with all epochs rated by all, observed agreement is the pairs' mean.
        observed = np.mean([p.agreement.accuracy for p in found.pairs])
        shares = np.array([np.mean(found.states == s) for s in (A, N, R)])
        expected = np.sum(shares**2)
        assert found.consensus.fleiss_kappa == pytest.approx((observed - expected) / (1 - expected))
    assert len(kappas) == 9
    assert 0.90 < np.mean(kappas) < 0.93
    assert min(kappas) > 0.90
