"""Commands that look after the store of results: compress."""

from __future__ import annotations

import getpass
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
    progress_bar,
)
from wakeful.io.codec import to_plain
from wakeful.io.store import Store
from wakeful.service.compression import pack, receipts_of
from wakeful.service.lookup import find_session


def compress(
    session: Annotated[
        str,
        typer.Argument(
            help="The session's name. Default: all LFP in the library.", show_default=False
        ),
    ] = "",
    older_than: Annotated[
        float | None,
        typer.Option(
            help="Only blocks made at least so many days ago. Default: compress_after_days of "
            "wakeful.toml, else all.",
            min=0.0,
            show_default=False,
        ),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Unpack: put the .npy files back.")] = False,
    as_json: JsonOption = False,
    library: LibraryOption = None,
) -> None:
    """Pack the stored LFP without loss, where disk matters more than speed.

    Each block is packed, read back and compared to the bit before its .npy goes. Everything reads
    packed blocks as it reads others, somewhat more slowly. Ends with 1 where a block is damaged;
    it is left as it is.
    """
    with library_open(library, getpass.getuser()) as (opened, _, sheet):
        store = Store(opened.results)
        days = older_than if older_than is not None else opened.config.work.compress_after_days
        if session:
            receipts = list(
                receipts_of(store, find_session(opened, sheet, load_catalog(), session))
            )
        else:
            receipts = list(store.receipts())
    with progress_bar("unpacking" if undo else "packing") as told:
        done = pack(
            store,
            receipts,
            older_than_days=days or 0.0,
            undo=undo,
            told=lambda n, total: told(n / total if total else 1.0),
        )
    if as_json:
        print_json({**to_plain(done), "ratio": done.ratio})
    else:
        sizes = f"{done.bytes_before / 1e6:,.1f} MB, now {done.bytes_after / 1e6:,.1f} MB"
        console.print(
            f"{done.n_blocks} blocks {'unpacked' if undo else 'packed'}: {sizes}"
            + ("" if undo else f" ({done.ratio:.2f} times smaller)"),
            highlight=False,
        )
        for problem in done.problems:
            console.print(f"[red]left[/] {escape(problem)}", highlight=False, soft_wrap=True)
    if done.problems:
        raise typer.Exit(1)
