from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wakeful.model.epochs import State
from wakeful.sleep.features import Features, compute_features
from wakeful.sleep.markov import Gaussians
from wakeful.sleep.params import LabelFreeParams
from wakeful.sleep.seeds import Seeds, propose_seeds
from wakeful.sleep.state_model import DoesNotHold, fit_state_model, make_transition

PARAMS = LabelFreeParams()


@pytest.fixture(scope="module")
def start(day) -> tuple[Features, Seeds]:
    features = compute_features(day.band_power, day.muscle, artefact_sds=6.0)
    return features, propose_seeds(features, PARAMS)[0][0]


def test_fit_stays_at_the_planted_means(day, start) -> None:
    features, seeds = start
    model = fit_state_model(features, seeds, PARAMS)
    for mean, state in zip(model.gaussians.means, seeds.states, strict=True):
        np.testing.assert_allclose(mean, seeds.observed[day.state == state].mean(axis=0), atol=0.15)


def test_drift_is_taken_out(day, start) -> None:
    features, seeds = start
    slow = np.linspace(-0.4, 0.4, len(day.state))
    drifting = seeds.observed.copy()
    drifting[:, 1] += slow
    model = fit_state_model(features, replace(seeds, observed=drifting), PARAMS)
    left = (model.level - seeds.observed)[900:-900, 1]
    assert np.ptp(left) < 0.25
    # A ratio of one electrode's bands is left alone.
    np.testing.assert_array_equal(model.level[:, 2], seeds.observed[:, 2])


def test_rem_with_the_tone_of_waking_does_not_hold(start) -> None:
    features, seeds = start
    means = seeds.gaussians.means.copy()
    means[2] = means[0] + [0.0, -0.3, 0.3]
    wrong = Gaussians(means=means, covariances=seeds.gaussians.covariances)
    with pytest.raises(DoesNotHold, match="REM did not hold"):
        fit_state_model(features, replace(seeds, gaussians=wrong), PARAMS)


def test_awake_and_nrem_alike_do_not_hold(make, start) -> None:
    table = make(np.zeros(900, np.int8))
    features = compute_features(table.band_power, table.muscle, artefact_sds=6.0)
    observed = np.column_stack([features.emg, features.delta[:, 0], features.theta_ratio[:, 0]])
    _, seeds = start
    flat = replace(seeds, observed=observed, tone_unraised=observed[:, 0])
    with pytest.raises(DoesNotHold, match="awake and NREM did not hold"):
        fit_state_model(features, flat, PARAMS)


def test_transitions_are_probabilities() -> None:
    states = (State.AWAKE, State.NREM, State.REM)
    transition, initial = make_transition(states, PARAMS, 4.0)
    np.testing.assert_allclose(transition.sum(axis=1), 1)
    assert initial.sum() == pytest.approx(1)
    assert transition[0, 2] < 0.005 * transition[0, 1]
    assert transition[1, 1] == pytest.approx(1 - 4 / 80)
    two, _ = make_transition(states[:2], PARAMS, 4.0)
    np.testing.assert_allclose(two.sum(axis=1), 1)
    # Epochs longer than a bout still leave a state with probability one half at most.
    long, _ = make_transition(states, PARAMS, 400.0)
    assert (np.diag(long) == 0.5).all()
