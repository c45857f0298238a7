"""From a row in a Google Sheet to a finished recording, by the real command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.google_library import GoogleLibrary, google_library
from tests.google_stand_in import Fault
from wakeful.cli import app
from wakeful.logs import log_files


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[GoogleLibrary]:
    with google_library(tmp_path) as lab:
        yield lab


def _run(lab: GoogleLibrary) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["run", "--once", "--quiet", "--library", str(lab.library.root)])
    return done.exit_code, done.output


def test_a_row_in_a_google_sheet_is_computed_and_says_so(
    lab: GoogleLibrary, small_recording: Path
) -> None:
    lab.person.type_row(
        {"subject": "M1", "recording": str(small_recording), "run": True, "analyses": "muscle"}
    )
    lab.person.type_row({"subject": "M 2", "recording": str(small_recording), "run": True})
    code, output = _run(lab)
    assert code == 0, output
    first, second = lab.person.rows()
    assert first["status"] in ("done", "done with warnings")
    assert Path(first["link"]).is_file()
    assert first["finished"]
    assert second["status"] == "needs attention"
    assert "the second character is a space" in second["message"]
    assert second["message"].startswith("row 3: ")


@pytest.mark.slow
def test_faults_of_google_are_survived_and_said(lab: GoogleLibrary, small_recording: Path) -> None:
    lab.person.type_row(
        {"subject": "M1", "recording": str(small_recording), "run": True, "analyses": "muscle"}
    )
    down = Fault("status", status=503, times=99, matches=lambda asked: "/v4/" in asked.path)
    lab.google.faults.append(down)
    code, output = _run(lab)
    assert code == 1
    assert "Google says 503" in output
    assert "it is tried again after a while" in " ".join(output.split())
    down.times = 1
    lab.google.expire_tokens()
    code, output = _run(lab)
    assert code == 0, output
    assert lab.person.rows()[0]["status"] in ("done", "done with warnings")


def test_a_sheet_that_is_not_shared_says_with_whom_to_share_it(lab: GoogleLibrary) -> None:
    lab.book.shared.clear()
    code, output = _run(lab)
    assert code == 1
    assert "share it with service account night-shift@wakeful-lab" in " ".join(output.split())


def test_no_secret_is_shown_or_logged(lab: GoogleLibrary) -> None:
    key = json.loads((lab.library.root / "key.json").read_text(encoding="utf-8"))
    lab.google.is_shut_out.add(key["client_email"])
    code, output = _run(lab)
    assert code == 1
    assert "Google does not accept the service account" in " ".join(output.split())
    logged = "".join(f.read_text(encoding="utf-8") for f in log_files(lab.library.logs))
    assert "sheet can't be read" in logged
    for text in (output, logged):
        assert "PRIVATE KEY" not in text
        assert "ya29." not in text
        assert "assertion" not in text


def test_a_key_that_others_can_read_is_refused(lab: GoogleLibrary) -> None:
    (lab.library.root / "key.json").chmod(0o644)
    done = CliRunner().invoke(app, ["run", "--once", "--quiet", "--library", str(lab.library.root)])
    assert done.exit_code == 1
    assert "others can read it; chmod 600" in " ".join(str(done.exception).split())
