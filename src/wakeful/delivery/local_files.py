"""The published files as they lie here, with their checksums."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from wakeful.delivery.interface import TargetAway
from wakeful.io.published import published_names

PIECE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class LocalFile:
    """A file to deliver."""

    name: str
    """Below the session's folder, with forward slashes."""
    path: Path
    size: int
    md5: str


def read_local(folder: Path) -> dict[str, LocalFile]:
    """All files of a published folder, read once for their checksums.

    Raises
    ------
    TargetAway
        One is gone: the folder is being published anew.
    BrokenArtefact
        The folder has no manifest.
    """
    return {name: read_file(folder, name) for name in published_names(folder)}


def read_file(folder: Path, name: str) -> LocalFile:
    """A file as it is now."""
    path = folder / name
    try:
        md5, size = md5_of(path)
    except FileNotFoundError:
        raise changed(path) from None
    return LocalFile(name, path, size, md5)


def md5_of(path: Path) -> tuple[str, int]:
    """MD5 of a file, and the bytes that were read for it."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size


def changed(path: Path) -> TargetAway:
    """The error of a file that is not what it was a moment ago."""
    return TargetAway(
        "changed while it was delivered",
        where=str(path),
        remedy="it is delivered again once it has settled",
    )
