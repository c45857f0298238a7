"""The step that makes features for sleep scoring."""

from __future__ import annotations

import dataclasses
import tracemalloc

import numpy as np
import pytest

from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.epochs import MuscleTone, SleepFeatures
from wakeful.model.errors import BadParameters, Unavailable
from wakeful.model.quality import ChannelQuality, FaultKind
from wakeful.model.subject import Channel, ChannelKind, Session, Subject
from wakeful.model.time import Interval, Span
from wakeful.steps import band_power, spectrogram
from wakeful.steps.sleep_features import STEP, Inputs, Params, compute

RATE_HZ = 500.0
GONE = frozenset({"spectrum", "shape", "pairs"})


def _session(duration_s, epoch_s=4.0):
    return Session(
        name="s",
        subject=Subject(identifier="M1"),
        start_utc=None,
        duration_s=duration_s,
        epoch_s=epoch_s,
    )


def _lfp(samples, regions, spans=None, **facts):
    channels = tuple(
        dataclasses.replace(Channel(name=f"c{i}", region=r), **facts) for i, r in enumerate(regions)
    )
    spans = spans or (Span(0.0, samples.shape[1], RATE_HZ, 0),)
    return Lfp(MemorySource(samples, channels, spans), RATE_HZ)


def _noise(n_channels, seconds, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 10, (n_channels, int(seconds * RATE_HZ))).astype(np.float32)


def _compute(lfp, *, block=None, muscle=None, quality=None, epoch_s=4.0, **params):
    stop_s = lfp.spans[-1].stop_s
    inputs = Inputs(
        lfp=lfp,
        block=block or Interval(0.0, np.floor(stop_s / epoch_s) * epoch_s),
        session=_session(stop_s, epoch_s),
        muscle=muscle,
        channel_quality=quality,
    )
    return compute(inputs, Params(**params)).sleep_features


def _brain(features):
    return features.values[:, [g in GONE for g in features.groups]]


def _bad(channel, start_s, stop_s, names):
    one = np.ones(1)
    return ChannelQuality(
        start_s=one * start_s,
        stop_s=one * stop_s,
        channel=np.array([names.index(channel)], np.int32),
        kind=np.array([FaultKind.CLIPPED], np.int8),
        value=one,
        limit=one,
        heeded=np.array([True]),
        reason=np.array(["clipped"]),
        channels=tuple(names),
        regions=tuple("" for _ in names),
    )


def test_band_powers_are_those_of_the_band_power_step():
    lfp = _lfp(_noise(5, 60), ["CA1", "CA1", "CA1", "PFC", "PFC"])
    found = _compute(lfp)
    session, block = _session(60.0), Interval(0, 60)
    spectra = spectrogram.compute(
        spectrogram.Inputs(lfp=lfp, block=block, session=session), spectrogram.Params()
    ).spectrogram
    power = band_power.compute(
        band_power.Inputs(spectrogram=spectra, block=block, session=session), band_power.Params()
    ).band_power
    assert found.regions == power.regions == ("CA1", "PFC")
    assert found.channels == (("c0", "c1", "c2"), ("c3", "c4"))
    for r, region in enumerate(power.regions):
        for b, band in enumerate(power.bands):
            if band == "ripple":
                continue  # only the step has it
            column = found.column(f"{region}.log_power_{band.replace(' ', '_')}")
            np.testing.assert_allclose(column, np.log(power.power_uv2[:, r, b]), rtol=1e-5)


