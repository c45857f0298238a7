"""The log: whole lines, bounded, without secrets, never in the way."""

from __future__ import annotations

import errno
import json
import logging
import os
import threading

import pytest

from wakeful.logs import (
    LOG_NAME,
    RotatedFile,
    facts_of,
    get_log,
    log_files,
    render_plainly,
    write_logs,
)


def read(folder):
    return [
        json.loads(line)
        for path in log_files(folder)
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def test_nothing_is_written_anywhere_before_it_is_set_up(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    get_log().error("job failed", job="a.1")
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_a_line_holds_its_facts_and_those_of_its_row(tmp_path):
    with write_logs(tmp_path, most_mb=1):
        with facts_of(row=14, subject="M014"):
            get_log().info("result made", step="convert", seconds=1.25)
        get_log().info("pass")
    made, bare = read(tmp_path)
    assert made["event"] == "result made"
    assert (made["row"], made["subject"], made["step"]) == (14, "M014", "convert")
    assert made["seconds"] == 1.25
    assert made["level"] == "info"
    assert made["time"].endswith("Z")
    assert "row" not in bare


def test_no_secret_reaches_the_file_or_the_terminal(tmp_path, capfd):
    with write_logs(tmp_path, most_mb=1, terminal_level="info", secrets=["slack://AbCdEf123/x"]):
        get_log().warning("not sent", url="https://anna:hunter22@lab.example/x", token="t0k3n-t0k")
        get_log().warning("answered AbCdEf123", headers={"Authorization": "Bearer abcdefghijk"})
        try:
            raise ValueError("password=hunter22")
        except ValueError:
            get_log().exception("fault")
        logging.getLogger("urllib3").warning("retry https://anna:hunter22@lab.example/x")
    written = (tmp_path / LOG_NAME).read_text() + capfd.readouterr().err
    for secret in ("hunter22", "t0k3n", "AbCdEf123", "abcdefghijk"):
        assert secret not in written
    assert len(read(tmp_path)) == 4
    assert "ValueError" in read(tmp_path)[2]["exception"]
    assert read(tmp_path)[3]["event"].startswith("retry https://***@lab.example")


def test_the_terminal_shows_what_is_grave_in_plain_words(tmp_path, capfd):
    with write_logs(tmp_path, most_mb=1):
        get_log().info("job started", job="a.1")
        get_log().error("job failed", row=3, job="a.1", message="no space")
    shown = capfd.readouterr().err
    assert "job started" not in shown
    assert "error: job failed  row=3  job=a.1  message=no space" in shown
    assert "{" not in shown


def test_files_are_rotated_and_bounded_in_all(tmp_path):
    with write_logs(tmp_path, most_mb=0.05):
        for number in range(2000):
            get_log().info("pass", number=number)
    files = log_files(tmp_path)
    assert [f.name for f in files] == [f"{LOG_NAME}.{n}" for n in (4, 3, 2, 1)] + [LOG_NAME]
    assert sum(f.stat().st_size for f in files) <= 50_000
    numbers = [event["number"] for event in read(tmp_path)]
    assert numbers == list(range(numbers[0], 2000)), "none is lost in between"


def test_a_later_service_goes_on_behind_a_torn_line(tmp_path):
    (tmp_path / LOG_NAME).write_bytes(b'{"event": "whole"}\n{"event": "to')
    with write_logs(tmp_path, most_mb=1):
        get_log().info("after")
    lines = (tmp_path / LOG_NAME).read_bytes().splitlines()
    assert lines[:2] == [b'{"event": "whole"}', b'{"event": "to']
    assert json.loads(lines[2])["event"] == "after"


def test_a_full_disk_stops_nobody_and_says_later_what_is_missing(tmp_path, monkeypatch, capfd):
    write, room = os.write, [10]  # bytes that the disk still takes

    def full(handle, data):
        if not room:
            raise OSError(errno.ENOSPC, "no space left on device")
        return write(handle, data[: room.pop()])

    with write_logs(tmp_path, most_mb=1):
        get_log().info("before")
        monkeypatch.setattr(os, "write", full)
        for _ in range(3):
            get_log().info("lost")
        monkeypatch.setattr(os, "write", write)
        get_log().info("after")
    events = []
    for line in (tmp_path / LOG_NAME).read_bytes().splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:
            continue
    assert [e["event"] for e in events] == ["before", "lines of the log were lost", "after"]
    assert events[1]["lines"] == 3
    assert capfd.readouterr().err == ""


def test_a_folder_that_is_gone_is_made_again(tmp_path):
    folder = tmp_path / "logs"
    with write_logs(folder, most_mb=1):
        get_log().info("one")
    (folder / LOG_NAME).unlink()
    folder.rmdir()
    with write_logs(folder, most_mb=1):
        get_log().info("two")
    assert [e["event"] for e in read(folder)] == ["two"]


def test_threads_do_not_mix_their_lines(tmp_path):
    with write_logs(tmp_path, most_mb=10):
        threads = [
            threading.Thread(target=lambda: [get_log().info("x", pad="y" * 500) for _ in range(50)])
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(read(tmp_path)) == 400


def test_one_line_can_not_be_endless(tmp_path):
    with write_logs(tmp_path, most_mb=1):
        get_log().info("x", message="a" * 100_000 + "the end")
    (event,) = read(tmp_path)
    assert len(event["message"]) < 8_100
    assert event["message"].endswith("the end")


def test_handlers_go_when_the_service_ends(tmp_path):
    before = list(logging.getLogger().handlers)
    with write_logs(tmp_path, most_mb=1):
        assert len(logging.getLogger().handlers) == len(before) + 2
    assert logging.getLogger().handlers == before


def test_lines_lost_are_counted(tmp_path):
    handler = RotatedFile(tmp_path / "file" / LOG_NAME, 1000)
    (tmp_path / "file").write_text("in the way")
    record = logging.LogRecord("x", logging.INFO, "x", 1, "hello", None, None)
    handler.emit(record)
    handler.emit(record)
    assert handler.n_lost == 2
    handler.close()


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"event": "pass", "time": "2026-03-02T09:15:00.5Z"}, "2026-03-02 09:15:00 pass"),
        (
            {"event": "row", "level": "error", "status": "failed", "row": 2, "exception": "Trace"},
            " error: row  row=2  status=failed\nTrace",
        ),
    ],
)
def test_a_line_for_people(event, line):
    assert render_plainly(None, "", event) == line
