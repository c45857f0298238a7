"""The stand-in's Sheets: cells in tabs, as a person and as a program change them.

Values are held as Google holds them: text, numbers, booleans, dates, formulas. `RAW` writes keep
text as text; `USER_ENTERED` turns what looks like a date, a number or a formula into one, as it
does with what a person types into a cell that is not formatted as text.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from tests.google_stand_in.server import Answer, Asked, GoogleStandIn

Value = str | int | float | bool | date | None
_MOST_CELLS_A_CALL = 10_000_000
_RANGE = re.compile(r"(?:'(?P<quoted>(?:[^']|'')+)'|(?P<plain>[^!]+?))(?:!(?P<cells>.+))?")
_CELL = re.compile(r"([A-Z]*)(\d*)")


@dataclass(frozen=True)
class Formula:
    """A cell that computes what it shows."""

    text: str
    shows: str = ""


@dataclass
class Tab:
    """One tab: rows of values, and what was set up on it."""

    number: int
    title: str
    cells: list[list[Any]] = field(default_factory=list)
    n_rows: int = 1000
    n_columns: int = 26
    is_text: set[int] = field(default_factory=set)
    """Columns formatted as text: what is typed into them stays as it is typed."""
    rules: dict[str, list[Any]] = field(default_factory=dict)
    """Kind of request -> what was asked: validation, colours, formats, protection."""

    def get(self, row: int, column: int) -> Any:
        line = self.cells[row] if row < len(self.cells) else []
        return line[column] if column < len(line) else None

    def put(self, row: int, column: int, value: Any) -> None:
        while len(self.cells) <= row:
            self.cells.append([])
        line = self.cells[row]
        line.extend([None] * (column + 1 - len(line)))
        line[column] = value if value != "" else None

    @property
    def n_used(self) -> int:
        """Up to the last row that holds something."""
        return max(
            (n for n, line in enumerate(self.cells, 1) if any(v is not None for v in line)),
            default=0,
        )

    @property
    def protected(self) -> list[dict[str, Any]]:
        return [one["protectedRange"] for one in self.rules.get("addProtectedRange", [])]


@dataclass
class Book:
    """A spreadsheet."""

    key: str
    title: str
    tabs: list[Tab] = field(default_factory=list)
    shared: dict[str, str] = field(default_factory=dict)
    """E-mail -> reader or writer."""
    owner: str = "anna@lab.example"
    n_made: int = 1

    def tab(self, title: str) -> Tab:
        return next(tab for tab in self.tabs if tab.title.casefold() == title.casefold())

    def add_tab(self, title: str) -> Tab:
        tab = Tab(self.n_made, title)
        self.n_made += 1
        self.tabs.append(tab)
        return tab


class SheetsStandIn:
    """Spreadsheets; what a person does to them is done by the methods of `Person`."""

    def __init__(self, google: GoogleStandIn) -> None:
        self._google = google
        self.books: dict[str, Book] = {}
        self.is_enabled = True
        """Whether the account's project has the Sheets API switched on."""
        self.written: list[dict[str, Any]] = []
        """Bodies of values:batchUpdate as they came."""

    def make(self, title: str, *, shared: dict[str, str], tab: str = "Sheet1") -> Book:
        key = f"1{title.replace(' ', '-')}-{len(self.books):04d}-stand-in"
        book = Book(key, title, shared=dict(shared))
        book.add_tab(tab)
        self.books[key] = book
        return book

    def address(self, book: Book) -> str:
        return f"https://docs.google.com/spreadsheets/d/{book.key}/edit#gid=0"

    def answer(self, asked: Asked) -> Answer | None:
        from tests.google_stand_in.server import Answer, refusal

        found = re.fullmatch(r"/v4/spreadsheets/([^/:]+)(.*)", asked.path)
        if found is None:
            return None
        if not self.is_enabled:
            return refusal(
                403,
                "Google Sheets API has not been used in project 1 before or it is disabled.",
                "accessNotConfigured",
                "PERMISSION_DENIED",
            )
        key, rest = found[1], unquote(found[2])
        book = self.books.get(key)
        if book is None:
            return refusal(404, "Requested entity was not found.", "notFound", "NOT_FOUND")
        role = "writer" if asked.account == book.owner else book.shared.get(asked.account, "")
        if not role or (role == "reader" and asked.method != "GET"):
            return refusal(
                403, "The caller does not have permission", "forbidden", "PERMISSION_DENIED"
            )
        if asked.method == "GET" and rest == "":
            return Answer(200, _describe(book))
        if asked.method == "GET" and rest == "/values:batchGet":
            return self._batch_get(book, asked)
        if asked.method == "POST" and rest == "/values:batchUpdate":
            return self._batch_put(book, asked)
        if asked.method == "POST" and rest == ":batchUpdate":
            return self._change(book, asked)
        return refusal(404, f"not known here: {asked.method} {asked.path}", "notFound")

    def _batch_get(self, book: Book, asked: Asked) -> Answer:
        from tests.google_stand_in.server import Answer

        option = asked.one("valueRenderOption", "FORMATTED_VALUE")
        ranges = []
        for text in asked.query.get("ranges", []):
            place = _find(book, text)
            if place is None:
                return _bad_range(text)
            tab, (top, left, bottom, right) = place
            values = [
                [_render(tab.get(row, column), option) for column in range(left, right)]
                for row in range(top, min(bottom, tab.n_used))
            ]
            for line in values:  # Google leaves out what is empty at the ends
                while line and line[-1] == "":
                    line.pop()
            while values and not values[-1]:
                values.pop()
            entry: dict[str, Any] = {"range": text, "majorDimension": "ROWS"}
            if values:
                entry["values"] = values
            ranges.append(entry)
        return Answer(200, {"spreadsheetId": book.key, "valueRanges": ranges})

    def _batch_put(self, book: Book, asked: Asked) -> Answer:
        from tests.google_stand_in.server import Answer, refusal

        body = asked.json()
        self.written.append(body)
        as_typed = body["valueInputOption"] == "USER_ENTERED"
        planned: list[tuple[Tab, int, int, Any]] = []
        for one in body["data"]:
            place = _find(book, one["range"])
            if place is None:
                return _bad_range(one["range"])
            tab, (top, left, bottom, right) = place
            for row, line in enumerate(one["values"], top):
                for column, value in enumerate(line, left):
                    if row >= bottom or column >= right:
                        return refusal(
                            400,
                            f"Requested writing within range [{one['range']}], but tried writing "
                            "to more",
                            "badRequest",
                            "INVALID_ARGUMENT",
                        )
                    if row >= tab.n_rows:
                        return refusal(
                            400, "Range exceeds grid limits", "badRequest", "INVALID_ARGUMENT"
                        )
                    if value is not None:
                        planned.append((tab, row, column, value))
        for tab, row, column, value in planned:
            typed = _as_typed(value) if as_typed and column not in tab.is_text else value
            tab.put(row, column, typed)
        return Answer(200, {"spreadsheetId": book.key, "totalUpdatedCells": len(planned)})

    def _change(self, book: Book, asked: Asked) -> Answer:
        """spreadsheets:batchUpdate: all requests, or none."""
        from tests.google_stand_in.server import Answer, refusal

        replies: list[dict[str, Any]] = []
        for request in asked.json()["requests"]:
            ((kind, what),) = request.items()
            if kind == "addSheet":
                title = what["properties"]["title"]
                if any(tab.title.casefold() == title.casefold() for tab in book.tabs):
                    return refusal(
                        400,
                        f'A sheet with the name "{title}" already exists.',
                        "badRequest",
                        "INVALID_ARGUMENT",
                    )
                tab = book.add_tab(title)
                grid = what["properties"].get("gridProperties", {})
                tab.n_rows = grid.get("rowCount", tab.n_rows)
                replies.append(
                    {"addSheet": {"properties": {"sheetId": tab.number, "title": title}}}
                )
                continue
            number = _sheet_of(what)
            found = next((tab for tab in book.tabs if tab.number == number), None)
            if kind not in _KNOWN_REQUESTS or (found is None and kind not in _BY_ID):
                return refusal(400, f"Invalid requests: {kind}", "badRequest", "INVALID_ARGUMENT")
            replies.append({})
            if found is not None:
                _apply(found, kind, what)
            else:
                for tab in book.tabs:
                    _apply(tab, kind, what)
        return Answer(200, {"spreadsheetId": book.key, "replies": replies})


