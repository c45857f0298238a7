"""A row in the sheet becomes a published recording."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from wakeful.analysis import open_library
from wakeful.catalog import load_catalog
from wakeful.figures import read_key
from wakeful.io.store import Store
from wakeful.pipeline.verify import chain_of, verify

from .conftest import FINISHED, GAP


def test_a_row_becomes_figures_and_a_report(lab, small_recording):
    lab.add(small_recording, analyses="")  # all there are
    view = lab.run()[1]
    assert view.update.status in FINISHED, view.update.message
    assert view.n_made == view.n_results > 10
    row = lab.rows()[1]
    assert row.status in FINISHED
    assert row.finished
    report = Path(row.link)
    page = report.read_text(encoding="utf-8")
    assert "M1" in page
    assert '="http' not in page
    figures = {p.name for p in (report.parent / "figures").iterdir()}
    assert {"2026-01-12_day.png", "2026-01-12_day.pdf", "2026-01-12_day.svg"} <= figures
    steps = load_catalog().steps.values()
    assert {step.name for step in steps if step.draw} <= {
        r.step.removesuffix(".figures") for r in Store(lab.library.results).receipts()
    }

    results = open_library(lab.library.root).sessions()[0]
    hypnogram = results.hypnogram
    assert hypnogram.n_rows == 60
    touched = (hypnogram.start_s < GAP.stop_s) & (hypnogram.start_s + 4 > GAP.start_s)
    assert ((hypnogram.state == -1) == touched).all()
    np.testing.assert_array_equal(
        np.isnan(results.spectrogram.power_uv2_per_hz).all(axis=(1, 2)), touched
    )
    assert [round(span.start_s, 3) for span in results.lfp.spans] == [0.0, GAP.stop_s]
    with (report.parent / "hypnogram.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 60
    assert lines[26]["state"] == "no data"


def test_a_second_run_recomputes_nothing_and_says_so(lab, small_recording):
    lab.add(small_recording)
    lab.run()
    store = Store(lab.library.results)
    before = {r.key: r.tree["started_utc"] for r in store.receipts()}
    view = lab.run()[1]
    assert view.n_made == 0
    assert "nothing was computed anew" in view.update.progress
    assert {r.key: r.tree["started_utc"] for r in store.receipts()} == before


def test_a_changed_parameter_makes_just_what_it_touches_anew(lab, small_recording):
    lab.add(small_recording)
    lab.run()
    config = lab.library.root / "wakeful.toml"
    config.write_text(config.read_text() + "\n[parameters.slow.spectrogram]\nhighest_hz = 120.0\n")
    lab.add(small_recording, params="slow")
    view = lab.run()[2]
    assert view.update.status in FINISHED, view.update.message
    made = {
        r.step
        for r in Store(lab.library.results).receipts()
        if r.tree["started_utc"] > "" and r.tree["changed_params"]
    }
    assert made == {"spectrogram"} | {s for s in made if s.endswith(".figures")}
    counts: dict[str, int] = {}
    for receipt in Store(lab.library.results).receipts():
        counts[receipt.step] = counts.get(receipt.step, 0) + 1
    assert counts["convert"] == 4
    assert counts["muscle"] == 4
    assert counts["spectrogram"] == 8
    assert counts["sleep"] == 2


@pytest.mark.slow
def test_raw_data_can_be_used_in_place(lab, small_recording):
    config = lab.library.root / "wakeful.toml"
    config.write_text(config.read_text().replace('"mirror"', '"in-place"'))
    lab.add(small_recording)
    view = lab.run()[1]
    assert view.update.status in FINISHED, view.update.message
    assert not list(lab.library.raw.rglob("*.ncs"))


@pytest.mark.slow
def test_blocks_of_any_length_give_the_same_samples_and_spectra(lab, small_recording, tmp_path):
    from wakeful.config import Config, Lab, Work, write_library

    from .conftest import Bench

    lab.add(small_recording)
    lab.run()
    whole = Bench(
        write_library(
            tmp_path / "whole",
            Config(lab=Lab(time_zone="Europe/Berlin"), work=Work(block_s=3600, settle_s=0)),
        )
    )
    whole.add(small_recording)
    whole.run()
    a = open_library(lab.library.root).sessions()[0]
    b = open_library(whole.library.root).sessions()[0]
    assert a.lfp.spans == b.lfp.spans
    for span in a.lfp.spans:
        np.testing.assert_array_equal(
            a.lfp.read_uv(span.first_sample, span.n_samples),
            b.lfp.read_uv(span.first_sample, span.n_samples),
        )
    np.testing.assert_array_equal(a.lfp_emg.correlation, b.lfp_emg.correlation)
    np.testing.assert_array_equal(a.spectrogram.power_uv2_per_hz, b.spectrogram.power_uv2_per_hz)
    np.testing.assert_array_equal(a.hypnogram.state, b.hypnogram.state)


def test_figures_can_be_verified_and_damage_is_found(lab, small_recording):
    lab.add(small_recording)
    lab.run()
    (png,) = Path(lab.rows()[1].link).parent.glob("figures/*_day.png")
    store = Store(lab.library.results)
    receipt = store.find(read_key(png))
    result = verify(load_catalog(), store, receipt)
    assert result.holds
    assert {c.verdict for c in result.comparisons} == {"same bits"}
    (band,) = [r for r in chain_of(store, receipt) if r.step == "band_power"][:1]
    path = next(band.folder.glob("*.npy"))
    array = np.load(path)
    array.flat[0] += 1
    np.save(path, array)
    again = verify(load_catalog(), store, receipt)
    assert not again.holds
    bad = [c for c in again.comparisons if not c.holds]
    assert [(c.step, c.verdict) for c in bad] == [("band_power", "changed since it was stored")]


@pytest.mark.slow
def test_a_changed_recording_is_taken_in_again(lab, copy_of):
    source = copy_of("growing")
    lab.add(source, analyses="convert")
    lab.run()
    (source / "channels.csv").write_text(
        (source / "channels.csv").read_text().replace("CA1", "CA3")
    )
    view = lab.run()[1]
    assert view.n_made > 0
    assert {c.region for c in open_library(lab.library.root).sessions()[0].lfp.channels} >= {"CA3"}


def test_two_rows_on_one_recording_share_the_work(lab, small_recording):
    lab.add(small_recording, analyses="band_power")
    lab.add(small_recording, analyses="band_power", rerun="1")
    views = lab.run()
    assert {v.update.status for v in views.values()} <= FINISHED
    attempts = list(lab.library.jobs.glob("block*/*"))
    assert len(attempts) == 4


def test_receipts_say_what_made_a_result(lab, small_recording):
    lab.add(small_recording, analyses="convert")
    lab.run()
    receipt = next(iter(Store(lab.library.results).receipts()))
    tree = json.loads((receipt.folder / "receipt.json").read_text())
    for field in (
        "step_version",
        "step_source",
        "params",
        "outputs",
        "given",
        "code_version",
        "libraries",
        "machine",
        "seconds",
        "peak_memory_mb",
        "files",
    ):
        assert tree[field], field
    assert tree["peak_memory_mb"] < 600


@pytest.mark.parametrize("transfer", ["mirror", "in-place"])
def test_the_source_is_never_written_to(lab, copy_of, transfer):
    source = copy_of("untouched")
    for path in source.iterdir():
        path.chmod(0o444)
    before = {p.name: (p.stat().st_mtime_ns, p.stat().st_size) for p in source.iterdir()}
    config = lab.library.root / "wakeful.toml"
    config.write_text(config.read_text().replace('"mirror"', f'"{transfer}"'))
    lab.add(source, analyses="convert")
    assert lab.run()[1].update.status in FINISHED
    assert {p.name: (p.stat().st_mtime_ns, p.stat().st_size) for p in source.iterdir()} == before
