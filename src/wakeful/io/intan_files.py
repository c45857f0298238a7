"""Intan's formats with a header of its own (info.rhd, info.rhs) and samples in .dat files.

One file for each type of signal (amplifier.dat, analogin.dat, ...) or one for each channel
(amp-A-000.dat, ...); time.dat holds the number of each sample, from which gaps follow. neo parses
the header and finds the files; digital inputs and stimulation currents are not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wakeful.io.channel_kinds import guess_kind
from wakeful.io.record_streams import name_stream, name_uniquely
from wakeful.io.record_times import Clock, SpanFinder, Stamps, TimeTable
from wakeful.io.records import RecordLayout, iterate_heads
from wakeful.io.registry import Found
from wakeful.io.segments import FileBytes, Interleaved, Segment, SegmentRecording, Stacked, Store
from wakeful.model.arrays import Samples
from wakeful.model.errors import BadRecording, NoRecording, TruncatedFile
from wakeful.model.recording import Description, Stream
from wakeful.model.subject import Channel, ChannelKind
from wakeful.model.time import Span

_TO_UV = {"uV": 1.0, "mV": 1e3, "V": 1e6}
_LEFT = ("digital", "Stim")
"""Parts of the names of streams that are not read."""
_WRAP = 2**32
_REASONS = ("samples without a number",)


class _WithHeader:
    """A store that needs one more file to be understood: the header.

    Parameters
    ----------
    store : where the samples are
    header : the file that says how they are stored
    """

    def __init__(self, store: Store, header: Path) -> None:
        self.dtype = store.dtype
        self._store, self._header = store, header

    def read(self, first: int, out: Samples, rows: Sequence[int]) -> None:
        """See `Store.read`."""
        self._store.read(first, out, rows)

    def bytes_of(self, parts: Sequence[tuple[int, int]]) -> Iterable[FileBytes]:
        """See `Store.bytes_of`."""
        yield self._header, 0, self._header.stat().st_size
        yield from self._store.bytes_of(parts)


def open_dat_files(found: Found, parser: Any) -> SegmentRecording:
    """Open a header and the .dat files beside it.

    Parameters
    ----------
    parser : neo's reader after it has parsed the header

    Raises
    ------
    TruncatedFile
        A file is shorter than time.dat says.
    NoRecording
        There are no samples.
    BadRecording
        The numbers of the samples are damaged.
    """
    header = found.only_file()
    folder = header.parent
    if found.root == header:
        raise NoRecording(
            "this is the header alone, its samples are in other files of the folder",
            where=header.name,
            remedy=f"give the path of the folder: {folder}",
        )
    raw = parser._raw_data  # noqa: SLF001 (only the names and types of the files it found)
    rate_hz = float(parser._global_info["sampling_rate"])  # noqa: SLF001
    clock_file = folder / "time.dat"
    if not clock_file.is_file() or clock_file.stat().st_size < 4:
        raise NoRecording(
            "there is no time.dat that numbers the samples",
            where=str(folder),
            remedy="copy all files of the recording's folder, and wait until the copy has ended",
        )
    n_samples, n_over = divmod(clock_file.stat().st_size, 4)
    if n_over:
        raise _truncated(clock_file, f"{n_over} bytes are left over")
    table = _scan(clock_file, n_samples, rate_hz)
    spans = _spans_of(table, rate_hz)
    streams: list[Stream] = []
    segments: dict[str, tuple[Segment, ...]] = {}
    taken: set[str] = set()
    left: list[str] = []
    for row in parser.header["signal_streams"]:
        name = str(row["name"])
        if name not in raw:
            continue
        if any(part in name for part in _LEFT):
            left.append(name)
            continue
        rows = parser.header["signal_channels"]
        members = rows[rows["stream_id"] == row["id"]]
        parts = raw[name] if isinstance(raw[name], list) else [raw[name]]
        paths = [Path(part.filename) for part in parts]
        store = _WithHeader(_make_store(parts, paths, len(members), n_samples), header)
        channels = [_describe(c, is_amplifier=str(row["id"]) == "0") for c in members]
        stream = Stream(
            name=name_stream(rate_hz, len(members), taken),
            rate_hz=rate_hz,
            channels=name_uniquely(channels, [str(c["id"]) for c in members]),
            spans=spans,
            files=(header.name, *(path.name for path in paths)),
        )
        streams.append(stream)
        segments[stream.name] = tuple(
            Segment(run.first_sample, run.n_samples, store, run.first_record) for run in table.runs
        )
    if not streams:
        raise NoRecording(
            "there are no .dat files of signals beside the header",
            where=str(header),
            remedy="copy all files of the recording's folder, and wait until the copy has ended",
        )
    warnings = ["the files do not say when the recording began: times of day are unknown"]
    if left:
        warnings.append(f"not read: {', '.join(left)}")
    if table.set_apart:
        n_apart = sum(apart.n_records for apart in table.set_apart)
        reasons = ", ".join(sorted({apart.reason for apart in table.set_apart}))
        warnings.append(f"{n_apart:,} samples are not used, {reasons}")
    used = {name for stream in streams for name in stream.files} | {clock_file.name}
    description = Description(
        format="intan",
        root=str(found.root),
        streams=tuple(streams),
        start_utc=None,
        warnings=tuple(warnings),
        ignored_files=tuple(sorted(f.name for f in found.others if f.name not in used)),
    )
    return SegmentRecording(description, folder, segments)


def _scan(path: Path, n_samples: int, rate_hz: float) -> TimeTable:
    """Spans, in samples: each sample is a record that holds its number, 32 bit."""
    clock = Clock(ticks_per_s=rate_hz, rate_hz=rate_hz, period_ticks=1.0, tolerance_ticks=0.5)
    finder = SpanFinder(1, clock, _REASONS, path.name)
    layout = RecordLayout(0, 4, 0, 1)
    turns = last = 0
    for numbers in iterate_heads(path, layout, np.dtype("<i4"), n_samples):
        begin = np.concatenate([[last - turns * _WRAP], numbers.astype(np.int64)])
        wraps = np.cumsum(np.diff(begin) < -_WRAP // 2)
        ticks = begin[1:] + _WRAP * (turns + wraps)
        turns += int(wraps[-1])
        last = int(ticks[-1])
        ones = np.ones(len(ticks), np.int64)
        finder.add(Stamps(ticks, ones, np.zeros(len(ticks), np.uint8)))
    table = finder.finish()
    if not table.spans:
        raise BadRecording(
            "the numbers of its samples are damaged", where=path.name, remedy="copy it again"
        )
    return table


def _spans_of(table: TimeTable, rate_hz: float) -> tuple[Span, ...]:
    spans: list[Span] = []
    number = 0
    for span in table.spans:
        start_s = (span.start_ticks - table.spans[0].start_ticks) / rate_hz
        spans.append(Span(start_s, span.n_samples, rate_hz, number))
        number += span.n_samples
    return tuple(spans)


def _make_store(
    parts: Sequence[Any], paths: Sequence[Path], n_channels: int, n_samples: int
) -> Store:
    wide = n_channels if len(parts) == 1 else 1
    if len(parts) not in (1, n_channels):
        raise NoRecording(
            f"the header names {n_channels} channels, there are files of {len(parts)}",
            where=str(paths[0].parent),
            remedy="copy all files of the recording's folder, and wait until the copy has ended",
        )
    stores: list[Store] = []
    for part, path in zip(parts, paths, strict=True):
        n_bytes = path.stat().st_size
        needed = n_samples * wide * part.dtype.itemsize
        if n_bytes < needed:
            raise _truncated(path, f"time.dat needs {needed:,} bytes, it has {n_bytes:,}")
        stores.append(Interleaved(path, 0, n_samples, wide, part.dtype))
    return stores[0] if len(stores) == 1 else Stacked(stores)


def _describe(row: Any, is_amplifier: bool) -> Channel:
    name, unit = str(row["name"]), str(row["units"])
    scale = _TO_UV.get(unit, 1.0)
    kind = guess_kind(name)
    if not is_amplifier and kind.is_brain:
        kind = ChannelKind.OTHER
    return Channel(
        name=name,
        kind=kind,
        gain_uv=float(row["gain"]) * scale,
        offset_uv=float(row["offset"]) * scale,
        notes="" if unit in _TO_UV else f"measured in {unit or 'no unit'}, not in volts",
    )


def _truncated(path: Path, what: str) -> TruncatedFile:
    return TruncatedFile(
        f"the file ends too early: {what}",
        where=path.name,
        remedy="copy it again, and wait until the copy has ended",
    )
