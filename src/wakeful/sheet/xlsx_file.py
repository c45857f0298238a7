"""The sheet as an Excel workbook (.xlsx), in and out.

Cells are written as text and marked as text, so that no program takes an identifier for a date or
a sign for a formula. What is read is the text that a person sees in the cell; a formula is refused,
since what it shows may change without anybody having typed it.
"""

from __future__ import annotations

import io
import math
import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from wakeful.model.errors import BadRow
from wakeful.sheet.characters import quote
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

T = TypeVar("T")

LONGEST_XLSX_CELL: Final = 32_767
"""Characters; the format holds no more, and programs cut what is longer."""

_LARGEST_BYTES: Final = 256 << 20
"""Unpacked; 100,000 rows have a tenth of it. A small file may be made to unpack for ever."""

_EXACT: Final = 10**15
"""Spreadsheets keep 15 digits of a number and turn the others into zeros."""

_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_TO_ESCAPE: Final = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)|[\x00-\x08\x0b-\x1f\ufffe\uffff]")
_WIDTHS: Final = {"recording": 40, "analyses": 24, "notes": 30, "link": 40, "message": 60}


@dataclass(frozen=True, kw_only=True)
class XlsxTable(RowTable):
    """What a workbook holds."""

    worksheet: str
    """The name of the worksheet the rows were read from."""


def write_xlsx(
    path: Path, rows: Sequence[SheetRow], notes: Sequence[tuple[str, int, str]] = ()
) -> None:
    """Write rows with their statuses; the file appears when it is complete.

    Parameters
    ----------
    notes : (worksheet, row, message) of what is wrong elsewhere; a worksheet of their own

    Raises
    ------
    BadRow
        A cell holds what is not text, or more than a workbook takes.
    """
    write_whole(path, _workbook(rows, notes))


def _workbook(rows: Sequence[SheetRow], notes: Sequence[tuple[str, int, str]] = ()) -> bytes:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    # All texts first: what is refused is refused before a workbook is begun.
    texts = [
        [
            _escape(name, text, row.where)
            for name, text in {**row.cells(), **row.status_cells()}.items()
        ]
        for row in rows
    ]
    book = Workbook(write_only=True)
    page = book.create_sheet("sheet")
    page.freeze_panes = "A2"
    for number, column in enumerate(COLUMNS, start=1):
        page.column_dimensions[get_column_letter(number)].width = _WIDTHS.get(column.name, 14)
    page.auto_filter.ref = f"A1:{get_column_letter(len(COLUMNS))}{len(rows) + 1}"

    def text_cell(text: str) -> Any:
        cell = WriteOnlyCell(page, value=text)
        # After the value, which else decides by itself that "=1" is to be computed.
        cell.data_type = "s"
        cell.number_format = "@"
        return cell

    header = [WriteOnlyCell(page, value=column.name) for column in COLUMNS]
    for cell in header:
        cell.font = Font(bold=True)
    page.append(header)
    for line in texts:
        page.append([text_cell(text) for text in line])
    if notes:
        page = book.create_sheet("notes")
        page.column_dimensions["C"].width = 100
        page.append(["worksheet", "row", "message"])
        for title, number, message in notes:
            page.append([text_cell(title), number, text_cell(message)])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _escape(column: str, text: str, where: str) -> str:
    """Text as the format keeps it: characters that XML can't hold are spelt."""
    if column not in TYPED_NAMES and len(text) > LONGEST_XLSX_CELL // 8:
        text = f"{text[: LONGEST_XLSX_CELL // 8]}…"  # said whole on the page and in the log
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRow(
            f"{column} holds what is not text ({error.reason})",
            where=where,
            remedy="type the cell again",
        ) from error
    escaped = _TO_ESCAPE.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
    if len(escaped) > LONGEST_XLSX_CELL:
        raise BadRow(
            f"{column} has {len(text):,} characters; a workbook takes {LONGEST_XLSX_CELL:,}",
            where=where,
            remedy="shorten it, or export as CSV",
        )
    return escaped


def _unescape(text: str) -> str:
    def spelt(found: re.Match[str]) -> str:
        code = int(found[1], 16)
        return found[0] if 0xD800 <= code < 0xE000 else chr(code)

    return _ESCAPED.sub(spelt, text)


