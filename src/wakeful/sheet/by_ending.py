"""Files of rows, CSV or Excel by the ending of their name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wakeful.model.errors import BadRow
from wakeful.sheet.csv_file import read_csv, write_csv
from wakeful.sheet.interface import SheetRow
from wakeful.sheet.row_files import RowTable
from wakeful.sheet.xlsx_file import read_xlsx, write_xlsx


def read_rows_file(path: Path) -> RowTable:
    """Read rows from a .csv, .tsv, .txt or .xlsx; see `read_csv`, `read_xlsx`.

    Raises
    ------
    BadRow
        The file is none of them, or some of its lines are broken.
    """
    ending = path.suffix.lower()
    if ending in (".xlsx", ".xlsm"):
        return read_xlsx(path)
    if ending in (".csv", ".tsv", ".txt"):
        return read_csv(path)
    raise _unknown(path)


def write_rows_file(path: Path, rows: Sequence[SheetRow]) -> None:
    """Write rows with their statuses to a .csv or .xlsx; see `write_csv`, `write_xlsx`.

    Raises
    ------
    BadRow
        The ending is another, or a cell holds what such a file can't.
    """
    ending = path.suffix.lower()
    if ending == ".xlsx":
        write_xlsx(path, rows)
    elif ending == ".csv":
        write_csv(path, rows)
    else:
        raise _unknown(path)


def _unknown(path: Path) -> BadRow:
    return BadRow(
        f"a file that ends in {path.suffix or 'nothing'} holds no rows",
        where=str(path),
        remedy="use a .csv or an .xlsx",
    )
