"""Taking in a recording that lies at another place: copied by rclone, checked, then hashed."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import blake3
import xxhash

from wakeful.io.atomic import sync_file, sync_folder
from wakeful.io.mirror.carrying import probe_of
from wakeful.io.mirror.grid import GRANULE, piece_bounds, pieces_of
from wakeful.io.mirror.intake import hold_intake
from wakeful.io.mirror.journal import JOURNAL_NAME, Journal, Pieces
from wakeful.io.mirror.manifest import (
    DATA_NAME,
    FileEntry,
    Manifest,
    read_manifest,
    set_aside,
    write_manifest,
)
from wakeful.io.mirror.passes import Progress, check_room
from wakeful.io.mirror.rclone import Listed, Rclone
from wakeful.io.mirror.sums import remove_sums, write_sums
from wakeful.model.errors import BadRecording, StillGrowing

INCOMING_NAME = "incoming"
"""In an intake folder: what rclone is copying; nothing in there has been checked."""


def take_in_remote(
    place: str,
    source: Path,
    folder: Path,
    rclone: Rclone,
    *,
    settle_s: float = 10.0,
    progress: Progress | None = None,
) -> Manifest:
    """Copy a finished recording from another place into `folder`.

    It is copied beside the mirror, held against the place by checksums (or byte by byte where the
    place has none), moved into the mirror and hashed into the manifest. What is here already, with
    size and time, is not copied again; files that changed or went are kept apart, as with any
    source.

    Parameters
    ----------
    place : `remote:path`
    source : the path by which rows name it
    folder : the intake folder
    settle_s : a file younger than this counts as still being written

    Raises
    ------
    StillGrowing
        A file has changed only just now, or while it was copied.
    BadRecording
        The copy differs from the place, or there is no room.
    TakenInElsewhere
        Another process takes this recording in at this moment.
    """
    there, only = rclone.split_file(place)
    listed = tuple(one for one in rclone.list_files(there) if not only or one.file == only)
    _check_age(place, listed, settle_s)
    with hold_intake(folder, place), Journal(folder / JOURNAL_NAME) as journal:
        data, incoming = folder / DATA_NAME, folder / INCOMING_NAME
        for made in (data, incoming):
            made.mkdir(exist_ok=True)
        here = {
            p.relative_to(incoming).as_posix(): p.stat().st_size
            for p in incoming.rglob("*")
            if p.is_file()
        }
        whole = {name for name, known in journal.files.items() if known.whole is not None}
        needed = sum(one.bytes for one in listed if one.file not in whole and one.file not in here)
        check_room(folder, needed)
        # What the journal does not vouch for may not be taken for a copy.
        for path in [p for p in data.rglob("*") if p.is_file()]:
            name = path.relative_to(data).as_posix()
            if name not in whole:
                target = incoming / name
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
        rclone.copy(
            there,
            str(incoming),
            unless_in=data,
            files=[only] if only else None,
            progress=progress,
        )
        arrived = _arrived(incoming, listed)
        if arrived:
            wrong = rclone.compare(there, str(incoming), download=False, files=arrived)
            if wrong:
                for name in wrong:  # else its size and time would pass for it the next time
                    (incoming / name).unlink(missing_ok=True)
                raise BadRecording(
                    f"{len(wrong)} of {len(arrived)} files differ from what lies there, the first "
                    f"is {wrong[0]}",
                    where=place,
                    remedy="if it is still being written, wait; else try again, and check the "
                    "network and the disk",
                )
        earlier = read_manifest(folder)
        _make_room_for(folder, journal, earlier, arrived, {one.file for one in listed})
        for name in arrived:
            _move_in(incoming / name, data / name)
        shutil.rmtree(incoming)
        for one in listed:
            known = journal.files.get(one.file)
            if known is None or known.whole is None:
                _hash_in(journal, one.file, data / one.file)
        manifest = _describe(folder, journal, earlier, source, listed)
        write_sums(folder, manifest)
        write_manifest(folder, manifest)
        return manifest


def _check_age(place: str, listed: tuple[Listed, ...], settle_s: float) -> None:
    now = time.time()
    for one in listed:
        age_s = now - one.modified_s
        if -settle_s <= age_s < settle_s:
            raise StillGrowing(
                f"{one.file} was written to {max(0.0, age_s):.0f} s ago, so it is still growing",
                where=place,
                remedy=f"it can be taken in once nothing has changed for {settle_s:g} s",
            )


def _arrived(incoming: Path, listed: tuple[Listed, ...]) -> list[str]:
    """What was copied; remains of files that the place no longer has are removed."""
    wanted = {one.file for one in listed}
    arrived: list[str] = []
    for path in sorted(p for p in incoming.rglob("*") if p.is_file()):
        name = path.relative_to(incoming).as_posix()
        if name in wanted:
            arrived.append(name)
        else:
            path.unlink()
    return arrived


def _make_room_for(
    folder: Path,
    journal: Journal,
    earlier: Manifest | None,
    arrived: list[str],
    wanted: set[str],
) -> None:
    """Set aside what is about to be replaced, and what the place no longer has."""
    gone = [
        name
        for path in sorted((folder / DATA_NAME).rglob("*"))
        if path.is_file()
        and (
            (name := path.relative_to(folder / DATA_NAME).as_posix()) in arrived
            or name not in wanted
        )
    ]
    if gone and earlier is not None:
        left = tuple(entry for entry in earlier.files if entry.file not in gone)
        remove_sums(folder)
        write_manifest(
            folder,
            Manifest(
                earlier.source, earlier.root, in_place=False, files=left,
                replaced=earlier.replaced, complete=False, new_heads=earlier.new_heads,
            ),
        )  # fmt: skip
    for name in gone:
        if name in wanted:
            journal.note_replaced(name)
        set_aside(folder, folder / DATA_NAME / name, name)
        journal.drop(name)


def _move_in(path: Path, target: Path) -> None:
    sync_file(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)
    sync_folder(target.parent)


def _hash_in(journal: Journal, name: str, path: Path) -> None:
    stat = path.stat()
    of_all = blake3.blake3()
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(min(GRANULE, max(1, stat.st_size)))
        for number in pieces_of(0, stat.st_size):
            start, stop = piece_bounds(number, stat.st_size)
            view = memoryview(buffer)[: stop - start]
            done = 0
            while done < len(view) and (n := file.readinto(view[done:])):
                done += n
            of_all.update(view)
            digest = xxhash.xxh3_128_hexdigest(view)
            journal.add_pieces([Pieces(name, number, (digest,), stop, probe_of(view))])
    journal.set_whole(name, stat.st_size, stat.st_mtime_ns, of_all.hexdigest())


def _describe(
    folder: Path,
    journal: Journal,
    earlier: Manifest | None,
    source: Path,
    listed: tuple[Listed, ...],
) -> Manifest:
    entries: list[FileEntry] = []
    for name in sorted(one.file for one in listed):
        known = journal.files[name]
        n_bytes, modified_ns = known.whole or (0, 0)
        digests = tuple(known.digests)
        entries.append(FileEntry(name, n_bytes, modified_ns, digests, known.blake3))
    before = () if earlier is None else earlier.replaced
    replaced = tuple(dict.fromkeys((*before, *journal.replaced)))
    root = folder / DATA_NAME
    if len(entries) == 1 and source.name == entries[0].file:
        root /= source.name  # the place named a file, not a folder
    return Manifest(str(source), str(root), in_place=False, files=tuple(entries), replaced=replaced)
