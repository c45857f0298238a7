"""How much work is ahead, and when nobody can say."""

from __future__ import annotations

import pytest

from wakeful.ledger import Ledger
from wakeful.service.time_left import TimeLeft
from wakeful.service.work import Work
from wakeful.sheet.interface import Status
from wakeful.sheet.request import Request


@pytest.fixture
def time_left(tmp_path):
    with Ledger.open(tmp_path / "x.sqlite") as ledger:
        found = TimeLeft(ledger, slots=2)
        found.begin()
        yield found


@pytest.fixture
def work(tmp_path):
    request = Request(
        subject="M1", recording=tmp_path / "rec.edf", analyses=("sleep",), params="default"
    )
    return Work(request, run_id=1)


def test_without_rows_there_is_no_backlog(time_left):
    assert time_left.backlog_s == 0.0


@pytest.mark.parametrize("status", [Status.QUEUED, Status.TRANSFERRING, Status.WAITING])
def test_a_row_that_is_not_planned_yet_is_not_told_as_no_work(time_left, work, status):
    work.status = status
    work.lacks_room = status is Status.WAITING
    time_left.note(work)
    assert time_left.backlog_s is None
    time_left.begin()  # each pass counts anew
    assert time_left.backlog_s == 0.0


@pytest.mark.parametrize("what", ["ended", "held", "growing"])
def test_a_row_that_nothing_is_to_be_made_of_now_leaves_the_backlog_known(time_left, work, what):
    if what == "ended":
        work.status = Status.DONE
    work.held, work.growing = what == "held", what == "growing"
    time_left.note(work)
    assert time_left.backlog_s == 0.0
