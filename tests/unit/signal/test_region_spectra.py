"""Densities of regions from stored samples, held against the plain way."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest

from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Span
from wakeful.signal.region_spectra import (
    RegionPlan,
    compute_region_psd,
    median_of_rows,
    sorting_network,
)
from wakeful.signal.spectra import (
    compute_psd,
    design_hann,
    design_multitaper,
    read_epochs,
    read_stored_epochs,
)
from wakeful.signal.spectrogram_bins import design_bins

RATE_HZ, EPOCH_S, N = 200.0, 4.0, 800
N_BINS = 321
"""To 80 Hz: from 40 Hz on bins are wider than the transform's."""
BOUNDS = np.array([0, 1, 3, 9])


def _lfp(dtype, n_epochs=12, seed=0):
    rng = np.random.default_rng(seed)
    samples = rng.integers(-3000, 3000, (9, n_epochs * N)).astype(dtype)
    channels = tuple(
        Channel(name=f"c{i}", region=f"R{i}", gain_uv=0.1 * (i + 1), offset_uv=float(i))
        for i in range(9)
    )
    return Lfp(MemorySource(samples, channels, (Span(0.0, samples.shape[1], RATE_HZ, 0),)), RATE_HZ)


def _plan(lfp, detrend, cut_off=None):
    gain_uv, offset_uv = lfp.scale_uv()
    return RegionPlan(
        bounds=BOUNDS,
        gain_uv=gain_uv,
        offset_uv=offset_uv,
        cut_off=np.zeros((9, N_BINS), np.bool_) if cut_off is None else cut_off,
        bins=design_bins(N_BINS, EPOCH_S),
        detrend=detrend,
    )


def _psd(lfp, windows, plan, bad, largest):
    parts = [
        compute_region_psd(batch, windows, bad[batch.numbers], plan)
        for batch in read_stored_epochs(
            lfp, tuple(range(9)), Interval(0, 48), EPOCH_S, largest=largest
        )
    ]
    return np.concatenate(parts)


@pytest.mark.parametrize("detrend", ["none", "mean", "linear"])
@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
@pytest.mark.parametrize(
    "windows", [design_hann(N), design_multitaper(N, RATE_HZ, 0.5, 3)], ids=["hann", "tapers"]
)
def test_it_is_the_median_of_each_channels_density(windows, dtype, detrend):
    lfp = _lfp(dtype)
    bad = np.random.default_rng(1).uniform(size=(12, 9)) < 0.3
    cut_off = np.zeros((9, N_BINS), np.bool_)
    cut_off[4, :12] = True
    plan = _plan(lfp, detrend, cut_off)
    found = _psd(lfp, windows, plan, bad, largest=20_000)
    (batch,) = read_epochs(lfp, tuple(range(9)), Interval(0, 48), EPOCH_S)
    psd = compute_psd(batch.samples_uv, RATE_HZ, windows, detrend=detrend)[..., :N_BINS]
    psd[bad.T] = np.nan
    psd[4, :, :12] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of nothing but NaN
        middle = np.stack(
            [np.nanmedian(psd[a:b], axis=0) for a, b in itertools.pairwise(BOUNDS)], 1
        )
    bins = plan.bins
    n_wide = bins.weights.shape[1]
    at = np.minimum(bins.first[:, None] + np.arange(n_wide), middle.shape[-1] - 1)
    # Weights of 0 must not turn a missing bin beside a wide one into a missing wide one.
    parts = np.where(bins.weights > 0, middle[..., at] * bins.weights, 0.0)
    np.testing.assert_allclose(found, parts.sum(axis=-1), rtol=2e-4)
    np.testing.assert_allclose(found[..., :161], middle[..., :161], rtol=2e-4)
    assert np.isnan(found).any()


def test_an_epoch_does_not_depend_on_its_batch():
    lfp, windows = _lfp(np.int16), design_multitaper(N, RATE_HZ, 0.5, 3)
    bad = np.zeros((12, 9), np.bool_)
    plan = _plan(lfp, "mean")
    whole = _psd(lfp, windows, plan, bad, largest=1_000_000)
    for largest in (1, 8000, 15_000):
        np.testing.assert_array_equal(_psd(lfp, windows, plan, bad, largest), whole)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 16, 31, 64])
def test_the_network_sorts_and_the_median_is_numpys(n):
    rng = np.random.default_rng(n)
    values = rng.normal(size=(n, 200)).astype(np.float32)
    ordered = values.copy()
    for low, high in sorting_network(n):
        ordered[[low, high]] = np.sort(ordered[[low, high]], axis=0)
    np.testing.assert_array_equal(ordered, np.sort(values, axis=0))
    kept = rng.uniform(size=n) < 0.8
    cut_off = rng.uniform(size=(n, 200)) < 0.2
    expected = np.where(cut_off | ~kept[:, None], np.nan, values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        middle = np.nanmedian(expected, axis=0)
    found = median_of_rows(values.copy(), kept, cut_off, sorting_network(n))
    np.testing.assert_allclose(found, middle, rtol=1e-6)
