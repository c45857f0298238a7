"""Rough states of a table of features, without labels: what its anchors are taken from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import State
from wakeful.sleep.feature_table import FeatureTable
from wakeful.sleep.features import Features, is_far, natural_log
from wakeful.sleep.label_free import find_states
from wakeful.sleep.params import LabelFreeParams

Values = NDArray[np.float64]

_DELTA, _RATIO, _TOTAL = ".log_power_delta", ".log_ratio_theta_delta", ".log_power_total"
_EMG, _LFP_EMG = "log_emg", "lfp_emg"


@dataclass(frozen=True, eq=False, kw_only=True)
class RoughStates:
    """States of one animal's epochs."""

    state: NDArray[np.int8]
    """(n_epochs,) values of `State`."""
    refusal: str
    """Why there are none; "" where there are."""


def find_rough_states(table: FeatureTable, params: LabelFreeParams | None = None) -> RoughStates:
    """The label-free scorer on a table of one animal.

    It looks at delta power and theta over delta of each region and at muscle tone: columns of
    Wakeful's own tables, or columns delta, theta and emg that hold powers (and an amplitude).
    """
    params = params or LabelFreeParams()
    features = read_key_features(table, params)
    if features is None:
        return RoughStates(
            state=np.full(table.n_epochs, State.UNCLASSIFIED, np.int8),
            refusal="there are no columns of delta and theta (REGION.log_power_delta and "
            "REGION.log_ratio_theta_delta, or delta and theta in units of power) to tell awake "
            "from NREM by",
        )
    state, refusal = find_states(features, params)
    return RoughStates(state=state, refusal="; ".join(refusal))


def has_key_features(names: tuple[str, ...]) -> bool:
    """Whether a table has the columns that rough states are found by."""
    return bool(_own_regions(names)) or {"delta", "theta"} <= {n.casefold() for n in names}


def read_key_features(table: FeatureTable, params: LabelFreeParams) -> Features | None:
    """What the label-free scorer looks at, from columns; None where they are not there."""
    column = dict(zip(table.names, table.values.T, strict=True))
    regions = _own_regions(table.names)
    if regions:
        delta = np.stack([column[f"{r}{_DELTA}"] for r in regions], axis=1)
        ratio = np.stack([column[f"{r}{_RATIO}"] for r in regions], axis=1)
        total = [column[f"{r}{_TOTAL}"] for r in regions if f"{r}{_TOTAL}" in column]
    elif has_key_features(table.names):
        plain = {name.casefold(): values for name, values in column.items()}
        delta = natural_log(plain["delta"])[:, None]
        ratio = natural_log(plain["theta"])[:, None] - delta
        regions, total = ("brain",), []
        column = {_EMG: natural_log(plain["emg"])} if "emg" in plain else {}
    else:
        return None
    has_data = np.isfinite(delta).any(axis=1)
    none = np.full(table.n_epochs, np.nan)
    z = np.arctanh(np.clip(column.get(_LFP_EMG, none), -0.999, 0.999))
    odd = np.zeros(table.n_epochs, np.bool_)
    for log_total in total:
        odd |= is_far(log_total, params.artefact_sds)
    starts = table.starts | ~has_data
    starts[1:] |= ~has_data[:-1]
    return Features(
        start_s=table.start_s,
        epoch_s=table.epoch_s,
        delta=delta,
        theta_ratio=ratio,
        emg=np.where(has_data, column.get(_EMG, none), np.nan),
        lfp_emg=np.where(has_data, z, np.nan),
        regions=regions,
        has_data=has_data,
        odd=has_data & odd,
        starts=starts,
    )


def _own_regions(names: tuple[str, ...]) -> tuple[str, ...]:
    known = set(names)
    found = {n.removesuffix(_DELTA) for n in names if n.endswith(_DELTA)}
    return tuple(sorted(r for r in found if f"{r}{_RATIO}" in known))
