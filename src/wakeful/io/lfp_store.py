"""One block's LFP on disk: `<name>.npy`, shaped (minute, channel, samples), memory-mapped.

The array is a grid of time with a whole number of samples in each minute, so that any NumPy can
look at an hour. Each span is placed with its first sample at the place nearest to its start, and
its samples follow each other from there. A clock that is off its nominal rate therefore drifts
against the grid within a block: by up to 0.36 s in an hour where it is off by 100 ppm. The table of
spans is the truth, and `read` goes by it. Where nothing was recorded stands
`FILLER` (NaN for floats), a number no sample has. `<name>.json` holds that table, each span with
its exact start and fitted rate, and the channels with their gains.

Where disk matters more than speed the array may be packed (`wakeful.io.lfp_compression`); it is
read in the same way.
"""

from __future__ import annotations

import dataclasses
import errno
import itertools
import json
import math
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from wakeful.io.atomic import write_json
from wakeful.io.lfp_compression import Packed
from wakeful.model.arrays import Samples, find_span
from wakeful.model.errors import BrokenArtefact, Unavailable
from wakeful.model.subject import Channel, ChannelKind
from wakeful.model.time import Interval, Span

FILLER = -32768
"""Stands where there is no sample; convert never writes it as a value."""

_MINUTE_S = 60.0

_LOOKS = 5
"""How often a file is looked for that is being packed or unpacked meanwhile."""

_MAX_OPEN_FILES = 64
"""A week in blocks of four minutes is 2,520 files; most systems allow a process 1,024."""

_MAX_UNPACKED_BYTES = 64 << 20
"""A minute of 64 channels at 1 kHz is 8 MB."""


def is_out_of_descriptors(error: Exception) -> bool:
    """Whether a file could not be opened only because too many are open: it is not damaged."""
    return isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)


class _Descriptor:
    """An open file, closed when nobody refers to it any more: never under a thread that reads."""

    _serials = itertools.count()

    def __init__(self, path: Path, packed: Packed | None) -> None:
        self.number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.packed = packed
        """Where the buffers lie in it, if it is the packed form."""
        self.serial = next(self._serials)
        weakref.finalize(self, os.close, self.number)


class _Unpacked:
    """The minutes unpacked last: epoch after epoch is read from one minute."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[int, int, int], NDArray[Any]] = OrderedDict()
        self._bytes = 0

    def minute(self, file: _Descriptor, packed: Packed, minute: int, channel: int) -> NDArray[Any]:
        """A minute of a channel; unpacked where it is not held."""
        key = (file.serial, minute, channel)
        with self._lock:
            if (values := self._held.get(key)) is not None:
                self._held.move_to_end(key)
                return values
        values = packed.unpack(file.number, minute, channel)
        with self._lock:
            if key not in self._held:
                self._held[key] = values
                self._bytes += values.nbytes
            while self._bytes > self._limit:
                self._bytes -= self._held.popitem(last=False)[1].nbytes
        return values


class _OpenSources:
    """Which sources have their file open; those read longest ago lose it first.

    It refers to sources weakly and takes their descriptor away. So a source that is dropped closes
    its file at once, and no code runs under the lock that could want the lock again.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._sources: OrderedDict[int, weakref.ref[FileSource]] = OrderedDict()

    def descriptor_of(self, source: FileSource) -> _Descriptor:
        """The source's open file; opened where it is not."""
        with self._lock:
            descriptor = source.descriptor
            if descriptor is None:
                descriptor = source.descriptor = source.open_file()
            # A number is used again when its source is gone; then this takes the place over.
            self._sources[id(source)] = weakref.ref(source)
            self._sources.move_to_end(id(source))
            while len(self._sources) > self._limit:
                _, reference = self._sources.popitem(last=False)
                if (oldest := reference()) is not None:
                    oldest.descriptor = None
            return descriptor


_open_sources = _OpenSources(_MAX_OPEN_FILES)
_unpacked = _Unpacked(_MAX_UNPACKED_BYTES)


