"""Coherence, phase locking, phase-lag index: brute force, and planted lags and mixtures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import hyp2f1

from wakeful.model.errors import BadParameters
from wakeful.signal.connectivity import compare_pairs, compute_tapered_spectra
from wakeful.signal.spectra import compute_psd, design_multitaper

RATE_HZ, N = 250.0, 1000
WINDOWS = design_multitaper(N, RATE_HZ, 0.5, 3)
FREQUENCY_HZ = np.arange(N // 2 + 1) * RATE_HZ / N
BOTH = np.array([[0, 1]])


def _brute_force(x, y):
    """The textbook, one frequency after the other, over all pairs of observations."""
    n = len(x)
    coherence, locking, wpli = [], [], []
    for f in range(x.shape[1]):
        cross = x[:, f].astype(complex) * np.conj(y[:, f].astype(complex))
        power = np.sum(np.abs(x[:, f].astype(complex)) ** 2)
        power *= np.sum(np.abs(y[:, f].astype(complex)) ** 2)
        coherence.append(abs(cross.sum()) ** 2 / power)
        locking.append(abs(np.mean(cross / abs(cross))))
        above = below = 0.0
        for i in range(n):
            for j in range(n):
                if i != j:
                    above += cross[i].imag * cross[j].imag
                    below += abs(cross[i].imag * cross[j].imag)
        wpli.append(above / below)
    return np.array(coherence), np.array(locking), np.array(wpli)


@settings(max_examples=15, deadline=None)
@given(n=st.integers(2, 12), seed=st.integers(0, 1000), scale=st.sampled_from([1e-6, 1.0, 1e6]))
def test_equal_to_brute_force(n, seed, scale):
    rng = np.random.default_rng(seed)
    spectra = rng.normal(size=(3, n, 5)) + 1j * rng.normal(size=(3, n, 5))
    spectra[1] += 0.7j * spectra[0]
    spectra = (spectra * scale).astype(np.complex64)
    pairs = np.array([[0, 1], [0, 2], [2, 1]])
    found = compare_pairs(spectra, pairs)
    assert found.n_observations == n
    for number, (a, b) in enumerate(pairs):
        wanted = _brute_force(spectra[a], spectra[b])
        for name, values in zip(("coherence", "phase_locking", "wpli"), wanted, strict=True):
            np.testing.assert_allclose(
                getattr(found, name)[number], values, rtol=1e-6, atol=1e-9, err_msg=name
            )


def _epochs(x):
    return x[: len(x) // N * N].reshape(-1, N).astype(np.float32)


def _compare(x, y):
    spectra = compute_tapered_spectra(np.stack([_epochs(x), _epochs(y)]), WINDOWS)
    return compare_pairs(spectra.reshape(2, -1, spectra.shape[-1]), BOTH)


def _band(values, low_hz, high_hz):
    first, stop = np.searchsorted(FREQUENCY_HZ, [low_hz, high_hz])
    return values[0, first:stop]


def test_a_known_lag_is_seen_by_all_three():
    """One signal 10 ms behind the other, each with noise of its own at half its power."""
    rng = np.random.default_rng(0)
    n, lag, noise = 60 * N, 2, 0.5
    source = rng.normal(size=n + lag)
    x = source[lag:] + np.sqrt(noise) * rng.normal(size=n)
    y = source[:n] + np.sqrt(noise) * rng.normal(size=n)
    found = _compare(x, y)
    coherence = 1 / (1 + noise) ** 2
    assert _band(found.coherence, 5, 100).mean() == pytest.approx(coherence, abs=0.01)
    # Phase lags grow with frequency: at 31 Hz a quarter turn, where only one always leads.
    # There one component of strength 1 + r leads, another of 1 - r lags.
    r = 1 / (1 + noise)
    quarter = (2 * r / (1 + r**2)) ** 2
    assert _band(found.wpli, 29, 34).mean() == pytest.approx(quarter, abs=0.03)
    assert _band(found.wpli, 60, 65).mean() < 0.1  # half a turn: neither leads
    locking = np.pi / 4 * r * hyp2f1(0.5, 0.5, 2, r**2)  # of two complex Gaussian variables
    assert _band(found.phase_locking, 5, 100).mean() == pytest.approx(locking, abs=0.01)


def test_pure_mixing_is_coherent_and_has_no_lag():
    """Two electrodes that see the same two sources at once, in other shares."""
    rng = np.random.default_rng(1)
    sources = rng.normal(size=(2, 60 * N))
    x, y = sources[0] + 0.3 * sources[1], 0.6 * sources[0] + 0.5 * sources[1]
    found = _compare(x, y)
    share = (0.6 + 0.15) ** 2 / ((1 + 0.09) * (0.36 + 0.25))
    assert _band(found.coherence, 2, 110).mean() == pytest.approx(share, abs=0.01)
    assert _band(found.phase_locking, 2, 110).mean() > 0.5
    assert abs(_band(found.wpli, 2, 110).mean()) < 0.01
    assert np.abs(_band(found.wpli, 2, 110)).max() < 0.2


def test_one_signal_twice_is_coherent_and_has_no_lag():
    x = np.random.default_rng(2).normal(size=10 * N)
    found = _compare(x, x)
    np.testing.assert_allclose(found.coherence, 1, atol=1e-6)
    np.testing.assert_allclose(found.phase_locking, 1, atol=1e-6)
    np.testing.assert_array_equal(found.wpli, 0)


def test_what_has_nothing_in_common_shows_chance():
    x, y = np.random.default_rng(3).normal(size=(2, 60 * N))
    found = _compare(x, y)
    n = found.n_observations
    assert n == 180
    assert _band(found.coherence, 2, 110).mean() == pytest.approx(1 / n, rel=0.15)
    assert _band(found.phase_locking, 2, 110).mean() == pytest.approx(0.886 / n**0.5, rel=0.1)
    assert abs(_band(found.wpli, 2, 110).mean()) < 0.005


def test_spectra_agree_with_the_density():
    x = np.random.default_rng(4).normal(5, 3, (4, N)).astype(np.float32)
    spectra = compute_tapered_spectra(x, WINDOWS)
    psd = compute_psd(x, RATE_HZ, WINDOWS)
    power = (np.abs(spectra) ** 2).mean(axis=1) * 2 / RATE_HZ
    np.testing.assert_allclose(power[:, 1:-1], psd[:, 1:-1], rtol=1e-4)


def test_silence_and_nan_are_nan():
    x = np.random.default_rng(5).normal(size=5 * N)
    silent = _compare(x, np.zeros_like(x))
    broken = x.copy()
    broken[N + 3] = np.nan
    for found in (silent, _compare(x, broken)):
        assert np.isnan(found.coherence).all()
        assert np.isnan(found.phase_locking).all()
        assert np.isnan(found.wpli).all()


def test_what_can_not_be_compared_is_refused():
    spectra = np.ones((2, 1, 4), np.complex64)
    with pytest.raises(BadParameters, match="always coherent"):
        compare_pairs(spectra, BOTH)
    with pytest.raises(BadParameters, match="0 to 1"):
        compare_pairs(np.ones((2, 3, 4), np.complex64), np.array([[0, 2]]))
