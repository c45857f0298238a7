"""Standing rows: recordings that fit a pattern get rows of their own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wakeful.cli import app
from wakeful.ledger import Ledger
from wakeful.sheet.interface import Status
from wakeful.sheet.local import LocalSheet

from .conftest import FINISHED, Bench


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "m1"
    folder.mkdir()
    return folder


def put(small_recording: Path, folder: Path, name: str) -> Path:
    target = folder / name
    shutil.copytree(small_recording, target)
    return target


def delete(bench: Bench, row: int) -> None:
    with Ledger.open(bench.library.database) as ledger:
        LocalSheet(ledger, actor="test").delete(row)


def test_each_recording_gets_a_row_once_also_later(lab, small_recording, folder):
    first = put(small_recording, folder, "first")
    (folder / "notes.txt").write_text("on the animals")
    (folder / "empty").mkdir()
    lab.add(folder / "*", analyses="muscle")
    views = lab.run()
    assert {n: v.update.status for n, v in views.items()} == {
        1: Status.WATCHING,
        2: views[2].update.status,
    }
    assert views[2].update.status in FINISHED
    assert views[2].row.recording == str(first)
    assert views[2].row.notes == "found by row 1"
    assert views[1].update.progress == "1 row"
    assert "no row yet for empty: " in views[1].update.message
    assert "is an empty folder" in views[1].update.message
    assert "no row yet for notes.txt: " in views[1].update.message

    put(small_recording, folder, "second")
    (folder / "notes.txt").unlink()
    shutil.rmtree(folder / "empty")
    views = lab.run()
    assert set(views) == {1, 2, 3}
    assert views[3].update.status in FINISHED
    assert views[3].row.recording == str(folder / "second")
    assert (views[1].update.progress, views[1].update.message) == ("2 rows", "")
    assert views[2].n_made == 0

    # What disappears keeps its row; what is deleted is not made again.
    shutil.rmtree(first)
    delete(lab, 3)
    views = lab.run()
    assert set(views) == {1, 2}
    assert views[2].update.status in FINISHED
    assert "1 rows were deleted" in views[1].update.message


@pytest.mark.slow
def test_what_is_changed_in_the_standing_row_is_changed_in_its_rows(lab, small_recording, folder):
    put(small_recording, folder, "a")
    put(small_recording, folder, "b")
    lab.add(folder / "*", analyses="muscle", run="", notes="ward 3")
    assert set(lab.run()) == {1}, "not ticked"
    lab.edit(1, "run", "yes")
    lab.run()
    assert lab.rows()[2].notes == "found by row 1: ward 3"
    lab.edit(3, "analyses", "spectrogram")
    lab.edit(1, "analyses", "channel_quality")
    lab.edit(1, "priority", "2")
    views = lab.run()
    rows = lab.rows()
    assert (rows[2].analyses, rows[2].priority) == ("channel_quality", "2")
    assert (rows[3].analyses, rows[3].priority) == ("spectrogram", "2")
    assert views[2].update.status in FINISHED
    assert views[2].n_made > 0


def test_a_row_that_was_typed_by_hand_is_not_doubled(lab, small_recording, folder):
    mine = put(small_recording, folder, "mine")
    put(small_recording, folder, "wrong")
    lab.add(mine, analyses="muscle")
    lab.add(folder / "wrong", analyses="muscel")
    lab.add(folder / "*", analyses="channel_quality")
    views = lab.run()
    assert set(views) == {1, 2, 3}
    assert views[3].update.progress == "0 rows"
    assert "2 have a row that was added otherwise" in views[3].update.message


def test_a_folder_that_is_not_whole_yet_waits(lab, small_recording, folder):
    half = folder / "half"
    half.mkdir()
    (half / "CheetahLogFile.txt").write_text("begun")
    lab.add(folder / "*", analyses="muscle")
    views = lab.run()
    assert set(views) == {1}
    assert "no row yet for half" in views[1].update.message
    for file in small_recording.iterdir():
        shutil.copy(file, half)
    views = lab.run()
    assert views[2].update.status in FINISHED
    assert views[1].update.message == ""


@pytest.mark.slow
def test_a_paused_standing_row_makes_no_rows(lab, small_recording, folder):
    put(small_recording, folder, "a")
    lab.add(folder / "*", analyses="muscle")
    for words in (["pause", "1"], ["cancel", "1"]):
        command = [*words, "--library", str(lab.library.root)]
        assert CliRunner().invoke(app, command).exit_code == 0
    view = lab.run()[1]
    assert view.update.status is Status.PAUSED
    assert "no rows are made" in view.update.message
    for words in (["resume", "1"], ["retry", "1"]):
        command = [*words, "--library", str(lab.library.root)]
        assert CliRunner().invoke(app, command).exit_code == 0
    assert lab.run()[2].update.status in FINISHED


def test_a_disk_that_is_away_leaves_the_rows(lab, small_recording, folder):
    put(small_recording, folder, "a")
    lab.add(folder / "*", analyses="muscle")
    lab.run()
    folder.rename(folder.with_name("away"))
    views = lab.run()
    assert views[1].update.status is Status.NEEDS_ATTENTION
    assert "is not there" in views[1].update.message
    assert views[2].update.status in FINISHED
    folder.with_name("away").rename(folder)
    assert set(lab.run()) == {1, 2}


def test_as_a_person_would_add_it(lab, small_recording, folder, monkeypatch):
    put(small_recording, folder, "a")
    monkeypatch.chdir(folder.parent)
    words = ["add", "m1/*", "--subject", "M1", "--analyses", "muscle"]
    result = CliRunner().invoke(app, [*words, "--library", str(lab.library.root)])
    assert result.exit_code == 0, result.output
    assert "each gets a row of its own" in " ".join(result.output.split())
    assert lab.rows()[1].recording == str(folder / "*")
    lab.run()
    shown = CliRunner().invoke(app, ["status", "--json", "--library", str(lab.library.root)])
    rows = json.loads(shown.output)["rows"]
    assert [(row["number"], row["found_by"]) for row in rows] == [(1, None), (2, 1)]
    table = CliRunner().invoke(app, ["status", "--library", str(lab.library.root)]).output
    assert "2 (of 1)" in table
    assert "watching" in table
    gone = CliRunner().invoke(app, ["gc", "--json", "--library", str(lab.library.root)])
    assert json.loads(gone.output)["spared_subjects"] == []
