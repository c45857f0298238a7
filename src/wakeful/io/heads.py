"""Heads of records, read one here and one there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.io.open_files import open_file, read_exactly
from wakeful.io.records import RecordLayout
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
        self._buffer = np.empty(0, np.uint8)
        self.n_read = 0
        """How many heads were read one by one."""

    def at(self, records: NDArray[np.int64] | Sequence[int]) -> NDArray[np.void]:
        """Heads of some records, (n,).

        Raises
        ------
        TruncatedFile
            The file ends before one of them.
        """
        size, base, step = self._head.itemsize, self.layout.header_bytes, self.layout.record_bytes
        numbers = np.asarray(records, np.int64)
        descriptor = open_file(self.path)
        try:
            read = os.pread
            stored = b"".join(
                [read(descriptor, size, at) for at in (base + step * numbers).tolist()]
            )
        finally:
            os.close(descriptor)
        if len(stored) != size * len(numbers):
            raise TruncatedFile(
                f"the file ends before record {int(numbers.max()):,}",
                where=str(self.path),
                remedy="it became shorter after it was opened: copy it again",
            )
        self.n_read += len(numbers)
        return np.frombuffer(stored, self._head)

    def between(self, first: int, stop: int) -> NDArray[np.void]:
        """Heads of consecutive records, read with all that lies between; not for many at once."""
        step = self.layout.record_bytes
        n_bytes = (stop - first) * step
        if len(self._buffer) < n_bytes:
            self._buffer = np.empty(n_bytes, np.uint8)
        raw = self._buffer[:n_bytes]
        descriptor = open_file(self.path)
        try:
            at = self.layout.header_bytes + first * step
            read_exactly(descriptor, raw, at, self.path)
        finally:
            os.close(descriptor)
        heads = np.ascontiguousarray(raw.reshape(-1, step)[:, : self._head.itemsize])
        return heads.view(self._head).reshape(-1)
