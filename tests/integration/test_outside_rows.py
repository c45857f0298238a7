"""Rows of a Google Sheet become rows of the library, whatever people do to the sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.google_library import GoogleLibrary, google_library
from tests.google_stand_in import Asked, Fault
from tests.google_stand_in.sheets import Formula
from wakeful.ledger import RowStatus
from wakeful.model.errors import BadRow
from wakeful.sheet import LocalSheet


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[GoogleLibrary]:
    for name in ("day1", "day2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "CSC1.ncs").write_bytes(b"")
    with google_library(tmp_path) as lab:
        yield lab


def _row(tmp_path: Path, subject: str, day: str = "day1", **more: Any) -> dict[str, Any]:
    return {"subject": subject, "recording": str(tmp_path / day), "run": True, **more}


def _subjects(lab: GoogleLibrary) -> list[str]:
    return [row.subject for row in lab.ledger.rows()]


def test_a_ticked_row_is_taken_when_it_has_stood_for_two_looks(
    lab: GoogleLibrary, tmp_path: Path
) -> None:
    lab.person.type_row(_row(tmp_path, "M014"))
    rows = lab.make_rows()
    first = rows.look()
    assert (first.n_lines, first.n_added, first.is_settled) == (1, 0, False)
    assert _subjects(lab) == []
    assert "unchanged for two looks" in lab.person.rows()[0]["message"]
    assert rows.look().n_added == 1
    assert _subjects(lab) == ["M014"]
    (shown,) = lab.person.rows()
    assert (shown["status"], shown["message"]) == ("queued", None)
    row = lab.ledger.rows()[0]
    lab.ledger.write_statuses({row.id: RowStatus(status="running", progress="3 of 24")})
    assert rows.look().is_settled
    assert lab.person.rows()[0]["progress"] == "3 of 24"


def test_a_row_that_is_being_typed_or_not_ticked_waits(lab: GoogleLibrary, tmp_path: Path) -> None:
    number = lab.person.type_row({"subject": "M0", "run": True})
    rows = lab.make_rows()
    rows.look()
    assert lab.person.rows()[0]["status"] == "needs attention"
    assert "recording is empty" in lab.person.rows()[0]["message"]
    lab.person.type_cell(number, "recording", str(tmp_path / "day1"))
    rows.look()
    lab.person.type_cell(number, "subject", "M014")
    rows.look()
    assert _subjects(lab) == []
    lab.person.type_cell(number, "run", False)
    for _ in range(3):
        rows.look()
    assert _subjects(lab) == []
    assert lab.person.rows()[0]["message"] == "tick run when the row is complete"
    lab.person.type_cell(number, "run", True)
    for _ in range(2):
        rows.look()
    assert _subjects(lab) == ["M014"]


def test_statuses_follow_their_rows_through_sorts_inserts_and_copies(
    lab: GoogleLibrary, tmp_path: Path
) -> None:
    for n in range(6):
        lab.person.type_row(_row(tmp_path, f"M{n}"))
    rows = lab.make_rows()
    rows.look()
    rows.look()
    lab.ledger.write_statuses(
        {r.id: RowStatus(status="done", message=f"of {r.subject}") for r in lab.ledger.rows()}
    )
    rows.look()
    lab.person.sort("subject", descending=True)
    lab.person.insert_row(3)
    lab.person.copy_row(2, 6)
    lab.person.type_cell(2, "status", "a ghost")
    lab.person.type_cell(3, "status", "a ghost in an empty row")
    rows.look()
    found = [r for r in lab.person.rows() if r["subject"]]
    assert [r["subject"] for r in found] == ["M5", "M4", "M3", "M5", "M2", "M1", "M0"]
    assert all(f"of {r['subject']}" in r["message"] for r in found)
    assert {r["status"] for r in lab.person.rows()} == {"done", None}
    assert found[3]["message"].startswith("shares the run of row 2")
    rows.look()
    assert sorted(_subjects(lab)) == [f"M{n}" for n in range(6)]


def test_a_deleted_row_leaves_and_comes_back_with_its_history(
    lab: GoogleLibrary, tmp_path: Path
) -> None:
    lab.person.type_row(_row(tmp_path, "M1"))
    lab.person.type_row(_row(tmp_path, "M2"))
    rows = lab.make_rows()
    rows.look()
    rows.look()
    numbers = {r.subject: r.id for r in lab.ledger.rows()}
    lab.person.delete_row(2)
    rows.look()
    assert _subjects(lab) == ["M1", "M2"], "cut and about to be pasted elsewhere, it may be"
    assert rows.look().n_removed == 1
    assert _subjects(lab) == ["M2"]
    lab.person.type_row(_row(tmp_path, "M1", notes="again"))
    rows.look()
    rows.look()
    assert {r.subject: r.id for r in lab.ledger.rows()} == numbers
    assert lab.ledger.row(numbers["M1"]).notes == "again"


def test_edits_are_passed_on_and_bad_ones_leave_what_was_asked(
    lab: GoogleLibrary, tmp_path: Path
) -> None:
    number = lab.person.type_row(_row(tmp_path, "M1", analyses="sleep"))
    rows = lab.make_rows()
    rows.look()
    rows.look()
    lab.person.type_cell(number, "analyses", "slep")
    for _ in range(3):
        rows.look()
    (row,) = lab.ledger.rows()
    assert row.analyses == "sleep"
    (shown,) = lab.person.rows()
    assert shown["status"] == "needs attention"
    assert shown["message"].startswith(f'row {number}: analyses: "slep" is not known; did you mean')
    assert shown["message"].endswith("until then it counts as it was")
    lab.person.type_cell(number, "analyses", "sleep, spectrogram")
    rows.look()
    assert rows.look().is_settled
    assert lab.ledger.rows()[0].analyses == "sleep, spectrogram"
    lab.person.type_cell(number, "run", False)
    rows.look()
    rows.look()
    assert lab.ledger.rows()[0].run == "FALSE"


def test_two_rows_that_differ_say_which_one_counts(lab: GoogleLibrary, tmp_path: Path) -> None:
    lab.person.type_row(_row(tmp_path, "M1", analyses="sleep"))
    lab.person.type_row(_row(tmp_path, "M1", analyses="spectrogram"))
    rows = lab.make_rows()
    for _ in range(3):
        rows.look()
    (row,) = lab.ledger.rows()
    assert row.analyses == "sleep"
    lab.person.sort("analyses", descending=True)
    for _ in range(3):
        rows.look()
    assert lab.ledger.rows()[0].analyses == "sleep", "sorting asks for nothing new"
    first, second = lab.person.rows()
    assert first["message"] == (
        "shares the run of row 3, whose analyses counts: delete one of the two, or put a new "
        "number under rerun"
    )
    assert not second["message"]


def test_what_somebody_asked_for_in_the_library_is_shared(
    lab: GoogleLibrary, tmp_path: Path
) -> None:
    local = LocalSheet(lab.ledger, actor="anna")
    local.add(subject="M1", recording=str(tmp_path / "day1"), run="yes")
    lab.person.type_row(_row(tmp_path, "M1"))
    rows = lab.make_rows()
    rows.look()
    rows.look()
    assert len(lab.ledger.rows()) == 1
    assert lab.person.rows()[0]["message"] == "shares the run of row 1 of the library"
    lab.person.delete_row(2)
    rows.look()
    rows.look()
    assert len(lab.ledger.rows()) == 1, "it was not the sheet's to delete"


def test_a_row_of_the_sheet_is_edited_there(lab: GoogleLibrary, tmp_path: Path) -> None:
    lab.person.type_row(_row(tmp_path, "M1"))
    rows = lab.make_rows()
    rows.look()
    rows.look()
    local = LocalSheet(lab.ledger, actor="anna")
    with pytest.raises(BadRow, match="stands in another sheet"):
        local.edit(1, "analyses", "sleep")
    with pytest.raises(BadRow, match="change it there"):
        local.delete(1)


def test_formulas_and_columns_in_another_order(lab: GoogleLibrary, tmp_path: Path) -> None:
    lab.person.move_column("status", 0)
    lab.person.move_column("notes", 3)
    lab.person.type_header([*lab.person.header(), "freezer box"])
    number = lab.person.type_row(_row(tmp_path, "M1", **{"freezer box": "B7"}))
    lab.person.put(number, "notes", Formula('=HYPERLINK("http://x")', "click"))
    rows = lab.make_rows()
    rows.look()
    shown = lab.person.rows()[0]
    assert "notes" in shown["message"]
    assert "formula" in shown["message"]
    assert shown["freezer box"] == "B7"
    lab.person.type_cell(number, "notes", "fine")
    rows.look()
    rows.look()
    assert _subjects(lab) == ["M1"]
    assert lab.person.rows()[0]["status"] == "queued"


def test_missing_columns_are_said_in_the_sheet(lab: GoogleLibrary, tmp_path: Path) -> None:
    lab.person.type_row(_row(tmp_path, "M1"))
    header = lab.person.header()
    lab.person.type_header(["animal" if name == "subject" else name for name in header])
    rows = lab.make_rows()
    with pytest.raises(BadRow, match="column subject is missing"):
        rows.look()
    assert "column subject is missing" in lab.person.rows()[0]["message"]
    lab.person.type_header(header)
    rows.look()
    rows.look()
    assert _subjects(lab) == ["M1"]


def test_an_empty_sheet_with_tick_boxes_is_empty(lab: GoogleLibrary) -> None:
    for row in range(2, 30):
        lab.person.put(row, "run", False)
    rows = lab.make_rows()
    assert rows.look().n_lines == 0
    assert lab.google.sheets.written == []


def _add_tabs(lab: GoogleLibrary, **tabs: list[list[str]]) -> None:
    for title, lines in tabs.items():
        tab = lab.book.add_tab(title)
        for row, line in enumerate(lines):
            for column, text in enumerate(line):
                tab.put(row, column, text)


def test_tabs_say_what_animals_parameters_and_channels_are(
    lab: GoogleLibrary, tmp_path: Path
) -> None:
    _add_tabs(
        lab,
        Subjects=[["subject", "sex", "message"], ["M1", "F"], ["M2", "Q"]],
        Parameters=[
            ["set", "step", "parameter", "value"],
            ["narrow", "band_power", "theta_hz", "[6.5, 8.5]"],
        ],
        Channels=[
            ["channel", "subject", "region", "kind", "message"],
            ["CSC1", "M1", "CA1", "lfp"],
            ["CSC2", "M2", "CA1", "lfp"],
            ["CSC3", "M9", "S1", "lpf"],
        ],
    )
    lab.person.type_row(_row(tmp_path, "M1", params="narrow"))
    lab.person.type_row(_row(tmp_path, "M2"))
    rows = lab.make_rows()
    rows.look()
    rows.look()
    first, second = lab.ledger.rows()
    animal = lab.library.animal("M1")
    assert animal is not None
    assert animal.sex == "F"
    assert lab.library.animal("M2") is None
    assert lab.library.parameters("narrow") == {"band_power": {"theta_hz": [6.5, 8.5]}}
    assert first.channels == second.channels, "both are of one recording"
    lines = Path(first.channels).read_text(encoding="utf-8").splitlines()
    assert lines[1:] == ["CSC1,M1,CA1,lfp,,,,,", "CSC2,M2,CA1,lfp,,,,,"]
    subjects, channels = lab.book.tab("Subjects"), lab.book.tab("Channels")
    assert "none of" in subjects.get(2, 2)
    assert subjects.get(1, 2) is None
    assert "lpf" in channels.get(3, 4)
    channels.put(1, 2, "CA3")
    assert not rows.look().is_settled
    rows.look()
    rows.look()
    assert lab.ledger.rows()[0].channels != first.channels
    assert rows.look().is_settled
    subjects.put(2, 1, "M")
    rows.look()
    rows.look()
    assert subjects.get(2, 2) is None
    assert lab.library.animal("M2") is not None


def _at_the_next_write(lab: GoogleLibrary, do: Callable[[], None]) -> None:
    """Let a person do something after the last look, in the instant before the write."""

    def matches(asked: Asked) -> bool:
        if asked.path.endswith("values:batchUpdate") and asked.method == "POST":
            do()
            return True
        return False

    lab.google.faults.append(Fault("late", matches=matches))


def _typed(lab: GoogleLibrary) -> list[dict[str, Any]]:
    names = ("subject", "recording", "run", "notes", "priority")
    return [{n: row[n] for n in names} for row in lab.person.rows()]


def test_a_column_put_in_while_statuses_are_written_costs_nobody_a_cell(
    lab: GoogleLibrary, tmp_path: Path
) -> None:
    for n in range(4):
        lab.person.type_row(_row(tmp_path, f"M{n}", notes=f"notes of M{n}", priority=str(n)))
    typed = _typed(lab)
    rows = lab.make_rows()

    def put_in_a_column() -> None:
        for line in lab.book.tab("Sheet1").cells:
            line.insert(2, None)

    _at_the_next_write(lab, put_in_a_column)
    rows.look()
    assert _typed(lab) != typed, "the status stands where notes stood"
    rows.look()
    rows.look()
    assert _typed(lab) == typed
    assert {row["status"] for row in lab.person.rows()} == {"queued"}
    assert {line[2] for line in lab.book.tab("Sheet1").cells} == {None}


def test_rows_sorted_while_statuses_are_written_are_right_at_the_next_look(
    lab: GoogleLibrary, tmp_path: Path
) -> None:
    lab.person.type_row(_row(tmp_path, "M1"))
    lab.person.type_row({"subject": "M 2", "recording": str(tmp_path / "day1"), "run": True})
    rows = lab.make_rows()
    _at_the_next_write(lab, lambda: lab.person.sort("subject"))
    rows.look()
    rows.look()
    shown = {row["subject"]: row["status"] for row in lab.person.rows()}
    assert shown == {"M1": "queued", "M 2": "needs attention"}
