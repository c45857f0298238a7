"""Jobs driven to their end, by an executor that does what the test says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from wakeful.executors.interface import AttemptState, AttemptStatus
from wakeful.ledger import JobState, Ledger, RowCells
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
