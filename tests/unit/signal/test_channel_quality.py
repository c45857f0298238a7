"""Faults of channels: each planted one found in its time and by its name, and no others."""

from __future__ import annotations

import dataclasses
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from wakeful.analysis import compute_lfp, make_source
from wakeful.io.recording import read_recording
from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.errors import BadParameters
from wakeful.model.quality import FaultKind
from wakeful.model.subject import Channel, ChannelKind
from wakeful.model.time import Interval, Span
from wakeful.signal.channel_faults import Finding, judge
from wakeful.signal.channel_quality import survey
from wakeful.signal.quality_limits import QualityLimits
from wakeful.simulate import FaultType, PlantedFault, RecordingPlan, SubjectPlan, simulate_subject

LIMITS = QualityLimits()
GAIN_UV = 3000 / 32768
DURATION_S = 420.0


def simulate(seed: int, *faults: PlantedFault, duration_s: float = DURATION_S) -> Lfp:
    plan = RecordingPlan(
        subject=SubjectPlan(seed=seed), duration_s=duration_s, faults=tuple(faults)
    )
    mouse = simulate_subject(plan)
    stored = np.clip(np.rint(mouse.samples_uv / GAIN_UV), -32767, 32767).astype(np.int16)
    channels = tuple(dataclasses.replace(c, gain_uv=GAIN_UV) for c in mouse.channels)
    return Lfp(MemorySource(stored, channels, mouse.spans), 1000.0)


def find(lfp: Lfp, interval: Interval | None = None, limits: QualityLimits = LIMITS):
    interval = interval or Interval(0.0, lfp.spans[-1].stop_s)
    measured = survey(lfp, range(len(lfp.channels)), interval, limits)
    return judge(measured, lfp.channels, lfp.samples.dtype, limits).findings


def told(findings: tuple[Finding, ...]) -> set[tuple[int, FaultKind]]:
    return {(f.row, f.kind) for f in findings}


def noise(n_channels: int, n: int, seed: int = 0, gain_uv: float = 0.1) -> Lfp:
    """Channels that fall with 1/f^2 and share most of their signal."""
    rng = np.random.default_rng(seed)
    smooth = lfilter([1.0], [1.0, -0.99], rng.normal(0, 3, (n_channels + 1, n)), axis=1)
    signal = 2 * smooth[:1] + smooth[1:] + rng.normal(0, 0.5, (n_channels, n))
    stored = np.rint(signal / gain_uv).astype(np.int16)
    channels = tuple(
        Channel(name=f"c{i}", region="CA1", gain_uv=gain_uv) for i in range(n_channels)
    )
    return Lfp(MemorySource(stored, channels, (Span(0.0, n, 1000.0, 0),)), 1000.0)


def spoil(lfp: Lfp, row: int, change) -> Lfp:
    samples = np.empty((len(lfp.channels), lfp.spans[-1].stop_sample), lfp.samples.dtype)
    lfp.samples.read(0, samples)
    samples[row] = change(samples[row].astype(np.float64), samples)
    return Lfp(MemorySource(samples, lfp.channels, lfp.spans), lfp.rate_hz)


# One mouse whose every kind of fault is planted once, each in a channel of its own.
PLANTED = (
    PlantedFault(channel="CSC1", kind=FaultType.FLAT, start_s=100, stop_s=170),
    PlantedFault(channel="CSC2", kind=FaultType.CLIPPED, start_s=60, stop_s=360),
    PlantedFault(channel="CSC4", kind=FaultType.HUM, start_s=60, stop_s=360),
    PlantedFault(channel="CSC5", kind=FaultType.LOOSE, start_s=60, stop_s=360),
    PlantedFault(channel="CSC7", kind=FaultType.COPY, of="CSC3", start_s=60, stop_s=360),
    PlantedFault(channel="CSC8", kind=FaultType.INVERTED, of="CSC6", start_s=60, stop_s=360),
    PlantedFault(channel="EMG1", kind=FaultType.FLAT, start_s=300),
)
WANTED = {
    0: (FaultKind.FLAT, 100, 170, 0.5),
    1: (FaultKind.CLIPPED, 60, 360, 5),
    3: (FaultKind.MAINS, 60, 360, 0),
    4: (FaultKind.DISCONNECTED, 60, 360, 0),
    6: (FaultKind.COPY, 60, 360, 0),
    7: (FaultKind.COPY, 60, 360, 0),
    8: (FaultKind.DEAD, 300, 420, 0.5),
}


