"""What the service says into a row, and when it looks at one again."""

from __future__ import annotations

import os
import time

import pytest

from wakeful.io.mirror import Manifest
from wakeful.service import work as work_module
from wakeful.service.work import (
    LOOK_AGAIN_S,
    Work,
    make_idle_update,
    make_update,
    name_source,
    say_how_far,
    signature_of,
    summarise,
)
from wakeful.sheet.interface import SheetRow, Status
from wakeful.sheet.request import Request


@pytest.fixture
def work(tmp_path):
    source = tmp_path / "rec.edf"
    source.write_bytes(b"x")
    request = Request(subject="M1", recording=source, analyses=("sleep",), params="default")
    return Work(request, run_id=1)


def later(work: Work, seconds: float) -> None:
    work.looked -= seconds


def test_a_row_that_has_ended_is_looked_at_again_when_its_files_change(work):
    work.manifest = Manifest("a", "b", True, ())
    work.end(Status.DONE, "")
    later(work, 2 * LOOK_AGAIN_S)
    assert not work.wants_another_look()
    work.request.recording.write_bytes(b"xy")
    assert not work.wants_another_look()  # looked at a moment ago
    later(work, 2 * LOOK_AGAIN_S)
    assert work.wants_another_look()
    work.start_over()
    assert work.status is Status.QUEUED
    assert work.plan is None


def test_a_source_that_is_gone_changes_nothing(work):
    work.manifest = Manifest("a", "b", False, ())
    work.end(Status.DONE, "")
    work.request.recording.unlink()
    later(work, 2 * LOOK_AGAIN_S)
    assert signature_of(work.request) is None
    assert not work.wants_another_look()


def test_a_copy_that_failed_is_tried_again_after_growing_pauses(work):
    work.end(Status.NEEDS_ATTENTION, "the disk is full")
    assert not work.wants_another_look()
    later(work, LOOK_AGAIN_S + 1)
    assert work.wants_another_look()
    first = work.pause_s
    work.end(Status.NEEDS_ATTENTION, "the disk is full")
    later(work, first + 1)
    assert work.wants_another_look()
    assert work.pause_s > first


def test_a_changed_channels_file_is_noticed(work, tmp_path):
    channels = tmp_path / "channels.csv"
    channels.write_text("channel\n")
    request = Request(
        subject="M1",
        recording=work.request.recording,
        analyses=("sleep",),
        params="default",
        channels=channels,
    )
    before = signature_of(request)
    os.utime(channels, (time.time() - 100, time.time() - 100))
    assert signature_of(request) != before


def test_times_and_link_of_the_run_that_made_it_stay(work):
    row = SheetRow(identifier="1", number=1, started="then", finished="later", link="report")
    work.end(Status.DONE, "")
    shown = make_update(row, work, lambda moment: "now")
    assert (shown.started, shown.finished) == ("then", "later")
    work.made = 1
    assert make_update(row, work, lambda moment: "now").finished == "now"
    assert make_idle_update(row, None).link == ""
    from wakeful.sheet.validate import CheckedRow

    idle = make_idle_update(row, CheckedRow(row=row, request=work.request, error=None))
    assert (idle.status, idle.link) == (Status.WAITING, "report")


def test_messages_speak_of_the_source_not_of_the_mirror():
    folder = Manifest("/data/M1", "/lib/raw/M1-ab/data", False, ())
    assert name_source("/lib/raw/M1-ab/data/a.ncs: bad", folder) == "/data/M1/a.ncs: bad"
    assert name_source("x", None) == "x"


def test_one_reason_is_said_once():
    text = summarise(
        [f"spectrogram, block {i}: no channel lies in the brain" for i in range(5)] + ["other"]
    )
    assert text == (
        "spectrogram, block 0: no channel lies in the brain (and 4 more like it) | other"
    )


def test_files_that_do_not_change_are_looked_at_ever_more_rarely(work, monkeypatch):
    looks = []
    real = work_module.signature_of
    monkeypatch.setattr(
        work_module, "signature_of", lambda request: (looks.append(1), real(request))[1]
    )
    work.end(Status.DONE, "")
    looks.clear()
    for _ in range(400):
        later(work, 10.0)
        assert not work.wants_another_look()
    # Every 160 s in the end: 4,000 s would be 400 looks at one every 10 s.
    assert 20 <= len(looks) <= 32


@pytest.mark.parametrize(
    ("closed_s", "summed_s", "block_s", "text"),
    [
        (0, 0, 3600, "the first 1 h 00 min is not complete yet"),
        (0, 0, 120, "the first 2 min is not complete yet"),
        (7200, 4800, 1200, "2 h 00 min analysed, 1 h 20 min in the report"),
        (240, 0, 120, "4 min analysed, nothing in the report"),
        (93_600, 61_200, 3600, "26 h 00 min analysed, 17 h 00 min in the report"),
    ],
)
def test_how_far_it_has_come_is_said_in_hours_and_minutes(closed_s, summed_s, block_s, text):
    assert say_how_far(closed_s, summed_s, block_s) == text


def test_what_changed_while_it_was_computed_is_found_afterwards(work):
    work.manifest = Manifest("a", "b", True, ())
    work.taken_in = signature_of(work.request)
    work.request.recording.write_bytes(b"xy")  # while its jobs run
    work.end(Status.DONE, "")
    later(work, 2 * LOOK_AGAIN_S)
    assert work.wants_another_look()
    work.start_over()
    assert work.taken_in is None
