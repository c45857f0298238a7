"""Whether anybody has changed the database since one looked."""

from __future__ import annotations

import sqlite3
from pathlib import Path


class ChangeWatch:
    """Tells for next to nothing whether the database is as it was.

    Parameters
    ----------
    path : the database file
    """

    def __init__(self, path: Path) -> None:
        # A connection of its own, which changes nothing: SQLite counts the changes of all others.
        self._connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False
        )

    def version(self) -> int:
        """A number that differs from the last one where something was committed meanwhile."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
