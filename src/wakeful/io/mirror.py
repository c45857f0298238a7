"""Taking a recording in: a verified copy, or a hash of it where it is.

Either way every byte is read once, in granules of 16 MiB, and each granule's xxh3-128 stands in the
manifest. A block's raw data is later named by the granules its records lie in, never by a whole
file.

A file is copied under a temporary name, read back, compared, renamed. A line in the journal says
that it is whole; after a kill the next pass goes on with the first file that has no such line. The
manifest is written last: without it there is no recording. One process at a time takes a recording
in: it holds a lock in the intake folder.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

import xxhash

from wakeful.io.atomic import sync_folder, write_json
from wakeful.io.companions import companions
from wakeful.io.holding import HeldElsewhere, hold
from wakeful.io.registry import Growth
from wakeful.model.errors import BadRecording, NoRecording, StillGrowing
from wakeful.model.recording import ByteRange

GRANULE = 16 << 20
MANIFEST_NAME = "manifest.json"
_JOURNAL_NAME = "journal.jsonl"
_LOCK_NAME = ".lock"
_LOCK_WAIT_S = 5.0
_DATA = "data"
ASIDE_NAME = "no-longer-at-the-source"
"""In an intake folder: earlier versions of files, and files that the source no longer has."""

Progress = Callable[[int, int], None]
"""Bytes done, bytes in all."""


class TakenInElsewhere(BadRecording):
    """Another process takes the recording in; worth another try later."""


@dataclass(frozen=True)
class FileEntry:
    """One file of a recording, as it was when it was taken in."""

    file: str
    """Relative to the recording."""
    bytes: int
    modified_ns: int
    """The source's modification time."""
    granules: tuple[str, ...]
    """xxh3-128 of each 16 MiB."""


@dataclass(frozen=True)
class Manifest:
    """What was taken in, from where."""

    source: str
    """Absolute path that the row named."""
    root: str
    """Where the recording is to be read: the mirror, or the source itself."""
    in_place: bool
    files: tuple[FileEntry, ...]
    replaced: tuple[str, ...] = ()
    """Files that were other bytes when they were first taken in; those copies are kept apart."""
    complete: bool = True
    """Whether the source had ended: False while only the verified beginning of it is here."""

    @property
    def n_bytes(self) -> int:
        """Size of the recording."""
        return sum(entry.bytes for entry in self.files)

    def digests_of(self, ranges: Iterable[ByteRange]) -> list[list[object]]:
        """For each range [file, start, stop, digests of the granules it touches].

        Raises
        ------
        BadRecording
            A range lies outside what was taken in.
        """
        entries = {entry.file: entry for entry in self.files}
        named: list[list[object]] = []
        for piece in ranges:
            entry = entries.get(piece.file)
            if entry is None or piece.stop > entry.bytes:
                raise BadRecording(
                    f"bytes {piece.start} to {piece.stop} were never taken in",
                    where=piece.file,
                    remedy="run the row again: the recording has changed since it was copied",
                )
            first, last = piece.start // GRANULE, -(-piece.stop // GRANULE)
            named.append([piece.file, piece.start, piece.stop, list(entry.granules[first:last])])
        return named


def source_files(source: Path) -> tuple[Path, ...]:
    """The files of a recording, in order; hidden ones left out.

    Raises
    ------
    NoRecording
        Nothing is there.
    """
    if source.is_file():
        return (source, *companions(source))
    if not source.is_dir():
        raise NoRecording(
            "there is nothing here",
            where=str(source),
            remedy="check the path in the column recording",
        )
    files = tuple(
        sorted(
            path
            for path in source.rglob("*")
            if path.is_file()
            and not any(part.startswith(".") for part in path.relative_to(source).parts)
        )
    )
    if not files:
        raise NoRecording(
            "the folder is empty",
            where=str(source),
            remedy="check the path, or wait until the acquisition has written something",
        )
    return files


