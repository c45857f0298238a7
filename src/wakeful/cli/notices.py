"""Notices: whom Wakeful tells, and what it told."""

from __future__ import annotations

import getpass
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from wakeful.cli.output import (
    JsonOption,
    LibraryOption,
    console,
    library_open,
    print_json,
    print_table,
)
from wakeful.config import open_library
from wakeful.service.messenger import VARIABLE, deliver, read_addresses

notices_app = typer.Typer(
    no_args_is_help=True,
    help="Notices of failures, stalled recordings, full disks; the daily digest.",
)


@notices_app.command("test")
def send_test(library: LibraryOption = None) -> None:
    """Send a message to every address, and say who took it.

    Ends with 1 where one did not.
    """
    opened = open_library(library)
    addresses = read_addresses(opened)
    if not addresses:
        console.print(
            "there is nobody to tell: name addresses under notices in wakeful.toml, or in "
            f"{VARIABLE}",
            markup=False,
        )
        raise typer.Exit(1)
    n_missed = 0
    for address in addresses:
        taken = deliver(
            address,
            "Wakeful: a test",
            f"This address gets the notices of the library {opened.root}.",
            "info",
        )
        n_missed += not taken
        console.print(
            f"{address.shown}: {'taken' if taken else 'not taken'}", markup=False, soft_wrap=True
        )
    if n_missed:
        raise typer.Exit(1)


@notices_app.command("list")
def list_notices(
    last: Annotated[int, typer.Option(min=1, help="Only so many, the latest.")] = 20,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """What was told, and what is still to be delivered."""
    with library_open(library, getpass.getuser()) as (opened, ledger, _):
        found = ledger.notices(last)
        zone = ZoneInfo(opened.config.lab.time_zone)
    told = [
        {
            "made": notice.made.astimezone(zone).isoformat(timespec="seconds"),
            "kind": notice.kind,
            "title": notice.title,
            "text": notice.text,
            "n_delivered": len(notice.delivered_to),
            "open": notice.ended is None,
        }
        for notice in found
    ]
    if as_json:
        print_json({"notices": told})
    elif not told:
        console.print("nothing was told so far")
    else:
        print_table(
            ("when", "what", "delivered to"),
            [
                (
                    str(one["made"])[:16].replace("T", " "),
                    str(one["title"]),
                    f"{one['n_delivered']}{', will be tried again' if one['open'] else ''}",
                )
                for one in told
            ],
        )
