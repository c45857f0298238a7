"""The page as a person uses it: a real server, a real browser."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from tests.interrupting import interruptible_command
from tests.login_proxy import login_proxy
from tests.page_server import Served, make_recording, serve_page
from wakeful.config import Config, write_library
from wakeful.ledger import RowCells
from wakeful.sheet import StatusUpdate


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serve_page(tmp_path) as served:
        yield served


def _open(page: Page, served: Served) -> None:
    page.goto(served.address)
    expect(page.locator("#count")).to_contain_text("row")
    expect(page.locator("#service")).not_to_be_empty()


def _cell(page: Page, number: int, column: str) -> Locator:
    row = page.locator(f".tabulator-row:has([tabulator-field=id]:text-is('{number}'))")
    return row.locator(f"[tabulator-field={column}]")


def _eventually(is_so: Callable[[], bool]) -> None:
    for _ in range(300):
        if is_so():
            return
        time.sleep(0.05)
    pytest.fail("it did not come to be so")


def _paste(page: Page, text: str) -> None:
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    page.keyboard.press("Control+v")


def _type(page: Page, number: int, column: str, text: str) -> None:
    _cell(page, number, column).click()
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def test_a_row_is_typed_and_its_bad_cell_marked(page: Page, served: Served, tmp_path: Path) -> None:
    make_recording(tmp_path, "day1")
    _open(page, served)
    expect(page.get_by_text("There are no rows yet.")).to_be_visible()
    expect(page.locator("#service")).to_contain_text("Nothing is computed now")
    page.get_by_role("button", name="Add rows").click()
    _cell(page, 1, "subject").wait_for()
    # The new row's first cell is selected; Tab goes on to the next.
    page.keyboard.type("M 14")
    page.keyboard.press("Tab")
    page.keyboard.type("day1")
    page.keyboard.press("Enter")
    bad = _cell(page, 1, "subject")
    expect(bad).to_have_attribute("aria-invalid", "true")
    expect(bad).to_have_attribute(
        "title",
        'subject: "M 14": the second character is a space; use '
        "letters A to Z, digits, hyphen, underscore or dot",
    )
    expect(_cell(page, 1, "status")).to_contain_text("needs attention")
    expect(_cell(page, 1, "recording")).not_to_have_attribute("aria-invalid", "true")
    _type(page, 1, "subject", "M014")
    expect(bad).not_to_have_attribute("aria-invalid", "true")
    expect(_cell(page, 1, "status")).to_have_text("")
    _cell(page, 1, "run").locator(".tick").click()
    expect(_cell(page, 1, "run").locator(".tick")).to_have_attribute("aria-checked", "true")
    _eventually(lambda: served.row(1).run == "yes")
    row = served.row(1)
    assert (row.subject, row.recording) == ("M014", "day1")
    assert {entry.actor for entry in served.site.ledger.audit()} == {"anna"}


def test_a_block_from_excel_fills_cells_and_makes_rows(page: Page, served: Served) -> None:
    served.sheet.add_many([RowCells(subject="a", notes="kept"), RowCells(subject="b")])
    _open(page, served)
    _cell(page, 2, "subject").click()
    _paste(page, 'M015\tday1\tsleep\r\nM016\t"two\nlines"\t"say ""x"""\r\n=1+1\t\t\r\n')
    expect(page.locator("#count")).to_have_text("4 rows")
    assert [(r.subject, r.recording, r.analyses) for r in served.sheet.read_rows()] == [
        ("a", "", ""),
        ("M015", "day1", "sleep"),
        ("M016", "two\nlines", 'say "x"'),
        ("=1+1", "", ""),
    ]
    expect(_cell(page, 4, "subject")).to_have_attribute("aria-invalid", "true")
    # What reaches over Wakeful's columns is refused whole.
    _cell(page, 1, "notes").click()
    _paste(page, "x\tdone\ny\tdone")
    expect(page.locator(".toast.error")).to_contain_text("reaches over status, which Wakeful fills")
    assert served.row(1).notes == "kept"
    # A block over cells that somebody changed since they were shown: nothing of it is done.
    page.context.set_offline(True)
    served.sheet.edit(2, "notes", "by ben")
    page.context.set_offline(False)
    # One value into a selection fills it; undo takes it back.
    _eventually(lambda: _cell(page, 2, "notes").inner_text() == "by ben")
    _cell(page, 1, "params").click()
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    _paste(page, "long")
    expect(_cell(page, 3, "params")).to_have_text("long")
    assert [r.params for r in served.sheet.read_rows()] == ["long", "long", "long", ""]
    page.keyboard.press("Control+z")
    expect(_cell(page, 3, "params")).to_have_text("")
    assert [r.params for r in served.sheet.read_rows()] == [""] * 4
    # What is copied comes back as it was.
    _cell(page, 3, "subject").click()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Control+c")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied.replace("\r\n", "\n") == 'M016\t"two\nlines"\t"say ""x"""'


def test_analyses_and_parameter_sets_are_chosen_or_typed(page: Page, served: Served) -> None:
    served.sheet.add(subject="M014", recording="day1")
    _open(page, served)
    _cell(page, 1, "analyses").dblclick()
    options = page.locator(".choice")
    expect(options).to_have_count(3)
    options.filter(has_text="Sleep scoring").click()
    page.keyboard.type(", sp")
    expect(options).to_have_count(1)
    options.first.click()
    page.keyboard.press("Enter")
    _eventually(lambda: served.row(1).analyses == "sleep, spindles")
    expect(options).to_have_count(0)
    _cell(page, 1, "params").dblclick()
    options.filter(has_text="long").click()
    _eventually(lambda: served.row(1).params == "long")
    # The same by keys alone: into the list, take two of it, leave the cell.
    served.sheet.edit(1, "analyses", "lfp")
    expect(_cell(page, 1, "analyses")).to_have_text("lfp")
    _cell(page, 1, "analyses").click()
    for key in ("F2", "Control+a", "Delete", "ArrowDown", "Enter", "ArrowDown", "Enter", "Tab"):
        page.keyboard.press(key)
    _eventually(lambda: served.row(1).analyses == "sleep, spindles")
    _type(page, 1, "params", "lnog")
    expect(_cell(page, 1, "params")).to_have_attribute("title", re.compile('did you mean "long"'))
    # Escape takes an edit back.
    _cell(page, 1, "params").click()
    page.keyboard.type("x")
    page.keyboard.press("Escape")
    expect(_cell(page, 1, "params")).to_have_text("lnog")
    assert served.row(1).params == "lnog"


def test_two_people_in_one_cell_are_told_so(page: Page, served: Served) -> None:
    served.sheet.add(subject="M014", recording="day1", notes="old")
    _open(page, served)
    _cell(page, 1, "notes").dblclick()
    page.keyboard.type("mine")
    served.sheet.edit(1, "notes", "theirs")
    served.sheet.edit(1, "stream", "probe A")
    # Other cells of the row follow; the edit in progress stays.
    expect(_cell(page, 1, "stream")).to_have_text("probe A")
    expect(page.locator("textarea")).to_have_value("mine")
    page.keyboard.press("Enter")
    toast = page.locator(".toast.error")
    expect(toast).to_contain_text("somebody else changed this cell while you were typing")
    expect(toast).to_contain_text("It now holds “theirs”; you typed “mine”.")
    expect(_cell(page, 1, "notes")).to_have_text("theirs")
    assert served.row(1).notes == "theirs"
    toast.get_by_role("button", name="Put mine there").click()
    expect(_cell(page, 1, "notes")).to_have_text("mine")
    _eventually(lambda: served.row(1).notes == "mine")
    expect(toast).to_have_count(0)


def test_others_add_and_delete_rows_while_somebody_types(page: Page, served: Served) -> None:
    served.sheet.add_many([RowCells(subject=s, recording="day1") for s in "abc"])
    _open(page, served)
    _cell(page, 2, "notes").dblclick()
    page.keyboard.type("half a sen")
    served.sheet.add(subject="d", recording="day1")
    served.sheet.delete(1)
    expect(page.locator("#count")).to_have_text("3 rows")
    page.keyboard.type("tence")
    page.keyboard.press("Enter")
    _eventually(lambda: served.row(2).notes == "half a sentence")
    shown = page.locator(".tabulator-row [tabulator-field=subject]")
    expect(shown).to_have_text(["b", "c", "d"])
    _cell(page, 3, "notes").dblclick()
    page.keyboard.type("not lost")
    served.sheet.delete(3)
    toast = page.locator(".toast.error")
    expect(toast).to_contain_text("Row 3 was deleted by somebody else while you typed “not lost”")
    toast.get_by_role("button", name="Bring the row back with it").click()
    expect(_cell(page, 3, "notes")).to_have_text("not lost")
    _eventually(
        lambda: [r.notes for r in served.sheet.read_rows()] == ["half a sentence", "not lost", ""]
    )


def test_what_cannot_be_saved_stays_in_its_cell(page: Page, served: Served) -> None:
    served.sheet.add(subject="M014", recording="day1", notes="old")
    _open(page, served)
    page.context.set_offline(True)
    _type(page, 1, "notes", "typed in the tunnel")
    expect(page.locator(".toast.error")).to_contain_text(
        "is not saved: the server can't be reached"
    )
    cell = _cell(page, 1, "notes")
    expect(cell).to_have_class(re.compile(r"\bunsaved\b"))
    served.sheet.edit(1, "stream", "probe A")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    _eventually(lambda: served.row(1).notes == "typed in the tunnel")
    expect(cell).not_to_have_class(re.compile(r"\bunsaved\b"))
    expect(cell).to_have_text("typed in the tunnel")
    expect(page.locator(".toast")).to_have_count(0)


def test_statuses_come_live_and_links_open(page: Page, served: Served, tmp_path: Path) -> None:
    report = tmp_path / "published" / "M014" / "day 1" / "report.html"
    report.parent.mkdir(parents=True)
    report.write_text("<!DOCTYPE html><title>r</title><p>seen it", encoding="utf-8")
    served.sheet.add_many([RowCells(subject="a"), RowCells(subject="b"), RowCells(subject="c")])
    _open(page, served)
    served.process[0] = 4711
    served.sheet.write_statuses(
        [
            StatusUpdate(identifier="1", status="done", progress="8 of 8", link=str(report)),
            StatusUpdate(identifier="2", status="running", link="https://lab.example/figures?a=1"),
            StatusUpdate(
                identifier="3", status="failed", message="sleep: no EMG", link="/etc/passwd"
            ),
        ]
    )
    expect(_cell(page, 1, "status")).to_contain_text("done")
    expect(page.locator("#service")).to_contain_text("Wakeful is at work (process 4711)")
    link = _cell(page, 1, "link").get_by_role("link")
    expect(link).to_have_attribute("href", "published/M014/day%201/report.html")
    outside = _cell(page, 2, "link").get_by_role("link")
    expect(outside).to_have_attribute("href", "https://lab.example/figures?a=1")
    expect(_cell(page, 3, "link").get_by_role("link")).to_have_count(0)
    with page.context.expect_page() as opened:
        link.click()
    expect(opened.value.get_by_text("seen it")).to_be_visible()
    opened.value.close()
    _cell(page, 3, "status").click()
    expect(page.locator("#details")).to_contain_text("Row 3 · c")
    served.sheet.delete(2)
    expect(page.locator("#count")).to_have_text("2 rows")


def test_rows_are_deleted_and_come_back(page: Page, served: Served) -> None:
    served.sheet.add_many([RowCells(subject=s) for s in "abc"])
    _open(page, served)
    _cell(page, 2, "subject").click()
    page.get_by_role("button", name="Delete row").click()
    expect(page.locator("#count")).to_have_text("2 rows")
    assert [row.subject for row in served.sheet.read_rows()] == ["a", "c"]
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator("#count")).to_have_text("3 rows")
    assert [row.subject for row in served.sheet.read_rows()] == ["a", "b", "c"]
    shown = page.locator(".tabulator-row [tabulator-field=subject]")
    expect(shown).to_have_text(["a", "b", "c"])
    _cell(page, 3, "subject").click()
    page.keyboard.press("Delete")
    expect(_cell(page, 3, "subject")).to_have_text("")
    _eventually(lambda: served.row(3).subject == "")


def test_files_come_in_and_go_out(page: Page, served: Served, tmp_path: Path) -> None:
    make_recording(tmp_path, "day1")
    bad = tmp_path / "rows.csv"
    bad.write_text("subject,recording,cage\nM014,day1,7\nM 15,day1,8\n", encoding="utf-8")
    _open(page, served)
    page.locator("#import-file").set_input_files(bad)
    toast = page.locator(".toast")
    expect(toast).to_contain_text("rows.csv: 1 bad line, nothing was imported")
    expect(toast.locator("li")).to_have_text([re.compile('^line 3: subject: "M 15"')])
    toast.get_by_role("button", name="Add all rows as they are").click()
    expect(page.locator("#count")).to_have_text("2 rows")
    expect(toast).to_contain_text("Not read: cage")
    expect(_cell(page, 2, "subject")).to_have_attribute("aria-invalid", "true")
    for name, begin in (("Excel", b"PK"), ("CSV", b"\xef\xbb\xbf")):
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        assert Path(download.value.path()).read_bytes().startswith(begin)


def test_another_site_in_the_same_browser_changes_nothing(page: Page, served: Served) -> None:
    # To a browser another name is another site, though the same server answers.
    other = served.address.replace("127.0.0.1", "localhost")
    page.goto(f"{other}static/icon.svg")
    attack = """async ([address, headers]) => {
        try {
            const options = { method: "POST", headers, body: JSON.stringify({ added: [{}] }) };
            return (await fetch(`${address}api/change`, options)).status;
        } catch (error) { return String(error); }
    }"""
    json = {"Content-Type": "application/json"}
    assert "TypeError" in str(page.evaluate(attack, [served.address, {**json, "X-Wakeful": "1"}]))
    assert "TypeError" in str(
        page.evaluate(attack, [served.address, {"Content-Type": "text/plain"}])
    )
    assert served.sheet.read_rows() == ()


def test_it_works_behind_a_proxy_below_a_path(page: Page, tmp_path: Path) -> None:
    report = tmp_path / "published" / "M014" / "report.html"
    report.parent.mkdir(parents=True)
    report.write_text("<!DOCTYPE html><title>r</title><p>seen it", encoding="utf-8")
    with (
        serve_page(tmp_path, trusted_user_header="X-Forwarded-User") as served,
        login_proxy(served.address, "/lab/wakeful", "carla") as address,
    ):
        served.sheet.add(subject="M014", recording="day1")
        page.goto(address)
        expect(page.locator("#person")).to_have_text("carla")
        _type(page, 1, "notes", "through the proxy")
        _eventually(lambda: served.row(1).notes == "through the proxy")
        assert served.site.ledger.audit()[-1].actor == "carla"
        served.sheet.write_statuses([StatusUpdate(identifier="1", status="done", link=str(report))])
        with page.context.expect_page() as opened:
            _cell(page, 1, "link").get_by_role("link").click()
        expect(opened.value.get_by_text("seen it")).to_be_visible()
        assert "/lab/wakeful/published/" in opened.value.url
        page.goto("about:blank")


def test_a_sheet_of_ten_thousand_rows_opens(page: Page, served: Served) -> None:
    served.sheet.add_many([RowCells(subject=f"M{n}", notes=f"row {n}") for n in range(10_000)])
    _open(page, served)
    expect(page.locator("#count")).to_have_text("10,000 rows")
    assert page.locator(".tabulator-row").count() < 150
    page.locator("#find").fill("no such words")
    expect(page.get_by_text("No row fits what you look for.")).to_be_visible()
    page.locator("#find").fill("row 9998")
    expect(page.locator("#count")).to_have_text("1 of 10,000 rows")
    _type(page, 9999, "subject", "last but one")
    _eventually(lambda: served.site.ledger.row(9999).subject == "last but one")
    page.locator("#find").fill("")
    expect(page.locator("#count")).to_have_text("10,000 rows")
    _cell(page, 1, "notes").click()
    page.keyboard.press("Control+ArrowDown")
    expect(_cell(page, 10_000, "notes")).to_be_visible()
    scrolled = "document.querySelector('.tabulator-tableholder').scrollTop"
    before = page.evaluate(scrolled)
    assert before > 100_000
    served.sheet.write_statuses([StatusUpdate(identifier="10000", status="running")])
    expect(_cell(page, 10_000, "status")).to_contain_text("running")
    assert page.evaluate(scrolled) == before


def test_no_path_leads_out_of_the_published_folder(served: Served) -> None:
    host, port = served.address.removeprefix("http://").rstrip("/").split(":")
    # Not by `requests`, which would tidy the path up before it sends it.
    for name in ("..%2Fwakeful.db", "../wakeful.db", "%2e%2e/wakeful.db", "/etc/passwd"):
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.request("GET", f"/published/{name}")
        answer = connection.getresponse()
        assert answer.status == 404, name
        assert answer.read().startswith(b'{"error":"there is no published file')
        connection.close()


def test_the_command_serves_until_it_is_stopped(tmp_path: Path) -> None:
    library = write_library(tmp_path / "lab", Config())
    command = [*interruptible_command(), "serve", "--library", str(library.root)]
    command += ["--user", "carla", "--port", "0"]
    environment = {**os.environ, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:(\d+)/", said)
        assert address is not None, said
        assert "carla" in requests.get(address[0], timeout=20).text
        tree = requests.get(f"{address[0]}api/rows", timeout=20).json()
        assert tree["service"] is None
        assert "sleep" in tree["analyses"]
        where = f"{address[0]}api/events?epoch={tree['epoch']}&version={tree['version']}"
        # A page that stays open does not keep the server from ending.
        with requests.get(where, stream=True, timeout=20):
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == 0
        assert process.stdout.read().endswith("ended\n")
