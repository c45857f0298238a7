"""Which jobs stay on the service's machine, where the rest runs on a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from wakeful.executors.both import TwoPlaces
from wakeful.executors.interface import AttemptState, AttemptStatus, prepare_attempt


class Recorder:
    """Remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[Path] = []

    def submit(self, folder: Path) -> None:
        self.given.append(folder)

    def flush(self) -> None:
        """Nothing waits."""

    def poll(self, folder: Path) -> AttemptStatus:
        return AttemptStatus(AttemptState.DONE)

    def cancel(self, folder: Path) -> None:
        self.given.remove(folder)


@pytest.mark.parametrize(
    ("kind", "stays"), [("take_in", True), ("deliver", True), ("steps", False)]
)
def test_transfers_and_deliveries_stay_here(tmp_path, kind, stays):
    here, cluster = Recorder(), Recorder()
    both = TwoPlaces(here, cluster)
    folder = prepare_attempt(tmp_path, "job", 1, {"kind": kind})
    both.submit(folder)
    assert here.given == ([folder] if stays else [])
    assert cluster.given == ([] if stays else [folder])
