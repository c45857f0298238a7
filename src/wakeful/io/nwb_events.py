"""What NWB files note beside signals: intervals, annotations, tables of events."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.io.hdf import HdfFile, text_of
from wakeful.model.events import EventSeries

_POINTS = ("AnnotationSeries", "Events", "LabeledEvents", "TTLs")
_NOT_TEXT = {"start_time", "stop_time", "timestamp", "duration", "id"}


def read_nwb_events(file: HdfFile, zero_s: float) -> tuple[EventSeries, ...]:
    """The events of a file.

    An interval gives two: its start with code 1, its end with code 0. Labels are what its columns
    of text say.

    Parameters
    ----------
    zero_s : when the recording's first sample was taken, on the file's clock
    """
    found: list[EventSeries] = []

    def look(name: str, node: Any) -> None:
        kind = text_of(node.attrs.get("neurodata_type"))
        series = None
        if kind == "TimeIntervals" and "start_time" in node:
            series = _read_intervals(name, node, zero_s, file.path.name)
        elif kind == "EventsTable" and "timestamp" in node:
            series = _read_table(name, node, zero_s, file.path.name)
        elif kind in _POINTS and "timestamps" in node:
            series = _read_points(name, node, zero_s, file.path.name)
        if series is not None and series.n_events:
            found.append(series)

    with file:
        for place in ("intervals", "events", "acquisition", "processing", "stimulus"):
            if place in file.file:
                file.file[place].visititems(look)
    return tuple(_name_uniquely(found))


def _name_uniquely(series: list[EventSeries]) -> list[EventSeries]:
    taken: set[str] = set()
    out: list[EventSeries] = []
    for one in series:
        name, number = one.name, 2
        while name in taken:
            name, number = f"{one.name} {number}", number + 1
        taken.add(name)
        out.append(replace(one, name=name))
    return out


def _read_intervals(name: str, node: Any, zero_s: float, where: str) -> EventSeries:
    start = np.asarray(node["start_time"], np.float64) - zero_s
    stop = np.asarray(node["stop_time"], np.float64) - zero_s if "stop_time" in node else start
    labels = _labels(node, len(start))
    return EventSeries(
        name=_last(name),
        time_s=np.column_stack([start, stop]).ravel(),
        code=np.tile(np.array([1, 0], np.int64), len(start)),
        label=tuple(text for label in labels for text in (label, label)),
        file=where,
    )


def _read_table(name: str, node: Any, zero_s: float, where: str) -> EventSeries:
    time_s = np.asarray(node["timestamp"], np.float64) - zero_s
    return EventSeries(
        name=_last(name),
        time_s=time_s,
        code=np.zeros(len(time_s), np.int64),
        label=tuple(_labels(node, len(time_s))),
        file=where,
    )


def _read_points(name: str, node: Any, zero_s: float, where: str) -> EventSeries:
    time_s = np.asarray(node["timestamps"], np.float64) - zero_s
    data = node["data"][()] if "data" in node else np.zeros(len(time_s), np.int64)
    numbers = data.dtype.kind in "iu"
    return EventSeries(
        name=_last(name),
        time_s=time_s,
        code=data.astype(np.int64) if numbers else np.zeros(len(time_s), np.int64),
        label=("",) * len(time_s) if numbers else tuple(text_of(value) for value in data),
        file=where,
    )


def _labels(node: Any, n_rows: int) -> list[str]:
    """The cells of text of each row, one after the other."""
    columns: list[list[str]] = []
    for name in node:
        if name in _NOT_TEXT or name.endswith("_index") or node[name].dtype.kind != "O":
            continue
        values = node[name][()]
        if f"{name}_index" in node:
            columns.append(_split(values, node[f"{name}_index"][()]))
        elif values.shape == (n_rows,):
            columns.append([text_of(value) for value in values])
    return [" ".join(filter(None, cells)) for cells in zip(*columns, strict=True)] or [""] * n_rows


def _split(values: NDArray[Any], stops: NDArray[Any]) -> list[str]:
    begins = [0, *(int(stop) for stop in stops[:-1])]
    return [
        " ".join(text_of(value) for value in values[begin : int(stop)])
        for begin, stop in zip(begins, stops, strict=True)
    ]


def _last(name: str) -> str:
    return name.rpartition("/")[2]
