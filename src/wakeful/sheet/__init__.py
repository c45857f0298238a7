"""Where people type rows and read what became of them."""

from __future__ import annotations

from wakeful.sheet.csv_file import CsvImport, CsvTable, import_csv, read_csv, write_csv
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
from wakeful.sheet.validate import (
    BadCells,
    CellProblem,
    CheckedRow,
    ValidationContext,
    validate,
    validate_rows,
)

__all__ = [
    "COLUMNS",
    "FILLED_COLUMNS",
    "TYPED_COLUMNS",
    "BadCells",
    "CellProblem",
    "CheckedRow",
    "Column",
    "CsvImport",
    "CsvTable",
    "LocalSheet",
    "NaturalKey",
    "Request",
    "Sheet",
    "SheetRow",
    "Status",
    "StatusUpdate",
    "ValidationContext",
    "import_csv",
    "natural_key",
    "read_csv",
    "validate",
    "validate_rows",
    "write_csv",
]
