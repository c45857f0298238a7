"""Make the pictures of the page that the tutorial shows: `python docs/make_serve_pictures.py`.

Needs Playwright and a Chromium (its path in CHROMIUM, else the one on the PATH). The rows are made
up; the page, the server and the checks of the cells are the real ones.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from wakeful.catalog import load_catalog
from wakeful.config import Config, write_library
from wakeful.ledger import Ledger, RowCells, RowStatus
from wakeful.service.row_rules import make_context
from wakeful.web import Server, Site, bind, make_app

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_DAY = "/data/M014/2026-03-02"


def _rows(root: Path) -> list[tuple[RowCells, RowStatus]]:
    """Rows in every state, with recordings that are there."""
    link = str(root / "published" / "M014" / "2026-03-02" / "report.html")
    started, finished = "2026-03-02 19:00:12", "2026-03-02 19:41:05"

    def row(subject: str, recording: str, status: RowStatus, **typed: str) -> None:
        (root / recording).mkdir(parents=True, exist_ok=True)
        (root / recording / "CSC1.ncs").write_bytes(b"x")
        cells = RowCells(**{"subject": subject, "recording": recording, "run": "yes", **typed})
        rows.append((cells, status))

    rows: list[tuple[RowCells, RowStatus]] = []
    row(
        "M014",
        "data/M014/2026-03-02",
        RowStatus(
            status="done",
            progress="69 results, 69 computed",
            started=started,
            finished=finished,
            link=link,
        ),
    )
    row(
        "M014",
        "data/M014/2026-03-03",
        RowStatus(
            status="done with warnings",
            progress="69 results, 69 computed",
            started=started,
            finished=finished,
            link=link,
            message="CSC7 is flat from 03:12 to 03:40 and left out there",
        ),
        notes="EEG screw loose?",
    )
    row(
        "M014",
        "data/M014/2026-03-04",
        RowStatus(
            status="running", progress="38 of 69 results, about 12 min left", started=started
        ),
        analyses="sleep, spindles",
        priority="5",
    )
    row(
        "M015",
        "data/M015/2026-03-04",
        RowStatus(
            status="following",
            progress="5 h analysed, 4 h in the report",
            started=started,
            link=link,
        ),
    )
    row("M015", "data/M015/2026-03-05", RowStatus(status="transferring", progress="41 of 354 GB"))
    row("M016", "data/M016/2026-03-02", RowStatus(status="queued", progress="0 of 69 results"))
    row(
        "M016",
        "data/M016/2026-03-03",
        RowStatus(
            status="failed",
            progress="40 of 69 results",
            started=started,
            message="sleep: no EMG and no muscle tone; name an EMG channel in the channels file",
        ),
        analyses="sleep",
    )
    row("M016", "data/M016/2026-03-04", RowStatus(status="paused"), notes="wait for the new probe")
    row(
        "M017",
        "data/M017/2026-03-05",
        RowStatus(status="waiting", message="tick run when the row is complete"),
        run="",
        notes="channels file to come",
    )
    row("M018", "data/M018/2026-03-05", RowStatus(), run="", notes="")
    return rows


@contextmanager
def served(n_rows: int | None = None) -> Iterator[tuple[str, Ledger]]:
    """A library with rows, and the address of its page."""
    with tempfile.TemporaryDirectory() as folder:
        library = write_library(Path(folder, "night-shift"), Config())
        report = library.published / "M014" / "2026-03-02" / "report.html"
        report.parent.mkdir(parents=True)
        report.write_text("<!DOCTYPE html><title>report</title><p>The report.", encoding="utf-8")
        catalog = load_catalog()
        with Ledger.open(library.database) as ledger:
            rows = _rows(library.root)[:n_rows]
            made = ledger.add_rows([cells for cells, _ in rows], actor="anna")
            pairs = zip(made, rows, strict=True)
            ledger.write_statuses({row.id: status for row, (_, status) in pairs})
            site = Site(
                title="night-shift",
                ledger=ledger,
                published=library.published,
                make_context=lambda: make_context(library, catalog),
                service_process=lambda: 4711 if rows else None,
                start_command="wakeful run --library ~/night-shift",
                person="anna",
            )
            with bind(site, 0) as listener:
                server = Server(make_app(site))
                thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
                thread.start()
                try:
                    while not server.started:
                        time.sleep(0.02)
                    yield f"http://127.0.0.1:{listener.getsockname()[1]}/", ledger
                finally:
                    server.should_exit = True
                    thread.join()


def open_page(browser: Browser, address: str, width: int, *, dark: bool = False) -> Page:
    """The page in a window of its own."""
    page = browser.new_page(
        viewport={"width": width, "height": 620}, color_scheme="dark" if dark else "light"
    )
    page.on("pageerror", lambda error: sys.stderr.write(f"{error}\n"))
    page.goto(address)
    page.wait_for_selector("#count:not(:empty)")
    page.wait_for_timeout(700)
    return page


def _select(page: Page, row: int, column: str) -> None:
    page.locator(
        f".tabulator-row:has(.number:text-is('{row}')) [tabulator-field={column}]"
    ).first.click()
    page.wait_for_timeout(300)


def main() -> None:
    """Write the two pictures; with a folder as argument, more views to look at."""
    images = Path(__file__).parent / "images"
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        with served() as (address, ledger):
            page = open_page(browser, address, 1280)
            _select(page, 3, "status")
            page.screenshot(path=images / "serve-sheet.png")
            bad = {"subject": "M 18", "analyses": "slep, spindles", "run": "yes"}
            ledger.edit_row(10, bad, actor="ben")
            page.wait_for_timeout(1800)
            _select(page, 10, "analyses")
            page.screenshot(path=images / "serve-bad-row.png")
            if len(sys.argv) > 1:
                _more(browser, address, page, Path(sys.argv[1]))
        if len(sys.argv) > 1:
            with served(0) as (address, _):
                page = open_page(browser, address, 1280)
                page.screenshot(path=Path(sys.argv[1], "empty.png"))
        browser.close()


def _more(browser: Browser, address: str, page: Page, folder: Path) -> None:
    page.locator("[tabulator-field=analyses] ").nth(6).dblclick()
    page.keyboard.type("sp")
    page.wait_for_timeout(300)
    page.screenshot(path=folder / "choices.png")
    page.keyboard.press("Escape")
    open_page(browser, address, 700).screenshot(path=folder / "narrow.png")
    dark = open_page(browser, address, 1280, dark=True)
    _select(dark, 7, "message")
    dark.screenshot(path=folder / "dark.png")


if __name__ == "__main__":
    main()
