"""NWB files (.nwb): ElectricalSeries, wherever they lie, as streams.

Read straight from HDF5, piece by piece: the whole file is never built as objects. Series that give
time stamps have gaps where those jump, and their true rate; series that give a rate have neither.
Several series of one place whose names differ in a number only ("LFP_0", "LFP_1"), with the same
electrodes and rate, are stretches of one stream.

Schema: the NWB core, 2.x (Rubel et al. 2022, eLife 11:e78362).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.io.channel_kinds import guess_kind
from wakeful.io.fitted_spans import fit_spans
from wakeful.io.hdf import HdfDataset, HdfFile, text_of
from wakeful.io.nwb_events import read_nwb_events
from wakeful.io.record_streams import name_stream, name_uniquely, place_apart
from wakeful.io.record_times import Clock, SpanFinder, Stamps, TimeTable
from wakeful.io.records import Run
from wakeful.io.registry import Found, by_suffix, reader
from wakeful.io.segments import Segment, SegmentRecording
from wakeful.model.errors import BadRecording, NoRecording
from wakeful.model.recording import Description, Stream
from wakeful.model.subject import UNKNOWN_REGION, Channel, ChannelKind
from wakeful.model.time import Quarantine, Span

_ELECTRODES = "general/extracellular_ephys/electrodes"
_VOLTS = {"volts": 1e6, "volt": 1e6, "v": 1e6, "millivolts": 1e3, "mv": 1e3, "microvolts": 1.0}
_VOLTS |= {"uv": 1.0, "µv": 1.0}
_TICKS_PER_S = 1e9
_STAMPS = 1 << 18
"""Time stamps looked at at a time."""
_FIRST = 4096
"""Time stamps that the nominal rate is taken from."""
_LEAST_HZ = 20.0
_CLOCK_ERROR = 2e-4
"""Clocks of acquisitions run wrong by up to 100 parts in a million; time stamps are rounded."""
_REASONS = ("samples without a time stamp", "samples without a time stamp")
_UNTIMED = 2
_NO_REGION = {"", "unknown", "n/a", "na", "none", "nan"}


@dataclass(frozen=True)
class _Series:
    """One series and when its samples were taken, seconds of the file's own clock."""

    path: str
    rate_hz: float
    channels: tuple[Channel, ...]
    store: HdfDataset
    spans: tuple[Span, ...]
    segments: tuple[Segment, ...]
    quarantined: tuple[Quarantine, ...]


@reader(name="nwb", title="NWB (.nwb)", sniff=by_suffix(".nwb"), rotates=True, gives_way=True)
def open_nwb(found: Found) -> SegmentRecording:
    """Open an .nwb file.

    Raises
    ------
    TruncatedFile
        It is shorter than it says itself.
    NoRecording
        It holds no signals; says what it holds.
    BadRecording
        It is no HDF5 file, or a series in it is damaged.
    """
    path = found.only_file()
    file = HdfFile(path)
    warnings: list[str] = []
    with file:
        nodes = _find_series(file)
        if not nodes:
            raise NoRecording(
                f"it holds no electrical series (it holds {_say_contents(file.file)})",
                where=path.name,
                remedy="give a file with the raw signals or the LFP",
            )
        file.set_bulk(
            f"{name}/{part}"
            for name in nodes
            for part in ("data", "timestamps")
            if part in file.file[name]
        )
        series = [_read_series(file, name, warnings) for name in nodes]
        start = _read_start(file, warnings)
        subject = text_of(file.file.get("general/subject/subject_id"))
    zero_s = min(s.spans[0].start_s for s in series)
    streams: list[Stream] = []
    segments: dict[str, tuple[Segment, ...]] = {}
    taken: set[str] = set()
    for group in _group(series):
        stream, of_stream = _join(group, zero_s, path, taken)
        streams.append(stream)
        segments[stream.name] = of_stream
    if len(streams) > 1:
        told = zip(streams, _group(series), strict=True)
        said = ", ".join(f"{s.name} is {group[0].path}" for s, group in told)
        warnings.append(f"{path.name} holds several series: {said}")
    description = Description(
        format="nwb",
        root=str(found.root),
        streams=tuple(streams),
        start_utc=None if start is None else start + timedelta(seconds=zero_s),
        warnings=tuple(warnings),
        ignored_files=tuple(sorted(f.name for f in found.others)),
        subject=subject,
    )
    return SegmentRecording(
        description, path.parent, segments, lambda: read_nwb_events(file, zero_s)
    )


