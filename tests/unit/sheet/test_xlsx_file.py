"""Workbooks in and out: the text a person sees, never a formula, and nothing half done."""

from __future__ import annotations

import pickle
import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from wakeful.ledger import Ledger
from wakeful.model.errors import BadRow
from wakeful.sheet import (
    LocalSheet,
    SheetRow,
    ValidationContext,
    import_xlsx,
    read_rows_file,
    read_xlsx,
    write_rows_file,
    write_xlsx,
)

HEADER = ("subject", "recording", "notes")


def _save(folder: Path, *lines: tuple[Any, ...], formats: dict[str, str] | None = None) -> Path:
    book = Workbook()
    page = book.active
    for line in lines:
        page.append(line)
    for place, shown_as in (formats or {}).items():
        page[place].number_format = shown_as
    path = folder / "rows.xlsx"
    book.save(path)
    return path


@pytest.mark.parametrize(
    ("value", "shown_as", "text"),
    [
        (14, "General", "14"),
        (1.0, "General", "1"),
        (14, "000", "014"),
        (-7, "000", "-007"),
        (0.1 + 0.2, "General", "0.3"),
        (1.5, "0.00", "1.50"),
        (0.125, "0.0%", "12.5%"),
        (0.5, "0%", "50%"),
        (-5, "General", "-5"),
        (True, "General", "TRUE"),
        (False, "General", "FALSE"),
        (date(2026, 3, 2), "dd.mm.yyyy", "2026-03-02"),
        (datetime(2026, 3, 2, 14, 30), "General", "2026-03-02 14:30:00"),  # noqa: DTZ001
        (datetime(2026, 3, 2, 14, 29, 59, 999_900), "General", "2026-03-02 14:30:00"),  # noqa: DTZ001
        (time(7, 5), "hh:mm", "07:05:00"),
        (timedelta(hours=26, minutes=5), "[h]:mm:ss", "26:05:00"),
        (" as typed ", "General", " as typed "),
        ("#N/A", "General", "#N/A"),
    ],
)
def test_a_cell_is_the_text_a_person_sees(
    tmp_path: Path, value: Any, shown_as: str, text: str
) -> None:
    formats = {} if shown_as == "General" else {"C2": shown_as}
    path = _save(tmp_path, HEADER, ("M014", "day1", value), formats=formats)
    assert [row.notes for row in read_xlsx(path).rows] == [text]


def test_headers_are_recognised_and_lines_counted_as_seen(tmp_path: Path) -> None:
    path = _save(
        tmp_path,
        (),
        ("Parameter-Set", " RECORDING ", "Cage", None, "SUBJECT", "status"),
        ("default", "day1", 7, None, "M014", "done"),
        (None, None, "only here", None, None, None),
        (),
        (None, "day2", None, "beside", "M015", "=1+1", "far"),
    )
    table = read_xlsx(path)
    assert table.rows == (
        SheetRow(
            identifier="3",
            number=3,
            counted_as="line",
            subject="M014",
            recording="day1",
            params="default",
        ),
        SheetRow(identifier="6", number=6, counted_as="line", subject="M015", recording="day2"),
    )
    assert table.unknown_columns == ("Cage", "column D", "column G")
    assert table.worksheet == "Sheet"


