"""The step that compares regions: planted lags and mixtures, blocks, gaps, bad channels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.errors import BadParameters, Unavailable
from wakeful.model.quality import ChannelQuality, FaultKind
from wakeful.model.rhythms import Connectivity
from wakeful.model.subject import Channel, ChannelKind, Session, Subject
from wakeful.model.time import Interval, Span
from wakeful.steps.connectivity import HALO_S, MOST_BINS, STEP, Inputs, Params, compute

RATE_HZ = 250.0
LAG = 3
"""Samples: 12 ms, a quarter turn at 20.8 Hz."""


def _signals(n, seed=0):
    """Eight channels: CA1 and PFC (PFC lags behind), V1 and S1 of their own; all share what their
    reference picks up.
    """
    rng = np.random.default_rng(seed)
    source = rng.normal(0, 20, n + LAG)
    reference = rng.normal(0, 60, n)
    own = rng.normal(0, 8, (8, n))
    own[0] += source[LAG:]
    own[2] += source[:n]
    own[4] += rng.normal(0, 20, n)
    own[6] += rng.normal(0, 20, n)
    return (own + reference).astype(np.float32)


REGIONS = ("CA1", "CA1", "PFC", "PFC", "V1", "V1", "S1", "S1")
CHANNELS = tuple(Channel(name=f"c{i}", region=r) for i, r in enumerate(REGIONS))


def _inputs(samples, block, channels=CHANNELS, spans=None, quality=None, rate_hz=RATE_HZ):
    spans = spans or (Span(0.0, samples.shape[1], rate_hz, 0),)
    lfp = Lfp(MemorySource(samples, channels, spans), round(rate_hz))
    session = Session(
        name="s", subject=Subject(identifier="M1"), start_utc=None, duration_s=spans[-1].stop_s
    )
    return Inputs(lfp=lfp, block=block, session=session, channel_quality=quality)


def _compute(samples, block, *, params=Params(), **about) -> Connectivity:  # noqa: B008
    return compute(_inputs(samples, block, **about), params).connectivity


def _per_row(result):
    names = [f.name for f in dataclasses.fields(Connectivity) if f.metadata.get("rows")]
    return {name: getattr(result, name) for name in names}


MINUTE = int(60 * RATE_HZ)


def _pair(result, name, first, second):
    return getattr(result, name)[:, result.pairs.index((first, second))]


def test_bipolar_signals_show_the_lag_and_not_the_reference():
    samples = _signals(4 * MINUTE)
    result = _compute(samples, Interval(0, 240))
    assert result.regions == ("CA1", "PFC", "V1", "S1")
    assert result.montages[0] == ("c0 - c1",)
    assert all(result.bipolar)
    assert result.notes == ()
    assert result.pairs[0] == ("CA1", "PFC")
    assert len(result.pairs) == 6
    np.testing.assert_array_equal(result.start_s, [0, 60, 120, 180])
    assert (result.n_epochs == 15).all()
    assert (result.montage == 0).all()
    near = np.abs(result.frequency_hz - 20.8) < 4
    r = 20**2 / (20**2 + 2 * 8**2)
    coherent = _pair(result, "coherence", "CA1", "PFC")[:, 10:]
    assert coherent.mean() == pytest.approx(r**2, abs=0.03)
    wpli = _pair(result, "wpli", "CA1", "PFC")[:, near].mean()
    assert wpli == pytest.approx((2 * r / (1 + r**2)) ** 2, abs=0.08)
    assert _pair(result, "phase_locking", "CA1", "PFC")[:, 10:].mean() > 0.6
    # V1 and S1 have only the reference in common, which is gone.
    assert _pair(result, "coherence", "V1", "S1").mean() == pytest.approx(1 / 45, abs=0.006)
    assert abs(_pair(result, "wpli", "V1", "S1").mean()) < 0.01


def test_as_recorded_the_reference_is_coherent_has_no_lag_and_is_named():
    params = Params(montage="recorded")
    result = _compute(_signals(4 * MINUTE), Interval(0, 240), params=params)
    assert not any(result.bipolar)
    assert _pair(result, "coherence", "V1", "S1").mean() > 0.5
    assert abs(_pair(result, "wpli", "V1", "S1").mean()) < 0.02
    (note,) = result.notes
    assert "a reference they may share (unknown): CA1, PFC, V1, S1" in note
    assert "volume conduction" in note


@pytest.mark.parametrize("window_s", [60.0, 44.0])
def test_blocks_of_any_length_give_the_same_bits(window_s):
    samples = _signals(8 * MINUTE + 1234)
    stop_s = samples.shape[1] / RATE_HZ
    params = Params(window_s=window_s)
    whole = _compute(samples, Interval(0, stop_s), params=params)
    for block_s in (60.0, 100.0):
        parts = []
        for start_s in np.arange(0, stop_s, block_s):
            block = Interval(start_s, min(start_s + block_s, stop_s))
            # No more of the LFP than the halo gives.
            first = max(0, round((block.start_s - HALO_S) * RATE_HZ))
            last = min(samples.shape[1], round((block.stop_s + HALO_S) * RATE_HZ))
            spans = (Span(first / RATE_HZ, last - first, RATE_HZ, 0),)
            parts.append(_compute(samples[:, first:last], block, spans=spans, params=params))
        joined = Connectivity.join(parts)
        for name, values in _per_row(whole).items():
            np.testing.assert_array_equal(values, _per_row(joined)[name], err_msg=name)


def test_windows_with_few_whole_epochs_are_nan():
    samples = _signals(4 * MINUTE)
    # 40 s are missing in the second minute, 10 s in the third.
    keep = np.r_[0 : int(70 * RATE_HZ), int(110 * RATE_HZ) : int(130 * RATE_HZ)]
    keep = np.r_[keep, int(140 * RATE_HZ) : 4 * MINUTE]
    spans = (
        Span(0.0, int(70 * RATE_HZ), RATE_HZ, 0),
        Span(110.0, int(20 * RATE_HZ), RATE_HZ, int(70 * RATE_HZ)),
        Span(140.0, int(100 * RATE_HZ), RATE_HZ, int(90 * RATE_HZ)),
    )
    result = _compute(samples[:, keep], Interval(0, 240), spans=spans)
    assert np.isnan(result.coherence[1]).all()
    assert np.isnan(result.wpli[1]).all()
    np.testing.assert_array_equal(result.n_epochs[:, 0], [15, 0, 12, 15])
    np.testing.assert_array_equal(result.montage[:, 0], [0, -1, 0, 0])
    assert np.isfinite(result.coherence[[0, 2, 3]]).all()


def _bad(channel, start_s, stop_s):
    return ChannelQuality(
        start_s=np.array([start_s]),
        stop_s=np.array([stop_s]),
        channel=np.array([channel], np.int32),
        kind=np.array([FaultKind.DISCONNECTED], np.int8),
        value=np.array([1.0]),
        limit=np.array([0.5]),
        heeded=np.array([True]),
        reason=np.array(["planted"]),
        channels=tuple(c.name for c in CHANNELS),
        regions=REGIONS,
    )


def test_another_signal_takes_the_place_of_one_with_a_bad_channel():
    samples = _signals(2 * MINUTE)
    channels = tuple(
        dataclasses.replace(c, region="CA1" if i < 4 else "V1") for i, c in enumerate(CHANNELS)
    )
    quality = _bad(0, 60.0, 120.0)
    result = _compute(samples, Interval(0, 120), channels=channels, quality=quality)
    assert result.montages[0][:2] == ("c0 - c3", "c1 - c2")
    np.testing.assert_array_equal(result.montage, [[0, 0], [1, 0]])
    assert np.isfinite(result.coherence).all()
    ignored = _compute(
        samples,
        Interval(0, 120),
        channels=channels,
        quality=quality,
        params=Params(use_masks=False),
    )
    np.testing.assert_array_equal(ignored.montage, 0)


def test_dead_channels_and_numbers_that_are_none_leave_their_epochs_out():
    samples = _signals(2 * MINUTE)
    samples[:2, : MINUTE // 3] = 5.0  # flat for 20 s
    samples[2, MINUTE + 10] = np.nan
    samples[6:, MINUTE:] = 0.0
    result = _compute(samples, Interval(0, 120))
    place = {pair: i for i, pair in enumerate(result.pairs)}
    assert result.n_epochs[0, place["CA1", "PFC"]] == 10
    assert result.n_epochs[1, place["CA1", "PFC"]] == 14
    assert result.n_epochs[1, place["V1", "S1"]] == 0
    assert np.isnan(result.wpli[1, place["V1", "S1"]]).all()
    assert np.isfinite(result.wpli[0]).all()


def test_frequencies_under_a_high_pass_are_refused_by_name():
    channels = tuple(
        dataclasses.replace(c, highpass_hz=2.0 if c.region == "PFC" else 0.1) for c in CHANNELS
    )
    result = _compute(_signals(MINUTE), Interval(0, 60), channels=channels)
    below = result.frequency_hz < 4
    coherence = result.coherence[0]
    for place, pair in enumerate(result.pairs):
        assert np.isnan(coherence[place, below]).all() == ("PFC" in pair)
        assert np.isfinite(coherence[place, ~below]).all()
    assert "PFC: hardware high-pass: frequencies below 4 Hz can't be trusted" in result.notes


@pytest.mark.parametrize(("rate_hz", "highest_hz"), [(1000.0, 100.0), (200.0, 80.0)])
def test_there_are_never_more_than_200_bins(rate_hz, highest_hz):
    n = int(60 * rate_hz)
    samples = np.random.default_rng(0).normal(size=(4, n)).astype(np.float32)
    result = _compute(samples, Interval(0, 60), channels=CHANNELS[:4], rate_hz=rate_hz)
    assert len(result.frequency_hz) <= MOST_BINS
    assert result.frequency_hz[-1] == highest_hz
    assert result.frequency_hz[0] == 0.5


def test_one_region_is_not_enough():
    alone = (*CHANNELS[:2], Channel(name="m", region="neck", kind=ChannelKind.EMG))
    assert STEP.unavailable is not None
    assert STEP.unavailable(alone) == "channels lie in 1 region, not in two"
    assert STEP.unavailable(CHANNELS) == ""
    with pytest.raises(Unavailable, match="1 region"):
        _compute(_signals(MINUTE)[:3], Interval(0, 60), channels=alone)


def test_an_empty_block_has_no_rows():
    result = _compute(_signals(MINUTE), Interval(60, 60))
    assert result.n_rows == 0
    assert result.coherence.shape == (0, 6, 200)


def test_parameters_out_of_range_are_named_at_once():
    with pytest.raises(BadParameters, match=r"window_s.*least_share.*n_tapers"):
        Params(window_s=600.0, least_share=2.0, n_tapers=0)