def _find_series(file: HdfFile) -> list[str]:
    """Paths of what is measured in volts, in the order of their names."""
    found: list[str] = []

    def look(name: str, node: Any) -> None:
        kind = text_of(node.attrs.get("neurodata_type"))
        if kind not in ("ElectricalSeries", "TimeSeries") or "data" not in node:
            return
        data = node["data"]
        unit = text_of(data.attrs.get("unit")).lower()
        fits = data.ndim in (1, 2) and data.dtype.kind in "iuf" and 0 not in data.shape
        # A plain series may be an EMG, and may be a result worked out once an epoch.
        if fits and (kind == "ElectricalSeries" or (unit in _VOLTS and _is_signal(node))):
            found.append(name)

    for place in ("acquisition", "processing"):
        if place in file.file:
            file.file[place].visititems(
                lambda name, node, place=place: look(f"{place}/{name}", node)
            )
    return found


def _is_signal(node: Any) -> bool:
    """Whether a series comes as fast as signals do."""
    if "starting_time" in node:
        return float(node["starting_time"].attrs.get("rate", 0.0)) >= _LEAST_HZ
    first = node["timestamps"][:_FIRST] if "timestamps" in node else np.empty(0)
    return len(first) > 1 and float(np.median(np.diff(first))) <= 1 / _LEAST_HZ


def _say_contents(root: Any) -> str:
    """What else is in a file, for a person who expected signals."""
    parts = [
        f"{len(root[name])} in {name}"
        for name in ("acquisition", "processing", "intervals")
        if name in root and len(root[name])
    ]
    if "units/id" in root:
        parts.append(f"{root['units/id'].shape[0]} sorted units")
    return ", ".join(parts) or "nothing"


def _read_series(file: HdfFile, name: str, warnings: list[str]) -> _Series:
    node = file.file[name]
    data = node["data"]
    store = HdfDataset(file, f"{name}/data", samples_first=True)
    channels = _describe(file, node, store.n_channels, name, warnings)
    if "timestamps" in node:
        rate_hz, table = _scan_stamps(file, node["timestamps"], store.n_samples, name)
        spans, segments = _place(table, node["timestamps"], store)
        apart = place_apart(table, 0, 0.0, math.inf) if table.set_apart else []
        if apart:
            n_apart = sum(a.n_records for a in table.set_apart)
            reasons = ", ".join(sorted({a.reason for a in table.set_apart}))
            warnings.append(f"{name}: {n_apart:,} samples are not used, {reasons}")
        quarantined = tuple(Quarantine(interval, reason) for interval, reason in apart)
        return _Series(name, rate_hz, channels, store, spans, segments, quarantined)
    begin = node.get("starting_time")
    rate_hz = float(begin.attrs.get("rate", math.nan)) if begin is not None else math.nan
    if not 0 < rate_hz < 1e7:
        raise BadRecording(
            f"{name} gives neither time stamps nor a rate",
            where=file.path.name,
            remedy="write the series anew with its rate",
        )
    start_s = float(begin[()])
    span = Span(start_s, int(data.shape[0]), rate_hz, 0)
    segment = Segment(0, span.n_samples, store)
    return _Series(name, _nominal(rate_hz), channels, store, (span,), (segment,), ())