def read_xlsx(path: Path) -> XlsxTable:
    """Read rows from the one worksheet that has the sheet's columns; nothing is judged here.

    The first line that is not empty names the columns, as in `read_csv`. Numbers and dates become
    the text that a person sees: 1.0 is "1", a date is ISO 8601. Hidden worksheets are not read.

    Raises
    ------
    BadRow
        The file is not such a file, or some of its lines are broken (a formula, a number that the
        spreadsheet has rounded): names every one.
    """
    return _opened(path, lambda book: _read_book(book, path))


def _opened(path: Path, read: Callable[[Any], T]) -> T:
    """What is read from a workbook; whatever is wrong with it is said in plain words."""
    from openpyxl import load_workbook

    content = _contents(path)
    try:
        with warnings.catch_warnings():
            # What openpyxl does not know of the workbook's looks is of no account here.
            warnings.simplefilter("ignore")
            book = load_workbook(io.BytesIO(content), read_only=True, rich_text=False)
            try:
                return read(book)
            finally:
                book.close()
    except BadRow:
        raise
    except Exception as error:  # a damaged workbook fails in every way there is
        raise BadRow(
            f"the workbook is damaged ({type(error).__name__}: {error})",
            where=str(path),
            remedy="open it in the spreadsheet program and save it again",
        ) from error


def read_pages(path: Path) -> dict[str, list[list[str]]]:
    """All visible worksheets as text, by title: line after line, empty ones as [].

    A formula is given as it stands ("=A1"), for whoever judges the cell to refuse it.

    Raises
    ------
    BadRow
        The file is not a workbook, or damaged.
    """

    def read(book: Any) -> dict[str, list[list[str]]]:
        pages: dict[str, list[list[str]]] = {}
        for page in book.worksheets:
            if page.sheet_state != "visible":
                continue
            lines: list[list[str]] = []
            for line, cells in _lines(page):
                lines += [[] for _ in range(line - 1 - len(lines))]
                lines.append([_text_or_formula(cell) for cell in cells])
            pages[str(page.title)] = lines
        return pages

    found = _opened(path, read)
    if not found:
        raise BadRow("the workbook has no worksheet", where=str(path), remedy=HEADER_REMEDY)
    return found


def _text_or_formula(cell: Any) -> str:
    problems: list[str] = []
    text = _text(cell, "", problems.append)
    if not problems:
        return text
    value = cell.value
    return value if isinstance(value, str) else f"{value}"