def test_an_epoch_that_touches_a_gap_is_nan_throughout():
    samples = _noise(2, 40)
    n = 8200  # to 16.4 s
    spans = (Span(0.0, n, RATE_HZ, 0), Span(21.0, samples.shape[1] - n, RATE_HZ, n))
    found = _compute(_lfp(samples, ["a", "b"], spans))
    assert found.start_s.tolist() == [i * 4.0 for i in range(11)]
    gone = [i for i, row in enumerate(_brain(found)) if np.isnan(row).all()]
    assert gone == [4, 5]
    assert np.isnan(found.values[gone]).all()
    assert np.isfinite(found.column("a~b.coherence_theta")[[3, 6]]).all()
    # The neighbours know nothing of what lies behind the gap.
    assert np.isnan(found.column("a.log_power_delta.after_1")[3])
    assert np.isnan(found.column("a.log_power_delta.before_1")[6])
    mean = found.column("a.log_power_delta.mean_60s")
    np.testing.assert_allclose(mean[:4], found.column("a.log_power_delta")[:4].mean(), rtol=1e-6)


def test_flat_broken_and_bad_channels_are_left_out_and_never_zero():
    samples = _noise(4, 20)
    samples[1, :] = 5.0  # flat throughout
    samples[3, 3000] = np.nan  # in the second epoch
    lfp = _lfp(samples, ["a", "a", "b", "b"])
    quality = _bad("c2", 8.5, 9.0, ["c0", "c1", "c2", "c3"])  # in the third
    found = _compute(lfp, quality=quality)
    alone = _compute(_lfp(samples[[0, 2, 3]], ["a", "b", "b"]), quality=quality)
    a = [i for i, n in enumerate(found.names) if n.startswith("a.")]
    np.testing.assert_array_equal(found.values[:, a], alone.values[:, a])
    only_c2 = _compute(_lfp(samples[[2]], ["b"]))
    np.testing.assert_array_equal(
        found.column("b.line_length")[1], only_c2.column("b.line_length")[1]
    )
    only_c3 = _compute(_lfp(samples[[3]], ["b"]))
    np.testing.assert_array_equal(
        found.column("b.log_power_theta")[2], only_c3.column("b.log_power_theta")[2]
    )
    heedless = _compute(lfp, quality=quality, use_masks=False)
    assert heedless.column("b.line_length")[2] != found.column("b.line_length")[2]
    assert not (found.values == 0).any()


def test_a_region_without_a_good_channel_is_nan_and_the_others_go_on():
    samples = _noise(3, 20)
    samples[0, 2000:4000] = 0.0
    found = _compute(_lfp(samples, ["a", "b", "c"]))
    lost = {n for n, v in zip(found.names, found.values[1], strict=True) if np.isnan(v)}
    assert {"a.log_power_delta", "a.sample_entropy", "a~b.coherence_delta"} <= lost
    others = [n for n in lost if n.startswith(("b.", "c.", "b~c."))]
    # Two epochs before the second there is none; white noise need not have a theta peak.
    assert [n for n in others if "before_2" not in n and "peak" not in n] == []


def _tone(start_s, epoch_s=4.0):
    return MuscleTone(
        start_s=np.asarray(start_s, float),
        emg_uv=np.exp(np.arange(len(start_s))).astype(np.float32),
        lfp_emg=np.linspace(0.1, 0.9, len(start_s)).astype(np.float32),
        emg_channels=("m",),
        emg_band_hz=(30.0, 300.0),
        epoch_s=epoch_s,
    )


def test_muscle_tone_is_matched_by_its_time():
    lfp = _lfp(_noise(1, 20), ["a"])
    found = _compute(lfp, muscle=_tone([4.0, 8.0, 16.0]))
    np.testing.assert_allclose(found.column("log_emg"), [np.nan, 0, 1, np.nan, 2], rtol=1e-6)
    assert np.isnan(found.column("lfp_emg")).tolist() == [True, False, False, True, False]
    assert np.isnan(_compute(lfp).column("log_emg")).all()
    with pytest.raises(BadParameters, match=r"epochs of 2\.0 s"):
        _compute(lfp, muscle=_tone([0.0], 2.0))


def test_silence_of_a_muscle_has_no_logarithm():
    tone = dataclasses.replace(_tone([0.0]), emg_uv=np.zeros(1, np.float32))
    assert np.isnan(_compute(_lfp(_noise(1, 4), ["a"]), muscle=tone).column("log_emg")).all()


