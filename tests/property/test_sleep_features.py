"""Features: blocks change no bit, a gain shifts logarithms alone, time is only time."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.epochs import MuscleTone, SleepFeatures
from wakeful.model.subject import Channel, ChannelKind, Session, Subject
from wakeful.model.time import Interval, Span, cut_spans
from wakeful.sleep.feature_list import describe_features
from wakeful.steps.sleep_features import HALO_S, Inputs, Params, compute

RATE_HZ = 100.0
CHANNELS = (
    *(Channel(name=f"c{i}", region=r, gain_uv=0.1) for i, r in enumerate("aab")),
    Channel(name="m", kind=ChannelKind.EMG),
)
UNITS = {feature.name: feature.unit for _, feature in describe_features()}


def _session(end_s):
    return Session(name="s", subject=Subject(identifier="M1"), start_utc=None, duration_s=end_s)


def _samples(n, seed, n_channels=4):
    steps = np.random.default_rng(seed).integers(-60, 60, (n_channels, n))
    return (np.cumsum(steps, axis=1) % 4001 - 2000).astype(np.int16)


def _features(samples, spans=None, tone=None, gain_uv=0.1, rate_hz=RATE_HZ):
    channels = tuple(
        Channel(name=c.name, region=c.region, kind=c.kind, gain_uv=gain_uv) for c in CHANNELS
    )
    spans = spans or (Span(0.0, samples.shape[1], rate_hz, 0),)
    end_s = np.floor(spans[-1].stop_s / 4) * 4
    inputs = Inputs(
        lfp=Lfp(MemorySource(samples, channels, spans), rate_hz),
        block=Interval(0.0, end_s),
        session=_session(end_s),
        muscle=tone,
    )
    return compute(inputs, Params()).sleep_features


@settings(deadline=None, max_examples=12)
@given(
    rate_hz=st.sampled_from([100.0, 99.998, 100.0015, 101.73]),
    start_s=st.floats(0, 0.02),
    gap_at=st.integers(100, 60_000),
    gap_s=st.floats(0.02, 30),
    cuts=st.lists(st.integers(1, 160), max_size=5, unique=True),
    seed=st.integers(0, 1000),
)
def test_blocks_change_no_bit(rate_hz, start_s, gap_at, gap_s, cuts, seed):
    n = 65_000
    samples = _samples(n, seed)
    samples[0, 30_000:31_000] = 7  # a channel that is flat for a while
    spans = (
        Span(start_s, gap_at, rate_hz, 0),
        Span(start_s + gap_at / rate_hz + gap_s, n - gap_at, rate_hz, gap_at),
    )
    end_s = spans[-1].stop_s
    row_s = np.arange(0.0, end_s, 4.0)
    values = np.random.default_rng(seed).uniform(0.01, 0.99, (2, len(row_s))).astype(np.float32)
    tone = MuscleTone(
        start_s=row_s,
        emg_uv=values[0],
        lfp_emg=values[1],
        emg_channels=("m",),
        emg_band_hz=(30.0, 40.0),
        epoch_s=4.0,
    )
    whole_s = Interval(0.0, end_s)
    edges = [0.0, *(c * 4.0 for c in sorted(cuts) if c * 4.0 < end_s), end_s]
    blocks = [Interval(a, b) for a, b in itertools.pairwise(edges)]
    # As blocks are stored: each holds its own samples and nothing of a neighbour.
    stored = [
        Lfp(MemorySource(samples, CHANNELS, cut_spans(spans, block)), rate_hz) for block in blocks
    ]

    def run(block, parts):
        wide = block.widen(HALO_S, HALO_S)
        inputs = Inputs(
            lfp=Lfp.join(parts), block=block, session=_session(end_s), muscle=tone.cut(wide)
        )
        return compute(inputs, Params()).sleep_features

    def near(block):
        wide = block.widen(HALO_S, HALO_S)
        pairs = zip(blocks, stored, strict=True)
        return [lfp for other, lfp in pairs if other.intersect(wide).duration_s > 0]

    joined = SleepFeatures.join([run(block, near(block)) for block in blocks])
    whole = run(whole_s, [Lfp(MemorySource(samples, CHANNELS, spans), rate_hz)])
    np.testing.assert_array_equal(joined.start_s, whole.start_s)
    np.testing.assert_array_equal(joined.values, whole.values)
    assert np.isfinite(whole.values).any()


@settings(deadline=None, max_examples=15)
@given(gain=st.floats(0.02, 50), seed=st.integers(0, 1000))
def test_a_gain_shifts_logarithms_scales_microvolts_and_leaves_the_rest(gain, seed):
    samples = _samples(4000, seed)
    plain, louder = _features(samples), _features(samples, gain_uv=0.1 * gain)
    for i, (name, unit) in enumerate(zip(plain.names, plain.units, strict=True)):
        before, after = plain.values[:, i].astype(float), louder.values[:, i].astype(float)
        if unit == "ln uV^2":
            before = before + 2 * np.log(gain)
        elif unit.startswith("uV"):
            before = before * gain
        # Rounding may put what lies right at sample entropy's tolerance, or at the mean, on
        # either side of it: one crossing more or less in 4 s.
        loose = {"sample_entropy": 0.05, "zero_crossings": 0.6}.get(name.split(".")[-1], 2e-3)
        np.testing.assert_allclose(after, before, rtol=loose, atol=loose, err_msg=name)


@settings(deadline=None, max_examples=15)
@given(shift=st.integers(1, 20), lost=st.integers(0, 3), seed=st.integers(0, 1000))
def test_a_shift_by_whole_epochs_shifts_the_rows(shift, lost, seed):
    samples = _samples(6000 + lost, seed)
    n = samples.shape[1]
    here = _features(samples, (Span(0.0, n, RATE_HZ, 0),))
    there = _features(samples, (Span(shift * 4.0, n, RATE_HZ, 0),))
    assert np.isnan(there.values[:shift]).all()
    np.testing.assert_array_equal(there.values[shift:], here.values)


@settings(deadline=None, max_examples=15)
@given(
    epochs=st.lists(st.integers(0, 14), min_size=1, max_size=4, unique=True),
    channels=st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True),
    seed=st.integers(0, 1000),
)
def test_missing_samples_change_only_the_regions_and_epochs_they_are_in(epochs, channels, seed):
    samples = _samples(6000, seed).astype(np.float32)
    broken = samples.copy()
    for epoch in epochs:
        broken[channels, epoch * 400 + 7] = np.nan
    plain, found = _features(samples), _features(broken)
    regions = [{0, 1}, {2}]
    dead = [name for name, of in zip("ab", regions, strict=True) if of <= set(channels)]
    touched = [name for name, of in zip("ab", regions, strict=True) if of & set(channels)]
    for i, (name, group) in enumerate(zip(plain.names, plain.groups, strict=True)):
        if group in ("neighbours", "muscle"):
            continue
        of = name.split(".")[0].split("~")
        rest = [e for e in range(15) if e not in epochs]
        np.testing.assert_array_equal(found.values[rest, i], plain.values[rest, i])
        if any(r in dead for r in of):
            assert np.isnan(found.values[epochs, i]).all(), name
        elif not any(r in touched for r in of):
            np.testing.assert_array_equal(found.values[epochs, i], plain.values[epochs, i])


def test_every_unit_is_one_that_the_gain_test_knows():
    assert set(UNITS.values()) == {"", "ln", "ln uV^2", "ln uV", "uV", "uV/s", "1/s", "Hz"}
