"""Spectra: power is kept, scaling is right, blocks change nothing."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.epochs import LfpEmg, MuscleTone, Spectrogram
from wakeful.model.subject import Channel, ChannelKind, Session, Subject
from wakeful.model.time import Interval, Span, cut_spans
from wakeful.signal.bands import Band, compute_band_power
from wakeful.signal.spectra import (
    compute_psd,
    design_hann,
    design_multitaper,
    epoch_starts,
    frequencies,
)
from wakeful.steps import muscle, spectrogram


@settings(deadline=None, max_examples=40)
@given(
    n_samples=st.integers(64, 3000),
    padding=st.integers(0, 50),
    rate_hz=st.floats(10, 5000),
    scale=st.floats(1e-2, 1e4),
    offset=st.floats(-1e4, 1e4),
    seed=st.integers(0, 1000),
    tapers=st.integers(0, 4),
)
def test_parseval(n_samples, padding, rate_hz, scale, offset, seed, tapers):
    rng = np.random.default_rng(seed)
    samples = (rng.normal(0, scale, n_samples) + offset * min(1, scale)).astype(np.float32)
    windows = (
        design_multitaper(n_samples, rate_hz, 3 * rate_hz / n_samples, tapers)
        if tapers
        else design_hann(n_samples)
    )
    n_fft = n_samples + padding
    psd = compute_psd(samples, rate_hz, windows, n_fft=n_fft)
    centred = samples.astype(float) - samples.astype(float).mean()
    expected = np.mean(np.sum((windows.values.astype(float) * centred) ** 2, axis=1))
    np.testing.assert_allclose(psd.astype(float).sum() * rate_hz / n_fft, expected, rtol=1e-4)


@settings(deadline=None, max_examples=40)
@given(
    edges=st.lists(st.floats(0, 100), min_size=3, max_size=6, unique=True).map(sorted),
    seed=st.integers(0, 1000),
)
def test_band_power_adds_up(edges, seed):
    bands = [Band(str(i), a, b) for i, (a, b) in enumerate(itertools.pairwise(edges))]
    psd = np.random.default_rng(seed).uniform(0.5, 5, 401).astype(np.float32)
    frequency_hz = frequencies(800, 200.0)
    parts = compute_band_power(psd, frequency_hz, bands)
    whole = compute_band_power(psd, frequency_hz, [Band("all", edges[0], edges[-1])])
    np.testing.assert_allclose(parts.sum(), whole[0], rtol=1e-5)


@settings(deadline=None, max_examples=15)
@given(
    rate_hz=st.sampled_from([200.0, 199.996, 200.003, 203.47]),
    start_s=st.floats(0, 0.02),
    gap_at=st.integers(100, 5000),
    gap_s=st.floats(0.02, 9),
    cuts=st.lists(st.integers(1, 8), max_size=3, unique=True),
    seed=st.integers(0, 1000),
)
def test_blocks_change_no_bit(rate_hz, start_s, gap_at, gap_s, cuts, seed):
    n = 6000
    samples = np.random.default_rng(seed).integers(-999, 999, (4, n), dtype=np.int16)
    spans = (
        Span(start_s, gap_at, rate_hz, 0),
        Span(start_s + gap_at / rate_hz + gap_s, n - gap_at, rate_hz, gap_at),
    )
    channels = (
        *(Channel(name=f"c{i}", region=r, gain_uv=0.1) for i, r in enumerate("aab")),
        Channel(name="m", kind=ChannelKind.EMG),
    )
    end_s = spans[-1].stop_s
    session = Session(name="s", subject=Subject(identifier="M1"), start_utc=None, duration_s=end_s)

    def run(block):
        # As blocks are stored: nothing of a neighbour is there.
        lfp = Lfp(MemorySource(samples, channels, cut_spans(spans, block)), rate_hz)
        inputs = spectrogram.Inputs(lfp=lfp, block=block, session=session)
        spectra = spectrogram.compute(inputs, spectrogram.Params()).spectrogram
        bins = epoch_starts(block, 0.5)
        none = np.full(len(bins), np.nan, np.float32)
        lfp_emg = LfpEmg(start_s=bins, correlation=none, bin_s=0.5, channels=())
        tone = muscle.compute(
            muscle.Inputs(lfp=lfp, lfp_emg=lfp_emg, block=block, session=session), muscle.Params()
        ).muscle
        return spectra, tone

    edges = [0.0, *(c * 4.0 for c in sorted(cuts) if c * 4.0 < end_s), end_s]
    parts = [run(Interval(a, b)) for a, b in itertools.pairwise(edges)]
    whole, whole_tone = run(Interval(0.0, end_s))
    joined = Spectrogram.join([p[0] for p in parts])
    np.testing.assert_array_equal(joined.start_s, whole.start_s)
    np.testing.assert_array_equal(joined.power_uv2_per_hz, whole.power_uv2_per_hz)
    tone = MuscleTone.join([p[1] for p in parts])
    np.testing.assert_array_equal(tone.emg_uv, whole_tone.emg_uv)
