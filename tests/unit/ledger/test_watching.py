"""The watch sees every change of the rows, and reads nothing where there is none."""

from __future__ import annotations

from pathlib import Path

from wakeful.ledger import WATCHED_COLUMNS, Ledger, RowCells, RowStatus, RowWatch


def test_the_watch_sees_what_changed(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    with Ledger.open(path) as ledger, Ledger.open(path) as other, RowWatch(ledger) as watch:
        assert watch.look() == {}
        assert watch.look() is None
        ledger.add_row(RowCells(subject="M014"), actor="anna")
        other.write_statuses({1: RowStatus(status="running")})
        seen = watch.look()
        assert seen is not None
        row = dict(zip(WATCHED_COLUMNS, seen[1], strict=True))
        assert (row["subject"], row["status"], row["message"]) == ("M014", "running", "")
        assert watch.look() is None
        other.delete_row(1, actor="ben")
        assert watch.look() == {}
        assert watch.look() is None
