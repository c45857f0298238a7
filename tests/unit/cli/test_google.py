"""`wakeful google login`, with a browser that agrees or does not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from tests.google_stand_in import google_stand_in
from typer.testing import CliRunner

from wakeful.cli import app
from wakeful.config import Config, Library
from wakeful.front_config import Google
from wakeful.google.account import SCOPES, read_account
from wakeful.model.errors import BadConfig

ADA = "ada@lab.org"


@pytest.fixture
def google():
    with google_stand_in() as standing:
        yield standing


@pytest.fixture
def client(google, tmp_path) -> Path:
    path = tmp_path / "client.json"
    installed = {
        "client_id": "1.apps.googleusercontent.com",
        "client_secret": "the-client's-secret",
        "auth_uri": f"{google.address}/auth",
        "token_uri": f"{google.address}/token",
        "redirect_uris": ["http://localhost"],
    }
    path.write_text(json.dumps({"installed": installed}))
    return path


def log_in(client: Path, answer: dict[str, str]) -> tuple[int, str]:
    """Log in, by a browser that comes back with this; exit code, and what was said."""
    target = client.with_name("login.json")
    words = ["google", "login", str(client), "-o", str(target), "--no-browser"]
    # The stand-in speaks no TLS.
    environment = {**os.environ, "OAUTHLIB_INSECURE_TRANSPORT": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "wakeful", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    ) as command:
        said = ""
        for line in command.stdout:
            said += line
            if found := re.search(r"http\S+/auth\?(\S+)", line):
                asked = {k: v[0] for k, v in parse_qs(found[1]).items()}
                break
        assert asked["access_type"] == "offline"
        assert set(asked["scope"].split()) == set(SCOPES)
        assert urlsplit(asked["redirect_uri"]).hostname == "127.0.0.1"
        query = urlencode({**answer, "state": asked["state"]})
        with urllib.request.urlopen(f"{asked['redirect_uri']}?{query}") as page:
            assert page.status == 200
        rest, _ = command.communicate(timeout=60)
    return command.returncode, said + rest


def test_a_login_is_kept_for_its_owner_alone(google, client, tmp_path):
    google.codes["4/agreed"] = ADA
    code, said = log_in(client, {"code": "4/agreed"})
    assert code == 0, said
    target = tmp_path / "login.json"
    assert target.stat().st_mode & 0o777 == 0o600
    assert str(target) in said
    login = json.loads(target.read_text())
    assert google.people[login["refresh_token"]] == ADA
    for secret in (login["refresh_token"], login["client_secret"], "4/agreed", *google.tokens):
        assert secret not in said
    account = read_account(Library(tmp_path, Config(google=Google(credentials=target))))
    assert account.kind == "person"


@pytest.mark.parametrize("answer", [{"error": "access_denied"}, {"code": "4/of-somebody-else"}])
def test_who_is_not_let_in_is_told_so(client, tmp_path, answer):
    code, said = log_in(client, answer)
    assert code == 1
    assert "Google did not let you in" in said
    assert "Traceback" not in said
    assert "4/of" not in said
    assert not (tmp_path / "login.json").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ('{"type": "service_account"}', "with which nobody logs in"),
        ('{"web": {"client_id": "1"}}', "Desktop app"),
        ("[]", "Desktop app"),
    ],
)
def test_another_file_is_refused(tmp_path, content, said):
    path = tmp_path / "client.json"
    path.write_text(content)
    answer = CliRunner().invoke(app, ["google", "login", str(path)])
    assert isinstance(answer.exception, BadConfig)
    assert said in str(answer.exception)
