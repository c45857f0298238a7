"""The decimation filter: response, phase, edges, rounding."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wakeful.model.errors import BadParameters
from wakeful.model.time import Span
from wakeful.signal.decimation import (
    choose_factor,
    decimate_array,
    decimated_span,
    design_decimation,
    mirror_index,
    output_type,
    workable,
)

FACTORS = (2, 3, 4, 5, 7, 8, 15, 16, 30, 31, 32, 40, 48)


@pytest.mark.parametrize(
    ("rate_hz", "factor"),
    [
        (32_000, 32),
        (40_000, 40),
        (30_000, 30),
        (32_556, 32),
        (31_999.4, 32),
        (32_000.9, 32),
        (2_000, 2),
        (1_999, 2),
        (1_900, 1),
        (1_000, 1),
        (512, 1),
        (31_250, 31),
    ],
)
def test_factor_keeps_the_rate_at_the_target_or_above(rate_hz, factor):
    assert choose_factor(rate_hz, 1000.0) == factor


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, math.nan, math.inf])
def test_impossible_rates_are_refused(rate_hz):
    with pytest.raises(BadParameters, match="positive"):
        choose_factor(rate_hz, 1000.0)
    with pytest.raises(BadParameters, match="target"):
        choose_factor(1000.0, rate_hz)


@pytest.mark.parametrize("factor", [0, -3, 5000])
def test_impossible_factors_are_refused(factor):
    with pytest.raises(BadParameters, match="factor"):
        design_decimation(factor)


def test_the_cascade_for_32_is_8_2_2():
    assert [stage.factor for stage in design_decimation(32).stages] == [8, 2, 2]


@pytest.mark.parametrize("factor", FACTORS)
def test_stop_band_and_ripple(factor):
    chosen = design_decimation(factor)
    assert math.prod(stage.factor for stage in chosen.stages) == factor
    response = chosen.impulse_response()
    before, after = chosen.reach
    assert len(response) == before + 1 + after
    # Linear phase: symmetric to rounding about the output's own sample.
    half = min(before, after)
    middle = response[before - half : before + half + 1]
    np.testing.assert_allclose(middle, middle[::-1], atol=1e-9)
    assert np.count_nonzero(response) == np.count_nonzero(middle)
    gain = np.abs(np.fft.rfft(response, 1 << 18))
    frequency = np.arange(len(gain)) / (1 << 18) * factor  # in new rates
    gain_db = 20 * np.log10(np.maximum(gain, 1e-9))
    assert np.max(np.abs(gain_db[frequency <= 0.4])) < 0.01
    assert np.max(gain_db[frequency >= 0.5]) < -80


def _fit(values, frequency_hz, rate_hz):
    """Amplitude and delay in samples of a sinusoid sin(2 pi f t)."""
    phase = 2 * np.pi * frequency_hz * np.arange(len(values)) / rate_hz
    basis = np.stack([np.sin(phase), np.cos(phase)], axis=1)
    (sine, cosine), *_ = np.linalg.lstsq(basis, values, rcond=None)
    delay = -np.arctan2(cosine, sine) / (2 * np.pi * frequency_hz) * rate_hz
    return np.hypot(sine, cosine), delay


@pytest.mark.parametrize("frequency_hz", [0.1, 0.5, 1, 4, 7.3, 12, 40, 99, 150, 250, 333, 400])
@pytest.mark.parametrize("kind", [np.int16, np.float32])
def test_sinusoids_pass_unchanged(frequency_hz, kind):
    seconds = 10.0 if frequency_hz < 1 else 2.0
    time_s = np.arange(int(32_000 * seconds)) / 32_000
    raw = (10_000 * np.sin(2 * np.pi * frequency_hz * time_s)).round().astype(kind)
    out = decimate_array(raw[None], 32)[0]
    assert out.dtype == kind
    assert len(out) == int(1000 * seconds)
    amplitude, delay = _fit(out.astype(float), frequency_hz, 1000.0)
    assert abs(20 * np.log10(amplitude / 10_000)) < 0.1
    assert abs(delay) < 0.05


@pytest.mark.parametrize(("rate_hz", "factor"), [(40_000, 40), (30_000, 30), (32_556, 32)])
def test_sinusoids_at_other_rates(rate_hz, factor):
    time_s = np.arange(rate_hz * 2) / rate_hz
    raw = np.sin(2 * np.pi * 123.0 * time_s).astype(np.float32)
    out = decimate_array(raw[None], factor)[0]
    amplitude, delay = _fit(out, 123.0, rate_hz / factor)
    assert abs(20 * np.log10(amplitude)) < 0.01
    assert abs(delay) < 0.001


@pytest.mark.parametrize("frequency_hz", [500.5, 520, 777, 1010, 2003, 3990, 4003, 7998, 15_900])
def test_tones_above_the_new_nyquist_do_not_alias(frequency_hz):
    time_s = np.arange(64_000) / 32_000
    raw = np.sin(2 * np.pi * frequency_hz * time_s).astype(np.float32)
    out = decimate_array(raw[None], 32)[0]
    inside = out[100:-100]  # the ends feel the mirror
    assert 20 * np.log10(np.sqrt(np.mean(inside**2) * 2)) < -80


@pytest.mark.parametrize("factor", FACTORS)
def test_each_output_lies_on_its_raw_sample(factor):
    # A single raw sample away from zero comes out as the impulse response, centred on it.
    chosen = design_decimation(factor)
    n_samples = (2 * chosen.halo_samples // factor + 9) * factor + 3
    k = n_samples // factor // 2
    raw = np.zeros((1, n_samples), np.float32)
    raw[0, k * factor] = 1
    out = decimate_array(raw, factor)[0]
    assert len(out) == -(-n_samples // factor)
    response, centre = chosen.impulse_response(), chosen.reach[0]
    assert out[k] == pytest.approx(response[centre], rel=1e-4)
    assert np.argmax(out) == k
    np.testing.assert_allclose(out[k - 3 : k], out[k + 1 : k + 4][::-1], atol=1e-6)
    assert out[k + 2] == pytest.approx(response[centre - 2 * factor], abs=1e-6)


@pytest.mark.parametrize("n_samples", [1, 2, 3, 31, 32, 33, 64, 500, 5000])
def test_edges_are_not_zeros(n_samples):
    raw = np.full((2, n_samples), 12_345, np.int16)
    raw[1] = -raw[1]
    out = decimate_array(raw, 32)
    assert out.shape == (2, math.ceil(n_samples / 32))
    np.testing.assert_array_equal(out[0], 12_345)
    np.testing.assert_array_equal(out[1], -12_345)


def test_a_slow_wave_reaches_the_edges():
    time_s = np.arange(64_000) / 32_000
    wave = np.cos(2 * np.pi * 1.0 * time_s) * 10_000
    out = decimate_array(wave.astype(np.float32)[None], 32)[0]
    np.testing.assert_allclose(out, wave[::32], atol=20)


def test_no_samples_give_no_samples():
    assert decimate_array(np.empty((3, 0), np.int16), 32).shape == (3, 0)


def test_int16_is_rounded_half_to_even_and_never_the_filler():
    raw = np.array([[-32768, -32767, 32767, 5]], np.int16)
    out = decimate_array(raw, 1)
    np.testing.assert_array_equal(out, [[-32767, -32767, 32767, 5]])
    # A full-scale square wave overshoots; it is clipped, not wrapped.
    square = np.where(np.arange(32_000) // 3200 % 2, 32767, -32768).astype(np.int16)[None]
    out = decimate_array(square, 32)[0]
    expected = np.where(np.arange(1000) // 100 % 2, 32767, -32767)
    away = np.abs((np.arange(1000) + 50) % 100 - 50) > 10
    assert np.all(np.sign(out[away]) == np.sign(expected[away]))
    assert out.min() == -32767
    assert out.max() == 32767


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32, np.float64, ">f4", "<f8"])
def test_wide_types_become_float32(kind):
    raw = (1000 + np.arange(6400) % 10).astype(kind)[None]
    out = decimate_array(raw, 32)
    assert out.dtype == np.float32
    assert out[0, 100] == pytest.approx(1004.5, abs=1e-3)


def test_big_endian_int16_is_int16():
    raw = np.arange(-300, 300).astype(">i2")
    assert output_type(raw.dtype) == np.int16
    np.testing.assert_array_equal(workable(raw), np.arange(-300, 300))
    assert workable(raw).dtype.isnative


def test_nan_stays_nan_and_stays_local():
    raw = np.ones((1, 320_000), np.float32)
    raw[0, 160_000] = np.nan
    out = decimate_array(raw, 32)[0]
    reach = -(-design_decimation(32).halo_samples // 32)
    assert np.isnan(out[5000])
    bad = np.flatnonzero(np.isnan(out))
    assert bad[0] >= 5000 - reach
    assert bad[-1] <= 5000 + reach
    np.testing.assert_allclose(np.delete(out, bad), 1, rtol=1e-6)


def test_mirror_index_folds_as_between_two_mirrors():
    np.testing.assert_array_equal(
        mirror_index(np.arange(-5, 9), 4), [1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2]
    )
    np.testing.assert_array_equal(mirror_index(np.arange(-3, 3), 1), 0)


def test_decimated_span_keeps_its_start():
    span = decimated_span(Span(1.25, 65, 32_000.0, 900), 32, 7)
    assert span == Span(1.25, 3, 1000.0, 7)
