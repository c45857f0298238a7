"""The ledger: everything Wakeful must not forget, in one SQLite file."""

from __future__ import annotations

from wakeful.ledger.audit import AuditStore
from wakeful.ledger.found_rows import FoundRowStore
from wakeful.ledger.marks import MarkStore
from wakeful.ledger.notices import NoticeStore
from wakeful.ledger.results import ResultStore
from wakeful.ledger.rows import RowStore
from wakeful.ledger.runs import RunStore
from wakeful.ledger.wishes import WishStore


class Ledger(
    RowStore,
    FoundRowStore,
    RunStore,
    ResultStore,
    MarkStore,
    WishStore,
    NoticeStore,
    AuditStore,
):
    """Rows, runs, jobs, the index of results, marks, notices and the audit log of one library.

    Made by `Ledger.open(path)`; a context manager. Any number of processes may have the file open;
    all transactions are short.
    """
