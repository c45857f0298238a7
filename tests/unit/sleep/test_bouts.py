"""Bouts, transitions and what is counted of them, against hand counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.model.bouts import STATES
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadParameters
from wakeful.sleep.bout_statistics import (
    Covered,
    Rules,
    compute_bout_statistics,
    compute_state_hours,
)
from wakeful.sleep.bouts import (
    compute_survival,
    count_transitions,
    find_bouts,
    median_survival,
)

A, U, N, R, X = 0, 1, 2, 3, -1
RULES = Rules(brief_awakening_s=16.0, onset_s=0.0)


def hypnogram(states: list[int], start_s: np.ndarray | None = None) -> Hypnogram:
    state = np.array(states, np.int8)
    return Hypnogram(
        start_s=np.arange(len(state)) * 4.0 if start_s is None else start_s,
        raw_state=state,
        state=state,
        confidence=np.ones(len(state), np.float32),
        epoch_s=4.0,
        scorer="s",
    )


def nothing(n: int) -> Covered:
    return Covered(ictal=np.zeros(n, np.int8), untrusted=np.zeros(n, np.bool_))


def listed(states: list[int], left_out: list[int] | None = None) -> list[tuple[object, ...]]:
    mask = np.zeros(len(states), np.bool_)
    mask[left_out or []] = True
    found = find_bouts(hypnogram(states), mask)
    return [
        (s, a, b, begun, ended)
        for s, a, b, begun, ended in zip(
            found.state.tolist(),
            found.start_s.tolist(),
            found.stop_s.tolist(),
            found.start_known.tolist(),
            found.stop_known.tolist(),
            strict=True,
        )
    ]


def test_the_first_and_the_last_bout_were_not_seen_whole() -> None:
    assert listed([A, A, N, N, N, R]) == [
        (A, 0, 8, False, True),
        (N, 8, 20, True, True),
        (R, 20, 24, True, False),
    ]


def test_no_data_ends_a_bout() -> None:
    assert listed([N, N, X, N, A]) == [
        (N, 0, 8, False, False),
        (N, 12, 16, False, True),
        (A, 16, 20, True, False),
    ]


def test_a_hole_in_time_ends_a_bout() -> None:
    found = find_bouts(hypnogram([N, N, N], np.array([0.0, 4.0, 40.0])))
    assert found.stop_s.tolist() == [8.0, 44.0]
    assert not found.stop_known.any()


def test_what_is_left_out_ends_a_bout_and_is_in_none() -> None:
    assert listed([N, N, R, N, N, A], left_out=[2]) == [
        (N, 0, 8, False, False),
        (N, 12, 20, False, True),
        (A, 20, 24, True, False),
    ]


def test_unclassified_is_a_bout_whose_neighbours_have_unknown_ends() -> None:
    assert listed([A, N, U, N, A]) == [
        (A, 0, 4, False, True),
        (N, 4, 8, True, False),
        (U, 8, 12, False, False),
        (N, 12, 16, False, True),
        (A, 16, 20, True, False),
    ]


def test_nothing_to_find() -> None:
    assert listed([]) == []
    assert listed([X, X]) == []
    assert listed([A, A], left_out=[0, 1]) == []
    with pytest.raises(BadParameters, match="left_out"):
        find_bouts(hypnogram([A]), np.zeros(2, np.bool_))


def test_transitions_by_hand() -> None:
    found = count_transitions(hypnogram([A, A, N, N, R, A, X, N, U, N]), np.zeros(10, np.bool_))
    assert found[A].tolist() == [1, 0, 1, 0]
    assert found[N].tolist() == [0, 1, 1, 1]
    assert found[R].tolist() == [1, 0, 0, 0]
    assert found[U].tolist() == [0, 0, 1, 0]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from([A, U, N, R, X]), max_size=60),
    st.lists(st.booleans(), min_size=60, max_size=60),
)
def test_bouts_hold_every_epoch_once(states: list[int], out: list[bool]) -> None:
    mask = np.array(out[: len(states)], np.bool_)
    whole = hypnogram(states)
    found = find_bouts(whole, mask)
    rebuilt = np.full(len(states), X)
    for state, a, b in zip(found.state, found.start_s, found.stop_s, strict=True):
        part = slice(int(a // 4), int(b // 4))
        assert (rebuilt[part] == X).all()
        rebuilt[part] = state
    expected = np.where(mask, X, np.array(states, int)) if states else rebuilt
    assert rebuilt.tolist() == expected.tolist()
    # Two bouts that touch differ in state.
    touching = np.isclose(found.stop_s[:-1], found.start_s[1:])
    assert (found.state[:-1] != found.state[1:])[touching].all()
    counts = count_transitions(whole, mask)
    assert counts.sum() - np.trace(counts) == touching.sum()
    if not mask.any():  # the house's own list of bouts
        own = [(int(s), p.start_s, p.stop_s) for s, p in whole.bouts() if s != State.NO_DATA]
        assert own == [
            (int(s), a, b) for s, a, b in zip(found.state, found.start_s, found.stop_s, strict=True)
        ]


def test_survival_of_the_textbook() -> None:
    """Leukaemia patients on 6-MP (Freireich et al. 1963), as in most textbooks on survival."""
    ended = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    going_on = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    duration = np.array([*ended, *going_on], float)
    complete = np.array([True] * len(ended) + [False] * len(going_on))
    times, share = compute_survival(duration, complete)
    assert times.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert share == pytest.approx([0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], abs=5e-4)
    assert median_survival(duration, complete) == 23.0


def test_survival_without_ends() -> None:
    assert np.isnan(median_survival(np.array([4.0, 8.0]), np.array([False, False])))
    times, share = compute_survival(np.empty(0), np.empty(0, np.bool_))
    assert len(times) == len(share) == 0


def test_statistics_by_hand() -> None:
    states = [A] * 10 + [N] * 20 + [A] * 2 + [N] * 10 + [R] * 5 + [A] * 8 + [N] * 5
    light = np.arange(60) < 30
    bouts, found = compute_bout_statistics(hypnogram(states), nothing(60), light, RULES)
    assert bouts.n_rows == 7
    assert found.phases == ("whole", "light", "dark")
    minutes = 4 / 60
    assert found.minutes[0].tolist() == pytest.approx([20 * minutes, 0, 35 * minutes, 5 * minutes])
    assert found.minutes[1].tolist() == pytest.approx([10 * minutes, 0, 20 * minutes, 0])
    assert found.share[0].tolist() == pytest.approx([20 / 60, 0, 35 / 60, 5 / 60])
    assert found.n_bouts.tolist() == [[3, 0, 3, 1], [1, 0, 1, 0], [2, 0, 2, 1]]
    assert found.n_complete[0].tolist() == [2, 0, 2, 1]
    assert found.bouts_per_hour[0, N] == pytest.approx(3 / (60 * 4 / 3600))
    assert found.mean_bout_s[0, N] == pytest.approx(140 / 3)
    # 20 s (unseen end), 40 s and 80 s: half of them last longer than 40 s.
    assert found.median_bout_s[0, N] == 40.0
    assert np.isnan(found.median_bout_s[0, U])
    assert found.next_probability[N].tolist() == pytest.approx([0.5, 0, 0, 0.5])
    assert found.epoch_probability[N].tolist() == pytest.approx([1 / 34, 0, 32 / 34, 1 / 34])
    assert np.isnan(found.next_probability[U]).all()
    assert (found.nrem_latency_s, found.rem_latency_s, found.rem_after_nrem_s) == (40, 168, 128)
    sleep_h = 40 * 4 / 3600
    assert found.stage_shift_index[0] == pytest.approx(3 / sleep_h)
    assert found.n_brief_awakenings.tolist() == [1, 0, 1]
    assert found.brief_awakenings_per_hour[0] == pytest.approx(1 / sleep_h)
    assert "2 of 7 bouts" in found.notes[0]


def test_an_onset_can_be_asked_to_last() -> None:
    states = [A] * 5 + [N] + [A] * 5 + [N] * 10
    for onset_s, latency_s in ((0.0, 20.0), (4.0, 20.0), (8.0, 44.0), (400.0, np.nan)):
        rules = Rules(brief_awakening_s=16.0, onset_s=onset_s)
        _, found = compute_bout_statistics(hypnogram(states), nothing(21), None, rules)
        assert found.nrem_latency_s == pytest.approx(latency_s, nan_ok=True)
        assert found.phases == ("whole",)


def test_an_awakening_at_a_hole_is_not_called_brief() -> None:
    for states, n in (([N, A, N], 1), ([N, A, X], 0), ([X, A, N], 0), ([N, A, U, N], 0)):
        _, found = compute_bout_statistics(hypnogram(states), nothing(len(states)), None, RULES)
        assert found.n_brief_awakenings[0] == n
    long = [N] + [A] * 5 + [N]
    assert compute_bout_statistics(hypnogram(long), nothing(7), None, RULES)[
        1
    ].n_brief_awakenings.tolist() == [0]


def test_no_sleep_gives_no_rate() -> None:
    _, found = compute_bout_statistics(hypnogram([A, A]), nothing(2), None, RULES)
    assert np.isnan(found.stage_shift_index[0])
    assert np.isnan(found.brief_awakenings_per_hour[0])
    assert np.isnan(found.nrem_latency_s)
    _, found = compute_bout_statistics(hypnogram([X]), nothing(1), None, RULES)
    assert np.isnan(found.share).all()
    assert np.isnan(found.nrem_latency_s)


def test_hours_add_up() -> None:
    rng = np.random.default_rng(4)
    states = rng.choice([A, U, N, R, X], 3000).tolist()
    covered = nothing(3000)
    covered.ictal[100:160] = 1
    edges_s = np.array([-1800.0, 1800.0, 5400.0, 9000.0, 12600.0])
    found = compute_state_hours(hypnogram(states), covered, edges_s, np.full(4, np.nan))
    kept = np.array(states)
    kept[100:160] = X
    for j, state in enumerate(STATES):
        assert found.minutes[:, j].sum() == pytest.approx(np.sum(kept == state) * 4 / 60)
    assert found.left_out_min.tolist() == pytest.approx([4, 0, 0, 0])
    assert found.share.sum(axis=1) == pytest.approx(np.ones(4))
    first = kept[: 1800 // 4]
    assert found.minutes[0, N] == pytest.approx(np.sum(first == N) * 4 / 60)
