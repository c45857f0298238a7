"""Versions of the pipeline and parameter sets held against each other, on a library that ran."""

from __future__ import annotations

import csv
import dataclasses
import json

import pytest
from typer.testing import CliRunner

from wakeful.catalog import Catalog, load_catalog
from wakeful.cli import app
from wakeful.config import open_library
from wakeful.ledger import Ledger
from wakeful.model.errors import UnknownResult
from wakeful.pipeline.versions import describe_installed, pin_version, write_version
from wakeful.service.what_if import compare_versions
from wakeful.sheet.interface import Status
from wakeful.sheet.local import LocalSheet

from .conftest import FINISHED

ANALYSES = "spectrogram,band_power,day"


def newer(catalog: Catalog, step: str) -> Catalog:
    """The catalog as if a step had another version by now."""
    old = catalog.steps[step]
    steps = {**catalog.steps, step: dataclasses.replace(old, version=old.version + 1)}
    return dataclasses.replace(catalog, steps=steps)


def run_with(bench, catalog):
    from wakeful.executors.local import LocalExecutor
    from wakeful.service.reconcile import Service

    library = open_library(bench.library.root)
    with Ledger.open(library.database) as ledger:
        sheet = LocalSheet(ledger, actor="test")
        service = Service(library, ledger, sheet, LocalExecutor(), catalog)
        return {view.row.number: view for view in service.run_once()}


def compare(bench, before, after, catalog=None, **options):
    library = open_library(bench.library.root)
    with Ledger.open(library.database) as ledger:
        (session,) = {p.name for p in library.published.glob("*/*") if p.is_dir()}
        return compare_versions(
            library,
            LocalSheet(ledger, actor="test"),
            catalog or load_catalog(),
            session,
            before,
            after,
            **options,
        )


@pytest.mark.slow
def test_what_a_parameter_set_would_change_is_said_before_it_is_adopted(
    lab, small_recording, tmp_path
):
    config = lab.library.root / "wakeful.toml"
    config.write_text(
        config.read_text() + "\n[parameters.narrow.band_power]\ntheta_hz = [6.0, 8.0]\n"
    )
    lab.add(small_recording, analyses=ANALYSES)
    lab.run()
    assert compare(lab, "default", "default").steps == ()
    found = compare(lab, "default", "narrow")
    by_step = {step.step: step for step in found.steps}
    assert by_step["band_power"].changes_values
    assert "theta_hz = [6.0, 8.0]" in by_step["band_power"].why
    assert "spectrogram" not in by_step
    assert by_step["day"].why.startswith("from band_power")
    assert found.n_made > 0
    again = compare(lab, "default", "narrow")
    assert again.n_made == 0
    (session,) = {p.name for p in lab.library.published.glob("*/*") if p.is_dir()}
    out = tmp_path / "out"
    words = ["diff", "default", "narrow", session, "--library", str(lab.library.root)]
    result = CliRunner().invoke(app, [*words, "-o", str(out), "--json"])
    assert result.exit_code == 1, result.output
    tree = json.loads(result.output)
    epochs = [s["epochs"] for s in tree["steps"] if s["step"] == "sleep"]
    rows = list(csv.DictReader((out / "epochs.csv").read_text().splitlines()))
    assert len(rows) == sum(len(e["stretches"]) for e in epochs if e)
    same = CliRunner().invoke(app, [words[0], "narrow", "narrow", *words[3:]])
    assert same.exit_code == 0
    assert "nothing would change" in same.output

    # Adopting it costs what was not compared: figures.
    lab.edit(1, "params", "narrow")
    view = lab.run()[1]
    assert view.update.status in FINISHED
    made = [t for t in view.update.progress.split() if t.isdigit()]
    assert int(made[1]) < int(made[0])


def test_a_pinned_library_keeps_its_numbers(lab, small_recording, copy_of):
    installed = load_catalog()
    lab.add(small_recording, analyses=ANALYSES)
    lab.run()
    link = lab.rows()[1].link
    write_version(lab.library.pipelines, describe_installed(installed, "one"))
    pin_version(lab.library.root / "wakeful.toml", "one")
    later = newer(installed, "band_power")
    # What was made stays done; what would be made otherwise waits, with the reason.
    lab.add(copy_of("new"), analyses=ANALYSES)
    views = run_with(lab, later)
    assert views[1].update.status in FINISHED
    assert views[1].n_made == 0
    assert views[1].update.link == link
    assert views[2].update.status is Status.NEEDS_ATTENTION
    assert "pinned to the pipeline 'one'" in views[2].update.message
    assert "band_power (version" in views[2].update.message
    # Without the pin the new step is taken.
    pin_version(lab.library.root / "wakeful.toml", "")
    assert run_with(lab, installed)[2].update.status in FINISHED


@pytest.mark.slow
def test_results_of_an_earlier_version_are_compared_while_they_are_kept(lab, small_recording):
    installed = load_catalog()
    write_version(lab.library.pipelines, describe_installed(installed, "one"))
    lab.add(small_recording, analyses=ANALYSES)
    lab.run()
    # As if the installed version had come later; it gives the same numbers under another key.
    later = newer(installed, "day")
    found = compare(lab, "default@one", "default", later)
    (step,) = found.steps
    assert step.step == "day"
    assert step.why.startswith(f"version {later.steps['day'].version} instead of")
    assert not step.changes_values
    # Of a version whose results are not here nothing can be said.
    lost = newer(newer(installed, "spectrogram"), "spectrogram")
    write_version(lab.library.pipelines, describe_installed(lost, "lost"))
    with pytest.raises(UnknownResult, match="can't make them"):
        compare(lab, "default@lost", "default")
