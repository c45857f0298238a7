"""A look at a Google Sheet in which nothing changed: processor time of 10,000 rows.

The sheet is at a stand-in for Google in a process of its own, called by the real client library.
Beside it, what the client library alone takes to read the same rows as records (its
`values_batch_get` and `to_records`), which matches, validates and compares nothing.

    python benchmarks/sheet.py [--rows 10000] [--looks 5]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def serve(n_rows: int, folder: Path, pipe: Connection) -> None:
    """The stand-in, until told to end."""
    from tests.google_stand_in import google_stand_in
    from tests.google_stand_in.server import SERVICE_EMAIL
    from tests.google_stand_in.sheets import Person

    from wakeful.sheet import COLUMNS

    with google_stand_in() as google:
        book = google.sheets.make("Night shift", shared={SERVICE_EMAIL: "writer"})
        Person(google, book, "Sheet1").type_header([column.name for column in COLUMNS])
        tab = book.tab("Sheet1")
        tab.n_rows = n_rows + 100
        header = [column.name for column in COLUMNS]
        for n in range(n_rows):
            typed = {"subject": f"M{n:05d}", "recording": str(folder / "day1"), "run": True}
            tab.cells.append([typed.get(name) for name in header])
        google.write_key(folder / "key.json")
        pipe.send((google.address, book.key))
        pipe.recv()


def measure(n_rows: int, n_looks: int, folder: Path) -> None:
    """Print what looks take."""
    from gspread.utils import fill_gaps, to_records

    from wakeful.catalog import load_catalog
    from wakeful.config import Config, write_library
    from wakeful.google.account import make_account
    from wakeful.google.pace import Pace
    from wakeful.google.spreadsheet import Spreadsheet, _make_client
    from wakeful.ledger import Ledger, RowStatus
    from wakeful.service.outside_rows import OutsideRows
    from wakeful.sheet.google_sheet import GoogleSheet

    (folder / "day1").mkdir()
    (folder / "day1" / "CSC1.ncs").write_bytes(b"")
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serve, args=(n_rows, folder, there), daemon=True)
    server.start()
    address, key = here.recv()
    os.environ["WAKEFUL_GOOGLE_ENDPOINT"] = address
    values = json.loads((folder / "key.json").read_text(encoding="utf-8"))
    account = make_account(values, "key.json")
    library = write_library(folder / "library", Config())
    with Ledger.open(library.database) as ledger:
        sheet = GoogleSheet(Spreadsheet(key, account, Pace(10_000), Pace(10_000)))
        rows = OutsideRows(library, ledger, load_catalog(), sheet)
        began = time.process_time()
        rows.look()
        rows.look()
        print(f"{n_rows} rows taken up: {time.process_time() - began:.2f} s of processor time")
        statuses = {r.id: RowStatus(status="done", message="as before") for r in ledger.rows()}
        ledger.write_statuses(statuses)
        rows.look()
        ours = []
        for _ in range(n_looks):
            began = time.process_time()
            look = rows.look()
            ours.append(time.process_time() - began)
            assert look.n_lines == n_rows
            assert look.n_added == look.n_changed == look.n_removed == 0
        client = _make_client(account)
        peer = []
        for _ in range(n_looks):
            began = time.process_time()
            (found,) = client.values_batch_get(key, ["Sheet1"])["valueRanges"]
            header, *lines = fill_gaps(found["values"])
            assert len(to_records(header, lines)) == n_rows
            peer.append(time.process_time() - began)
    here.send("end")
    server.join()
    for name, times in (("a look", ours), ("gspread, read only", peer)):
        times.sort()
        shown = " ".join(f"{t:.3f}" for t in (times[0], times[len(times) // 2], times[-1]))
        print(f"{name:20} {shown} s (min, median, max)")
    print(f"a look takes {ours[len(ours) // 2] / peer[len(peer) // 2]:.1f} x reading alone")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--looks", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(arguments.rows, arguments.looks, Path(folder))


if __name__ == "__main__":
    main()
