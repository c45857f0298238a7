"""How good few labels are: which are drawn, what is compared, what is said where they lack."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakeful.model.errors import BadParameters
from wakeful.sleep.feature_table import FeatureTable, Labels
from wakeful.sleep.label_curve import CurveParams, compute_label_curve, draw_stretches
from wakeful.sleep.trained_kinds import Kind
from wakeful.sleep.training import TrainParams, train_scorer

QUICK = TrainParams(kind=Kind.TREES, n_folds=2)


def make(n_epochs: int = 900, seed: int = 0) -> tuple[FeatureTable, Labels]:
    """Bouts of three states in three features."""
    rng = np.random.default_rng(seed)
    state: list[int] = []
    while len(state) < n_epochs:
        state += [int(rng.integers(3))] * int(rng.integers(5, 25))
    truth = np.array(state[:n_epochs])
    values = np.eye(3)[truth] * 4 + rng.normal(0, 1, (n_epochs, 3))
    table = FeatureTable.make(("a", "b", "c"), values, epoch_s=4.0)
    return table, Labels(states=("awake", "NREM", "REM"), state=truth)


@given(
    n_epochs=st.integers(1, 200),
    stretch_min=st.floats(0.1, 20),
    holes=st.lists(st.integers(1, 399), max_size=5),
    seed=st.integers(0, 5),
)
def test_as_many_labels_are_drawn_as_asked_for_each_once(n_epochs, stretch_min, holes, seed):
    starts = np.zeros(400, np.bool_)
    starts[holes] = True
    table = FeatureTable.make(("a",), np.ones((400, 1)), epoch_s=4.0, starts=starts)
    known = np.flatnonzero(np.arange(400) % 7 > 0)
    rng = np.random.default_rng(seed)
    chosen = draw_stretches(table, known, n_epochs, stretch_min, rng)
    assert len(chosen) == n_epochs
    assert (np.diff(chosen) > 0).all()
    assert np.isin(chosen, known).all()


def test_draws_are_stretches_and_reach_everywhere():
    table, _ = make()
    rng = np.random.default_rng(1)
    times_drawn = np.zeros(table.n_epochs)
    for _ in range(200):
        chosen = draw_stretches(table, np.arange(table.n_epochs), 150, 5.0, rng)
        # Two stretches of 75 epochs, or some cut short by where the table begins and ends.
        assert (np.diff(chosen) > 1).sum() <= 3
        times_drawn[chosen] += 1
    # Each epoch is as likely as any other: 150 of 900, 200 times.
    assert times_drawn.mean() == pytest.approx(200 / 6)
    assert times_drawn.min() > 15
    assert times_drawn.max() < 60


def test_more_labels_are_better_and_the_same_each_time():
    table, labels = make(n_epochs=1500)
    whole = train_scorer(table, labels, QUICK).evaluation.overall
    params = CurveParams(minutes=(10.0, 40.0, 60.0), n_draws=2, stretch_min=2.0)
    told: list[float] = []
    curve = compute_label_curve(table, labels, whole, QUICK, params, told.append)
    few, more, too_many = curve.points
    assert np.median([s.kappa for s in few.scores]) < np.median([s.kappa for s in more.scores])
    assert all(0.5 < s.kappa < 1 for s in more.scores)
    # What was drawn is not compared, nor are its neighbours.
    assert all(s.n_epochs <= 1500 - 600 for s in more.scores)
    assert "fewer than twice" in too_many.reason
    assert not too_many.draws
    assert told[-1] == pytest.approx(4 / 6)
    again = compute_label_curve(table, labels, whole, QUICK, CurveParams(
        minutes=(10.0,), n_draws=2, stretch_min=2.0
    ))  # fmt: skip
    assert [s.kappa for s in again.points[0].scores] == [s.kappa for s in few.scores]


def test_a_state_that_a_draw_lacks_is_counted_and_costs():
    table, labels = make()
    rare = np.where(labels.state == 2, 0, labels.state)
    rare[600:604] = 2
    scarce = Labels(states=labels.states, state=rare)
    whole = train_scorer(table, labels, QUICK).evaluation.overall
    params = CurveParams(minutes=(10.0,), n_draws=2)
    (point,) = compute_label_curve(table, scarce, whole, QUICK, params).points
    assert point.n_unlearned("REM") == 2
    assert all(score.f1["REM"] == 0 for score in point.scores if score.n_per_state["REM"])
    one_state = Labels(states=labels.states, state=np.zeros(900, np.int64))
    (point,) = compute_label_curve(table, one_state, whole, QUICK, params).points
    assert not point.scores
    assert "only awake" in point.draws[0].reason
    assert point.n_unlearned("NREM") == 2


def test_ten_minutes_with_hardly_any_rem_are_refused_with_what_to_do():
    table, labels = make()
    few = np.full(900, -1)
    few[:150] = np.where(labels.state[:150] == 2, 0, labels.state[:150])
    few[10:14] = 2
    with pytest.raises(BadParameters, match=r"too few epochs of REM \(4\); 5 are the least"):
        train_scorer(table, Labels(states=labels.states, state=few), QUICK)


def test_what_can_not_be_tried_is_said():
    with pytest.raises(BadParameters, match=r"minutes.*n_draws.*stretch_min"):
        CurveParams(minutes=(), n_draws=0, stretch_min=0)
