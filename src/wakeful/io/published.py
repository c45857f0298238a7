"""A session's published folder, as those who hand it on read it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Final

from wakeful.model.errors import BrokenArtefact

MANIFEST: Final = ".wakeful-manifest.json"
"""Which files are ours, with the hash of what we wrote: {"files": {name: [sha256, ...]}}."""


def published_names(folder: Path) -> tuple[str, ...]:
    """Names of the files that were published into a folder; what else lies there is somebody's.

    Raises
    ------
    BrokenArtefact
        The folder has no manifest, or one that can't be read.
    """
    path = folder / MANIFEST
    try:
        names = [str(name) for name in json.loads(path.read_text(encoding="utf-8"))["files"]]
        if bad := [name for name in names if not _is_inside(name)]:
            raise ValueError(f"{bad[0]!r} leads out of the folder")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrokenArtefact(
            f"can't be read as a manifest ({error})",
            where=str(path),
            remedy="run `wakeful run --once`: the session is published anew",
        ) from None
    return tuple(sorted(names))


def published_digest(folder: Path) -> str:
    """Digest of what is published in a folder; "" where nothing is."""
    try:
        return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _is_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and "\0" not in name
