"""When the service delivers, and when it does not; by real workers into a folder."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.published_folders import publish

from wakeful.config import Config, Library, write_library
from wakeful.executors.local import LocalExecutor
from wakeful.front_config import Delivery
from wakeful.ledger import Ledger, RowCells
from wakeful.service import deliveries as deliveries_module
from wakeful.service.deliveries import UNDELIVERED, Deliveries, Standing, without_problem
from wakeful.service.driver import Driver
from wakeful.service.work import Work
from wakeful.sheet.interface import Status
from wakeful.sheet.request import Request


@pytest.fixture
def nas(tmp_path) -> Path:
    folder = tmp_path / "nas"
    folder.mkdir()
    return folder


@pytest.fixture
def library(tmp_path, nas) -> Library:
    made = write_library(tmp_path / "library", Config())
    toml = made.root / "wakeful.toml"
    toml.write_text(f'{toml.read_text()}\n[delivery]\nto = "folder"\nfolder = "{nas}"\n')
    to = Delivery(to="folder", folder=nas)
    return Library(made.root, made.config.model_copy(update={"delivery": to}))


@pytest.fixture
def service(library):
    with Ledger.open(library.database) as ledger:
        row = ledger.add_row(RowCells(subject="M1"), actor="test")
        ledger.add_run(row.id, "{}", "k")
        yield Night(library, ledger)


class Night:
    """As much of a service as delivers; a second one is what comes after a restart."""

    def __init__(self, library: Library, ledger: Ledger) -> None:
        self.library = library
        self.ledger = ledger
        self.driver = Driver(LocalExecutor(), ledger, library.jobs, slots=2, attempts=1)
        self.deliveries = Deliveries(library, self.driver)

    def work(self, files: dict[str, bytes], session: str = "night") -> Work:
        """A row that has published these."""
        folder = publish(self.library.published, files, session)
        recording = self.library.root / "x.edf"
        request = Request(subject="M1", recording=recording, analyses=("sleep",), params="default")
        return Work(request, 1, report=str(folder / "report.html"))

    def settle(self, look):
        """What it says once no job runs."""
        until = time.monotonic() + 60
        while True:
            self.driver.poll()
            said = look()
            if not (isinstance(said, Standing) and said.progress) and not self.driver.n_running:
                return said
            assert time.monotonic() < until
            time.sleep(0.05)

    @property
    def n_jobs(self) -> int:
        return len(list(self.library.jobs.glob("deliver-*/*")))


def test_nothing_goes_anywhere_unless_it_is_said(service, library):
    quiet = library.config.model_copy(update={"delivery": Delivery()})
    off = Night(Library(library.root, quiet), service.ledger)
    work = off.work({"report.html": b"x"})
    assert off.deliveries.look(work) == Standing()
    assert off.deliveries.look_meanwhile(work) == ""
    assert off.n_jobs == 0


def test_what_is_published_is_delivered_once(service, nas):
    work = service.work({"report.html": b"x"})
    assert service.deliveries.look(work).progress
    link = service.settle(lambda: service.deliveries.look(work)).link
    assert link == str(nas / "M1" / "night")
    after = Night(service.library, service.ledger)
    assert after.deliveries.look(work) == Standing(link=link)
    assert after.deliveries.outcome_of(work.report).link == link
    assert service.n_jobs == 1


def test_what_changes_is_delivered_again_and_back(service, nas):
    for content in (b"x", b"y", b"x"):
        work = service.work({"report.html": content})
        assert service.settle(lambda: service.deliveries.look(work)).link  # noqa: B023
        assert (nas / "M1" / "night" / "report.html").read_bytes() == content
    assert service.n_jobs == 3


def test_one_is_delivered_at_a_time(service):
    works = [service.work({"report.html": b"x"}, name) for name in ("a", "b")]
    assert [service.deliveries.look(w).progress for w in works] == [
        "delivering 0%",
        "waiting to be delivered",
    ]
    for work in works:
        assert service.settle(lambda: service.deliveries.look(work)).link  # noqa: B023


def test_what_is_away_is_asked_again_after_growing_pauses(service, nas, monkeypatch):
    monkeypatch.setattr(deliveries_module, "_FIRST_PAUSE_S", 0.05)
    nas.rmdir()
    work = service.work({"report.html": b"x"})
    lengths = []
    for _ in range(3):
        said = service.settle(lambda: service.deliveries.look(work))
        assert "is not there" in said.problem
        lengths.append(service.deliveries._away.length_s)
        time.sleep(service.deliveries._away.length_s)
    assert lengths == [0.05, 0.1, 0.2]
    other = service.work({"report.html": b"x"}, "other")
    assert service.settle(lambda: service.deliveries.look(other)).problem
    n_jobs = service.n_jobs
    assert service.deliveries.look(work).problem
    assert service.n_jobs == n_jobs, "what is away for one is away for all"


def test_what_is_refused_waits_an_hour_or_until_somebody_asks(service, nas):
    in_the_way = nas / "M1" / "night" / "report.html"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_bytes(b"mine")
    work = service.work({"report.html": b"x"})
    said = service.settle(lambda: service.deliveries.look(work))
    assert "not sent by Wakeful" in said.problem
    in_the_way.unlink()
    assert service.deliveries.look(work) == said
    (pause,) = service.deliveries._pauses.values()
    assert pause.length_s == 3600
    other = service.work({"report.html": b"x"}, "other")
    assert service.settle(lambda: service.deliveries.look(other)).link, "others go on"
    service.deliveries.ask(work)
    assert service.settle(lambda: service.deliveries.look(work)).link


def test_rows_that_have_ended_take_turns(service):
    works = [service.work({"report.html": b"x"}, f"night {n}") for n in range(3)]
    for work in works:
        work.status, work.undelivered = Status.DONE, True
    said = [service.deliveries.look(work).progress for work in works]
    assert said == ["delivering 0%", *["waiting to be delivered"] * 2]
    for work in works:
        assert service.settle(lambda: service.deliveries.look(work)).link  # noqa: B023


def test_what_goes_on_is_delivered_now_and_then(service, nas, monkeypatch):
    work = service.work({"report.html": b"x"})
    assert service.deliveries.look_meanwhile(work) == ""
    link = service.settle(lambda: service.deliveries.look_meanwhile(work))
    assert link == str(nas / "M1" / "night")
    work = service.work({"report.html": b"another hour"})
    assert service.settle(lambda: service.deliveries.look_meanwhile(work)) == link
    assert service.n_jobs == 1
    monkeypatch.setattr(deliveries_module, "MEANWHILE_EVERY_S", 0.0)
    assert service.settle(lambda: service.deliveries.look_meanwhile(work)) == link
    assert (nas / "M1" / "night" / "report.html").read_bytes() == b"another hour"
    assert service.n_jobs == 2


def test_another_place_in_the_file_than_the_service_knows_is_refused(service, tmp_path):
    toml = service.library.root / "wakeful.toml"
    toml.write_text(toml.read_text().replace("nas", "elsewhere"))
    work = service.work({"report.html": b"x"})
    assert "start the service anew" in service.settle(lambda: service.deliveries.look(work)).problem


def test_the_problem_is_one_part_of_a_message():
    assert without_problem(f"hum on CSC1 | {UNDELIVERED}no room") == "hum on CSC1"
    assert without_problem(f"{UNDELIVERED}no room") == ""
