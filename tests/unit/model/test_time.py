"""Intervals, spans, days and their accounting."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakeful.model.subject import LightSchedule, Session, Subject
from wakeful.model.time import Interval, Quarantine, Span, account_for, cut_spans


def make_session(start: datetime | None, duration_s: float, zone: str = "UTC") -> Session:
    return Session(
        name="s",
        subject=Subject(identifier="M1"),
        start_utc=start,
        duration_s=duration_s,
        time_zone=zone,
    )


def test_interval_intersection_is_empty_where_nothing_is_shared():
    assert Interval(0, 1).intersect(Interval(2, 3)).duration_s == 0
    assert Interval(0, 5).intersect(Interval(2, 3)) == Interval(2, 3)


@given(
    st.floats(0, 1e6),
    st.integers(1, 10_000),
    st.sampled_from([250.0, 999.99, 1000.0, 31_999.7]),
    st.lists(st.floats(-10, 50), min_size=1, max_size=6),
)
def test_cuts_of_a_span_take_every_sample_once(start_s, n_samples, rate_hz, cuts):
    span = Span(start_s, n_samples, rate_hz, 17)
    edges = [start_s - 100, *sorted(start_s + c for c in cuts), start_s + 1e6]
    parts = [
        part for a, b in itertools.pairwise(edges) if (part := span.cut(Interval(a, b))) is not None
    ]
    assert parts[0].first_sample == 17
    assert parts[-1].stop_sample == span.stop_sample
    for a, b in itertools.pairwise(parts):
        assert a.stop_sample == b.first_sample
        assert b.start_s == pytest.approx(a.stop_s, abs=1e-6)


def test_a_sample_at_the_edge_belongs_to_the_later_part():
    span = Span(0.0, 100, 10.0, 0)
    first, second = span.cut(Interval(0, 5)), span.cut(Interval(5, 10))
    assert first is not None
    assert first.n_samples == 50
    assert second is not None
    assert second.start_s == 5.0


def test_cut_spans_leaves_out_what_is_elsewhere():
    spans = (Span(0, 10, 1.0, 0), Span(20, 10, 1.0, 10))
    assert cut_spans(spans, Interval(22, 25)) == (Span(22, 3, 1.0, 12),)


@pytest.mark.parametrize(
    ("start", "zone", "hours"),
    [
        (datetime(2026, 3, 28, 12, tzinfo=UTC), "Europe/Berlin", [24, 23, 24]),
        (datetime(2026, 10, 24, 12, tzinfo=UTC), "Europe/Berlin", [24, 25, 24]),
        (datetime(2026, 4, 4, 0, tzinfo=UTC), "Australia/Lord_Howe", [24, 24.5, 24]),
        (datetime(2026, 10, 3, 0, tzinfo=UTC), "Australia/Lord_Howe", [24, 23.5, 24]),
    ],
)
def test_days_have_their_real_length_when_the_clocks_change(start, zone, hours):
    days = make_session(start, 2 * 86_400, zone).days()
    assert [day.length_s / 3600 for day in days] == hours
    for a, b in itertools.pairwise(days):
        assert a.interval.stop_s == b.interval.start_s
    assert days[0].interval.start_s <= 0 < days[0].interval.stop_s


def test_days_of_an_unknown_start_are_24_hours_from_the_first_sample():
    days = make_session(None, 30 * 3600).days()
    assert [d.interval for d in days] == [Interval(0, 86_400), Interval(86_400, 172_800)]


def test_accounting_adds_up_and_knows_gaps_and_quarantine():
    spans = (Span(0, 100, 1.0, 0), Span(150, 50, 1.0, 100))
    account = account_for(
        Interval(-50, 250), Interval(0, 200), spans, (Quarantine(Interval(90, 160), "x"),)
    )
    assert account.gap_s == 0  # what is kept apart is no gap, even where nothing was used
    assert account.quarantined_s == 70
    assert account.recorded_s == 130
    assert account.outside_s == 100
    assert account.length_s == 300


def test_blocks_end_with_the_session():
    session = make_session(None, 7300.0)
    assert session.blocks() == (Interval(0, 3600), Interval(3600, 7200), Interval(7200, 7300))


def test_light_schedule_over_midnight():
    night = LightSchedule(
        on=datetime(2026, 1, 1, 19).time(),  # noqa: DTZ001 -- a time of day
        off=datetime(2026, 1, 1, 7).time(),  # noqa: DTZ001
    )
    assert night.is_on(datetime(2026, 1, 1, 23).time())  # noqa: DTZ001
    assert not night.is_on(datetime(2026, 1, 1, 12).time())  # noqa: DTZ001


def test_a_record_left_out_is_quarantined_time_and_no_gap():
    # The reader leaves a hole where the record was; before it there is a true gap.
    spans = (Span(0, 100, 1.0, 0), Span(130, 70, 1.0, 100))
    left_out = (Quarantine(Interval(100, 120), "damaged"),)
    account = account_for(Interval(0, 200), Interval(0, 200), spans, left_out)
    assert account.quarantined_s == 20
    assert account.gap_s == 10
    assert account.recorded_s == 170


def test_stretches_that_overlap_are_counted_once():
    spans = (Span(0, 100, 1.0, 0),)
    twice = tuple(Quarantine(Interval(a, b), "x") for a, b in ((10, 30), (20, 40), (10, 30)))
    account = account_for(Interval(0, 100), Interval(0, 100), spans, twice)
    assert (account.recorded_s, account.quarantined_s, account.gap_s) == (70, 30, 0)


# Sixteenths of a second (and their quarters) are whole microseconds.
SIXTEENTHS = st.integers(-800, 1600).map(lambda n: n / 16)
STRETCHES = st.lists(st.tuples(SIXTEENTHS, st.integers(0, 400).map(lambda n: n / 16)), max_size=6)


@given(SIXTEENTHS, st.integers(0, 1600), st.integers(0, 1600), STRETCHES, STRETCHES)
def test_every_second_is_counted_once(start_s, length, duration, pieces, apart):
    interval = Interval(start_s, start_s + length / 16)
    session = Interval(0.0, duration / 16)
    spans, stop_s = [], 0.0
    for hole_s, length_s in pieces:
        begin_s = stop_s + abs(hole_s) / 4
        if length_s > 0:
            spans.append(Span(begin_s, round(length_s * 16), 16.0, 0))
            stop_s = spans[-1].stop_s
    stretches = tuple(Quarantine(Interval(a, a + b), "x") for a, b in apart)
    account = account_for(interval, session, tuple(spans), stretches)
    parts = (account.recorded_s, account.gap_s, account.quarantined_s, account.outside_s)
    assert min(parts) >= 0
    assert account.length_s == interval.duration_s
    # Sample the time finely enough to meet every piece: 1/128 s is the grid of all edges.
    counts = dict.fromkeys(("recorded", "gap", "quarantined", "outside"), 0)
    for i in range(length * 8):
        t = interval.start_s + (i + 0.5) / 128
        if not session.start_s <= t < session.stop_s:
            counts["outside"] += 1
        elif any(q.interval.start_s <= t < q.interval.stop_s for q in stretches):
            counts["quarantined"] += 1
        elif any(s.start_s <= t < s.stop_s for s in spans):
            counts["recorded"] += 1
        else:
            counts["gap"] += 1
    assert [n / 128 for n in counts.values()] == list(parts)


@given(st.lists(st.floats(0, 2e6), min_size=2, max_size=12), st.sampled_from([999.987, 32_000.03]))
def test_accounting_adds_up_with_any_clock(edges, rate_hz):
    edges = sorted(edges)
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    spans = tuple(Span(a, int((b - a) * rate_hz), rate_hz, 0) for a, b in pairs)
    apart = tuple(Quarantine(Interval((a + b) / 2, b + 5), "x") for a, b in pairs)
    day = Interval(-3600.0, 1.5e6)
    account = account_for(day, Interval(0.0, edges[-1]), spans, apart)
    parts = (account.recorded_s, account.gap_s, account.quarantined_s, account.outside_s)
    assert min(parts) >= 0
    assert account.length_s == pytest.approx(day.duration_s, abs=1e-6)
