"""Open Ephys classic (.continuous), one file a channel.

A file is a text header of 1,024 bytes and records of 2,070 bytes: time stamp (int64, in samples),
number of samples (uint16), number of the recording (uint16), 1,024 big-endian int16 samples, and
a marker of ten bytes (0 to 8, 255). When recording stops, the last record is filled up with zeros
that were never measured: they are quarantined.

neo's reader of this format refuses files that were renamed ("EEG.continuous"), so the records are
read here; where neo reads a file, the numbers are the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wakeful.io.channel_kinds import guess_kind
from wakeful.io.open_files import open_file, read_exactly
from wakeful.io.record_streams import TimedChannel, group_channels
from wakeful.io.record_times import Clock, SpanFinder, Stamps, TimeTable
from wakeful.io.records import Encoding, FileRecording, RecordLayout, iterate_heads
from wakeful.io.registry import Found, by_suffix, reader
from wakeful.model.errors import BadRecording, NoRecording, TruncatedFile
from wakeful.model.recording import Description, Stream
from wakeful.model.subject import Channel, ChannelKind
from wakeful.model.time import Interval, Quarantine

_HEADER_BYTES = 1024
_PER_RECORD = 1024

LAYOUT = RecordLayout(_HEADER_BYTES, 2070, 12, _PER_RECORD, Encoding.INT16_BIG_ENDIAN)

_HEAD = np.dtype(
    {
        "names": ["tick", "n_valid", "marker"],
        "formats": ["<i8", "<u2", ("u1", 10)],
        "offsets": [0, 8, 2060],
        "itemsize": LAYOUT.record_bytes,
    }
)
_MARKER = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 255], np.uint8)

_MAX_TICK = 2**62
_REASONS = (
    "records of nothing but zeros",
    "records whose head or end marker is damaged",
    "records without a sample",
)
_EMPTY, _DAMAGED, _VOID = 1, 2, 3

_MIN_PADDING = 16
"""Fewer zeros than this at the end, in all channels at once, could be chance."""

_PROPERTY = re.compile(r"header\.(\w+)\s*=\s*'?(.*?)'?\s*;")
_DATE = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{4})\s+(\d{1,2}):?(\d{2}):?(\d{2})")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@reader(
    name="openephys-classic",
    title="Open Ephys classic (.continuous)",
    sniff=by_suffix(".continuous"),
)
def open_openephys(found: Found) -> FileRecording:
    """Open a folder of .continuous files, or one of them.

    Raises
    ------
    TruncatedFile
        A file ends within a record.
    BadRecording
        A header or the records are damaged.
    NoRecording
        No file holds a record.
    """
    timed: list[TimedChannel] = []
    bare: list[str] = []
    dates: list[datetime] = []
    for path in found.files:
        values = _read_header(path)
        if values is None:
            bare.append(path.name)
            continue
        timed.append(_scan(path, values))
        if (date := _parse_date(values.get("date_created", ""))) is not None:
            dates.append(date)
    if not timed:
        raise NoRecording(
            f"none of the {len(found.files)} .continuous files holds a record",
            where=str(found.root),
            remedy="check that recording was on and that the copy has ended",
        )
    folder = found.folder
    grouped = group_channels(timed, folder)
    streams, records, warnings = grouped.streams, grouped.records, grouped.warnings
    description = Description(
        format="openephys-classic",
        root=str(found.root),
        streams=streams,
        start_utc=min(dates, default=None),
        start_is_local=bool(dates),
        warnings=warnings,
        ignored_files=tuple(sorted([*bare, *(path.name for path in found.others)])),
    )
    plain = FileRecording(description, folder, records)
    padded = tuple(_quarantine_padding(plain, stream) for stream in streams)
    more = list(warnings)
    if bare:
        more.append(f"without records, left aside: {', '.join(bare)}")
    if not dates:
        more.append("no header says when the recording began: times of day are unknown")
    return FileRecording(
        replace(description, streams=padded, warnings=tuple(more)), folder, records
    )


def _read_header(path: Path) -> Mapping[str, str] | None:
    """The header's values; None where no record follows it."""
    if path.stat().st_size <= _HEADER_BYTES:
        return None
    raw = np.empty(_HEADER_BYTES, np.uint8)
    descriptor = open_file(path)
    try:
        read_exactly(descriptor, raw, 0, path)
    finally:
        os.close(descriptor)
    values = dict(_PROPERTY.findall(raw.tobytes().decode("latin-1")))
    if "sampleRate" not in values or "bitVolts" not in values:
        raise BadRecording(
            "the file does not begin with an Open Ephys header",
            where=path.name,
            remedy="copy it again, or move it out of the folder",
        )
    return values


