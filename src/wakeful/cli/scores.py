"""Commands on hand scores: convert, compare."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.markup import escape

from wakeful.cli.output import JsonOption, console, print_json, print_table
from wakeful.cli.score_reading import (
    Kind,
    LightsOption,
    Reading,
    ZoneOption,
    make_session,
    reads_scores,
)
from wakeful.io.atomic import write_bytes
from wakeful.io.scores import FORMATS, WriteOptions, write_scores
from wakeful.model.epochs import SCORED, Hypnogram, State
from wakeful.model.errors import BadParameters, BadScores
from wakeful.model.movement import WakeKinds
from wakeful.model.scores import ScoredStretches
from wakeful.publish.scorer_tables import comparison_json
from wakeful.sleep.scorers import Comparison, compare_scorers

scores_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Hand scores: bring them onto a session's clock, into another format, and beside others.",
)


@scores_app.command()
@reads_scores
def convert(
    *,
    source: Annotated[Path, typer.Argument(metavar="IN", help="The file of scores.", exists=True)],
    out: Annotated[Path, typer.Argument(help="The file to write.")],
    to: Annotated[
        Kind | None,
        typer.Option(
            help="The format to write. Default: by suffix (.csv, .edf, .mat, .nwb; .txt Visbrain).",
            show_default=False,
        ),
    ] = None,
    reading: Reading,
    zone: ZoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a file of hand scores into another format, at another epoch length if you like.

    A label that is not known is an error that says where it stands: nothing is guessed.
    """
    stretches = reading.read(source)
    hypnogram = _place(reading, stretches)
    if reading.offset_s is None and reading.start is not None and stretches.zero_local is None:
        hypnogram = _with_note(hypnogram, _NO_CLOCK.format(name=source.name))
    has_start = reading.start is not None or reading.offset_s
    began = reading.start if has_start else stretches.zero_local
    left_out = write_scores(
        out,
        hypnogram,
        None if to is None else to.value,
        WriteOptions(start_local=began, zone=zone or ""),
    )
    minutes = {state.label: round(m, 3) for state, m in hypnogram.minutes().items()}
    notes = (*hypnogram.notes, *left_out)
    if as_json:
        print_json(
            {
                "read": str(source),
                "format": stretches.format,
                "written": str(out),
                "n_epochs": hypnogram.n_rows,
                "epoch_s": hypnogram.epoch_s,
                "minutes": minutes,
                "notes": list(notes),
            }
        )
        return
    said = ", ".join(f"{label} {m:.1f} min" for label, m in minutes.items() if m)
    console.print(
        f"{escape(str(out))}: {hypnogram.n_rows:,} epochs of {hypnogram.epoch_s:g} s "
        f"(read as {FORMATS[stretches.format].title}): {said}",
        highlight=False,
        soft_wrap=True,
    )
    for note in notes:
        console.print(f"note: {escape(note)}", highlight=False, soft_wrap=True)


def _place(reading: Reading, stretches: ScoredStretches) -> Hypnogram:
    """On the session's clock; refused where nothing of it lies in the session."""
    hypnogram = reading.place(stretches, reading.start)
    if hypnogram.n_rows == 0:
        raise BadScores(
            "no epoch lies after the session's start",
            where=stretches.source,
            remedy="correct --offset or --start",
        )
    return hypnogram


_NO_CLOCK = "{name} has no clock time: it is taken to begin with the session"


def _with_note(hypnogram: Hypnogram, note: str) -> Hypnogram:
    from dataclasses import replace

    return replace(hypnogram, notes=(*hypnogram.notes, note))


