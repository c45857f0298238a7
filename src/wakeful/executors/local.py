"""Worker processes on this machine, adopted again after the service was killed.

Whether an attempt's worker lives is told by the lock in its folder. The lock is taken before the
worker is started and handed to it, so that there is no moment at which a worker runs and nobody can
see it, and no change of the clock makes a living worker look dead. The process's number and start
time decide only where there is no lock: a disk that can't lock, or a worker of an earlier version.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil

from wakeful.executors.interface import (
    LOCK_NAME,
    LOG_NAME,
    PROCESS_NAME,
    PROGRESS_NAME,
    AttemptState,
    AttemptStatus,
    ended_status,
    read_json,
)
from wakeful.io.atomic import write_json
from wakeful.io.holding import hold, is_held

_START_TIME_SLACK_S = 1.0


class LocalExecutor:
    """Starts one process an attempt, in a session of its own: it outlives the service.

    Parameters
    ----------
    threads : threads that numerical libraries may use in one worker
    """

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._children: dict[Path, subprocess.Popen[bytes]] = {}

    def submit(self, folder: Path) -> None:
        """See `Executor.submit`."""
        environment = {
            **os.environ,
            **{
                name: str(self._threads)
                for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
            },
            "MPLBACKEND": "Agg",
        }
        with (folder / LOG_NAME).open("ab") as log, hold(folder / LOCK_NAME) as held:
            child = subprocess.Popen(
                [
                    *(sys.executable, "-m", "wakeful.executors.worker"),
                    *(str(folder), str(held.descriptor)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
                pass_fds=(held.descriptor,),
            )
        self._children[folder] = child
        # The worker writes the same; whoever is first.
        with contextlib.suppress(psutil.Error, OSError):
            started = psutil.Process(child.pid).create_time()
            write_json(folder / PROCESS_NAME, {"pid": child.pid, "start_time": started})

    def flush(self) -> None:
        """See `Executor.flush`; `submit` has started everything."""

    def poll(self, folder: Path) -> AttemptStatus:
        """See `Executor.poll`."""
        child = self._children.get(folder)
        held = is_held(folder / LOCK_NAME)
        process = read_json(folder / PROCESS_NAME)
        pid = None if process is None else int(process["pid"])
        start_time = None if process is None else float(process["start_time"])
        if child is not None:
            alive = child.poll() is None
        elif held is not None:
            alive = held
        else:
            alive = pid is not None and _is_alive(pid, start_time)
        # Looked at after the process: one that has just ended has left its word by now.
        if (ended := ended_status(folder)) is not None:
            if child is not None:
                child.wait()  # it has written its last word; a moment later it is gone
            self._children.pop(folder, None)
            return replace(ended, pid=pid, pid_start_time=start_time)
        if alive:
            progress = read_json(folder / PROGRESS_NAME) or {}
            return AttemptStatus(
                AttemptState.RUNNING,
                str(progress.get("message", "starting")),
                float(progress.get("fraction", 0.0)),
                pid,
                start_time,
            )
        if process is None and child is None and held is None:
            return AttemptStatus(AttemptState.WAITING)
        self._children.pop(folder, None)
        code = child.returncode if child is not None else None
        reason = "" if code is None else f" (exit code {code})"
        return AttemptStatus(
            AttemptState.DIED,
            f"the worker ended without a word{reason}: killed, out of memory, or a power cut",
            0.0,
            pid,
            start_time,
        )

    def cancel(self, folder: Path) -> None:
        """See `Executor.cancel`."""
        child = self._children.get(folder)
        if child is not None:
            child.terminate()
            return
        process = read_json(folder / PROCESS_NAME)
        if process is None:
            return
        pid, held = int(process["pid"]), is_held(folder / LOCK_NAME)
        if held is None and not _is_alive(pid, float(process["start_time"])):
            return
        # The lock says that it lives; that the number is still its own, its command line.
        if held is False or (held and not _is_worker_of(pid, folder)):
            return
        with contextlib.suppress(psutil.Error):
            psutil.Process(pid).terminate()


def _is_worker_of(pid: int, folder: Path) -> bool:
    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
    return any(Path(word).parts[-2:] == folder.parts[-2:] for word in words)


def _is_alive(pid: int, start_time: float | None) -> bool:
    """Whether the very process still runs: numbers are used again, start times are not."""
    try:
        process = psutil.Process(pid)
        created: float = process.create_time()
        same = start_time is None or abs(created - start_time) < _START_TIME_SLACK_S
        return same and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
