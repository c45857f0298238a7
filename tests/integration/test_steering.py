"""Pausing, cancelling and retrying rows, with a service that runs and with none."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

from wakeful.cli import app
from wakeful.io.store import Store
from wakeful.ledger import JobState, Ledger, RunState
from wakeful.sheet.interface import Status

from .conftest import FINISHED, Bench
from .test_set_aside import Scope, obstruct


def do(bench: Bench, *words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--library", str(bench.library.root)])
    assert result.exit_code == 0, result.output
    return result.output


@contextmanager
def service(bench: Bench) -> Iterator[subprocess.Popen[bytes]]:
    """A service that runs for ever."""
    command = [sys.executable, "-m", "wakeful", "run", "--quiet"]
    with subprocess.Popen(
        [*command, "--library", str(bench.library.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


def wait(what: Callable[[], bool], timeout_s: float = 90.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)


@pytest.fixture
def quick(lab) -> Bench:
    """A library whose service looks often, one job at a time."""
    path = lab.library.root / "wakeful.toml"
    text = path.read_text().replace("workers = 2", "workers = 1\npoll_s = 0.3")
    path.write_text(text)
    return lab


def n_results(bench: Bench) -> int:
    return len(list(Store(bench.library.results).receipts()))


def test_a_paused_library_starts_nothing_until_it_is_resumed(quick, small_recording):
    quick.add(small_recording, analyses="muscle")
    do(quick, "pause")
    view = quick.run()[1]
    assert view.update.status is Status.PAUSED
    assert "`wakeful resume` lets it go on" in view.update.message
    assert n_results(quick) == 0
    assert "goes on" in do(quick, "resume")
    assert quick.run()[1].update.status in FINISHED


def test_one_paused_row_holds_up_no_other(quick, small_recording, copy_of):
    quick.add(small_recording, analyses="muscle")
    quick.add(copy_of("other"), analyses="muscle")
    do(quick, "pause", "1")
    views = quick.run()
    assert views[1].update.status is Status.PAUSED
    assert "`wakeful resume 1`" in views[1].update.message
    assert views[2].update.status in FINISHED
    assert "was not paused" in do(quick, "resume", "2")
    do(quick, "resume", "1")
    assert quick.run()[1].update.status in FINISHED


def test_a_row_is_cancelled_while_it_runs_and_started_again(quick, small_recording):
    quick.add(small_recording, analyses="sleep")
    with service(quick):
        wait(lambda: n_results(quick) > 0)
        do(quick, "cancel", "1")
        wait(lambda: quick.rows()[1].status == Status.CANCELLED)
        assert "wakeful retry 1" in quick.rows()[1].message

        def all_ended() -> bool:
            with Ledger.open(quick.library.database) as ledger:
                return not ledger.open_jobs()

        wait(all_ended)
        n_then = n_results(quick)
        time.sleep(2)
        assert n_results(quick) == n_then
        with Ledger.open(quick.library.database) as ledger:
            assert {j.state for j in ledger.jobs()} <= {JobState.DONE, JobState.CANCELLED}
            assert ledger.runs()[-1].state is RunState.CANCELLED
        made = {r.key: r.tree["started_utc"] for r in Store(quick.library.results).receipts()}
        do(quick, "retry", "1")
        wait(lambda: quick.rows()[1].status in FINISHED)
    after = {r.key: r.tree["started_utc"] for r in Store(quick.library.results).receipts()}
    assert {key: after[key] for key in made} == made


@pytest.mark.slow
def test_work_that_two_rows_share_goes_on_for_the_other(quick, small_recording):
    quick.add(small_recording, analyses="muscle")
    quick.add(small_recording, analyses="muscle,channel_quality", rerun="1")
    do(quick, "cancel", "1")
    views = quick.run()
    assert views[1].update.status is Status.CANCELLED
    assert views[2].update.status in FINISHED


def test_an_unticked_row_stops(quick, small_recording):
    quick.add(small_recording, analyses="sleep")
    with service(quick):
        wait(lambda: n_results(quick) > 0)
        quick.edit(1, "run", "")

        def stopped() -> bool:
            with Ledger.open(quick.library.database) as ledger:
                return not ledger.open_jobs() and quick.rows()[1].status == Status.WAITING

        wait(stopped)
        n_then = n_results(quick)
        time.sleep(2)
        assert n_results(quick) == n_then


@pytest.mark.slow
def test_what_failed_is_tried_again_when_somebody_wishes_so(quick, small_recording):
    quick.add(small_recording, analyses="muscle")
    quick.run()
    quick.edit(1, "analyses", "spectrogram")
    file = obstruct(quick, "spectrogram", Scope("block", 1))
    with service(quick):
        wait(lambda: quick.rows()[1].status == Status.FAILED)
        file.unlink()
        time.sleep(1)
        assert quick.rows()[1].status == Status.FAILED
        do(quick, "retry", "1")
        wait(lambda: quick.rows()[1].status in FINISHED)


def test_a_row_that_is_not_there_is_refused(lab):
    result = CliRunner().invoke(app, ["cancel", "9", "--library", str(lab.library.root)])
    assert result.exit_code != 0
    assert "no such row" in str(result.exception)


@pytest.mark.slow
def test_a_row_of_higher_priority_gets_the_next_free_slot(quick, small_recording, copy_of):
    quick.add(small_recording, analyses="muscle,spectrogram")
    urgent = copy_of("urgent")
    with service(quick):
        wait(lambda: n_results(quick) > 0)
        quick.add(urgent, analyses="muscle", priority="5")
        wait(lambda: quick.rows()[2].status in FINISHED)
        assert quick.rows()[1].status not in FINISHED
        wait(lambda: quick.rows()[1].status in FINISHED)


def test_a_service_that_is_told_to_end_starts_nothing_more_and_loses_nothing(
    quick, small_recording
):
    quick.add(small_recording, analyses="muscle,spectrogram")
    with service(quick) as process:
        wait(lambda: n_results(quick) > 0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 130
        assert b"stopped; jobs that have begun end by themselves" in process.stdout.read()
    with Ledger.open(quick.library.database) as ledger:
        n_started = len(ledger.jobs())
        running = ledger.open_jobs()
    assert quick.rows()[1].status not in FINISHED
    made = {r.key: r.tree["started_utc"] for r in Store(quick.library.results).receipts()}
    # What ran goes on without the service, and nothing else begins.
    assert len(running) <= 1
    view = quick.run()[1]
    assert view.update.status in FINISHED
    after = {r.key: r.tree["started_utc"] for r in Store(quick.library.results).receipts()}
    assert {key: after[key] for key in made} == made
    with Ledger.open(quick.library.database) as ledger:
        names = [job.job_id.rpartition(".")[0] for job in ledger.jobs()]
        assert len(names) > n_started
        assert len(names) == len(set(names)), "a job was started twice"
        assert {job.state for job in ledger.jobs()} == {JobState.DONE}


def test_a_second_service_says_who_is_at_work_and_ends(quick):
    with service(quick) as process:
        lock = quick.library.root / ".wakeful.lock"
        wait(lambda: lock.is_file() and lock.read_text() == str(process.pid))
        command = [sys.executable, "-m", "wakeful", "run", "--quiet"]
        second = subprocess.run(
            [*command, "--library", str(quick.library.root)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert second.returncode == 1
        assert f"another `wakeful run` works on this library (process {process.pid})" in (
            " ".join(second.stderr.split())
        )
        assert process.poll() is None
