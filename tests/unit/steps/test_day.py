"""The day step against planted states and powers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time

import numpy as np
import pytest

from wakeful.io.codec import read_value, write_value
from wakeful.model.epochs import BandPower, Hypnogram, MuscleTone, Spectrogram, State
from wakeful.model.subject import LightSchedule, Session, Subject
from wakeful.model.time import Interval, Quarantine, Span, account_for
from wakeful.step import changed_params
from wakeful.steps.day import STEP, DaySummary, Inputs, Params, compute, draw

EPOCH_S = 4.0
HOUR = 900
"""Epochs."""
MEAN_UV2 = {State.AWAKE: 10.0, State.UNCLASSIFIED: 20.0, State.NREM: 30.0, State.REM: 40.0}


def make_inputs(start: datetime | None, hours: int = 48) -> Inputs:
    """Each hour: 20 min awake, 4 s unclassified, 30 min NREM, the rest REM; a gap in hour 5."""
    session = Session(
        name="s",
        subject=Subject(identifier="M1"),
        start_utc=start,
        duration_s=hours * 3600.0,
        time_zone="Europe/Zurich",
        light=LightSchedule(on=time(7), off=time(19)),
    )
    spans = (
        Span(0.0, 5 * 3600, 1.0, 0),
        Span(6 * 3600.0, (hours - 6) * 3600, 1.0, 5 * 3600),
    )
    one = np.repeat([State.AWAKE, State.UNCLASSIFIED, State.NREM, State.REM], [300, 1, 450, 149])
    state = np.tile(one, hours).astype(np.int8)
    state[5 * HOUR : 6 * HOUR] = State.NO_DATA
    rng = np.random.default_rng(1)
    power = np.full((len(state), 2, 3), np.nan, np.float32)
    for s, mean in MEAN_UV2.items():
        power[state == s] = mean * np.array([[1, 2, 3], [10, 20, 30]])
    power += rng.normal(0, 1e-3, power.shape).astype(np.float32)
    power[state == State.NO_DATA] = np.nan
    power[::7, 0, 0] = np.nan
    power[:, :, 2] = np.nan  # a band beyond the recording's rate
    start_s = np.arange(len(state)) * EPOCH_S
    frequency_hz = np.arange(1.0, 31.0)
    spectrum = np.repeat(power[:, :, 1:2] / frequency_hz, 1, axis=2).astype(np.float32)
    day = session.days()[0]
    return Inputs(
        day=day,
        session=session,
        accounting=account_for(day.interval, session.interval, spans),
        spectrogram=Spectrogram(
            start_s=start_s,
            power_uv2_per_hz=spectrum,
            frequency_hz=frequency_hz,
            regions=("CA1", "PFC"),
            channels=(("1",), ("2",)),
            epoch_s=EPOCH_S,
            method="hann",
        ),
        band_power=BandPower(
            start_s=start_s,
            power_uv2=power,
            regions=("CA1", "PFC"),
            bands=("delta", "theta", "gamma"),
            edges_hz=((1.0, 4.0), (6.0, 9.0), (60.0, 100.0)),
            epoch_s=EPOCH_S,
        ),
        hypnogram=Hypnogram(
            start_s=start_s,
            raw_state=np.zeros_like(state),  # summaries come from the smoothed states
            state=state,
            confidence=np.ones(len(state), np.float32),
            epoch_s=EPOCH_S,
            scorer="s",
        ),
        muscle=MuscleTone(
            start_s=start_s,
            emg_uv=np.where(state == State.AWAKE, 25, 5).astype(np.float32),
            lfp_emg=np.full(len(state), np.nan, np.float32),
            emg_channels=("EMG",),
            emg_band_hz=(30.0, 300.0),
            epoch_s=EPOCH_S,
            lfp_emg_unavailable="slow",
        ),
    )


MIDNIGHT = datetime(2026, 5, 11, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def inputs() -> Inputs:
    return make_inputs(MIDNIGHT)


@pytest.fixture(scope="module")
def summary(inputs: Inputs) -> DaySummary:
    return compute(inputs, Params()).day_summary


def test_minutes_are_those_planted(summary: DaySummary) -> None:
    per_hour = np.array([20.0, 1 / 15, 30.0, 149 / 15])
    assert summary.states == ("awake", "unclassified", "NREM", "REM")
    assert summary.phases == ("day", "light", "dark")
    np.testing.assert_allclose(summary.minutes[0], 23 * per_hour)
    np.testing.assert_allclose(summary.minutes[1], 12 * per_hour)
    np.testing.assert_allclose(summary.minutes[2], 11 * per_hour)
    np.testing.assert_array_equal(summary.n_epochs, 23 * np.array([300, 1, 450, 149]))


def test_only_the_day_counts(inputs: Inputs) -> None:
    second = replace(inputs, day=inputs.session.days()[1])
    summary = compute(second, Params()).day_summary
    assert summary.date == "2026-05-13"
    assert summary.day_number == 1
    assert summary.minutes[0].sum() == pytest.approx(24 * 60)


def test_powers_are_means_over_what_is_known(summary: DaySummary) -> None:
    for i, mean in enumerate(MEAN_UV2.values()):
        expected = mean * np.array([[1, 2], [10, 20]])
        np.testing.assert_allclose(summary.band_power_uv2[i, :, :2], expected, rtol=1e-3)
    assert np.isnan(summary.band_power_uv2[:, :, 2]).all()
    np.testing.assert_allclose(summary.emg_uv, [25, 5, 5, 5])
    assert np.isnan(summary.lfp_emg).all()


def test_a_state_that_never_came_has_no_mean(inputs: Inputs) -> None:
    state = np.full_like(inputs.hypnogram.state, State.NREM)
    only = replace(inputs, hypnogram=replace(inputs.hypnogram, state=state), muscle=None)
    summary = compute(only, Params()).day_summary
    assert np.isnan(summary.band_power_uv2[0]).all()
    assert np.isfinite(summary.band_power_uv2[2, :, :2]).all()
    assert np.isnan(summary.emg_uv).all()


def test_quarantined_epochs_enter_nothing(inputs: Inputs) -> None:
    bad = (Quarantine(Interval(0.0, 1200.0), "cable"),)
    power = inputs.band_power.power_uv2.copy()
    power[:300] = 1e9
    spoiled = replace(
        inputs, quarantined=bad, band_power=replace(inputs.band_power, power_uv2=power)
    )
    summary = compute(spoiled, Params()).day_summary
    assert summary.minutes[0, 0] == pytest.approx(22 * 20)
    assert summary.band_power_uv2[0, 0, 1] == pytest.approx(20, rel=1e-3)


def test_epochs_are_matched_by_time_and_not_by_row(inputs: Inputs) -> None:
    later = inputs.band_power.cut(Interval(4 * 3600.0, 20 * 3600.0))
    summary = compute(replace(inputs, band_power=later), Params()).day_summary
    np.testing.assert_allclose(summary.band_power_uv2[:, 0, 1], [20, 40, 60, 80], rtol=1e-3)


def test_an_unknown_start_has_neither_date_nor_light() -> None:
    summary = compute(make_inputs(None, 24), Params()).day_summary
    assert summary.date == ""
    assert summary.phases == ("day",)
    assert summary.minutes.shape == (1, 4)


def test_a_summary_is_stored_and_read_back(summary: DaySummary, tmp_path) -> None:
    tree = write_value(tmp_path, "day_summary", summary)
    back = read_value(tmp_path, tree, STEP.output_types()["day_summary"])
    assert back.states == summary.states
    assert back.edges_hz == summary.edges_hz
    np.testing.assert_array_equal(back.band_power_uv2, summary.band_power_uv2)


def test_it_is_a_step_of_a_day() -> None:
    assert STEP.name == "day"
    assert STEP.per == "day"
    fields = STEP.input_fields()
    assert fields["muscle"]
    assert not fields["hypnogram"]
    assert changed_params(STEP.make_params({})) == {}


def test_it_draws_its_figures(inputs: Inputs) -> None:
    figures = draw(inputs, Params(), compute(inputs, Params()))
    assert set(figures) == {"day", "state_spectra"}
