"""A Google Sheet as a sheet of rows.

What is read and what is written are matched by what stands in the rows at that moment, never by
the number of a row. Between the last look and the write somebody may still sort: a status then
stands on a wrong row until the next pass, which sees it there and puts it right.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from wakeful.google.spreadsheet import RangeValues, Spreadsheet
from wakeful.logs import get_log
from wakeful.model.errors import BadRow
from wakeful.sheet.google_writes import Written
from wakeful.sheet.headers import column_of, fold_header
from wakeful.sheet.interface import COLUMNS, FILLED_COLUMNS, SheetRow, StatusUpdate
from wakeful.sheet.outside import (
    CHANNELS_TAB,
    PARAMETERS_TAB,
    ROWS_TAB,
    SUBJECTS_TAB,
    TABLE_TABS,
    Layout,
    PlacedRow,
    Tables,
    place_rows,
    read_table,
    to_text,
)

_TABS_AGAIN_S: Final = 60.0
"""So often it is asked which tabs there are: somebody may add one."""

_FILLED: Final = tuple(column.name for column in FILLED_COLUMNS)


class GoogleSheet:
    """The rows of a Google Sheet.

    Parameters
    ----------
    book : the sheet
    """

    def __init__(self, book: Spreadsheet) -> None:
        self._book = book
        self._titles: dict[str, str] | None = None
        """What a tab is for -> what it is called, of the tabs that are there."""
        self._described = 0.0
        self._values: dict[str, list[list[Any]]] = {}
        self._placed: tuple[Layout, tuple[PlacedRow, ...], tuple[int, ...]] | None = None
        """What stands where in them; a look at a sheet in which nothing changed is cheap."""
        self._rows: tuple[SheetRow, ...] | None = None
        self._written: dict[str, Written] = {}
        """Tab -> what was written last, until the next look has seen where it landed."""

    @property
    def name(self) -> str:
        """Its key at Google."""
        return f"google:{self._book.key}"

    @property
    def where(self) -> str:
        """How messages call it."""
        return self._book.where

    def read_rows(self) -> tuple[SheetRow, ...]:
        """All rows in which something is typed, from the top down.

        Raises
        ------
        GoogleAway, GoogleRefused
            See `Spreadsheet`.
        BadRow
            Columns are missing; said in the sheet too, where that can be.
        """
        self._read()
        _, placed, _ = self._place()
        if self._rows is None:
            self._rows = tuple(one.row for one in placed)
        return self._rows

    def read_tables(self) -> Tables:
        """The tabs beside the rows, as they were when the rows were last read."""
        tabs = {
            tab: read_table(tab, self._values[tab]) for tab in TABLE_TABS if tab in self._values
        }
        return Tables(tabs.get(CHANNELS_TAB), tabs.get(SUBJECTS_TAB), tabs.get(PARAMETERS_TAB))

    def write_statuses(self, updates: Sequence[StatusUpdate]) -> None:
        """Write what differs, in one call; ghosts of rows that went away are cleared.

        Raises
        ------
        GoogleAway, GoogleRefused
            See `Spreadsheet`.
        """
        wanted = {update.identifier: update.status_cells() for update in updates}
        if not self._differences(wanted):
            return
        self._book.wait_to_write()
        self._read()  # the sheet may have been sorted since
        if ranges := self._differences(wanted):
            self._write({ROWS_TAB: ranges})

    def write_table_messages(self, messages: Mapping[str, Mapping[int, str]]) -> None:
        """Make the message column of the tabs show what is given, in one call."""
        if self._message_differences(messages):
            self._book.wait_to_write()
            self._read()
            if ranges := self._message_differences(messages):
                self._write(ranges)

    def _message_differences(
        self, messages: Mapping[str, Mapping[int, str]]
    ) -> dict[str, list[RangeValues]]:
        """Tab -> the cells in which another message shows than shall."""
        found: dict[str, list[RangeValues]] = {}
        for tab, values in self._values.items():
            column = _message_column(values[0]) if tab in TABLE_TABS and values else None
            if column is None:
                continue
            said = messages.get(tab, {})
            for index, line in enumerate(values[1:], start=1):
                shown = to_text(line[column]) if column < len(line) else ""
                if (text := said.get(index + 1, "")) != shown:
                    one = RangeValues(self._title(tab), index, column, ((text,),))
                    found.setdefault(tab, []).append(one)
        return found

    def _write(self, ranges: Mapping[str, Sequence[RangeValues]]) -> None:
        """Write into tabs, and keep what stood there until the next look has seen the outcome."""
        for tab, ours in ranges.items():
            self._written[tab] = Written.of(ours, self._values[tab])
        self._book.write([one for ours in ranges.values() for one in ours])
        for tab, ours in ranges.items():
            self._note(tab, ours)

    def _title(self, tab: str) -> str:
        return (self._titles or {}).get(tab, tab)

    def _read(self) -> None:
        from wakeful.google.calls import GoogleRefused

        try:
            self._read_values()
        except GoogleRefused:
            if self._titles is None:
                raise
            self._titles = None  # a tab was renamed or deleted
            self._read_values()

    def _read_values(self) -> None:
        now = time.monotonic()
        if self._titles is None or now - self._described >= _TABS_AGAIN_S:
            _, tabs = self._book.describe()
            self._titles, self._described = _find_tabs([tab.title for tab in tabs]), now
        found = self._book.read(list(self._titles.values()))
        values = {tab: found[title] for tab, title in self._titles.items()}
        for tab in list(self._written):
            self._put_right(tab, values.get(tab, []))
        if values != self._values:
            self._values, self._placed, self._rows = values, None, None

    def _put_right(self, tab: str, values: list[list[Any]]) -> None:
        """Where somebody moved columns in the instant of the last write: give back what it hit."""
        hit, lost = self._written.pop(tab).misplaced(values)
        if hit:
            title = self._title(tab)
            self._book.write([RangeValues(title, r, c, ((t,),)) for (r, c), t in hit.items()])
            for (row, column), text in hit.items():
                values.extend([] for _ in range(row + 1 - len(values)))
                values[row].extend([""] * (column + 1 - len(values[row])))
                values[row][column] = text
            get_log().warning(
                "columns were moved while statuses were written; what they hit was put back",
                sheet=self.where,
                cells=len(hit),
            )
        for text in lost:
            get_log().error(
                "columns and rows were moved while statuses were written; this cell was hit",
                sheet=self.where,
                held=text,
            )

    def _place(self) -> tuple[Layout, tuple[PlacedRow, ...], tuple[int, ...]]:
        """What stands where, in the values that were read last."""
        if self._placed is None:
            values = self._values[ROWS_TAB]
            try:
                self._placed = place_rows(values, f"{self.where}, tab {self._title(ROWS_TAB)}")
            except BadRow as error:
                self._say_in_the_sheet(values, str(error))
                raise
        return self._placed

    def _say_in_the_sheet(self, values: list[list[Any]], message: str) -> None:
        """What is wrong with the headers, under `message` where there is such a column."""
        column = _message_column(values[0]) if values else None
        if column is None or not _is_ours(self._title(ROWS_TAB), values[0]):
            return
        shown = to_text(values[1][column]) if len(values) > 1 and column < len(values[1]) else ""
        if shown != message:
            self._book.write([RangeValues(self._title(ROWS_TAB), 1, column, ((message,),))])

    def _differences(self, wanted: Mapping[str, Mapping[str, str]]) -> list[RangeValues]:
        layout, placed, ghosts = self._place()
        columns = sorted((layout.at[c], c) for c in _FILLED if c in layout.at)
        lines: dict[int, list[str]] = {}
        for one in placed:
            shown = one.row.status_cells()
            now = wanted.get(one.row.identifier, shown)
            if now != shown:
                lines[one.index] = [now[c] for _, c in columns]
        for index in ghosts:
            lines[index] = [""] * len(columns)
        title = self._title(ROWS_TAB)
        return [
            RangeValues(
                title,
                rows[0],
                columns[group[0]][0],
                tuple(tuple(lines[r][group[0] : group[-1] + 1]) for r in rows),
            )
            for rows in _runs(sorted(lines))
            for group in _column_groups([at for at, _ in columns])
        ]

    def _note(self, tab: str, ranges: Iterable[RangeValues]) -> None:
        """The values as they are after a write, so that the next look finds no difference."""
        values, self._placed, self._rows = self._values[tab], None, None
        for one in ranges:
            for row, line in enumerate(one.values, one.row):
                here = values[row]
                here.extend([""] * (one.column + len(line) - len(here)))
                here[one.column : one.column + len(line)] = line


def _find_tabs(titles: Sequence[str]) -> dict[str, str]:
    """What each tab is for; the first is the rows' where none is called so."""
    by_name = {fold_header(title): title for title in titles}
    found = {tab: by_name.get(fold_header(tab)) for tab in (ROWS_TAB, *TABLE_TABS)}
    found[ROWS_TAB] = found[ROWS_TAB] or titles[0]
    return {tab: title for tab, title in found.items() if title is not None}


def _is_ours(title: str, header: Sequence[Any]) -> bool:
    """Whether a tab is the one of the rows, spoilt, and not one of somebody's own."""
    n_known = sum(column_of(to_text(cell)) is not None for cell in header)
    return fold_header(title) == fold_header(ROWS_TAB) or n_known > len(COLUMNS) // 2


def _message_column(header: Sequence[Any]) -> int | None:
    names = [fold_header(to_text(cell)) for cell in header]
    return names.index("message") if "message" in names else None


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """Numbers that follow each other, together."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _column_groups(places: Sequence[int]) -> list[list[int]]:
    """Positions in `places` of columns that stand side by side, together."""
    groups: list[list[int]] = []
    for position, place in enumerate(places):
        if groups and places[groups[-1][-1]] == place - 1:
            groups[-1].append(position)
        else:
            groups.append([position])
    return groups
