"""What no row needs any more can go, and nothing else."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from wakeful.cli import app
from wakeful.io.store import Store
from wakeful.service.lock import hold_library

from .conftest import FINISHED, Bench


def gc(bench: Bench, *words: str) -> dict:
    command = ["gc", "--json", "--days", "0", "--library", str(bench.library.root), *words]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def keys(bench: Bench) -> set[str]:
    return {receipt.key for receipt in Store(bench.library.results).receipts()}


def test_what_rows_need_stays_and_what_they_needed_before_goes(lab, small_recording):
    lab.add(small_recording, analyses="muscle,channel_quality")
    lab.run()
    everything = keys(lab)
    assert gc(lab)["results"] == []
    lab.edit(1, "analyses", "muscle")
    lab.run()
    needed = keys(lab)
    found = gc(lab)
    # The muscle tone leaves bad channels out, so their quality is needed; its figures are not.
    assert {r["step"] for r in found["results"]} == {"channel_quality.figures"}
    assert keys(lab) == needed, "listing removes nothing"
    assert len(found["jobs"]) > 0
    gc(lab, "--remove")
    assert keys(lab) == everything - {r["key"] for r in found["results"]}
    assert not list(lab.library.jobs.glob("[!.]*/*"))
    view = lab.run()[1]
    assert view.update.status in FINISHED
    assert view.n_made == 0
    # What went is made again when somebody asks for it.
    lab.edit(1, "analyses", "muscle,channel_quality")
    assert lab.run()[1].update.status in FINISHED
    assert keys(lab) == everything


def test_young_results_stay(lab, small_recording):
    lab.add(small_recording, analyses="muscle,channel_quality")
    lab.run()
    lab.edit(1, "analyses", "muscle")
    result = CliRunner().invoke(app, ["gc", "--library", str(lab.library.root)])
    assert "0 results" in result.output
    assert "younger than 7 days" in result.output


def test_an_animal_whose_row_can_not_be_planned_keeps_everything(lab, copy_of):
    lab.add(copy_of("a"), analyses="muscle")
    lab.run()
    before = keys(lab)
    lab.edit(1, "analyses", "nonsense")
    found = gc(lab, "--remove")
    assert found["spared_subjects"] == ["M1"]
    assert keys(lab) == before


def test_results_of_a_deleted_row_go(lab, small_recording):
    number = lab.add(small_recording, analyses="muscle")
    lab.run()
    words = ["sheet", "delete", str(number), "--library", str(lab.library.root)]
    assert CliRunner().invoke(app, words).exit_code == 0
    found = gc(lab, "--remove")
    assert {r["why"] for r in found["results"]} == {"no row of this animal is left"}
    assert keys(lab) == set()
    assert list(lab.library.raw.glob("*")), "raw data is never touched"


def test_nothing_is_removed_while_a_service_is_at_work(lab):
    with hold_library(lab.library.root):
        words = ["gc", "--remove", "--library", str(lab.library.root)]
        result = CliRunner().invoke(app, words)
    assert result.exit_code != 0
    assert "another `wakeful run`" in str(result.exception)
