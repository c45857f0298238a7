"""The curve of few labels: dots, medians, and what is said of states that were not learned."""

from __future__ import annotations

import numpy as np

from wakeful.figures import draw_label_curve, render
from wakeful.sleep.evaluation import Score
from wakeful.sleep.label_curve import CurveParams, CurvePoint, Draw, LabelCurve

STATES = ("awake", "NREM", "REM")


def score(kappa: float, rem: float) -> Score:
    return Score(
        kappa=kappa,
        accuracy=kappa,
        f1={"awake": 0.9, "NREM": 0.9, "REM": rem},
        ece=0.01,
        minutes_bias=dict.fromkeys(STATES, 0.0),
        bouts_bias=0.0,
        n_epochs=100,
        n_per_state=dict.fromkeys(STATES, 33),
    )


def test_every_draw_is_a_dot_and_what_is_not_learned_is_said() -> None:
    draws = (
        Draw(score=score(0.4, 0.0), unlearned=("REM",)),
        Draw(score=score(0.8, 0.7), unlearned=()),
        Draw(score=None, unlearned=("NREM", "REM"), reason="only awake"),
    )
    curve = LabelCurve(
        states=STATES,
        points=(
            CurvePoint(minutes=10, draws=draws),
            CurvePoint(minutes=30, draws=draws[1:2]),
            CurvePoint(minutes=120, draws=(), reason="fewer than twice as many labels"),
        ),
        params=CurveParams(n_draws=3),
        all_minutes=200.0,
        all_labels=score(0.9, 0.85),
    )
    figure = draw_label_curve(curve, "ours")
    left, right = figure.axes
    dots = [line for line in left.lines if line.get_marker() == "o"]
    assert [list(line.get_ydata()) for line in dots] == [[0.4, 0.8], [0.8]]
    (medians,) = [line for line in left.lines if line.get_marker() == "_"]
    np.testing.assert_allclose(medians.get_ydata(), [0.6, 0.8])
    assert left.get_xscale() == "log"
    assert left.get_ylim()[0] <= 0.4
    assert [text.get_text() for text in right.get_legend().get_texts()] == list(STATES)
    said = " ".join(text.get_text() for text in figure.texts)
    assert "10 min: no NREM in 1, no REM in 2, nothing learned in 1 of 3" in said
    assert "120 min: too few labels" in said
    assert render(figure, "png", "a" * 64)[:4] == b"\x89PNG"
