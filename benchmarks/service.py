"""What the service costs while there is nothing to do, and what it costs to start it anew.

A library with many finished rows (of one small recording, told apart by their column `rerun`) and a
ledger that knows the results of as many sessions, 24 blocks of 15 steps each: the first pass of
a new service, which takes up what is finished; passes in which nothing happens, as a share of the
pause between them; the pass that plans a new row. Each service is a process of its own, so that its
memory is its own. There is no peer: engines that keep their state in memory plan nothing at a
restart, and lose it at a kill.

    python benchmarks/service.py [--rows 1000] [--passes 10]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil

from wakeful.catalog import load_catalog
from wakeful.config import Config, Work, open_library, write_library
from wakeful.executors.local import LocalExecutor
from wakeful.ledger import Ledger, ResultEntry
from wakeful.pipeline.keys import digest
from wakeful.service import finished
from wakeful.service.oversight import oversee
from wakeful.service.reconcile import Service
from wakeful.service.work import Watch
from wakeful.sheet.interface import Status
from wakeful.sheet.local import LocalSheet

N_BLOCKS, N_STEPS = 24, 15
FINISHED = (Status.DONE, Status.DONE_WITH_WARNINGS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--library", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.library is not None:
        measure(given.library, given.passes)
        return
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), given.rows)
        command = [sys.executable, __file__, "--passes", str(given.passes)]
        subprocess.run([*command, "--library", str(Path(folder) / "library")], check=True)


def make(folder: Path, n_rows: int) -> None:
    """Make the library and let it finish."""
    # Only here: what simulates and computes is no part of the service's process.
    from wakeful.simulate.neuralynx import write_neuralynx
    from wakeful.simulate.plan import RecordingPlan, SubjectPlan

    for name, seed in (("mouse", 1), ("new", 2)):
        plan = RecordingPlan(
            subject=SubjectPlan(identifier="M1", seed=seed),
            duration_s=24 * 30.0 if name == "new" else 60.0,
            rate_hz=2000,
        )
        write_neuralynx(plan, folder / name)
    library = write_library(folder / "library", Config(work=Work(block_s=60.0, settle_s=0.0)))
    with Ledger.open(library.database) as ledger:
        sheet = LocalSheet(ledger, actor="benchmark")
        for number in range(n_rows):
            sheet.add(
                subject="M1",
                recording=str(folder / "mouse"),
                analyses="muscle",
                run="yes",
                rerun=str(number) if number else "",
            )
        Service(library, ledger, sheet, LocalExecutor(), load_catalog()).run_once()
        ledger.index_results(other_results(n_rows))
    print(f"{n_rows} rows finished, {n_rows * N_BLOCKS * N_STEPS} results in the ledger")


def other_results(n_sessions: int) -> Iterator[ResultEntry]:
    """What the ledger knows of sessions of 24 blocks and 15 steps."""
    now = datetime.now(UTC)
    for session in range(n_sessions):
        for block in range(N_BLOCKS):
            for step in range(N_STEPS):
                key = digest([session, block, step])
                yield ResultEntry(
                    key=key,
                    step="convert" if step == 0 else f"step{step}",
                    kind="result",
                    session=f"session {session}",
                    scope=f"block {block}",
                    path=f"step{step}/{key[:2]}/{key}",
                    bytes=1_000_000,
                    seconds=1.0,
                    created=now,
                )


def measure(root: Path, n_passes: int) -> None:
    """Start a service anew and look at its passes."""
    library = open_library(root)
    poll_s = library.config.executor.poll_s
    process = psutil.Process()
    with Ledger.open(library.database) as ledger, oversee(library, ledger) as oversight:
        sheet = LocalSheet(ledger, actor="benchmark")
        service = Service(library, ledger, sheet, LocalExecutor(), load_catalog())
        look = oversight.watch(service, None)
        service.stand()  # as `run_forever` does
        wall_s, cpu_s, views = timed(service, look)
        n_done = sum(view.update.status in FINISHED for view in views)
        print(f"{n_done} of {len(views)} rows done after the first pass of a new service")
        print(f"first pass: {wall_s:.2f} s, {cpu_s:.2f} s of processor time")
        print(f"memory after it: {process.memory_info().rss / 1e6:.0f} MB")
        # The first look through a row loads what opens recordings.
        every_s, finished.LOOK_THROUGH_EVERY_S = finished.LOOK_THROUGH_EVERY_S, 0.0
        wall_s, cpu_s, _ = timed(service, look)
        finished.LOOK_THROUGH_EVERY_S = every_s
        print(f"the first look through one row: {wall_s:.2f} s, {cpu_s:.2f} s of processor time")
        costs = []
        for _ in range(n_passes):
            time.sleep(poll_s)
            costs.append(timed(service, look)[1])
        mean = sum(costs) / len(costs)
        print(
            f"a pass in which nothing happens: {1000 * mean:.0f} ms of processor time "
            f"({1000 * min(costs):.0f} to {1000 * max(costs):.0f}); every {poll_s:g} s that is "
            f"{100 * mean / poll_s:.2f} % of a processor"
        )
        sheet.add(subject="M1", recording=str(root.parent / "new"), run="yes")
        n_results = 0
        slowest = (0.0, 0.0)
        while n_results == 0:
            wall_s, cpu_s, views = timed(service, look)
            slowest = max(slowest, (wall_s, cpu_s))
            n_results = max(v.n_results for v in views if v.update.status not in FINISHED)
            time.sleep(0.2)
        print(
            f"the pass that plans a new row of {n_results} results: {wall_s:.2f} s, {cpu_s:.2f} s "
            "of processor time"
        )
        print(f"memory: at most {peak_mb():.0f} MB")


def timed(service: Service, look: Watch) -> tuple[float, float, tuple]:
    """One pass, with log, metrics and notices: how long it took, its processor time, the rows."""
    began, cpu = time.perf_counter(), time.process_time()
    views = service.run_pass()
    look(views, 0)
    return time.perf_counter() - began, time.process_time() - cpu, views


def peak_mb() -> float:
    """The most that this process has held, MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1e3
    return float("nan")


if __name__ == "__main__":
    main()
