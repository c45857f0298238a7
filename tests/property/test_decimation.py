"""Whole or in blocks: the same samples to the last bit."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.model.arrays import JoinedSource, MemorySink, MemorySource
from wakeful.model.epochs import LfpEmg
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Span
from wakeful.signal.decimation import decimate_array, decimated_span, design_decimation
from wakeful.signal.streaming import decimate_source
from wakeful.steps import convert

REGIONS = ("CA1", "PFC")


@st.composite
def recordings(draw):
    """A source with gaps, spans from one sample to many times the filter."""
    factor = draw(st.sampled_from([1, 2, 3, 5, 8, 31, 32]))
    rate_hz = 1000.0 * factor * draw(st.sampled_from([1.0, 1.00003, 0.9999]))
    lengths = draw(st.lists(st.integers(1, 400 * factor), min_size=1, max_size=3))
    gaps_s = draw(st.lists(st.floats(0.002, 0.3), min_size=3, max_size=3))
    spans, time_s, total = [], draw(st.floats(0, 0.01)), 0
    for n, gap_s in zip(lengths, gaps_s, strict=False):
        spans.append(Span(time_s, n, rate_hz, total))
        time_s += n / rate_hz + gap_s
        total += n
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    kind = draw(st.sampled_from([np.int16, np.float32]))
    samples = rng.integers(-32768, 32768, (2, total)).astype(kind)
    channels = tuple(Channel(name=r, region=r) for r in REGIONS)
    return MemorySource(samples, channels, tuple(spans)), factor, time_s


def _samples(source):
    parts = []
    for span in source.spans:
        out = np.empty((len(source.channels), span.n_samples), source.dtype)
        source.read(span.first_sample, out)
        parts.append(out)
    return parts


@settings(deadline=None, max_examples=60)
@given(recordings(), st.lists(st.floats(0, 1.5), max_size=4), st.integers(1, 5000))
def test_blocks_change_no_bit(recording, cuts_s, piece_samples):
    source, factor, end_s = recording
    edges = [0.0, *sorted(c for c in cuts_s if c < end_s), end_s + 1]
    blocks = [Interval(a, b) for a, b in itertools.pairwise(edges)]
    parts = [
        decimate_source(source, b, factor, MemorySink(), piece_samples=piece_samples, n_threads=1)
        for b in blocks
    ]
    joined = JoinedSource(parts)
    for span, got in zip(source.spans, _samples(joined), strict=True):
        raw = np.empty((2, span.n_samples), source.dtype)
        source.read(span.first_sample, raw)
        np.testing.assert_array_equal(got, decimate_array(raw, factor))
    for span, got in zip(source.spans, joined.spans, strict=True):
        expected = decimated_span(span, factor)
        assert got.n_samples == expected.n_samples
        assert abs(got.start_s - expected.start_s) < 1e-9


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 60))
def test_every_factor_meets_the_response(factor):
    chosen = design_decimation(factor)
    gain = np.abs(np.fft.rfft(chosen.impulse_response(), 1 << 17))
    frequency = np.arange(len(gain)) / (1 << 17) * factor
    assert gain[frequency >= 0.5].max() < 1e-4
    assert np.abs(20 * np.log10(gain[frequency <= 0.4])).max() < 0.01


@settings(deadline=None, max_examples=10)
@given(
    st.lists(st.integers(1, 23), min_size=1, max_size=3, unique=True),
    st.integers(1, 20_000),
    st.floats(0, 0.6),
)
def test_lfp_emg_is_the_same_in_blocks(cuts, gap_at, gap_s):
    rng = np.random.default_rng(1)
    samples = rng.integers(-9000, 9000, (2, 24_000), dtype=np.int16)
    rate_hz = 4000.0
    spans = (
        Span(0.0, gap_at, rate_hz, 0),
        Span(gap_at / rate_hz + gap_s + 0.001, 24_000 - gap_at, rate_hz, gap_at),
    )
    channels = tuple(Channel(name=r, region=r) for r in REGIONS)
    source = MemorySource(samples, channels, spans)

    def lfp_emg(block):
        inputs = convert.Inputs(raw=source, block=block, lfp_sink=MemorySink())
        return convert.compute(inputs, convert.Params()).lfp_emg

    end_s = spans[-1].stop_s
    edges = [0.0, *sorted(c * 0.25 for c in cuts), end_s]
    whole = lfp_emg(Interval(0.0, end_s))
    joined = LfpEmg.join([lfp_emg(Interval(a, b)) for a, b in itertools.pairwise(edges) if b > a])
    np.testing.assert_array_equal(joined.start_s, whole.start_s)
    np.testing.assert_array_equal(joined.correlation, whole.correlation)
    assert np.isfinite(whole.correlation).any()
