"""The rows of the local sheet, and what Wakeful writes into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from sqlalchemy import Connection, RowMapping, select
from sqlalchemy import text as sql

from wakeful.ledger import audit
from wakeful.ledger.database import Database, now_utc
from wakeful.ledger.errors import EditConflict, UnknownRecord
from wakeful.ledger.schema import CELL_COLUMNS, ROWS, STATUS_COLUMNS
from wakeful.model.errors import BadRow


@dataclass(frozen=True, kw_only=True)
class RowCells:
    """What a person types into a row, exactly as typed."""

    subject: str = ""
    recording: str = ""
    analyses: str = ""
    params: str = ""
    stream: str = ""
    channels: str = ""
    priority: str = ""
    run: str = ""
    rerun: str = ""
    notes: str = ""

    def cell(self, column: str) -> str:
        """The text under one of `CELL_COLUMNS`."""
        if column not in CELL_COLUMNS:
            raise KeyError(column)
        return str(getattr(self, column))

    def cells(self) -> dict[str, str]:
        """Column -> text, in the sheet's order."""
        return {column: self.cell(column) for column in CELL_COLUMNS}

    @property
    def is_blank(self) -> bool:
        """Whether nothing is typed in any cell."""
        return not any(getattr(self, column).strip() for column in CELL_COLUMNS)


@dataclass(frozen=True, kw_only=True)
class RowStatus:
    """What Wakeful writes into a row, as it is shown."""

    status: str = ""
    progress: str = ""
    started: str = ""
    finished: str = ""
    link: str = ""
    message: str = ""

    def status_cells(self) -> dict[str, str]:
        """Column -> text, in the sheet's order."""
        return {column: str(getattr(self, column)) for column in STATUS_COLUMNS}


@dataclass(frozen=True, kw_only=True)
class RowRecord(RowCells, RowStatus):
    """A row of the local sheet."""

    id: int
    """Never given to another row, not even after this one is deleted."""
    created: datetime
    updated: datetime
    """When a person last changed a cell."""
    deleted: datetime | None
    """None where the row is in the sheet."""


@dataclass(frozen=True, kw_only=True)
class RowEdit:
    """Cells of one row to be changed."""

    row_id: int
    changes: Mapping[str, str]
    """Column of `CELL_COLUMNS` -> new text."""
    expected: Mapping[str, str] = field(default_factory=dict)
    """Column -> what the editor saw there."""


def to_record(found: RowMapping) -> RowRecord:
    """A row as it was read from the database."""
    return RowRecord(**found)


def check_storable(cells: Mapping[str, str], where: str) -> None:
    """Refuse what is not text.

    Raises
    ------
    BadRow
        Names the column and the character.
    """
    for column, text in cells.items():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise BadRow(
                f"{column}: character {error.start + 1} is not valid text",
                where=where,
                remedy="type the cell again (a file name with broken characters must be renamed)",
            ) from None


def _get(connection: Connection, row_id: int) -> RowRecord:
    found = connection.execute(select(ROWS).where(ROWS.c.id == row_id)).mappings().first()
    if found is None:
        raise UnknownRecord(
            "there is no such row", where=f"row {row_id}", remedy="look at the sheet again"
        )
    return to_record(found)


def _get_present(connection: Connection, row_id: int) -> RowRecord:
    row = _get(connection, row_id)
    if row.deleted is not None:
        raise UnknownRecord(
            f"the row was deleted at {row.deleted:%Y-%m-%d %H:%M} UTC",
            where=f"row {row_id}",
            remedy="restore it, or add a new row",
        )
    return row


def _check_editable(edit: RowEdit) -> None:
    for column in edit.changes:
        if column not in CELL_COLUMNS:
            raise BadRow(
                f"{column} can't be edited",
                where=f"row {edit.row_id}",
                remedy=f"edit one of {', '.join(CELL_COLUMNS)}",
            )
    check_storable(edit.changes, f"row {edit.row_id}")


def _edit(connection: Connection, edit: RowEdit, actor: str) -> RowRecord:
    row = _get_present(connection, edit.row_id)
    for column, text in edit.expected.items():
        if row.cell(column) != text:
            raise EditConflict(
                f'{column} was changed to "{row.cell(column)}" by somebody else',
                where=f"row {row.id}",
                remedy="look at the row again, then edit it",
            )
    new = {c: text for c, text in edit.changes.items() if row.cell(c) != text}
    if not new:
        return row
    connection.execute(ROWS.update().where(ROWS.c.id == row.id).values(**new, updated=now_utc()))
    old = {column: row.cell(column) for column in new}
    audit.record(connection, actor, "edit", f"row {row.id}", old, new)
    return _get(connection, row.id)


def add_all(connection: Connection, rows: Sequence[RowCells], actor: str) -> tuple[RowRecord, ...]:
    """Add rows in two statements: one for each row would take seconds for a thousand of them."""
    if not rows:
        return ()
    # Nobody else adds rows while this transaction holds the lock; numbers are never given twice.
    last = connection.execute(sql("SELECT seq FROM sqlite_sequence WHERE name = 'rows'")).scalar()
    now = now_utc()
    made = tuple(
        RowRecord(id=number, **cells.cells(), created=now, updated=now, deleted=None)
        for number, cells in enumerate(rows, start=int(last or 0) + 1)
    )
    connection.execute(ROWS.insert(), [asdict(row) for row in made])
    audit.record_all(
        connection, actor, "add", [(f"row {row.id}", None, row.cells()) for row in made]
    )
    return made


