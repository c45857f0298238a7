"""The bins a spectrogram is stored in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakeful.signal.bands import PROFILES, bin_weights, compute_band_power, edges_of
from wakeful.signal.spectrogram_bins import design_bins, even_density


def _merge(bins, fine):
    n = bins.weights.shape[1]
    at = np.minimum(bins.first[:, None] + np.arange(n), fine.shape[-1] - 1)
    return (fine[..., at] * bins.weights).sum(axis=-1)


@given(
    epoch_s=st.sampled_from([1.0, 2.0, 2.5, 4.0, 5.0, 8.0, 10.0, 30.0]),
    highest_hz=st.floats(20, 250),
)
def test_at_most_200_bins_hold_all_of_the_power(epoch_s, highest_hz):
    n_bins = int(highest_hz * epoch_s + 0.25) + 1
    bins = design_bins(n_bins, epoch_s)
    assert len(bins.frequency_hz) <= 200
    assert len(bins.edges_hz) == len(bins.frequency_hz) + 1
    assert (np.diff(bins.edges_hz) > 0).all()
    middles = (bins.edges_hz[:-1] + bins.edges_hz[1:]) / 2
    np.testing.assert_allclose(bins.frequency_hz, middles, atol=1e-9)
    fine_hz = np.arange(n_bins) / epoch_s
    assert edges_of(fine_hz)[-1] - bins.edges_hz[-1] <= 0.51 / epoch_s
    fine = np.random.default_rng(n_bins).uniform(1, 5, n_bins)
    stored = _merge(bins, fine)
    top_hz = bins.edges_hz[-1]
    whole = (fine * bin_weights(fine_hz, 0, top_hz)).sum()
    widths = bin_weights(bins.frequency_hz, 0, top_hz, bins.edges_hz)
    assert (stored * widths).sum() == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize("epoch_s", [1.0, 2.0, 4.0, 10.0])
@pytest.mark.parametrize("species", PROFILES)
def test_band_powers_are_those_of_the_transforms_own_bins(epoch_s, species):
    fine_hz = np.arange(int(250 * epoch_s) + 1) / epoch_s
    bins = design_bins(len(fine_hz), epoch_s)
    fine = np.random.default_rng(0).gamma(3, size=(5, len(fine_hz))) / (1 + fine_hz**2)
    bands = PROFILES[species]
    expected = compute_band_power(fine, fine_hz, bands)
    found = compute_band_power(_merge(bins, fine), bins.frequency_hz, bands, bins.edges_hz)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_bins_of_the_transform_stay_where_rhythms_of_sleep_are():
    bins = design_bins(1001, 4.0)
    np.testing.assert_array_equal(bins.frequency_hz[:161], np.arange(161) * 0.25)
    fine = np.random.default_rng(0).uniform(1, 5, 1001)
    np.testing.assert_array_equal(_merge(bins, fine)[:161], fine[:161])
    assert bins.edges_hz[-1] == 250


def test_wider_bins_are_filled_in_along_a_power_law():
    bins = design_bins(1001, 4.0)
    used = slice(8, int(np.searchsorted(bins.frequency_hz, 45.0)) + 1)
    power, even_hz = even_density(
        bins.frequency_hz[None, used] ** -2.0, bins.frequency_hz[used], 45.0
    )
    np.testing.assert_allclose(even_hz, np.arange(2, 45.1, 0.25))
    np.testing.assert_allclose(power[0], even_hz**-2.0, rtol=2e-3)
    same, same_hz = even_density(power, even_hz, 45.0)
    np.testing.assert_array_equal(same, power)
    np.testing.assert_array_equal(same_hz, even_hz)
    # No bin beyond the end: the last one's density is taken up to its edge.
    short_hz = bins.frequency_hz[8 : np.searchsorted(bins.edges_hz, 45.0)]
    held, held_hz = even_density(short_hz[None] ** -2.0, short_hz, 45.0)
    assert held_hz[-1] == 45
    assert held[0, -1] == pytest.approx(43.75**-2.0)