class FileSource:
    """Reads a stored LFP; opened in a millisecond, nothing is read before it is asked for.

    Its file is opened at the first read. Of all sources of a process only the 64 read last have
    theirs open, so that a week can be joined of its blocks. Safe to use from several threads.

    Reading goes through pread, not through a mapping, so that the memory of a process that goes
    over an hour does not grow by that hour.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        layout: _Layout,
        channels: tuple[Channel, ...],
        spans: tuple[Span, ...],
    ) -> None:
        self.folder = folder
        self.name = name
        self.channels = channels
        self.spans = spans
        self.dtype = layout.dtype
        self._layout = layout
        self.descriptor: _Descriptor | None = None

    @property
    def path(self) -> Path:
        """The file of samples, where they are not packed."""
        return self.folder / f"{self.name}.npy"

    def open_file(self) -> _Descriptor:
        """The file of samples as it is now: the `.npy`, or its packed form."""
        for _ in range(_LOOKS):
            try:
                return _Descriptor(self.path, None)
            except FileNotFoundError:
                packed = Packed.find(self.folder, self.name)
            try:
                if packed is not None:
                    return _Descriptor(packed.path, packed)
            except FileNotFoundError:
                continue  # unpacked in between: look again
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))

    @property
    def grid(self) -> NDArray[Any]:
        """The whole block, (minute, channel, samples), memory-mapped; see the module.

        Raises
        ------
        Unavailable
            It is packed: nothing to map.
        """
        if self._layout.n_minutes == 0:
            return np.empty(self._layout.shape, self.dtype)
        if not self.path.is_file() and Packed.find(self.folder, self.name) is not None:
            raise Unavailable(
                "this block is packed and can't be memory-mapped",
                where=str(self.folder),
                remedy="read its samples with read_uv, or unpack it: wakeful compress --undo",
            )
        grid: NDArray[Any] = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return grid

    @classmethod
    def open(cls, folder: Path, name: str) -> Self:
        """Open what a `FileSink` wrote.

        Raises
        ------
        BrokenArtefact
            A file is missing or is not what was written.
        """
        try:
            tables = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
            channels = tuple(
                Channel(**{**c, "kind": ChannelKind(c["kind"])}) for c in tables["channels"]
            )
            spans = tuple(Span(**s) for s in tables["spans"])
            n_minutes, n_channels, per_minute = tables["shape"]
            dtype = np.dtype(tables["dtype"])
            layout = _Layout(n_minutes, n_channels, per_minute, dtype, tables["data_offset"])
            size = _size_of(folder, name)
            if size != layout.n_bytes:
                raise ValueError(f"it has {size} bytes, written were {layout.n_bytes}")
        except (OSError, ValueError, KeyError, TypeError) as error:
            if is_out_of_descriptors(error):
                raise
            raise _broken(folder, f"can't be read ({error})") from error
        return cls(folder, name, layout, channels, spans)

    def read(self, first_sample: int, out: Samples, rows: Sequence[int] | None = None) -> None:
        """See `ArraySource.read`."""
        find_span(self.spans, first_sample, out.shape[1])
        chosen = range(len(self.channels)) if rows is None else rows
        file = self._open()
        for minute, start, done, n in self._layout.pieces(first_sample, out.shape[1]):
            for row, channel in enumerate(chosen):
                if file.packed is not None:
                    values = _unpacked.minute(file, file.packed, minute, channel)
                    out[row, done : done + n] = values[start : start + n]
                    continue
                target = bytearray(n * self.dtype.itemsize)
                offset = self._layout.offset(minute, channel, start)
                if os.preadv(file.number, [target], offset) != len(target):
                    raise _broken(self.folder, "ends too early")
                out[row, done : done + n] = np.frombuffer(target, self.dtype)

    def _open(self) -> _Descriptor:
        try:
            return _open_sources.descriptor_of(self)
        except OSError as error:
            if is_out_of_descriptors(error):
                raise
            raise _broken(self.folder, f"can't be read ({error})") from error


def _size_of(folder: Path, name: str) -> int:
    """The size of the `.npy`, also where it is packed and the packed file is as it was written."""
    for _ in range(_LOOKS):
        try:
            return (folder / f"{name}.npy").stat().st_size
        except FileNotFoundError:
            packed = Packed.find(folder, name)
        if packed is None:
            continue
        try:
            size = packed.path.stat().st_size
        except FileNotFoundError:
            continue
        if size != packed.n_bytes:
            raise ValueError(f"packed it has {size} bytes, written were {packed.n_bytes}")
        return packed.npy_bytes
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder / f"{name}.npy"))


def _broken(folder: Path, what: str) -> BrokenArtefact:
    return BrokenArtefact(
        f"the stored LFP {what}",
        where=str(folder),
        remedy="remove the folder; the block is converted again on the next run",
    )


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where each sample lies in the file."""

    n_minutes: int
    n_channels: int
    per_minute: int
    dtype: np.dtype[Any]
    data_offset: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.n_minutes, self.n_channels, self.per_minute)

    @property
    def n_bytes(self) -> int:
        return self.data_offset + math.prod(self.shape) * self.dtype.itemsize

    def offset(self, minute: int, channel: int, sample: int) -> int:
        position = (minute * self.n_channels + channel) * self.per_minute + sample
        return self.data_offset + position * self.dtype.itemsize

    def pieces(self, first: int, n_samples: int) -> Iterator[tuple[int, int, int, int]]:
        """Runs that lie within one minute: (minute, start in it, samples done before, length)."""
        done = 0
        while done < n_samples:
            minute, start = divmod(first + done, self.per_minute)
            n = min(n_samples - done, self.per_minute - start)
            yield minute, start, done, n
            done += n


