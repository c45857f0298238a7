"""`wakeful serve`: the sheet as a page in the browser."""

from __future__ import annotations

import getpass
import shlex
import threading
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from wakeful.catalog import load_catalog
from wakeful.cli.output import LibraryOption, console, library_open
from wakeful.config import CONFIG_NAME, Library, open_library
from wakeful.model.errors import WakefulError
from wakeful.service.lock import who_holds
from wakeful.service.row_rules import make_context
from wakeful.sheet.validate import ValidationContext

_OPEN_AFTER_S = 0.5


def serve(
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port; 0 takes a free one. Default: wakeful.toml."),
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Address to listen at. Default: wakeful.toml.")
    ] = None,
    user: Annotated[
        str, typer.Option(help="Who edits, for the audit log. Default: who you are here.")
    ] = "",
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser.")
    ] = False,
    library: LibraryOption = None,
) -> None:
    """Show the sheet as a page in the browser, to be read and edited.

    Only this machine can reach it, unless a proxy logs people in (`[web]` in wakeful.toml).
    It computes nothing: `wakeful run` does. Ctrl-C ends it.
    """
    from wakeful.web import Server, Site, bind, make_app

    with library_open(library, getpass.getuser()) as (opened, ledger, _):
        web = opened.config.web
        site = Site(
            title=opened.root.name,
            ledger=ledger,
            published=opened.published,
            make_context=Contexts(opened),
            service_process=lambda: who_holds(opened.root),
            start_command=f"wakeful run --library {shlex.quote(str(opened.root))}",
            outside=opened.outside_sheets(),
            person=user or getpass.getuser(),
            trusted_user_header=web.trusted_user_header,
            address=web.address if address is None else address,
        )
        listener = bind(site, web.port if port is None else port)
        host = f"[{site.address}]" if ":" in site.address else site.address
        place = f"http://{host}:{listener.getsockname()[1]}/"
        console.print(f"the sheet of {escape(str(opened.root))}: {place}", highlight=False)
        console.print("Ctrl-C ends it", style="dim")
        if open_page:
            timer = threading.Timer(_OPEN_AFTER_S, webbrowser.open, [place])
            timer.daemon = True
            timer.start()
        try:
            with listener:
                Server(make_app(site)).run(sockets=[listener])
        except KeyboardInterrupt:
            console.print("ended", style="dim")


class Contexts:
    """What the rows of a library are judged by, also after its wakeful.toml was edited.

    Parameters
    ----------
    library : as it was opened
    """

    def __init__(self, library: Library) -> None:
        self._path: Path = library.root / CONFIG_NAME
        self._catalog = load_catalog()
        self._seen = self._time()
        self._context = make_context(library, self._catalog)

    def __call__(self) -> ValidationContext:
        """As it is now; as it was, while the file can't be read."""
        now = self._time()
        if now != self._seen:
            try:
                self._context = make_context(open_library(self._path.parent), self._catalog)
            except WakefulError:
                return self._context
            self._seen = now
        return self._context

    def _time(self) -> int:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return 0