def intake_folder(raw: Path, source: Path) -> Path:
    """Where the manifest (and the mirror) of a source lies: its name and a hash of its path."""
    slug = "".join(c if c.isalnum() or c in "-_." else "-" for c in source.name).strip(".-")
    return raw / f"{slug[:60] or 'recording'}-{sha256(str(source).encode()).hexdigest()[:8]}"


def scans_folder(folder: Path) -> Path:
    """Where readers keep what they learnt from time stamps, beside a recording's manifest."""
    return folder / "scans"


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest in an intake folder; None where nothing was taken in (completely)."""
    path = folder / MANIFEST_NAME
    if not path.is_file():
        return None
    tree = json.loads(path.read_text(encoding="utf-8"))
    files = tuple(FileEntry(**{**f, "granules": tuple(f["granules"])}) for f in tree["files"])
    replaced = tuple(tree.get("replaced", ()))
    complete = bool(tree.get("complete", True))
    return Manifest(tree["source"], tree["root"], tree["in_place"], files, replaced, complete)


def growth_of(manifest: Manifest) -> Growth | None:
    """How far the files may be read; None where the recording is whole."""
    if manifest.complete:
        return None
    return Growth({entry.file: entry.bytes for entry in manifest.files})


def is_current(manifest: Manifest, source: Path, *, in_place: bool) -> bool:
    """Whether the source is still what was taken in, and its copy is there.

    A mirror outlives its source. A copy of which a file was moved away (because it was damaged) is
    made whole again from the source, as long as that is there.
    """
    if manifest.in_place != in_place:
        return False
    try:
        listing = _listing(source)
    except NoRecording:
        return not manifest.in_place
    if not manifest.in_place:
        root = Path(manifest.root)
        base = root if root.is_dir() else root.parent
        if not all((base / entry.file).is_file() for entry in manifest.files):
            return False
    return listing == {f.file: (f.bytes, f.modified_ns) for f in manifest.files}


def check_settled(source: Path, settle_s: float) -> None:
    """Refuse a recording that is still being written.

    The clock of the machine that wrote it may be ahead of this one's. A file dated further into the
    future than `settle_s` is no sign of that, and waiting for its date might take years: it counts
    as settled. Should it still be growing, `take_in` notices, which compares size and modification
    time before and after each file is read.

    Parameters
    ----------
    source : file or folder
    settle_s : seconds without a change; with 0 everything is settled

    Raises
    ------
    StillGrowing
        A file was modified less than `settle_s` ago.
    """
    now = time.time()
    for path in source_files(source):
        age_s = now - path.stat().st_mtime
        if -settle_s <= age_s < settle_s:
            raise StillGrowing(
                f"modified {max(0.0, age_s):.0f} s ago, so it is still being written",
                where=str(path),
                remedy=f"it is taken in once nothing has changed for {settle_s:g} s",
            )


def take_in(
    source: Path, folder: Path, *, in_place: bool, progress: Progress | None = None
) -> Manifest:
    """Copy a recording into `folder`, or hash it where it is; goes on where a killed pass ended.

    Parameters
    ----------
    source : file or folder, not growing
    folder : the intake folder
    in_place : hash only
    progress : called with bytes done and in all

    Returns
    -------
    What was taken in.

    Raises
    ------
    TakenInElsewhere
        Another process takes this recording in at this moment.
    StillGrowing
        A file changed while it was read.
    BadRecording
        The copy read back differs, or there is no room for what has to be copied yet.
    """
    files = source_files(source)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        held = hold(folder / _LOCK_NAME, wait_s=_LOCK_WAIT_S)
    except HeldElsewhere as error:
        raise TakenInElsewhere(
            "another process takes this recording in now",
            where=str(source),
            remedy="run the row again when that has ended",
        ) from error
    with held:
        return _take_in(source, files, folder, in_place=in_place, progress=progress)


def _take_in(
    source: Path,
    files: tuple[Path, ...],
    folder: Path,
    *,
    in_place: bool,
    progress: Progress | None,
) -> Manifest:
    base = source if source.is_dir() else source.parent
    known = _read_journal(folder / _JOURNAL_NAME)
    _remove_parts(folder)
    sizes = {path: path.stat().st_size for path in files}
    total = sum(sizes.values())

    def name_of(path: Path) -> str:
        return path.relative_to(base).as_posix()

    def copy_of(path: Path) -> Path | None:
        return None if in_place else folder / _DATA / name_of(path)

    if not in_place:
        _check_room(
            folder,
            sum(
                size
                for path, size in sizes.items()
                if not _is_whole(known.get(name_of(path)), path.stat(), copy_of(path))
            ),
        )
    entries: list[FileEntry] = []
    done = 0

    def advance(n_bytes: int) -> None:
        nonlocal done
        done += n_bytes
        if progress is not None:
            progress(done, total)

    earlier = read_manifest(folder)
    replaced = [] if earlier is None else list(earlier.replaced)

    def keep(name: str, entry: FileEntry | None, part: Path) -> None:
        """Before a copy is replaced: keep it, unless the new one only goes on where it ended."""
        copy = folder / _DATA / name
        if entry is not None and copy.is_file() and not _goes_on(entry, part):
            _set_aside(folder, copy, name)
            replaced.append(name)

    with (folder / _JOURNAL_NAME).open("a", encoding="utf-8") as journal:
        if journal.tell():
            journal.write("\n")  # a kill may have cut the last line short
        for path in files:
            name, copy = name_of(path), copy_of(path)
            before = path.stat()
            entry = known.get(name)
            if entry is not None and _is_whole(entry, before, copy):
                advance(entry.bytes)
            else:
                if copy is None:
                    granules = _hash(path, advance)
                else:
                    granules = _copy(path, copy, advance, partial(keep, name, entry))
                after = path.stat()
                if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                    raise StillGrowing(
                        "changed while it was read",
                        where=str(path),
                        remedy="it is taken in again on the next pass",
                    )
                entry = FileEntry(name, before.st_size, before.st_mtime_ns, granules)
                journal.write(json.dumps(asdict(entry)) + "\n")
                journal.flush()
                os.fsync(journal.fileno())
            entries.append(entry)
    if in_place:
        root = source
    else:
        root = folder / _DATA if source.is_dir() else folder / _DATA / source.name
        _set_strangers_aside(folder, {entry.file for entry in entries})
    names = tuple(dict.fromkeys(replaced))
    manifest = Manifest(str(source), str(root), in_place, tuple(entries), names)
    write_json(folder / MANIFEST_NAME, asdict(manifest))
    return manifest


def _is_whole(entry: FileEntry | None, stat: os.stat_result, copy: Path | None) -> bool:
    """Whether the journal vouches for a file as it is now, and its copy is there."""
    return (
        entry is not None
        and (entry.bytes, entry.modified_ns) == (stat.st_size, stat.st_mtime_ns)
        and (copy is None or (copy.is_file() and copy.stat().st_size == entry.bytes))
    )


def scrub(manifest: Manifest) -> tuple[str, ...]:
    """Read everything again and name what is no longer as it was taken in."""
    root = Path(manifest.root)
    base = root if root.is_dir() else root.parent
    damage: list[str] = []
    for entry in manifest.files:
        path = base / entry.file
        if not path.is_file():
            damage.append(f"{entry.file}: missing")
            continue
        size = path.stat().st_size
        if size != entry.bytes:
            damage.append(f"{entry.file}: {size} bytes, taken in were {entry.bytes}")
        found = _hash(path, lambda _: None)
        damage += [
            f"{entry.file}: bytes {i * GRANULE} to {min((i + 1) * GRANULE, entry.bytes)} differ"
            for i, (a, b) in enumerate(zip(entry.granules, found, strict=False))
            if a != b
        ]
    return tuple(damage)


def _listing(source: Path) -> dict[str, tuple[int, int]]:
    base = source if source.is_dir() else source.parent
    return {
        path.relative_to(base).as_posix(): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in source_files(source)
    }


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed + (64 << 20):
        raise BadRecording(
            f"the copy needs {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free",
            where=str(folder),
            remedy='make room, or set transfer = "in-place" in wakeful.toml',
        )


def _read_journal(path: Path) -> dict[str, FileEntry]:
    entries: dict[str, FileEntry] = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                tree = json.loads(line)
                entries[tree["file"]] = FileEntry(**{**tree, "granules": tuple(tree["granules"])})
            except (ValueError, KeyError, TypeError):
                continue  # the line a kill cut short: its file is taken in again
    return entries


def _hash(path: Path, advance: Callable[[int], None]) -> tuple[str, ...]:
    digests: list[str] = []
    buffer = bytearray(GRANULE)
    with path.open("rb", buffering=0) as file:
        while n := _fill(file.fileno(), buffer):
            digests.append(xxhash.xxh3_128_hexdigest(memoryview(buffer)[:n]))
            advance(n)
    return tuple(digests)


def _copy(
    path: Path, copy: Path, advance: Callable[[int], None], before: Callable[[Path], None]
) -> tuple[str, ...]:
    """Copy and read back; `before` is called with the whole copy just before it gets its name."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    part = copy.with_name(f".{os.getpid()}-{uuid.uuid4().hex[:8]}.part")
    digests: list[str] = []
    buffer = bytearray(GRANULE)
    with path.open("rb", buffering=0) as file, part.open("wb", buffering=0) as target:
        while n := _fill(file.fileno(), buffer):
            piece = memoryview(buffer)[:n]
            digests.append(xxhash.xxh3_128_hexdigest(piece))
            while piece:
                piece = piece[target.write(piece) :]
            advance(n)
        os.fsync(target.fileno())
        # Read back from the disk, not from the pages just written.
        os.posix_fadvise(target.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if _hash(part, lambda _: None) != tuple(digests):
        part.unlink()
        raise BadRecording(
            "the copy differs from what was read",
            where=str(path),
            remedy="check the disk and the memory of this machine; the row can be run again",
        )
    stat = path.stat()
    os.utime(part, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    before(part)
    part.replace(copy)
    sync_folder(copy.parent)
    return tuple(digests)


def _goes_on(entry: FileEntry, part: Path) -> bool:
    """Whether a file begins with all that was taken in before: it has only grown."""
    if part.stat().st_size < entry.bytes:
        return False
    with part.open("rb", buffering=0) as file:
        for number, digest in enumerate(entry.granules):
            n_bytes = min(GRANULE, entry.bytes - number * GRANULE)
            piece = bytearray(n_bytes)
            if _fill(file.fileno(), piece) != n_bytes or xxhash.xxh3_128_hexdigest(piece) != digest:
                return False
    return True


def _set_aside(folder: Path, path: Path, name: str) -> None:
    """Raw data is moved, never removed."""
    target = folder / ASIDE_NAME / time.strftime("%Y%m%dT%H%M%S") / name
    target.parent.mkdir(parents=True, exist_ok=True)
    path.rename(target)


def _fill(file: int, buffer: bytearray) -> int:
    """Read until the buffer is full or the file ends."""
    view = memoryview(buffer)
    n_read = 0
    while n_read < len(buffer) and (n := os.readv(file, [view[n_read:]])):
        n_read += n
    return n_read


def _remove_parts(folder: Path) -> None:
    """Remove copies that a kill cut short; their sources are still there, and no hidden files."""
    for path in (folder / _DATA).rglob(".*.part"):
        path.unlink()


def _set_strangers_aside(folder: Path, files: set[str]) -> None:
    """Take out of the mirror what the source no longer has."""
    data = folder / _DATA
    for path in sorted(data.rglob("*")):
        name = path.relative_to(data).as_posix()
        if path.is_file() and name not in files:
            _set_aside(folder, path, name)
