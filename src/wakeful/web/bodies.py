"""What the page sends when somebody changes the sheet."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from wakeful.ledger import RowCells, RowEdit
from wakeful.ledger.schema import CELL_COLUMNS
from wakeful.model.errors import BadRow

MOST_ROWS: Final = 20_000
"""More rows at a time are a mistake, or belong into a file that is imported."""

_Number = Annotated[int, Field(ge=1, le=2**53)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class EditBody(_Body):
    """Cells of one row, and what was seen in them before."""

    row: _Number
    cells: dict[str, str]
    expected: dict[str, str] = Field(default_factory=dict)

    def edit(self) -> RowEdit:
        """For the sheet."""
        return RowEdit(row_id=self.row, changes=self.cells, expected=self.expected)


class ChangeBody(_Body):
    """Rows to be changed and rows to be added: all of it, or nothing."""

    edits: Annotated[list[EditBody], Field(max_length=MOST_ROWS)] = Field(default_factory=list)
    added: Annotated[list[dict[str, str]], Field(max_length=MOST_ROWS)] = Field(
        default_factory=list
    )

    def additions(self) -> list[RowCells]:
        """The rows to be added.

        Raises
        ------
        BadRow
            One names a column that is not for typing.
        """
        for number, cells in enumerate(self.added, start=1):
            if odd := [name for name in cells if name not in CELL_COLUMNS]:
                raise BadRow(
                    f"{odd[0]} can't be edited",
                    where=f"new row {number}",
                    remedy=f"fill one of {', '.join(CELL_COLUMNS)}",
                )
        return [RowCells(**cells) for cells in self.added]


class RowsBody(_Body):
    """Numbers of rows."""

    rows: Annotated[list[_Number], Field(min_length=1, max_length=MOST_ROWS)]
