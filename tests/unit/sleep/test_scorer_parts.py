"""Context, folds, calibration, discriminant, rules, words: the parts of a trained scorer."""

from __future__ import annotations

import numpy as np
import pytest

from wakeful.model.errors import BadParameters
from wakeful.sleep.calibration import compute_calibration_error, fit_pool, keep_as_is
from wakeful.sleep.context import Context, add_context, find_logarithmic, name_columns
from wakeful.sleep.discriminant import fit_discriminant
from wakeful.sleep.evaluation import compute_score
from wakeful.sleep.feature_table import FeatureTable
from wakeful.sleep.folds import find_trainable, make_folds
from wakeful.sleep.label_words import parse_mapping, read_labels
from wakeful.sleep.smoothing_rules import smooth_by_rules


def table_of(values, **more) -> FeatureTable:
    names = [f"f{i}" for i in range(values.shape[1])]
    return FeatureTable.make(names, values, epoch_s=4.0, **more)


def test_neighbours_stand_beside_and_stop_at_holes():
    values = np.arange(6.0)[:, None]
    starts = np.array([True, False, False, True, False, False])
    context = Context(lags=(1,), windows=(1,))
    found = add_context(values, starts, context)
    assert name_columns(("x",), context) == (
        "x",
        "x, 1 before",
        "x, 1 after",
        "x, mean of 1 around",
    )
    nan = np.nan
    np.testing.assert_allclose(found[:, 1], [nan, 0, 1, nan, 3, 4])
    np.testing.assert_allclose(found[:, 2], [1, 2, nan, 4, 5, nan])
    np.testing.assert_allclose(found[:, 3], [0.5, 1, 1.5, 3.5, 4, 4.5])


def test_causal_context_never_looks_ahead():
    rng = np.random.default_rng(0)
    values, starts = rng.normal(size=(50, 3)), np.zeros(50, bool)
    starts[0] = True
    context = Context(lags=(1, 3), windows=(4,), causal=True)
    before = add_context(values, starts, context)
    values[30:] += 100
    np.testing.assert_allclose(add_context(values, starts, context)[:30], before[:30])
    assert before.shape[1] == len(name_columns(("a", "b", "c"), context))


def test_missing_neighbours_stay_missing_and_means_pass_over_them():
    values = np.array([[1.0], [np.nan], [5.0], [np.nan], [np.nan], [np.nan], [9.0]])
    starts = np.zeros(7, bool)
    starts[0] = True
    found = add_context(values, starts, Context(lags=(1,), windows=(1,)))
    np.testing.assert_allclose(found[:, 3], [1, 3, 5, 5, np.nan, 9, 9])
    assert np.isnan(found[2, 1])


def test_powers_are_taken_as_logarithms_and_ratios_are_not():
    rng = np.random.default_rng(1)
    columns = np.c_[np.exp(rng.normal(0, 1, 500)), rng.normal(0, 1, 500), rng.uniform(0, 1, 500)]
    assert find_logarithmic(columns).tolist() == [True, False, False]


def test_folds_hold_out_blocks_of_all_hours_and_their_neighbours():
    table = table_of(np.zeros((2000, 1)))
    known = np.ones(2000, bool)
    fold = make_folds(table, known, n_folds=5)
    assert np.bincount(fold).tolist() == [400] * 5
    # Each fold has blocks in both halves.
    assert set(fold[:1000]) == set(fold[1000:]) == set(range(5))
    rows = find_trainable(fold, table.starts, 2, reach_epochs=3)
    inside = np.flatnonzero(fold == 2)
    near = np.abs(np.flatnonzero(rows)[:, None] - inside[None, :]).min(axis=1)
    assert near.min() == 7


def test_groups_are_never_parted():
    group = np.repeat(["a", "b", "c", "d", "e", "f", "g"], [10, 20, 30, 40, 50, 60, 70])
    table = table_of(np.zeros((280, 1)), subject=group, group=group)
    fold = make_folds(table, np.ones(280, bool), n_folds=3)
    for name in np.unique(group):
        assert len(set(fold[group == name])) == 1
    assert np.bincount(fold).min() > 80


def test_overconfident_probabilities_are_put_right():
    rng = np.random.default_rng(2)
    logit = rng.normal(0, 1.5, (20_000, 3))
    p = np.exp(logit)
    p /= p.sum(axis=1, keepdims=True)
    state = (p.cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1)
    bold = p**3
    bold /= bold.sum(axis=1, keepdims=True)
    assert compute_calibration_error(p, state) < 0.02
    assert compute_calibration_error(bold, state) > 0.1
    pool = fit_pool([bold[:10_000]], state[:10_000])
    assert pool.weights[0] == pytest.approx(1 / 3, abs=0.03)
    assert compute_calibration_error(pool.apply([bold[10_000:]]), state[10_000:]) < 0.02


def test_a_pool_leaves_out_a_source_that_knows_nothing():
    rng = np.random.default_rng(3)
    state = rng.integers(0, 3, 5000)
    good = np.full((5000, 3), 0.1) + 0.7 * np.eye(3)[state]
    flip = rng.random(5000) < 0.2
    good[flip] = good[flip][:, [1, 2, 0]]
    noise = rng.dirichlet([1, 1, 1], 5000)
    pool = fit_pool([good, noise], state)
    assert pool.weights[0] > 0.8
    assert 0 <= pool.weights[1] < 0.05
    np.testing.assert_allclose(pool.apply([good, noise]).sum(axis=1), 1)