def _scan_stamps(file: HdfFile, stamps: Any, n_samples: int, name: str) -> tuple[float, TimeTable]:
    """Nominal rate, and the spans of a series, each sample a record with its own time stamp.

    The ticks of the table are nanoseconds of the file's own clock.
    """
    first = np.asarray(stamps[:_FIRST], np.float64)
    steps = np.diff(first[np.isfinite(first)])
    steps = steps[steps > 0]
    if stamps.shape != (n_samples,) or len(steps) == 0:
        raise BadRecording(
            f"{name} has {n_samples:,} samples and time stamps of shape {stamps.shape} that give "
            "no rate",
            where=file.path.name,
            remedy="write the series anew, with one growing time stamp a sample",
        )
    rate_hz = _nominal(1.0 / float(np.median(steps)))
    period = _TICKS_PER_S / rate_hz
    clock = Clock(
        ticks_per_s=_TICKS_PER_S,
        rate_hz=rate_hz,
        period_ticks=period,
        tolerance_ticks=0.5 * period,
    )
    finder = SpanFinder(1, clock, _REASONS, f"{file.path.name}: {name}")
    for start in range(0, n_samples, _STAMPS):
        times = np.asarray(stamps[start : start + _STAMPS], np.float64)
        # A century either side of zero is all that int64 nanoseconds hold.
        sound = np.isfinite(times) & (np.abs(times) < 3e9)
        ticks = _ticks(np.where(sound, times, 0.0))
        fault = np.where(sound, 0, _UNTIMED).astype(np.uint8)
        finder.add(Stamps(ticks, sound.astype(np.int64), fault))
    table = finder.finish()
    if not table.spans:
        raise BadRecording(
            f"{name} has no time stamp that can be used",
            where=file.path.name,
            remedy="write the series anew, with one growing time stamp a sample",
        )
    return rate_hz, table


def _nominal(measured_hz: float) -> float:
    """The rate that was set: a whole number where the clock's error explains the difference."""
    whole = round(measured_hz)
    if whole and abs(measured_hz - whole) < _CLOCK_ERROR * whole:
        return float(whole)
    return float(f"{measured_hz:.6g}")


