"""The step that judges channels, and what the steps do that take its advice or refuse it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from wakeful.catalog import load_catalog
from wakeful.model.arrays import Lfp, MemorySink, MemorySource
from wakeful.model.epochs import LfpEmg
from wakeful.model.quality import ChannelQuality, FaultKind, Mark, Verdict
from wakeful.model.subject import Channel, ChannelKind, Session, Subject
from wakeful.model.time import Interval, Span
from wakeful.steps import band_power, convert, muscle, sleep, spectrogram
from wakeful.steps.channel_quality import STEP, Inputs, Params, compute

BLOCK = Interval(0.0, 120.0)
SESSION = Session(
    name="s", subject=Subject(identifier="M"), start_utc=None, duration_s=120.0, block_s=120.0
)


def make_lfp(n_channels: int = 3, *, corners=None, seed: int = 0, kinds=None) -> Lfp:
    rng = np.random.default_rng(seed)
    shared = np.cumsum(rng.normal(0, 2, 120_000))
    time_s = np.arange(120_000) / 1000
    shared = (
        40 * np.sin(2 * np.pi * 2 * time_s)
        + shared
        - np.convolve(shared, np.ones(1001) / 1001, "same")
    )
    samples = shared + rng.normal(0, 2, (n_channels, 120_000))
    channels = tuple(
        Channel(
            name=f"c{i}",
            region="CA1",
            gain_uv=0.1,
            highpass_hz=(corners or [0.1] * n_channels)[i],
            kind=(kinds or [ChannelKind.LFP] * n_channels)[i],
        )
        for i in range(n_channels)
    )
    stored = np.rint(samples / 0.1).clip(-32767, 32767).astype(np.int16)
    return Lfp(MemorySource(stored, channels, (Span(0.0, 120_000, 1000.0, 0),)), 1000.0)


def flatten(lfp: Lfp, row: int, start_s: float, stop_s: float) -> Lfp:
    samples = np.empty((len(lfp.channels), 120_000), np.int16)
    lfp.samples.read(0, samples)
    samples[row, int(start_s * 1000) : int(stop_s * 1000)] = 0
    return Lfp(MemorySource(samples, lfp.channels, lfp.spans), 1000.0)


def mark(start_s, stop_s, verdict=Verdict.BAD, channels=("c0",), reason="cable"):
    return Mark(
        channels=channels,
        start_s=start_s,
        stop_s=stop_s,
        verdict=verdict,
        reason=reason,
        author="ann",
    )


def judge(lfp: Lfp, *marks: Mark) -> ChannelQuality:
    inputs = Inputs(lfp=lfp, block=BLOCK, session=SESSION, marks=tuple(marks))
    return compute(inputs, Params()).channel_quality


def rows(quality: ChannelQuality) -> list[tuple[str, str, float, float, bool]]:
    return [
        (
            quality.channels[c],
            FaultKind(int(k)).label,
            float(a),
            float(b),
            bool(h),
        )
        for c, k, a, b, h in zip(
            quality.channel,
            quality.kind,
            quality.start_s,
            quality.stop_s,
            quality.heeded,
            strict=True,
        )
    ]


def test_clean_channels_have_measures_and_no_faults():
    made = compute(Inputs(lfp=make_lfp(), block=BLOCK, session=SESSION, marks=()), Params())
    assert rows(made.channel_quality) == []
    measures = made.channel_measures
    assert measures.flat_share.tolist() == [[0, 0, 0]]
    assert (measures.slope > 1).all()
    assert (measures.likeness > 0.9).all()


def test_a_mark_is_a_line_of_its_own():
    quality = judge(make_lfp(), mark(10, 40))
    assert rows(quality) == [("c0", "bad by hand", 10, 40, True)]
    assert quality.reason.tolist() == ["marked by ann: cable"]
    everyone = judge(make_lfp(), mark(10, 40, channels=()))
    assert [r[0] for r in rows(everyone)] == ["c0", "c1", "c2"]
    assert rows(judge(make_lfp(), mark(10, 40, channels=("other",)))) == []


def test_a_hand_wins_over_a_rule_for_as_long_as_it_says():
    lfp = flatten(make_lfp(), 0, 20, 60)
    assert rows(judge(lfp)) == [("c0", "flat", 20, 60, True)]
    assert rows(judge(lfp, mark(30, 40, Verdict.GOOD))) == [
        ("c0", "flat", 20, 30, True),
        ("c0", "flat", 30, 40, False),
        ("c0", "flat", 40, 60, True),
    ]
    text = judge(lfp, mark(0, 120, Verdict.GOOD, reason="sleeping")).reason[0]
    assert text.endswith("; marked good by ann: sleeping")


def test_the_later_of_two_marks_wins():
    both = judge(make_lfp(), mark(0, 100), mark(40, 60, Verdict.GOOD))
    assert rows(both) == [("c0", "bad by hand", 0, 40, True), ("c0", "bad by hand", 60, 100, True)]
    other_way = judge(make_lfp(), mark(40, 60, Verdict.GOOD), mark(0, 100))
    assert rows(other_way) == [("c0", "bad by hand", 0, 100, True)]


def spectra(lfp: Lfp, quality: ChannelQuality | None, **params):
    inputs = spectrogram.Inputs(lfp=lfp, block=BLOCK, session=SESSION, channel_quality=quality)
    return spectrogram.compute(inputs, spectrogram.Params(**params)).spectrogram


def test_the_regional_median_leaves_out_what_is_bad_then_and_is_nan_where_none_is_left():
    lfp = make_lfp(2)
    samples = np.empty((2, 120_000), np.int16)
    lfp.samples.read(0, samples)
    loud = Lfp(
        MemorySource((samples * np.array([[1], [3]])).astype(np.int16), lfp.channels, lfp.spans),
        1000.0,
    )
    quality = judge(
        loud, mark(0, 40, channels=("c1",)), mark(20, 40, channels=("c0",)), mark(60, 80)
    )
    plain = spectra(loud, None)
    masked = spectra(loud, quality)
    quiet = spectra(lfp, None)
    power = masked.power_uv2_per_hz[:, 0]
    assert np.isnan(power[5:10]).all()
    assert np.isfinite(np.delete(power, range(5, 10), axis=0)).all()
    np.testing.assert_allclose(power[:5], spectra_of_one(loud, 0)[:5])
    np.testing.assert_allclose(power[15:20], spectra_of_one(loud, 1)[15:20])
    np.testing.assert_array_equal(power[20:], plain.power_uv2_per_hz[20:, 0])
    off = spectra(loud, quality, use_masks=False)
    np.testing.assert_array_equal(off.power_uv2_per_hz, plain.power_uv2_per_hz)
    assert quiet.channels == masked.channels


def spectra_of_one(lfp: Lfp, row: int) -> np.ndarray:
    samples = np.empty((len(lfp.channels), 120_000), np.int16)
    lfp.samples.read(0, samples)
    one = Lfp(MemorySource(samples[[row]], (lfp.channels[row],), lfp.spans), 1000.0)
    return spectra(one, None).power_uv2_per_hz[:, 0]


def powers(lfp: Lfp):
    made = spectra(lfp, None)
    inputs = band_power.Inputs(spectrogram=made, block=BLOCK, session=SESSION)
    return made, band_power.compute(inputs, band_power.Params()).band_power


def test_delta_is_refused_behind_a_high_pass_of_one_hertz_and_nothing_else():
    _, power = powers(make_lfp(corners=[1.0, 1.0, 2.0]))
    known = np.isfinite(power.power_uv2).all(axis=(0, 1))
    assert dict(zip(power.bands, known.tolist(), strict=True)) == {
        "delta": False,
        "theta": True,
        "sigma": True,
        "beta": True,
        "slow gamma": True,
        "fast gamma": True,
        "ripple": True,
    }
    assert power.refused == ("CA1: hardware high-pass of 1 Hz: delta can't be trusted",)
    for corners in ([0.1] * 3, [0.5] * 3, [None] * 3):
        _, power = powers(make_lfp(corners=corners))
        assert np.isfinite(power.power_uv2).all()
        assert power.refused == ()


def test_the_channels_that_hold_slow_waves_give_a_regions_delta_alone():
    lfp = make_lfp(2, corners=[1.0, 0.1])
    made, power = powers(lfp)
    assert power.refused == ()
    assert np.isfinite(power.power_uv2).all()
    alone = spectra_of_one(lfp, 1)
    low = made.frequency_hz < 2.0
    np.testing.assert_array_equal(made.power_uv2_per_hz[:, 0][:, low], alone[:, low])
    assert (made.power_uv2_per_hz[:, 0][:, ~low] != alone[:, ~low]).any()


def test_sleep_is_not_scored_without_delta_and_says_why():
    assert sleep.STEP.unavailable is not None
    lost = make_lfp(corners=[1.0] * 3).channels
    assert sleep.STEP.unavailable(lost) == "hardware high-pass of 1 Hz: delta can't be trusted"
    assert sleep.STEP.unavailable(make_lfp(corners=[1.0, 0.1, None]).channels) == ""


def tone(quality, kinds, **params):
    lfp = make_lfp(2, kinds=kinds)
    emg = LfpEmg(
        start_s=np.arange(240) * 0.5,
        correlation=np.full(240, 0.4, np.float32),
        bin_s=0.5,
        channels=("c0", "c1"),
    )
    inputs = muscle.Inputs(
        lfp=lfp, lfp_emg=emg, block=BLOCK, session=SESSION, channel_quality=quality
    )
    return muscle.compute(inputs, muscle.Params(**params)).muscle


def test_a_bad_emg_is_left_out_but_not_for_its_hum():
    kinds = [ChannelKind.EMG, ChannelKind.LFP]
    quality = judge(make_lfp(2, kinds=kinds), mark(0, 40))
    assert np.isnan(tone(quality, kinds).emg_uv[:10]).all()
    assert np.isfinite(tone(quality, kinds).emg_uv[10:]).all()
    assert np.isfinite(tone(quality, kinds, use_masks=False).emg_uv).all()
    hum = dataclasses.replace(quality, kind=np.full(1, FaultKind.MAINS, np.int8))
    assert np.isfinite(tone(hum, kinds).emg_uv).all()


def test_tone_from_the_lfp_is_nan_where_fewer_than_two_good_channels_were_compared():
    kinds = [ChannelKind.LFP, ChannelKind.LFP]
    quality = judge(make_lfp(2), mark(0, 40))
    found = tone(quality, kinds).lfp_emg
    assert np.isnan(found[:10]).all()
    assert (found[10:] == np.float32(0.4)).all()


def test_a_step_that_refuses_sees_a_channel_that_went_silent_as_it_was_recorded():
    """The animal's death silences its channels: who looks for that must not lose them."""
    lfp = flatten(make_lfp(), 0, 60, 120)
    refusing = [s for s in load_catalog().steps.values() if s.masks == "refuses"]
    assert [s.name for s in refusing] == ["convert"]
    assert all("channel_quality" not in s.input_fields() for s in refusing)
    made = convert.compute(
        convert.Inputs(raw=lfp.samples, block=BLOCK, lfp_sink=MemorySink()), convert.Params()
    )
    assert (made.lfp.read_uv(70_000, 40_000, (0,)) == 0).all()
    assert made.lfp.read_uv(0, 50_000, (0,)).std() > 10


@pytest.mark.parametrize("name", list(load_catalog().steps))
def test_every_step_that_takes_the_advice_can_be_told_not_to(name):
    step = load_catalog().steps[name]
    takes = step.masks == "takes"
    assert ("channel_quality" in step.input_fields()) == takes
    assert ("use_masks" in {f.name for f in dataclasses.fields(step.params)}) == takes
    assert STEP.name == "channel_quality"
