"""Training a lab's own scorer on labels: train sleep."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.markup import escape

from wakeful.cli.output import (
    JsonOption,
    LibraryOption,
    console,
    print_json,
    print_table,
    progress_bar,
)
from wakeful.cli.score_reading import FromOption
from wakeful.cli.scoring import (
    TABLE_HELP,
    EpochOption,
    MapOption,
    OverwriteOption,
    SubjectOption,
    TimeOption,
    percent,
    print_note,
    print_states,
    two,
)
from wakeful.model.errors import BadParameters
from wakeful.sleep.label_words import parse_mapping
from wakeful.sleep.trained_kinds import Kind

if TYPE_CHECKING:
    from wakeful.service.scorers import LabelledTable, TrainReport
    from wakeful.sleep.evaluation import Evaluation
    from wakeful.sleep.label_curve import CurvePoint, LabelCurve

train_app = typer.Typer(
    no_args_is_help=True, help="Train a lab's own scorer from what people labelled."
)


@train_app.command("sleep")
def train_sleep(
    out: Annotated[Path, typer.Option("--out", "-o", help="The model's folder, to be written.")],
    table: Annotated[
        Path | None,
        typer.Argument(help=f"{TABLE_HELP} Or --recording.", show_default=False),
    ] = None,
    labels: Annotated[
        str,
        typer.Option(
            "--labels",
            help="Column of what people scored: in the table, or in the files of --scores where "
            "they have several.",
        ),
    ] = "",
    recording: Annotated[
        list[str] | None,
        typer.Option(
            "--recording",
            help="Instead of a table: a session of the library whose row asks for sleep_features, "
            "as its published folder is called; repeatable. Each animal is held out in turn.",
        ),
    ] = None,
    scores: Annotated[
        list[Path] | None,
        typer.Option(
            "--scores",
            help="A file of hand scores for each --recording, in the same order, at any epoch "
            "length and in any format of `wakeful scores`.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    offset: Annotated[
        list[float] | None,
        typer.Option(
            "--offset",
            help="By how many seconds scoring began after the session; one for all, or one for "
            "each --recording. Default: as the file's clock says, else 0.",
        ),
    ] = None,
    from_: FromOption = None,
    so_far: Annotated[
        bool,
        typer.Option("--so-far", help="Take the hours of features that are there."),
    ] = False,
    subject: SubjectOption = "",
    group: Annotated[
        str,
        typer.Option(
            "--group",
            help="Column of what is held out together in cross-validation (litter, cage, lab). "
            "Default: the animal.",
        ),
    ] = "",
    mapping: MapOption = "",
    time: TimeOption = "",
    epoch_s: EpochOption = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option("--leave-out", help="A column that is no feature; repeatable."),
    ] = None,
    scorer: Annotated[
        Kind,
        typer.Option(
            help="semi-markov, or chain-field, which is better across animals; the others are what "
            "they are held against.",
        ),
    ] = Kind.SEMI_MARKOV,
    min_confidence: Annotated[
        float,
        typer.Option(help="Probability below which an epoch stays unclassified."),
    ] = 0.5,
    folds: Annotated[
        int, typer.Option(help="Parts held out in turn: animals, or blocks of time.")
    ] = 5,
    across_animals: Annotated[
        bool | None,
        typer.Option(
            "--across-animals/--as-they-are",
            help="Set features against each animal's own levels in awake and NREM and pool them "
            "over regions, so that animals of other gains and regions can be scored; or take them "
            "as they are. Default: across animals where there are two or more and the table has "
            "columns of delta and theta.",
            show_default=False,
        ),
    ] = None,
    curve: Annotated[
        bool,
        typer.Option(
            "--curve",
            help="Also train on 10, 30, 60 and 120 minutes of the labels, drawn again and again, "
            "and draw how agreement grows (MODEL_curve.png and .csv, beside the model).",
        ),
    ] = False,
    curve_stretch: Annotated[
        float,
        typer.Option(
            "--curve-stretch",
            help="Minutes that a person is taken to label in one go; as many as the greatest of "
            "the curve, 120: all in one stretch.",
        ),
    ] = 5.0,
    licence: Annotated[str, typer.Option(help="The model's licence, for its card.")] = "unstated",
    title: Annotated[str, typer.Option(help="The model's title, for its card.")] = "",
    overwrite: OverwriteOption = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a sleep scorer on a table of features with labels, or on sessions of the library.

    Prints how well it agrees with labels that it was not trained on. The model is a folder of data
    with a card: what it was trained on, how good it is, its features.
    """
    from wakeful.io.feature_tables import Columns
    from wakeful.service.label_curves import try_fewer_labels, write_curve
    from wakeful.service.scorers import (
        read_labelled_table,
        train,
        write_coverage,
        write_model,
    )
    from wakeful.sleep.label_curve import CurveParams
    from wakeful.sleep.training import TrainParams

    out = out.expanduser()
    if out.exists() and not overwrite:
        raise BadParameters(
            "is there already", where=str(out), remedy="choose another name, or --overwrite"
        )
    tried = CurveParams(stretch_min=curve_stretch)
    params = TrainParams(
        kind=scorer,
        n_folds=folds,
        min_confidence=min_confidence,
        across_animals=across_animals,
    )
    if recording or scores:
        _refuse_columns(table, subject=subject, group=group, time=time)
        source = _read_recordings(
            recordings=recording or [],
            scores=scores or [],
            offsets_s=offset or [],
            format_name=None if from_ is None else from_.value,
            column=labels or None,
            epoch_s=epoch_s,
            mapping=mapping,
            left_out=leave_out or [],
            so_far=so_far,
            across_animals=across_animals,
            library=library,
        )
    elif table is None:
        raise BadParameters(
            "nothing to train on",
            where="train sleep",
            remedy="give a table of features, or --recording and --scores",
        )
    else:
        source = read_labelled_table(
            table.expanduser(),
            Columns(
                labels=labels,
                subject=subject,
                group=group,
                time=time,
                left_out=tuple(leave_out or ()),
            ),
            mapping=parse_mapping(mapping) if mapping else None,
            epoch_s=epoch_s,
        )
    with progress_bar("training", shown=not as_json) as told:
        report = train(source, params, told)
    content_hash = write_model(out, report, title=title, licence=licence, overwrite=overwrite)
    write_coverage(out, report.training.evaluation.coverage, content_hash)
    found = None
    if curve:
        with progress_bar("trying fewer labels", shown=not as_json) as told:
            found = try_fewer_labels(report, told, tried)
        write_curve(out, found, content_hash)
    if as_json:
        print_json(_tree(report, out, content_hash, found))
        return
    _print_training(report)
    if found is not None:
        _print_curve(found)
        console.print(f"curve    {escape(str(out))}_curve.png", highlight=False, soft_wrap=True)
    console.print(f"coverage {escape(str(out))}_coverage.png", highlight=False, soft_wrap=True)
    console.print(
        f"model    {escape(str(out))}  [dim]{content_hash[:12]}[/]",
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"next: {_next(out, recording)}", highlight=False, soft_wrap=True)


