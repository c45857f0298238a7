"""What holds of decoding, pooling and context whatever the numbers are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.sleep.calibration import compute_calibration_error, fit_pool
from wakeful.sleep.context import Context, add_context
from wakeful.sleep.semi_markov import decode, fit_semi_markov

seeds = st.integers(0, 2**32 - 1)


@settings(deadline=None, max_examples=40)
@given(
    seed=seeds,
    n_epochs=st.integers(1, 700),
    n_states=st.integers(2, 5),
    n_ages=st.integers(1, 40),
    spread=st.floats(0.01, 300),
)
def test_probabilities_are_probabilities(seed, n_epochs, n_states, n_ages, spread):
    rng = np.random.default_rng(seed)
    states = np.repeat(rng.integers(-1, n_states, n_epochs), rng.integers(1, 9, n_epochs))[
        :n_epochs
    ]
    starts = rng.random(n_epochs) < 0.05
    model = fit_semi_markov(states, starts, n_states=n_states, n_ages=n_ages)
    assert (model.exits[~np.eye(n_states, dtype=bool)] > 0).all()
    np.testing.assert_allclose(model.initial.sum(), 1)
    log_likelihood = rng.normal(0, spread, (n_epochs, n_states))
    log_likelihood[rng.random(n_epochs) < 0.1] = np.nan
    found = decode(model, log_likelihood, starts)
    for p in (found.posterior, found.filtered):
        assert (p >= 0).all()
        np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-9)
    # With the last epoch of a stretch nothing is left to come.
    np.testing.assert_allclose(found.posterior[-1], found.filtered[-1], atol=1e-9)
    np.testing.assert_allclose(found.belief.sum(), 1, atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(seed=seeds, n_epochs=st.integers(2, 200), shift=st.floats(-500, 500))
def test_a_constant_of_an_epoch_s_likelihoods_changes_nothing(seed, n_epochs, shift):
    rng = np.random.default_rng(seed)
    states = rng.integers(0, 3, n_epochs)
    starts = rng.random(n_epochs) < 0.05
    model = fit_semi_markov(states, starts, n_states=3, n_ages=12)
    log_likelihood = rng.normal(0, 3, (n_epochs, 3))
    np.testing.assert_allclose(
        decode(model, log_likelihood + shift, starts).posterior,
        decode(model, log_likelihood, starts).posterior,
        atol=1e-8,
    )


@settings(deadline=None, max_examples=40)
@given(seed=seeds, n_epochs=st.integers(1, 300), n_sources=st.integers(1, 3))
def test_a_pool_makes_its_labels_no_less_probable(seed, n_epochs, n_sources):
    rng = np.random.default_rng(seed)
    sources = [rng.dirichlet([0.5, 1, 1], n_epochs) for _ in range(n_sources)]
    state = rng.integers(0, 3, n_epochs)
    pool = fit_pool(sources, state)
    pooled = pool.apply(sources)
    assert (pool.weights >= 0).all()
    np.testing.assert_allclose(pooled.sum(axis=1), 1, atol=1e-9)
    assert 0 <= compute_calibration_error(pooled, state) <= 1


@settings(deadline=None, max_examples=40)
@given(seed=seeds, n_epochs=st.integers(2, 120), lag=st.integers(1, 5), window=st.integers(1, 30))
def test_context_of_stretches_is_that_of_each_alone(seed, n_epochs, lag, window):
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (n_epochs, 2))
    values[rng.random(values.shape) < 0.2] = np.nan
    starts = rng.random(n_epochs) < 0.1
    starts[0] = True
    context = Context(lags=(lag,), windows=(window,))
    whole = add_context(values, starts, context)
    edges = [*np.flatnonzero(starts), n_epochs]
    for first, stop in pairwise(edges):
        alone = np.zeros(stop - first, bool)
        alone[0] = True
        np.testing.assert_allclose(
            whole[first:stop], add_context(values[first:stop], alone, context), atol=1e-9
        )
