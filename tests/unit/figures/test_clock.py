"""Local clock, zeitgeber time, days on which the clocks change, hours that add up."""

from __future__ import annotations

from datetime import UTC, datetime, time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.figures.clock import (
    clock_ticks,
    elapsed_label,
    exact_parts,
    join_epochs,
    light_phases,
    make_view,
    tick_step_s,
    touches,
    zeitgeber_ticks,
)
from wakeful.model.subject import LightSchedule, Session, Subject
from wakeful.model.time import Interval, Span


def make_session(
    start: datetime | None, hours: float = 24.0, zone: str = "Europe/Zurich"
) -> Session:
    return Session(
        name="s",
        subject=Subject(identifier="M1"),
        start_utc=start,
        duration_s=hours * 3600,
        time_zone=zone,
        light=LightSchedule(on=time(7), off=time(19)),
    )


SPRING = make_session(datetime(2026, 3, 28, 23, tzinfo=UTC), 23)
AUTUMN = make_session(datetime(2026, 10, 24, 22, tzinfo=UTC), 25)
SUMMER = make_session(datetime(2026, 5, 11, 22, tzinfo=UTC))


def test_ticks_stand_at_round_local_times() -> None:
    ticks = clock_ticks(SUMMER, SUMMER.days()[0].interval)
    assert [label for _, label in ticks] == [f"{h % 24:02d}:00" for h in range(0, 25, 3)]
    assert [t for t, _ in ticks] == [h * 3600.0 for h in range(0, 25, 3)]


def test_ticks_of_the_short_day_skip_the_missing_hour() -> None:
    day = SPRING.days()[0].interval
    assert day.duration_s == 23 * 3600
    ticks = {label: t for t, label in clock_ticks(SPRING, day, 30)}
    assert "02:00" not in ticks
    assert ticks["01:00"] == 3600
    assert ticks["03:00"] == 2 * 3600


def test_ticks_of_the_long_day_repeat_the_double_hour() -> None:
    day = AUTUMN.days()[0].interval
    assert day.duration_s == 25 * 3600
    ticks = clock_ticks(AUTUMN, day, 30)
    assert [t for t, label in ticks if label == "02:00"] == [2 * 3600.0, 3 * 3600.0]


def test_ticks_without_a_start_count_from_the_session() -> None:
    session = make_session(None)
    ticks = clock_ticks(session, Interval(0, 1200))
    assert ticks[0] == (0.0, "0:00")
    assert ticks[-1] == (1200.0, "0:20")
    assert light_phases(session, Interval(0, 1200)) == ()
    assert zeitgeber_ticks(session, Interval(0, 1200)) == []


def test_ticks_of_a_zone_with_half_hours() -> None:
    session = make_session(datetime(2026, 5, 11, 18, 30, tzinfo=UTC), zone="Asia/Kolkata")
    assert clock_ticks(session, session.days()[0].interval)[0] == (0.0, "00:00")


def test_ticks_over_several_days_name_the_day() -> None:
    session = make_session(datetime(2026, 5, 11, 22, tzinfo=UTC), 24 * 5)
    labels = [label for _, label in clock_ticks(session, session.interval, 6)]
    assert labels == ["Tue 12", "Wed 13", "Thu 14", "Fri 15", "Sat 16", "Sun 17"]


@given(st.floats(1, 1e6))
@settings(deadline=None, max_examples=50)
def test_never_more_ticks_than_asked_for(duration_s: float) -> None:
    assert duration_s / tick_step_s(duration_s, 9) <= 9


def test_elapsed_time_is_told_with_seconds_or_without() -> None:
    assert elapsed_label(3600, seconds=False) == "1:00"
    assert elapsed_label(5, seconds=True) == "0:00:05"
    assert elapsed_label(3600, seconds=True) == "1:00:00"
    assert elapsed_label(-60, seconds=False) == "−0:01"


