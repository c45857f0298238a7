"""Seeing that the database or its rows changed, without reading them each time."""

from __future__ import annotations

import sqlite3
import threading
from types import TracebackType
from typing import Final, Self

from wakeful.ledger.database import Database
from wakeful.ledger.schema import CELL_COLUMNS, STATUS_COLUMNS

WATCHED_COLUMNS: Final = (*CELL_COLUMNS, *STATUS_COLUMNS)

_QUERY: Final = (
    f"SELECT id, {', '.join(WATCHED_COLUMNS)} FROM rows WHERE deleted IS NULL ORDER BY id"  # noqa: S608 -- the names are ours
)


class ChangeWatch:
    """Tells for next to nothing whether the database is as it was.

    SQLite counts the commits that a connection sees others make. So the watch has a connection of
    its own, and a change made in this very process counts too.

    Parameters
    ----------
    database : what is looked at
    """

    def __init__(self, database: Database) -> None:
        self.connection = sqlite3.connect(
            database.path, check_same_thread=False, isolation_level=None
        )
        self.connection.execute("PRAGMA query_only=ON")

    def version(self) -> int:
        """A number that differs from the last one where something was committed meanwhile."""
        return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()


class RowWatch:
    """Looks at the rows again and again; costs next to nothing while nobody writes.

    Parameters
    ----------
    database : whose rows
    """

    def __init__(self, database: Database) -> None:
        self._watch = ChangeWatch(database)
        self._lock = threading.Lock()
        self._seen = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._watch.close()

    def look(self) -> dict[int, tuple[str, ...]] | None:
        """Row number -> its texts under `WATCHED_COLUMNS`; None where nothing was written since.

        A row that is deleted is not among them.
        """
        with self._lock:
            # Before reading: what is written in between is then found by the next look.
            count = self._watch.version()
            if count == self._seen:
                return None
            rows = {row[0]: row[1:] for row in self._watch.connection.execute(_QUERY)}
            self._seen = count
            return rows