class RowStore(Database):
    """The rows. Every change by a person is logged in the same transaction."""

    def add_rows(self, rows: Sequence[RowCells], *, actor: str) -> tuple[RowRecord, ...]:
        """Add all rows, or none.

        Raises
        ------
        BadRow
            A cell holds what is not text.
        """
        return self.change_rows((), rows, actor=actor)

    def add_row(self, cells: RowCells, *, actor: str) -> RowRecord:
        """Add one row at the end of the sheet."""
        return self.add_rows([cells], actor=actor)[0]

    def edit_row(
        self,
        row_id: int,
        changes: Mapping[str, str],
        *,
        actor: str,
        expected: Mapping[str, str] | None = None,
    ) -> RowRecord:
        """Change cells of a row; the other cells keep what anybody else typed meanwhile.

        Parameters
        ----------
        row_id : which row
        changes : column of `CELL_COLUMNS` -> new text
        actor : who changes it
        expected : column -> what the editor saw there; refused where it is no longer so

        Raises
        ------
        UnknownRecord
            There is no such row, or it was deleted.
        EditConflict
            A cell no longer holds what was expected.
        BadRow
            A column that is not for typing, or what is not text.
        """
        edit = RowEdit(row_id=row_id, changes=changes, expected=expected or {})
        return self.change_rows([edit], (), actor=actor)[0]

    def change_rows(
        self, edits: Sequence[RowEdit], additions: Sequence[RowCells], *, actor: str
    ) -> tuple[RowRecord, ...]:
        """Change rows and add others: all of it happens, or nothing.

        Returns
        -------
        The changed rows, then the added ones, in the order given.

        Raises
        ------
        UnknownRecord
            A row is not there, or was deleted.
        EditConflict
            A cell no longer holds what was expected.
        BadRow
            A column that is not for typing, or what is not text.
        """
        for edit in edits:
            _check_editable(edit)
        for number, cells in enumerate(additions, start=1):
            check_storable(cells.cells(), f"new row {number}")
        with self.writing() as connection:
            changed = [_edit(connection, edit, actor) for edit in edits]
            added = add_all(connection, additions, actor)
        return (*changed, *added)

    def delete_row(self, row_id: int, *, actor: str) -> RowRecord:
        """Take a row out of the sheet; it is kept, marked as deleted, with its runs."""
        with self.writing() as connection:
            row = _get_present(connection, row_id)
            connection.execute(ROWS.update().where(ROWS.c.id == row_id).values(deleted=now_utc()))
            audit.record(connection, actor, "delete", f"row {row_id}", row.cells(), None)
            return _get(connection, row_id)

    def restore_row(self, row_id: int, *, actor: str) -> RowRecord:
        """Bring a deleted row back as it was; a row in the sheet stays as it is."""
        with self.writing() as connection:
            row = _get(connection, row_id)
            if row.deleted is None:
                return row
            connection.execute(ROWS.update().where(ROWS.c.id == row_id).values(deleted=None))
            audit.record(connection, actor, "restore", f"row {row_id}", None, row.cells())
            return _get(connection, row_id)

    def row(self, row_id: int) -> RowRecord:
        """A row, deleted or not.

        Raises
        ------
        UnknownRecord
            There never was such a row.
        """
        with self.reading() as connection:
            return _get(connection, row_id)

    def rows(self, *, with_deleted: bool = False) -> tuple[RowRecord, ...]:
        """The rows in the order they were added."""
        query = select(ROWS).order_by(ROWS.c.id)
        if not with_deleted:
            query = query.where(ROWS.c.deleted.is_(None))
        with self.reading() as connection:
            return tuple(map(to_record, connection.execute(query).mappings()))

    def write_statuses(self, statuses: Mapping[int, RowStatus], *, actor: str | None = None) -> int:
        """Write what differs from what the rows show.

        Rows that are no longer in the sheet are left out: somebody deleted them meanwhile.

        Parameters
        ----------
        statuses : row id -> what the row shall show
        actor : the person behind it, whose change is logged; None where Wakeful itself reports

        Returns
        -------
        How many rows were written. Where none differs, nothing is locked and nothing written.
        """
        if not self._differing(statuses):
            return 0
        with self.writing() as connection:
            # Once more under the lock: what was read before it may have changed.
            differing = _differing_rows(connection, statuses)
            for row_id, (before, after) in differing.items():
                connection.execute(ROWS.update().where(ROWS.c.id == row_id).values(**after))
                if actor is not None:
                    audit.record(connection, actor, "status", f"row {row_id}", before, after)
        return len(differing)

    def _differing(self, statuses: Mapping[int, RowStatus]) -> bool:
        with self.reading() as connection:
            return bool(_differing_rows(connection, statuses))


def _differing_rows(
    connection: Connection, statuses: Mapping[int, RowStatus]
) -> dict[int, tuple[dict[str, str], dict[str, str]]]:
    """Row id -> (shown before, to be shown), of the cells that differ."""
    query = select(ROWS.c.id, *(ROWS.c[c] for c in STATUS_COLUMNS)).where(ROWS.c.deleted.is_(None))
    differing = {}
    for row_id, *shown in connection.execute(query):
        if (wanted := statuses.get(row_id)) is None:
            continue
        texts = [getattr(wanted, column) for column in STATUS_COLUMNS]
        if texts != shown:  # seldom: most rows stay as they are
            cells = zip(STATUS_COLUMNS, shown, texts, strict=True)
            changed = [(c, before, after) for c, before, after in cells if before != after]
            differing[int(row_id)] = (
                {c: str(before) for c, before, _ in changed},
                {c: str(after) for c, _, after in changed},
            )
    return differing
