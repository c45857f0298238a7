"""Root mean square of the EMG."""

from __future__ import annotations

import numpy as np
import pytest

from wakeful.signal.muscle import compute_emg_rms, emg_band
from wakeful.signal.spectra import compute_psd, design_hann, frequencies

RATE_HZ = 1000.0
N = 4000
FREQUENCY_HZ = frequencies(N, RATE_HZ)


def _rms(samples_uv, mains_hz=50.0, band_hz=(30.0, 300.0)):
    psd = compute_psd(samples_uv.astype(np.float32), RATE_HZ, design_hann(N))
    return compute_emg_rms(psd, FREQUENCY_HZ, band_hz, mains_hz)


def _tone(frequency_hz, amplitude_uv):
    return amplitude_uv * np.sin(2 * np.pi * frequency_hz * np.arange(N) / RATE_HZ)


@pytest.mark.parametrize(
    ("rate_hz", "band"),
    [(1000, (30, 300)), (512, (30, 204.8)), (100, (30, 40)), (75, None), (60, None)],
)
def test_the_band_follows_the_rate(rate_hz, band):
    assert emg_band(rate_hz) == band


def test_a_tone_has_its_root_mean_square():
    assert _rms(_tone(120, 10)) == pytest.approx(10 / np.sqrt(2), rel=0.01)


@pytest.mark.parametrize("frequency_hz", [5.0, 28.0, 310.0, 450.0])
def test_what_is_outside_the_band_is_not_counted(frequency_hz):
    assert _rms(_tone(frequency_hz, 100)) < 0.01


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
@pytest.mark.parametrize("harmonic", [1, 2, 3, 5])
def test_mains_and_harmonics_are_left_out(mains_hz, harmonic):
    muscle = _tone(87, 10)
    hum = _tone(mains_hz * harmonic + 0.1, 200)
    assert _rms(muscle + hum, mains_hz) == pytest.approx(10 / np.sqrt(2), rel=0.01)
    other = 50.0 if mains_hz == 60.0 else 60.0
    if harmonic % 5:
        assert _rms(muscle + hum, other) > 100


def test_white_noise_in_the_band_less_the_mains():
    noise = np.random.default_rng(0).normal(0, 10, (300, N))
    # 270 Hz less 4 Hz around 50, 100, 150, 200, 250 and 2 Hz below 300.
    expected = np.sqrt(100 * (270 - 5 * 4 - 2) / 500)
    assert np.sqrt(np.mean(_rms(noise) ** 2)) == pytest.approx(expected, rel=0.02)
    assert np.sqrt(np.mean(_rms(noise, 0.0) ** 2)) == pytest.approx(np.sqrt(54), rel=0.02)


def test_nan_stays_and_nothing_left_is_nan():
    samples = np.stack([_tone(100.0, 1), np.full(N, np.nan)])
    rms = _rms(samples, 0.0)
    assert np.isfinite(rms[0])
    assert np.isnan(rms[1])
    for band_hz in [(49.0, 51.0), (48.07, 51.93), (48.31, 49.77), (99.13, 101.4)]:
        assert np.isnan(_rms(_tone(50.0, 1), 50.0, band_hz))
