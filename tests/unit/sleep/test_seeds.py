from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wakeful.model.epochs import State
from wakeful.sleep.features import compute_features
from wakeful.sleep.params import LabelFreeParams
from wakeful.sleep.seeds import propose_seeds


def propose(table, muscle="as it is"):
    muscle = table.muscle if muscle == "as it is" else muscle
    features = compute_features(table.band_power, muscle, artefact_sds=6.0)
    return propose_seeds(features, LabelFreeParams())


def test_the_best_seeds_lie_at_the_planted_means(day) -> None:
    seeds = propose(day)[0][0]
    assert seeds.states == (State.AWAKE, State.NREM, State.REM)
    assert seeds.has_tone
    for mean, state in zip(seeds.gaussians.means, seeds.states, strict=True):
        truth = seeds.observed[day.state == state].mean(axis=0)
        np.testing.assert_allclose(mean, truth, atol=0.15)


def test_tone_is_held_above_a_floor(day) -> None:
    seeds = propose(day)[0][0]
    nrem = seeds.tone_unraised[day.state == State.NREM]
    floor = seeds.observed[:, 0].min()
    assert floor == pytest.approx(nrem.mean() - nrem.std(), abs=0.1)
    assert (seeds.observed[:, 0] >= seeds.tone_unraised).all()
    above = seeds.tone_unraised > floor
    np.testing.assert_array_equal(seeds.observed[above, 0], seeds.tone_unraised[above])


def test_without_tone_there_are_two_states(day) -> None:
    (seeds,), _ = propose(day, None)
    assert seeds.states == (State.AWAKE, State.NREM)
    assert not seeds.has_tone
    assert seeds.tone_unraised is None
    rem, nrem = day.state == State.REM, day.state == State.NREM
    assert np.mean(seeds.observed[rem, 1] > seeds.theta_threshold) > 0.8
    assert np.mean(seeds.observed[nrem, 1] > seeds.theta_threshold) < 0.05


def test_a_dead_emg_says_why(day) -> None:
    rng = np.random.default_rng(0)
    noise = np.exp(rng.normal(1, 0.1, len(day.state))).astype(np.float32)
    nothing = np.full(len(day.state), np.nan, np.float32)
    found, reasons = propose(day, replace(day.muscle, emg_uv=noise, lfp_emg=nothing))
    assert found == ()
    assert "EMG in one level" in reasons


def test_a_dead_emg_is_replaced_by_the_lfp_derived_one(day) -> None:
    rng = np.random.default_rng(0)
    noise = np.exp(rng.normal(1, 0.1, len(day.state))).astype(np.float32)
    found, _ = propose(day, replace(day.muscle, emg_uv=noise))
    assert found[0].notes[0].startswith("LFP-derived EMG parts awake from asleep")


def test_too_few_epochs(make) -> None:
    assert propose(make(np.zeros(12, np.int8))) == ((), ("12 usable epochs are too few",))
