"""The muscle tone step."""

from __future__ import annotations

import numpy as np
import pytest

from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.epochs import LfpEmg
from wakeful.model.errors import BadParameters
from wakeful.model.subject import Channel, ChannelKind, Session, Subject
from wakeful.model.time import Interval, Span
from wakeful.steps.muscle import STEP, Inputs, Params, compute


def _session(duration_s):
    return Session(
        name="s", subject=Subject(identifier="M1"), start_utc=None, duration_s=duration_s
    )


def _lfp_emg(start_s, stop_s, values=None, unavailable=""):
    bins = np.arange(start_s, stop_s, 0.5)
    correlation = np.full(len(bins), np.nan) if values is None else np.asarray(values)
    return LfpEmg(
        start_s=bins,
        correlation=correlation.astype(np.float32),
        bin_s=0.5,
        channels=(),
        unavailable=unavailable,
    )


def _emg(gains, n=16_000, seed=0, rate_hz=1000.0):
    samples = np.random.default_rng(seed).normal(0, 1, (1, n)) * np.array(gains)[:, None]
    channels = (
        *(Channel(name=f"EMG{i}", kind=ChannelKind.EMG) for i in range(len(gains))),
        Channel(name="CSC1"),
    )
    samples = np.concatenate([samples, np.full((1, n), 5.0)]).astype(np.float32)
    return samples, channels, (Span(0.0, n, rate_hz, 0),)


def _compute(samples, channels, spans, block, lfp_emg=None, **params):
    lfp = Lfp(MemorySource(samples, channels, spans), spans[0].rate_hz)
    lfp_emg = lfp_emg or _lfp_emg(block.start_s, block.stop_s, unavailable="too slow")
    inputs = Inputs(lfp=lfp, lfp_emg=lfp_emg, block=block, session=_session(spans[-1].stop_s))
    return compute(inputs, Params(**params)).muscle


def test_the_emg_of_each_epoch():
    samples, channels, spans = _emg([20.0])
    samples[0, 8000:] *= 5
    result = _compute(samples, channels, spans, Interval(0, 16))
    # White: 248 of 500 Hz lie in the band and away from the mains.
    expected = 20 * np.sqrt(248 / 500) * np.array([1, 1, 5, 5])
    np.testing.assert_allclose(result.emg_uv, expected, rtol=0.08)
    assert result.emg_channels == ("EMG0",)
    assert result.emg_band_hz == (30, 300)
    assert result.lfp_emg_unavailable == "too slow"
    assert np.isnan(result.lfp_emg).all()


def test_the_median_of_live_channels():
    samples, channels, spans = _emg([10.0, 20.0, 0.0, 90.0])
    one = _compute(samples[:1], channels[:1], spans, Interval(0, 16))
    result = _compute(samples, channels, spans, Interval(0, 16))
    np.testing.assert_allclose(result.emg_uv, one.emg_uv * 2, rtol=1e-4)
    assert len(result.emg_channels) == 4
    dead = _compute(samples[2:3], channels[2:3], spans, Interval(0, 16))
    assert np.isnan(dead.emg_uv).all()


def test_gaps_are_nan_in_both():
    samples, channels, _ = _emg([10.0])
    spans = (Span(0.0, 6000, 1000.0, 0), Span(7.0, 10_000, 1000.0, 6000))
    values = np.arange(32) / 100
    values[12:14] = np.nan
    result = _compute(samples, channels, spans, Interval(0, 16), _lfp_emg(0, 16, values))
    np.testing.assert_array_equal(np.isnan(result.emg_uv), [False, True, False, False])
    np.testing.assert_allclose(
        result.lfp_emg, [values[:8].mean(), np.nan, values[16:24].mean(), values[24:].mean()]
    )


def test_a_bin_that_could_not_be_read_does_not_spoil_its_epoch():
    samples, channels, spans = _emg([10.0])
    values = np.full(32, 0.25)
    values[3] = np.nan
    values[8:16] = np.nan
    result = _compute(samples, channels, spans, Interval(0, 16), _lfp_emg(0, 16, values))
    np.testing.assert_allclose(result.lfp_emg, [0.25, np.nan, 0.25, 0.25])


def test_a_block_in_the_middle():
    samples, channels, spans = _emg([10.0])
    whole = _compute(samples, channels, spans, Interval(0, 16), _lfp_emg(0, 16, np.arange(32)))
    part = _compute(samples, channels, spans, Interval(4, 12), _lfp_emg(4, 12, np.arange(8, 24)))
    np.testing.assert_array_equal(part.start_s, [4, 8])
    np.testing.assert_array_equal(part.emg_uv, whole.emg_uv[1:3])
    np.testing.assert_array_equal(part.lfp_emg, whole.lfp_emg[1:3])


def test_without_emg_there_is_none():
    samples, channels, spans = _emg([])
    result = _compute(samples, channels, spans, Interval(0, 16))
    assert result.emg_channels == ()
    assert np.isnan(result.emg_uv).all()
    assert len(result.start_s) == 4


def test_a_rate_that_leaves_nothing_of_the_band():
    samples, channels, spans = _emg([10.0], 960, rate_hz=60.0)
    result = _compute(samples, channels, spans, Interval(0, 16))
    assert result.emg_channels == ()
    assert result.emg_band_hz == (30, 30)
    assert np.isnan(result.emg_uv).all()


@pytest.mark.parametrize(
    "values",
    [
        {"emg_low_hz": 300},
        {"emg_high_hz": 10},
        {"mains_margin_hz": -1},
        {"emg_low_hz": float("nan")},
    ],
)
def test_parameters_are_checked(values):
    with pytest.raises(BadParameters):
        STEP.make_params(values)


def test_the_step_says_what_it_is():
    assert STEP.name == "muscle"
    assert set(STEP.input_fields()) == {"lfp", "lfp_emg", "block", "session", "channel_quality"}
