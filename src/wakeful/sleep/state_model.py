"""The model of the states: fixed transitions of rodent sleep, emissions fitted without labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import State
from wakeful.sleep.drift import compute_drift
from wakeful.sleep.features import Features
from wakeful.sleep.markov import Gaussians, compute_posterior, fit_gaussians
from wakeful.sleep.params import LabelFreeParams
from wakeful.sleep.seeds import Seeds

Values = NDArray[np.float64]

_N_ITERATIONS = 30
_PRIOR_SHARE = 0.1
"""Of all epochs: the weight of the seeds in the fit, per state."""
_DRIFT_ROUNDS = 3

_TONE_MARGIN = 0.2
"""REM's tone may lie above NREM's by this part of the way to awake's, for noisy electrodes."""

_FIT_SHARE = 0.8
"""Of the contrasts asked of the seeds, in log units, that the fit must keep where their sum is
asked for too: the fit takes in the epochs at transitions."""

_EXITS = {
    State.AWAKE: {State.NREM: 0.998, State.REM: 0.002},
    State.NREM: {State.AWAKE: 0.8, State.REM: 0.2},
    State.REM: {State.AWAKE: 0.7, State.NREM: 0.3},
}
"""Where a bout leads to, as shares. Orders of magnitude of healthy mice and rats; that REM follows
NREM and hardly ever wakefulness is what matters."""

_SHARES = {State.AWAKE: 0.5, State.NREM: 0.42, State.REM: 0.08}
"""Of a rodent's day; what a stretch starts from."""


class DoesNotHold(Exception):
    """The fitted states are no longer what their names say."""

    def __init__(self, states: str) -> None:
        super().__init__(f"{states} did not hold in the fit")


@dataclass(frozen=True, eq=False, kw_only=True)
class StateModel:
    """Emissions and transitions of the states, and the features as the model sees them."""

    gaussians: Gaussians
    level: Values
    """(n_epochs, n_features) what was observed, less its slow drift."""
    transition: Values
    initial: Values


def make_transition(
    states: tuple[State, ...], params: LabelFreeParams, epoch_s: float
) -> tuple[Values, Values]:
    """Fixed transitions and starting probabilities of the states of a model.

    Returns
    -------
    transition : (n_states, n_states) per epoch, rows add up to 1
    initial : (n_states,)
    """
    bout_s = {
        State.AWAKE: params.awake_bout_s,
        State.NREM: params.nrem_bout_s,
        State.REM: params.rem_bout_s,
    }
    transition = np.zeros((len(states), len(states)))
    for i, state in enumerate(states):
        leave = min(0.5, epoch_s / bout_s[state])
        exits = np.array([_EXITS[state].get(other, 0.0) for other in states])
        transition[i] = leave * exits / exits.sum()
        transition[i, i] = 1 - leave
    initial = np.array([_SHARES[state] for state in states])
    return transition, initial / initial.sum()


def fit_state_model(features: Features, seeds: Seeds, params: LabelFreeParams) -> StateModel:
    """Fit the emissions without labels, slow drift taken out of the features on the way.

    Raises
    ------
    DoesNotHold
        Awake, NREM or REM ended up as something else.
    """
    transition, initial = make_transition(seeds.states, params, features.epoch_s)
    narrower = None
    if State.REM in seeds.states:
        narrower = (seeds.states.index(State.REM), seeds.states.index(State.NREM))
    # A ratio of two bands of one electrode does not drift with the electrode.
    drifting = np.array([True] * (seeds.observed.shape[1] - 1) + [False])
    n_rounds = _DRIFT_ROUNDS if features.recorded_s >= 2 * params.drift_window_s else 0
    level, fitted = seeds.observed, seeds.gaussians
    for round_ in range(n_rounds + 1):
        fitted = fit_gaussians(
            level,
            features.starts,
            seeds.gaussians,
            transition,
            initial,
            n_iterations=_N_ITERATIONS,
            prior_epochs=_PRIOR_SHARE * features.recorded_s / features.epoch_s,
            narrower=narrower,
        )
        posterior, _ = compute_posterior(
            fitted.log_density(level), features.starts, transition, initial
        )
        if round_ < n_rounds:
            expected = posterior @ fitted.means
            drift = compute_drift(
                seeds.observed, expected, features.start_s, window_s=params.drift_window_s
            )
            level = seeds.observed - drift * drifting
    _check_order(_mean_of(level, posterior), posterior, seeds, params)
    return StateModel(gaussians=fitted, level=level, transition=transition, initial=initial)


def _mean_of(features: Values, posterior: Values) -> Values:
    """(n_states, n_features) mean of the features in each state, missing ones left out."""
    present = np.isfinite(features)
    total = posterior.T @ np.where(present, features, 0.0)
    return np.asarray(total / np.maximum(posterior.T @ present, 1e-9))


def _check_order(means: Values, posterior: Values, seeds: Seeds, params: LabelFreeParams) -> None:
    """Whether the fitted states are still what their names say.

    Parameters
    ----------
    means : (n_states, n_features)
    """
    min_delta = np.log(params.min_delta_ratio)
    mean = dict(zip(seeds.states, means, strict=True))
    awake, nrem = mean[State.AWAKE], mean[State.NREM]
    if seeds.tone_unraised is None:
        if nrem[0] - awake[0] < min_delta:
            raise DoesNotHold("awake and NREM")
        return
    tone = dict(
        zip(seeds.states, _mean_of(seeds.tone_unraised[:, None], posterior)[:, 0], strict=True)
    )
    fall, rise = tone[State.AWAKE] - tone[State.NREM], nrem[1] - awake[1]
    share = _FIT_SHARE if seeds.min_contrast else 1.0
    least = np.array([share * seeds.min_tone, share * seeds.min_rise, seeds.min_contrast])
    if (np.array([fall, rise, fall + rise]) < least).any():
        raise DoesNotHold("awake and NREM")
    if State.REM in mean:
        rem = mean[State.REM]
        # Quiet wakefulness taken for REM shows by more tone than NREM has.
        atonic = tone[State.REM] < tone[State.NREM] + _TONE_MARGIN * fall
        if not (atonic and nrem[1] - rem[1] >= min_delta and rem[2] > nrem[2]):
            raise DoesNotHold("REM")
