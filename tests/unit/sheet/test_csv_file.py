"""CSV in and out: every dialect a spreadsheet writes, and nothing half done."""

from __future__ import annotations

from pathlib import Path

import pytest

from wakeful.ledger import Ledger, RowStatus
from wakeful.model.errors import BadRow
from wakeful.sheet import (
    LocalSheet,
    SheetRow,
    ValidationContext,
    import_csv,
    read_csv,
    write_csv,
)
from wakeful.sheet.csv_file import guard, unguard


def _write(folder: Path, content: str | bytes) -> Path:
    path = folder / "rows.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_dialects(tmp_path: Path, bom: bytes, separator: str, end: str) -> None:
    lines = [
        separator.join(["Subject", " RECORDING ", "Parameter-Set", "notes"]),
        separator.join(["M014", '"day, 1; über"', "default", '"two\nlines and ""quotes"""']),
        "",
        separator * 3,
        separator.join(["M015", "day2"]),
    ]
    table = read_csv(_write(tmp_path, bom + end.join(lines).encode()))
    first, second = table.rows
    assert (first.subject, first.recording, first.params) == ("M014", "day, 1; über", "default")
    assert first.notes == 'two\nlines and "quotes"'
    assert (second.subject, second.recording, second.params) == ("M015", "day2", "")
    assert table.separator == separator
    assert table.unknown_columns == ()
    assert first.number == 2
    assert second.number == 6


def test_a_spreadsheet_may_say_its_separator(tmp_path: Path) -> None:
    table = read_csv(_write(tmp_path, "sep=;\r\nsubject;recording\r\nM014;a,b\r\n"))
    assert [(r.number, r.recording) for r in table.rows] == [(3, "a,b")]
    with pytest.raises(BadRow, match="use , or ; or tab"):
        read_csv(_write(tmp_path, "sep=|\r\nsubject|recording\r\n"))


def test_unknown_columns_are_reported_and_not_read(tmp_path: Path) -> None:
    path = _write(tmp_path, "subject,Cage,recording,status,,colour\nM014,7,day1,done,,grey\n")
    table = read_csv(path)
    assert table.unknown_columns == ("Cage", "colour")
    assert table.rows == (
        SheetRow(identifier="2", number=2, counted_as="line", subject="M014", recording="day1"),
    )


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("", ["the file is empty; begin with a line of column names: subject, recording"]),
        (
            "subjct,recording\nM014,x\n",
            ["header: column subject is missing", '(did you mean it by "subjct"?)', "begin with"],
        ),
        ("M014,x\n", ["column subject is missing | column recording is missing"]),
        ("subject,recording,SUBJECT\n", ["column subject is there 2 times; keep one"]),
        (
            "subject,recording\na,b\nM014,x,y\nM015,x\nM016,x,,z\n",
            ["2 bad lines, nothing was imported", "\nline 3: has 3 cells under 2", "\nline 5: has"],
        ),
        (
            'subject,recording\nM014,x\nM015,"open\nM016,x\n',
            ["1 bad line, nothing", "line 3: unexpected end of data; check its quotation marks"],
        ),
        ('subject,recording\nM014,"a"b\n', ["line 2: ", "check its quotation marks"]),
        ("subject,recording\nM014," + "x" * 140_000, ["line 2: field larger than field limit"]),
        (
            b"subject,recording\nM014,x\nM\xfc14,y\n",
            ["line 3 holds a character that is not UTF-8; save it as CSV UTF-8"],
        ),
        ("subject,recording\n".encode("utf-16"), ["UTF-16 text, not UTF-8; save it as CSV UTF-8"]),
        (b"PK\x03\x04...", ["is a workbook, not a CSV file; save it as CSV UTF-8"]),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, content: str | bytes, parts: list[str]) -> None:
    path = _write(tmp_path, content)
    with pytest.raises(BadRow) as caught:
        read_csv(path)
    assert str(caught.value).startswith(str(path))
    for part in parts:
        assert part in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadRow, match=r"can't be read \(No such file or directory\)"):
        read_csv(tmp_path / "rows.csv")


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("＝1", "'＝1"),
        ("'=1", "''=1"),
        ("''=1", "'''=1"),
        ("'quoted'", "'quoted'"),
        ("M014", "M014"),
        ("a=b", "a=b"),
        ("'", "'"),
        ("", ""),
    ],
)
def test_formulas_are_guarded_and_come_back(cell: str, written: str) -> None:
    assert guard(cell) == written
    assert unguard(written) == cell


def test_the_file_that_is_written(tmp_path: Path) -> None:
    row = SheetRow(
        identifier="1",
        number=1,
        subject="M014",
        recording='a "b", c',
        notes="=1",
        **RowStatus(status="failed", message="-x").status_cells(),
    )
    path = tmp_path / "out.csv"
    path.write_text("old")
    write_csv(path, [row])
    header, line, rest = path.read_bytes().split(b"\r\n")
    assert rest == b""
    assert header.startswith(b'\xef\xbb\xbf"subject","recording","analyses","params"')
    assert line == (b'"M014","a ""b"", c","","","","","","","","\'=1","failed","","","","","\'-x"')
    assert read_csv(path).rows == (
        SheetRow(
            identifier="2",
            number=2,
            counted_as="line",
            subject="M014",
            recording='a "b", c',
            notes="=1",
        ),
    )
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]


def test_what_is_not_text_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with pytest.raises(BadRow, match="what is not text"):
        write_csv(path, [SheetRow(identifier="1", number=1, notes="\ud800")])
    assert not path.exists()


def test_an_import_is_all_or_nothing(tmp_path: Path) -> None:
    (tmp_path / "day1").mkdir()
    (tmp_path / "day1" / "a.ncs").write_bytes(b"x")
    context = ValidationContext(analyses={"sleep": "Sleep states"}, base=tmp_path)
    with Ledger.open(tmp_path / "w.db") as ledger:
        sheet = LocalSheet(ledger, actor="anna")
        sheet.add(subject="M001", recording="day1")
        bad = _write(
            tmp_path,
            "subject,recording,rerun,analyses\n"
            "M014,day1,,sleep\n"
            "M001,day1,,\n"
            "../x,day1,,\n"
            "M015,nowhere,,sleeep\n"
            "M014,./day1,0,\n",
        )
        with pytest.raises(BadRow) as caught:
            import_csv(bad, sheet, context)
        lines = str(caught.value).splitlines()
        assert lines[0] == f"{bad}: 4 bad lines, nothing was imported"
        assert lines[1].startswith("line 3: asks for the same as row 1 (")
        assert lines[2].startswith('line 4: subject: "../x" is a path')
        assert lines[3].startswith('line 5: recording: "nowhere" is not there')
        assert 'analyses: "sleeep" is not known; did you mean "sleep"?' in lines[3]
        assert lines[4].startswith("line 6: asks for the same as line 2 (")
        assert len(sheet.read_rows()) == 1

        good = _write(tmp_path, "subject;recording;cage\nM014 ;day1;7\nM015;day1;8\n")
        done = import_csv(good, sheet, context)
        assert [(r.number, r.subject) for r in done.added] == [(2, "M014 "), (3, "M015")]
        assert done.unknown_columns == ("cage",)
        assert done.notices == ("line 2: subject: ignored a space after it",)
        with pytest.raises(BadRow, match="2 bad lines"):
            import_csv(good, sheet, context)
        assert len(import_csv(good, sheet).added) == 2