@pytest.mark.parametrize(("duration_s", "n_parts"), [(5.8, 3), (60, 3), (1200, 2), (86_400, 2)])
def test_the_ticks_of_one_axis_are_written_alike(duration_s: float, n_parts: int) -> None:
    labels = [label for _, label in clock_ticks(make_session(None), Interval(0, duration_s))]
    assert {label.count(":") + 1 for label in labels} == {n_parts}


@pytest.mark.parametrize(
    ("session", "light_h", "dark_h"), [(SUMMER, 12, 12), (SPRING, 12, 11), (AUTUMN, 12, 13)]
)
def test_light_and_dark_cover_the_day(session: Session, light_h: int, dark_h: int) -> None:
    phases = light_phases(session, session.days()[0].interval)
    assert sum(part.duration_s for part, on in phases if on) == light_h * 3600
    assert sum(part.duration_s for part, on in phases if not on) == dark_h * 3600


def test_zeitgeber_zero_is_lights_on() -> None:
    ticks = {label: t for t, label in zeitgeber_ticks(SUMMER, SUMMER.days()[0].interval)}
    assert ticks["0"] == 7 * 3600
    assert ticks["12"] == 19 * 3600
    assert ticks["18"] == 3600


def test_gaps_are_what_lies_between_the_spans() -> None:
    spans = (Span(0, 1000, 1.0, 0), Span(1500, 2000, 1.0, 1000))
    session = make_session(datetime(2026, 5, 11, 22, tzinfo=UTC), 1.0)
    view = make_view(session, Interval(-3600, 3600), spans, np.empty(0), 4.0)
    assert view.gaps == (Interval(1000, 1500), Interval(3500, 3600))
    assert view.outside == (Interval(-3600, 0),)


def test_a_short_recording_is_zoomed_to_and_a_long_one_is_not() -> None:
    day = SUMMER.days()[0].interval
    short = make_session(datetime(2026, 5, 12, 9, tzinfo=UTC), 1 / 3)
    view = make_view(short, short.days()[0].interval, None, np.arange(300) * 4.0, 4.0)
    assert view.interval == Interval(0, 1200)
    assert view.recorded == (Interval(0, 1200),)
    assert make_view(SUMMER, day, None, np.arange(9) * 4.0, 4.0).interval == day


def test_a_rest_shorter_than_an_epoch_is_no_gap() -> None:
    session = make_session(None, 5.8 / 3600)
    view = make_view(session, session.interval, None, np.array([0.0]), 4.0)
    assert view.gaps == ()
    longer = make_session(None, 9.0 / 3600)
    assert make_view(longer, longer.interval, None, np.array([0.0]), 4.0).gaps == (Interval(4, 9),)


def test_no_gap_is_claimed_where_nothing_tells_what_was_recorded() -> None:
    view = make_view(SUMMER, SUMMER.interval, None, np.empty(0), 4.0)
    assert not view.recorded_known
    assert view.gaps == ()
    assert make_view(SUMMER, SUMMER.interval, (), np.empty(0), 4.0).gaps == (SUMMER.interval,)


def test_epochs_are_joined_up_to_a_hole() -> None:
    joined = join_epochs(np.array([0.0, 4.0, 8.0, 20.0]), 4.0)
    assert joined == (Interval(0, 12), Interval(20, 24))
    assert join_epochs(np.empty(0), 4.0) == ()


def test_an_epoch_touches_what_it_shares_time_with() -> None:
    start_s = np.arange(5) * 4.0
    touched = touches(start_s, 4.0, (Interval(4, 8), Interval(13, 14)))
    assert touched.tolist() == [False, True, False, True, False]


@given(st.lists(st.floats(0, 90_000), min_size=1, max_size=4))
@settings(deadline=None, max_examples=200)
def test_parts_in_whole_seconds_add_up(parts: list[float]) -> None:
    whole = exact_parts(tuple(parts))
    assert sum(whole) == round(sum(parts))
    assert all(abs(w - p) <= 1.001 for w, p in zip(whole, parts, strict=True))
