"""The label-free scorer on a real mouse, 24 h of 4 s epochs scored by a person."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from wakeful.model.epochs import BandPower, MuscleTone, State
from wakeful.sleep.agreement import compute_agreement
from wakeful.sleep.label_free import score_label_free

pytestmark = pytest.mark.real_data

HALF = 10_800
BANDS = ("Delta", "Theta", "Alpha", "Beta", "Gamma")
LABELS = {"W": State.AWAKE, "NR": State.NREM, "R": State.REM}


@dataclass(frozen=True, kw_only=True)
class Mouse:
    power: np.ndarray
    emg: np.ndarray
    state: np.ndarray
    """Marked artefacts are `UNCLASSIFIED`."""

    def part(self, rows: slice | np.ndarray) -> tuple[BandPower, MuscleTone, np.ndarray]:
        state = self.state[rows]
        start_s = np.arange(len(state)) * 4.0
        band_power = BandPower(
            start_s=start_s,
            power_uv2=self.power[rows, None, :].astype(np.float32),
            regions=("EEG",),
            bands=tuple(band.lower() for band in BANDS),
            edges_hz=((1, 4), (6, 9), (9, 12), (12, 30), (30, 80)),
            epoch_s=4.0,
        )
        muscle = MuscleTone(
            start_s=start_s,
            emg_uv=self.emg[rows].astype(np.float32),
            lfp_emg=np.full(len(state), np.nan, np.float32),
            emg_channels=("EMG",),
            emg_band_hz=(30.0, 300.0),
            epoch_s=4.0,
        )
        return band_power, muscle, state


@pytest.fixture(scope="module")
def mouse(real_data: Path) -> Mouse:
    path = real_data / "sleep" / "zfhx3_mouse_features" / "baseline.csv.gz"
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    return Mouse(
        power=np.array([[float(row[band]) for band in BANDS] for row in rows]),
        emg=np.array([float(row["EMG"]) for row in rows]),
        state=np.array(
            [LABELS.get(row["Stage"].strip(), State.UNCLASSIFIED) for row in rows], np.int8
        ),
    )


def test_half_a_day_that_the_scorer_was_not_made_on(mouse: Mouse) -> None:
    band_power, muscle, state = mouse.part(slice(HALF, 2 * HALF))
    found = score_label_free(band_power, muscle)
    clean = state != State.UNCLASSIFIED
    agreement = compute_agreement(state[clean], found.state[clean])
    assert agreement.kappa > 0.88
    assert agreement.f1[State.REM] > 0.75
    assert agreement.coverage > 0.98


def test_most_marked_artefacts_stay_unclassified(mouse: Mouse) -> None:
    band_power, muscle, state = mouse.part(slice(0, HALF))
    found = score_label_free(band_power, muscle)
    marked = state == State.UNCLASSIFIED
    assert np.mean(found.state[marked] == State.UNCLASSIFIED) > 0.6
    assert np.mean(found.state[~marked] == State.UNCLASSIFIED) < 0.02


@pytest.mark.parametrize("hours", [0.5, 1, 4])
@pytest.mark.parametrize("only", [State.AWAKE, State.NREM])
def test_stretches_of_one_state_are_not_split(mouse: Mouse, hours: float, only: State) -> None:
    rows = np.flatnonzero(mouse.state == only)
    n_epochs = int(hours * 900)
    for first in range(0, 3 * n_epochs, n_epochs):
        band_power, muscle, state = mouse.part(rows[first : first + n_epochs])
        found = score_label_free(band_power, muscle)
        sure = found.state != State.UNCLASSIFIED
        assert np.mean(sure & (found.state != state)) <= 0.02


def test_a_drifting_amplifier_costs_little(mouse: Mouse) -> None:
    band_power, muscle, state = mouse.part(slice(0, HALF))
    slow = np.exp(np.linspace(0, np.log(2), HALF)).astype(np.float32)
    drifting = MuscleTone(
        start_s=muscle.start_s,
        emg_uv=muscle.emg_uv * slow,
        lfp_emg=muscle.lfp_emg,
        emg_channels=muscle.emg_channels,
        emg_band_hz=muscle.emg_band_hz,
        epoch_s=4.0,
    )
    clean = state != State.UNCLASSIFIED
    found = score_label_free(band_power, drifting)
    assert compute_agreement(state[clean], found.state[clean]).kappa > 0.85
