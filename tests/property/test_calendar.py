"""Every local day has its real length, days tile a session, and every second is accounted for."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.model.subject import Session, Subject, first_instant
from wakeful.model.time import Accounting, Interval, Quarantine, Span, account_for

HOUR = 3600.0


def make_session(start: datetime, duration_s: float, zone: str) -> Session:
    return Session(
        name="s",
        subject=Subject(identifier="M1"),
        start_utc=start,
        duration_s=duration_s,
        time_zone=zone,
    )


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("Asia/Kathmandu", date(2026, 5, 1), 24),  # +05:45
        ("Asia/Kathmandu", date(1986, 1, 1), 23.75),  # from +05:30, at midnight
        ("Pacific/Chatham", date(2026, 4, 5), 25),  # +13:45 to +12:45
        ("Asia/Kolkata", date(2026, 5, 1), 24),
        # Local midnight does not exist, or comes twice.
        ("America/Havana", date(2026, 3, 8), 23),
        ("America/Havana", date(2026, 11, 1), 25),
        ("Africa/Cairo", date(2026, 4, 24), 23),
        ("Africa/Cairo", date(2026, 10, 29), 25),
        ("Asia/Beirut", date(2026, 3, 29), 23),
        ("Asia/Beirut", date(2026, 10, 24), 25),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),
        ("America/St_Johns", date(2010, 11, 7), 25),  # back from 00:01 to 23:01 the day before
        ("Africa/Monrovia", date(1972, 1, 7), 24 - 44.5 / 60),
        ("Pacific/Apia", date(2011, 12, 29), 24),
        ("Pacific/Apia", date(2011, 12, 31), 24),
    ],
)
def test_days_on_which_the_clocks_change_have_their_real_length(zone, day, hours):
    noon = datetime.combine(day, datetime.min.time(), tzinfo=ZoneInfo(zone)) + timedelta(hours=12)
    session = make_session(noon.astimezone(UTC), 60.0, zone)
    (only,) = session.days()
    assert only.date == day
    assert only.length_s == hours * HOUR


def test_a_date_that_a_zone_left_out_is_no_day():
    session = make_session(datetime(2011, 12, 29, 12, tzinfo=UTC), 2 * 86_400.0, "Pacific/Apia")
    days = session.days()
    assert [day.date for day in days] == [date(2011, 12, 29), date(2011, 12, 31), date(2012, 1, 1)]
    assert [day.number for day in days] == [0, 1, 2]
    assert sum(day.length_s for day in days) == 3 * 86_400


def test_a_day_begins_when_the_clocks_skip_its_midnight():
    # At the end of 7 March 2026 Havana's clocks go from 24:00 to 01:00.
    begins = first_instant(date(2026, 3, 8), ZoneInfo("America/Havana"))
    assert begins == datetime(2026, 3, 8, 5, tzinfo=UTC)
    assert begins.astimezone(ZoneInfo("America/Havana")).hour == 1
    # Toronto's went from 23:30 to 00:30 in 1919: midnight lies inside what was skipped.
    zone = ZoneInfo("America/Toronto")
    begins = first_instant(date(1919, 3, 31), zone)
    assert begins.astimezone(zone).replace(tzinfo=None) == datetime(1919, 3, 31, 0, 30)  # noqa: DTZ001
    before = (begins - timedelta(microseconds=1)).astimezone(zone)
    assert before.date() == date(1919, 3, 30)


ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Pacific/Chatham",
        "America/St_Johns",
        "America/Havana",
        "Africa/Cairo",
        "Asia/Beirut",
        "America/Sao_Paulo",
        "Pacific/Apia",
    ]
)
STARTS = st.datetimes(
    datetime(2005, 1, 1),  # noqa: DTZ001
    datetime(2030, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(ZONES, STARTS, st.floats(0.001, 40 * 86_400.0))
@settings(max_examples=100, deadline=None)
def test_days_tile_a_session_without_hole_or_overlap(zone, start, duration_s):
    days = make_session(start, duration_s, zone).days()
    here = ZoneInfo(zone)
    assert [day.number for day in days] == list(range(len(days)))
    assert days[0].interval.start_s <= 0.0 < days[0].interval.stop_s
    assert days[-1].interval.stop_s >= duration_s > days[-1].interval.start_s
    for a, b in itertools.pairwise(days):
        assert a.interval.stop_s == b.interval.start_s
        assert b.date > a.date
    for day in days:
        # Worked out another way: whole minutes between what UTC clocks show at the two midnights.
        begins = first_instant(day.date, here)
        following = day.date + timedelta(days=1)
        while (ends := first_instant(following, here)) == begins:
            following += timedelta(days=1)
        assert day.length_s == (ends - begins) / timedelta(seconds=1)
        assert day.length_s % 60 == 0
        middle = start + timedelta(seconds=day.interval.start_s + day.length_s / 2)
        assert middle.astimezone(here).date() == day.date


RATES = st.sampled_from([250.0, 999.987, 1000.0, 31_999.7, 32_000.03])


@given(
    ZONES,
    STARTS,
    RATES,
    st.lists(
        st.tuples(st.floats(0, 30_000.0), st.floats(0.001, 90_000.0)), min_size=1, max_size=12
    ),
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 5000.0)), max_size=4),
)
@settings(max_examples=100, deadline=None)
def test_every_day_adds_up_to_its_real_length_exactly(zone, start, rate_hz, pieces, apart):
    spans, stop_s = [], 0.0
    for hole_s, length_s in pieces:
        n_samples = max(1, int(length_s * rate_hz))
        spans.append(Span(stop_s + hole_s, n_samples, rate_hz, 0))
        stop_s = spans[-1].stop_s
    session = make_session(start, stop_s, zone)
    stretches = tuple(Quarantine(Interval(a, a + b), "x") for a, b in apart)
    totals = [0, 0, 0, 0]
    for day in session.days():
        account = account_for(day.interval, session.interval, tuple(spans), stretches)
        assert min(account.parts_us) >= 0
        assert account.length_s == day.length_s
        assert sum(account.parts_us) == round(day.length_s * 1e6)
        assert sum(account.rounded(1)) == round(day.length_s)
        assert sum(account.rounded(1000)) == round(day.length_s * 1000)
        totals = [a + b for a, b in zip(totals, account.parts_us, strict=True)]
    whole = account_for(session.interval, session.interval, tuple(spans), stretches)
    assert whole.parts_us[:3] == tuple(totals[:3])
    assert whole.outside_s == 0
    assert sum(whole.parts_us) == round(stop_s * 1e6)


@given(st.tuples(*[st.integers(0, 10**12)] * 4), st.sampled_from([1, 10, 1000, 1_000_000]))
def test_rounded_parts_add_up_and_are_near(parts_us, per_s):
    account = Accounting(*(part / 1e6 for part in parts_us))
    assert account.parts_us == parts_us
    unit = 1_000_000 // per_s
    rounded = account.rounded(per_s)
    assert abs(sum(rounded) * unit - sum(parts_us)) * 2 <= unit
    assert all(abs(r * unit - part) < unit for r, part in zip(rounded, parts_us, strict=True))
