"""The convert step: what it makes of a block of raw samples."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from wakeful.model.arrays import MemorySink, MemorySource
from wakeful.model.errors import BadChannels, BadParameters
from wakeful.model.subject import Channel, ChannelKind
from wakeful.model.time import Interval, Span
from wakeful.signal.decimation import decimate_array
from wakeful.steps.convert import STEP, Inputs, Params, compute, nominal_rate

RATE_HZ = 32_000.0


def _recording(seconds=4.0, rate_hz=RATE_HZ, kinds=("lfp", "lfp", "emg", "ttl"), **changes):
    n = int(seconds * rate_hz)
    rng = np.random.default_rng(0)
    samples = rng.integers(-3000, 3000, (len(kinds), n), dtype=np.int16)
    channels = tuple(
        Channel(name=f"CSC{i}", region=f"R{i}", kind=ChannelKind(kind), gain_uv=0.25, **changes)
        for i, kind in enumerate(kinds)
    )
    return samples, MemorySource(samples, channels, (Span(0.0, n, rate_hz, 0),))


def _compute(source, block, **params):
    inputs = Inputs(raw=source, block=block, lfp_sink=MemorySink())
    return compute(inputs, Params(**params))


def test_the_lfp_is_the_decimated_raw_without_ttl():
    samples, source = _recording()
    lfp = _compute(source, Interval(1, 3)).lfp
    assert [c.name for c in lfp.channels] == ["CSC0", "CSC1", "CSC2"]
    assert lfp.rate_hz == 1000.0
    assert lfp.samples.dtype == np.int16
    assert lfp.spans == (Span(1.0, 2000, 1000.0, 0),)
    expected = decimate_array(samples[:3], 32)[:, 1000:3000] * np.float32(0.25)
    np.testing.assert_allclose(lfp.read_uv(0, 2000), expected)


@pytest.mark.parametrize(
    ("rate_hz", "lfp_rate_hz"),
    [
        (32_000, 1000),
        (40_000, 1000),
        (30_000, 1000),
        (32_556, 32_556 / 32),
        (2000, 1000),
        (512, 512),
    ],
)
def test_rates(rate_hz, lfp_rate_hz):
    _, source = _recording(1.0, rate_hz)
    assert _compute(source, Interval(0, 1)).lfp.rate_hz == pytest.approx(lfp_rate_hz, rel=5e-4)


@pytest.mark.parametrize(
    ("fitted", "nominal"),
    [(31_999.4, 32_000), (32_003.0, 32_000), (999.97, 1000), (32_556.3, 32_556.3), (512.01, 512)],
)
def test_fitted_rates_stand_for_round_ones(fitted, nominal):
    assert nominal_rate(fitted) == nominal


@pytest.mark.parametrize("far_hz", [31_950.0, 32_100.0])
def test_a_span_far_away_has_no_say(far_hz):
    rng = np.random.default_rng(2)
    samples = rng.integers(-3000, 3000, (2, 2000 + 20 * 32_000), dtype=np.int16)
    channels = tuple(Channel(name=r, region=r) for r in ("CA1", "PFC"))

    def convert(first_hz):
        spans = (Span(0.0, 2000, first_hz, 0), Span(100.0, 20 * 32_000, 31_999.7, 2000))
        return _compute(MemorySource(samples, channels, spans), Interval(104, 112))

    a, b = convert(32_000.0), convert(far_hz)
    assert a.lfp.rate_hz == b.lfp.rate_hz == 1000.0
    assert a.lfp.spans == b.lfp.spans
    n = a.lfp.spans[0].n_samples
    np.testing.assert_array_equal(a.lfp.read_uv(0, n), b.lfp.read_uv(0, n))
    np.testing.assert_array_equal(a.lfp_emg.correlation, b.lfp_emg.correlation)
    assert np.isfinite(a.lfp_emg.correlation).all()


@pytest.mark.parametrize("nominal_hz", [2000.0, 16_000.0, 20_000.0, 30_303.0, 32_000.0, 32_556.0])
@pytest.mark.parametrize("drift", [-4e-3, -6e-4, -2e-5, 2e-5, 4e-3])
def test_blocks_of_any_clock_are_divided_by_one_number(nominal_hz, drift):
    _, source = _recording(1.0, nominal_hz * (1 + drift), kinds=("emg",))
    lfp = _compute(source, Interval(0, 1)).lfp
    factor = round(source.spans[0].rate_hz / lfp.spans[0].rate_hz)
    assert factor == int(nominal_hz // 1000)


def test_clocks_that_differ_little_have_one_nominal_rate():
    rates = {
        _compute(
            _recording(1.0, 473.4844 * (1 + ppm * 1e-6), ("eeg",))[1], Interval(0, 1)
        ).lfp.rate_hz
        for ppm in (-20, -1, 0, 3, 20)
    }
    assert rates == {473.5}


def test_muscle_is_heard_in_the_lfp():
    rng = np.random.default_rng(1)
    n = 8 * 32_000
    common = np.repeat([0.0, 1.0], n // 2) * rng.normal(0, 3000, n)
    own = rng.normal(0, 3000, (6, n))
    samples = (own + common).astype(np.int16)
    channels = tuple(Channel(name=f"c{i}", region="CA1" if i < 3 else "PFC") for i in range(6))
    source = MemorySource(samples, channels, (Span(0.0, n, RATE_HZ, 0),))
    result = _compute(source, Interval(0, 8)).lfp_emg
    assert result.unavailable == ""
    assert result.channels == tuple(c.name for c in channels)
    np.testing.assert_array_equal(result.start_s, np.arange(16) * 0.5)
    assert np.abs(result.correlation[:7]).max() < 0.1
    assert result.correlation[9:].mean() == pytest.approx(0.5, abs=0.03)
    few = _compute(source, Interval(0, 2), lfp_emg_channels_per_region=1).lfp_emg
    assert few.channels == ("c0", "c3")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rate_hz": 1000.0}, "1500 Hz"),
        ({"kinds": ("lfp", "emg")}, "fewer than two"),
        ({"lowpass_hz": 400.0}, "fewer than two"),
    ],
)
def test_lfp_emg_is_unavailable_rather_than_faked(changes, reason):
    _, source = _recording(2.0, **changes)
    result = _compute(source, Interval(0, 2)).lfp_emg
    assert reason in result.unavailable
    assert result.channels == ()
    assert len(result.start_s) == 4
    assert np.isnan(result.correlation).all()


def test_a_block_in_a_gap_is_empty_but_accounted_for():
    samples, source = _recording(2.0)
    spans = (Span(0.0, 32_000, RATE_HZ, 0), Span(9.0, 32_000, RATE_HZ, 32_000))
    source = MemorySource(samples, source.channels, spans)
    result = _compute(source, Interval(4, 8))
    assert result.lfp.spans == ()
    assert len(result.lfp_emg.start_s) == 8
    assert np.isnan(result.lfp_emg.correlation).all()


def test_a_recording_without_samples():
    _, source = _recording(0.0)
    source = MemorySource(np.empty((4, 0), np.int16), source.channels, ())
    result = _compute(source, Interval(0, 1))
    assert result.lfp.spans == ()
    assert np.isnan(result.lfp_emg.correlation).all()


def test_only_ttl_is_an_error():
    _, source = _recording(1.0, kinds=("ttl", "ttl"))
    with pytest.raises(BadChannels, match="TTL"):
        _compute(source, Interval(0, 1))


def test_parameters_are_checked_all_at_once():
    with pytest.raises(BadParameters, match=r"lfp_rate_hz.*lfp_emg_bin_s.*lfp_emg_rate_hz"):
        Params(lfp_rate_hz=-1, lfp_emg_bin_s=0, lfp_emg_rate_hz=float("nan"))
    with pytest.raises(BadParameters, match="per_region"):
        STEP.make_params({"lfp_emg_channels_per_region": 0})


@pytest.mark.parametrize("rate_hz", [32_000.0, 31_000.0, 2000.0])
@pytest.mark.parametrize("params", [{}, {"lfp_rate_hz": 100.0, "lfp_emg_bin_s": 1.5}])
def test_the_halo_is_enough(rate_hz, params):
    # What lies beyond the halo changes nothing.
    samples, source = _recording(9.0, rate_hz)
    block = Interval(3, 6)
    changed = samples.copy()
    changed[:, : int((3 - STEP.halo_s) * rate_hz)] = 9999
    changed[:, int((6 + STEP.halo_s) * rate_hz) :] = -9999
    other = MemorySource(changed, source.channels, source.spans)
    a, b = _compute(source, block, **params), _compute(other, block, **params)
    n = a.lfp.spans[0].n_samples
    np.testing.assert_array_equal(a.lfp.read_uv(0, n), b.lfp.read_uv(0, n))
    np.testing.assert_array_equal(a.lfp_emg.correlation, b.lfp_emg.correlation)
    assert np.isfinite(a.lfp_emg.correlation).all()


def test_the_step_says_what_it_is():
    assert STEP.name == "convert"
    assert STEP.input_fields() == {"raw": False, "block": False}
    assert STEP.sink_fields() == ("lfp",)
    assert list(STEP.output_types()) == ["lfp", "lfp_emg"]
    assert all(f.metadata["source"] for f in dataclasses.fields(Params))
