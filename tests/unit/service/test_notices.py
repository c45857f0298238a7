"""What is worth telling: failures that last, animals no longer recorded, full disks, the day."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wakeful.config import Config, Lab, Library
from wakeful.ledger import Ledger, ResultEntry, RowCells, RunState
from wakeful.oversight_config import Notices, Service
from wakeful.service import notices
from wakeful.service.notices import Links, Lookout, digest_of_the_day
from wakeful.service.work import RowView
from wakeful.sheet.interface import SheetRow, Status, StatusUpdate
from wakeful.sheet.local import LocalSheet

NOON = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
"""In Berlin."""


@pytest.fixture
def make_library(tmp_path):
    def make(**fields):
        config = Config(
            lab=Lab(time_zone="Europe/Berlin"),
            service=Service(keep_free_gb=fields.pop("keep_free_gb", 0.0)),
            notices=Notices(**fields),
        )
        library = Library(tmp_path / "lib", config)
        for folder in (library.raw, library.results, library.published):
            folder.mkdir(exist_ok=True, parents=True)
        return library

    return make


def view(number: int = 1, status: Status = Status.FAILED, **fields) -> RowView:
    was = fields.pop("was", "")
    row = SheetRow(
        identifier=str(number), number=number, subject="M1", recording="x", run="yes", status=was
    )
    update = StatusUpdate(
        identifier=row.identifier,
        status=status,
        message=fields.pop("message", ""),
        link=fields.pop("link", ""),
        progress=fields.pop("progress", ""),
    )
    return RowView(row, update, 0, 0, 0, **fields)


def told(lookout: Lookout, *views: RowView, at_the_end: bool = True) -> list[str]:
    return [notice.title for notice in lookout.look(views, at_the_end=at_the_end)]


def test_what_failed_is_told_once_it_has_stood_a_while(make_library, monkeypatch):
    lookout = Lookout(make_library())
    wrong = view(message="no such folder", status=Status.NEEDS_ATTENTION)
    assert told(lookout, wrong, at_the_end=False) == []
    monkeypatch.setattr(notices, "_STANDS_S", 0.0)
    assert told(lookout, wrong, at_the_end=False) == ["Row 1 (M1) needs attention"]


def test_a_row_that_is_being_typed_starts_its_while_anew(make_library, monkeypatch):
    lookout = Lookout(make_library())
    monkeypatch.setattr(notices, "_STANDS_S", 0.05)
    for text in "abc":
        wrong = view(message=text, status=Status.NEEDS_ATTENTION)
        assert told(lookout, wrong, at_the_end=False) == []
        time.sleep(0.03)
    time.sleep(0.05)
    assert len(told(lookout, wrong, at_the_end=False)) == 1


def test_the_last_look_waits_for_nothing(make_library):
    lookout = Lookout(make_library())
    (notice,) = lookout.look([view(message="no room left")], at_the_end=True)
    assert (notice.title, notice.text, notice.kind) == (
        "Row 1 (M1) failed",
        "no room left",
        "failure",
    )
    assert told(lookout, view(status=Status.DONE), view(2, Status.WAITING)) == []


def test_another_failure_of_a_row_is_another_reason(make_library):
    lookout = Lookout(make_library())
    reasons = {
        notice.reason
        for message in ("no room left", "broken file", "no room left")
        for notice in lookout.look([view(message=message)], at_the_end=True)
    }
    assert len(reasons) == 2


def test_a_part_that_failed_is_told_with_the_report(make_library):
    library = make_library(link_base="https://lab.example/shift/")
    report = str(library.published / "M1" / "report.html")
    partly = view(
        status=Status.DONE_WITH_WARNINGS, n_set_aside=1, message="block 3 failed", link=report
    )
    (notice,) = Lookout(library).look([partly], at_the_end=True)
    assert notice.title == "Row 1 (M1) is done but for a part that failed"
    assert notice.text.endswith("\nhttps://lab.example/shift/published/M1/report.html")
    assert told(Lookout(library), replace(partly, n_set_aside=0)) == []


def test_links_lead_where_people_can_follow(make_library):
    library = make_library()
    inside, outside = str(library.published / "a b"), "/elsewhere/report.html"
    assert [Links(library).link(path) for path in (inside, outside)] == [inside, outside]
    served = Links(make_library(link_base="https://x"))
    assert [served.link(path) for path in (inside, outside)] == ["https://x/published/a b", outside]


@pytest.fixture
def recording(tmp_path):
    folder = tmp_path / "night"
    folder.mkdir()
    (folder / "a.ncs").write_bytes(b"x")
    (folder / "b.ncs").write_bytes(b"x")
    return folder


def grow(folder: Path, minutes_ago: float) -> None:
    moment = time.time() - 60 * minutes_ago
    os.utime(folder / "a.ncs", (moment, moment))
    os.utime(folder / "b.ncs", (moment - 3600, moment - 3600))


def test_an_animal_of_which_nothing_grows_is_told_of(make_library, recording):
    lookout = Lookout(make_library(stalled_minutes=30))
    going = view(status=Status.FOLLOWING, goes_on=True, source=str(recording))
    grow(recording, 29)
    assert told(lookout, going) == []
    grow(recording, 31)
    (notice,) = lookout.look([going], at_the_end=True)
    assert notice.title.startswith("No new data of M1 since ")
    assert str(recording) in notice.text
    # Taken for ended meanwhile: that is what a stalled acquisition looks like.
    ended = view(status=Status.DONE, source=str(recording))
    (again,) = lookout.look([ended], at_the_end=True)
    assert again.reason == notice.reason
    grow(recording, 0)
    assert told(lookout, ended) == []


def test_another_recording_of_the_animal_is_as_good(make_library, recording, tmp_path):
    lookout = Lookout(make_library(stalled_minutes=30))
    grow(recording, 600)
    nextone = tmp_path / "next"
    nextone.mkdir()
    for name in ("a.ncs", "b.ncs"):
        (nextone / name).write_bytes(b"x")
    ended = view(status=Status.FOLLOWING, goes_on=True, source=str(recording))
    going = view(2, status=Status.FOLLOWING, goes_on=True, source=str(nextone))
    assert told(lookout, ended, going) == []


def test_a_recording_that_never_grew_here_has_not_stalled(make_library, recording):
    lookout = Lookout(make_library(stalled_minutes=30))
    grow(recording, 600)
    assert told(lookout, view(status=Status.DONE, source=str(recording))) == []


def test_it_is_known_after_a_restart_that_it_went_on(make_library, recording):
    grow(recording, 600)
    lookout = Lookout(make_library(stalled_minutes=30))
    done = view(status=Status.DONE, source=str(recording), was="following")
    assert len(told(lookout, done)) == 1
    never = Lookout(make_library(stalled_minutes=0))
    assert told(never, done) == []


def test_a_disk_that_is_nearly_full_is_told_of_once(make_library):
    library = make_library(keep_free_gb=1e9)
    (notice,) = Lookout(library).look([], at_the_end=True)
    assert "left on a disk" in notice.title
    for folder in (library.raw, library.results, library.published):
        assert str(folder) in notice.text
    assert told(Lookout(make_library())) == []


def test_the_digest_tells_of_the_last_day(make_library, tmp_path):
    library = make_library(digest_at="12:00")
    with Ledger.open(library.database) as ledger:
        sheet = LocalSheet(ledger, actor="test")
        for _ in range(3):
            sheet.add(**RowCells(subject="M1", recording="x").cells())
        for row in (1, 2):
            run = ledger.add_run(row, f'{{"row": {row}}}', f"key {row}")
            ledger.begin_run(run.id, RunState.RUNNING)
            ledger.set_run(run.id, RunState.DONE if row == 1 else RunState.FAILED)
        now = datetime.now(UTC)
        ledger.index_results(
            ResultEntry(
                key=f"k{hours}",
                step="sleep",
                kind="result",
                session="s",
                scope="session",
                path="p",
                bytes=1,
                seconds=1.0,
                created=now - timedelta(hours=hours),
            )
            for hours in (1, 2, 30)
        )
        views = [
            view(1, Status.DONE, link=str(library.published / "r.html")),
            view(2, Status.FAILED, message="broken file"),
            view(3, Status.FOLLOWING, goes_on=True, progress="3 h analysed"),
        ]
        # The run ended just now, so the day is a made-up one that ends just after.
        tomorrow = (now + timedelta(days=1)).replace(hour=0)
        assert digest_of_the_day(make_library(), ledger, views, now) is None
        library = make_library(digest_at="00:00")
        notice = digest_of_the_day(library, ledger, views, now)
        late = digest_of_the_day(library, ledger, views, tomorrow + timedelta(days=1))
    assert notice.title.endswith("1 done, 1 need somebody")
    lines = notice.text.splitlines()
    assert lines[0] == "2 results made in the last 24 hours."
    assert "1 row done:" in lines
    assert f"{library.published / 'r.html'}" in lines
    assert "  row 2 M1: broken file" in lines
    assert "  row 3 M1: 3 h analysed" in lines
    assert any(" free" in line for line in lines)
    assert late.title.endswith("0 done, 1 need somebody")
    assert late.reason != notice.reason


def test_the_digest_waits_for_the_labs_clock(make_library):
    library = make_library(digest_at="12:00")
    with Ledger.open(library.database) as ledger:
        assert digest_of_the_day(library, ledger, [], NOON - timedelta(minutes=1)) is None
        assert digest_of_the_day(library, ledger, [], NOON).reason == "digest 2026-03-02"
