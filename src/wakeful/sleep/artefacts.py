"""Epochs that look like no state at all: artefacts, which confidence does not catch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.sleep.context import Context, add_context
from wakeful.sleep.markov import Gaussians

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

MAX_FEATURES = 12
"""Of those that matter most: a covariance of more asks for more labels than people give."""
_FALSE_SHARE = 0.002
"""Share of labelled epochs that is marked: about two in an hour of epochs of 4 s."""
_TRIMMED = 0.01
"""Share of each state's epochs left out of its covariance, the farthest first."""
_NEIGHBOURS = Context(lags=(1,))


@dataclass(frozen=True, eq=False, kw_only=True)
class ArtefactDetector:
    """One Gaussian per state, of an epoch's features and its neighbours'."""

    features: tuple[int, ...]
    """Which of the scorer's features are looked at."""
    never_flat: Mask
    """(n_features looked at,) of which training never saw a logarithm of nothing."""
    gaussians: Gaussians
    log_shares: Values
    """(n_states,) of the labels."""
    threshold: float
    """Oddness above which an epoch is an artefact."""

    def oddness(self, logarithms: Values, values: Values, starts: Mask) -> Values:
        """How little each epoch looks like any state, (n_epochs,); infinite where it is flat.

        Negative log density under the states' mixture; missing features are left out.

        Parameters
        ----------
        logarithms : (n_epochs, n_features) as the scorer sees them
        values : (n_epochs, n_features) as they came
        starts : (n_epochs,) True where a stretch begins
        """
        columns = add_context(logarithms[:, self.features], starts, _NEIGHBOURS)
        density = self.gaussians.log_density(columns) + self.log_shares
        peak = density.max(axis=1)
        odd = -(peak + np.log(np.exp(density - peak[:, None]).sum(axis=1)))
        own = values[:, self.features]
        # A power of exactly 0 has no logarithm: a flat or saturated signal, not a missing number.
        flat = np.isfinite(own) & (own <= 0) & self.never_flat
        odd[flat.any(axis=1)] = np.inf
        return np.asarray(odd)

    def find(self, logarithms: Values, values: Values, starts: Mask) -> Mask:
        """(n_epochs,) artefacts; parameters as in `oddness`."""
        return np.asarray(self.oddness(logarithms, values, starts) > self.threshold)


def fit_artefact_detector(
    logarithms: Values,
    values: Values,
    starts: Mask,
    state: NDArray[np.integer],
    *,
    n_states: int,
    gain: Values,
    logarithmic: Mask,
    false_share: float = _FALSE_SHARE,
) -> ArtefactDetector:
    """Learn what the states look like; artefacts need not be labelled.

    Means are medians, and the farthest epochs are left out of the covariances (one step of
    reweighting, after Rousseeuw and Van Driessen 1999, Technometrics 41:212), so that artefacts
    among the labels do not make room for others.

    Parameters
    ----------
    logarithms, values, starts : of all epochs, as in `ArtefactDetector.oddness`
    state : (n_epochs,) 0 to n_states - 1, below 0 where unlabelled
    gain : (n_features,) what each feature counts for the scorer
    logarithmic : (n_features,) whose logarithms are taken
    false_share : of the labelled epochs that is marked
    """
    order = np.argsort(-gain, kind="stable")[:MAX_FEATURES]
    features = tuple(sorted(int(i) for i in order))
    columns = add_context(logarithms[:, features], starts, _NEIGHBOURS)
    known = state >= 0
    overall = _fit_one(columns[known], None)
    means, covariances, shares = [], [], []
    for k in range(n_states):
        rows = state == k
        mean, covariance = _fit_one(columns[rows], overall)
        means.append(mean)
        covariances.append(covariance)
        shares.append((rows.sum() + 0.5) / (known.sum() + 0.5 * n_states))
    own = values[known][:, features]
    with np.errstate(invalid="ignore"):
        zeros = (own <= 0).mean(axis=0) if known.any() else np.ones(len(features))
    detector = ArtefactDetector(
        features=features,
        never_flat=logarithmic[list(features)] & (zeros < false_share),
        gaussians=Gaussians(means=np.array(means), covariances=np.array(covariances)),
        log_shares=np.log(np.array(shares)),
        threshold=np.inf,
    )
    odd = detector.oddness(logarithms, values, starts)[known]
    odd = odd[np.isfinite(odd)]
    threshold = float(np.quantile(odd, 1 - false_share)) if odd.size else 0.0
    return ArtefactDetector(
        features=features,
        never_flat=detector.never_flat,
        gaussians=detector.gaussians,
        log_shares=detector.log_shares,
        threshold=threshold,
    )


def _fit_one(columns: Values, overall: tuple[Values, Values] | None) -> tuple[Values, Values]:
    """Median and covariance of complete rows; drawn to those of all states where rows are few."""
    n_columns = columns.shape[1]
    complete = columns[np.isfinite(columns).all(axis=1)]
    if overall is None:
        fallback = (np.zeros(n_columns), np.eye(n_columns))
    else:
        fallback = overall
    if len(complete) < 2:
        return fallback
    centre = np.median(complete, axis=0)
    covariance = _shrink(complete - centre, fallback[1])
    deviation = complete - centre
    distance = np.sum(deviation * np.linalg.solve(covariance, deviation.T).T, axis=1)
    kept = deviation[distance <= np.quantile(distance, 1 - _TRIMMED)]
    return centre, _shrink(kept, fallback[1])


def _shrink(deviation: Values, towards: Values) -> Values:
    """Scatter with as many epochs of the broader covariance as there are columns."""
    n, n_columns = deviation.shape
    covariance = (deviation.T @ deviation + n_columns * towards) / (n + n_columns)
    floor = 1e-6 * max(float(np.trace(covariance)) / n_columns, 1e-12)
    return np.asarray(covariance + floor * np.eye(n_columns))
