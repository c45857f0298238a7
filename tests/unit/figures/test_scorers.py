"""The figure of scorers side by side."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from wakeful.figures import draw_scorers, render
from wakeful.model.epochs import Hypnogram
from wakeful.model.subject import LightSchedule, Session, Subject
from wakeful.sleep.scorers import Comparison, compare_scorers


def make(n_scorers: int, *, clock: bool) -> tuple[Session, Comparison]:
    rng = np.random.default_rng(2)
    truth = np.repeat(rng.choice([0, 2, 3], 120, p=[0.45, 0.45, 0.1]), rng.integers(3, 40, 120))
    hypnograms = {}
    for i in range(n_scorers):
        state = np.where(rng.random(len(truth)) < 0.05, rng.choice([0, 2, 3], len(truth)), truth)
        state[200 + i : 230] = -1
        hypnograms[f"scorer {i}"] = Hypnogram(
            start_s=np.arange(len(state)) * 4.0,
            raw_state=state.astype(np.int8),
            state=state.astype(np.int8),
            confidence=np.ones(len(state), np.float32),
            epoch_s=4.0,
            scorer="s",
        )
    session = Session(
        name="2026-01-12",
        subject=Subject(identifier="M1"),
        start_utc=datetime(2026, 1, 12, 10, tzinfo=UTC) if clock else None,
        duration_s=len(truth) * 4.0,
        light=LightSchedule() if clock else None,
    )
    return session, compare_scorers(hypnograms, "M1")


@pytest.mark.parametrize(("n_scorers", "clock"), [(2, False), (3, True), (6, True)])
def test_every_scorer_and_matrix_is_drawn(n_scorers: int, clock: bool) -> None:
    session, comparison = make(n_scorers, clock=clock)
    figure = draw_scorers(session, comparison)
    assert render(figure, "png", "a" * 64).startswith(b"\x89PNG")
    texts = [t.get_text() for axes in figure.axes for t in axes.texts]
    for name in comparison.names:
        assert any(name in text for text in texts)
    n_matrices = 1 if n_scorers == 2 else n_scorers
    assert sum(text.startswith("κ") for text in texts) == n_matrices
    assert len([axes for axes in figure.axes if axes.images]) == n_matrices
    assert any(text.startswith("Where they differ") for text in texts)


def test_scorers_who_agree_throughout() -> None:
    session, comparison = make(2, clock=False)
    one = comparison.states[0]
    hypnogram = Hypnogram(
        start_s=comparison.start_s,
        raw_state=one,
        state=one,
        confidence=np.ones(len(one), np.float32),
        epoch_s=4.0,
        scorer="s",
    )
    same = compare_scorers({"a": hypnogram, "b": hypnogram})
    assert render(draw_scorers(session, same), "png", "a" * 64)
