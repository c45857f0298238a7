"""The database: rows, runs, jobs, the index of results, marks, audit."""

from __future__ import annotations

from wakeful.ledger.audit import AuditEntry
from wakeful.ledger.errors import (
    DuplicateJob,
    EditConflict,
    LedgerUnusable,
    NewerLedger,
    UnknownRecord,
)
from wakeful.ledger.finished import FinishedRow
from wakeful.ledger.found_rows import FoundRow
from wakeful.ledger.ledger import Ledger
from wakeful.ledger.marks import MarkCells, MarkRecord
from wakeful.ledger.notices import NoticeRecord
from wakeful.ledger.outside_rows import OutsideRow
from wakeful.ledger.results import ResultEntry
from wakeful.ledger.rows import RowCells, RowEdit, RowRecord, RowStatus
from wakeful.ledger.runs import JobRecord, JobState, RunRecord, RunState, canonical_json
from wakeful.ledger.samples import Sample
from wakeful.ledger.watching import WATCHED_COLUMNS, ChangeWatch, RowWatch
from wakeful.ledger.wishes import Wish, WishRecord

__all__ = [
    "WATCHED_COLUMNS",
    "AuditEntry",
    "ChangeWatch",
    "DuplicateJob",
    "EditConflict",
    "FinishedRow",
    "FoundRow",
    "JobRecord",
    "JobState",
    "Ledger",
    "LedgerUnusable",
    "MarkCells",
    "MarkRecord",
    "NewerLedger",
    "NoticeRecord",
    "OutsideRow",
    "ResultEntry",
    "RowCells",
    "RowEdit",
    "RowRecord",
    "RowStatus",
    "RowWatch",
    "RunRecord",
    "RunState",
    "Sample",
    "UnknownRecord",
    "Wish",
    "WishRecord",
    "canonical_json",
]