def _refuse_columns(table: Path | None, **columns: str) -> None:
    """What names a column, where there is no table."""
    given = [f"--{name}" for name, value in columns.items() if value]
    if table is not None:
        raise BadParameters(
            "a table and --recording are both given",
            where="train sleep",
            remedy="give one of them",
        )
    if given:
        raise BadParameters(
            f"{', '.join(given)} names a column of a table",
            where="train sleep --recording",
            remedy="leave it out: animals and times are known from the sessions",
        )


def _read_recordings(
    *,
    recordings: list[str],
    scores: list[Path],
    offsets_s: list[float],
    format_name: str | None,
    column: str | None,
    epoch_s: float | None,
    mapping: str,
    left_out: list[str],
    so_far: bool,
    across_animals: bool | None,
    library: Path | None,
) -> LabelledTable:
    from wakeful.catalog import load_catalog
    from wakeful.cli.output import library_open
    from wakeful.io.scores import ReadOptions
    from wakeful.service.session_training import ScoreReading, pair_up, read_sessions
    from wakeful.sleep.hand_scores import parse_label_map

    given = pair_up(recordings, scores, offsets_s)
    reading = ScoreReading(
        format=format_name,
        options=ReadOptions(epoch_s=epoch_s, column=column),
        labels=parse_label_map([mapping] if mapping else []),
    )
    with library_open(library, getpass.getuser()) as (opened, _, sheet):
        return read_sessions(
            opened,
            sheet,
            load_catalog(),
            given,
            reading,
            left_out=left_out,
            so_far=so_far,
            across_animals=across_animals,
        )


