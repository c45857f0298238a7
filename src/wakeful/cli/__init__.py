"""The command line."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from wakeful.cli.alignment import align
from wakeful.cli.demonstration import demo, simulate
from wakeful.cli.export import export_app
from wakeful.cli.inspect import inspect
from wakeful.cli.inspection import doctor, explain, steps, verify
from wakeful.cli.library import add, backup, init, report, run, status
from wakeful.cli.marks import marks_app
from wakeful.cli.mirror import mirror
from wakeful.cli.output import error_console
from wakeful.cli.scores import scores_app
from wakeful.cli.sheet import sheet_app
from wakeful.cli.store import compress
from wakeful.model.errors import WakefulError
from wakeful.pipeline.machine import code_version

app = typer.Typer(
    name="wakeful",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "The night shift of a neuroscience lab: a row in a sheet becomes a scored, drawn, "
        "published recording.\n\n"
        "A **library** is a folder with a `wakeful.toml`. Rows of its sheet name recordings; "
        "`wakeful run` takes them in, converts, analyses, draws and publishes them, and writes "
        "back into each row what became of it.\n\n"
        "First steps: `wakeful demo`, then `wakeful init LIBRARY`, "
        "`wakeful add RECORDING --subject ID`, `wakeful run --once`."
    ),
)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)
    ] = False,
) -> None:
    if version:
        typer.echo(f"wakeful {code_version()}")
        raise typer.Exit


for command in (
    demo,
    init,
    add,
    run,
    status,
    report,
    backup,
    mirror,
    inspect,
    align,
    steps,
    verify,
    explain,
    simulate,
    compress,
    doctor,
):
    app.command()(command)
app.add_typer(sheet_app, name="sheet")
app.add_typer(export_app, name="export")
app.add_typer(marks_app, name="marks")
app.add_typer(scores_app, name="scores")


def main() -> None:
    """The entry point: errors a person can act on are printed as one line, not as a trace."""
    try:
        app()
    except WakefulError as error:
        _say(str(error))
    except OSError as error:
        _say(f"{error.filename or 'the system'}: {error.strerror or error}")


def _say(text: str) -> None:
    """One line a person can act on, and the end."""
    error_console.print(f"[bold red]wakeful:[/] {_escape(text)}", highlight=False, soft_wrap=True)
    sys.exit(1)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
