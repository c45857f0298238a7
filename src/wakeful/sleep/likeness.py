"""Whether a table looks like what a scorer was trained on, and which epochs do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_TAIL = 0.005
"""Share of the training's epochs beyond each limit."""
_FOREIGN = 0.5
"""A feature most of whose epochs lie beyond what training had is another feature."""
_MIN_FOREIGN_GAIN = 0.1
"""Share of the trees' gain that foreign features may have before the table is refused."""
_MAX_OUTSIDE = 0.3
"""Share of epochs beyond the limits, features weighted by gain, before the table is refused."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Likeness:
    """What training had, feature by feature."""

    names: tuple[str, ...]
    low: Values
    """(n_features,) half a per cent of the training's epochs lie below."""
    high: Values
    """(n_features,) half a per cent of the training's epochs lie above."""
    gain: Values
    """(n_features,) what each counts; adds up to 1."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How far a table is from the training set."""

    outside: float
    """Share of epochs beyond the training's limits, features weighted by their gain, 0 to 1; about
    0.01 for more of the same."""
    refusal: str
    """Why the table should not be scored; "" where nothing speaks against it."""
    notes: tuple[str, ...]
    """Features that are odd but matter too little to refuse for."""


def fit_likeness(names: tuple[str, ...], values: Values, gain: Values) -> Likeness:
    """The limits of the training set's features.

    Parameters
    ----------
    values : (n_epochs, n_features) NaN where missing
    gain : (n_features,) what each counts
    """
    limits = np.full((2, len(names)), np.nan)
    for i in range(len(names)):
        seen = values[np.isfinite(values[:, i]), i]
        if seen.size:
            limits[:, i] = np.quantile(seen, [_TAIL, 1 - _TAIL])
    total = gain.sum()
    share = gain / total if total > 0 else np.full(len(names), 1 / len(names))
    return Likeness(names=names, low=limits[0], high=limits[1], gain=share)


def compare(likeness: Likeness, values: Values) -> Comparison:
    """Hold a table against the training set.

    Only limits are compared, never means or spreads: a recording of one state lies within the
    limits of all states.

    Parameters
    ----------
    values : (n_epochs, n_features)
    """
    below, above = np.zeros(len(likeness.names)), np.zeros(len(likeness.names))
    absent = np.zeros(len(likeness.names), np.bool_)
    for i in range(len(likeness.names)):
        seen = values[np.isfinite(values[:, i]), i]
        absent[i] = seen.size == 0
        if seen.size and np.isfinite(likeness.low[i]):
            below[i] = float(np.mean(seen < likeness.low[i]))
            above[i] = float(np.mean(seen > likeness.high[i]))
    outside = below + above
    gain = np.where(absent, 0.0, likeness.gain)
    total = float(gain @ outside / gain.sum()) if gain.sum() > 0 else 0.0
    foreign = np.flatnonzero(outside > _FOREIGN)
    foreign = foreign[np.argsort(-likeness.gain[foreign], kind="stable")]
    said = [_say(likeness, i, below[i], above[i]) for i in foreign.tolist()]
    lost = float(likeness.gain[absent].sum())
    refusal = ""
    if float(likeness.gain[foreign].sum()) >= _MIN_FOREIGN_GAIN:
        refusal = "unlike the training set: " + "; ".join(said[:4])
    elif total > _MAX_OUTSIDE:
        refusal = (
            f"unlike the training set: {total:.0%} of what the model looks at lies beyond what it "
            "was trained on"
        )
    elif lost > 0.5:
        refusal = (
            f"features that make up {lost:.0%} of what the model learned hold no number throughout"
        )
    notes = [] if refusal else [f"odd, but of little weight: {text}" for text in said[:4]]
    if absent.any() and not refusal:
        gone = [name for name, a in zip(likeness.names, absent, strict=True) if a]
        notes.append(
            f"without a number throughout: {', '.join(gone[:6])}{' ...' if len(gone) > 6 else ''} "
            f"({lost:.0%} of what the model learned)"
        )
    return Comparison(outside=total, refusal=refusal, notes=tuple(notes))


def _say(likeness: Likeness, i: int, below: float, above: float) -> str:
    where, share, limit = (
        ("above", above, likeness.high[i]) if above >= below else ("below", below, likeness.low[i])
    )
    return (
        f"{likeness.names[i]} lies {where} {limit:.4g} in {share:.0%} of epochs (another unit, "
        "gain or filter?)"
    )
