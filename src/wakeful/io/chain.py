"""Several files that continue each other, as one recording.

Acquisitions that write one file at a time begin a new one every hour or every gigabyte; a session
of weeks is then a folder of files. They are joined by what they say themselves, and only where
nothing contradicts: see `check_chain` for the rule. Where one file ends a span ends, even if the
next goes on at once: that no sample is missing between two files, no header says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from wakeful.io.record_streams import name_stream
from wakeful.io.record_times import LONGEST_GAP_S
from wakeful.io.records import find_stream
from wakeful.io.registry import Found, Reader
from wakeful.model.arrays import ArraySource, Samples, find_span
from wakeful.model.errors import BadRecording
from wakeful.model.events import EventSeries, VideoTrack
from wakeful.model.recording import ByteRange, Description, Recording, Stream
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Quarantine, Span

CLOCK_S = 1.0
"""Headers give the start in whole seconds: files may seem to overlap by up to this much."""

_SHOWN = 4


@dataclass(frozen=True)
class Piece:
    """One of the recordings that are joined."""

    recording: Recording
    start_s: float
    """When it begins, seconds from the start of the first."""
    prefix: str = ""
    """What stands before the names of its files, seen from the folder of the whole: "day2/"."""


class ChainedRecording:
    """A `Recording` of several that follow each other, with the gaps between them.

    Parameters
    ----------
    description : of the whole; its streams have the spans of all pieces
    pieces : in order of time
    names : stream of the whole -> the name it has in each piece
    """

    def __init__(
        self,
        description: Description,
        pieces: Sequence[Piece],
        names: dict[str, tuple[str, ...]],
    ) -> None:
        self.description = description
        self._pieces = tuple(pieces)
        self._names = names

    def open(self, stream: str) -> ArraySource:
        """See `Recording.open`.

        Raises
        ------
        BadRecording
            There is no such stream.
        """
        found = find_stream(self.description, stream)
        sources = [
            piece.recording.open(name)
            for piece, name in zip(self._pieces, self._names[stream], strict=True)
        ]
        return _ChainedSource(found.channels, found.spans, sources)

    def byte_ranges(self, stream: str, interval: Interval) -> tuple[ByteRange, ...]:
        """See `Recording.byte_ranges`.

        Headers of files that begin after the interval are left out: a file that is added later
        changes nothing of what came before it.
        """
        find_stream(self.description, stream)
        ranges: list[ByteRange] = []
        for piece, name in zip(self._pieces, self._names[stream], strict=True):
            if piece.start_s >= interval.stop_s and piece is not self._pieces[0]:
                continue
            inside = interval.widen(piece.start_s, -piece.start_s)
            ranges += [
                replace(r, file=piece.prefix + r.file)
                for r in piece.recording.byte_ranges(name, inside)
            ]
        return tuple(ranges)

    def read_events(self) -> tuple[EventSeries, ...]:
        """See `Recording.read_events`: those of all pieces, series of one name one after other."""
        joined: dict[str, list[EventSeries]] = {}
        for piece in self._pieces:
            for series in piece.recording.read_events():
                moved = replace(series, time_s=series.time_s + piece.start_s)
                joined.setdefault(series.name, []).append(moved)
        return tuple(
            EventSeries(
                name=name,
                time_s=np.concatenate([s.time_s for s in of_name]),
                code=np.concatenate([s.code for s in of_name]),
                label=tuple(text for s in of_name for text in s.label),
                file=of_name[0].file if len(of_name) == 1 else "",
                warnings=tuple(text for s in of_name for text in s.warnings),
            )
            for name, of_name in joined.items()
        )

    def read_tracks(self) -> tuple[VideoTrack, ...]:
        """See `Recording.read_tracks`: a track keeps its file, since each has its own frames."""
        return tuple(
            replace(track, time_s=track.time_s + piece.start_s)
            for piece in self._pieces
            for track in piece.recording.read_tracks()
        )


class _ChainedSource:
    """An `ArraySource` over the sources of the pieces."""

    def __init__(
        self,
        channels: tuple[Channel, ...],
        spans: tuple[Span, ...],
        sources: Sequence[ArraySource],
    ) -> None:
        self.channels = channels
        self.spans = spans
        self.dtype: np.dtype[Any] = sources[0].dtype
        # Which source a span comes from, and what its own first sample is called there.
        self._places = [(source, span.first_sample) for source in sources for span in source.spans]

    def read(self, first_sample: int, out: Samples, rows: Sequence[int] | None = None) -> None:
        """See `ArraySource.read`."""
        index = find_span(self.spans, first_sample, out.shape[1])
        source, number = self._places[index]
        source.read(number + first_sample - self.spans[index].first_sample, out, rows)


def open_chain(reader: Reader, found: Found) -> ChainedRecording:
    """Open each file of a folder by itself, and join them.

    Raises
    ------
    BadRecording
        They are not one recording (see `check_chain`), or one of them is damaged.
    """
    recordings = [
        reader.open(
            Found(
                root=path,
                files=(path,),
                others=(),
                scans=found.scans,
            )
        )
        for path in found.files
    ]
    order = check_chain([r.description for r in recordings], found)
    chain = [recordings[i] for i in order]
    return join_recordings(chain, found.root, tuple(sorted(_leftover(chain, found))))


def _leftover(chain: Sequence[Recording], found: Found) -> set[str]:
    """Other files of the folder, without those that belong to a piece."""
    own = {Path(r.description.root).name for r in chain}
    return {f.name for f in found.others if not any(f.name.startswith(name) for name in own)}


def check_chain(descriptions: Sequence[Description], found: Found) -> list[int]:
    """The order in which files are one recording.

    They are one when all of these hold, and else the folder is refused with what contradicts:

    - names differ in nothing but numbers ("M014_001.edf", "M014_002.edf");
    - each says when it began, all by the same kind of clock;
    - all that name their subject name the same;
    - they hold the same streams: channels, units, rates and types of samples;
    - numbers in the names grow with time, and no file begins more than a second before the one
      before it has ended (headers give whole seconds), nor more than a month after.

    Returns
    -------
    indices of `descriptions` in order of time

    Raises
    ------
    BadRecording
        Names what contradicts, and which files.
    """
    names = [path.name for path in found.files]
    starts = [d.start_utc for d in descriptions]
    problems: list[str] = []
    stems = {re.sub(r"\d+", "#", name) for name in names}
    if len(stems) > 1:
        problems.append("their names differ in more than numbers")
    untimed = [n for n, start in zip(names, starts, strict=True) if start is None]
    if untimed:
        problems.append(f"no start time in {_shorten(untimed)}")
    if len({d.start_is_local for d in descriptions}) > 1:
        problems.append("some starts are local time, some are not")
    subjects = sorted({d.subject for d in descriptions if d.subject})
    if len(subjects) > 1:
        problems.append(f"they are of different subjects ({_shorten(subjects)})")
    first = descriptions[0]
    other = [
        n for n, d in zip(names, descriptions, strict=True) if _streams_of(d) != _streams_of(first)
    ]
    if other:
        problems.append(f"other channels, units or rates in {_shorten(other)} than in {names[0]}")
    order = list(range(len(names)))
    # Files that are not of one kind are told apart by that; their times say nothing more.
    if not problems:
        known = [start for start in starts if start is not None]
        order.sort(key=lambda i: known[i])
        problems += _check_times(order, names, known, descriptions)
    if problems:
        shown = ", ".join(str(path) for path in found.files[:_SHOWN])
        raise BadRecording(
            f"the folder holds {len(names)} recordings of one file each, which do not continue "
            f"each other: {' | '.join(problems)}",
            where=str(found.root),
            remedy=f"give the path of one of them: {shown}",
        )
    return order


def _check_times(
    order: list[int],
    names: Sequence[str],
    starts: Sequence[datetime],
    descriptions: Sequence[Description],
) -> list[str]:
    problems: list[str] = []
    if order != sorted(order):
        problems.append("the numbers in their names do not grow with their start times")
    for a, b in pairwise(order):
        late_s = (starts[b] - starts[a]).total_seconds() - _duration_s(descriptions[a])
        if late_s < -CLOCK_S or starts[b] == starts[a]:
            problems.append(f"{names[b]} begins {-late_s:,.0f} s before {names[a]} has ended")
        elif late_s > LONGEST_GAP_S:
            problems.append(f"{names[b]} begins {late_s / 86_400:,.0f} days after {names[a]} ended")
    return problems[:_SHOWN]


def _duration_s(description: Description) -> float:
    return max((stream.duration_s for stream in description.streams), default=0.0)


def _streams_of(description: Description) -> set[tuple[object, ...]]:
    """What must be the same in all pieces; notes may differ."""
    return {_signature(stream) for stream in description.streams}


def _signature(stream: Stream) -> tuple[object, ...]:
    channels = tuple((c.name, c.kind, c.gain_uv, c.offset_uv) for c in stream.channels)
    return (stream.rate_hz, channels)


def join_recordings(
    recordings: Sequence[Recording],
    root: Path,
    ignored_files: tuple[str, ...] = (),
    prefixes: Sequence[str] = (),
) -> ChainedRecording:
    """One recording of several, each placed by its own start.

    Parameters
    ----------
    recordings : in order of time, all with a start and the same streams (see `check_chain`)
    root : the folder of the whole
    prefixes : what stands before the names of each one's files, where they lie in sub-folders

    Raises
    ------
    BadRecording
        The same channels are stored as other types of numbers in one of them.
    """
    first = recordings[0].description
    pieces: list[Piece] = []
    end_s = 0.0
    for recording, prefix in zip(recordings, prefixes or [""] * len(recordings), strict=True):
        start_s = _seconds_between(first.start_utc, recording.description.start_utc)
        # A header that leaves out the fraction of a second must not make samples overlap.
        start_s = max(start_s, end_s)
        end_s = start_s + _duration_s(recording.description)
        pieces.append(Piece(recording, start_s, prefix))
    streams: list[Stream] = []
    names: dict[str, tuple[str, ...]] = {}
    taken: set[str] = set()
    for stream in first.streams:
        parts = [_find(piece.recording.description, stream) for piece in pieces]
        _check_types(pieces, parts)
        name = name_stream(stream.rate_hz, len(stream.channels), taken)
        names[name] = tuple(part.name for part in parts)
        streams.append(_join_streams(name, stream, pieces, parts))
    description = Description(
        format=first.format,
        root=str(root),
        streams=tuple(streams),
        start_utc=first.start_utc,
        start_is_local=first.start_is_local,
        warnings=_warn(pieces),
        ignored_files=ignored_files,
        subject=next((d.subject for p in pieces if (d := p.recording.description).subject), ""),
    )
    return ChainedRecording(description, pieces, names)


def _find(description: Description, like: Stream) -> Stream:
    return next(s for s in description.streams if _signature(s) == _signature(like))


def _check_types(pieces: Sequence[Piece], parts: Sequence[Stream]) -> None:
    types = [p.recording.open(s.name).dtype for p, s in zip(pieces, parts, strict=True)]
    odd = next((i for i, t in enumerate(types) if t != types[0]), None)
    if odd is not None:
        raise BadRecording(
            f"its samples are {types[odd]}, those of the files before it {types[0]}",
            where=pieces[odd].recording.description.root,
            remedy="give the path of one of the files",
        )


def _join_streams(
    name: str, like: Stream, pieces: Sequence[Piece], parts: Sequence[Stream]
) -> Stream:
    spans: list[Span] = []
    quarantined: list[Quarantine] = []
    number = 0
    for piece, part in zip(pieces, parts, strict=True):
        for span in part.spans:
            spans.append(replace(span, start_s=span.start_s + piece.start_s, first_sample=number))
            number += span.n_samples
        quarantined += [
            replace(q, interval=q.interval.widen(-piece.start_s, piece.start_s))
            for q in part.quarantined
        ]
    return replace(
        like,
        name=name,
        spans=tuple(spans),
        quarantined=tuple(quarantined),
        files=tuple(
            piece.prefix + file for piece, s in zip(pieces, parts, strict=True) for file in s.files
        ),
    )


def _seconds_between(first: datetime | None, then: datetime | None) -> float:
    if first is None or then is None:
        raise ValueError("recordings without a start can't be joined")
    return (then - first) / timedelta(seconds=1)


def _warn(pieces: Sequence[Piece]) -> tuple[str, ...]:
    """What a person must know of the joining, and what the files said themselves."""
    files = [Path(piece.recording.description.root).name for piece in pieces]
    warnings = [
        (
            f"{len(files)} files are taken as one recording, one after the other "
            f"({_shorten(files)}); to read one alone, give its path"
        ),
        (
            "nothing says that no sample is missing between two files: spans end where a file "
            "ends, and files are placed by the start in their headers, often whole seconds"
        ),
    ]
    said: dict[str, list[str]] = {}
    for file, piece in zip(files, pieces, strict=True):
        for text in piece.recording.description.warnings:
            said.setdefault(text.replace(file, "{}"), []).append(file)
    for text, where in said.items():
        named = _shorten(where)
        warnings.append(text.replace("{}", named) if "{}" in text else f"{text} ({named})")
    return tuple(warnings)


def _shorten(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
