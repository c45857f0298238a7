"""What an animal's features are when it is awake and in NREM, so that animals can be compared.

A z-score over a file says how odd an epoch is within the file: an animal that slept all through
looks as if it were awake half of the time. Anchors do not hang on how much of each state there is:
a feature's zero is midway between its medians in awake and in NREM, its unit the spread within
these states. Gains and electrodes that drift are followed by a running median of what the states
do not explain. An animal's anchors may come from its other recordings; one that never showed both
states has none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import State
from wakeful.model.errors import BadParameters
from wakeful.sleep.drift import compute_drift

Values = NDArray[np.float64]
States = NDArray[np.int8]

STATES = (State.AWAKE, State.NREM, State.REM)
_MIN_EPOCHS = 45
"""A median of fewer epochs (3 min of 4 s) is no anchor."""
_MIN_REM_EPOCHS = 15
_MAD_TO_SD = 1.4826
_MAX_DISTANCE = 3.0
"""In spreads: beyond it one feature counts no more."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Anchors:
    """Levels of one animal's features."""

    names: tuple[str, ...]
    medians: Values
    """(3, n_features) in awake, NREM and REM; NaN where there were too few epochs."""
    spread: Values
    """(n_features,) robust standard deviation within awake and NREM; NaN where there is none."""
    n_epochs: tuple[int, int, int]
    """What they rest on: epochs in awake, NREM and REM."""

    def __post_init__(self) -> None:
        n = len(self.names)
        if self.medians.shape != (len(STATES), n) or self.spread.shape != (n,):
            raise BadParameters(
                f"shapes {self.medians.shape} and {self.spread.shape} do not fit {n} names",
                where="anchors",
                remedy="make them with fit_anchors",
            )

    @property
    def level(self) -> Values:
        """(n_features,) midway between awake and NREM."""
        return np.asarray(self.medians[:2].mean(axis=0))

    def of(self, names: tuple[str, ...]) -> Anchors:
        """For these features in this order; NaN for those that the animal did not have."""
        place = {name: i for i, name in enumerate(self.names)}
        columns = np.array([place.get(name, -1) for name in names], np.intp)
        known = columns >= 0
        medians = np.full((len(STATES), len(names)), np.nan)
        spread = np.full(len(names), np.nan)
        medians[:, known] = self.medians[:, columns[known]]
        spread[known] = self.spread[columns[known]]
        return Anchors(names=names, medians=medians, spread=spread, n_epochs=self.n_epochs)


def fit_anchors(names: tuple[str, ...], values: Values, state: States) -> Anchors:
    """Medians and spreads within states.

    Parameters
    ----------
    values : (n_epochs, n_features) NaN where missing
    state : (n_epochs,) values of `State`; unclassified epochs are left out
    """
    medians = np.full((len(STATES), len(names)), np.nan)
    variance = np.full((2, len(names)), np.nan)
    for row, which in enumerate(STATES):
        inside = values[state == which]
        least = _MIN_REM_EPOCHS if which is State.REM else _MIN_EPOCHS
        for i in range(len(names)):
            seen = inside[np.isfinite(inside[:, i]), i]
            if seen.size < least:
                continue
            medians[row, i] = np.median(seen)
            if row < len(variance):
                deviation = np.median(np.abs(seen - medians[row, i]))
                variance[row, i] = (_MAD_TO_SD * deviation) ** 2
    spread = np.sqrt(variance.mean(axis=0))
    spread[~(spread > 1e-9 * np.maximum(1.0, np.abs(medians[0])))] = np.nan
    return Anchors(
        names=names,
        medians=medians,
        spread=spread,
        n_epochs=tuple(int((state == s).sum()) for s in STATES),  # type: ignore[arg-type]
    )


def follow_drift(
    values: Values, state: States, start_s: Values, anchors: Anchors, *, window_s: float
) -> Values:
    """How far each feature lies from what the anchors say of its epochs' states, slowly changing.

    Parameters
    ----------
    values : (n_epochs, n_features)
    state : (n_epochs,) values of `State`; unclassified epochs say nothing about drift
    start_s : (n_epochs,) in order

    Returns
    -------
    (n_epochs, n_features), in the features' units; 0 where nothing is known
    """
    expected = np.full(values.shape, np.nan)
    for row, which in enumerate(STATES):
        expected[state == which] = anchors.medians[row]
    return compute_drift(values, expected, start_s, window_s=window_s, centred=False)


def set_against(values: Values, anchors: Anchors, drift: Values) -> Values:
    """Features in spreads from the middle between awake and NREM.

    Parameters
    ----------
    values, drift : (n_epochs, n_features)

    Returns
    -------
    (n_epochs, n_features); NaN where a feature has no anchor
    """
    return np.asarray((values - drift - anchors.level) / anchors.spread)


def find_nearest(values: Values, anchors: Anchors) -> States:
    """Whose medians each epoch lies nearest to, all features heeded.

    Of the features whose level is known in all states that are compared, by the mean distance in
    spreads, where no feature counts more than a few: one that drifted must not decide.

    Parameters
    ----------
    values : (n_epochs, n_features) NaN where missing
    anchors : of these features

    Returns
    -------
    (n_epochs,) values of `State`; unclassified where nothing can be compared: throughout where the
    animal's levels in one of the states are not known
    """
    out = np.full(len(values), State.UNCLASSIFIED, np.int8)
    usable = np.isfinite(anchors.medians).all(axis=0) & np.isfinite(anchors.spread)
    if not usable.any():
        return out
    seen = np.isfinite(values[:, usable])
    distance = np.zeros((len(values), len(STATES)))
    for row in range(len(STATES)):
        off = np.abs(values[:, usable] - anchors.medians[row, usable]) / anchors.spread[usable]
        distance[:, row] = np.where(seen, np.minimum(off, _MAX_DISTANCE), 0.0).sum(axis=1)
    known = seen.any(axis=1)
    out[known] = np.array(STATES, np.int8)[distance[known].argmin(axis=1)]
    return out
