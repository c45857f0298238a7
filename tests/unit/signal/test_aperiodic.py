"""The fit of aperiodic part and peaks: planted truth, and beside specparam."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.model.errors import BadParameters, TooShort
from wakeful.signal.aperiodic import FitPlan, aperiodic_level, fit_spectra

FREQUENCY_HZ = np.arange(0, 100.1, 0.25)


def _plant(exponent, offset=2.0, knee_hz=0.0, peaks=()):
    """Power of the model itself; peaks are (centre, height, standard deviation)."""
    with np.errstate(divide="ignore"):
        level = offset - np.log10(knee_hz**exponent + FREQUENCY_HZ**exponent)
    for centre, height, sd in peaks:
        level = level + height * np.exp(-0.5 * ((FREQUENCY_HZ - centre) / sd) ** 2)
    return 10**level


def _simulate(n, seed, knee=False, shape=15.0):
    """Spectra with up to three peaks and the scatter of a mean of `shape` periodograms."""
    rng = np.random.default_rng(seed)
    power, truth = [], []
    for _ in range(n):
        exponent, knee_hz = rng.uniform(0.5, 2.5), rng.uniform(4, 15) if knee else 0.0
        peaks: list[tuple[float, float, float]] = []
        for _ in range(rng.integers(0, 4)):
            centre = rng.uniform(4, 40)
            if all(abs(centre - other[0]) > 5 for other in peaks):
                peaks.append((centre, rng.uniform(0.3, 1.2), rng.uniform(0.8, 2)))
        scatter = rng.gamma(shape, 1 / shape, len(FREQUENCY_HZ))
        power.append(_plant(exponent, rng.uniform(0, 3), knee_hz, peaks) * scatter)
        truth.append((exponent, knee_hz, sorted(peaks)))
    return np.array(power), truth


@settings(max_examples=40, deadline=None)
@given(
    exponent=st.floats(0.3, 3.0),
    offset=st.floats(-4, 6),
    centre=st.floats(5, 12),
    height=st.floats(0.2, 2.0),
    sd=st.floats(0.6, 2.0),
)
def test_what_was_planted_comes_out(exponent, offset, centre, height, sd):
    fits = fit_spectra(_plant(exponent, offset, peaks=[(centre, height, sd)]), FREQUENCY_HZ)
    assert fits.exponent == pytest.approx(exponent, abs=0.02)
    assert fits.offset == pytest.approx(offset, abs=0.03)
    first = int(np.nanargmax(fits.peak_height))
    assert fits.peak_hz[first] == pytest.approx(centre, abs=0.1)
    assert fits.peak_height[first] == pytest.approx(height, abs=0.05)
    assert fits.peak_width_hz[first] == pytest.approx(2 * sd, abs=0.2)
    assert fits.r_squared > 0.99
    assert fits.error < 0.02


@settings(max_examples=20, deadline=None)
@given(exponent=st.floats(1.0, 3.0), knee_hz=st.floats(4, 15), height=st.floats(0.3, 1.2))
def test_a_knee_comes_out(exponent, knee_hz, height):
    planted = _plant(exponent, 2.0, knee_hz, [(24.0, height, 1.5)])
    fits = fit_spectra(planted, FREQUENCY_HZ, FitPlan(knee=True, high_hz=80.0))
    assert fits.exponent == pytest.approx(exponent, rel=0.05)
    assert fits.knee_hz == pytest.approx(knee_hz, rel=0.1)
    level = aperiodic_level(fits, FREQUENCY_HZ[8:180])
    np.testing.assert_allclose(level, np.log10(_plant(exponent, 2.0, knee_hz))[8:180], atol=0.03)


def test_pure_aperiodic_spectra_have_hardly_any_peaks():
    rng = np.random.default_rng(3)
    power = _plant(1.4)[None] * rng.gamma(45, 1 / 45, (200, len(FREQUENCY_HZ)))
    fits = fit_spectra(power, FREQUENCY_HZ, FitPlan(min_height=0.15))
    assert np.isfinite(fits.peak_hz).sum() < 4
    np.testing.assert_allclose(fits.exponent, 1.4, atol=0.1)
    assert np.median(fits.error) == pytest.approx(0.052, abs=0.006)  # mean |log10 scatter|


def _errors(power, truth, fitted):
    """Errors of exponents and of peak frequencies; planted peaks without a fitted one within 2 Hz
    and fitted ones without a planted one, counted.
    """
    exponents, peaks, missed, extra = [], [], 0, 0
    for (exponent, _, planted), (found_exponent, found) in zip(truth, fitted, strict=True):
        exponents.append(abs(found_exponent - exponent))
        taken = 0
        for centre, _, _ in planted:
            apart = np.abs(np.asarray(found) - centre)
            if len(apart) and apart.min() < 2:
                peaks.append(apart.min())
                taken += 1
            else:
                missed += 1
        extra += max(0, len(found) - taken)
    return np.array(exponents), np.array(peaks), missed, extra


@pytest.mark.parametrize("knee", [False, True])
def test_errors_are_no_larger_than_those_of_specparam(knee):
    power, truth = _simulate(40, seed=11, knee=knee)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from specparam import SpectralModel

        theirs = []
        for spectrum in power:
            model = SpectralModel(
                peak_width_limits=(1, 8),
                max_n_peaks=6,
                min_peak_height=0.1,
                aperiodic_mode="knee" if knee else "fixed",
                verbose=False,
            )
            model.fit(FREQUENCY_HZ, spectrum, [2, 45])
            centres = np.atleast_2d(model.get_params("peak"))[:, 0]
            theirs.append((model.get_params("aperiodic")[-1], centres[~np.isnan(centres)]))
    fits = fit_spectra(power, FREQUENCY_HZ, FitPlan(knee=knee))
    ours = [(x, hz[~np.isnan(hz)]) for x, hz in zip(fits.exponent, fits.peak_hz, strict=True)]
    own_exponents, own_peaks, own_missed, own_extra = _errors(power, truth, ours)
    exponents, peaks, missed, extra = _errors(power, truth, theirs)
    assert np.median(own_exponents) <= np.median(exponents)
    assert np.mean(own_exponents) <= np.mean(exponents)
    assert np.median(own_peaks) <= np.median(peaks)
    assert own_missed <= missed + 1
    assert own_extra <= extra
    # And the two agree on what they both see.
    assert np.median(np.abs(fits.exponent - [x for x, _ in theirs])) < (0.3 if knee else 0.1)


def test_a_spectrum_with_a_hole_is_nan_and_spoils_no_other():
    power, _ = _simulate(6, seed=2)
    alone = fit_spectra(power[3], FREQUENCY_HZ)
    spoilt = power.copy()
    spoilt[0, 40] = np.nan
    spoilt[1, 41] = 0.0
    spoilt[2, 42] = np.inf
    spoilt[4, 0] = np.nan  # out of the range: of no account
    fits = fit_spectra(spoilt.reshape(2, 3, -1), FREQUENCY_HZ)
    assert fits.exponent.shape == (2, 3)
    assert fits.peak_hz.shape == (2, 3, 6)
    for name in ("offset", "exponent", "error", "r_squared", "peak_hz"):
        values = getattr(fits, name)
        assert np.isnan(values[0]).all(), name
        np.testing.assert_array_equal(values[1, 0], getattr(alone, name))
    assert np.isfinite(fits.exponent[1]).all()
    assert np.isnan(fits.knee_hz).all()


def test_the_scale_of_power_moves_the_offset_alone():
    power, _ = _simulate(5, seed=4)
    one, other = fit_spectra(power, FREQUENCY_HZ), fit_spectra(power * 1e6, FREQUENCY_HZ)
    np.testing.assert_allclose(other.offset - one.offset, 6, atol=1e-4)
    np.testing.assert_allclose(other.exponent, one.exponent, atol=1e-4)
    np.testing.assert_allclose(other.peak_hz, one.peak_hz, atol=1e-3)


def test_no_peaks_can_be_asked_for_and_peaks_come_in_order():
    power = _plant(1.0, peaks=[(20, 0.6, 1), (8, 1.0, 1), (33, 0.8, 1)])
    assert fit_spectra(power, FREQUENCY_HZ, FitPlan(max_peaks=0)).peak_hz.shape == (0,)
    fits = fit_spectra(power, FREQUENCY_HZ)
    np.testing.assert_allclose(fits.peak_hz[:3], [8, 20, 33], atol=0.1)
    assert np.isnan(fits.peak_hz[3:]).all()


def test_ranges_that_do_not_carry_a_fit_are_refused():
    with pytest.raises(TooShort, match="to 20 Hz"):
        fit_spectra(np.ones(81), np.arange(81) / 4)
    with pytest.raises(TooShort, match="do not carry"):
        fit_spectra(np.ones(401), FREQUENCY_HZ, FitPlan(low_hz=2, high_hz=4))
    with pytest.raises(BadParameters, match=r"low_hz.*max_peaks.*width_hz"):
        FitPlan(low_hz=5, high_hz=2, max_peaks=-1, width_hz=(3.0, 1.0))
