"""A hidden Markov model with Gaussian emissions over stretches of epochs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Gaussians:
    """One Gaussian per state."""

    means: Values
    """(n_states, n_features)"""
    covariances: Values
    """(n_states, n_features, n_features)"""

    def log_density(self, features: Values) -> Values:
        """Log density of each epoch in each state; a missing (NaN) feature is left out.

        Parameters
        ----------
        features : (n_epochs, n_features)

        Returns
        -------
        (n_epochs, n_states); 0 in every state where all features are missing
        """
        out = np.zeros((len(features), len(self.means)))
        n_features = features.shape[1]
        present = np.isfinite(features)
        pattern = present @ (1 << np.arange(n_features))
        for code in np.unique(pattern):
            kept = np.flatnonzero((int(code) >> np.arange(n_features)) & 1)
            if kept.size == 0:
                continue
            rows = np.flatnonzero(pattern == code)
            for state, (mean, covariance) in enumerate(
                zip(self.means, self.covariances, strict=True)
            ):
                root = np.linalg.cholesky(covariance[np.ix_(kept, kept)])
                deviation = features[np.ix_(rows, kept)] - mean[kept]
                whitened = np.linalg.solve(root, deviation.T)
                out[rows, state] = (
                    -0.5 * np.sum(whitened**2, axis=0)
                    - np.log(np.diag(root)).sum()
                    - 0.5 * kept.size * np.log(2 * np.pi)
                )
        return out


def _smooth(
    log_density: Values, starts: NDArray[np.bool_], transition: Values, initial: Values
) -> tuple[Values, Values, float]:
    n_epochs, n_states = log_density.shape
    forward = np.empty((n_epochs, n_states))
    density = np.empty((n_epochs, n_states))
    log_likelihood = 0.0
    for t in range(n_epochs):
        peak = log_density[t].max()
        total = 0.0
        for j in range(n_states):
            density[t, j] = np.exp(log_density[t, j] - peak)
            prior = 0.0
            if starts[t]:
                prior = initial[j]
            else:
                for i in range(n_states):
                    prior += forward[t - 1, i] * transition[i, j]
            forward[t, j] = prior * density[t, j]
            total += forward[t, j]
        for j in range(n_states):
            forward[t, j] /= total
        log_likelihood += np.log(total) + peak
    posterior = np.empty((n_epochs, n_states))
    backward = np.ones(n_states)
    step = np.ones(n_states)
    for t in range(n_epochs - 1, -1, -1):
        if t == n_epochs - 1 or starts[t + 1]:
            backward[:] = 1.0
        else:
            total = 0.0
            for i in range(n_states):
                step[i] = 0.0
                for j in range(n_states):
                    step[i] += transition[i, j] * density[t + 1, j] * backward[j]
                total += step[i]
            for i in range(n_states):
                backward[i] = step[i] / total
        total = 0.0
        for j in range(n_states):
            posterior[t, j] = forward[t, j] * backward[j]
            total += posterior[t, j]
        for j in range(n_states):
            posterior[t, j] /= total
    return posterior, forward, log_likelihood


_smooth_compiled: Callable[..., Any] = njit(cache=True)(_smooth)


def compute_posterior(
    log_density: Values, starts: NDArray[np.bool_], transition: Values, initial: Values
) -> tuple[Values, float]:
    """Probability of each state in each epoch given all epochs of its stretch.

    Forward-backward algorithm (Rabiner 1989, Proc IEEE 77:257, eqs 19 to 27), scaled.

    Parameters
    ----------
    log_density : (n_epochs, n_states)
    starts : (n_epochs,) True where a new stretch begins: nothing is handed across
    transition : (n_states, n_states) rows add up to 1
    initial : (n_states,) probabilities at the start of a stretch

    Returns
    -------
    posterior : (n_epochs, n_states), rows add up to 1
    log_likelihood : of all epochs
    """
    posterior, _, log_likelihood = _run(log_density, starts, transition, initial)
    return posterior, log_likelihood


def compute_filtered(
    log_density: Values, starts: NDArray[np.bool_], transition: Values, initial: Values
) -> Values:
    """Probability of each state in each epoch given it and the earlier epochs of its stretch.

    The forward pass alone (Rabiner 1989, Proc IEEE 77:257, eqs 19 and 20), scaled: what could be
    said when the epoch came in. Parameters as of `compute_posterior`.

    Returns
    -------
    (n_epochs, n_states), rows add up to 1; equal to the posterior in the last epoch of a stretch
    """
    return _run(log_density, starts, transition, initial)[1]


def _run(
    log_density: Values, starts: NDArray[np.bool_], transition: Values, initial: Values
) -> tuple[Values, Values, float]:
    if len(log_density) == 0:
        return np.zeros_like(log_density), np.zeros_like(log_density), 0.0
    first = starts.copy()
    first[0] = True
    posterior, forward, log_likelihood = _smooth_compiled(
        np.ascontiguousarray(log_density), first, transition, initial
    )
    return posterior, forward, float(log_likelihood)


def fit_gaussians(
    features: Values,
    starts: NDArray[np.bool_],
    seed: Gaussians,
    transition: Values,
    initial: Values,
    *,
    n_iterations: int,
    prior_epochs: float,
    narrower: tuple[int, int] | None = None,
) -> Gaussians:
    """Improve the emissions by expectation maximisation; the transitions stay fixed.

    Means and covariances are drawn towards the seed as if `prior_epochs` epochs of each state had
    been seen there, so that a rare state can't collapse on a few odd epochs (conjugate prior,
    Fraley and Raftery 2007, J Classif 24:155).

    Parameters
    ----------
    features : (n_epochs, n_features); epochs with a missing feature don't count in the update
    starts : (n_epochs,) True where a new stretch begins
    seed : where the search starts
    narrower : (state, other): no feature of the first may spread wider than that of the other.
        Without it a rare state grows into a dustbin for what fits the common one badly.
    """
    fitted = seed
    complete = np.isfinite(features).all(axis=1)
    used = features[complete]
    previous = -np.inf
    for _ in range(n_iterations):
        posterior, log_likelihood = compute_posterior(
            fitted.log_density(features), starts, transition, initial
        )
        if log_likelihood - previous < 1e-6 * len(features):
            break
        previous = log_likelihood
        means, covariances = [], []
        for state in range(len(seed.means)):
            weight = posterior[complete, state]
            n_state = weight.sum()
            mean = (prior_epochs * seed.means[state] + weight @ used) / (prior_epochs + n_state)
            deviation = used - mean
            scatter = (deviation * weight[:, None]).T @ deviation
            means.append(mean)
            covariances.append(
                (prior_epochs * seed.covariances[state] + scatter) / (prior_epochs + n_state)
            )
        if narrower is not None:
            rare, common = (np.sqrt(np.diag(covariances[state])) for state in narrower)
            shrink = np.minimum(1.0, common / rare)
            covariances[narrower[0]] = covariances[narrower[0]] * np.outer(shrink, shrink)
        fitted = Gaussians(means=np.array(means), covariances=np.array(covariances))
    return fitted
