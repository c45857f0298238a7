"""A semi-Markov model of states: how long a bout has lasted decides how likely it is to end.

A plain hidden Markov model can only make bouts whose durations fall off geometrically: a bout of
one epoch is always the most frequent one. Here each state has a hazard for every age of its bouts
(the probability that a bout that has lasted so long ends now), constant beyond the last age, so
that the model is exact for any distribution of durations with a geometric tail (discrete-time
survival; the explicit-duration model of Rabiner 1989, Proc IEEE 77:257, section IV-D, and Yu 2010,
Artif Intell 174:215, in the form in which a bout's age is part of the state). With one age it is
the plain model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wakeful.model.errors import BadParameters

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

UNKNOWN = -1
"""A state that nobody has said."""

_BLOCK = 256
"""Epochs between two beliefs that are kept: memory of a day stays that of a few minutes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SemiMarkov:
    """Durations of bouts and where they lead to."""

    hazard: Values
    """(n_states, n_ages) probability that a bout ends after an epoch at this age; the last holds
    for all greater ages."""
    exits: Values
    """(n_states, n_states) where a bout that ends leads to; rows add up to 1, diagonal 0."""

    def __post_init__(self) -> None:
        n_states = len(self.hazard)
        problems = []
        if self.hazard.ndim != 2 or self.exits.shape != (n_states, n_states) or n_states < 2:
            problems.append(f"shapes {self.hazard.shape} and {self.exits.shape} do not fit")
        elif not ((self.hazard > 0) & (self.hazard <= 1)).all():
            problems.append("a hazard is not above 0 and at most 1")
        elif (
            (self.exits < 0).any()
            or (np.diag(self.exits) != 0).any()
            or not np.allclose(self.exits.sum(axis=1), 1)
        ):
            problems.append("rows of `exits` must add up to 1, with 0 in the diagonal")
        if problems:
            raise BadParameters(
                problems[0], where="semi-Markov model", remedy="fit it with fit_semi_markov"
            )

    @property
    def n_states(self) -> int:
        """How many states there are."""
        return len(self.hazard)

    @property
    def survival(self) -> Values:
        """(n_states, n_ages) probability that a bout reaches each age."""
        ones = np.ones((self.n_states, 1))
        return np.concatenate([ones, np.cumprod(1 - self.hazard[:, :-1], axis=1)], axis=1)

    @property
    def mean_bout_epochs(self) -> Values:
        """(n_states,) mean duration of bouts."""
        survival = self.survival
        return np.asarray(survival[:, :-1].sum(axis=1) + survival[:, -1] / self.hazard[:, -1])

    @property
    def initial(self) -> Values:
        """(n_states, n_ages) what a stretch starts from: in the middle of things, at any age."""
        n_states = self.n_states
        balance = np.vstack([self.exits.T - np.eye(n_states), np.ones(n_states)])
        target = np.r_[np.zeros(n_states), 1.0]
        visits = np.clip(np.linalg.lstsq(balance, target, rcond=None)[0], 1e-12, None)
        stay = self.survival.copy()
        stay[:, -1] /= self.hazard[:, -1]
        out = visits[:, None] * stay
        return np.asarray(out / out.sum())


@dataclass(frozen=True, eq=False, kw_only=True)
class Decoded:
    """Probabilities of the states per epoch."""

    posterior: Values
    """(n_epochs, n_states) given all epochs of the stretch; rows add up to 1."""
    filtered: Values
    """(n_epochs, n_states) given the epochs so far; rows add up to 1."""
    log_likelihood: float
    """Of all epochs."""
    belief: Values
    """(n_states, n_ages) after the last epoch; with it a stream goes on."""


