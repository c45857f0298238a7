"""Flat files in which all channels of one moment stand together, then those of the next.

The samples of a moment are a frame. Such files have no records and no time stamps of their own: a
reader says which frames of which file belong to a stream (`FramePiece`), and everything here reads
them with `pread`, once for all channels wanted, into reused buffers.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wakeful.io.open_files import OpenFiles
from wakeful.io.record_order import SETTLE_S
from wakeful.io.records import Encoding, find_stream
from wakeful.io.registry import Growth
from wakeful.model.arrays import ArraySource, Samples, find_span
from wakeful.model.errors import StillGrowing
from wakeful.model.events import EventSeries, VideoTrack
from wakeful.model.recording import ByteRange, Description
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Span, cut_spans

_BUFFER_BYTES = 512 * 1024

_STRIP_BYTES = 32 * 1024
"""Turned at a time: small enough to stay in the first-level cache, which doubles the speed."""


@dataclass(frozen=True, slots=True)
class FramePiece:
    """Consecutive frames of one file whose samples follow each other."""

    path: Path
    first_sample: int
    """Number of its first sample in the stream."""
    n_samples: int
    first_frame: int


@dataclass(frozen=True)
class Frames:
    """Where the samples of one stream lie."""

    n_columns: int
    """Channels that a frame of the file holds."""
    columns: tuple[int, ...]
    """The place of each of the stream's channels in a frame."""
    pieces: tuple[FramePiece, ...]
    """In order of their samples."""
    encoding: Encoding = Encoding.INT16
    header_bytes: int = 0

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame."""
        return self.n_columns * self.encoding.n_bytes

    def find(self, first_sample: int, n_samples: int) -> Iterator[tuple[FramePiece, int, int, int]]:
        """Where samples lie: (piece, offset among those asked for, first frame, length)."""
        stop = first_sample + n_samples
        index = bisect_right(self.pieces, first_sample, key=lambda p: p.first_sample) - 1
        while 0 <= index < len(self.pieces) and self.pieces[index].first_sample < stop:
            piece = self.pieces[index]
            a = max(first_sample, piece.first_sample)
            b = min(stop, piece.first_sample + piece.n_samples)
            if a < b:
                frame = piece.first_frame + a - piece.first_sample
                yield piece, a - first_sample, frame, b - a
            index += 1


class FrameSource:
    """An `ArraySource` over flat files. Safe to use from several threads at once.

    Parameters
    ----------
    channels : what each row is
    spans : gap-free stretches
    frames : where the samples lie
    """

    def __init__(
        self, channels: tuple[Channel, ...], spans: tuple[Span, ...], frames: Frames
    ) -> None:
        if len(channels) != len(frames.columns):
            raise ValueError(f"{len(channels)} channels but {len(frames.columns)} columns")
        self.channels = channels
        self.spans = spans
        self.dtype = frames.encoding.dtype
        self._frames = frames
        self._files = OpenFiles()

    def read(self, first_sample: int, out: Samples, rows: Sequence[int] | None = None) -> None:
        """See `ArraySource.read`."""
        find_span(self.spans, first_sample, out.shape[1])
        chosen = range(len(self.channels)) if rows is None else rows
        if len(chosen) != out.shape[0]:
            raise ValueError(f"{len(chosen)} rows asked for, room for {out.shape[0]}")
        if out.dtype != self.dtype:
            raise ValueError(f"samples are {self.dtype}, the array given is {out.dtype}")
        frames = self._frames
        runs = _join_columns([frames.columns[row] for row in chosen])
        for piece, done, frame, length in frames.find(first_sample, out.shape[1]):
            self._read_frames(piece.path, frame, runs, out[:, done : done + length])

    def _read_frames(
        self,
        path: Path,
        first_frame: int,
        runs: Sequence[tuple[int, int, int]],
        out: Samples,
    ) -> None:
        frames = self._frames
        n_bytes = frames.frame_bytes
        buffer = _thread_buffer(n_bytes)
        step = len(buffer) // n_bytes
        for start in range(0, out.shape[1], step):
            piece = out[:, start : start + step]
            stored = buffer[: piece.shape[1] * n_bytes]
            at = frames.header_bytes + (first_frame + start) * n_bytes
            self._files.read_into(path, stored, at)
            self._turn(stored.reshape(-1, n_bytes), runs, piece)

    def _turn(
        self, stored: NDArray[np.uint8], runs: Sequence[tuple[int, int, int]], out: Samples
    ) -> None:
        """Bytes (n_frames, frame_bytes) to samples (n_rows, n_frames)."""
        encoding, width = self._frames.encoding, self._frames.encoding.n_bytes
        if encoding in (Encoding.INT16, Encoding.FLOAT32):
            block = stored.view(f"<{encoding.dtype.str[1:]}")
            step = max(16, _STRIP_BYTES // self._frames.frame_bytes)
            for start in range(0, len(block), step):
                strip, place = block[start : start + step], out[:, start : start + step]
                for row, column, n_rows in runs:
                    place[row : row + n_rows] = strip[:, column : column + n_rows].T
            return
        columns = [column + i for _, column, n_rows in runs for i in range(n_rows)]
        for row, column in enumerate(columns):
            one = np.ascontiguousarray(stored[:, column * width : (column + 1) * width])
            encoding.decode(one.reshape(1, -1), out[row][None, :])


def _join_columns(columns: Sequence[int]) -> list[tuple[int, int, int]]:
    """Rows whose columns stand side by side: (first row, first column, how many)."""
    runs: list[tuple[int, int, int]] = []
    for row, column in enumerate(columns):
        if runs and column == runs[-1][1] + runs[-1][2]:
            runs[-1] = (runs[-1][0], runs[-1][1], runs[-1][2] + 1)
        else:
            runs.append((row, column, 1))
    return runs


_local = threading.local()


def _thread_buffer(least: int) -> NDArray[np.uint8]:
    buffer: NDArray[np.uint8] | None = getattr(_local, "buffer", None)
    if buffer is None or len(buffer) < least:
        buffer = _local.buffer = np.empty(max(_BUFFER_BYTES, least), np.uint8)
    return buffer


class FrameRecording:
    """A `Recording` made of flat files.

    Parameters
    ----------
    description : what it holds
    folder : what the names of its files are relative to
    frames : stream -> where its samples lie
    """

    def __init__(
        self, description: Description, folder: Path, frames: Mapping[str, Frames]
    ) -> None:
        self.description = description
        self._folder = folder
        self._frames = dict(frames)

    def open(self, stream: str) -> ArraySource:
        """See `Recording.open`.

        Raises
        ------
        BadRecording
            There is no such stream.
        """
        found = find_stream(self.description, stream)
        return FrameSource(found.channels, found.spans, self._frames[stream])

    def byte_ranges(self, stream: str, interval: Interval) -> tuple[ByteRange, ...]:
        """See `Recording.byte_ranges`: headers and the exact frames, with no margin."""
        found = find_stream(self.description, stream)
        frames = self._frames[stream]
        ranges: list[ByteRange] = []
        for span in cut_spans(found.spans, interval):
            for piece, _, frame, length in frames.find(span.first_sample, span.n_samples):
                name = piece.path.relative_to(self._folder).as_posix()
                start = frames.header_bytes + frame * frames.frame_bytes
                stop = start + length * frames.frame_bytes
                last = ranges[-1] if ranges else None
                if last is not None and last.file == name and last.stop == start:
                    ranges[-1] = ByteRange(name, last.start, stop)
                    continue
                if frames.header_bytes and (last is None or last.file != name):
                    ranges.append(ByteRange(name, 0, frames.header_bytes))
                ranges.append(ByteRange(name, start, stop))
        return tuple(ranges)

    def read_events(self) -> tuple[EventSeries, ...]:
        """See `Recording.read_events`."""
        return ()

    def read_tracks(self) -> tuple[VideoTrack, ...]:
        """See `Recording.read_tracks`."""
        return ()


def wait_for(awaited: Mapping[str, float], ahead_s: float, root: Path) -> None:
    """Streams without a sample yet could begin before the others: then all times would move.

    Parameters
    ----------
    awaited : streams, or what they lie in, that are there but hold no verified sample -> seconds
        of samples that they may hold while none is verified
    ahead_s : seconds that the longest of the others holds; `SETTLE_S` behind that, nothing is
        waited for, since such a stream is not recorded

    Raises
    ------
    StillGrowing
        Something is waited for.
    """
    waited = [name for name, unseen_s in awaited.items() if ahead_s < unseen_s + SETTLE_S]
    if not waited:
        return
    raise StillGrowing(
        f"no samples yet of {', '.join(waited[:5])}{' and others' if len(waited) > 5 else ''}",
        where=str(root),
        remedy="it is looked at again when more has been written",
    )


def usable_bytes(path: Path, folder: Path, growth: Growth | None) -> int | None:
    """Bytes of a file from its start that may be read; None where it does not exist.

    Parameters
    ----------
    folder : what the names in `growth` are relative to
    growth : how far files that are being written may be read; None where they are whole
    """
    if growth is not None:
        return growth.n_bytes.get(path.relative_to(folder).as_posix())
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None
