from __future__ import annotations

import numpy as np
import pytest

from wakeful.model.epochs import State
from wakeful.model.errors import BadParameters, Unavailable
from wakeful.sleep.agreement import LABELS, compute_agreement

A, U, N, R, X = 0, 1, 2, 3, -1


def test_by_hand() -> None:
    reference = np.array([A, A, A, A, N, N, N, R, R, X])
    scored = np.array([A, A, N, U, N, N, N, R, A, A])
    found = compute_agreement(reference, scored)
    assert found.n_epochs == 9
    assert found.accuracy == pytest.approx(6 / 9)
    assert found.coverage == pytest.approx(8 / 9)
    expected = (4 * 3 + 3 * 4 + 2 * 1) / 81
    assert found.kappa == pytest.approx((6 / 9 - expected) / (1 - expected))
    assert found.f1[State.AWAKE] == pytest.approx(2 * 2 / (4 + 3))
    assert found.f1[State.NREM] == pytest.approx(2 * 3 / (3 + 4))
    assert found.f1[State.REM] == pytest.approx(2 * 1 / (2 + 1))
    assert found.confusion.tolist() == [[2, 1, 1, 0], [0, 0, 0, 0], [0, 0, 3, 0], [1, 0, 0, 1]]


@pytest.mark.parametrize("seed", range(5))
def test_equals_scikit_learn(seed: int) -> None:
    from sklearn.metrics import cohen_kappa_score, confusion_matrix, f1_score

    rng = np.random.default_rng(seed)
    reference = rng.choice([A, N, R], 500, p=[0.5, 0.4, 0.1])
    wrong = rng.random(500) < 0.3
    scored = np.where(wrong, rng.choice([A, U, N, R], 500), reference)
    found = compute_agreement(reference, scored)
    labels = [int(s) for s in LABELS]
    assert found.kappa == pytest.approx(cohen_kappa_score(reference, scored, labels=labels))
    assert np.array_equal(found.confusion, confusion_matrix(reference, scored, labels=labels))
    assert [found.f1[s] for s in (State.AWAKE, State.NREM, State.REM)] == pytest.approx(
        f1_score(reference, scored, labels=[A, N, R], average=None).tolist()
    )


def test_abstaining_on_both_sides_is_no_agreement() -> None:
    reference = np.array([A, N, U, U])
    found = compute_agreement(reference, reference)
    assert found.accuracy == 0.5
    assert found.kappa < 1


def test_epochs_without_data_change_nothing() -> None:
    reference, scored = np.array([A, N, N, R, A]), np.array([A, N, A, R, U])
    padded = compute_agreement(np.r_[reference, X, A], np.r_[scored, N, X])
    plain = compute_agreement(reference, scored)
    assert padded.kappa == plain.kappa
    assert padded.n_epochs == plain.n_epochs


def test_a_state_on_neither_side_has_no_f1() -> None:
    found = compute_agreement(np.array([A, N]), np.array([A, N]))
    assert np.isnan(found.f1[State.REM])
    assert found.kappa == 1.0


def test_one_state_throughout_says_nothing_beyond_chance() -> None:
    assert np.isnan(compute_agreement(np.array([A, A]), np.array([A, A])).kappa)


def test_nothing_to_compare() -> None:
    with pytest.raises(Unavailable, match="no epoch has data"):
        compute_agreement(np.array([X, A]), np.array([A, X]))


def test_bad_input() -> None:
    with pytest.raises(BadParameters, match="shapes"):
        compute_agreement(np.array([A, N]), np.array([A]))
    with pytest.raises(BadParameters, match="7 is not a state"):
        compute_agreement(np.array([A, N]), np.array([A, 7]))
