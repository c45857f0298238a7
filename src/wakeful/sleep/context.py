"""What an epoch's neighbours in time add to its features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.errors import BadParameters
from wakeful.sleep.feature_table import FeatureTable

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Context:
    """Which neighbours, and whether those to come are among them."""

    lags: tuple[int, ...] = ()
    """Epochs away; each gives a column before and one after."""
    windows: tuple[int, ...] = ()
    """Half widths, in epochs, of running means; each gives a column around the epoch."""
    causal: bool = False
    """Only what came before: for streams."""
    features: tuple[int, ...] | None = None
    """Numbers of the features whose neighbours are looked at; all where None."""

    def __post_init__(self) -> None:
        if any(lag < 1 for lag in (*self.lags, *self.windows)):
            raise BadParameters(
                "lags and windows are counted in epochs, from 1",
                where="context of epochs",
                remedy="leave out those below 1",
            )

    @property
    def reach_epochs(self) -> int:
        """How far an epoch's features look."""
        return max((*self.lags, *self.windows), default=0)


def find_logarithmic(values: Values) -> Mask:
    """Features that are never negative and skewed to the right, as powers are.

    Trees do not care, but means over neighbours and distances do: one burst must not outweigh a
    minute.

    Parameters
    ----------
    values : (n_epochs, n_features)

    Returns
    -------
    (n_features,)
    """
    out = np.zeros(values.shape[1], np.bool_)
    for i in range(values.shape[1]):
        seen = values[np.isfinite(values[:, i]), i]
        if seen.size == 0 or seen.min() < 0 or not (seen > 0).any():
            continue
        low, middle, high = np.quantile(seen[seen > 0], [0.05, 0.5, 0.95])
        out[i] = high - middle > 1.5 * (middle - low) > 0
    return out


def to_logarithms(values: Values, logarithmic: Mask) -> Values:
    """Natural log of the columns marked; what is not above 0 becomes NaN there."""
    out = values.astype(np.float64)
    for i in np.flatnonzero(logarithmic):
        column = np.full(len(out), np.nan)
        np.log(values[:, i], out=column, where=values[:, i] > 0)
        out[:, i] = column
    return out


def add_context(values: Values, starts: Mask, context: Context) -> Values:
    """The features with those of neighbouring epochs beside them.

    Parameters
    ----------
    values : (n_epochs, n_features)
    starts : (n_epochs,) True where a stretch begins: nothing is seen across; NaN there

    Returns
    -------
    (n_epochs, n_columns): the features themselves come first
    """
    columns = [values]
    if context.features is not None:
        values = values[:, context.features]
    n_epochs, n_features = values.shape
    stretch = np.cumsum(starts)
    for lag in context.lags:
        for shift in (lag,) if context.causal else (lag, -lag):
            moved = np.full((n_epochs, n_features), np.nan)
            if 0 < shift < n_epochs:
                same = stretch[shift:] == stretch[:-shift]
                moved[shift:][same] = values[:-shift][same]
            elif -n_epochs < shift < 0:
                same = stretch[-shift:] == stretch[:shift]
                moved[:shift][same] = values[-shift:][same]
            columns.append(moved)
    if context.windows:
        columns += _running_means(values, starts, context)
    return np.concatenate(columns, axis=1)


def _running_means(values: Values, starts: Mask, context: Context) -> list[Values]:
    n_epochs = len(values)
    seen = np.isfinite(values)
    # Cumulative sums of a day lose no digits that matter once the level is taken out.
    level = np.array(
        [
            column[ok].mean() if ok.any() else 0.0
            for column, ok in zip(values.T, seen.T, strict=True)
        ]
    )
    zeros = np.zeros((1, values.shape[1]))
    total = np.concatenate([zeros, np.cumsum(np.where(seen, values - level, 0.0), axis=0)])
    count = np.concatenate([zeros, np.cumsum(seen, axis=0)])
    edges = np.r_[np.flatnonzero(starts), n_epochs]
    stretch = np.cumsum(starts) - 1
    rows = np.arange(n_epochs)
    out = []
    for half in context.windows:
        first = np.maximum(rows - half, edges[stretch])
        stop = rows + 1 if context.causal else np.minimum(rows + half + 1, edges[stretch + 1])
        n_seen = count[stop] - count[first]
        mean = np.full(values.shape, np.nan)
        np.divide(total[stop] - total[first], n_seen, out=mean, where=n_seen > 0)
        out.append(mean + level)
    return out


def name_columns(names: tuple[str, ...], context: Context) -> tuple[str, ...]:
    """Names of the columns of `add_context`, in its order."""
    out = list(names)
    if context.features is not None:
        names = tuple(names[i] for i in context.features)
    for lag in context.lags:
        out += [f"{name}, {lag} before" for name in names]
        if not context.causal:
            out += [f"{name}, {lag} after" for name in names]
    for half in context.windows:
        where = "before" if context.causal else "around"
        out += [f"{name}, mean of {half} {where}" for name in names]
    return tuple(out)


def make_columns(table: FeatureTable, logarithmic: Mask, context: Context) -> Values:
    """What the emission models look at.

    Returns
    -------
    (n_epochs, n_columns)
    """
    return add_context(to_logarithms(table.values, logarithmic), table.starts, context)
