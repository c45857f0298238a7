"""Scoring with a scorer that was trained on labels: score sleep."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from wakeful.cli.output import JsonOption, console, print_json, print_table
from wakeful.model.errors import BadParameters
from wakeful.sleep.label_words import parse_mapping

if TYPE_CHECKING:
    from wakeful.service.scorers import ScoreReport
    from wakeful.sleep.evaluation import Score

score_app = typer.Typer(no_args_is_help=True, help="Score with a scorer that was trained.")

TABLE_HELP = (
    "CSV (also .gz) or Parquet: one row an epoch in order of time; numeric columns are features."
)
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


@score_app.command("sleep")
def score_sleep(
    table: Annotated[Path, typer.Argument(help=TABLE_HELP)],
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
    levels: Annotated[
        Path | None,
        typer.Option(
            "--levels",
            help="Another table of the same animals to take their levels in awake and NREM from: "
            "for recordings that hold one state only, with a model across animals.",
            show_default=False,
            exists=True,
            dir_okay=False,
        ),
    ] = None,
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
            levels=levels,
        ),
        parse_mapping(mapping) if mapping else None,
    )
    write_scores(out, report, overwrite=overwrite)
    if as_json:
        print_json(_score_tree(report, out))
        return
    _print_scores(report)
    console.print(f"wrote    {escape(str(out))}", highlight=False, soft_wrap=True)


def print_states(score: Score, count: dict[str, int]) -> None:
    """Epochs, F1 and minutes of each state."""
    print_table(
        ("state", "epochs", "F1", "minutes, scored over labelled"),
        [
            (name, f"{n:,}", two(score.f1[name]), percent(score.minutes_bias[name]))
            for name, n in count.items()
        ],
        right=3,
    )


def _print_scores(report: ScoreReport) -> None:
    for note in report.notes:
        print_note(note)
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
        print_states(report.agreement, report.agreement.n_per_state)
        console.print(
            f"Cohen's kappa with the labels [bold]{two(report.agreement.kappa)}[/], number of "
            f"bouts {percent(report.agreement.bouts_bias)} (unclassified counts as an error)",
            highlight=False,
            soft_wrap=True,
        )


def print_note(text: str) -> None:
    """What a person should know, in a line."""
    console.print(f"[yellow]note[/] {escape(text)}", highlight=False, soft_wrap=True)


def two(value: float) -> str:
    """Two digits; a dash where there is no number."""
    return f"{value:.2f}" if math.isfinite(value) else "-"


def percent(bias: float) -> str:
    """A share that is too much or too little; a dash where there is no number."""
    return f"{bias:+.1%}" if math.isfinite(bias) else "-"


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
