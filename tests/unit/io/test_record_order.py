"""Which records are kept where time stamps contradict each other: decided once."""

from __future__ import annotations

import numpy as np
import pytest

from wakeful.io.record_order import SETTLE_S, put_in_order
from wakeful.io.stretches import Clock, Fault, Findings, Stretch

PER, RATE_HZ = 512, 512  # a record a second
CLOCK = Clock(ticks_per_s=1e6, rate_hz=RATE_HZ, period_ticks=1e6 / RATE_HZ, tolerance_ticks=1500)
DAY = 86_400


def _stretches(*times: tuple[float, int]) -> Findings:
    """Stretches of (start in seconds, length in records)."""
    found, record = [], 0
    for start_s, n in times:
        tick = round(start_s * 1e6)
        last = tick + (n - 1) * 1_000_000
        found.append(Stretch(record, n, n * PER, tick, last, PER))
        record += n
    return Findings(tuple(found), (), record, True)


def _kept(*times: tuple[float, int]) -> list[tuple[float, int]]:
    table = put_in_order([_stretches(*times)], PER, CLOCK, ())
    return [(s.first_tick / 1e6, s.n_records) for s in table.stretches]


def test_the_longer_side_of_a_contradiction_is_kept_until_it_is_firm() -> None:
    assert _kept((5000, 100), (0, 200)) == [(0, 200)]
    assert _kept((5000, 100), (0, 99)) == [(5000, 100)]
    n_firm = round(SETTLE_S)
    assert _kept((5000, n_firm), (0, 3000)) == [(5000, n_firm)]


def test_time_that_was_stamped_ahead_for_a_short_while_is_left_out() -> None:
    assert _kept((0, 900), (5000, 20), (920, 900)) == [(0, 900), (920, 900)]


def test_time_that_was_stamped_ahead_for_long_stays_and_what_follows_waits_for_it() -> None:
    n = round(SETTLE_S)
    kept = _kept((0, 900), (5000, n), (900 + n, 8000))
    assert kept == [(0, 900), (5000, n), (5000 + n, 900 + n + 8000 - 5000 - n)]


@pytest.mark.parametrize("far_first", [True, False])
def test_a_clock_weeks_away_is_decided_by_who_is_firm_first(far_first: bool) -> None:
    far = 40 * DAY
    assert _kept((0, 10), (far, 900)) == [(far, 900)]
    assert _kept((0, 900), (far, 2000), (900, 5)) == [(0, 900), (900, 5)]
    assert _kept((0, 10), (far, 9)) == [(0, 10)], "none is firm: the longer one"


def test_claims_of_settled_time_reach_back_only_so_far() -> None:
    table = put_in_order([_stretches((0, 5000), (100, 3000))], PER, CLOCK, ())
    (apart,) = table.set_apart
    assert apart.n_records == 3000
    assert apart.start_ticks / 1e6 == pytest.approx(5000 - SETTLE_S, abs=0.01)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_settled_does_not_change(seed: int) -> None:
    rng = np.random.default_rng(seed)
    times, now = [], 0.0
    for _ in range(int(rng.integers(2, 12))):
        n = int(rng.choice([1, 20, 300, 700, 2000]))
        times.append((now, n))
        now += n + float(rng.choice([0.5, 30.0, 5000.0, -400.0, -n - 1000.0, 40.0 * DAY]))
        now = max(now, 0.0)
    whole = put_in_order([_stretches(*times)], PER, CLOCK, ())
    for i, (start, n) in enumerate(times):
        for part in {1, n // 2 or 1, n}:
            table = put_in_order([_stretches(*times[:i], (start, part))], PER, CLOCK, ())
            settled = table.settled_tick
            if settled == -np.inf:
                continue
            assert table.base_tick == whole.base_tick
            assert _before(table, settled) == _before(whole, settled)


def _before(table, settled: float) -> tuple[list, list]:
    segments = [
        (s.first_tick, min(s.end_tick, settled)) for s in table.segments if s.first_tick < settled
    ]
    limit = settled - table.base_tick
    apart = sorted(
        (round(a.start_ticks), round(min(a.stop_ticks, limit)), a.reason)
        for a in table.set_apart
        if a.start_ticks < limit - 1
    )
    return segments, apart


def test_many_contradictions_take_no_time() -> None:
    """Quadratic work would take hours here."""
    rng = np.random.default_rng(0)
    n = 20_000
    ticks = rng.integers(0, 10**12, n)
    ticks[::2] = 10**12 + np.arange(n // 2) * 10_000_000
    found = tuple(Stretch(i, 1, 1, int(t), int(t), 1) for i, t in enumerate(ticks))
    faults = tuple(Fault(i, 1, 1) for i in range(0, n, 50))
    table = put_in_order([Findings(found, faults, n, True)], PER, CLOCK, ("bad",))
    assert len(table.stretches) + len(table.set_apart) >= n
