"""The semi-Markov model against enumeration, and against the plain model."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from wakeful.model.errors import BadParameters
from wakeful.sleep.markov import compute_posterior
from wakeful.sleep.semi_markov import UNKNOWN, SemiMarkov, decode, fit_semi_markov

EXITS = np.array([[0.0, 0.7, 0.3], [0.9, 0.0, 0.1], [0.5, 0.5, 0.0]])
HAZARD = np.array([[0.1, 0.5, 0.3], [0.2, 0.1, 0.6], [0.9, 0.2, 0.4]])
MODEL = SemiMarkov(hazard=HAZARD, exits=EXITS)


def by_enumeration(model: SemiMarkov, log_likelihood: np.ndarray) -> tuple[np.ndarray, float]:
    """Posterior and likelihood from every path of states and ages there is."""
    n_epochs, n_states = log_likelihood.shape
    n_ages = model.hazard.shape[1]
    posterior, total = np.zeros((n_epochs, n_states)), 0.0
    for first_age in range(n_ages):
        for path in itertools.product(range(n_states), repeat=n_epochs):
            # Where a state follows itself the bout goes on: exits hold no way from a state to it.
            p, age = model.initial[path[0], first_age], first_age
            for a, b in itertools.pairwise(path):
                ends = model.hazard[a, age]
                p *= 1 - ends if a == b else ends * model.exits[a, b]
                age = min(age + 1, n_ages - 1) if a == b else 0
            p *= np.exp(sum(log_likelihood[t, s] for t, s in enumerate(path)))
            total += p
            posterior[np.arange(n_epochs), path] += p
    return posterior / total, float(np.log(total))


def test_posterior_equals_that_of_all_paths() -> None:
    log_likelihood = np.random.default_rng(0).normal(0, 2, (6, 3))
    found = decode(MODEL, log_likelihood, np.zeros(6, bool))
    expected, expected_log = by_enumeration(MODEL, log_likelihood)
    np.testing.assert_allclose(found.posterior, expected, atol=1e-12)
    assert found.log_likelihood == pytest.approx(expected_log)


def test_what_a_stream_knows_equals_the_posterior_of_what_there_was_so_far() -> None:
    log_likelihood = np.random.default_rng(1).normal(0, 2, (7, 3))
    found = decode(MODEL, log_likelihood, np.zeros(7, bool))
    for stop in range(1, 8):
        expected, _ = by_enumeration(MODEL, log_likelihood[:stop])
        np.testing.assert_allclose(found.filtered[stop - 1], expected[-1], atol=1e-12)


def test_with_one_age_it_is_the_plain_hidden_markov_model() -> None:
    rng = np.random.default_rng(2)
    model = SemiMarkov(hazard=HAZARD[:, :1], exits=EXITS)
    log_likelihood = rng.normal(0, 2, (900, 3))
    starts = rng.random(900) < 0.02
    transition = model.hazard * model.exits
    transition[np.diag_indices(3)] = 1 - model.hazard[:, 0]
    expected, expected_log = compute_posterior(
        log_likelihood, starts, transition, model.initial[:, 0]
    )
    found = decode(model, log_likelihood, starts)
    np.testing.assert_allclose(found.posterior, expected, atol=1e-10)
    assert found.log_likelihood == pytest.approx(expected_log)


def test_constant_hazards_make_ages_of_no_account() -> None:
    log_likelihood = np.random.default_rng(3).normal(0, 2, (300, 3))
    plain = SemiMarkov(hazard=HAZARD[:, :1], exits=EXITS)
    aged = SemiMarkov(hazard=np.repeat(HAZARD[:, :1], 9, axis=1), exits=EXITS)
    starts = np.zeros(300, bool)
    np.testing.assert_allclose(
        decode(aged, log_likelihood, starts).posterior,
        decode(plain, log_likelihood, starts).posterior,
        atol=1e-12,
    )


def test_nothing_is_handed_across_a_hole() -> None:
    rng = np.random.default_rng(4)
    # More epochs than are held in memory at once, on both sides.
    log_likelihood, starts = rng.normal(0, 2, (1300, 3)), np.zeros(1300, bool)
    starts[600] = True
    whole = decode(MODEL, log_likelihood, starts)
    for part in (slice(0, 600), slice(600, 1300)):
        alone = decode(MODEL, log_likelihood[part], np.zeros(len(starts[part]), bool))
        np.testing.assert_allclose(whole.posterior[part], alone.posterior, atol=1e-12)
        np.testing.assert_allclose(whole.filtered[part], alone.filtered, atol=1e-12)


def test_a_stream_goes_on_where_it_stopped() -> None:
    log_likelihood = np.random.default_rng(5).normal(0, 2, (500, 3))
    whole = decode(MODEL, log_likelihood, np.zeros(500, bool))
    belief, parts = None, []
    for first in range(0, 500, 90):
        piece = log_likelihood[first : first + 90]
        found = decode(MODEL, piece, np.zeros(len(piece), bool), belief)
        belief = found.belief
        parts.append(found.filtered)
    np.testing.assert_allclose(np.concatenate(parts), whole.filtered, atol=1e-12)


def test_an_epoch_that_says_nothing_is_passed_through() -> None:
    log_likelihood = np.random.default_rng(6).normal(0, 2, (6, 3))
    flat = log_likelihood.copy()
    flat[3] = 0.0
    log_likelihood[3] = np.nan
    starts = np.zeros(6, bool)
    np.testing.assert_allclose(
        decode(MODEL, log_likelihood, starts).posterior, decode(MODEL, flat, starts).posterior
    )


def test_extreme_likelihoods_do_not_underflow() -> None:
    log_likelihood = np.full((20, 3), -50_000.0)
    log_likelihood[:, 0] = -4000.0
    log_likelihood[10] = [-9000.0, -100.0, -9000.0]
    posterior = decode(MODEL, log_likelihood, np.zeros(20, bool)).posterior
    assert np.isfinite(posterior).all()
    assert posterior.argmax(axis=1).tolist() == [0] * 10 + [1] + [0] * 9


def test_no_epochs() -> None:
    assert decode(MODEL, np.zeros((0, 3)), np.zeros(0, bool)).posterior.shape == (0, 3)


def make_bouts(rng: np.random.Generator, n_bouts: int) -> np.ndarray:
    """State 0 lasts 10 to 14 epochs, state 1 a geometric time, state 2 always 3."""
    state, parts = 0, []
    for _ in range(n_bouts):
        length = {0: rng.integers(10, 15), 1: rng.geometric(0.2), 2: 3}[state]
        parts.append(np.full(int(length), state))
        state = int(rng.choice(3, p=EXITS[state]))
    return np.concatenate(parts)


def test_planted_durations_and_exits_are_found() -> None:
    states = make_bouts(np.random.default_rng(7), 6000)
    model = fit_semi_markov(states, np.zeros(len(states), bool), n_states=3, n_ages=30)
    np.testing.assert_allclose(model.exits, EXITS, atol=0.03)
    np.testing.assert_allclose(model.mean_bout_epochs, [12.0, 5.0, 3.0], rtol=0.05)
    assert (model.hazard[0, :7] < 0.01).all()
    assert model.hazard[2, 2] > 0.95
    np.testing.assert_allclose(model.hazard[1, :8], 0.2, atol=0.03)


def test_bouts_that_holes_cut_off_do_not_shorten_the_others() -> None:
    rng = np.random.default_rng(8)
    states = make_bouts(rng, 4000)
    states[rng.random(len(states)) < 0.03] = UNKNOWN
    starts = rng.random(len(states)) < 0.03
    model = fit_semi_markov(states, starts, n_states=3, n_ages=30)
    np.testing.assert_allclose(model.mean_bout_epochs[:2], [12.0, 5.0], rtol=0.12)
    np.testing.assert_allclose(model.exits, EXITS, atol=0.06)


def test_a_transition_never_seen_stays_possible() -> None:
    states = np.tile([0, 0, 1, 1, 2, 2], 400)
    model = fit_semi_markov(states, np.zeros(len(states), bool), n_states=3, n_ages=8)
    assert model.exits[0, 2] > 0
    assert model.exits[1, 0] > 0
    assert model.exits[0, 1] > 0.98


def test_few_labels_give_a_tame_model() -> None:
    states = np.array([0] * 20 + [1] * 15)
    model = fit_semi_markov(states, np.zeros(35, bool), n_states=3, n_ages=64)
    assert ((model.hazard > 0.005) & (model.hazard < 0.7)).all()
    assert np.isfinite(model.initial).all()


@pytest.mark.parametrize(
    ("states", "starts"),
    [([0, 3], [True, False]), ([0, -2], [True, False]), ([0, 1, 2], [True, False])],
)
def test_states_that_do_not_fit_are_refused(states: list[int], starts: list[bool]) -> None:
    with pytest.raises(BadParameters):
        fit_semi_markov(np.array(states), np.array(starts), n_states=3, n_ages=4)


def test_a_model_that_can_not_be_is_refused() -> None:
    with pytest.raises(BadParameters, match="add up to 1"):
        SemiMarkov(hazard=HAZARD, exits=EXITS / 2)
    with pytest.raises(BadParameters, match="hazard"):
        SemiMarkov(hazard=np.zeros((3, 2)), exits=EXITS)
    with pytest.raises(BadParameters, match="do not fit"):
        decode(MODEL, np.zeros((4, 2)), np.zeros(4, bool))
    with pytest.raises(BadParameters, match="impossible in every state"):
        decode(MODEL, np.full((4, 3), -np.inf), np.zeros(4, bool))
