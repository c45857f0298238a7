"""The band power step."""

from __future__ import annotations

import numpy as np
import pytest

from wakeful.model.epochs import Spectrogram
from wakeful.model.errors import BadParameters
from wakeful.model.subject import Session, Subject
from wakeful.model.time import Interval
from wakeful.steps.band_power import STEP, Inputs, Params, compute


def _spectrogram(highest_hz=250.0):
    frequency_hz = np.arange(0, highest_hz + 0.1, 0.25)
    power = np.ones((3, 2, len(frequency_hz)), np.float32)
    power[:, 1] *= 7
    power[1] = np.nan
    return Spectrogram(
        start_s=np.array([0.0, 4.0, 8.0]),
        power_uv2_per_hz=power,
        frequency_hz=frequency_hz,
        regions=("CA1", "PFC"),
        channels=(("a",), ("b",)),
        epoch_s=4.0,
        method="flat",
    )


def _inputs(spectrogram):
    session = Session(name="s", subject=Subject(identifier="M1"), start_utc=None, duration_s=12.0)
    return Inputs(spectrogram=spectrogram, block=Interval(0.0, 12.0), session=session)


def test_power_is_density_times_width():
    result = compute(_inputs(_spectrogram()), Params()).band_power
    assert result.bands == (
        "delta",
        "theta",
        "sigma",
        "beta",
        "slow gamma",
        "fast gamma",
        "ripple",
    )
    widths = [high - low for low, high in result.edges_hz]
    assert widths == [3, 3, 5, 15, 30, 40, 90]
    np.testing.assert_allclose(result.power_uv2[0, 0], widths, rtol=1e-6)
    np.testing.assert_allclose(result.power_uv2[2, 1], np.array(widths) * 7.0, rtol=1e-6)
    assert np.isnan(result.power_uv2[1]).all()
    assert result.regions == ("CA1", "PFC")
    np.testing.assert_array_equal(result.start_s, [0, 4, 8])


def test_bands_that_the_rate_can_not_show_are_nan():
    result = compute(_inputs(_spectrogram(80.0)), Params()).band_power
    assert np.isfinite(result.power_uv2[0, :, :5]).all()
    assert np.isnan(result.power_uv2[0, :, 5]).all()
    # Ripples are not missed in a slow recording: they are no band of it.
    assert result.bands[-1] == "fast gamma"
    assert compute(_inputs(_spectrogram(199.0)), Params()).band_power.bands[-1] == "fast gamma"
    assert compute(_inputs(_spectrogram(200.0)), Params()).band_power.bands[-1] == "ripple"


def test_a_species_has_its_bands_and_edges_that_are_given_win():
    params = STEP.make_params({"species": "rat", "slow_gamma_hz": [30, 55]})
    result = compute(_inputs(_spectrogram()), params).band_power
    mouse = compute(_inputs(_spectrogram()), Params()).band_power
    assert result.bands == mouse.bands
    edges = dict(zip(result.bands, result.edges_hz, strict=True))
    assert edges["theta"] == (6, 9)  # sleep is scored by the same in both
    assert edges["beta"] == (15, 25)
    assert edges["slow gamma"] == (30, 55)
    assert edges["fast gamma"] == (65, 140)
    np.testing.assert_allclose(result.power_uv2[0, 0, -2:], [75, 60], rtol=1e-6)
    with pytest.raises(BadParameters, match="species"):
        STEP.make_params({"species": "cat"})


def test_edges_are_parameters():
    params = STEP.make_params({"theta_hz": [5, 10]})
    result = compute(_inputs(_spectrogram()), params).band_power
    assert result.edges_hz[1] == (5, 10)
    assert result.power_uv2[0, 0, 1] == pytest.approx(5)


def test_edges_that_are_no_band_are_refused():
    with pytest.raises(BadParameters, match=r"delta_hz.*beta_hz"):
        Params(delta_hz=(4.0, 1.0), beta_hz=(-1.0, 3.0))
    with pytest.raises(BadParameters, match="sigma_hz"):
        STEP.make_params({"sigma_hz": [15, 15]})
