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


class Seen:
    """Which heads were read, and what they were."""

    def __init__(self) -> None:
        self._runs: list[tuple[int, NDArray[np.void]]] = []
        self._apart: list[tuple[NDArray[np.int64], NDArray[np.void]]] = []
        self.n_heads = 0

    def note_run(self, first: int, heads: NDArray[np.void]) -> None:
        """Heads of consecutive records."""
        self._runs.append((first, heads))
        self.n_heads += len(heads)

    def note(self, numbers: NDArray[np.int64], heads: NDArray[np.void]) -> None:
        """Heads of some records."""
        self._apart.append((numbers, heads))
        self.n_heads += len(heads)

    def gather(
        self,
    ) -> tuple[tuple[int, int], NDArray[np.void], NDArray[np.int64], NDArray[np.void]]:
        """What was read, each head once.

        Returns
        -------
        the records read one after the other from the first on (first, one past the last), their
        heads, the numbers of all others, their heads
        """
        stop, dense = 0, []
        numbers = [n for n, _ in self._apart]
        heads = [h for _, h in self._apart]
        for first, run in sorted(self._runs, key=_first):
            if first <= stop:
                dense.append(run[stop - first :])
                stop = max(stop, first + len(run))
            else:
                numbers.append(np.arange(first, first + len(run)))
                heads.append(run)
        nothing = self._runs[0][1][:0]
        apart, where = np.unique(np.concatenate([*numbers, np.empty(0, np.int64)]), True)
        others = np.concatenate([*heads, nothing])[where]
        outside = apart >= stop
        return (0, stop), np.concatenate([*dense, nothing]), apart[outside], others[outside]


def _first(run: tuple[int, NDArray[np.void]]) -> int:
    return run[0]


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
        self.seen: Seen | None = None
        """Takes note of what is read, where that is wanted."""

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
        found = heads.view(self._head).reshape(-1)
        if self.seen is not None:
            self.seen.note(numbers, found)
        return found

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
        found = heads.view(self._head).reshape(-1)
        if self.seen is not None:
            self.seen.note_run(first, found)
        return found
