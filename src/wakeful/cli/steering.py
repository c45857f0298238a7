"""Commands that steer the service: pause, resume, cancel, retry."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from wakeful.cli.output import LibraryOption, console, library_open
from wakeful.ledger import Wish
from wakeful.ledger.wishes import WHOLE_LIBRARY

_Row = Annotated[int, typer.Argument(help="The row's number, as `wakeful status` shows it.")]
_RowOrAll = Annotated[
    int, typer.Argument(help="The row's number; all rows where left out.", show_default=False)
]


def pause(row: _RowOrAll = WHOLE_LIBRARY, library: LibraryOption = None) -> None:
    """Start nothing new, for a row or for the whole library; what runs ends by itself."""
    _wish(row, Wish.PAUSE, library)
    console.print(f"{_name(row)} paused: what runs ends, nothing new is started", highlight=False)


def resume(row: _RowOrAll = WHOLE_LIBRARY, library: LibraryOption = None) -> None:
    """Let a paused row, or the paused library, go on."""
    with library_open(library, getpass.getuser()) as (_, ledger, _):
        was = ledger.take_back(row, [Wish.PAUSE], actor=getpass.getuser())
    console.print(f"{_name(row)} {'goes on' if was else 'was not paused'}", highlight=False)


def cancel(row: _Row, library: LibraryOption = None) -> None:
    """Stop the work of a row; results that are there stay, and so does what other rows share."""
    _wish(row, Wish.CANCEL, library)
    console.print(f"row {row} is cancelled; `wakeful retry {row}` starts it again", highlight=False)


def retry(row: _Row, library: LibraryOption = None) -> None:
    """Try again what failed or was cancelled; only what is missing is computed."""
    _wish(row, Wish.RETRY, library)
    console.print(f"row {row} is tried again with the next pass of `wakeful run`", highlight=False)


def _wish(row: int, wish: Wish, library: Path | None) -> None:
    with library_open(library, getpass.getuser()) as (_, ledger, _):
        ledger.make_wish(row, wish, actor=getpass.getuser())


def _name(row: int) -> str:
    return "the library" if row == WHOLE_LIBRARY else f"row {row}"
