"""What fewer labels would have given: computed from a training, written beside its model."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from wakeful.io.atomic import write_bytes
from wakeful.service.scorers import TrainReport
from wakeful.sleep.label_curve import CurveParams, LabelCurve, compute_label_curve


def try_fewer_labels(
    report: TrainReport,
    told: Callable[[float], None] | None = None,
    params: CurveParams | None = None,
) -> LabelCurve:
    """Train on a few minutes of the labels again and again, and score the rest."""
    return compute_label_curve(
        report.source.table,
        report.source.labels,
        report.training.evaluation.overall,
        report.params,
        params,
        told,
    )


def write_curve(model: Path, curve: LabelCurve, content_hash: str) -> tuple[Path, Path]:
    """The figure and the table, MODEL_curve.png and MODEL_curve.csv beside the model's folder.

    Parameters
    ----------
    model : its folder
    content_hash : of the model that all labels gave; it is the figure's key
    """
    from wakeful.figures import draw_label_curve, render

    picture = model.with_name(f"{model.name}_curve.png")
    table = model.with_name(f"{model.name}_curve.csv")
    title = f"{model.name}: agreement with few labels"
    write_bytes(picture, render(draw_label_curve(curve, title), "png", content_hash))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    head = ["minutes", "draw", "kappa", *(f"f1_{name}" for name in curve.states), "not_learned"]
    writer.writerow(head)
    for point in curve.points:
        for number, draw in enumerate(point.draws, start=1):
            score = draw.score
            figures = [] if score is None else [score.kappa, *(score.f1[n] for n in curve.states)]
            cells = [f"{v:.4f}" if np.isfinite(v) else "" for v in figures]
            blank = [""] * (len(head) - 4 + 1 - len(cells)) if not cells else []
            writer.writerow(
                [f"{point.minutes:g}", number, *cells, *blank, " ".join(draw.unlearned)]
            )
    write_bytes(table, text.getvalue().encode())
    return picture, table


def curve_tree(curve: LabelCurve) -> list[dict[str, Any]]:
    """A curve as plain data; None where there is no figure."""
    return [
        {
            "minutes": point.minutes,
            "kappa": [_plain(score.kappa) for score in point.scores],
            "f1": {name: [_plain(s.f1[name]) for s in point.scores] for name in curve.states},
            "n_draws": len(point.draws),
            "not_learned": {name: point.n_unlearned(name) for name in curve.states},
            "reason": point.reason
            or "; ".join(dict.fromkeys(draw.reason for draw in point.draws if draw.reason)),
        }
        for point in curve.points
    ]


def _plain(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
