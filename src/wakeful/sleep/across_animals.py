"""Features that mean the same in every animal, whatever its regions, gains and electrodes.

Each column is set against the animal's own anchors (`anchors`), then columns of the same feature
are pooled over regions, and over pairs of regions: their mean, least and greatest. A scorer trained
on one animal's hippocampus and cortex then scores another's thalamus. What a region is called does
not matter; an animal without one of them has one column less in each mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import State
from wakeful.sleep.anchors import Anchors, find_nearest, fit_anchors, follow_drift, set_against
from wakeful.sleep.context import to_logarithms
from wakeful.sleep.feature_table import FeatureTable
from wakeful.sleep.rough_states import find_rough_states

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

DRIFT_WINDOW_S = 7200.0
"""Several cycles of sleep."""
_ALARM_LN = 3.0 * np.log(10) / 10
"""3 dB of power, as a difference of natural logs: twice the power, or half."""
_POOLS = ("mean", "least", "greatest")


@dataclass(frozen=True, eq=False, kw_only=True)
class Prepared:
    """One animal's table, set against its anchors and pooled."""

    table: FeatureTable
    """Pooled columns; NaN throughout where the animal has no anchors."""
    anchors: Anchors | None
    """Those used."""
    rough: NDArray[np.int8]
    """(n_epochs,) values of `State`, found without labels; unclassified where they could not be."""
    nearest: NDArray[np.int8]
    """(n_epochs,) values of `State`: which of the levels given each epoch lies nearest to, drift
    left in; unclassified throughout where the levels are the recording's own."""
    one_state: bool
    """No rough states could be found, as in a recording of one state."""
    refusal: str
    """Why there are none; "" where there are."""
    notes: tuple[str, ...]
    """Drift that a person should know of."""


def prepare_animal(
    table: FeatureTable, logarithmic: frozenset[str], anchors: Anchors | None = None
) -> Prepared:
    """Set one animal's features against its anchors, and pool them over regions.

    Parameters
    ----------
    table : of one animal, as computed
    logarithmic : pooled names whose columns' logarithms are taken
    anchors : from other recordings of the animal; its own where None
    """
    table = _without_absent(table)
    keys = [pooled_name(name) for name in table.names]
    values = to_logarithms(table.values, np.array([key in logarithmic for key in keys], np.bool_))
    rough = find_rough_states(table)
    nearest = np.full(table.n_epochs, State.UNCLASSIFIED, np.int8)
    refusal, given = "", anchors is not None
    if anchors is None:
        refusal = rough.refusal
        anchors = None if refusal else fit_anchors(table.names, values, rough.state)
        if anchors is not None and not np.isfinite(anchors.spread).any():
            refusal = "awake or NREM is too short to take the animal's levels from"
            anchors = None
    if anchors is None:
        names, _ = _list_pools(keys)
        empty = np.full((table.n_epochs, len(names)), np.nan)
        return Prepared(
            table=replace(table, names=names, values=empty),
            anchors=None,
            rough=rough.state,
            nearest=nearest,
            one_state=bool(rough.refusal),
            refusal=f"{refusal}; anchors from another recording of the animal would help",
            notes=(),
        )
    fitting = anchors.of(table.names)
    if given:
        nearest = find_nearest(values, fitting)
    if rough.refusal:
        # What lies off the anchors may be drift or a state: nobody can say which.
        drift = np.zeros(values.shape)
    else:
        drift = follow_drift(values, rough.state, table.start_s, fitting, window_s=DRIFT_WINDOW_S)
    pooled_names, pooled = pool_regions(table.names, set_against(values, fitting, drift))
    return Prepared(
        table=replace(table, names=pooled_names, values=pooled),
        anchors=anchors,
        rough=rough.state,
        nearest=nearest,
        one_state=bool(rough.refusal),
        refusal="",
        notes=_say_drift(table, drift),
    )


def prepare_animals(
    table: FeatureTable, logarithmic: frozenset[str], anchors: Mapping[str, Anchors] | None = None
) -> tuple[FeatureTable, dict[str, Prepared]]:
    """Each animal by itself; rows of those that have no anchors hold no number.

    Parameters
    ----------
    anchors : of animals for which they are known from elsewhere
    """
    edges = np.flatnonzero(np.r_[True, table.subject[1:] != table.subject[:-1], True])
    done: dict[str, Prepared] = {}
    parts: list[Prepared] = []
    for first, stop in pairwise(edges.tolist()):
        part = table.take(slice(first, stop))
        name = str(part.subject[0])
        known = (anchors or {}).get(name)
        if name in done:
            known = known or done[name].anchors
        prepared = prepare_animal(part, logarithmic, known)
        done[name] = prepared
        parts.append(prepared)
    names = sorted({name for part in parts for name in part.table.names})
    place = {name: i for i, name in enumerate(names)}
    values = np.full((table.n_epochs, len(names)), np.nan)
    for (first, stop), animal in zip(pairwise(edges.tolist()), parts, strict=True):
        values[first:stop, [place[n] for n in animal.table.names]] = animal.table.values
    return replace(table, names=tuple(names), values=values), done


