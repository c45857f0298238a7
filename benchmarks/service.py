"""What the service costs while there is nothing to do, and what it costs to start it anew.

A library with many finished rows (of one small recording, told apart by their column `rerun`): the
processor time of a pass in which nothing happens, as a share of the pause between passes; and the
first pass of a new service, which plans every row again and finds everything there. There is no
peer: engines that keep their state in memory plan nothing at a restart, and lose it at a kill.

    python benchmarks/service.py [--rows 1000] [--passes 10]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import psutil

from wakeful.catalog import load_catalog
from wakeful.config import Config, Work, write_library
from wakeful.executors.local import LocalExecutor
from wakeful.ledger import Ledger
from wakeful.service.reconcile import Service
from wakeful.sheet.interface import Status
from wakeful.sheet.local import LocalSheet
from wakeful.simulate.neuralynx import write_neuralynx
from wakeful.simulate.plan import RecordingPlan, SubjectPlan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--passes", type=int, default=10)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), given.rows, given.passes)


def measure(folder: Path, n_rows: int, n_passes: int) -> None:
    """Make the library, let it finish, look at passes in which nothing happens."""
    plan = RecordingPlan(
        subject=SubjectPlan(identifier="M1", seed=1), duration_s=60.0, rate_hz=2000
    )
    write_neuralynx(plan, folder / "mouse")
    library = write_library(folder / "library", Config(work=Work(block_s=60.0, settle_s=0.0)))
    poll_s = library.config.executor.poll_s
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
        service = Service(library, ledger, sheet, LocalExecutor(), load_catalog())
        service.run_once()
        service = Service(library, ledger, sheet, LocalExecutor(), load_catalog())
        began, cpu = time.perf_counter(), time.process_time()
        views = service.run_pass()
        wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
        finished = (Status.DONE, Status.DONE_WITH_WARNINGS)
        n_done = sum(view.update.status in finished for view in views)
        print(f"{n_done} of {n_rows} rows done after the first pass of a new service")
        print(f"first pass: {wall_s:.2f} s, {cpu_s:.2f} s of processor time")
        # Rows that ended are looked at again every 10 seconds, so in each of these passes.
        costs = []
        for _ in range(n_passes):
            time.sleep(10.5)
            cpu = time.process_time()
            service.run_pass()
            costs.append(time.process_time() - cpu)
        mean = sum(costs) / len(costs)
        print(
            f"a pass in which nothing happens: {1000 * mean:.0f} ms of processor time "
            f"({1000 * min(costs):.0f} to {1000 * max(costs):.0f}); every {poll_s:g} s that is "
            f"{100 * mean / poll_s:.2f} % of a processor"
        )
        print(f"memory of the service: {psutil.Process().memory_info().rss / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
