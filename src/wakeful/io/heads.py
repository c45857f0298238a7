"""Heads of records, read one here and one there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.io.head_kernel import read_heads, read_heads_at
from wakeful.io.open_files import open_file, read_exactly
from wakeful.io.records import RecordLayout, thread_buffer
from wakeful.model.errors import TruncatedFile


class HeadReader:
    """Reads the heads of a file's records, in any order.

    Parameters
    ----------
    head : a structured type of the bytes at the start of a record
    """

    def __init__(self, path: Path, layout: RecordLayout, head: np.dtype[Any]) -> None:
        self.path = path
        self.layout = layout
        self._head = head
        self._descriptor: int | None = None
        self.n_read = 0
        """How many heads were read one by one."""

    @contextmanager
    def keep_open(self) -> Iterator[int]:
        """Keep the file open for as long as the block lasts; for one thread."""
        self._descriptor = open_file(self.path)
        try:
            yield self._descriptor
        finally:
            os.close(self._descriptor)
            self._descriptor = None

    @contextmanager
    def _lend(self) -> Iterator[int]:
        if self._descriptor is not None:
            yield self._descriptor
            return
        descriptor = open_file(self.path)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def at(self, records: NDArray[np.int64] | Sequence[int]) -> NDArray[np.void]:
        """Heads of some records, (n,).

        Raises
        ------
        TruncatedFile
            The file ends before one of them.
        """
        size, base, step = self._head.itemsize, self.layout.header_bytes, self.layout.record_bytes
        numbers = np.asarray(records, np.int64)
        places = base + step * numbers
        heads = np.empty((len(numbers), size), np.uint8)
        with self._lend() as descriptor:
            if len(places) > 1 and hasattr(os, "posix_fadvise"):
                # A disk that knows all that is wanted fetches it faster than one after the other.
                for at in places.tolist():
                    os.posix_fadvise(descriptor, at, size, os.POSIX_FADV_WILLNEED)
            if not read_heads_at(descriptor, places, heads):
                # What is wrong is found out here, and said.
                for head, at in zip(heads, places.tolist(), strict=True):
                    if os.preadv(descriptor, [head.data], at) != size:
                        raise TruncatedFile(
                            f"the file ends before record {int(numbers.max()):,}",
                            where=str(self.path),
                            remedy="it became shorter after it was opened: copy it again",
                        )
        self.n_read += len(numbers)
        return heads.view(self._head).reshape(-1)

    def between(self, first: int, stop: int) -> NDArray[np.void]:
        """Heads of consecutive records, read with all that lies between; not for many at once."""
        step = self.layout.record_bytes
        at = self.layout.header_bytes + first * step
        heads = np.empty((stop - first, self._head.itemsize), np.uint8)
        with self._lend() as descriptor:
            if not read_heads(descriptor, at, step, thread_buffer(), heads):
                # What is wrong is found out here, and said.
                for number in range(stop - first):
                    read_exactly(descriptor, heads[number], at + number * step, self.path)
        return heads.view(self._head).reshape(-1)