_BY_ID = {"deleteProtectedRange"}
_KNOWN_REQUESTS = {
    "updateSheetProperties",
    "repeatCell",
    "updateCells",
    "setDataValidation",
    "addConditionalFormatRule",
    "deleteConditionalFormatRule",
    "addProtectedRange",
    "deleteProtectedRange",
    "updateDimensionProperties",
    "appendDimension",
}


def _apply(tab: Tab, kind: str, what: dict[str, Any]) -> None:
    if kind == "updateSheetProperties":
        properties = what["properties"]
        tab.title = properties.get("title", tab.title)
        grid = properties.get("gridProperties", {})
        tab.n_rows = grid.get("rowCount", tab.n_rows)
        tab.n_columns = grid.get("columnCount", tab.n_columns)
    if kind == "appendDimension":
        tab.n_rows += what["length"] if what["dimension"] == "ROWS" else 0
        return
    if kind == "deleteConditionalFormatRule":
        tab.rules["addConditionalFormatRule"].pop(what["index"])
        return
    if kind == "deleteProtectedRange":
        kept = [
            one
            for one in tab.rules.get("addProtectedRange", [])
            if one["protectedRange"]["protectedRangeId"] != what["protectedRangeId"]
        ]
        tab.rules["addProtectedRange"] = kept
        return
    if kind == "addProtectedRange":
        numbers = [p["protectedRangeId"] for p in tab.protected]
        made = {**what["protectedRange"], "protectedRangeId": 1 + max(numbers, default=0)}
        what = {"protectedRange": made}
    if kind == "repeatCell":
        kinds = what["cell"].get("userEnteredFormat", {}).get("numberFormat", {})
        if kinds.get("type") == "TEXT":
            area = what["range"]
            tab.is_text |= set(range(area["startColumnIndex"], area["endColumnIndex"]))
    if kind == "updateCells":
        start = what["start"]
        for row, line in enumerate(what["rows"], start.get("rowIndex", 0)):
            for column, cell in enumerate(line["values"], start.get("columnIndex", 0)):
                if "userEnteredValue" in cell:
                    ((_, value),) = cell["userEnteredValue"].items()
                    tab.put(row, column, value)
    tab.rules.setdefault(kind, []).append(what)


