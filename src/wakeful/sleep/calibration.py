"""Making probabilities mean what they say, and measuring how far they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.errors import BadParameters

Values = NDArray[np.float64]

_FLOOR = 1e-7
_MAX_STEPS = 50
_PRIOR_SD = 1.0
"""Of weights and offsets: a thousand epochs of labels outweigh it, ten do not."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LogPool:
    """Probabilities from several sources made one, and recalibrated, in the log domain.

    A logarithmic opinion pool (Genest and Zidek 1986, Stat Sci 1:114); of one source it is the
    vector scaling of Guo et al. (2017, ICML, section 4.2).
    """

    weights: Values
    """(n_sources,) below 1 in sum where the sources together were overconfident."""
    offset: Values
    """(n_states,) added to the log probabilities."""

    def apply(self, sources: Sequence[Values]) -> Values:
        """Pooled probabilities, (n_epochs, n_states); rows add up to 1, NaN stays NaN.

        Parameters
        ----------
        sources : each (n_epochs, n_states)

        Raises
        ------
        BadParameters
            There are more or fewer sources than weights.
        """
        if len(sources) != len(self.weights):
            raise BadParameters(
                f"{len(sources)} sources for {len(self.weights)} weights",
                where="calibration",
                remedy="give the sources that the pool was fitted to",
            )
        return _softmax(np.tensordot(self.weights, np.stack(_logs(sources)), 1) + self.offset)


def keep_as_is(n_sources: int, n_states: int) -> LogPool:
    """The pool that takes the sources' geometric mean; one source stays as it is."""
    return LogPool(weights=np.full(n_sources, 1 / n_sources), offset=np.zeros(n_states))


def fit_pool(sources: Sequence[Values], state: NDArray[np.integer]) -> LogPool:
    """The pool under which what people said is most probable.

    Parameters
    ----------
    sources : each (n_epochs, n_states), of epochs that the sources were not trained on
    state : (n_epochs,) what people said, 0 to n_states - 1

    Raises
    ------
    BadParameters
        There are no epochs.
    """
    if len(sources[0]) == 0:
        raise BadParameters(
            "no labelled epoch to calibrate with",
            where="calibration",
            remedy="label some epochs",
        )
    kept = list(range(len(sources)))
    weights = np.zeros(len(sources))
    while True:
        found = _climb(np.stack(_logs([sources[i] for i in kept])), np.asarray(state))
        # A weight below 0 would take a source's word for the opposite.
        if len(kept) == 1 or (found.weights >= 0).all():
            weights[kept] = np.maximum(found.weights, 0.0)
            return LogPool(weights=weights, offset=found.offset)
        kept = [i for i, weight in zip(kept, found.weights, strict=True) if weight >= 0] or kept[:1]


def _climb(logs: Values, state: NDArray[np.integer]) -> LogPool:
    """Newton's method on a convex cost; a few steps.

    Parameters
    ----------
    logs : (n_sources, n_epochs, n_states)
    """
    n_sources, n_epochs, n_states = logs.shape
    start = np.r_[np.full(n_sources, 1 / n_sources), np.zeros(n_states)]
    theta = start.copy()
    rows = np.arange(n_epochs)
    truth = np.eye(n_states)[state]

    def predict(at: Values) -> tuple[Values, float]:
        p = _softmax(np.tensordot(at[:n_sources], logs, 1) + at[n_sources:])
        loss = -float(np.log(np.maximum(p[rows, state], 1e-300)).sum())
        return p, loss + 0.5 * float(np.sum((at - start) ** 2)) / _PRIOR_SD**2

    p, cost = predict(theta)
    for _ in range(_MAX_STEPS):
        away = logs - np.sum(logs * p, axis=2, keepdims=True)
        weighted = away * p
        wrong = p - truth
        gradient = np.r_[np.sum(logs * wrong, axis=(1, 2)), wrong.sum(axis=0)]
        gradient += (theta - start) / _PRIOR_SD**2
        across = weighted.sum(axis=1)
        curvature = np.block(
            [
                [np.tensordot(weighted, away, ([1, 2], [1, 2])), across],
                [across.T, np.diag(p.sum(axis=0)) - p.T @ p],
            ]
        )
        curvature[np.diag_indices_from(curvature)] += 1 / _PRIOR_SD**2
        move = np.linalg.solve(curvature, gradient)
        size = 1.0
        while size > 1e-6:
            p_new, cost_new = predict(theta - size * move)
            if cost_new <= cost:
                break
            size /= 2
        else:
            break
        gained = cost - cost_new
        theta, p, cost = theta - size * move, p_new, cost_new
        if gained < 1e-9 * max(1.0, cost):
            break
    return LogPool(weights=theta[:n_sources], offset=theta[n_sources:])


def compute_calibration_error(
    posterior: Values, state: NDArray[np.integer], *, n_bins: int = 15
) -> float:
    """Expected calibration error of the likeliest state (Naeini et al. 2015, AAAI).

    Mean difference between confidence and share of epochs that were right, over bins of confidence
    of equal width, weighted by their epochs.

    Parameters
    ----------
    posterior : (n_epochs, n_states)
    state : (n_epochs,) what people said

    Returns
    -------
    0 to 1; NaN where there are no epochs
    """
    if len(posterior) == 0:
        return float("nan")
    confidence = posterior.max(axis=1)
    right = posterior.argmax(axis=1) == state
    place = np.minimum((confidence * n_bins).astype(np.int64), n_bins - 1)
    surplus = np.bincount(place, weights=confidence - right, minlength=n_bins)
    return float(np.abs(surplus).sum() / len(posterior))


def _logs(sources: Sequence[Values]) -> list[Values]:
    return [np.log(np.maximum(source, _FLOOR)) for source in sources]


def _softmax(logit: Values) -> Values:
    weight = np.exp(logit - logit.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))
