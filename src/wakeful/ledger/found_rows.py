"""Rows that were made for the recordings a standing row found, and what was written into them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import select

from wakeful.ledger import audit
from wakeful.ledger.database import Database, now_utc
from wakeful.ledger.rows import RowCells, RowStatus
from wakeful.ledger.schema import CELL_COLUMNS, FOUND_ROWS, ROWS
from wakeful.model.errors import BadRow

_PASSED_ON: Final = tuple(column for column in CELL_COLUMNS if column != "recording")


@dataclass(frozen=True, kw_only=True)
class FoundRow:
    """A row that was made for a standing row."""

    row_id: int
    standing_row: int
    recording: str
    """As found."""
    is_deleted: bool
    """Whether somebody took it out of the sheet; it is not made again."""


class FoundRowStore(Database):
    """The rows of standing rows. Every change is logged in the same transaction."""

    def add_found_row(
        self, standing_row: int, recording: str, cells: RowCells, *, actor: str
    ) -> int | None:
        """Make a row for a recording; None where this standing row has one, deleted or not.

        Parameters
        ----------
        standing_row : whose pattern the recording fits
        recording : its path, which goes into the row
        cells : what else goes into the row
        actor : for the audit log

        Raises
        ------
        BadRow
            The path is not text.
        """
        cells = replace(cells, recording=recording)
        try:
            recording.encode()
        except UnicodeEncodeError:
            raise BadRow(
                "the name holds what is not text", where=repr(recording), remedy="rename it"
            ) from None
        now = now_utc()
        with self.writing() as connection:
            known = select(FOUND_ROWS.c.row_id).where(
                FOUND_ROWS.c.standing_row == standing_row, FOUND_ROWS.c.recording == recording
            )
            if connection.execute(known).first() is not None:
                return None
            values = {**cells.cells(), **RowStatus().status_cells()}
            answer = connection.execute(
                ROWS.insert().values(**values, created=now, updated=now, deleted=None)
            )
            row_id = int(answer.lastrowid)
            connection.execute(
                FOUND_ROWS.insert().values(
                    row_id=row_id,
                    standing_row=standing_row,
                    recording=recording,
                    written=_as_json(cells),
                )
            )
            after = {**cells.cells(), "found by": f"row {standing_row}"}
            audit.record(connection, actor, "add", f"row {row_id}", None, after)
        return row_id

    def pass_on(self, row_id: int, cells: RowCells, *, actor: str) -> bool:
        """Bring a found row to what its standing row now says; whether anything was changed.

        A cell that somebody typed into since stays as it is. `recording` is never passed on.
        """
        with self.writing() as connection:
            found = (
                connection.execute(
                    select(ROWS, FOUND_ROWS.c.written)
                    .join(FOUND_ROWS, FOUND_ROWS.c.row_id == ROWS.c.id)
                    .where(ROWS.c.id == row_id, ROWS.c.deleted.is_(None))
                )
                .mappings()
                .first()
            )
            if found is None:
                return False
            written: Mapping[str, str] = json.loads(found["written"])
            new = {
                column: cells.cell(column)
                for column in _PASSED_ON
                if found[column] == written[column] != cells.cell(column)
            }
            if not new:
                return False
            connection.execute(
                ROWS.update().where(ROWS.c.id == row_id).values(**new, updated=now_utc())
            )
            connection.execute(
                FOUND_ROWS.update()
                .where(FOUND_ROWS.c.row_id == row_id)
                .values(written=json.dumps({**written, **new}, ensure_ascii=False))
            )
            old = {column: str(found[column]) for column in new}
            audit.record(connection, actor, "edit", f"row {row_id}", old, new)
        return True

    def found_rows(self, standing_row: int | None = None) -> tuple[FoundRow, ...]:
        """The rows made for a standing row, or for all; deleted ones too, the oldest first."""
        query = (
            select(FOUND_ROWS, ROWS.c.deleted)
            .join(ROWS, FOUND_ROWS.c.row_id == ROWS.c.id)
            .order_by(FOUND_ROWS.c.row_id)
        )
        if standing_row is not None:
            query = query.where(FOUND_ROWS.c.standing_row == standing_row)
        with self.reading() as connection:
            return tuple(
                FoundRow(
                    row_id=found["row_id"],
                    standing_row=found["standing_row"],
                    recording=found["recording"],
                    is_deleted=found["deleted"] is not None,
                )
                for found in connection.execute(query).mappings()
            )


def _as_json(cells: RowCells) -> str:
    return json.dumps({c: cells.cell(c) for c in _PASSED_ON}, ensure_ascii=False)
