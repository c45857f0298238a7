"""Rows on a real Slurm: the same results as on this machine, whatever is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.slurm_cluster import Cluster, ask, running_cluster, why_not
from wakeful.cli.output import make_service
from wakeful.config import open_library
from wakeful.executors.interface import read_json
from wakeful.io.store import Store
from wakeful.ledger import JobState, Ledger
from wakeful.sheet.interface import Status
from wakeful.sheet.local import LocalSheet

from .conftest import FINISHED, Bench, digests, service_command

SLURM = """
[executor]
kind = "slurm"
workers = 2

[executor.slurm]
look_every_s = 0.3
grace_s = 3
"""


@pytest.fixture(scope="module")
def real_slurm() -> Iterator[Cluster]:
    if reason := why_not():
        pytest.skip(reason)
    with running_cluster() as found:
        yield found


def use_slurm(bench: Bench) -> None:
    """One line of wakeful.toml, and two that let a test be quick."""
    path = bench.library.root / "wakeful.toml"
    head, _, _ = path.read_text().partition("[executor]")
    path.write_text(head + SLURM)


@pytest.fixture
def lab_on_slurm(lab, real_slurm) -> Bench:
    use_slurm(lab)
    return lab


def run(bench: Bench):
    """As the command line does, in this process."""
    library = open_library(bench.library.root)
    with Ledger.open(library.database) as ledger:
        service = make_service(library, ledger, LocalSheet(ledger, actor="test"))
        return {view.row.number: view for view in service.run_once()}


def jobs_of(bench: Bench):
    with Ledger.open(bench.library.database) as ledger:
        return ledger.jobs()


def numbers_of(bench: Bench, states: str = "all") -> set[str]:
    """What the cluster has of this library."""
    ours = {read_json(p)["name"] for p in bench.library.jobs.glob("*/*/submission.json")}
    lines = ask("squeue", "-h", "--array", f"--states={states}", "-o", "%j|%i").split()
    return {line.split("|")[1] for line in lines if line.split("|")[0] in ours}


def test_the_same_keys_and_bytes_as_on_this_machine(lab_on_slurm, small_recording, undisturbed):
    lab_on_slurm.add(small_recording, analyses="sleep")
    view = run(lab_on_slurm)[1]
    assert view.update.status in FINISHED, view.update.message
    assert digests(Store(lab_on_slurm.library.results)) == undisturbed
    steps = [job for job in jobs_of(lab_on_slurm) if job.keys]
    assert steps
    assert all(job.state is JobState.DONE for job in steps)
    assert {job.external_id for job in steps} == numbers_of(lab_on_slurm)
    comments = ask("squeue", "-h", "--states=all", "-o", "%k")
    assert "M1/" in comments
    assert run(lab_on_slurm)[1].n_made == 0


def test_a_run_that_moves_to_the_cluster_in_the_middle_recomputes_nothing(
    lab, real_slurm, small_recording, undisturbed
):
    lab.add(small_recording, analyses="sleep")
    store = Store(lab.library.results)
    with subprocess.Popen(
        service_command(lab.library.root), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as service:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not list(store.receipts()):
            time.sleep(0.05)
        os.kill(service.pid, signal.SIGKILL)
        service.wait()
    made = {r.key: r.tree["started_utc"] for r in store.receipts()}
    assert made
    use_slurm(lab)
    assert run(lab)[1].update.status in FINISHED
    after = {r.key: r.tree["started_utc"] for r in store.receipts()}
    assert {key: after[key] for key in made} == made
    assert digests(store) == undisturbed


@pytest.mark.slow
def test_the_service_is_killed_and_nothing_runs_twice(lab_on_slurm, small_recording, undisturbed):
    lab_on_slurm.add(small_recording, analyses="sleep")
    rng = random.Random(5)
    for _ in range(6):
        with subprocess.Popen(
            service_command(lab_on_slurm.library.root),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as service:
            time.sleep(rng.uniform(1.0, 5.0))
            if service.poll() is None:
                os.kill(service.pid, signal.SIGKILL)
            service.wait()
    assert run(lab_on_slurm)[1].update.status in FINISHED
    assert digests(Store(lab_on_slurm.library.results)) == undisturbed
    names = [job.job_id.rpartition(".")[0] for job in jobs_of(lab_on_slurm) if job.keys]
    submitted = [job.external_id for job in jobs_of(lab_on_slurm) if job.external_id]
    assert len(submitted) == len(set(submitted))
    # What was handed to the cluster ran once: each job has one attempt that got a number.
    assert len(set(names)) == len(numbers_of(lab_on_slurm))


@pytest.mark.slow
def test_what_is_cancelled_by_hand_is_said_and_can_be_run_again(lab_on_slurm, small_recording):
    config = lab_on_slurm.library.root / "wakeful.toml"
    text = config.read_text()
    config.write_text(text.replace("grace_s = 3", 'grace_s = 3\noptions = ["--hold"]'))
    lab_on_slurm.add(small_recording, analyses="convert")
    with subprocess.Popen(
        service_command(lab_on_slurm.library.root),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as service:
        deadline = time.monotonic() + 120
        waiting = ""
        while time.monotonic() < deadline and "cluster's queue" not in waiting:
            time.sleep(0.2)
            waiting = lab_on_slurm.rows()[1].message
        for number in numbers_of(lab_on_slurm):
            ask("scancel", number)
        service.wait(timeout=120)
    assert "waits in the cluster's queue (JobHeldUser)" in waiting
    row = lab_on_slurm.rows()[1]
    assert row.status == Status.FAILED
    assert "cancelled on the cluster by hand" in row.message
    config.write_text(text)
    assert run(lab_on_slurm)[1].update.status in FINISHED


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_dead_controller_delays_and_spoils_nothing(
    lab_on_slurm, real_slurm, small_recording, undisturbed
):
    if not real_slurm.is_ours:
        pytest.skip("this Slurm is not ours to kill")
    lab_on_slurm.add(small_recording, analyses="sleep")
    with subprocess.Popen(
        service_command(lab_on_slurm.library.root),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as service:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not numbers_of(lab_on_slurm):
            time.sleep(0.1)
        real_slurm.kill_controller()
        time.sleep(3)
        assert service.poll() is None, "the service goes on"
        real_slurm.start_controller()
        real_slurm.recover()
        service.wait(timeout=240)
    assert lab_on_slurm.rows()[1].status in FINISHED, lab_on_slurm.rows()[1].message
    assert digests(Store(lab_on_slurm.library.results)) == undisturbed


@contextmanager
def at_work(bench: Bench) -> Iterator[subprocess.Popen[bytes]]:
    """A service whose first step job runs on the cluster."""
    with subprocess.Popen(
        service_command(bench.library.root), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            deadline = time.monotonic() + 90
            while not numbers_of(bench, "running"):
                assert time.monotonic() < deadline, "no job ever ran"
                time.sleep(0.05)
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def attempts_of(bench: Bench) -> dict[str, int]:
    """Job -> how often it was handed out."""
    return Counter(job.job_id.rpartition(".")[0] for job in jobs_of(bench) if job.keys)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_node_that_fails_costs_another_try_and_spoils_nothing(
    lab_on_slurm, real_slurm, small_recording, undisturbed
):
    if not real_slurm.is_ours:
        pytest.skip("this Slurm is not ours to disturb")
    lab_on_slurm.add(small_recording, analyses="sleep")
    with at_work(lab_on_slurm) as process:
        real_slurm.set_node("down")
        time.sleep(3)
        assert process.poll() is None, "the service goes on"
        real_slurm.resume()
        real_slurm.wait_until_idle()
        process.wait(timeout=240)
    assert lab_on_slurm.rows()[1].status in FINISHED, lab_on_slurm.rows()[1].message
    assert digests(Store(lab_on_slurm.library.results)) == undisturbed
    assert max(attempts_of(lab_on_slurm).values()) >= 2
    assert any("its node failed" in job.error for job in jobs_of(lab_on_slurm))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_node_that_is_drained_finishes_its_jobs_and_the_row_says_why_others_wait(
    lab_on_slurm, real_slurm, small_recording, undisturbed
):
    if not real_slurm.is_ours:
        pytest.skip("this Slurm is not ours to disturb")
    lab_on_slurm.add(small_recording, analyses="sleep")
    with at_work(lab_on_slurm) as process:
        real_slurm.set_node("drain")
        deadline = time.monotonic() + 120
        while "DRAINED" not in lab_on_slurm.rows()[1].message:
            assert time.monotonic() < deadline, lab_on_slurm.rows()[1].message
            time.sleep(0.2)
        said = lab_on_slurm.rows()[1].message
        real_slurm.resume()
        process.wait(timeout=240)
    assert "waits in the cluster's queue" in said
    assert lab_on_slurm.rows()[1].status in FINISHED, lab_on_slurm.rows()[1].message
    assert digests(Store(lab_on_slurm.library.results)) == undisturbed
    assert set(attempts_of(lab_on_slurm).values()) == {1}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_job_that_has_to_make_room_is_tried_again(
    lab_on_slurm, real_slurm, small_recording, undisturbed
):
    if not real_slurm.is_ours:
        pytest.skip("this Slurm is not ours to disturb")
    lab_on_slurm.add(small_recording, analyses="sleep")
    with at_work(lab_on_slurm) as process:
        urgent = ["--partition=urgent", "--exclusive", "--mem=50", "--chdir=/", "--parsable"]
        ask("sbatch", *urgent, "--output=/dev/null", "--wrap=sleep 3")
        process.wait(timeout=240)
    assert lab_on_slurm.rows()[1].status in FINISHED, lab_on_slurm.rows()[1].message
    assert digests(Store(lab_on_slurm.library.results)) == undisturbed
    assert any("make room for a job of higher priority" in j.error for j in jobs_of(lab_on_slurm))


@pytest.mark.slow
def test_our_jobs_can_not_be_requeued_behind_our_back(lab_on_slurm, small_recording, undisturbed):
    lab_on_slurm.add(small_recording, analyses="sleep")
    with at_work(lab_on_slurm) as process:
        (number, *_) = numbers_of(lab_on_slurm, "running")
        done = subprocess.run(["scontrol", "requeue", number], capture_output=True, check=False)
        process.wait(timeout=240)
    assert done.returncode != 0
    assert lab_on_slurm.rows()[1].status in FINISHED
    assert digests(Store(lab_on_slurm.library.results)) == undisturbed
