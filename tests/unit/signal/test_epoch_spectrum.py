"""What a spectrum says, on densities whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wakeful.signal.bands import BANDS, compute_band_power
from wakeful.signal.epoch_spectrum import POWER_BANDS, SPECTRUM, band_key, compute_spectrum

NAMES = [feature.name for feature in SPECTRUM]
FREQUENCY_HZ = np.arange(801) * 0.25


def _of(psd, trusted_hz=0.0, frequency_hz=FREQUENCY_HZ):
    values = compute_spectrum(
        np.asarray(psd, np.float32)[None, None], frequency_hz, np.array([trusted_hz])
    )
    return dict(zip(NAMES, values[0, 0].tolist(), strict=True))


def test_a_flat_density_has_every_answer_in_closed_form():
    found = _of(np.full(801, 2.0))
    assert found["log_power_total"] == pytest.approx(math.log(2 * 99), rel=1e-6)
    for band in POWER_BANDS:
        power = 2 * (band.high_hz - band.low_hz)
        assert found[f"log_power_{band_key(band)}"] == pytest.approx(math.log(power), rel=1e-6)
    for band in BANDS:
        share = (band.high_hz - band.low_hz) / 99
        assert found[f"relative_power_{band_key(band)}"] == pytest.approx(share, rel=1e-6)
    assert found["log_ratio_theta_delta"] == pytest.approx(0, abs=1e-6)
    assert found["log_ratio_sigma_theta"] == pytest.approx(math.log(5 / 3), rel=1e-5)
    for share in (50, 90, 95):
        assert found[f"edge_{share}"] == pytest.approx(1 + 0.99 * share, abs=1e-4)
    # The bins at both ends count half.
    assert found["spectral_entropy"] == pytest.approx(1, abs=2e-3)


def test_a_line_has_no_entropy_and_lies_at_its_edges():
    psd = np.zeros(801)
    psd[32] = 5
    found = _of(psd)
    assert found["spectral_entropy"] == pytest.approx(0, abs=1e-6)
    assert found["edge_50"] == pytest.approx(8.0, abs=1e-5)
    assert found["relative_power_theta"] == pytest.approx(1)
    # Nothing in delta: no logarithm, and never a zero in its place.
    assert math.isnan(found["log_power_delta"])
    assert math.isnan(found["log_ratio_theta_delta"])


@pytest.mark.parametrize("peak_hz", [6.1, 7.3, 8.62, 11.2])
def test_the_theta_peak_is_found_between_bins(peak_hz):
    f = np.maximum(FREQUENCY_HZ, 0.1)
    psd = (1 + 30 * np.exp(-((f - peak_hz) ** 2) / 0.5)) / f
    assert _of(psd)["peak_theta"] == pytest.approx(peak_hz, abs=0.03)


@pytest.mark.parametrize("slope", [-2.0, 0.5])
def test_without_a_peak_there_is_no_peak_frequency(slope):
    psd = np.maximum(FREQUENCY_HZ, 0.1) ** slope
    assert math.isnan(_of(psd)["peak_theta"])


def test_band_powers_are_those_of_the_house():
    psd = np.random.default_rng(0).uniform(0.1, 5, 801).astype(np.float32)
    found = _of(psd)
    expected = np.log(compute_band_power(psd, FREQUENCY_HZ, POWER_BANDS))
    names = [f"log_power_{band_key(band)}" for band in POWER_BANDS]
    np.testing.assert_allclose([found[n] for n in names], expected, rtol=1e-6)


def test_what_the_rate_can_not_show_is_nan_and_the_rest_is_not():
    found = _of(np.full(321, 1.0), frequency_hz=FREQUENCY_HZ[:321])  # to 80 Hz
    missing = {name for name, value in found.items() if math.isnan(value)}
    assert missing >= {
        "log_power_fast_gamma",
        "relative_power_fast_gamma",
        "log_power_high_frequency",
        "log_ratio_fast_gamma_delta",
    }
    assert found["log_power_total"] == pytest.approx(math.log(79), rel=1e-6)
    assert found["edge_90"] == pytest.approx(1 + 0.9 * 79, abs=1e-3)


def test_below_the_hardware_filter_nothing_is_believed():
    psd = (1 + 30 * np.exp(-((FREQUENCY_HZ - 7) ** 2))) / np.maximum(FREQUENCY_HZ, 0.1)
    found = _of(psd, trusted_hz=2.0)
    for name in ("log_power_delta", "log_power_total", "relative_power_theta", "edge_50"):
        assert math.isnan(found[name]), name
    assert math.isnan(found["spectral_entropy"])
    assert math.isfinite(found["log_power_theta"])
    assert math.isfinite(found["peak_theta"])


def test_nan_and_no_power_give_nan_throughout():
    psd = np.ones((2, 1, 801), np.float32)
    psd[0] = np.nan
    psd[1] = 0
    assert np.isnan(compute_spectrum(psd, FREQUENCY_HZ, np.zeros(1))).all()