def fit_semi_markov(
    states: NDArray[np.integer],
    starts: Mask,
    *,
    n_states: int,
    n_ages: int,
    pseudo_bouts: float = 2.0,
    floor: float = 1e-3,
) -> SemiMarkov:
    """Count how long bouts last and where they lead to.

    Hazards are those of Kaplan and Meier (1958, J Am Stat Assoc 53:457): a bout that is cut off by
    a hole, or by an epoch nobody labelled, counts as long as it was seen. The first bout of a
    stretch began at an unknown time; it counts at the greatest age only where it outlasts it. Each
    hazard is drawn towards that of its state over all ages, and that towards that of all states, so
    that few labels give a plain hidden Markov model rather than a wild one.

    Parameters
    ----------
    states : (n_epochs,) 0 to n_states - 1, or `UNKNOWN`
    starts : (n_epochs,) True where a stretch begins
    n_ages : greatest age, in epochs, with a hazard of its own; 1 gives a plain Markov chain
    pseudo_bouts : how many bouts of the broader estimate each estimate is worth
    floor : no transition is less probable than this share of a bout's exits

    Raises
    ------
    BadParameters
        A value is no state, or lengths differ.
    """
    numbers: NDArray[np.int64] = np.asarray(states, np.int64)
    if states.shape != starts.shape or states.ndim != 1:
        raise BadParameters(
            f"{states.shape} states do not fit {starts.shape} starts",
            where="fit_semi_markov",
            remedy="give one of each per epoch",
        )
    if states.size and not ((states >= UNKNOWN) & (states < n_states)).all():
        raise BadParameters(
            f"states must lie between {UNKNOWN} and {n_states - 1}",
            where="fit_semi_markov",
            remedy="number the states from 0",
        )
    at_risk, ended = np.zeros((n_states, n_ages)), np.zeros((n_states, n_ages))
    moves = np.zeros((n_states, n_states))
    for state, first, stop, began, into in _find_runs(numbers, starts):
        length = stop - first
        if began:
            ages = np.minimum(np.arange(length), n_ages - 1)
        else:
            # Its age is at least that seen: beyond the greatest age nothing else matters.
            ages = np.full(max(length - n_ages + 1, 0), n_ages - 1)
        if ages.size == 0:
            if into != UNKNOWN:
                moves[state, into] += 1
            continue
        # The last epoch of a bout whose end was not seen says nothing of a transition.
        known = ages if into != UNKNOWN else ages[:-1]
        np.add.at(at_risk[state], known, 1.0)
        if into != UNKNOWN:
            ended[state, ages[-1]] += 1
            moves[state, into] += 1
    overall = (ended.sum() + 1.0) / (at_risk.sum() + 20.0)
    of_state = (ended.sum(axis=1) + pseudo_bouts) / (at_risk.sum(axis=1) + pseudo_bouts / overall)
    hazard = np.empty((n_states, n_ages))
    for state in range(n_states):
        for first, stop in _age_bins(n_ages):
            hazard[state, first:stop] = (ended[state, first:stop].sum() + pseudo_bouts) / (
                at_risk[state, first:stop].sum() + pseudo_bouts / of_state[state]
            )
    hazard = np.clip(hazard, 1e-6, 1 - 1e-6)
    prior = (moves.sum(axis=0) + 1.0) * (1 - np.eye(n_states))
    prior /= prior.sum(axis=1, keepdims=True)
    exits = moves + pseudo_bouts * prior
    exits /= exits.sum(axis=1, keepdims=True)
    exits = np.maximum(exits, floor) * (1 - np.eye(n_states))
    return SemiMarkov(hazard=hazard, exits=exits / exits.sum(axis=1, keepdims=True))


def _find_runs(states: NDArray[np.int64], starts: Mask) -> list[tuple[int, int, int, bool, int]]:
    """State, first epoch, stop, whether its beginning was seen, and the state after it."""
    if states.size == 0:
        return []
    edge = np.ones(len(states), np.bool_)
    edge[1:] = (np.diff(states) != 0) | starts[1:]
    first = np.flatnonzero(edge)
    stop = np.r_[first[1:], len(states)]
    runs = []
    for a, b in zip(first.tolist(), stop.tolist(), strict=True):
        if states[a] == UNKNOWN:
            continue
        began = a > 0 and not starts[a] and states[a - 1] != UNKNOWN
        into = UNKNOWN if b == len(states) or starts[b] else int(states[b])
        runs.append((int(states[a]), a, b, began, into))
    return runs


