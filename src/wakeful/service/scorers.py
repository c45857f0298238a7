"""Training a lab's own scorer on labelled features, and scoring tables with it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from wakeful.io.atomic import write_bytes
from wakeful.io.feature_tables import Columns, TableFile, read_feature_table
from wakeful.io.scorer_files import Card, ScorerModel, TrainingFile, read_scorer, write_scorer
from wakeful.model.errors import BadParameters, BadTable, Unavailable
from wakeful.pipeline.machine import code_version, library_versions
from wakeful.sleep.across_animals import prepare_animals
from wakeful.sleep.anchors import Anchors
from wakeful.sleep.evaluation import CoveragePoint, Evaluation, Score, compute_score
from wakeful.sleep.feature_table import FeatureTable, Labels
from wakeful.sleep.label_words import read_labels
from wakeful.sleep.trained import NO_DATA, ScoredEpochs
from wakeful.sleep.training import Training, TrainParams, train_scorer


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelledTable:
    """What is trained on, wherever it comes from."""

    table: FeatureTable
    labels: Labels
    label_map: dict[str, str]
    """What was typed -> the state it became."""
    files: tuple[TrainingFile, ...]
    n_holes: int
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainReport:
    """What came of training."""

    source: LabelledTable
    params: TrainParams
    training: Training
    notes: tuple[str, ...]


def read_labelled_table(
    path: Path,
    columns: Columns,
    *,
    mapping: dict[str, str] | None = None,
    epoch_s: float | None = None,
) -> LabelledTable:
    """A table of features with a column of labels.

    Raises
    ------
    BadTable, BadParameters
        The table or its labels can't be used; says which, and what to do.
    """
    if not columns.labels:
        raise BadParameters(
            "no column of labels is named", where="--labels", remedy="name it: --labels Stage"
        )
    file = read_feature_table(path, columns, epoch_s=epoch_s)
    assert file.labels is not None
    labels, used, label_notes = read_labels(file.labels, mapping)
    return LabelledTable(
        table=file.table,
        labels=labels,
        label_map=used,
        files=(
            TrainingFile(
                name=path.name,
                sha256=file.sha256,
                n_epochs=file.table.n_epochs,
                n_holes=file.n_holes,
            ),
        ),
        n_holes=file.n_holes,
        notes=(*file.notes, *label_notes),
    )


def train(
    source: LabelledTable, params: TrainParams, told: Callable[[float], None] | None = None
) -> TrainReport:
    """Train a scorer.

    Raises
    ------
    BadParameters, Unavailable
        The labels do not suffice; says of what, and what to do.
    """
    training = train_scorer(source.table, source.labels, params, told)
    return TrainReport(
        source=source, params=params, training=training, notes=(*source.notes, *training.notes)
    )


def write_model(
    folder: Path,
    report: TrainReport,
    *,
    title: str = "",
    licence: str = "unstated",
    overwrite: bool = False,
) -> str:
    """Write a trained model with its card; returns its content hash."""
    scorer, table, labels = report.training.scorer, report.source.table, report.source.labels
    card = Card(
        title=title or folder.name,
        kind=scorer.kind.value,
        states=scorer.states,
        features=scorer.features,
        epoch_s=scorer.epoch_s,
        label_map=report.source.label_map,
        files=report.source.files,
        subjects=tuple(str(s) for s in np.unique(table.subject[labels.known]) if s),
        epochs_per_state=labels.count(),
        evaluation=evaluation_tree(report.training.evaluation),
        notes=report.notes,
        licence=licence,
        versions={"wakeful": code_version(), **library_versions(), "xgboost": _xgboost_version()},
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return write_scorer(folder, scorer, card, overwrite=overwrite)


def write_coverage(model: Path, points: Sequence[CoveragePoint], content_hash: str) -> Path:
    """The figure of coverage and kappa, MODEL_coverage.png beside the model's folder."""
    from wakeful.figures import draw_coverage, render

    picture = model.with_name(f"{model.name}_coverage.png")
    title = f"{model.name}: held-out epochs, the surest first"
    write_bytes(picture, render(draw_coverage(points, title), "png", content_hash))
    return picture


def _xgboost_version() -> str:
    import xgboost

    return str(xgboost.__version__)


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoreReport:
    """A table that was scored."""

    file: TableFile
    model: ScorerModel
    scored: ScoredEpochs
    agreement: Score | None
    """With the labels, where a column of them was named."""
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """How a table is scored."""

    epoch_s: float | None = None
    min_confidence: float | None = None
    allow_missing: bool = False
    anyway: bool = False
    levels: Path | None = None
    """A table of the same animals to take their levels from, for scorers across animals."""


def _read_levels(model: ScorerModel, columns: Columns, options: ScoreOptions) -> dict[str, Anchors]:
    """Levels of animals from another table of theirs."""
    if options.levels is None:
        return {}
    where = str(options.levels)
    if model.scorer.animal_logarithms is None:
        raise BadParameters(
            "this model takes features as they are: levels are of no use to it",
            where=where,
            remedy="leave out --levels, or train a model --across-animals",
        )
    file = read_feature_table(
        options.levels,
        Columns(subject=columns.subject, time=columns.time),
        epoch_s=options.epoch_s,
        default_epoch_s=model.scorer.epoch_s,
    )
    _, animals = prepare_animals(file.table, model.scorer.animal_logarithms)
    for name, prepared in animals.items():
        if prepared.anchors is None:
            raise Unavailable(
                prepared.refusal,
                where=f"{where}, subject {name}" if name else where,
                remedy="give a table with an hour or more of both awake and NREM",
            )
    return {name: prepared.anchors for name, prepared in animals.items() if prepared.anchors}


