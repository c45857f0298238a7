"""Commands that work on a library: init, add, run, status, report."""

from __future__ import annotations

import getpass
import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from wakeful.catalog import load_catalog
from wakeful.cli.output import (
    LibraryOption,
    console,
    library_open,
    make_service,
)
from wakeful.cli.plan import show_unwritten
from wakeful.config import CONFIG_NAME, Config, Library, open_library, write_library
from wakeful.io.channels_file import find_channels_file, read_channels_file
from wakeful.io.mirror import intake_folder, read_manifest
from wakeful.io.recording import recognise
from wakeful.io.store import Store
from wakeful.ledger import RowCells
from wakeful.model.errors import BadChannels, BadConfig
from wakeful.service.lock import hold_library
from wakeful.service.lookup import find_session, republish
from wakeful.service.oversight import oversee
from wakeful.service.row_rules import make_context
from wakeful.service.sheet_watch import watch_sheets
from wakeful.service.work import RowView
from wakeful.sheet.interface import Status
from wakeful.sheet.patterns import fixed_folder
from wakeful.sheet.validate import validate_rows

_COLOURS = {
    Status.DONE: "green",
    Status.DONE_WITH_WARNINGS: "yellow",
    Status.FAILED: "red",
    Status.NEEDS_ATTENTION: "red",
    Status.RUNNING: "cyan",
    Status.FOLLOWING: "cyan",
    Status.WATCHING: "cyan",
    Status.PAUSED: "magenta",
    Status.TRANSFERRING: "cyan",
}


def init(
    library: Annotated[Path, typer.Argument(help="The folder to make; may exist, without files.")],
    time_zone: Annotated[
        str, typer.Option(help="IANA name of the lab's time zone, e.g. Europe/Berlin.")
    ] = "UTC",
    mains_hz: Annotated[int, typer.Option(help="Frequency of the mains: 50 or 60.")] = 50,
    lights_on: Annotated[
        str, typer.Option(help="When the lights go on, local time, e.g. 07:00.")
    ] = "",
    lights_off: Annotated[
        str, typer.Option(help="When the lights go off, local time, e.g. 19:00.")
    ] = "",
    block_s: Annotated[float, typer.Option(help="Unit of work, seconds.")] = 3600.0,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Use raw data where it is instead of copying it.")
    ] = False,
    workers: Annotated[int, typer.Option(help="Jobs at one time, 1 to 256.")] = 2,
) -> None:
    """Make a new library: wakeful.toml, database, folders."""
    values: dict[str, Any] = {
        "lab": {"time_zone": time_zone, "mains_hz": mains_hz},
        "work": {"block_s": block_s, "transfer": "in-place" if in_place else "mirror"},
        "executor": {"workers": workers},
    }
    for name, text in (("lights_on", lights_on), ("lights_off", lights_off)):
        if text:
            values["lab"][name] = _as_clock(text)
    config = _make_config(values)
    _check_place(library)
    made = write_library(library, config)
    with library_open(made.root, getpass.getuser()):
        pass
    console.print(f"made the library {escape(str(made.root))}")
    console.print(
        f"next: wakeful add RECORDING --subject ID --library {escape(shlex.quote(str(library)))}",
        style="dim",
        highlight=False,
    )


def _as_clock(text: str) -> object:
    """7:00 and 07:00 alike; what is no time of day is left for the check to name."""
    hours, colon, minutes = text.partition(":")
    if colon and hours.isdigit() and minutes.isdigit() and int(hours) < 24 and int(minutes) < 60:
        return time(int(hours), int(minutes))
    return text


def _make_config(values: dict[str, Any]) -> Config:
    """The configuration from the command line.

    Raises
    ------
    BadConfig
        Names every bad option at once.
    """
    from pydantic import ValidationError

    try:
        return Config.model_validate(values)
    except ValidationError as error:
        problems = [f"{_option(e['loc'])}: {_reason(e)}" for e in error.errors()]
        raise BadConfig(" | ".join(problems), remedy="correct these options") from error


def _option(place: tuple[Any, ...]) -> str:
    name = str(place[1]).replace("_", "-") if len(place) > 1 else ""
    return (
        f"--{name}"
        if name
        else {"lab": "--lights-on, --lights-off", "work": "--block-s"}.get(str(place[0]), "options")
    )


def _reason(error: Any) -> str:
    if "time" in error["type"]:
        return f"{error['input']!r} is not a time of day, e.g. 07:00"
    return str(error["msg"]).removeprefix("Value error, ")


