"""Training a lab's own scorer from a table, and scoring tables with it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.io.atomic import write_bytes
from wakeful.io.feature_tables import Columns, TableFile, read_feature_table
from wakeful.io.scorer_files import Card, ScorerModel, TrainingFile, read_scorer, write_scorer
from wakeful.model.errors import BadParameters, BadTable, Unavailable
from wakeful.pipeline.machine import code_version, library_versions
from wakeful.sleep.evaluation import Evaluation, Score, compute_score
from wakeful.sleep.feature_table import Labels
from wakeful.sleep.label_words import read_labels
from wakeful.sleep.trained import NO_DATA, UNCLASSIFIED, ScoredEpochs
from wakeful.sleep.training import Training, TrainParams, train_scorer

CURVE_MINUTES = (10, 30, 60, 120)


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """What is trained on, and how."""

    path: Path
    columns: Columns
    mapping: dict[str, str] | None
    epoch_s: float | None
    params: TrainParams
    licence: str = "unstated"
    title: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainReport:
    """What came of it."""

    file: TableFile
    labels: Labels
    label_map: dict[str, str]
    training: Training
    notes: tuple[str, ...]


def train_on_table(
    request: TrainRequest, told: Callable[[float], None] | None = None
) -> TrainReport:
    """Read a table and train a scorer on it.

    Raises
    ------
    BadTable, BadParameters, Unavailable
        The table or its labels can't be used; says which, and what to do.
    """
    if not request.columns.labels:
        raise BadParameters(
            "no column of labels is named", where="--labels", remedy="name it: --labels Stage"
        )
    file = read_feature_table(request.path, request.columns, epoch_s=request.epoch_s)
    assert file.labels is not None
    labels, used, label_notes = read_labels(file.labels, request.mapping)
    training = train_scorer(file.table, labels, request.params, told)
    notes = (*file.notes, *label_notes, *training.notes)
    return TrainReport(file=file, labels=labels, label_map=used, training=training, notes=notes)


def write_model(
    folder: Path, report: TrainReport, request: TrainRequest, *, overwrite: bool = False
) -> str:
    """Write a trained model with its card; returns its content hash."""
    scorer, table = report.training.scorer, report.file.table
    known = report.labels.known
    card = Card(
        title=request.title or folder.name,
        kind=scorer.kind.value,
        states=scorer.states,
        features=scorer.features,
        epoch_s=scorer.epoch_s,
        label_map=report.label_map,
        files=(
            TrainingFile(
                name=report.file.path.name,
                sha256=report.file.sha256,
                n_epochs=table.n_epochs,
                n_holes=report.file.n_holes,
            ),
        ),
        subjects=tuple(str(s) for s in np.unique(table.subject[known]) if s),
        epochs_per_state=report.labels.count(),
        evaluation=evaluation_tree(report.training.evaluation),
        notes=report.notes,
        licence=request.licence,
        versions={"wakeful": code_version(), **library_versions(), "xgboost": _xgboost_version()},
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return write_scorer(folder, scorer, card, overwrite=overwrite)


def _xgboost_version() -> str:
    import xgboost

    return str(xgboost.__version__)


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """A scorer from few labels, held against the labels it did not see."""

    minutes: int
    n_repeats: int
    kappa: tuple[float, ...]
    """Of each repeat."""
    reason: str
    """Why there is no figure; "" where there is."""


def compute_curve(
    report: TrainReport, request: TrainRequest, minutes: Sequence[int] = CURVE_MINUTES
) -> tuple[CurvePoint, ...]:
    """How kappa grows with the minutes that a person labels.

    Labels are taken in one stretch, as a person would score them, from three places of the
    recording; the rest, but for a margin of ten minutes, is scored and compared.
    """
    table, labels = report.file.table, report.labels
    known = np.flatnonzero(labels.known)
    points = []
    for wanted in minutes:
        n_epochs = round(wanted * 60 / table.epoch_s)
        kappas: list[float] = []
        reason = ""
        if 2 * n_epochs > len(known):
            reason = "fewer than twice as many labels: nothing would be left to compare with"
        else:
            for share in (0.1, 0.45, 0.8):
                first = int(share * (len(known) - n_epochs))
                chosen = known[first : first + n_epochs]
                try:
                    kappas.append(_learn_from(report, request.params, chosen))
                except (BadParameters, Unavailable) as error:
                    reason = error.what
        points.append(
            CurvePoint(minutes=wanted, n_repeats=len(kappas), kappa=tuple(kappas), reason=reason)
        )
    return tuple(points)


def _learn_from(report: TrainReport, params: TrainParams, chosen: NDArray[np.intp]) -> float:
    table, labels = report.file.table, report.labels
    few = np.full(len(labels.state), -1, np.int64)
    few[chosen] = labels.state[chosen]
    counts = np.bincount(few[few >= 0], minlength=len(labels.states))
    if (counts < 5).any():
        # A state that the stretch hardly holds is not learned, and costs kappa, as it would.
        few[np.isin(few, np.flatnonzero(counts < 5))] = -1
    present = np.flatnonzero(np.bincount(few[few >= 0], minlength=len(labels.states)))
    number = np.full(len(labels.states) + 1, -1)
    number[present] = np.arange(len(present))
    small = Labels(states=tuple(labels.states[i] for i in present), state=number[few])
    stop = chosen[-1] + 1
    window = slice(int(chosen[0]), int(stop))
    part = table.take(window)
    trained = train_scorer(part, Labels(states=small.states, state=small.state[window]), params)
    scored = trained.scorer.score(table, anyway=True)
    back = np.r_[present, UNCLASSIFIED, UNCLASSIFIED]
    margin = round(600 / table.epoch_s)
    truth = labels.state.copy()
    truth[max(0, int(chosen[0]) - margin) : int(stop) + margin] = -1
    posterior = np.zeros((table.n_epochs, len(labels.states)))
    posterior[:, present] = np.nan_to_num(scored.posterior)
    return compute_score(truth, back[scored.state], posterior, table.breaks, labels.states).kappa


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
        wanted=model.scorer.features,
    )
    table = file.table
    parts: list[ScoredEpochs] = []
    notes = list(file.notes)
    edges = np.flatnonzero(np.r_[True, table.subject[1:] != table.subject[:-1], True])
    for first, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = model.scorer.score(
            table.take(slice(first, stop)),
            min_confidence=options.min_confidence,
            allow_missing=options.allow_missing,
            anyway=options.anyway,
        )
        name = str(table.subject[first])
        if part.refusal:
            raise Unavailable(
                part.refusal,
                where=f"{path}, subject {name}" if name else str(path),
                remedy="correct the features, or train on animals like this one; --anyway scores "
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
    }


def _plain(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
