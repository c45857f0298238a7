"""A watched file of rows: when it is read, and where statuses go."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

from wakeful.model.errors import BadRow
from wakeful.sheet import Status, StatusUpdate
from wakeful.sheet.inbox import InboxFile


def _save(path: Path, *subjects: str, page: str = "rows", **pages: list[list[str]]) -> None:
    book = Workbook()
    book.active.title = page
    book.active.append(["subject", "recording", "run", "notes"])
    for subject in subjects:
        book.active.append([subject, "day1", True, ""])
    for title, lines in pages.items():
        extra = book.create_sheet(title)
        for line in lines:
            extra.append(line)
    book.save(path)


def _show(sheet: InboxFile, status: Status = Status.QUEUED) -> None:
    rows = sheet.read_rows()
    sheet.write_statuses([StatusUpdate(identifier=r.identifier, status=status) for r in rows])


def test_the_file_itself_is_never_written(tmp_path: Path) -> None:
    path = tmp_path / "mice.xlsx"
    _save(path, "M1", "M2")
    before = (path.stat().st_mtime_ns, path.read_bytes())
    sheet = InboxFile(path, settled_s=0.0)
    _show(sheet)
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before
    page = load_workbook(tmp_path / "mice.status.xlsx").worksheets[0]
    header, first, second = page.iter_rows(values_only=True)
    assert (first[header.index("subject")], first[header.index("status")]) == ("M1", "queued")
    assert second[header.index("subject")] == "M2"


def test_statuses_wait_while_their_file_is_open(tmp_path: Path) -> None:
    path = tmp_path / "mice.xlsx"
    _save(path, "M1")
    sheet = InboxFile(path, settled_s=0.0)
    for lock in ("~$mice.status.xlsx", ".~lock.mice.status.xlsx#"):
        (tmp_path / lock).touch()
        _show(sheet)
        assert not sheet.status_path.exists()
        (tmp_path / lock).unlink()
    _show(sheet)
    assert sheet.status_path.exists()


def test_a_file_saved_just_now_is_read_when_it_has_settled(tmp_path: Path) -> None:
    path = tmp_path / "mice.csv"
    path.write_text("subject,recording,run\nM1,day1,yes\n")
    sheet = InboxFile(path, settled_s=5.0)
    assert [r.subject for r in sheet.read_rows()] == ["M1"]
    path.write_text("subject,recording,run\nM1,day1,yes\nM2,da")
    assert [r.subject for r in sheet.read_rows()] == ["M1"]
    old = time.time() - 10
    os.utime(path, (old, old))
    assert [r.subject for r in sheet.read_rows()] == ["M1", "M2"]


def test_a_file_that_is_gone_or_damaged_says_so(tmp_path: Path) -> None:
    path = tmp_path / "mice.xlsx"
    sheet = InboxFile(path, settled_s=0.0)
    with pytest.raises(BadRow, match=r"put it back, or correct `files` under \[inbox\]"):
        sheet.read_rows()
    path.write_bytes(b"PK\x03\x04 half of a workbook")
    with pytest.raises(BadRow, match="not a workbook"):
        sheet.read_rows()
    path.write_bytes(b"")
    with pytest.raises(BadRow, match="empty"):
        sheet.read_rows()


def test_lines_are_numbered_as_programs_show_them(tmp_path: Path) -> None:
    path = tmp_path / "mice.csv"
    path.write_text('subject;recording;run;notes\n\nM1;day1;x;"two\nlines"\n;;;\nM2;day1;x;\n')
    rows = InboxFile(path, settled_s=0.0).read_rows()
    assert [(r.where, r.subject) for r in rows] == [("line 3", "M1"), ("line 6", "M2")]


def test_a_line_that_names_the_separator_counts(tmp_path: Path) -> None:
    path = tmp_path / "mice.csv"
    path.write_text("sep=;\nsubject;recording;run\nM1;day1;x\n")
    (row,) = InboxFile(path, settled_s=0.0).read_rows()
    assert row.where == "line 3"


def test_other_worksheets_are_tabs_and_their_faults_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "mice.xlsx"
    _save(path, "M1", page="Recordings", subjects=[["subject", "sex"], ["M1", "F"]])
    sheet = InboxFile(path, settled_s=0.0)
    sheet.read_rows()
    tab = sheet.read_tables().subjects
    assert tab is not None
    assert tab.lines == ((2, ("M1", "F")),)
    sheet.write_table_messages({"Subjects": {2: "birth is missing"}})
    _show(sheet)
    notes = load_workbook(sheet.status_path)["notes"]
    assert list(notes.iter_rows(values_only=True))[1] == ("Subjects", 2, "birth is missing")


def test_formulas_stand_as_they_are_for_the_check_to_refuse(tmp_path: Path) -> None:
    book = Workbook()
    book.active.append(["subject", "recording", "run"])
    book.active.append(["=A1", "day1", True])
    book.save(tmp_path / "mice.xlsx")
    (row,) = InboxFile(tmp_path / "mice.xlsx", settled_s=0.0).read_rows()
    assert row.subject == "=A1"
