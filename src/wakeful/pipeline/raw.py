"""A stream's raw data as a worker opens it again, and its name."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import xxhash

from wakeful.io.channels_file import LabelledSource
from wakeful.io.mirror import Manifest, piece_bounds, pieces_of, read_manifest, scans_folder
from wakeful.io.recording import read_recording
from wakeful.io.records import RecordSource
from wakeful.model.arrays import ArraySource
from wakeful.model.errors import BadRecording
from wakeful.model.recording import ByteRange, Recording, Stream
from wakeful.model.time import Interval
from wakeful.pipeline.keys import raw_key
from wakeful.pipeline.plan import RecordingReference

_CHUNK = 1 << 20
_AGAIN = "run the row again: it is planned anew"


@dataclass(frozen=True)
class Raw:
    """An opened stream, with the channels that were planned."""

    recording: Recording
    stream: Stream
    source: ArraySource
    manifest: Manifest
    checked_in_passing: bool = False
    """Whether the source holds all it reads against the manifest, as it reads it."""

    def name(self, interval: Interval, halo_s: float) -> str:
        """Key of the raw data that a computation of `interval` reads."""
        return name_raw(self.recording, self.stream, self.manifest, interval, halo_s)

    def check(self, interval: Interval, halo_s: float) -> None:
        """Make sure of the bytes that a computation of `interval` reads.

        Where the source checks them in passing there is nothing to do beforehand; else see
        `check_bytes`.
        """
        if self.checked_in_passing:
            return
        wide = _with_halo(interval, halo_s)
        check_bytes(self.manifest, self.recording.byte_ranges(self.stream.name, wide))


def name_raw(
    recording: Recording,
    stream: Stream,
    manifest: Manifest,
    interval: Interval,
    halo_s: float,
) -> str:
    """Key of the raw data that a computation of `interval` with a halo reads.

    The halo is not cut at the end of the session: there may be no end yet.

    Parameters
    ----------
    stream : with the channels file applied; its name is the recording's
    """
    wide = _with_halo(interval, halo_s)
    ranges = recording.byte_ranges(stream.name, wide)
    return raw_key(recording.description.format, stream, wide, ranges, manifest)


def _with_halo(interval: Interval, halo_s: float) -> Interval:
    return Interval(max(0.0, interval.start_s - halo_s), interval.stop_s + halo_s)


def open_raw(reference: RecordingReference) -> Raw:
    """Open what was planned.

    Raises
    ------
    BadRecording
        It is no longer what was taken in, or holds no longer the channels that were planned.
    """
    folder = Path(reference.manifest_folder)
    manifest = read_manifest(folder)
    if manifest is None:
        raise BadRecording("was never taken in completely", where=str(folder), remedy=_AGAIN)
    _check_files(manifest)
    recording = read_recording(Path(manifest.root), scans_folder(folder), manifest.growth)
    stream = _find_stream(recording, reference, manifest.root)
    rows = {channel.name: i for i, channel in enumerate(stream.channels)}
    chosen = [rows[channel.name] for channel in reference.channels]
    opened = recording.open(stream.name)
    in_passing = isinstance(opened, RecordSource)
    if isinstance(opened, RecordSource):
        opened.guard = CheckInPassing(manifest).check
    source = LabelledSource(opened, reference.channels, chosen)
    planned = replace(stream, channels=reference.channels)
    return Raw(recording, planned, source, manifest, in_passing)


class CheckInPassing:
    """Holds each piece of a file against the manifest just before it is read for the first time.

    So the disk is read once, at the pace of the computation: what follows takes the same bytes from
    memory. A result can't be finished from bytes that were not checked, since reading them is an
    error. Safe to use from several threads, which check different pieces at the same time.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._base = manifest.base
        self._lock = threading.Lock()
        self._pieces: dict[tuple[Path, int], _Piece] = {}

    def check(self, path: Path, start: int, stop: int) -> None:
        """Check the pieces that hold these bytes, those that have not been checked.

        Raises
        ------
        BadRecording
            See `check_bytes`.
        """
        for number in pieces_of(start, stop):
            with self._lock:
                piece = self._pieces.setdefault((path, number), _Piece())
            if piece.sound:
                continue
            with piece.lock:
                if not piece.sound:
                    file = path.relative_to(self._base).as_posix()
                    at, _ = piece_bounds(number, stop)
                    check_bytes(self._manifest, [ByteRange(file, at, at + 1)])
                    piece.sound = True


class _Piece:
    """Whether a piece has been found to be what was taken in; locked while it is looked at."""

    def __init__(self) -> None:
        self.sound = False
        self.lock = threading.Lock()


def check_bytes(manifest: Manifest, ranges: Iterable[ByteRange]) -> None:
    """Read the pieces of files that the ranges touch and hold them against the manifest.

    What follows reads the same bytes once more, from memory.

    Raises
    ------
    BadRecording
        Names the pieces that are no longer what was taken in.
    """
    entries = {entry.file: entry for entry in manifest.files}
    for part in ranges:
        entry, path = entries[part.file], manifest.base / part.file
        for number in pieces_of(part.start, part.stop):
            start, stop = piece_bounds(number, entry.bytes)
            if not entry.accepts(number, _digest(path, start, stop)):
                raise BadRecording(
                    f"bytes {start:,} to {stop:,} are not what was taken in: the disk or somebody "
                    "has changed them",
                    where=str(path),
                    remedy="see `wakeful verify --raw`; where the source is at hand, "
                    "`wakeful mirror` with --repair fetches them again",
                )


def _digest(path: Path, start: int, stop: int) -> str:
    state = xxhash.xxh3_128()
    with path.open("rb", buffering=0) as handle:
        while start < stop and (piece := os.pread(handle.fileno(), _CHUNK, start)):
            state.update(piece[: stop - start])
            start += len(piece)
    return str(state.hexdigest())


def _check_files(manifest: Manifest) -> None:
    """Sizes, and for data used in place the times of change: cheap, and done for each job.

    What is still growing may be longer than what was verified, and changes all the time.
    """
    for entry in manifest.files:
        path = manifest.base / entry.file
        try:
            stat = path.stat()
        except FileNotFoundError:
            raise BadRecording("is gone", where=str(path), remedy=_AGAIN) from None
        if manifest.complete:
            changed = stat.st_size != entry.bytes
            if manifest.in_place:
                changed = changed or stat.st_mtime_ns != entry.modified_ns
        else:
            changed = stat.st_size < entry.bytes
        if changed:
            raise BadRecording("has changed since it was taken in", where=str(path), remedy=_AGAIN)


def _find_stream(recording: Recording, reference: RecordingReference, where: str) -> Stream:
    """The stream by its name, else by its channels: a name tells how many there are."""
    streams = recording.description.streams
    wanted = {channel.name for channel in reference.channels}
    named = [s for s in streams if s.name == reference.stream]
    fitting = [s for s in named or streams if wanted <= {c.name for c in s.channels}]
    if len(fitting) != 1:
        raise BadRecording(
            f"holds no stream {reference.stream!r} with the channels {', '.join(sorted(wanted))} "
            "any more",
            where=where,
            remedy=_AGAIN,
        )
    return fitting[0]
