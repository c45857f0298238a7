"""People sort, insert, delete and copy while statuses are written: none may stay on a wrong row."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.google_library import GoogleLibrary, google_library
from wakeful.ledger import RowStatus

EDITS_A_SECOND = 50


@dataclass
class Storm:
    """What people did."""

    n_edits: int = 0
    failed: list[BaseException] = field(default_factory=list)


def _rage(lab: GoogleLibrary, seconds: float, storm: Storm, folder: Path) -> None:
    """Edit after edit, for so long."""
    rng = random.Random(7)
    until = time.monotonic() + seconds
    following = time.monotonic()
    try:
        while time.monotonic() < until:
            n_rows = len(lab.book.tab("Sheet1").cells)
            number = rng.randrange(2, n_rows + 1)
            kind = rng.choice(["sort", "shuffle", "insert", "delete", "copy", "type"])
            if kind == "sort":
                lab.person.sort("subject", descending=rng.random() < 0.5)
            elif kind == "shuffle":
                lab.person.shuffle(rng)
            elif kind == "insert":
                lab.person.insert_row(number)
            elif kind == "delete" and n_rows > 20:
                lab.person.delete_row(number)
            elif kind == "copy":
                lab.person.copy_row(number, rng.randrange(2, n_rows + 1))
            else:  # a row that somebody begins and never ticks
                lab.person.insert_row(number)
                lab.person.type_cell(number, "subject", f"untouched{storm.n_edits}")
                lab.person.type_cell(number, "recording", str(folder))
            storm.n_edits += 1
            following += 1 / EDITS_A_SECOND
            time.sleep(max(0.0, following - time.monotonic()))
    except BaseException as error:  # noqa: BLE001 -- told by the test
        storm.failed.append(error)


def _work(lab: GoogleLibrary, rng: random.Random) -> None:
    """What the service does meanwhile: rows get on, and say whose they are."""
    rows = lab.ledger.rows()
    some = rng.sample(rows, min(len(rows), 500))
    lab.ledger.write_statuses(
        {
            r.id: RowStatus(status="running", progress=f"{n} of 24", message=f"of {r.subject}")
            for n, r in enumerate(some)
        }
    )


@pytest.mark.parametrize(
    ("n_rows", "seconds"),
    [(300, 4.0), pytest.param(10_000, 60.0, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
def test_no_status_stays_on_a_wrong_row(tmp_path: Path, n_rows: int, seconds: float) -> None:
    folder = tmp_path / "day1"
    folder.mkdir()
    (folder / "CSC1.ncs").write_bytes(b"")
    with google_library(tmp_path) as lab:
        tab = lab.book.tab("Sheet1")
        tab.n_rows = 10 * n_rows
        header = lab.person.header()
        subjects = [f"M{n:05d}" for n in range(n_rows)]
        typed = [
            {"subject": s, "recording": str(folder), "run": n % 3 != 0, "notes": f"notes of {s}"}
            for n, s in enumerate(subjects)
        ]
        tab.cells += [[row.get(name) for name in header] for row in typed]
        ticked = {row["subject"] for row in typed if row["run"]}
        rows = lab.make_rows()
        rows.look()
        rows.look()
        assert {r.subject for r in lab.ledger.rows()} == ticked
        rng, storm = random.Random(11), Storm()
        started = len(lab.google.calls)
        people = threading.Thread(target=_rage, args=(lab, seconds, storm, folder))
        began = time.monotonic()
        people.start()
        n_looks = 0
        while people.is_alive():
            _work(lab, rng)
            rows.look()
            n_looks += 1
            people.join(timeout=2.0)
        took_s = time.monotonic() - began
        assert storm.failed == []
        assert storm.n_edits > 0.8 * seconds * EDITS_A_SECOND
        assert n_looks >= 2

        rows.look()  # one look after the edits stopped
        shown = [row for row in lab.person.rows() if row["subject"]]
        records = {r.subject: r for r in lab.ledger.rows(with_deleted=True)}
        for row in shown:
            subject, message = row["subject"], row["message"] or ""
            assert not row["notes"] or row["notes"] == f"notes of {subject}"
            if subject in ticked and records[subject].deleted is None:
                assert message.endswith(records[subject].message)
                assert row["progress"] in (records[subject].progress or None, None)
                assert row["status"] == (records[subject].status or "queued")
            else:
                assert row["status"] == "waiting", row
                assert "of M" not in message, row
        blank = [row for row in lab.person.rows() if not row["subject"]]
        assert {(r["status"], r["message"]) for r in blank} <= {(None, None)}
        assert set(records) <= ticked, "a run was started for a row that nobody ticked"
        rows.look()
        rows.look()
        present = {row["subject"] for row in shown} & ticked
        assert {r.subject for r in lab.ledger.rows()} == present
        calls = lab.google.calls[started:]
        minutes = max(1.0, took_s / 60)
        n_reads = sum(call.is_read for call in calls)
        assert n_reads <= 60 * minutes
        assert len(calls) - n_reads <= 60 * minutes