def test_only_epochs_of_the_block_are_given_with_neighbours_from_beyond():
    lfp = _lfp(_noise(2, 400), ["a", "b"])
    whole = _compute(lfp)
    part = _compute(lfp, block=Interval(160, 240))
    assert part.start_s.tolist() == np.arange(160.0, 240.0, 4.0).tolist()
    np.testing.assert_array_equal(part.values, whole.cut(Interval(160, 240)).values)


def test_what_the_hardware_took_is_told_and_nan():
    found = _compute(_lfp(_noise(2, 12), ["a", "b"], highpass_hz=1.0))
    assert [text.split(":")[0] for text in found.refused] == ["a", "b"]
    assert "hardware high-pass of 1 Hz: delta, all that refers" in found.refused[0]
    assert np.isnan(found.column("a.log_power_delta")).all()
    assert np.isfinite(found.column("a.log_power_theta")).all()
    assert _compute(_lfp(_noise(1, 12), ["a"])).refused == ()


def test_it_says_what_it_can_not_do():
    with pytest.raises(Unavailable, match="no LFP or EEG channel"):
        _compute(_lfp(_noise(1, 8), ["a"], kind=ChannelKind.EMG))
    assert STEP.unavailable is not None
    assert STEP.unavailable((Channel(name="m", kind=ChannelKind.EMG),))
    with pytest.raises(BadParameters, match="longer than 60 s"):
        _compute(_lfp(_noise(1, 140), ["a"]), epoch_s=70.0)
    with pytest.raises(BadParameters, match="tapers"):
        _compute(_lfp(_noise(1, 8), ["a"]), n_tapers=9)
    with pytest.raises(BadParameters, match="n_tapers = 0"):
        Params(n_tapers=0)
    with pytest.raises(BadParameters, match="no feature 'a'"):
        _compute(_lfp(_noise(1, 8), ["a"])).column("a")


@pytest.mark.parametrize("epoch_s", [1.0, 2.0, 10.0, 60.0])
def test_other_epochs_work_too(epoch_s):
    found = _compute(_lfp(_noise(1, 130), ["a"]), epoch_s=epoch_s, n_tapers=1, half_bandwidth_hz=1)
    assert found.n_rows == 130 // epoch_s
    assert np.isfinite(found.column("a.log_power_theta")).all()


def test_no_recording_gives_rows_without_numbers():
    lfp = Lfp(MemorySource(np.empty((1, 0), np.float32), (Channel(name="c"),), ()), RATE_HZ)
    inputs = Inputs(lfp=lfp, block=Interval(0, 20), session=_session(20.0))
    found = compute(inputs, Params()).sleep_features
    assert found.n_rows == 5
    assert np.isnan(found.values).all()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_block():
    def peak(seconds):
        lfp = _lfp(_noise(4, seconds), list("abcd"))
        _compute(lfp, block=Interval(0, 8))
        tracemalloc.start()
        _compute(lfp)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    # More time adds its table, 1 MB, and not its samples, 20 MB; how far two threads' work
    # overlaps is chance. Both are long enough to hold one batch while the next is read.
    short, long = peak(5000), peak(7500)
    assert long - short < 10e6


def test_to_xarray_names_features_units_and_groups():
    found = _compute(_lfp(_noise(2, 12), ["CA1", "PFC"]))
    array = found.to_xarray()
    assert array.dims == ("start_s", "feature")
    theta = array.sel(feature="CA1.log_power_theta")
    assert str(theta.unit.item()) == "ln uV^2"
    assert str(theta.group.item()) == "spectrum"
    np.testing.assert_array_equal(theta, found.column("CA1.log_power_theta"))


def test_blocks_join():
    lfp = _lfp(_noise(1, 80), ["a"])
    parts = [_compute(lfp, block=Interval(a, a + 40)) for a in (0, 40)]
    np.testing.assert_array_equal(SleepFeatures.join(parts).values, _compute(lfp).values)