def _next(out: Path, recordings: list[str] | None) -> str:
    if not recordings:
        return f"wakeful score sleep TABLE --model {escape(str(out))} -o scores.csv"
    return (
        "in wakeful.toml, [parameters.NAME.sleep]; there "
        f'model = "{out.name}" (a folder in models), and NAME in the column params of rows'
    ).replace("[", r"\[")


def _print_training(report: TrainReport) -> None:
    evaluation, table = report.training.evaluation, report.source.table
    labels = report.source.labels
    for note in report.notes:
        print_note(note)
    console.print(
        f"{int(labels.known.sum()):,} labelled epochs of {table.epoch_s:g} s, "
        f"{len(table.names)} features; held out in turn: {len(evaluation.parts)} "
        f"{evaluation.held_out}",
        highlight=False,
        soft_wrap=True,
    )
    print_states(evaluation.overall, labels.count())
    low, high = evaluation.kappa_range
    console.print(
        f"Cohen's kappa [bold]{two(evaluation.overall.kappa)}[/] ({two(low)} to {two(high)}), "
        f"number of bouts {percent(evaluation.overall.bouts_bias)}, calibration error (ECE) "
        f"{evaluation.overall.ece:.3f}",
        highlight=False,
        soft_wrap=True,
    )

    _print_coverage(evaluation)


def _print_coverage(evaluation: Evaluation) -> None:
    """What agreement costs: kappa of the surest epochs, and how much of each state they are."""
    points = {round(point.coverage, 2): point for point in evaluation.coverage}
    if not points:
        return
    states = evaluation.coverage[0].per_state
    print_table(
        ("epochs kept", "probability at least", "kappa", *(f"{name} kept" for name in states)),
        [
            (
                f"{100 * point.coverage:.0f} %",
                f"{point.threshold:.3f}",
                two(point.kappa),
                *(
                    "-" if np.isnan(share) else f"{100 * share:.0f} %"
                    for share in point.per_state.values()
                ),
            )
            for point in points.values()
        ],
    )


def _print_curve(curve: LabelCurve) -> None:
    print_table(
        ("minutes of labels", "kappa, median", "least to greatest", "F1, median", "not learned"),
        [(f"{point.minutes:g}", *_curve_cells(point, curve.states)) for point in curve.points],
        title=f"what fewer labels give: {curve.params.n_draws} draws of stretches of "
        f"{curve.params.stretch_min:g} min",
    )


def _curve_cells(point: CurvePoint, states: tuple[str, ...]) -> tuple[str, str, str, str]:
    from statistics import median

    lack = ", ".join(
        f"{state} in {point.n_unlearned(state)} of {len(point.draws)}"
        for state in states
        if point.n_unlearned(state)
    )
    nothing = len(point.draws) - len(point.scores)
    if point.scores and nothing:
        lack += f"; anything in {nothing} of {len(point.draws)}"
    if not point.scores:
        return "-", point.reason or point.draws[0].reason, "-", lack
    kappa = [score.kappa for score in point.scores]
    f1 = [f"{state} {two(median(s.f1[state] for s in point.scores))}" for state in states]
    return two(median(kappa)), f"{two(min(kappa))} to {two(max(kappa))}", ", ".join(f1), lack


def _tree(
    report: TrainReport, out: Path, content_hash: str, curve: LabelCurve | None
) -> dict[str, Any]:
    from wakeful.service.label_curves import curve_tree
    from wakeful.service.scorers import evaluation_tree

    source = report.source
    return {
        "model": str(out),
        "content_hash": content_hash,
        "scorer": report.training.scorer.kind.value,
        "epoch_s": source.table.epoch_s,
        "features": list(source.table.names),
        "label_map": source.label_map,
        "epochs_per_state": source.labels.count(),
        "n_holes": source.n_holes,
        "evaluation": evaluation_tree(report.training.evaluation),
        "curve": [] if curve is None else curve_tree(curve),
        "notes": list(report.notes),
    }
