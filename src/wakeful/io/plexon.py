"""Plexon (.plx): continuous channels as streams, events of the digital inputs.

The file is a queue of small blocks of all channels as they came, so it is walked through once on
opening (at the speed of the disk) to find gaps. Of that walk only a mark every 4 MiB is kept;
reading begins at the nearest mark. Sorted spikes and waveforms are passed over. The newer .pl2
format is Plexon's own and is not read: Plexon's programs save it as .plx.

Layout: Plexon's published header file "Plexon.h"; neo's reader is the peer in the tests.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.io.channel_kinds import guess_kind
from wakeful.io.open_files import OpenFiles, read_bytes
from wakeful.io.record_streams import name_stream, name_uniquely
from wakeful.io.record_times import MAX_RUNS
from wakeful.io.registry import Found, by_suffix, reader
from wakeful.io.segments import FileBytes, Segment, SegmentRecording, number_segments
from wakeful.model.arrays import Samples
from wakeful.model.errors import BadRecording, NoRecording, TruncatedFile
from wakeful.model.events import EventSeries
from wakeful.model.recording import Description, Stream
from wakeful.model.subject import Channel, ChannelKind

_GLOBAL = np.dtype(
    {
        "names": [
            "magic", "version", "ticks_per_s", "n_dsp", "n_events", "n_slow", "date",
            "spike_bits", "slow_bits", "spike_mv", "slow_mv",
        ],
        "formats": ["<u4", "<i4", "<i4", "<i4", "<i4", "<i4", ("<i4", 6), "u1", "u1", "<u2", "<u2"],
        "offsets": [0, 4, 136, 140, 144, 148, 160, 202, 203, 204, 206],
        "itemsize": 7504,
    }
)  # fmt: skip
_DSP_BYTES, _EVENT_BYTES = 1020, 296
_EVENT = np.dtype({"names": ["name", "channel"], "formats": ["S32", "<i4"], "offsets": [0, 32],
                   "itemsize": 296})  # fmt: skip
_SLOW = np.dtype(
    {
        "names": ["name", "channel", "rate", "gain", "enabled", "preamp"],
        "formats": ["S32", "<i4", "<i4", "<i4", "<i4", "<i4"],
        "offsets": [0, 32, 36, 40, 44, 48],
        "itemsize": 296,
    }
)
_MAGIC = 0x58454C50
_MAX_CHANNELS = 4096
_STEP_BYTES = 4 * 1024 * 1024
_STROBED = 257
"""The channel of words that were strobed into the digital port."""


@dataclass(frozen=True)
class _Header:
    version: int
    ticks_per_s: float
    date: datetime | None
    slow: NDArray[Any]
    events: dict[int, str]
    n_bytes: int
    slow_bits: int
    slow_mv: int


@dataclass(frozen=True)
class _Index:
    """Where samples lie: marks on the way through the file."""

    marks: NDArray[np.int64]
    """(n_marks + 1,) first byte of each piece of whole blocks, and the end of the last."""
    counts: NDArray[np.int64]
    """(n_marks + 1, n_slots) samples of each channel before each mark."""
    breaks: NDArray[np.int64]
    """(n_breaks, 3): slot, samples before it, tick."""


@reader(name="plexon", title="Plexon (.plx)", sniff=by_suffix(".plx"), rotates=True)
def open_plexon(found: Found) -> SegmentRecording:
    """Open a .plx file.

    Raises
    ------
    TruncatedFile
        It ends within a block.
    NoRecording
        It holds spikes or events but no continuous channel.
    BadRecording
        Its header or a block is damaged.
    """
    path = found.only_file()
    header = _read_header(path)
    slots = _slots_of(header, path)
    index = _scan(path, header, slots)
    totals = index.counts[-1]
    if not totals.any():
        raise NoRecording(
            "it holds spikes or events, but no continuous channel",
            where=path.name,
            remedy="record wideband or field potential channels, or give the file that holds them",
        )
    streams: list[Stream] = []
    segments: dict[str, tuple[Segment, ...]] = {}
    taken: set[str] = set()
    filled = np.flatnonzero(totals)
    zero_tick = int(min(b[2] for b in index.breaks))
    warnings: list[str] = []
    files = OpenFiles()
    for members in _group(filled.tolist(), header, index):
        rate_hz = float(header.slow["rate"][members[0]])
        store = _Blocks(path, header.n_bytes, slots, index, members, files)
        own = index.breaks[index.breaks[:, 0] == members[0]]
        stops = [*own[1:, 1].tolist(), int(totals[members[0]])]
        begins = zip(own[:, 1].tolist(), stops, own[:, 2].tolist(), strict=True)
        pieces = [((t - zero_tick) / header.ticks_per_s, b - a, a) for a, b, t in begins]
        pieces = _keep_in_order(pieces, rate_hz, path, warnings)
        spans, of_stream = number_segments((s, n, rate_hz, store, a) for s, n, a in pieces)
        channels = [_describe(header, slot) for slot in members]
        stream = Stream(
            name=name_stream(rate_hz, len(members), taken),
            rate_hz=rate_hz,
            channels=name_uniquely(channels, [channel.name for channel in channels]),
            spans=spans,
            files=(path.name,),
        )
        streams.append(stream)
        segments[stream.name] = of_stream
    start = header.date
    if start is None:
        warnings.append("the header's date is damaged: times of day are unknown")
    else:
        start += timedelta(seconds=zero_tick / header.ticks_per_s)
    description = Description(
        format="plexon",
        root=str(found.root),
        streams=tuple(streams),
        start_utc=start,
        start_is_local=start is not None,
        warnings=tuple(warnings),
        ignored_files=tuple(sorted(f.name for f in found.others)),
    )

    def read_events() -> tuple[EventSeries, ...]:
        return _read_events(path, header, index, zero_tick)

    return SegmentRecording(description, path.parent, segments, read_events)


def _read_header(path: Path) -> _Header:
    size = path.stat().st_size
    if size < _GLOBAL.itemsize:
        raise _bad("the file does not begin with a Plexon header", path)
    head = np.frombuffer(read_bytes(path, 0, _GLOBAL.itemsize), _GLOBAL)[0]
    counts = [int(head[name]) for name in ("n_dsp", "n_events", "n_slow")]
    if head["magic"] != _MAGIC or head["ticks_per_s"] <= 0:
        raise _bad("the file does not begin with a Plexon header", path)
    if any(not 0 <= n <= _MAX_CHANNELS for n in counts):
        raise _bad(f"the header names {', '.join(map(str, counts))} channels", path)
    at = _GLOBAL.itemsize + counts[0] * _DSP_BYTES
    n_bytes = at + (counts[1] + counts[2]) * _EVENT_BYTES
    if size < n_bytes:
        raise TruncatedFile(
            "the file ends within its header", where=path.name, remedy="copy the file again"
        )
    events = np.frombuffer(read_bytes(path, at, counts[1] * _EVENT_BYTES), _EVENT)
    at += counts[1] * _EVENT_BYTES
    slow = np.frombuffer(read_bytes(path, at, counts[2] * _EVENT_BYTES), _SLOW)
    try:
        year, month, day, hour, minute, second = (int(value) for value in head["date"])
        date = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        date = None
    return _Header(
        int(head["version"]),
        float(head["ticks_per_s"]),
        date,
        slow,
        {int(row["channel"]): _text(row["name"]) for row in events},
        n_bytes,
        int(head["slow_bits"]) or 12,
        int(head["slow_mv"]) or 5000,
    )


def _slots_of(header: _Header, path: Path) -> NDArray[np.int32]:
    slots = np.full(65_536, -1, np.int32)
    for i, row in enumerate(header.slow):
        number = int(row["channel"])
        if not 0 <= number < len(slots) or slots[number] >= 0:
            raise _bad(f"the header describes continuous channel {number} oddly", path)
        slots[number] = i
    return slots


def _scan(path: Path, header: _Header, slots: NDArray[np.int32]) -> _Index:
    from wakeful.io.plexon_blocks import walk_blocks

    size = path.stat().st_size
    n_slots = max(1, len(header.slow))
    rates = header.slow["rate"].astype(np.float64) if len(header.slow) else np.ones(1)
    periods = header.ticks_per_s / np.maximum(rates, 1e-3)
    expected = np.full(n_slots, -1.0)
    counts = np.zeros(n_slots, np.int64)
    marks = [header.n_bytes]
    passed = [counts.copy()]
    breaks: list[NDArray[np.int64]] = []
    room = np.empty((65_536, 3), np.int64)
    n_breaks = 0
    files = OpenFiles()
    buffer = np.empty(_STEP_BYTES, np.uint8)
    while marks[-1] < size:
        raw = buffer[: min(_STEP_BYTES, size - marks[-1])]
        files.read_into(path, raw, marks[-1])
        n_bytes, n_new, sound = walk_blocks(raw, slots, periods, expected, counts, room)
        if not sound:
            raise _bad(f"at byte {marks[-1] + n_bytes:,} no data block begins", path)
        n_breaks += n_new
        if n_breaks > MAX_RUNS or n_new > len(room):
            raise _bad(f"its time stamps break off more than {MAX_RUNS:,} times", path)
        if n_bytes == 0:
            raise TruncatedFile(
                f"the file ends within a block: {size - marks[-1]:,} bytes are left over",
                where=path.name,
                remedy="copy it again, and wait until the copy has ended",
            )
        breaks.append(room[:n_new].copy())
        marks.append(marks[-1] + n_bytes)
        passed.append(counts.copy())
    return _Index(
        np.array(marks, np.int64),
        np.stack(passed),
        np.concatenate(breaks) if breaks else np.empty((0, 3), np.int64),
    )


def _group(filled: Sequence[int], header: _Header, index: _Index) -> list[list[int]]:
    """Channels of one kind, rate and pattern of gaps."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for slot in filled:
        row = header.slow[slot]
        own = index.breaks[index.breaks[:, 0] == slot]
        match = re.match(r"\D*", _text(row["name"]))
        prefix = match[0] if match else ""
        key = (prefix, int(row["rate"]), int(index.counts[-1][slot]), own[:, 1:].tobytes())
        groups.setdefault(key, []).append(slot)
    return list(groups.values())