def _scan(path: Path, values: Mapping[str, str]) -> TimedChannel:
    rate_hz = _positive(values, "sampleRate", path)
    step = _positive(values, "bitVolts", path)
    if values.get("blockLength", str(_PER_RECORD)).strip() != str(_PER_RECORD):
        raise BadRecording(
            f"records of {values['blockLength']} samples (only {_PER_RECORD} are known)",
            where=path.name,
            remedy="report the file, with the version of Open Ephys that wrote it",
        )
    n_records, n_over = LAYOUT.n_records(path.stat().st_size)
    if n_over:
        raise TruncatedFile(
            f"the file ends within a record: {n_over} bytes are left over after "
            f"{n_records:,} whole records",
            where=path.name,
            remedy="copy it again, and wait until the copy has ended",
        )
    clock = Clock(ticks_per_s=rate_hz, rate_hz=rate_hz, period_ticks=1.0, tolerance_ticks=0.5)
    finder = SpanFinder(_PER_RECORD, clock, _REASONS, path.name)
    for heads in iterate_heads(path, LAYOUT, _HEAD, n_records):
        finder.add(_judge(heads))
    table = finder.finish()
    _refuse_empty(table, n_records, path)
    return TimedChannel(
        channel=_describe(path, values, step),
        files=(path,),
        layout=LAYOUT,
        rate_hz=rate_hz,
        table=table,
    )


def _refuse_empty(table: TimeTable, n_records: int, path: Path) -> None:
    if table.n_empty_last:
        raise TruncatedFile(
            f"the last {table.n_empty_last:,} of {n_records:,} records hold nothing but zeros: "
            "room was made for them but they were never written",
            where=path.name,
            remedy="the copy is not complete: copy the file again",
        )
    if not table.spans:
        raise BadRecording(
            "no record of the file can be used",
            where=path.name,
            remedy="the file is damaged: copy it again, or move it out of the folder",
        )


def _judge(heads: NDArray[np.void]) -> Stamps:
    ticks, n_valid = heads["tick"], heads["n_valid"]
    unmarked = (heads["marker"] != _MARKER).any(axis=1)
    fault = np.zeros(len(heads), np.uint8)
    fault[n_valid == 0] = _VOID
    fault[unmarked | (ticks < 0) | (ticks >= _MAX_TICK) | (n_valid > _PER_RECORD)] = _DAMAGED
    fault[(ticks == 0) & (n_valid == 0) & (heads["marker"] == 0).all(axis=1)] = _EMPTY
    return Stamps(
        np.where(fault == 0, ticks, 0), np.where(fault == 0, n_valid, 0).astype(np.int64), fault
    )


def _positive(values: Mapping[str, str], key: str, path: Path) -> float:
    try:
        number = float(values[key])
    except ValueError:
        number = 0.0
    if not 0 < number < 1e7:
        raise BadRecording(
            f"the header's {key} is {values[key]!r}",
            where=path.name,
            remedy="copy the file again, or move it out of the folder",
        )
    return number


def _describe(path: Path, values: Mapping[str, str], step: float) -> Channel:
    """Name, kind and gain; the file's own name counts where someone gave it one."""
    on_board = values.get("channel", "").strip()
    stem = re.sub(r"_\d+$", "", path.stem) if on_board else path.stem
    kept = on_board and (stem.endswith(on_board) or path.stem.endswith(on_board))
    name = on_board if kept else path.stem
    # Amplifier channels count in microvolts, analogue and auxiliary inputs in volts.
    in_volts = on_board.upper().startswith(("ADC", "AUX"))
    kind = guess_kind(name)
    if in_volts and kind.is_brain:
        kind = ChannelKind.OTHER
    return Channel(
        name=name,
        kind=kind,
        gain_uv=step * 1e6 if in_volts else step,
        notes="" if kept or not on_board else f"{on_board} of the board",
    )


def _parse_date(text: str) -> datetime | None:
    match = _DATE.search(text)
    if match is None or match[2].lower() not in _MONTHS:
        return None
    month = _MONTHS.index(match[2].lower()) + 1
    try:
        return datetime(
            int(match[3]),
            month,
            int(match[1]),
            int(match[4]),
            int(match[5]),
            int(match[6]),
            tzinfo=UTC,
        )
    except ValueError:
        return None


def _quarantine_padding(recording: FileRecording, stream: Stream) -> Stream:
    """Set apart the zeros that fill up the last record: the same number in all channels.

    The one place where samples are read on opening: the last record of each channel.
    """
    last = stream.spans[-1]
    n_samples = min(_PER_RECORD, last.n_samples)
    samples = np.empty((len(stream.channels), n_samples), np.int16)
    recording.open(stream.name).read(last.stop_sample - n_samples, samples)
    measured = np.flatnonzero((samples != 0).any(axis=0))
    n_zeros = n_samples - (int(measured[-1]) + 1 if len(measured) else 0)
    if n_zeros < _MIN_PADDING:
        return stream
    padding = Interval(last.time_of(last.n_samples - n_zeros), last.stop_s)
    apart = Quarantine(padding, f"{n_zeros} zeros that fill up the last record, not measured")
    return replace(stream, quarantined=(*stream.quarantined, apart))
