"""Datasets of HDF5 files, read in pieces from any thread; for NWB and MATLAB's v7.3 files."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from wakeful.io.records import join_ranges
from wakeful.io.segments import FileBytes
from wakeful.model.arrays import Samples
from wakeful.model.errors import BadRecording, TruncatedFile

_PIECE_BYTES = 8 * 1024 * 1024
"""Read at a time, all channels; several chunks of the usual size."""

_CACHE_BYTES = 64 * 1024 * 1024
"""HDF5's own cache of unpacked chunks. Its default of 1 MB unpacks a larger one for each read."""


class HdfFile:
    """One HDF5 file, opened once; HDF5 itself serves one thread at a time.

    Use it as a context to hold others off while several things are read.

    Raises
    ------
    TruncatedFile
        The file is shorter than it says itself.
    BadRecording
        It is no HDF5 file, or may not be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._bulk: list[str] = []
        self._n_bytes = path.stat().st_size
        # Unpacks Blosc, zstd and the like, which files of other labs are packed with.
        import hdf5plugin  # noqa: F401

        try:
            # Links to other files stay as they are; a file on a share is not locked.
            self.file = h5py.File(path, "r", rdcc_nbytes=_CACHE_BYTES, locking=False)
        except OSError as error:
            raise self.explain(error) from error

    def __enter__(self) -> Self:
        self._lock.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    def explain(self, error: Exception) -> BadRecording:
        """What HDF5 could not do, as an error that says what to do."""
        text = " ".join(str(error).split())
        if "truncated" in text or "addr overflow" in text:
            return TruncatedFile(
                "the file is shorter than it says itself",
                where=self.path.name,
                remedy="copy it again, and wait until the copy has ended",
            )
        return BadRecording(
            f"HDF5 can't read it ({text})",
            where=self.path.name,
            remedy="check that you may read it and that it is whole; copy it again",
        )

    def check_length(self) -> None:
        """Refuse a file that became shorter: HDF5 would give zeros for what is gone.

        Raises
        ------
        TruncatedFile
            It is shorter than when it was opened.
        """
        n_bytes = self.path.stat().st_size
        if n_bytes < self._n_bytes:
            raise TruncatedFile(
                f"the file ends {self._n_bytes - n_bytes:,} bytes too early",
                where=self.path.name,
                remedy="it became shorter after it was opened: copy it again",
            )

    def set_bulk(self, names: Iterable[str]) -> None:
        """The datasets of samples: their bytes count only where samples of them are read."""
        self._bulk = list(names)

    def bytes_beside(self, wanted: Iterable[tuple[int, int]]) -> Iterable[FileBytes]:
        """The ranges wanted, and all of the file that is not samples.

        What HDF5 needs to find samples lies scattered between them.
        """
        size = self.path.stat().st_size
        bulk: list[tuple[int, int]] = []
        with self:
            for name in self._bulk:
                bulk += chunk_extents(self.file[name])
        kept = list(wanted)
        at = 0
        for start, stop in join_ranges(bulk):
            if start > at:
                kept.append((at, start))
            at = max(at, stop)
        if at < size:
            kept.append((at, size))
        for start, stop in join_ranges(kept):
            yield self.path, start, min(stop, size)


def chunk_extents(
    dataset: Any, axis: int = 0, first: int = 0, stop: int | None = None
) -> list[tuple[int, int]]:
    """First byte and one past the last of each piece of file that holds part of a dataset.

    Parameters
    ----------
    axis : the side that is time
    first, stop : the samples wanted; all where `stop` is None. What was never written has no bytes
    """
    if dataset.chunks is None:
        at = dataset.id.get_offset()
        if at is None:
            return []
        if stop is None:
            return [(at, at + dataset.id.get_storage_size())]
        inner = int(np.prod(dataset.shape[axis + 1 :], dtype=np.int64)) * dataset.dtype.itemsize
        outer = int(np.prod(dataset.shape[:axis], dtype=np.int64))
        row = dataset.shape[axis] * inner
        return [(at + i * row + first * inner, at + i * row + stop * inner) for i in range(outer)]
    found: list[tuple[int, int]] = []
    length = dataset.chunks[axis]

    def look(info: Any) -> None:
        begin = info.chunk_offset[axis]
        if stop is None or (begin < stop and begin + length > first):
            found.append((info.byte_offset, info.byte_offset + info.size))

    dataset.id.chunk_iter(look)
    return found


class HdfDataset:
    """A store over one dataset.

    Parameters
    ----------
    file : the file
    name : of the dataset in it
    samples_first : whether its first side is time; a flat dataset is one channel
    """

    def __init__(self, file: HdfFile, name: str, samples_first: bool) -> None:
        self._file, self._name = file, name
        with file:
            self._dataset = file.file[name]
            shape = self._dataset.shape
            self._flat = len(shape) == 1
            self._samples_first = samples_first
            self.dtype: np.dtype[Any] = self._dataset.dtype.newbyteorder("=")
        self.n_samples = int(shape[0] if samples_first or self._flat else shape[1])
        self.n_channels = 1 if self._flat else int(shape[1] if samples_first else shape[0])

    def read(self, first: int, out: Samples, rows: Sequence[int]) -> None:
        """See `Store.read`.

        Raises
        ------
        BadRecording
            HDF5 can't read the samples: damaged, or the file has changed.
        """
        if len(rows) == 0:
            return
        step = max(1, _PIECE_BYTES // (self.n_channels * self.dtype.itemsize))
        low, high = min(rows), max(rows) + 1
        for start in range(0, out.shape[1], step):
            n_here = min(step, out.shape[1] - start)
            table = self._take(first + start, first + start + n_here, low, high)
            for position, row in enumerate(rows):
                out[position, start : start + n_here] = table[row - low]

    def _take(self, first: int, stop: int, low: int, high: int) -> NDArray[Any]:
        with self._file:
            self._file.check_length()
            try:
                if self._flat:
                    piece = self._dataset[first:stop][None, :]
                elif self._samples_first:
                    piece = self._dataset[first:stop, low:high].T
                else:
                    piece = self._dataset[low:high, first:stop]
            except (OSError, RuntimeError) as error:
                raise self._file.explain(error) from error
        return np.asarray(piece)

    def bytes_of(self, parts: Sequence[tuple[int, int]]) -> Iterable[FileBytes]:
        """See `Store.bytes_of`: the chunks that hold the samples, and all that is not samples."""
        wanted: list[tuple[int, int]] = []
        axis = 0 if self._flat or self._samples_first else 1
        with self._file:
            for first, stop in parts:
                wanted += chunk_extents(self._dataset, axis, first, stop)
        yield from self._file.bytes_beside(wanted)


def text_of(node: Any) -> str:
    """Text of an attribute, a cell or a dataset of one value; "" where there is none."""
    value = node[()] if isinstance(node, h5py.Dataset) else node
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    return value.strip() if isinstance(value, str) else ""
