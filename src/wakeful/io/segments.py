"""Recordings made of segments: stretches of samples that some store reads, whatever it is.

`wakeful.io.records` reads files of equal records, channel by channel. Everything else comes through
here: a store reads any piece of several channels at once (a flat file, an HDF5 dataset, blocks
that were found one by one), and segments say which of its samples are which of the stream's.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from wakeful.io.open_files import OpenFiles
from wakeful.io.records import find_stream, join_ranges
from wakeful.model.arrays import ArraySource, Samples, find_span
from wakeful.model.events import EventSeries, VideoTrack
from wakeful.model.recording import ByteRange, Description
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Span, cut_spans

_BUFFER_BYTES = 1024 * 1024

FileBytes = tuple[Path, int, int]
"""A file, the first byte and one past the last."""


class Store(Protocol):
    """Samples of several channels, numbered from 0, that can be read from any thread."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of a sample as it is given."""
        ...

    def read(self, first: int, out: Samples, rows: Sequence[int]) -> None:
        """Fill `out` (n_rows, n_samples) with consecutive samples of the channels `rows`."""
        ...

    def bytes_of(self, parts: Sequence[tuple[int, int]]) -> Iterable[FileBytes]:
        """Where stretches (first, one past the last) lie, with all that reading them needs.

        Without any stretch, what opening the store needs; whole files where it isn't known.
        """
        ...


@dataclass(frozen=True)
class Segment:
    """Consecutive samples of a stream that lie in one store."""

    first_sample: int
    """In the numbering of the stream."""
    n_samples: int
    store: Store
    offset: int = 0
    """Number of the first sample in the store."""


class SegmentSource:
    """An `ArraySource` over segments. As safe between threads as its stores are.

    Parameters
    ----------
    segments : in order; a span may hold several, a segment never reaches across spans
    """

    def __init__(
        self, channels: tuple[Channel, ...], spans: tuple[Span, ...], segments: Sequence[Segment]
    ) -> None:
        self.channels = channels
        self.spans = spans
        self.dtype = segments[0].store.dtype if segments else np.dtype(np.int16)
        self._segments = tuple(segments)

    def read(self, first_sample: int, out: Samples, rows: Sequence[int] | None = None) -> None:
        """See `ArraySource.read`."""
        find_span(self.spans, first_sample, out.shape[1])
        chosen = range(len(self.channels)) if rows is None else rows
        if len(chosen) != out.shape[0]:
            raise ValueError(f"{len(chosen)} rows asked for, room for {out.shape[0]}")
        if out.dtype != self.dtype:
            raise ValueError(f"samples are {self.dtype}, the array given is {out.dtype}")
        stop = first_sample + out.shape[1]
        index = max(0, bisect_right(self._segments, first_sample, key=lambda s: s.first_sample) - 1)
        for segment in self._segments[index:]:
            if segment.first_sample >= stop:
                break
            a = max(first_sample, segment.first_sample)
            b = min(stop, segment.first_sample + segment.n_samples)
            if a < b:
                at = segment.offset + a - segment.first_sample
                segment.store.read(at, out[:, a - first_sample : b - first_sample], chosen)


