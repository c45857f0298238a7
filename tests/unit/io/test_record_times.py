"""Spans from time stamps, whatever the format."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from wakeful.io import record_times
from wakeful.io.frozen_rates import Line, LineFitter, Part, fit_line
from wakeful.io.record_times import Clock, ReadTicks, SpanFinder, Stamps, TimeTable
from wakeful.model.errors import BadRecording

PER = 512
CLOCK = Clock(ticks_per_s=1e6, rate_hz=2000, period_ticks=500, tolerance_ticks=377)
REASONS = ("empty", "damaged")


def _stamps(n_records: int, true_rate_hz: float = 2000.0) -> Stamps:
    ticks = 10**15 + np.round(np.arange(n_records) * PER / true_rate_hz * 1e6).astype(np.int64)
    return Stamps(ticks, np.full(n_records, PER), np.zeros(n_records, np.uint8))


def _find(stamps: Stamps, cuts: list[int] | None = None, clock: Clock = CLOCK) -> TimeTable:
    finder = SpanFinder(PER, clock, REASONS, "x")
    edges = [0, *(cuts or []), len(stamps.ticks)]
    for a, b in pairwise(edges):
        finder.add(Stamps(stamps.ticks[a:b], stamps.n_valid[a:b], stamps.fault[a:b]))
    return finder.finish(_reader(stamps))


def _reader(stamps: Stamps) -> ReadTicks:
    def read_ticks(file: int, records: np.ndarray) -> np.ndarray:
        return stamps.ticks[records]

    return read_ticks


def _fit(stamps: Stamps, clock: Clock = CLOCK) -> tuple[list[Line], LineFitter]:
    table = _find(stamps, clock=clock)
    fitter = LineFitter(PER, clock)
    lines = []
    for segment in table.segments:
        part = Part(table, _reader(stamps), segment, segment.first_sample, segment.n_samples)
        lines += fitter.fit(part)[0]
    return lines, fitter


def test_pieces_do_not_change_what_is_found() -> None:
    stamps = _stamps(80, 2000.03)
    stamps.ticks[30:] += 4_000_000
    stamps.ticks[60:] -= 700_000
    stamps.n_valid[[9, 29, 50]] = [100, 17, 400]
    stamps.ticks[10:] -= 412 * 500
    stamps.fault[[20, 21, 22, 70]] = [2, 2, 1, 2]
    whole = _find(stamps)
    assert len(whole.segments) == 6
    assert len(whole.set_apart) == 4
    rng = np.random.default_rng(5)
    for cuts in [list(range(1, 80)), *(sorted(rng.choice(80, 7).tolist()) for _ in range(20))]:
        assert _find(stamps, cuts) == whole


def test_one_can_go_on_from_what_was_found() -> None:
    stamps = _stamps(80)
    stamps.ticks[30:] += 4_000_000
    stamps.fault[[20, 39, 40]] = [2, 2, 2]
    whole = _find(stamps)
    for cut in (1, 20, 21, 30, 31, 40, 41, 79):
        first = SpanFinder(PER, CLOCK, REASONS, "x")
        first.add(Stamps(stamps.ticks[:cut], stamps.n_valid[:cut], stamps.fault[:cut]))
        then = SpanFinder(PER, CLOCK, REASONS, "x", so_far=first.findings())
        then.add(Stamps(stamps.ticks[cut:], stamps.n_valid[cut:], stamps.fault[cut:]))
        assert then.finish(_reader(stamps)) == whole


def test_large_time_stamps_lose_nothing_to_rounding() -> None:
    """Three weeks of stamps in microseconds since 1970."""
    n_records = 3 * 7 * 24 * 3600 * 4 // 64
    true_hz = 2000 * (1 + 12.5e-6)
    long = PER * 16
    ticks = 1_700_000_000_000_000 + np.round(np.arange(n_records) * long / true_hz * 1e6)
    stamps = Stamps(ticks.astype(np.int64), np.full(n_records, long), np.zeros(n_records, np.uint8))
    finder = SpanFinder(long, CLOCK, REASONS, "x")
    finder.add(stamps)
    table = finder.finish(_reader(stamps))
    (segment,) = table.segments
    part = Part(table, _reader(stamps), segment, 0, segment.n_samples)
    (line,), _ = LineFitter(long, CLOCK).fit(part)
    assert 1e6 / line.period_ticks == pytest.approx(true_hz, rel=2e-9)
    assert line.start_ticks == pytest.approx(0, abs=0.1)
    assert line.n_samples == n_records * long


@pytest.mark.parametrize(("n_records", "fitted"), [(1, False), (2, False), (30, True)])
def test_the_nominal_rate_stands_where_a_fit_is_worse_than_20_ppm(
    n_records: int, fitted: bool
) -> None:
    """At 100 kHz, records last 5 ms: two of them can't be told better than 280 ppm."""
    true_hz = 100_000 * (1 + 100e-6)
    clock = Clock(ticks_per_s=1e6, rate_hz=100_000, period_ticks=10, tolerance_ticks=9.5)
    ticks = np.round(np.arange(n_records) * PER / true_hz * 1e6).astype(np.int64)
    stamps = Stamps(ticks, np.full(n_records, PER), np.zeros(n_records, np.uint8))
    (line,), _ = _fit(stamps, clock)
    rate_hz = 1e6 / line.period_ticks
    if fitted:
        assert rate_hz == pytest.approx(true_hz, rel=20e-6)
        assert rate_hz != 100_000
    else:
        assert rate_hz == 100_000


