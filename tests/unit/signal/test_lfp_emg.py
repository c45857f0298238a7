"""Muscle tone from the LFP: filter, choice of channels, correlation, streaming."""

from __future__ import annotations

import numpy as np
import pytest

from wakeful.model.subject import Channel, ChannelKind
from wakeful.model.time import Interval, Span
from wakeful.signal.lfp_emg import LfpEmgMeter, choose_channels, design_bandpass, pair_up

RATE_HZ = 2000.0


def _meter(samples, spans, interval, regions, piece=1234):
    meter = LfpEmgMeter(spans, interval, 0.5, regions)
    for number, span in enumerate(spans):
        # As a source would: what is needed of the span, in pieces.
        start = span.offset_at(meter.needs.start_s)
        stop = span.offset_at(meter.needs.stop_s)
        for a in range(start, stop, piece):
            b = min(a + piece, stop)
            meter.receive(number, a, samples[:, span.first_sample + a : span.first_sample + b])
    assert meter.n_waiting == 0
    return meter


@pytest.mark.parametrize("rate_hz", [1500, 1999, 2000, 2034, 3999])
def test_the_band_pass(rate_hz):
    taps = design_bandpass(rate_hz).astype(float)
    assert len(taps) % 2 == 1
    gain = np.abs(np.fft.rfft(taps, 1 << 16))
    frequency_hz = np.arange(len(gain)) / (1 << 16) * rate_hz
    inside = (frequency_hz >= 300) & (frequency_hz <= 600)
    outside = (frequency_hz <= 250) | (frequency_hz >= 650)
    assert np.abs(20 * np.log10(gain[inside])).max() < 0.1
    assert 20 * np.log10(gain[outside].max()) < -58


