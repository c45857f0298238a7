"""Rows: kept as typed, every change logged, statuses only where they differ."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from wakeful.ledger import EditConflict, Ledger, RowCells, RowEdit, RowStatus, UnknownRecord
from wakeful.ledger.schema import CELL_COLUMNS, STATUS_COLUMNS
from wakeful.model.errors import BadRow


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "w.db") as ledger:
        yield ledger


def test_the_dataclasses_have_the_columns_of_the_tables() -> None:
    assert tuple(f.name for f in dataclasses.fields(RowCells)) == CELL_COLUMNS
    assert tuple(f.name for f in dataclasses.fields(RowStatus)) == STATUS_COLUMNS


@pytest.mark.parametrize(
    "typed",
    ["007", "1e5", "=1+1", " M014 ", "a\nb\tc", "über 🐁", "a\0b", "'x", "TRUE", "2026-05-09"],
)
def test_cells_are_kept_exactly_as_typed(ledger: Ledger, typed: str) -> None:
    cells = RowCells(**dict.fromkeys(CELL_COLUMNS, typed))
    row = ledger.add_row(cells, actor="anna")
    assert RowCells(**ledger.row(row.id).cells()) == cells
    changed = ledger.edit_row(row.id, {"notes": typed * 2}, actor="anna")
    assert changed.notes == typed * 2


def test_numbers_are_never_given_twice(ledger: Ledger) -> None:
    first = ledger.add_row(RowCells(subject="M014"), actor="anna")
    ledger.delete_row(first.id, actor="anna")
    second = ledger.add_row(RowCells(subject="M015"), actor="anna")
    assert second.id == first.id + 1
    assert [row.id for row in ledger.rows()] == [second.id]
    deleted, _ = ledger.rows(with_deleted=True)
    assert deleted.deleted is not None
    assert deleted.deleted >= deleted.created


def test_every_change_by_a_person_is_logged(ledger: Ledger) -> None:
    row = ledger.add_row(RowCells(subject="M014", recording="a"), actor="anna")
    ledger.edit_row(row.id, {"subject": "M015", "recording": "a"}, actor="ben")
    ledger.edit_row(row.id, {"subject": "M015"}, actor="ben")
    ledger.write_statuses({row.id: RowStatus(status="queued")})
    ledger.write_statuses({row.id: RowStatus(status="cancelled")}, actor="ben")
    ledger.delete_row(row.id, actor="cleo")
    ledger.restore_row(row.id, actor="anna")
    ledger.record_audit("dora", "score", "M015/2026-05-09 epoch 3", {"state": "REM"}, None)
    log = [(e.actor, e.action) for e in ledger.audit(f"row {row.id}")]
    assert log == [
        ("anna", "add"),
        ("ben", "edit"),
        ("ben", "status"),
        ("cleo", "delete"),
        ("anna", "restore"),
    ]
    edit, status = ledger.audit()[1:3]
    assert json.loads(edit.before or "") == {"subject": "M014"}
    assert json.loads(edit.after or "") == {"subject": "M015"}
    assert json.loads(status.before or "") == {"status": "queued"}
    assert json.loads(status.after or "") == {"status": "cancelled"}
    assert [e.actor for e in ledger.audit(last=1)] == ["dora"]
    assert [e.time for e in ledger.audit()] == sorted(e.time for e in ledger.audit())


def test_an_edit_that_fails_leaves_neither_change_nor_log(ledger: Ledger) -> None:
    row = ledger.add_row(RowCells(subject="M014"), actor="anna")
    with pytest.raises(EditConflict, match=r'row 1: subject was changed to "M014" by somebody'):
        ledger.edit_row(row.id, {"subject": "X"}, actor="ben", expected={"subject": "M013"})
    with pytest.raises(BadRow, match="status can't be edited"):
        ledger.edit_row(row.id, {"status": "done"}, actor="ben")
    with pytest.raises(BadRow, match=r"row 1: notes: character 3 is not valid text"):
        ledger.edit_row(row.id, {"notes": "ab\ud800"}, actor="ben")
    with pytest.raises(BadRow, match="new row 2"):
        ledger.add_rows([RowCells(subject="a"), RowCells(recording="\udcff")], actor="ben")
    assert ledger.rows() == (row,)
    assert len(ledger.audit()) == 1
    changed = ledger.edit_row(row.id, {"subject": "X"}, actor="b", expected={"subject": "M014"})
    assert changed.subject == "X"


def test_rows_that_are_not_there(ledger: Ledger) -> None:
    with pytest.raises(UnknownRecord, match="row 7: there is no such row"):
        ledger.edit_row(7, {"notes": "x"}, actor="anna")
    row = ledger.add_row(RowCells(), actor="anna")
    ledger.delete_row(row.id, actor="anna")
    with pytest.raises(UnknownRecord, match="row 1: the row was deleted at 20"):
        ledger.edit_row(row.id, {"notes": "x"}, actor="anna")
    with pytest.raises(UnknownRecord, match="deleted"):
        ledger.delete_row(row.id, actor="anna")


def test_statuses_are_written_only_where_they_differ(ledger: Ledger) -> None:
    ids = [r.id for r in ledger.add_rows([RowCells(subject=s) for s in "abc"], actor="anna")]
    statuses = {i: RowStatus(status="queued", progress="0 %") for i in ids}
    assert ledger.write_statuses(statuses) == 3
    statements: list[str] = []

    def note(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    event.listen(ledger._engine, "before_cursor_execute", note)
    assert ledger.write_statuses(statuses) == 0
    assert not any("UPDATE" in s or "IMMEDIATE" in s for s in statements)
    statements.clear()
    assert ledger.write_statuses({**statuses, ids[1]: RowStatus(status="running")}) == 1
    (update,) = [s for s in statements if "UPDATE" in s]
    assert "status" in update
    assert "message" not in update
    assert ledger.row(ids[1]).progress == ""
    assert ledger.row(ids[1]).updated == ledger.row(ids[1]).created
    ledger.delete_row(ids[0], actor="anna")
    assert ledger.write_statuses({ids[0]: RowStatus(status="x"), 99: RowStatus(status="y")}) == 0


def test_many_changes_happen_together_or_not_at_all(ledger: Ledger) -> None:
    first, second = ledger.add_rows([RowCells(subject="a"), RowCells(subject="b")], actor="anna")
    fresh = RowEdit(row_id=first.id, changes={"notes": "x"}, expected={"notes": ""})
    stale = RowEdit(row_id=second.id, changes={"notes": "y"}, expected={"notes": "old"})
    with pytest.raises(EditConflict, match="row 2: notes was changed"):
        ledger.change_rows([fresh, stale], [RowCells(subject="c")], actor="anna")
    with pytest.raises(BadRow, match="new row 1: subject: character 1"):
        ledger.change_rows([fresh], [RowCells(subject="\ud800")], actor="anna")
    with pytest.raises(BadRow, match="row 1: status can't be edited"):
        ledger.change_rows([RowEdit(row_id=1, changes={"status": "done"})], (), actor="anna")
    assert [(r.subject, r.notes) for r in ledger.rows()] == [("a", ""), ("b", "")]
    good = RowEdit(row_id=second.id, changes={"notes": "y"}, expected={"notes": ""})
    done = ledger.change_rows([fresh, good], [RowCells(subject="c")], actor="ben")
    assert [(r.id, r.subject, r.notes) for r in done] == [
        (1, "a", "x"),
        (2, "b", "y"),
        (3, "c", ""),
    ]
    assert [(e.actor, e.action) for e in ledger.audit()[-3:]] == [
        ("ben", "edit"),
        ("ben", "edit"),
        ("ben", "add"),
    ]
