"""What is expected of results, from those that were made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakeful.ledger import JobState, Ledger, ResultEntry, RowCells
from wakeful.pipeline.plan import Scope, Task
from wakeful.service.history import History, Spread
from wakeful.service.time_left import say_time_left

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def task(step: str, kind: str = "result", scope: str = "block", number: int = 0) -> Task:
    return Task(
        kind=kind,
        step=step,
        key=f"{step} {number}",
        scope=Scope(scope, number),
        level=0,
        changed={},
        inputs={},
    )


def entry(number: int, step: str, seconds: float, session: str = "s", **fields) -> ResultEntry:
    return ResultEntry(
        key=f"made {number}",
        step=step,
        kind=fields.get("kind", "result"),
        session=session,
        scope=fields.get("scope", f"block {number}"),
        path="p",
        bytes=int(1000 * seconds),
        seconds=seconds,
        created=NOW,
    )


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "x.sqlite") as ledger:
        yield ledger


def test_without_a_history_nothing_is_claimed(ledger):
    expected = History(ledger).expect([task("convert"), task("sleep")])
    assert (expected.n_known, expected.unknown) == (0, ("convert", "sleep"))
    assert not expected.is_whole


def test_what_is_made_says_what_is_to_come(ledger):
    ledger.index_results(entry(i, "convert", s) for i, s in enumerate([10.0, 12.0, 14.0, 30.0]))
    ledger.index_results([entry(9, "convert", 100.0, kind="figure", scope="day 0")])
    expected = History(ledger).expect([task("convert", number=n) for n in range(3)])
    assert expected.is_whole
    assert expected.seconds.mean == pytest.approx(3 * 16.5)
    assert expected.seconds.low == pytest.approx(3 * 11.5)
    assert expected.seconds.high == pytest.approx(3 * 18.0)
    assert expected.bytes.mean == pytest.approx(3000 * 16.5)
    unknown = History(ledger).expect([task("convert", scope="session")])
    assert not unknown.is_whole


def test_the_sessions_own_results_count_more(ledger):
    ledger.index_results(entry(i, "convert", 10.0, "short") for i in range(5))
    ledger.index_results(entry(10 + i, "convert", 1000.0, "long") for i in range(5))
    history = History(ledger)
    means = {
        name: history.expect([task("convert")], name).seconds.mean
        for name in ("short", "long", "new")
    }
    assert means == {"short": 10.0, "long": 1000.0, "new": 505.0}


def test_jobs_take_longer_than_what_they_make(ledger):
    ledger.add_row(RowCells(subject="M1"), actor="test")
    run = ledger.add_run(1, "{}", "k")
    ledger.index_results(entry(i, "convert", 10.0) for i in range(4))
    for i in range(4):
        ledger.record_job(f"job {i}", run.id, [f"made {i}"], 1)
        ledger.start_job(f"job {i}", pid=1, pid_start_time=1.0, external_id=None)
        ledger.end_job(f"job {i}", JobState.DONE)
    moments = iter([NOW] * 8)
    with ledger.writing() as connection:
        from wakeful.ledger.schema import JOBS

        connection.execute(
            JOBS.update().values(started=next(moments), finished=NOW + timedelta(seconds=15))
        )
    assert History(ledger).expect([task("convert")]).seconds.mean == pytest.approx(15.0)


spreads = st.tuples(*[st.floats(0, 1e6)] * 3).map(lambda three: Spread(*sorted(three)))


@given(spreads, spreads, st.floats(0.01, 100))
def test_sums_keep_their_order(one, other, factor):
    total = (one + other).times(factor)
    assert total.low <= total.mean * (1 + 1e-9)
    assert total.mean <= total.high * (1 + 1e-9)


@pytest.mark.parametrize(
    ("seconds", "is_sure", "text"),
    [
        (Spread(5, 10, 40), True, "less than a minute left"),
        (Spread(110, 120, 130), True, "about 2 min left"),
        (Spread(118, 200, 310), True, "2 min to 5 min left"),
        (Spread(3000, 4000, 6000), True, "50 min to 1 h 45 min left"),
        (Spread(3000, 4000, 6000), False, "more than 50 min left"),
        (Spread(30, 40, 60), False, ""),
    ],
)
def test_no_more_exact_than_it_is_known(seconds, is_sure, text):
    assert say_time_left(seconds, is_sure) == text
