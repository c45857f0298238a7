"""The local sheet and the columns; several processes at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wakeful.ledger import EditConflict, Ledger, UnknownRecord
from wakeful.ledger.schema import CELL_COLUMNS, STATUS_COLUMNS
from wakeful.model.errors import BadRow
from wakeful.sheet import COLUMNS, FILLED_COLUMNS, TYPED_COLUMNS, LocalSheet, Status


def test_the_columns_are_those_of_the_database_each_with_help() -> None:
    assert tuple(c.name for c in TYPED_COLUMNS) == CELL_COLUMNS
    assert tuple(c.name for c in FILLED_COLUMNS) == STATUS_COLUMNS
    assert COLUMNS == TYPED_COLUMNS + FILLED_COLUMNS
    for column in COLUMNS:
        assert column.help.endswith(".")
        assert 10 < len(column.help) <= 90
        assert "\n" not in column.help


def test_every_status_is_explained() -> None:
    assert all(status.help.endswith(".") for status in Status)
    assert f"{Status.DONE_WITH_WARNINGS}" == "done with warnings"


def test_add_edit_delete_restore(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "w.db") as ledger:
        sheet = LocalSheet(ledger, actor="anna")
        row = sheet.add(subject="M014", recording="day1", notes=" as typed ")
        assert (row.identifier, row.number, row.notes) == ("1", 1, " as typed ")
        assert sheet.edit(1, "analyses", "sleep").analyses == "sleep"
        with pytest.raises(EditConflict):
            sheet.edit(1, "analyses", "spectrogram", expected="")
        with pytest.raises(BadRow, match="message can't be edited; edit one of subject, "):
            sheet.edit(1, "message", "all fine")
        sheet.delete(1)
        assert sheet.read_rows() == ()
        with pytest.raises(UnknownRecord):
            sheet.edit(1, "notes", "x")
        assert sheet.restore(1).analyses == "sleep"
        assert {e.actor for e in ledger.audit()} == {"anna"}


_EDIT = """
import sys
from wakeful.ledger import Ledger, RowStatus
from wakeful.sheet import LocalSheet
path, me, column = sys.argv[1:]
with Ledger.open(path) as ledger:
    sheet = LocalSheet(ledger, actor=me)
    print("ready", flush=True)
    sys.stdin.readline()
    for i in range(60):
        sheet.add(subject=me, recording=str(i))
        sheet.edit(1, column, f"{me} {i}")
        ledger.write_statuses({1: RowStatus(status=f"{me} {i}")})
"""


def test_two_processes_editing_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    # Both also open the new file at the same moment.
    editors = [
        subprocess.Popen(
            [sys.executable, "-c", _EDIT, str(path), me, column],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for me, column in (("anna", "analyses"), ("ben", "notes"))
    ]
    for editor in editors:
        assert editor.stdout is not None
        assert editor.stdout.readline() == "ready\n"
    for editor in editors:
        assert editor.stdin is not None
        editor.stdin.write("go\n")
        editor.stdin.flush()
    for editor in editors:
        assert editor.wait(timeout=120) == 0
        for pipe in (editor.stdin, editor.stdout):
            assert pipe is not None
            pipe.close()
    with Ledger.open(path) as ledger:
        rows = LocalSheet(ledger, actor="anna").read_rows()
        assert [row.number for row in rows] == list(range(1, 121))
        for me in ("anna", "ben"):
            assert [int(r.recording) for r in rows if r.subject == me] == list(range(60))
            edits = [e for e in ledger.audit() if e.actor == me]
            assert len(edits) == 120
        # Neither took the other's column back.
        assert (rows[0].analyses, rows[0].notes) == ("anna 59", "ben 59")
        assert rows[0].status in {"anna 59", "ben 59"}
