"""Reading raw data again to see whether it is still what was taken in, and making it so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import blake3
import xxhash

from wakeful.io.atomic import sync_folder
from wakeful.io.mirror.carrying import read_at
from wakeful.io.mirror.grid import GRANULE, piece_bounds, pieces_of
from wakeful.io.mirror.intake import TakenInElsewhere, hold_intake
from wakeful.io.mirror.manifest import (
    FileEntry,
    Manifest,
    aside_path,
    base_of,
    read_manifest,
)
from wakeful.io.mirror.passes import Progress

TAIL_SUFFIX = ".tail"
"""End of the name under which bytes are kept apart that stood behind the end of a file."""


@dataclass(frozen=True)
class Damage:
    """Bytes of one file that are no longer what was taken in."""

    file: str
    start: int
    stop: int
    """One past the last."""
    what: str
    """"differ", "missing" or "longer" (bytes behind the end of what was taken in); "blake3" where
    the whole file's checksum does not fit although its pieces do."""

    def __str__(self) -> str:
        if self.what == "blake3":
            return f"{self.file}: its BLAKE3 is not the one in the manifest"
        texts = {
            "differ": "differ",
            "missing": "are missing",
            "longer": "are more than was taken in",
        }
        return f"{self.file}: bytes {self.start:,} to {self.stop:,} {texts[self.what]}"


def scrub(
    manifest: Manifest, *, with_blake3: bool = False, progress: Progress | None = None
) -> tuple[Damage, ...]:
    """Read everything again, from the disk, and name what is no longer as it was taken in.

    Parameters
    ----------
    with_blake3 : compare the checksums of whole files too, at six times the processor time
    progress : called with bytes done and in all
    """
    done, total = 0, manifest.n_bytes
    found: list[Damage] = []
    for entry in manifest.files:
        for damage, n_bytes in _scrub_file(manifest, entry, with_blake3=with_blake3):
            if damage is not None:
                found.append(damage)
            done += n_bytes
            if progress is not None:
                progress(done, total)
    return tuple(found)


def _scrub_file(
    manifest: Manifest, entry: FileEntry, *, with_blake3: bool
) -> Iterator[tuple[Damage | None, int]]:
    """After each piece: what is wrong with it, and how many bytes it has."""
    path = manifest.base / entry.file
    if not path.is_file():
        yield Damage(entry.file, 0, entry.bytes, "missing"), entry.bytes
        return
    buffer = bytearray(min(GRANULE, max(1, entry.bytes)))
    hasher = blake3.blake3() if with_blake3 and entry.blake3 else None
    is_whole = True
    with path.open("rb", buffering=0) as file:
        descriptor = file.fileno()
        size = os.fstat(descriptor).st_size
        for number in range(len(entry.granules)):
            start, stop = piece_bounds(number, entry.bytes)
            view = memoryview(buffer)[: stop - start]
            os.posix_fadvise(descriptor, start, len(view), os.POSIX_FADV_DONTNEED)
            n_read = read_at(descriptor, view, start)
            damage = None
            if n_read < len(view):
                damage = Damage(entry.file, start + n_read, stop, "missing")
            elif not entry.accepts(number, xxhash.xxh3_128_hexdigest(view)):
                damage = Damage(entry.file, start, stop, "differ")
            is_whole = is_whole and damage is None
            if hasher is not None:
                hasher.update(view)
            yield damage, len(view)
    if manifest.complete and size > entry.bytes:
        yield Damage(entry.file, entry.bytes, size, "longer"), 0
    if hasher is not None and is_whole and hasher.hexdigest() != entry.blake3:
        yield Damage(entry.file, 0, entry.bytes, "blake3"), 0


def repair(
    manifest: Manifest, folder: Path, source: Path, damages: Iterable[Damage]
) -> tuple[Damage, ...]:
    """Fetch damaged pieces of a mirror again from its source.

    A piece is taken only if the source still holds the bytes that were taken in. Bytes behind the
    end of a file are moved apart.

    Parameters
    ----------
    folder : the intake folder
    source : file or folder that the mirror was made of
    damages : what `scrub` found

    Returns
    -------
    What could not be repaired, because the source is gone or holds other bytes.

    Raises
    ------
    TakenInElsewhere
        Another process takes this recording in at this moment, or has since it was scrubbed.
    """
    if manifest.in_place:
        return tuple(damages)
    entries = {entry.file: entry for entry in manifest.files}
    left: list[Damage] = []
    with hold_intake(folder, manifest.source):
        if read_manifest(folder) != manifest:  # what was "longer" may be verified by now
            raise TakenInElsewhere(
                "has been taken in anew since it was looked through",
                where=manifest.source,
                remedy="look through it again: `wakeful mirror` with --repair",
            )
        for damage in damages:
            entry, path = entries[damage.file], manifest.base / damage.file
            if damage.what == "longer":
                _cut_off(path, entry.bytes, aside_path(folder, entry.file + TAIL_SUFFIX))
            elif damage.what == "missing" and entry.bytes == 0:
                path.touch()
            else:
                left += _fetch_all(base_of(source) / damage.file, path, entry, damage)
            if path.is_file():
                os.utime(path, ns=(path.stat().st_atime_ns, entry.modified_ns))
    return tuple(left)


def _fetch_all(origin: Path, path: Path, entry: FileEntry, damage: Damage) -> list[Damage]:
    """Fetch every piece that is damaged; returns those that the source does not have."""
    left: list[Damage] = []
    for number in pieces_of(damage.start, damage.stop):
        start, stop = piece_bounds(number, entry.bytes)
        if damage.what == "blake3" or not _fetch(origin, path, entry, number):
            left.append(Damage(entry.file, start, stop, damage.what))
    return left


def _cut_off(path: Path, n_bytes: int, tail: Path) -> None:
    """Move what stands behind the first `n_bytes` of a file into another one."""
    with path.open("r+b") as file, tail.open("wb") as apart:
        file.seek(n_bytes)
        shutil.copyfileobj(file, apart)
        apart.flush()
        os.fsync(apart.fileno())
        file.truncate(n_bytes)
        os.fsync(file.fileno())


def _fetch(origin: Path, path: Path, entry: FileEntry, number: int) -> bool:
    """Write one piece anew; False where the source does not have it."""
    start, stop = piece_bounds(number, entry.bytes)
    data = bytearray(stop - start)
    if not origin.is_file():
        return False
    with origin.open("rb", buffering=0) as file:
        if read_at(file.fileno(), memoryview(data), start) < len(data):
            return False
    if xxhash.xxh3_128_hexdigest(data) != entry.granules[number]:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        view, at = memoryview(data), start
        while view:
            n_written = os.pwrite(descriptor, view, at)
            view, at = view[n_written:], at + n_written
        os.fsync(descriptor)
        sync_folder(path.parent)
        os.posix_fadvise(descriptor, start, stop - start, os.POSIX_FADV_DONTNEED)
        again = bytearray(stop - start)
        read_at(descriptor, memoryview(again), start)
        return again == data
    finally:
        os.close(descriptor)
