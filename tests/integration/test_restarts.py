"""A service that starts anew takes up finished rows as they were, and finds what has changed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wakeful.catalog import load_catalog
from wakeful.cli import app
from wakeful.config import open_library
from wakeful.executors.local import LocalExecutor
from wakeful.io.store import Store
from wakeful.ledger import Ledger
from wakeful.service import finished, work
from wakeful.service.reconcile import Service
from wakeful.sheet.local import LocalSheet

from .conftest import FINISHED, Bench


@contextmanager
def standing(bench: Bench) -> Iterator[Service]:
    """A service as `wakeful run` starts it, pass by pass."""
    library = open_library(bench.library.root)
    with Ledger.open(library.database) as ledger:
        service = Service(
            library, ledger, LocalSheet(ledger, actor="test"), LocalExecutor(), load_catalog()
        )
        service.stand()
        yield service


@pytest.fixture
def done(lab, small_recording) -> Bench:
    """A library whose one row is done."""
    lab.add(small_recording, analyses="muscle")
    assert lab.run()[1].update.status in FINISHED
    return lab


def test_nothing_is_planned_of_a_row_that_is_as_it_was(done):
    before = done.rows()[1]
    with standing(done) as service:
        (view,) = service.run_pass()
        assert service.plan_of(view.row.identifier) is None
    assert done.rows()[1] == before
    assert view.n_results == view.n_present > 8
    assert view.session
    assert view.taken_in_bytes > 0


def results_of(bench: Bench) -> dict[str, str]:
    return {r.key: r.tree["started_utc"] for r in Store(bench.library.results).receipts()}


def wait_for(service: Service, what) -> None:
    deadline = time.monotonic() + 90
    while not what():
        assert time.monotonic() < deadline, "it did not come about"
        service.run_pass()
        time.sleep(0.05)


def configure(bench: Bench, text: str) -> None:
    path = bench.library.root / "wakeful.toml"
    path.write_text(path.read_text() + text)


def test_other_parameters_have_it_planned_anew(done):
    made = results_of(done)
    configure(done, "\n[parameters.default.convert]\nlfp_emg_bin_s = 0.25\n")
    with standing(done) as service:
        wait_for(service, lambda: len(results_of(done)) == 2 * len(made))
        wait_for(service, lambda: done.rows()[1].status in FINISHED)


def test_what_does_not_touch_results_does_not(done):
    configure(done, "\n[service]\nkeep_free_gb = 0.001\n\n[notices]\nrepeat_hours = 3\n")
    done.edit(1, "notes", "a good night")
    done.edit(1, "priority", "3")
    with standing(done) as service:
        (view,) = service.run_pass()
        assert service.plan_of(view.row.identifier) is None


def test_a_channel_marked_meanwhile_has_it_planned_anew(done):
    made = results_of(done)
    answer = CliRunner().invoke(
        app,
        ["marks", "add", "1", "--channel", "CSC1", "--reason", "hum", "-l", str(done.library.root)],
    )
    assert answer.exit_code == 0, answer.output
    with standing(done) as service:
        wait_for(service, lambda: len(results_of(done)) > len(made))
        wait_for(service, lambda: done.rows()[1].status in FINISHED)


def test_a_report_that_is_gone_is_published_again(done):
    report = Path(done.rows()[1].link)
    report.unlink()
    with standing(done) as service:
        service.run_pass()
    assert report.is_file()


def test_results_that_are_gone_are_found_out_and_made_again(done, monkeypatch):
    made = results_of(done)
    shutil.rmtree(done.library.results / "muscle")
    gone = made.keys() - results_of(done).keys()
    assert gone
    with standing(done) as service:
        service.run_pass()
        monkeypatch.setattr(finished, "LOOK_THROUGH_EVERY_S", 0.0)
        wait_for(service, lambda: results_of(done).keys() == made.keys())
        wait_for(service, lambda: done.rows()[1].status in FINISHED)


def test_a_recording_that_changed_meanwhile_is_noticed(lab, copy_of, monkeypatch):
    recording = copy_of("mine")
    lab.add(recording, analyses="muscle")
    lab.run()
    channels = recording / "channels.csv"
    channels.write_text(channels.read_text().replace("CA1", "CA2"))
    monkeypatch.setattr(work, "LOOK_AGAIN_S", 0.0)
    monkeypatch.setattr(finished, "LOOK_AGAIN_S", 1000.0)
    before = lab.rows()[1].started
    with standing(lab) as service:
        wait_for(service, lambda: lab.rows()[1].started != before)
        wait_for(service, lambda: lab.rows()[1].status in FINISHED)


def test_a_row_that_failed_is_tried_anew(lab, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("nothing")
    lab.add(tmp_path / "empty", analyses="muscle")
    lab.run()
    with standing(lab) as service:
        (view,) = service.run_pass()
    assert view.update.status not in FINISHED
    with Ledger.open(lab.library.database) as ledger:
        assert ledger.finished_rows() == {}
