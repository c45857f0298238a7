"""Rows of standing rows: made once, changed with them, left as people typed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wakeful.ledger import Ledger, RowCells
from wakeful.ledger.migrations import MIGRATIONS
from wakeful.model.errors import BadRow

CELLS = RowCells(subject="M1", analyses="muscle", run="yes", notes="found by row 1")


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "x.sqlite") as ledger:
        ledger.add_row(RowCells(subject="M1", recording="/data/*"), actor="ada")
        yield ledger


def add(ledger, recording="/data/a"):
    return ledger.add_found_row(1, recording, CELLS, actor="service")


def test_a_recording_gets_one_row_for_ever(ledger):
    assert add(ledger) == 2
    assert add(ledger) is None
    assert ledger.row(2).cells() == replace(CELLS, recording="/data/a").cells()
    ledger.delete_row(2, actor="ada")
    assert add(ledger) is None
    assert add(ledger, "/data/b") == 3
    assert [(f.row_id, f.is_deleted) for f in ledger.found_rows(1)] == [(2, True), (3, False)]
    assert ledger.found_rows(3) == ()
    (entry,) = ledger.audit("row 3")
    assert (entry.actor, entry.action) == ("service", "add")
    assert '"found by": "row 1"' in entry.after


def test_changes_are_passed_on_but_not_over_what_people_typed(ledger):
    add(ledger)
    ledger.edit_row(2, {"priority": "5"}, actor="ada")
    new = replace(CELLS, analyses="sleep", priority="1", recording="/data/other*")
    assert ledger.pass_on(2, new, actor="service")
    row = ledger.row(2)
    assert (row.analyses, row.priority, row.recording) == ("sleep", "5", "/data/a")
    assert not ledger.pass_on(2, new, actor="service")
    # What was passed on is not taken for what somebody typed.
    assert ledger.pass_on(2, replace(new, analyses="day"), actor="service")
    assert ledger.row(2).analyses == "day"
    # A cell that is typed back goes along again.
    ledger.edit_row(2, {"priority": ""}, actor="ada")
    assert ledger.pass_on(2, replace(new, analyses="day"), actor="service")
    assert ledger.row(2).priority == "1"


def test_rows_of_others_and_deleted_ones_are_left_alone(ledger):
    other = ledger.add_row(CELLS, actor="ada")
    assert not ledger.pass_on(other.id, replace(CELLS, analyses="day"), actor="service")
    add(ledger)
    ledger.delete_row(3, actor="ada")
    assert not ledger.pass_on(3, replace(CELLS, analyses="day"), actor="service")
    assert ledger.row(3).analyses == "muscle"


def test_a_name_that_is_not_text_is_refused(ledger):
    with pytest.raises(BadRow, match="not text"):
        add(ledger, "/data/\udcff")
    assert ledger.found_rows() == ()


def test_an_older_file_gets_the_table(tmp_path):
    path = tmp_path / "old.sqlite"
    with Ledger.open(path, migrations=MIGRATIONS[:3]) as ledger:
        ledger.add_row(RowCells(subject="M1"), actor="ada")
    with Ledger.open(path) as ledger:
        assert add(ledger) == 2
