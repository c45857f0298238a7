"""`wakeful logs`: what was written, chosen and followed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest
from tests.interrupting import interruptible_command
from typer.testing import CliRunner

from wakeful.cli import app
from wakeful.cli.logs import follow_events
from wakeful.logs import LOG_NAME, get_log, write_logs
from wakeful.model.errors import BadParameters

runner = CliRunner()


def call(*arguments: str) -> str:
    result = runner.invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


@pytest.fixture
def library(tmp_path):
    root = tmp_path / "lib"
    call("init", str(root), "--time-zone", "Europe/Berlin")
    now = datetime.now(UTC)
    events = [
        {"event": "old", "level": "info", "row": 1, "time": (now - timedelta(hours=5)).isoformat()},
        {
            "event": "row",
            "level": "error",
            "row": 2,
            "time": (now - timedelta(hours=1)).isoformat(),
        },
        {"event": "new", "level": "info", "row": 1, "time": now.isoformat()},
    ]
    folder = root / "logs"
    folder.mkdir()
    lines = [json.dumps(event) for event in events]
    (folder / f"{LOG_NAME}.1").write_text(lines[0] + "\n")
    (folder / LOG_NAME).write_text("\n".join([lines[1], '{"torn', lines[2]]) + "\n")
    return root


def names(*options: str) -> list[str]:
    return [json.loads(line)["event"] for line in call("logs", "--json", *options).splitlines()]


def test_everything_is_shown_oldest_first_across_files(library):
    assert names("-l", str(library)) == ["old", "row", "new"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--row", "1"), ["old", "new"]),
        (("--row", "7"), []),
        (("--since", "2h"), ["row", "new"]),
        (("--since", "90 min"), ["row", "new"]),
        (("--since", "1d", "--row", "1"), ["old", "new"]),
        (("--level", "warning"), ["row"]),
        (("--last", "1"), ["new"]),
        (("--last", "0"), []),
    ],
)
def test_lines_can_be_chosen(library, options, found):
    assert names("-l", str(library), *options) == found


def test_a_time_without_a_zone_is_the_labs(library):
    import zoneinfo

    berlin = datetime.now(zoneinfo.ZoneInfo("Europe/Berlin")) - timedelta(minutes=30)
    assert names("-l", str(library), "--since", berlin.strftime("%Y-%m-%dT%H:%M:%S")) == ["new"]


def test_people_see_the_labs_time(library):
    import zoneinfo

    shown = call("logs", "-l", str(library), "--last", "1")
    local = datetime.now(zoneinfo.ZoneInfo("Europe/Berlin"))
    assert shown.startswith(f"{local:%Y-%m-%d %H}")
    assert "new  row=1" in shown


def test_what_is_no_time_is_refused(library):
    for text in ("yesterday", "2 parsecs", "1e400h"):
        with pytest.raises(BadParameters, match="neither a stretch of time nor a time"):
            call("logs", "-l", str(library), "--since", text)
    with pytest.raises(BadParameters, match="no level"):
        call("logs", "-l", str(library), "--level", "loud")


def test_no_log_yet_is_said(tmp_path):
    call("init", str(tmp_path / "lib"))
    assert "there is no log yet" in call("logs", "-l", str(tmp_path / "lib")).replace("\n", " ")


def test_following_goes_on_in_the_next_file(tmp_path):
    events = follow_events(tmp_path)
    assert next(events) is None  # no log yet
    seen = []
    with write_logs(tmp_path, most_mb=1):
        for number in range(3000):  # some 100 bytes each: more than one file of 200 kB
            get_log().info("more", number=number)
            if number % 7 == 0:
                seen += iter(lambda: next(events), None)
    seen += iter(lambda: next(events), None)
    assert (tmp_path / f"{LOG_NAME}.1").is_file()
    assert [event["number"] for event in seen] == list(range(3000))
    events.close()


def test_following_ends_quietly(library):
    command = [*interruptible_command(), "logs", "-l", str(library), "--follow", "--json"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            assert json.loads(process.stdout.readline())["event"] == "old"
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    assert b"Traceback" not in errors