@pytest.fixture(scope="module")
def spoilt() -> Lfp:
    return simulate(11, *PLANTED)


def test_every_planted_fault_is_found_by_name_and_in_its_time(spoilt):
    findings = find(spoilt)
    assert told(findings) == {(row, kind) for row, (kind, *_) in WANTED.items()}
    for row, (kind, start_s, stop_s, slack_s) in WANTED.items():
        parts = [f.interval for f in findings if f.row == row and f.kind is kind]
        assert abs(parts[0].start_s - start_s) <= slack_s, (row, parts[0])
        assert abs(parts[-1].stop_s - stop_s) <= slack_s, (row, parts[-1])


def test_reasons_say_what_was_measured(spoilt):
    reason = {f.row: f.reason for f in find(spoilt)}
    assert reason[0] == "no change at all, at 0 µV"
    assert "at 600 µV, a plateau" in reason[1]
    assert "hum of 50 Hz" in reason[3]
    assert "noise, no signal" in reason[4]
    assert "the same as CSC3" in reason[6]
    assert "the same as CSC6 with its sign turned: correlation -0.99" in reason[7]


@pytest.mark.parametrize("seed", [21, 22, 23])
def test_clean_mice_have_no_faults(seed):
    assert find(simulate(seed)) == ()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40, 52))
def test_clean_mice_have_no_faults_over_an_hour(seed):
    assert find(simulate(seed, duration_s=3600.0)) == ()


@pytest.mark.parametrize("start_s", [0.0, 60.0, 120.0])
def test_the_border_of_a_block_moves_no_measure(spoilt, start_s):
    """Slots and cells are counted from the session's start: a block sees what the whole sees."""
    whole = survey(spoilt, range(9), Interval(0, DURATION_S), LIMITS)
    part = survey(spoilt, range(9), Interval(start_s, start_s + 60), LIMITS)
    place = np.searchsorted(whole.slot_start_s, start_s)
    for name in ("mains_share", "slope", "likeness", "rms_uv", "twin"):
        np.testing.assert_array_equal(
            getattr(part, name), getattr(whole, name)[place : place + 2], name
        )
    place = np.searchsorted(whole.cell_start_s, start_s)
    np.testing.assert_array_equal(part.high_uv, whole.high_uv[place : place + 120])


def test_neighbours_that_share_nearly_all_are_no_copies():
    lfp = noise(3, 120_000)
    shared = np.empty((3, 120_000), np.int16)
    lfp.samples.read(0, shared)
    assert np.corrcoef(shared)[0, 1] > 0.75
    assert find(lfp) == ()
    rng = np.random.default_rng(1)
    # 99.9 % the same and apart by amplifier noise of 1 uV: one electrode on two inputs.
    bridged = spoil(lfp, 1, lambda _, all_: all_[0] + np.rint(rng.normal(0, 10, 120_000)))
    assert find(bridged) == ()
    copied = spoil(lfp, 1, lambda _, all_: all_[0] + rng.integers(-1, 2, 120_000))
    assert told(find(copied)) == {(1, FaultKind.COPY)}
    louder = spoil(lfp, 2, lambda _, all_: np.rint(all_[0] * -0.5))
    (finding,) = find(louder)
    assert (finding.row, finding.kind) == (2, FaultKind.COPY)
    assert finding.value < -0.999


def test_the_rails_of_the_type_and_of_a_smaller_converter():
    lfp = noise(2, 120_000, gain_uv=0.1)
    rail = 500
    clipped = spoil(lfp, 0, lambda row, _: np.clip(row * 4, -rail, rail))
    findings = find(clipped)
    assert told(findings) == {(0, FaultKind.CLIPPED)}
    assert "a plateau" in findings[0].reason
    samples = np.empty((2, 120_000), np.int16)
    clipped.samples.read(0, samples)
    truth = np.mean(np.abs(samples[0]) >= rail)
    assert truth / 1.5 < findings[0].value < truth * 1.5
    railed = spoil(lfp, 1, lambda row, _: np.clip(row * 60, -32768, 32767))
    (finding, *_) = find(railed)
    assert (finding.row, finding.kind) == (1, FaultKind.CLIPPED)
    assert finding.reason.endswith("at the type's rail")


