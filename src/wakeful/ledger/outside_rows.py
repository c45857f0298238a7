"""Rows that stand in a sheet outside the library (Google, a watched file), and which row is theirs.

A row of such a sheet is known by what is typed into it; nothing is written into the sheet to tell
rows apart. Several lines of sheets may share one row here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from wakeful.ledger.database import Database
from wakeful.ledger.rows import RowCells, RowRecord, add_all, check_storable, to_record
from wakeful.ledger.schema import OUTSIDE_ROWS, ROWS


@dataclass(frozen=True)
class OutsideRow:
    """A line of an outside sheet, and its row."""

    row_id: int
    is_owner: bool
    """Whether the row was made for this sheet; else it shares the row of another."""
    is_deleted: bool
    """Whether the row is out of the library's sheet: the line went away, and may come back."""


class OutsideRowStore(Database):
    """The lines of sheets outside the library."""

    def outside_rows(self, sheet: str) -> dict[str, OutsideRow]:
        """Key of each line that was ever taken from a sheet -> its row."""
        query = (
            select(
                OUTSIDE_ROWS.c.key, OUTSIDE_ROWS.c.row_id, OUTSIDE_ROWS.c.is_owner, ROWS.c.deleted
            )
            .join(ROWS, ROWS.c.id == OUTSIDE_ROWS.c.row_id)
            .where(OUTSIDE_ROWS.c.sheet == sheet)
        )
        with self.reading() as connection:
            return {
                str(key): OutsideRow(int(row_id), bool(owner), deleted is not None)
                for key, row_id, owner, deleted in connection.execute(query)
            }

    def add_outside_rows(
        self, sheet: str, rows: Sequence[tuple[str, RowCells]], *, actor: str
    ) -> tuple[int, ...]:
        """Make rows for lines of a sheet: all of them, or none.

        Parameters
        ----------
        rows : (key, cells) of each line; no key has a row yet
        actor : for the audit log

        Raises
        ------
        BadRow
            A cell holds what is not text.
        """
        for number, (_, cells) in enumerate(rows, start=1):
            check_storable(cells.cells(), f"new row {number}")
        with self.writing() as connection:
            made = add_all(connection, [cells for _, cells in rows], actor)
            links = [
                {"sheet": sheet, "key": key, "row_id": record.id, "is_owner": 1}
                for (key, _), record in zip(rows, made, strict=True)
            ]
            if links:
                connection.execute(OUTSIDE_ROWS.insert(), links)
        return tuple(record.id for record in made)

    def share_row(self, sheet: str, key: str, row_id: int) -> None:
        """Let a line of a sheet share a row that was added otherwise."""
        with self.writing() as connection:
            connection.execute(
                OUTSIDE_ROWS.insert().values(sheet=sheet, key=key, row_id=row_id, is_owner=0)
            )

    def stop_sharing(self, sheet: str, key: str) -> None:
        """The line is gone; the row goes on for those that have it."""
        with self.writing() as connection:
            connection.execute(
                OUTSIDE_ROWS.delete().where(
                    OUTSIDE_ROWS.c.sheet == sheet,
                    OUTSIDE_ROWS.c.key == key,
                    OUTSIDE_ROWS.c.is_owner == 0,
                )
            )

    def sheets_of(self, row_id: int) -> tuple[str, ...]:
        """The outside sheets that a row was made for; () for a row of the local sheet."""
        query = select(OUTSIDE_ROWS.c.sheet).where(
            OUTSIDE_ROWS.c.row_id == row_id, OUTSIDE_ROWS.c.is_owner == 1
        )
        with self.reading() as connection:
            return tuple(str(sheet) for (sheet,) in connection.execute(query))

    def hand_over(self, sheet: str, row_id: int) -> bool:
        """Let a row that left a sheet belong to another sheet that shares it; whether one does.

        That sheet's line counts from then on, and the one that left may come back and share it.
        """
        ours = (OUTSIDE_ROWS.c.row_id == row_id) & (OUTSIDE_ROWS.c.sheet == sheet)
        others = (OUTSIDE_ROWS.c.row_id == row_id) & (OUTSIDE_ROWS.c.sheet != sheet)
        query = select(OUTSIDE_ROWS.c.sheet, OUTSIDE_ROWS.c.key).where(others)
        with self.writing() as connection:
            heir = connection.execute(query.order_by(*OUTSIDE_ROWS.primary_key)).first()
            if heir is None:
                return False
            connection.execute(OUTSIDE_ROWS.delete().where(ours))
            connection.execute(
                OUTSIDE_ROWS.update()
                .where(OUTSIDE_ROWS.c.sheet == heir.sheet, OUTSIDE_ROWS.c.key == heir.key)
                .values(is_owner=1)
            )
            return True

    def take_over(self, sheet: str, key: str, row_id: int) -> None:
        """Let a row belong to a line that shares it: nobody else's line counts any more."""
        with self.writing() as connection:
            of_row = OUTSIDE_ROWS.c.row_id == row_id
            connection.execute(OUTSIDE_ROWS.update().where(of_row).values(is_owner=0))
            connection.execute(
                OUTSIDE_ROWS.update()
                .where(of_row, OUTSIDE_ROWS.c.sheet == sheet, OUTSIDE_ROWS.c.key == key)
                .values(is_owner=1)
            )

    def forget_line(self, sheet: str, key: str) -> None:
        """The line has no row any more; the row, out of the sheet already, stays out."""
        with self.writing() as connection:
            connection.execute(
                OUTSIDE_ROWS.delete().where(
                    OUTSIDE_ROWS.c.sheet == sheet, OUTSIDE_ROWS.c.key == key
                )
            )

    def rows_of_sheet(self, sheet: str) -> dict[int, RowRecord]:
        """The rows that lines of a sheet have, by number; without deleted ones."""
        query = (
            select(ROWS)
            .join(OUTSIDE_ROWS, ROWS.c.id == OUTSIDE_ROWS.c.row_id)
            .where(OUTSIDE_ROWS.c.sheet == sheet, ROWS.c.deleted.is_(None))
        )
        with self.reading() as connection:
            found = map(to_record, connection.execute(query).mappings())
            return {record.id: record for record in found}
