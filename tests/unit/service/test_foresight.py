"""Forecasts from planted histories."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakeful.config import Config, Lab, Library, Work
from wakeful.executor_config import Executor
from wakeful.io.store import Store
from wakeful.ledger import Ledger, ResultEntry, Sample
from wakeful.oversight_config import Notices, Service
from wakeful.service.forecast_words import say_forecast
from wakeful.service.foresight import (
    Forecast,
    Sampler,
    fall,
    make_filling,
    make_forecast,
    take_sample,
)
from wakeful.service.notices import foreseen
from wakeful.service.work import RowView
from wakeful.sheet.interface import SheetRow, StatusUpdate

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""A Monday."""
GB = 10**9


@pytest.fixture
def library(tmp_path):
    config = Config(
        lab=Lab(time_zone="Europe/Berlin"),
        work=Work(block_s=3600.0),
        executor=Executor(workers=2),
        service=Service(quota_gb=1000),
        notices=Notices(disk_days=3),
    )
    return Library(tmp_path, config)


@pytest.fixture
def ledger(library):
    with Ledger.open(library.database) as ledger:
        yield ledger


def sample(hours_ago: float, **fields) -> Sample:
    return Sample(
        time=NOW - timedelta(hours=hours_ago),
        taken_in_bytes=fields.get("taken_in", 0),
        stored_bytes=fields.get("stored", 0),
        recorded_s=fields.get("recorded_s", 0.0),
        backlog_s=fields.get("backlog_s", 0.0),
        free_bytes=fields.get("free", {}),
    )


def result(number: int, step: str, seconds: float, hours_ago: float = 2.0) -> ResultEntry:
    return ResultEntry(
        key=f"{step} {number}",
        step=step,
        kind="result",
        session="s",
        scope=f"block {number}",
        path="p",
        bytes=1,
        seconds=seconds,
        created=NOW - timedelta(hours=hours_ago),
    )


def make(library: Library, ledger: Ledger, entries, length_s: float = 3600.0) -> None:
    """Index results, those of blocks with the part of a receipt that says how long they are."""
    entries = list(entries)
    ledger.index_results(entries)
    for entry in entries:
        folder = Store(library.results).folder_of(entry.step, entry.key)
        folder.mkdir(parents=True)
        interval = {"start_s": 0.0, "stop_s": length_s}
        (folder / "receipt.json").write_text(json.dumps({"interval_s": interval}))


def words(library: Library, ledger: Ledger) -> str:
    return "\n".join(say_forecast(make_forecast(library, ledger, NOW), ZoneInfo("Europe/Berlin")))


def test_without_a_history_nothing_is_claimed(library, ledger):
    said = words(library, ledger)
    for part in ("inflow: not known yet", "speed: not known yet", "backlog: not known"):
        assert part in said
    assert "full on" not in said
    ledger.add_sample(sample(0.5, taken_in=0))
    ledger.add_sample(sample(0.0, taken_in=GB))
    assert "inflow: not known yet" in words(library, ledger)


def test_a_steady_day_is_gone_on_with(library, ledger):
    free = shutil.disk_usage(library.root).free
    for hours_ago in (30, 12, 6, 0):  # the first is too old to count
        done = 12 - hours_ago
        ledger.add_sample(
            sample(
                hours_ago,
                taken_in=15 * GB * done if hours_ago < 24 else 10**15,
                stored=20 * GB * (20 + done),
                recorded_s=3600.0 * done,
                backlog_s=1800.0,
                free={str(library.raw): free - 5 * GB * done},
            )
        )
    for number in range(10):
        make(library, ledger, [result(number, "convert", 60.0), result(number, "sleep", 240.0)])
    found = make_forecast(library, ledger, NOW)
    assert found.window == timedelta(hours=12)
    assert found.inflow_bytes_per_day == pytest.approx(360 * GB)
    assert found.recorded_h_per_day == pytest.approx(24.0)
    assert found.work_s_per_hour == pytest.approx(300.0)
    assert found.speed == pytest.approx(24.0)
    assert found.times_inflow == pytest.approx(24.0)
    assert found.backlog_gone_s == pytest.approx(1800 * 24 / 23)
    disk, quota = found.fillings
    assert disk.per_day_bytes == pytest.approx(120 * GB)
    assert (disk.full - NOW) / timedelta(days=1) == pytest.approx(free / (120 * GB), rel=0.01)
    assert quota.free_bytes == pytest.approx(360 * GB)
    assert (quota.full - NOW) / timedelta(days=1) == pytest.approx(0.75)
    said = words(library, ledger)
    assert "360 GB and 24.0 h recorded a day (of the last 12 h 00 min)" in said
    assert "24x faster than the inflow" in said
    assert "quota: 360 GB of 1,000 GB free; at 480 GB a day it is full on Tuesday, 03 March" in said
    told = list(foreseen(library, ledger, NOW))
    assert any(n.title == "Full on Tuesday: quota" for n in told)


def test_whoever_is_slower_than_the_inflow_is_told(library, ledger):
    ledger.add_sample(sample(10))
    ledger.add_sample(sample(0, recorded_s=10 * 4 * 3600.0, backlog_s=7200.0))
    make(library, ledger, (result(number, "convert", 3600.0) for number in range(3)))
    said = words(library, ledger)
    assert "SLOWER than the inflow, 0.50 of it; the backlog grows" in said
    assert "backlog: 2 h 00 min of work; at this inflow it is never worked off" in said


