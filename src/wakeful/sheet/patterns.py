"""Recording cells that hold a pattern: every recording that fits it is meant, also later ones."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wakeful.sheet.characters import quote
from wakeful.sheet.places import Places, find_recording, foreign, why_outside

_SIGNS: Final = re.compile(r"[*?]")


def is_pattern(text: str, places: Places) -> bool:
    """Whether a cell means all recordings that fit, rather than one that is called so."""
    if not _SIGNS.search(text) or foreign(text):
        return False
    path = places.base / text
    try:
        exists = path.exists()
    except (OSError, ValueError):
        return True
    return not exists and not (places.kept is not None and places.kept(path))


def find_pattern(text: str, places: Places) -> tuple[Path | None, str]:
    """The pattern of a cell, from the root of the file system.

    `*` stands for any characters and `?` for one, within the name of a folder or file.

    Returns
    -------
    (the pattern, "") or (None, what is wrong and what to do).
    """
    if "**" in text:
        return None, (
            f"{quote(text)}: ** is not known; * stands for any characters within one name, "
            "e.g. /data/m01/*/*.edf"
        )
    parts = Path(text).parts
    first = next(n for n, part in enumerate(parts) if _SIGNS.search(part))
    if ".." in parts[first:]:
        return None, f"{quote(text)}: .. can't follow a * or ?; write the path out"
    if first == 0:
        folder: Path | None = places.base.resolve()
        if problem := why_outside(places.base.resolve(), text, places):
            return None, problem
    else:
        folder, problem = find_folder(str(Path(*parts[:first])), places)
    if folder is None:
        return None, problem
    return folder.joinpath(*parts[first:]), ""


def find_folder(text: str, places: Places) -> tuple[Path | None, str]:
    """The folder in which a pattern is looked for; returns as `find_pattern` does."""
    path = places.base / text
    if problem := why_outside(path.resolve(), text, places):
        return None, problem
    if not path.is_dir():
        _, problem = find_recording(text, places)
        return None, problem or f"{quote(text)} is a file; a pattern is looked for in a folder"
    try:
        with os.scandir(path) as entries:
            next(entries, None)
    except OSError as error:
        return None, f"{quote(text)} can't be read ({error.strerror})"
    return path.resolve(), ""


def fixed_folder(path: Path) -> Path:
    """The folder in which a pattern is looked for; the path itself where it is none."""
    signs = [n for n, part in enumerate(path.parts) if _SIGNS.search(part)]
    return Path(*path.parts[: signs[0]]) if signs else path


def matches(pattern: Path) -> Iterator[Path]:
    """What fits a pattern now, in the order of names; hidden names never do.

    Raises
    ------
    OSError
        A folder can't be read: its disk may be away.
    """
    folder = fixed_folder(pattern)
    yield from _below(folder, pattern.parts[len(folder.parts) :])


def _below(folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    if not parts:
        yield folder
        return
    if not _SIGNS.search(parts[0]):
        path = folder / parts[0]
        if path.is_dir() or (path.exists() and len(parts) == 1):
            yield from _below(path, parts[1:])
        return
    # Brackets mean themselves: they are common in names that people give.
    fits = re.compile(fnmatch.translate(parts[0].replace("[", "[[]")))
    with os.scandir(folder) as entries:
        found = [
            entry.name
            for entry in entries
            if not entry.name.startswith(".")
            and fits.match(entry.name)
            and (len(parts) == 1 or entry.is_dir())
        ]
    for name in sorted(found):
        yield from _below(folder / name, parts[1:])
