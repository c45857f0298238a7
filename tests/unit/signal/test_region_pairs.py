"""Coherence and correlation of two regions, against the definition and planted truth."""

from __future__ import annotations

import numpy as np
import pytest

from wakeful.signal.bands import BANDS
from wakeful.signal.region_pairs import PAIRS, compute_pairs, pairs_of
from wakeful.signal.spectra import design_multitaper

NAMES = [feature.name for feature in PAIRS]
N = 4000
TAPERS = design_multitaper(N, 1000.0, 0.5, 3).values


def _pairs(x, region, good=None, trusted_hz=None, usable_hz=200.0):
    """(n_pairs, n_features) of one epoch, (n_channels, n_samples)."""
    x = np.asarray(x, np.float32)
    spectra = np.fft.rfft((x - x.mean(axis=1, keepdims=True))[:, None] * TAPERS).astype(
        np.complex64
    )
    return compute_pairs(
        x[None],
        spectra[None],
        np.ones((1, len(x)), np.bool_) if good is None else np.array([good]),
        np.array(region),
        np.zeros(len(x)) if trusted_hz is None else np.array(trusted_hz, float),
        0.25,
        usable_hz,
    )[0]


def _noise(n_channels, seed=0):
    return np.random.default_rng(seed).normal(0, 10, (n_channels, N))


def test_coherence_is_that_of_the_definition():
    x = _noise(2)
    x[1] += 0.7 * x[0]
    found = _pairs(x, [0, 1])[0]
    a, b = np.fft.rfft((x - x.mean(axis=1, keepdims=True))[:, None] * TAPERS)
    for band, value in zip(BANDS, found, strict=False):
        k = slice(round(band.low_hz * 4), round(band.high_hz * 4))
        cross = abs(np.sum(a[:, k] * b[:, k].conj())) ** 2
        power = np.sum(abs(a[:, k]) ** 2) * np.sum(abs(b[:, k]) ** 2)
        assert value == pytest.approx(cross / power, rel=1e-3), band.name
    assert found[-1] == pytest.approx(np.corrcoef(x)[0, 1], rel=1e-4)


def test_a_shared_rhythm_shows_in_its_band_alone():
    x = _noise(2)
    x += 100 * np.sin(2 * np.pi * 7.5 * np.arange(N) / 1000)
    found = dict(zip(NAMES, _pairs(x, [0, 1])[0], strict=True))
    assert found["coherence_theta"] > 0.98
    assert max(found[n] for n in NAMES if n not in ("coherence_theta", "correlation")) < 0.3


def test_a_region_is_the_mean_of_its_good_channels():
    x = _noise(4)
    found = _pairs(x, [0, 0, 0, 1], [True, True, False, True])
    mean = np.stack([(x[0] + x[1]) / 2, x[3]])
    np.testing.assert_allclose(found, _pairs(mean, [0, 1]), rtol=2e-3, atol=1e-5)


def test_gain_and_polarity_change_no_coherence():
    x = _noise(2)
    x[1] += x[0]
    plain, turned = _pairs(x, [0, 1])[0], _pairs([x[0] * 7, x[1] * -3], [0, 1])[0]
    np.testing.assert_allclose(turned[:-1], plain[:-1], rtol=1e-3)
    assert turned[-1] == pytest.approx(-plain[-1], rel=1e-4)


def test_pairs_are_those_of_the_names():
    assert pairs_of(3) == [(0, 1), (0, 2), (1, 2)]
    x = _noise(3)
    x[2] = x[0] + 0.1 * x[2]
    assert np.argmax(_pairs(x, [0, 1, 2])[:, -1]) == pairs_of(3).index((0, 2))
    assert _pairs(x[:1], [0]).shape == (0, len(PAIRS))


def test_a_region_without_a_good_channel_is_nan():
    found = _pairs(_noise(3), [0, 1, 2], [True, False, True])
    nan = np.isnan(found).all(axis=1)
    assert nan.tolist() == [True, False, True]
    assert np.isfinite(found[1]).all()


def test_bands_that_can_not_be_believed_are_nan():
    found = dict(zip(NAMES, _pairs(_noise(2), [0, 1], trusted_hz=[2, 0])[0], strict=True))
    assert [n for n, v in found.items() if np.isnan(v)] == ["coherence_delta"]
    found = dict(zip(NAMES, _pairs(_noise(2), [0, 1], usable_hz=80)[0], strict=True))
    assert [n for n, v in found.items() if np.isnan(v)] == ["coherence_fast_gamma"]


def test_a_channel_cut_off_gives_way_to_the_others_of_its_region():
    x = _noise(3)
    with_both = _pairs(x, [0, 0, 1], trusted_hz=[0, 6, 0])[0]
    alone, mean = _pairs(x[[0, 2]], [0, 1])[0], _pairs(x, [0, 0, 1])[0]
    place = {name: i for i, name in enumerate(NAMES)}
    delta, theta = place["coherence_delta"], place["coherence_theta"]
    assert with_both[delta] == pytest.approx(alone[delta], rel=1e-4)
    assert with_both[theta] == pytest.approx(mean[theta], rel=1e-4)
