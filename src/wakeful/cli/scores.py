"""Commands on hand scores: convert, compare."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import typer
from rich.markup import escape

from wakeful.cli.output import JsonOption, console, print_json, print_table
from wakeful.io.atomic import write_bytes
from wakeful.io.scores import FORMATS, ReadOptions, WriteOptions, read_scores, write_scores
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadParameters, BadScores
from wakeful.model.scores import ScoredStretches
from wakeful.model.subject import LightSchedule, Session, Subject
from wakeful.publish.scorer_tables import comparison_files, comparison_json
from wakeful.sleep.hand_scores import (
    LabelMap,
    make_hypnogram,
    offset_from_clock,
    parse_label_map,
)
from wakeful.sleep.scorers import SCORED, Comparison, compare_scorers

scores_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Hand scores: bring them onto a session's clock, into another format, and beside others.",
)


class Kind(StrEnum):
    """The formats of hand scores."""

    CSV = "csv"
    EDF = "edf"
    ACCUSLEEP = "accusleep"
    VISBRAIN = "visbrain"
    MAT = "mat"
    BUZCODE = "buzcode"
    SPIKE2 = "spike2"
    SIRENIA = "sirenia"


class Artefacts(StrEnum):
    """What becomes of epochs that were scored and marked as artefacts besides."""

    KEEP = "keep"
    UNCLASSIFIED = "unclassified"


FromOption = Annotated[
    Kind | None,
    typer.Option(
        "--from", help="The format. Default: found from name and contents.", show_default=False
    ),
]
EpochOption = Annotated[
    float | None,
    typer.Option(
        "--epoch", help="Epoch length, s, of files that do not say it.", show_default=False
    ),
]
ResampleOption = Annotated[
    float | None,
    typer.Option(
        "--resample",
        help="Epoch length, s, to bring scores to. An epoch gets the state that fills most of it; "
        "unclassified where two fill equally much; no data where a part was not scored.",
        show_default=False,
    ),
]
LabelsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--labels",
        help='What labels mean that are no common names: "W=awake, 1=NREM, puff=ignore". States: '
        "awake, NREM, REM, unclassified, no data; repeatable.",
    ),
]
ColumnOption = Annotated[
    str | None,
    typer.Option(
        help="The column (CSV), variable (.mat) or channel (Spike2) with the labels.",
        show_default=False,
    ),
]
OffsetOption = Annotated[
    float | None,
    typer.Option(
        help="By how many seconds scoring begins after the session. Default: 0, or what --start "
        "and the file's clock say.",
        show_default=False,
    ),
]
StartOption = Annotated[
    datetime | None,
    typer.Option(
        help="When the session began, on the clock of the scores.",
        show_default=False,
        formats=["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f"],
    ),
]
ArtefactsOption = Annotated[
    Artefacts,
    typer.Option(help='What becomes of epochs marked as artefacts besides ("Non REM X").'),
]
ZoneOption = Annotated[
    str | None,
    typer.Option(
        help="Time zone of that clock, for figures: Europe/Berlin. Needs --start.",
        show_default=False,
    ),
]
LightsOption = Annotated[
    str | None,
    typer.Option(
        help="When the lights are on: 07:00-19:00. Needs --start and --zone.", show_default=False
    ),
]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How files of scores are read and laid onto the session's clock."""

    kind: Kind | None
    epoch_s: float | None
    resample_s: float | None
    labels: LabelMap
    column: str | None
    offset_s: float | None
    start: datetime | None
    artefacts: Artefacts

    def read(self, path: Path) -> ScoredStretches:
        """The file as it is."""
        options = ReadOptions(epoch_s=self.epoch_s, column=self.column)
        return read_scores(path, None if self.kind is None else self.kind.value, options)

    def place(self, stretches: ScoredStretches, start: datetime | None) -> Hypnogram:
        """On the session's clock; `start` is its start on the clock of the file."""
        offset_s = self.offset_s or 0.0
        if self.offset_s is None and start is not None and stretches.zero_local is not None:
            offset_s = offset_from_clock(stretches, start)
        return make_hypnogram(
            stretches,
            epoch_s=self.resample_s,
            offset_s=offset_s,
            labels=self.labels,
            keep_artefacts=self.artefacts is Artefacts.KEEP,
        )


