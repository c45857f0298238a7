"""A library with its page, served for real in a thread of the test."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import requests

from wakeful.ledger import Ledger
from wakeful.sheet import LocalSheet, SheetRow, ValidationContext
from wakeful.web import Server, Site, bind, make_app

OWN = {"X-Wakeful": "1"}
"""What the page sends with every change."""


@dataclass
class Served:
    """A page that is being served."""

    site: Site
    address: str
    sheet: LocalSheet
    """Edits as "ben", beside the page."""
    process: list[int | None] = field(default_factory=lambda: [None])
    """Of the service: what the page is told."""

    def get(self, path: str, **more: Any) -> requests.Response:
        return requests.get(self.address + path, timeout=20, **more)

    def post(self, path: str, body: object, **headers: str) -> requests.Response:
        own = {**OWN, **{name.replace("_", "-"): text for name, text in headers.items()}}
        return requests.post(self.address + path, json=body, headers=own, timeout=20)

    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.get("api/rows").json()["rows"]
        return rows

    def row(self, number: int) -> SheetRow:
        return next(row for row in self.sheet.read_rows() if row.number == number)


def make_recording(root: Path, name: str) -> str:
    """A folder that a row may name."""
    (root / name).mkdir(parents=True, exist_ok=True)
    (root / name / "CSC1.ncs").write_bytes(b"x")
    return name


@contextmanager
def serve_page(root: Path, *, port: int = 0, **changes: Any) -> Iterator[Served]:
    """The page of a library in a folder, as long as this lasts.

    Parameters
    ----------
    changes : fields of the site that shall be others
    """
    published = root / "published"
    published.mkdir(exist_ok=True)
    process: list[int | None] = [None]
    with Ledger.open(root / "wakeful.db") as ledger:
        site = Site(
            title="night-shift",
            ledger=ledger,
            published=published,
            make_context=lambda: ValidationContext(
                analyses={"sleep": "Sleep scoring", "spindles": "Sleep spindles", "lfp": "LFP"},
                params=("default", "long"),
                base=root,
                results=(published,),
            ),
            service_process=lambda: process[0],
            person="anna",
            poll_s=0.1,
        )
        site = replace(site, **changes)
        with bind(site, port) as listener:
            server = Server(make_app(site))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            try:
                while not server.started and thread.is_alive():
                    time.sleep(0.01)
                address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
                yield Served(site, address, LocalSheet(ledger, actor="ben"), process)
            finally:
                server.should_exit = True
                thread.join()
