"""Is a recording still being written, and how one can tell."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from wakeful.io.mirror.grid import HEAD_BYTES
from wakeful.io.mirror.manifest import base_of, source_files
from wakeful.model.errors import StillGrowing

_CLOSED = re.compile(
    rb"^-TimeClosed[ \t]+\S|^#+[ \t]*Time Closed[^\r\n]*\d", re.MULTILINE | re.IGNORECASE
)
_OPENED = re.compile(
    rb"^-TimeCreated[ \t]+\S|^#+[ \t]*Time Opened[^\r\n]*\d", re.MULTILINE | re.IGNORECASE
)
_LEFT_OPEN_S = 600.0
"""A file that its acquisition has not closed may be written to again after this long."""
_WITH_CLOSING_TIME = frozenset({".ncs", ".nev", ".nse", ".ntt", ".nst", ".nvt"})
_WRITING = os.O_WRONLY | os.O_RDWR


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a recording is known to have ended."""

    settle_s: float = 10.0
    """Nothing has changed for this long; with 0 everything is settled."""
    marker: str = ""
    """Pattern of the name of a file that the acquisition leaves when it has ended, such as
    `*.done`; "" where there is none."""


@dataclass(frozen=True)
class Look:
    """What a look at a source showed."""

    ended: bool
    why: str
    """For people: "CSC3.ncs was written to 3 s ago"."""
    settle_s: float
    at_rest: frozenset[str]
    """Files, relative to the recording, that have been closed or left alone for long enough."""


def check_settled(source: Path, settle_s: float) -> None:
    """Refuse a recording that is still being written.

    The clock of the machine that wrote it may be ahead of this one's. A file dated further into the
    future than `settle_s` is no sign of that, and waiting for its date might take years: it counts
    as settled. Should it still be growing, `take_in` notices, which compares size and modification
    time before and after each file is read.

    Parameters
    ----------
    source : file or folder
    settle_s : seconds without a change; with 0 everything is settled

    Raises
    ------
    StillGrowing
        A file was modified less than `settle_s` ago.
    """
    now = time.time()
    for path in source_files(source):
        age_s = now - path.stat().st_mtime
        if _is_young(age_s, settle_s):
            raise StillGrowing(
                f"modified {max(0.0, age_s):.0f} s ago, so it is still being written",
                where=str(path),
                remedy=f"it is taken in once nothing has changed for {settle_s:g} s",
            )


def look_at(source: Path, ending: Ending) -> Look:
    """Find out whether a source still grows, and why that is thought.

    A file is at rest once nobody on this machine holds it open for writing and it has not changed
    for `settle_s`. Who writes on another machine can't be seen, only that the file changes. A
    Neuralynx file whose header has no closing time is given ten minutes: the acquisition may only
    have paused. A closing time is no proof, since the file may be a copy that is being made. The
    source has ended when all its files are at rest, and the marker is there where one is asked for.

    Raises
    ------
    NoRecording
        Nothing is there.
    """
    files = source_files(source)
    base = base_of(source)
    now = time.time()
    why = ""
    at_rest: set[str] = set()
    writers = _writers(files)
    for path in files:
        name = path.relative_to(base).as_posix()
        age_s = now - path.stat().st_mtime
        if path in writers:
            why = why or f"{name} is held open for writing by {writers[path]}"
        elif _is_young(age_s, ending.settle_s):
            why = why or f"{name} was written to {max(0.0, age_s):.0f} s ago"
        elif ending.settle_s > 0 and _is_young(age_s, _LEFT_OPEN_S) and _was_left_open(path):
            why = why or f"{name} has no closing time and was written to {age_s:.0f} s ago"
        else:
            at_rest.add(name)
    if ending.marker and not any(
        fnmatch(path.name, ending.marker) and path.is_file()
        for path in (base.rglob("*") if source.is_dir() else base.iterdir())
    ):
        why = why or f"no file is called {ending.marker} yet, which marks the end"
    why_ended = "all files are closed or have settled"
    return Look(not why, why or why_ended, ending.settle_s, frozenset(at_rest))


def _was_left_open(path: Path) -> bool:
    """Whether a Neuralynx file says in its header when it was begun, and not when it was closed."""
    if path.suffix.lower() not in _WITH_CLOSING_TIME:
        return False
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return _OPENED.search(head) is not None and _CLOSED.search(head) is None


def has_closing_time(path: Path) -> bool:
    """Whether a Neuralynx file says in its header when it was closed."""
    if path.suffix.lower() not in _WITH_CLOSING_TIME:
        return False
    with path.open("rb") as file:
        return _CLOSED.search(file.read(HEAD_BYTES)) is not None


def _is_young(age_s: float, settle_s: float) -> bool:
    return -settle_s <= age_s < settle_s


def _writers(files: Iterable[Path]) -> dict[Path, str]:
    """Which of the files a process of this machine holds open for writing, and its name.

    Only processes that this user may look into are seen.
    """
    wanted = {os.path.realpath(path): path for path in files}
    found: dict[Path, str] = {}
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal():
            continue
        try:
            descriptors = list((process / "fd").iterdir())
        except OSError:
            continue  # another user's, or gone
        for descriptor in descriptors:
            try:
                path = wanted.get(str(descriptor.readlink()))
                if path is not None and _writes(process / "fdinfo" / descriptor.name):
                    name = (process / "comm").read_text().strip()
                    found[path] = f"{name} (process {process.name})"
            except OSError:
                continue
    return found


def _writes(descriptor: Path) -> bool:
    for line in descriptor.read_text().splitlines():
        key, _, value = line.partition(":")
        if key == "flags":
            return bool(int(value, 8) & _WRITING)
    return False
