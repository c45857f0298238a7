"""Commands on marks: what people say of channels."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from wakeful.catalog import load_catalog
from wakeful.cli.output import JsonOption, LibraryOption, console, library_open, print_json
from wakeful.cli.output import print_table as print_rows
from wakeful.ledger import MarkRecord
from wakeful.model.errors import WakefulError
from wakeful.model.quality import Verdict, clock_text
from wakeful.model.subject import Session
from wakeful.service.marks import (
    Markable,
    find_markable,
    import_marks,
    make_mark,
    write_marks,
)

marks_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="What you say of channels: bad from here to there, or good after all. Marks belong to the "
    "recording and outlive every run; only the hours they touch are computed anew.",
)

RowArgument = Annotated[
    int, typer.Argument(help="The number of a row of the recording, as `wakeful status` shows it.")
]


@marks_app.command("add")
def add_mark(
    row: RowArgument,
    reason: Annotated[str, typer.Option(help="What you saw.")],
    channel: Annotated[
        list[str] | None,
        typer.Option(help="A channel's name; repeatable. Without it: all channels."),
    ] = None,
    start: Annotated[
        str,
        typer.Option(
            "--from",
            help="When it begins: seconds from the session's start, or local time "
            '("2026-03-02 13:02:11"), or `start`.',
        ),
    ] = "start",
    stop: Annotated[str, typer.Option("--to", help="When it ends: the same, or `end`.")] = "end",
    good: Annotated[
        bool,
        typer.Option("--good", help="Good after all: what was found there is not heeded."),
    ] = False,
    author: Annotated[str, typer.Option(help="Who says so. Default: you.")] = "",
    library: LibraryOption = None,
) -> None:
    """Mark channels as bad, or as good after all, for a stretch of time.

    Where two marks overlap, the later one holds. Run the row again to have it heeded.
    """
    actor = author or getpass.getuser()
    with library_open(library, actor) as (opened, ledger, sheet):
        markable = find_markable(opened, sheet, load_catalog(), row)
        cells = make_mark(
            markable,
            channels=tuple(dict.fromkeys(channel or ())),
            start=start,
            stop=stop,
            verdict=Verdict.GOOD if good else Verdict.BAD,
            reason=reason,
            author=actor,
        )
        (made,) = ledger.add_marks([cells], actor=actor)
    mark, session = made.mark, markable.session
    which = ", ".join(mark.channels) or "all channels"
    when = f"{clock_text(session, mark.start_s)} to {clock_text(session, mark.stop_s)}"
    console.print(
        f"mark {made.id}: {escape(which)} {mark.verdict.value} from {when} "
        f"({mark.start_s:,.1f} to {mark.stop_s:,.1f} s); wakeful run --once heeds it",
        highlight=False,
        soft_wrap=True,
    )


@marks_app.command("list")
def list_marks(
    row: Annotated[int | None, typer.Argument(help="Only those of this row's recording.")] = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """The marks that hold, in the order they were set: of two that overlap the lower line holds."""
    with library_open(library, getpass.getuser()) as (opened, ledger, sheet):
        markables: dict[tuple[str, str], Session] = {}
        if row is None:
            found = ledger.marks()
        else:
            markable = find_markable(opened, sheet, load_catalog(), row)
            subject, recording = _key(markable)
            markables[subject, recording] = markable.session
            found = ledger.marks(subject, recording)
        if row is None and not as_json:
            marked = {m.subject for m in found}
            for other in sheet.read_rows():
                if other.subject not in marked:
                    continue
                try:
                    markable = find_markable(opened, sheet, load_catalog(), other.number)
                except WakefulError:
                    continue  # its marks are shown in seconds
                markables[_key(markable)] = markable.session
    if as_json:
        print_json([_plain(m) for m in found])
        return
    if not found:
        console.print("no channel is marked")
        return
    print_rows(
        ("mark", "subject", "channels", "verdict", "when", "reason", "set"),
        [_cells(m, markables.get((m.subject, m.recording))) for m in found],
    )


def _key(markable: Markable) -> tuple[str, str]:
    return markable.request.subject, str(markable.request.recording)


def _plain(found: MarkRecord) -> dict[str, object]:
    return {"mark": found.id, **found.plain(), "made": found.made.isoformat()}


def _cells(found: MarkRecord, session: Session | None) -> tuple[str, ...]:
    mark = found.mark
    times = [
        f"{t:,.1f} s" if session is None else clock_text(session, t)
        for t in (mark.start_s, mark.stop_s)
    ]
    return (
        f"{found.id}",
        found.subject,
        ", ".join(mark.channels) or "all",
        mark.verdict.value,
        " to ".join(times),
        mark.reason,
        f"{mark.author} {found.made:%Y-%m-%d}",
    )


@marks_app.command("delete")
def delete_mark(
    mark: Annotated[int, typer.Argument(help="The mark's number, as `wakeful marks list` shows.")],
    library: LibraryOption = None,
) -> None:
    """Take a mark back. It stays in the log, with who took it back."""
    actor = getpass.getuser()
    with library_open(library, actor) as (_, ledger, _sheet):
        ledger.delete_mark(mark, actor=actor)
    console.print(f"mark {mark} deleted")


@marks_app.command("export")
def export_marks(
    file: Annotated[Path, typer.Argument(help="The CSV file to write.")],
    library: LibraryOption = None,
) -> None:
    """Write all marks to a CSV file that `wakeful marks import` reads."""
    with library_open(library, getpass.getuser()) as (_, ledger, _sheet):
        found = ledger.marks()
        write_marks(file, found)
    console.print(f"{len(found)} marks written to {escape(str(file))}", highlight=False)


@marks_app.command("import")
def import_from(
    file: Annotated[Path, typer.Argument(help="A CSV file as `wakeful marks export` writes.")],
    library: LibraryOption = None,
) -> None:
    """Add the marks of a CSV file: all, or none where a line is wrong. Those there stay one."""
    actor = getpass.getuser()
    with library_open(library, actor) as (_, ledger, _sheet):
        n_added, n_there = import_marks(ledger, file, actor)
    console.print(f"{n_added} marks added, {n_there} were there already", highlight=False)
