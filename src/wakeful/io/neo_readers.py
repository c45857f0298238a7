"""Formats whose headers neo parses: Intan .rhd (the traditional one, header and data in one file).

neo gives channels, gains and the place of every channel in a data block; the time stamps and the
samples are read here, so that gaps become spans, memory stays flat and threads don't wait for one
another. Intan writes a new file every minute or so: the files of a folder are one recording.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from wakeful.io.channel_kinds import guess_kind
from wakeful.io.record_streams import name_stream, name_uniquely, place_apart
from wakeful.io.record_times import Clock, SpanFinder, Stamps, TimeTable
from wakeful.io.records import (
    ChannelRecords,
    Encoding,
    FileRecording,
    RecordLayout,
    Run,
    iterate_heads,
)
from wakeful.io.registry import Found, by_suffix, reader
from wakeful.model.errors import BadRecording, NoRecording, TruncatedFile
from wakeful.model.recording import Description, Stream
from wakeful.model.subject import Channel, ChannelKind
from wakeful.model.time import Quarantine, Span

_AMPLIFIER = "0"
_TO_UV = {"uV": 1.0, "mV": 1e3, "V": 1e6}
_ZERO = 32_768
_WRAP = 2**32
"""Time stamps are 32 bit: at 30 kHz they begin anew every 40 hours."""
_REASONS = ("records of nothing but zeros", "data blocks whose time stamps are damaged")
_DAMAGED = 2
_DATE_IN_NAME = re.compile(r"_(\d{2})(\d{2})(\d{2})_(\d{2})(\d{2})(\d{2})$")


@dataclass(frozen=True)
class _IntanFile:
    path: Path
    header_bytes: int
    block: np.dtype[Any]
    channels: tuple[tuple[str, str, float, str, float, float, str], ...]
    """(name, id, rate, unit, gain, offset, stream) as neo gives them."""
    highpass_hz: float | None
    lowpass_hz: float | None
    """Corners of the amplifiers."""

    @property
    def n_blocks(self) -> int:
        return (self.path.stat().st_size - self.header_bytes) // self.block.itemsize


@reader(name="intan", title="Intan (.rhd)", sniff=by_suffix(".rhd"))
def open_intan(found: Found) -> FileRecording:
    """Open a .rhd file, or a folder of .rhd files that continue each other.

    Raises
    ------
    NoRecording
        The samples are in separate .dat files (not read yet), or there are none.
    BadRecording
        A file is damaged, or files of one folder hold different channels.
    """
    parsed = [_parse(path) for path in found.files]
    filled = [file for file in parsed if file.n_blocks]
    bare = [file.path.name for file in parsed if not file.n_blocks]
    if not filled:
        raise NoRecording(
            "the .rhd files hold no samples",
            where=str(found.root),
            remedy="check that recording was on and that the copy has ended",
        )
    first = filled[0]
    for file in filled[1:]:
        if file.channels != first.channels or file.block != first.block:
            raise BadRecording(
                "files of one folder hold different channels",
                where=f"{first.path.name} / {file.path.name}",
                remedy="keep one recording to a folder",
            )
    per_block = first.block["timestamp"].shape[0]
    rate_hz = next((c[2] for c in first.channels if c[6] == _AMPLIFIER), first.channels[0][2])
    table = _scan(filled, per_block, rate_hz)
    if not table.spans:
        raise BadRecording(
            "no data block can be used", where=str(found.root), remedy="copy the files again"
        )
    folder = found.folder
    streams: list[Stream] = []
    records: dict[str, Sequence[ChannelRecords]] = {}
    taken: set[str] = set()
    for of_stream in sorted({c[6] for c in first.channels}):
        members = [
            c for c in first.channels if c[6] == of_stream and c[1] in (first.block.names or ())
        ]
        if not members:
            continue
        stream, layouts, runs = _make_stream(first, members, table, filled, per_block, taken)
        streams.append(stream)
        paths = tuple(file.path for file in filled)
        records[stream.name] = tuple(ChannelRecords(paths, layout, runs) for layout in layouts)
    start = _read_start(filled[0].path)
    warnings = [] if start else ["the file's name does not say when the recording began"]
    if bare:
        warnings.append(f"without samples, left aside: {', '.join(bare)}")
    if any(name.startswith("USB board digital") for name in first.block.names or ()):
        warnings.append("digital inputs of the board are not read")
    if table.set_apart:
        n_blocks = sum(apart.n_records for apart in table.set_apart)
        reasons = ", ".join(sorted({apart.reason for apart in table.set_apart}))
        warnings.append(f"{n_blocks:,} data blocks are not used, {reasons}")
    description = Description(
        format="intan",
        root=str(found.root),
        streams=tuple(streams),
        start_utc=start,
        start_is_local=start is not None,
        warnings=tuple(warnings),
        ignored_files=tuple(sorted([*bare, *(path.name for path in found.others)])),
    )
    return FileRecording(description, folder, records)


def _parse(path: Path) -> _IntanFile:
    from neo.rawio import IntanRawIO

    class Headers(IntanRawIO):  # type: ignore[misc]
        """Without neo's check of time stamps, which reads the whole file into memory."""

        def _assert_timestamp_continuity(self) -> None:
            pass

    parser = Headers(str(path))
    try:
        parser.parse_header()
    except Exception as error:  # neo raises whatever a damaged header leads to
        if "multiple of the data-type size" in str(error):
            raise TruncatedFile(
                "the file ends within a data block",
                where=path.name,
                remedy="copy it again, and wait until the copy has ended",
            ) from error
        raise BadRecording(
            f"neo can't parse it ({type(error).__name__}: {error})",
            where=path.name,
            remedy="copy the file again, or move it out of the folder",
        ) from error
    if parser.file_format != "header-attached":
        raise NoRecording(
            f"Intan's {parser.file_format} format (samples in .dat files) is not read yet",
            where=str(path),
            remedy="save recordings in the traditional Intan format, one .rhd file",
        )
    # The memory map that neo made: only its type and offset are used, not its samples.
    data = parser._raw_data  # noqa: SLF001
    channels = tuple(
        (
            str(c["name"]),
            str(c["id"]),
            float(c["sampling_rate"]),
            str(c["units"]),
            float(c["gain"]),
            float(c["offset"]),
            str(c["stream_id"]),
        )
        for c in parser.header["signal_channels"]
    )
    general = parser._global_info  # noqa: SLF001
    return _IntanFile(
        path,
        int(data.offset),
        data.dtype,
        channels,
        float(general.get("actual_lower_bandwidth", 0)) or None,
        float(general.get("actual_upper_bandwidth", 0)) or None,
    )


