"""Commands on the rows of the local sheet: sheet import, export, edit, delete, columns."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from wakeful.catalog import load_catalog
from wakeful.cli.output import LibraryOption, console, library_open, print_table
from wakeful.config import CONFIG_NAME, open_library
from wakeful.model.errors import BadConfig
from wakeful.service.row_rules import make_context
from wakeful.sheet.by_ending import read_rows_file, write_rows_file
from wakeful.sheet.interface import COLUMNS
from wakeful.sheet.row_files import add_table

sheet_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The rows of the local sheet: correct them, take them from or write them to a file.",
)

RowArgument = Annotated[int, typer.Argument(help="The row's number, as `wakeful status` shows it.")]


@sheet_app.command("import")
def import_rows(
    file: Annotated[
        Path, typer.Argument(help="A .csv (UTF-8) or .xlsx whose first line names the columns.")
    ],
    library: LibraryOption = None,
) -> None:
    """Add the rows of a CSV or Excel file: all of them, or none where a line is wrong.

    Every bad line is named. See `wakeful sheet columns` for the columns.
    """
    with library_open(library, getpass.getuser()) as (opened, _, sheet):
        table = read_rows_file(file)
        done = add_table(table, file, sheet, make_context(opened, load_catalog()))
    console.print(f"{len(done.added)} rows added", highlight=False)
    if done.unknown_columns:
        console.print(f"not read: {escape(', '.join(done.unknown_columns))}", highlight=False)
    for notice in done.notices:
        console.print(escape(notice), highlight=False, soft_wrap=True)


@sheet_app.command("export")
def export_rows(
    file: Annotated[Path, typer.Argument(help="The .csv or .xlsx to write.")],
    library: LibraryOption = None,
) -> None:
    """Write all rows with their statuses to a file that any spreadsheet opens."""
    with library_open(library, getpass.getuser()) as (_, _, sheet):
        rows = sheet.read_rows()
        write_rows_file(file, rows)
    console.print(f"{len(rows)} rows written to {escape(str(file))}", highlight=False)


@sheet_app.command("edit")
def edit_cell(
    row: RowArgument,
    column: Annotated[str, typer.Argument(help="The column, e.g. subject.")],
    value: Annotated[str, typer.Argument(help='The new text; "" clears the cell.')],
    library: LibraryOption = None,
) -> None:
    """Change one cell of a row. The change is logged with who made it."""
    with library_open(library, getpass.getuser()) as (_, _, sheet):
        sheet.edit(row, column, value)
    console.print(f"row {row}: {escape(column)} is now {escape(value)!r}", highlight=False)


@sheet_app.command("delete")
def delete_row(row: RowArgument, library: LibraryOption = None) -> None:
    """Take a row out of the sheet; what was computed for it stays."""
    with library_open(library, getpass.getuser()) as (_, _, sheet):
        sheet.delete(row)
    console.print(f"row {row} deleted", highlight=False)


@sheet_app.command("setup")
def set_up_sheet(
    address: Annotated[
        str, typer.Argument(help="The Google Sheet's address, copied from the browser.")
    ],
    library: LibraryOption = None,
) -> None:
    """Make a Google Sheet ready: headers, choices, tick boxes, colours, guarded columns, help.

    May be run again at any time: what is missing is added, and nothing that people typed is
    touched.
    """
    from wakeful.front_config import sheet_key
    from wakeful.google.account import read_account
    from wakeful.google.pace import Pace
    from wakeful.google.spreadsheet import Spreadsheet
    from wakeful.sheet.google_looks import Choices
    from wakeful.sheet.google_template import set_up

    try:
        key = sheet_key(address)
    except ValueError as error:
        raise BadConfig(str(error), where="wakeful sheet setup") from None
    opened = open_library(library)
    context = make_context(opened, load_catalog())
    book = Spreadsheet(key, read_account(opened), Pace(), Pace())
    done = set_up(book, Choices(context.analyses, context.params))
    console.print(f"{escape(done.title)} is ready", highlight=False)
    for name in done.added_tabs:
        console.print(f"added the tab {escape(name)}", highlight=False)
    if done.added_columns:
        console.print(f"added columns: {escape(', '.join(done.added_columns))}", highlight=False)
    if key not in map(sheet_key, opened.config.google.sheets):
        console.print(
            f"next: write under \\[google] in {escape(str(opened.root / CONFIG_NAME))}:\n"
            f'sheets = \\["{escape(address)}"]',
            highlight=False,
            soft_wrap=True,
        )


@sheet_app.command("columns")
def show_columns() -> None:
    """The columns: what belongs into them, and what Wakeful writes."""
    print_table(
        ("column", "filled by", "what"),
        [(c.name, "you" if c.filled_by == "person" else "Wakeful", c.help) for c in COLUMNS],
    )
