"""How a database file comes from any older form to the present one.

Migrations are history: a released one is never edited, a change of the tables is a new one. They
are written in plain SQL, because the table objects of `schema` describe only the present.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, func, inspect, select

from wakeful.ledger.errors import LedgerUnusable, NewerLedger
from wakeful.ledger.schema import SCHEMA_VERSION


@dataclass(frozen=True)
class Migration:
    """One change of the tables."""

    version: int
    """The version of the tables afterwards: 1, 2, 3, ..."""
    what: str
    apply: Callable[[Connection], None]


def _create_tables(connection: Connection) -> None:
    for statement in (
        """CREATE TABLE rows (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            subject TEXT NOT NULL DEFAULT '',
            recording TEXT NOT NULL DEFAULT '',
            analyses TEXT NOT NULL DEFAULT '',
            params TEXT NOT NULL DEFAULT '',
            stream TEXT NOT NULL DEFAULT '',
            channels TEXT NOT NULL DEFAULT '',
            priority TEXT NOT NULL DEFAULT '',
            run TEXT NOT NULL DEFAULT '',
            rerun TEXT NOT NULL DEFAULT '',
            notes TEXT NOT NULL DEFAULT '',
            status TEXT NOT NULL DEFAULT '',
            progress TEXT NOT NULL DEFAULT '',
            started TEXT NOT NULL DEFAULT '',
            finished TEXT NOT NULL DEFAULT '',
            link TEXT NOT NULL DEFAULT '',
            message TEXT NOT NULL DEFAULT '',
            created TEXT NOT NULL,
            updated TEXT NOT NULL,
            deleted TEXT)""",
        """CREATE TABLE runs (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            row_id INTEGER NOT NULL REFERENCES rows (id),
            request TEXT NOT NULL,
            request_key TEXT NOT NULL,
            state TEXT NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            message TEXT NOT NULL DEFAULT '',
            created TEXT NOT NULL,
            started TEXT,
            finished TEXT)""",
        "CREATE INDEX runs_by_row ON runs (row_id)",
        "CREATE INDEX runs_by_state ON runs (state)",
        "CREATE INDEX runs_by_request ON runs (request_key)",
        """CREATE TABLE jobs (
            job_id TEXT NOT NULL PRIMARY KEY,
            run_id INTEGER NOT NULL REFERENCES runs (id),
            keys TEXT NOT NULL,
            state TEXT NOT NULL,
            attempt INTEGER NOT NULL,
            pid INTEGER,
            pid_start_time REAL,
            external_id TEXT,
            created TEXT NOT NULL,
            started TEXT,
            finished TEXT,
            error TEXT NOT NULL DEFAULT '')""",
        "CREATE INDEX jobs_by_run ON jobs (run_id)",
        "CREATE INDEX jobs_by_state ON jobs (state)",
        """CREATE TABLE results (
            key TEXT NOT NULL PRIMARY KEY,
            step TEXT NOT NULL,
            kind TEXT NOT NULL,
            session TEXT NOT NULL,
            scope TEXT NOT NULL,
            path TEXT NOT NULL,
            bytes INTEGER NOT NULL,
            seconds REAL NOT NULL,
            created TEXT NOT NULL)""",
        "CREATE INDEX results_by_session ON results (session)",
        """CREATE TABLE audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            time TEXT NOT NULL,
            actor TEXT NOT NULL,
            action TEXT NOT NULL,
            what TEXT NOT NULL,
            before TEXT,
            after TEXT)""",
        "CREATE INDEX audit_by_what ON audit (what)",
    ):
        connection.exec_driver_sql(statement)


def _create_marks(connection: Connection) -> None:
    for statement in (
        """CREATE TABLE marks (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            subject TEXT NOT NULL,
            recording TEXT NOT NULL,
            channels TEXT NOT NULL,
            start_s REAL NOT NULL,
            stop_s REAL NOT NULL,
            verdict TEXT NOT NULL,
            reason TEXT NOT NULL,
            author TEXT NOT NULL,
            made TEXT NOT NULL,
            deleted TEXT)""",
        "CREATE INDEX marks_by_recording ON marks (subject, recording)",
    ):
        connection.exec_driver_sql(statement)


def _create_wishes(connection: Connection) -> None:
    connection.exec_driver_sql(
        """CREATE TABLE wishes (
            row_id INTEGER NOT NULL,
            wish TEXT NOT NULL,
            author TEXT NOT NULL,
            made TEXT NOT NULL,
            PRIMARY KEY (row_id, wish))"""
    )


def _create_found_rows(connection: Connection) -> None:
    connection.exec_driver_sql(
        """CREATE TABLE found_rows (
            row_id INTEGER PRIMARY KEY REFERENCES rows (id),
            standing_row INTEGER NOT NULL REFERENCES rows (id),
            recording TEXT NOT NULL,
            written TEXT NOT NULL,
            UNIQUE (standing_row, recording))"""
    )


def _create_notices(connection: Connection) -> None:
    for statement in (
        """CREATE TABLE notices (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            reason TEXT NOT NULL,
            kind TEXT NOT NULL,
            title TEXT NOT NULL,
            text TEXT NOT NULL,
            made TEXT NOT NULL,
            delivered_to TEXT NOT NULL,
            ended TEXT,
            n_attempts INTEGER NOT NULL,
            next_try TEXT NOT NULL)""",
        "CREATE INDEX notices_by_reason ON notices (reason)",
        "CREATE INDEX notices_by_end ON notices (ended)",
    ):
        connection.exec_driver_sql(statement)


def _create_samples(connection: Connection) -> None:
    connection.exec_driver_sql(
        """CREATE TABLE samples (
            time TEXT NOT NULL PRIMARY KEY,
            taken_in_bytes INTEGER NOT NULL,
            stored_bytes INTEGER NOT NULL,
            recorded_s REAL NOT NULL,
            backlog_s REAL,
            free_bytes TEXT NOT NULL)"""
    )


def _create_finished_rows(connection: Connection) -> None:
    connection.exec_driver_sql(
        """CREATE TABLE finished_rows (
            row_id INTEGER PRIMARY KEY REFERENCES rows (id),
            run_id INTEGER NOT NULL REFERENCES runs (id),
            stamp TEXT NOT NULL,
            signature TEXT NOT NULL,
            status TEXT NOT NULL,
            progress TEXT NOT NULL,
            link TEXT NOT NULL,
            message TEXT NOT NULL,
            session TEXT NOT NULL,
            n_results INTEGER NOT NULL,
            n_blocks INTEGER NOT NULL,
            taken_in_bytes INTEGER NOT NULL)"""
    )


def _create_outside_rows(connection: Connection) -> None:
    connection.exec_driver_sql(
        """CREATE TABLE outside_rows (
            sheet TEXT NOT NULL,
            key TEXT NOT NULL,
            row_id INTEGER NOT NULL REFERENCES rows (id),
            is_owner INTEGER NOT NULL,
            PRIMARY KEY (sheet, key))"""
    )
    connection.exec_driver_sql("CREATE INDEX outside_rows_by_row ON outside_rows (row_id)")


MIGRATIONS: tuple[Migration, ...] = (
    Migration(1, "rows, runs, jobs, results, audit", _create_tables),
    Migration(2, "marks that people set on channels", _create_marks),
    Migration(3, "pause, cancel and retry", _create_wishes),
    Migration(4, "rows made for what a standing row finds", _create_found_rows),
    Migration(5, "what people were told", _create_notices),
    Migration(6, "how full the disks were, how much was recorded", _create_samples),
    Migration(7, "how rows ended, and under which circumstances", _create_finished_rows),
    Migration(8, "rows that stand in sheets outside the library", _create_outside_rows),
)


def schema_version(connection: Connection) -> int:
    """The version of the tables in the file; 0 for an empty file.

    Raises
    ------
    LedgerUnusable
        The file is a database of something else.
    """
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return 0
    if "schema_version" not in tables:
        raise LedgerUnusable(
            f"this database is not Wakeful's (it holds {', '.join(sorted(tables)[:5])})",
            remedy="check where wakeful.toml says the database is",
        )
    return connection.execute(select(func.max(SCHEMA_VERSION.c.version))).scalar() or 0


def check_version(found: int, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Refuse tables that are newer than the newest migration known here.

    Raises
    ------
    NewerLedger
        The file was written by a newer Wakeful.
    """
    newest = migrations[-1].version
    if found > newest:
        raise NewerLedger(
            f"the database has tables of version {found}, this Wakeful knows up to {newest}",
            remedy="update Wakeful on this machine; nothing was changed in the database",
        )


def migrate(connection: Connection, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """Bring the tables up to date, within the transaction that is open on `connection`.

    Returns
    -------
    How many migrations were applied.

    Raises
    ------
    NewerLedger
        The file was written by a newer Wakeful.
    LedgerUnusable
        The file is a database of something else.
    """
    found = schema_version(connection)
    check_version(found, migrations)
    if found == 0:
        connection.exec_driver_sql(
            "CREATE TABLE IF NOT EXISTS schema_version ("
            "version INTEGER PRIMARY KEY, what TEXT NOT NULL, applied TEXT NOT NULL)"
        )
    wanted = [m for m in migrations if m.version > found]
    for migration in wanted:
        migration.apply(connection)
        connection.execute(
            SCHEMA_VERSION.insert().values(
                version=migration.version, what=migration.what, applied=datetime.now(UTC)
            )
        )
    return len(wanted)