def _check_place(library: Path) -> None:
    """A new library gets a folder of its own.

    Raises
    ------
    BadConfig
        There is something in it, or it lies in another library.
    """
    place = library.expanduser().resolve()
    for folder in place.parents:
        if (folder / CONFIG_NAME).is_file():
            raise BadConfig(
                f"lies in the library {folder}", where=str(place), remedy="choose another folder"
            )
    if (place / CONFIG_NAME).exists():
        return  # said by whoever writes it
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise BadConfig(
            "is not an empty folder", where=str(place), remedy="choose a new or an empty one"
        )


def add(
    recording: Annotated[
        str,
        typer.Argument(
            help="The recording's folder or file; with * or ? (in quotation marks), every "
            "recording that fits, also those to come."
        ),
    ],
    subject: Annotated[str, typer.Option(help="The animal's identifier, e.g. M014.")],
    channels: Annotated[
        str,
        typer.Option(
            help="Channels file (CSV: channel, subject, region, kind, reference, x_mm, y_mm, "
            "z_mm, notes). Default: channels.csv in the recording's folder."
        ),
    ] = "",
    analyses: Annotated[
        str, typer.Option(help="Analyses, with commas; default: all. See `wakeful steps`.")
    ] = "",
    params: Annotated[str, typer.Option(help="A parameter set of wakeful.toml.")] = "",
    stream: Annotated[
        str, typer.Option(help="Which stream, where the recording holds several.")
    ] = "",
    priority: Annotated[int, typer.Option(help="Higher goes first.")] = 0,
    rerun: Annotated[int, typer.Option(help="A new number asks for the row once more.")] = 0,
    notes: Annotated[str, typer.Option(help="Anything; kept, not read.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Add the row without its run tick.")] = False,
    dry: Annotated[
        bool, typer.Option("--dry-run", help="Add nothing; say what the row would do and cost.")
    ] = False,
    library: LibraryOption = None,
) -> None:
    """Add a row to the local sheet: a recording, the analyses wanted.

    The row is checked at once; a row that can't run is added all the same, with what is wrong
    in its message, so that it can be corrected there.
    """
    with library_open(library, getpass.getuser()) as (opened, ledger, sheet):
        typed = recording
        if recording.strip() and "\0" not in recording and not recording.startswith(("=", "@")):
            path = Path(recording).expanduser()
            is_here = path.exists() or fixed_folder(path).is_dir()
            typed = str(path.resolve()) if is_here else recording
        beside = str(Path(channels).expanduser().resolve()) if channels else ""
        cells = RowCells(
            subject=subject,
            recording=typed,
            analyses=analyses,
            params=params,
            stream=stream,
            channels=beside,
            priority=str(priority) if priority else "",
            run="" if wait else "yes",
            rerun=str(rerun) if rerun else "",
            notes=notes,
        )
        if dry:
            next_number = 1 + max((row.number for row in sheet.read_rows()), default=0)
            show_unwritten(cells, next_number, opened, ledger)
            return
        row = sheet.add(**cells.cells())
        context = make_context(opened, load_catalog())
        found = {c.row.identifier: c for c in validate_rows(sheet.read_rows(), context)}
        console.print(f"row {row.number} added", highlight=False)
        checked = found.get(row.identifier)
        if checked is not None and checked.error is not None:
            raise checked.error
        if checked is not None and checked.standing is not None:
            console.print(
                f"it stands for every recording that fits {escape(typed)}, now and later: each "
                "gets a row of its own",
                highlight=False,
                soft_wrap=True,
            )
        else:
            _check_recording(_where(opened, typed), beside, subject)
    where = "" if library is None else f" --library {escape(shlex.quote(str(library)))}"
    console.print(f"next: wakeful run --once{where}", style="dim", highlight=False)


def _where(library: Library, typed: str) -> Path:
    """Where a recording can be looked at: its mirror, where its source is gone or elsewhere."""
    path = Path(typed) if typed else Path()
    manifest = read_manifest(intake_folder(library.raw, library.root / path))
    return path if manifest is None or path.exists() else Path(manifest.root)


def _check_recording(recording: Path, channels: str, subject: str) -> None:
    """What can be known of a recording before it is taken in.

    Raises
    ------
    BadRecording, BadChannels
        The row is there, but will need attention.
    """
    recognise(recording)
    path = Path(channels) if channels else find_channels_file(recording)
    if path is None:
        return
    file = read_channels_file(path)
    owners = {row.get("subject", "") for _, row in file.rows}
    if "" not in owners and subject not in owners:
        raise BadChannels(
            f"no channel belongs to {subject}",
            where=str(path),
            remedy=f"correct the row or the file, which knows {', '.join(sorted(owners))}",
        )


