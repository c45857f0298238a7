from __future__ import annotations

import itertools

import numpy as np
import pytest

from wakeful.sleep.markov import Gaussians, compute_filtered, compute_posterior, fit_gaussians

TRANSITION = np.array([[0.9, 0.1, 0.0], [0.05, 0.9, 0.05], [0.2, 0.1, 0.7]])
INITIAL = np.array([0.5, 0.4, 0.1])


def by_enumeration(log_density: np.ndarray) -> tuple[np.ndarray, float]:
    """Posterior and likelihood from every path there is."""
    n_epochs, n_states = log_density.shape
    posterior, total = np.zeros((n_epochs, n_states)), 0.0
    for path in itertools.product(range(n_states), repeat=n_epochs):
        p = INITIAL[path[0]]
        for a, b in itertools.pairwise(path):
            p *= TRANSITION[a, b]
        p *= np.exp(sum(log_density[t, s] for t, s in enumerate(path)))
        total += p
        posterior[np.arange(n_epochs), path] += p
    return posterior / total, float(np.log(total))


def test_posterior_equals_that_of_all_paths() -> None:
    log_density = np.random.default_rng(0).normal(0, 2, (6, 3))
    found, log_likelihood = compute_posterior(log_density, np.zeros(6, bool), TRANSITION, INITIAL)
    expected, expected_log = by_enumeration(log_density)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert log_likelihood == pytest.approx(expected_log)


def test_nothing_is_handed_across_a_start() -> None:
    rng = np.random.default_rng(1)
    log_density = rng.normal(0, 2, (40, 3))
    starts = np.zeros(40, bool)
    starts[25] = True
    whole, _ = compute_posterior(log_density, starts, TRANSITION, INITIAL)
    first, _ = compute_posterior(log_density[:25], starts[:25], TRANSITION, INITIAL)
    second, _ = compute_posterior(log_density[25:], starts[25:], TRANSITION, INITIAL)
    np.testing.assert_allclose(whole, np.r_[first, second], atol=1e-12)


def test_filtering_knows_no_later_epoch() -> None:
    rng = np.random.default_rng(2)
    log_density = rng.normal(0, 2, (60, 3))
    starts = np.zeros(60, bool)
    starts[35] = True
    filtered = compute_filtered(log_density, starts, TRANSITION, INITIAL)
    for t in range(60):
        so_far, _ = compute_posterior(log_density[: t + 1], starts[: t + 1], TRANSITION, INITIAL)
        np.testing.assert_allclose(filtered[t], so_far[-1], atol=1e-12)
    whole, _ = compute_posterior(log_density, starts, TRANSITION, INITIAL)
    assert np.abs(whole - filtered).max() > 0.1
    assert compute_filtered(np.zeros((0, 3)), np.zeros(0, bool), TRANSITION, INITIAL).size == 0


def test_extreme_densities_do_not_underflow() -> None:
    log_density = np.array([[-4000.0, -4010.0, -50_000.0]] * 5)
    posterior, _ = compute_posterior(log_density, np.zeros(5, bool), TRANSITION, INITIAL)
    assert np.isfinite(posterior).all()
    assert (posterior[:, 0] > 0.99).all()


def test_no_epochs() -> None:
    posterior, _ = compute_posterior(np.zeros((0, 3)), np.zeros(0, bool), TRANSITION, INITIAL)
    assert posterior.shape == (0, 3)


def test_missing_features_are_left_out() -> None:
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(2)
    root = rng.normal(0, 1, (2, 3, 3))
    model = Gaussians(
        means=rng.normal(0, 1, (2, 3)), covariances=root @ root.transpose(0, 2, 1) + np.eye(3)
    )
    features = rng.normal(0, 1, (3, 3))
    features[1, 1] = np.nan
    features[2] = np.nan
    found = model.log_density(features)
    for state in range(2):
        mean, covariance = model.means[state], model.covariances[state]
        assert found[0, state] == pytest.approx(
            multivariate_normal(mean, covariance).logpdf(features[0])
        )
        kept = [0, 2]
        assert found[1, state] == pytest.approx(
            multivariate_normal(mean[kept], covariance[np.ix_(kept, kept)]).logpdf(
                features[1, kept]
            )
        )
    assert (found[2] == 0).all()


def simulate(n_epochs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    states = [0]
    while len(states) < n_epochs:
        states.append(int(rng.choice(3, p=TRANSITION[states[-1]])))
    centre = np.array([[0.0, 0.0], [3.0, 1.0], [1.0, 4.0]])
    return np.array(states), centre[states] + rng.normal(0, 0.7, (n_epochs, 2))


def test_fit_finds_the_planted_means() -> None:
    _, features = simulate(4000, 3)
    starts = np.zeros(4000, bool)
    seed = Gaussians(
        means=np.array([[0.5, -0.5], [2.0, 1.5], [1.5, 3.0]]),
        covariances=np.repeat(np.eye(2)[None], 3, axis=0),
    )
    fitted = fit_gaussians(
        features, starts, seed, TRANSITION, INITIAL, n_iterations=50, prior_epochs=1.0
    )
    np.testing.assert_allclose(fitted.means, [[0, 0], [3, 1], [1, 4]], atol=0.1)
    np.testing.assert_allclose(
        fitted.covariances, np.repeat(0.49 * np.eye(2)[None], 3, 0), atol=0.08
    )


def test_a_state_kept_narrow_stays_narrow() -> None:
    _, features = simulate(4000, 4)
    features[::3] += np.random.default_rng(5).normal(0, 3, features[::3].shape)
    seed = Gaussians(
        means=np.array([[0.0, 0.0], [3.0, 1.0], [1.0, 4.0]]),
        covariances=np.repeat(np.eye(2)[None], 3, axis=0),
    )
    fitted = fit_gaussians(
        features,
        np.zeros(4000, bool),
        seed,
        TRANSITION,
        INITIAL,
        n_iterations=30,
        prior_epochs=1.0,
        narrower=(2, 1),
    )
    spread = np.sqrt(np.diagonal(fitted.covariances, axis1=1, axis2=2))
    assert (spread[2] <= spread[1] + 1e-9).all()


def test_epochs_with_missing_features_do_not_spoil_the_fit() -> None:
    _, features = simulate(3000, 6)
    features[::5, 0] = np.nan
    seed = Gaussians(
        means=np.array([[0.0, 0.0], [3.0, 1.0], [1.0, 4.0]]),
        covariances=np.repeat(np.eye(2)[None], 3, axis=0),
    )
    fitted = fit_gaussians(
        features,
        np.zeros(3000, bool),
        seed,
        TRANSITION,
        INITIAL,
        n_iterations=30,
        prior_epochs=1.0,
    )
    assert np.isfinite(fitted.means).all()
    np.testing.assert_allclose(fitted.means, [[0, 0], [3, 1], [1, 4]], atol=0.15)
