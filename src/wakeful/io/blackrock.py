"""Blackrock (.ns1 to .ns6 and .nev), file specifications 2.2, 2.3 and 3.0.

An .nsX file is a header, a description of 66 bytes a channel, and data packets: a time stamp, a
number of samples, and the samples of all channels side by side. Recording that was paused, and
packets that the network lost, begin a new packet: gaps come out as spans. Files of systems with a
precision clock hold one packet a sample, each with its own time stamp in nanoseconds: there the
true rate is fitted. Files of one name ("day1.ns2", "day1.ns5", "day1.nev") are one recording.

Layout: Blackrock's "NEV and NSx File Format" as published; neo's reader is the peer in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from wakeful.io.blackrock_events import read_nev
from wakeful.io.channel_kinds import guess_kind
from wakeful.io.fitted_spans import fit_spans
from wakeful.io.heads import HeadReader
from wakeful.io.open_files import OpenFiles, read_bytes
from wakeful.io.record_streams import name_stream, name_uniquely
from wakeful.io.record_times import MAX_RUNS, Clock, SpanFinder, Stamps
from wakeful.io.records import RecordLayout, iterate_heads
from wakeful.io.registry import Found, reader
from wakeful.io.segments import Interleaved, Segment, SegmentRecording
from wakeful.model.errors import BadRecording, NoRecording, TruncatedFile
from wakeful.model.recording import Description, Stream
from wakeful.model.subject import Channel, ChannelKind
from wakeful.model.time import Span

_ENDS = tuple(f".ns{i}" for i in range(1, 7))
_BASIC = np.dtype(
    [
        ("file_id", "S8"),
        ("version", "u1", 2),
        ("header_bytes", "<u4"),
        ("label", "S16"),
        ("comment", "S256"),
        ("period", "<u4"),
        ("ticks_per_s", "<u4"),
        ("origin", "<u2", 8),
        ("n_channels", "<u4"),
    ]
)
_CHANNEL = np.dtype(
    [
        ("type", "S2"),
        ("electrode", "<u2"),
        ("label", "S16"),
        ("connector", "u1"),
        ("pin", "u1"),
        ("min_digital", "<i2"),
        ("max_digital", "<i2"),
        ("min_analog", "<i2"),
        ("max_analog", "<i2"),
        ("unit", "S16"),
        ("high_corner", "<u4"),
        ("high_order", "<u4"),
        ("high_type", "<u2"),
        ("low_corner", "<u4"),
        ("low_order", "<u4"),
        ("low_type", "<u2"),
    ]
)
_PACKET = {
    2: np.dtype([("flag", "u1"), ("tick", "<u4"), ("n", "<u4")]),
    3: np.dtype([("flag", "u1"), ("tick", "<u8"), ("n", "<u4")]),
}
_BASE_HZ = 30_000
"""The period in the header counts in these, whatever the resolution of the time stamps."""
_TO_UV = {"uv": 1.0, "mv": 1e3, "v": 1e6}
_PRECISE = 1_000_000_000
_MAX_CHANNELS = 8192
_REASONS = ("samples without a time stamp", "samples whose packet is damaged")
_DAMAGED = 2


@dataclass(frozen=True)
class _NsFile:
    path: Path
    major: int
    header_bytes: int
    rate_hz: float
    ticks_per_s: float
    origin: datetime | None
    channels: tuple[Channel, ...]
    spans: tuple[Span, ...]
    """In seconds from tick 0."""
    segments: tuple[Segment, ...]
    warnings: tuple[str, ...]


def _sniff(files: tuple[Path, ...]) -> tuple[Path, ...]:
    return tuple(path for path in files if str(path).lower().endswith(_ENDS))


@reader(name="blackrock", title="Blackrock (.ns1 to .ns6, .nev)", sniff=_sniff)
def open_blackrock(found: Found) -> SegmentRecording:
    """Open the .nsX files of one recording, or one of them.

    Raises
    ------
    TruncatedFile
        A file ends within a packet.
    BadRecording
        A header or packet is damaged, the specification is not known, or the folder holds several
        recordings.
    """
    stems = sorted({path.stem for path in found.files})
    if len(stems) > 1:
        raise BadRecording(
            f"the folder holds {len(stems)} recordings ({', '.join(stems[:4])})",
            where=str(found.root),
            remedy=f"give the path of a file of one of them: {found.files[0]}",
        )
    folder = found.folder
    parsed = [_read_file(path) for path in found.files]
    filled = [file for file in parsed if file.spans]
    if not filled:
        raise NoRecording(
            "the .nsX files hold no samples",
            where=str(found.root),
            remedy="check that recording was on and that the copy has ended",
        )
    zero_s = min(file.spans[0].start_s for file in filled)
    streams: list[Stream] = []
    segments: dict[str, tuple[Segment, ...]] = {}
    taken: set[str] = set()
    for file in filled:
        stream = Stream(
            name=name_stream(file.rate_hz, len(file.channels), taken),
            rate_hz=file.rate_hz,
            channels=file.channels,
            spans=tuple(
                Span(s.start_s - zero_s, s.n_samples, s.rate_hz, s.first_sample) for s in file.spans
            ),
            files=(file.path.name,),
        )
        streams.append(stream)
        segments[stream.name] = file.segments
    first = min(filled, key=lambda file: file.spans[0].start_s)
    start = first.origin
    # A precision clock counts from elsewhere: the header's date is the start then.
    if start is not None and first.ticks_per_s != _PRECISE:
        start += timedelta(seconds=zero_s)
    warnings = [text for file in parsed for text in file.warnings]
    warnings.append(
        "Blackrock files are read as the published format says; no real recording was at hand to "
        "try this on: compare one with what you know"
    )
    if start is None:
        warnings.append("no header says when the recording began: times of day are unknown")
    nev = folder / f"{stems[0]}.nev"
    description = Description(
        format="blackrock",
        root=str(found.root),
        streams=tuple(streams),
        start_utc=start,
        warnings=tuple(warnings),
        ignored_files=tuple(sorted(f.name for f in found.others if f != nev)),
    )
    return SegmentRecording(description, folder, segments, lambda: read_nev(nev, zero_s))


def _read_file(path: Path) -> _NsFile:
    size = path.stat().st_size
    file_id = read_bytes(path, 0, min(size, 8))
    if file_id == b"NEURALSG":
        raise BadRecording(
            "it is of Blackrock's file specification 2.1, which names neither units nor gaps",
            where=path.name,
            remedy="save it anew with Blackrock's own programs (specification 2.3 or later)",
        )
    if file_id not in (b"NEURALCD", b"BRSMPGRP") or size < _BASIC.itemsize:
        raise _bad("the file does not begin with a Blackrock header", path)
    basic = np.frombuffer(read_bytes(path, 0, _BASIC.itemsize), _BASIC)[0]
    major = int(basic["version"][0])
    n_channels, period = int(basic["n_channels"]), int(basic["period"])
    ticks_per_s = float(basic["ticks_per_s"])
    needed = _BASIC.itemsize + n_channels * _CHANNEL.itemsize
    header_bytes = int(basic["header_bytes"])
    if (
        major not in _PACKET
        or not 0 < n_channels <= _MAX_CHANNELS
        or not 0 < period <= _BASE_HZ
        or not 0 < ticks_per_s <= _PRECISE
        or header_bytes < needed
    ):
        raise _bad(
            f"the header names version {major}, {n_channels} channels, a period of {period} and "
            f"{ticks_per_s:g} ticks a second",
            path,
        )
    if size < header_bytes:
        raise TruncatedFile(
            "the file ends within its header", where=path.name, remedy="copy the file again"
        )
    rows = np.frombuffer(
        read_bytes(path, _BASIC.itemsize, n_channels * _CHANNEL.itemsize), _CHANNEL
    )
    channels = [_describe(row, path) for row in rows]
    rate_hz = _BASE_HZ / period
    file = _Shape(path, size, major, header_bytes, n_channels, rate_hz, ticks_per_s)
    warnings: list[str] = []
    precise = ticks_per_s == _PRECISE and _first_n(file) == 1
    spans, segments = (_place_precise if precise else _place_packets)(file, warnings)
    return _NsFile(
        path,
        major,
        header_bytes,
        rate_hz,
        ticks_per_s,
        _read_origin(basic["origin"]),
        name_uniquely(channels, [f"electrode {row['electrode']}" for row in rows]),
        spans,
        segments,
        tuple(warnings),
    )


@dataclass(frozen=True)
class _Shape:
    path: Path
    size: int
    major: int
    header_bytes: int
    n_channels: int
    rate_hz: float
    ticks_per_s: float

    @property
    def packet(self) -> np.dtype[Any]:
        return _PACKET[self.major]

    @property
    def sample_bytes(self) -> int:
        return 2 * self.n_channels


def _first_n(file: _Shape) -> int:
    if file.size < file.header_bytes + file.packet.itemsize:
        return 0
    return int(_read_packet(file, file.header_bytes)["n"])


def _read_packet(file: _Shape, at: int) -> Any:
    return np.frombuffer(read_bytes(file.path, at, file.packet.itemsize), file.packet)[0]


@dataclass
class _Packet:
    start_s: float
    n_samples: int
    at: int


def _place_packets(
    file: _Shape, warnings: list[str]
) -> tuple[tuple[Span, ...], tuple[Segment, ...]]:
    """Packets of many samples; those that continue each other make a span."""
    kept: list[_Packet] = []
    n_apart = 0
    near_s = 0.5 / file.rate_hz
    for packet in _list_packets(file, warnings):
        # After the clock was set anew, the shorter of what contradicts is left out.
        ahead = len(kept)
        while ahead and _stop(kept[ahead - 1], file) > packet.start_s + near_s:
            ahead -= 1
        n_ahead = sum(p.n_samples for p in kept[ahead:])
        if n_ahead > packet.n_samples:
            n_apart += packet.n_samples
            continue
        n_apart += n_ahead
        del kept[ahead:]
        kept.append(packet)
    if n_apart:
        warnings.append(
            f"{file.path.name}: {n_apart:,} samples are not used, their packets claim time that "
            "others have (the clock was set anew)"
        )
    spans: list[Span] = []
    segments: list[Segment] = []
    number = 0
    files = OpenFiles()
    for packet in kept:
        store = Interleaved(
            file.path,
            packet.at,
            packet.n_samples,
            file.n_channels,
            np.dtype("<i2"),
            header_bytes=file.header_bytes,
            files=files,
        )
        segments.append(Segment(number, packet.n_samples, store))
        if spans and abs(spans[-1].stop_s - packet.start_s) <= near_s:
            last = spans.pop()
            n_both = last.n_samples + packet.n_samples
            spans.append(Span(last.start_s, n_both, file.rate_hz, last.first_sample))
        else:
            spans.append(Span(packet.start_s, packet.n_samples, file.rate_hz, number))
        number += packet.n_samples
    return tuple(spans), tuple(segments)


def _stop(packet: _Packet, file: _Shape) -> float:
    return packet.start_s + packet.n_samples / file.rate_hz


def _list_packets(file: _Shape, warnings: list[str]) -> list[_Packet]:
    found: list[_Packet] = []
    at = file.header_bytes
    head = file.packet.itemsize
    while at < file.size:
        if at + head > file.size:
            raise _truncated(file, f"{file.size - at} bytes are left of its last packet's head")
        packet = _read_packet(file, at)
        n_samples = int(packet["n"])
        if packet["flag"] != 1:
            raise _bad(f"at byte {at:,} no data packet begins", file.path)
        at += head
        n_there = (file.size - at) // file.sample_bytes
        if n_samples == 0 and n_there and read_bytes(file.path, at, 1) != b"\x01":
            # Written last of all: a file that was never closed has 0 here.
            n_samples = n_there
            warnings.append(
                f"{file.path.name}: the file was never closed; its {n_there:,} last samples are "
                "used"
            )
        if n_samples > n_there:
            raise _truncated(
                file, f"its last packet promises {n_samples:,} samples and holds {n_there:,}"
            )
        if n_samples:
            found.append(_Packet(int(packet["tick"]) / file.ticks_per_s, n_samples, at))
        at += n_samples * file.sample_bytes
        if len(found) > MAX_RUNS:
            raise _bad(f"it holds more than {MAX_RUNS:,} data packets", file.path)
    return found


def _place_precise(
    file: _Shape, warnings: list[str]
) -> tuple[tuple[Span, ...], tuple[Segment, ...]]:
    """One packet a sample, each with its time stamp: the rate is fitted."""
    stride = file.packet.itemsize + file.sample_bytes
    layout = RecordLayout(file.header_bytes, stride, file.packet.itemsize, 1)
    n_samples, n_over = layout.n_records(file.size)
    if n_over:
        raise _truncated(file, f"{n_over} bytes are left over after {n_samples:,} packets")
    head = np.dtype(
        {
            "names": ["flag", "tick", "n"],
            "formats": ["u1", "<u8", "<u4"],
            "offsets": [0, 1, 9],
            "itemsize": stride,
        }
    )
    period = file.ticks_per_s / file.rate_hz
    clock = Clock(
        ticks_per_s=file.ticks_per_s,
        rate_hz=file.rate_hz,
        period_ticks=period,
        tolerance_ticks=0.5 * period,
    )
    finder = SpanFinder(1, clock, _REASONS, file.path.name)
    for heads in iterate_heads(file.path, layout, head, n_samples):
        sound = (heads["flag"] == 1) & (heads["n"] == 1) & (heads["tick"] < 2**62)
        ticks = np.where(sound, heads["tick"], 0).astype(np.int64)
        fault = np.where(sound, 0, _DAMAGED).astype(np.uint8)
        finder.add(Stamps(ticks, sound.astype(np.int64), fault))
    table = finder.finish()
    if table.set_apart:
        n_apart = sum(apart.n_records for apart in table.set_apart)
        reasons = ", ".join(sorted({apart.reason for apart in table.set_apart}))
        warnings.append(f"{file.path.name}: {n_apart:,} samples are not used, {reasons}")
    store = Interleaved(
        file.path,
        file.header_bytes + file.packet.itemsize,
        n_samples,
        file.n_channels,
        np.dtype("<i2"),
        stride=stride,
        header_bytes=file.header_bytes,
    )
    reader = HeadReader(file.path, layout, head)
    fitted = fit_spans(table, 1, lambda _, packets: reader.at(packets)["tick"].astype(np.int64))
    base_s = table.base_tick / file.ticks_per_s
    spans = tuple(replace(span, start_s=base_s + span.start_s) for span in fitted)
    segments = tuple(
        Segment(run.first_sample, run.n_samples, store, run.first_record) for run in table.runs
    )
    return spans, segments


def _describe(row: Any, path: Path) -> Channel:
    label = row["label"].split(b"\0", 1)[0].decode("latin-1").strip()
    unit = row["unit"].split(b"\0", 1)[0].decode("latin-1").strip()
    steps = int(row["max_digital"]) - int(row["min_digital"])
    if row["type"] != b"CC" or steps == 0:
        raise _bad(f"the description of channel {label or row['electrode']} is damaged", path)
    scale = _TO_UV.get(unit.replace("µ", "u").lower(), 1.0)
    gain = (int(row["max_analog"]) - int(row["min_analog"])) / steps
    offset = int(row["min_analog"]) - gain * int(row["min_digital"])
    kind = guess_kind(label)
    if kind.is_brain and label.lower().startswith("ainp"):
        kind = ChannelKind.OTHER
    known = unit.replace("µ", "u").lower() in _TO_UV
    return Channel(
        name=label or f"electrode {row['electrode']}",
        kind=kind,
        gain_uv=gain * scale,
        offset_uv=0.0 if abs(offset) < 1e-6 * abs(gain) else offset * scale,
        # Corners are in thousandths of a Hz.
        highpass_hz=int(row["high_corner"]) / 1e3 or None,
        lowpass_hz=int(row["low_corner"]) / 1e3 or None,
        notes="" if known else f"measured in {unit or 'no unit'}, not in volts",
    )


def _read_origin(fields: Sequence[int]) -> datetime | None:
    """When tick 0 was, UTC: year, month, day of the week, day, hour, minute, second, ms."""
    year, month, _, day, hour, minute, second, ms = (int(value) for value in fields)
    try:
        return datetime(year, month, day, hour, minute, second, ms * 1000, tzinfo=UTC)
    except ValueError:
        return None


def _truncated(file: _Shape, what: str) -> TruncatedFile:
    return TruncatedFile(
        f"the file ends too early: {what}",
        where=file.path.name,
        remedy="copy it again, and wait until the copy has ended",
    )


def _bad(what: str, path: Path) -> BadRecording:
    return BadRecording(
        what, where=path.name, remedy="the file is damaged: copy it again, or leave it out"
    )