def _age_bins(n_ages: int) -> list[tuple[int, int]]:
    """Ages that share a hazard: one each at first, wider and wider later on."""
    edges = [0]
    while edges[-1] < n_ages - 1:
        edges.append(min(edges[-1] + max(1, edges[-1] // 4), n_ages - 1))
    edges.append(n_ages)
    return list(pairwise(edges))


def _step(belief: Values, density: Values, hazard: Values, exits: Values, out: Values) -> float:
    """One epoch on: `out` becomes the belief after it; returns the epoch's likelihood."""
    n_states, n_ages = hazard.shape
    total = 0.0
    for j in range(n_states):
        enter = 0.0
        for i in range(n_states):
            if i != j:
                leaving = 0.0
                for a in range(n_ages):
                    leaving += belief[i, a] * hazard[i, a]
                enter += leaving * exits[i, j]
        for a in range(n_ages):
            out[j, a] = 0.0
        for a in range(n_ages):
            out[j, min(a + 1, n_ages - 1)] += belief[j, a] * (1 - hazard[j, a])
        out[j, 0] += enter
        for a in range(n_ages):
            out[j, a] *= density[j]
            total += out[j, a]
    for j in range(n_states):
        for a in range(n_ages):
            out[j, a] /= total
    return total


_step_compiled: Callable[..., Any] = njit(cache=True)(_step)


def _begin(initial: Values, density: Values, out: Values) -> float:
    """The belief after the first epoch of a stretch."""
    total = 0.0
    for j in range(out.shape[0]):
        for a in range(out.shape[1]):
            out[j, a] = initial[j, a] * density[j]
            total += out[j, a]
    for j in range(out.shape[0]):
        for a in range(out.shape[1]):
            out[j, a] /= total
    return total


_begin_compiled: Callable[..., Any] = njit(cache=True)(_begin)


def _filter(
    density: Values,
    starts: Mask,
    hazard: Values,
    exits: Values,
    initial: Values,
    belief: Values,
    block: int,
) -> tuple[Values, Values, Values, float]:
    n_epochs, n_states = density.shape
    n_ages = hazard.shape[1]
    filtered = np.empty((n_epochs, n_states))
    kept = np.empty(((n_epochs + block - 1) // block, n_states, n_ages))
    last, now = belief.copy(), np.empty((n_states, n_ages))
    log_likelihood = 0.0
    for t in range(n_epochs):
        if t % block == 0:
            kept[t // block] = last
        if starts[t]:
            total = _begin_compiled(initial, density[t], now)
        else:
            total = _step_compiled(last, density[t], hazard, exits, now)
        log_likelihood += np.log(total)
        for j in range(n_states):
            filtered[t, j] = now[j].sum()
        last, now = now, last
    return filtered, kept, last, log_likelihood


_filter_compiled: Callable[..., Any] = njit(cache=True)(_filter)


def _smooth(
    density: Values,
    starts: Mask,
    hazard: Values,
    exits: Values,
    initial: Values,
    kept: Values,
    block: int,
) -> Values:
    n_epochs, n_states = density.shape
    n_ages = hazard.shape[1]
    posterior = np.empty((n_epochs, n_states))
    inside = np.empty((block, n_states, n_ages))
    backward, before = np.ones((n_states, n_ages)), np.empty((n_states, n_ages))
    for number in range(kept.shape[0] - 1, -1, -1):
        first = number * block
        stop = min(first + block, n_epochs)
        last = kept[number].copy()
        for t in range(first, stop):
            if starts[t]:
                _begin_compiled(initial, density[t], inside[t - first])
            else:
                _step_compiled(last, density[t], hazard, exits, inside[t - first])
            last = inside[t - first]
        for t in range(stop - 1, first - 1, -1):
            if t == n_epochs - 1 or starts[t + 1]:
                backward[:] = 1.0
            else:
                peak = 0.0
                for k in range(n_states):
                    leave = 0.0
                    for j in range(n_states):
                        leave += exits[k, j] * density[t + 1, j] * backward[j, 0]
                    for a in range(n_ages):
                        onward = density[t + 1, k] * backward[k, min(a + 1, n_ages - 1)]
                        before[k, a] = (1 - hazard[k, a]) * onward + hazard[k, a] * leave
                        peak = max(peak, before[k, a])
                for k in range(n_states):
                    for a in range(n_ages):
                        backward[k, a] = before[k, a] / peak
            total = 0.0
            for k in range(n_states):
                posterior[t, k] = 0.0
                for a in range(n_ages):
                    posterior[t, k] += inside[t - first, k, a] * backward[k, a]
                total += posterior[t, k]
            for k in range(n_states):
                posterior[t, k] /= total
    return posterior


_smooth_compiled: Callable[..., Any] = njit(cache=True)(_smooth)


def decode(
    model: SemiMarkov, log_likelihood: Values, starts: Mask, belief: Values | None = None
) -> Decoded:
    """Probabilities of the states, from all of a stretch and from what came before only.

    Parameters
    ----------
    log_likelihood : (n_epochs, n_states) of each epoch's features in each state, up to a constant
        per epoch; a row of NaN says nothing (the epoch is passed through)
    starts : (n_epochs,) True where a stretch begins: nothing is handed across
    belief : (n_states, n_ages) where an earlier call ended, to go on in its stretch

    Raises
    ------
    BadParameters
        Shapes do not fit each other, or a likelihood is infinite in every state.
    """
    n_epochs = len(log_likelihood)
    if log_likelihood.shape != (n_epochs, model.n_states) or starts.shape != (n_epochs,):
        raise BadParameters(
            f"log likelihoods of shape {log_likelihood.shape} and {starts.shape} starts do not "
            f"fit a model of {model.n_states} states",
            where="semi-Markov decoding",
            remedy="give one row per epoch, one column per state",
        )
    silent = np.asarray(np.isnan(log_likelihood).any(axis=1))
    known = np.where(silent[:, None], 0.0, log_likelihood)
    peak = known.max(axis=1, keepdims=True) if n_epochs else np.zeros((0, 1))
    if not np.isfinite(peak).all():
        raise BadParameters(
            "an epoch is impossible in every state, or infinitely likely in one",
            where="semi-Markov decoding",
            remedy="give finite log likelihoods",
        )
    first = starts.copy()
    if belief is None:
        if n_epochs:
            first[0] = True
        belief = model.initial
    # The floor keeps an epoch that contradicts everything before it from dividing by zero.
    density = np.maximum(np.exp(known - peak), 1e-250)
    arguments = (np.ascontiguousarray(density), first, model.hazard, model.exits, model.initial)
    filtered, kept, last, log_total = _filter_compiled(
        *arguments, np.ascontiguousarray(belief), _BLOCK
    )
    return Decoded(
        posterior=_smooth_compiled(*arguments, kept, _BLOCK),
        filtered=filtered,
        log_likelihood=float(log_total + peak.sum()),
        belief=last,
    )