def test_blocks_that_are_no_whole_ones_count_as_long_as_they_are(library, ledger):
    # Sessions of six minutes, ten an hour: an hour is recorded in an hour.
    ledger.add_sample(sample(10))
    ledger.add_sample(sample(0, recorded_s=100 * 3600.0))
    make(library, ledger, (result(number, "convert", 36.0) for number in range(10)), 360.0)
    found = make_forecast(library, ledger, NOW)
    assert found.recorded_h_per_day == pytest.approx(24.0)
    assert found.work_s_per_hour == pytest.approx(360.0)
    assert found.times_inflow == pytest.approx(20.0)


def test_a_speed_that_no_receipt_bears_out_is_not_claimed(library, ledger):
    ledger.index_results([result(0, "convert", 36.0)])
    assert "speed: not known" in words(library, ledger)


def test_large_numbers_have_no_exponent(library, ledger):
    make(library, ledger, [result(0, "convert", 1.0)])
    assert "speed: 7,200 h recorded are" in words(library, ledger)


def test_nothing_coming_in_needs_no_ratio(library, ledger):
    for hours_ago in (10, 0):
        ledger.add_sample(sample(hours_ago, backlog_s=600.0))
    make(library, ledger, [result(0, "convert", 300.0)])
    found = make_forecast(library, ledger, NOW)
    assert found.times_inflow is None
    assert found.backlog_gone_s == 600.0
    assert "does not fill" in words(library, ledger)


def test_a_row_that_goes_takes_no_inflow_back(library, ledger):
    # 24 GB in 12 hours, while a row of 5 TB is deleted half-way.
    for hours_ago, taken_in in ((12, 5000), (9, 5008), (6, 5016), (3, 20), (0, 28)):
        ledger.add_sample(
            sample(hours_ago, taken_in=taken_in * GB, recorded_s=taken_in * 900.0, stored=0)
        )
    found = make_forecast(library, ledger, NOW)
    assert found.inflow_bytes_per_day == pytest.approx(48 * GB)
    assert found.recorded_h_per_day == pytest.approx(12.0)


def test_what_was_noted_long_ago_is_not_told_as_the_present(library, ledger):
    for hours_ago in (20, 15):
        ledger.add_sample(sample(hours_ago, taken_in=(20 - hours_ago) * GB))
    old = words(library, ledger)
    assert old.startswith("as it was 15 h 00 min ago: `wakeful run` has noted nothing since")
    assert "(of 5 h 00 min)" in old
    ledger.add_sample(sample(0.1, taken_in=5 * GB))
    assert "as it was" not in words(library, ledger)


@given(st.lists(st.floats(0, 1e12), max_size=20))
def test_what_is_removed_does_not_hide_what_fills(values):
    lost = fall(values)
    assert lost >= 0
    if values:
        assert lost >= values[0] - values[-1] - 1e-3
        assert fall([*values, values[-1] + 1e12]) == lost


@given(st.floats(1, 1e15), st.floats(1, 1e15))
def test_full_comes_when_the_room_is_used_up(free, per_day):
    full = make_filling("disk", free, 1e16, per_day, NOW).full
    if free / per_day < 36_500:
        assert (full - NOW) / timedelta(days=1) * per_day == pytest.approx(
            free, rel=1e-3, abs=per_day
        )
    else:
        assert full is None


@given(st.floats(1, 1e6), st.floats(0.1, 1e3), st.floats(0.1, 1e3))
def test_a_backlog_is_gone_only_where_the_work_is_faster(backlog_s, work_s, hours):
    forecast = Forecast(
        now=NOW,
        window=timedelta(days=1),
        noted=NOW,
        inflow_bytes_per_day=1.0,
        recorded_h_per_day=hours,
        work_s_per_hour=work_s,
        slots=1,
        backlog_s=backlog_s,
        fillings=(),
    )
    gone = forecast.backlog_gone_s
    assert (gone is None) == (forecast.times_inflow <= 1)
    if gone is not None:
        # What comes in until then is worked off too.
        arrived = gone / 86_400 * hours * work_s
        assert gone == pytest.approx(backlog_s + arrived, rel=1e-6)
        assert replace(forecast, recorded_h_per_day=0.0).backlog_gone_s == backlog_s


def view(source: str, taken_in_bytes: int) -> RowView:
    row = SheetRow(identifier="1", number=1)
    update = StatusUpdate(identifier="1")
    return RowView(row, update, 0, 0, 0, source=source, taken_in_bytes=taken_in_bytes)


def test_what_came_in_stays_counted_when_its_row_is_unticked(library, ledger, monkeypatch):
    sampler = Sampler(library, ledger)
    monkeypatch.setattr("wakeful.service.foresight._SAMPLE_EVERY_S", 0.0)
    for views in ([view("a", 5), view("b", 1)], [view("b", 3)], [view("a", 0), view("b", 4)]):
        assert sampler.look(views, None)
    found = ledger.samples(datetime.now(UTC) - timedelta(hours=1))
    assert [one.taken_in_bytes for one in found] == [6, 8, 9]


def test_a_sample_counts_blocks_once(library, ledger):
    ledger.index_results(result(number, "convert", 1.0) for number in range(3))
    ledger.index_results([replace(result(0, "convert", 1.0), key="another version")])
    found = take_sample(library, ledger, [], None)
    assert found.recorded_s == 3 * 3600.0
    assert found.stored_bytes == 4
    assert found.backlog_s is None
    assert list(found.free_bytes) == [str(library.raw)]
