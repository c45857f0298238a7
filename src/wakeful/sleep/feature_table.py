"""Any table of features per epoch: a lab's own, or one that Wakeful computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wakeful.model.errors import BadParameters

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
Names = NDArray[np.str_]


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureTable:
    """One row an epoch, in order of time within each stretch."""

    names: tuple[str, ...]
    """Of the features, each once."""
    values: Values
    """(n_epochs, n_features); NaN where missing."""
    starts: Mask
    """(n_epochs,) True where a stretch without holes begins: the first epoch, after a hole, and
    where another subject begins."""
    epoch_s: float
    subject: Names
    """(n_epochs,) the animal."""
    group: Names
    """(n_epochs,) what is held out together in cross-validation: animal, litter or lab."""
    start_s: Values
    """(n_epochs,) seconds, growing within an animal; epochs end to end where nobody said."""

    def __post_init__(self) -> None:
        n_epochs = len(self.values)
        problems = []
        if self.values.shape != (n_epochs, len(self.names)):
            problems.append(
                f"values of shape {self.values.shape} do not fit {len(self.names)} names"
            )
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            problems.append(f"more than one column is called {', '.join(twice)}")
        problems += [
            f"`{name}` has no entry for each of {n_epochs} epochs"
            for name in ("starts", "subject", "group", "start_s")
            if getattr(self, name).shape != (n_epochs,)
        ]
        if not self.epoch_s > 0:
            problems.append(f"an epoch of {self.epoch_s} s")
        if not problems and n_epochs:
            if not self.starts[0]:
                problems.append("the first epoch must start a stretch")
            elif ((self.subject[1:] != self.subject[:-1]) & ~self.starts[1:]).any():
                problems.append("a stretch runs from one subject to the next")
            elif ((np.diff(self.start_s) <= 0) & ~self.starts[1:]).any():
                problems.append("epochs of a stretch are not in order of time")
        if problems:
            raise BadParameters(
                "; ".join(problems), where="feature table", remedy="correct the table"
            )

    @classmethod
    def make(
        cls,
        names: Sequence[str],
        values: Values,
        *,
        epoch_s: float,
        starts: Mask | None = None,
        subject: str | Names = "",
        group: str | Names | None = None,
        start_s: Values | None = None,
    ) -> FeatureTable:
        """A table from what there is; without `starts` all epochs of a subject follow each other.

        Raises
        ------
        BadParameters
            Names and arrays do not fit each other.
        """
        n_epochs = len(values)
        of_epoch = np.full(n_epochs, subject) if isinstance(subject, str) else np.asarray(subject)
        if starts is None:
            starts = np.zeros(n_epochs, np.bool_)
        first = np.array(starts, np.bool_)
        if n_epochs and of_epoch.shape == first.shape == (n_epochs,):
            first[0] = True
            first[1:] |= of_epoch[1:] != of_epoch[:-1]
        if group is None:
            together = of_epoch
        else:
            together = np.full(n_epochs, group) if isinstance(group, str) else np.asarray(group)
        return cls(
            names=tuple(names),
            values=np.asarray(values, np.float64),
            starts=first,
            epoch_s=epoch_s,
            subject=of_epoch,
            group=together,
            start_s=np.asarray(
                np.arange(n_epochs) * epoch_s if start_s is None else start_s, np.float64
            ),
        )

    @property
    def n_epochs(self) -> int:
        """How many epochs there are."""
        return len(self.values)

    @property
    def missing(self) -> Mask:
        """(n_epochs,) where there is not one number: the epoch touches a gap."""
        return np.asarray(~np.isfinite(self.values).any(axis=1))

    @property
    def breaks(self) -> Mask:
        """(n_epochs,) starts of stretches, an epoch without a number being a hole too."""
        missing = self.missing
        out = self.starts | missing
        out[1:] |= missing[:-1]
        return np.asarray(out)

    def take(self, rows: slice) -> FeatureTable:
        """Consecutive rows; the first of them starts a stretch."""
        starts = self.starts[rows].copy()
        starts[:1] = True
        return replace(
            self,
            values=self.values[rows],
            starts=starts,
            subject=self.subject[rows],
            group=self.group[rows],
            start_s=self.start_s[rows],
        )

    def ordered(self, names: Sequence[str], *, allow_missing: bool = False) -> FeatureTable:
        """The columns that a scorer knows, in its order; others are left out.

        Parameters
        ----------
        names : wanted
        allow_missing : a column that is not there becomes NaN, which trees can take

        Raises
        ------
        BadParameters
            A column is missing; names all of them.
        """
        missing = [name for name in names if name not in self.names]
        if missing and not (allow_missing and len(missing) < len(names)):
            shown = ", ".join(missing[:8]) + (" ..." if len(missing) > 8 else "")
            raise BadParameters(
                f"{len(missing)} of the {len(names)} features that the model was trained on are "
                f"missing: {shown}",
                where="feature table",
                remedy="compute them, rename the columns, or train a model on the columns you have",
            )
        values = np.full((self.n_epochs, len(names)), np.nan)
        for i, name in enumerate(names):
            if name in self.names:
                values[:, i] = self.values[:, self.names.index(name)]
        return replace(self, names=tuple(names), values=values)


@dataclass(frozen=True, eq=False, kw_only=True)
class Labels:
    """What people said of each epoch."""

    states: tuple[str, ...]
    """Names of the states, in the order of their numbers."""
    state: NDArray[np.int64]
    """(n_epochs,) number of the state; -1 where unlabelled, or not one of the states."""

    def __post_init__(self) -> None:
        if len(set(self.states)) != len(self.states):
            raise BadParameters(
                f"states {self.states} are not different",
                where="labels",
                remedy="give each state one name",
            )
        if self.state.size and not ((self.state >= -1) & (self.state < len(self.states))).all():
            raise BadParameters(
                "a label is no number of a state",
                where="labels",
                remedy=f"use 0 to {len(self.states) - 1}, or -1 where there is no label",
            )

    @property
    def known(self) -> Mask:
        """(n_epochs,) where there is a label."""
        return np.asarray(self.state >= 0)

    def count(self) -> dict[str, int]:
        """Epochs of each state."""
        return {name: int((self.state == i).sum()) for i, name in enumerate(self.states)}