def _sheet_of(what: Any) -> int | None:
    """The tab that a request is about: its number stands somewhere within."""
    if isinstance(what, dict):
        if "sheetId" in what:
            return int(what["sheetId"])
        for value in what.values():
            if (found := _sheet_of(value)) is not None:
                return found
    if isinstance(what, list):
        for value in what:
            if (found := _sheet_of(value)) is not None:
                return found
    return None


def _describe(book: Book) -> dict[str, Any]:
    return {
        "spreadsheetId": book.key,
        "properties": {"title": book.title, "locale": "en_US", "timeZone": "Europe/Berlin"},
        "sheets": [
            {
                "properties": {
                    "sheetId": tab.number,
                    "title": tab.title,
                    "index": index,
                    "gridProperties": {"rowCount": tab.n_rows, "columnCount": tab.n_columns},
                },
                "protectedRanges": tab.protected,
                "conditionalFormats": [
                    one["rule"] for one in tab.rules.get("addConditionalFormatRule", [])
                ],
            }
            for index, tab in enumerate(book.tabs)
        ],
    }


def _bad_range(text: str) -> Answer:
    from tests.google_stand_in.server import refusal

    return refusal(400, f"Unable to parse range: {text}", "badRequest", "INVALID_ARGUMENT")


def _find(book: Book, text: str) -> tuple[Tab, tuple[int, int, int, int]] | None:
    """The tab of a range in A1 notation, and (top, left, bottom, right), from 0, ends excluded."""
    found = _RANGE.fullmatch(text)
    if found is None:
        return None
    title = found["quoted"].replace("''", "'") if found["quoted"] else found["plain"]
    try:
        tab = book.tab(title)
    except StopIteration:
        return None
    first, _, last = (found["cells"] or "").partition(":")
    if not first:
        return tab, (0, 0, tab.n_rows, tab.n_columns)
    top, left = _corner(first)
    bottom, right = _corner(last or first)
    return tab, (
        top or 0,
        left or 0,
        tab.n_rows if bottom is None else bottom + 1,
        tab.n_columns if right is None else right + 1,
    )


