"""The shape of an epoch, against NumPy and against what is known of a signal."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wakeful.signal.epoch_shape import PERCENTILES, SHAPE, compute_shape, shape_and_taper
from wakeful.signal.spectra import design_multitaper

NAMES = [feature.name for feature in SHAPE]


def _one(samples, rate_hz=1000.0):
    values = compute_shape(np.asarray(samples, np.float32), rate_hz)
    return dict(zip(NAMES, values.tolist(), strict=True))


def _noise(n=4000, seed=0):
    return np.random.default_rng(seed).normal(3, 20, n).astype(np.float32)


def test_moments_amplitudes_and_hjorth_equal_numpy():
    x = np.cumsum(_noise()).astype(np.float32)
    found, wide = _one(x, 500.0), x.astype(np.float64)
    slope, bend = np.diff(wide), np.diff(wide, 2)
    mobility = math.sqrt(slope.var() / wide.var())
    assert found["log_activity"] == pytest.approx(math.log(wide.var()), rel=1e-6)
    assert found["mobility"] == pytest.approx(mobility * 500, rel=1e-5)
    complexity = math.sqrt(bend.var() / slope.var()) / mobility
    assert found["complexity"] == pytest.approx(complexity, rel=1e-5)
    assert found["line_length"] == pytest.approx(np.abs(slope).mean() * 500, rel=1e-6)
    centred = wide - wide.mean()
    assert found["skewness"] == pytest.approx(np.mean(centred**3) / wide.var() ** 1.5, rel=1e-4)
    kurtosis = np.mean(centred**4) / wide.var() ** 2 - 3
    assert found["kurtosis"] == pytest.approx(kurtosis, rel=1e-4)
    quantiles = np.percentile(wide, PERCENTILES)
    for percent, value in zip(PERCENTILES, quantiles, strict=True):
        assert found[f"percentile_{percent:02.0f}"] == pytest.approx(value - wide.mean(), rel=1e-5)
    assert found["interquartile_range"] == pytest.approx(quantiles[2] - quantiles[1], rel=1e-5)
    crossings = np.count_nonzero(np.diff(centred < 0)) / (len(x) - 1) * 500
    assert found["zero_crossings"] == pytest.approx(crossings, rel=1e-6)


def test_a_sinusoid_has_the_values_of_the_book():
    """Of a sine of f Hz: mobility 2 pi f, complexity 1, 2 f crossings and 4 A f of length a s."""
    x = 100 * np.sin(2 * np.pi * 8 * np.arange(4000) / 1000 + 0.1)
    found = _one(x)
    assert found["log_activity"] == pytest.approx(math.log(5000), rel=1e-4)
    assert found["mobility"] == pytest.approx(2 * np.pi * 8, rel=1e-3)
    assert found["complexity"] == pytest.approx(1, rel=1e-2)
    assert found["zero_crossings"] == pytest.approx(16, rel=0.02)
    assert found["line_length"] == pytest.approx(4 * 100 * 8, rel=2e-3)
    assert found["kurtosis"] == pytest.approx(-1.5, abs=1e-3)
    assert found["skewness"] == pytest.approx(0, abs=1e-3)


def test_white_noise_is_as_disordered_as_can_be():
    found = _one(_noise(200_000))
    assert found["permutation_entropy_5ms"] == pytest.approx(1, abs=1e-4)
    assert found["permutation_entropy_20ms"] == pytest.approx(1, abs=1e-4)
    assert found["kurtosis"] == pytest.approx(0, abs=0.05)
    # Differences of white noise have twice its variance, second differences six times.
    assert found["mobility"] == pytest.approx(math.sqrt(2) * 1000, rel=0.01)
    assert found["complexity"] == pytest.approx(math.sqrt(6 / 2) / math.sqrt(2), rel=0.01)


def _permutation_entropy(x, delay):
    triples = [
        tuple(np.argsort(x[i : i + 2 * delay + 1 : delay])) for i in range(len(x) - 2 * delay)
    ]
    _, counts = np.unique(triples, axis=0, return_counts=True)
    share = counts / counts.sum()
    return -np.sum(share * np.log(share)) / math.log(6)


@pytest.mark.parametrize(("delay", "name"), [(5, "5ms"), (20, "20ms")])
def test_permutation_entropy_is_that_of_the_definition(delay, name):
    x = np.cumsum(_noise(1000))
    expected = _permutation_entropy(x.astype(np.float32), delay)
    assert _one(x)[f"permutation_entropy_{name}"] == pytest.approx(expected, rel=1e-5)


def test_sample_entropy_is_that_of_the_definition():
    x = np.cumsum(_noise(2000)).astype(np.float32)
    means = (x - x.astype(float).mean()).astype(np.float32).reshape(-1, 10).astype(float).mean(1)
    tolerance, n = 0.2 * means.std(), len(means)
    counts = []
    for length in (2, 3):
        runs = np.array([means[i : i + length] for i in range(n - 2)])
        apart = np.abs(runs[:, None] - runs[None]).max(axis=2)
        counts.append(np.count_nonzero(apart[np.triu_indices(len(runs), 1)] <= tolerance))
    assert _one(x)["sample_entropy"] == pytest.approx(-math.log(counts[1] / counts[0]), rel=1e-3)


def test_sample_entropy_of_what_never_repeats_is_unknown():
    rising = np.arange(10)
    assert np.isnan(_one(rising, 100.0)["sample_entropy"])


def test_flat_and_broken_epochs_are_nan_throughout():
    epochs = np.stack([_noise(), np.full(4000, 7.0), _noise(), _noise()]).astype(np.float32)
    epochs[2, 100] = np.nan
    epochs[3, 100] = np.inf
    values = compute_shape(epochs, 1000.0)
    assert np.isfinite(values[0]).all()
    assert np.isnan(values[1:]).all()


def test_tapers_are_applied_to_the_same_centred_samples():
    epochs = np.stack([_noise(seed=1), _noise(seed=2)])
    tapers = design_multitaper(4000, 1000.0, 0.5, 3).values
    tapered = np.zeros((2, 3, 4001), np.float32)
    values = shape_and_taper(epochs, 1000.0, tapers, tapered)
    np.testing.assert_array_equal(values, compute_shape(epochs, 1000.0))
    expected = (epochs - epochs.mean(axis=1, keepdims=True, dtype=float))[:, None] * tapers
    np.testing.assert_allclose(tapered[..., :4000], expected, atol=1e-5)
    assert (tapered[..., 4000] == 0).all()
