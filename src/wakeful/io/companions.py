"""Files that belong to a recording which is one file: they are taken in with it."""

from __future__ import annotations

from pathlib import Path

from wakeful.io.channels_file import FILE_NAME

_TABLES = {
    "_ColMajor.bin": ("_Meta.csv",),
    ".bin": (".meta", ".flat.json"),
    ".dat": (".flat.json",),
}
"""End of a recording's name -> ends of the names of the files it can't be read without."""


def companions(path: Path) -> tuple[Path, ...]:
    """The files beside `path` that reading it needs: what describes it, and a channels.csv."""
    names = [
        path.name[: -len(end)] + table
        for end, tables in _TABLES.items()
        if path.name.lower().endswith(end.lower())
        for table in tables
    ]
    return tuple(
        beside
        for name in (*names, FILE_NAME)
        if name != path.name and (beside := path.with_name(name)).is_file()
    )
