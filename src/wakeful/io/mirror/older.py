"""Intake folders of versions whose pieces began at other places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import blake3
import xxhash

from wakeful.io.mirror.carrying import PROBE_BYTES, probe_of
from wakeful.io.mirror.grid import GRANULE, HEAD_BYTES
from wakeful.io.mirror.journal import JOURNAL_NAME, Journal, Pieces, is_older
from wakeful.io.mirror.manifest import (
    DATA_NAME,
    LAYOUT,
    FileEntry,
    Manifest,
    read_tree,
    set_aside,
    write_manifest,
)

_OLD_JOURNAL = "journal-layout-1.jsonl"
_CHUNK = 1 << 20


def is_older_intake(folder: Path) -> bool:
    """Whether what is in an intake folder was taken in by such a version."""
    tree = read_tree(folder)
    return (tree is not None and tree.get("layout") != LAYOUT) or is_older(folder / JOURNAL_NAME)


def convert_older(folder: Path) -> Manifest | None:
    """Vouch anew for copies that an older version made.

    Each copy is read once and held against its old checksums, while the new ones are made; nothing
    is copied again. One that does not match any more is set aside. Data that was used in place is
    simply hashed again by the pass that follows.

    Returns
    -------
    What there is now; None where there was nothing to convert.
    """
    if not is_older_intake(folder):
        return None
    tree = read_tree(folder)
    if is_older(folder / JOURNAL_NAME):
        (folder / JOURNAL_NAME).rename(folder / _OLD_JOURNAL)
    for part in (folder / DATA_NAME).rglob(".*.part"):
        part.unlink()  # what a kill left of a copy; its source is still there
    if tree is None or tree["in_place"]:
        return None
    with Journal(folder / JOURNAL_NAME) as journal:
        entries = [
            entry
            for old in _files_of(tree)
            if (entry := _convert(folder, journal, old)) is not None
        ]
    manifest = Manifest(
        str(tree["source"]),
        str(tree["root"]),
        in_place=False,
        files=tuple(entries),
        replaced=tuple(str(name) for name in tree.get("replaced", ())),
        complete=len(entries) == len(_files_of(tree)),
    )
    write_manifest(folder, manifest)
    return manifest


def _files_of(tree: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(tree["files"])


def _convert(folder: Path, journal: Journal, old: dict[str, Any]) -> FileEntry | None:
    name, n_bytes, modified_ns = str(old["file"]), int(old["bytes"]), int(old["modified_ns"])
    known = journal.files.get(name)
    path = folder / DATA_NAME / name
    if known is None or known.whole is None:
        if not path.is_file():
            return None
        before, digests, probe, of_all = _hash(path)
        if before != list(old["granules"]) or path.stat().st_size != n_bytes:
            set_aside(folder, path, name)
            return None
        if digests:
            journal.add_pieces([Pieces(name, 0, tuple(digests), n_bytes, probe)])
        journal.set_whole(name, n_bytes, modified_ns, of_all)
        known = journal.files[name]
    return FileEntry(name, n_bytes, modified_ns, tuple(known.digests), known.blake3)


def _hash(path: Path) -> tuple[list[str], list[str], str, str]:
    """xxh3-128 of each 16 MiB from the start, of each piece, the last probe, BLAKE3 of all."""
    old, new = _Grid(GRANULE), _Grid(HEAD_BYTES)
    of_all, last = blake3.blake3(), b""
    for chunk in _chunks(path):
        of_all.update(chunk)
        old.update(chunk)
        new.update(chunk)
        last = (last + chunk)[-PROBE_BYTES:]
    length = new.inside
    return old.end(), new.end(), probe_of(last[-length:] if length else last), of_all.hexdigest()


class _Grid:
    """Digests of a file's pieces: the first of one size, the others 16 MiB."""

    def __init__(self, first: int) -> None:
        self._left = first
        self._state = xxhash.xxh3_128()
        self._digests: list[str] = []
        self.inside = 0

    def update(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            part = view[: self._left]
            self._state.update(part)
            self.inside += len(part)
            self._left -= len(part)
            view = view[len(part) :]
            if self._left == 0:
                self._digests.append(str(self._state.hexdigest()))
                self._state, self._left, self.inside = xxhash.xxh3_128(), GRANULE, 0

    def end(self) -> list[str]:
        if self.inside:
            self._digests.append(str(self._state.hexdigest()))
        return self._digests


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            yield chunk
