"""Commands that steer the service and clean up: pause, resume, cancel, retry, gc."""

from __future__ import annotations

import getpass
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from wakeful.catalog import load_catalog
from wakeful.cli.output import (
    JsonOption,
    LibraryOption,
    console,
    library_open,
    print_json,
    print_table,
)
from wakeful.ledger import Wish
from wakeful.ledger.wishes import WHOLE_LIBRARY
from wakeful.service.lock import hold_library

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


def gc(
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove what is listed; no service may be at work.")
    ] = False,
    days: Annotated[float, typer.Option(min=0.0, help="Only what is older than this.")] = 7.0,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Results that no row needs any more, and folders of jobs that ended long ago.

    Raw data and what is published are never touched. What goes can be computed again.
    """
    from wakeful.service.cleaning import find_spare
    from wakeful.service.cleaning import remove as remove_spare

    with (
        library_open(library, getpass.getuser()) as (opened, ledger, sheet),
        hold_library(opened.root) if remove else nullcontext(),
    ):
        found = find_spare(opened, ledger, sheet, load_catalog(), older_than_days=days)
        if remove:
            remove_spare(opened, ledger, found)
    groups: dict[tuple[str, str], list[int]] = {}
    for spare in found.results:
        tree = spare.receipt.tree
        what = f"{tree['of_step']}{' figures' if tree['kind'] == 'figure' else ''}"
        groups.setdefault((what, spare.why), []).append(spare.n_bytes)
    if as_json:
        print_json(
            {
                "removed": remove,
                "bytes": found.n_bytes,
                "results": [
                    {"step": s.receipt.step, "key": s.receipt.key, "bytes": s.n_bytes, "why": s.why}
                    for s in found.results
                ],
                "jobs": [str(folder) for folder in found.jobs],
                "needed": found.n_needed,
                "too_young": found.n_young,
                "spared_subjects": list(found.spared),
            }
        )
        return
    if groups:
        print_table(
            ("what", "why", "results", "MB"),
            [
                (what, why, str(len(sizes)), f"{sum(sizes) / 1e6:,.1f}")
                for (what, why), sizes in sorted(groups.items())
            ],
            right=2,
        )
    verb = "removed" if remove else "can go"
    console.print(
        f"{len(found.results)} results ({found.n_bytes / 1e6:,.1f} MB) and {len(found.jobs)} job "
        f"folders {verb}; {found.n_needed} results are needed, {found.n_young} others are younger "
        f"than {days:g} days",
        highlight=False,
    )
    if found.spared:
        console.print(
            "nothing of these animals goes, since a row of theirs can't be planned now: "
            f"{escape(', '.join(found.spared))}",
            highlight=False,
        )
    if found.results and not remove:
        console.print("remove them with wakeful gc --remove", style="dim")


def _wish(row: int, wish: Wish, library: Path | None) -> None:
    with library_open(library, getpass.getuser()) as (_, ledger, _):
        ledger.make_wish(row, wish, actor=getpass.getuser())


def _name(row: int) -> str:
    return "the library" if row == WHOLE_LIBRARY else f"row {row}"
