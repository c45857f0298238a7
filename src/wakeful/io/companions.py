"""Files that belong to a recording which is one file: they are taken in with it."""

from __future__ import annotations

from pathlib import Path

from wakeful.io.channels_file import FILE_NAME
from wakeful.io.sidecar import sidecar_of

_TABLES = {
    "_ColMajor.bin": ("_Meta.csv",),
    ".bin": (".meta", ".flat.json"),
    ".dat": (".flat.json",),
}
"""End of a recording's name -> ends of the names of the files it can't be read without."""

_EVENTS = {f".ns{i}": ".nev" for i in range(1, 7)}
"""Ending of a recording -> ending of the file beside it that holds its events."""


def companions(path: Path) -> tuple[Path, ...]:
    """The files beside `path` that reading it needs: what describes it, events, channels.csv."""
    names = [
        path.name[: -len(end)] + table
        for end, tables in _TABLES.items()
        if path.name.lower().endswith(end.lower())
        for table in tables
    ]
    if (end := _EVENTS.get(path.suffix.lower())) is not None:
        names.append(path.with_suffix(end).name)
    return tuple(
        beside
        for name in (*names, sidecar_of(path).name, FILE_NAME)
        if name != path.name and (beside := path.with_name(name)).is_file()
    )
