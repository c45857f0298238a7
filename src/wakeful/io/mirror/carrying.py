"""Pieces on their way from the source to the mirror: read, hashed, written, read back, vouched for.

Three things happen at one time: the next pieces are read and hashed, one is written, and those
written before are flushed, read back from the disk and compared. Only then does the journal vouch
for them. Both go past the page cache where the disk can do that. Memory is a handful of buffers,
whatever the size of the files.
"""

from __future__ import annotations

import errno
import mmap
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

import xxhash
from blake3 import blake3

from wakeful.io.atomic import sync_folder
from wakeful.io.mirror.grid import GRANULE
from wakeful.io.mirror.journal import Journal, Pieces
from wakeful.io.mirror.pace import Pace
from wakeful.model.errors import BadRecording, StillGrowing

OnVerified = Callable[[Path, int, int, memoryview | None], None]
"""Called with the file to read, the range of its bytes that was just verified, and those bytes."""

PROBE_BYTES = 4096

_DIRECT_BYTES = 4096
"""What goes past the page cache lies on multiples of this, in the file and in memory."""

_N_AHEAD = 2
_BATCH_PIECES = 4
_BATCH_STEPS = 64
_BATCH_S = 2.0


class SourceChanged(Exception):
    """A piece that is here already is other bytes at the source now."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


@dataclass(eq=False)
class Carried:
    """One file under way."""

    name: str
    source: Path
    copy: Path | None
    """Where it is copied to; None where it is only hashed."""
    start: int
    """Verified bytes at the beginning; copying goes on from here."""
    tail: tuple[int, str] | None = None
    """Length and digest of an incomplete last piece that is here already."""
    hasher: blake3 | None = None
    """Of the whole file, where the file is carried from its first byte."""
    source_fd: int = -1
    copy_fd: int = -1
    direct_fd: int = -1
    is_new: bool = False

    def open_source(self) -> int:
        """The source's descriptor, opened when the first piece is read."""
        if self.source_fd < 0:
            self.source_fd = os.open(self.source, os.O_RDONLY | os.O_CLOEXEC)
        return self.source_fd

    def open_copy(self, copy: Path) -> int:
        """The copy's descriptor; what lies behind its verified bytes is cut off."""
        if self.copy_fd < 0:
            copy.parent.mkdir(parents=True, exist_ok=True)
            self.is_new = not copy.exists()
            self.copy_fd = os.open(copy, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            os.ftruncate(self.copy_fd, self.start)
        return self.copy_fd

    def open_direct(self) -> int:
        """A descriptor past the page cache; below 0 where the disk has none."""
        if self.direct_fd == -1 and self.copy is not None:
            try:
                self.direct_fd = os.open(self.copy, os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
            except OSError:
                self.direct_fd = -2
        return self.direct_fd

    def close(self) -> None:
        """Close all descriptors."""
        for descriptor in (self.source_fd, self.copy_fd, self.direct_fd):
            if descriptor >= 0:
                os.close(descriptor)
        self.source_fd = self.copy_fd = self.direct_fd = -1


@dataclass(frozen=True)
class Piece:
    """Read this piece of a file."""

    file: Carried
    number: int
    start: int
    stop: int


@dataclass(frozen=True)
class End:
    """All pieces of a file that are wanted now have been verified."""

    file: Carried
    then: Callable[[], None]


@dataclass(frozen=True)
class _Read:
    buffer: mmap.mmap
    digest: str
    probe: str


@dataclass
class _Batch:
    pieces: list[tuple[Piece, _Read]] = field(default_factory=list)
    steps: list[Piece | End] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)

    @property
    def is_full(self) -> bool:
        return (
            len(self.pieces) >= _BATCH_PIECES
            or len(self.steps) >= _BATCH_STEPS
            or (bool(self.steps) and time.monotonic() - self.since > _BATCH_S)
        )


class Carrier:
    """Carries pieces, in the order given.

    Parameters
    ----------
    journal : vouches for what was verified
    pace : how fast the source may be read
    advance : called with the number of bytes that were verified since the last call
    on_verified : called for each verified piece, in order, never by two threads at a time
    """

    def __init__(
        self,
        journal: Journal,
        pace: Pace,
        advance: Callable[[int], None],
        on_verified: OnVerified | None = None,
    ) -> None:
        self._journal = journal
        self._pace = pace
        self._advance = advance
        self._on_verified = on_verified
        self._free: queue.SimpleQueue[mmap.mmap] = queue.SimpleQueue()
        self._n_buffers = 0
        self._check_buffer: mmap.mmap | None = None
        self._stopped = threading.Event()

    def carry(self, steps: Iterator[Piece | End]) -> None:
        """Carry everything; returns when the journal vouches for it.

        Raises
        ------
        SourceChanged
            A file's last piece is not the beginning of what is at the source now.
        StillGrowing
            A file got shorter while it was read.
        BadRecording
            What was read back differs from what was written.
        """
        reader = ThreadPoolExecutor(1, "mirror-read")
        checker = ThreadPoolExecutor(1, "mirror-check")
        opened: set[Carried] = set()
        try:
            self._carry(steps, reader, checker, opened)
        finally:
            self._stopped.set()
            reader.shutdown(cancel_futures=True)
            checker.shutdown(cancel_futures=True)
            for file in opened:
                file.close()

    def _carry(
        self,
        steps: Iterator[Piece | End],
        reader: ThreadPoolExecutor,
        checker: ThreadPoolExecutor,
        opened: set[Carried],
    ) -> None:
        ahead: deque[tuple[Piece | End, Future[_Read] | None]] = deque()
        batch = _Batch()
        checking: Future[int] | None = None
        n_reading = 0
        exhausted = False
        while True:
            while not exhausted and n_reading < _N_AHEAD and len(ahead) < _BATCH_STEPS:
                step = next(steps, None)
                if step is None:
                    exhausted = True
                elif isinstance(step, Piece):
                    opened.add(step.file)
                    ahead.append((step, reader.submit(self._read, step)))
                    n_reading += 1
                else:
                    opened.add(step.file)
                    ahead.append((step, None))
            if ahead:
                step, reading = ahead[0]
                if reading is not None:
                    done, _ = wait([reading], timeout=_BATCH_S / 4, return_when=FIRST_COMPLETED)
                if reading is None or done:
                    ahead.popleft()
                    if reading is not None and isinstance(step, Piece):
                        n_reading -= 1
                        read = reading.result()
                        self._write(step, read.buffer)
                        batch.pieces.append((step, read))
                    if not batch.steps:
                        batch.since = time.monotonic()
                    batch.steps.append(step)
            if batch.is_full or (exhausted and not ahead):
                if checking is not None:
                    self._advance(checking.result())
                checking = checker.submit(self._check, batch, opened)
                batch = _Batch()
                if exhausted and not ahead:
                    self._advance(checking.result())
                    return

    def _buffer(self) -> mmap.mmap:
        if self._n_buffers <= _N_AHEAD:
            self._n_buffers += 1
            return mmap.mmap(-1, GRANULE)
        return self._free.get()

    def _read(self, piece: Piece) -> _Read:
        file = piece.file
        buffer = self._buffer()
        view = memoryview(buffer)[: piece.stop - piece.start]
        source = file.open_source()
        step, done = self._pace.step_bytes, 0
        while done < len(view):
            if self._stopped.is_set():
                raise InterruptedError
            part = view[done : done + step]
            self._pace.wait_for(len(part))
            n_read = os.preadv(source, [part], piece.start + done)
            if n_read == 0:
                raise StillGrowing(
                    "got shorter while it was read",
                    where=str(file.source),
                    remedy="it is taken in again on the next pass",
                )
            done += n_read
        if file.tail is not None:
            length, digest = file.tail
            file.tail = None
            if xxhash.xxh3_128_hexdigest(view[:length]) != digest:
                raise SourceChanged(file.name)
        if file.hasher is not None:
            file.hasher.update(view)
        return _Read(buffer, xxhash.xxh3_128_hexdigest(view), probe_of(view))

    def _write(self, piece: Piece, buffer: mmap.mmap) -> None:
        """Write a piece, or where there is no copy say that it was hashed."""
        file, n_bytes = piece.file, piece.stop - piece.start
        view = memoryview(buffer)[:n_bytes]
        if file.copy is None:
            if self._on_verified is not None:
                self._on_verified(file.source, piece.start, piece.stop, view)
        else:
            target = file.open_copy(file.copy)
            at = max(piece.start, file.start)
            view = view[at - piece.start :]
            if at % _DIRECT_BYTES == 0:
                n_direct = _write_directly(file, view, at)
                at, view = at + n_direct, view[n_direct:]
            while view:
                n_written = os.pwrite(target, view, at)
                at, view = at + n_written, view[n_written:]
        view.release()
        self._free.put(buffer)

    def _check(self, batch: _Batch, opened: set[Carried]) -> int:
        """Flush, read back, compare, vouch; returns how many bytes."""
        written = {step.file for step in batch.steps if step.file.copy_fd >= 0}
        for file in written:
            os.fdatasync(file.copy_fd)
        for folder in {file.copy.parent for file in written if file.is_new and file.copy}:
            sync_folder(folder)
        lines: list[Pieces] = []
        n_bytes = 0
        for piece, read in batch.pieces:
            file = piece.file
            file.is_new = False
            if file.copy is not None:
                view = self._read_back(piece)
                if xxhash.xxh3_128_hexdigest(view) != read.digest:
                    raise BadRecording(
                        f"bytes {piece.start:,} to {piece.stop:,} of the copy differ from what was "
                        "read",
                        where=str(file.source),
                        remedy="check the disk and the memory of this machine; run it again and it "
                        "goes on with this piece",
                    )
                if self._on_verified is not None:
                    self._on_verified(file.copy, piece.start, piece.stop, view)
                view.release()
            lines.append(Pieces(file.name, piece.number, (read.digest,), piece.stop, read.probe))
            n_bytes += piece.stop - max(piece.start, file.start)
        if lines:
            self._journal.add_pieces(lines)
        for step in batch.steps:
            if isinstance(step, End):
                step.then()
                step.file.close()
                opened.discard(step.file)
        return n_bytes

    def _read_back(self, piece: Piece) -> memoryview:
        """The bytes of a piece as they lie on the disk, not as they were in memory."""
        if self._check_buffer is None:
            self._check_buffer = mmap.mmap(-1, GRANULE)  # on a border of pages, for O_DIRECT
        view = memoryview(self._check_buffer)[: piece.stop - piece.start]
        os.posix_fadvise(piece.file.copy_fd, piece.start, len(view), os.POSIX_FADV_DONTNEED)
        if len(view) % _DIRECT_BYTES == 0 and piece.file.open_direct() >= 0:
            try:
                return view[: read_at(piece.file.direct_fd, view, piece.start)]
            except OSError as error:
                if error.errno != errno.EINVAL:  # borders of this disk are wider
                    raise
        return view[: read_at(piece.file.copy_fd, view, piece.start)]


def _write_directly(file: Carried, view: memoryview, at: int) -> int:
    """Write past the page cache as much as can be; returns how many bytes, 0 where none can.

    Filling the page cache is by far the dearest part of copying, and what is in it would have to be
    thrown out again before it is read back.
    """
    n_bytes = len(view) // _DIRECT_BYTES * _DIRECT_BYTES
    done = 0
    while done < n_bytes and file.open_direct() >= 0:
        try:
            n_written = os.pwrite(file.direct_fd, view[done:n_bytes], at + done)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            break  # borders of this disk are wider
        done += n_written
        if n_written % _DIRECT_BYTES:
            break
    return done


def read_at(descriptor: int, view: memoryview, start: int) -> int:
    """Read until the buffer is full or the file ends; returns how many bytes."""
    n_read = 0
    while n_read < len(view):
        n = os.preadv(descriptor, [view[n_read:]], start + n_read)
        if n == 0:
            break
        n_read += n
    return n_read


def probe_of(last: memoryview | bytes) -> str:
    """What tells a file that only went on from another: a hash of the end of a piece."""
    return xxhash.xxh3_64_hexdigest(last[-PROBE_BYTES:])
