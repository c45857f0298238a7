"""Hand scores laid onto the features of sessions: one table with labels, to train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import SCORED, Hypnogram, SleepFeatures, State
from wakeful.model.errors import BadParameters
from wakeful.sleep.feature_table import FeatureTable, Labels
from wakeful.sleep.trained_hypnogram import table_of


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelledSession:
    """A session's features, and what people said of them."""

    name: str
    subject: str
    features: SleepFeatures
    state: NDArray[np.int8]
    """(n_epochs,) values of `State`; no data where nobody scored."""


def label_epochs(hypnogram: Hypnogram, start_s: NDArray[np.float64]) -> NDArray[np.int8]:
    """The state of each epoch; no data where the hypnogram has none.

    Parameters
    ----------
    hypnogram : epochs of the same length, counted from the session's start
    start_s : (n_epochs,) where epochs begin, seconds from the session's start
    """
    state = np.full(len(start_s), State.NO_DATA, np.int8)
    if hypnogram.n_rows:
        scored = np.rint(hypnogram.start_s / hypnogram.epoch_s).astype(np.int64)
        wanted = np.rint(start_s / hypnogram.epoch_s).astype(np.int64)
        at = np.minimum(np.searchsorted(scored, wanted), len(scored) - 1)
        found = scored[at] == wanted
        state[found] = hypnogram.state[at[found]]
    return state


def merge_scores(first: NDArray[np.int8], second: NDArray[np.int8]) -> NDArray[np.int8]:
    """Scores of two files of one session.

    Raises
    ------
    BadParameters
        Both scored the same epoch.
    """
    both = (first != State.NO_DATA) & (second != State.NO_DATA)
    if both.any():
        raise BadParameters(
            f"{int(both.sum())} epochs are scored in two of its files",
            where="scores of one recording",
            remedy="give the scores of one person; two are held against each other with "
            "`wakeful scores compare`",
        )
    return np.where(second != State.NO_DATA, second, first)


def join_sessions(
    sessions: Sequence[LabelledSession],
    left_out: Sequence[str] = (),
    across_animals: bool | None = None,
) -> tuple[FeatureTable, Labels, tuple[str, ...]]:
    """One table of all sessions.

    A scorer across animals pools regions, and gets all that each session has; any other gets the
    features that all sessions have.

    The animal is what is held out together: two sessions of one animal are one group.

    Parameters
    ----------
    left_out : features that are not to be looked at
    across_animals : as in `TrainParams`

    Returns
    -------
    The table, its labels, and what was left out and why.

    Raises
    ------
    BadParameters
        Epochs are of different lengths, no region is in all sessions, or a feature to be left out
        is in none of them.
    """
    lengths = {s.name: s.features.epoch_s for s in sessions}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length:g} s" for name, length in lengths.items())
        raise BadParameters(
            f"epochs are of different lengths: {listed}",
            where="training",
            remedy="compute their features with one epoch_s (wakeful.toml, [work])",
        )
    if across_animals is None:
        across_animals = len({s.subject for s in sessions}) > 1
    names: list[str] = list(dict.fromkeys(n for s in sessions for n in s.features.names))
    notes: list[str] = []
    if not across_animals:
        names, notes = _common_features(sessions)
    absent = [name for name in left_out if not any(name in s.features.names for s in sessions)]
    if absent:
        raise BadParameters(
            f"there is no feature {', '.join(absent)}",
            where="--leave-out",
            remedy="wakeful export features writes the names of all into one table",
        )
    names = [name for name in names if name not in left_out]
    tables = [
        table_of(s.features, s.subject).ordered(names, allow_missing=across_animals)
        for s in sessions
    ]
    state = np.concatenate([_numbers(s.state) for s in sessions])
    values = np.concatenate([table.values for table in tables])
    empty = ~np.isfinite(values[state >= 0]).any(axis=0)
    if empty.any() and not empty.all():
        listed = ", ".join(name for name, none in zip(names, empty, strict=True) if none)
        notes.append(f"left aside (no number in a labelled epoch): {listed}")
        names = [name for name, none in zip(names, empty, strict=True) if not none]
        values = values[:, ~empty]
    table = FeatureTable.make(
        names,
        values,
        epoch_s=tables[0].epoch_s,
        # Two sessions of one animal do not follow each other.
        starts=np.concatenate([t.starts for t in tables]),
        subject=np.concatenate([t.subject for t in tables]),
    )
    return table, _present(state), tuple(notes)


def _numbers(state: NDArray[np.int8]) -> NDArray[np.int64]:
    """Place of each state in `SCORED`; -1 where it is none of them."""
    number = np.full(len(state), -1, np.int64)
    for i, scored in enumerate(SCORED):
        number[state == scored] = i
    return number


def _present(state: NDArray[np.int64]) -> Labels:
    """Labels with the states that occur."""
    here = np.unique(state[state >= 0])
    number = np.full(len(SCORED) + 1, -1, np.int64)
    number[here] = np.arange(len(here))
    return Labels(states=tuple(SCORED[i].label for i in here), state=number[state])


def _common_features(sessions: Sequence[LabelledSession]) -> tuple[list[str], list[str]]:
    """Features that all have, in the order of the first, and what is said of the others."""
    every = list(dict.fromkeys(name for s in sessions for name in s.features.names))
    common = set(every).intersection(*(s.features.names for s in sessions))
    regions = {s.name: s.features.regions for s in sessions}
    shared = set.intersection(*(set(have) for have in regions.values()))
    rare = dict.fromkeys(r for have in regions.values() for r in have if r not in shared)
    if rare and not shared:
        listed = "; ".join(f"{name} has {', '.join(r) or 'none'}" for name, r in regions.items())
        raise BadParameters(
            f"no region is in all recordings: {listed}",
            where="training",
            remedy="name regions alike in the channels files, train a model for each set, or let "
            "regions be pooled (--across-animals)",
        )
    notes = [
        f"region {region} is left out: it is not in "
        + ", ".join(name for name, have in regions.items() if region not in have)
        for region in rare
    ]
    if len(common) < len(every):
        used = f" (regions {', '.join(r for r in sessions[0].features.regions if r in shared)})"
        notes.append(
            f"{len(common)} features are in all recordings and are used{used if rare else ''}; "
            f"{len(every) - len(common)} are left out"
        )
    return [name for name in every if name in common], notes
