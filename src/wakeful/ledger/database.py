"""One SQLite file, opened so that several processes and threads can share it.

Write-ahead log: readers never wait for a writer. `synchronous=FULL`: a commit is on the disk when
it returns, even if the power fails the next moment, because an intent that is recorded before its
effect is worth nothing if it can be lost after it; it costs one flush for each short transaction.
A writing transaction takes the write lock at its start (`BEGIN IMMEDIATE`), so that what it reads
can't change before it writes, and waits for another writer up to `BUSY_TIMEOUT_S`.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from wakeful.ledger.errors import LedgerUnusable
from wakeful.ledger.migrations import MIGRATIONS, Migration, check_version, migrate, schema_version
from wakeful.model.errors import LibraryBusy, NoLibrary, WakefulError

BUSY_TIMEOUT_S: Final = 30.0
"""Transactions last milliseconds; whoever waits this long waits for something that hangs."""

_WRITES: Final = "wakeful_writes"


def now_utc() -> datetime:
    """The present time, in UTC."""
    return datetime.now(UTC)


class Database:
    """The connection to one database file; `Ledger` adds what is in it.

    Safe to share between threads. A process made by fork gets connections of its own.
    """

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self._engine = engine

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        must_exist: bool = False,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> Self:
        """Open the database, made or brought up to date where needed.

        Parameters
        ----------
        path : the file, on a local disk; its folder must exist
        must_exist : never make a new file
        busy_timeout_s : how long a transaction waits for another process's
        migrations : in order of version

        Raises
        ------
        NoLibrary
            The folder (or, where it must exist, the file) is not there.
        NewerLedger
            The file was written by a newer Wakeful.
        LedgerUnusable
            The file is not a database, damaged, or on a disk that can't hold one.
        LibraryBusy
            Another process kept the file locked.
        """
        path = Path(path).absolute()
        if not path.parent.is_dir() or (must_exist and not path.is_file()):
            raise NoLibrary(
                "there is no database",
                where=str(path),
                remedy="make the library with `wakeful init`, or correct its path",
            )
        database = cls(path, _make_engine(path, busy_timeout_s))
        try:
            with database.reading() as connection:
                found = schema_version(connection)
                check_version(found, migrations)
            database._use_write_ahead_log(busy_timeout_s)
            if found < migrations[-1].version:
                with database.writing() as connection:
                    migrate(connection, migrations)
        except BaseException:
            database.close()
            raise
        return database

    def close(self) -> None:
        """Close all connections; the write-ahead log is folded into the file."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and changes nothing."""
        with self._explained(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A short transaction; all of it happens, or nothing."""
        with self._explained(), self._engine.connect() as connection:
            connection = connection.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    def backup(self, path: Path | str) -> None:
        """Copy the database while it is in use.

        The copy is one file (no write-ahead log beside it), checked, and appears under its name
        only when it is complete; an older copy of that name is replaced.

        Raises
        ------
        LedgerUnusable
            `path` is this database, or a database that is open; the copy failed its check.
        NoLibrary
            The folder of `path` is not there.
        """
        target = Path(path).absolute()
        if not target.parent.is_dir():
            raise NoLibrary(
                "there is no such folder",
                where=str(target.parent),
                remedy="make it, or give another place for the copy",
            )
        if target.exists() and target.samefile(self.path):
            raise LedgerUnusable(
                "a database can't be copied onto itself",
                where=str(target),
                remedy="give another name for the copy",
            )
        if target.with_name(f"{target.name}-wal").exists():
            raise LedgerUnusable(
                "the file to be replaced is a database in use",
                where=str(target),
                remedy="close the program that has it open, or give another name for the copy",
            )
        partial = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with self.reading() as connection, closing(sqlite3.connect(partial)) as copy:
                source: Any = connection.connection.driver_connection
                source.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")
                verdict = copy.execute("PRAGMA quick_check").fetchone()[0]
            if verdict != "ok":
                raise LedgerUnusable(
                    f"the copy is damaged ({verdict})",
                    where=str(target),
                    remedy="check the disk, then copy again",
                )
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            partial.replace(target)
            _sync_folder(target.parent)
        finally:
            partial.unlink(missing_ok=True)

    def _use_write_ahead_log(self, timeout_s: float) -> None:
        # Changing the journal ignores the busy timeout, and two processes may do it at once.
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                with self._explained(), self._engine.connect() as connection:
                    cursor = connection.connection.cursor()
                    cursor.execute("PRAGMA journal_mode=WAL")
                    mode = str(cursor.fetchall()[0][0])
            except LibraryBusy:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
                continue
            if mode != "wal":
                raise LedgerUnusable(
                    f"this disk can't hold a shared database (journal mode {mode!r})",
                    where=str(self.path),
                    remedy="put the database on a local disk, see `database` in wakeful.toml",
                )
            return

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if (explained := _explain(str(error.orig), str(self.path))) is None:
                raise
            raise explained from error
        except sqlite3.Error as error:
            if (explained := _explain(str(error), str(self.path))) is None:
                raise
            raise explained from error
        except (LedgerUnusable, LibraryBusy) as error:
            error.where = error.where or str(self.path)
            raise


def _explain(reason: str, where: str) -> WakefulError | None:
    low = reason.lower()
    if "locked" in low or "busy" in low:
        return LibraryBusy(
            "another program keeps the database locked",
            where=where,
            remedy="try again; if it goes on, see what `wakeful doctor` says",
        )
    for sign, what, remedy in (
        ("not a database", "this file is not a database", "restore the last `wakeful backup`"),
        ("malformed", "the database is damaged", "restore the last `wakeful backup`"),
        ("full", "the disk is full", "free space on the disk of the database"),
        ("readonly", "the database can't be written", "check the owner and rights of the file"),
        ("unable to open", "the database can't be opened", "check the rights of file and folder"),
        ("disk i/o", "the disk reports an error", "check the disk of the database"),
    ):
        if sign in low:
            return LedgerUnusable(f"{what} ({reason})", where=where, remedy=remedy)
    return None


def _make_engine(path: Path, busy_timeout_s: float) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": busy_timeout_s, "check_same_thread": False},
    )

    def prepare(connection: Any, entry: ConnectionPoolEntry) -> None:
        # The driver's own transactions begin too late and too weakly; `begin` below does it.
        connection.isolation_level = None
        entry.info["pid"] = os.getpid()
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    def refuse_inherited(_connection: Any, entry: Any, proxy: Any) -> None:
        # SQLite's locks do not survive a fork: the child must never use its parent's connection.
        if entry.info["pid"] != os.getpid():
            entry.dbapi_connection = proxy.dbapi_connection = None
            raise DisconnectionError("this connection belongs to another process")

    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "checkout", refuse_inherited)
    event.listen(engine, "begin", begin)
    return engine


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
