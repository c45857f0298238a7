"""The command unblind: show what group each animal is of, with a reason that is logged."""

from __future__ import annotations

import getpass
import json
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape

from wakeful.cli.output import LibraryOption, console, library_open
from wakeful.service.blinding import hide_again, history, is_blinded
from wakeful.service.blinding import unblind as unblind_library


def unblind(
    reason: Annotated[
        str, typer.Option(help="Why the groups are to be known now; it is logged.")
    ] = "",
    again: Annotated[
        bool, typer.Option("--hide-again", help="Hide them again from now on.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--history", help="Only show who unblinded when, and why.")
    ] = False,
    library: LibraryOption = None,
) -> None:
    """Show genotype, drug, dose and notes of animals where [blinding] hides them.

    Who did it, when and why goes into the library's log of changes and stays there.
    """
    actor = getpass.getuser()
    with library_open(library, actor) as (opened, ledger, _):
        if again:
            hide_again(opened, ledger, actor=actor)
        elif not show:
            unblind_library(opened, ledger, actor=actor, reason=reason)
        zone = ZoneInfo(opened.config.lab.time_zone)
        for entry in history(ledger):
            why = json.loads(entry.after)["reason"] if entry.after else ""
            line = f"{entry.time.astimezone(zone):%Y-%m-%d %H:%M} {entry.actor}: {entry.action}"
            console.print(escape(f"{line} ({why})" if why else line), highlight=False)
        hidden = "hidden" if is_blinded(opened, ledger) else "shown"
    console.print(f"groups are {hidden} now", highlight=False)
