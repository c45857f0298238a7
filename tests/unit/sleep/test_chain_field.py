"""The conditional random field against enumeration of every path, and on planted chains."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.model.errors import BadParameters
from wakeful.sleep.chain_field import ChainField, fit_chain_field, make_evidence
from wakeful.sleep.markov import compute_posterior

N_STATES = 3


def enumerate_paths(
    evidence: np.ndarray, breaks: np.ndarray, field: ChainField, n_seen: int
) -> np.ndarray:
    """Marginals of each epoch, from every path through the first `n_seen` epochs."""
    logit = evidence @ field.weights
    total = np.zeros((n_seen, N_STATES))
    for path in product(range(N_STATES), repeat=n_seen):
        score = sum(logit[t, s] for t, s in enumerate(path))
        score += sum(
            field.transition[path[t - 1], path[t]] for t in range(1, n_seen) if not breaks[t]
        )
        for t, s in enumerate(path):
            total[t, s] += np.exp(score)
    return total / total.sum(axis=1, keepdims=True)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), hole=st.integers(1, 5))
def test_probabilities_are_those_of_all_paths(seed: int, hole: int) -> None:
    rng = np.random.default_rng(seed)
    field = ChainField(
        weights=rng.normal(size=(4, N_STATES)), transition=rng.normal(size=(N_STATES, N_STATES))
    )
    evidence = rng.normal(size=(6, 4))
    breaks = np.zeros(6, np.bool_)
    breaks[[0, hole]] = True
    posterior, filtered = field.decode(evidence, breaks)
    np.testing.assert_allclose(posterior, enumerate_paths(evidence, breaks, field, 6), atol=1e-9)
    for t in range(6):
        seen = enumerate_paths(evidence, breaks, field, t + 1)
        np.testing.assert_allclose(filtered[t], seen[t], atol=1e-9)


def plant(
    rng: np.random.Generator, n: int, spread: float = 1.2
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sticky states, and probabilities of each epoch by itself."""
    step = np.array([[0.95, 0.05, 0.0], [0.05, 0.92, 0.03], [0.1, 0.0, 0.9]])
    state = np.zeros(n, np.int64)
    for t in range(1, n):
        state[t] = rng.choice(N_STATES, p=step[state[t - 1]])
    logit = rng.normal(0, 1.0, (n, N_STATES))
    logit[np.arange(n), state] += spread
    alone = np.exp(logit)
    return state, alone / alone.sum(axis=1, keepdims=True), step


def test_a_fitted_field_does_about_as_well_as_the_chain_that_made_the_states() -> None:
    rng = np.random.default_rng(0)
    state, alone, _ = plant(rng, 3000)
    breaks = np.zeros(3000, np.bool_)
    evidence = make_evidence((alone,), breaks, causal=False)
    field = fit_chain_field(evidence, state, breaks, n_states=N_STATES)
    new, new_alone, step = plant(rng, 3000)
    found, _ = field.decode(make_evidence((new_alone,), breaks, causal=False), breaks)
    best, _ = compute_posterior(
        1.2 * np.log(new_alone), breaks, np.maximum(step, 1e-9), np.full(3, 1 / 3)
    )
    right = np.mean(found.argmax(axis=1) == new)
    assert right > np.mean(new_alone.argmax(axis=1) == new) + 0.15
    assert right > np.mean(best.argmax(axis=1) == new) - 0.01


def test_unlabelled_epochs_are_summed_over_and_stretches_without_labels_change_nothing() -> None:
    rng = np.random.default_rng(1)
    state, alone, _ = plant(rng, 1500)
    breaks = np.zeros(1500, np.bool_)
    breaks[[0, 1000]] = True
    partly = state.copy()
    partly[rng.random(1500) < 0.3] = -1
    partly[1000:] = -1
    evidence = make_evidence((alone,), breaks, causal=False)
    field = fit_chain_field(evidence, partly, breaks, n_states=N_STATES)
    short = fit_chain_field(evidence[:1000], partly[:1000], breaks[:1000], n_states=N_STATES)
    np.testing.assert_allclose(field.weights, short.weights, atol=1e-8)
    found, _ = field.decode(evidence, breaks)
    hidden = partly[:1000] < 0
    assert np.mean(found[:1000].argmax(axis=1)[hidden] == state[:1000][hidden]) > 0.8


def test_no_transition_is_forbidden() -> None:
    rng = np.random.default_rng(2)
    state, alone, _ = plant(rng, 2000)
    breaks = np.zeros(2000, np.bool_)
    evidence = make_evidence((alone,), breaks, causal=True)
    field = fit_chain_field(evidence, state, breaks, n_states=N_STATES)
    sure = np.full((4, N_STATES), 1e-6)
    sure[[0, 1], 0] = sure[[2, 3], 2] = 1.0
    found, _ = field.decode(make_evidence((sure,), breaks[:4], causal=True), breaks[:4])
    assert found.argmax(axis=1).tolist() == [0, 0, 2, 2]


def test_evidence_is_not_seen_across_a_hole_nor_from_the_future() -> None:
    rng = np.random.default_rng(3)
    alone = rng.dirichlet(np.ones(N_STATES), 10)
    breaks = np.zeros(10, np.bool_)
    breaks[5] = True
    changed = alone.copy()
    changed[5:] = rng.dirichlet(np.ones(N_STATES), 5)
    before = make_evidence((alone,), breaks, causal=False)[:5]
    np.testing.assert_array_equal(before, make_evidence((changed,), breaks, causal=False)[:5])
    later = alone.copy()
    later[4] = later[4][::-1]
    np.testing.assert_array_equal(
        make_evidence((alone,), breaks, causal=True)[:4],
        make_evidence((later,), breaks, causal=True)[:4],
    )


def test_what_can_not_be_fitted_says_so() -> None:
    with pytest.raises(BadParameters, match="no labelled epoch"):
        fit_chain_field(np.ones((3, 2)), np.full(3, -1), np.zeros(3, np.bool_), n_states=3)
    with pytest.raises(BadParameters, match="do not fit"):
        ChainField(weights=np.ones((3, 2)), transition=np.ones((3, 3)))
