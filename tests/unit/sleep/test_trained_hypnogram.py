"""A session's own features scored by a trained scorer."""

from __future__ import annotations

import numpy as np
import pytest

from wakeful.model.epochs import SleepFeatures, State
from wakeful.model.errors import BadParameters
from wakeful.sleep.agreement import compute_agreement
from wakeful.sleep.boosted_trees import TreeParams
from wakeful.sleep.feature_table import Labels
from wakeful.sleep.trained import NamedScorer
from wakeful.sleep.trained_hypnogram import score_features, table_of
from wakeful.sleep.training import TrainParams, train_scorer

STATES = (State.AWAKE, State.NREM, State.REM)


def make_features(seed: int, n: int = 900) -> tuple[SleepFeatures, np.ndarray]:
    """Bouts of three states, three features that tell them apart, and a hole in time."""
    rng = np.random.default_rng(seed)
    bouts = rng.integers(5, 40, n)
    which = np.repeat(np.tile([0, 1, 2], n)[: len(bouts)], bouts)[:n]
    centres = np.array([[0.0, 0.0, 2.0], [2.5, 0.0, 0.0], [0.0, 2.5, 0.0]])
    values = centres[which] + rng.normal(size=(n, 3))
    values[n // 3] = np.nan
    start_s = 4.0 * np.arange(n)
    start_s[n // 2 :] += 100.0
    features = SleepFeatures(
        start_s=start_s,
        values=values.astype(np.float32),
        names=("delta", "theta", "emg"),
        units=("", "", ""),
        groups=("spectrum",) * 3,
        regions=("CA1",),
        channels=(("CSC1",),),
        epoch_s=4.0,
    )
    return features, which


def train(names: tuple[str, ...]) -> NamedScorer:
    features, which = make_features(0)
    params = TrainParams(trees=TreeParams(n_rounds=30), n_folds=3)
    training = train_scorer(table_of(features, "M1"), Labels(states=names, state=which), params)
    return NamedScorer(scorer=training.scorer, name="ours (semi-markov), model 0123")


def test_a_hole_in_time_begins_a_stretch() -> None:
    table = table_of(make_features(0)[0])
    assert np.flatnonzero(table.starts).tolist() == [0, 450]


def test_states_come_back_as_a_hypnogram() -> None:
    model = train(("awake", "NREM", "REM"))
    features, which = make_features(1)
    hypnogram = score_features(features, model)
    truth = np.array([int(s) for s in STATES], np.int8)[which]
    truth[300] = State.NO_DATA
    assert hypnogram.state[300] == hypnogram.raw_state[300] == State.NO_DATA
    assert np.isnan(hypnogram.confidence[300])
    assert compute_agreement(truth, hypnogram.state).kappa > 0.9
    assert hypnogram.scorer == "ours (semi-markov), model 0123"
    known = hypnogram.state != State.NO_DATA
    np.testing.assert_allclose(hypnogram.probability[known].sum(axis=1), 1, atol=1e-5)
    assert np.isnan(hypnogram.probability[300]).all()
    sure = np.isin(hypnogram.state, STATES)
    likeliest = np.array(STATES, np.int8)[np.nan_to_num(hypnogram.probability).argmax(axis=1)]
    np.testing.assert_array_equal(likeliest[sure], hypnogram.state[sure])
    np.testing.assert_array_equal(hypnogram.doubt != 0, hypnogram.state == State.UNCLASSIFIED)
    assert compute_agreement(truth, hypnogram.provisional).kappa > 0.7
    assert 0 < hypnogram.provisional_gap < 0.2
    assert hypnogram.signals == ("emg", "other features")
    # Epoch by epoch it is worse: what decoding changed stays to be seen.
    raw = compute_agreement(truth, hypnogram.raw_state).kappa
    assert raw < compute_agreement(truth, hypnogram.state).kappa


def test_a_state_that_the_scorer_does_not_know_has_no_probability() -> None:
    features, which = make_features(0)
    params = TrainParams(trees=TreeParams(n_rounds=10), n_folds=3)
    labels = Labels(states=("awake", "NREM"), state=np.minimum(which, 1))
    training = train_scorer(table_of(features, "M1"), labels, params)
    found = score_features(features, NamedScorer(scorer=training.scorer, name="two"))
    assert np.isnan(found.probability[:, 2]).all()
    assert np.isfinite(found.probability[found.state != State.NO_DATA][:, :2]).all()


def test_what_does_not_fit_is_refused() -> None:
    features, _ = make_features(1)
    with pytest.raises(BadParameters, match="resting"):
        score_features(features, train(("resting", "NREM", "REM")))
