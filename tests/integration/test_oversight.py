"""What the service tells of itself while it works: its log."""

from __future__ import annotations

import json
import subprocess
import sys

from typer.testing import CliRunner

from wakeful.cli import app

from .conftest import FINISHED, Bench, service_command


def events(bench: Bench, *options: str) -> list[dict]:
    result = CliRunner().invoke(
        app, ["logs", "--json", "--last", "100000", "-l", str(bench.library.root), *options]
    )
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.output.splitlines()]


def test_the_log_tells_what_became_of_each_row(lab, small_recording, tmp_path):
    lab.add(small_recording, analyses="muscle")
    lab.add(tmp_path / "nowhere", analyses="muscle")
    assert subprocess.run(service_command(lab.library.root), check=False).returncode == 1
    assert lab.rows()[1].status in FINISHED
    told = events(lab)
    assert told[0]["event"] == "service started"
    assert told[-1]["event"] == "service stopped"
    moments = [event["time"] for event in told]
    assert moments == sorted(moments)
    started = [event for event in told if event["event"] == "job started"]
    done = [event for event in told if event["event"] == "job done"]
    assert {event["job"] for event in started} == {event["job"] for event in done}
    made = [event for event in told if event["event"] == "result made"]
    # Four blocks, each converted once and its muscle tone written once, at the least.
    assert {(event["step"], event["scope"]) for event in made} >= {
        (step, f"block {i}") for step in ("convert", "muscle") for i in range(4)
    }
    assert all(event["row"] == 1 and event["subject"] == "M1" for event in made)
    assert all(event["seconds"] > 0 and event["bytes"] > 0 for event in made)
    rows = [event for event in events(lab, "--row", "1") if event["event"] == "row"]
    assert rows[-1]["status"] == lab.rows()[1].status
    wrong = [event for event in events(lab, "--level", "error") if event["event"] == "row"]
    assert [event["row"] for event in wrong] == [2]
    assert "nowhere" in wrong[0]["message"]
    # A second run has nothing to tell but that it was there.
    assert subprocess.run(service_command(lab.library.root), check=False).returncode == 1
    again = events(lab)[len(told) :]
    assert not [event for event in again if event["event"] in ("job started", "result made")]


def test_verbose_shows_the_log_in_the_terminal(lab, small_recording):
    lab.add(small_recording, analyses="muscle")
    command = [sys.executable, "-m", "wakeful", "run", "--once", "--quiet", "--verbose"]
    process = subprocess.run(
        [*command, "--library", str(lab.library.root)], capture_output=True, text=True, check=True
    )
    assert "job started  row=1  subject=M1" in process.stderr
    quiet = subprocess.run(
        service_command(lab.library.root), capture_output=True, text=True, check=True
    )
    assert quiet.stderr == ""
