"""From sample numbers to spans."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakeful.io import sample_numbers
from wakeful.io.npy_files import NpyFile, open_npy
from wakeful.io.sample_numbers import (
    FAR,
    JUMPS,
    STEPS_BACK,
    NumberSpan,
    Seconds,
    Stretch,
    find_stretches,
    join_stretches,
    keep_in_order,
    place_in_order,
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


# --- seconds --------------------------------------------------------------------------------------


def _seconds(
    files: ModuleType, tmp_path: Path, values: np.ndarray
) -> tuple[Seconds, list[str], NpyFile]:
    path = tmp_path / "timestamps.npy"
    path.write_bytes(files.flat.npy(values))
    odd: list[str] = []
    file = open_npy(path)
    return Seconds([file], odd), odd, file


def test_rate_and_start_are_fitted_to_the_seconds(files: ModuleType, tmp_path: Path) -> None:
    n = 200_000
    true_hz = RATE * (1 + 40e-6)
    values = 12.5 + np.arange(n) / true_hz + np.random.default_rng(0).normal(0, 2e-5, n)
    seconds, odd, _ = _seconds(files, tmp_path, values)
    span = seconds.place([_span(777, n)], RATE)
    assert span.fitted
    assert span.rate_hz == pytest.approx(true_hz, rel=1e-7)
    assert span.start_s == pytest.approx(12.5, abs=5e-6)
    assert odd == []


def test_the_first_hour_decides(
    files: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_numbers, "FIT_S", 100.0)
    whole = np.arange(300_000) / RATE
    later = np.where(whole > 150, whole * 1.0005, whole)
    results = []
    for values in (later, later[:120_000]):
        seconds, _, _ = _seconds(files, tmp_path, values)
        results.append(seconds.place([_span(0, len(values))], RATE))
    assert results[0].rate_hz == results[1].rate_hz == RATE
    assert results[0].start_s == results[1].start_s


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda t: t * 1.01, "name another rate"),
        (lambda t: t + 0.05 * (t > 100), "wander by"),
    ],
)
def test_seconds_that_make_no_sense(
    files: ModuleType, tmp_path: Path, change: object, what: str
) -> None:
    values = np.arange(200_000) / RATE
    seconds, odd, _ = _seconds(files, tmp_path, change(values))  # type: ignore[operator]
    span = seconds.place([_span(5000, 200_000)], RATE)
    assert (span.fitted, span.rate_hz, span.start_s) == (False, RATE, 5.0)
    assert what in odd[0]


def test_seconds_that_are_not_there(files: ModuleType, tmp_path: Path) -> None:
    for values in (np.full(1000, -1.0), np.full(1000, np.nan), np.arange(3.0)):
        seconds, _, _ = _seconds(files, tmp_path, values)
        assert not seconds.place([_span(5000, 1000)], RATE).fitted
    assert Seconds([None], []).place([_span(5000, 1000)], RATE).start_s == 5.0


def test_a_short_span_takes_the_last_known_rate() -> None:
    good = NumberSpan(0, 100_000, 0.0, 1000.02, fitted=True)
    short = NumberSpan(200_000, 50, 199.9965, 1000.0, fitted=False)
    warnings: list[str] = []
    placed = place_in_order([good, short], warnings)
    assert placed[1].rate_hz == 1000.02
    assert placed[1].start_s == 199.9965
    assert warnings == []


def test_numbers_count_where_seconds_contradict_them() -> None:
    good = NumberSpan(0, 100_000, 0.0, 1000.0, fitted=True)
    odd = NumberSpan(100_500, 100_000, 130.0, 1000.0, fitted=True)
    warnings: list[str] = []
    placed = place_in_order([good, odd], warnings)
    assert placed[1].start_s == 100.5
    assert "disagree by up to 29.5 s" in warnings[0]