def _keep_in_order(
    pieces: list[tuple[float, int, int]], rate_hz: float, path: Path, warnings: list[str]
) -> list[tuple[float, int, int]]:
    """Stretches (start_s, n_samples, offset) whose times grow; the rest is said."""
    kept: list[tuple[float, int, int]] = []
    n_apart = 0
    for piece in pieces:
        if kept and piece[0] < kept[-1][0] + (kept[-1][1] - 0.5) / rate_hz:
            n_apart += piece[1]
            continue
        kept.append(piece)
    if n_apart:
        warnings.append(
            f"{path.name}: {n_apart:,} samples a channel are not used, their time stamps step back"
        )
    return kept


class _Blocks:
    """A store over the blocks of some channels.

    Parameters
    ----------
    members : slots of the channels, in the order of the rows
    """

    dtype = np.dtype(np.int16)

    def __init__(
        self,
        path: Path,
        header_bytes: int,
        slots: NDArray[np.int32],
        index: _Index,
        members: Sequence[int],
        files: OpenFiles,
    ) -> None:
        self._path, self._header_bytes = path, header_bytes
        self._slots, self._index, self._members = slots, index, tuple(members)
        self._files = files

    def _pieces(self, first: int, stop: int) -> range:
        """The pieces between marks that hold samples first to stop of any of the channels."""
        counts = self._index.counts
        last = len(counts) - 1
        low = min(bisect_right(counts[:, slot], first) - 1 for slot in self._members)
        high = max(int(np.searchsorted(counts[:, slot], stop)) for slot in self._members)
        return range(max(0, low), min(last, high))

    def read(self, first: int, out: Samples, rows: Sequence[int]) -> None:
        """See `Store.read`."""
        from wakeful.io.plexon_blocks import gather_samples

        index = self._index
        places = np.full(index.counts.shape[1], -1, np.int32)
        # A channel that is asked for twice is copied afterwards.
        for position, row in enumerate(rows):
            places[self._members[row]] = position
        target = np.empty(out.shape, np.int16)
        for piece in self._pieces(first, first + out.shape[1]):
            begin, end = int(index.marks[piece]), int(index.marks[piece + 1])
            raw = np.empty(end - begin, np.uint8)
            self._files.read_into(self._path, raw, begin)
            gather_samples(raw, self._slots, places, index.counts[piece].copy(), first, target)
        for position, row in enumerate(rows):
            out[position] = target[places[self._members[row]]]

    def bytes_of(self, parts: Sequence[tuple[int, int]]) -> Iterable[FileBytes]:
        """See `Store.bytes_of`: headers, and all blocks from one mark to another."""
        yield self._path, 0, self._header_bytes
        for first, stop in parts:
            pieces = self._pieces(first, stop)
            begin, end = self._index.marks[pieces.start], self._index.marks[pieces.stop]
            yield self._path, int(begin), int(end)


