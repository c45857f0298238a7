"""The ledger: everything Wakeful must not forget, in one SQLite file."""

from __future__ import annotations

from wakeful.ledger.audit import AuditStore
from wakeful.ledger.finished import FinishedRowStore
from wakeful.ledger.found_rows import FoundRowStore
from wakeful.ledger.marks import MarkStore
from wakeful.ledger.notices import NoticeStore
from wakeful.ledger.outside_rows import OutsideRowStore
from wakeful.ledger.results import ResultStore
from wakeful.ledger.rows import RowStore
from wakeful.ledger.runs import RunStore
from wakeful.ledger.samples import SampleStore
from wakeful.ledger.wishes import WishStore


class Ledger(
    RowStore,
    FoundRowStore,
    OutsideRowStore,
    RunStore,
    ResultStore,
    MarkStore,
    WishStore,
    NoticeStore,
    SampleStore,
    FinishedRowStore,
    AuditStore,
):
    """All tables of one library: rows, runs, jobs, results, marks, notices, samples, audit.

    Made by `Ledger.open(path)`; a context manager. Any number of processes may have the file open;
    all transactions are short.
    """