def test_common_fast_activity_is_seen_and_independent_is_not():
    rng = np.random.default_rng(0)
    n = 20_000
    spans = (Span(0.0, n, RATE_HZ, 0),)
    own = rng.normal(0, 1, (4, n)).astype(np.float32)
    regions = ["CA1", "CA1", "PFC", "PFC"]
    none = _meter(own, spans, Interval(0, 10), regions).correlation
    assert len(none) == 20
    assert abs(none.mean()) < 0.03
    assert np.abs(none).max() < 0.15
    common = rng.normal(0, 1, n).astype(np.float32)
    common[n // 2 :] = 0
    both = _meter(own + common, spans, Interval(0, 10), regions).correlation
    # Equal variances, shared and own: 0.5.
    assert both[:9].mean() == pytest.approx(0.5, abs=0.03)
    assert np.abs(both[11:]).max() < 0.15


def test_common_slow_activity_is_not_muscle():
    rng = np.random.default_rng(1)
    n = 20_000
    time_s = np.arange(n) / RATE_HZ
    slow = 300 * np.sin(2 * np.pi * 8 * time_s) + 100 * np.sin(2 * np.pi * 150 * time_s)
    own = rng.normal(0, 1, (2, n))
    result = _meter(
        (own + slow).astype(np.float32), (Span(0.0, n, RATE_HZ, 0),), Interval(0, 10), ["a", "b"]
    ).correlation
    assert abs(result[1:-1].mean()) < 0.05


def test_the_value_is_the_mean_correlation_of_the_filtered_pairs():
    rng = np.random.default_rng(2)
    n = 8000
    mix = rng.normal(0, 1, (3, 3)) + 0.7
    samples = (mix @ rng.normal(0, 1, (3, n))).astype(np.float32)
    got = _meter(samples, (Span(0.0, n, RATE_HZ, 0),), Interval(1, 3), ["a", "b", "b"]).correlation
    taps = design_bandpass(2000)
    filtered = np.stack([np.convolve(s, taps, mode="same") for s in samples.astype(float)])
    for i, start in enumerate(range(2000, 6000, 1000)):
        r = np.corrcoef(filtered[:, start : start + 1000])
        assert got[i] == pytest.approx((r[0, 1] + r[0, 2]) / 2, abs=1e-4)


@pytest.mark.parametrize("piece", [1, 100, 999, 7777])
def test_pieces_change_nothing(piece):
    rng = np.random.default_rng(3)
    n = 6000 if piece > 1 else 2200
    samples = rng.normal(0, 1, (2, n)).astype(np.float32)
    spans = (Span(0.1, n // 3, RATE_HZ, 0), Span(2.0, n - n // 3, RATE_HZ, n // 3))
    interval = Interval(0, 5)
    whole = _meter(samples, spans, interval, ["a", "b"], piece=100_000)
    pieces = _meter(samples, spans, interval, ["a", "b"], piece=piece)
    np.testing.assert_array_equal(pieces.correlation, whole.correlation)
    assert np.isfinite(whole.correlation).any()


def test_bins_that_touch_a_gap_are_nan():
    rng = np.random.default_rng(4)
    samples = rng.normal(0, 1, (2, 8000)).astype(np.float32)
    spans = (Span(0.0, 4200, RATE_HZ, 0), Span(3.2, 3800, RATE_HZ, 4200))
    result = _meter(samples, spans, Interval(0, 5), ["a", "b"])
    np.testing.assert_array_equal(result.start_s, np.arange(10) * 0.5)
    # 2.1 to 3.2 s is the gap: the bins at 2, 2.5 and 3 s.
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(result.correlation)), [4, 5, 6])


def test_dead_and_broken_channels_are_left_out():
    rng = np.random.default_rng(5)
    samples = rng.normal(0, 1, (3, 4000)).astype(np.float32)
    samples[1] = samples[0]
    spans = (Span(0.0, 4000, RATE_HZ, 0),)
    samples[2] = 17.3
    regions = ["a", "b", "c"]
    np.testing.assert_allclose(
        _meter(samples, spans, Interval(0, 2), regions).correlation, 1, rtol=1e-6
    )
    samples[2, 500:600] = np.nan
    np.testing.assert_allclose(
        _meter(samples, spans, Interval(0, 2), regions).correlation, 1, rtol=1e-6
    )
    samples[1] = 0
    assert np.isnan(_meter(samples, spans, Interval(0, 2), regions).correlation).all()


def test_memory_stays_small():
    samples = np.random.default_rng(6).normal(0, 1, (2, 2000)).astype(np.float32)
    n = 400_000
    meter = LfpEmgMeter((Span(0.0, n, RATE_HZ, 0),), Interval(0, 200), 0.5, ["a", "b"])
    for a in range(0, n, 2000):
        meter.receive(0, a, samples)
        assert meter._held.shape[1] < 4000
    assert meter.n_waiting == 0


def _channel(name, region, kind=ChannelKind.LFP, lowpass_hz=None):
    return Channel(name=name, region=region, kind=kind, lowpass_hz=lowpass_hz)


def test_channels_are_spread_over_each_region():
    channels = [_channel(f"c{i}", "CA1" if i < 9 else "PFC") for i in range(11)]
    assert choose_channels(channels, 3) == (0, 4, 8, 9, 10)
    assert choose_channels(channels, 1) == (0, 9)


def test_channels_that_can_not_show_it_are_left_out():
    channels = [
        _channel("a", "CA1"),
        _channel("emg", "CA1", ChannelKind.EMG),
        _channel("ttl", "CA1", ChannelKind.TTL),
        _channel("cut", "PFC", lowpass_hz=475.0),
        _channel("open", "PFC", lowpass_hz=8000.0),
    ]
    assert choose_channels(channels, 3) == (0, 4)


def test_pairs_cross_regions_where_there_are_two():
    assert pair_up(["a", "a", "b"]).tolist() == [[0, 2], [1, 2]]
    assert pair_up(["a", "a", "a"]).tolist() == [[0, 1], [0, 2], [1, 2]]
    assert pair_up(["a"]).shape == (0, 2)
