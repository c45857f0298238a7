"""Gradient-boosted trees that give each epoch probabilities of the states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.model.errors import BadParameters, BrokenArtefact

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class TreeParams:
    """How the trees are grown; the same numbers give the same trees."""

    n_rounds: int = 250
    """Trees of each state."""
    learning_rate: float = 0.05
    max_depth: int = 3
    min_child_weight: float = 5.0
    """Least weight of a leaf: leaves of a few epochs learn those epochs."""
    subsample: float = 0.7
    """Share of the epochs that each tree sees."""
    colsample: float = 0.5
    """Share of the columns that each tree sees."""
    l2: float = 1.0
    max_epochs: int = 40_000
    """Of more labelled epochs every second, third, ... is seen: neighbours resemble each other."""
    seed: int = 0

    def __post_init__(self) -> None:
        problems = []
        if self.n_rounds < 1 or self.max_depth < 1 or self.max_epochs < 1:
            problems.append("n_rounds, max_depth and max_epochs must be at least 1")
        problems += [
            f"{name} must be above 0 and at most 1"
            for name in ("learning_rate", "subsample", "colsample")
            if not 0 < getattr(self, name) <= 1
        ]
        if self.min_child_weight < 0 or self.l2 < 0:
            problems.append("min_child_weight and l2 can't be negative")
        if problems:
            raise BadParameters(
                "; ".join(problems), where="parameters of the trees", remedy="correct them"
            )

    def options(self, n_states: int) -> dict[str, Any]:
        """What XGBoost calls them."""
        return {
            "objective": "multi:softprob",
            "num_class": n_states,
            "tree_method": "hist",
            "eta": self.learning_rate,
            "max_depth": self.max_depth,
            "min_child_weight": self.min_child_weight,
            "subsample": self.subsample,
            "colsample_bytree": self.colsample,
            "lambda": self.l2,
            "seed": self.seed,
            "nthread": 1,
            "verbosity": 0,
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class BoostedTrees:
    """Trained trees (Chen and Guestrin 2016, KDD 785)."""

    booster: Any
    """An xgboost.Booster."""
    n_states: int

    def predict(self, columns: Values) -> Values:
        """Probabilities of the states, (n_epochs, n_states); rows add up to 1.

        Parameters
        ----------
        columns : (n_epochs, n_columns) as in training; NaN where missing
        """
        if len(columns) == 0:
            return np.zeros((0, self.n_states))
        found = self.booster.inplace_predict(np.ascontiguousarray(columns, np.float32))
        out = np.asarray(found, np.float64).reshape(len(columns), self.n_states)
        return np.asarray(out / out.sum(axis=1, keepdims=True))

    def gain(self, n_columns: int) -> Values:
        """(n_columns,) share of each column in what the trees gained; adds up to 1."""
        by_name = self.booster.get_score(importance_type="total_gain")
        out = np.array([float(by_name.get(f"f{i}", 0.0)) for i in range(n_columns)])
        return out / out.sum() if out.sum() > 0 else np.full(n_columns, 1 / n_columns)

    def to_bytes(self) -> bytes:
        """The trees as UBJSON, which XGBoost reads in any language."""
        return bytes(self.booster.save_raw(raw_format="ubj"))


def fit_trees(
    columns: Values, state: NDArray[np.integer], *, n_states: int, params: TreeParams
) -> BoostedTrees:
    """Grow trees on labelled epochs.

    One thread, so that the sums, and with them the trees, are the same on every machine.

    Parameters
    ----------
    columns : (n_epochs, n_columns) NaN where missing
    state : (n_epochs,) 0 to n_states - 1
    """
    import xgboost

    data = xgboost.DMatrix(np.ascontiguousarray(columns, np.float32), label=state, nthread=1)
    booster = xgboost.train(params.options(n_states), data, num_boost_round=params.n_rounds)
    return BoostedTrees(booster=booster, n_states=n_states)


def trees_from_bytes(data: bytes, n_states: int) -> BoostedTrees:
    """Trees as `to_bytes` gave them.

    Raises
    ------
    BrokenArtefact
        They can't be read.
    """
    import xgboost

    booster = xgboost.Booster({"nthread": 1})
    try:
        booster.load_model(bytearray(data))
    except (xgboost.core.XGBoostError, ValueError) as error:
        raise BrokenArtefact(
            f"XGBoost {xgboost.__version__} can't read these trees",
            where="trees of a sleep scorer",
            remedy="copy the model's folder again, or train it again with this version",
        ) from error
    return BoostedTrees(booster=booster, n_states=n_states)
