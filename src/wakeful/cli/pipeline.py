"""Commands about versions: what another one would change, their names, which one is kept."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import numpy as np
import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from wakeful.catalog import load_catalog
from wakeful.cli.output import (
    JsonOption,
    LibraryOption,
    console,
    library_open,
    print_json,
    print_table,
)
from wakeful.config import CONFIG_NAME, open_library
from wakeful.io.atomic import write_bytes
from wakeful.io.codec import to_plain
from wakeful.pipeline.versions import (
    describe_installed,
    find_changes,
    pin_version,
    read_version,
    version_names,
    write_version,
)

if TYPE_CHECKING:
    from wakeful.model.sleep_events import SleepEvents
    from wakeful.model.subject import Session
    from wakeful.pipeline.changes import StepDifference
    from wakeful.service.what_if import WhatIf
    from wakeful.sleep.changes import HypnogramChange

_SHOWN = 12

pipeline_app = typer.Typer(
    no_args_is_help=True,
    help="Named versions of the pipeline: a project keeps one, so that a newer Wakeful changes "
    "none of its numbers unasked.",
)


def diff(
    before: Annotated[
        str,
        typer.Argument(
            metavar="PARAMS_A",
            help="A parameter set; SET@VERSION for the steps of a named version of the pipeline.",
        ),
    ],
    after: Annotated[str, typer.Argument(metavar="PARAMS_B", help="The one to hold against it.")],
    session: Annotated[
        str, typer.Argument(help="The session's name, as the published folder is called.")
    ],
    steps: Annotated[
        str, typer.Option(help="Just these analyses, comma between them. Default: the row's.")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for epochs.csv and events.csv: all that change."),
    ] = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which epochs and events would change under another parameter set, before it is adopted.

    What has not been computed yet is computed now and kept. Ends with 0 where no value changes,
    with 1 where any does.
    """
    from wakeful.service.what_if import compare_versions

    with (
        library_open(library, "diff") as (opened, _, sheet),
        Progress(
            TextColumn("{task.description}"), BarColumn(), console=console, transient=True
        ) as bar,
    ):
        line = bar.add_task("looking", total=None)
        found = compare_versions(
            opened,
            sheet,
            load_catalog(),
            session,
            before,
            after,
            steps=[name.strip() for name in steps.split(",") if name.strip()],
            progress=lambda what, done, total: bar.update(
                line, description=what, completed=done, total=total
            ),
        )
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_bytes(out / "epochs.csv", _csv(EPOCH_COLUMNS, _epoch_rows(found)))
        write_bytes(out / "events.csv", _csv(EVENT_COLUMNS, _event_rows(found)))
    if as_json:
        print_json(_as_json(found))
    else:
        _print(found)
        if out is not None:
            console.print(f"written: {escape(str(out))}", highlight=False)
    if any(step.changes_values for step in found.steps):
        raise typer.Exit(1)


def _print(found: WhatIf) -> None:
    names = f"{found.before} > {found.after}"
    so_far = " (so far: it is still being recorded)" if found.goes_on else ""
    console.print(f"[bold]{escape(found.folder)}[/]{so_far}: {escape(names)}", highlight=False)
    if found.n_made:
        console.print(f"{found.n_made} results were computed for this and are kept", style="dim")
    if not found.steps:
        console.print("nothing would change: every result has the same key")
        return
    print_table(
        ("analysis", "why", "results", "values that change"),
        [(s.step, s.why, str(s.n_results), _values_text(s)) for s in found.steps],
    )
    for step in found.steps:
        if step.hypnogram is not None:
            _print_hypnogram(found.session, step.hypnogram)
        if step.events is not None:
            e = step.events
            console.print(
                f"[bold]{e.kind}s[/]: {e.n_before} before, {e.n_after} after; {len(e.lost)} go, "
                f"{len(e.gained)} come, {e.n_moved} move, {e.n_same} stay",
                highlight=False,
            )