@scores_app.command()
@reads_scores
def compare(
    *,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Scores of one recording; the first is the reference.", show_default=False
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            help="Instead of files: a CSV with the columns subject, scorer, file, for several "
            "animals.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="A folder for tables (CSV), figures (PNG) and report.html.", show_default=False
        ),
    ] = None,
    reading: Reading,
    zone: ZoneOption = None,
    lights: LightsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare scorers: kappa, F1 of each state, confusion, minutes and bouts, consensus.

    Files with a clock are laid beside each other by it. `hypnogram.csv` of a published session is
    read like any other.
    """
    animals = _animals(files or (), table)
    comparisons: list[Comparison] = []
    notes: list[str] = []
    for subject, scorers in animals.items():
        stretches = {name: reading.read(path) for name, path in scorers.items()}
        clocks = [s.zero_local for s in stretches.values() if s.zero_local is not None]
        began = reading.start or min(clocks, default=None)
        if reading.offset_s is None and began is not None:
            notes += [
                _NO_CLOCK.format(name=s.source) for s in stretches.values() if s.zero_local is None
            ]
        placed = {name: reading.place(s, began) for name, s in stretches.items()}
        notes += [
            f"{subject} {name}: {note}".lstrip() for name, h in placed.items() for note in h.notes
        ]
        comparisons.append(compare_scorers(placed, subject))
    written = (
        () if out is None else _write_report(out, comparisons, notes, reading.start, zone, lights)
    )
    if as_json:
        print_json(comparison_json(comparisons) | {"notes": notes, "files": list(written)})
        return
    _print_comparisons(comparisons)
    for note in dict.fromkeys(notes):
        console.print(f"note: {escape(note)}", highlight=False, soft_wrap=True)
    if out is not None:
        console.print(f"written to {escape(str(out))}: {', '.join(written)}", highlight=False)


def _animals(files: Sequence[Path], table: Path | None) -> dict[str, dict[str, Path]]:
    """Subject -> scorer -> file."""
    if (table is None) == (not files):
        raise BadParameters(
            "give either files of one recording, or --table with those of several animals",
            where="scores compare",
        )
    if table is None:
        names = [path.stem for path in files]
        for longer in (lambda path: path.name, lambda path: f"{path.parent.name}/{path.name}"):
            if len(set(names)) < len(names):
                names = [longer(path) for path in files]
        if len(set(names)) < len(names):
            raise BadParameters(
                "a file is given twice", where="scores compare", remedy="give each scorer once"
            )
        return {"": dict(zip(names, files, strict=True))}
    animals: dict[str, dict[str, Path]] = {}
    with table.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        missing = {"subject", "scorer", "file"} - set(reader.fieldnames or ())
        if missing:
            raise BadScores(
                f"the column {', '.join(sorted(missing))} is missing",
                where=table.name,
                remedy="it needs the columns subject, scorer and file",
            )
        for row in reader:
            scorers = animals.setdefault(row["subject"].strip(), {})
            if row["scorer"].strip() in scorers:
                raise BadScores(
                    f"line {reader.line_num}: {row['scorer']} scored {row['subject']} before",
                    where=table.name,
                    remedy="give each scorer of an animal once",
                )
            scorers[row["scorer"].strip()] = table.parent / row["file"].strip()
    if not animals:
        raise BadScores("it has no rows", where=table.name, remedy="list the files in it")
    return animals


def _write_report(
    folder: Path,
    comparisons: Sequence[Comparison],
    notes: Sequence[str],
    start: datetime | None,
    zone: str | None,
    lights: str | None,
) -> tuple[str, ...]:
    from wakeful.publish.scorer_page import comparison_report

    sessions = [
        make_session(c.subject, float(c.start_s[-1]) + c.epoch_s, start, zone, lights)
        for c in comparisons
    ]
    files = comparison_report(comparisons, sessions, notes)
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        write_bytes(folder / name, data)
    return tuple(files)


def _print_animals(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: int) -> None:
    """A table whose first column is left out where there is one animal without a name."""
    first = 0 if any(row[0] for row in rows) else 1
    print_table(columns[first:], [row[first:] for row in rows], right=right)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if np.isfinite(share) else "–"


def _print_comparisons(comparisons: Sequence[Comparison]) -> None:
    def number(value: float, digits: int = 3) -> str:
        return f"{value:.{digits}f}" if np.isfinite(value) else "–"

    rows = []
    for c in comparisons:
        shown = [(p.first, p.second, p.agreement, _percent(p.near_transition)) for p in c.pairs]
        if c.consensus is not None:
            shown += [
                ("consensus", name, found, "")
                for name, found in zip(c.names, c.consensus.agreements, strict=True)
            ]
        rows += [
            (
                c.subject,
                reference,
                scorer,
                f"{found.n_epochs:,}",
                number(found.kappa),
                number(found.accuracy),
                *(number(found.f1[state]) for state in SCORED),
                near,
            )
            for reference, scorer, found, near in shown
        ]
    _print_animals(
        (
            "animal",
            "reference",
            "scorer",
            "epochs",
            "kappa",
            "agree",
            *(f"F1 {state.label}" for state in SCORED),
            "beside",
        ),
        rows,
        right=7,
    )
    console.print(
        "beside: share of the epochs in which they differ that lie next to a transition of the "
        "reference",
        highlight=False,
    )
    for c in comparisons:
        if c.consensus is not None:
            console.print(
                f"{escape(c.subject or 'all scorers')}: Fleiss' kappa "
                f"{number(c.consensus.fleiss_kappa)}, all agree in "
                f"{100 * c.consensus.unanimous:.1f} % of epochs",
                highlight=False,
            )
    _print_animals(
        (
            "animal",
            "scorer",
            *(f"{state.label} min" for state in SCORED),
            *(f"{state.label} bouts" for state in SCORED),
        ),
        [
            (
                c.subject,
                name,
                *(f"{c.minutes[i, int(state)]:.1f}" for state in SCORED),
                *(f"{c.n_bouts[i, int(state)]}" for state in SCORED),
            )
            for c in comparisons
            for i, name in enumerate(c.names)
        ],
        right=6,
    )
    n_kappas = [p.agreement.kappa for c in comparisons for p in c.pairs]
    rem = [p.agreement.f1[State.REM] for c in comparisons for p in c.pairs]
    if len(comparisons) > 1:
        console.print(
            f"kappa over {len(n_kappas)} pairs: mean {np.nanmean(n_kappas):.3f} "
            f"({min(n_kappas):.3f} to {max(n_kappas):.3f}); F1 of REM: mean "
            f"{np.nanmean(rem):.3f} ({np.nanmin(rem):.3f} to {np.nanmax(rem):.3f})",
            highlight=False,
        )


def _divide_waking(hypnogram: Hypnogram, path: Path) -> WakeKinds:
    """Active and quiet waking by the movement in a file."""
    from wakeful.io.movement_file import read_movement
    from wakeful.steps import wake_kinds

    session = make_session(path.stem, float(hypnogram.start_s[-1]), None, None, None)
    inputs = wake_kinds.Inputs(hypnogram=hypnogram, session=session, movement=read_movement(path))
    return wake_kinds.compute(inputs, wake_kinds.Params()).wake_kinds


@scores_app.command()
@reads_scores
def statistics(
    *,
    source: Annotated[Path, typer.Argument(metavar="IN", help="The file of scores.", exists=True)],
    out: Annotated[Path, typer.Argument(help="A folder for the tables (CSV) and the figure.")],
    ictal: Annotated[
        Path | None,
        typer.Option(
            help="A CSV of seizures (start_s, stop_s, kind: ictal or post-ictal): left out of "
            "bouts, state time and transitions.",
            show_default=False,
            exists=True,
        ),
    ] = None,
    movement: Annotated[
        Path | None,
        typer.Option(
            help="A CSV of movement (start_s and speed_cm_per_s, speed_px_per_s, movement or "
            "activity): waking above the movement of sleep is active, else quiet.",
            show_default=False,
            exists=True,
        ),
    ] = None,
    reading: Reading,
    zone: ZoneOption = None,
    lights: LightsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bouts, transitions, state time per hour and light phase of a file of scores.

    The same as the step `sleep_bouts` gives for a session of the library, at its defaults.
    """
    from wakeful.figures import render
    from wakeful.io.ictal_file import read_ictal
    from wakeful.publish.bout_tables import bout_files
    from wakeful.steps import sleep_bouts

    stretches = reading.read(source)
    began = reading.start or stretches.zero_local
    hypnogram = _place(reading, stretches)
    stop_s = float(hypnogram.start_s[-1]) + hypnogram.epoch_s
    inputs = sleep_bouts.Inputs(
        hypnogram=hypnogram,
        session=make_session(source.stem, stop_s, began, zone, lights),
        ictal=None if ictal is None else read_ictal(ictal),
        wake_kinds=None if movement is None else _divide_waking(hypnogram, movement),
    )
    params = sleep_bouts.Params()
    found = sleep_bouts.compute(inputs, params)
    files = bout_files(found.bouts, found.state_hours, found.bout_statistics)
    key = hashlib.sha256(np.ascontiguousarray(hypnogram.state).tobytes()).hexdigest()
    (figure,) = sleep_bouts.draw(inputs, params, found).values()
    files["sleep_bouts.png"] = render(figure, "png", key)
    out.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        write_bytes(out / name, data)
    counted = found.bout_statistics
    notes = (*hypnogram.notes, *counted.notes)
    if as_json:
        print_json(
            {
                "epoch_s": counted.epoch_s,
                "minutes": dict(zip(counted.states, counted.minutes[0].tolist(), strict=True)),
                "n_bouts": dict(zip(counted.states, counted.n_bouts[0].tolist(), strict=True)),
                "wake_minutes": dict(
                    zip(counted.wake_kinds, counted.wake_minutes[0].tolist(), strict=True)
                )
                if counted.wake_method
                else None,
                "ictal_min": counted.ictal_min,
                "post_ictal_min": counted.post_ictal_min,
                "files": sorted(files),
                "notes": list(notes),
            }
        )
        return
    print_table(
        ("phase", "state", "min", "%", "bouts", "median bout s"),
        [
            (
                phase,
                state,
                f"{counted.minutes[i, j]:.1f}",
                f"{100 * counted.share[i, j]:.1f}" if np.isfinite(counted.share[i, j]) else "–",
                f"{counted.n_bouts[i, j]}",
                f"{counted.median_bout_s[i, j]:.0f}"
                if np.isfinite(counted.median_bout_s[i, j])
                else "–",
            )
            for i, phase in enumerate(counted.phases)
            for j, state in enumerate(counted.states)
        ],
        right=4,
    )
    if counted.wake_method:
        console.print(
            "awake: "
            + ", ".join(
                f"{kind} {minutes:.1f} min"
                for kind, minutes in zip(counted.wake_kinds, counted.wake_minutes[0], strict=True)
            ),
            highlight=False,
        )
    for note in notes:
        console.print(f"note: {escape(note)}", highlight=False, soft_wrap=True)
    console.print(f"written to {escape(str(out))}: {', '.join(sorted(files))}", highlight=False)
