"""kill -9 of the service and of workers at random moments: the next start finishes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from wakeful.executors.interface import PROCESS_NAME, read_json
from wakeful.io.store import Store

from .conftest import FINISHED, digests, service_command


def workers_of(jobs: Path) -> list[psutil.Process]:
    found = []
    for path in jobs.glob("*/*/" + PROCESS_NAME):
        process = read_json(path)
        if process is None:
            continue
        try:
            candidate = psutil.Process(int(process["pid"]))
            if abs(candidate.create_time() - float(process["start_time"])) < 1:
                found.append(candidate)
        except psutil.Error:
            continue
    return found


def check_store(store: Store) -> dict[str, str]:
    """Every visible result is whole; returns what each was made of."""
    made = {}
    for receipt in store.receipts():
        assert store.damaged_files(receipt) == ()
        made[receipt.key] = receipt.tree["started_utc"]
    return made


def torment(lab, small_recording, kills: int, seed: int) -> int:
    """Kill the service or a worker `kills` times at random moments; returns how many hit."""
    rng = random.Random(seed)
    lab.add(small_recording, analyses="sleep")
    store = Store(lab.library.results)
    known: dict[str, str] = {}
    hits = 0
    for _ in range(kills):
        with subprocess.Popen(
            service_command(lab.library.root), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as service:
            time.sleep(rng.uniform(0.3, 4.0))
            victims = workers_of(lab.library.jobs)
            if victims and rng.random() < 0.5:
                victim = rng.choice(victims)
                try:
                    victim.kill()
                    hits += 1
                except psutil.Error:
                    pass
                time.sleep(0.2)
            if service.poll() is None:
                os.kill(service.pid, signal.SIGKILL)
                hits += 1
            service.wait()
        now = check_store(store)
        # What had its receipt is never made again.
        assert {k: now.get(k) for k in known} == known
        known = now
    done = subprocess.run(
        service_command(lab.library.root), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    now = check_store(store)
    assert {k: now.get(k) for k in known} == known
    return hits


def end_of(lab) -> None:
    for worker in workers_of(lab.library.jobs):
        worker.wait(timeout=60)


def test_random_kills_lose_nothing(lab, small_recording, undisturbed):
    hits = torment(lab, small_recording, kills=20, seed=11)
    end_of(lab)
    assert hits >= 12
    assert lab.rows()[1].status in FINISHED
    assert digests(Store(lab.library.results)) == undisturbed


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(4))
def test_many_random_kills_lose_nothing(lab, small_recording, undisturbed, seed):
    hits = torment(lab, small_recording, kills=50, seed=seed)
    end_of(lab)
    assert hits >= 25
    assert digests(Store(lab.library.results)) == undisturbed


def test_a_worker_that_dies_is_started_again(lab, small_recording):
    lab.add(small_recording, analyses="convert")
    with subprocess.Popen(
        service_command(lab.library.root), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as service:
        killed = 0
        deadline = time.monotonic() + 60
        while killed < 2 and time.monotonic() < deadline and service.poll() is None:
            for worker in workers_of(lab.library.jobs)[:1]:
                try:
                    worker.kill()
                    killed += 1
                except psutil.Error:
                    continue
            time.sleep(0.3)
        out, _ = service.communicate(timeout=120)
    assert killed == 2
    assert service.returncode == 0, out
    assert lab.rows()[1].status in FINISHED


def test_a_second_service_is_refused(lab, small_recording):
    from wakeful.service.lock import hold_library

    with hold_library(lab.library.root):
        second = subprocess.run(
            service_command(lab.library.root), capture_output=True, text=True, check=False
        )
    assert second.returncode == 1
    assert "another `wakeful run`" in second.stderr
    assert str(os.getpid()) in second.stderr
