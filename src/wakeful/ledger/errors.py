"""What can be wrong with the database itself."""

from __future__ import annotations

from wakeful.model.errors import WakefulError


class LedgerUnusable(WakefulError):
    """The database file can't be read or written as it is."""


class NewerLedger(LedgerUnusable):
    """The database was written by a newer Wakeful."""


class UnknownRecord(WakefulError):
    """There is no row, run or job of that number in the database."""


class EditConflict(WakefulError):
    """Somebody else changed the same cell in the meantime."""


class DuplicateJob(WakefulError):
    """A job of that name was recorded before; no two attempts share a name."""