class SegmentRecording:
    """A `Recording` whose streams are made of segments.

    Parameters
    ----------
    description : what it holds
    folder : what the names of its files are relative to
    segments : stream -> its segments, in order
    read_events : gives the events, where the format has any
    """

    def __init__(
        self,
        description: Description,
        folder: Path,
        segments: Mapping[str, Sequence[Segment]],
        read_events: Callable[[], tuple[EventSeries, ...]] | None = None,
    ) -> None:
        self.description = description
        self._folder = folder
        self._segments = {name: tuple(of_stream) for name, of_stream in segments.items()}
        self._read_events = read_events

    def open(self, stream: str) -> ArraySource:
        """See `Recording.open`.

        Raises
        ------
        BadRecording
            There is no such stream.
        """
        found = find_stream(self.description, stream)
        return SegmentSource(found.channels, found.spans, self._segments[stream])

    def byte_ranges(self, stream: str, interval: Interval) -> tuple[ByteRange, ...]:
        """See `Recording.byte_ranges`."""
        found = find_stream(self.description, stream)
        spans = cut_spans(found.spans, interval)
        parts: dict[int, tuple[Store, list[tuple[int, int]]]] = {}
        for segment in self._segments[stream]:
            _, of_store = parts.setdefault(id(segment.store), (segment.store, []))
            for span in spans:
                a = max(span.first_sample, segment.first_sample)
                b = min(span.stop_sample, segment.first_sample + segment.n_samples)
                if a < b:
                    shift = segment.offset - segment.first_sample
                    of_store.append((a + shift, b + shift))
        wanted: dict[Path, list[tuple[int, int]]] = {}
        for store, of_store in parts.values():
            for path, start, stop in store.bytes_of(of_store):
                wanted.setdefault(path, []).append((start, stop))
        return tuple(
            ByteRange(path.relative_to(self._folder).as_posix(), start, stop)
            for path, ranges in wanted.items()
            for start, stop in join_ranges(ranges)
        )

    def read_events(self) -> tuple[EventSeries, ...]:
        """See `Recording.read_events`."""
        return self._read_events() if self._read_events is not None else ()

    def read_tracks(self) -> tuple[VideoTrack, ...]:
        """See `Recording.read_tracks`; none of these formats has any."""
        return ()


def number_segments(pieces: Iterable[tuple[float, int, float, Store, int]]) -> _Numbered:
    """Spans and segments of stretches in order of time, each a span of its own.

    Parameters
    ----------
    pieces : (start_s, n_samples, rate_hz, store, offset in the store)
    """
    spans: list[Span] = []
    segments: list[Segment] = []
    number = 0
    for start_s, n_samples, rate_hz, store, offset in pieces:
        spans.append(Span(start_s, n_samples, rate_hz, number))
        segments.append(Segment(number, n_samples, store, offset))
        number += n_samples
    return tuple(spans), tuple(segments)


_Numbered = tuple[tuple[Span, ...], tuple[Segment, ...]]

_local = threading.local()


def _buffer(n_bytes: int) -> Any:
    """The thread's own, so that fresh pages are not paid for with every read."""
    kept = getattr(_local, "buffer", None)
    if kept is None or len(kept) < n_bytes:
        kept = _local.buffer = np.empty(max(n_bytes, _BUFFER_BYTES), np.uint8)
    return kept[:n_bytes]


