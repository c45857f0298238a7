"""From an empty Google Sheet and a key to a sheet that a lab can use; what is missing is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.google_library import GoogleLibrary, google_library
from tests.google_stand_in.server import SERVICE_EMAIL
from tests.google_stand_in.sheets import Person
from wakeful.catalog import load_catalog
from wakeful.cli import app
from wakeful.sheet import COLUMNS, FILLED_COLUMNS, Status


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[GoogleLibrary]:
    with google_library(tmp_path) as lab:
        yield lab


def _call(lab: GoogleLibrary, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*words, "--library", str(lab.library.root)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return 1, str(done.exception)
    return done.exit_code, " ".join(done.output.split())


def _new_book(lab: GoogleLibrary) -> tuple[str, Person]:
    book = lab.google.sheets.make("Mice of 2026", shared={SERVICE_EMAIL: "writer"})
    lab.book = book
    return lab.google.sheets.address(book), Person(lab.google, book, "Recordings")


def test_an_empty_sheet_becomes_a_template(lab: GoogleLibrary) -> None:
    address, person = _new_book(lab)
    code, output = _call(lab, "sheet", "setup", address)
    assert code == 0, output
    assert "Mice of 2026 is ready" in output
    assert f'sheets = ["{address}"]' in output
    assert [t.title for t in lab.book.tabs] == [
        "Recordings",
        "Channels",
        "Subjects",
        "Parameters",
        "Help",
    ]
    assert person.header() == [column.title for column in COLUMNS]
    tab = lab.book.tab("Recordings")
    at = {column.name: place for place, column in enumerate(COLUMNS)}
    assert tab.is_text == {place for name, place in at.items() if name != "run"}
    rules = {r["range"]["startColumnIndex"]: r["rule"] for r in tab.rules["setDataValidation"]}
    assert rules[at["run"]]["condition"]["type"] == "BOOLEAN"
    offered = [v["userEnteredValue"] for v in rules[at["analyses"]]["condition"]["values"]]
    assert offered == list(load_catalog().steps)
    assert not rules[at["analyses"]]["strict"], "several with commas are allowed"
    coloured = {
        r["rule"]["booleanRule"]["condition"]["values"][0]["userEnteredValue"]
        for r in tab.rules["addConditionalFormatRule"]
    }
    assert coloured == {str(s) for s in Status} - {"waiting"}
    assert all(p["warningOnly"] for p in tab.protected), "else people can't sort or delete rows"
    (guarded,) = [p for p in tab.protected if "startColumnIndex" in p["range"]]
    area = guarded["range"]
    assert area["endColumnIndex"] - area["startColumnIndex"] == len(FILLED_COLUMNS)
    told = {lab.book.tab("Help").get(row, 0) for row in range(60)}
    assert {c.title for c in COLUMNS} | {str(s) for s in Status} <= told


def test_setting_up_again_adds_what_is_missing_and_nothing_else(
    lab: GoogleLibrary, tmp_path: Path
) -> None:
    address, person = _new_book(lab)
    _call(lab, "sheet", "setup", address)
    person.type_row({"subject": "1-2", "recording": str(tmp_path), "run": True})
    person.move_column("message", 0)
    tab = lab.book.tab("Recordings")
    place = person.header().index("stream")
    for line in tab.cells:  # somebody deletes a column
        del line[place : place + 1]
    before = person.rows()
    n_rules = {kind: len(made) for kind, made in tab.rules.items()}
    code, output = _call(lab, "sheet", "setup", address)
    assert code == 0, output
    assert [r.get("subject") for r in person.rows()] == [r.get("subject") for r in before]
    assert before[0]["subject"] == "1-2"
    assert len(tab.rules["addConditionalFormatRule"]) == n_rules["addConditionalFormatRule"]
    assert len([p for p in tab.protected if "startColumnIndex" not in p["range"]]) == 1
    assert person.header()[-1] == "stream"
    assert "added columns: Recordings: stream" in output
    assert [t.title for t in lab.book.tabs].count("Subjects") == 1


def test_a_sheet_with_somebody_elses_first_tab_gets_one_of_its_own(lab: GoogleLibrary) -> None:
    address, _ = _new_book(lab)
    lab.book.tab("Sheet1").put(0, 0, "shopping list")
    code, output = _call(lab, "sheet", "setup", address)
    assert code == 0, output
    assert lab.book.tab("Sheet1").get(0, 0) == "shopping list"
    assert lab.book.tab("Recordings").get(0, 0) == "subject"


def test_an_address_that_is_none_is_explained(lab: GoogleLibrary) -> None:
    code, output = _call(lab, "sheet", "setup", "https://docs.google.com/document/d/x/edit")
    assert code == 1
    assert "is not the address of a Google Sheet" in output


def test_the_doctor_finds_everything_in_place(lab: GoogleLibrary) -> None:
    code, output = _call(lab, "doctor", "--google")
    assert code == 0, output
    for said in ("the key can be read", "Google accepts it", "statuses can be written"):
        assert said in output
    assert "there is no tab Channels, Subjects, Parameters" in output


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda lab: (lab.library.root / "key.json").unlink(), "can't be read: No such file"),
        (lambda lab: (lab.library.root / "key.json").write_text("{}"), "not the key of a Google"),
        (lambda lab: (lab.library.root / "key.json").chmod(0o640), "chmod 600"),
        (lambda lab: lab.google.is_shut_out.add(SERVICE_EMAIL), "make a new key"),
        (lambda lab: lab.book.shared.clear(), f"share it with service account {SERVICE_EMAIL}"),
        (lambda lab: lab.book.shared.update({SERVICE_EMAIL: "reader"}), "as an editor"),
        (lambda lab: lab.google.sheets.books.clear(), "correct the address, or share it"),
        (
            lambda lab: setattr(lab.google.sheets, "is_enabled", False),
            "switch on the Google Sheets API",
        ),
        (lambda lab: lab.person.type_header(["animal"]), "column subject is missing"),
    ],
)
def test_the_doctor_names_what_is_missing(lab: GoogleLibrary, spoil, said: str) -> None:
    spoil(lab)
    code, output = _call(lab, "doctor", "--google")
    assert code == 1, output
    assert said in output
    assert "PRIVATE KEY" not in output
