from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wakeful.model.epochs import State
from wakeful.model.errors import BadParameters
from wakeful.model.time import Interval
from wakeful.sleep.drift import compute_drift
from wakeful.sleep.features import compute_features, smooth_median


def features_of(table, **kwargs):
    return compute_features(table.band_power, table.muscle, artefact_sds=6.0, **kwargs)


def test_logs_of_the_powers(day) -> None:
    found = features_of(day)
    power = day.band_power.power_uv2.astype(float)
    np.testing.assert_allclose(found.delta, np.log(power[:, :, 0]))
    np.testing.assert_allclose(found.theta_ratio, np.log(power[:, :, 1] / power[:, :, 0]))
    np.testing.assert_allclose(found.emg, np.log(day.muscle.emg_uv.astype(float)))
    np.testing.assert_allclose(np.tanh(found.lfp_emg), day.muscle.lfp_emg, rtol=1e-6)
    assert found.starts.nonzero()[0].tolist() == [0]
    assert found.recorded_s == 4.0 * len(day.state)


def test_starts_follow_holes_and_missing_rows(make) -> None:
    start_s = np.r_[np.arange(50) * 4.0, 500 + np.arange(50) * 4.0]
    table = make(np.zeros(100, np.int8), start_s=start_s)
    power = table.band_power.power_uv2.copy()
    power[20:22] = np.nan
    found = features_of(replace(table, band_power=replace(table.band_power, power_uv2=power)))
    assert np.flatnonzero(found.starts).tolist() == [0, 20, 21, 22, 50]
    assert np.flatnonzero(~found.has_data).tolist() == [20, 21]


def test_muscle_rows_are_matched_by_time(day) -> None:
    shifted = day.muscle.cut(Interval(400.0, 4000.0))
    found = compute_features(day.band_power, shifted, artefact_sds=6.0)
    assert np.isnan(found.emg[:100]).all()
    assert np.isfinite(found.emg[100:1000]).all()
    assert np.isnan(found.emg[1000:]).all()
    np.testing.assert_allclose(found.emg[100], np.log(float(day.muscle.emg_uv[100])))


def test_artefacts_and_flat_epochs_are_odd(day) -> None:
    power = day.band_power.power_uv2.copy()
    power[10] *= 1e4
    power[11, 0, :] = 0.0
    power[12, 1, 0] = 0.0
    found = features_of(replace(day, band_power=replace(day.band_power, power_uv2=power)))
    assert np.flatnonzero(found.odd).tolist() == [10, 11, 12]


def test_regions_are_sorted(make) -> None:
    states = np.repeat([State.AWAKE, State.NREM], 50).astype(np.int8)
    one = features_of(make(states, regions=("CA1", "PFC")))
    other = features_of(make(states, regions=("PFC", "CA1")))
    assert other.regions == ("CA1", "PFC")
    np.testing.assert_array_equal(one.delta, other.delta)


def test_a_missing_band_is_named(day) -> None:
    bad = replace(day.band_power, bands=("delta", "sigma", "beta"))
    with pytest.raises(BadParameters, match="no band named theta among delta, sigma, beta"):
        compute_features(bad, None, artefact_sds=6.0)


def test_epochs_of_different_length_do_not_fit(day) -> None:
    with pytest.raises(BadParameters, match=r"epochs of 10.0 s do not fit epochs of 4.0 s"):
        compute_features(day.band_power, replace(day.muscle, epoch_s=10.0), artefact_sds=6.0)


def test_median_stays_within_a_stretch() -> None:
    values = np.array([1.0, 1, 1, 9, 9, 9, np.nan, 5, 7])
    starts = np.zeros(9, bool)
    starts[[0, 3]] = True
    found = smooth_median(values, starts, 3)
    np.testing.assert_array_equal(found, [1, 1, 1, 9, 9, 9, np.nan, 6, 6])


def test_drift_is_what_the_states_do_not_explain() -> None:
    rng = np.random.default_rng(0)
    n_epochs = 9000
    start_s = np.arange(n_epochs) * 4.0
    # All awake in the first half, asleep in the second: a running mean would call that drift.
    expected = np.where(start_s < 18_000, 5.0, 3.0)[:, None] * np.ones(2)
    planted = np.linspace(-0.5, 0.5, n_epochs)
    observed = expected + rng.normal(0, 0.3, (n_epochs, 2))
    observed[:, 0] += planted
    observed[:100, 1] = np.nan
    found = compute_drift(observed, expected, start_s, window_s=7200.0)
    middle = slice(1000, -1000)
    assert np.abs(found[middle, 0] - planted[middle]).max() < 0.06
    assert np.abs(found[:, 1]).max() < 0.06
    assert np.isfinite(found).all()
