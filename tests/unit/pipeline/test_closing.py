"""Sessions that go on: what is closed stays as it is, and summaries cost little."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from wakeful.catalog import Catalog
from wakeful.model.subject import Session, Subject
from wakeful.model.time import Interval, Quarantine, Span
from wakeful.pipeline.closing import count_closed_blocks, summary_stop_s
from wakeful.pipeline.planner import make_plan

ALL = ("first", "smooth", "running", "whole", "daily")
BLOCK_S = 64.0


def keys_of_blocks(plan):
    return {(t.step, str(t.scope)): t.key for t in plan.tasks if t.scope.kind == "block"}


def test_a_closed_block_has_the_same_key_for_ever(make_target, make_catalog):
    catalog = make_catalog(raw_halo_s=2.0)
    whole = make_plan(make_target(20 * BLOCK_S), catalog, ALL, {})
    last = keys_of_blocks(whole)
    before: dict[tuple[str, str], str] = {}
    for n_blocks in range(1, 21):
        grown = make_plan(make_target(n_blocks * BLOCK_S, goes_on=True), catalog, ALL, {})
        now = keys_of_blocks(grown)
        assert before.items() <= now.items()
        assert now.items() <= last.items()
        before = now
    # The halo of raw data keeps the last block of `first` open, and that of `smooth` one more.
    assert {s for n, s in before if n == "first"} == {f"block {i}" for i in range(19)}
    assert {s for n, s in before if n == "smooth"} == {f"block {i}" for i in range(18)}


def test_nothing_is_planned_before_a_block_is_closed(make_target, make_catalog):
    plan = make_plan(make_target(40.0, goes_on=True), make_catalog(), ALL, {})
    assert plan.goes_on
    assert plan.tasks == ()
    assert plan.jobs() == ()


def test_a_summary_sees_no_block_behind_its_end(make_target, make_catalog):
    catalog = make_catalog()
    # 7 blocks of `smooth` are closed: summed up are 4.
    plan = make_plan(make_target(8 * BLOCK_S, goes_on=True), catalog, ALL, {})
    assert plan.session.duration_s == 8 * BLOCK_S
    assert plan.summary.duration_s == 4 * BLOCK_S
    (whole,) = (t for t in plan.tasks if t.step == "whole" and t.kind == "result")
    assert len(whole.inputs["two"]) == 4
    for task in plan.tasks:
        if task.scope.kind == "day":
            needs = {r.key for r in task.needs}
            blocks = {k for (_, scope), k in keys_of_blocks(plan).items() if int(scope[6:]) > 3}
            assert not needs & blocks
    jobs = {job.scope.kind: job.session.duration_s for job in plan.jobs()}
    assert jobs == {"block": 512.0, "session": 256.0, "day": 256.0}


def test_a_day_that_is_not_over_changes_only_when_it_is_summed_up_anew(make_target, make_catalog):
    steps = make_catalog().steps
    inputs = [(f.name, f.type) for f in dataclasses.fields(steps["daily"].inputs)]
    inputs += [("spans", tuple[Span, ...]), ("quarantined", tuple[Quarantine, ...])]
    daily = dataclasses.replace(
        steps["daily"], inputs=dataclasses.make_dataclass("Inputs", inputs, frozen=True)
    )
    catalog = Catalog.of([daily if s.name == "daily" else s for s in steps.values()])

    def key_of_day(duration_s: float) -> set[str]:
        target = make_target(duration_s, goes_on=True, start=datetime(2026, 3, 1, 8, 0, tzinfo=UTC))
        late = Quarantine(Interval(5.4 * BLOCK_S, 5.5 * BLOCK_S), "zeros")
        stream = dataclasses.replace(target.stream, quarantined=(late,))
        plan = make_plan(dataclasses.replace(target, stream=stream), catalog, ALL, {})
        return {t.key for t in plan.tasks if t.step == "daily" and t.kind == "result"}

    # 4 blocks are summed up until 8 of `smooth` are closed.
    assert key_of_day(5.5 * BLOCK_S) == key_of_day(6 * BLOCK_S) == key_of_day(7.3 * BLOCK_S)
    assert key_of_day(7.3 * BLOCK_S) != key_of_day(9.5 * BLOCK_S)


def test_a_session_that_has_ended_is_planned_as_ever(make_target, make_catalog):
    plan = make_plan(make_target(200.0), make_catalog(), ALL, {})
    assert not plan.goes_on
    assert plan.session is plan.summary


def session(start: datetime | None, zone: str = "Europe/Berlin") -> Session:
    return Session(
        name="s",
        subject=Subject(identifier="M1"),
        start_utc=start,
        duration_s=0.0,
        time_zone=zone,
        block_s=3600.0,
    )


@pytest.mark.parametrize(
    ("closed_h", "summed_h"),
    [(0, 0), (0.9, 0), (1, 1), (2, 2), (3, 2), (4, 4), (7, 4), (9, 8), (12, 8), (13, 13), (36, 13)],
)
def test_summaries_double_and_then_come_once_a_day(closed_h, summed_h):
    # Begins at 11:30 in Berlin: midnight lies in block 12, which is closed after 13 h.
    begun = session(datetime(2026, 1, 12, 10, 30, tzinfo=UTC))
    assert summary_stop_s(begun, closed_h * 3600.0) == summed_h * 3600.0


def test_a_day_of_25_hours_is_summed_up_when_it_has_ended():
    begun = session(datetime(2026, 10, 24, 22, 0, tzinfo=UTC))  # midnight in Berlin
    assert summary_stop_s(begun, 24 * 3600.0) == 16 * 3600.0
    assert summary_stop_s(begun, 25 * 3600.0) == 25 * 3600.0


def test_without_a_start_days_count_from_the_first_sample():
    assert summary_stop_s(session(None), 50 * 3600.0) == 48 * 3600.0


def test_summaries_of_a_week_are_few():
    begun = session(datetime(2026, 1, 12, 10, 30, tzinfo=UTC))
    stops = {summary_stop_s(begun, hour * 3600.0) for hour in range(7 * 24 + 1)}
    assert len(stops - {0.0}) <= 4 + 7


def test_closed_counts_follow_the_chain(make_catalog):
    catalog = make_catalog(raw_halo_s=2.0)
    steps = list(catalog.steps.values())
    assert count_closed_blocks(steps, catalog, 64.0, 129.0) == {
        "first": 1,
        "smooth": 0,
        "running": 1,
    }
    assert count_closed_blocks(steps, catalog, 64.0, 0.0)["first"] == 0
