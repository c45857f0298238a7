"""One pass over a source: what is new is carried, what has come to its end is sealed.

A copy grows in place under its final name. What is in it beyond the bytes that the journal vouches
for is unverified: readers are never told of it, and the next pass cuts it off. The manifest says
how far each file may be read, and is written only after the journal.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import blake3
import xxhash

from wakeful.io.atomic import sync_folder
from wakeful.io.mirror.carrying import (
    PROBE_BYTES,
    Carried,
    Carrier,
    End,
    OnVerified,
    Piece,
    SourceChanged,
    probe_of,
    read_at,
)
from wakeful.io.mirror.ending import Look, has_closing_time
from wakeful.io.mirror.grid import GRANULE, HEAD_BYTES, piece_at, piece_bounds, whole_pieces
from wakeful.io.mirror.heads import take_heads
from wakeful.io.mirror.journal import Journal, Vouched
from wakeful.io.mirror.manifest import (
    DATA_NAME,
    FileEntry,
    Manifest,
    base_of,
    deleted_files,
    read_manifest,
    set_aside,
    source_files,
    write_manifest,
)
from wakeful.io.mirror.pace import Pace
from wakeful.io.mirror.sums import remove_sums, write_sums
from wakeful.model.errors import BadRecording, NoRecording, StillGrowing

_SPARE_BYTES = 64 << 20

Progress = Callable[[int, int], None]
"""Bytes done, bytes in all."""


@dataclass(frozen=True)
class _Task:
    """What is wanted of one file in this pass."""

    name: str
    path: Path
    start: int
    stop: int
    to_end: bool
    """Whether the file is to be whole after this pass."""

    @property
    def by_streaming(self) -> bool:
        """Whether its BLAKE3 can be had while it is carried."""
        return self.start == 0


class Pass:
    """One pass over a source."""

    def __init__(
        self, source: Path, folder: Path, journal: Journal, *, in_place: bool, look: Look | None
    ) -> None:
        self._source = source
        self._folder = folder
        self._journal = journal
        self._in_place = in_place
        self._look = look
        self._base = base_of(source)
        self._paths = {p.relative_to(self._base).as_posix(): p for p in source_files(source)}
        self._stats = {name: path.stat() for name, path in self._paths.items()}
        self._earlier = read_manifest(folder)
        self._deleted = self._find_deleted()
        self._held_back = self._find_held_back()
        self._to_seal: list[str] = []
        self._new_heads: list[str] = []

    def _copy_of(self, name: str) -> Path | None:
        return None if self._in_place else self._folder / DATA_NAME / name

    def _stamp(self, name: str) -> tuple[int, int]:
        stat = self._stats[name]
        return stat.st_size, stat.st_mtime_ns

    def _find_deleted(self) -> set[str]:
        """Files that Wakeful deleted at the source: they are still part of the recording.

        Not where there is anything new at the source: that is another recording then.
        """
        if any(self._known(name).whole != self._stamp(name) for name in self._paths):
            return set()
        return deleted_files(self._folder) - set(self._paths)

    def _find_held_back(self) -> set[str]:
        """New files that have to wait, lest there seem to be a gap.

        Where files follow each other, the last bytes of one are taken only when it has come to
        rest. Until then nothing of the file after it may be seen.
        """
        if self._look is None or self._earlier is None:
            return set()
        known = self._journal.files
        new = [name for name in self._paths if name not in known]
        stopped_ns = [
            self._stats[name].st_mtime_ns
            for name, vouched in known.items()
            if name in self._paths
            and self._stats[name].st_size > vouched.stop
            and name not in self._look.at_rest
        ]
        if not stopped_ns:
            return set()
        tolerance_ns = int(self._look.settle_s / 2 * 1e9)
        first = min(stopped_ns)
        return {name for name in new if self._stats[name].st_mtime_ns - first > tolerance_ns}

    def run(self, pace: Pace, progress: Progress | None, on_verified: OnVerified | None) -> None:
        """Carry what is new, and finish the files that have come to their end."""
        self._to_seal, self._new_heads = [], []
        tasks = [t for name in self._paths if (t := self._decide(name)) is not None]
        if not self._in_place:
            check_room(self._folder, sum(task.stop - task.start for task in tasks))
        to_read = {t.name: t.stop for t in tasks if t.to_end and not t.by_streaming}
        wanted = {task.name: task for task in tasks}
        here = {name: self._known(name).stop for name in self._paths}
        total = sum(max(here[n], wanted[n].stop if n in wanted else 0) for n in here)
        total += sum(to_read.values())
        done = sum(here.values())

        def advance(n_bytes: int) -> None:
            nonlocal done
            done += n_bytes
            if progress is not None:
                progress(done, total)

        advance(0)
        self._step_down(tasks)
        Carrier(self._journal, pace, advance, on_verified).carry(self._steps(tasks))
        if self._new_heads:
            self._take_heads()
        for name in self._to_seal:
            self._seal(name, self._read_through(name, advance))

    def _known(self, name: str) -> Vouched:
        return self._journal.files.get(name, Vouched())

    def _decide(self, name: str) -> _Task | None:
        """What there is to do for a file; None where nothing is.

        Raises
        ------
        SourceChanged
            What was taken in before is not the beginning of what is there now.
        """
        if name in self._held_back:
            return None
        path, (size, _) = self._paths[name], self._stamp(name)
        self._look_at_copy(name)
        known = self._known(name)
        if known.whole == self._stamp(name):
            return None
        if size < known.stop:
            raise SourceChanged(name)
        to_end = self._look is None or name in self._look.at_rest
        stop = size if to_end else max(known.stop, whole_pieces(_written(path, known.stop, size)))
        if known.stop and (to_end or stop > known.stop):
            self._check_beginning(name)
        if stop == known.stop and not to_end:
            return None
        return _Task(name, path, known.stop, stop, to_end)

    def _look_at_copy(self, name: str) -> None:
        """Vouch for no more of a copy than is there."""
        copy, known = self._copy_of(name), self._journal.files.get(name)
        if copy is None or known is None:
            return
        if not copy.is_file():
            self._journal.drop(name)
        elif copy.stat().st_size != known.stop:
            known.keep(copy.stat().st_size)
            if copy.stat().st_size > known.stop:
                os.truncate(copy, known.stop)

    def _check_beginning(self, name: str) -> None:
        """Hold what was taken in earlier against the source, by as little reading as will do."""
        known, (size, _) = self._known(name), self._stamp(name)
        with self._paths[name].open("rb", buffering=0) as file:
            descriptor = file.fileno()
            last = piece_bounds(len(known.digests) - 1, known.stop)
            if known.probe and known.stop > HEAD_BYTES:
                start = max(last[0], known.stop - PROBE_BYTES)
                if probe_of(_read(descriptor, start, known.stop)) != known.probe:
                    raise SourceChanged(name)
            head = _read(descriptor, 0, min(HEAD_BYTES, known.stop))
            same_head = xxhash.xxh3_128_hexdigest(head) == known.digests[0]
            if not same_head and not self._may_have_new_head(name):
                raise SourceChanged(name)
            was_whole = known.whole is not None and self._look is None
            if was_whole and not self._in_place and (same_head or size != known.stop):
                # It was here to its end, and was touched since: what was changed is unknown.
                for number, digest in enumerate(known.digests[1:], 1):
                    start, stop = piece_bounds(number, known.stop)
                    if xxhash.xxh3_128_hexdigest(_read(descriptor, start, stop)) != digest:
                        raise SourceChanged(name)

    def _may_have_new_head(self, name: str) -> bool:
        """Whether another first piece can be a header written anew, and not another file."""
        known, (size, _) = self._known(name), self._stamp(name)
        if known.stop < HEAD_BYTES or size < HEAD_BYTES:
            return False
        return size > HEAD_BYTES or has_closing_time(self._paths[name])

    def _step_down(self, tasks: list[_Task]) -> None:
        """Before files grow, or are added, that readers take for whole: say what is verified."""
        earlier = self._earlier
        if earlier is None or not earlier.complete or self._in_place:
            return
        if any(task.stop > task.start for task in tasks):
            self._write(replace(earlier, complete=False))

    def _withdraw(self, name: str) -> None:
        """Before a copy is taken away: let no reader look for it."""
        earlier = self._earlier
        if earlier is not None and any(entry.file == name for entry in earlier.files):
            left = tuple(entry for entry in earlier.files if entry.file != name)
            self._write(replace(earlier, files=left, complete=False))

    def _write(self, manifest: Manifest) -> None:
        if not manifest.complete:
            remove_sums(self._folder)
        write_manifest(self._folder, manifest)
        self._earlier = manifest

    def _steps(self, tasks: list[_Task]) -> Iterator[Piece | End]:
        for task in tasks:
            known = self._known(task.name)
            file = Carried(task.name, task.path, self._copy_of(task.name), task.start)
            if task.to_end and task.by_streaming:
                file.hasher = blake3.blake3()
            first = piece_at(task.start) if task.start else 0
            if known.digests and task.start > (begin := piece_bounds(first, task.stop)[0]):
                file.tail = (task.start - begin, known.digests[first])
            at, number = task.start, first
            while at < task.stop:
                start, at = piece_bounds(number, task.stop)
                yield Piece(file, number, start, at)
                number += 1
            if task.to_end:
                yield End(file, partial(self._finish, task, file))
            else:
                yield End(file, _nothing_more)

    def _finish(self, task: _Task, file: Carried) -> None:
        """A file is here to its end: hold it against the source once more."""
        if file.copy is not None and file.copy_fd < 0:
            file.open_copy(file.copy)
            os.fdatasync(file.copy_fd)
            sync_folder(file.copy.parent)
        if not self._is_still(task.name):
            return
        known = self._known(task.name)
        source = file.open_source()
        if task.start:
            self._check_samples(task, file, source)
        if known.digests:
            head = _read(source, *piece_bounds(0, known.stop))
            if xxhash.xxh3_128_hexdigest(head) != known.digests[0]:
                if not self._may_have_new_head(task.name):
                    raise SourceChanged(task.name)
                self._new_heads.append(task.name)
                self._to_seal.append(task.name)
                return
        if file.hasher is None:
            self._to_seal.append(task.name)
        else:
            self._seal(task.name, file.hasher.hexdigest())

    def _check_samples(self, task: _Task, file: Carried, source: int) -> None:
        """Compare the end of each piece that an earlier pass took in with the source.

        An acquisition that reserves a file's space in advance, or writes it anew, is found by
        this without everything being read again.
        """
        if file.copy is None:
            return  # all of it is read again for its BLAKE3
        number = 1
        while (bounds := piece_bounds(number, task.start))[0] < task.start:
            start = max(bounds[0], bounds[1] - PROBE_BYTES)
            if _read(source, start, bounds[1]) != _read(file.copy_fd, start, bounds[1]):
                raise SourceChanged(task.name)
            number += 1

    def _is_still(self, name: str) -> bool:
        """Whether a file is as it was when the pass began.

        Raises
        ------
        StillGrowing
            It is not, and nobody had said that it grows.
        """
        stat = self._paths[name].stat()
        if (stat.st_size, stat.st_mtime_ns) == self._stamp(name):
            return True
        if self._look is not None:
            return False
        raise StillGrowing(
            "changed while it was read",
            where=str(self._paths[name]),
            remedy="it is taken in again on the next pass",
        )

    def _take_heads(self) -> None:
        """Take headers that were written anew, so that readers always find what is vouched for."""
        wanted: dict[str, bytes] = {}
        for name in self._new_heads:
            with self._paths[name].open("rb", buffering=0) as file:
                wanted[name] = _read(file.fileno(), 0, HEAD_BYTES)
        if self._in_place:
            for name, head in wanted.items():
                self._journal.set_head(name, xxhash.xxh3_128_hexdigest(head))
            return
        earlier = self._earlier
        if earlier is not None:
            entries = tuple(
                replace(entry, next_head=xxhash.xxh3_128_hexdigest(wanted[entry.file]))
                if entry.file in wanted
                else entry
                for entry in earlier.files
            )
            self._write(replace(earlier, files=entries))
        take_heads(self._folder, self._journal, wanted)

    def _read_through(self, name: str, advance: Callable[[int], None]) -> str:
        """BLAKE3 of a file that came in several passes; every piece is verified on the way."""
        known = self._known(name)
        path = self._copy_of(name) or self._paths[name]
        hasher = blake3.blake3()
        buffer = bytearray(min(GRANULE, max(known.stop, 1)))
        with path.open("rb", buffering=0) as file:
            for number, digest in enumerate(known.digests):
                start, stop = piece_bounds(number, known.stop)
                view = memoryview(buffer)[: stop - start]
                n_read = read_at(file.fileno(), view, start)
                if n_read < len(view) or xxhash.xxh3_128_hexdigest(view) != digest:
                    if self._in_place:
                        raise SourceChanged(name)
                    raise BadRecording(
                        f"bytes {start:,} to {stop:,} of the copy are no longer what was copied",
                        where=str(path),
                        remedy="check the disk; `wakeful mirror` with --repair fetches them again",
                    )
                hasher.update(view)
                advance(len(view))
        return hasher.hexdigest()

    def _seal(self, name: str, digest: str) -> None:
        """Say in the journal that a file is here to its end."""
        if not self._is_still(name):
            return
        size, modified_ns = self._stamp(name)
        copy = self._copy_of(name)
        if copy is not None:
            os.utime(copy, ns=(self._stats[name].st_atime_ns, modified_ns))
        self._journal.set_whole(name, size, modified_ns, digest)

    def begin_anew(self, name: str) -> None:
        """The source holds other bytes: keep the earlier copy apart, and begin anew."""
        copy, known = self._copy_of(name), self._known(name)
        self._withdraw(name)
        if copy is not None and copy.is_file() and known.stop:
            self._journal.note_replaced(name)
            set_aside(self._folder, copy, name)
        self._journal.drop(name)

    def set_strangers_aside(self) -> None:
        """Take out of the mirror what the source no longer has."""
        wanted = set(self._paths) | self._deleted
        if not self._in_place:
            data = self._folder / DATA_NAME
            for path in sorted(data.rglob("*")):
                name = path.relative_to(data).as_posix()
                if path.is_file() and name not in wanted:
                    self._withdraw(name)
                    set_aside(self._folder, path, name)
        for name in [name for name in self._journal.files if name not in wanted]:
            self._journal.drop(name)

    def conclude(self) -> Manifest:
        """Write the manifest of what is here now."""
        entries: list[FileEntry] = []
        for name in sorted({*self._paths, *self._deleted}, key=self._order):
            known = self._journal.files.get(name)
            if known is None or name in self._held_back:
                continue
            if known.whole is not None:
                size, modified_ns = known.whole
                digests = tuple(known.digests)
                entries.append(FileEntry(name, size, modified_ns, digests, known.blake3))
            elif known.stop:
                _, modified_ns = self._stamp(name)
                entries.append(FileEntry(name, known.stop, modified_ns, tuple(known.digests)))
        whole = all(self._known(n).whole == self._stamp(n) for n in self._paths)
        ended = self._look is None or (self._look.ended and self._lists_the_same())
        if self._in_place:
            root = self._source
        else:
            data = self._folder / DATA_NAME
            root = data if self._source.is_dir() else data / self._source.name
        earlier = read_manifest(self._folder)
        replaced, new_heads = self._journal.replaced, self._journal.new_heads
        if earlier is not None:
            replaced = [*earlier.replaced, *replaced]
            new_heads = [*earlier.new_heads, *new_heads]
        manifest = Manifest(
            str(self._source),
            str(root),
            self._in_place,
            tuple(entries),
            tuple(dict.fromkeys(replaced)),
            whole and ended,
            tuple(dict.fromkeys(new_heads)),
        )
        if manifest.complete:
            write_sums(self._folder, manifest)
        self._write(manifest)
        return manifest

    def _lists_the_same(self) -> bool:
        try:
            return set(source_files(self._source)) == set(self._paths.values())
        except NoRecording:
            return False

    def _order(self, name: str) -> Path:
        return self._base / name


def _nothing_more() -> None:
    """A file that still grows has no end yet."""


def _read(descriptor: int, start: int, stop: int) -> bytes:
    data = bytearray(max(0, stop - start))
    return bytes(data[: read_at(descriptor, memoryview(data), start)])


def _written(path: Path, start: int, size: int) -> int:
    """Up to where a file has been written, looked at from `start` on.

    An acquisition may reserve a file's space in advance. Such a hole reads as zeros, and is no
    data yet.
    """
    if start >= size:
        return size
    with path.open("rb", buffering=0) as file:
        try:
            return min(size, os.lseek(file.fileno(), start, os.SEEK_HOLE))
        except OSError:
            return size  # a disk that can't tell


def check_room(folder: Path, needed: int) -> None:
    """Refuse to begin what would fill the disk.

    Raises
    ------
    BadRecording
        There is no room for `needed` bytes.
    """
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE_BYTES:
        raise BadRecording(
            f"the copy needs {(needed + _SPARE_BYTES) / 1e6:,.1f} MB, of which "
            f"{_SPARE_BYTES / 1e6:,.0f} MB stay free, and {free / 1e6:,.1f} MB are free",
            where=str(folder),
            remedy='make room, or set transfer = "in-place" in wakeful.toml',
        )