def _corner(text: str) -> tuple[int | None, int | None]:
    found = _CELL.fullmatch(text)
    assert found is not None, text
    column = None
    if found[1]:
        column = 0
        for letter in found[1]:
            column = 26 * column + ord(letter) - 64
        column -= 1
    return (int(found[2]) - 1 if found[2] else None), column


def _render(value: Any, option: str) -> Any:
    if value is None:
        return ""
    if isinstance(value, Formula):
        return value.text if option == "FORMULA" else value.shows
    if isinstance(value, date):
        return value.isoformat()
    if option == "FORMATTED_VALUE" and not isinstance(value, str):
        return str(value).upper() if isinstance(value, bool) else f"{value:g}"
    return value


def _as_typed(value: Any) -> Any:
    """What Google makes of what is typed into a cell that is not formatted as text."""
    if not isinstance(value, str):
        return value
    if value.startswith("="):
        return Formula(value, "#NAME?")
    if value.startswith("'"):
        return value[1:]
    if value.upper() in ("TRUE", "FALSE"):
        return value.upper() == "TRUE"
    if re.fullmatch(r"-?\d+", value):
        return int(value)
    if found := re.fullmatch(r"(\d{1,2})-(\d{1,2})", value):
        month, day = int(found[1]), int(found[2])
        if 1 <= month <= 12 and 1 <= day <= 28:
            return date(2026, month, day)
    return value


class Person:
    """Somebody at the sheet in the browser.

    Parameters
    ----------
    google : whose sheet
    book, title : which sheet, and its tab
    """

    def __init__(self, google: GoogleStandIn, book: Book, title: str) -> None:
        self._lock = google.lock
        self._book = book
        self._title = title

    @property
    def _tab(self) -> Tab:
        return self._book.tab(self._title)

    def header(self) -> list[str]:
        with self._lock:
            return [str(v or "") for v in (self._tab.cells[0] if self._tab.cells else [])]

    def type_header(self, names: list[str]) -> None:
        with self._lock:
            for column, name in enumerate(names):
                self._tab.put(0, column, name)

    def rows(self) -> list[dict[str, Any]]:
        """Header -> value, of every row that holds something."""
        with self._lock:
            header = self.header()
            return [
                {name: self._tab.get(row, column) for column, name in enumerate(header) if name}
                for row in range(1, self._tab.n_used)
            ]

    def type_row(self, cells: dict[str, Any]) -> int:
        """Type into the first free row; gives its number."""
        with self._lock:
            row = max(1, self._tab.n_used)
            for name, value in cells.items():
                self.type_cell(row + 1, name, value)
            return row + 1

    def type_cell(self, number: int, column: str, value: Any) -> None:
        with self._lock:
            index = self.header().index(column)
            typed = value if index in self._tab.is_text else _as_typed(value)
            self._tab.put(number - 1, index, typed)

    def put(self, number: int, column: str, value: Any) -> None:
        """Put a value as Google holds it: a formula, a date."""
        with self._lock:
            self._tab.put(number - 1, self.header().index(column), value)

    def delete_row(self, number: int) -> None:
        with self._lock:
            del self._tab.cells[number - 1]

    def insert_row(self, number: int) -> None:
        with self._lock:
            self._tab.cells.insert(number - 1, [])

    def copy_row(self, number: int, to: int) -> None:
        """Copy a row, statuses and all, into a new one."""
        with self._lock:
            self._tab.cells.insert(to - 1, list(self._tab.cells[number - 1]))

    def sort(self, column: str, *, descending: bool = False) -> None:
        with self._lock:
            index = self.header().index(column)
            head, *body = self._tab.cells
            body.sort(key=lambda line: _order(line, index), reverse=descending)
            self._tab.cells = [head, *body]

    def shuffle(self, rng: random.Random) -> None:
        with self._lock:
            head, *body = self._tab.cells
            rng.shuffle(body)
            self._tab.cells = [head, *body]

    def move_column(self, name: str, to: int) -> None:
        with self._lock:
            index = self.header().index(name)
            for line in self._tab.cells:
                line.extend([None] * (len(self.header()) - len(line)))
                line.insert(to, line.pop(index))

    def as_json(self) -> str:
        return json.dumps([[repr(v) for v in line] for line in self._tab.cells])


def _order(line: list[Any], index: int) -> tuple[bool, str]:
    value = line[index] if index < len(line) else None
    return (value is None, "" if value is None else str(value))
