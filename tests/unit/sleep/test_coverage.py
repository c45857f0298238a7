"""Kappa of the surest epochs, and which states are left out for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.figures import draw_coverage, render
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadParameters
from wakeful.model.time import Interval
from wakeful.sleep.evaluation import (
    COVERAGES,
    compute_coverage,
    compute_hypnogram_coverage,
    compute_score,
)

STATES = ("awake", "NREM", "REM")


def make(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, scored states, and probabilities that say how often the scorer is right."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, n, p=[0.45, 0.45, 0.1])
    # REM is hard: the scorer is rarely sure of it.
    right = np.where(truth == 2, rng.uniform(0.4, 0.8, n), rng.uniform(0.75, 1.0, n))
    state = np.where(rng.random(n) < right, truth, (truth + 1) % 3)
    posterior = np.repeat(((1 - right) / 2)[:, None], 3, axis=1)
    posterior[np.arange(n), state] = right
    return truth, state, posterior


def test_leaving_out_the_unsure_raises_kappa_and_costs_rem() -> None:
    points = compute_coverage(*make(4000, 0), STATES)
    assert [p.coverage for p in points] == pytest.approx(COVERAGES, abs=1e-3)
    assert points[-1].kappa > points[0].kappa + 0.1
    assert points[0].per_state == dict.fromkeys(STATES, 1.0)
    half = points[-1].per_state
    assert half["REM"] < 0.1
    assert half["NREM"] > 0.5
    figure = draw_coverage(points, "ours")
    assert render(figure, "png", "a" * 64)[:4] == b"\x89PNG"


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 300), seed=st.integers(0, 1000), share=st.floats(0.05, 1.0))
def test_as_of_the_epochs_kept_alone(n: int, seed: int, share: float) -> None:
    truth, state, posterior = make(n, seed)
    posterior = np.round(posterior, 1)  # many are as sure as each other
    (point,) = compute_coverage(truth, state, posterior, STATES, [share])
    sure = posterior.max(axis=1)
    kept = sure >= point.threshold
    assert point.coverage == kept.mean() >= share - 1e-9
    # The next surer ones alone would be too few.
    assert (sure > point.threshold).sum() < np.ceil(share * n)
    alone = compute_score(
        truth[kept], state[kept], posterior[kept], np.zeros(kept.sum(), bool), STATES
    )
    np.testing.assert_equal(point.kappa, alone.kappa)
    assert point.accuracy == alone.accuracy


def test_unclassified_is_kept_nowhere_but_counted() -> None:
    truth, state, posterior = make(1000, 1)
    state[:100] = -1
    points = compute_coverage(truth, state, posterior, STATES)
    assert max(p.coverage for p in points) == pytest.approx(0.9)
    with pytest.raises(BadParameters, match="coverages 0"):
        compute_coverage(truth, state, posterior, STATES, [0.0])


def test_hypnograms_are_matched_by_their_starts() -> None:
    truth, state, posterior = make(1000, 2)
    numbers = np.array([State.AWAKE, State.NREM, State.REM], np.int8)
    reference = Hypnogram(
        start_s=np.arange(1000) * 4.0,
        raw_state=numbers[truth],
        state=numbers[truth],
        confidence=np.ones(1000, np.float32),
        epoch_s=4.0,
        scorer="hand",
    )
    scored = replace(
        reference,
        raw_state=numbers[state],
        state=numbers[state],
        probability=posterior.astype(np.float32),
        scorer="ours",
    )
    first = 100
    later = scored.cut(Interval(400.0, 4000.0))
    assert later.n_rows == 900
    found = compute_hypnogram_coverage(reference, later)
    expected = compute_coverage(
        truth[first:], state[first:], posterior[first:].astype(np.float32), STATES
    )
    assert [p.kappa for p in found] == [p.kappa for p in expected]
    with pytest.raises(BadParameters, match="no probabilities"):
        compute_hypnogram_coverage(reference, reference)
    with pytest.raises(BadParameters, match="epochs of 4 s and 8 s"):
        compute_hypnogram_coverage(reference, replace(scored, epoch_s=8.0))
