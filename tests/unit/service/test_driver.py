"""Jobs driven to their end, by an executor that does what the test says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wakeful.executors.interface import AttemptState, AttemptStatus
from wakeful.ledger import JobState, Ledger, RowCells
from wakeful.service import driver as driver_module
from wakeful.service.driver import Driver, DriveState


class ScriptedExecutor:
    """Each attempt ends as the script says, at the second look."""

    def __init__(self, *ends: AttemptState) -> None:
        self.ends: Iterator[AttemptState] = iter(ends)
        self.looks: dict[Path, int] = {}
        self.end_of: dict[Path, AttemptState] = {}
        self.submitted: list[Path] = []

    def submit(self, folder: Path) -> None:
        self.submitted.append(folder)
        self.end_of[folder] = next(self.ends)
        self.looks[folder] = 0

    def poll(self, folder: Path) -> AttemptStatus:
        if folder not in self.looks:
            return AttemptStatus(AttemptState.DIED, "gone")
        self.looks[folder] += 1
        if self.looks[folder] < 2:
            return AttemptStatus(AttemptState.RUNNING, "at it", 0.5, 1, 1.0)
        return AttemptStatus(self.end_of[folder], "the end")

    def cancel(self, folder: Path) -> None:
        raise AssertionError


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "x.sqlite") as ledger:
        row = ledger.add_row(RowCells(subject="M1"), actor="test")
        ledger.add_run(row.id, "{}", "k")
        yield ledger


def make(tmp_path: Path, ledger: Ledger, *ends: AttemptState, slots: int = 2):
    executor = ScriptedExecutor(*ends)
    driver = Driver(executor, ledger, tmp_path / "jobs", slots=slots, attempts=3)
    return driver, executor


def test_a_job_is_recorded_started_and_done(tmp_path, ledger):
    driver, executor = make(tmp_path, ledger, AttemptState.DONE)
    assert driver.state("a")[0] is DriveState.WAITING
    driver.start("a", {"kind": "x"}, 1, ["k1"])
    assert driver.state("a") == (DriveState.RUNNING, "at it", 0.5)
    assert [j.state for j in ledger.jobs()] == [JobState.RUNNING]
    driver.poll()
    assert driver.state("a")[0] is DriveState.DONE
    assert [j.state for j in ledger.jobs()] == [JobState.DONE]
    assert len(executor.submitted) == 1


def test_a_job_whose_worker_dies_is_started_again_but_not_for_ever(tmp_path, ledger):
    driver, executor = make(tmp_path, ledger, *[AttemptState.DIED] * 3)
    for _ in range(3):
        driver.start("a", {}, 1, [])
        driver.poll()
    state, message, _ = driver.state("a")
    assert state is DriveState.FAILED
    assert "tried 3 times" in message
    driver.start("a", {}, 1, [])
    assert len(executor.submitted) == 3
    assert len({f.name for f in executor.submitted}) == 3  # no two attempts write one place


def test_an_error_is_not_tried_again(tmp_path, ledger):
    driver, executor = make(tmp_path, ledger, AttemptState.FAILED)
    driver.start("a", {}, 1, [])
    driver.poll()
    assert driver.state("a")[:2] == (DriveState.FAILED, "the end")
    assert len(executor.submitted) == 1
    assert ledger.jobs()[0].error == "the end"


def test_no_more_jobs_run_than_there_are_slots(tmp_path, ledger):
    driver, executor = make(tmp_path, ledger, *[AttemptState.DONE] * 3, slots=2)
    assert driver.start("a", {}, 1, [])
    assert driver.start("b", {}, 1, [])
    assert not driver.start("c", {}, 1, [])
    driver.poll()
    assert driver.start("c", {}, 1, [])
    assert len(executor.submitted) == 3


def test_a_running_attempt_is_adopted_and_a_dead_one_replaced(tmp_path, ledger):
    first, executor = make(tmp_path, ledger, AttemptState.DONE, AttemptState.DONE)
    first.start("a", {}, 1, [])
    executor.looks[executor.submitted[0]] = 0
    second = Driver(executor, ledger, tmp_path / "jobs", slots=2, attempts=3)
    second.start("a", {}, 1, [])
    assert len(executor.submitted) == 1
    second.poll()
    assert second.state("a")[0] is DriveState.DONE
    # A third service finds the attempt ended, and would start a new one where asked to.
    third = Driver(executor, ledger, tmp_path / "jobs", slots=2, attempts=3)
    third.start("a", {}, 1, [])
    assert [f.name for f in executor.submitted] == ["1", "2"]


class Killed(BaseException):
    """The service is gone at this point."""


STEPS = ("record_job", "prepare_attempt", "submit", "poll", "start_job")


def kill_at(step: str, *, before: bool, executor: Any, ledger: Any, patch: Any) -> None:
    owner = {
        "record_job": ledger,
        "prepare_attempt": driver_module,
        "submit": executor,
        "poll": executor,
        "start_job": ledger,
    }[step]
    real = getattr(owner, step)

    def killed(*arguments: Any, **named: Any) -> None:
        if not before:
            real(*arguments, **named)
        raise Killed

    patch.setattr(owner, step, killed)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_of_a_start_is_got_over(tmp_path, ledger, monkeypatch, step, before):
    ends = [AttemptState.DONE] * 3
    _, executor = make(tmp_path, ledger, *ends)
    kills = 0
    for _ in range(2):  # the service after it may be killed at the same place
        with monkeypatch.context() as patch:
            kill_at(step, before=before, executor=executor, ledger=ledger, patch=patch)
            driver = Driver(executor, ledger, tmp_path / "jobs", slots=2, attempts=3)
            try:
                driver.start("a", {"kind": "x"}, 1, ["k1"])
            except Killed:
                kills += 1
            executor.looks.update(dict.fromkeys(executor.looks, 0))
    assert kills >= 1
    last = Driver(executor, ledger, tmp_path / "jobs", slots=2, attempts=3)
    assert last.start("a", {"kind": "x"}, 1, ["k1"])
    assert last.n_running == 1
    # A worker that was started is the one that goes on; no second one beside it.
    assert len(executor.submitted) == 1
    for _ in range(2):
        last.poll()
    assert last.state("a")[0] is DriveState.DONE
    assert ledger.open_jobs() == ()
    done = [job for job in ledger.jobs() if job.state is JobState.DONE]
    assert len(done) == 1
    assert all(job.error for job in ledger.jobs() if job.state is JobState.FAILED)


def test_numbers_go_on_when_the_folder_of_jobs_was_cleared(tmp_path, ledger):
    first, executor = make(tmp_path, ledger, *[AttemptState.DONE] * 4)
    for _ in range(2):
        first.start("a", {}, 1, [])
        first.poll()
        first.forget("a")
    shutil.rmtree(tmp_path / "jobs" / "a")
    second = Driver(executor, ledger, tmp_path / "jobs", slots=2, attempts=3)
    second.start("a", {}, 1, [])
    assert [f.name for f in executor.submitted] == ["1", "2", "3"]
    assert [job.attempt for job in ledger.jobs()] == [1, 2, 3]


def test_what_an_earlier_service_left_running_takes_its_slots(tmp_path, ledger):
    first, executor = make(tmp_path, ledger, *[AttemptState.DONE] * 4)
    first.start("c", {}, 1, [])
    first.start("d", {}, 1, [])
    executor.looks.update(dict.fromkeys(executor.looks, 0))
    second = Driver(executor, ledger, tmp_path / "jobs", slots=2, attempts=3)
    assert [second.start(name, {}, 1, []) for name in "abcd"] == [False, False, True, True]
    assert second.n_running == 2
    assert len(executor.submitted) == 2
    second.poll()
    assert second.n_running == 0
    assert second.start("a", {}, 1, [])


def test_the_first_look_adopts_and_closes_what_the_ledger_holds_for_open(tmp_path, ledger):
    first, executor = make(tmp_path, ledger, AttemptState.DONE, AttemptState.DONE)
    first.start("runs.too", {}, 1, [])
    first.start("dies", {}, 1, [])
    ledger.record_job("not-ours", 1, [])
    executor.looks = {executor.submitted[0]: 0}
    second = Driver(executor, ledger, tmp_path / "jobs", slots=2, attempts=3)
    second.poll()  # nobody asks for either
    (dead,) = [job for job in ledger.jobs() if job.job_id == "dies.1"]
    assert (dead.state, dead.error) == (JobState.FAILED, "gone")
    assert second.state("dies")[0] is DriveState.WAITING
    assert second.state("runs.too")[0] is DriveState.DONE
    assert [job.job_id for job in ledger.open_jobs()] == ["not-ours"]


def test_two_living_attempts_at_one_job_take_two_slots(tmp_path, ledger):
    _, executor = make(tmp_path, ledger, AttemptState.DONE, AttemptState.DONE)
    for number in (9, 10):
        ledger.record_job(f"a.{number}", 1, [], number)
        folder = tmp_path / "jobs" / "a" / str(number)
        folder.mkdir(parents=True)
        executor.submit(folder)
        executor.looks[folder] = -1
    driver = Driver(executor, ledger, tmp_path / "jobs", slots=2, attempts=3)
    assert not driver.start("b", {}, 1, [])
    assert driver.n_running == 2
    assert driver.start("a", {}, 1, [])
    assert len(executor.submitted) == 2
    driver.poll()
    driver.poll()
    assert driver.n_running == 0
    assert {job.job_id: job.state for job in ledger.jobs()} == {
        "a.9": JobState.DONE,
        "a.10": JobState.DONE,
    }


def test_one_recording_is_taken_in_by_one_job_at_a_time(tmp_path, ledger):
    first, executor = make(tmp_path, ledger, *[AttemptState.DONE] * 4, slots=4)
    intake = {"kind": "take_in", "folder": "/raw/rec-1"}
    assert first.start("intake-1-before", intake, 1, [])
    assert not first.start("intake-1-after", intake, 1, [])
    assert first.start("intake-2", {"kind": "take_in", "folder": "/raw/rec-2"}, 1, [])
    assert first.start("steps", {"kind": "steps"}, 1, [])
    executor.looks.update(dict.fromkeys(executor.looks, 0))
    second = Driver(executor, ledger, tmp_path / "jobs", slots=4, attempts=3)
    assert not second.start("intake-1-after", intake, 1, [])  # one that was adopted counts too
    second.poll()
    assert second.start("intake-1-after", intake, 1, [])


def test_what_passes_by_itself_is_tried_again_but_not_for_ever(tmp_path, ledger, monkeypatch):
    driver, executor = make(tmp_path, ledger, *[AttemptState.FAILED] * 3)
    passing = AttemptStatus(AttemptState.FAILED, "taken in elsewhere", again=True)
    monkeypatch.setattr(executor, "poll", lambda _: passing)
    monkeypatch.setattr(driver_module, "_FIRST_PAUSE_S", 0.0)
    for _ in range(2):
        driver.start("a", {}, 1, [])
        driver.poll()
        assert driver.state("a")[0] is DriveState.WAITING
    driver.start("a", {}, 1, [])
    driver.poll()
    assert driver.state("a")[:2] == (DriveState.FAILED, "taken in elsewhere")


def test_a_start_that_fails_is_closed_in_the_ledger(tmp_path, ledger, monkeypatch):
    driver, executor = make(tmp_path, ledger, AttemptState.DONE)

    def refuse(_: Path) -> None:
        raise OSError(28, "No space left on device", "M\udce4use")

    with monkeypatch.context() as patch:
        patch.setattr(executor, "submit", refuse)
        with pytest.raises(OSError, match="No space"):
            driver.start("a", {}, 1, [])
    assert driver.n_running == 0
    assert "No space" in ledger.jobs()[0].error
    assert ledger.open_jobs() == ()
    assert driver.start("a", {}, 1, [])
    assert [f.name for f in executor.submitted] == ["2"]


def test_before_another_try_at_what_may_pass_there_is_a_pause(tmp_path, ledger, monkeypatch):
    driver, executor = make(tmp_path, ledger, *[AttemptState.FAILED] * 2)
    monkeypatch.setattr(
        executor, "poll", lambda _: AttemptStatus(AttemptState.FAILED, "disk full", again=True)
    )
    monkeypatch.setattr(driver_module, "_FIRST_PAUSE_S", 3600.0)
    assert driver.start("a", {}, 1, [])
    driver.poll()
    assert not driver.start("a", {}, 1, [])
    assert len(executor.submitted) == 1