def score_table(
    path: Path,
    model_folder: Path,
    columns: Columns,
    options: ScoreOptions,
    mapping: dict[str, str] | None = None,
) -> ScoreReport:
    """Score a table with a model.

    Each subject is held against the training set by itself.

    Raises
    ------
    BadTable, BadModel, BadParameters
        Table or model can't be used, or do not fit each other.
    Unavailable
        A subject is unlike the training set; says how.
    """
    model = read_scorer(model_folder)
    file = read_feature_table(
        path,
        columns,
        epoch_s=options.epoch_s,
        default_epoch_s=model.scorer.epoch_s,
        # Pooled features have names that no table has.
        wanted=() if model.scorer.animal_logarithms is not None else model.scorer.features,
    )
    levels = _read_levels(model, columns, options)
    table = file.table
    parts: list[ScoredEpochs] = []
    notes = list(file.notes)
    edges = np.flatnonzero(np.r_[True, table.subject[1:] != table.subject[:-1], True])
    for first, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        name = str(table.subject[first])
        part = model.scorer.score(
            table.take(slice(first, stop)),
            min_confidence=options.min_confidence,
            allow_missing=options.allow_missing,
            anyway=options.anyway,
            anchors=levels.get(name),
        )
        if part.refusal:
            raise Unavailable(
                part.refusal,
                where=f"{path}, subject {name}" if name else str(path),
                remedy="name a table of the same animal that holds awake and NREM (--levels)"
                if model.scorer.animal_logarithms is not None and name not in levels
                else "correct the features, or train on animals like this one; --anyway scores "
                "it all the same",
            )
        notes += [f"{name}: {note}" if name else note for note in part.notes]
        parts.append(part)
    scored = ScoredEpochs.join(parts)
    agreement = None
    if file.labels is not None:
        labels, _, label_notes = read_labels(file.labels, mapping)
        notes += label_notes
        agreement = _compare(scored, labels, file)
    return ScoreReport(
        file=file,
        model=model,
        scored=scored,
        agreement=agreement,
        notes=tuple(dict.fromkeys(notes)),
    )


def _compare(scored: ScoredEpochs, labels: Labels, file: TableFile) -> Score:
    strange = [name for name in labels.states if name not in scored.states]
    if strange:
        raise BadTable(
            f"the model knows no state {', '.join(strange)}",
            where=f"{file.path}, column of labels",
            remedy=f"map them with --map; the model's states are {', '.join(scored.states)}",
        )
    number = np.array([*(scored.states.index(name) for name in labels.states), -1])
    truth = np.where(scored.state == NO_DATA, -1, number[labels.state])
    return compute_score(truth, scored.state, scored.posterior, file.table.breaks, scored.states)


def write_scores(path: Path, report: ScoreReport, *, overwrite: bool = False) -> None:
    """One row an epoch: time, subject, states and probabilities; the file appears whole.

    Raises
    ------
    BadTable
        There is a file under this name already.
    """
    if path.exists() and not overwrite:
        raise BadTable(
            "is there already", where=str(path), remedy="choose another name, or --overwrite"
        )
    scored, table = report.scored, report.file.table
    names = np.array([*scored.states, "no data", "unclassified"])
    has_subject = bool((table.subject != "").any())
    has_time = report.file.times is not None
    doubt = scored.doubt
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            "epoch",
            *([report.file.time_column] if has_time else []),
            *(["subject"] if has_subject else []),
            "state",
            "raw_state",
            "provisional_state",
            "confidence",
            "doubt",
            *(f"p_{name}" for name in scored.states),
        ]
    )
    for i in range(table.n_epochs):
        writer.writerow(
            [
                i,
                *([report.file.times[i]] if report.file.times is not None else []),
                *([table.subject[i]] if has_subject else []),
                names[scored.state[i]],
                names[scored.raw_state[i]],
                names[scored.provisional[i]],
                _number(scored.confidence[i]),
                doubt[i],
                *(_number(p) for p in scored.posterior[i]),
            ]
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, text.getvalue().encode())


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.4f}"


def score_tree(score: Score) -> dict[str, Any]:
    """A score as plain data; None where there is no figure."""
    return {
        "kappa": _plain(score.kappa),
        "accuracy": _plain(score.accuracy),
        "f1": {name: _plain(value) for name, value in score.f1.items()},
        "ece": _plain(score.ece),
        "minutes_bias": {name: _plain(value) for name, value in score.minutes_bias.items()},
        "bouts_bias": _plain(score.bouts_bias),
        "n_epochs": score.n_epochs,
        "n_per_state": score.n_per_state,
    }


def evaluation_tree(evaluation: Evaluation) -> dict[str, Any]:
    """Cross-validation as plain data."""
    low, high = evaluation.kappa_range
    return {
        "held_out": evaluation.held_out,
        "overall": score_tree(evaluation.overall),
        "kappa_least": _plain(low),
        "kappa_greatest": _plain(high),
        "parts": [score_tree(part) for part in evaluation.parts],
        "coverage": [
            {
                "coverage": _plain(point.coverage),
                "threshold": _plain(point.threshold),
                "kappa": _plain(point.kappa),
                "accuracy": _plain(point.accuracy),
                "per_state": {name: _plain(share) for name, share in point.per_state.items()},
            }
            for point in evaluation.coverage
        ],
    }


def _plain(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
