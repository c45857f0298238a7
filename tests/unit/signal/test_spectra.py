"""Spectra: scaling, resolution, detrending, reading of epochs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.errors import BadParameters, TooShort
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Span
from wakeful.signal.spectra import (
    compute_psd,
    design_hann,
    design_multitaper,
    epoch_starts,
    frequencies,
    read_epochs,
)

RATE_HZ = 1000.0
N = 4000


@pytest.fixture(params=["multitaper", "hann", "hann, odd length"])
def windows(request):
    if request.param == "multitaper":
        return design_multitaper(N, RATE_HZ, 0.75, 5)
    return design_hann(N if request.param == "hann" else N - 1)


def test_parseval(windows):
    n_samples = windows.values.shape[1]
    noise = np.random.default_rng(0).normal(3, 20, (6, n_samples)).astype(np.float32)
    for n_fft in (n_samples, n_samples + 37, 5000):
        psd = compute_psd(noise, RATE_HZ, windows, n_fft=n_fft)
        assert psd.dtype == np.float32
        total = psd.astype(float).sum(axis=1) * RATE_HZ / n_fft
        centred = noise.astype(float) - noise.astype(float).mean(axis=1, keepdims=True)
        tapered = centred[:, None] * windows.values.astype(float)
        np.testing.assert_allclose(total, (tapered**2).sum(axis=2).mean(axis=1), rtol=1e-5)


def test_white_noise_has_its_density(windows):
    n_samples = windows.values.shape[1]
    noise = np.random.default_rng(1).normal(0, 10, (200, n_samples)).astype(np.float32)
    psd = compute_psd(noise, RATE_HZ, windows)
    # One-sided: variance / Nyquist.
    assert psd[:, 10:-10].mean() == pytest.approx(100 / 500, rel=0.01)


def test_hann_agrees_with_scipy():
    noise = np.random.default_rng(2).normal(0, 10, (3, N)).astype(np.float32)
    expected_hz, expected = signal.periodogram(
        noise.astype(float), RATE_HZ, window="hann", detrend="constant"
    )
    np.testing.assert_allclose(frequencies(N, RATE_HZ), expected_hz)
    np.testing.assert_allclose(
        compute_psd(noise, RATE_HZ, design_hann(N)), expected, rtol=1e-3, atol=1e-7
    )


def test_a_line_keeps_its_power_and_place(windows):
    n_samples = windows.values.shape[1]
    time_s = np.arange(n_samples) / RATE_HZ
    wave = (30 * np.sin(2 * np.pi * 40 * time_s)).astype(np.float32)
    psd = compute_psd(wave, RATE_HZ, windows)
    assert psd.shape == (n_samples // 2 + 1,)
    bins_hz = frequencies(n_samples, RATE_HZ)
    near = np.abs(bins_hz - 40) < 1.5
    width = RATE_HZ / n_samples
    assert psd[near].sum() * width == pytest.approx(450, rel=0.01)
    assert psd[~near].sum() * width < 0.5


def test_detrending():
    time_s = np.arange(N) / RATE_HZ
    line = (5000 + 300 * time_s).astype(np.float32)
    windows = design_multitaper(N, RATE_HZ, 0.75, 5)
    assert compute_psd(line, RATE_HZ, windows, detrend="linear").max() < 1e-3
    assert compute_psd(line, RATE_HZ, windows, detrend="mean")[:4].max() > 100
    flat = np.full(N, 8000.3, np.float32)
    assert compute_psd(flat, RATE_HZ, windows).max() < 1e-6
    assert compute_psd(flat, RATE_HZ, windows, detrend="none")[0] > 1e6


def test_nan_makes_its_epoch_nan_and_no_other():
    epochs = np.random.default_rng(3).normal(0, 1, (3, N)).astype(np.float32)
    epochs[1, 77] = np.nan
    psd = compute_psd(epochs, RATE_HZ, design_multitaper(N, RATE_HZ, 0.75, 5))
    assert np.isnan(psd[1]).all()
    assert np.isfinite(psd[[0, 2]]).all()


def test_shapes_are_kept():
    epochs = np.zeros((2, 3, 400), np.float32)
    assert compute_psd(epochs, 100.0, design_hann(400)).shape == (2, 3, 201)
    assert compute_psd(epochs[:, :0], 100.0, design_hann(400)).shape == (2, 0, 201)


def test_windows_that_do_not_fit_are_refused():
    with pytest.raises(BadParameters, match="at most 5"):
        design_multitaper(N, RATE_HZ, 0.75, 6)
    with pytest.raises(BadParameters, match="at most 0"):
        design_multitaper(N, RATE_HZ, 0.2, 1)
    with pytest.raises(TooShort):
        design_hann(4)
    with pytest.raises(ValueError, match="4000"):
        compute_psd(np.zeros((1, 300), np.float32), RATE_HZ, design_hann(N))


def _lfp(n_samples, spans):
    samples = np.arange(2 * n_samples, dtype=np.int16).reshape(2, n_samples)
    channels = (Channel(name="a", gain_uv=0.5), Channel(name="b", gain_uv=2.0, offset_uv=1.0))
    return Lfp(MemorySource(samples, channels, spans), spans[0].rate_hz)


def test_epochs_are_read_span_by_span():
    # 0 to 9 s and 11 to 20 s at 100 Hz: of ten epochs, 4 and 5 touch the gap.
    lfp = _lfp(1800, (Span(0, 900, 100.0, 0), Span(11.0, 900, 100.0, 900)))
    batches = list(read_epochs(lfp, (1,), Interval(2, 20), 2.0))
    assert [list(b.numbers) for b in batches] == [[0, 1, 2], [5, 6, 7, 8]]
    assert all(b.samples_uv.shape[0] == 1 and b.samples_uv.shape[2] == 200 for b in batches)
    np.testing.assert_array_equal(
        batches[0].samples_uv[0, 1], (1800 + np.arange(400, 600)) * 2.0 + 1.0
    )
    np.testing.assert_array_equal(epoch_starts(Interval(2, 20), 2.0), np.arange(2, 20, 2))


def test_epochs_are_read_in_bounded_pieces():
    lfp = _lfp(1800, (Span(0, 1800, 100.0, 0),))
    whole = list(read_epochs(lfp, (0, 1), Interval(0, 18), 1.0))
    pieces = list(read_epochs(lfp, (0, 1), Interval(0, 18), 1.0, largest=700))
    assert len(whole) == 1
    assert all(b.samples_uv.size <= 700 for b in pieces)
    np.testing.assert_array_equal(
        np.concatenate([b.samples_uv for b in pieces], axis=1), whole[0].samples_uv
    )


@pytest.mark.parametrize("rate_hz", [1000.0, 999.98, 1000.02, 1017.375, 512.0, 333.3])
@pytest.mark.parametrize("start_s", [0.0, 0.0003, 0.00199])
def test_an_epoch_needs_no_sample_from_beyond_it(rate_hz, start_s):
    n_samples = int(rate_hz * 30)
    whole = Span(start_s, n_samples, rate_hz, 0)
    lfp = _lfp(n_samples, (whole,))
    expected = next(iter(read_epochs(lfp, (0,), Interval(4, 28), 4.0))).samples_uv[0]
    for i, first_s in enumerate(range(4, 28, 4)):
        block = Interval(first_s, first_s + 4)
        part = Lfp(_Cut(lfp.samples, (whole.cut(block),)), rate_hz)
        (batch,) = read_epochs(part, (0,), block, 4.0)
        np.testing.assert_array_equal(batch.samples_uv[0, 0], expected[i])
        assert abs(batch.n_fft - 4 * rate_hz) <= 1


class _Cut:
    """A source whose spans are part of another's."""

    def __init__(self, source, spans):
        self.spans, self.channels, self.dtype = spans, source.channels, source.dtype
        self._source = source

    def read(self, first_sample, out, rows=None):
        self._source.read(first_sample, out, rows)
