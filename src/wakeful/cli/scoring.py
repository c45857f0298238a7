"""Commands of scorers that are trained on labels: train sleep, score sleep."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from wakeful.cli.output import JsonOption, console, print_json, print_table
from wakeful.model.errors import BadParameters
from wakeful.sleep.label_words import parse_mapping
from wakeful.sleep.trained_kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from wakeful.service.scorers import CurvePoint, ScoreReport, TrainReport
    from wakeful.sleep.evaluation import Score

train_app = typer.Typer(
    no_args_is_help=True, help="Train a lab's own scorer from what people labelled."
)
score_app = typer.Typer(no_args_is_help=True, help="Score with a scorer that was trained.")

TableArgument = Annotated[
    Path,
    typer.Argument(
        help="CSV (also .gz) or Parquet: one row an epoch in order of time; numeric columns are "
        "features."
    ),
]
SubjectOption = Annotated[
    str, typer.Option("--subject", help="Column that names the animal. Default: one animal.")
]
TimeOption = Annotated[
    str,
    typer.Option(
        "--time",
        help="Column of times (seconds, or date and time), which tells holes. Default: a column "
        "called time, start_s, timestamp or the like.",
    ),
]
EpochOption = Annotated[
    float | None,
    typer.Option(
        "--epoch-s", help="Seconds an epoch lasts. Default: from the times.", show_default=False
    ),
]
LeaveOutOption = Annotated[
    list[str] | None,
    typer.Option("--leave-out", help="A column that is no feature; repeatable."),
]
MapOption = Annotated[
    str,
    typer.Option(
        "--map",
        help='What labels mean: "W=awake,NR=NREM,R=REM"; others are left out. Default: common '
        "words are known.",
    ),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace what is there under this name.")
]


@train_app.command("sleep")
def train_sleep(
    table: TableArgument,
    labels: Annotated[str, typer.Option("--labels", help="Column of what people scored.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The model's folder, to be written.")],
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
    leave_out: LeaveOutOption = None,
    scorer: Annotated[
        Kind,
        typer.Option(
            help="semi-markov: the best; the others are what it is held against.",
        ),
    ] = Kind.SEMI_MARKOV,
    min_confidence: Annotated[
        float,
        typer.Option(help="Probability below which an epoch stays unclassified."),
    ] = 0.5,
    folds: Annotated[
        int, typer.Option(help="Parts held out in turn: animals, or blocks of time.")
    ] = 5,
    curve: Annotated[
        bool,
        typer.Option(
            "--curve", help="Also train on 10, 30, 60 and 120 minutes of labels and compare."
        ),
    ] = False,
    licence: Annotated[str, typer.Option(help="The model's licence, for its card.")] = "unstated",
    title: Annotated[str, typer.Option(help="The model's title, for its card.")] = "",
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a sleep scorer on a table of features with labels.

    Prints how well it agrees with labels that it was not trained on. The model is a folder of data
    with a card: what it was trained on, how good it is, its features.
    """
    from wakeful.io.feature_tables import Columns
    from wakeful.service.scorers import (
        TrainRequest,
        compute_curve,
        train_on_table,
        write_model,
    )
    from wakeful.sleep.training import TrainParams

    out = out.expanduser()
    if out.exists() and not overwrite:
        raise BadParameters(
            "is there already", where=str(out), remedy="choose another name, or --overwrite"
        )
    request = TrainRequest(
        path=table.expanduser(),
        columns=Columns(
            labels=labels,
            subject=subject,
            group=group,
            time=time,
            left_out=tuple(leave_out or ()),
        ),
        mapping=parse_mapping(mapping) if mapping else None,
        epoch_s=epoch_s,
        params=TrainParams(kind=scorer, n_folds=folds, min_confidence=min_confidence),
        licence=licence,
        title=title,
    )
    with _bar("training", shown=not as_json) as told:
        report = train_on_table(request, told)
    content_hash = write_model(out, report, request, overwrite=overwrite)
    points = compute_curve(report, request) if curve else ()
    if as_json:
        print_json(_train_tree(report, out, content_hash, points))
        return
    _print_training(report, points)
    console.print(
        f"model    {escape(str(out))}  [dim]{content_hash[:12]}[/]",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"next: wakeful score sleep TABLE --model {escape(str(out))} -o scores.csv",
        highlight=False,
        soft_wrap=True,
    )


