"""A conditional random field over stretches of epochs: what follows what, learned from decisions.

A hidden Markov model is fitted to the labels alone and then trusted with evidence it has not seen;
a field's weights of evidence and of transitions are fitted together, so that the labels are most
probable given the evidence (Lafferty, McCallum and Pereira 2001, ICML 282). Evidence are the log
probabilities that models of single epochs give an epoch and its neighbours. Epochs that nobody
labelled are summed over, and nothing is handed across a hole in time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wakeful.model.errors import BadParameters

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

_FLOOR = 1e-6
_PRIOR_SD = 3.0
"""Of weights: ten labels can't make a transition impossible."""
_IMPOSSIBLE = -1e9


@dataclass(frozen=True, eq=False, kw_only=True)
class ChainField:
    """Weights of a linear chain."""

    weights: Values
    """(n_columns, n_states) of the evidence, see `make_evidence`."""
    transition: Values
    """(n_states, n_states) added for each step from a state (row) to a state."""

    def __post_init__(self) -> None:
        n_states = self.weights.shape[-1]
        if self.weights.ndim != 2 or self.transition.shape != (n_states, n_states):
            raise BadParameters(
                f"shapes {self.weights.shape} and {self.transition.shape} do not fit",
                where="chain field",
                remedy="fit it with fit_chain_field",
            )

    def decode(self, evidence: Values, breaks: Mask) -> tuple[Values, Values]:
        """Probabilities of the states given all evidence of a stretch, and given that so far.

        Parameters
        ----------
        evidence : (n_epochs, n_columns)
        breaks : (n_epochs,) True where a stretch begins

        Returns
        -------
        posterior, filtered : (n_epochs, n_states), rows add up to 1
        """
        _, marginal, _, filtered = _sum_over_paths(
            evidence @ self.weights, _first(breaks), self.transition
        )
        return marginal, filtered


def make_evidence(sources: tuple[Values, ...], breaks: Mask, *, causal: bool) -> Values:
    """What a field looks at.

    Parameters
    ----------
    sources : each (n_epochs, n_states), probabilities of models of single epochs; the neighbours
        of the first are looked at
    breaks : (n_epochs,) True where a stretch begins: nothing is seen across
    causal : no epoch sees the one after it

    Returns
    -------
    (n_epochs, n_columns): one, the logs of each source, and those of the first one epoch before and
    (unless causal) after; an epoch at an edge sees itself there
    """
    logs = [np.log(np.maximum(source, _FLOOR)) for source in sources]
    logs = [log - log.mean(axis=1, keepdims=True) for log in logs]
    first = _first(breaks)
    before = np.concatenate([logs[0][:1], logs[0][:-1]])
    before[first] = logs[0][first]
    columns = [np.ones((len(breaks), 1)), *logs, before]
    if not causal:
        last = np.r_[first[1:], True]
        after = np.concatenate([logs[0][1:], logs[0][-1:]])
        after[last] = logs[0][last]
        columns.append(after)
    return np.concatenate(columns, axis=1)


def fit_chain_field(
    evidence: Values, state: NDArray[np.integer], breaks: Mask, *, n_states: int
) -> ChainField:
    """The field under which the labels are most probable.

    Parameters
    ----------
    evidence : (n_epochs, n_columns), of epochs that its sources were not trained on
    state : (n_epochs,) 0 to n_states - 1; below 0 where nobody said
    breaks : (n_epochs,) True where a stretch begins

    Raises
    ------
    BadParameters
        There is no label.
    """
    from scipy.optimize import minimize

    state = np.asarray(state)
    if not (state >= 0).any():
        raise BadParameters(
            "no labelled epoch to fit to", where="chain field", remedy="label some epochs"
        )
    evidence, state, breaks = _near_labels(evidence, state, _first(breaks))
    n_columns = evidence.shape[1]
    known = state >= 0
    forbidden = np.where(known[:, None] & (np.arange(n_states) != state[:, None]), _IMPOSSIBLE, 0.0)
    size = n_columns * n_states
    start = np.zeros((n_columns, n_states))
    start[1 : 1 + n_states] = 0.5 * np.eye(n_states)
    begin = np.r_[start.ravel(), (2.0 * np.eye(n_states)).ravel()]

    def cost(theta: Values) -> tuple[float, Values]:
        weights = theta[:size].reshape(n_columns, n_states)
        transition = theta[size:].reshape(n_states, n_states)
        logit = evidence @ weights
        free, p_free, pairs_free, _ = _sum_over_paths(logit, breaks, transition)
        held, p_held, pairs_held, _ = _sum_over_paths(logit + forbidden, breaks, transition)
        gradient = np.r_[
            (evidence.T @ (p_free - p_held)).ravel(), (pairs_free - pairs_held).ravel()
        ]
        away = (theta - begin) / _PRIOR_SD**2
        return free - held + 0.5 * float(away @ (theta - begin)), gradient + away

    found = minimize(
        cost, begin, jac=True, method="L-BFGS-B", options={"maxiter": 100, "ftol": 1e-7}
    )
    return ChainField(
        weights=found.x[:size].reshape(n_columns, n_states),
        transition=found.x[size:].reshape(n_states, n_states),
    )


def _near_labels(
    evidence: Values, state: NDArray[np.integer], breaks: Mask
) -> tuple[Values, NDArray[np.integer], Mask]:
    """Without stretches that hold no label: they sum to one whatever the weights are."""
    stretch = np.cumsum(breaks) - 1
    labelled = np.bincount(stretch, weights=state >= 0) > 0
    kept = labelled[stretch]
    return evidence[kept], state[kept], breaks[kept]


def _first(breaks: Mask) -> Mask:
    out = breaks.copy()
    out[:1] = True
    return out


def _forward_backward(
    logit: Values, breaks: Mask, transition: Values
) -> tuple[float, Values, Values, Values]:
    n_epochs, n_states = logit.shape
    step = np.exp(transition)
    forward = np.empty((n_epochs, n_states))
    local = np.empty((n_epochs, n_states))
    scale = np.empty(n_epochs)
    total = 0.0
    for t in range(n_epochs):
        peak = logit[t].max()
        mass = 0.0
        for j in range(n_states):
            local[t, j] = np.exp(logit[t, j] - peak)
            before = 1.0
            if not breaks[t]:
                before = 0.0
                for i in range(n_states):
                    before += forward[t - 1, i] * step[i, j]
            forward[t, j] = before * local[t, j]
            mass += forward[t, j]
        for j in range(n_states):
            forward[t, j] /= mass
        scale[t] = mass
        total += np.log(mass) + peak
    marginal = np.empty((n_epochs, n_states))
    pairs = np.zeros((n_states, n_states))
    backward = np.ones(n_states)
    message = np.ones(n_states)
    for t in range(n_epochs - 1, -1, -1):
        if t == n_epochs - 1 or breaks[t + 1]:
            backward[:] = 1.0
        else:
            for i in range(n_states):
                message[i] = 0.0
                for j in range(n_states):
                    flow = step[i, j] * local[t + 1, j] * backward[j] / scale[t + 1]
                    message[i] += flow
                    pairs[i, j] += forward[t, i] * flow
            for i in range(n_states):
                backward[i] = message[i]
        for j in range(n_states):
            marginal[t, j] = forward[t, j] * backward[j]
    return total, marginal, pairs, forward


_sum_over_paths: Callable[..., Any] = njit(cache=True)(_forward_backward)
