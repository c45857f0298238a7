"""When a transfer of a recording that goes on is started, and when it is not."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wakeful.config import Config, Library, write_library
from wakeful.executors.interface import AttemptState, AttemptStatus
from wakeful.io.mirror import GRANULE, Ending, take_in
from wakeful.ledger import Ledger, RowCells
from wakeful.model.errors import StillGrowing
from wakeful.oversight_config import Service
from wakeful.service import intake as intake_module
from wakeful.service.driver import Driver
from wakeful.service.intake import Intake
from wakeful.service.room import Room
from wakeful.service.work import Work
from wakeful.sheet.interface import Status
from wakeful.sheet.request import Request


class IdleExecutor:
    """Every job ends well at the second look, and has done nothing."""

    def __init__(self) -> None:
        self.n_submitted = 0
        self.looks: dict[Path, int] = {}

    def submit(self, folder: Path) -> None:
        self.n_submitted += 1
        self.looks[folder] = 0

    def poll(self, folder: Path) -> AttemptStatus:
        self.looks[folder] = self.looks.get(folder, 0) + 1
        done = self.looks[folder] > 1
        return AttemptStatus(AttemptState.DONE if done else AttemptState.RUNNING)

    def cancel(self, folder: Path) -> None:
        raise AssertionError


class Bench:
    def __init__(self, tmp_path: Path, ledger: Ledger) -> None:
        config = Config(service=Service(keep_free_gb=0.0))
        self.library: Library = write_library(tmp_path / "library", config)
        self.executor = IdleExecutor()
        self.driver = Driver(self.executor, ledger, self.library.jobs, slots=2, attempts=3)
        self.room = Room(self.library)
        self.intake = Intake(self.library, self.driver, self.room, lambda work, state: None)
        self.source = tmp_path / "mouse"
        self.source.mkdir()
        request = Request(
            subject="M1", recording=self.source, analyses=("sleep",), params="default"
        )
        self.work = Work(request, run_id=1)

    def write(self, n_bytes: int, name: str = "CSC1.ncs") -> Path:
        """A file of this size, just written to; its space is reserved and not filled."""
        path = self.source / name
        with path.open("ab") as file:
            file.truncate(n_bytes)
        path.touch()
        return path

    def bring(self, n_passes: int = 1) -> bool:
        found = False
        for _ in range(n_passes):
            self.driver.poll()
            found = self.intake.bring(self.work)
        return found


@pytest.fixture
def bench(tmp_path):
    with Ledger.open(tmp_path / "x.sqlite") as ledger:
        row = ledger.add_row(RowCells(subject="M1"), actor="test")
        ledger.add_run(row.id, "{}", "k")
        yield Bench(tmp_path, ledger)


def test_what_can_not_be_taken_yet_is_not_tried_in_every_pass(bench, monkeypatch):
    bench.write(3 * GRANULE)
    bench.bring(20)
    assert bench.executor.n_submitted == 1
    assert bench.work.status is Status.WAITING
    assert bench.work.waits
    bench.write(4 * GRANULE)
    bench.bring(20)
    assert bench.executor.n_submitted == 2, "another granule is another transfer"
    monkeypatch.setattr(intake_module, "_AGAIN_S", 0.0)
    bench.bring()
    assert bench.executor.n_submitted == 3


def test_two_recordings_that_fit_alone_are_not_copied_at_once(bench, tmp_path):
    most = int(0.6 * shutil.disk_usage(tmp_path).free)
    bench.write(most)
    bench.bring()
    assert bench.driver.n_running == 1
    bench.room.begin()
    bench.intake.bring(bench.work)  # it runs, and keeps its room
    assert bench.executor.n_submitted == 1
    works = {}
    for name, n_bytes in (("large", most), ("small", 3 * GRANULE)):
        source = tmp_path / name
        source.mkdir()
        with (source / "CSC1.ncs").open("wb") as file:
            file.truncate(n_bytes)
        works[name] = Work(replace(bench.work.request, recording=source), run_id=1)
    bench.room.begin()
    for name in ("large", "small"):  # the large one comes first and does not block the small one
        bench.intake.bring(works[name])
    assert works["large"].lacks_room
    assert works["large"].message.startswith("waits for room: ")
    assert not works["small"].lacks_room
    assert bench.executor.n_submitted == 2
    bench.room.begin()  # the first copy has gone, and asks no more
    bench.room.begin()
    works["large"].lacks_room = False
    bench.intake.bring(works["large"])
    assert not works["large"].lacks_room


def test_one_run_takes_in_once_what_grows_faster_than_it_is_taken_in(bench):
    for n_granules in (1, 2):
        bench.write(n_granules * GRANULE)
        bench.bring()
    bench.intake.follow_once()  # while a transfer runs
    for n_granules in (3, 4, 5):
        bench.write(n_granules * GRANULE)
        bench.bring(2)
    assert bench.executor.n_submitted == 2
    assert bench.driver.n_running == 0
    bench.intake.follow_on()
    bench.bring()
    assert bench.executor.n_submitted == 3


def test_a_recording_that_had_no_free_slot_is_still_taken_in_once(bench):
    bench.write(GRANULE)
    bench.intake.follow_once()
    bench.bring(2)
    bench.write(2 * GRANULE)
    bench.bring(4)
    assert bench.executor.n_submitted == 1


def taken(bench: Bench) -> None:
    """What is there now is taken in, as by a worker."""
    take_in(
        bench.source,
        bench.intake.folder_of(bench.work),
        in_place=False,
        following=True,
        ending=Ending(settle_s=3600.0),
    )


def test_a_channels_file_that_has_settled_is_news(bench):
    path = bench.source / "CSC1.ncs"
    path.write_bytes(b"\1" * (16_384 + 100))
    taken(bench)
    assert bench.bring(2)
    table = bench.source / "channels.csv"
    table.write_text("channel,region\nCSC1,CA1\n")
    assert not bench.bring(2)
    assert bench.work.status is Status.WAITING
    assert "channels.csv was changed just now" in bench.work.message
    assert bench.executor.n_submitted == 0, "it is not taken before it has settled"
    old = time.time() - 60
    os.utime(table, (old, old))
    bench.bring()
    assert bench.executor.n_submitted == 1


def test_a_file_that_goes_away_while_it_is_looked_at_is_no_fault(bench, monkeypatch):
    path = bench.write(GRANULE)

    def look(*_: Any) -> None:
        path.rename(bench.source / "CSC2.ncs")
        path.stat()

    monkeypatch.setattr(intake_module, "look_at", look)
    with pytest.raises(StillGrowing, match=r"CSC1\.ncs: went away"):
        bench.bring()
