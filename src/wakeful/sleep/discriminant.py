"""Linear discriminant analysis that a missing feature does not stop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.errors import BadParameters

Values = NDArray[np.float64]

_SHRINKAGE = 1e-4
"""Of the covariance towards its diagonal: features that nearly copy each other stay harmless."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Discriminant:
    """Gaussians with one covariance for all states (Fisher 1936, Ann Eugen 7:179)."""

    centre: Values
    """(n_columns,) mean over all epochs; stands in for what is missing."""
    weights: Values
    """(n_columns, n_states)"""
    offset: Values
    """(n_states,)"""

    @property
    def n_states(self) -> int:
        """How many states there are."""
        return len(self.offset)

    def predict(self, columns: Values) -> Values:
        """Probabilities of the states, (n_epochs, n_states); rows add up to 1.

        A missing column counts as if it were at its mean.

        Parameters
        ----------
        columns : (n_epochs, n_columns) as in training; NaN where missing
        """
        deviation = columns - self.centre
        logit = np.where(np.isfinite(deviation), deviation, 0.0) @ self.weights + self.offset
        weight = np.exp(logit - logit.max(axis=1, keepdims=True))
        return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def fit_discriminant(columns: Values, state: NDArray[np.integer], *, n_states: int) -> Discriminant:
    """Fit the Gaussians to labelled epochs.

    Parameters
    ----------
    columns : (n_epochs, n_columns) NaN where missing
    state : (n_epochs,) 0 to n_states - 1; a state without epochs gets the least weight

    Raises
    ------
    BadParameters
        There are no epochs.
    """
    if len(columns) == 0:
        raise BadParameters("no labelled epoch", where="fit_discriminant", remedy="label some")
    seen = np.isfinite(columns)
    count = seen.sum(axis=0)
    centre = np.where(seen, columns, 0.0).sum(axis=0) / np.maximum(count, 1)
    filled = np.where(seen, columns - centre, 0.0)
    means = np.zeros((n_states, columns.shape[1]))
    residual = filled.copy()
    share = np.zeros(n_states)
    for k in range(n_states):
        rows = state == k
        share[k] = (rows.sum() + 0.5) / (len(state) + 0.5 * n_states)
        if rows.any():
            means[k] = filled[rows].mean(axis=0)
            residual[rows] -= means[k]
    covariance = residual.T @ residual / max(len(columns) - n_states, 1)
    spread = np.diag(covariance).copy()
    spread[spread <= 0] = 1.0
    covariance = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * np.diag(spread)
    covariance[np.diag_indices_from(covariance)] += 1e-9 * spread
    weights: Values = np.asarray(np.linalg.solve(covariance, means.T), np.float64)
    offset = np.log(share) - 0.5 * np.sum(means.T * weights, axis=0)
    return Discriminant(centre=centre, weights=weights, offset=offset)
