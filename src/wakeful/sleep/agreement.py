"""How well two hypnograms agree, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import SCORED, State
from wakeful.model.errors import BadParameters, Unavailable

Rate = NDArray[np.float64]

LABELS = (State.AWAKE, State.UNCLASSIFIED, State.NREM, State.REM)
"""Rows and columns of a confusion matrix, in this order."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Agreement:
    """Agreement of a scorer with a reference over the epochs for which both have data."""

    confusion: NDArray[np.int64]
    """(4, 4) epochs; rows are the reference's states, columns the scorer's, as in `LABELS`."""
    kappa: float
    """Cohen's kappa; an unclassified epoch of either side counts as an error."""
    accuracy: float
    """Share of the epochs that agree, 0 to 1; unclassified ones never do."""
    f1: dict[State, float]
    """F1 of awake, NREM and REM; NaN where neither side has the state."""
    precision: dict[State, float]
    """Share of the scorer's epochs of a state that the reference has so too; NaN without any."""
    recall: dict[State, float]
    """Share of the reference's epochs of a state that the scorer found; NaN without any."""
    coverage: float
    """Share of the epochs that the scorer classified, 0 to 1."""
    n_epochs: int
    """Epochs compared."""


def compute_agreement(reference: NDArray[np.integer], scored: NDArray[np.integer]) -> Agreement:
    """Compare two hypnograms (Cohen 1960, Educ Psychol Meas 20:37).

    An `unclassified` epoch is a label of its own that agrees with nothing, not even with
    `unclassified` of the other side, so that abstaining never raises kappa by itself. Where one
    side only abstains, kappa equals that of any implementation given four labels.

    Parameters
    ----------
    reference : (n_epochs,) values of `State`
    scored : (n_epochs,) values of `State`

    Raises
    ------
    BadParameters
        The lengths differ, or a value is no state.
    Unavailable
        No epoch has data on both sides.
    """
    if reference.shape != scored.shape or reference.ndim != 1:
        raise BadParameters(
            f"hypnograms of shapes {reference.shape} and {scored.shape} can't be compared",
            where="compute_agreement",
            remedy="give one state per epoch, for the same epochs, on both sides",
        )
    known = [int(s) for s in State]
    for name, states in (("reference", reference), ("scored", scored)):
        odd = np.setdiff1d(states, known)
        if odd.size:
            raise BadParameters(
                f"{odd[0]} is not a state",
                where=f"compute_agreement, {name}",
                remedy=f"use the numbers of State: {known}",
            )
    both = (reference != State.NO_DATA) & (scored != State.NO_DATA)
    if not both.any():
        raise Unavailable(
            "no epoch has data on both sides",
            where="compute_agreement",
            remedy="compare hypnograms of the same stretch of time",
        )
    n_labels = len(LABELS)
    pairs = n_labels * reference[both].astype(np.int64) + scored[both]
    confusion = np.bincount(pairs, minlength=n_labels**2).reshape(n_labels, n_labels)
    rates = compute_rates(confusion, abstained=int(State.UNCLASSIFIED))
    n_epochs = int(confusion.sum())
    return Agreement(
        confusion=confusion,
        kappa=rates.kappa,
        accuracy=rates.accuracy,
        f1=_by_state(rates.f1),
        precision=_by_state(rates.precision),
        recall=_by_state(rates.recall),
        coverage=float(1 - confusion.sum(axis=0)[State.UNCLASSIFIED] / n_epochs),
        n_epochs=n_epochs,
    )


def _by_state(rates: Rate) -> dict[State, float]:
    return {state: float(rates[state]) for state in SCORED}


@dataclass(frozen=True, eq=False, kw_only=True)
class Rates:
    """What a confusion matrix says."""

    kappa: float
    """Cohen's kappa; NaN where both sides have one and the same label throughout."""
    accuracy: float
    f1: Rate
    """(n_labels,); NaN where neither side has the label."""
    precision: Rate
    """(n_labels,); NaN where the scorer does not have the label."""
    recall: Rate
    """(n_labels,); NaN where the reference does not have the label."""


def compute_rates(confusion: NDArray[np.int64], *, abstained: int) -> Rates:
    """Kappa (Cohen 1960, Educ Psychol Meas 20:37), accuracy, and F1 of each label.

    Parameters
    ----------
    confusion : (n_labels, n_labels) epochs; rows are the reference's labels, columns the scorer's
    abstained : the label that agrees with nothing, not even with itself
    """
    n_epochs = int(confusion.sum())
    in_reference, in_scored = confusion.sum(axis=1), confusion.sum(axis=0)
    right = np.diag(confusion).copy()
    right[abstained] = 0
    kappa = accuracy = float("nan")
    if n_epochs:
        observed = right.sum() / n_epochs
        by_chance = in_reference * in_scored / n_epochs**2
        by_chance[abstained] = 0.0
        expected = by_chance.sum()
        accuracy = float(observed)
        # One and the same state throughout on both sides: agreement says nothing beyond chance.
        kappa = float((observed - expected) / (1 - expected)) if expected < 1 else float("nan")
    return Rates(
        kappa=kappa,
        accuracy=accuracy,
        f1=_share(2 * right, in_reference + in_scored),
        precision=_share(right, in_scored),
        recall=_share(right, in_reference),
    )


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Rate:
    """NaN where there is nothing to take a share of."""
    share = np.full(len(part), np.nan)
    np.divide(part, whole, out=share, where=whole > 0)
    return share
