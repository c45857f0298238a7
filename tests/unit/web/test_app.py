"""What the page asks for, asked without it."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.page_server import OWN, Served, make_recording

from wakeful.ledger import RowCells
from wakeful.sheet import StatusUpdate, read_xlsx

STATIC = Path(__file__).parents[3] / "src" / "wakeful" / "web" / "static"


def test_edits_are_kept_as_typed_and_judged_in_the_answer(served: Served, tmp_path: Path) -> None:
    make_recording(tmp_path, "day1")
    answer = served.post("api/change", {"added": [{"subject": " 007 ", "recording": "day1"}, {}]})
    assert answer.json()["numbers"] == [1, 2]
    cells = {"subject": "=1+1", "notes": "tab\tand\nbreak"}
    answer = served.post("api/change", {"edits": [{"row": 1, "cells": cells}]})
    (row,) = answer.json()["rows"]
    assert (row["subject"], row["notes"]) == ("=1+1", "tab\tand\nbreak")
    assert list(row["_problems"]) == ["subject"]
    assert row["message"] == row["_problems"]["subject"]
    assert served.row(1).notes == "tab\tand\nbreak"


def test_a_conflict_says_who_and_what_and_changes_nothing(served: Served) -> None:
    served.sheet.add_many([RowCells(notes="theirs"), RowCells(notes="same")])
    edits = [
        {"row": 2, "cells": {"notes": "mine"}, "expected": {"notes": "same"}},
        {"row": 1, "cells": {"notes": "mine"}, "expected": {"notes": "old"}},
    ]
    answer = served.post("api/change", {"edits": edits, "added": [{"subject": "new"}]})
    assert answer.status_code == 409
    tree = answer.json()
    assert tree["kind"] == "conflict"
    assert tree["error"].startswith('row 1: notes was changed to "theirs" by somebody else')
    assert [row["notes"] for row in tree["rows"]] == ["theirs", "same"]
    assert [row.notes for row in served.sheet.read_rows()] == ["theirs", "same"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"edits": [{"row": 1, "cells": {"status": "done"}}]}, 400, "status can't be edited"),
        ({"added": [{"status": "done"}]}, 400, "new row 1: status can't be edited"),
        ({"edits": [{"row": 9, "cells": {"notes": "x"}}]}, 404, "there is no such row"),
        ({"edits": [{"row": 1, "cells": {"notes": 5}}]}, 422, "asked for what is not known"),
        ({"edits": [{"row": 2**60, "cells": {}}]}, 422, "less than or equal"),
        ({"nonsense": 1}, 422, "asked for what is not known"),
        ({"added": [{"notes": "\ud800"}]}, 400, "not valid text"),
    ],
)
def test_what_cannot_be_done_is_said_in_plain_text(
    standing: Served, body: object, status: int, said: str
) -> None:
    if not standing.rows():
        standing.sheet.add(subject="M014", recording="day1")
    answer = standing.post("api/change", body)
    assert answer.status_code == status
    assert said in answer.json()["error"]
    (row,) = standing.sheet.read_rows()
    assert (row.subject, row.notes, row.status) == ("M014", "", "")


def test_unknown_places_are_answered_in_json(standing: Served) -> None:
    for path in ("docs", "openapi.json", "api/nothing", "static/nothing.js", "api/export/x.ods"):
        answer = standing.get(path)
        assert answer.status_code in (404, 422), path
        assert answer.json()["error"], path


def test_rows_are_deleted_and_restored(served: Served) -> None:
    served.sheet.add_many([RowCells(subject=s) for s in "abc"])
    assert served.post("api/delete", {"rows": [1, 3, 9]}).json()["numbers"] == [1, 3]
    assert served.post("api/delete", {"rows": [1]}).json()["numbers"] == []
    assert [row["subject"] for row in served.rows()] == ["b"]
    back = served.post("api/restore", {"rows": [3]}).json()
    assert [row["subject"] for row in back["rows"]] == ["c"]
    assert served.post("api/restore", {"rows": [99]}).status_code == 404


def _upload(served: Served, name: str, content: bytes, judge: bool = True) -> requests.Response:
    where = f"{served.address}api/import"
    parameters = {"name": name, "judge": str(judge).lower()}
    return requests.post(where, params=parameters, data=content, headers=OWN, timeout=20)


def test_files_of_rows_come_in(served: Served, tmp_path: Path) -> None:
    make_recording(tmp_path, "day1")
    text = "subject,recording,cage\nM014, day1,7\nM 15,day1,8\n"
    refused = _upload(served, "../my rows.csv", text.encode())
    assert refused.status_code == 400
    assert refused.json()["kind"] == "lines"
    lines = refused.json()["error"].splitlines()
    assert lines[0] == "my rows.csv: 1 bad line, nothing was imported"
    assert lines[1].startswith('line 3: subject: "M 15"')
    assert served.rows() == []
    taken = _upload(served, "my rows.csv", text.encode(), judge=False).json()
    assert taken == {"numbers": [1, 2], "unknown_columns": ["cage"], "notices": []}
    other = _upload(served, "x.csv", b"subject,recording,rerun\nM014,day1 ,3\n").json()
    assert other["numbers"] == [3]
    assert other["notices"] == ["line 2: recording: ignored a space after it"]
    for name, said in (
        ("x.xlsx", "x.xlsx: the file is not a workbook"),
        ("x.pdf", "x.pdf: a file"),
    ):
        answer = _upload(served, name, b"x")
        assert (answer.status_code, answer.json()["error"][: len(said)]) == (400, said)
    large = _upload(served, "x.csv", b"x" * (33 << 20))
    assert large.status_code == 413
    assert "larger than 32 MB" in large.json()["error"]


def test_files_of_rows_go_out_and_come_back(served: Served, tmp_path: Path) -> None:
    make_recording(tmp_path, "day1")
    served.sheet.add(subject="1E5", recording="day1", notes="=1+1")
    served.sheet.write_statuses([StatusUpdate(identifier="1", status="done")])
    book = served.get("api/export/sheet.xlsx")
    assert book.headers["content-disposition"] == 'attachment; filename="sheet.xlsx"'
    path = tmp_path / "back.xlsx"
    path.write_bytes(book.content)
    assert [(row.subject, row.notes) for row in read_xlsx(path).rows] == [("1E5", "=1+1")]
    text = served.get("api/export/sheet.csv").content.decode("utf-8-sig")
    assert '"1E5","day1"' in text
    assert '"\'=1+1","done"' in text


class _Stream:
    """Server-sent events as they come."""

    def __init__(self, served: Served, query: str, **headers: str) -> None:
        self._answer = requests.get(
            f"{served.address}api/events?{query}", headers=headers, stream=True, timeout=20
        )
        assert self._answer.headers["content-type"].startswith("text/event-stream")
        self._lines = self._answer.iter_lines(decode_unicode=True, chunk_size=1)

    def next(self) -> tuple[str, Any, str]:
        """Name, data and id of the next event."""
        event: dict[str, str] = {}
        for line in self._lines:
            if not line and "data" in event:
                return event.get("event", ""), json.loads(event["data"]), event.get("id", "")
            name, _, text = line.partition(": ")
            if name:
                event[name] = text
        raise AssertionError("the stream ended")

    def close(self) -> None:
        self._answer.close()


@pytest.fixture
def streams(served: Served) -> Iterator[list[_Stream]]:
    opened: list[_Stream] = []
    yield opened
    for stream in opened:
        stream.close()


def test_changes_come_as_they_happen(served: Served, streams: list[_Stream]) -> None:
    served.sheet.add_many([RowCells(subject="a"), RowCells(subject="b")])
    tree = served.get("api/rows").json()
    query = f"epoch={tree['epoch']}&version={tree['version']}"
    stream = _Stream(served, query)
    streams.append(stream)
    assert stream.next()[:2] == ("service", {"process": None})
    served.sheet.write_statuses([StatusUpdate(identifier="2", status="running", progress="1 of 9")])
    name, data, last = stream.next()
    assert (name, [row["id"] for row in data["rows"]], data["gone"]) == ("rows", [2], [])
    assert data["rows"][0]["progress"] == "1 of 9"
    served.sheet.delete(1)
    name, data, _ = stream.next()
    assert (name, data["rows"], data["gone"]) == ("rows", [], [1])
    served.process[0] = 99
    assert stream.next()[:2] == ("service", {"process": 99})
    # A browser that lost the line says what it saw last, and gets what it missed.
    again = _Stream(served, query, **{"Last-Event-ID": last})
    streams.append(again)
    name, data, _ = again.next()
    assert (name, data["rows"], data["gone"]) == ("rows", [], [1])
    # A page of an earlier process knows nothing of these versions.
    stranger = _Stream(served, "epoch=earlier&version=7")
    streams.append(stranger)
    assert stranger.next()[0] == "reload"


def test_the_page_loads_nothing_from_elsewhere(standing: Served) -> None:
    page = standing.get("")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert not re.match(r"[a-z]+:|//", path)
        assert standing.get(path).status_code == 200, path
    for path in STATIC.glob("*.*"):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|\bimport\b.*[\"']https?:", text), path


def test_titles_and_names_are_no_html(tmp_path: Path) -> None:
    from tests.page_server import serve_page

    name = "</script><script>alert(1)</script>"
    with serve_page(tmp_path, title=name, person=name) as served:
        text = served.get("").text
        assert "<script>alert" not in text
        found = re.search(r'id="setup">(.*?)</script>', text)
        assert found is not None
        assert json.loads(found[1])["person"] == name


def test_tabulator_is_what_it_is_said_to_be() -> None:
    folder = STATIC / "tabulator"
    said = (folder / "PROVENANCE.md").read_text(encoding="utf-8")
    for name in ("tabulator.min.js", "tabulator.min.css"):
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert f"sha256 of {name} | `{digest}`" in said
    assert "MIT" in (folder / "LICENSE").read_text(encoding="utf-8")


def test_a_large_answer_is_packed(served: Served) -> None:
    served.sheet.add_many([RowCells(subject=f"M{n}") for n in range(200)])
    answer = served.get("api/rows", headers={"Accept-Encoding": "gzip"}, stream=True)
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.raw.read()) < 20_000
    assert len(json.load(io.BytesIO(served.get("api/rows").content))["rows"]) == 200
