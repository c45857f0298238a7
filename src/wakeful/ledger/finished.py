"""Rows that were finished, and under which circumstances: what a restart need not plan again."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from wakeful.ledger.database import Database
from wakeful.ledger.schema import FINISHED_ROWS


@dataclass(frozen=True, kw_only=True)
class FinishedRow:
    """How a row ended."""

    row_id: int
    run_id: int
    stamp: str
    """Digest of all that its results and report depend on, but for the recording's files."""
    signature: str
    """Digest of what those files looked like."""
    status: str
    progress: str
    link: str
    message: str
    session: str
    n_results: int
    n_blocks: int
    taken_in_bytes: int


class FinishedRowStore(Database):
    """One entry a row."""

    def keep_finished_row(self, row: FinishedRow) -> None:
        """Note how a row ended, in place of what was known."""
        values = {column.name: getattr(row, column.name) for column in FINISHED_ROWS.c}
        statement = insert(FINISHED_ROWS).values(values)
        statement = statement.on_conflict_do_update(
            index_elements=[FINISHED_ROWS.c.row_id],
            set_={name: statement.excluded[name] for name in values if name != "row_id"},
        )
        with self.writing() as connection:
            connection.execute(statement)

    def finished_rows(self) -> dict[int, FinishedRow]:
        """Row -> how it ended."""
        with self.reading() as connection:
            return {
                int(found["row_id"]): FinishedRow(**found)
                for found in connection.execute(select(FINISHED_ROWS)).mappings()
            }
