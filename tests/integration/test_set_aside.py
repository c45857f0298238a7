"""A block that fails is set aside with its reason; the rest of the row goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from wakeful.catalog import load_catalog
from wakeful.config import open_library
from wakeful.io.store import Store
from wakeful.ledger import Ledger
from wakeful.pipeline.plan import Scope
from wakeful.service.lookup import find_session
from wakeful.sheet.interface import Status
from wakeful.sheet.local import LocalSheet

from .conftest import FINISHED, Bench


def obstruct(bench: Bench, step: str, scope: Scope) -> Path:
    """Put a file where the folder of a result belongs, which nobody can write through."""
    library = open_library(bench.library.root)
    with Ledger.open(library.database) as ledger:
        (session,) = {p.name for p in library.published.glob("*/*") if p.is_dir()}
        sheet = LocalSheet(ledger, actor="test")
        plan = find_session(library, sheet, load_catalog(), session).plan
    (task,) = [t for t in plan.tasks if (t.kind, t.step, t.scope) == ("result", step, scope)]
    folder = Store(library.results).folder_of(task.folder, task.key)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way")
    return folder


def test_the_rest_is_made_and_published_and_the_row_names_the_block(lab, small_recording):
    lab.add(small_recording, analyses="muscle")
    assert lab.run()[1].update.status in FINISHED
    lab.edit(1, "analyses", "muscle,spectrogram,channel_quality,band_power")
    file = obstruct(lab, "spectrogram", Scope("block", 2))
    view = lab.run()[1]
    assert view.update.status == Status.DONE_WITH_WARNINGS, view.update.message
    assert "failed block 2026-01-12 07:02-07:03: " in view.update.message
    assert "spectrogram, block 2" in view.update.message
    assert "left out for want of it, wholly or in part: spectrogram, band_power" in (
        view.update.message
    )
    assert "results, the rest failed" in view.update.progress
    report = Path(view.update.link)
    assert "failed block" in report.read_text()
    names = {p.name for p in (report.parent / "figures").iterdir()}
    assert any("channel_quality" in name for name in names)
    assert not any("spectrogram" in name for name in names)
    # The other blocks were computed, band powers from them too.
    store = Store(lab.library.results)
    made = [r.tree["of_step"] for r in store.receipts() if r.tree["kind"] == "result"]
    assert made.count("spectrogram") == 3
    assert made.count("band_power") == 3

    file.unlink()
    again = lab.run()[1]
    assert again.update.status in FINISHED
    assert "failed" not in again.update.message
    assert "failed" not in again.update.progress
    names = {p.name for p in (Path(again.update.link).parent / "figures").iterdir()}
    assert any("spectrogram" in name for name in names)
    made = [r.tree["of_step"] for r in store.receipts() if r.tree["kind"] == "result"]
    assert made.count("spectrogram") == 4


@pytest.mark.slow
def test_a_row_of_which_nothing_can_be_shown_has_failed(lab, small_recording):
    lab.add(small_recording, analyses="muscle")
    lab.run()
    lab.edit(1, "analyses", "spectrogram")
    obstruct(lab, "spectrogram", Scope("block", 0))
    view = lab.run()[1]
    assert view.update.status == Status.FAILED
    assert "spectrogram, block 0" in view.update.message


@pytest.mark.slow
def test_other_rows_are_not_held_up(lab, small_recording, copy_of):
    lab.add(small_recording, analyses="muscle")
    lab.run()
    lab.edit(1, "analyses", "spectrogram")
    obstruct(lab, "spectrogram", Scope("block", 1))
    lab.add(copy_of("other"), analyses="muscle")
    views = lab.run()
    assert views[1].update.status == Status.FAILED
    assert views[2].update.status in FINISHED