def run(
    once: Annotated[bool, typer.Option("--once", help="Stop when nothing is left to do.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress display.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the whole log here too.")
    ] = False,
    library: LibraryOption = None,
) -> None:
    """Make what the rows ask for: once, or for ever.

    What happens meanwhile is written into the library's log (`wakeful logs`).

    Ends with 0 where every ticked row is done, with 1 where one needs attention or failed, with
    130 where Ctrl-C or SIGTERM stopped it: after the pass in hand, or at once the second time.
    """
    opened = open_library(library)
    with (
        hold_library(opened.root),
        library_open(opened.root, "service") as (_, ledger, sheet),
        oversee(opened, ledger, verbose=verbose) as oversight,
        watch_sheets(opened, ledger, at_once=once) as sheets,
    ):
        oversight.sheets = sheets
        service = make_service(opened, ledger, sheet)
        try:
            with progress_display(quiet) as draw, stopped_by_signals(service.stop) as signalled:
                show = oversight.watch(service, draw)
                if once:
                    views = service.run_once(show)
                else:
                    service.run_forever(show)
        except KeyboardInterrupt:
            signalled = [signal.SIGINT]
    if signalled or not once:
        console.print(
            "stopped; jobs that have begun end by themselves, and the next `wakeful run` goes "
            "on from there",
            highlight=False,
        )
        raise typer.Exit(130)
    print_rows(views)
    if not views:
        console.print("the sheet is empty; add a row with wakeful add")
    problems = () if oversight.sheets is None else oversight.sheets.problems()
    for problem in problems:
        console.print(f"[bold red]not read:[/] {escape(problem.message)}", soft_wrap=True)
    bad = {Status.FAILED, Status.NEEDS_ATTENTION}
    if problems or any(view.update.status in bad for view in views):
        raise typer.Exit(1)


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[list[int]]:
    """Call `stop` at the first Ctrl-C or SIGTERM, and leave at once at the second.

    Yields the signals that came.
    """
    came: list[int] = []

    def handle(number: int, _: object) -> None:
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt
        stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class progress_display:  # noqa: N801 -- used as a context manager
    """A live table of the rows at work; plain lines where there is no terminal.

    Parameters
    ----------
    quiet : show nothing
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._said: dict[str, str] = {}

    def __enter__(self) -> Any:
        if self._quiet:
            return None
        if console.is_terminal:
            self._live.start()
            return self._draw
        return self._say

    def __exit__(self, *problem: object) -> None:
        if not self._quiet and console.is_terminal:
            self._live.stop()

    def _draw(self, views: tuple[RowView, ...], n_running: int) -> None:
        table = Table.grid(padding=(0, 2))
        busy = [v for v in views if v.update.status not in ("", Status.WAITING)]
        for view in busy:
            share = view.n_present / view.n_results if view.n_results else 0.0
            status = str(view.update.status)
            colour = _COLOURS.get(Status(status), "white")
            bar = "█" * round(24 * share) + "░" * (24 - round(24 * share))
            table.add_row(
                f"row {view.row.number}",
                escape(view.row.subject),
                f"[{colour}]{status}[/]",
                f"[cyan]{bar}[/]",
                escape(view.update.progress),
                escape(view.update.message[:60]),
            )
        table.add_row("", f"{n_running} jobs", "", "", "", "")
        self._live.update(table, refresh=True)

    def _say(self, views: tuple[RowView, ...], _: int) -> None:
        for view in views:
            line = f"{view.update.status} {view.update.progress}".strip()
            if line and self._said.get(view.row.identifier) != line:
                self._said[view.row.identifier] = line
                console.print(f"row {view.row.number} {view.row.subject}: {line}", markup=False)


def print_rows(views: tuple[RowView, ...]) -> None:
    """What became of each row."""
    for view in views:
        update = view.update
        if not update.status:
            continue
        colour = _COLOURS.get(Status(update.status), "white")
        console.print(
            f"row {view.row.number} {escape(view.row.subject)}: [{colour}]{update.status}[/]"
            + (f" ({escape(update.progress)})" if update.progress else ""),
            highlight=False,
        )
        for part in filter(None, update.message.split(" | ")):
            console.print(f"    {escape(part)}", highlight=False, soft_wrap=True)
        if update.link:
            console.print(f"    {escape(update.link)}", highlight=False, soft_wrap=True)


def report(
    session: Annotated[
        str, typer.Argument(help="The session's name, as the published folder is called.")
    ],
    library: LibraryOption = None,
) -> None:
    """Write a session's report and figures again, from the results that are there."""
    with library_open(library, getpass.getuser()) as (opened, _, sheet):
        catalog = load_catalog()
        found = find_session(opened, sheet, catalog, session)
        path = republish(opened, Store(opened.results), catalog, found)
    console.print(escape(str(path)), highlight=False, soft_wrap=True)
