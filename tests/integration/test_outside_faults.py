"""What went wrong between outside sheets and the library once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.google_library import GoogleLibrary, google_library
from tests.google_stand_in import Asked, Fault
from tests.google_stand_in import sheets as stand_in
from tests.google_stand_in.server import SERVICE_EMAIL
from tests.google_stand_in.sheets import Book, Person
from wakeful.catalog import load_catalog
from wakeful.cli import app
from wakeful.config import CONFIG_NAME, LAB_TABLES_NAME
from wakeful.google.account import read_account
from wakeful.google.pace import Pace
from wakeful.google.spreadsheet import Spreadsheet
from wakeful.ledger import RowStatus
from wakeful.model.errors import BadRow
from wakeful.service.outside_rows import OutsideRows
from wakeful.service.row_rules import make_context
from wakeful.sheet import COLUMNS, LocalSheet
from wakeful.sheet.google_sheet import GoogleSheet
from wakeful.sheet.validate import validate_rows

SUBJECTS = [["subject", "sex", "mains_hz", "notes", "message"], ["M1", "F", "60", "precious"]]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[GoogleLibrary]:
    for name in ("day1", "day2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "CSC1.ncs").write_bytes(b"")
    with google_library(tmp_path) as lab:
        yield lab


def _row(tmp_path: Path, subject: str, day: str = "day1", **more: Any) -> dict[str, Any]:
    return {"subject": subject, "recording": str(tmp_path / day), "run": True, **more}


def _look(rows: OutsideRows, times: int = 3) -> None:
    for _ in range(times):
        rows.look()


def _add_tab(book: Book, title: str, lines: list[list[str]]) -> stand_in.Tab:
    tab = book.add_tab(title)
    for row, line in enumerate(lines):
        for column, text in enumerate(line):
            tab.put(row, column, text)
    return tab


def _rows_of(lab: GoogleLibrary, book: Book) -> OutsideRows:
    sheet = GoogleSheet(Spreadsheet(book.key, read_account(lab.library), Pace(), Pace()))
    rows = OutsideRows(lab.library, lab.ledger, load_catalog(), sheet)
    lab.made.append(rows)
    return rows


def _second(lab: GoogleLibrary) -> tuple[Book, Person, OutsideRows]:
    """Another sheet of the same lab."""
    book = lab.google.sheets.make("Copy", shared={SERVICE_EMAIL: "writer"})
    person = Person(lab.google, book, "Sheet1")
    person.type_header([column.name for column in COLUMNS])
    book.tab("Sheet1").is_text = set(range(len(COLUMNS)))
    return book, person, _rows_of(lab, book)


def _set_roots(lab: GoogleLibrary, root: Path) -> None:
    toml = lab.library.root / CONFIG_NAME
    text = toml.read_text(encoding="utf-8")
    toml.write_text(text.replace("[work]", f'[work]\nroots = ["{root}"]', 1), encoding="utf-8")
    lab.reopen()


def _name_only(lab: GoogleLibrary, book: Book) -> None:
    """Name another sheet in wakeful.toml instead of the first."""
    toml = lab.library.root / CONFIG_NAME
    text = toml.read_text(encoding="utf-8").replace(lab.book.key, book.key)
    toml.write_text(text, encoding="utf-8")
    lab.reopen()


def _set_up(lab: GoogleLibrary, book: Book) -> int:
    address = lab.google.sheets.address(book)
    words = ["sheet", "setup", address, "--library", str(lab.library.root)]
    return CliRunner().invoke(app, words).exit_code


def _before_the_next_write(lab: GoogleLibrary, tab: stand_in.Tab, column: int) -> None:
    """Somebody puts in a column in the instant before the next write."""

    def matches(asked: Asked) -> bool:
        if asked.path.endswith("values:batchUpdate") and asked.method == "POST":
            for line in tab.cells:
                line.insert(column, None)
            return True
        return False

    lab.google.faults.append(Fault("late", matches=matches))


def test_a_line_whose_shared_row_was_deleted_gets_its_own(
    lab: GoogleLibrary, tmp_path: Path
) -> None:
    local = LocalSheet(lab.ledger, actor="anna")
    local.add(subject="M1", recording=str(tmp_path / "day1"), run="yes")
    lab.person.type_row(_row(tmp_path, "M1"))
    rows = lab.make_rows()
    _look(rows)
    local.delete(1)
    _look(rows)
    assert [(r.id, r.subject) for r in lab.ledger.rows()] == [(2, "M1")]


def test_a_row_that_moved_to_another_sheet_is_that_sheets(
    lab: GoogleLibrary, tmp_path: Path
) -> None:
    lab.person.type_row(_row(tmp_path, "M1"))
    rows = lab.make_rows()
    _look(rows)
    _, person, others = _second(lab)
    person.type_row(_row(tmp_path, "M1"))
    _look(others)
    lab.person.delete_row(2)
    _look(rows)
    person.type_cell(2, "run", False)
    _look(others)
    assert [(r.id, r.run) for r in lab.ledger.rows()] == [(1, "FALSE")]
    lab.person.type_row(_row(tmp_path, "M1"))
    _look(rows)
    person.delete_row(2)
    _look(others)
    _look(rows)
    assert [(r.id, r.run) for r in lab.ledger.rows()] == [(1, "TRUE")]


def test_channel_maps_of_a_sheet_may_be_read_whatever_roots_says(
    lab: GoogleLibrary, tmp_path: Path
) -> None:
    _set_roots(lab, tmp_path / "day1")
    header = ["channel", "subject", "region", "kind", "message"]
    _add_tab(lab.book, "Channels", [header, ["CSC1", "M1", "CA1", "lfp"]])
    lab.person.type_row(_row(tmp_path, "M1"))
    lab.person.type_row(_row(tmp_path, "M2", "day2"))
    rows = lab.make_rows()
    _look(rows)
    assert [r.subject for r in lab.ledger.rows()] == ["M1"]
    (checked,) = validate_rows(
        LocalSheet(lab.ledger, actor="x").read_rows(), make_context(lab.library, load_catalog())
    )
    assert checked.error is None
    assert "lies outside the folders" in lab.person.rows()[1]["message"]


def test_a_tab_of_somebody_else_is_not_written(lab: GoogleLibrary, tmp_path: Path) -> None:
    rows_tab = lab.book.tabs[0]
    rows_tab.title = lab.person._title = "Recordings"
    theirs = _add_tab(lab.book, "Log", [["date", "message"], ["2026-01-01", "the freezer failed"]])
    lab.book.tabs = [theirs, rows_tab]
    rows = lab.make_rows()
    _look(rows)
    rows_tab.title = "Recordings of 2026"
    with pytest.raises(BadRow, match="column subject is missing"):
        rows.look()
    assert theirs.get(1, 1) == "the freezer failed"


def test_a_tab_that_is_added_later_is_read(
    lab: GoogleLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wakeful.sheet.google_sheet._TABS_AGAIN_S", 0.0)
    rows = lab.make_rows()
    _look(rows)
    _add_tab(lab.book, "Subjects", SUBJECTS)
    _look(rows)
    assert lab.library.animal("M1") is not None


def test_lab_tables_that_were_deleted_are_written_anew(lab: GoogleLibrary) -> None:
    _add_tab(lab.book, "Subjects", SUBJECTS)
    rows = lab.make_rows()
    _look(rows)
    (lab.library.root / LAB_TABLES_NAME).unlink()
    rows.look()
    assert lab.library.animal("M1") is not None


def test_what_google_would_change_is_not_written_again_and_again(
    lab: GoogleLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = stand_in.Tab.put

    def as_google(tab: stand_in.Tab, row: int, column: int, value: Any) -> None:
        text = value.replace("\r\n", "\n").replace("\x1b", "") if isinstance(value, str) else value
        put(tab, row, column, text)

    monkeypatch.setattr(stand_in.Tab, "put", as_google)
    lab.person.type_row(_row(tmp_path, "M1"))
    rows = lab.make_rows()
    _look(rows)
    status = RowStatus(status="failed", message="\x1b[31mTraceback\r\n  x\r\ny ", link="a\r\nb")
    lab.ledger.write_statuses({1: status})
    rows.look()
    n_written = len(lab.google.sheets.written)
    _look(rows)
    assert len(lab.google.sheets.written) == n_written


@pytest.mark.parametrize(
    ("title", "lines"),
    [
        ("Subjects", [["subject", "birth", "message"], ["M1", "x" * 49_990]]),
        (
            "Parameters",
            [
                ["set", "step", "parameter", "value", "message"],
                ["narrow", "band_power", "theta_hz", "[" * 40_000],
            ],
        ),
    ],
)
def test_a_huge_cell_in_a_tab_stops_no_sheet(
    lab: GoogleLibrary, title: str, lines: list[list[str]]
) -> None:
    tab = _add_tab(lab.book, title, lines)
    _look(lab.make_rows())
    assert 0 < len(tab.get(1, len(lines[0]) - 1)) <= 4_000


def test_putting_back_where_lines_are_short(lab: GoogleLibrary, tmp_path: Path) -> None:
    lab.person.type_row(_row(tmp_path, "M1"))
    lab.person.type_cell(3, "status", "ghost")
    rows = lab.make_rows()
    _before_the_next_write(lab, lab.book.tab("Sheet1"), 2)
    _look(rows)
    assert [r["subject"] for r in lab.person.rows()] == ["M1"]


def test_setting_up_stays_within_the_tab(lab: GoogleLibrary) -> None:
    book = lab.google.sheets.make("Mice", shared={SERVICE_EMAIL: "writer"}, tab="Channels")
    book.tabs[0].n_rows = 200
    assert _set_up(lab, book) == 0
    assert sorted(t.title for t in book.tabs) == [
        "Channels",
        "Help",
        "Parameters",
        "Recordings",
        "Subjects",
    ]
    rules = book.tab("Recordings").rules["setDataValidation"]
    assert all(rule["range"].get("endRowIndex", 0) <= 200 for rule in rules)


def test_the_doctor_passes_over_a_chart(
    lab: GoogleLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.book.add_tab("Chart1")
    find = stand_in._find
    monkeypatch.setattr(stand_in, "_find", lambda b, t: None if "Chart1" in t else find(b, t))
    words = ["doctor", "--google", "--library", str(lab.library.root)]
    assert "statuses can be written" in " ".join(CliRunner().invoke(app, words).output.split())


def test_a_copy_of_a_sheet_takes_over(lab: GoogleLibrary, tmp_path: Path) -> None:
    lab.person.type_row(_row(tmp_path, "M1"))
    _look(lab.make_rows())
    book, person, _ = _second(lab)
    _name_only(lab, book)
    person.type_row(_row(tmp_path, "M1", analyses="muscle"))
    _look(_rows_of(lab, book))
    assert lab.ledger.rows()[0].analyses == "muscle"


def test_tables_of_a_sheet_that_is_no_longer_named(lab: GoogleLibrary) -> None:
    _add_tab(lab.book, "Subjects", [["subject", "mains_hz"], ["M1", "50"]])
    _look(lab.make_rows())
    book, _, _ = _second(lab)
    _add_tab(book, "Subjects", [["subject", "mains_hz"], ["M1", "60"]])
    _name_only(lab, book)
    _look(_rows_of(lab, book))
    animal = lab.library.animal("M1")
    assert animal is not None
    assert animal.mains_hz == 60


def test_a_spoilt_animal_stays_as_it_was(lab: GoogleLibrary) -> None:
    tab = _add_tab(lab.book, "Subjects", SUBJECTS)
    rows = lab.make_rows()
    _look(rows)
    tab.put(1, 1, "Q")
    _look(rows)
    animal = lab.library.animal("M1")
    assert animal is not None
    assert animal.mains_hz == 60
    assert tab.get(1, 4).endswith("until then it counts as it was")


def test_a_spoilt_set_stays_as_it_was(lab: GoogleLibrary) -> None:
    header = ["set", "step", "parameter", "value"]
    tab = _add_tab(
        lab.book, "Parameters", [header, ["narrow", "band_power", "theta_hz", "[6.5, 8.5]"]]
    )
    rows = lab.make_rows()
    _look(rows)
    tab.put(1, 3, "[6.5, ")
    _look(rows)
    assert "narrow" in lab.library.parameter_sets()


def test_a_ticked_line_runs_though_another_row_is_not_ticked(
    lab: GoogleLibrary, tmp_path: Path
) -> None:
    local = LocalSheet(lab.ledger, actor="anna")
    local.add(subject="M1", recording=str(tmp_path / "day1"))
    lab.person.type_row(_row(tmp_path, "M1"))
    _look(lab.make_rows())
    assert "TRUE" in [r.run for r in lab.ledger.rows()]


def test_a_row_that_went_to_another_sheet_and_back(lab: GoogleLibrary, tmp_path: Path) -> None:
    lab.person.type_row(_row(tmp_path, "M1"))
    rows = lab.make_rows()
    _look(rows)
    lab.person.delete_row(2)
    _look(rows)
    _, person, others = _second(lab)
    person.type_row(_row(tmp_path, "M1"))
    _look(others)
    lab.person.type_row(_row(tmp_path, "M1"))
    _look(rows)
    assert len(lab.ledger.rows()) == 1


def test_a_column_put_into_a_tab_while_messages_are_written(lab: GoogleLibrary) -> None:
    tab = _add_tab(lab.book, "Subjects", SUBJECTS)
    tab.put(1, 1, "Q")
    _before_the_next_write(lab, tab, 0)
    _look(lab.make_rows())
    assert any("precious" in line for line in tab.cells)


def test_nothing_is_told_of_what_lies_outside_the_roots(lab: GoogleLibrary, tmp_path: Path) -> None:
    _set_roots(lab, tmp_path / "day1")
    (tmp_path / "private" / "unpublished").mkdir(parents=True)
    lab.person.type_row({"subject": "M1", "recording": str(tmp_path / "private/unpublishe")})
    lab.make_rows().look()
    assert '"unpublished"' not in lab.person.rows()[0]["message"]


def test_a_pattern_stays_within_the_roots(lab: GoogleLibrary, tmp_path: Path) -> None:
    _set_roots(lab, tmp_path / "day1")
    lab.person.type_row({"subject": "M1", "recording": str(tmp_path / "day2" / "*"), "run": True})
    _look(lab.make_rows())
    assert "lies outside the folders" in (lab.person.rows()[0]["message"] or "")


def test_setting_up_leaves_a_tab_help_alone(lab: GoogleLibrary) -> None:
    book = lab.google.sheets.make("Mice", shared={SERVICE_EMAIL: "writer"})
    tab = _add_tab(book, "Help", [["Our own rules", "wash hands"]])
    _set_up(lab, book)
    assert tab.get(0, 0) == "Our own rules"


def test_setting_up_leaves_columns_of_ones_own_alone(lab: GoogleLibrary) -> None:
    book = lab.google.sheets.make("Mice", shared={SERVICE_EMAIL: "writer"})
    person = Person(lab.google, book, "Sheet1")
    person.type_header(["subject", "recording", "link"])
    person.type_row({"subject": "M1", "recording": "x", "link": "https://protocols/7"})
    assert _set_up(lab, book) == 1
    assert person.rows() == [{"subject": "M1", "recording": "x", "link": "https://protocols/7"}]


def test_setting_up_leaves_rules_of_ones_own_alone(lab: GoogleLibrary) -> None:
    book = lab.google.sheets.make("Mice", shared={SERVICE_EMAIL: "writer"})
    condition = {"type": "TEXT_EQ", "values": [{"userEnteredValue": "done"}]}
    area = {"sheetId": book.tabs[0].number, "startColumnIndex": 20, "endColumnIndex": 21}
    rule = {"ranges": [area], "booleanRule": {"condition": condition, "format": {}}}
    rules = book.tabs[0].rules.setdefault("addConditionalFormatRule", [])
    rules.append({"rule": rule, "index": 0})
    _set_up(lab, book)
    assert rule in [one["rule"] for one in rules]
