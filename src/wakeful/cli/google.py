"""Commands on the lab's Google account: google login."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from wakeful.cli.output import console

google_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The lab's Google account, for sheets and for figures in Google Drive.",
)


@google_app.callback()
def _group() -> None:
    """Keep the command's name, also while it is the only one."""


@google_app.command("login")
def login(
    client: Annotated[
        Path,
        typer.Argument(
            help='JSON of an "OAuth client ID" of the type "Desktop app", from '
            "console.cloud.google.com, APIs & Services, Credentials."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the login is kept; readable by you alone.")
    ] = Path("google-login.json"),
    browser: Annotated[
        bool, typer.Option(help="Open the address in a browser on this machine.")
    ] = True,
    port: Annotated[
        int,
        typer.Option(
            help="Port of this machine at which the browser comes back; any that is free where 0."
        ),
    ] = 0,
) -> None:
    """Log in as a person, so that figures in Google Drive belong to you.

    Needed where the lab has no Shared Drive; a service account needs no login. The browser comes
    back to this machine: from another one, forward a port first (`ssh -L 8765:127.0.0.1:8765`, then
    `--port 8765 --no-browser`).
    """
    from wakeful.google.login import log_in

    log_in(client, output, browser=browser, port=port)
    console.print(
        f"logged in; write into wakeful.toml:\n\n\\[google]\ncredentials = "
        f'"{escape(str(output.resolve()))}"',
        highlight=False,
        soft_wrap=True,
    )
