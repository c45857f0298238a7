"""What every sheet promises, whatever holds its rows.

A new kind of sheet joins by one entry in `SHEETS`. The second kind here keeps its rows in memory:
other tests may use it in place of a real one, because it passes the same promises.
"""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pytest
from openpyxl import Workbook

from tests.google_stand_in import google_stand_in
from tests.google_stand_in.server import SERVICE_EMAIL
from tests.google_stand_in.sheets import Person as GooglePersonOfStandIn
from wakeful.google.account import make_account
from wakeful.google.pace import Pace
from wakeful.google.spreadsheet import Spreadsheet
from wakeful.ledger import Ledger, RowCells
from wakeful.sheet import (
    COLUMNS,
    FILLED_COLUMNS,
    TYPED_COLUMNS,
    LocalSheet,
    Sheet,
    SheetRow,
    Status,
    StatusUpdate,
)
from wakeful.sheet.google_sheet import GoogleSheet
from wakeful.sheet.inbox import InboxFile


class MemorySheet:
    """Rows in a list; counts the cells it writes."""

    def __init__(self) -> None:
        self.rows: list[SheetRow] = []
        self.n_written = 0
        self._n_made = 0

    def read_rows(self) -> tuple[SheetRow, ...]:
        return tuple(replace(row, number=n) for n, row in enumerate(self.rows, start=1))

    def write_statuses(self, updates: Sequence[StatusUpdate]) -> None:
        wanted = {update.identifier: update.status_cells() for update in updates}
        for index, row in enumerate(self.rows):
            new = wanted.get(row.identifier, row.status_cells())
            self.n_written += sum(new[c] != t for c, t in row.status_cells().items())
            self.rows[index] = replace(row, **new)

    def type_row(self, cells: RowCells) -> None:
        self._n_made += 1
        self.rows.append(SheetRow(identifier=f"r{self._n_made}", number=0, **cells.cells()))

    def type_cell(self, identifier: str, column: str, text: str) -> None:
        self.rows = [
            replace(r, **{column: text}) if r.identifier == identifier else r for r in self.rows
        ]

    def remove(self, identifier: str) -> None:
        self.rows = [r for r in self.rows if r.identifier != identifier]


class Person(Protocol):
    """Somebody at the sheet."""

    def type_row(self, cells: RowCells) -> None: ...
    def type_cell(self, identifier: str, column: str, text: str) -> None: ...
    def remove(self, identifier: str) -> None: ...


@dataclass
class LocalPerson:
    sheet: LocalSheet

    def type_row(self, cells: RowCells) -> None:
        self.sheet.add_many([cells])

    def type_cell(self, identifier: str, column: str, text: str) -> None:
        self.sheet.edit(int(identifier), column, text)

    def remove(self, identifier: str) -> None:
        self.sheet.delete(int(identifier))


@dataclass
class Place:
    sheet: Sheet
    person: Person
    n_written: Callable[[], int]
    """How many changes reached the place where the rows are held."""
    first_number: int = 1
    """Number of the first row as the person sees it."""
    keeps_identifiers: bool = True
    """Whether a row is the same whatever is typed into it; else it is what is typed into it."""


@contextmanager
def _memory(_folder: Path) -> Iterator[Place]:
    sheet = MemorySheet()
    yield Place(sheet, sheet, lambda: sheet.n_written)


@contextmanager
def _local(folder: Path) -> Iterator[Place]:
    with Ledger.open(folder / "w.db") as ledger:
        sheet = LocalSheet(ledger, actor="anna")

        with closing(sqlite3.connect(folder / "w.db")) as watcher:

            def n_written() -> int:
                # Moves whenever another connection has changed the file.
                return int(watcher.execute("PRAGMA data_version").fetchone()[0])

            yield Place(sheet, LocalPerson(sheet), n_written)


class GooglePerson:
    """Somebody at a Google Sheet, who finds rows by what they see in them."""

    def __init__(self, sheet: GoogleSheet, person: GooglePersonOfStandIn) -> None:
        self._sheet = sheet
        self._person = person

    def type_row(self, cells: RowCells) -> None:
        self._person.type_row({c: t for c, t in cells.cells().items() if t})

    def type_cell(self, identifier: str, column: str, text: str) -> None:
        self._person.type_cell(self._number(identifier), column, text)

    def remove(self, identifier: str) -> None:
        self._person.delete_row(self._number(identifier))

    def _number(self, identifier: str) -> int:
        return next(r.number for r in self._sheet.read_rows() if r.identifier == identifier)


@contextmanager
def _google(folder: Path) -> Iterator[Place]:
    with google_stand_in() as google, pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAKEFUL_GOOGLE_ENDPOINT", google.address)
        google.write_key(folder / "key.json")
        book = google.sheets.make("Rows", shared={SERVICE_EMAIL: "writer"})
        person = GooglePersonOfStandIn(google, book, "Sheet1")
        person.type_header([column.name for column in COLUMNS])
        book.tab("Sheet1").is_text = set(range(len(COLUMNS)))
        values = json.loads((folder / "key.json").read_text(encoding="utf-8"))
        account = make_account(values, "key.json")
        sheet = GoogleSheet(Spreadsheet(book.key, account, Pace(), Pace()))

        def n_written() -> int:
            return sum(len(body["data"]) for body in google.sheets.written)

        yield Place(sheet, GooglePerson(sheet, person), n_written, 2, keeps_identifiers=False)


