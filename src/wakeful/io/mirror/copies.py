"""A second verified copy at another place, and deleting the source once there is one."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import xxhash

from wakeful.io.atomic import sync_folder
from wakeful.io.mirror.carrying import read_at
from wakeful.io.mirror.ending import Ending, look_at
from wakeful.io.mirror.grid import GRANULE, piece_bounds
from wakeful.io.mirror.intake import hold_intake, take_in
from wakeful.io.mirror.manifest import (
    DATA_NAME,
    DELETIONS_NAME,
    MANIFEST_NAME,
    FileEntry,
    Manifest,
    base_of,
    is_current,
    read_manifest,
    source_files,
)
from wakeful.io.mirror.passes import Progress
from wakeful.io.mirror.rclone import Rclone, is_remote
from wakeful.io.mirror.scrubbing import scrub
from wakeful.io.mirror.sums import SUMS_NAME
from wakeful.model.errors import BadRecording, NoRecording


class NotSafeYet(BadRecording):
    """The source can't be deleted; the message says what is missing."""


@dataclass(frozen=True)
class SecondCopy:
    """Where the second copy of a recording lies."""

    place: str
    """A folder, or `remote:path`."""
    n_files: int
    n_bytes: int


def make_second_copy(
    manifest: Manifest,
    folder: Path,
    place: str,
    rclone: Rclone,
    *,
    progress: Progress | None = None,
) -> SecondCopy:
    """Copy a mirror to another place, and verify that copy; goes on where it was interrupted.

    In a folder of this machine the copy is an intake folder of its own, with a manifest that
    `scrub` can check. At a remote, the files, manifest.json and BLAKE3SUMS are copied, and every
    byte is read back and compared.

    Parameters
    ----------
    folder : the intake folder of the mirror
    place : a folder, or `remote:path`; the copy goes into a folder of the mirror's name in it

    Raises
    ------
    BadRecording
        The mirror is not whole, or the copy differs from it.
    """
    _check_mirror(manifest)
    target = second_place(folder, place)
    _check_apart(folder, place)
    if is_remote(place):
        rclone.copy(str(folder / DATA_NAME), f"{target}/{DATA_NAME}", progress=progress)
        for name in (MANIFEST_NAME, SUMS_NAME):
            rclone.copy(str(folder / name), target)
    else:
        # Its own names are relative to the folder of the data, as those of the mirror are.
        take_in(Path(manifest.root), Path(target), in_place=False, progress=progress)
    check_second_copy(manifest, folder, place, rclone, progress=progress)
    return SecondCopy(target, len(manifest.files), manifest.n_bytes)


def second_place(folder: Path, place: str) -> str:
    """Where in a place the second copy of an intake folder lies."""
    if is_remote(place):
        return f"{place.rstrip('/')}{'' if place.endswith(':') else '/'}{folder.name}"
    return str(Path(place).expanduser().absolute() / folder.name)


def check_second_copy(
    manifest: Manifest,
    folder: Path,
    place: str,
    rclone: Rclone,
    *,
    progress: Progress | None = None,
) -> None:
    """Read a second copy from its disk or remote, and hold it against the mirror.

    Raises
    ------
    BadRecording
        It is not there, not whole, or other bytes.
    """
    target = second_place(folder, place)
    if is_remote(place):
        wrong = rclone.compare(
            str(folder / DATA_NAME),
            f"{target}/{DATA_NAME}",
            download=True,
            files=[entry.file for entry in manifest.files],
            progress=progress,
        )
    else:
        second = read_manifest(Path(target))
        if second is None or not second.complete:
            raise BadRecording(
                "there is no whole second copy here",
                where=target,
                remedy="make it with `wakeful mirror` and --second-copy",
            )
        theirs = {entry.file: _content(entry) for entry in second.files}
        wrong = tuple(e.file for e in manifest.files if theirs.get(e.file) != _content(e))
        wrong += tuple(str(damage) for damage in scrub(second, progress=progress))
    if wrong:
        raise BadRecording(
            f"the second copy differs from the mirror: {wrong[0]}"
            + (f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""),
            where=target,
            remedy="check that disk or server; what is damaged there can be removed and is then "
            "copied again",
        )


def _check_apart(folder: Path, place: str) -> None:
    """The second copy must not be written into the mirror."""
    if is_remote(place):
        return
    mine, target = folder.resolve(), Path(second_place(folder, place)).resolve()
    if target.is_relative_to(mine) or mine.is_relative_to(target):
        raise BadRecording(
            "this is the mirror itself, or a folder in it",
            where=str(target),
            remedy="give a folder on another disk",
        )


def _content(entry: FileEntry) -> tuple[int, tuple[str, ...], str]:
    return entry.bytes, entry.granules, entry.blake3


def _check_mirror(manifest: Manifest) -> None:
    if manifest.in_place:
        raise BadRecording(
            "is used where it is, so there is no mirror that could be copied",
            where=manifest.source,
            remedy="mirror it first, without --in-place",
        )
    if not manifest.complete:
        raise BadRecording(
            "is still growing", where=manifest.source, remedy="wait until the recording has ended"
        )


@dataclass(frozen=True)
class Deletion:
    """What was deleted at a source."""

    files: tuple[str, ...]
    n_bytes: int