def test_every_bad_line_is_named(tmp_path: Path) -> None:
    path = _save(
        tmp_path,
        HEADER,
        ("M014", "day1", '=HYPERLINK("x")'),
        ("M015", "day2", "fine"),
        ("=A2", 1e15, "x"),
    )
    with pytest.raises(BadRow) as caught:
        read_xlsx(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: 2 bad lines, nothing was imported\nline 2: notes: ")
    assert '"=HYPERLINK(\\"x\\")" is a formula' in message.replace('"x"', '\\"x\\"')
    assert (
        '\nline 4: subject: "=A2" is a formula; type what it shows instead | recording: 1e+15 is'
        in (message)
    )
    assert str(pickle.loads(pickle.dumps(caught.value))) == message


def test_a_worksheet_is_chosen_by_its_header(tmp_path: Path) -> None:
    book = Workbook()
    book.active.append(["what", "this", "is"])
    rows = book.create_sheet("2026")
    rows.append(["subject", "recording"])
    rows.append(["M014", "day1"])
    hidden = book.create_sheet("old")
    hidden.append(["subject", "recording"])
    hidden.append(["M001", "day0"])
    hidden.sheet_state = "hidden"
    path = tmp_path / "rows.xlsx"
    book.save(path)
    table = read_xlsx(path)
    assert (table.worksheet, [r.subject for r in table.rows]) == ("2026", ["M014"])
    hidden.sheet_state = "visible"
    book.save(path)
    with pytest.raises(BadRow, match='2 worksheets hold rows: "2026", "old"; keep one'):
        read_xlsx(path)


def test_what_is_no_workbook_is_refused_in_plain_words(tmp_path: Path) -> None:
    path = tmp_path / "rows.xlsx"
    for content, said in (
        (b"", "the file is empty; begin with a line of column names"),
        (b"subject,recording\n", "the file is not a workbook; save it as an Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "old .xls, or locked by a password"),
    ):
        path.write_bytes(content)
        with pytest.raises(BadRow, match=said):
            read_xlsx(path)
    with pytest.raises(BadRow, match="can't be read"):
        read_xlsx(tmp_path / "nowhere.xlsx")
    with pytest.raises(BadRow, match=r'column subject is missing .did you mean it by "subjct"'):
        read_xlsx(_save(tmp_path, ("subjct", "recording"), ("M014", "x")))
    with pytest.raises(BadRow, match="worksheet is empty"):
        read_xlsx(_save(tmp_path))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("[Content_Types].xml", "")
        bomb.writestr("xl/worksheets/sheet1.xml", b" " * (257 << 20))
    with pytest.raises(BadRow, match="unpacks to 269 MB"):
        read_xlsx(path)


def test_what_is_written_is_text_to_every_program(tmp_path: Path) -> None:
    path = tmp_path / "out.xlsx"
    row = SheetRow(
        identifier="1", number=1, subject="1E5", recording="=1+1", status="done", message="m" * 9000
    )
    write_xlsx(path, [row])
    page = load_workbook(path).active
    assert [cell.value for cell in page[1]][:3] == ["subject", "recording", "analyses"]
    assert [cell.value for cell in page[2]][:2] == ["1E5", "=1+1"]
    assert {cell.data_type for cell in page[2] if cell.value is not None} == {"s"}
    assert {cell.number_format for cell in page[2]} == {"@"}
    assert page.freeze_panes == "A2"
    assert page["P2"].value.endswith("m…")
    assert read_xlsx(path).rows[0].recording == "=1+1"
    with pytest.raises(BadRow, match="row 1: notes has 40,000 characters; a workbook takes 32,767"):
        write_xlsx(path, [SheetRow(identifier="1", number=1, notes="x" * 40_000)])
    with pytest.raises(BadRow, match="row 1: notes holds what is not text"):
        write_xlsx(path, [SheetRow(identifier="1", number=1, notes="\ud800")])
    assert [p.name for p in tmp_path.iterdir()] == ["out.xlsx"]


def test_import_adds_all_rows_or_none(tmp_path: Path) -> None:
    context = ValidationContext(analyses={"sleep": "Sleep"}, base=tmp_path)
    (tmp_path / "day1").mkdir()
    (tmp_path / "day1" / "a.ncs").write_bytes(b"x")
    with Ledger.open(tmp_path / "w.db") as ledger:
        sheet = LocalSheet(ledger, actor="anna")
        path = _save(tmp_path, HEADER, ("M014", "day1", ""), ("M 15", "day1", ""))
        with pytest.raises(
            BadRow, match='1 bad line, nothing was imported\nline 3: subject: "M 15"'
        ):
            import_xlsx(path, sheet, context)
        assert sheet.read_rows() == ()
        assert [row.subject for row in import_xlsx(path, sheet).added] == ["M014", "M 15"]


def test_the_ending_says_what_a_file_is(tmp_path: Path) -> None:
    rows = [SheetRow(identifier="1", number=1, subject="M014", recording="day1")]
    for name in ("rows.csv", "rows.XLSX"):
        write_rows_file(tmp_path / name, rows)
        assert [row.subject for row in read_rows_file(tmp_path / name).rows] == ["M014"]
    with pytest.raises(BadRow, match=r"ends in .ods holds no rows; use a .csv or an .xlsx"):
        read_rows_file(tmp_path / "rows.ods")
    with pytest.raises(BadRow, match="ends in nothing"):
        write_rows_file(tmp_path / "rows", rows)