class Interleaved:
    """Samples of all channels side by side: (samples, channels) in a flat stretch of a file.

    Parameters
    ----------
    path : the file
    at : first byte of the first sample of the first channel
    n_samples, n_channels : the shape
    stored : the type on disk, either byte order
    stride : bytes from one sample to the next, where more lies between them than the channels
    header_bytes : bytes from the start of the file without which it can't be understood
    files : shared by stores of one file, so that each does not open it anew
    """

    def __init__(
        self,
        path: Path,
        at: int,
        n_samples: int,
        n_channels: int,
        stored: np.dtype[Any],
        *,
        stride: int = 0,
        header_bytes: int = 0,
        files: OpenFiles | None = None,
    ) -> None:
        self.dtype = stored.newbyteorder("=")
        self.n_samples = n_samples
        self._path, self._at, self._n_channels, self._stored = path, at, n_channels, stored
        self._stride = stride or n_channels * stored.itemsize
        self._header_bytes = header_bytes
        self._files = files or OpenFiles()

    def read(self, first: int, out: Samples, rows: Sequence[int]) -> None:
        """See `Store.read`."""
        width = self._n_channels * self._stored.itemsize
        step = max(1, _BUFFER_BYTES // self._stride)
        for start in range(0, out.shape[1], step):
            n_here = min(step, out.shape[1] - start)
            # What lies between the last sample and the next is not asked for: it may not be there.
            raw = _buffer(n_here * self._stride)
            asked = raw[: (n_here - 1) * self._stride + width]
            self._files.read_into(self._path, asked, self._at + (first + start) * self._stride)
            table = raw.reshape(n_here, self._stride)[:, :width].view(self._stored)
            for position, row in enumerate(rows):
                out[position, start : start + n_here] = table[:, row]

    def bytes_of(self, parts: Sequence[tuple[int, int]]) -> Iterable[FileBytes]:
        """See `Store.bytes_of`."""
        if self._header_bytes or not parts:
            yield self._path, 0, max(1, self._header_bytes)
        width = self._n_channels * self._stored.itemsize
        for first, stop in parts:
            last = self._at + (stop - 1) * self._stride + width
            yield self._path, self._at + first * self._stride, last


class Planar:
    """Samples one channel after the other: (channels, samples) in a flat stretch of a file.

    Parameters
    ----------
    See `Interleaved`.
    """

    def __init__(
        self,
        path: Path,
        at: int,
        n_samples: int,
        n_channels: int,
        stored: np.dtype[Any],
        *,
        header_bytes: int = 0,
    ) -> None:
        self.dtype = stored.newbyteorder("=")
        self.n_samples = n_samples
        self._path, self._at, self._n_channels, self._stored = path, at, n_channels, stored
        self._header_bytes = header_bytes
        self._files = OpenFiles()

    def read(self, first: int, out: Samples, rows: Sequence[int]) -> None:
        """See `Store.read`."""
        size = self._stored.itemsize
        step = _BUFFER_BYTES // size
        for position, row in enumerate(rows):
            begin = self._at + (row * self.n_samples + first) * size
            for start in range(0, out.shape[1], step):
                n_here = min(step, out.shape[1] - start)
                raw = _buffer(n_here * size)
                self._files.read_into(self._path, raw, begin + start * size)
                out[position, start : start + n_here] = raw.view(self._stored)

    def bytes_of(self, parts: Sequence[tuple[int, int]]) -> Iterable[FileBytes]:
        """See `Store.bytes_of`."""
        if self._header_bytes or not parts:
            yield self._path, 0, max(1, self._header_bytes)
        size = self._stored.itemsize
        for row in range(self._n_channels):
            begin = self._at + row * self.n_samples * size
            for first, stop in parts:
                yield self._path, begin + first * size, begin + stop * size


class InMemory:
    """Samples that had to be loaded whole, since their file can't be read in pieces.

    Parameters
    ----------
    samples : (n_channels, n_samples)
    path : the file they come from
    """

    def __init__(self, samples: Samples, path: Path) -> None:
        self.dtype = samples.dtype
        self.n_samples = samples.shape[1]
        self._samples, self._path = samples, path

    def read(self, first: int, out: Samples, rows: Sequence[int]) -> None:
        """See `Store.read`."""
        out[...] = self._samples[list(rows), first : first + out.shape[1]]

    def bytes_of(self, parts: Sequence[tuple[int, int]]) -> Iterable[FileBytes]:  # noqa: ARG002
        """See `Store.bytes_of`: the whole file."""
        yield self._path, 0, self._path.stat().st_size


class Stacked:
    """Several stores of one channel each, as one.

    Parameters
    ----------
    stores : one a channel, all of one type
    """

    def __init__(self, stores: Sequence[Store]) -> None:
        self.dtype = stores[0].dtype
        self._stores = tuple(stores)

    def read(self, first: int, out: Samples, rows: Sequence[int]) -> None:
        """See `Store.read`."""
        for position, row in enumerate(rows):
            self._stores[row].read(first, out[position : position + 1], (0,))

    def bytes_of(self, parts: Sequence[tuple[int, int]]) -> Iterable[FileBytes]:
        """See `Store.bytes_of`."""
        for store in self._stores:
            yield from store.bytes_of(parts)
