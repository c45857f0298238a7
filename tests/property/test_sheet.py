"""Whatever anybody types: an answer, never a crash, and nothing lost."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wakeful.ledger import Ledger, RowCells, RowStatus
from wakeful.ledger.schema import CELL_COLUMNS, STATUS_COLUMNS
from wakeful.model.errors import BadRow
from wakeful.sheet import (
    BadCells,
    LocalSheet,
    Request,
    SheetRow,
    StatusUpdate,
    ValidationContext,
    import_csv,
    natural_key,
    read_csv,
    read_xlsx,
    validate,
    validate_rows,
    write_csv,
    write_xlsx,
)
from wakeful.sheet.csv_file import guard, unguard

QUICK = settings(deadline=None, max_examples=30)

ANY_TEXT = st.text(st.characters(categories=None), max_size=12)
"""Every code point there is, halves of surrogate pairs and controls among them."""

NASTY = st.sampled_from(
    (
        *(
            "",
            " ",
            ".",
            "..",
            "/",
            "~",
            "\\\\x",
            "C:\\",
            "=1",
            "'=1",
            "-1",
            "+",
            "@",
            "1",
            "0.0",
            "TRUE",
        ),
        *("day1", "M014", "sleep", "sleep,,;x", "default", "con.x", "a://b", '"', '""', "\ufeff"),
        *("\0", "x" * 300, "../" * 30, "é", "e\u0301", "\ud800", "\n", "\r\n"),
        *("１", "#REF!"),
    )
)
CELL = st.one_of(ANY_TEXT, NASTY, st.tuples(NASTY, ANY_TEXT).map("".join))
ROW = st.builds(
    SheetRow,
    identifier=st.just("14"),
    number=st.just(14),
    **dict.fromkeys(CELL_COLUMNS, CELL),
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
"""What a database and a file can hold."""


@pytest.fixture(scope="module")
def context() -> Iterator[ValidationContext]:
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder).resolve()
        (base / "day1").mkdir()
        (base / "day1" / "a.ncs").write_bytes(b"x")
        yield ValidationContext(
            analyses={"sleep": "Sleep states", "x": "X"},
            params=("default", "long"),
            base=base,
            roots=(base,),
            results=(base / "results",),
        )


@settings(deadline=None, max_examples=400)
@given(row=ROW)
@example(row=SheetRow(identifier="14", number=14, subject="M014", recording="day1"))
@example(row=SheetRow(identifier="14", number=14, subject="M014", recording="../" * 1332 + "x"))
@example(row=SheetRow(identifier="14", number=14, subject="M014", recording="../" * 2000))
@example(row=SheetRow(identifier="14", number=14, subject="M014", recording="day1/" * 1000))
@example(row=SheetRow(identifier="14", number=14, subject="M014", channels=("x" * 200 + "/") * 19))
def test_any_text_gives_a_request_or_one_error(context: ValidationContext, row: SheetRow) -> None:
    try:
        request = validate(row, context)
    except BadRow as error:
        message = str(error)
        assert message.startswith("row 14: ")
        message.encode()
        assert "\n" not in message
        return
    # What is let through is safe as the name of a folder and in a file.
    assert Path(request.subject).name == request.subject
    assert request.subject.isascii()
    assert request.recording.is_relative_to(context.base)
    assert set(request.analyses) <= set(context.analyses)
    assert request.analyses
    assert request.rerun >= 0
    assert Request.from_json(request.to_json()) == request
    request.to_json().encode()


@QUICK
@given(column=st.sampled_from(CELL_COLUMNS), text=CELL)
def test_one_odd_cell_blames_no_other(context: ValidationContext, column: str, text: str) -> None:
    good = SheetRow(identifier="14", number=14, subject="M014", recording="day1")
    try:
        validate(replace(good, **{column: text}), context)
        blamed = {column}
    except BadCells as error:
        blamed = {problem.column for problem in error.problems}
    assert blamed == {column}


@QUICK
@given(rows=st.lists(ROW, max_size=6), spare=st.sampled_from(["", "1", " 0", "2.0"]))
def test_every_row_is_answered_and_no_key_twice(
    context: ValidationContext, rows: list[SheetRow], spare: str
) -> None:
    good = SheetRow(identifier="", number=0, subject="M014", recording="day1", rerun=spare)
    numbered = [
        replace(row, identifier=str(n), number=n) for n, row in enumerate([good, *rows, good], 1)
    ]
    checked = validate_rows(numbered, context)
    assert [c.row for c in checked] == [row for row in numbered if not row.is_blank]
    assert all((c.request is None) != (c.error is None) for c in checked)
    keys = [natural_key(c.request) for c in checked if c.request is not None]
    assert len(set(keys)) == len(keys)
    assert f"the same as row {checked[0].row.number} " in str(checked[-1].error)


@settings(deadline=None, max_examples=300)
@given(text=st.one_of(TEXT, st.text("'=+-@\t\r\nx", max_size=6)))
def test_a_guarded_cell_is_no_formula_and_comes_back(text: str) -> None:
    assert not guard(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert unguard(guard(text)) == text


@QUICK
@given(
    rows=st.lists(
        st.builds(
            SheetRow,
            identifier=st.just(""),
            number=st.just(0),
            **dict.fromkeys([*CELL_COLUMNS, *STATUS_COLUMNS], st.one_of(TEXT, st.just("'=1"))),
        ).filter(lambda row: not row.is_blank),
        max_size=4,
    )
)
def test_csv_round_trip(rows: list[SheetRow]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.csv")
        write_csv(path, rows)
        back = read_csv(path).rows
        assert [row.cells() for row in back] == [row.cells() for row in rows]
        with Ledger.open(Path(folder, "w.db")) as ledger:
            sheet = LocalSheet(ledger, actor="anna")
            import_csv(path, sheet)
            assert [row.cells() for row in sheet.read_rows()] == [row.cells() for row in rows]


@QUICK
@given(
    rows=st.lists(
        st.builds(
            SheetRow,
            identifier=st.just(""),
            number=st.just(0),
            **dict.fromkeys(
                [*CELL_COLUMNS, *STATUS_COLUMNS],
                st.one_of(
                    TEXT, st.sampled_from(("=1", "1", "1.0", "#REF!", "_x0041_", "\r", " x"))
                ),
            ),
        ).filter(lambda row: not row.is_blank),
        max_size=4,
    )
)
def test_xlsx_round_trip(rows: list[SheetRow]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.xlsx")
        write_xlsx(path, rows)
        back = read_xlsx(path).rows
        assert [row.cells() for row in back] == [row.cells() for row in rows]


@settings(deadline=None, max_examples=60)
@given(where=st.floats(0, 1, exclude_max=True), put=st.binary(min_size=1, max_size=40))
def test_any_workbook_is_read_or_refused(where: float, put: bytes) -> None:
    row = SheetRow(identifier="", number=0, subject="M014", recording="day1")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.xlsx")
        write_xlsx(path, [row])
        content = path.read_bytes()
        at = int(where * len(content))
        path.write_bytes(content[:at] + put + content[at + len(put) :])
        try:
            table = read_xlsx(path)
        except BadRow as error:
            assert str(path) in str(error)  # noqa: PT017 -- where nothing is raised, nothing is lost
            return
        assert [r.subject for r in table.rows] in (["M014"], [])


@settings(deadline=None, max_examples=300)
@given(content=st.one_of(st.binary(max_size=80), st.text(",;\t\"'\r\n ax=", max_size=40)))
def test_any_file_is_read_or_refused(content: bytes | str) -> None:
    raw = content if isinstance(content, bytes) else f"subject,recording\n{content}".encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.csv")
        path.write_bytes(raw)
        try:
            table = read_csv(path)
        except BadRow:
            return
        lines = raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        assert all(2 <= row.number <= len(lines) for row in table.rows)


@QUICK
@given(
    passes=st.lists(st.lists(st.sampled_from(["queued", "running", ""]), min_size=3, max_size=3))
)
def test_only_differences_are_written(passes: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder, "w.db")) as ledger:
        ledger.add_rows([RowCells(subject=s) for s in "abc"], actor="anna")
        sheet = LocalSheet(ledger, actor="anna")
        shown = ["", "", ""]
        for statuses in passes:
            n_differ = sum(a != b for a, b in zip(shown, statuses, strict=True))
            wanted = {i: RowStatus(status=s) for i, s in enumerate(statuses, start=1)}
            assert ledger.write_statuses(wanted) == n_differ
            sheet.write_statuses(
                [StatusUpdate(identifier=str(i), status=s) for i, s in enumerate(statuses, start=1)]
            )
            shown = [row.status for row in sheet.read_rows()]
            assert shown == statuses
        assert len(ledger.audit()) == 3
