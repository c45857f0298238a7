"""Hypnograms as objects of pynapple and xarray; see `wakeful.model.sharing`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from wakeful.model.epochs import SCORED, Doubt, Hypnogram, State
from wakeful.model.sharing import epoch_support, optional_library, time_coordinates

if TYPE_CHECKING:
    import xarray


def hypnogram_to_pynapple(hypnogram: Hypnogram) -> dict[str, Any]:
    """See `Hypnogram.to_pynapple`."""
    nap = optional_library("pynapple")
    bouts = hypnogram.bouts()
    found: dict[str, Any] = {}
    for state in (State.AWAKE, State.NREM, State.REM, State.UNCLASSIFIED):
        mine = [bout for s, bout in bouts if s is state]
        found[state.label] = nap.IntervalSet(
            start=np.array([bout.start_s for bout in mine], np.float64),
            end=np.array([bout.stop_s for bout in mine], np.float64),
        )
    if np.isfinite(hypnogram.probability).any():
        names = [state.label for state in SCORED]
        # A state that was not told apart has no number, and makes no column.
        seen = np.flatnonzero(np.isfinite(hypnogram.probability).any(axis=0)).tolist()
        kept, time_s, support = epoch_support(
            nap, hypnogram, [hypnogram.probability], hypnogram.epoch_s
        )
        found["probability"] = nap.TsdFrame(
            t=time_s,
            d=hypnogram.probability[kept][:, seen],
            columns=[names[i] for i in seen],
            time_support=support,
        )
    return found


def hypnogram_to_xarray(hypnogram: Hypnogram, start_utc: datetime | None) -> xarray.Dataset:
    """See `Hypnogram.to_xarray`."""
    xr = optional_library("xarray")
    flags = {
        "flag_values": [int(state) for state in State],
        "flag_meanings": " ".join(state.label.replace(" ", "_") for state in State),
    }
    dataset: xarray.Dataset = xr.Dataset(
        {
            "state": ("start_s", hypnogram.state, {**flags, "long_name": "state, smoothed"}),
            "raw_state": (
                "start_s",
                hypnogram.raw_state,
                {**flags, "long_name": "state, as decided epoch by epoch"},
            ),
            "confidence": ("start_s", hypnogram.confidence, {"units": "1"}),
            "provisional": (
                "start_s",
                hypnogram.provisional,
                {**flags, "long_name": "state, from the epoch and earlier ones alone"},
            ),
            "probability": (("start_s", "scored"), hypnogram.probability, {"units": "1"}),
            "doubt": (
                "start_s",
                hypnogram.doubt,
                {
                    "flag_values": [int(why) for why in Doubt],
                    "flag_meanings": " ".join(why.label or "none" for why in Doubt),
                    "long_name": "why it is unclassified",
                },
            ),
        },
        coords={
            **time_coordinates(hypnogram.start_s, start_utc, "start_s"),
            "scored": [state.label for state in SCORED],
        },
        attrs={
            "scorer": hypnogram.scorer,
            "signals": list(hypnogram.signals),
            "epoch_s": hypnogram.epoch_s,
            "notes": list(hypnogram.notes),
        },
    )
    return dataset