def test_pulses_of_one_height_are_no_clipping():
    """A stimulator's artefacts reach the same value each time, for a moment."""
    lfp = noise(2, 120_000)
    pulses = np.zeros(120_000)
    pulses[::2000] = 3000
    assert find(spoil(lfp, 0, lambda row, _: row + pulses)) == ()


def test_a_channel_that_dies_is_told_from_one_that_rests():
    lfp = noise(3, 180_000)

    def silence(first, stop):
        return lambda row, _: np.where(
            (np.arange(180_000) // 1000 >= first) & (np.arange(180_000) // 1000 < stop), 7, row
        )

    dead, rests = find(spoil(lfp, 0, silence(100, 180))), find(spoil(lfp, 0, silence(50, 130)))
    assert [(f.kind, f.interval) for f in dead] == [(FaultKind.DEAD, Interval(100.0, 180.0))]
    assert [(f.kind, f.interval) for f in rests] == [(FaultKind.FLAT, Interval(50.0, 130.0))]
    assert dead[0].reason == "no change at all, at 0.7 µV"
    at_once = lfp
    for row in range(3):
        at_once = spoil(at_once, row, silence(100, 180))
    reasons = [f.reason for f in find(at_once)]
    assert len(reasons) == 3
    assert all("3 channels at once: the animal may have died" in r for r in reasons)


def test_toggling_by_one_step_is_flat_and_by_three_is_not():
    lfp = noise(2, 60_000)
    rng = np.random.default_rng(0)
    one = spoil(lfp, 0, lambda row, _: rng.integers(0, 2, len(row)))
    assert (0, FaultKind.FLAT) in told(find(one))
    three = spoil(lfp, 0, lambda row, _: rng.integers(0, 4, len(row)))
    assert (0, FaultKind.FLAT) not in told(find(three))
    assert (0, FaultKind.DISCONNECTED) in told(find(three))


def test_a_channel_unlike_its_region_is_loose_though_its_spectrum_falls():
    lfp, other = noise(4, 120_000), noise(1, 120_000, seed=99)
    foreign = np.empty((1, 120_000), np.int16)
    other.samples.read(0, foreign)
    findings = find(spoil(lfp, 2, lambda *_: foreign[0]))
    assert told(findings) == {(2, FaultKind.DISCONNECTED)}
    assert "with the likest channel of CA1" in findings[0].reason
    # An electrode beyond the layer that turns theta round is as like as the others.
    assert find(spoil(lfp, 2, lambda row, _: -row)) == ()
    alone = Lfp(
        MemorySource(foreign, (Channel(name="x", region="V1", gain_uv=0.1),), other.spans), 1000.0
    )
    assert find(alone) == ()


def test_sixty_hertz_is_found_where_fifty_was_expected_and_white_emg_is_no_fault():
    lfp = noise(2, 120_000)
    time_s = np.arange(120_000) / 1000
    hum = spoil(lfp, 1, lambda row, _: row + 8000 * np.sin(2 * np.pi * 60.01 * time_s))
    (finding,) = find(hum)
    assert (finding.row, finding.kind) == (1, FaultKind.MAINS)
    assert "60 Hz" in finding.reason
    rng = np.random.default_rng(0)
    emg = Channel(name="emg", kind=ChannelKind.EMG, gain_uv=0.1)
    white = Lfp(
        MemorySource(
            rng.normal(0, 100, (1, 60_000)).astype(np.int16), (emg,), (Span(0, 60_000, 1000.0, 0),)
        ),
        1000.0,
    )
    assert find(white) == ()


def test_nothing_runs_across_a_gap_and_an_empty_block_has_no_verdict():
    samples = np.zeros((1, 6000), np.float32)
    channels = (Channel(name="a"),)
    spans = (Span(0.0, 3000, 1000.0, 0), Span(100.0, 3000, 1000.0, 3000))
    lfp = Lfp(MemorySource(samples, channels, spans), 1000.0)
    parts = [f.interval for f in find(lfp, Interval(0, 200))]
    assert parts == [Interval(0.0, 3.0), Interval(100.0, 103.0)]
    empty = survey(lfp, (0,), Interval(10, 90), LIMITS)
    judged = judge(empty, channels, lfp.samples.dtype, LIMITS)
    assert judged.findings == ()
    assert np.isnan(judged.flat_share).all()


def test_a_number_that_is_none_makes_a_window_unmeasurable_and_no_fault():
    lfp = noise(2, 60_000)
    samples = lfp.read_uv(0, 60_000)
    samples[0, 14_000] = np.nan
    found = survey(
        Lfp(MemorySource(samples, lfp.channels, lfp.spans), 1000.0),
        (0, 1),
        Interval(0, 60),
        LIMITS,
    )
    assert np.isnan(found.slope[:, 0]).tolist() == [True, False]
    assert np.isfinite(found.slope[:, 1]).all()


def test_memory_does_not_grow_with_the_samples():
    def peak(n: int) -> int:
        lfp = Lfp(make_source(np.ones((8, n), np.int16), 1000.0), 1000.0)
        tracemalloc.start()
        survey(lfp, range(8), Interval(0, n / 1000), LIMITS)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(60_000)
    short, long = peak(60_000), peak(600_000)
    # The tables of cells grow, by some 50 bytes a channel and second; the samples are 2,000.
    assert long - short < 540 * 8 * 120


@pytest.mark.parametrize("change", [{"plateau": 2.0}, {"window_s": 60.0}, {"min_slots": 0}])
def test_limits_out_of_range_are_refused(change):
    with pytest.raises(BadParameters):
        QualityLimits(**change)


@pytest.mark.real_data
def test_a_real_mouse_has_no_faults(real_data: Path):
    """29 min of EEG and EMG that nothing is known to be wrong with: nothing is accused."""
    recording = read_recording(real_data / "sleep/lishen_openephys_raw")
    lfp, _ = compute_lfp(recording.open(recording.description.streams[0].name))
    assert find(lfp) == ()


@pytest.mark.real_data
def test_a_recording_that_is_mostly_noise_is_told(real_data: Path):
    """Railed in the first 40 s, then level noise with 50 Hz."""
    recording = read_recording(real_data / "sleep/misleep_10min_raw")
    lfp, _ = compute_lfp(recording.open(recording.description.streams[0].name))
    findings = find(lfp)
    loose_s = np.zeros(4)
    for f in findings:
        if f.kind is FaultKind.DISCONNECTED:
            loose_s[f.row] += f.interval.duration_s
    assert (loose_s[:2] > 480).all()
    # The other two share a line at 41 Hz now and then, and are let pass where they do.
    assert (loose_s[2:] > 120).all()
    clipped = [f.interval for f in findings if f.kind is FaultKind.CLIPPED]
    assert clipped
    assert max(part.stop_s for part in clipped) < 60


@pytest.mark.real_data
def test_muscle_on_a_scalp_is_not_taken_for_a_loose_electrode(real_data: Path):
    """138 electrodes in 6 s: temporal ones have level spectra, and follow their neighbours."""
    recording = read_recording(real_data / "recordings/edf_mne/test.edf")
    lfp, _ = compute_lfp(recording.open(recording.description.streams[0].name))
    measured = survey(lfp, range(138), Interval(0, 6), LIMITS)
    assert np.sum(measured.slope < LIMITS.min_slope) > 20
    found = judge(measured, lfp.channels, lfp.samples.dtype, LIMITS).findings
    loose = {lfp.channels[f.row].name for f in found if f.kind is FaultKind.DISCONNECTED}
    assert len(loose) <= 1


def test_noise_that_resembles_a_neighbour_is_let_pass_and_alone_it_is_not():
    rng = np.random.default_rng(5)
    shared = rng.normal(0, 100, 60_000)
    rows = np.rint(shared + rng.normal(0, 40, (2, 60_000))).astype(np.int16)
    channels = tuple(Channel(name=n, region="V1", gain_uv=0.1) for n in "ab")
    lfp = Lfp(MemorySource(rows, channels, (Span(0.0, 60_000, 1000.0, 0),)), 1000.0)
    assert find(lfp) == ()
    alone = spoil(lfp, 1, lambda row, _: np.rint(rng.normal(0, 100, len(row))))
    assert told(find(alone)) == {(0, FaultKind.DISCONNECTED), (1, FaultKind.DISCONNECTED)}
