"""Files made of records of one size: where samples lie, and how they are read from any thread.

Most acquisition formats are a header followed by records of equal size, each holding a few
consecutive samples of one or several channels. A reader only has to say where they lie
(`RecordLayout`, `Run`); everything here then reads them with `pread` into reused buffers, which
is faster than page faults on a memory map and keeps memory flat.
"""

from __future__ import annotations

import os
import sys
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from wakeful.io.open_files import OpenFiles, is_in_memory, open_file, read_exactly
from wakeful.io.record_kernel import read_records
from wakeful.model.arrays import ArraySource, Samples, find_span
from wakeful.model.errors import BadRecording
from wakeful.model.events import EventSeries, VideoTrack
from wakeful.model.recording import ByteRange, Description, Stream
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Span, cut_spans

_BUFFER_BYTES = 256 * 1024
"""Small enough to stay in the second-level cache between `pread` and the copy out of it."""

_AHEAD_BYTES = 1024 * 1024
"""Linux cuts what it is told to fetch ahead to about this much."""

_SCAN_BYTES = 4 * 1024 * 1024
"""How much of a file is held while the heads of its records are looked at."""

_SPARSE = 4
"""A channel that takes less than a quarter of its records is read record by record."""


class Encoding(StrEnum):
    """How a sample is stored."""

    INT16 = "int16"
    INT16_BIG_ENDIAN = "int16-big-endian"
    OFFSET_BINARY = "offset-binary"
    """Unsigned 16 bit with zero volts at 32,768; given as int16 with zero at 0."""
    INT24 = "int24"
    """Three bytes, low byte first; given as int32."""
    FLOAT32 = "float32"

    @property
    def n_bytes(self) -> int:
        """Bytes a stored sample takes."""
        return {Encoding.INT24: 3, Encoding.FLOAT32: 4}.get(self, 2)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of a sample as it is given."""
        given = {Encoding.INT24: np.int32, Encoding.FLOAT32: np.float32}
        return np.dtype(given.get(self, np.int16))

    def decode(self, stored: NDArray[np.uint8], out: Samples) -> None:
        """Turn bytes (n_records, n_bytes) into samples (n_records, n_samples)."""
        match self:
            case Encoding.INT16:
                out[...] = stored.view("<i2")
            case Encoding.INT16_BIG_ENDIAN:
                out[...] = stored.view(">i2")
            case Encoding.OFFSET_BINARY:
                np.bitwise_xor(stored.view("<u2"), 0x8000, out=out.view(np.uint16))
            case Encoding.FLOAT32:
                out[...] = stored.view("<f4")
            case Encoding.INT24:
                three = stored.reshape(len(stored), -1, 3)
                # The high byte goes on top, so that the shift down carries the sign.
                wide = three[..., 0].astype(np.int32) << 8
                wide |= three[..., 1].astype(np.int32) << 16
                wide |= three[..., 2].astype(np.int32) << 24
                np.right_shift(wide, 8, out=out)


@dataclass(frozen=True, slots=True)
class RecordLayout:
    """Where one channel's samples lie in a file of records."""

    header_bytes: int
    record_bytes: int
    samples_at: int
    """First byte of the samples, counted from the start of the record."""
    samples_per_record: int
    encoding: Encoding = Encoding.INT16

    @property
    def in_machine_words(self) -> bool:
        """Whether samples are int16 as this machine has them, each at an even place."""
        even = self.record_bytes % 2 == 0 and self.samples_at % 2 == 0
        return even and self.encoding is Encoding.INT16 and sys.byteorder == "little"

    def n_records(self, size_bytes: int) -> tuple[int, int]:
        """Whole records in a file of this size, and the bytes left over."""
        return divmod(max(0, size_bytes - self.header_bytes), self.record_bytes)


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive records of one file whose samples follow each other.

    All records but the last are full.
    """

    first_sample: int
    """Number of its first sample in the source's numbering."""
    n_samples: int
    first_record: int
    file: int = 0
    """Which of the channel's files."""
    skip: int = 0
    """Samples of the first record that are left out."""


