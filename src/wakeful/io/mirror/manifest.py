"""What was taken in, from where, and how readers find it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from wakeful.io.atomic import write_json
from wakeful.io.companions import companions
from wakeful.io.mirror.grid import GRANULE, pieces_of
from wakeful.io.registry import Growth
from wakeful.model.errors import BadRecording, NoRecording
from wakeful.model.recording import ByteRange

MANIFEST_NAME = "manifest.json"
DATA_NAME = "data"
ASIDE_NAME = "no-longer-at-the-source"
"""In an intake folder: earlier versions of files, and files that the source no longer has."""

LAYOUT = 2
"""Version of the grid of pieces and of the files in an intake folder. 1 had no head piece."""


@dataclass(frozen=True)
class FileEntry:
    """One file of a recording, as it was when it was taken in."""

    file: str
    """Relative to the recording."""
    bytes: int
    """Verified bytes, from the start of the file."""
    modified_ns: int
    """The source's modification time."""
    granules: tuple[str, ...]
    """xxh3-128 of each piece: the first 16 KiB, then each 16 MiB."""
    blake3: str = ""
    """Of the whole file; "" while it grows."""
    next_head: str = ""
    """xxh3-128 of the header that takes the place of the first piece at this moment; either is
    right. "" at all other times."""

    def accepts(self, number: int, digest: str) -> bool:
        """Whether a piece with this digest is the one that was taken in."""
        return digest == self.granules[number] or (
            number == 0 and bool(self.next_head) and digest == self.next_head
        )


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
    new_heads: tuple[str, ...] = ()
    """Files whose header the acquisition rewrote after it had been taken in, as it does when it
    closes them; the new one was taken, the old one is kept apart."""

    @cached_property
    def n_bytes(self) -> int:
        """Verified size of the recording."""
        return sum(entry.bytes for entry in self.files)

    @property
    def base(self) -> Path:
        """The folder that the names of files are relative to."""
        root = Path(self.root)
        return root if root.is_dir() else root.parent

    @property
    def growth(self) -> Growth | None:
        """How far the files may be read, for `read_recording`; None where they are whole."""
        if self.complete:
            return None
        return Growth({entry.file: entry.bytes for entry in self.files}, GRANULE)

    def digests_of(self, ranges: Iterable[ByteRange]) -> list[list[object]]:
        """For each range [file, start, stop, digests of the pieces it touches].

        Raises
        ------
        BadRecording
            A range lies outside what was taken in.
        """
        entries = {entry.file: entry for entry in self.files}
        named: list[list[object]] = []
        for part in ranges:
            entry = entries.get(part.file)
            if entry is None or part.stop > entry.bytes:
                raise BadRecording(
                    f"bytes {part.start} to {part.stop} were never taken in",
                    where=part.file,
                    remedy="run the row again: the recording has changed since it was copied",
                )
            touched = pieces_of(part.start, part.stop)
            digests = [entry.granules[number] for number in touched]
            named.append([part.file, part.start, part.stop, digests])
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
    files = tuple(sorted(map(Path, _walk(str(source)))))
    if not files:
        raise NoRecording(
            "the folder is empty",
            where=str(source),
            remedy="check the path, or wait until the acquisition has written something",
        )
    return files


def _walk(folder: str) -> Iterator[str]:
    """The files below a folder, hidden ones and hidden folders left out; links to folders too."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path)
            elif entry.is_file():
                yield entry.path


def base_of(source: Path) -> Path:
    """The folder that the names of a source's files are relative to."""
    return source if source.is_dir() else source.parent


def intake_folder(raw: Path, source: Path) -> Path:
    """Where the manifest (and the mirror) of a source lies: its name and a hash of its path."""
    slug = "".join(c if c.isalnum() or c in "-_." else "-" for c in source.name).strip(".-")
    return raw / f"{slug[:60] or 'recording'}-{sha256(str(source).encode()).hexdigest()[:8]}"


def scans_folder(folder: Path) -> Path:
    """Where readers keep what they learnt from time stamps, beside a recording's manifest."""
    return folder / "scans"


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest in an intake folder.

    None where nothing was taken in yet, and where it was taken in by a version that cut files into
    other pieces: the next `take_in` converts that, with what it finds in the folder.
    """
    tree = read_tree(folder)
    if tree is None or tree.get("layout") != LAYOUT:
        return None
    files = tuple(FileEntry(**{**f, "granules": tuple(f["granules"])}) for f in tree["files"])
    return Manifest(
        str(tree["source"]),
        str(tree["root"]),
        bool(tree["in_place"]),
        files,
        tuple(tree["replaced"]),
        bool(tree["complete"]),
        tuple(tree["new_heads"]),
    )


def read_tree(folder: Path) -> Mapping[str, Any] | None:
    """What stands in manifest.json, of whatever layout; None where there is none."""
    path = folder / MANIFEST_NAME
    if not path.is_file():
        return None
    tree: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return tree


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest so that readers see the old one or the new one."""
    write_json(folder / MANIFEST_NAME, {"layout": LAYOUT, **asdict(manifest)})


def is_current(manifest: Manifest, source: Path, *, in_place: bool) -> bool:
    """Whether the source is still what was taken in to its end, and its copy is there.

    A mirror outlives its source, as far as that was taken in to its end, and also single files of
    it that were deleted by Wakeful itself. A copy of which a file was moved away (because it was
    damaged) is made whole again from the source, as long as that is there.
    """
    if manifest.in_place != in_place or not manifest.complete:
        return False
    try:
        listing = _listing(source)
    except NoRecording:
        return not manifest.in_place
    taken = {f.file: (f.bytes, f.modified_ns) for f in manifest.files}
    if not manifest.in_place:
        base = manifest.base
        if not all((base / entry.file).is_file() for entry in manifest.files):
            return False
        gone = deleted_files(base.parent) - set(listing)
        taken = {name: stat for name, stat in taken.items() if name not in gone}
    return listing == taken


def _listing(source: Path) -> dict[str, tuple[int, int]]:
    base = base_of(source)
    listing: dict[str, tuple[int, int]] = {}
    for path in source_files(source):
        stat = path.stat()
        listing[path.relative_to(base).as_posix()] = (stat.st_size, stat.st_mtime_ns)
    return listing


DELETIONS_NAME = "deletions.jsonl"
"""In an intake folder: which files were deleted at the source, because they are safe here."""


def deleted_files(folder: Path) -> set[str]:
    """Files that Wakeful deleted at the source, or was about to."""
    path = folder / DELETIONS_NAME
    names: set[str] = set()
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                names.add(str(json.loads(line)["file"]))
            except (ValueError, KeyError, TypeError):
                continue  # the line a kill cut short: nothing had been deleted for it
    return names


def set_aside(folder: Path, path: Path, name: str) -> Path:
    """Move a file of the mirror out of it: raw data is never removed. Returns where it is now."""
    target = aside_path(folder, name)
    path.rename(target)
    return target


def aside_path(folder: Path, name: str) -> Path:
    """A free place for something that is kept apart; its folder is made."""
    stamp = time.strftime("%Y%m%dT%H%M%S")
    number = 0
    while True:
        when = stamp if number == 0 else f"{stamp}-{number}"
        target = folder / ASIDE_NAME / when / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            return target
        number += 1
