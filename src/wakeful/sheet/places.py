"""Whether the path in a cell leads to something that can be read, and if not, why."""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final

from wakeful.sheet.characters import describe, is_invisible, ordinal, quote

_CLUTTER: Final = frozenset({"thumbs.db", "desktop.ini"})
"""What file managers leave in folders that are otherwise empty."""

_LONGEST_PATH: Final = 4_000
"""Bytes; Linux takes 4,095 with the base folder."""

_MOST_NAMES: Final = 2_000
"""So many names of a folder are looked at for a similar one."""


@dataclass(frozen=True)
class Places:
    """Where paths begin and where they may lead.

    Parameters
    ----------
    base : relative paths count from here
    roots : folders that paths must lead into; None for anywhere
    results : the library's own result folders, never a source of data
    kept : whether a recording that is gone has been taken in before
    own : the library's own folders of files that rows name, besides `roots`
    """

    base: Path
    roots: tuple[Path, ...] | None = None
    results: tuple[Path, ...] = ()
    kept: Callable[[Path], bool] | None = None
    own: tuple[Path, ...] = ()


def find_recording(text: str, places: Places) -> tuple[Path | None, str]:
    """The recording that a cell names.

    Returns
    -------
    (its absolute path, "") or (None, what is wrong and what to do).
    """
    path, problem = _find(text, places)
    if path is None:
        mirrored = _kept(text, places)
        return (None, problem) if mirrored is None else (mirrored, "")
    problem = _unreadable(path, text) or _among_results(path, text, places)
    return (None, problem) if problem else (path, "")


def _kept(text: str, places: Places) -> Path | None:
    """Where a recording was that is gone, but was taken in before: its mirror outlives it."""
    if places.kept is None or foreign(text):
        return None
    try:
        path = (places.base / text).resolve()
        return path if not path.exists() and places.kept(path) else None
    except (OSError, RuntimeError, ValueError):
        return None


def find_file(text: str, places: Places) -> tuple[Path | None, str]:
    """The file that a cell names; returns as `find_recording` does."""
    if places.roots is not None:
        places = replace(places, roots=(*places.roots, *places.own))
    path, problem = _find(text, places)
    if path is None:
        return None, problem
    if _is_folder(path):
        return None, f"{quote(text)} is a folder; give the path of a file"
    problem = _unreadable(path, text)
    return (None, problem) if problem else (path, "")


def _find(text: str, places: Places) -> tuple[Path | None, str]:
    if problem := foreign(text):
        return None, problem
    try:
        path = (places.base / text).resolve()
        if problem := why_outside(path, text, places):
            return None, problem  # before anything is told of what is there
        path.lstat()
    except FileNotFoundError:
        return None, _not_there(text, places)
    except NotADirectoryError:
        return None, f"{quote(text)} leads through a file as if it were a folder; correct the path"
    except PermissionError:
        return None, f"{quote(text)} can't be looked at: no permission; {_ASK}"
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return None, f"{quote(text)} can't be found ({reason}); correct the path"
    return path, ""


def why_outside(path: Path, text: str, places: Places) -> str:
    """Why a path may not be read; "" where it may."""
    if places.roots is None or any(path.is_relative_to(r.resolve()) for r in places.roots):
        return ""
    allowed = ", ".join(map(str, places.roots)) or "nothing yet"
    return (
        f"{quote(text)} lies outside the folders that may be read ({allowed}); "
        "move it there, or have the folder added in wakeful.toml"
    )


_ASK: Final = "ask its owner to let the account that runs Wakeful read it"


def foreign(text: str) -> str:
    """Why text can't be a path of this machine at all."""
    if text[0] == text[-1] and text[0] in "\"'" and len(text) > 1:
        return f"{quote(text)} stands in quotation marks; take them away"
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", text):
        return f"{quote(text)} is an address; give the path of a folder or file"
    if re.match(r"[a-zA-Z]:[\\/]", text) or text.startswith("\\\\"):
        return (
            f"{quote(text)} is a path of a Windows machine; "
            "give it as the machine that runs Wakeful sees it, e.g. /data/M014/2026-05-09"
        )
    if len(os.fsencode(text)) > _LONGEST_PATH:
        return f"{quote(text)} is longer than any path can be; correct the path"
    if text.startswith("~"):
        return f"{quote(text)} begins with ~, and it is not known whose home that is; write it out"
    return ""


def _not_there(text: str, places: Places) -> str:
    if not text.startswith("/") and not _is_folder(places.base):
        return (
            f"{quote(text)} counts from the base folder {places.base}, which is not there; "
            "is its disk connected?"
        )
    missing = places.base / text
    while not _is_folder(missing.parent) and missing.parent != missing:
        missing = missing.parent
    problem = f"{quote(text)} is not there ({missing.parent} has no {quote(missing.name)})"
    for index, character in enumerate(text):
        if is_invisible(character):
            return f"{problem}; the {ordinal(index)} {describe(character)}: delete it"
    similar = difflib.get_close_matches(missing.name, _names_in(missing.parent), n=1, cutoff=0.75)
    if similar:
        return f"{problem}; did you mean {quote(similar[0])}?"
    return f"{problem}; correct the path, or check that its disk is connected"


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _names_in(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in islice(entries, _MOST_NAMES))
    except OSError:
        return


def _unreadable(path: Path, text: str) -> str:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            with os.scandir(path) as entries:
                is_empty = all(_is_clutter(entry.name) for entry in entries)
            return f"{quote(text)} is an empty folder; {_WAIT}" if is_empty else ""
        if not stat.S_ISREG(mode):
            return f"{quote(text)} is neither a folder nor a file; give a folder or file"
        # Tried, not asked: rights on a network drive are not what they say.
        with path.open("rb") as file:
            return "" if file.read(1) else f"{quote(text)} is an empty file; {_WAIT}"
    except PermissionError:
        return f"{quote(text)} can't be read: no permission; {_ASK}"
    except OSError as error:
        return f"{quote(text)} can't be read ({error.strerror}); check its disk"


_WAIT: Final = "check that the recording was written there"


def _is_clutter(name: str) -> bool:
    return name.startswith(".") or name.lower() in _CLUTTER


@lru_cache(maxsize=64)
def _resolved(folder: Path) -> Path:
    """A library's folder without links: asked for with each row."""
    return folder.resolve()


def _among_results(path: Path, text: str, places: Places) -> str:
    for folder in map(_resolved, places.results):
        if path.is_relative_to(folder):
            return (
                f"{quote(text)} lies in the library's own results ({folder}); "
                "give the recording as it was acquired"
            )
        if folder.is_relative_to(path):
            return (
                f"{quote(text)} holds the library's own results ({folder}); "
                "give the folder of one recording"
            )
    return ""