def test_the_pool_that_changes_nothing():
    p = np.random.default_rng(4).dirichlet([1, 1, 1], 50)
    np.testing.assert_allclose(keep_as_is(1, 3).apply([p]), p, atol=1e-6)
    with pytest.raises(BadParameters, match="2 sources for 1 weight"):
        keep_as_is(1, 3).apply([p, p])


def test_calibration_error_by_hand():
    posterior = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.7, 0.3]])
    state = np.array([0, 1, 1, 0])
    # Bins: 0.9 twice, right once; 0.6 right; 0.7 right.
    expected = (abs(1.8 - 1) + abs(0.6 - 1) + abs(0.7 - 1)) / 4
    assert compute_calibration_error(posterior, state) == pytest.approx(expected)


def test_the_discriminant_equals_scikit_learn_s():
    sklearn = pytest.importorskip("sklearn.discriminant_analysis")
    rng = np.random.default_rng(5)
    state = rng.integers(0, 3, 3000)
    mix = rng.normal(size=(4, 4))
    columns = rng.normal(size=(3000, 4)) @ mix + rng.normal(size=(3, 4))[state]
    ours = fit_discriminant(columns, state, n_states=3).predict(columns)
    theirs = (
        sklearn.LinearDiscriminantAnalysis(solver="lsqr").fit(columns, state).predict_proba(columns)
    )
    assert np.abs(ours - theirs).max() < 0.03
    columns[0, 2] = np.nan
    assert np.isfinite(fit_discriminant(columns, state, n_states=3).predict(columns)).all()


def test_rules_of_the_labs():
    states = np.array([0, 0, 1, 0, 0, 2, 2, 1, 1, 2, 2, 1])
    starts = np.zeros(12, bool)
    smoothed = smooth_by_rules(states, starts, awake=0, rem=2)
    # A single epoch goes; REM out of wakefulness goes; REM out of NREM stays.
    assert smoothed.tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 1]
    starts[3] = True
    kept = smooth_by_rules(states, starts, awake=0, rem=2)
    assert kept[2] == 1


def test_bouts_and_minutes_by_hand():
    truth = np.array([0, 0, 1, 1, 0, -1, 0, 2])
    state = np.array([0, 0, 0, 0, 0, 0, 0, 2])
    posterior = np.eye(3)[state]
    score = compute_score(truth, state, posterior, np.zeros(8, bool), ("a", "b", "c"))
    assert score.n_epochs == 7
    assert score.accuracy == pytest.approx(5 / 7)
    assert score.minutes_bias == {"a": pytest.approx(0.5), "b": -1.0, "c": 0.0}
    # Labelled: a b a | a c; scored: a | a c.
    assert score.bouts_bias == pytest.approx(3 / 5 - 1)
    # Unclassified epochs are no bouts and end none; a break does.
    unsure = np.array([0, -1, 0, 0, 0, 0, -1, 2])
    assert compute_score(
        truth, unsure, posterior, np.zeros(8, bool), ("a", "b", "c")
    ).bouts_bias == pytest.approx(2 / 5 - 1)
    broken = np.arange(8) == 2
    assert compute_score(
        truth, state, posterior, broken, ("a", "b", "c")
    ).bouts_bias == pytest.approx(4 / 5 - 1)


def test_kappa_equals_scikit_learn_s():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(6)
    truth = rng.integers(0, 3, 500)
    state = np.where(rng.random(500) < 0.7, truth, rng.integers(0, 3, 500))
    score = compute_score(truth, state, np.eye(3)[state], np.zeros(500, bool), ("a", "b", "c"))
    assert score.kappa == pytest.approx(metrics.cohen_kappa_score(truth, state))
    assert list(score.f1.values()) == pytest.approx(
        metrics.f1_score(truth, state, average=None).tolist()
    )


def test_common_words_are_known_and_marks_are_left_out():
    labels, used, notes = read_labels(["W", "NR", "R", "W*", "", "wake"])
    assert labels.states == ("awake", "NREM", "REM")
    assert labels.state.tolist() == [0, 1, 2, -1, -1, 0]
    assert used == {"W": "awake", "NR": "NREM", "R": "REM", "wake": "awake"}
    assert "W* (1 epochs)" in notes[0]
    assert "1 epochs have no label" in notes[1]


def test_numbers_are_states_of_their_own_without_a_map():
    labels, _, _ = read_labels(["1", "2", "1", "3"])
    assert labels.states == ("1", "2", "3")
    labels, _, notes = read_labels(["1", "2", "1", "3"], parse_mapping("1=awake, 2=NREM"))
    assert labels.states == ("awake", "NREM")
    assert labels.state.tolist() == [0, 1, 0, -1]
    assert "3 (1 epochs)" in notes[0]


def test_maps_that_can_not_be_read():
    with pytest.raises(BadParameters, match=r"'W' is not LABEL=STATE; R is given twice"):
        parse_mapping("W,R=REM,R=awake")
    with pytest.raises(BadParameters, match=r"no epoch is labelled X; .*labels are W \(2\)"):
        read_labels(["W", "W"], {"X": "awake"})
    with pytest.raises(BadParameters, match="no label"):
        read_labels(["", ""])
    with pytest.raises(BadParameters, match="30 different labels"):
        read_labels([str(i) for i in range(30)])


def test_tables_that_do_not_fit_say_all_that_is_wrong():
    with pytest.raises(BadParameters, match=r"called a.*`group` has no entry"):
        FeatureTable.make(("a", "a"), np.zeros((3, 2)), epoch_s=4.0, group=np.array(["x"]))
    with pytest.raises(BadParameters, match="an epoch of 0 s"):
        FeatureTable.make(("a",), np.zeros((3, 1)), epoch_s=0)
