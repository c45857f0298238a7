"""The step that fits spectra: planted truth, holes, blocks, refusals."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from wakeful.model.epochs import Spectrogram
from wakeful.model.errors import BadParameters
from wakeful.model.rhythms import SpectralFit
from wakeful.model.subject import Session, Subject
from wakeful.model.time import Interval
from wakeful.steps.aperiodic import HALO_S, STEP, Inputs, Params, compute

FREQUENCY_HZ = np.arange(0, 100.1, 0.25)
EPOCH_S = 4.0
SESSION = Session(name="s", subject=Subject(identifier="M1"), start_utc=None, duration_s=400.0)


def _spectrogram(n=100, seed=0, shape=3.0, theta=True, frequency_hz=FREQUENCY_HZ):
    """Two regions: CA1 with theta gliding from 6 to 10 Hz, PFC without a peak."""
    rng = np.random.default_rng(seed)
    theta_hz = np.linspace(6, 10, n)
    with np.errstate(divide="ignore"):
        level = np.stack([3 - 1.5 * np.log10(frequency_hz), 2 - 2.0 * np.log10(frequency_hz)])
    level = np.repeat(level[None], n, axis=0)
    level[:, :, 0] = 5
    if theta:
        level[:, 0] += 1.0 * np.exp(-0.5 * ((frequency_hz[None] - theta_hz[:, None]) / 0.7) ** 2)
    # Tapers make neighbouring bins alike: scatter is drawn for every fourth.
    coarse = rng.gamma(shape, 1 / shape, (n, 2, len(frequency_hz) // 4 + 1))
    scatter = np.repeat(coarse, 4, axis=2)[:, :, : len(frequency_hz)]
    return Spectrogram(
        start_s=np.arange(n) * EPOCH_S,
        power_uv2_per_hz=(10**level * scatter).astype(np.float32),
        frequency_hz=frequency_hz,
        regions=("CA1", "PFC"),
        channels=(("a",), ("b",)),
        epoch_s=EPOCH_S,
        method="planted",
    ), theta_hz


WHOLE = Interval(0.0, 400.0)


def _compute(spectrogram, block=WHOLE, **params):
    inputs = Inputs(spectrogram=spectrogram, block=block, session=SESSION)
    return compute(inputs, Params(**params)).spectral_fit


def _per_row(fit):
    names = [f.name for f in dataclasses.fields(SpectralFit) if f.metadata.get("rows")]
    return {name: getattr(fit, name) for name in names}


def test_exponents_and_a_gliding_theta_come_out():
    spectrogram, theta_hz = _spectrogram()
    fit = _compute(spectrogram)
    assert fit.regions == ("CA1", "PFC")
    assert fit.window_s == 20
    np.testing.assert_allclose(np.median(fit.exponent, axis=0), [1.5, 2.0], atol=0.07)
    assert np.abs(fit.exponent - [1.5, 2.0]).mean() < 0.12
    found = np.isfinite(fit.theta_hz[:, 0])
    assert found.mean() > 0.97
    assert np.abs(fit.theta_hz[found, 0] - theta_hz[found]).max() < 0.6
    assert np.median(np.abs(fit.theta_hz[found, 0] - theta_hz[found])) < 0.15
    assert np.median(fit.theta_height[found, 0]) == pytest.approx(1.0, abs=0.1)
    level = 10 ** (3 - 1.5 * np.log10(theta_hz))
    u = np.linspace(-4, 4, 4001)
    shape = np.trapezoid(np.expm1(np.log(10) * np.exp(-0.5 * (u / 0.7) ** 2)), u)
    ratio = fit.theta_power_uv2[found, 0] / (level * shape)[found]
    assert np.median(ratio) == pytest.approx(1, abs=0.15)
    # What scatters is called theta seldom, and never as high.
    noise = np.isfinite(fit.theta_hz[:, 1])
    assert np.nanmax(np.r_[0, fit.theta_height[noise, 1]]) < 0.6
    assert 0.4 < np.median(fit.r_squared) <= 1
    assert (fit.error[:, 1] < 0.2).all()


def test_nothing_crosses_a_hole():
    spectrogram, _ = _spectrogram()
    power = spectrogram.power_uv2_per_hz.copy()
    power[40] = np.nan  # a gap
    power[60, 1] = np.nan  # no good channel
    holed = dataclasses.replace(spectrogram, power_uv2_per_hz=power)
    fit = _compute(holed)
    assert np.isnan(fit.exponent[40]).all()
    assert np.isnan(fit.theta_hz[40]).all()
    assert np.isnan(fit.peak_hz[40]).all()
    np.testing.assert_array_equal(np.isnan(fit.exponent[60]), [False, True])
    assert np.isnan(fit.exponent).sum() == 3
    # What lies behind the hole can be anything: in front of it nothing changes.
    power[41:] *= 1e4
    power[41:, 0, 20:60] *= 50
    other = _compute(dataclasses.replace(spectrogram, power_uv2_per_hz=power))
    for name, values in _per_row(fit).items():
        np.testing.assert_array_equal(values[:40], _per_row(other)[name][:40], err_msg=name)
    # Rows that are missing are a hole too.
    keep = np.r_[:40, 41:100]
    missing = dataclasses.replace(
        spectrogram,
        start_s=spectrogram.start_s[keep],
        power_uv2_per_hz=spectrogram.power_uv2_per_hz[keep],
    )
    without = _compute(missing)
    np.testing.assert_array_equal(without.exponent[:40, 0], fit.exponent[:40, 0])


@pytest.mark.parametrize("model", ["fixed", "knee"])
def test_blocks_with_their_halo_give_the_same_bits_as_the_whole(model):
    spectrogram, _ = _spectrogram(seed=5)
    params = {"model": model}
    whole = _compute(spectrogram, **params)
    parts = []
    for start_s in (0.0, 100.0, 200.0, 300.0):
        block = Interval(start_s, start_s + 100)
        wide = spectrogram.cut(block.widen(HALO_S, HALO_S))
        parts.append(_compute(wide, block, **params))
    joined = SpectralFit.join(parts)
    for name, values in _per_row(whole).items():
        np.testing.assert_array_equal(values, _per_row(joined)[name], err_msg=name)
    assert STEP.halo_s == HALO_S


def test_a_high_pass_in_the_range_is_refused_by_name():
    spectrogram, _ = _spectrogram(n=20)
    spectrogram = dataclasses.replace(spectrogram, trusted_from_hz=(0.2, 6.0))
    fit = _compute(spectrogram)
    assert np.isfinite(fit.exponent[:, 0]).all()
    assert np.isnan(fit.exponent[:, 1]).all()
    assert fit.refused == (
        "PFC: hardware high-pass of 3 Hz: the spectrum can't be trusted from 2 Hz on",
    )


def test_a_spectrogram_that_ends_too_early_is_refused_and_says_where():
    spectrogram, _ = _spectrogram(n=10, frequency_hz=np.arange(0, 35.1, 0.25))
    fit = _compute(spectrogram)
    assert np.isnan(fit.exponent).all()
    assert "ends at 35.125 Hz" in fit.refused[0]
    inside = _compute(spectrogram, range_hz=(2.0, 35.0))
    assert np.isfinite(inside.exponent).all()
    assert inside.refused == ()


def test_an_empty_block_has_no_rows():
    spectrogram, _ = _spectrogram(n=10)
    fit = _compute(spectrogram.cut(Interval(0, 0)), Interval(0.0, 0.0))
    assert fit.n_rows == 0
    assert fit.peak_hz.shape == (0, 2, 6)


def test_parameters_out_of_range_are_named_at_once():
    with pytest.raises(BadParameters, match=r"max_peaks.*theta_range_hz.*window_s"):
        Params(max_peaks=50, theta_range_hz=(1.0, 12.0), window_s=500.0)
    with pytest.raises(BadParameters, match="model"):
        STEP.make_params({"model": "lorentz"})
