"""What files of rows have in common: header, bad lines, how rows are added, files written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wakeful.ledger import RowCells
from wakeful.model.errors import BadRow
from wakeful.sheet.interface import TYPED_COLUMNS, SheetRow
from wakeful.sheet.local import LocalSheet
from wakeful.sheet.validate import ValidationContext, validate_rows

TYPED_NAMES: Final = tuple(column.name for column in TYPED_COLUMNS)


@dataclass(frozen=True, kw_only=True)
class RowTable:
    """What a file of rows holds."""

    rows: tuple[SheetRow, ...]
    """`number` is the line of the file the row begins on; blank lines are left out."""
    unknown_columns: tuple[str, ...]
    """Headers that are none of the sheet's columns; their cells are not read."""


@dataclass(frozen=True, kw_only=True)
class RowImport:
    """What an import added."""

    added: tuple[SheetRow, ...]
    """As they now stand in the sheet."""
    unknown_columns: tuple[str, ...]
    notices: tuple[str, ...]
    """What was put right, each with its line; only where the rows were validated."""


class BadLines(BadRow):
    """Lines of a file can't be used; names every one, and nothing was taken from the file.

    Parameters
    ----------
    broken : one text a line
    path : the file
    """

    def __init__(self, broken: Sequence[str], path: Path) -> None:
        self.broken = tuple(broken)
        self.path = path
        super().__init__(
            f"{len(broken)} bad line{'s' if len(broken) > 1 else ''}, nothing was imported\n"
            + "\n".join(broken),
            where=str(path),
        )

    def __reduce__(self) -> tuple[type[BadLines], tuple[tuple[str, ...], Path]]:
        return BadLines, (self.broken, self.path)


def add_table(
    table: RowTable, path: Path, sheet: LocalSheet, context: ValidationContext | None = None
) -> RowImport:
    """Add the rows of a file to the local sheet: all of them, or none.

    Parameters
    ----------
    table : what was read
    path : the file it was read from, for messages
    sheet : gets the rows
    context : what the rows are judged by; None takes them as they are, to be judged in the sheet

    Raises
    ------
    BadLines
        Some rows can't be used; names every one. Nothing was added.
    """
    notices: list[str] = []
    if context is not None:
        # The sheet's own rows come first, so that a line that repeats one is told so.
        present = sheet.read_rows()
        checked = validate_rows((*present, *table.rows), context)
        broken: list[str] = []
        for result in checked:
            if result.row.counted_as != "line":
                continue
            if result.error is not None:
                broken.append(str(result.error))
            elif result.request is not None:
                notices += [f"{result.row.where}: {n}" for n in result.request.notices]
        if broken:
            raise BadLines(broken, path)
    added = sheet.add_many([RowCells(**row.cells()) for row in table.rows])
    return RowImport(added=added, unknown_columns=table.unknown_columns, notices=tuple(notices))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it appears when it is complete."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
