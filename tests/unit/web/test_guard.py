"""Who may ask for what."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from tests.page_server import OWN, Served, serve_page

from wakeful.model.errors import BadConfig
from wakeful.web import bind, check_address
from wakeful.web.guard import is_loopback

CHANGE = "api/change"
ROW = {"added": [{"subject": "M014"}]}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Wakeful": "0"},
        {**OWN, "Origin": "http://evil.example"},
        {**OWN, "Origin": "null"},
        {**OWN, "Origin": "http://127.0.0.1:1"},
        {**OWN, "Sec-Fetch-Site": "cross-site"},
        {**OWN, "Sec-Fetch-Site": "same-site"},
    ],
)
def test_changes_from_other_sites_are_refused(standing: Served, headers: dict[str, str]) -> None:
    for path in (CHANGE, "api/delete", "api/restore", "api/import?name=x.csv"):
        answer = requests.post(standing.address + path, json=ROW, headers=headers, timeout=20)
        assert answer.status_code == 403, path
        assert "another site's page" in answer.json()["error"]
    assert standing.sheet.read_rows() == ()


def test_our_own_page_may_change(served: Served) -> None:
    origin = served.address.rstrip("/")
    answer = served.post(CHANGE, ROW, Origin=origin, Sec_Fetch_Site="same-origin")
    assert answer.status_code == 200
    assert answer.json()["numbers"] == [1]
    assert served.site.ledger.audit()[-1].actor == "anna"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8460", "127.0.0.1.evil.example", ""]
)
def test_a_name_that_is_pointed_here_is_not_answered(standing: Served, host: str) -> None:
    for path in ("", "api/rows", "static/sheet.js", "published/x"):
        answer = standing.get(path, headers={"Host": host})
        assert answer.status_code == 403
        assert "is not a name of this page" in answer.json()["error"]


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8460", "127.0.0.2:9"])
def test_every_name_of_this_machine_is_answered(standing: Served, host: str) -> None:
    assert standing.get("api/rows", headers={"Host": host}).status_code == 200


def test_a_proxy_names_who_edits(tmp_path: Path) -> None:
    with serve_page(tmp_path, trusted_user_header="X-Forwarded-User") as served:
        assert served.get("").status_code == 403
        nobody = served.post(CHANGE, ROW, X_Forwarded_User="")
        assert nobody.status_code == 403
        assert "nobody is logged in" in nobody.json()["error"]
        assert served.post(CHANGE, ROW, X_Forwarded_User="x" * 101).status_code == 403
        outer = {"Host": "lab.example", "X-Forwarded-User": "carla"}
        answer = served.post(CHANGE, ROW, **outer, Origin="https://lab.example")
        assert answer.status_code == 200
        inner = {"X-Forwarded-Host": "lab.example", "X-Forwarded-User": "carla"}
        assert served.post(CHANGE, ROW, **inner, Origin="https://lab.example").status_code == 200
        assert served.post(CHANGE, ROW, **inner, Origin="https://other.example").status_code == 403
        assert [entry.actor for entry in served.site.ledger.audit()] == ["carla", "carla"]
        headers = {**OWN, "X-Forwarded-User": "Zoë".encode()}
        requests.post(served.address + CHANGE, json=ROW, headers=headers, timeout=20)
        assert served.site.ledger.audit()[-1].actor == "Zoë"
        assert '"person": "carla"' in served.get("", headers=outer).text


@pytest.mark.parametrize("stripped", [True, False])
def test_a_proxy_may_show_the_page_below_a_path(standing: Served, stripped: bool) -> None:
    prefix = {"X-Forwarded-Prefix": "/lab/wakeful"}
    start = "" if stripped else "lab/wakeful/"
    page = standing.get(start, headers=prefix)
    assert page.status_code == 200
    assert '<base href="/lab/wakeful/">' in page.text
    for path in ("api/rows", "static/sheet.js", "static/tabulator/tabulator.min.js"):
        assert standing.get(start + path, headers=prefix).status_code == 200, path
    for odd in ("//evil.example", "/a b", "javascript:x", "/x/../y"):
        text = standing.get("", headers={"X-Forwarded-Prefix": odd}).text
        assert "evil" not in text
        assert "javascript" not in text
    # No address of the page begins at the root or elsewhere, so that it works below any path.
    plain = standing.get("").text
    assert 'href="/' not in plain
    assert 'src="/' not in plain
    assert "http" not in plain.replace("http-equiv", "")


def test_only_this_machine_is_listened_at_without_logins(standing: Served) -> None:
    from dataclasses import replace

    for address in ("0.0.0.0", "192.168.1.5", "lab.example", "::"):
        with pytest.raises(BadConfig, match="open to everybody who can reach"):
            check_address(replace(standing.site, address=address))
    check_address(replace(standing.site, address="0.0.0.0", trusted_user_header="X-User"))
    port = int(standing.address.rstrip("/").rsplit(":", 1)[1])
    with pytest.raises(BadConfig, match="give another --port"):
        bind(standing.site, port)
    assert is_loopback("127.0.0.9")
    assert is_loopback("::1")
    assert not is_loopback("evil")
