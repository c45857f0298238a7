"""A file of rows that somebody saves now and then: read, and never written.

To replace a workbook that a program has open loses what was typed into it since. Statuses therefore
go into a file beside it, NAME.status.xlsx or NAME.status.csv, and not while that one is open.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from wakeful.front_config import inbox_name
from wakeful.logs import get_log
from wakeful.model.errors import BadRow
from wakeful.sheet.csv_file import read_csv_lines, write_csv
from wakeful.sheet.headers import column_of, fold_header
from wakeful.sheet.interface import SheetRow, StatusUpdate
from wakeful.sheet.outside import (
    CHANNELS_TAB,
    PARAMETERS_TAB,
    ROWS_TAB,
    SUBJECTS_TAB,
    TABLE_TABS,
    Tables,
    place_rows,
    read_table,
)
from wakeful.sheet.xlsx_file import read_pages, write_xlsx

SETTLED_S: Final = 2.0
"""A file that was saved more recently may still be being written."""
_NEEDED: Final = ("subject", "recording", "run")


class InboxFile:
    """The rows of an .xlsx or .csv that people keep.

    Parameters
    ----------
    path : the file
    settled_s : how long it must have been left alone before it is read, seconds
    name : tells it apart from other sheets, for ever; its path where empty
    """

    def __init__(self, path: Path, settled_s: float = SETTLED_S, name: str = "") -> None:
        self._path = path
        self._name = name or inbox_name(path)
        self._settled_s = settled_s
        self._stamp: tuple[int, int] | None = None
        """Time of change and size of the file as it was read."""
        self._rows: tuple[SheetRow, ...] = ()
        self._tables = Tables()
        self._shown: dict[str, dict[str, str]] = {}
        """Identifier -> statuses, as they are in the file beside it."""
        self._notes: tuple[tuple[str, int, str], ...] = ()
        self._is_written = False
        self._waits = False

    @property
    def name(self) -> str:
        """As wakeful.toml names it."""
        return self._name

    @property
    def where(self) -> str:
        """How messages call it."""
        return str(self._path)

    @property
    def status_path(self) -> Path:
        """Where its statuses are."""
        return self._path.with_name(f"{self._path.stem}.status{self._path.suffix.lower()}")

    def read_rows(self) -> tuple[SheetRow, ...]:
        """All rows in which something is typed, from the top down, as they were last saved.

        Raises
        ------
        BadRow
            The file is gone, damaged, or lacks columns. Nothing is taken from it then.
        """
        stamp = self._look()
        if stamp != self._stamp:
            age_s = time.time() - stamp[0] / 1e9
            if self._stamp is None or not 0 <= age_s < self._settled_s:
                self._read(stamp)
        if any(self._shown.get(r.identifier, {}) != r.status_cells() for r in self._rows):
            self._rows = tuple(
                _with_statuses(row, self._shown.get(row.identifier, {})) for row in self._rows
            )
        return self._rows

    def read_tables(self) -> Tables:
        """The worksheets beside the rows, as they were when the rows were last read."""
        return self._tables

    def write_statuses(self, updates: Sequence[StatusUpdate]) -> None:
        """Write the file beside it, where something differs from what is in it."""
        wanted = {update.identifier: update.status_cells() for update in updates}
        shown = {
            name: wanted.get(name) or self._shown.get(name) or row.status_cells()
            for row in self._rows
            for name in (row.identifier,)
        }
        if shown != self._shown or not self._is_written or self._waits:
            self._write(shown, self._notes)

    def write_table_messages(self, messages: Mapping[str, Mapping[int, str]]) -> None:
        """Name what is wrong in the other worksheets, in a worksheet of the file beside it."""
        notes = tuple(
            (tab, number, text)
            for tab, said in messages.items()
            for number, text in sorted(said.items())
        )
        if notes != self._notes:
            self._notes = notes
            self._is_written = False

    def _look(self) -> tuple[int, int]:
        try:
            stat = self._path.stat()
        except OSError as error:
            raise BadRow(
                f"the file can't be read ({error.strerror})",
                where=self.where,
                remedy="put it back, or correct `files` under [inbox] in wakeful.toml",
            ) from None
        return stat.st_mtime_ns, stat.st_size

    def _read(self, stamp: tuple[int, int]) -> None:
        pages: dict[str, list[list[str]]]
        skipped = 0
        if self._path.suffix.lower() == ".xlsx":
            pages = read_pages(self._path)
        else:
            lines, skipped = read_csv_lines(self._path)
            pages = {ROWS_TAB: lines}
        title = _rows_page(pages)
        counted_as: Literal["row", "line"] = (
            "line" if self._path.suffix.lower() == ".csv" else "row"
        )
        where = f"{self.where}, {title}" if len(pages) > 1 else self.where
        _, placed, _ = place_rows(pages[title], where, counted_as, needed=_NEEDED, skipped=skipped)
        if self._look() != stamp:
            return  # it was saved meanwhile: at the next look
        by_name = {fold_header(name): values for name, values in pages.items()}
        tabs = {
            tab: read_table(tab, by_name[fold_header(tab)])
            for tab in TABLE_TABS
            if fold_header(tab) in by_name and by_name[fold_header(tab)] is not pages[title]
        }
        self._tables = Tables(
            tabs.get(CHANNELS_TAB), tabs.get(SUBJECTS_TAB), tabs.get(PARAMETERS_TAB)
        )
        self._rows = tuple(one.row for one in placed)
        self._stamp = stamp
        self._is_written = False

    def _write(
        self, shown: dict[str, dict[str, str]], notes: Sequence[tuple[str, int, str]]
    ) -> None:
        if holder := _opened_by(self.status_path):
            if not self._waits:
                get_log().warning(
                    "statuses wait: the file is open", file=str(self.status_path), lock=holder.name
                )
            self._waits = True
            return
        rows = [_with_statuses(row, shown[row.identifier]) for row in self._rows]
        if self.status_path.suffix == ".xlsx":
            write_xlsx(self.status_path, rows, notes)
        else:
            write_csv(self.status_path, rows)
        self._shown, self._is_written, self._waits = shown, True, False


def _with_statuses(row: SheetRow, cells: Mapping[str, str]) -> SheetRow:
    return replace(
        row,
        status=cells.get("status", ""),
        progress=cells.get("progress", ""),
        started=cells.get("started", ""),
        finished=cells.get("finished", ""),
        link=cells.get("link", ""),
        message=cells.get("message", ""),
    )


def _rows_page(pages: Mapping[str, Sequence[Sequence[str]]]) -> str:
    """The worksheet with the rows: the one called so, else the first that has the columns."""
    named = [name for name in pages if fold_header(name) == fold_header(ROWS_TAB)]
    fitting = [
        name
        for name, values in pages.items()
        if values and {"subject", "recording", "run"} <= set(map(column_of, values[0]))
    ]
    return next(iter([*named, *fitting, *pages]))


def _opened_by(path: Path) -> Path | None:
    """What a program leaves beside a file that it has open (Excel, LibreOffice); None if none."""
    beside = (path.with_name(f"~${path.name}"), path.with_name(f".~lock.{path.name}#"))
    return next((lock for lock in beside if lock.exists()), None)