@score_app.command("sleep")
def score_sleep(
    table: TableArgument,
    model: Annotated[
        Path, typer.Option("--model", help="The folder that `wakeful train sleep` wrote.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The CSV file to be written.")],
    subject: SubjectOption = "",
    time: TimeOption = "",
    epoch_s: EpochOption = None,
    labels: Annotated[
        str,
        typer.Option("--labels", help="Column of what people scored, to compare with."),
    ] = "",
    mapping: MapOption = "",
    min_confidence: Annotated[
        float | None,
        typer.Option(
            help="Probability below which an epoch stays unclassified. Default: the model's.",
            show_default=False,
        ),
    ] = None,
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing", help="Features that are not in the table count as missing."
        ),
    ] = False,
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="Score also an animal that is unlike the training set."),
    ] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Score a table of features with a trained scorer.

    Writes one row an epoch: state, state of the epoch by itself, what a stream would have said,
    and the probability of each state. Refuses what is unlike the training set, and says why.
    """
    from wakeful.io.feature_tables import Columns
    from wakeful.service.scorers import ScoreOptions, score_table, write_scores

    out = out.expanduser()
    if out.exists() and not overwrite:
        raise BadParameters(
            "is there already", where=str(out), remedy="choose another name, or --overwrite"
        )
    report = score_table(
        table.expanduser(),
        model.expanduser(),
        Columns(labels=labels, subject=subject, time=time),
        ScoreOptions(
            epoch_s=epoch_s,
            min_confidence=min_confidence,
            allow_missing=allow_missing,
            anyway=anyway,
        ),
        parse_mapping(mapping) if mapping else None,
    )
    write_scores(out, report, overwrite=overwrite)
    if as_json:
        print_json(_score_tree(report, out))
        return
    _print_scores(report)
    console.print(f"wrote    {escape(str(out))}", highlight=False, soft_wrap=True)


@contextmanager
def _bar(what: str, *, shown: bool) -> Iterator[Callable[[float], None]]:
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not shown,
    ) as bar:
        line = bar.add_task(what, total=1.0)
        yield lambda share: bar.update(line, completed=share)


def _print_training(report: TrainReport, points: tuple[CurvePoint, ...]) -> None:
    evaluation, table = report.training.evaluation, report.file.table
    for note in report.notes:
        _note(note)
    n_known = int(report.labels.known.sum())
    console.print(
        f"{n_known:,} labelled epochs of {table.epoch_s:g} s, {len(table.names)} features; held "
        f"out in turn: {len(evaluation.parts)} {evaluation.held_out}",
        highlight=False,
        soft_wrap=True,
    )
    _print_states(evaluation.overall, report.labels.count())
    low, high = evaluation.kappa_range
    console.print(
        f"Cohen's kappa [bold]{_two(evaluation.overall.kappa)}[/] ({_two(low)} to {_two(high)}), "
        f"number of bouts {_percent(evaluation.overall.bouts_bias)}, calibration error (ECE) "
        f"{evaluation.overall.ece:.3f}",
        highlight=False,
        soft_wrap=True,
    )
    if points:
        print_table(
            ("minutes of labels", "kappa, least to greatest"),
            [
                (
                    str(p.minutes),
                    f"{_two(min(p.kappa))} to {_two(max(p.kappa))}" if p.kappa else p.reason,
                )
                for p in points
            ],
            title="what fewer labels give",
        )


def _print_states(score: Score, count: dict[str, int]) -> None:
    print_table(
        ("state", "epochs", "F1", "minutes, scored over labelled"),
        [
            (name, f"{n:,}", _two(score.f1[name]), _percent(score.minutes_bias[name]))
            for name, n in count.items()
        ],
        right=3,
    )


def _print_scores(report: ScoreReport) -> None:
    for note in report.notes:
        _note(note)
    scored, table = report.scored, report.file.table
    minutes = table.epoch_s / 60
    names = [*enumerate(scored.states), (-1, "unclassified"), (-2, "no data")]
    print_table(
        ("state", "minutes", "share"),
        [
            (
                name,
                f"{(scored.state == i).sum() * minutes:,.1f}",
                f"{(scored.state == i).mean():.1%}",
            )
            for i, name in names
        ],
        right=2,
    )
    n_odd = int(scored.artefact.sum())
    if n_odd:
        console.print(
            f"{n_odd:,} epochs look like artefacts: unclassified", highlight=False, soft_wrap=True
        )
    console.print(
        f"a stream would have said otherwise in {scored.provisional_gap:.1%} of the epochs",
        highlight=False,
    )
    if report.agreement is not None:
        _print_states(report.agreement, report.agreement.n_per_state)
        console.print(
            f"Cohen's kappa with the labels [bold]{_two(report.agreement.kappa)}[/], number of "
            f"bouts {_percent(report.agreement.bouts_bias)} (unclassified counts as an error)",
            highlight=False,
            soft_wrap=True,
        )


def _note(text: str) -> None:
    console.print(f"[yellow]note[/] {escape(text)}", highlight=False, soft_wrap=True)


def _two(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "-"


def _percent(bias: float) -> str:
    return f"{bias:+.1%}" if math.isfinite(bias) else "-"


def _train_tree(
    report: TrainReport, out: Path, content_hash: str, points: tuple[CurvePoint, ...]
) -> dict[str, Any]:
    from wakeful.service.scorers import evaluation_tree

    table = report.file.table
    return {
        "model": str(out),
        "content_hash": content_hash,
        "scorer": report.training.scorer.kind.value,
        "epoch_s": table.epoch_s,
        "features": list(table.names),
        "label_map": report.label_map,
        "epochs_per_state": report.labels.count(),
        "n_holes": report.file.n_holes,
        "evaluation": evaluation_tree(report.training.evaluation),
        "curve": [
            {"minutes": p.minutes, "kappa": [round(k, 6) for k in p.kappa], "reason": p.reason}
            for p in points
        ],
        "notes": list(report.notes),
    }


def _score_tree(report: ScoreReport, out: Path) -> dict[str, Any]:
    from wakeful.service.scorers import score_tree

    scored, table = report.scored, report.file.table
    names = [*enumerate(scored.states), (-1, "unclassified"), (-2, "no data")]
    return {
        "out": str(out),
        "content_hash": report.model.content_hash,
        "n_epochs": table.n_epochs,
        "epoch_s": table.epoch_s,
        "n_holes": report.file.n_holes,
        "minutes": {
            name: round(float((scored.state == i).sum()) * table.epoch_s / 60, 4)
            for i, name in names
        },
        "artefacts": int(scored.artefact.sum()),
        "provisional_gap": round(scored.provisional_gap, 6),
        "agreement": None if report.agreement is None else score_tree(report.agreement),
        "notes": list(report.notes),
    }