def delete_source(
    source: Path,
    folder: Path,
    place: str,
    rclone: Rclone,
    ending: Ending,
    *,
    progress: Progress | None = None,
) -> Deletion:
    """Delete the files of a source, of which there are two verified copies elsewhere.

    Before anything is deleted, all of this is made sure of, by reading everything once more: the
    mirror is what its manifest says, so is the second copy, which lies on another disk, and every
    file of the source has the same bytes. Each deletion is written down before it is done; a file
    that has changed in the meantime is left. Folders and hidden files stay.

    Raises
    ------
    NotSafeYet
        Something of this does not hold; nothing was deleted.

    Returns
    -------
    What was deleted; nothing where nothing was left.
    """
    manifest = read_manifest(folder)
    if manifest is None or manifest.in_place:
        raise _refuse(source, "it has no mirror", "mirror it first, without --in-place")
    try:
        look = look_at(source, ending)
    except NoRecording:
        return Deletion((), 0)  # an earlier call deleted all there was
    if not manifest.complete or not look.ended:
        raise _refuse(source, f"it is still growing ({look.why})", "wait until it has ended")
    if not is_current(manifest, source, in_place=False):
        raise _refuse(source, "it has changed since it was mirrored", "mirror it again")
    _check_disks(source, folder, place, rclone)
    with hold_intake(folder, str(source)):
        damage = scrub(manifest, progress=progress)
        if damage:
            raise _refuse(
                source, f"the mirror is damaged ({damage[0]})", "repair it first, with --repair"
            )
        try:
            check_second_copy(manifest, folder, place, rclone, progress=progress)
        except BadRecording as error:
            raise _refuse(source, f"the second copy does not hold: {error}", "") from error
        base = base_of(source)
        entries = {entry.file: entry for entry in manifest.files}
        proven: list[tuple[Path, FileEntry, os.stat_result]] = []
        done = 0
        # Beside a recording that is one file may lie tables that others share: they stay.
        for path in (source,) if source.is_file() else source_files(source):
            name = path.relative_to(base).as_posix()
            entry = entries.get(name)  # it may have come since the manifest was compared
            stat = None if entry is None else _prove(path, entry)
            if entry is None or stat is None:
                raise _refuse(source, f"{name} is no longer what was mirrored", "mirror it again")
            proven.append((path, entry, stat))
            done += entry.bytes
            if progress is not None:
                progress(done, manifest.n_bytes)
        return _delete(folder, proven)


def _refuse(source: Path, why: str, remedy: str) -> NotSafeYet:
    return NotSafeYet(f"nothing was deleted: {why}", where=str(source), remedy=remedy)


def _check_disks(source: Path, folder: Path, place: str, rclone: Rclone) -> None:
    """The two copies must not go with one disk, nor lie in what is deleted."""
    inside = source.resolve()
    if folder.resolve().is_relative_to(inside):
        raise _refuse(source, "the mirror lies inside it", "mirror it to another place")
    where = second_place(folder, place)
    target = rclone.find_local(where) if is_remote(place) else Path(where)
    if target is None:
        return
    if target.resolve().is_relative_to(inside):
        raise _refuse(source, "the second copy lies inside it", "give a folder on another disk")
    if not target.is_dir():
        raise _refuse(source, f"there is no second copy in {target}", "make it: --second-copy")
    if target.stat().st_dev == folder.stat().st_dev:
        raise _refuse(
            source,
            f"the second copy ({target}) lies on the same disk as the mirror",
            "give a folder on another disk, or a remote",
        )


def _prove(path: Path, entry: FileEntry) -> os.stat_result | None:
    """Hash a file at the source once more; None where it is not what was mirrored."""
    buffer = bytearray(min(GRANULE, max(1, entry.bytes)))
    with path.open("rb", buffering=0) as file:
        descriptor = file.fileno()
        before = os.fstat(descriptor)
        if (before.st_size, before.st_mtime_ns) != (entry.bytes, entry.modified_ns):
            return None
        for number, digest in enumerate(entry.granules):
            start, stop = piece_bounds(number, entry.bytes)
            view = memoryview(buffer)[: stop - start]
            os.posix_fadvise(descriptor, start, len(view), os.POSIX_FADV_DONTNEED)
            if read_at(descriptor, view, start) < len(view):
                return None
            if xxhash.xxh3_128_hexdigest(view) != digest:
                return None
    return before


def _delete(folder: Path, proven: list[tuple[Path, FileEntry, os.stat_result]]) -> Deletion:
    deleted: list[str] = []
    n_bytes = 0
    log = folder / DELETIONS_NAME
    is_new = not log.exists()
    with log.open("a", encoding="utf-8") as file:
        if file.tell():
            file.write("\n")  # a kill may have cut the last line short
        if is_new:
            sync_folder(folder)
        for path, entry, stat in proven:
            now = path.stat()
            if _identity(now) != _identity(stat):
                continue  # written to since it was read: it stays
            line = {
                "file": entry.file,
                "source": str(path),
                "bytes": entry.bytes,
                "blake3": entry.blake3,
                "when": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            }
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
            path.unlink()
            deleted.append(entry.file)
            n_bytes += entry.bytes
    return Deletion(tuple(deleted), n_bytes)


def _identity(stat: os.stat_result) -> tuple[int, int, int, int]:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