class RecordCheck(Protocol):
    """Looks at the heads of records on their way."""

    def verify(
        self, stored: NDArray[np.uint8], path: Path, first_record: int, n_last: int | None = None
    ) -> None:
        """Raise BadRecording where a record is not what it was taken for.

        Parameters
        ----------
        stored : (n_records, bytes before the samples), contiguous
        path, first_record : where they were read, for the error
        n_last : samples that are wanted of the last one; all where None
        """
        ...


@dataclass(frozen=True)
class ChannelRecords:
    """All samples of one channel: its files, and which records hold what."""

    files: tuple[Path, ...]
    layout: RecordLayout
    runs: tuple[Run, ...]
    check: RecordCheck | None = None
    """Sees every head of records whose samples are read."""

    @property
    def is_dense(self) -> bool:
        """Whether records are read whole; else only what is wanted of each."""
        stored_bytes = self.layout.samples_per_record * self.layout.encoding.n_bytes
        return stored_bytes * _SPARSE >= self.layout.record_bytes <= _BUFFER_BYTES

    def pieces(self, first_sample: int, n_samples: int) -> Iterator[tuple[Run, int, int, int]]:
        """Where samples lie: (run, offset among those asked for, offset in the run, length)."""
        stop = first_sample + n_samples
        index = bisect_right(self.runs, first_sample, key=lambda run: run.first_sample) - 1
        while 0 <= index < len(self.runs) and self.runs[index].first_sample < stop:
            run = self.runs[index]
            a = max(first_sample, run.first_sample)
            b = min(stop, run.first_sample + run.n_samples)
            if a < b:
                yield run, a - first_sample, a - run.first_sample, b - a
            index += 1

    def record_ranges(self, first_sample: int, n_samples: int) -> Iterator[tuple[int, int, int]]:
        """The whole records that hold the samples: (file, first record, one past the last)."""
        for run, _, offset, length in self.pieces(first_sample, n_samples):
            per = self.layout.samples_per_record
            start = run.first_record + (run.skip + offset) // per
            stop = run.first_record + -(-(run.skip + offset + length) // per)
            yield run.file, start, stop


def iterate_heads(
    path: Path, layout: RecordLayout, head: np.dtype[Any], n_records: int
) -> Iterator[NDArray[Any]]:
    """Heads of a file's records, a few thousand at a time.

    Parameters
    ----------
    head : a structured type as long as a record, with the fields wanted
    n_records : how many to read

    Yields
    ------
    (n,) of type `head`; a view that the next step overwrites
    """
    step = max(1, _SCAN_BYTES // layout.record_bytes)
    spare = _spare_scan_buffers()
    # Fresh pages cost more than reading into them: the next file takes this one's.
    n_bytes = max(_SCAN_BYTES, step * layout.record_bytes)
    fits = bool(spare) and len(spare[-1]) >= n_bytes
    buffer = spare.pop() if fits else np.empty(n_bytes, np.uint8)
    descriptor = open_file(path)
    try:
        for first in range(0, n_records, step):
            piece = buffer[: min(step, n_records - first) * layout.record_bytes]
            offset = layout.header_bytes + first * layout.record_bytes
            read_exactly(descriptor, piece, offset, path)
            yield piece.view(head)
    finally:
        os.close(descriptor)
        spare.append(buffer)


_local = threading.local()


def _spare_scan_buffers() -> list[NDArray[np.uint8]]:
    """Those of this thread that nobody holds now; two scans at a time never share one."""
    spare: list[NDArray[np.uint8]] | None = getattr(_local, "spare", None)
    if spare is None:
        spare = _local.spare = []
    return spare


def thread_buffer() -> NDArray[np.uint8]:
    """Room for 256 KB, the thread's own: whoever calls into it next overwrites it."""
    buffer: NDArray[np.uint8] | None = getattr(_local, "buffer", None)
    if buffer is None:
        buffer = _local.buffer = np.empty(_BUFFER_BYTES, np.uint8)
    return buffer


class RecordSource:
    """An `ArraySource` over files of records. Safe to use from several threads at once.

    Parameters
    ----------
    channels : what each row is
    spans : gap-free stretches, the same for all rows
    records : where each row's samples lie
    """

    def __init__(
        self,
        channels: tuple[Channel, ...],
        spans: tuple[Span, ...],
        records: Sequence[ChannelRecords],
    ) -> None:
        if len(channels) != len(records):
            raise ValueError(f"{len(channels)} channels but records of {len(records)}")
        self.channels = channels
        self.spans = spans
        self.dtype = records[0].layout.encoding.dtype if records else np.dtype(np.int16)
        self._records = tuple(records)
        self._files = OpenFiles()
        self.guard: Callable[[Path, int, int], None] | None = None
        """Called with a file and the bytes (first, one past the last) that are about to be read;
        raises where they must not be used."""

    def read(self, first_sample: int, out: Samples, rows: Sequence[int] | None = None) -> None:
        """See `ArraySource.read`."""
        find_span(self.spans, first_sample, out.shape[1])
        chosen = range(len(self.channels)) if rows is None else rows
        if len(chosen) != out.shape[0]:
            raise ValueError(f"{len(chosen)} rows asked for, room for {out.shape[0]}")
        if out.dtype != self.dtype:
            raise ValueError(f"samples are {self.dtype}, the array given is {out.dtype}")
        for position, row in enumerate(chosen):
            self._read_row(self._records[row], first_sample, out[position])

    def expect(self, first_sample: int, n_samples: int, rows: Sequence[int]) -> None:
        """See `ReadsAhead.expect`."""
        if not hasattr(os, "posix_fadvise"):
            return
        for records in (self._records[row] for row in rows):
            size, base = records.layout.record_bytes, records.layout.header_bytes
            if not records.is_dense:
                continue
            for file, first, last in records.record_ranges(first_sample, n_samples):
                # Nothing may come of it: what is wrong is said when the samples are read.
                with suppress(BadRecording, OSError), self._files.lend(records.files[file]) as lent:
                    for at in range(base + first * size, base + last * size, _AHEAD_BYTES):
                        n_bytes = min(_AHEAD_BYTES, base + last * size - at)
                        os.posix_fadvise(lent, at, n_bytes, os.POSIX_FADV_WILLNEED)

    def is_at_hand(self, first_sample: int, n_samples: int, rows: Sequence[int]) -> bool:
        """See `ReadsAhead.is_at_hand`."""
        for row in {rows[0], rows[-1]} if rows else ():
            records = self._records[row]
            layout = records.layout
            for file, first, last in records.record_ranges(first_sample, n_samples):
                for record in (first, (first + last) // 2, last - 1):
                    at = layout.header_bytes + record * layout.record_bytes
                    if not is_in_memory(records.files[file], at, layout.samples_at + 1):
                        return False
        return True

    def _read_row(self, records: ChannelRecords, first_sample: int, out: Samples) -> None:
        layout, check = records.layout, records.check
        per = layout.samples_per_record
        for run, done, offset, length in records.pieces(first_sample, len(out)):
            path, target = records.files[run.file], out[done : done + length]
            record, inside = divmod(run.skip + offset, per)
            record += run.first_record
            n_records = -(-(inside + length) // per)
            if self.guard is not None:
                at, size = layout.header_bytes + record * layout.record_bytes, layout.record_bytes
                self.guard(path, at, at + n_records * size)
            if not records.is_dense:
                self._read_sparse(path, layout, record, inside, target)
                continue
            heads = np.empty((n_records, layout.samples_at if check else 0), np.uint8)
            self._read_dense(path, layout, record, inside, target, heads)
            if check:
                check.verify(heads, path, record, inside + length - (n_records - 1) * per)

    def _read_sparse(
        self, path: Path, layout: RecordLayout, record: int, inside: int, out: Samples
    ) -> None:
        """Record by record, only what is wanted of each."""
        done = 0
        while done < len(out):
            n = min(layout.samples_per_record - inside, len(out) - done)
            self._read_part(path, layout, record, inside, out[done : done + n])
            record, inside, done = record + 1, 0, done + n

    def _read_part(
        self, path: Path, layout: RecordLayout, record: int, inside: int, out: Samples
    ) -> None:
        """Consecutive samples inside one record."""
        per_sample = layout.encoding.n_bytes
        at = layout.header_bytes + record * layout.record_bytes + layout.samples_at
        buffer = thread_buffer()
        step = len(buffer) // per_sample
        for start in range(0, len(out), step):
            piece = out[start : start + step]
            stored = buffer[: len(piece) * per_sample]
            self._files.read_into(path, stored, at + (inside + start) * per_sample)
            layout.encoding.decode(stored[None, :], piece[None, :])

    def _read_dense(
        self,
        path: Path,
        layout: RecordLayout,
        record: int,
        inside: int,
        out: Samples,
        heads: NDArray[np.uint8],
    ) -> None:
        """All bytes of the records, as many at a time as the buffer holds."""
        per, size = layout.samples_per_record, layout.record_bytes
        at, buffer = layout.header_bytes + record * size, thread_buffer()
        if layout.in_machine_words and out.flags.c_contiguous:
            with self._files.lend(path) as descriptor:
                if read_records(
                    descriptor, at, size, layout.samples_at, per, inside, buffer, heads, out
                ):
                    return
            # What is wrong is found out below, and said there.
        n_bytes, head_bytes = layout.encoding.n_bytes, heads.shape[1]
        step, first = _BUFFER_BYTES // size, layout.samples_at
        samples = np.empty((step, per), self.dtype)
        done = number = 0
        while done < len(out):
            n_records = min(step, -(-(inside + len(out) - done) // per))
            stored = buffer[: n_records * size]
            self._files.read_into(path, stored, at + number * size)
            rows = stored.reshape(n_records, size)
            heads[number : number + n_records] = rows[:, :head_bytes]
            decoded = samples[:n_records]
            layout.encoding.decode(rows[:, first : first + per * n_bytes], decoded)
            piece = decoded.reshape(-1)[inside : inside + len(out) - done]
            out[done : done + len(piece)] = piece
            done, number, inside = done + len(piece), number + n_records, 0


class FileRecording:
    """A `Recording` made of files of records.

    Parameters
    ----------
    description : what it holds
    folder : what the names of its files are relative to
    records : stream -> where each channel's samples lie
    """

    def __init__(
        self,
        description: Description,
        folder: Path,
        records: Mapping[str, Sequence[ChannelRecords]],
    ) -> None:
        self.description = description
        self._folder = folder
        self._records = {name: tuple(of_stream) for name, of_stream in records.items()}

    def open(self, stream: str) -> ArraySource:
        """See `Recording.open`.

        Raises
        ------
        BadRecording
            There is no such stream.
        """
        found = find_stream(self.description, stream)
        return RecordSource(found.channels, found.spans, self._records[stream])

    def byte_ranges(self, stream: str, interval: Interval) -> tuple[ByteRange, ...]:
        """See `Recording.byte_ranges`: the exact records, with no margin.

        Headers are left out. What they say joins keys as channels, rates and spans, and an
        acquisition may write them anew when it closes a file.
        """
        found = find_stream(self.description, stream)
        wanted: dict[Path, list[tuple[int, int]]] = {}
        parts = cut_spans(found.spans, interval)
        for records in self._records[stream]:
            layout = records.layout
            for span in parts:
                for file, start, stop in records.record_ranges(span.first_sample, span.n_samples):
                    base, size = layout.header_bytes, layout.record_bytes
                    ranges = wanted.setdefault(records.files[file], [])
                    ranges.append((base + start * size, base + stop * size))
        return tuple(
            ByteRange(path.relative_to(self._folder).as_posix(), start, stop)
            for path, ranges in wanted.items()
            for start, stop in join_ranges(ranges)
        )

    def read_events(self) -> tuple[EventSeries, ...]:
        """See `Recording.read_events`."""
        return ()

    def read_tracks(self) -> tuple[VideoTrack, ...]:
        """See `Recording.read_tracks`."""
        return ()


def join_ranges(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in order, those that touch or overlap made one."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined


def find_stream(description: Description, name: str) -> Stream:
    """The stream of that name.

    Raises
    ------
    BadRecording
        There is none; names those there are.
    """
    for stream in description.streams:
        if stream.name == name:
            return stream
    raise BadRecording(
        f"there is no stream {name!r}",
        where=description.root,
        remedy=f"choose one of: {', '.join(s.name for s in description.streams)}",
    )
