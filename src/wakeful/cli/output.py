"""How the command line speaks: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from wakeful.catalog import load_catalog
from wakeful.config import Library, open_library
from wakeful.ledger import Ledger
from wakeful.service.places import make_executor
from wakeful.service.reconcile import Service
from wakeful.sheet.local import LocalSheet

console = Console()
error_console = Console(stderr=True)

LibraryOption = Annotated[
    Path | None,
    typer.Option(
        "--library",
        "-l",
        help="The library's folder. Default: the nearest folder with a wakeful.toml, "
        "from the working directory upwards.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def print_json(value: Any) -> None:
    """JSON to standard output, unadorned."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "", right: int = 0
) -> None:
    """A table; its last `right` columns hold numbers."""
    console.print(make_table(columns, rows, title=title, right=right))


def make_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "", right: int = 0
) -> Table:
    """A table to be printed."""
    table = Table(title=title or None, title_justify="left", header_style="bold", expand=False)
    for i, column in enumerate(columns):
        numeric = i >= len(columns) - right
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table


@contextmanager
def library_open(path: Path | None, actor: str) -> Iterator[tuple[Library, Ledger, LocalSheet]]:
    """A library with its database and sheet."""
    library = open_library(path)
    with Ledger.open(library.database) as ledger:
        yield library, ledger, LocalSheet(ledger, actor=actor, outside=library.outside_sheets())


def make_service(library: Library, ledger: Ledger, sheet: LocalSheet) -> Service:
    """The service of a library; its jobs run where wakeful.toml says."""
    return Service(library, ledger, sheet, make_executor(library), load_catalog())


def duration(seconds: float) -> str:
    """A duration for people: 0.4 s, 12 s, 3 min 20 s, 5 h 02 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole // 60 % 60:02d} min"


@contextmanager
def progress_bar(what: str, *, shown: bool = True) -> Iterator[Callable[[float], None]]:
    """A bar that goes when it is done; gives what takes the share of the work, 0 to 1."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not shown,
    ) as bar:
        line = bar.add_task(what, total=1.0)
        yield lambda share: bar.update(line, completed=share)