class FileSink:
    """Writes a block's LFP minute by minute; memory does not grow with the block.

    Parameters
    ----------
    folder, name : where; see the module
    block : the block's time; the grid begins at its start
    """

    def __init__(self, folder: Path, name: str, block: Interval) -> None:
        self._folder = folder
        self._name = name
        self._block = block
        self._layout: _Layout | None = None
        self._file = -1
        self._channels: tuple[Channel, ...] = ()
        self._spans: tuple[Span, ...] = ()
        self._placed: tuple[Span, ...] = ()

    def open(
        self, channels: tuple[Channel, ...], spans: tuple[Span, ...], dtype: np.dtype[Any]
    ) -> None:
        """See `ArraySink.open`."""
        rate_hz = spans[0].rate_hz if spans else 1000.0
        per_minute = max(1, round(_MINUTE_S * rate_hz))
        placed: list[Span] = []
        for span in spans:
            place = round((span.start_s - self._block.start_s) * per_minute / _MINUTE_S)
            place = max(place, placed[-1].stop_sample if placed else 0)
            placed.append(Span(span.start_s, span.n_samples, span.rate_hz, place))
        n_minutes = math.ceil(placed[-1].stop_sample / per_minute) if placed else 0
        self._channels, self._spans, self._placed = channels, spans, tuple(placed)
        path = self._folder / f"{self._name}.npy"
        with path.open("wb") as file:
            np.lib.format.write_array_header_2_0(
                file,
                {
                    "descr": np.lib.format.dtype_to_descr(dtype),
                    "fortran_order": False,
                    "shape": (n_minutes, len(channels), per_minute),
                },
            )
            layout = _Layout(n_minutes, len(channels), per_minute, dtype, file.tell())
            file.truncate(layout.n_bytes)
        self._layout = layout
        self._file = os.open(path, os.O_WRONLY)
        self._fill_gaps(layout, np.nan if dtype.kind == "f" else FILLER)

    def _fill_gaps(self, layout: _Layout, filler: float) -> None:
        start = 0
        for span in (*self._placed, None):
            stop = layout.n_minutes * layout.per_minute if span is None else span.first_sample
            for minute, offset, _, n in layout.pieces(start, stop - start):
                nothing = np.full(n, filler, layout.dtype).tobytes()
                for channel in range(layout.n_channels):
                    _write_all(self._file, nothing, layout.offset(minute, channel, offset))
            if span is not None:
                start = span.stop_sample

    def write(self, first_sample: int, samples: Samples) -> None:
        """See `ArraySink.write`."""
        if self._layout is None:
            raise RuntimeError("FileSink.write before open")
        index = find_span(self._spans, first_sample, samples.shape[1])
        place = self._placed[index].first_sample + first_sample - self._spans[index].first_sample
        for minute, start, done, n in self._layout.pieces(place, samples.shape[1]):
            for channel in range(self._layout.n_channels):
                row = np.ascontiguousarray(samples[channel, done : done + n], self._layout.dtype)
                offset = self._layout.offset(minute, channel, start)
                _write_all(self._file, row.data.cast("B"), offset)

    def finish(self) -> FileSource:
        """See `ArraySink.finish`."""
        if self._layout is None:
            raise RuntimeError("FileSink.finish before open")
        os.close(self._file)
        tables = {
            "channels": [_channel_tree(c) for c in self._channels],
            "spans": [dataclasses.asdict(s) for s in self._placed],
            "shape": list(self._layout.shape),
            "dtype": self._layout.dtype.str,
            "data_offset": self._layout.data_offset,
            "grid_start_s": self._block.start_s,
            "filler": "nan" if self._layout.dtype.kind == "f" else FILLER,
        }
        write_json(self._folder / f"{self._name}.json", tables)
        self._layout = None
        return FileSource.open(self._folder, self._name)


def _write_all(file: int, data: bytes | memoryview, offset: int) -> None:
    """Pwrite may write less than asked, for example on a full disk before it raises."""
    view = memoryview(data)
    while view:
        n = os.pwrite(file, view, offset)
        view, offset = view[n:], offset + n


def _channel_tree(channel: Channel) -> dict[str, Any]:
    return {**vars(channel), "kind": channel.kind.value}
