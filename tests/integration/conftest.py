"""A small library and a small recording with planted truth."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browser import browser, page  # noqa: F401 -- fixtures
from wakeful.catalog import load_catalog
from wakeful.config import Config, Lab, Library, Work, open_library, write_library
from wakeful.executor_config import Executor
from wakeful.executors.local import LocalExecutor
from wakeful.io.store import Store
from wakeful.ledger import Ledger
from wakeful.model.time import Interval
from wakeful.service.reconcile import Service
from wakeful.service.work import RowView
from wakeful.sheet.interface import SheetRow, Status
from wakeful.sheet.local import LocalSheet
from wakeful.simulate.neuralynx import write_neuralynx
from wakeful.simulate.plan import RecordingPlan, SubjectPlan

GAP = Interval(101.0, 113.0)

FINISHED = {Status.DONE, Status.DONE_WITH_WARNINGS}
"""Four minutes are too few to score sleep by, and the row says so."""


@pytest.fixture(scope="session")
def small_recording(tmp_path_factory) -> Path:
    """Four minutes at 2 kHz with a gap; made once."""
    folder = tmp_path_factory.mktemp("recording") / "mouse"
    plan = RecordingPlan(
        subject=SubjectPlan(identifier="M1", seed=3),
        duration_s=240.0,
        rate_hz=2000,
        gaps=(GAP,),
    )
    write_neuralynx(plan, folder)
    return folder


ANALYSES = "channel_quality,muscle,spectrogram,band_power,sleep,day"
"""What rows ask for where a test does not say: all analyses take twice as long."""


@dataclass
class Bench:
    """A library with a way to run it."""

    library: Library

    def add(self, recording: Path | str, subject: str = "M1", **cells: str) -> int:
        with Ledger.open(self.library.database) as ledger:
            sheet = LocalSheet(ledger, actor="test")
            given = {"run": "yes", "analyses": ANALYSES, **cells}
            row = sheet.add(subject=subject, recording=str(recording), **given)
            return row.number

    def edit(self, row: int, column: str, value: str) -> None:
        with Ledger.open(self.library.database) as ledger:
            LocalSheet(ledger, actor="test").edit(row, column, value)

    def rows(self) -> dict[int, SheetRow]:
        with Ledger.open(self.library.database) as ledger:
            return {row.number: row for row in LocalSheet(ledger, actor="test").read_rows()}

    def run(self) -> dict[int, RowView]:
        library = open_library(self.library.root)
        with Ledger.open(library.database) as ledger:
            sheet = LocalSheet(ledger, actor="test")
            service = Service(library, ledger, sheet, LocalExecutor(), load_catalog())
            return {view.row.number: view for view in service.run_once()}


@pytest.fixture(scope="session")
def make_bench() -> Callable[[Path], Bench]:
    """Makes a new library with blocks of a minute in a folder."""

    def make(folder: Path) -> Bench:
        config = Config(
            lab=Lab(time_zone="Europe/Berlin"),
            work=Work(block_s=60.0, settle_s=0.0),
            executor=Executor(workers=2),
        )
        return Bench(write_library(folder / "library", config))

    return make


@pytest.fixture
def lab(tmp_path, make_bench) -> Bench:
    """A new library with blocks of a minute."""
    return make_bench(tmp_path)


@pytest.fixture
def copy_of(small_recording, tmp_path) -> Callable[[str], Path]:
    """Copies of the small recording that a test may spoil."""

    def copy(name: str) -> Path:
        target = tmp_path / name
        shutil.copytree(small_recording, target)
        return target

    return copy


def service_command(root: Path) -> list[str]:
    return [sys.executable, "-m", "wakeful", "run", "--once", "--quiet", "--library", str(root)]


@pytest.fixture(scope="session")
def undisturbed(small_recording, tmp_path_factory):
    """What a run that nobody disturbs leaves: key -> digests of its files."""
    config = Config(
        lab=Lab(time_zone="Europe/Berlin"),
        work=Work(block_s=60.0, settle_s=0.0),
        executor=Executor(workers=2),
    )
    bench = Bench(write_library(tmp_path_factory.mktemp("quiet") / "library", config))
    bench.add(small_recording, analyses="sleep")
    assert bench.run()[1].update.status in FINISHED
    return digests(Store(bench.library.results))


def digests(store: Store) -> dict[str, dict[str, str]]:
    return {
        r.key: {name: entry["xxh3_128"] for name, entry in r.files.items()}
        for r in store.receipts()
    }