def find_logarithmic_pools(table: FeatureTable, logarithmic: Mask) -> frozenset[str]:
    """Pooled names most of whose columns are to be taken as logarithms.

    Parameters
    ----------
    logarithmic : (n_features,) of the table's columns, see `context.find_logarithmic`
    """
    votes: dict[str, list[bool]] = {}
    for name, yes in zip(table.names, logarithmic.tolist(), strict=True):
        votes.setdefault(pooled_name(name), []).append(yes)
    return frozenset(key for key, said in votes.items() if 2 * sum(said) > len(said))


def pooled_name(name: str) -> str:
    """A column's name without its regions: "region.log_power_delta", "pair.coherence_theta"."""
    place, dot, feature = name.partition(".")
    if not dot or place in _WHOLE_ANIMAL:
        return name
    return f"pair.{feature}" if "~" in place else f"region.{feature}"


_WHOLE_ANIMAL = ("log_emg", "lfp_emg")


def pool_regions(names: tuple[str, ...], values: Values) -> tuple[tuple[str, ...], Values]:
    """Mean, least and greatest over regions and over pairs; missing ones are left out.

    Parameters
    ----------
    values : (n_epochs, n_features)

    Returns
    -------
    names : of the pooled columns
    pooled : (n_epochs, n_columns)
    """
    pooled_names, members = _list_pools([pooled_name(name) for name in names])
    out = np.full((len(values), len(pooled_names)), np.nan)
    at = 0
    for columns, pooled in members:
        part = values[:, columns]
        if not pooled:
            out[:, at] = part[:, 0]
            at += 1
            continue
        seen = np.isfinite(part)
        any_seen = seen.any(axis=1)
        total = np.where(seen, part, 0.0).sum(axis=1)
        np.divide(total, seen.sum(axis=1), out=out[:, at], where=any_seen)
        for offset, (reduce, fill) in enumerate(((np.min, np.inf), (np.max, -np.inf)), start=1):
            extreme = reduce(np.where(seen, part, fill), axis=1)
            out[any_seen, at + offset] = extreme[any_seen]
        at += len(_POOLS)
    return pooled_names, out


def _list_pools(keys: list[str]) -> tuple[tuple[str, ...], list[tuple[list[int], bool]]]:
    """Names of the pooled columns, and of each pool its members and whether it is one."""
    members: dict[str, list[int]] = {}
    for i, key in enumerate(keys):
        members.setdefault(key, []).append(i)
    names: list[str] = []
    pools: list[tuple[list[int], bool]] = []
    for key, columns in members.items():
        pooled = key.startswith(("region.", "pair."))
        names += [f"{key}.{pool}" for pool in _POOLS] if pooled else [key]
        pools.append((columns, pooled))
    return tuple(names), pools


def _without_absent(table: FeatureTable) -> FeatureTable:
    """Without columns that another animal has and this one does not."""
    here = np.isfinite(table.values).any(axis=0)
    if here.all():
        return table
    names = tuple(table.names[i] for i in np.flatnonzero(here))
    return replace(table, names=names, values=table.values[:, here])


def _say_drift(table: FeatureTable, drift: Values) -> tuple[str, ...]:
    """Regions and muscles whose power changed by 3 dB or more in the same states."""
    said = []
    for i, name in enumerate(table.names):
        place, _, feature = name.partition(".")
        if feature != "log_power_delta" and name != "log_emg":
            continue
        # An amplitude's log counts twice as much in power.
        power = drift[:, i] * (2 if name == "log_emg" else 1)
        worst = int(np.abs(power).argmax()) if len(power) else 0
        if len(power) and abs(power[worst]) >= _ALARM_LN:
            db = 10 / np.log(10) * power[worst]
            what = "EMG" if name == "log_emg" else f"{place}: delta power"
            said.append(
                f"drift: {what} of the same states is {db:+.1f} dB off its level "
                f"{table.start_s[worst] / 3600:.1f} h after the start (electrode, reference or "
                "gain?); it was taken out for scoring"
            )
    return tuple(said)
