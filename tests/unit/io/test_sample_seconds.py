"""Rates and starts from time stamps in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io.npy_files import NpyFile, open_npy
from wakeful.io.sample_numbers import Stretch
from wakeful.io.sample_seconds import place_stretches

RATE = 1000.0


@pytest.fixture
def stamps(files: ModuleType, tmp_path: Path) -> Callable[[np.ndarray], NpyFile]:
    def write(values: np.ndarray) -> NpyFile:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.npy"
        path.write_bytes(files.flat.npy(values.astype(float)))
        return open_npy(path)

    return write


Write = Callable[[np.ndarray], NpyFile]


def test_rate_and_start_are_fitted_to_the_seconds(stamps: Write) -> None:
    n = 700_000
    true_hz = RATE * (1 + 40e-6)
    values = 12.5 + np.arange(n) / true_hz + np.random.default_rng(0).normal(0, 2e-5, n)
    placed = place_stretches([Stretch(0, 0, n, 777)], [stamps(values)], RATE)
    (span,) = placed.spans
    assert span.fitted
    assert (span.number, span.n_samples) == (777, n)
    assert span.rate_hz == pytest.approx(true_hz, rel=3e-8)
    assert span.start_s == pytest.approx(12.5, abs=1e-5)
    assert placed.warnings == ()
    assert 600 < placed.settled_s - 12.5 <= 700


def test_time_stamps_made_from_numbers_name_the_nominal_rate(stamps: Write) -> None:
    numbers = np.arange(5, 100_005)
    (span,) = place_stretches([Stretch(0, 0, 100_000, 5)], [stamps(numbers / RATE)], RATE).spans
    assert span.rate_hz == RATE
    assert span.start_s == pytest.approx(0.005, abs=1e-9)


def test_what_is_written_later_changes_nothing(stamps: Write) -> None:
    values = np.arange(800_000) / (RATE * (1 + 1e-5))
    whole = place_stretches([Stretch(0, 0, 800_000, 0)], [stamps(values)], RATE)
    part = place_stretches([Stretch(0, 0, 700_000, 0)], [stamps(values[:700_000])], RATE)
    assert part.spans[0].rate_hz == whole.spans[0].rate_hz
    assert part.spans[0].start_s == whole.spans[0].start_s
    assert part.settled_s > 600
    early = place_stretches([Stretch(0, 0, 9000, 0)], [stamps(values[:9000])], RATE)
    assert early.settled_s == -np.inf


def test_a_clock_that_moves_begins_a_new_span(stamps: Write) -> None:
    values = np.arange(900_000) / RATE
    values[720_000:] += 0.005
    placed = place_stretches([Stretch(0, 0, 900_000, 0)], [stamps(values)], RATE)
    first, second = placed.spans
    assert first.end == second.number
    assert second.number == pytest.approx(720_000, abs=61_000)
    assert second.start_s + (800_000 - second.number) / second.rate_hz == pytest.approx(
        values[800_000], abs=1e-6
    )
    assert "a new span begins there: 1 times" in placed.warnings[0]


def test_a_clock_that_moves_back_leaves_out_what_would_overlap(stamps: Write) -> None:
    values = np.arange(900_000) / RATE
    values[720_000:] -= 0.005
    placed = place_stretches([Stretch(0, 0, 900_000, 0)], [stamps(values)], RATE)
    first, second = placed.spans
    assert second.number - first.end == 5
    assert second.start_s >= first.stop_s - 1e-9
    assert second.end == 900_000


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda t: t * 1.01, "name another rate"),
        (lambda t: t + 0.05 * (t > 100), "scatter by"),
    ],
)
def test_seconds_that_make_no_sense(
    stamps: Write, change: Callable[[np.ndarray], np.ndarray], what: str
) -> None:
    values = change(np.arange(200_000) / RATE)
    placed = place_stretches([Stretch(0, 0, 200_000, 5000)], [stamps(values)], RATE)
    (span,) = placed.spans
    assert (span.fitted, span.rate_hz, span.start_s) == (False, RATE, 5.0)
    assert what in placed.warnings[0]


def test_seconds_that_lose_their_sense_later(stamps: Write) -> None:
    values = np.arange(900_000) / RATE
    values[700_000:] = np.random.default_rng(0).uniform(0, 1e6, 200_000)
    placed = place_stretches([Stretch(0, 0, 900_000, 0)], [stamps(values)], RATE)
    (span,) = placed.spans
    assert (span.n_samples, span.rate_hz) == (900_000, RATE)
    assert "lose their sense" in " ".join(placed.warnings)


def test_seconds_that_are_not_there(stamps: Write) -> None:
    for values in (np.full(1000, -1.0), np.full(1000, np.nan), np.arange(3.0)):
        placed = place_stretches([Stretch(0, 0, 1000, 5000)], [stamps(values)], RATE)
        assert not placed.spans[0].fitted
    placed = place_stretches([Stretch(0, 0, 1000, 5000)], [None], RATE)
    assert placed.spans[0].start_s == 5.0
    assert placed.settled_s == 6.0


def test_a_short_span_takes_the_last_known_rate(stamps: Write) -> None:
    true_hz = RATE * (1 + 20e-6)
    numbers = np.concatenate([np.arange(300_000), np.arange(500_000, 500_050)])
    noise = np.random.default_rng(0).normal(0, 1e-5, len(numbers))
    kept = [Stretch(0, 0, 300_000, 0), Stretch(0, 300_000, 50, 500_000)]
    placed = place_stretches(kept, [stamps(1.0 + numbers / true_hz + noise)], RATE)
    long, short = placed.spans
    assert short.rate_hz == long.rate_hz == pytest.approx(true_hz, rel=1e-7)
    assert short.start_s == pytest.approx(1.0 + 500_000 / true_hz, abs=1e-5)
    assert placed.warnings == ()


def test_numbers_count_where_seconds_contradict_them(stamps: Write) -> None:
    values = np.concatenate([np.arange(100_000) / RATE, 130.0 + np.arange(100_000) / RATE])
    kept = [Stretch(0, 0, 100_000, 0), Stretch(0, 100_000, 100_000, 100_500)]
    placed = place_stretches(kept, [stamps(values)], RATE)
    assert placed.spans[1].start_s == pytest.approx(100.5, abs=1e-6)
    assert "disagree by up to 29.5 s" in placed.warnings[0]


def test_files_that_continue_each_other_are_fitted_together(stamps: Write) -> None:
    true_hz = RATE * (1 - 30e-6)
    values = np.arange(200_000) / true_hz
    kept = [Stretch(0, 0, 50_000, 0), Stretch(1, 0, 150_000, 50_000)]
    arrays = [stamps(values[:50_000]), stamps(values[50_000:])]
    (span,) = place_stretches(kept, arrays, RATE).spans
    assert span.n_samples == 200_000
    assert span.rate_hz == pytest.approx(true_hz, rel=1e-9)
