"""The tables as they are now; how an older file gets there is in `migrations`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import (
    REAL,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

CELL_COLUMNS: Final = (
    "subject",
    "recording",
    "analyses",
    "params",
    "stream",
    "channels",
    "priority",
    "run",
    "rerun",
    "notes",
)
"""What a person types, kept exactly as typed."""

STATUS_COLUMNS: Final = ("status", "progress", "started", "finished", "link", "message")
"""What Wakeful writes back, as it is shown."""


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC as ISO 8601 text of fixed width, so that text order is time order."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Time -> text; a time without a zone is refused, not guessed."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Text -> time."""
        del dialect
        return None if value is None else datetime.fromisoformat(value)


METADATA: Final = MetaData()

SCHEMA_VERSION: Final = Table(
    "schema_version",
    METADATA,
    Column("version", Integer, primary_key=True),
    Column("what", Text, nullable=False),
    Column("applied", UtcTime, nullable=False),
)

ROWS: Final = Table(
    "rows",
    METADATA,
    Column("id", Integer, primary_key=True),
    *(Column(name, Text, nullable=False) for name in CELL_COLUMNS),
    *(Column(name, Text, nullable=False) for name in STATUS_COLUMNS),
    Column("created", UtcTime, nullable=False),
    Column("updated", UtcTime, nullable=False),
    Column("deleted", UtcTime),
    sqlite_autoincrement=True,
)

RUNS: Final = Table(
    "runs",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("row_id", Integer, ForeignKey("rows.id"), nullable=False),
    Column("request", Text, nullable=False),
    Column("request_key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("message", Text, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("started", UtcTime),
    Column("finished", UtcTime),
    Index("runs_by_row", "row_id"),
    Index("runs_by_state", "state"),
    Index("runs_by_request", "request_key"),
    sqlite_autoincrement=True,
)

JOBS: Final = Table(
    "jobs",
    METADATA,
    Column("job_id", Text, primary_key=True),
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False),
    Column("keys", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("pid", Integer),
    Column("pid_start_time", REAL),
    Column("external_id", Text),
    Column("created", UtcTime, nullable=False),
    Column("started", UtcTime),
    Column("finished", UtcTime),
    Column("error", Text, nullable=False),
    Index("jobs_by_run", "run_id"),
    Index("jobs_by_state", "state"),
)

RESULTS: Final = Table(
    "results",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("step", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("seconds", REAL, nullable=False),
    Column("created", UtcTime, nullable=False),
    Index("results_by_session", "session"),
)

MARKS: Final = Table(
    "marks",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("recording", Text, nullable=False),
    Column("channels", Text, nullable=False),
    Column("start_s", REAL, nullable=False),
    Column("stop_s", REAL, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("made", UtcTime, nullable=False),
    Column("deleted", UtcTime),
    Index("marks_by_recording", "subject", "recording"),
    sqlite_autoincrement=True,
)

WISHES: Final = Table(
    "wishes",
    METADATA,
    Column("row_id", Integer, primary_key=True),
    Column("wish", Text, primary_key=True),
    Column("author", Text, nullable=False),
    Column("made", UtcTime, nullable=False),
)

FOUND_ROWS: Final = Table(
    "found_rows",
    METADATA,
    Column("row_id", Integer, ForeignKey("rows.id"), primary_key=True),
    Column("standing_row", Integer, ForeignKey("rows.id"), nullable=False),
    Column("recording", Text, nullable=False),
    Column("written", Text, nullable=False),
    UniqueConstraint("standing_row", "recording"),
)

OUTSIDE_ROWS: Final = Table(
    "outside_rows",
    METADATA,
    Column("sheet", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("row_id", Integer, ForeignKey("rows.id"), nullable=False),
    Column("is_owner", Integer, nullable=False),
    Index("outside_rows_by_row", "row_id"),
)

AUDIT: Final = Table(
    "audit",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("time", UtcTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Index("audit_by_what", "what"),
    sqlite_autoincrement=True,
)

NOTICES: Final = Table(
    "notices",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("made", UtcTime, nullable=False),
    Column("delivered_to", Text, nullable=False),
    Column("ended", UtcTime),
    Column("n_attempts", Integer, nullable=False),
    Column("next_try", UtcTime, nullable=False),
    Index("notices_by_reason", "reason"),
    Index("notices_by_end", "ended"),
    sqlite_autoincrement=True,
)

SAMPLES: Final = Table(
    "samples",
    METADATA,
    Column("time", UtcTime, primary_key=True),
    Column("taken_in_bytes", Integer, nullable=False),
    Column("stored_bytes", Integer, nullable=False),
    Column("recorded_s", REAL, nullable=False),
    Column("backlog_s", REAL),
    Column("free_bytes", Text, nullable=False),
)

FINISHED_ROWS: Final = Table(
    "finished_rows",
    METADATA,
    Column("row_id", Integer, ForeignKey("rows.id"), primary_key=True),
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False),
    *(
        Column(name, Text, nullable=False)
        for name in ("stamp", "signature", "status", "progress", "link", "message", "session")
    ),
    *(
        Column(name, Integer, nullable=False)
        for name in ("n_results", "n_blocks", "taken_in_bytes")
    ),
)
