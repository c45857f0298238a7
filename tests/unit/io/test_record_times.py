"""Spans from time stamps, whatever the format."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from wakeful.io import record_times
from wakeful.io.record_times import Clock, LineFit, SpanFinder, Stamps, TimeTable
from wakeful.model.errors import BadRecording

PER = 512
CLOCK = Clock(ticks_per_s=1e6, rate_hz=2000, period_ticks=500, tolerance_ticks=377)
REASONS = ("empty", "damaged")


def _stamps(n_records: int, true_rate_hz: float = 2000.0) -> Stamps:
    ticks = 10**15 + np.round(np.arange(n_records) * PER / true_rate_hz * 1e6).astype(np.int64)
    return Stamps(ticks, np.full(n_records, PER), np.zeros(n_records, np.uint8))


def _find(stamps: Stamps, cuts: list[int] | None = None) -> TimeTable:
    finder = SpanFinder(PER, CLOCK, REASONS, "x")
    edges = [0, *(cuts or []), len(stamps.ticks)]
    for a, b in pairwise(edges):
        finder.add(Stamps(stamps.ticks[a:b], stamps.n_valid[a:b], stamps.fault[a:b]))
    return finder.finish()


def test_pieces_do_not_change_what_is_found() -> None:
    stamps = _stamps(80, 2000.03)
    stamps.ticks[30:] += 4_000_000
    stamps.ticks[60:] -= 700_000
    stamps.n_valid[[9, 29, 50]] = [100, 17, 400]
    stamps.ticks[10:] -= 412 * 500
    stamps.fault[[20, 21, 22, 70]] = [2, 2, 1, 2]
    whole = _find(stamps)
    assert len(whole.spans) == 6
    assert len(whole.set_apart) == 4
    rng = np.random.default_rng(5)
    for cuts in [list(range(1, 80)), *(sorted(rng.choice(80, 7).tolist()) for _ in range(20))]:
        table = _find(stamps, cuts)
        assert table.runs == whole.runs
        assert table.set_apart == whole.set_apart
        assert table.base_tick == whole.base_tick
        for a, b in zip(table.spans, whole.spans, strict=True):
            assert a.n_samples == b.n_samples
            assert a.start_ticks == pytest.approx(b.start_ticks, abs=1e-3)
            assert a.rate_hz == pytest.approx(b.rate_hz, rel=1e-9)


def test_the_rate_is_fitted_over_a_week_of_large_time_stamps() -> None:
    """Three weeks of stamps in microseconds since 1970: nothing is lost to rounding."""
    n_records = 3 * 7 * 24 * 3600 // 4
    true_hz = 2000 * (1 + 12.5e-6)
    ticks = 1_700_000_000_000_000 + np.round(
        np.arange(n_records) * (PER * 16) / true_hz * 1e6
    ).astype(np.int64)
    clock = Clock(ticks_per_s=1e6, rate_hz=2000, period_ticks=500, tolerance_ticks=377)
    finder = SpanFinder(PER * 16, clock, REASONS, "x")
    for a in range(0, n_records, 5000):
        piece = ticks[a : a + 5000]
        finder.add(Stamps(piece, np.full(len(piece), PER * 16), np.zeros(len(piece), np.uint8)))
    (span,) = finder.finish().spans
    assert span.rate_hz == pytest.approx(true_hz, rel=1e-10)
    assert span.start_ticks == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(("n_records", "fitted"), [(1, False), (2, False), (30, True)])
def test_the_nominal_rate_stands_where_a_fit_is_worse_than_20_ppm(
    n_records: int, fitted: bool
) -> None:
    """At 100 kHz, records last 5 ms: two of them can't be told better than 280 ppm."""
    true_hz = 100_000 * (1 + 100e-6)
    clock = Clock(ticks_per_s=1e6, rate_hz=100_000, period_ticks=10, tolerance_ticks=9.5)
    finder = SpanFinder(PER, clock, REASONS, "x")
    ticks = np.round(np.arange(n_records) * PER / true_hz * 1e6).astype(np.int64)
    finder.add(Stamps(ticks, np.full(n_records, PER), np.zeros(n_records, np.uint8)))
    (span,) = finder.finish().spans
    if fitted:
        assert span.rate_hz == pytest.approx(true_hz, rel=20e-6)
        assert span.rate_hz != 100_000
    else:
        assert span.rate_hz == 100_000


def test_spans_never_overlap_even_by_a_rounding_error() -> None:
    rng = np.random.default_rng(2)
    stamps = _stamps(300)
    stamps.ticks[150:] += 600
    stamps.ticks[:] += rng.integers(-150, 151, 300)
    spans = _find(stamps).spans
    assert len(spans) > 1
    for a, b in pairwise(spans):
        assert b.start_ticks >= a.start_ticks + a.n_samples / a.rate_hz * 1e6 - 1e-3


def test_nothing_sound_means_no_span() -> None:
    stamps = _stamps(5)
    stamps.fault[:] = 2
    table = _find(stamps)
    assert table.spans == ()
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


def test_merged_fits_equal_one_fit() -> None:
    rng = np.random.default_rng(0)
    x = np.arange(1000.0)
    d = 3.0 + 0.01 * x + rng.normal(0, 0.5, 1000)
    whole = LineFit()
    whole.add(x, d)
    parts = LineFit()
    for a, b in ((0, 1), (1, 400), (400, 1000)):
        part = LineFit()
        part.add(x[a:b] - x[a], d[a:b] - 5.0)
        parts.merge(part, x[a], 5.0)
    slope, intercept = np.polyfit(x, d, 1)
    for fit in (whole, parts):
        assert fit.slope == pytest.approx(slope, rel=1e-9)
        assert fit.mean_d - fit.slope * fit.mean_x == pytest.approx(intercept, rel=1e-9)
        residual = d - intercept - slope * x
        assert fit.rms == pytest.approx(np.sqrt(np.mean(residual**2)), rel=1e-9)
        assert fit.slope_error(0.0) == pytest.approx(
            fit.rms / np.sqrt(np.sum((x - x.mean()) ** 2)), rel=1e-9
        )
