"""The service as a unit of systemd: service install."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from wakeful.cli.output import LibraryOption, console
from wakeful.config import Library, open_library
from wakeful.io.atomic import write_bytes
from wakeful.model.errors import BadConfig, Unavailable

service_app = typer.Typer(no_args_is_help=True, help="`wakeful run` as a service of the machine.")


@service_app.callback()
def _group() -> None:
    """`wakeful run` as a service of the machine."""


@service_app.command("install")
def install(
    name: Annotated[str, typer.Option(help="What the unit is called.")] = "wakeful",
    show: Annotated[
        bool, typer.Option("--print", help="Print the unit and write nothing.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a unit of this name that is there.")
    ] = False,
    library: LibraryOption = None,
) -> None:
    """Write a unit of systemd for the user who owns the library, and say how it is started.

    Workers outlive a restart of the service (KillMode=process) and are adopted by the next one.
    """
    unit = unit_text(open_library(library))
    if show:
        typer.echo(unit, nl=False)
        return
    if shutil.which("systemctl") is None:
        raise Unavailable(
            "there is no systemd on this machine",
            where="wakeful service install",
            remedy="let something else keep `wakeful run` alive; --print shows the unit",
        )
    path = Path.home() / ".config" / "systemd" / "user" / f"{name}.service"
    if path.exists() and path.read_text(encoding="utf-8") != unit and not overwrite:
        raise BadConfig(
            "there is another unit of this name",
            where=str(path),
            remedy="choose another --name, or replace it with --overwrite",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, unit.encode())
    console.print(f"written: {escape(str(path))}", highlight=False)
    console.print("start it now and with the machine:", highlight=False)
    for line in (
        "systemctl --user daemon-reload",
        f"systemctl --user enable --now {name}",
        "loginctl enable-linger",
        f"journalctl --user -u {name} -f",
    ):
        console.print(f"  {line}", highlight=False)


def unit_text(library: Library) -> str:
    """The unit that runs a library's service with this installation.

    Raises
    ------
    BadConfig
        The library's path can't stand in a unit.
    """
    return (
        "[Unit]\n"
        f"Description=Wakeful, the night shift of {_quoted(library.root.name)}\n"
        "After=network-online.target\n"
        "\n"
        "[Service]\n"
        f"ExecStart={_quoted(sys.executable)} -m wakeful run --quiet --library "
        f"{_quoted(str(library.root))}\n"
        "Restart=on-failure\n"
        "# What `wakeful run` ends with when it is stopped.\n"
        "SuccessExitStatus=130\n"
        "RestartSec=30\n"
        "# Another service at work on the library is no reason to try again and again.\n"
        "StartLimitBurst=5\n"
        "# Workers outlive a restart of the service and are adopted by the next one.\n"
        "KillMode=process\n"
        "TimeoutStopSec=60\n"
        "NoNewPrivileges=yes\n"
        "\n"
        "[Install]\n"
        "WantedBy=default.target\n"
    )


def _quoted(text: str) -> str:
    """A word of a unit: systemd reads % and $, and quotes."""
    if "\n" in text:
        raise BadConfig(
            "a path with a line break can't stand in a unit",
            where=repr(text),
            remedy="rename the folder",
        )
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
