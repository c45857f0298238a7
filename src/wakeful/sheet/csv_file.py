"""The sheet as a CSV file, in and out.

A cell that a spreadsheet would take for a formula gets an apostrophe before it when it is written,
and loses that apostrophe, and no other, when it is read: what goes out comes back unchanged.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wakeful.model.errors import BadRow
from wakeful.sheet.headers import HEADER_REMEDY, column_of, find_columns
from wakeful.sheet.interface import COLUMNS, SheetRow
from wakeful.sheet.local import LocalSheet
from wakeful.sheet.row_files import (
    TYPED_NAMES,
    BadLines,
    RowImport,
    RowTable,
    add_table,
    write_whole,
)
from wakeful.sheet.validate import ValidationContext

_SEPARATORS: Final = (",", ";", "\t")
_SEPARATOR_LINE: Final = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
"""What a spreadsheet would compute, with any apostrophes before it (so that ours can be told)."""


@dataclass(frozen=True, kw_only=True)
class CsvTable(RowTable):
    """What a CSV file holds."""

    separator: str


def guard(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguard(text: str) -> str:
    """The cell that `guard` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def write_csv(path: Path, rows: Sequence[SheetRow]) -> None:
    """Write rows with their statuses; the file appears when it is complete.

    UTF-8 with a byte order mark, commas, every cell in quotes: every spreadsheet opens it alike.

    Raises
    ------
    BadRow
        A cell holds what is not text.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([column.name for column in COLUMNS])
    for row in rows:
        cells = {**row.cells(), **row.status_cells()}
        writer.writerow([guard(cells[column.name]) for column in COLUMNS])
    try:
        content = text.getvalue().encode("utf-8-sig")
    except UnicodeEncodeError as error:
        raise BadRow(
            f"a cell holds what is not text ({error.reason})", remedy="type the cell again"
        ) from error
    write_whole(path, content)


def read_csv(path: Path) -> CsvTable:
    """Read rows from a CSV file; what the cells mean is not judged here.

    UTF-8 with or without a byte order mark; commas, semicolons or tabs; any line ends. Headers
    are recognised whatever their case, with spaces, hyphens or underscores, by name or title.

    Raises
    ------
    BadRow
        The file is not such a file, or some of its lines are broken: names every one.
    """
    text = _decode(path)
    separator, skipped = _separator(text, path)
    numbered = _records(text, separator, skipped, path)
    header = next(numbered, None)
    if header is None:
        raise BadRow("the file is empty", where=str(path), remedy=HEADER_REMEDY)
    columns, unknown = find_columns(header[1], f"{path}, header")
    rows: list[SheetRow] = []
    broken: list[str] = []
    for line, cells in numbered:
        if not any(cell.strip() for cell in cells):
            continue
        if any(cell.strip() for cell in cells[len(columns) :]):
            broken.append(
                f"line {line}: has {len(cells)} cells under {len(columns)} headers; "
                "put cells that hold a separator in quotation marks"
            )
            continue
        named = {
            column: unguard(cell)
            for column, cell in zip(columns, cells, strict=False)
            if column in TYPED_NAMES
        }
        rows.append(SheetRow(identifier=str(line), number=line, counted_as="line", **named))
    if broken:
        raise BadLines(broken, path)
    return CsvTable(rows=tuple(rows), unknown_columns=unknown, separator=separator)


def read_csv_lines(path: Path) -> tuple[list[list[str]], int]:
    """The lines of a CSV file as text, header first; lines without anything are kept as [].

    Returns
    -------
    The lines, and how many lines of the file come before them.

    Raises
    ------
    BadRow
        The file is no CSV file in UTF-8, or a quotation mark does not close.
    """
    text = _decode(path)
    separator, skipped = _separator(text, path)
    lines: list[list[str]] = []
    for line, cells in _records(text, separator, skipped, path):
        # As many entries as the file has lines, so that numbers are those that editors show.
        lines += [[] for _ in range(line - skipped - 1 - len(lines))]
        lines.append([unguard(cell) for cell in cells])
    return lines, skipped


def import_csv(
    path: Path, sheet: LocalSheet, context: ValidationContext | None = None
) -> RowImport:
    """Add the rows of a CSV file to the local sheet: all of them, or none.

    Parameters
    ----------
    path : the file
    sheet : gets the rows
    context : what the rows are judged by; None takes them as they are, to be judged in the sheet

    Raises
    ------
    BadRow
        The file or some of its lines can't be used; names every bad line. Nothing was added.
    """
    return add_table(read_csv(path), path, sheet, context)


def _decode(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadRow(
            f"the file can't be read ({error.strerror})", where=str(path), remedy="correct the path"
        ) from error
    remedy = "save it as CSV UTF-8 in the spreadsheet program"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadRow("the file is UTF-16 text, not UTF-8", where=str(path), remedy=remedy)
    if content.startswith(b"PK\x03\x04"):
        raise BadRow("the file is a workbook, not a CSV file", where=str(path), remedy=remedy)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BadRow(
            f"line {line} holds a character that is not UTF-8", where=str(path), remedy=remedy
        ) from error


def _separator(text: str, path: Path) -> tuple[str, int]:
    """The character between cells, and how many lines come before the header."""
    if declared := _SEPARATOR_LINE.match(text):
        if declared[1] not in _SEPARATORS:
            raise BadRow(
                f'"{declared[1]}" separates the cells', where=str(path), remedy="use , or ; or tab"
            )
        return declared[1], 1
    first = text.split("\n", 1)[0]
    # The one under which most headers are known; a comma where none tells.
    return max(_SEPARATORS, key=lambda s: sum(column_of(c) is not None for c in first.split(s))), 0


def _records(
    text: str, separator: str, skipped: int, path: Path
) -> Iterator[tuple[int, list[str]]]:
    """(line it begins on, cells) of each record."""
    lines = io.StringIO(text, newline="")
    for _ in range(skipped):
        lines.readline()
    reader = csv.reader(lines, delimiter=separator, strict=True)
    line = skipped + 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # What comes after a quote that does not close can't be told apart from its cell.
            raise BadLines([f"line {line}: {error}; check its quotation marks"], path) from error
        yield line, cells
        line = skipped + reader.line_num + 1
