"""Lines fitted to the beginning of spans, and where the clock leaves them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from wakeful.io.frozen_rates import CHECK_S, MOVED_S, RATE_S, Line, LineFitter, Part
from wakeful.io.record_times import Clock, SpanFinder, Stamps

PER, RATE_HZ = 512, 2000
RECORD_S = PER / RATE_HZ
CLOCK = Clock(ticks_per_s=1e6, rate_hz=RATE_HZ, period_ticks=500, tolerance_ticks=377)
DAY = round(86_400 / RECORD_S)


def _true_ticks(n_records: int, ppm: float, drift_ppm: float = 0.0) -> np.ndarray:
    """When records begin on the clock of the stamps, in ticks; the rate changes evenly."""
    x = np.arange(n_records) * RECORD_S
    return 1e15 + 1e6 * (x * (1 - ppm * 1e-6)) + 0.5 * drift_ppm * x**2 / (n_records * RECORD_S)


def _fit(true_ticks: np.ndarray, jitter: int = 1) -> tuple[list[Line], float]:
    rng = np.random.default_rng(4)
    ticks = np.round(true_ticks).astype(np.int64) + rng.integers(
        -jitter, jitter + 1, len(true_ticks)
    )
    finder = SpanFinder(PER, CLOCK, (), "x")
    finder.add(Stamps(ticks, np.full(len(ticks), PER), np.zeros(len(ticks), np.uint8)))
    table = finder.finish(lambda file, records: ticks[records])
    (segment,) = table.segments
    part = Part(table, lambda file, records: ticks[records], segment, 0, segment.n_samples)
    return LineFitter(PER, CLOCK).fit(part)


def _errors_s(lines: list[Line], true_ticks: np.ndarray) -> np.ndarray:
    """By how much each record's time on its line is beside the truth."""
    errors = []
    for line in lines:
        first = -(-line.first_sample // PER)
        records = np.arange(first, (line.first_sample + line.n_samples) // PER)
        offset = records * PER - line.first_sample
        on_line = line.start_ticks + offset * line.period_ticks
        errors.append((on_line - (true_ticks[records] - line.anchor_tick)) / 1e6)
    return np.concatenate(errors)


@pytest.mark.parametrize("ppm", [-200.0, 0.0, 37.5, 200.0])
def test_a_clock_that_is_evenly_off_for_a_day_makes_no_new_span(ppm: float) -> None:
    true = _true_ticks(DAY, ppm)
    (line,), _ = _fit(true)
    # Half a microsecond of rounding and one of jitter leave 0.001 ppm: 0.1 ms in a day.
    assert np.abs(_errors_s([line], true)).max() < 0.2e-3


@pytest.mark.parametrize("drift_ppm", [0.1, -0.1, 1.0, -3.0])
def test_a_clock_that_drifts_makes_new_spans_and_small_errors(drift_ppm: float) -> None:
    true = _true_ticks(DAY, 20.0, drift_ppm)
    lines, _ = _fit(true)
    per_cut = MOVED_S - 0.1e-3
    assert 1 <= len(lines) - 1 <= np.ceil(0.5 * abs(drift_ppm) * 1e-6 * 86_400 / per_cut)
    assert np.abs(_errors_s(lines, true)).max() < MOVED_S + abs(drift_ppm) * 1e-6 * CHECK_S + 2e-4
    for a, b in pairwise(lines):
        assert np.sign(b.moved_ticks) == np.sign(drift_ppm)
        assert b.start_ticks >= a.stop_from(b.anchor_tick)
    left_out = sum(line.n_left_out for line in lines)
    assert (left_out > 0) == (drift_ppm < 0), "only a clock that runs behind doubles time"
    assert sum(line.n_samples for line in lines) + left_out == DAY * PER


def test_a_step_of_the_clock_within_the_tolerance_of_a_record_is_found_when_it_adds_up() -> None:
    """A third of a sample at each of twenty records: no gap anywhere, and 3.3 ms in the end."""
    true = _true_ticks(20_000, 0.0)
    true[10_000:10_020] += 165 * np.arange(1, 21)
    true[10_020:] += 165 * 20
    lines, _ = _fit(true)
    assert len(lines) == 2
    cut_s = lines[1].first_sample / RATE_HZ
    assert 10_000 * RECORD_S - CHECK_S / 2 <= cut_s <= 10_000 * RECORD_S + CHECK_S
    assert lines[1].moved_ticks == pytest.approx(3300, abs=5)


def test_single_late_stamps_do_not_begin_a_new_span() -> None:
    true = _true_ticks(20_000, 0.0)
    true[5000::29] += 300
    assert len(_fit(true, jitter=0)[0]) == 1


def test_what_is_written_later_changes_no_line() -> None:
    true = _true_ticks(30_000, 20.0, 30.0)
    whole, _ = _fit(true)
    assert len(whole) > 4
    for n_records in (3000, 7000, 12_000, 29_000):
        part, settled = _fit(true[:n_records])
        anchor = part[0].anchor_tick
        settled_s = (settled - anchor) / 1e6
        assert n_records * RECORD_S - RATE_S - CHECK_S <= settled_s <= n_records * RECORD_S
        for a, b in zip(part, whole, strict=False):
            if a.anchor_tick - anchor + RATE_S * 1e6 > settled - anchor:
                continue
            assert (a.anchor_tick, a.start_ticks, a.period_ticks) == (
                b.anchor_tick,
                b.start_ticks,
                b.period_ticks,
            )
            assert a.first_sample == b.first_sample


def test_a_span_that_is_short_is_not_settled() -> None:
    _, settled = _fit(_true_ticks(round(RATE_S / RECORD_S) - 1, 20.0))
    assert settled == -np.inf
