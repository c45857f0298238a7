"""Marks: added all or none, logged, kept to their recording, there after a migration."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from wakeful.ledger import Ledger, MarkCells, UnknownRecord
from wakeful.ledger.migrations import MIGRATIONS
from wakeful.model.errors import BadMark
from wakeful.model.quality import Mark, Verdict


def cells(recording: str = "/data/a", subject: str = "M1", **changes) -> MarkCells:
    values = {
        "channels": ("CSC1", "CSC2"),
        "start_s": 10.0,
        "stop_s": 20.5,
        "verdict": Verdict.BAD,
        "reason": "cable, µ",
        "author": "ann",
    }
    return MarkCells(subject=subject, recording=recording, mark=Mark(**{**values, **changes}))


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "w.db") as opened:
        yield opened


def test_marks_come_back_as_they_were_and_in_their_order(ledger):
    given = [
        cells(),
        cells(channels=(), verdict=Verdict.GOOD),
        cells("/data/b"),
        cells(subject="2"),
    ]
    made = ledger.add_marks(given, actor="ann")
    assert [m.mark for m in ledger.marks("M1", "/data/a")] == [given[0].mark, given[1].mark]
    assert [m.id for m in ledger.marks()] == [m.id for m in made]
    assert ledger.marks("M1", "/data/c") == ()


def test_all_or_none_and_every_fault_is_named(ledger):
    with pytest.raises(BadMark) as caught:
        ledger.add_marks(
            [cells(), cells(start_s=5.0, stop_s=5.0), cells(reason=" ", channels=("",))], actor="x"
        )
    text = str(caught.value)
    assert "mark 2: 5 to 5 s is no stretch" in text
    assert "mark 3: the reason is empty" in text
    assert "mark 3: a channel's name is empty" in text
    assert ledger.marks() == ()
    assert ledger.audit() == ()


def test_a_mark_that_is_taken_back_stays_in_the_log(ledger):
    (made,) = ledger.add_marks([cells()], actor="ann")
    ledger.delete_mark(made.id, actor="bob")
    assert ledger.marks() == ()
    log = ledger.audit(f"mark {made.id}")
    assert [(e.actor, e.action) for e in log] == [("ann", "add"), ("bob", "delete")]
    assert log[1].before == log[0].after
    with pytest.raises(UnknownRecord, match="was deleted"):
        ledger.delete_mark(made.id, actor="bob")
    with pytest.raises(UnknownRecord, match="no such mark"):
        ledger.delete_mark(99, actor="bob")


def test_a_database_without_marks_gets_them_and_keeps_its_rows(tmp_path):
    path = tmp_path / "old.db"
    with Ledger.open(path, migrations=MIGRATIONS[:1]) as old:
        old.record_audit("ann", "note", "before")
    with closing(sqlite3.connect(path)) as raw:
        tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master")}
    assert "marks" not in tables
    with Ledger.open(path) as new:
        assert len(new.add_marks([cells()], actor="ann")) == 1
        assert new.audit("before")[0].actor == "ann"