def _values_text(step: StepDifference) -> str:
    """The array that changes most, and how many others do."""
    if step.n_only_before or step.n_only_after:
        return f"{step.n_only_before} results go, {step.n_only_after} come"
    changed = [a for a in step.arrays if a.n_changed or a.reshaped]
    if not changed:
        return "none"
    worst = max(changed, key=lambda a: (a.reshaped, a.n_changed / max(a.n_values, 1)))
    more = f" (and in {len(changed) - 1} more arrays)" if len(changed) > 1 else ""
    if worst.reshaped:
        return f"{worst.name}: another number of rows{more}"
    share = 100 * worst.n_changed / worst.n_values
    most = f", by {worst.largest:.3g} at most" if np.isfinite(worst.largest) else ""
    return f"{worst.name}: {share:.3g} %{most}{more}"


def _print_hypnogram(session: Session, change: HypnogramChange) -> None:
    from wakeful.sleep.changes import STATES

    share = 100 * change.n_changed / max(change.n_epochs, 1)
    console.print(
        f"[bold]epochs[/]: {change.n_changed} of {change.n_epochs} ({share:.2f} %) get another "
        f"state; before smoothing {change.n_raw_changed} do",
        highlight=False,
    )
    print_table(
        ("state", "minutes", "would be", "bouts", "would be"),
        [
            (
                state.label,
                f"{change.minutes_before[state]:.1f}",
                f"{change.minutes_after[state]:.1f}",
                str(change.n_bouts_before[state]),
                str(change.n_bouts_after[state]),
            )
            for state in STATES
            if change.minutes_before[state] or change.minutes_after[state]
        ],
        right=4,
    )
    for stretch in change.stretches[:_SHOWN]:
        console.print(
            f"  {_when(session, stretch.start_s)}  {stretch.stop_s - stretch.start_s:5.0f} s  "
            f"{stretch.before.label} > {stretch.after.label}",
            highlight=False,
        )
    if len(change.stretches) > _SHOWN:
        console.print(
            f"  and {len(change.stretches) - _SHOWN} more stretches (all of them: -o FOLDER)",
            style="dim",
        )


def _when(session: Session, time_s: float) -> str:
    """The lab's clock where there is one, else the time from the start."""
    if session.start_utc is None:
        return str(timedelta(seconds=round(time_s)))
    moment = session.start_utc + timedelta(seconds=time_s)
    return moment.astimezone(ZoneInfo(session.time_zone)).strftime("%Y-%m-%d %H:%M:%S")


EPOCH_COLUMNS = ("start_s", "stop_s", "local_time", "before", "after")
EVENT_COLUMNS = ("kind", "change", "start_s", "stop_s", "local_time", "region", "amplitude_uv")


def _epoch_rows(found: WhatIf) -> Iterable[tuple[str, ...]]:
    for step in found.steps:
        for stretch in step.hypnogram.stretches if step.hypnogram else ():
            yield (
                f"{stretch.start_s:g}",
                f"{stretch.stop_s:g}",
                _when(found.session, stretch.start_s),
                stretch.before.label,
                stretch.after.label,
            )


def _event_rows(found: WhatIf) -> Iterable[tuple[str, ...]]:
    for step in found.steps:
        if step.events is None or step.before is None or step.after is None:
            continue
        sides = (("goes", step.before, step.events.lost), ("comes", step.after, step.events.gained))
        for word, events, rows in sides:
            for row in rows:
                yield _event_row(found.session, step.events.kind, word, events, int(row))


def _event_row(
    session: Session, kind: str, change: str, events: SleepEvents, row: int
) -> tuple[str, ...]:
    start_s = float(events.start_s[row])
    return (
        kind,
        change,
        f"{start_s:.3f}",
        f"{events.stop_s[row]:.3f}",
        _when(session, start_s),
        events.regions[events.region[row]],
        f"{events.amplitude_uv[row]:.1f}",
    )


