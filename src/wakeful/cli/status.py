"""`wakeful status`: rows, what is at work, how long it will take."""

from __future__ import annotations

import getpass
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from wakeful.cli.output import (
    JsonOption,
    LibraryOption,
    console,
    library_open,
    make_table,
    print_json,
)
from wakeful.config import Library
from wakeful.ledger import Ledger
from wakeful.service.at_work import JobAtWork, find_jobs_at_work
from wakeful.service.lock import who_holds
from wakeful.sheet.interface import SheetRow
from wakeful.sheet.local import LocalSheet

_EVERY_S = 1.0
_BAR = 16


def status(
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it anew every second, until Ctrl-C.")
    ] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rows, progress and time left, jobs at work."""
    with library_open(library, getpass.getuser()) as (opened, ledger, sheet):
        if as_json:
            print_json(_look(opened, ledger, sheet).tree())
            return
        if not watch:
            console.print(_look(opened, ledger, sheet).picture(), soft_wrap=True)
            return
        try:
            with Live(console=console, auto_refresh=False, transient=True) as live:
                while True:
                    live.update(_look(opened, ledger, sheet).picture(), refresh=True)
                    time.sleep(_EVERY_S)
        except KeyboardInterrupt:
            console.print(_look(opened, ledger, sheet).picture(), soft_wrap=True)


@dataclass(frozen=True)
class _State:
    library: Library
    rows: Sequence[SheetRow]
    found_by: dict[int, int]
    jobs: Sequence[JobAtWork]
    process: int | None
    """Of the service; None where none is at work."""

    def tree(self) -> dict[str, Any]:
        """For programs."""
        return {
            "library": str(self.library.root),
            "service_process": self.process,
            "rows": [
                {
                    "number": row.number,
                    "found_by": self.found_by.get(row.number),
                    **row.cells(),
                    **row.status_cells(),
                }
                for row in self.rows
            ],
            "open_jobs": [
                {
                    "job": job.job_id,
                    "row": job.row,
                    "what": job.what,
                    "said": job.said,
                    "done": job.done,
                    "running": job.is_running,
                    "since": job.since.isoformat() if job.since else None,
                }
                for job in self.jobs
            ],
        }

    def picture(self) -> Group:
        """For people."""
        service = (
            f"the service is at work (process {self.process})"
            if self.process is not None
            else "no service is at work: start it with wakeful run"
        )
        parts: list[Any] = [Text(f"library {self.library.root}"), Text(service, style="dim")]
        if not self.rows:
            return Group(*parts, Text("the sheet is empty; add a row with wakeful add"))
        parts.append(
            make_table(
                ("row", "subject", "recording", "status", "progress", "finished"),
                [self._row(row) for row in self.rows],
            )
        )
        if self.jobs:
            parts.append(
                make_table(
                    ("row", "at work", "done", ""),
                    [
                        (str(job.row), job.what, _bar(job), job.said if job.is_running else "waits")
                        for job in self.jobs
                    ],
                )
            )
        for row in self.rows:
            said = filter(None, row.message.split(" | "))
            name = f"row {row.number}:"
            parts += [Text(part if part.startswith(name) else f"{name} {part}") for part in said]
            if row.link:
                parts.append(Text(f"{name} {row.link}"))
        return Group(*parts)

    def _row(self, row: SheetRow) -> tuple[str, ...]:
        of = self.found_by.get(row.number)
        return (
            f"{row.number} (of {of})" if of else f"{row.number}",
            row.subject,
            Path(row.recording).name,
            row.status,
            row.progress,
            row.finished,
        )


def _look(library: Library, ledger: Ledger, sheet: LocalSheet) -> _State:
    return _State(
        library,
        sheet.read_rows(),
        {found.row_id: found.standing_row for found in ledger.found_rows()},
        find_jobs_at_work(library, ledger),
        who_holds(library.root),
    )


def _bar(job: JobAtWork) -> str:
    full = round(_BAR * min(max(job.done, 0.0), 1.0))
    return f"{'█' * full}{'░' * (_BAR - full)} {job.done:4.0%}"