def _read_events(
    path: Path, header: _Header, index: _Index, zero_tick: int
) -> tuple[EventSeries, ...]:
    parts = list(_iterate_events(path, index))
    table = np.concatenate(parts) if parts else np.empty((0, 3), np.int64)
    series: list[EventSeries] = []
    for channel in np.unique(table[:, 0]).tolist():
        own = table[table[:, 0] == channel]
        name = header.events.get(channel) or f"event {channel}"
        series.append(
            EventSeries(
                name=name,
                time_s=(own[:, 1] - zero_tick) / header.ticks_per_s,
                # Words strobed into the port are numbers; of the other channels only the time is.
                code=own[:, 2] if channel == _STROBED else np.ones(len(own), np.int64),
                label=("",) * len(own),
                file=path.name,
            )
        )
    return tuple(series)


def _iterate_events(path: Path, index: _Index) -> Iterator[NDArray[np.int64]]:
    from wakeful.io.plexon_blocks import HEAD_BYTES, gather_events

    files = OpenFiles()
    room = np.empty((_STEP_BYTES // HEAD_BYTES, 3), np.int64)
    for begin, end in zip(index.marks[:-1].tolist(), index.marks[1:].tolist(), strict=True):
        raw = np.empty(end - begin, np.uint8)
        files.read_into(path, raw, begin)
        yield room[: gather_events(raw, room)].copy()


def _describe(header: _Header, slot: int) -> Channel:
    row = header.slow[slot]
    name = _text(row["name"]) or f"channel {row['channel']}"
    gain, preamp = int(row["gain"]) or 1, int(row["preamp"]) or 1
    if header.version < 102:
        step_mv = 5000.0 / (2048 * gain * 1000)
    elif header.version == 102:
        step_mv = 5000.0 / (2048 * gain * preamp)
    else:
        step_mv = header.slow_mv / (0.5 * 2**header.slow_bits * gain * preamp)
    kind = guess_kind(name)
    if kind.is_brain and name.upper().startswith("AI"):
        kind = ChannelKind.OTHER
    return Channel(name=name, kind=kind, gain_uv=step_mv * 1e3)


def _text(raw: bytes) -> str:
    return bytes(raw).split(b"\0", 1)[0].decode("latin-1").strip()


def _bad(what: str, path: Path) -> BadRecording:
    return BadRecording(
        what, where=path.name, remedy="the file is damaged: copy it again, or leave it out"
    )
