"""Marks as people type them: times, channels, files."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wakeful.ledger import Ledger
from wakeful.model.errors import BadMark
from wakeful.model.quality import Verdict
from wakeful.model.subject import Session, Subject
from wakeful.service.marks import (
    Markable,
    import_marks,
    make_mark,
    parse_time,
    read_marks,
    write_marks,
)
from wakeful.sheet.request import Request

SESSION = Session(
    name="s",
    subject=Subject(identifier="M1"),
    start_utc=datetime(2026, 3, 2, 8, 15, tzinfo=UTC),
    duration_s=7200.0,
    time_zone="Europe/Berlin",
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90.5", 90.5),
        ("start", 0.0),
        ("end", 7200.0),
        ("09:16:00", 60.0),
        ("2026-03-02 09:16:00", 60.0),
        ("2026-03-02T08:16:00+00:00", 60.0),
        ("2026-03-02 09:16:00.250", 60.25),
    ],
)
def test_times_are_seconds_or_the_labs_clock(text, seconds):
    assert parse_time(text, SESSION) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["nan", "yesterday", "25:00"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(BadMark):
        parse_time(text, SESSION)


def test_an_hour_that_came_twice_is_asked_for_with_its_offset():
    night = dataclasses.replace(
        SESSION, start_utc=datetime(2026, 10, 24, 22, 0, tzinfo=UTC), duration_s=20_000.0
    )
    with pytest.raises(BadMark, match=r"came twice.*offset.*02:30:00\+02:00"):
        parse_time("2026-10-25 02:30:00", night)
    first = parse_time("2026-10-25 02:30:00+02:00", night)
    assert parse_time("2026-10-25 02:30:00+01:00", night) - first == 3600.0


def test_a_session_of_several_days_wants_the_date_and_one_without_a_start_wants_seconds():
    with pytest.raises(BadMark, match="no date with time"):
        parse_time("13:00:00", dataclasses.replace(SESSION, duration_s=200_000.0))
    with pytest.raises(BadMark, match="is not known"):
        parse_time("13:00:00", dataclasses.replace(SESSION, start_utc=None))


def request(recording: str = "/data/a") -> Request:
    return Request(subject="M1", recording=Path(recording), analyses=("muscle",), params="default")


def mark(**changes):
    values = {
        "channels": ("CSC1",),
        "start": "60",
        "stop": "120",
        "verdict": Verdict.BAD,
        "reason": "cable",
        "author": "ann",
    }
    return make_mark(Markable(request(), SESSION, ("CSC1", "CSC2")), **{**values, **changes})


def test_a_mark_is_cut_to_the_session_and_belongs_to_the_recording():
    made = mark(start="-5", stop="1e9", channels=())
    assert (made.subject, made.recording) == ("M1", "/data/a")
    assert (made.mark.start_s, made.mark.stop_s) == (0.0, 7200.0)


def test_everything_wrong_is_said_at_once():
    with pytest.raises(BadMark) as caught:
        mark(channels=("CSC1", "CSC9"), start="60", stop="60", reason=" ")
    text = str(caught.value)
    assert "no channel CSC9 (it has CSC1, CSC2)" in text
    assert "would end (60) before it begins (60)" in text
    assert "the reason is empty" in text
    with pytest.raises(BadMark, match="outside the session"):
        mark(start="7200", stop="9000")


def test_a_file_brings_back_what_was_written_once(tmp_path):
    given = [
        mark(),
        mark(channels=("CSC1", "CSC2"), start="60.123456789", reason='=1+1, "quoted"'),
        mark(channels=(), verdict=Verdict.GOOD),
    ]
    with Ledger.open(tmp_path / "a.db") as ledger:
        written = ledger.add_marks(given, actor="ann")
        write_marks(tmp_path / "m.csv", written)
    assert "'=1+1" in (tmp_path / "m.csv").read_text()
    with Ledger.open(tmp_path / "b.db") as other:
        assert import_marks(other, tmp_path / "m.csv", "bob") == (3, 0)
        assert [m.mark for m in other.marks()] == [c.mark for c in given]
        assert import_marks(other, tmp_path / "m.csv", "bob") == (0, 3)


def test_a_bad_file_adds_nothing_and_names_its_lines(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text(
        "subject,recording,start_s,stop_s,verdict,reason\n"
        "M1,/a,0,10,bad,fine\nM1,/a,x,10,bad,r\nM1,/a,0,10,ugly,r\nM1,/a,0,10,bad,\n"
    )
    with pytest.raises(BadMark) as caught:
        read_marks(path, "ann")
    text = str(caught.value)
    assert "line 2" not in text
    assert all(f"line {n}" in text for n in (3, 4, 5))
    path.write_text("a,b\n1,2\n")
    with pytest.raises(BadMark, match="lacks the columns subject"):
        read_marks(path, "ann")
