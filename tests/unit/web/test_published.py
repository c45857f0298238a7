"""Reports and figures: read from one folder, and from nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import HTTPException
from tests.page_server import Served

from wakeful.web.published import Published


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("https://lab.example/f?a=1#x", "https://lab.example/f?a=1#x"),
        ("HTTP://lab.example/f", "HTTP://lab.example/f"),
        ("/lab/published/M014/day 1/report.html", "published/M014/day%201/report.html"),
        ("/lab/published/M014/50%#?.png", "published/M014/50%25%23%3F.png"),
        ("file:///lab/published/M014/day%201/x.png", "published/M014/day%201/x.png"),
        ("/lab/published/../wakeful.toml", ""),
        ("/lab/other/report.html", ""),
        ("published/M014", ""),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("http://[", ""),
        ("/lab/published/\0", ""),
        ("", ""),
    ],
)
def test_links_lead_to_published_files_or_the_web(text: str, link: str) -> None:
    assert Published(Path("/lab/published")).find_link(text) == link


def test_files_have_their_types_and_reports_a_sandbox(served: Served) -> None:
    folder = served.site.published / "M014"
    folder.mkdir()
    for name in ("report.html", "day.svg", "day.png", "day.pdf", "bouts.csv", "x.unknown"):
        (folder / name).write_bytes(b"content of " + name.encode())
    expected = {
        "M014/report.html": "text/html; charset=utf-8",
        "M014/": "text/html; charset=utf-8",
        "M014/day.svg": "image/svg+xml",
        "M014/day.png": "image/png",
        "M014/day.pdf": "application/pdf",
        "M014/bouts.csv": "text/csv; charset=utf-8",
        "M014/x.unknown": "application/octet-stream",
    }
    for name, kind in expected.items():
        answer = served.get(f"published/{name}")
        assert answer.status_code == 200, name
        assert answer.headers["content-type"] == kind
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers.get("content-security-policy", "")
        assert ("sandbox" in policy) == (kind.startswith("text/html") or "svg" in kind)
        assert "allow-same-origin" not in policy
    part = served.get("published/M014/day.png", headers={"Range": "bytes=0-6"})
    assert (part.status_code, part.content) == (206, b"content")


def test_nothing_else_is_given(tmp_path: Path) -> None:
    folder = tmp_path / "published"
    (folder / "M014").mkdir(parents=True)
    (folder / "M014" / ".report.html.1-00000000.tmp").write_bytes(b"half")
    (folder / "M014" / "out").symlink_to(tmp_path)
    (folder / "M014" / "within").symlink_to(folder / "M014")
    (folder / "M014" / "day.png").write_bytes(b"x")
    (tmp_path / "secret").write_bytes(b"x")
    published = Published(folder)
    for name in (
        "",
        "M014",
        "../secret",
        "M014/../../secret",
        "/etc/passwd",
        "M014/out/secret",
        "M014/.report.html.1-00000000.tmp",
        "M014/nothing.png",
        "a\0b",
        "x" * 5000,
    ):
        with pytest.raises(HTTPException, match="404"):
            published.answer(name)
    assert published.answer("M014/within/day.png").status_code == 200
