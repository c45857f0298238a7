"""What the page is told of the rows: all once, then what changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from wakeful.ledger import Ledger, RowCells, RowStatus
from wakeful.sheet import ValidationContext
from wakeful.web.board import Board
from wakeful.web.published import Published


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "w.db") as ledger:
        yield ledger


@pytest.fixture
def board(tmp_path: Path, ledger: Ledger) -> Iterator[Board]:
    for name in ("day1", "day2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.ncs").write_bytes(b"x")
    context = ValidationContext(analyses={"sleep": "Sleep"}, base=tmp_path)
    board = Board(ledger, lambda: context, Published(tmp_path / "published").find_link)
    yield board
    board.close()


def _numbers(board: Board, version: int) -> list[int]:
    return [row.row.number for row in board.since(version).rows]


def test_only_what_changed_is_told(ledger: Ledger, board: Board) -> None:
    assert board.since(0).rows == ()
    ledger.add_rows([RowCells(subject="M014", recording="day1"), RowCells()], actor="anna")
    first = board.look()
    assert _numbers(board, 0) == [1, 2]
    assert board.since(first).rows == ()
    ledger.write_statuses({1: RowStatus(status="running")})
    second = board.look()
    assert second > first
    assert _numbers(board, first) == [1]
    ledger.record_audit("anna", "score", "something else in the database")
    assert board.look() == second
    ledger.delete_row(2, actor="ben")
    third = board.since(second)
    assert (third.rows, third.gone) == ((), (2,))
    ledger.restore_row(2, actor="ben")
    fourth = board.since(third.version)
    assert ([r.row.number for r in fourth.rows], fourth.gone) == ([2], ())


def test_what_is_wrong_is_said_at_once_and_of_other_rows_too(ledger: Ledger, board: Board) -> None:
    good = RowCells(subject="M014", recording="day1")
    ledger.add_rows([good, good, RowCells(subject="M 15", recording="day9")], actor="anna")
    first, double, bad = board.since(0).rows
    assert (first.fault, dict(first.problems), first.status) == ("", {}, "")
    assert double.fault.startswith("asks for the same as row 1")
    assert dict(double.problems) == {}
    assert list(bad.problems) == ["subject", "recording"]
    assert bad.fault == " | ".join(bad.problems.values())
    assert bad.status == "needs attention"
    version = board.look()
    # An edit of the first row makes the second one good.
    ledger.edit_row(1, {"recording": "day2"}, actor="anna")
    changed = board.since(version)
    assert [(r.row.number, r.fault) for r in changed.rows] == [(1, ""), (2, "")]


def test_a_complaint_that_was_met_is_not_shown_any_more(ledger: Ledger, board: Board) -> None:
    ledger.add_row(RowCells(subject="M 14", recording="day1"), actor="anna")
    said = board.since(0).rows[0].fault
    ledger.write_statuses({1: RowStatus(status="needs attention", message=f"row 1: {said}")})
    (row,) = board.since(0).rows
    assert (row.status, row.message) == ("needs attention", said)
    ledger.edit_row(1, {"subject": "M014"}, actor="anna")
    (row,) = board.since(0).rows
    assert (row.status, row.message) == ("", "corrected; Wakeful has not looked at it yet")
    # Where it is about something else than cells, it stays.
    ledger.write_statuses({1: RowStatus(status="needs attention", message="day1: no recording")})
    (row,) = board.since(0).rows
    assert (row.status, row.message) == ("needs attention", "day1: no recording")


def test_a_running_row_that_is_spoilt_keeps_its_status(ledger: Ledger, board: Board) -> None:
    ledger.add_row(RowCells(subject="M014", recording="day1"), actor="anna")
    ledger.write_statuses({1: RowStatus(status="running")})
    ledger.edit_row(1, {"run": "maybe"}, actor="anna")
    (row,) = board.since(0).rows
    assert row.status == "running"
    assert list(row.problems) == ["run"]
    tree = row.tree()
    assert tree["_problems"] == dict(row.problems)
    assert (tree["id"], tree["run"], tree["message"]) == (1, "maybe", row.fault)


def test_rows_are_shown_before_all_are_judged(
    ledger: Ledger, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wakeful.web import board as module

    ledger.add_rows([RowCells(subject="M 14"), RowCells(subject="M 15")], actor="anna")
    monkeypatch.setattr(module, "_PATIENCE_S", -1.0)
    assert [row.fault for row in board.since(0).rows] == ["", ""]
    version = board.look()
    # What somebody edits is judged at once all the same, as soon as it was known.
    monkeypatch.setattr(module, "_PATIENCE_S", 60.0)
    assert [bool(row.fault) for row in board.since(version).rows] == [True, True]
    monkeypatch.setattr(module, "_PATIENCE_S", -1.0)
    ledger.edit_row(1, {"subject": "M\t14"}, actor="anna")
    assert "is a tab" in board.since(0).rows[0].fault


def test_what_appears_on_the_disk_is_found_after_a_while(
    tmp_path: Path, ledger: Ledger, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.add_row(RowCells(subject="M014", recording="day3"), actor="anna")
    (row,) = board.since(0).rows
    assert "recording" in row.problems
    (tmp_path / "day3").mkdir()
    (tmp_path / "day3" / "a.ncs").write_bytes(b"x")
    import time

    later = time.monotonic() + 30
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert [dict(r.problems) for r in board.since(row.version).rows] == [{}]
