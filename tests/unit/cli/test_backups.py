"""Copies of the database, kept and put back."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from wakeful.cli import app, backups
from wakeful.config import Config, write_library
from wakeful.ledger import Ledger, RowCells
from wakeful.service.lock import hold_library


@pytest.fixture
def library(tmp_path):
    return write_library(tmp_path / "library", Config())


def add(library, subject):
    with Ledger.open(library.database) as ledger:
        ledger.add_row(RowCells(subject=subject), actor="test")


def subjects(path):
    with Ledger.open(path, must_exist=True) as ledger:
        return [row.subject for row in ledger.rows()]


def do(library, *words):
    return CliRunner().invoke(app, [*map(str, words), "--library", str(library.root)])


def test_only_the_latest_copies_are_kept(library, tmp_path, monkeypatch):
    folder = tmp_path / "copies"
    folder.mkdir()
    (folder / "night.20260101.sqlite").write_text("not ours")
    (folder / "night.sqlite").write_text("not dated")
    for day in range(5):
        add(library, f"M{day}")
        now = datetime(2026, 3, 1, 2, tzinfo=UTC) + timedelta(days=day)
        monkeypatch.setattr(backups, "now_utc", lambda now=now: now)
        result = do(library, "backup", folder / "night.sqlite", "--keep", 3)
        assert result.exit_code == 0, result.output
    assert sorted(p.name for p in folder.iterdir()) == [
        "night.20260101.sqlite",
        "night.20260303T020000Z.sqlite",
        "night.20260304T020000Z.sqlite",
        "night.20260305T020000Z.sqlite",
        "night.sqlite",
    ]
    assert "removed" in result.output
    assert subjects(folder / "night.20260303T020000Z.sqlite") == ["M0", "M1", "M2"]


def test_a_copy_is_put_back_and_the_rest_kept_aside(library, tmp_path):
    add(library, "M1")
    assert do(library, "backup", tmp_path / "copy.sqlite").exit_code == 0
    add(library, "M2")
    result = do(library, "restore", tmp_path / "copy.sqlite")
    assert result.exit_code == 0, result.output
    assert subjects(library.database) == ["M1"]
    (aside,) = library.database.parent.glob("*.replaced")
    assert subjects(aside) == ["M1", "M2"]
    assert subjects(tmp_path / "copy.sqlite") == ["M1"]
    add(library, "M3")
    assert subjects(library.database) == ["M1", "M3"]
    assert subjects(aside) == ["M1", "M2"]
    assert not list(library.database.parent.glob(".*.restored*"))


def test_what_a_killed_service_left_beside_the_database_does_not_get_into_the_copy(
    library, tmp_path
):
    add(library, "M1")
    do(library, "backup", tmp_path / "copy.sqlite")
    add(library, "M2")
    # A database that can't be read, with a log that SQLite would replay into the copy.
    holder = Ledger.open(library.database)
    holder.add_row(RowCells(subject="M3"), actor="test")
    wal = library.database.with_name(f"{library.database.name}-wal")
    log = wal.read_bytes()
    assert log
    holder.close()
    wal.write_bytes(log)
    library.database.write_bytes(b"spoilt" * 1000)
    result = do(library, "restore", tmp_path / "copy.sqlite")
    assert result.exit_code == 0, result.output
    assert subjects(library.database) == ["M1"]
    assert len(list(library.database.parent.glob("*.replaced-wal"))) == 1


def test_nothing_is_put_under_a_service_or_another_program(library, tmp_path):
    add(library, "M1")
    do(library, "backup", tmp_path / "copy.sqlite")
    with hold_library(library.root):
        result = do(library, "restore", tmp_path / "copy.sqlite")
        assert "another `wakeful run`" in str(result.exception)
    with Ledger.open(library.database) as ledger:
        ledger.add_row(RowCells(subject="M2"), actor="test")
        result = do(library, "restore", tmp_path / "copy.sqlite")
        assert "another program has the database open" in str(result.exception)
    assert subjects(library.database) == ["M1", "M2"]


def test_what_is_no_copy_is_refused_and_nothing_changed(library, tmp_path):
    add(library, "M1")
    (tmp_path / "text").write_text("no database at all, " * 50)
    with sqlite3.connect(tmp_path / "other.sqlite") as other:
        other.execute("CREATE TABLE spikes (t REAL)")
    other.close()
    do(library, "backup", tmp_path / "whole.sqlite")
    whole = (tmp_path / "whole.sqlite").read_bytes()
    (tmp_path / "cut.sqlite").write_bytes(whole[: len(whole) // 2])
    for name, says in (
        ("nowhere", "no such copy"),
        ("text", "damaged"),
        ("other.sqlite", "not Wakeful's"),
        ("cut.sqlite", "damaged"),
    ):
        result = do(library, "restore", tmp_path / name)
        assert result.exit_code != 0
        assert says in str(result.exception), name
    assert "in use, not a copy" in str(do(library, "restore", library.database).exception)
    assert subjects(library.database) == ["M1"]
    assert not list(library.database.parent.glob("*.replaced*"))
