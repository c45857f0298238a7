"""Arrays of one dimension in `.npy` files that may still be growing, or were never closed.

NumPy's own reader trusts the shape in the header; acquisitions write that only when they close the
file. Here the size of the file counts, and the header is matched rather than evaluated: a damaged
one is an error, never a surprise.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.io.open_files import open_file, read_exactly
from wakeful.model.errors import BadRecording, StillGrowing, TruncatedFile

_MAGIC = b"\x93NUMPY"
_MAX_HEADER_BYTES = 64 * 1024
_MAX_ITEM_BYTES = 1 << 20
_PIECE_BYTES = 4 * 1024 * 1024

_TYPE = re.compile(r"'descr'\s*:\s*'([<>|=]?)([iufbSU])(\d{1,7})'")
_ORDER = re.compile(r"'fortran_order'\s*:\s*(True|False)")
_SHAPE = re.compile(r"'shape'\s*:\s*\(\s*(\d{1,18})\s*(,?)\s*(?:1\s*,?\s*)?\)")


@dataclass(frozen=True)
class NpyFile:
    """What the header of a .npy file says, and what its size adds."""

    path: Path
    dtype: np.dtype[Any]
    header_bytes: int
    n_items: int
    """Whole items that the file holds."""
    n_promised: int
    """By the header; fewer than `n_items` where the file was never closed."""

    def read(self, first: int, n_items: int) -> NDArray[Any]:
        """(n_items,) from the file, read now."""
        raw = np.empty(n_items * self.dtype.itemsize, np.uint8)
        if n_items:
            descriptor = open_file(self.path)
            try:
                read_exactly(
                    descriptor, raw, self.header_bytes + first * self.dtype.itemsize, self.path
                )
            finally:
                os.close(descriptor)
        return raw.view(self.dtype)

    def pick(self, places: NDArray[np.int64]) -> NDArray[Any]:
        """(n_places,) single items, far fewer than the file holds."""
        raw = np.empty((len(places), self.dtype.itemsize), np.uint8)
        descriptor = open_file(self.path)
        try:
            for row, place in zip(raw, places.tolist(), strict=True):
                at = self.header_bytes + place * self.dtype.itemsize
                read_exactly(descriptor, row, at, self.path)
        finally:
            os.close(descriptor)
        return raw.reshape(-1).view(self.dtype)

    def iterate(self, n_items: int, first: int = 0) -> Iterator[NDArray[Any]]:
        """Items `first` to `n_items`, a few hundred thousand at a time.

        The next step overwrites them.
        """
        step = max(1, _PIECE_BYTES // self.dtype.itemsize)
        buffer = np.empty(max(0, min(step, n_items - first)) * self.dtype.itemsize, np.uint8)
        descriptor = open_file(self.path)
        try:
            for begin in range(first, n_items, step):
                piece = buffer[: min(step, n_items - begin) * self.dtype.itemsize]
                at = self.header_bytes + begin * self.dtype.itemsize
                read_exactly(descriptor, piece, at, self.path)
                yield piece.view(self.dtype)
        finally:
            os.close(descriptor)


def open_npy(path: Path, n_bytes: int | None = None) -> NpyFile:
    """Read the header of a .npy file.

    Parameters
    ----------
    n_bytes : how much of the file may be used; all where None

    Raises
    ------
    TruncatedFile
        It is shorter than its header says.
    StillGrowing
        The bytes that may be used do not hold the whole header yet.
    BadRecording
        It is not a .npy file of one dimension of numbers or texts.
    """
    descriptor = open_file(path)
    try:
        size = os.fstat(descriptor).st_size
        growing = n_bytes is not None
        size = size if n_bytes is None else min(size, n_bytes)
        raw = np.empty(min(size, _MAX_HEADER_BYTES), np.uint8)
        read_exactly(descriptor, raw, 0, path)
    finally:
        os.close(descriptor)
    if growing and size < _header_bytes(raw.tobytes()):
        raise StillGrowing(
            f"only {size:,} bytes of it are there", where=path.name, remedy="it is read later"
        )
    dtype, header_bytes, n_promised = parse_npy_header(raw.tobytes(), path.name)
    n_items = max(0, size - header_bytes) // dtype.itemsize
    if n_items < n_promised and not growing:
        raise TruncatedFile(
            f"the header promises {n_promised:,} items, the file holds {n_items:,}",
            where=path.name,
            remedy="copy it again, and wait until the copy has ended",
        )
    return NpyFile(path, dtype, header_bytes, n_items, n_promised)


def open_growing_npy(path: Path, n_bytes: int) -> NpyFile | None:
    """As `open_npy`; None where the header is not yet among the bytes that may be used."""
    try:
        return open_npy(path, n_bytes)
    except StillGrowing:
        return None


def parse_npy_header(raw: bytes, where: str) -> tuple[np.dtype[Any], int, int]:
    """Type of an item, bytes of the header, and how many items it promises.

    Parameters
    ----------
    raw : the file's first bytes

    Raises
    ------
    BadRecording
        It is not the header of a .npy file of one dimension of numbers or texts.
    """
    if len(raw) < 12 or raw[:6] != _MAGIC or raw[6] not in (1, 2, 3):
        raise _bad("the file does not begin with the header of a .npy file", where)
    width = 2 if raw[6] == 1 else 4
    header_bytes = _header_bytes(raw)
    if header_bytes > len(raw):
        raise _bad(f"its header would be {header_bytes:,} bytes long", where)
    text = raw[8 + width : header_bytes].decode("latin-1")
    kind, order, shape = _TYPE.search(text), _ORDER.search(text), _SHAPE.search(text)
    if kind is None or order is None or shape is None:
        raise _bad("it is not an array of one dimension of numbers or texts", where)
    try:
        dtype = np.dtype(f"{kind[1]}{kind[2]}{int(kind[3])}")
    except (TypeError, ValueError):
        raise _bad(f"it holds items of an unknown type ({kind[2]}{kind[3]})", where) from None
    if not 0 < dtype.itemsize <= _MAX_ITEM_BYTES:
        raise _bad(f"its items are {dtype.itemsize:,} bytes long", where)
    return dtype, header_bytes, int(shape[1])


def _header_bytes(raw: bytes) -> int:
    """Length of the header, itself included; at least what tells it."""
    if len(raw) < 12:
        return 12
    width = 2 if raw[6] == 1 else 4
    return 8 + width + int.from_bytes(raw[8 : 8 + width], "little")


def _bad(what: str, where: str) -> BadRecording:
    return BadRecording(
        what, where=where, remedy="the file is damaged: copy it again, or report the file"
    )
