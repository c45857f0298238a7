"""What the service tells of itself while it works: its log."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from typer.testing import CliRunner

from tests.interrupting import interruptible_command
from tests.post_office import post_office
from wakeful.cli import app

from .conftest import FINISHED, Bench, service_command
from .test_steering import service, wait


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
    assert all(event["row"] == 1 for event in started + done)
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


@pytest.mark.slow
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


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def configure(bench: Bench, text: str) -> None:
    path = bench.library.root / "wakeful.toml"
    path.write_text(path.read_text().replace("workers = 2", "workers = 2\npoll_s = 0.3") + text)


def numbers(port: int) -> dict[str, float]:
    """All metrics that a running service serves, by name and labels; empty while it serves none."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain")
            text = answer.read().decode()
    except OSError:
        return {}
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def test_prometheus_finds_what_the_service_does(lab, small_recording, tmp_path):
    port = free_port()
    configure(lab, f"\n[service]\nmetrics_port = {port}\n")
    lab.add(small_recording, analyses="muscle")
    lab.add(tmp_path / "nowhere", analyses="muscle")
    rows = 'wakeful_rows{{status="{}"}}'
    with service(lab):
        wait(lambda: lab.rows()[1].status in FINISHED)
        finished = rows.format(lab.rows()[1].status)
        wait(lambda: numbers(port).get(finished) == 1)
        found = numbers(port)
        # Served on this machine alone, unless somebody says otherwise.
        with socket.socket() as one:
            one.bind(("127.0.0.2", port))
    assert found[rows.format("needs attention")] == 1
    assert found[rows.format("running")] == 0
    n_bytes = sum(f.stat().st_size for f in small_recording.iterdir() if f.is_file())
    assert found['wakeful_taken_in_bytes{subject="M1"}'] == n_bytes
    assert found["wakeful_results_made_total"] == found['wakeful_row_results{there="yes"}'] > 8
    assert found['wakeful_row_results{there="no"}'] == 0
    assert found["wakeful_jobs_started_total"] == found['wakeful_jobs_ended_total{how="done"}'] > 1
    assert found["wakeful_jobs_retried_total"] == 0
    assert found['wakeful_jobs{state="running"}'] == 0
    assert found['wakeful_disk_free_bytes{folder="raw"}'] > 0
    assert found["wakeful_pass_seconds_count"] == found['wakeful_pass_seconds_bucket{le="+Inf"}']
    bounds = [name for name in found if re.match(r"wakeful_pass_seconds_bucket", name)]
    assert [found[name] for name in bounds] == sorted(found[name] for name in bounds)
    assert numbers(port) == {}, "served after the service had ended"


def test_a_port_that_is_taken_is_named(lab):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        port = one.getsockname()[1]
        configure(lab, f"\n[service]\nmetrics_port = {port}\n")
        process = subprocess.run(
            service_command(lab.library.root), capture_output=True, text=True, check=False
        )
    assert process.returncode == 1
    assert f"metrics can't be served at 127.0.0.1 port {port}" in " ".join(process.stderr.split())
    assert "Traceback" not in process.stderr


def test_a_failure_is_told_once_with_a_link_and_listed(lab, small_recording, tmp_path, monkeypatch):
    with post_office() as office:
        monkeypatch.setenv("WAKEFUL_NOTICES_URLS", office.address())
        configure(lab, '\n[notices]\ndigest_at = "00:00"\n')
        lab.add(tmp_path / "nowhere", analyses="muscle")
        for _ in range(2):
            subprocess.run(service_command(lab.library.root), check=False)
        daily, failure = office.taken
        assert daily["title"].endswith("0 done, 1 need somebody")
        assert failure["title"] == "Row 1 (M1) needs attention"
        assert "nowhere" in failure["message"]
        root = str(lab.library.root)
        listed = CliRunner().invoke(app, ["notices", "list", "--json", "-l", root])
        found = json.loads(listed.output)["notices"]
        assert [one["n_delivered"] for one in found] == [1, 1]
        assert not any(one["open"] for one in found)
        tried = CliRunner().invoke(app, ["notices", "test", "-l", root])
        assert tried.exit_code == 0
        assert tried.output == "json://***: taken\n"
        assert office.taken[-1]["title"] == "Wakeful: a test"
        office.is_open = False
        tried = CliRunner().invoke(app, ["notices", "test", "-l", root])
        assert (tried.exit_code, tried.output) == (1, "json://***: not taken\n")
    text = (lab.library.root / "logs" / "wakeful.jsonl").read_text()
    assert "secret-key-of-the-lab" not in text
    assert '"event": "notice"' in text


@pytest.mark.slow
def test_status_shows_jobs_at_work_and_how_long_it_takes_yet(lab, small_recording):
    configure(lab, "\n[parameters.finer.convert]\nlfp_emg_bin_s = 0.25\n")
    root = str(lab.library.root)

    def look() -> dict:
        shown = CliRunner().invoke(app, ["status", "--json", "-l", root])
        assert shown.exit_code == 0, shown.output
        return json.loads(shown.output)

    lab.add(small_recording, analyses="muscle,spectrogram")
    assert look()["service_process"] is None
    seen: list[dict] = []
    lab.run()
    with service(lab) as process:
        lab.add(small_recording, params="finer", analyses="muscle,spectrogram")

        def is_done() -> bool:
            seen.append(look())
            return seen[-1]["rows"][1]["status"] in FINISHED

        wait(is_done)
        assert seen[-1]["service_process"] == process.pid
    at_work = [job for state in seen for job in state["open_jobs"] if job["row"] == 2]
    assert any("M1" in job["what"] and "convert" in job["what"] for job in at_work)
    assert all(0 <= job["done"] <= 1 for job in at_work)
    progress = [state["rows"][1]["progress"] for state in seen]
    assert any(re.fullmatch(r"\d+ of \d+ results, less than a minute left", p) for p in progress)
    assert "left" not in progress[-1]
    assert seen[-1]["open_jobs"] == []


def test_status_can_be_watched(lab, small_recording):
    lab.add(small_recording, analyses="muscle")
    command = [*interruptible_command(), "status", "--watch", "-l", str(lab.library.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            time.sleep(4)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            shown, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    assert b"no service is at work" in shown
