"""Putting a copy in the place of a database, with nothing of the one before left beside it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from wakeful.ledger.database import now_utc
from wakeful.ledger.errors import LedgerUnusable
from wakeful.ledger.ledger import Ledger
from wakeful.model.errors import NoLibrary

_BESIDE: Final = ("-wal", "-shm")
"""SQLite's companions: replayed into whatever stands under the database's name."""


def restore_database(copy: Path, database: Path) -> Path | None:
    """Put a backup in the place of a database, which stays beside it under another name.

    The copy is checked, and brought to the present tables, before anything is changed; then one
    rename puts it there.

    Returns
    -------
    Where the database that was there is now; None where there was none.

    Raises
    ------
    NoLibrary
        The copy is not there.
    LedgerUnusable
        The copy is no database of Wakeful, damaged, or in use; the database is in use.
    """
    if not copy.is_file():
        raise NoLibrary(
            "there is no such copy", where=str(copy), remedy="name a file of `wakeful backup`"
        )
    if copy.with_name(f"{copy.name}-wal").exists() or (
        database.exists() and copy.samefile(database)
    ):
        raise LedgerUnusable(
            "this is a database in use, not a copy",
            where=str(copy),
            remedy="name a file of `wakeful backup`",
        )
    fresh = database.with_name(f".{database.name}.restored")
    try:
        for name in ("", *_BESIDE):
            database.with_name(f"{fresh.name}{name}").unlink(missing_ok=True)
        shutil.copyfile(copy, fresh)
        _check(fresh, copy)
        Ledger.open(fresh, must_exist=True).close()
        _sync(fresh)
        _fold(database)
        aside = _set_aside(database)
        fresh.replace(database)
        _sync(database.parent)
    finally:
        for name in ("", *_BESIDE):
            database.with_name(f"{fresh.name}{name}").unlink(missing_ok=True)
    return aside


def _check(fresh: Path, copy: Path) -> None:
    try:
        with closing(sqlite3.connect(fresh)) as connection:
            verdict = str(connection.execute("PRAGMA quick_check").fetchone()[0])
    except sqlite3.DatabaseError as error:
        verdict = str(error)
    if verdict != "ok":
        raise LedgerUnusable(
            f"the copy is damaged ({verdict})", where=str(copy), remedy="try an older copy"
        )


def _fold(database: Path) -> None:
    """Take the write-ahead log into a database, where it can be read at all."""
    if not database.exists():
        return
    try:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.DatabaseError:
        return  # damaged: that may be why it is to be replaced
    # The last one to close a sound database takes the log away.
    if database.with_name(f"{database.name}-wal").exists():
        raise LedgerUnusable(
            "another program has the database open",
            where=str(database),
            remedy="end it, then restore again",
        )


def _set_aside(database: Path) -> Path | None:
    """Give a database another name besides its own, and take away what lies beside it."""
    if not database.exists():
        return None
    aside = database.with_name(f"{database.name}.{now_utc():%Y%m%dT%H%M%S.%f}Z.replaced")
    aside.hardlink_to(database)
    for name in _BESIDE:
        part = database.with_name(f"{database.name}{name}")
        if part.exists():
            part.rename(aside.with_name(f"{aside.name}{name}"))
    return aside


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
