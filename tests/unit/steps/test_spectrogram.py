"""The spectrogram step."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.errors import BadParameters, Unavailable
from wakeful.model.subject import Channel, ChannelKind, Session, Subject
from wakeful.model.time import Interval, Span
from wakeful.steps.spectrogram import STEP, Inputs, Params, compute


def _session(duration_s, epoch_s=4.0):
    return Session(
        name="s",
        subject=Subject(identifier="M1"),
        start_utc=None,
        duration_s=duration_s,
        epoch_s=epoch_s,
    )


def _channels(regions, kind=ChannelKind.LFP):
    return tuple(Channel(name=f"c{i}", region=r, kind=kind) for i, r in enumerate(regions))


def _compute(samples, channels, spans, block, epoch_s=4.0, **params):
    lfp = Lfp(MemorySource(samples, channels, spans), round(spans[0].rate_hz))
    inputs = Inputs(lfp=lfp, block=block, session=_session(spans[-1].stop_s, epoch_s))
    return compute(inputs, Params(**params)).spectrogram


def _noise(n_channels, n, seed=0):
    return np.random.default_rng(seed).normal(0, 10, (n_channels, n)).astype(np.float32)


@pytest.mark.parametrize(
    ("method", "name"),
    [("multitaper", "multitaper, 3 tapers, half bandwidth 0.5 Hz"), ("hann", "Hann window")],
)
def test_planted_rhythms_appear_in_their_region(method, name):
    n = 40_000
    time_s = np.arange(n) / 1000
    samples = _noise(4, n) * 0.1
    samples[:2] += 50 * np.sin(2 * np.pi * 8 * time_s)
    samples[2:] += 50 * np.sin(2 * np.pi * 2 * time_s)
    result = _compute(
        samples,
        _channels(["CA1", "CA1", "PFC", "PFC"]),
        (Span(0.0, n, 1000.0, 0),),
        Interval(0, 40),
        method=method,
    )
    assert result.regions == ("CA1", "PFC")
    assert result.channels == (("c0", "c1"), ("c2", "c3"))
    assert result.method == name
    np.testing.assert_array_equal(result.frequency_hz, np.arange(1001) * 0.25)
    np.testing.assert_array_equal(result.start_s, np.arange(10) * 4.0)
    peak_hz = result.frequency_hz[np.argmax(result.power_uv2_per_hz, axis=2)]
    assert np.abs(peak_hz - [8, 2]).max() <= 0.75
    around = result.power_uv2_per_hz[:, 0, 28:37].sum(axis=1) * 0.25
    np.testing.assert_allclose(around, 1250, rtol=0.02)


def test_epochs_that_touch_a_gap_are_nan_and_none_is_missing():
    spans = (Span(0.0, 9000, 1000.0, 0), Span(13.0, 11_000, 1000.0, 9000))
    result = _compute(_noise(1, 20_000), _channels(["CA1"]), spans, Interval(4, 27))
    np.testing.assert_array_equal(result.start_s, [4, 8, 12, 16, 20, 24])
    bad = np.isnan(result.power_uv2_per_hz).all(axis=(1, 2))
    np.testing.assert_array_equal(bad, [False, True, True, False, False, True])
    assert np.isfinite(result.power_uv2_per_hz[~bad]).all()


def test_other_kinds_of_channels_are_left_out():
    channels = (
        Channel(name="a", region="CA1"),
        Channel(name="m", region="neck", kind=ChannelKind.EMG),
        Channel(name="b", region="skull", kind=ChannelKind.EEG),
    )
    result = _compute(_noise(3, 4000), channels, (Span(0, 4000, 1000.0, 0),), Interval(0, 4))
    assert result.regions == ("CA1", "skull")
    with pytest.raises(Unavailable, match="no LFP or EEG"):
        _compute(_noise(1, 4000), channels[1:2], (Span(0, 4000, 1000.0, 0),), Interval(0, 4))


def test_the_median_channel_is_shown_and_dead_ones_do_not_drag_it():
    samples = np.repeat(_noise(1, 8000), 5, axis=0) * np.array([[1], [2], [3], [0], [0]])
    samples = samples.astype(np.float32)
    samples[3] = 250.0  # railed
    samples[4, 4000:] = np.nan
    samples[4, :4000] = samples[0, :4000] * 4
    channels, spans = _channels(["CA1"] * 5), (Span(0, 8000, 1000.0, 0),)
    result = _compute(samples, channels, spans, Interval(0, 8))
    one = _compute(samples[:1], channels[:1], spans, Interval(0, 8))
    ratio = result.power_uv2_per_hz[:, 0, 10:] / one.power_uv2_per_hz[:, 0, 10:]
    np.testing.assert_allclose(ratio[0], (4 + 9) / 2, rtol=1e-3)  # of 1, 4, 9, 16
    np.testing.assert_allclose(ratio[1], 4, rtol=1e-3)  # of 1, 4, 9


def test_a_region_without_a_live_channel_is_nan():
    samples = _noise(2, 4000)
    samples[1] = 0
    result = _compute(
        samples, _channels(["CA1", "PFC"]), (Span(0, 4000, 1000.0, 0),), Interval(0, 4)
    )
    assert np.isfinite(result.power_uv2_per_hz[:, 0]).all()
    assert np.isnan(result.power_uv2_per_hz[:, 1]).all()


@pytest.mark.parametrize(("rate_hz", "highest_hz"), [(1000.0, 250), (512.0, 204.75), (100.0, 40)])
def test_frequencies_end_at_80_percent_of_nyquist(rate_hz, highest_hz):
    n = int(8 * rate_hz)
    result = _compute(_noise(1, n), _channels(["a"]), (Span(0, n, rate_hz, 0),), Interval(0, 8))
    assert result.frequency_hz[-1] == highest_hz


@pytest.mark.parametrize("rate_hz", [999.98, 1000.02, 1017.375])
def test_odd_rates_keep_density_and_bins(rate_hz):
    n = int(400 * rate_hz)
    result = _compute(
        _noise(1, n), _channels(["a"]), (Span(0.001, n, rate_hz, 0),), Interval(0, 396)
    )
    np.testing.assert_array_equal(result.frequency_hz, np.arange(1001) * 0.25)
    assert np.isnan(result.power_uv2_per_hz[0]).all() == (rate_hz * 0.001 > 1.001)
    assert np.nanmean(result.power_uv2_per_hz[1:]) == pytest.approx(200 / rate_hz, rel=0.02)


def test_epochs_of_another_length():
    result = _compute(
        _noise(1, 10_000),
        _channels(["a"]),
        (Span(0, 10_000, 1000.0, 0),),
        Interval(0, 10),
        epoch_s=2.5,
        half_bandwidth_hz=0.75,
        n_tapers=2,
    )
    assert result.epoch_s == 2.5
    np.testing.assert_array_equal(result.start_s, [0, 2.5, 5, 7.5])
    assert result.frequency_hz[1] == 0.4
    with pytest.raises(BadParameters, match="tapers"):
        _compute(
            _noise(1, 10_000),
            _channels(["a"]),
            (Span(0, 10_000, 1000.0, 0),),
            Interval(0, 10),
            epoch_s=2.5,
        )


def test_parameters_are_checked():
    with pytest.raises(BadParameters, match=r"half_bandwidth_hz.*n_tapers.*highest_hz"):
        Params(half_bandwidth_hz=0, n_tapers=0, highest_hz=float("nan"))
    with pytest.raises(BadParameters, match="method"):
        STEP.make_params({"method": "wavelet"})
    assert STEP.make_params({"method": "hann"}).method == "hann"
    assert STEP.name == "spectrogram"


class _Endless:
    """A source that makes its samples when they are read."""

    def __init__(self, n_channels, n_samples):
        self.channels = _channels([f"R{i % 4}" for i in range(n_channels)])
        self.spans = (Span(0.0, n_samples, 1000.0, 0),)
        self.dtype = np.dtype(np.int16)
        self._noise = np.random.default_rng(0).integers(-999, 999, 65_536, dtype=np.int16)

    def read(self, first_sample, out, rows=None):
        for i, row in enumerate(out):
            row[...] = np.resize(np.roll(self._noise, first_sample + 77 * i), row.shape)


def _peak_bytes(seconds):
    lfp = Lfp(_Endless(64, seconds * 1000), 1000.0)
    inputs = Inputs(lfp=lfp, block=Interval(0, seconds), session=_session(seconds))
    tracemalloc.start()
    try:
        result = compute(inputs, Params()).spectrogram
        return tracemalloc.get_traced_memory()[1] - result.power_uv2_per_hz.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_an_hour_costs_no_more_memory_than_minutes():
    few, many = _peak_bytes(240), _peak_bytes(3600)
    assert many < 1.1 * few + 1e6
    assert many < 200e6