def _scan(files: Sequence[_IntanFile], per_block: int, rate_hz: float) -> TimeTable:
    """Spans in samples of the amplifier; a block is a record, files follow each other."""
    clock = Clock(ticks_per_s=rate_hz, rate_hz=rate_hz, period_ticks=1.0, tolerance_ticks=0.5)
    finder = SpanFinder(per_block, clock, _REASONS, files[0].path.name)
    turns = last = 0
    for file in files:
        layout = RecordLayout(file.header_bytes, file.block.itemsize, 0, per_block)
        for blocks in iterate_heads(file.path, layout, file.block, file.n_blocks):
            stamps = blocks["timestamp"].astype(np.int64)
            begin = np.concatenate([[last - turns * _WRAP], stamps[:, 0]])
            ticks = stamps[:, 0] + _WRAP * (turns + np.cumsum(np.diff(begin) < -_WRAP // 2))
            turns += int(np.count_nonzero(np.diff(begin) < -_WRAP // 2))
            last = int(ticks[-1])
            damaged = (np.diff(stamps, axis=1) % _WRAP != 1).any(axis=1)
            fault = np.where(damaged, _DAMAGED, 0).astype(np.uint8)
            finder.add(Stamps(ticks, np.where(damaged, 0, per_block).astype(np.int64), fault))
    return finder.finish()


def _make_stream(
    first: _IntanFile,
    members: Sequence[tuple[str, str, float, str, float, float, str]],
    table: TimeTable,
    files: Sequence[_IntanFile],
    per_block: int,
    taken: set[str],
) -> tuple[Stream, list[RecordLayout], tuple[Run, ...]]:
    rate_hz = members[0][2]
    layouts: list[RecordLayout] = []
    channels: list[Channel] = []
    for name, identifier, _, unit, gain, offset, of_stream in members:
        samples, at = first.block.fields[identifier][:2]  # type: ignore[index]
        in_block = samples.shape[0] if samples.shape else 1
        layouts.append(
            RecordLayout(
                first.header_bytes, first.block.itemsize, at, in_block, Encoding.OFFSET_BINARY
            )
        )
        scale = _TO_UV.get(unit, 1.0)
        kind = guess_kind(name)
        if of_stream != _AMPLIFIER and kind.is_brain:
            kind = ChannelKind.OTHER
        channels.append(
            Channel(
                name=name,
                kind=kind,
                gain_uv=gain * scale,
                # Samples are given with zero volts of the converter at 0, not at 32,768.
                offset_uv=_clean((offset + _ZERO * gain) * scale, gain * scale),
                highpass_hz=first.highpass_hz if of_stream == _AMPLIFIER else None,
                lowpass_hz=first.lowpass_hz if of_stream == _AMPLIFIER else None,
                notes="" if unit in _TO_UV else f"measured in {unit or 'no unit'}, not in volts",
            )
        )
    in_block = layouts[0].samples_per_record
    spans: list[Span] = []
    total = 0
    for span in table.spans:
        n_samples = span.n_samples // per_block * in_block
        spans.append(Span(span.start_ticks / table.ticks_per_s, n_samples, rate_hz, total))
        total += n_samples
    quarantined = tuple(
        Quarantine(interval, reason)
        for interval, reason in place_apart(
            table, table.base_tick, table.spans[0].start_ticks, spans[-1].stop_s
        )
    )
    stream = Stream(
        name=name_stream(rate_hz, len(members), taken),
        rate_hz=rate_hz,
        channels=name_uniquely(channels, [member[1] for member in members]),
        spans=tuple(spans),
        quarantined=quarantined,
        files=tuple(file.path.name for file in files),
    )
    return stream, layouts, tuple(_cut_at_files(table.runs, files, per_block, in_block))


def _cut_at_files(
    runs: Sequence[Run], files: Sequence[_IntanFile], per_block: int, in_block: int
) -> Iterator[Run]:
    """Runs counted through all files, cut where a file ends."""
    number = 0
    for run in runs:
        block, n_left = run.first_record, run.n_samples // per_block
        begin = 0
        for index, file in enumerate(files):
            n_here = min(begin + file.n_blocks - block, n_left)
            if block >= begin and n_here > 0:
                yield Run(number, n_here * in_block, block - begin, index)
                number += n_here * in_block
                block, n_left = block + n_here, n_left - n_here
            begin += file.n_blocks


def _clean(offset_uv: float, gain_uv: float) -> float:
    """Zero where the offset is a rounding error of a step."""
    return 0.0 if abs(offset_uv) < 1e-6 * gain_uv else offset_uv


def _read_start(path: Path) -> datetime | None:
    """Local time from a name like "mouse_240131_235959.rhd"."""
    match = _DATE_IN_NAME.search(path.stem)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups())
    try:
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
