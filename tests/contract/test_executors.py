"""What every executor promises, on this machine and on a real Slurm alike."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.slurm_cluster import Cluster, ask, running_cluster, why_not
from wakeful.executors.interface import (
    EXIT_NAME,
    LOG_NAME,
    PROCESS_NAME,
    AttemptState,
    AttemptStatus,
    Executor,
    prepare_attempt,
    read_json,
)
from wakeful.executors.local import LocalExecutor
from wakeful.executors.slurm import SlurmExecutor, SlurmOptions

JOBS = "jobs of this lab, 100%"


@dataclass
class Place:
    """An executor with a folder of jobs; a new executor of the same place is a new service."""

    folder: Path
    make: Callable[[], Executor]

    def __post_init__(self) -> None:
        self.jobs = self.folder / JOBS
        self.jobs.mkdir()
        self.executor = self.make_new()

    def make_new(self) -> Executor:
        """As after a restart."""
        return self.make()

    def start(self, name: str, mb: float = 0.001, number: int = 1, **job: object) -> Path:
        """An attempt that reads a file, two megabytes a second."""
        source = self.folder / f"{name}.bin"
        if not source.exists():
            source.write_bytes(os.urandom(int(mb * 1e6)))
        description = {
            "kind": "take_in",
            "source": str(source),
            "folder": str(self.folder / f"in-{name}"),
            "in_place": True,
            "bandwidth_mb_per_s": 2.0,
            "needs": {"cpus": 1, "memory_mb": 500, "time_s": 600},
            **job,
        }
        folder = prepare_attempt(self.jobs, name, number, description)
        self.executor.submit(folder)
        self.executor.flush()
        return folder

    def wait(
        self, folder: Path, until: Callable[[AttemptStatus], bool], timeout_s: float = 150.0
    ) -> AttemptStatus:
        """Passes until something holds."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self.executor.flush()
            status = self.executor.poll(folder)
            if until(status):
                return status
            time.sleep(0.1)
        raise AssertionError(f"{folder.parent.name}: still {status}")

    def wait_for_end(self, folder: Path, timeout_s: float = 150.0) -> AttemptStatus:
        return self.wait(folder, lambda s: s.has_ended, timeout_s)

    def wait_for_worker(self, folder: Path) -> int:
        """The number of the process that works on it."""
        self.wait(folder, lambda s: read_json(folder / PROCESS_NAME) is not None)
        process = read_json(folder / PROCESS_NAME)
        assert process is not None
        return int(process["pid"])


@pytest.fixture(scope="module")
def real_slurm() -> Iterator[Cluster]:
    if reason := why_not():
        pytest.skip(reason)
    with running_cluster() as found:
        yield found


def on_slurm(folder: Path) -> Place:
    options = SlurmOptions(look_every_s=0.2, grace_s=2.0)
    return Place(folder, lambda: SlurmExecutor(folder / JOBS, options))


@pytest.fixture(params=["local", "slurm"])
def place(request, tmp_path) -> Place:
    """Each executor in turn."""
    if request.param == "local":
        return Place(tmp_path, LocalExecutor)
    request.getfixturevalue("real_slurm")
    return on_slurm(tmp_path)


@pytest.fixture
def slurm(tmp_path, real_slurm) -> Place:
    return on_slurm(tmp_path)


def test_an_attempt_runs_to_its_end_and_any_executor_sees_it(place):
    folder = place.start("a")
    status = place.wait_for_end(folder)
    assert status.state is AttemptState.DONE, (folder / LOG_NAME).read_text()
    assert "took in 1 files" in status.message
    assert place.make_new().poll(folder).state is AttemptState.DONE


def test_one_that_nobody_started_waits(place):
    folder = prepare_attempt(place.jobs, "idle", 1, {"kind": "take_in"})
    status = place.wait(folder, lambda s: s.state is not AttemptState.RUNNING)
    assert status.state is AttemptState.WAITING


def test_an_error_comes_back_as_its_message(place):
    folder = place.start("bad", source=str(place.folder / "nothing"))
    status = place.wait_for_end(folder)
    assert status.state is AttemptState.FAILED
    assert "nothing here" in status.message
    assert "Traceback" in (folder / LOG_NAME).read_text()


def test_progress_is_told_while_it_runs(place):
    folder = place.start("long", mb=30)
    status = place.wait(folder, lambda s: "hashing" in s.message)
    assert status.state is AttemptState.RUNNING
    place.executor.cancel(folder)
    place.wait_for_end(folder)


def test_a_worker_that_is_killed_has_died_and_another_attempt_succeeds(place):
    folder = place.start("k", mb=3)
    os.kill(place.wait_for_worker(folder), signal.SIGKILL)
    status = place.wait_for_end(folder)
    assert status.state is AttemptState.DIED
    assert status.message
    assert not (folder / EXIT_NAME).exists()
    again = place.start("k", mb=3, number=2)
    assert place.wait_for_end(again).state is AttemptState.DONE


