"""Transfers and deliveries on this machine, everything else on the cluster: the nodes rarely see
where data is recorded, and seldom the world outside.
"""

from __future__ import annotations

from pathlib import Path

from wakeful.executors.interface import JOB_NAME, AttemptStatus, Executor, read_json

HERE = frozenset({"take_in", "deliver"})
"""The kinds of jobs that stay on this machine."""


class TwoPlaces:
    """Hands each attempt to one of two executors.

    Parameters
    ----------
    here : for transfers and deliveries
    cluster : for the rest
    """

    def __init__(self, here: Executor, cluster: Executor) -> None:
        self._here = here
        self._cluster = cluster
        self._is_here: dict[Path, bool] = {}

    def submit(self, folder: Path) -> None:
        """See `Executor.submit`."""
        self._of(folder).submit(folder)

    def flush(self) -> None:
        """See `Executor.flush`."""
        self._here.flush()
        self._cluster.flush()

    def poll(self, folder: Path) -> AttemptStatus:
        """See `Executor.poll`."""
        status = self._of(folder).poll(folder)
        if status.has_ended:
            self._is_here.pop(folder, None)
        return status

    def cancel(self, folder: Path) -> None:
        """See `Executor.cancel`."""
        self._of(folder).cancel(folder)

    def _of(self, folder: Path) -> Executor:
        if folder not in self._is_here:
            job = read_json(folder / JOB_NAME)
            if job is None:
                return self._here  # nothing was said yet: nowhere has it been started
            self._is_here[folder] = job.get("kind") in HERE
        return self._here if self._is_here[folder] else self._cluster