def import_xlsx(
    path: Path, sheet: LocalSheet, context: ValidationContext | None = None
) -> RowImport:
    """Add the rows of a workbook to the local sheet: all of them, or none.

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
    return add_table(read_xlsx(path), path, sheet, context)


def _contents(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadRow(
            f"the file can't be read ({error.strerror})", where=str(path), remedy="correct the path"
        ) from error
    remedy = "save it as an Excel workbook (.xlsx) in the spreadsheet program"
    if not content:
        raise BadRow("the file is empty", where=str(path), remedy=HEADER_REMEDY)
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise BadRow(
            "the file is an old .xls, or locked by a password",
            where=str(path),
            remedy=f"take the password off, or {remedy}",
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
            is_workbook = "[Content_Types].xml" in packed.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error):
        is_workbook, size = False, 0
    if not is_workbook:
        raise BadRow("the file is not a workbook", where=str(path), remedy=remedy)
    if size > _LARGEST_BYTES:
        raise BadRow(
            f"the workbook unpacks to {size / 1e6:,.0f} MB",
            where=str(path),
            remedy="leave only the rows in it, without pictures",
        )
    return content


def _read_book(book: Any, path: Path) -> XlsxTable:
    pages = [page for page in book.worksheets if page.sheet_state == "visible"]
    found = [page for page in pages if _has_columns(page)]
    if len(found) > 1:
        names = ", ".join(quote(page.title) for page in found)
        raise BadRow(
            f"{len(found)} worksheets hold rows: {names}",
            where=str(path),
            remedy="keep one of them in the file, or hide the others",
        )
    if not pages:
        raise BadRow("the workbook has no worksheet", where=str(path), remedy=HEADER_REMEDY)
    # Where none fits, the first one is read all the same: that says what its header lacks.
    return _read_page((found or pages)[0], path)


def _lines(page: Any) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """(line, cells) of each line that holds something."""
    # What a file says of its own size may be wrong, and then lines would be missed.
    page.reset_dimensions()
    for line, cells in enumerate(page.iter_rows(), start=1):
        if any(_is_filled(cell) for cell in cells):
            yield line, cells


def _is_filled(cell: Any) -> bool:
    return cell.value is not None and (not isinstance(cell.value, str) or bool(cell.value.strip()))


def _header(cells: Sequence[Any]) -> list[str]:
    return [_unescape(cell.value) if isinstance(cell.value, str) else "" for cell in cells]


def _has_columns(page: Any) -> bool:
    first = next(_lines(page), None)
    names = set(map(column_of, _header(first[1]))) if first else set()
    return {"subject", "recording"} <= names


def _read_page(page: Any, path: Path) -> XlsxTable:
    numbered = _lines(page)
    first = next(numbered, None)
    if first is None:
        raise BadRow("the worksheet is empty", where=str(path), remedy=HEADER_REMEDY)
    columns, unknown = find_columns(_header(first[1]), f"{path}, header")
    nameless: dict[str, None] = {}
    rows: list[SheetRow] = []
    broken: list[str] = []
    for line, cells in numbered:
        named: dict[str, str] = {}
        problems: list[str] = []
        for place, cell in enumerate(cells):
            column = columns[place] if place < len(columns) else ""
            if column in TYPED_NAMES:
                named[column] = _text(cell, column, problems.append)
            elif not column and _is_filled(cell) and not _header_at(first[1], place):
                nameless[f"column {cell.column_letter}"] = None
        if problems:
            broken.append(f"line {line}: {' | '.join(problems)}")
        elif any(text.strip() for text in named.values()):
            rows.append(SheetRow(identifier=str(line), number=line, counted_as="line", **named))
    if broken:
        raise BadLines(broken, path)
    return XlsxTable(
        rows=tuple(rows), unknown_columns=(*unknown, *nameless), worksheet=str(page.title)
    )


def _header_at(cells: Sequence[Any], place: int) -> bool:
    return place < len(cells) and _is_filled(cells[place])


def _text(cell: Any, column: str, report: Callable[[str], None]) -> str:
    """The text that a person sees in a cell; what can't be taken is reported."""
    value = cell.value
    if value is None:
        return ""
    if cell.data_type == "f":
        formula = value if isinstance(value, str) else str(getattr(value, "text", "=..."))
        report(f"{column}: {quote(formula)} is a formula; type what it shows instead")
        return ""
    if isinstance(value, str):
        return _unescape(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        if not math.isfinite(value) or abs(value) >= _EXACT:
            report(
                f"{column}: {value:.6g} is a number of more than 15 digits, which the spreadsheet "
                "has rounded; format the cell as text and type it again"
            )
            return ""
        return _number(value, str(cell.number_format or "General"))
    return _moment(value)


def _number(value: float, shown_as: str) -> str:
    """A number as its cell shows it: 14 under the format 000 is 014."""
    if re.fullmatch(r"0+", shown_as) and float(value).is_integer():
        return f"{'-' if value < 0 else ''}{abs(int(value)):0{len(shown_as)}d}"
    if decimals := re.fullmatch(r"(?:#,##)?0\.(0+)(%?)", shown_as):
        share = decimals[2]
        return f"{value * 100 if share else value:.{len(decimals[1])}f}{share}"
    if shown_as == "0%":
        return f"{value * 100:.0f}%"
    return str(int(value)) if float(value).is_integer() else f"{value:.15g}"


def _moment(value: date | time | timedelta) -> str:
    """A date or time in ISO 8601, to the second."""
    if isinstance(value, datetime):
        # A day's fraction is not exact: 14:30 is kept as something near it.
        moment = (value + timedelta(milliseconds=500)).replace(microsecond=0)
        return moment.date().isoformat() if moment.time() == time() else moment.isoformat(" ")
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
        return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return value.isoformat(timespec="seconds") if isinstance(value, time) else value.isoformat()
