"""The ledger: everything Wakeful must not forget, in one SQLite file."""

from __future__ import annotations

from wakeful.ledger.audit import AuditStore
from wakeful.ledger.found_rows import FoundRowStore
from wakeful.ledger.marks import MarkStore
from wakeful.ledger.results import ResultStore
from wakeful.ledger.rows import RowStore
from wakeful.ledger.runs import RunStore
from wakeful.ledger.wishes import WishStore


class Ledger(RowStore, FoundRowStore, RunStore, ResultStore, MarkStore, WishStore, AuditStore):
    """Rows, runs, jobs, the index of results, marks and the audit log of one library.

    Made by `Ledger.open(path)`; a context manager. Any number of processes may have the file open;
    all transactions are short.
    """
