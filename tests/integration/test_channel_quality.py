"""Bad channels from the files to the row: found, told, left out, and overruled by hand."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from wakeful.analysis import open_library
from wakeful.ledger import Ledger, MarkCells
from wakeful.model.quality import Mark, Verdict
from wakeful.simulate import FaultType, PlantedFault, RecordingPlan, SubjectPlan
from wakeful.simulate.neuralynx import write_neuralynx

pytestmark = pytest.mark.slow


@pytest.fixture
def spoilt(tmp_path) -> Path:
    folder = tmp_path / "spoilt"
    plan = RecordingPlan(
        subject=SubjectPlan(identifier="M1", seed=3),
        duration_s=240.0,
        rate_hz=1000,
        faults=(
            PlantedFault(channel="CSC7", kind=FaultType.LOOSE, start_s=60, stop_s=180),
            PlantedFault(channel="CSC8", kind=FaultType.FLAT, start_s=120),
        ),
    )
    write_neuralynx(plan, folder)
    return folder


def add_mark(lab, recording: Path, **changes) -> None:
    values = {
        "channels": ("CSC1",),
        "start_s": 130.0,
        "stop_s": 150.0,
        "verdict": Verdict.BAD,
        "reason": "cable",
        "author": "ann",
    }
    cells = MarkCells(
        subject="M1", recording=str(recording.resolve()), mark=Mark(**{**values, **changes})
    )
    with Ledger.open(lab.library.database) as ledger:
        ledger.add_marks([cells], actor="ann")


def faults_of(link: str) -> list[tuple[str, str, float, float, str]]:
    with (Path(link).parent / "channel_quality.csv").open() as file:
        return [
            (r["channel"], r["fault"], float(r["start_s"]), float(r["stop_s"]), r["heeded"])
            for r in csv.DictReader(file)
        ]


def test_found_told_left_out_and_overruled_by_hand(lab, spoilt):
    lab.add(spoilt, analyses="band_power, channel_quality")
    view = lab.run()[1]
    assert "thalamus: no good channel for 60 s from " in view.update.message
    assert "CSC7 disconnected, CSC8 flat" in view.update.message
    found = faults_of(view.update.link)
    assert [f for f in found if f[0] == "CSC7"] == [("CSC7", "disconnected", 60, 180, "yes")]
    (dead,) = [f for f in found if f[0] == "CSC8"]
    assert dead[1] == "flat"
    assert dead[2] == pytest.approx(120, abs=0.6)
    assert dead[3] == pytest.approx(240)
    thalamus = open_library(lab.library.root).sessions()[0].band_power
    place = thalamus.regions.index("thalamus")
    known = np.isfinite(thalamus.power_uv2[:, place, 0])
    assert known.tolist() == [True] * 30 + [False] * 15 + [True] * 15

    # A mark in the third minute makes that minute anew, and the figures of the day.
    add_mark(lab, spoilt)
    again = lab.run()[1]
    assert ("CSC1", "bad by hand", 130, 150, "yes") in faults_of(again.update.link)
    assert again.n_made == 3 + 2  # quality, spectrogram, band power; two figures
    # The hand wins, and what was found stays told.
    add_mark(
        lab,
        spoilt,
        channels=("CSC7",),
        start_s=0.0,
        stop_s=240.0,
        verdict=Verdict.GOOD,
        reason="a quiet site",
    )
    overruled = lab.run()[1]
    assert ("CSC7", "disconnected", 60, 180, "no") in faults_of(overruled.update.link)
    assert "no good channel" not in overruled.update.message
    power = open_library(lab.library.root).sessions()[0].band_power.power_uv2
    assert np.isfinite(power[:, place, 0]).all()


def test_a_lab_can_switch_the_masks_off(lab, spoilt):
    config = lab.library.root / "wakeful.toml"
    config.write_text(config.read_text() + "\n[parameters.all.spectrogram]\nuse_masks = false\n")
    lab.add(spoilt, analyses="band_power", params="all")
    lab.run()
    power = open_library(lab.library.root).sessions()[0].band_power
    place = power.regions.index("thalamus")
    assert np.isfinite(power.power_uv2[:44, place, 0]).all()
