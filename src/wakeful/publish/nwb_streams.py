"""Long arrays on their way into HDF5, piece by piece; imported only when NWB is written."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from hdmf.backends.hdf5 import H5DataIO
from hdmf.data_utils import GenericDataChunkIterator
from numpy.typing import NDArray

from wakeful.model.epochs import Rows
from wakeful.publish.contents import Compression, Progress
from wakeful.publish.samples import Samples

_CHUNK_SAMPLES = 32_768
_CHUNK_CHANNELS = 16
"""A megabyte of int16: what one read of a few seconds or of one channel has to unpack."""
_BUFFER_CHUNKS = 8
_VOLT_PER_UV = 1e-6

AnyRows = TypeVar("AnyRows", bound=Rows)


def compressed(data: Any, compression: Compression) -> Any:
    """Data with what HDF5 is to do with it.

    gzip opens everywhere and is slow to write; Blosc needs its plug-in wherever it is read.
    """
    if compression == "none":
        return H5DataIO(data=data)
    if compression == "gzip":
        # Level 1: higher ones take two to five times as long for a few per cent.
        return H5DataIO(data=data, compression="gzip", compression_opts=1, shuffle=True)
    import hdf5plugin

    filters = dict(hdf5plugin.Blosc(cname="zstd", clevel=3, shuffle=hdf5plugin.Blosc.BITSHUFFLE))
    with warnings.catch_warnings():
        # That Blosc is not everywhere is said where it is chosen.
        warnings.filterwarnings("ignore", message=".* compression may not be available")
        return H5DataIO(data=data, allow_plugin_filters=True, **filters)


class _Pieces(GenericDataChunkIterator):  # type: ignore[misc]
    """An array of known shape whose pieces a function gives."""

    def __init__(
        self,
        read: Callable[[int, int], NDArray[Any]],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        chunk: tuple[int, ...],
        n_chunks: int,
    ) -> None:
        self._read = read
        self._shape = shape
        self._type = dtype
        chunk = tuple(min(c, s) for c, s in zip(chunk, shape, strict=True))
        length = min(shape[0], chunk[0] * n_chunks)
        super().__init__(buffer_shape=(length, *shape[1:]), chunk_shape=chunk)

    def _get_data(self, selection: tuple[slice, ...]) -> NDArray[Any]:
        return self._read(selection[0].start, selection[0].stop)

    def _get_maxshape(self) -> tuple[int, ...]:
        return self._shape

    def _get_dtype(self) -> np.dtype[Any]:
        return self._type


def sample_pieces(
    samples: Samples, rows: Sequence[int], *, in_uv: bool, progress: Progress | None = None
) -> Any:
    """(n_samples, n_rows) of an LFP as what HDF5 takes in pieces of 8 MB or so."""
    read = samples.uv if in_uv else samples.stored

    def piece(start: int, stop: int) -> NDArray[Any]:
        if progress is not None:
            progress(stop / samples.n_samples)
        return read(start, stop, rows)

    dtype = np.dtype(np.float32) if in_uv else samples.lfp.samples.dtype
    chunk = (_CHUNK_SAMPLES, min(len(rows), _CHUNK_CHANNELS))
    n_chunks = max(1, _BUFFER_CHUNKS * _CHUNK_CHANNELS // max(len(rows), _CHUNK_CHANNELS))
    return _Pieces(piece, (samples.n_samples, len(rows)), dtype, chunk, n_chunks)


def time_pieces(samples: Samples) -> Any:
    """The time of every sample of an LFP, in pieces."""
    shape, chunk = (samples.n_samples,), (4 * _CHUNK_SAMPLES,)
    return _Pieces(samples.times, shape, np.dtype(np.float64), chunk, _BUFFER_CHUNKS)


class Parts(Generic[AnyRows]):
    """Rows that come in parts, as one long table of which one part is in memory.

    Parameters
    ----------
    parts : in order of time; each is read when asked for
    """

    def __init__(self, parts: Sequence[AnyRows]) -> None:
        self._parts = parts
        self._at = -1
        self._held: AnyRows | None = None
        lengths, steps_s = [0], set()
        previous_s: float | None = None
        self.start_s = 0.0
        for i in range(len(parts)):
            start_s = parts[i].start_s
            if len(start_s):
                if previous_s is None:
                    self.start_s = float(start_s[0])
                    diffs = np.diff(start_s)
                else:
                    diffs = np.diff(start_s, prepend=previous_s)
                if len(diffs):
                    steps_s |= {float(np.round(d, 9)) for d in (diffs.min(), diffs.max())}
                previous_s = float(start_s[-1])
            lengths.append(len(start_s))
        self.last_s = self.start_s if previous_s is None else previous_s
        self._starts = np.cumsum(lengths)
        self.step_s = steps_s.pop() if len(steps_s) == 1 else None
        """What lies between any two rows; None where that differs."""

    @property
    def n_rows(self) -> int:
        """How many rows all parts have."""
        return int(self._starts[-1])

    def timing(self, compression: Compression) -> dict[str, Any]:
        """`starting_time` and `rate` where rows are evenly spaced, else `timestamps`."""
        if self.step_s and self.n_rows > 1:
            rate_hz = (self.n_rows - 1) / (self.last_s - self.start_s)
            return {"starting_time": self.start_s, "rate": rate_hz}
        times = self.pieces(lambda rows: rows.start_s, (), np.dtype(np.float64))
        return {"timestamps": compressed(times, compression)}

    def pieces(
        self,
        get: Callable[[AnyRows], NDArray[Any]],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
    ) -> Any:
        """One field of all rows, in pieces.

        Parameters
        ----------
        get : the field of a part, (n_rows, *shape)
        """
        per_row = max(1, int(np.prod(shape)) * dtype.itemsize)
        length = max(1, min(self.n_rows, (1 << 20) // per_row))

        def read(start: int, stop: int) -> NDArray[Any]:
            out = np.empty((stop - start, *shape), dtype)
            done = start
            while done < stop:
                number = int(np.searchsorted(self._starts, done, side="right")) - 1
                first = int(self._starts[number])
                end = min(stop, int(self._starts[number + 1]))
                out[done - start : end - start] = get(self._part(number))[
                    done - first : end - first
                ]
                done = end
            return out

        return _Pieces(read, (self.n_rows, *shape), dtype, (length, *shape), _BUFFER_CHUNKS)

    def all(self, get: Callable[[AnyRows], NDArray[Any]]) -> NDArray[Any]:
        """One field of all rows, in memory: for short tables only."""
        return np.concatenate([get(self._part(i)) for i in range(len(self._parts))])

    def _part(self, number: int) -> AnyRows:
        if number != self._at or self._held is None:
            self._held, self._at = self._parts[number], number
        return self._held


def conversion_of(gains_uv: Sequence[float]) -> tuple[float, list[float] | None]:
    """What a stored number is multiplied by to give volts: for all channels, and for each."""
    if len(set(gains_uv)) == 1:
        return gains_uv[0] * _VOLT_PER_UV, None
    return _VOLT_PER_UV, list(gains_uv)
