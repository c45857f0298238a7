"""Bands and the power in them."""

from __future__ import annotations

import numpy as np
import pytest

from wakeful.model.errors import BadParameters
from wakeful.signal.bands import BANDS, DELTA, Band, bin_weights, compute_band_power
from wakeful.signal.spectra import compute_psd, design_hann, design_multitaper, frequencies

FREQUENCY_HZ = np.arange(801) * 0.25


def test_bins_are_counted_in_part():
    weights = bin_weights(FREQUENCY_HZ, 1.0, 4.0)
    assert weights[4] == pytest.approx(0.125)  # 1 Hz: the upper half of its bin
    assert weights[5] == pytest.approx(0.25)
    assert weights[16] == pytest.approx(0.125)  # 4 Hz: the lower half
    assert weights.sum() == pytest.approx(3.0)
    assert bin_weights(FREQUENCY_HZ, 1.03, 1.05).sum() == pytest.approx(0.02)
    assert np.count_nonzero(bin_weights(FREQUENCY_HZ, 1.03, 1.05)) == 1


def test_neighbouring_bands_add_up():
    rng = np.random.default_rng(0)
    psd = rng.uniform(1, 5, (4, 801)).astype(np.float32)
    parts = compute_band_power(
        psd, FREQUENCY_HZ, [Band("a", 0, 3.3), Band("b", 3.3, 90.1), Band("c", 90.1, 200.125)]
    )
    np.testing.assert_allclose(parts.sum(axis=1), psd.sum(axis=1) * 0.25, rtol=1e-6)


@pytest.mark.parametrize("band", BANDS, ids=lambda b: b.name)
@pytest.mark.parametrize("windows", ["multitaper", "hann"])
def test_planted_power(band, windows):
    rng = np.random.default_rng(1)
    n, rate_hz = 4000, 1000.0
    chosen = design_hann(n) if windows == "hann" else design_multitaper(n, rate_hz, 0.75, 5)
    frequency_hz = frequencies(n, rate_hz)
    noise = rng.normal(0, 10, (400, n)).astype(np.float32)
    power = compute_band_power(compute_psd(noise, rate_hz, chosen), frequency_hz, [band])
    expected = 100 * (band.high_hz - band.low_hz) / 500
    assert power.mean() == pytest.approx(expected, rel=0.05)
    middle = (band.low_hz + band.high_hz) / 2
    phase = rng.uniform(0, 2 * np.pi, (20, 1))
    wave = 40 * np.sin(2 * np.pi * middle * np.arange(n) / rate_hz + phase)
    power = compute_band_power(
        compute_psd(wave.astype(np.float32), rate_hz, chosen), frequency_hz, BANDS
    )
    np.testing.assert_allclose(power[:, BANDS.index(band)], 800, rtol=0.05)
    others = np.delete(power, BANDS.index(band), axis=1)
    assert others.max() < 0.05 * 800


def test_bands_beyond_the_spectrum_are_nan():
    psd = np.ones((2, 801), np.float32)
    power = compute_band_power(psd, FREQUENCY_HZ, [DELTA, Band("x", 150, 200), Band("y", 150, 201)])
    np.testing.assert_allclose(power[:, :2], [[3, 50]] * 2, rtol=1e-6)
    assert np.isnan(power[:, 2]).all()


def test_nan_rows_stay_nan():
    psd = np.ones((3, 801), np.float32)
    psd[1] = np.nan
    power = compute_band_power(psd, FREQUENCY_HZ)
    assert np.isnan(power[1]).all()
    assert np.isfinite(power[[0, 2]]).all()


@pytest.mark.parametrize("edges", [(4, 1), (2, 2), (-1, 3), (float("nan"), 3)])
def test_edges_that_are_no_band_are_refused(edges):
    with pytest.raises(BadParameters, match="not a band"):
        Band("odd", *edges)
