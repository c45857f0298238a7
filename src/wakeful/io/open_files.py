"""Files that are opened once and read from any place, from any thread."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wakeful.model.errors import BadRecording, TruncatedFile

_MAX_OPEN_FILES = 256
"""Beyond this, files are opened for each read: most systems allow a process 1,024."""


class OpenFiles:
    """File descriptors that are opened once, shared by threads and closed with their owner."""

    def __init__(self) -> None:
        self._descriptors: dict[Path, int] = {}
        self._lock = threading.Lock()
        self._finalizer = weakref.finalize(self, _close_all, self._descriptors)

    def read_into(self, path: Path, buffer: NDArray[np.uint8], offset: int) -> None:
        """Fill `buffer` with the bytes of a file from `offset` on.

        Raises
        ------
        TruncatedFile
            The file is shorter than it was when the recording was opened.
        """
        with self.lend(path) as descriptor:
            read_exactly(descriptor, buffer, offset, path)

    @contextmanager
    def lend(self, path: Path) -> Iterator[int]:
        """The file's descriptor, open for as long as the block lasts."""
        descriptor = self._descriptors.get(path)
        passing = False
        if descriptor is None:
            descriptor, passing = self._open(path)
        try:
            yield descriptor
        finally:
            if passing:
                os.close(descriptor)

    def _open(self, path: Path) -> tuple[int, bool]:
        with self._lock:
            known = self._descriptors.get(path)
            if known is not None:
                return known, False
            descriptor = open_file(path)
            if len(self._descriptors) >= _MAX_OPEN_FILES:
                return descriptor, True
            self._descriptors[path] = descriptor
            return descriptor, False


def _close_all(descriptors: dict[Path, int]) -> None:
    for descriptor in descriptors.values():
        os.close(descriptor)
    descriptors.clear()


def open_file(path: Path) -> int:
    """A descriptor for reading.

    Raises
    ------
    BadRecording
        The file is gone or may not be read.
    """
    try:
        return os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise BadRecording(
            f"the file can't be opened ({error.strerror})",
            where=str(path),
            remedy="check that it is still there and that you may read it",
        ) from error


def read_exactly(descriptor: int, buffer: NDArray[np.uint8], offset: int, path: Path) -> None:
    """Fill `buffer` from `offset` on; raises TruncatedFile where the file ends before that."""
    view = buffer.data
    done = 0
    while done < len(view):
        n_bytes = os.preadv(descriptor, [view[done:]], offset + done)
        if n_bytes <= 0:
            raise TruncatedFile(
                f"the file ends at byte {offset + done:,}, {len(view) - done:,} bytes too early",
                where=str(path),
                remedy="it became shorter after it was opened: copy it again",
            )
        done += n_bytes


def is_in_memory(path: Path, offset: int, n_bytes: int) -> bool:
    """Whether the system has some bytes of a file at hand, without a disk being asked; False
    where it can't tell.
    """
    if not hasattr(os, "RWF_NOWAIT"):
        return False
    with suppress(OSError), open(path, "rb", buffering=0) as file:  # noqa: PTH123 (no buffer)
        buffer = bytearray(n_bytes)
        return os.preadv(file.fileno(), [buffer], offset, os.RWF_NOWAIT) == n_bytes
    return False


def read_bytes(path: Path, offset: int, n_bytes: int) -> bytes:
    """Some bytes of a file that is not kept open: a header.

    Raises
    ------
    BadRecording
        The file is gone or may not be read.
    TruncatedFile
        It ends before that.
    """
    buffer = np.empty(n_bytes, np.uint8)
    descriptor = open_file(path)
    try:
        read_exactly(descriptor, buffer, offset, path)
    finally:
        os.close(descriptor)
    return buffer.tobytes()
