"""Worker processes: started, watched, adopted, stopped. Real processes, real files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from wakeful.executors.interface import (
    EXIT_NAME,
    JOB_NAME,
    LOG_NAME,
    PROCESS_NAME,
    AttemptState,
    last_attempt,
    prepare_attempt,
    read_json,
)
from wakeful.executors.local import LocalExecutor
from wakeful.executors.worker import main


def wait_for(executor: LocalExecutor, folder: Path, timeout_s: float = 60.0):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        status = executor.poll(folder)
        if status.has_ended:
            return status
        time.sleep(0.05)
    raise AssertionError(f"{folder} did not end")


def take_in(tmp_path: Path, source: Path) -> dict[str, object]:
    return {
        "kind": "take_in",
        "source": str(source),
        "folder": str(tmp_path / "in"),
        "in_place": True,
    }


@pytest.fixture
def source(tmp_path) -> Path:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * 1000)
    return path


@pytest.fixture
def sleeper(tmp_path):
    """An attempt whose worker is a process that only sleeps."""
    folder = prepare_attempt(tmp_path / "jobs", "job", 1, {"kind": "take_in"})
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    started = psutil.Process(process.pid).create_time()
    (folder / PROCESS_NAME).write_text(json.dumps({"pid": process.pid, "start_time": started}))
    yield folder, process
    process.kill()
    process.wait()


def test_an_attempt_runs_to_its_end(tmp_path, source):
    executor = LocalExecutor()
    folder = prepare_attempt(tmp_path / "jobs", "job", 1, take_in(tmp_path, source))
    assert executor.poll(folder).state is AttemptState.WAITING
    executor.submit(folder)
    status = wait_for(executor, folder)
    assert status.state is AttemptState.DONE
    assert "took in 1 files" in status.message
    # Any other executor sees the same: the folder is the truth.
    assert LocalExecutor().poll(folder).state is AttemptState.DONE


def test_an_error_comes_back_as_its_message(tmp_path):
    executor = LocalExecutor()
    folder = prepare_attempt(tmp_path / "jobs", "job", 1, take_in(tmp_path, tmp_path / "no"))
    executor.submit(folder)
    status = wait_for(executor, folder)
    assert status.state is AttemptState.FAILED
    assert "nothing here" in status.message
    assert "Traceback" in (folder / LOG_NAME).read_text()


def test_a_killed_worker_has_died(sleeper):
    folder, process = sleeper
    executor = LocalExecutor()
    assert executor.poll(folder).state is AttemptState.RUNNING
    process.send_signal(signal.SIGKILL)
    process.wait()
    status = executor.poll(folder)
    assert status.state is AttemptState.DIED
    assert "without a word" in status.message


def test_a_running_attempt_of_another_service_is_adopted_and_can_be_stopped(sleeper):
    folder, process = sleeper
    executor = LocalExecutor()
    status = executor.poll(folder)
    assert status.state is AttemptState.RUNNING
    assert status.pid == process.pid
    executor.cancel(folder)
    process.wait(timeout=10)
    assert executor.poll(folder).state is AttemptState.DIED


def test_a_number_used_again_is_not_the_same_process(tmp_path):
    folder = prepare_attempt(tmp_path / "jobs", "job", 1, {"kind": "take_in"})
    (folder / PROCESS_NAME).write_text(json.dumps({"pid": os.getpid(), "start_time": 1.0}))
    assert LocalExecutor().poll(folder).state is AttemptState.DIED


def test_attempts_are_counted(tmp_path):
    assert last_attempt(tmp_path, "job") == 0
    prepare_attempt(tmp_path, "job", 1, {})
    prepare_attempt(tmp_path, "job", 12, {})
    assert last_attempt(tmp_path, "job") == 12


def test_the_worker_leaves_its_word(tmp_path, source):
    folder = prepare_attempt(tmp_path / "jobs", "job", 1, take_in(tmp_path, source))
    assert main([str(folder)]) == 0
    ended = read_json(folder / EXIT_NAME)
    assert ended is not None
    assert ended["ok"] is True
    assert read_json(folder / JOB_NAME)["kind"] == "take_in"


def test_an_unforeseen_error_is_left_as_a_word_too(tmp_path, source):
    folder = prepare_attempt(tmp_path / "jobs", "job", 1, {"kind": "take_in", "in_place": True})
    assert main([str(folder)]) == 1
    ended = read_json(folder / EXIT_NAME)
    assert ended is not None
    assert ended["ok"] is False
    assert "KeyError" in ended["message"]
