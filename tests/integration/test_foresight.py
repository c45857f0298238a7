"""What rows would do, rows that do not fit the disk, and what is to come."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from wakeful.cli import app
from wakeful.io.store import Store
from wakeful.sheet.interface import Status

from .conftest import FINISHED, Bench


def call(bench: Bench, *words: str) -> str:
    result = CliRunner().invoke(app, [*words, "-l", str(bench.library.root)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def plan(bench: Bench, row: int) -> dict:
    return json.loads(call(bench, "plan", str(row), "--json"))


def test_a_plan_says_what_a_row_would_do_and_does_nothing(lab, small_recording):
    lab.add(small_recording, analyses="muscle")
    before = plan(lab, 1)
    n_bytes = sum(path.stat().st_size for path in small_recording.iterdir())
    assert before["n_files"] == len(list(small_recording.iterdir()))
    assert before["source_bytes"] == before["to_take_in_bytes"] == n_bytes
    # Four minutes with a gap of twelve seconds.
    assert before["recorded_s"] == pytest.approx(228.0, abs=0.1)
    assert before["n_missing"] == before["n_results"]
    assert not before["is_taken_in"]
    assert before["expected_s"] is None
    assert "muscle" in before["unknown_steps"]
    assert lab.rows()[1].status == ""
    assert not list(Store(lab.library.results).receipts())
    view = lab.run()[1]
    assert view.update.status in FINISHED
    after = plan(lab, 1)
    assert after["is_taken_in"]
    assert (after["n_missing"], after["to_take_in_bytes"]) == (0, 0)
    assert after["n_results"] == before["n_results"] == view.n_results


def test_a_plan_of_other_parameters_counts_what_they_change(lab, small_recording):
    lab.add(small_recording, analyses="muscle")
    lab.run()
    config = lab.library.root / "wakeful.toml"
    config.write_text(config.read_text() + "\n[parameters.finer.convert]\nlfp_emg_bin_s = 0.25\n")
    lab.add(small_recording, params="finer", analyses="muscle")
    found = plan(lab, 2)
    assert found["n_missing"] == found["n_results"]
    assert found["unknown_steps"] == []
    assert 0 < found["expected_s"]["low"] <= found["expected_s"]["mean"]
    assert found["expected_s"]["mean"] <= found["expected_s"]["high"]
    said = call(lab, "plan", "2")
    assert "on 2 workers" in said
    assert f"{found['n_results']} asked for, 0 there" in said


def test_a_row_can_be_tried_without_adding_it(lab, small_recording):
    said = call(lab, "add", str(small_recording), "--subject", "M1", "--dry-run")
    assert "to be copied" in said
    assert "unknown: no such results were made" in said
    assert lab.rows() == {}
    with pytest.raises(Exception, match=r"row 1: params: \"x\" is not known"):
        call(lab, "add", str(small_recording), "--subject", "M1", "--params", "x", "--dry-run")


def keep_free(bench: Bench, gb: float) -> None:
    path = bench.library.root / "wakeful.toml"
    text = path.read_text().partition("\n[service]")[0]
    path.write_text(f"{text}\n[service]\nkeep_free_gb = {gb:.6f}\n")


def test_a_row_that_would_fill_the_disk_waits_and_says_so(lab, small_recording):
    lab.add(small_recording, analyses="muscle")
    keep_free(lab, shutil.disk_usage(lab.library.root).free / 1e9 + 100)
    view = lab.run()[1]
    assert view.update.status is Status.WAITING
    assert view.update.message.startswith("waits for room: 9 MB to come, ")
    assert not list(lab.library.raw.glob("*/data"))
    assert any("waits for room" in w for w in plan(lab, 1)["warnings"])
    keep_free(lab, 0)
    assert lab.run()[1].update.status in FINISHED


@pytest.mark.slow
def test_results_wait_for_room_too(lab, small_recording):
    lab.add(small_recording, analyses="muscle")
    lab.run()
    config = lab.library.root / "wakeful.toml"
    config.write_text(config.read_text() + "\n[parameters.finer.convert]\nlfp_emg_bin_s = 0.25\n")
    keep_free(lab, shutil.disk_usage(lab.library.root).free / 1e9 + 100)
    lab.add(small_recording, params="finer", analyses="muscle")
    views = lab.run()
    assert views[1].update.status in FINISHED  # it needs no more room
    assert views[2].update.status is Status.WAITING
    assert "waits for room" in views[2].update.message
    keep_free(lab, 0)
    assert lab.run()[2].update.status in FINISHED
