"""Worker processes: started, watched, adopted, stopped. Real processes, real files."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from wakeful.executors import local, worker
from wakeful.executors.interface import (
    EXIT_NAME,
    JOB_NAME,
    LOCK_NAME,
    LOG_NAME,
    PROCESS_NAME,
    AttemptState,
    last_attempt,
    prepare_attempt,
    read_json,
)
from wakeful.executors.local import LocalExecutor
from wakeful.executors.worker import main
from wakeful.io.holding import hold, is_held
from wakeful.io.mirror import intake, read_manifest
from wakeful.model.errors import StepFailed


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


def test_a_job_can_follow_a_recording_that_grows(tmp_path, source):
    job = {
        **take_in(tmp_path, source),
        "following": True,
        "settle_s": 3600.0,
        "bandwidth_mb_per_s": 50.0,
        "finished_marker": "*.done",
    }
    source.write_bytes(b"x" * 20_000)
    folder = prepare_attempt(tmp_path / "jobs", "job", 1, job)
    assert main([str(folder)]) == 0
    assert read_json(folder / EXIT_NAME)["message"] == "took in 1 files, 0.0 MB so far"
    manifest = read_manifest(tmp_path / "in")
    assert (manifest.complete, manifest.n_bytes) == (False, 16_384)
    os.utime(source, (1e9, 1e9))
    folder = prepare_attempt(tmp_path / "jobs", "job", 2, job)
    assert main([str(folder)]) == 0
    assert not read_manifest(tmp_path / "in").complete, "the marker is not there yet"
    (tmp_path / "a.done").touch()
    folder = prepare_attempt(tmp_path / "jobs", "job", 3, job)
    assert main([str(folder)]) == 0
    assert read_manifest(tmp_path / "in").complete


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


class Killed(BaseException):
    """The service is gone at this point."""


def test_a_worker_is_seen_even_if_its_service_was_killed_as_it_started(
    tmp_path, source, monkeypatch
):
    first = LocalExecutor()
    folder = prepare_attempt(tmp_path / "jobs", "job", 1, take_in(tmp_path, source))

    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(local, "write_json", kill)
        with pytest.raises(Killed):
            first.submit(folder)
    second = LocalExecutor()
    status = second.poll(folder)
    assert (status.state, status.pid) == (AttemptState.RUNNING, None)
    assert wait_for(second, folder).state is AttemptState.DONE
    assert wait_for(first, folder).state is AttemptState.DONE
    assert read_json(folder / PROCESS_NAME) is not None  # the worker says itself who it is


def test_a_service_killed_before_the_worker_started_leaves_a_dead_attempt(
    tmp_path, source, monkeypatch
):
    folder = prepare_attempt(tmp_path / "jobs", "job", 1, take_in(tmp_path, source))

    def kill(*_: object, **__: object) -> None:
        raise Killed

    monkeypatch.setattr(local.subprocess, "Popen", kill)
    with pytest.raises(Killed):
        LocalExecutor().submit(folder)
    assert LocalExecutor().poll(folder).state is AttemptState.DIED


def test_a_change_of_the_clock_does_not_kill_a_worker(sleeper):
    folder, process = sleeper
    started = json.loads((folder / PROCESS_NAME).read_text())["start_time"]
    (folder / PROCESS_NAME).write_text(
        json.dumps({"pid": process.pid, "start_time": started - 3600})
    )
    with hold(folder / LOCK_NAME):
        assert LocalExecutor().poll(folder).state is AttemptState.RUNNING
    # And the lock tells that a worker is gone whose number another process has by now.
    (folder / PROCESS_NAME).write_text(json.dumps({"pid": process.pid, "start_time": started}))
    assert LocalExecutor().poll(folder).state is AttemptState.DIED


def test_an_adopted_worker_that_holds_its_lock_is_stopped_and_no_other_process(sleeper):
    folder, stranger = sleeper
    words = [sys.executable, "-c", "import time; time.sleep(60)", str(folder)]
    with hold(folder / LOCK_NAME) as held:
        process = subprocess.Popen(words, pass_fds=(held.descriptor,))
    try:
        executor = LocalExecutor()
        executor.cancel(folder)  # process.json names a process that is not the worker
        time.sleep(0.1)
        assert stranger.poll() is None
        assert process.poll() is None
        (folder / PROCESS_NAME).write_text(json.dumps({"pid": process.pid, "start_time": 1.0}))
        executor.cancel(folder)
        assert process.wait(timeout=10) == -signal.SIGTERM
        assert executor.poll(folder).state is AttemptState.DIED
        executor.cancel(folder)
    finally:
        process.kill()
        process.wait()


def test_a_second_worker_of_one_attempt_does_nothing(tmp_path, source, monkeypatch):
    folder = prepare_attempt(tmp_path / "jobs", "job", 1, take_in(tmp_path, source))
    monkeypatch.setattr(worker, "hold", lambda path: hold(path, wait_s=0.05))
    with hold(folder / LOCK_NAME):
        assert main([str(folder)]) == 3
    assert {p.name for p in folder.iterdir()} == {JOB_NAME, LOCK_NAME}
    assert main([str(folder)]) == 0
    assert is_held(folder / LOCK_NAME) is False


def test_a_worker_holds_its_lock_while_it_works(tmp_path, source, monkeypatch):
    folder = prepare_attempt(tmp_path / "jobs", "job", 1, {"kind": "look"})
    seen: list[bool | None] = []

    def look(*_: object) -> str:
        seen.append(is_held(folder / LOCK_NAME))
        seen.append((folder / EXIT_NAME).exists())
        return "looked"

    monkeypatch.setitem(worker._RUN, "look", look)
    assert main([str(folder)]) == 0
    assert seen == [True, False]


def test_words_that_are_not_utf_8_are_left_all_the_same(tmp_path, monkeypatch):
    folder = prepare_attempt(tmp_path / "jobs", "job", 1, {"kind": "fail"})

    def fail(*_: object) -> str:
        raise ValueError(os.fsdecode(b"M\xe4use.ncs") + " is odd, and so is ä")

    monkeypatch.setitem(worker._RUN, "fail", fail)
    assert main([str(folder)]) == 1
    message = LocalExecutor().poll(folder).message
    assert message == "ValueError: M\\udce4use.ncs is odd, and so is ä"
    message.encode()  # as the database will


def test_where_the_word_can_not_be_written_a_short_one_is_left(tmp_path, monkeypatch):
    folder = prepare_attempt(tmp_path / "jobs", "job", 1, {"kind": "fail"})
    real = worker.write_json

    def fail(*_: object) -> str:
        raise ValueError("ä" * 10_000)

    def refuse_long(path: Path, tree: dict[str, object]) -> None:
        if len(str(tree)) > 1000:
            raise OSError(27, "File too large")
        real(path, tree)

    monkeypatch.setitem(worker._RUN, "fail", fail)
    monkeypatch.setattr(worker, "write_json", refuse_long)
    assert main([str(folder)]) == 1
    status = LocalExecutor().poll(folder)
    assert status.state is AttemptState.FAILED
    assert status.message.startswith("ValueError: ???")
    assert len(status.message) == 500


def test_a_log_that_takes_nothing_more_does_not_silence_the_worker(tmp_path, monkeypatch):
    folder = prepare_attempt(tmp_path / "jobs", "job", 1, {"kind": "no such kind"})

    def refuse() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(worker.traceback, "print_exc", refuse)
    assert main([str(folder)]) == 1
    assert "KeyError" in LocalExecutor().poll(folder).message


def test_a_recording_that_another_process_takes_in_is_worth_another_try(
    tmp_path, source, monkeypatch
):
    folder = prepare_attempt(tmp_path / "jobs", "job", 1, take_in(tmp_path, source))
    monkeypatch.setattr(intake, "_LOCK_WAIT_S", 0.05)
    (tmp_path / "in").mkdir()
    with hold(tmp_path / "in" / ".lock"):
        assert main([str(folder)]) == 1
    status = LocalExecutor().poll(folder)
    assert status.state is AttemptState.FAILED
    assert status.again
    assert "another process takes this recording in now" in status.message


def test_a_last_word_that_a_power_cut_emptied_is_no_word(tmp_path):
    folder = prepare_attempt(tmp_path / "jobs", "job", 1, {"kind": "take_in"})
    (folder / LOCK_NAME).touch()
    (folder / EXIT_NAME).touch()
    assert LocalExecutor().poll(folder).state is AttemptState.DIED


def test_a_full_disk_may_pass_and_a_wrong_path_does_not():
    def failed(cause: BaseException) -> StepFailed:
        try:
            raise StepFailed("x") from cause
        except StepFailed as error:
            return error

    assert worker._is_passing(failed(OSError(errno.ENOSPC, "full")))
    assert worker._is_passing(failed(MemoryError()))
    assert not worker._is_passing(failed(NotADirectoryError(errno.ENOTDIR, "no")))
    assert not worker._is_passing(StepFailed("x"))