def _csv(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def _as_json(found: WhatIf) -> dict[str, Any]:
    return {
        "session": found.folder,
        "before": found.before,
        "after": found.after,
        "goes_on": found.goes_on,
        "results_computed": found.n_made,
        "steps": [
            {
                "step": s.step,
                "why": s.why,
                "results": s.n_results,
                "only_before": s.n_only_before,
                "only_after": s.n_only_after,
                "changes_values": s.changes_values,
                "arrays": to_plain(s.arrays),
                "epochs": None if s.hypnogram is None else _hypnogram_json(s.hypnogram),
                "events": None
                if s.events is None
                else {
                    "kind": s.events.kind,
                    "before": s.events.n_before,
                    "after": s.events.n_after,
                    "same": s.events.n_same,
                    "moved": s.events.n_moved,
                    "lost": len(s.events.lost),
                    "gained": len(s.events.gained),
                },
            }
            for s in found.steps
        ],
    }


def _hypnogram_json(change: HypnogramChange) -> dict[str, Any]:
    from wakeful.sleep.changes import STATES

    return {
        "n_epochs": change.n_epochs,
        "n_changed": change.n_changed,
        "n_changed_before_smoothing": change.n_raw_changed,
        "states": [state.label for state in STATES],
        "confusion": change.confusion.tolist(),
        "stretches": [
            {
                "start_s": stretch.start_s,
                "stop_s": stretch.stop_s,
                "before": stretch.before.label,
                "after": stretch.after.label,
            }
            for stretch in change.stretches
        ],
    }


@pipeline_app.command("save")
def save(
    name: Annotated[str, typer.Argument(help='What it shall be called, e.g. "2026-11".')],
    note: Annotated[str, typer.Option(help="Why it is named: for whom, for which paper.")] = "",
    library: LibraryOption = None,
) -> None:
    """Give the installed steps and their defaults a name."""
    opened = open_library(library)
    path = write_version(opened.pipelines, describe_installed(load_catalog(), name, note))
    console.print(f"{escape(name)}: {escape(str(path))}", highlight=False)


@pipeline_app.command("pin")
def pin(
    name: Annotated[
        str, typer.Argument(help="A version that has been saved; none to take what is installed.")
    ],
    library: LibraryOption = None,
) -> None:
    """Keep a version: rows that the installed steps would compute otherwise wait, with the reason.

    Writes `version` under [pipeline] in wakeful.toml. A running service reads it when it is started
    next.
    """
    opened = open_library(library)
    if name != "none":
        read_version(opened.pipelines, name)
    pin_version(opened.root / CONFIG_NAME, "" if name == "none" else name)
    kept = "whatever is installed" if name == "none" else f"the pipeline {name}"
    console.print(f"{escape(str(opened.root))} uses {escape(kept)}", highlight=False)


@pipeline_app.command("list")
def show_list(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """The versions there are, and how the installed steps differ from each."""
    opened = open_library(library)
    catalog, pinned = load_catalog(), opened.config.pipeline.version
    versions = [read_version(opened.pipelines, name) for name in version_names(opened.pipelines)]
    changes = {v.name: find_changes(v, catalog) for v in versions}
    if as_json:
        print_json(
            [
                {
                    "name": v.name,
                    "pinned": v.name == pinned,
                    "wakeful": v.code_version,
                    "made_utc": v.made_utc,
                    "note": v.note,
                    "changes": to_plain(changes[v.name]),
                }
                for v in versions
            ]
        )
        return
    if not versions:
        console.print("no version has a name yet: wakeful pipeline save NAME")
        return
    print_table(
        ("version", "Wakeful", "named", "note", "the installed steps"),
        [
            (
                f"{v.name} (pinned)" if v.name == pinned else v.name,
                v.code_version,
                v.made_utc[:10],
                v.note,
                _changes_text(changes[v.name]),
            )
            for v in versions
        ],
    )


def _changes_text(changes: tuple[Any, ...]) -> str:
    if not changes:
        return "are the same"
    return "; ".join(
        f"{c.step}: {c.what}{'' if c.changes_numbers else ' (no number changes)'}" for c in changes
    )