def test_what_is_cancelled_dies(place):
    folder = place.start("c", mb=60)
    pid = place.wait_for_worker(folder)
    place.executor.cancel(folder)
    assert place.wait_for_end(folder).state is AttemptState.DIED
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_new_service_adopts_what_runs(place):
    folder = place.start("adopted", mb=3)
    pid = place.wait_for_worker(folder)
    first, place.executor = place.executor, place.make_new()
    assert place.executor.poll(folder).state is AttemptState.RUNNING
    assert place.wait_for_end(folder).state is AttemptState.DONE
    assert first.poll(folder).state is AttemptState.DONE
    process = read_json(folder / PROCESS_NAME)
    assert process is not None
    assert process["pid"] == pid, "nothing was started twice"


def test_many_attempts_started_together_all_end(place):
    folders = []
    for i in range(5):
        source = place.folder / f"m{i}.bin"
        source.write_bytes(b"x" * 1000)
        description = {
            "kind": "take_in",
            "source": str(source),
            "folder": str(place.folder / f"in-m{i}"),
            "in_place": True,
            "needs": {"memory_mb": 300},
        }
        folders.append(prepare_attempt(place.jobs, f"m{i}", 1, description))
        place.executor.submit(folders[-1])
    place.executor.flush()
    for folder in folders:
        assert place.wait_for_end(folder).state is AttemptState.DONE


def names(place: Place) -> list[str]:
    """Of the cluster's jobs, those of this test."""
    ours = {read_json(path)["name"] for path in place.jobs.glob("*/*/submission.json")}
    lines = ask("squeue", "-h", "--array", "--states=all", "-o", "%j").split()
    return [name for name in lines if name in ours]


