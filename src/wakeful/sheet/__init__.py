"""Where people type rows and read what became of them."""

from __future__ import annotations

from wakeful.sheet.by_ending import read_rows_file, write_rows_file
from wakeful.sheet.csv_file import CsvTable, import_csv, read_csv, write_csv
from wakeful.sheet.interface import (
    COLUMNS,
    FILLED_COLUMNS,
    TYPED_COLUMNS,
    Column,
    Sheet,
    SheetRow,
    Status,
    StatusUpdate,
)
from wakeful.sheet.local import LocalSheet
from wakeful.sheet.request import NaturalKey, Request, natural_key
from wakeful.sheet.row_files import RowImport, RowTable
from wakeful.sheet.validate import (
    BadCells,
    CellProblem,
    CheckedRow,
    ValidationContext,
    validate,
    validate_rows,
)
from wakeful.sheet.xlsx_file import XlsxTable, import_xlsx, read_xlsx, write_xlsx

__all__ = [
    "COLUMNS",
    "FILLED_COLUMNS",
    "TYPED_COLUMNS",
    "BadCells",
    "CellProblem",
    "CheckedRow",
    "Column",
    "CsvTable",
    "LocalSheet",
    "NaturalKey",
    "Request",
    "RowImport",
    "RowTable",
    "Sheet",
    "SheetRow",
    "Status",
    "StatusUpdate",
    "ValidationContext",
    "XlsxTable",
    "import_csv",
    "import_xlsx",
    "natural_key",
    "read_csv",
    "read_rows_file",
    "read_xlsx",
    "validate",
    "validate_rows",
    "write_csv",
    "write_rows_file",
    "write_xlsx",
]