def test_spans_never_overlap_even_by_a_rounding_error() -> None:
    rng = np.random.default_rng(2)
    stamps = _stamps(300)
    stamps.ticks[150:] += 600
    stamps.ticks[:] += rng.integers(-150, 151, 300)
    lines, _ = _fit(stamps)
    assert len(lines) > 1
    for a, b in pairwise(lines):
        assert b.start_ticks >= a.stop_from(b.anchor_tick) - 1e-3
        assert b.start_ticks - a.stop_from(b.anchor_tick) < 3000
    assert sum(line.n_samples + line.n_left_out for line in lines) == 300 * PER


def test_nothing_sound_means_no_span() -> None:
    stamps = _stamps(5)
    stamps.fault[:] = 2
    table = _find(stamps)
    assert table.segments == ()
    assert [(apart.n_records, apart.reason) for apart in table.set_apart] == [(5, "damaged")]
    assert table.n_empty_last == 0


def test_empty_records_at_the_end_are_counted() -> None:
    stamps = _stamps(9)
    stamps.fault[[2, 6, 7, 8]] = 1
    assert _find(stamps).n_empty_last == 3


def test_memory_is_bounded_by_a_limit_on_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_times, "MAX_RUNS", 10)
    stamps = _stamps(40)
    stamps.ticks[:] *= np.arange(1, 41)
    with pytest.raises(BadRecording, match="break off more than 10 times"):
        _find(stamps)


def test_the_fit_is_that_of_least_squares() -> None:
    rng = np.random.default_rng(0)
    x = np.arange(1000) * 512
    ticks = np.round(3.0 + 500.01 * x + rng.normal(0, 5, 1000)).astype(np.int64)
    mean_x, mean_d, slope, error, rms = fit_line(x.tolist(), ticks.tolist(), CLOCK)
    steep, intercept = np.polyfit(x, ticks - 500.0 * x, 1)
    residual = ticks - 500.0 * x - intercept - steep * x
    assert slope == pytest.approx(steep, rel=1e-9)
    assert mean_d - slope * mean_x == pytest.approx(intercept, rel=1e-7)
    assert rms == pytest.approx(np.sqrt(np.mean(residual**2)), rel=1e-6)
    assert error == pytest.approx(rms / np.sqrt(np.sum((x - x.mean()) ** 2)), rel=1e-9)
    assert fit_line([0], [7], CLOCK)[2:] == (0.0, np.inf, 0.0)