class FilePerson:
    """Somebody who changes a file of rows and saves it."""

    def __init__(self, sheet: InboxFile, path: Path) -> None:
        self._sheet = sheet
        self._path = path
        self.lines: list[list[str]] = [[column.name for column in TYPED_COLUMNS]]
        self._save()

    def type_row(self, cells: RowCells) -> None:
        self.lines.append(list(cells.cells().values()))
        self._save()

    def type_cell(self, identifier: str, column: str, text: str) -> None:
        self.lines[self._index(identifier)][self.lines[0].index(column)] = text
        self._save()

    def remove(self, identifier: str) -> None:
        del self.lines[self._index(identifier)]
        self._save()

    def _index(self, identifier: str) -> int:
        return next(r.number for r in self._sheet.read_rows() if r.identifier == identifier) - 1

    def _save(self) -> None:
        if self._path.suffix == ".csv":
            with self._path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(self.lines)
            return
        book = Workbook()
        for line in self.lines:
            book.active.append(line)
        book.save(self._path)


def _file(ending: str) -> Callable[[Path], AbstractContextManager[Place]]:
    @contextmanager
    def place(folder: Path) -> Iterator[Place]:
        path = folder / f"rows{ending}"
        sheet = InboxFile(path, settled_s=0.0)
        person = FilePerson(sheet, path)

        def n_written() -> int:
            # The file beside it is replaced each time: the old one must stay to tell them apart.
            if sheet.status_path.exists():
                kept = folder / f"kept{len(list(folder.glob('kept*')))}"
                if not any(sheet.status_path.samefile(k) for k in folder.glob("kept*")):
                    kept.hardlink_to(sheet.status_path)
            return len(list(folder.glob("kept*")))

        yield Place(sheet, person, n_written, 2, keeps_identifiers=False)

    return place


SHEETS: dict[str, Callable[[Path], AbstractContextManager[Place]]] = {
    "local": _local,
    "memory": _memory,
    "google": _google,
    "csv": _file(".csv"),
    "xlsx": _file(".xlsx"),
}


@pytest.fixture(params=SHEETS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with SHEETS[request.param](tmp_path) as place:
        for subject in ("M014", "M015", "M016"):
            place.person.type_row(RowCells(subject=subject, recording="day1", notes=" as typed "))
        yield place


def _update(row: SheetRow, status: Status, **cells: str) -> StatusUpdate:
    return StatusUpdate(identifier=row.identifier, status=status, **cells)


def test_rows_come_as_typed_from_the_top_down(place: Place) -> None:
    rows = place.sheet.read_rows()
    assert [row.subject for row in rows] == ["M014", "M015", "M016"]
    first = place.first_number
    assert [row.number for row in rows] == [first, first + 1, first + 2]
    assert len({row.identifier for row in rows}) == 3
    assert rows[0].notes == " as typed "
    assert set(rows[0].status_cells().values()) == {""}
    assert place.sheet.read_rows() == rows


def test_statuses_show_and_clear(place: Place) -> None:
    first, second, _ = place.sheet.read_rows()
    place.sheet.write_statuses(
        [
            _update(first, Status.RUNNING, progress="3 of 24", message="block 3"),
            _update(second, Status.QUEUED),
        ]
    )
    place.sheet.write_statuses([_update(first, Status.DONE, link="published/M014")])
    rows = place.sheet.read_rows()
    assert list(rows[0].status_cells().values()) == ["done", "", "", "", "published/M014", ""]
    assert [row.status for row in rows] == ["done", "queued", ""]


def test_what_is_shown_already_is_not_written_again(place: Place) -> None:
    updates = [_update(row, Status.QUEUED, progress="0 %") for row in place.sheet.read_rows()]
    before = place.n_written()
    place.sheet.write_statuses(updates)
    after = place.n_written()
    assert after > before
    place.sheet.write_statuses(updates)
    place.sheet.write_statuses([])
    assert place.n_written() == after
    place.sheet.write_statuses([*updates[:2], replace(updates[2], status=Status.RUNNING)])
    assert place.n_written() > after


def test_a_row_that_is_gone_is_left_out_and_the_others_written(place: Place) -> None:
    rows = place.sheet.read_rows()
    place.person.remove(rows[0].identifier)
    place.sheet.write_statuses([_update(row, Status.QUEUED) for row in rows])
    assert [(r.subject, r.status) for r in place.sheet.read_rows()] == [
        ("M015", "queued"),
        ("M016", "queued"),
    ]


def test_identifiers_stay_and_are_not_given_again(place: Place) -> None:
    if not place.keeps_identifiers:
        pytest.skip("a row of this sheet is what is typed into it")
    before = {row.subject: row.identifier for row in place.sheet.read_rows()}
    place.person.remove(before["M014"])
    place.person.type_row(RowCells(subject="M017"))
    place.person.type_cell(before["M015"], "subject", "M099")
    after = {row.subject: row.identifier for row in place.sheet.read_rows()}
    assert after["M099"] == before["M015"]
    assert after["M016"] == before["M016"]
    assert after["M017"] not in before.values()


def test_what_a_person_types_while_statuses_are_written_stays(place: Place) -> None:
    rows = place.sheet.read_rows()
    place.person.type_cell(rows[1].identifier, "analyses", "sleep")
    place.sheet.write_statuses([_update(row, Status.QUEUED) for row in rows])
    row = place.sheet.read_rows()[1]
    assert (row.analyses, row.notes, row.status) == ("sleep", " as typed ", "queued")


@pytest.mark.parametrize("column", [column.name for column in FILLED_COLUMNS])
def test_every_status_column_is_shown(place: Place, column: str) -> None:
    row = place.sheet.read_rows()[0]
    place.sheet.write_statuses([StatusUpdate(identifier=row.identifier, **{column: "=ü\n"})])
    assert place.sheet.read_rows()[0].status_cells()[column] == "=ü\n"
