"""Where what is known of a file is kept, and the note that it must be read in full."""

from __future__ import annotations

import hashlib
from pathlib import Path


def place_of_scan(folder: Path, path: Path) -> Path:
    """The file that remembers what was found in a file of a recording."""
    return folder / f"{hashlib.sha256(str(path).encode()).hexdigest()[:32]}.json"


def doubt_quick_look(folder: Path | None, path: Path) -> bool:
    """Note that a quick look at a file missed something; whether it could be noted."""
    if folder is None:
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _doubt(folder, path).touch()
    except OSError:
        return False
    return True


def is_doubted(folder: Path | None, path: Path) -> bool:
    """Whether a quick look at a file missed something."""
    return folder is not None and _doubt(folder, path).exists()


def _doubt(folder: Path, path: Path) -> Path:
    return place_of_scan(folder, path).with_suffix(".doubt")
