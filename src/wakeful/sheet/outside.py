"""Sheets outside the library: what they have in common, and how their rows are known again.

Nothing is written into such a sheet to tell its rows apart: an identifier in a cell is copied with
its row, and a row's place changes with every sort. A row is known by what makes it the same row:
subject, recording, stream, parameter set and rerun, as typed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from wakeful.ledger import RowCells
from wakeful.ledger.schema import CELL_COLUMNS
from wakeful.model.errors import BadRow
from wakeful.sheet.characters import trim
from wakeful.sheet.headers import find_columns
from wakeful.sheet.interface import FILLED_COLUMNS, Sheet, SheetRow

ROWS_TAB: Final = "Recordings"
CHANNELS_TAB: Final = "Channels"
SUBJECTS_TAB: Final = "Subjects"
PARAMETERS_TAB: Final = "Parameters"
TABLE_TABS: Final = (CHANNELS_TAB, SUBJECTS_TAB, PARAMETERS_TAB)

NEEDED_IN_PLACE: Final = ("subject", "recording", "run", "status", "message")
"""Columns of a sheet into which statuses are written."""

Values = Sequence[Sequence[Any]]
"""A tab as it comes: lines of text, numbers, booleans; short lines end where they are empty."""


@dataclass(frozen=True)
class TableTab:
    """A tab beside the rows: channels, subjects, parameters."""

    title: str
    header: tuple[str, ...]
    lines: tuple[tuple[int, tuple[str, ...]], ...]
    """(number as the user sees it, cells) of each line that is not blank."""


@dataclass(frozen=True)
class Tables:
    """The tabs beside the rows; None where a sheet has none of that name."""

    channels: TableTab | None = None
    subjects: TableTab | None = None
    parameters: TableTab | None = None


class OutsideSheet(Sheet, Protocol):
    """A sheet that people keep elsewhere."""

    @property
    def name(self) -> str:
        """Tells the sheet apart from others, for ever."""
        ...

    @property
    def where(self) -> str:
        """How messages call it."""
        ...

    def read_tables(self) -> Tables:
        """The tabs beside the rows, as they were when the rows were last read."""
        ...

    def write_table_messages(self, messages: Mapping[str, Mapping[int, str]]) -> None:
        """Make the message column of the tabs show what is given.

        Parameters
        ----------
        messages : tab -> number of the line -> message; lines that are not named show none
        """
        ...


@dataclass(frozen=True)
class Layout:
    """Which column of a tab is which."""

    columns: tuple[str, ...]
    """The sheet's column of each column of the tab; "" for one of somebody's own."""
    at: Mapping[str, int] = field(default_factory=dict)
    """Column -> where it stands, from 0."""


@dataclass(frozen=True)
class PlacedRow:
    """A row where it stands just now."""

    row: SheetRow
    index: int
    """Line of the tab, from 0 for the header."""


def make_layout(header: Sequence[Any], where: str, needed: Sequence[str]) -> Layout:
    """Which column is which, whatever their order and whatever columns people added.

    Parameters
    ----------
    where : for messages
    needed : columns that must be there

    Raises
    ------
    BadRow
        Columns are missing, or there twice.
    """
    names = [to_text(cell) for cell in header]
    columns, _ = find_columns(names, where, needed)
    return Layout(tuple(columns), {c: i for i, c in enumerate(columns) if c})


def place_rows(
    values: Values,
    where: str,
    counted_as: Literal["row", "line"] = "row",
    needed: Sequence[str] = NEEDED_IN_PLACE,
    skipped: int = 0,
) -> tuple[Layout, tuple[PlacedRow, ...], tuple[int, ...]]:
    """The rows of a tab.

    Parameters
    ----------
    values : its lines; the first holds the headers
    where : for messages
    needed : columns that must be there
    skipped : lines of a file before the header

    Returns
    -------
    Which column is which; the rows in which something is typed; and the lines in which nothing is
    typed but a status shows (a ghost of a row that went away).

    Raises
    ------
    BadRow
        There are no headers, or not those that are needed.
    """
    if not values:
        raise BadRow(
            "the sheet is empty", where=where, remedy="run `wakeful sheet setup` with its address"
        )
    layout = make_layout(values[0], f"{where}, header", needed)
    placed: list[PlacedRow] = []
    ghosts: list[int] = []
    n_alike: Counter[str] = Counter()
    for index, line in enumerate(values[1:], start=1):
        cells = {
            column: to_text(line[i]) if i < len(line) else "" for column, i in layout.at.items()
        }
        # A tick box that nobody touched says "no" in every empty row.
        typed = RowCells(**{c: cells.get(c, "") for c in CELL_COLUMNS})
        if typed.is_blank or (
            typed.run.strip().upper() == "FALSE"
            and not any(typed.cell(c).strip() for c in CELL_COLUMNS if c != "run")
        ):
            if any(cells.get(c.name) for c in FILLED_COLUMNS):
                ghosts.append(index)
            continue
        key = row_key(typed)
        n_alike[key] += 1
        row = SheetRow(
            identifier=f"{key}#{n_alike[key]}",
            number=index + 1 + skipped,
            counted_as=counted_as,
            **typed.cells(),
            **{c.name: cells.get(c.name, "") for c in FILLED_COLUMNS},
        )
        placed.append(PlacedRow(row, index))
    return layout, tuple(placed), tuple(ghosts)


def row_key(cells: RowCells) -> str:
    """What makes two rows of an outside sheet the same row, as typed."""
    params = trim(cells.params)[0]
    rerun = trim(cells.rerun)[0]
    return json.dumps(
        [
            trim(cells.subject)[0],
            trim(cells.recording)[0],
            trim(cells.stream)[0],
            "" if params == "default" else params,
            "" if rerun == "0" else rerun,
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    )


def key_of(row: SheetRow) -> str:
    """The key of a row of an outside sheet, from its identifier."""
    return row.identifier.rpartition("#")[0]


def read_table(title: str, values: Values) -> TableTab | None:
    """A tab beside the rows; None where it holds nothing at all."""
    if not values:
        return None
    lines = tuple(
        (number, cells)
        for number, line in enumerate(values[1:], start=2)
        for cells in (tuple(map(to_text, line)),)
        if any(cell.strip() for cell in cells)
    )
    return TableTab(title, tuple(to_text(cell).strip() for cell in values[0]), lines)


def shown_text(text: str, most: int) -> str:
    """Text that any sheet gives back as it got it, else it would be written at every look.

    Parameters
    ----------
    most : characters
    """
    lines = (
        "".join(c if c.isprintable() else " " for c in line).strip() for line in text.splitlines()
    )
    return "\n".join(filter(None, lines))[:most].strip()


def to_text(value: Any) -> str:
    """A cell as a person reads it: 1.0 is 1, a tick is TRUE."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