@scores_app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="The file of scores.", exists=True)],
    out: Annotated[Path, typer.Argument(help="The file to write.")],
    to: Annotated[
        Kind | None,
        typer.Option(
            help="The format to write. Default: by suffix (.csv, .edf, .mat; .txt Visbrain).",
            show_default=False,
        ),
    ] = None,
    from_: FromOption = None,
    epoch: EpochOption = None,
    resample: ResampleOption = None,
    labels: LabelsOption = None,
    column: ColumnOption = None,
    offset: OffsetOption = None,
    start: StartOption = None,
    artefacts: ArtefactsOption = Artefacts.KEEP,
    as_json: JsonOption = False,
) -> None:
    """Bring a file of hand scores into another format, at another epoch length if you like.

    A label that is not known is an error that says where it stands: nothing is guessed.
    """
    reading = Reading(
        kind=from_,
        epoch_s=epoch,
        resample_s=resample,
        labels=parse_label_map(labels or ()),
        column=column,
        offset_s=offset,
        start=start,
        artefacts=artefacts,
    )
    stretches = reading.read(source)
    hypnogram = reading.place(stretches, start)
    if hypnogram.n_rows == 0:
        raise BadScores(
            "no epoch lies after the session's start",
            where=source.name,
            remedy="correct --offset or --start",
        )
    if offset is None and start is not None and stretches.zero_local is None:
        hypnogram = _with_note(hypnogram, _NO_CLOCK.format(name=source.name))
    began = start if start is not None or offset else stretches.zero_local
    left_out = write_scores(
        out, hypnogram, None if to is None else to.value, WriteOptions(start_local=began)
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


_NO_CLOCK = "{name} has no clock time: it is taken to begin with the session"


def _with_note(hypnogram: Hypnogram, note: str) -> Hypnogram:
    from dataclasses import replace

    return replace(hypnogram, notes=(*hypnogram.notes, note))


@scores_app.command()
def compare(
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
            help="A folder for tables (CSV) and a figure of each animal (PNG).", show_default=False
        ),
    ] = None,
    from_: FromOption = None,
    epoch: EpochOption = None,
    resample: ResampleOption = None,
    labels: LabelsOption = None,
    column: ColumnOption = None,
    offset: OffsetOption = None,
    start: StartOption = None,
    artefacts: ArtefactsOption = Artefacts.KEEP,
    zone: ZoneOption = None,
    lights: LightsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare scorers: kappa, F1 of each state, confusion, minutes and bouts, consensus.

    Files with a clock are laid beside each other by it. `hypnogram.csv` of a published session is
    read like any other.
    """
    reading = Reading(
        kind=from_,
        epoch_s=epoch,
        resample_s=resample,
        labels=parse_label_map(labels or ()),
        column=column,
        offset_s=offset,
        start=start,
        artefacts=artefacts,
    )
    animals = _animals(files or (), table)
    comparisons: list[Comparison] = []
    notes: list[str] = []
    for subject, scorers in animals.items():
        stretches = {name: reading.read(path) for name, path in scorers.items()}
        clocks = [s.zero_local for s in stretches.values() if s.zero_local is not None]
        began = start or min(clocks, default=None)
        if offset is None and began is not None:
            notes += [
                _NO_CLOCK.format(name=s.source) for s in stretches.values() if s.zero_local is None
            ]
        placed = {name: reading.place(s, began) for name, s in stretches.items()}
        notes += [
            f"{subject} {name}: {note}".lstrip() for name, h in placed.items() for note in h.notes
        ]
        comparisons.append(compare_scorers(placed, subject))
    written = () if out is None else _write_report(out, comparisons, start, zone, lights)
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
        stems = [path.stem for path in files]
        names = [
            path.stem if stems.count(path.stem) == 1 else f"{path.parent.name}/{path.name}"
            for path in files
        ]
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


def make_session(
    subject: str, duration_s: float, start: datetime | None, zone: str | None, lights: str | None
) -> Session:
    """A session of files alone, for figures and light phases.

    Raises
    ------
    BadParameters
        The zone or the light schedule can't be read, or lacks what it needs.
    """
    if lights is not None and (start is None or zone is None):
        raise BadParameters(
            "lights mean nothing without a clock",
            where="--lights",
            remedy="give --start and --zone",
        )
    start_utc = None
    if start is not None and zone is not None:
        try:
            start_utc = start.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise BadParameters(
                f"there is no time zone {zone!r}", where="--zone", remedy="as in Europe/Berlin"
            ) from error
    return Session(
        name="",
        subject=Subject(identifier=subject),
        start_utc=start_utc,
        duration_s=duration_s,
        time_zone=zone or "UTC",
        light=None if lights is None else _parse_lights(lights),
    )


def _parse_lights(text: str) -> LightSchedule:
    match = re.fullmatch(r"\s*(\d\d?:\d\d)\s*-\s*(\d\d?:\d\d)\s*", text)
    try:
        if match is None:
            raise ValueError(text)
        on, off = (time.fromisoformat(part.rjust(5, "0")) for part in match.groups())
    except ValueError:
        raise BadParameters(
            f"{text!r} does not say when the lights are on",
            where="--lights",
            remedy="write 07:00-19:00",
        ) from None
    return LightSchedule(on=on, off=off)


def _write_report(
    folder: Path,
    comparisons: Sequence[Comparison],
    start: datetime | None,
    zone: str | None,
    lights: str | None,
) -> tuple[str, ...]:
    from wakeful.figures import draw_scorers, render

    folder.mkdir(parents=True, exist_ok=True)
    files = comparison_files(comparisons)
    for c in comparisons:
        stop_s = float(c.start_s[-1]) + c.epoch_s
        session = make_session(c.subject, stop_s, start, zone, lights)
        key = hashlib.sha256(np.ascontiguousarray(c.states).tobytes()).hexdigest()
        stem = f"{re.sub(r'[^A-Za-z0-9_.-]', '_', c.subject)}_" if c.subject else ""
        files[f"{stem}scorers.png"] = render(draw_scorers(session, c), "png", key)
    for name, data in files.items():
        write_bytes(folder / name, data)
    return tuple(files)


def _print_comparisons(comparisons: Sequence[Comparison]) -> None:
    def number(value: float, digits: int = 3) -> str:
        return f"{value:.{digits}f}" if np.isfinite(value) else "–"

    rows = []
    for c in comparisons:
        shown = [
            (p.first, p.second, p.agreement, f"{100 * p.near_transition:.0f} %") for p in c.pairs
        ]
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
    print_table(
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
    print_table(
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