def _ticks(times_s: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(times_s * _TICKS_PER_S).astype(np.int64)


def _place(
    table: TimeTable, stamps: Any, store: HdfDataset
) -> tuple[tuple[Span, ...], tuple[Segment, ...]]:
    def read_ticks(file: int, records: NDArray[np.int64]) -> NDArray[np.int64]:  # noqa: ARG001
        return _ticks(np.array([stamps[i] for i in records.tolist()], np.float64))

    base_s = table.base_tick / table.ticks_per_s
    spans = tuple(
        replace(span, start_s=base_s + span.start_s) for span in fit_spans(table, 1, read_ticks)
    )
    return spans, tuple(_as_segment(run, store) for run in table.runs)


def _as_segment(run: Run, store: HdfDataset) -> Segment:
    return Segment(run.first_sample, run.n_samples, store, run.first_record)


def _group(series: Sequence[_Series]) -> list[list[_Series]]:
    """Series that are stretches of one stream, in order of time; each other one by itself."""
    groups: dict[tuple[object, ...], list[_Series]] = {}
    for one in series:
        stem = re.sub(r"\d+", "#", one.path)
        key = (stem, one.rate_hz, one.channels, one.store.dtype)
        groups.setdefault(key, []).append(one)
    out: list[list[_Series]] = []
    for group in groups.values():
        group.sort(key=lambda s: s.spans[0].start_s)
        near_s = 0.5 / group[0].rate_hz
        follow = all(a.spans[-1].stop_s <= b.spans[0].start_s + near_s for a, b in pairwise(group))
        out += [group] if follow else [[one] for one in group]
    return out


def _join(
    group: Sequence[_Series], zero_s: float, path: Path, taken: set[str]
) -> tuple[Stream, tuple[Segment, ...]]:
    spans: list[Span] = []
    segments: list[Segment] = []
    number, stop_s = 0, -math.inf
    for one in group:
        for span in one.spans:
            start_s = max(span.start_s - zero_s, stop_s)
            spans.append(Span(start_s, span.n_samples, span.rate_hz, number + span.first_sample))
            stop_s = spans[-1].stop_s
        segments += [
            Segment(number + s.first_sample, s.n_samples, s.store, s.offset) for s in one.segments
        ]
        number += max(s.first_sample + s.n_samples for s in one.segments)
    first = group[0]
    quarantined = tuple(
        Quarantine(q.interval.widen(zero_s, -zero_s), q.reason)
        for one in group
        for q in one.quarantined
    )
    stream = Stream(
        name=name_stream(first.rate_hz, len(first.channels), taken),
        rate_hz=first.rate_hz,
        channels=first.channels,
        spans=tuple(spans),
        quarantined=quarantined,
        files=(path.name,),
    )
    return stream, tuple(segments)


def _describe(
    file: HdfFile, node: Any, n_channels: int, name: str, warnings: list[str]
) -> tuple[Channel, ...]:
    data = node["data"]
    unit = text_of(data.attrs.get("unit")).lower()
    scale = _VOLTS.get(unit)
    if scale is None:
        warnings.append(f"{name} is measured in {unit or 'no unit'}: volts are assumed")
        scale = 1e6
    gain_uv = float(data.attrs.get("conversion", 1.0)) * scale
    offset_uv = float(data.attrs.get("offset", 0.0)) * scale
    each = np.ones(n_channels)
    if "channel_conversion" in node:
        each = np.asarray(node["channel_conversion"], np.float64).reshape(-1)
    table = _electrodes(file, node)
    rows = _rows_of(node, table, n_channels)
    if len(each) != n_channels or (rows and len(rows) != n_channels):
        raise BadRecording(
            f"{name} has {n_channels} channels, {len(rows)} electrodes and {len(each)} gains",
            where=file.path.name,
            remedy="write the series anew, with one electrode and one gain a channel",
        )
    of_series = guess_kind(name.rpartition("/")[2])
    channels: list[Channel] = []
    for i in range(n_channels):
        row = {key: column[rows[i]] for key, column in table.items()} if rows else {}
        label = next(
            (
                t
                for key in ("channel_name", "label", "electrode_name")
                if (t := text_of(row.get(key)))
            ),
            f"electrode {row['id']}" if "id" in row else f"{name.rpartition('/')[2]} {i}",
        )
        kind = guess_kind(label)
        channels.append(
            Channel(
                name=label,
                kind=kind if kind is not ChannelKind.LFP else of_series,
                region=_region(text_of(row.get("location"))),
                reference=text_of(row.get("reference")) or "unknown",
                gain_uv=gain_uv * float(each[i]),
                offset_uv=offset_uv,
                x_mm=_mm(row.get("x")),
                y_mm=_mm(row.get("y")),
                z_mm=_mm(row.get("z")),
                notes=text_of(row.get("filtering")),
            )
        )
    return name_uniquely(channels, [channel.name for channel in channels])


def _electrodes(file: HdfFile, node: Any) -> dict[str, NDArray[Any]]:
    """The columns of the table of electrodes that hold one value a row."""
    table = file.file.get(_ELECTRODES)
    if table is None or "electrodes" not in node:
        return {}
    columns: dict[str, NDArray[Any]] = {}
    n_rows = table["id"].shape[0]
    for name in (
        "id",
        "channel_name",
        "label",
        "electrode_name",
        "location",
        "reference",
        "filtering",
        "x",
        "y",
        "z",
    ):
        if name in table and table[name].shape == (n_rows,):
            columns[name] = table[name][()]
    return columns


def _rows_of(node: Any, table: dict[str, NDArray[Any]], n_channels: int) -> list[int]:
    if "electrodes" not in node or not table:
        return []
    rows = [int(i) for i in np.ravel(node["electrodes"][()])]
    if any(not 0 <= i < len(table["id"]) for i in rows):
        return [-1] * (n_channels + 1)
    return rows


def _region(text: str) -> str:
    return UNKNOWN_REGION if text.lower() in _NO_REGION else text


def _mm(value: Any) -> float | None:
    """Micrometres, as NWB has them, in millimetres; NaN is no place."""
    if value is None or not math.isfinite(float(value)):
        return None
    return float(value) / 1e3


def _read_start(file: HdfFile, warnings: list[str]) -> datetime | None:
    """What the series' times count from."""
    node = file.file.get("timestamps_reference_time", file.file.get("session_start_time"))
    text = text_of(node)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        warnings.append(f"{file.path.name} does not say when the session began")
        return None
    if when.tzinfo is None:
        warnings.append(f"{file.path.name} gives its start without a time zone: UTC is assumed")
        return when.replace(tzinfo=UTC)
    return when.astimezone(UTC)
