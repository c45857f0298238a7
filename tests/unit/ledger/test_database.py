"""The file: migrations, refusals, backup, several threads and processes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text

from wakeful.ledger import Ledger, LedgerUnusable, NewerLedger, RowCells
from wakeful.ledger.migrations import MIGRATIONS, Migration, schema_version
from wakeful.ledger.schema import METADATA
from wakeful.model.errors import LibraryBusy, NoLibrary


def _query(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def _add_colour(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE rows ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey'")


NEXT = Migration(MIGRATIONS[-1].version + 1, "colour of the coat", _add_colour)


def test_the_migrations_lead_to_the_tables_of_the_schema(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "w.db") as ledger, ledger.reading() as connection:
        found = inspect(connection)
        assert set(found.get_table_names()) == set(METADATA.tables)
        for table in METADATA.tables.values():
            columns = {
                c["name"]: (str(c["type"]), c["nullable"], bool(c["primary_key"]))
                for c in found.get_columns(table.name)
            }
            wanted = {
                c.name: (
                    str(c.type.compile(connection.dialect)),
                    # SQLite reports an integer that is the primary key as one that may be null.
                    True
                    if list(table.primary_key) == [c] and str(c.type) == "INTEGER"
                    else c.nullable,
                    c.primary_key,
                )
                for c in table.columns
            }
            assert columns == wanted, table.name
            assert {(i["name"], *i["column_names"]) for i in found.get_indexes(table.name)} == {
                (i.name, *i.columns.keys()) for i in table.indexes
            }
            assert {
                (k["constrained_columns"][0], k["referred_table"])
                for k in found.get_foreign_keys(table.name)
            } == {(k.parent.name, k.column.table.name) for k in table.foreign_keys}


def test_versions_are_counted_without_a_hole() -> None:
    assert [m.version for m in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_an_older_file_is_migrated_and_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    with Ledger.open(path) as ledger:
        ledger.add_row(RowCells(subject="M014"), actor="anna")
    with Ledger.open(path, migrations=(*MIGRATIONS, NEXT)) as ledger, ledger.reading() as c:
        assert schema_version(c) == NEXT.version
    assert _query(path, "SELECT subject, colour FROM rows") == [("M014", "grey")]
    assert _query(path, "SELECT max(version), what FROM schema_version") == [
        (NEXT.version, "colour of the coat")
    ]


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    Ledger.open(path).close()
    before = _query(path, "SELECT name, sql FROM sqlite_master ORDER BY name")

    def fail(connection: Connection) -> None:
        connection.exec_driver_sql("DROP TABLE audit")
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        Ledger.open(path, migrations=(*MIGRATIONS, NEXT, Migration(NEXT.version + 1, "x", fail)))
    assert _query(path, "SELECT name, sql FROM sqlite_master ORDER BY name") == before
    with Ledger.open(path) as ledger:
        assert ledger.rows() == ()


def test_a_newer_file_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    Ledger.open(path, migrations=(*MIGRATIONS, NEXT)).close()
    content = path.read_bytes()
    with pytest.raises(NewerLedger) as caught:
        Ledger.open(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: the database has tables of version {NEXT.version}")
    assert f"knows up to {MIGRATIONS[-1].version}" in message
    assert "update Wakeful" in message
    assert path.read_bytes() == content


def test_what_is_not_a_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("recordings are in the cupboard " * 50)
    with pytest.raises(LedgerUnusable, match="not a database"):
        Ledger.open(tmp_path / "text.db")
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE mice (name)")
    with pytest.raises(LedgerUnusable, match=r"not Wakeful's \(it holds mice\)"):
        Ledger.open(tmp_path / "other.db")
    with pytest.raises(NoLibrary):
        Ledger.open(tmp_path / "nowhere" / "w.db")
    with pytest.raises(NoLibrary):
        Ledger.open(tmp_path / "w.db", must_exist=True)
    assert not (tmp_path / "w.db").exists()


def test_a_path_with_signs_of_an_address_is_a_plain_path(tmp_path: Path) -> None:
    path = tmp_path / "50%20 mice?mode=ro#1.db"
    with Ledger.open(path) as ledger:
        ledger.add_row(RowCells(subject="M014"), actor="anna")
    assert _query(path, "SELECT subject FROM rows") == [("M014",)]


def test_the_promises_to_the_disk(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "w.db") as ledger, ledger.reading() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 30_000,
    }


def test_a_writer_that_hangs_is_named_and_readers_go_on(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    with Ledger.open(path) as one, Ledger.open(path, busy_timeout_s=0.05) as two:
        one.add_row(RowCells(subject="M014"), actor="anna")
        with one.writing():
            assert [row.subject for row in two.rows()] == ["M014"]
            with pytest.raises(LibraryBusy, match="keeps the database locked"):
                two.add_row(RowCells(subject="M015"), actor="ben")
        two.add_row(RowCells(subject="M015"), actor="ben")
        assert [row.subject for row in one.rows()] == ["M014", "M015"]


def test_a_backup_while_others_write_is_whole(tmp_path: Path) -> None:
    copies = []
    with Ledger.open(tmp_path / "w.db") as ledger:
        stop = threading.Event()

        def write() -> None:
            while not stop.is_set():
                # Two rows a transaction: a copy with an odd number would be a torn one.
                ledger.add_rows([RowCells(subject="M014"), RowCells(subject="M015")], actor="a")

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(10):
                time.sleep(0.01)
                ledger.backup(tmp_path / "copy.db")
                assert not (tmp_path / "copy.db-wal").exists()
                copies.append(
                    int(str(_query(tmp_path / "copy.db", "SELECT count(*) FROM rows")[0][0]))
                )
        finally:
            stop.set()
            writer.join()
        n_rows = len(ledger.rows())
    assert all(n % 2 == 0 for n in copies)
    assert copies == sorted(copies)
    assert 0 < copies[-1] <= n_rows
    with Ledger.open(tmp_path / "copy.db") as copy:
        assert len(copy.rows()) == copies[-1]
    assert not list(tmp_path.glob(".*"))


def test_a_backup_onto_something_in_use_is_refused(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "w.db") as ledger, Ledger.open(tmp_path / "other.db"):
        with pytest.raises(LedgerUnusable, match="onto itself"):
            ledger.backup(tmp_path / "w.db")
        with pytest.raises(LedgerUnusable, match="in use"):
            ledger.backup(tmp_path / "other.db")
        with pytest.raises(NoLibrary):
            ledger.backup(tmp_path / "nowhere" / "copy.db")


def test_threads_share_one_ledger(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "w.db") as ledger:

        def add() -> None:
            for _ in range(20):
                ledger.add_row(RowCells(subject="M014"), actor="anna")

        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [row.id for row in ledger.rows()] == list(range(1, 81))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_uses_connections_of_its_own(tmp_path: Path) -> None:
    script = """
import os, sys
from wakeful.ledger import Ledger, RowCells
ledger = Ledger.open(sys.argv[1])
ledger.add_row(RowCells(subject="parent"), actor="a")
with ledger.reading() as c:
    mine = id(c.connection.driver_connection)
child = os.fork()
if child == 0:
    with ledger.reading() as c:
        assert id(c.connection.driver_connection) != mine
    ledger.add_row(RowCells(subject="child"), actor="a")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert [r.subject for r in ledger.rows()] == ["parent", "child"]
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "w.db")], check=True, timeout=60)


_ADD_FOR_EVER = """
import sys
from wakeful.ledger import Ledger, RowCells
ledger = Ledger.open(sys.argv[1])
while True:
    row = ledger.add_rows([RowCells(subject="a"), RowCells(subject="b")], actor="a")[1]
    print(row.id, flush=True)
"""


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", _ADD_FOR_EVER, str(path)], stdout=subprocess.PIPE, text=True
        )
        with process:
            assert process.stdout is not None
            answered = 0
            for _line in range(20):
                answered = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
        with Ledger.open(path) as ledger:
            rows = ledger.rows()
            assert max(row.id for row in rows) >= answered
            assert len(rows) % 2 == 0
            assert len(ledger.audit()) == len(rows)
