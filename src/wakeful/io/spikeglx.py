"""SpikeGLX (.bin with .meta): Neuropixels probes, National Instruments cards, OneBox.

A .bin file is int16, all channels of a moment together, without time stamps; its .meta says which
sample of the run it begins with. Files of one stream (triggers t0, t1, gates g0, g1) are placed by
that number: what was not written between them is a gap. Samples that a file lacks within can't be
told, as the format has no number for each.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wakeful.io.interleaved import (
    FramePiece,
    FrameRecording,
    Frames,
    usable_bytes,
    wait_for,
)
from wakeful.io.record_streams import name_uniquely
from wakeful.io.registry import Found, reader
from wakeful.io.spikeglx_meta import MAX_BYTES, Meta, parse_meta, stream_of
from wakeful.model.errors import AmbiguousStream, BadRecording, NoRecording, TruncatedFile
from wakeful.model.events import EventSeries
from wakeful.model.recording import Description, Stream
from wakeful.model.time import Span
from wakeful.signal.ttl import detect_line_edges

_BITS = 16
_EDGE_FRAMES = 1 << 20
_MAX_EDGES = 20_000_000
_NOMINAL = 6e-5
"""A measured rate this near to a round one is that of a device of the round one."""


def _sniff(files: tuple[Path, ...]) -> tuple[Path, ...]:
    found = tuple(
        path
        for path in files
        if path.suffix.lower() == ".bin" and path.with_suffix(".meta").is_file()
    )
    runs = {re.split(r"_g\d+_t(?:\d+|cat)\.|\.(?:imec|nidq|obx)", path.name)[0] for path in found}
    if len(runs) > 1:
        raise AmbiguousStream(
            f"it holds {len(runs)} SpikeGLX runs: {', '.join(sorted(runs)[:6])}",
            where=str(found[0].parent),
            remedy="keep the files of each run in a folder of its own, a row for each",
        )
    return found


@dataclass(frozen=True)
class _File:
    path: Path
    meta: Meta
    n_frames: int


class SpikeGlxRecording(FrameRecording):
    """Samples, and the edges of the digital lines among them."""

    def read_events(self) -> tuple[EventSeries, ...]:
        """See `Recording.read_events`: one series a digital line that ever changes.

        Every sample of the digital words is read: of a long recording that takes as long as
        reading its files. What a line is at the beginning of a span is no edge.
        """
        streams = self.description.streams
        names = {stream.name for stream in streams}
        return tuple(
            series
            for stream in streams
            # Both bands of a probe carry the same word; the faster one tells the time better.
            if not (".lf-" in stream.name and _same_probe(stream.name, names))
            for row, channel in enumerate(stream.channels)
            if channel.kind.value == "ttl"
            for series in self._read_lines(stream, row)
        )

    def _read_lines(self, stream: Stream, row: int) -> Iterator[EventSeries]:
        times: list[list[NDArray[np.float64]]] = [[] for _ in range(_BITS)]
        levels: list[list[NDArray[np.int64]]] = [[] for _ in range(_BITS)]
        n_edges = 0
        source = self.open(stream.name)
        for span in stream.spans:
            before: int | None = None
            for start in range(0, span.n_samples, _EDGE_FRAMES):
                words = np.empty((1, min(_EDGE_FRAMES, span.n_samples - start)), np.int16)
                source.read(span.first_sample + start, words, [row])
                at = span.start_s + np.arange(start, start + words.shape[1]) / span.rate_hz
                for edges in detect_line_edges(at, words[0], n_lines=_BITS, before=before):
                    times[edges.line].append(edges.time_s)
                    levels[edges.line].append(edges.level)
                    n_edges += len(edges.time_s)
                before = int(words[0, -1])
                if n_edges > _MAX_EDGES:
                    raise BadRecording(
                        f"more than {_MAX_EDGES:,} edges: an input was not connected",
                        where=f"{stream.name}, {stream.channels[row].name}",
                        remedy="read the lines that were connected from the samples",
                    )
        label = stream.name.split("-", 1)[0]
        for line in range(_BITS):
            if times[line]:
                level = np.concatenate(levels[line])
                yield EventSeries(
                    name=f"{label} {stream.channels[row].name} line {line}",
                    time_s=np.concatenate(times[line]),
                    code=level,
                    label=("",) * len(level),
                    file=stream.files[0],
                )


def _same_probe(name: str, names: set[str]) -> bool:
    return any(other.startswith(name.split(".lf-", 1)[0] + ".ap-") for other in names)


@reader(name="spikeglx", title="SpikeGLX (.bin, .meta)", sniff=_sniff, follows=True, nested=True)
def open_spikeglx(found: Found) -> SpikeGlxRecording:
    """Open a run's folder, a probe's folder, or one .bin file.

    Raises
    ------
    TruncatedFile
        A file is shorter than its .meta says, or ends within a sample.
    BadRecording
        A .meta is damaged, or files of one stream hold different channels or overlap.
    NoRecording
        No file holds samples.
    StillGrowing
        More is being written, and there is no sample yet of some stream.
    """
    warnings: list[str] = []
    files = [file for path in found.files if (file := _read(path, found, warnings)) is not None]
    if found.growth is not None:
        there = {stream_of(file.path.stem) for file in files}
        awaited = {
            name: _unseen_s(path, found)
            for path in found.files
            if (name := stream_of(path.stem)) not in there
        }
        ahead_s = max((file.n_frames / file.meta.rate_hz for file in files), default=0.0)
        wait_for(awaited, ahead_s, found.root)
    if not files:
        raise NoRecording(
            "the files hold no samples",
            where=str(found.root),
            remedy="check that recording was on and that the copy has ended",
        )
    groups: dict[str, list[_File]] = {}
    for file in files:
        groups.setdefault(file.meta.stream, []).append(file)
    placed = {name: _place(name, members, warnings) for name, members in groups.items()}
    _refuse_unplaced(groups, found)
    origin_s = min(_start_s(members[0]) for members in placed.values())
    streams: list[Stream] = []
    frames: dict[str, Frames] = {}
    for name, members in placed.items():
        stream, where = _make_stream(name, members, origin_s, found)
        streams.append(stream)
        frames[stream.name] = where
    first = min(files, key=_start_s)
    if first.meta.opened is None:
        warnings.append("no .meta says when the recording began: times of day are unknown")
    if len(streams) > 1:
        warnings.append(
            "probes and cards have clocks of their own: each stream is placed by its own first "
            "sample and measured rate, not by the edges of the sync line"
        )
    known = {file.path for file in files} | {file.path.with_suffix(".meta") for file in files}
    description = Description(
        format="spikeglx",
        root=str(found.root),
        streams=tuple(streams),
        start_utc=first.meta.opened,
        start_is_local=first.meta.opened is not None,
        warnings=tuple(dict.fromkeys(warnings)),
        ignored_files=tuple(
            sorted(p.relative_to(found.folder).as_posix() for p in found.others if p not in known)
        ),
    )
    return SpikeGlxRecording(description, found.folder, frames)


def _unseen_s(path: Path, found: Found) -> float:
    """How long a file can have been written to while no sample of it is verified."""
    meta, step_bytes = _read_meta(path, found), found.growth.step_bytes if found.growth else 0
    if meta is None:
        return math.inf  # it rests from the beginning, and is verified with the next pass
    return step_bytes / (2 * len(meta.channels) * meta.rate_hz)


def _read_meta(path: Path, found: Found) -> Meta | None:
    """What lies beside a .bin file; None where nothing of it may be read."""
    beside = path.with_suffix(".meta")
    n_bytes = usable_bytes(beside, found.folder, found.growth)
    if not n_bytes:
        return None
    with beside.open("rb") as file:
        return parse_meta(file.read(min(n_bytes, MAX_BYTES)), path.stem, beside.name)


def _read(path: Path, found: Found, warnings: list[str]) -> _File | None:
    size = usable_bytes(path, found.folder, found.growth)
    meta = None if size is None else _read_meta(path, found)
    if size is None or meta is None:
        return None
    n_frames, n_over = divmod(size, 2 * len(meta.channels))
    growing = found.growth is not None
    if not growing and meta.n_bytes is not None and size < meta.n_bytes:
        raise TruncatedFile(
            f"the .meta beside it says {meta.n_bytes:,} bytes, the file has {size:,}",
            where=path.name,
            remedy="copy it again, and wait until the copy has ended",
        )
    if not growing and n_over:
        raise TruncatedFile(
            f"the file ends within a sample: {n_over} bytes are left over after {n_frames:,} "
            f"samples of {len(meta.channels)} channels",
            where=path.name,
            remedy="copy it again, and wait until the copy has ended; if the original is as "
            f"long, cut it to {size - n_over:,} bytes",
        )
    if not growing and not meta.n_bytes:
        warnings.append(
            f"{path.name}: its .meta was never finished (the run was broken off, or is still "
            "going on); all its samples are used"
        )
    elif not growing and meta.n_bytes is not None and size > meta.n_bytes:
        warnings.append(
            f"{path.name}: the .meta says {meta.n_bytes:,} bytes, the file has {size:,}; all its "
            "samples are used"
        )
    if not n_frames:
        if not growing:
            warnings.append(f"without samples, left aside: {path.name}")
        return None
    return _File(path, meta, n_frames)


def _start_s(file: _File) -> float:
    return (file.meta.first_sample or 0) / file.meta.rate_hz


def _place(name: str, files: Sequence[_File], warnings: list[str]) -> list[_File]:
    """The files of one stream in order of time; they may not overlap."""
    ordered = sorted(files, key=lambda f: (f.meta.first_sample or 0, f.meta.gate, f.meta.trigger))
    first = ordered[0].meta
    for before, file in pairwise(ordered):
        if file.meta.channels != first.channels or file.meta.rate_hz != first.rate_hz:
            raise BadRecording(
                f"files of the stream {name} differ in channels, gains or rate",
                where=f"{ordered[0].path.name} / {file.path.name}",
                remedy="give the path of one of them",
            )
        start, end = file.meta.first_sample, before.meta.first_sample
        if start is not None and end is not None and start < end + before.n_frames:
            raise BadRecording(
                f"{file.path.name} begins before {before.path.name} ends (sample {start:,} of "
                "the run): they are copies of one another or of different runs",
                where=name,
                remedy="give the path of one of them",
            )
    if any(file.meta.first_sample is None for file in ordered):
        warnings.append(f"{name}: its .meta does not say which sample of the run comes first")
    return ordered


def _refuse_unplaced(groups: dict[str, list[_File]], found: Found) -> None:
    for name, members in groups.items():
        if len(members) > 1 and any(file.meta.first_sample is None for file in members):
            raise AmbiguousStream(
                f"the stream {name} lies in {len(members)} files that do not say when they begin "
                "(firstSample)",
                where=str(found.root),
                remedy="give the path of one of them: "
                + ", ".join(str(file.path) for file in members[:6]),
            )


def _make_stream(
    name: str, files: Sequence[_File], origin_s: float, found: Found
) -> tuple[Stream, Frames]:
    meta = files[0].meta
    nominal_hz = find_nominal(meta.rate_hz)
    spans: list[Span] = []
    pieces: list[FramePiece] = []
    total = 0
    end: int | None = None
    for file in files:
        number = file.meta.first_sample or 0
        if number == end:
            last = spans[-1]
            spans[-1] = Span(
                last.start_s, last.n_samples + file.n_frames, last.rate_hz, last.first_sample
            )
        else:
            start_s = number / meta.rate_hz - origin_s
            spans.append(Span(start_s, file.n_frames, meta.rate_hz, total))
        pieces.append(FramePiece(file.path, total, file.n_frames, 0))
        total += file.n_frames
        end = number + file.n_frames
    n_channels = len(meta.channels)
    growing = found.growth is not None
    stream = Stream(
        name=f"{name}-{nominal_hz:.8g}Hz-{n_channels}ch",
        rate_hz=nominal_hz,
        channels=name_uniquely(meta.channels, [c.name for c in meta.channels]),
        spans=tuple(spans),
        files=tuple(file.path.relative_to(found.folder).as_posix() for file in files),
        growing=growing,
        settled_s=spans[-1].stop_s if growing else float("inf"),
    )
    return stream, Frames(n_channels, tuple(range(n_channels)), tuple(pieces))


def find_nominal(measured_hz: float) -> float:
    """The round rate that a device was set to, from the one that was measured."""
    for step in (1000.0, 500.0, 100.0, 1.0):
        nominal = round(measured_hz / step) * step
        if nominal > 0 and abs(measured_hz / nominal - 1) <= _NOMINAL:
            return nominal
    return measured_hz
