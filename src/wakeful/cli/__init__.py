"""The command line."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from wakeful.model.errors import WakefulError

_COMMANDS = {
    "demo": "demonstration.demo",
    "init": "library.init",
    "add": "library.add",
    "run": "library.run",
    "status": "status.status",
    "plan": "plan.plan",
    "forecast": "forecast.forecast",
    "logs": "logs.logs",
    "notices": "notices.notices_app",
    "pause": "steering.pause",
    "resume": "steering.resume",
    "cancel": "steering.cancel",
    "retry": "steering.retry",
    "gc": "steering.gc",
    "report": "library.report",
    "backup": "backups.backup",
    "restore": "backups.restore",
    "mirror": "mirror.mirror",
    "inspect": "inspect.inspect",
    "align": "alignment.align",
    "service": "unit.service_app",
    "steps": "inspection.steps",
    "verify": "inspection.verify",
    "explain": "inspection.explain",
    "diff": "pipeline.diff",
    "pipeline": "pipeline.pipeline_app",
    "simulate": "demonstration.simulate",
    "compress": "store.compress",
    "doctor": "inspection.doctor",
    "serve": "serve.serve",
    "sheet": "sheet.sheet_app",
    "google": "google.google_app",
    "export": "export.export_app",
    "marks": "marks.marks_app",
    "train": "training.train_app",
    "unblind": "blinding.unblind",
    "score": "scoring.score_app",
    "scores": "scores.scores_app",
}
"""Command -> module of this package, and the function or group in it. A command's module is
loaded when it is asked for: all of them together load every library there is."""


class Commands(TyperGroup):
    """The commands, each loaded when it is asked for.

    Contexts and commands are `Any`: versions of typer take their types from different packages.
    """

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (typer's signature)
        """Names of all commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command by its name; None where there is none."""
        if cmd_name in _COMMANDS and cmd_name not in self.commands:
            self.commands[cmd_name] = _load(cmd_name)
        return super().get_command(ctx, cmd_name)


def _load(name: str) -> Any:
    module, attribute = _COMMANDS[name].rsplit(".", 1)
    found = getattr(import_module(f"wakeful.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        command: Any = typer.main.get_group(found)
    else:
        single = typer.Typer(
            add_completion=False,
            rich_markup_mode="markdown",
            pretty_exceptions_enable=False,
            context_settings={"help_option_names": ["-h", "--help"]},
        )
        single.command(name)(found)
        command = typer.main.get_command(single)
    command.name = name
    return command


app = typer.Typer(
    name="wakeful",
    cls=Commands,
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
        from wakeful.pipeline.machine import code_version

        typer.echo(f"wakeful {code_version()}")
        raise typer.Exit


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
    from wakeful.cli.output import error_console

    error_console.print(f"[bold red]wakeful:[/] {_escape(text)}", highlight=False, soft_wrap=True)
    sys.exit(1)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
