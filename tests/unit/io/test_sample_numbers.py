"""From sample numbers to spans."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakeful.io import sample_numbers
from wakeful.io.sample_numbers import (
    FAR,
    JUMPS,
    STEPS_BACK,
    Stretch,
    find_stretches,
    join_stretches,
    keep_in_order,
)
from wakeful.model.errors import BadRecording

RATE = 1000.0


def _find(numbers: np.ndarray, cut: int = 10**9) -> list[Stretch]:
    pieces = [numbers[i : i + cut] for i in range(0, len(numbers), cut)]
    return find_stretches(pieces, "n")


def _span(a: int, n: int, frame: int = 0) -> Stretch:
    return Stretch(0, frame, n, a)


def test_gaps_wherever_the_pieces_are_cut() -> None:
    numbers = np.concatenate([np.arange(5, 105), np.arange(110, 120), np.arange(50, 60)])
    expected = [_span(5, 100), _span(110, 10, 100), _span(50, 10, 110)]
    for cut in (1, 7, 100, 110, 1000):
        assert _find(numbers, cut) == expected
    assert _find(np.empty(0, np.int64)) == []


@given(
    st.lists(st.tuples(st.integers(-100, 100), st.integers(1, 30)), min_size=1, max_size=8),
    st.integers(1, 40),
)
def test_stretches_rebuild_the_numbers(parts: list[tuple[int, int]], cut: int) -> None:
    numbers = np.concatenate([np.arange(a, a + n) for a, n in parts])
    found = _find(numbers, cut)
    rebuilt = np.concatenate([np.arange(s.number, s.end) for s in found])
    np.testing.assert_array_equal(rebuilt, numbers)
    assert all(a.end != b.number for a, b in pairwise(found))


def test_numbers_that_never_follow_are_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_numbers, "MAX_RUNS", 50)
    with pytest.raises(BadRecording, match="break off more than 50 times"):
        _find(np.arange(0, 300, 2))


def test_numbers_that_run_ahead_and_come_back_are_damage() -> None:
    kept, apart = keep_in_order([_span(0, 5000), _span(900_000, 3), _span(5003, 4000)], RATE)
    assert [s.number for s in kept] == [0, 5003]
    assert [(a.stretch.number, a.reason) for a in apart] == [(900_000, JUMPS)]


def test_what_steps_back_behind_a_long_stretch_is_not_used() -> None:
    kept, apart = keep_in_order([_span(0, 5000), _span(4000, 3000, 5000)], RATE)
    assert kept == [_span(0, 5000), _span(5000, 2000, 6000)]
    assert [(a.stretch, a.reason) for a in apart] == [(_span(4000, 1000, 5000), STEPS_BACK)]
    kept, apart = keep_in_order([_span(4000, 3000), _span(0, 3000, 3000)], RATE)
    assert kept == [_span(4000, 3000)]
    assert apart[0].reason == STEPS_BACK


def test_a_garbled_number_far_away() -> None:
    kept, apart = keep_in_order([_span(0, 5000), _span(10**14, 5000, 5000)], RATE)
    assert len(kept) == 1
    assert apart[0].reason == FAR


@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 3000)), min_size=1, max_size=8))
def test_what_is_kept_never_overlaps_and_nothing_is_lost(parts: list[tuple[int, int]]) -> None:
    given_ = [_span(a, n, i * 10_000) for i, (a, n) in enumerate(parts)]
    kept, apart = keep_in_order(given_, RATE)
    assert all(a.end <= b.number for a, b in pairwise(kept))
    total = sum(s.n_samples for s in kept) + sum(a.stretch.n_samples for a in apart)
    assert total == sum(n for _, n in parts)
    # What comes later never changes what is older than a second.
    before, _ = keep_in_order(given_[:-1], RATE)
    old = [s for s in before if s.n_samples >= RATE]
    assert [s for s in kept if s in old] == old


def test_files_that_continue_each_other_are_one_span() -> None:
    a, b, c = _span(0, 100), Stretch(1, 0, 50, 100), Stretch(1, 50, 10, 151)
    assert list(join_stretches([a, b, c])) == [(a, b), (c,)]
