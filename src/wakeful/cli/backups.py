"""Copies of the database: backup, restore."""

from __future__ import annotations

import getpass
import re
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from wakeful.cli.output import LibraryOption, console, library_open
from wakeful.config import open_library
from wakeful.ledger.database import now_utc
from wakeful.ledger.restoring import restore_database
from wakeful.service.lock import hold_library

_STAMP = r"\.\d{8}T\d{6}Z"


def backup(
    file: Annotated[Path, typer.Argument(help="The copy to write.")],
    keep: Annotated[
        int,
        typer.Option(
            min=0,
            help="Put the time into the copy's name and keep only so many of the latest; "
            "0: one copy, replaced each time.",
        ),
    ] = 0,
    library: LibraryOption = None,
) -> None:
    """Copy the database while it is in use: rows, runs, the audit log.

    `wakeful restore` puts a copy back.
    """
    target = file
    if keep:
        target = file.with_name(f"{file.stem}.{now_utc():%Y%m%dT%H%M%SZ}{file.suffix}")
    with library_open(library, getpass.getuser()) as (_, ledger, _):
        ledger.backup(target)
    console.print(f"wrote {escape(str(target))}", highlight=False, soft_wrap=True)
    for old in _copies(file)[:-keep] if keep else ():
        old.unlink()
        console.print(f"removed {escape(str(old))}", highlight=False, soft_wrap=True)


def _copies(file: Path) -> list[Path]:
    """The dated copies of a name, the oldest first."""
    name = re.compile(re.escape(file.stem) + _STAMP + re.escape(file.suffix))
    return sorted(path for path in file.parent.iterdir() if name.fullmatch(path.name))


def restore(
    file: Annotated[Path, typer.Argument(help="A copy that `wakeful backup` wrote.")],
    library: LibraryOption = None,
) -> None:
    """Put a copy of the database back; the database that was there is kept beside it.

    The service and everything else that has the library open must have ended.
    """
    opened = open_library(library)
    with hold_library(opened.root):
        aside = restore_database(file, opened.database)
    console.print(
        f"{escape(str(opened.database))} is now {escape(str(file))}",
        highlight=False,
        soft_wrap=True,
    )
    if aside is not None:
        console.print(
            f"what was there is kept as {escape(str(aside))}", highlight=False, soft_wrap=True
        )