def _fail(monkeypatch, tmp_path, command: str, times: int, *, heard: bool = False) -> Path:
    """Put a command first on the path that fails a few times, perhaps after it was heard."""
    real = subprocess.run(["which", command], capture_output=True, text=True, check=True)
    folder, counter = tmp_path / "bin", tmp_path / f"{command}-left"
    folder.mkdir(exist_ok=True)
    counter.write_text("x" * times)
    script = folder / command
    call = f'{real.stdout.strip()} "$@"'
    script.write_text(
        "#!/bin/bash\n"
        f"left=$(wc -c < '{counter}')\n"
        f"if [ \"$left\" -gt 0 ]; then truncate -s $((left - 1)) '{counter}'; "
        + (f"{call} >/dev/null; " if heard else "")
        + "echo 'Unable to contact slurm controller' >&2; exit 1; fi\n"
        f"exec {call}\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return counter


@pytest.fixture
def quick(monkeypatch) -> None:
    """Pauses between tries that a test can wait for."""
    from wakeful.executors import slurm as module

    monkeypatch.setattr(module, "_FIRST_PAUSE_S", 0.3)


def test_jobs_of_one_pass_go_as_one_array(slurm):
    folders = []
    for i in range(3):
        (slurm.folder / f"a{i}.bin").write_bytes(b"x")
        description = {"kind": "take_in", "source": str(slurm.folder / f"a{i}.bin")}
        description |= {"folder": str(slurm.folder / f"in{i}"), "in_place": True}
        folders.append(prepare_attempt(slurm.jobs, f"a{i}", 1, description))
        slurm.executor.submit(folders[-1])
    slurm.executor.flush()
    for folder in folders:
        status = slurm.wait_for_end(folder)
        assert status.state is AttemptState.DONE
    assert len(set(names(slurm))) == 1
    numbers = {slurm.executor.poll(folder).external_id for folder in folders}
    assert {n.partition("_")[2] for n in numbers} == {"0", "1", "2"}
    assert len({n.partition("_")[0] for n in numbers}) == 1


def test_a_failing_sbatch_is_tried_again_and_says_why(slurm, monkeypatch, tmp_path, quick):
    counter = _fail(monkeypatch, tmp_path, "sbatch", 3)
    folder = slurm.start("a")
    status = slurm.executor.poll(folder)
    assert status.state is AttemptState.RUNNING
    assert "Unable to contact slurm controller" in status.message
    assert "trying again in" in status.message
    assert slurm.wait_for_end(folder).state is AttemptState.DONE
    assert counter.read_text() == ""
    assert len(names(slurm)) == 1


def test_a_call_that_failed_and_was_heard_is_not_made_again(slurm, monkeypatch, tmp_path, quick):
    _fail(monkeypatch, tmp_path, "sbatch", 1, heard=True)
    folder = slurm.start("a")
    assert slurm.wait_for_end(folder).state is AttemptState.DONE
    assert len(names(slurm)) == 1


def test_a_queue_that_can_not_be_asked_says_nothing_of_a_job(slurm, monkeypatch, tmp_path, quick):
    folder = slurm.start("a", mb=4)
    slurm.wait_for_worker(folder)
    _fail(monkeypatch, tmp_path, "squeue", 10_000)
    slurm.executor = slurm.make_new()
    end = time.monotonic() + 4
    while time.monotonic() < end and not (folder / EXIT_NAME).exists():
        status = slurm.executor.poll(folder)
        assert status.state in (AttemptState.RUNNING, AttemptState.DONE)
        time.sleep(0.1)
    # Its own word counts, though the queue is silent.
    assert slurm.wait_for_end(folder).state is AttemptState.DONE


def test_nothing_is_submitted_while_the_queue_can_not_be_asked(slurm, monkeypatch, tmp_path, quick):
    counter = _fail(monkeypatch, tmp_path, "squeue", 2)
    folder = slurm.start("a")
    assert "the cluster does not answer (squeue:" in slurm.executor.poll(folder).message
    assert slurm.wait_for_end(folder).state is AttemptState.DONE
    assert counter.read_text() == ""


def test_a_service_killed_between_intent_and_word_finds_its_job_by_name(slurm, monkeypatch):
    from wakeful.executors import slurm as module

    def killed(*words, **more):
        raise KeyboardInterrupt

    real = module.write_json
    monkeypatch.setattr(
        module, "write_json", lambda path, tree: killed() if "job_id" in tree else real(path, tree)
    )
    with pytest.raises(KeyboardInterrupt):
        slurm.start("a", mb=3)
    monkeypatch.undo()
    folder = slurm.jobs / "a" / "1"
    slurm.executor = slurm.make_new()
    assert slurm.executor.poll(folder).state is AttemptState.RUNNING
    slurm.executor.submit(folder)
    slurm.executor.flush()
    assert slurm.wait_for_end(folder).state is AttemptState.DONE
    assert len(names(slurm)) == 1


def test_a_service_killed_before_sbatch_starts_anew(slurm, monkeypatch):
    from wakeful.executors import slurm as module

    def killed(*words, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "submit", killed)
    with pytest.raises(KeyboardInterrupt):
        slurm.start("a")
    monkeypatch.undo()
    slurm.executor = slurm.make_new()
    status = slurm.wait(slurm.jobs / "a" / "1", lambda s: s.state is not AttemptState.RUNNING)
    assert status.state is AttemptState.WAITING
    assert slurm.wait_for_end(slurm.start("a", number=2)).state is AttemptState.DONE


def test_a_job_cancelled_by_hand_says_so(slurm):
    folder = slurm.start("a", mb=60)
    slurm.wait_for_worker(folder)
    number = slurm.executor.poll(folder).external_id
    ask("scancel", number)
    status = slurm.wait_for_end(folder)
    assert status.state is AttemptState.FAILED
    assert "cancelled on the cluster by hand" in status.message
    assert number in status.message


@pytest.mark.slow
def test_a_job_that_needs_more_than_it_asked_for_gets_twice_as_much(slurm):
    # No worker fits into 20 MB.
    folder = slurm.start("a", mb=16, needs={"memory_mb": 20, "time_s": 600})
    status = slurm.wait_for_end(folder, 90)
    if status.state is AttemptState.DONE:
        pytest.skip("this Slurm does not hold jobs to their memory")
    assert status.state is AttemptState.DIED
    assert "memory" in status.message
    again = slurm.start("a", mb=16, number=2, needs={"memory_mb": 400, "time_s": 600})
    name = read_json(again / "submission.json")["name"]
    assert ask("squeue", "-h", "--states=all", f"--name={name}", "-o", "%m").split() == ["800M"]
    assert slurm.wait_for_end(again).state is AttemptState.DONE


@pytest.mark.slow
def test_a_controller_killed_while_a_job_runs_changes_nothing(slurm, real_slurm):
    if not real_slurm.is_ours:
        pytest.skip("this Slurm is not ours to kill")
    folder = slurm.start("a", mb=4)
    slurm.wait_for_worker(folder)
    # Before the controller has saved the job: it will have forgotten it.
    real_slurm.kill_controller()
    assert slurm.executor.poll(folder).state is AttemptState.RUNNING
    real_slurm.start_controller()
    status = slurm.wait_for_end(folder, 90)
    assert status.state is AttemptState.DONE, status
    real_slurm.recover()


def test_a_job_launched_a_second_time_leaves(place):
    """As slurmctld does after a kill: while the first runs, and after it has ended."""
    import sys

    folder = place.start("a", mb=3)
    pid = place.wait_for_worker(folder)
    command = [sys.executable, "-m", "wakeful.executors.worker", str(folder)]
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 3
    assert "another worker does this" in second.stderr
    assert read_json(folder / PROCESS_NAME)["pid"] == pid
    assert place.wait_for_end(folder).state is AttemptState.DONE
    word = (folder / EXIT_NAME).read_bytes()
    third = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (third.returncode, (folder / EXIT_NAME).read_bytes()) == (0, word)
