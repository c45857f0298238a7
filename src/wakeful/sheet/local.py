"""The local sheet: rows in the library's own database."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from wakeful.ledger import Ledger, RowCells, RowEdit, RowRecord
from wakeful.model.errors import BadRow
from wakeful.sheet.interface import SheetRow, StatusUpdate


class LocalSheet:
    """The rows of the library's database as a sheet.

    A row keeps its number for ever: deleting row 3 leaves row 4 what it is.

    Parameters
    ----------
    ledger : the library's database
    actor : who edits through this object, for the audit log
    outside : names of the outside sheets that are in use, whose rows are edited there; None where
        that is not known, and every outside sheet counts
    """

    def __init__(
        self, ledger: Ledger, *, actor: str, outside: Collection[str] | None = None
    ) -> None:
        self._ledger = ledger
        self._outside = outside
        self._actor = actor

    def read_rows(self) -> tuple[SheetRow, ...]:
        """All rows that are not deleted, in the order they were added."""
        return tuple(map(_sheet_row, self._ledger.rows()))

    def write_statuses(self, updates: Sequence[StatusUpdate]) -> None:
        """Write what differs; rows that were deleted meanwhile are left out."""
        self._ledger.write_statuses({int(u.identifier): u for u in updates})

    def add(
        self,
        *,
        subject: str,
        recording: str,
        analyses: str = "",
        params: str = "",
        stream: str = "",
        channels: str = "",
        priority: str = "",
        run: str = "",
        rerun: str = "",
        notes: str = "",
    ) -> SheetRow:
        """Add a row with these cells, as typed.

        Raises
        ------
        BadRow
            A cell holds what is not text. What the cells mean is judged by `validate`.
        """
        cells = RowCells(
            subject=subject,
            recording=recording,
            analyses=analyses,
            params=params,
            stream=stream,
            channels=channels,
            priority=priority,
            run=run,
            rerun=rerun,
            notes=notes,
        )
        return self.add_many([cells])[0]

    def add_many(self, rows: Sequence[RowCells]) -> tuple[SheetRow, ...]:
        """Add all rows, or none."""
        return tuple(map(_sheet_row, self._ledger.add_rows(rows, actor=self._actor)))

    def edit(self, row: int, column: str, value: str, *, expected: str | None = None) -> SheetRow:
        """Change one cell; all others keep what anybody typed meanwhile.

        Parameters
        ----------
        row : the row's number
        column : one of the columns that people fill
        value : the new text
        expected : what the editor saw in the cell; None to overwrite whatever is there

        Raises
        ------
        UnknownRecord
            There is no such row, or it was deleted.
        EditConflict
            The cell no longer holds what was expected.
        BadRow
            The column is not for typing, the value is not text, or the row belongs to another
            sheet.
        """
        self._check_ours(row)
        seen = None if expected is None else {column: expected}
        return _sheet_row(
            self._ledger.edit_row(row, {column: value}, actor=self._actor, expected=seen)
        )

    def change_many(
        self, edits: Sequence[RowEdit], additions: Sequence[RowCells] = ()
    ) -> tuple[SheetRow, ...]:
        """Change cells of several rows and add others: all of it happens, or nothing.

        Raises
        ------
        UnknownRecord, EditConflict, BadRow
            See `edit`.
        """
        for edit in edits:
            self._check_ours(edit.row_id)
        changed = self._ledger.change_rows(edits, additions, actor=self._actor)
        return tuple(map(_sheet_row, changed))

    def delete(self, row: int) -> None:
        """Take a row out of the sheet; what was computed for it stays.

        Raises
        ------
        BadRow
            The row belongs to another sheet.
        """
        self._check_ours(row)
        self._ledger.delete_row(row, actor=self._actor)

    def restore(self, row: int) -> SheetRow:
        """Bring a deleted row back as it was."""
        return _sheet_row(self._ledger.restore_row(row, actor=self._actor))

    def _check_ours(self, row: int) -> None:
        """A row that stands in another sheet is edited there, else the two would differ."""
        for sheet in self._ledger.sheets_of(row):
            if self._outside is not None and sheet not in self._outside:
                continue  # nobody looks at it any more
            raise BadRow(
                f"the row stands in another sheet ({sheet.replace(':', ' ', 1)})",
                where=f"row {row}",
                remedy="change it there; it is taken over at the next look",
            )


def _sheet_row(record: RowRecord) -> SheetRow:
    return SheetRow(
        identifier=str(record.id),
        number=record.id,
        counted_as="row",
        **record.cells(),
        **record.status_cells(),
    )
