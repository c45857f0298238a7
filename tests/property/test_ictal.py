"""Seizures handed in change nothing but the time they cover."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.model.epochs import Hypnogram
from wakeful.model.errors import BadParameters
from wakeful.model.ictal import IctalIntervals, IctalKind
from wakeful.model.subject import Session, Subject
from wakeful.sleep.ictal import overlay_ictal
from wakeful.steps.sleep_bouts import Inputs, Outputs, Params, compute

EPOCH_S = 4.0
A, U, N, R, X = 0, 1, 2, 3, -1

runs = st.lists(
    st.tuples(st.sampled_from([A, U, N, R, X]), st.integers(1, 12)), min_size=1, max_size=25
)
bursts = st.lists(
    st.tuples(st.floats(0, 1000), st.floats(0.1, 60), st.sampled_from([1, 2])), max_size=8
)


def hypnogram(state: np.ndarray) -> Hypnogram:
    return Hypnogram(
        start_s=np.arange(len(state)) * EPOCH_S,
        raw_state=state.astype(np.int8),
        state=state.astype(np.int8),
        confidence=np.ones(len(state), np.float32),
        epoch_s=EPOCH_S,
        scorer="s",
    )


def intervals(found: list[tuple[float, float, int]]) -> IctalIntervals:
    rows = sorted(found)
    return IctalIntervals(
        start_s=np.array([start for start, _, _ in rows]),
        stop_s=np.array([start + length for start, length, _ in rows]),
        kind=np.array([kind for _, _, kind in rows], np.int8),
    )


def analyse(state: np.ndarray, ictal: IctalIntervals | None) -> Outputs:
    session = Session(
        name="s",
        subject=Subject(identifier="M"),
        start_utc=None,
        duration_s=len(state) * EPOCH_S,
    )
    inputs = Inputs(hypnogram=hypnogram(state), session=session, ictal=ictal)
    return compute(inputs, Params())


def same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if dataclasses.is_dataclass(a):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    return bool(a == b or (a != a and b != b))


@settings(max_examples=60, deadline=None)
@given(runs, bursts, st.sampled_from([A, N, R]))
def test_what_bursts_were_scored_as_does_not_matter(
    bouts: list[tuple[int, int]], found: list[tuple[float, float, int]], mistaken: int
) -> None:
    """Spike-wave bursts that pass as REM, handed in: the same as without the mistake."""
    truth = np.repeat([s for s, _ in bouts], [n for _, n in bouts])
    ictal = intervals(found)
    marks = overlay_ictal(hypnogram(truth), ictal)
    scored = np.where((marks != 0) & (truth != X), mistaken, truth)
    assert same(analyse(scored, ictal), analyse(truth, ictal))


@settings(max_examples=60, deadline=None)
@given(runs, bursts)
def test_all_but_the_covered_time_stays(
    bouts: list[tuple[int, int]], found: list[tuple[float, float, int]]
) -> None:
    """Bouts, minutes and transitions equal those of the animal without, less what is covered."""
    truth = np.repeat([s for s, _ in bouts], [n for _, n in bouts])
    ictal = intervals(found)
    covered = np.array(
        [
            any(a < (i + 1) * EPOCH_S and a + n > i * EPOCH_S for a, n, _ in found)
            for i in range(len(truth))
        ],
        np.bool_,
    )
    with_, without = analyse(truth, ictal), analyse(truth, None)
    statistics = with_.bout_statistics
    for j, state in enumerate((A, U, N, R)):
        lost_min = np.sum(covered & (truth == state)) * EPOCH_S / 60
        expected = without.bout_statistics.minutes[0, j] - lost_min
        assert statistics.minutes[0, j] == pytest.approx(expected, abs=1e-9)
    marked_min = statistics.ictal_min + statistics.post_ictal_min
    assert marked_min == pytest.approx(covered.sum() * EPOCH_S / 60)
    # Each bout of the animal without bursts, cut where a burst lies: nothing more, nothing less.
    pieces: list[tuple[int, float, float]] = []
    before = without.bouts
    for state, start_s, stop_s in zip(before.state, before.start_s, before.stop_s, strict=True):
        piece: list[int] = []
        for i in range(round(start_s / EPOCH_S), round(stop_s / EPOCH_S) + 1):
            if i < round(stop_s / EPOCH_S) and not covered[i]:
                piece.append(i)
            elif piece:
                pieces.append((int(state), piece[0] * EPOCH_S, (piece[-1] + 1) * EPOCH_S))
                piece = []
    after = with_.bouts
    assert pieces == [
        (int(s), a, b) for s, a, b in zip(after.state, after.start_s, after.stop_s, strict=True)
    ]
    # Nothing is bridged: no transition has a covered epoch on either side.
    free = ~covered[:-1] & ~covered[1:] & (truth[:-1] != X) & (truth[1:] != X)
    assert statistics.transitions.sum() == free.sum()


def test_ictal_goes_before_post_ictal() -> None:
    state = np.zeros(10, np.int8)
    marks = overlay_ictal(hypnogram(state), intervals([(8.0, 8.0, 2), (4.1, 7.0, 1)]))
    assert marks.tolist() == [0, 1, 1, 2, 0, 0, 0, 0, 0, 0]
    assert overlay_ictal(hypnogram(state), None).tolist() == [0] * 10
    assert IctalKind.POST_ICTAL.label == "post-ictal"


def test_intervals_that_make_no_sense() -> None:
    state = np.zeros(10, np.int8)
    with pytest.raises(BadParameters, match="interval 1 reaches from 8 to 4 s"):
        overlay_ictal(hypnogram(state), intervals([(8.0, -4.0, 1)]))
    with pytest.raises(BadParameters, match="7 is no kind"):
        overlay_ictal(hypnogram(state), intervals([(8.0, 4.0, 7)]))
