"""Jobs on a Slurm cluster: plain sbatch, squeue and scancel; Slurm queues, places and limits.

What makes it safe:

- Attempts of one pass that ask for the same resources go as one job array. Before sbatch is called,
  each attempt's folder says under which name and index it will run, so that a service that is
  killed between the two finds its jobs by their names.
- The queue is asked by name before every submit; a call to sbatch that failed may have been heard.
- While sbatch runs it holds a lock in the array's file: a service that took over waits for it.
- A query that fails means "unknown", never "gone": the attempt stays as it was.
- The attempt's exit.json is the truth. A job that left the queue without one is waited for (network
  disks show files late), then counts as died, with what queue and accounting say of it.
- A job that the controller starts a second time finds the worker's lock, or exit.json, and leaves;
  one that the controller has forgotten, and its node has not, is known by that lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import shlex
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from wakeful.executors.interface import (
    JOB_NAME,
    LOCK_NAME,
    LOG_NAME,
    PROCESS_NAME,
    PROGRESS_NAME,
    AttemptState,
    AttemptStatus,
    Needs,
    ended_status,
    read_json,
)
from wakeful.executors.slurm_commands import (
    ClusterSilent,
    QueuedTask,
    Snapshot,
    account_of,
    cancel,
    quoted,
    read_queue,
    submit,
)
from wakeful.io.atomic import write_bytes, write_json
from wakeful.io.holding import HeldElsewhere, hold, is_held

SUBMISSION_NAME = "submission.json"
ENDED_NAME = "ended.json"
CANCELLED_NAME = "cancelled"
ARRAYS_NAME = ".arrays"

_OVER = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "REVOKED",
        "TIMEOUT",
    }
)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 300.0
_LONGEST_ARRAY = 200


@dataclass(frozen=True, kw_only=True)
class SlurmOptions:
    """How jobs are handed to the cluster."""

    partition: str = ""
    account: str = ""
    qos: str = ""
    options: tuple[str, ...] = ()
    """Further options of sbatch, one word each."""
    setup: tuple[str, ...] = ()
    """Lines of shell before the worker starts, e.g. "module load python"."""
    python: str = sys.executable
    """The interpreter on the nodes."""
    scratch: Path | None = None
    """A folder on the nodes for temporary files."""
    most_memory_mb: float = 64_000.0
    most_time_s: float = 7 * 86400.0
    look_every_s: float = 10.0
    """The queue is asked no more often."""
    grace_s: float = 60.0
    """How long a job that left the queue without a word is waited for."""


class SlurmExecutor:
    """See `Executor`.

    Parameters
    ----------
    jobs : the folder of job folders; the nodes must see it under the same path
    options : how jobs are submitted
    """

    def __init__(self, jobs: Path, options: SlurmOptions) -> None:
        self._jobs = jobs.resolve()
        self._options = options
        self._prefix = f"wk.{hashlib.sha256(str(self._jobs).encode()).hexdigest()[:6]}."
        self._waiting: list[Path] = []
        self._arrays: dict[str, _Array] = {}
        self._snapshot: Snapshot = {}
        self._looked = -math.inf
        self._silence = ""
        self._pause_s = 0.0
        self._next_try = -math.inf
        self._last_seen: dict[Path, QueuedTask] = {}
        self._gone_since: dict[Path, float] = {}

    def submit(self, folder: Path) -> None:
        """See `Executor.submit`; handed over with the others of the pass, at `flush`."""
        if folder not in self._waiting and read_json(folder / SUBMISSION_NAME) is None:
            self._waiting.append(folder)

    def flush(self) -> None:
        """See `Executor.flush`."""
        for needs, folders in self._grouped():
            self._intend(needs, folders)
        self._waiting.clear()
        if not self._arrays or time.monotonic() < self._next_try:
            return
        if not self._look(fresh=True):
            self._back_off()
            return
        names = {name for name, _ in self._snapshot}
        for name, array in list(self._arrays.items()):
            if name not in names:
                try:
                    self._hand_over(array)
                except ClusterSilent as error:
                    self._silence = f"sbatch: {error}"
                    self._back_off()
                    return
            del self._arrays[name]
        self._silence, self._pause_s = "", 0.0
        self._looked = -math.inf

    def poll(self, folder: Path) -> AttemptStatus:
        """See `Executor.poll`."""
        if folder in self._waiting:
            return AttemptStatus(AttemptState.RUNNING, "to be handed to the cluster")
        submission = read_json(folder / SUBMISSION_NAME)
        if (status := ended_status(folder)) is not None:
            return replace(status, external_id=self._number(folder))
        if submission is None:
            return AttemptStatus(AttemptState.WAITING)
        if (lost := read_json(folder / ENDED_NAME)) is not None:
            return AttemptStatus(
                AttemptState(lost["attempt"]), str(lost["message"]), external_id=lost["number"]
            )
        name, place = str(submission["name"]), (str(submission["name"]), int(submission["index"]))
        if name in self._arrays:
            return AttemptStatus(AttemptState.RUNNING, self._why_waiting())
        if is_held(self._jobs / ARRAYS_NAME / f"{name}.lock"):
            return AttemptStatus(AttemptState.RUNNING, "being handed to the cluster")
        if not self._look():
            return self._running(folder, f"the cluster does not answer: {self._silence}")
        task = self._snapshot.get(place)
        if task is not None:
            self._last_seen[folder] = task
            if task.state not in _OVER:
                self._gone_since.pop(folder, None)
                return self._running(folder, _say(task))
        if is_held(folder / LOCK_NAME):
            # A controller that was killed before it had saved a job forgets it; the node does not.
            self._gone_since.pop(folder, None)
            return self._running(folder, "")
        since = self._gone_since.setdefault(folder, time.monotonic())
        if time.monotonic() - since < self._options.grace_s:
            return self._running(folder, "it has left the queue; its last word is waited for")
        # Looked at once more: the word may have come between the two looks.
        return ended_status(folder) or self._lost(folder, *place)

    def cancel(self, folder: Path) -> None:
        """See `Executor.cancel`."""
        write_bytes(folder / CANCELLED_NAME, b"")
        if folder in self._waiting:
            self._waiting.remove(folder)
            return
        submission = read_json(folder / SUBMISSION_NAME)
        if submission is None:
            return
        place = (str(submission["name"]), int(submission["index"]))
        if self._look(fresh=True) and place in self._snapshot:
            with contextlib.suppress(ClusterSilent):
                cancel(self._snapshot[place].job_id, place[1])
        self._looked = -math.inf

    def _grouped(self) -> Iterable[tuple[Needs, list[Path]]]:
        groups: dict[Needs, list[Path]] = {}
        for folder in self._waiting:
            groups.setdefault(self._needs(folder), []).append(folder)
        for needs, folders in groups.items():
            for start in range(0, len(folders), _LONGEST_ARRAY):
                yield needs, folders[start : start + _LONGEST_ARRAY]

    def _needs(self, folder: Path) -> Needs:
        """What an attempt asks for: more where earlier ones came to a limit."""
        needs = Needs.of(read_json(folder / JOB_NAME) or {})
        memory_mb, time_s = needs.memory_mb, needs.time_s
        for earlier in range(1, int(folder.name)):
            ended = read_json(folder.parent / str(earlier) / ENDED_NAME) or {}
            # Without control groups Slurm says FAILED of a job it killed for its memory.
            if ended.get("state") in ("OUT_OF_MEMORY", "FAILED"):
                memory_mb *= 2
            elif ended.get("state") == "TIMEOUT":
                time_s *= 2
        return replace(
            needs,
            memory_mb=min(memory_mb, self._options.most_memory_mb),
            time_s=min(time_s, self._options.most_time_s),
        )

    def _intend(self, needs: Needs, folders: list[Path]) -> None:
        """Note in each folder under which name it will run, and what the array holds."""
        said = "\n".join("/".join(folder.parts[-2:]) for folder in folders)
        if len(folders) == 1:
            name = f"{self._prefix}{folders[0].parent.name}.{folders[0].name}"
        else:
            name = f"{self._prefix}x{len(folders)}-{hashlib.sha256(said.encode()).hexdigest()[:12]}"
        arrays = self._jobs / ARRAYS_NAME
        arrays.mkdir(exist_ok=True)
        write_bytes(arrays / f"{name}.txt", "".join(f"{f}\n" for f in folders).encode())
        for index, folder in enumerate(folders):
            write_json(folder / SUBMISSION_NAME, {"name": name, "index": index})
        comment = str((read_json(folders[0] / JOB_NAME) or {}).get("comment", ""))
        self._arrays[name] = _Array(name, needs, tuple(folders), comment)

    def _hand_over(self, array: _Array) -> None:
        lock = self._jobs / ARRAYS_NAME / f"{array.name}.lock"
        try:
            with hold(lock, wait_s=0.0) as held:
                number = submit(
                    self._sbatch_options(array), self._script(array), (held.descriptor,)
                )
        except HeldElsewhere:
            raise ClusterSilent("an earlier call has not come back yet") from None
        write_json(self._jobs / ARRAYS_NAME / f"{array.name}.json", {"job_id": number})

    def _sbatch_options(self, array: _Array) -> list[str]:
        options, needs = self._options, array.needs
        log = self._jobs / ARRAYS_NAME / array.name  # what is said before the worker starts
        words = [
            f"--job-name={array.name}",
            f"--comment={array.comment}",
            f"--array=0-{len(array.folders) - 1}",
            "--no-requeue",
            "--nodes=1",
            "--ntasks=1",
            f"--cpus-per-task={needs.cpus}",
            f"--mem={math.ceil(needs.memory_mb)}M",
            f"--time={max(1, math.ceil(needs.time_s / 60))}",
            f"--output={quoted(log)}-%a.log",
            "--open-mode=append",
            "--chdir=/",
        ]
        words += [f"--gres=gpu:{needs.gpus}"] if needs.gpus else []
        for name in ("partition", "account", "qos"):
            value = getattr(options, name)
            words += [f"--{name}={value}"] if value else []
        return [*words, *options.options]

    def _script(self, array: _Array) -> str:
        """What runs on the node: the worker, in the place of the shell."""
        cpus = array.needs.cpus
        table = shlex.quote(str(self._jobs / ARRAYS_NAME / f"{array.name}.txt"))
        lines = [
            "#!/bin/bash",
            f"export OMP_NUM_THREADS={cpus} OPENBLAS_NUM_THREADS={cpus} MKL_NUM_THREADS={cpus}",
            "export MPLBACKEND=Agg",
        ]
        if self._options.scratch is not None:
            scratch = shlex.quote(str(self._options.scratch))
            lines += [f"mkdir -p {scratch} && export TMPDIR={scratch}"]
        worker = f'{shlex.quote(self._options.python)} -m wakeful.executors.worker "$folder"'
        lines += [
            *self._options.setup,
            f'folder=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" {table})',
            f'exec {worker} >>"$folder/{LOG_NAME}" 2>&1',
        ]
        return "\n".join(lines) + "\n"

    def _look(self, *, fresh: bool = False) -> bool:
        """Bring the picture of the queue up to date; False where the cluster does not answer."""
        now = time.monotonic()
        if not fresh and now - self._looked < self._options.look_every_s:
            return not self._silence.startswith("squeue")
        self._looked = now
        try:
            self._snapshot = read_queue(self._prefix)
        except ClusterSilent as error:
            self._silence = f"squeue: {error}"
            return False
        if self._silence.startswith("squeue"):
            self._silence = ""
        return True

    def _back_off(self) -> None:
        self._pause_s = min(max(2 * self._pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        self._next_try = time.monotonic() + self._pause_s

    def _why_waiting(self) -> str:
        if not self._silence:
            return "to be handed to the cluster"
        left_s = max(0.0, self._next_try - time.monotonic())
        return f"the cluster does not answer ({self._silence}); trying again in {left_s:.0f} s"

    def _number(self, folder: Path) -> str | None:
        """The cluster's number of an attempt, where it is known."""
        submission = read_json(folder / SUBMISSION_NAME)
        if submission is None:
            return None
        index = int(submission["index"])
        array = read_json(self._jobs / ARRAYS_NAME / f"{submission['name']}.json")
        if array is not None:
            return f"{array['job_id']}_{index}"
        task = self._last_seen.get(folder)
        return None if task is None else f"{task.job_id}_{index}"

    def _running(self, folder: Path, message: str) -> AttemptStatus:
        """It goes on; what the worker says where there is nothing else to say."""
        progress = read_json(folder / PROGRESS_NAME) or {}
        return AttemptStatus(
            AttemptState.RUNNING,
            message or str(progress.get("message", "starting")),
            float(progress.get("fraction", 0.0)),
            external_id=self._number(folder),
        )

    def _lost(self, folder: Path, name: str, index: int) -> AttemptStatus:
        """An attempt that is over without a word."""
        number = self._number(folder)
        seen = self._last_seen.pop(folder, None)
        self._gone_since.pop(folder, None)
        state = seen.state if seen is not None and seen.state in _OVER else ""
        has_begun = (folder / PROCESS_NAME).exists()
        if not state and number is not None:
            state = account_of(number.partition("_")[0], index)
        if not state and not has_begun and name in {known for known, _ in self._snapshot}:
            state = "CANCELLED"  # a waiting task that is cancelled is gone without a trace
        if seen is None and not state and not has_begun:
            return AttemptStatus(AttemptState.WAITING)  # sbatch never heard of it
        by_us = (folder / CANCELLED_NAME).exists()
        failed = state == "CANCELLED" and not by_us
        attempt = AttemptState.FAILED if failed else AttemptState.DIED
        message = _REASONS.get(
            state, _UNSAID if not state else f"it ended without a word ({state})"
        )
        message += f"; job {number} of the cluster" if number else ""
        # What was judged stays so: the next service starts another attempt, or says the same.
        write_json(
            folder / ENDED_NAME,
            {"state": state, "attempt": attempt.value, "message": message, "number": number},
        )
        return AttemptStatus(attempt, message, external_id=number)


_UNSAID = "it left the queue without a word, and the accounting does not know it"
_REASONS = {
    "CANCELLED": "it was cancelled on the cluster by hand (scancel); run the row again to start it",
    "TIMEOUT": "it ran into its time limit; the next try gets twice the time",
    "OUT_OF_MEMORY": "it needed more memory than it had asked for; the next try gets twice as much",
    "NODE_FAIL": "its node failed",
    "PREEMPTED": "it had to make room for a job of higher priority",
    "FAILED": "it was killed on its node, perhaps for want of memory; the next try gets twice as "
    "much",
    "COMPLETED": "it ended without leaving its result where this machine can see it: do the nodes "
    "see the library's folder under the same path?",
}


@dataclass(frozen=True)
class _Array:
    """Attempts that are handed over together."""

    name: str
    needs: Needs
    folders: tuple[Path, ...]
    comment: str


def _say(task: QueuedTask) -> str:
    """What the row shows; "" where the worker itself says more."""
    if task.state == "RUNNING":
        return ""
    if task.state in ("PENDING", "CONFIGURING"):
        why = "" if task.reason in ("None", "") else f" ({task.reason})"
        return f"waits in the cluster's queue{why}"
    return f"on the cluster: {task.state.lower()}"
