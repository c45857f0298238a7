"""Events of sleep as objects of pynapple and xarray; see `wakeful.model.sharing`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import State
from wakeful.model.errors import Unavailable
from wakeful.model.sharing import optional_library, time_coordinates
from wakeful.model.sleep_events import SleepEvents

if TYPE_CHECKING:
    import xarray


def _columns(events: SleepEvents) -> dict[str, NDArray[Any]]:
    """What each event is and measures."""
    labels = {int(state): state.label for state in State}
    return {
        "region": np.array([events.regions[i] for i in events.region.tolist()], np.str_),
        "channel": np.array([events.channels[i] for i in events.channel.tolist()], np.str_),
        "state": np.array([labels[i] for i in events.state.tolist()], np.str_),
        "peak_s": events.peak_s,
        "amplitude_uv": events.amplitude_uv,
        "frequency_hz": events.frequency_hz,
        events.measure_name: events.measure,
    }


def sleep_events_to_pynapple(events: SleepEvents) -> Any:
    """See `SleepEvents.to_pynapple`.

    An IntervalSet joins intervals that overlap: events of several regions would be lost.
    """
    nap = optional_library("pynapple")
    if events.n_rows == 0:
        raise Unavailable(
            f"there is no {events.kind}", where="to_pynapple", remedy="see its `notes`"
        )
    found = {}
    columns = _columns(events)
    for number, region in enumerate(events.regions):
        mine = np.flatnonzero(events.region == number)
        if len(mine):
            found[region] = nap.IntervalSet(
                start=events.start_s[mine],
                end=events.stop_s[mine],
                metadata={name: values[mine] for name, values in columns.items()},
            )
    return found


def sleep_events_to_xarray(events: SleepEvents, start_utc: datetime | None) -> xarray.Dataset:
    """See `SleepEvents.to_xarray`."""
    xr = optional_library("xarray")
    columns = {"stop_s": events.stop_s, **_columns(events)}
    dataset: xarray.Dataset = xr.Dataset(
        {name: ("start_s", values) for name, values in columns.items()},
        coords=time_coordinates(events.start_s, start_utc, "start_s"),
        attrs={"kind": events.kind, "band_hz": list(events.band_hz), "notes": list(events.notes)},
    )
    return dataset
