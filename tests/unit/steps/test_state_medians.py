"""The step of median spectra."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wakeful.io.codec import read_value, write_value
from wakeful.model.epochs import Hypnogram, Spectrogram
from wakeful.model.errors import BadParameters
from wakeful.model.ictal import IctalIntervals
from wakeful.model.subject import Session, Subject
from wakeful.model.time import Interval, Quarantine
from wakeful.steps.state_medians import STEP, Inputs, Params, StateMedians, compute

A, U, N, R = 0, 1, 2, 3
LEVEL = {A: 2.0, U: 3.0, N: 8.0, R: 4.0}


def make_inputs() -> Inputs:
    state = np.repeat([A, N, R, U], [300, 400, 60, 5]).astype(np.int8)
    n = len(state)
    frequency_hz = np.arange(1.0, 21.0)
    power = np.array([LEVEL[s] for s in state])[:, None, None] / frequency_hz * np.ones((n, 2, 20))
    power[::50] *= 1000  # artefacts move a mean, not a median
    power[5, 0] = np.nan
    power[:, 1, 19] = np.nan  # a frequency that is not there
    session = Session(name="s", subject=Subject(identifier="M"), start_utc=None, duration_s=n * 4.0)
    start_s = np.arange(n) * 4.0
    return Inputs(
        day=session.days()[0],
        session=session,
        spectrogram=Spectrogram(
            start_s=start_s,
            power_uv2_per_hz=power.astype(np.float32),
            frequency_hz=frequency_hz,
            regions=("CA1", "PFC"),
            channels=(("1",), ("2",)),
            epoch_s=4.0,
            method="m",
        ),
        hypnogram=Hypnogram(
            start_s=start_s,
            raw_state=state,
            state=state,
            confidence=np.ones(n, np.float32),
            epoch_s=4.0,
            scorer="s",
        ),
    )


def test_medians_of_planted_levels() -> None:
    found = compute(make_inputs(), Params()).state_medians
    for state in (A, N, R):
        expected = LEVEL[state] / found.frequency_hz
        np.testing.assert_allclose(found.median_uv2_per_hz[state, 0], expected, rtol=1e-6)
        np.testing.assert_allclose(found.median_uv2_per_hz[state, 1, :19], expected[:19], rtol=1e-6)
    assert np.isnan(found.median_uv2_per_hz[:, 1, 19]).all()
    assert np.isnan(found.median_uv2_per_hz[U]).all()  # five epochs are too few
    assert found.n_epochs.tolist() == [[299, 300], [5, 5], [400, 400], [60, 60]]


def test_what_cannot_be_trusted_is_left_out() -> None:
    inputs = make_inputs()
    bad = Quarantine(Interval(0.0, 100.0), "why")
    ictal = IctalIntervals(
        start_s=np.array([400.0]), stop_s=np.array([440.0]), kind=np.array([2], np.int8)
    )
    found = compute(replace(inputs, quarantined=(bad,), ictal=ictal), Params()).state_medians
    assert found.n_epochs[A].tolist() == [265, 265]


def test_only_the_day_counts() -> None:
    inputs = make_inputs()
    day = replace(inputs.day, interval=Interval(0.0, 400.0))
    found = compute(replace(inputs, day=day), Params()).state_medians
    assert found.n_epochs[:, 1].tolist() == [100, 0, 0, 0]


def test_stored_and_checked(tmp_path: Path) -> None:
    found = compute(make_inputs(), Params()).state_medians
    tree = write_value(tmp_path, "x", found)
    back = read_value(tmp_path, tree, StateMedians)
    np.testing.assert_array_equal(back.median_uv2_per_hz, found.median_uv2_per_hz)
    assert back.states == ("awake", "unclassified", "NREM", "REM")
    with pytest.raises(BadParameters, match="least_epochs"):
        STEP.make_params({"least_epochs": 0})


def test_states_told_by_power_are_compared_with_a_warning() -> None:
    inputs = make_inputs()
    assert compute(inputs, Params()).state_medians.notes == ()
    by_power = replace(inputs.hypnogram, signals=("delta", "theta ratio", "emg"))
    (note,) = compute(replace(inputs, hypnogram=by_power), Params()).state_medians.notes
    assert "told apart by delta and theta ratio" in note
    by_movement = replace(inputs.hypnogram, signals=("emg", "movement"))
    assert compute(replace(inputs, hypnogram=by_movement), Params()).state_medians.notes == ()
