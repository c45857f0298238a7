"""Slow waves, spindles and ripples: planted ones are found, and little else."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest

from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.epochs import State
from wakeful.model.errors import BadParameters
from wakeful.model.ictal import IctalIntervals, IctalKind
from wakeful.model.quality import ChannelQuality, FaultKind
from wakeful.model.sleep_events import EventBaseline, EventCandidates, EventKind
from wakeful.model.subject import Session, Subject
from wakeful.model.time import Interval, Quarantine, Span
from wakeful.simulate import (
    EventType,
    Pace,
    RecordingPlan,
    Scatter,
    SubjectPlan,
    scatter_events,
    simulate_subject,
)
from wakeful.steps import event_candidates, ripples, slow_waves, spindles

DURATION_S = 1200.0
SESSION = Session(name="s", subject=Subject(identifier="M1"), start_utc=None, duration_s=DURATION_S)
MODULES = {"slow_wave": slow_waves, "spindle": spindles, "ripple": ripples}
REGION = {"slow_wave": 1, "spindle": 1, "ripple": 0}


@pytest.fixture(scope="module")
def mouse():
    base = RecordingPlan(
        subject=SubjectPlan(seed=17),
        duration_s=DURATION_S,
        pace=Pace.SHORT,
        gaps=(Interval(611.0, 633.5),),
    )
    events = scatter_events(
        base,
        (
            Scatter(
                kind=EventType.SPIKE_WAVE,
                per_min=0.5,
                states=(State.AWAKE, State.NREM),
                duration_s=(2.0, 5.0),
            ),
            Scatter(kind=EventType.SLOW_WAVE, per_min=4.0),
            Scatter(kind=EventType.RIPPLE, per_min=8.0),
            Scatter(kind=EventType.SPINDLE, per_min=2.0),
        ),
        seed=5,
    )
    return simulate_subject(replace(base, events=events))


def find_candidates(lfp, block=Interval(0, DURATION_S), quality=None, **params):  # noqa: B008
    inputs = event_candidates.Inputs(lfp=lfp, block=block, session=SESSION, channel_quality=quality)
    return event_candidates.compute(inputs, event_candidates.Params(**params))


@pytest.fixture(scope="module")
def found(mouse):
    return find_candidates(mouse.lfp)


def decide(module, mouse, found, *, hypnogram=None, **more):
    chosen = {name: more.pop(name) for name in ("ictal", "quarantined") if name in more}
    inputs = module.Inputs(
        event_candidates=found.event_candidates,
        event_baseline=found.event_baseline,
        hypnogram=hypnogram or mouse.truth.hypnogram,
        lfp=mouse.lfp,
        session=SESSION,
        **chosen,
    )
    outputs = module.compute(inputs, module.Params(**more))
    return getattr(outputs, module.STEP.name)


def planted(mouse, kind):
    wanted = [interval for interval, event in mouse.truth.events if event.kind == kind]
    if kind == "spindle":
        wanted += [interval for interval, _ in mouse.truth.spindles]
    gap = mouse.truth.plan.gaps[0]
    return [i for i in wanted if i.stop_s < gap.start_s - 5 or i.start_s > gap.stop_s + 5]


def compare(events, wanted, region):
    """Recall and precision; an event is a planted one where they overlap."""
    start_s, stop_s = (v[events.region == region] for v in (events.start_s, events.stop_s))
    overlap = np.array([(start_s < i.stop_s) & (stop_s > i.start_s) for i in wanted])
    return overlap.any(axis=1).mean(), overlap.any(axis=0).mean()


@pytest.mark.parametrize(
    ("kind", "recall", "precision"),
    [("slow_wave", 0.95, 0.25), ("spindle", 0.75, 0.7), ("ripple", 0.95, 0.95)],
)
def test_planted_events_are_found(mouse, found, kind, recall, precision):
    events = decide(MODULES[kind], mouse, found)
    wanted = planted(mouse, kind)
    assert len(wanted) > 20
    got = compare(events, wanted, REGION[kind])
    assert got[0] >= recall
    # Most slow waves are the animal's own: NREM has waves of every size.
    assert got[1] >= precision
    assert set(events.state.tolist()) <= {State.NREM, State.AWAKE}
    name = events.channels[events.channel[events.region == REGION[kind]][0]]
    assert name == {0: "CSC1", 1: "CSC4"}[REGION[kind]]
    assert any(name in note for note in events.notes)


def test_large_slow_waves_alone_are_the_planted_ones(mouse, found):
    events = decide(slow_waves, mouse, found, threshold_sd=7.5)
    recall, precision = compare(events, planted(mouse, "slow_wave"), 1)
    assert recall >= 0.9
    assert precision >= 0.9
    assert (events.measure > 500).all()


def test_what_is_measured_is_what_was_planted(mouse, found):
    events = decide(ripples, mouse, found)
    gain = mouse.truth.course.traits.gain[0]
    apart_hz, ratio, sharp_uv = [], [], []
    for interval, event in mouse.truth.events:
        if event.kind is EventType.RIPPLE:
            at = np.flatnonzero(
                (events.start_s < interval.stop_s) & (events.stop_s > interval.start_s)
            )
            for i in at:
                apart_hz.append(events.frequency_hz[i] - event.frequency_hz)
                ratio.append(events.amplitude_uv[i] / (event.amplitude_uv * gain))
                sharp_uv.append(events.measure[i])
    assert np.median(np.abs(apart_hz)) < 3
    assert np.median(ratio) == pytest.approx(1.0, abs=0.12)
    assert np.mean(np.array(sharp_uv) < 0) > 0.8  # negative ones, in theta and delta
    minutes = np.sum(mouse.truth.state == State.NREM) * 4 / 60
    assert events.minutes[0, 0] == pytest.approx(minutes, rel=0.05)
    n_in_nrem = np.sum(events.state == State.NREM)
    assert events.per_min[0, 0] == pytest.approx(n_in_nrem / events.minutes[0, 0], rel=0.03)
    assert np.isnan(events.per_min[:, 1:]).all()
    # The mean wave: a sharp wave, and the trough in the middle.
    middle = len(events.waveform_s) // 2
    assert events.waveform_uv[0].argmin() == middle
    assert events.waveform_uv[0, middle] < -150


def test_spike_wave_bursts_are_no_spindles(mouse, found):
    bursts = [i for i, event in mouse.truth.events if event.kind is EventType.SPIKE_WAVE]
    hypnogram = mouse.truth.hypnogram
    asleep = replace(hypnogram, state=np.where(hypnogram.state >= 0, State.NREM, hypnogram.state))

    def count(events):
        return sum(
            int(((events.start_s < b.stop_s) & (events.stop_s > b.start_s)).sum()) for b in bursts
        )

    # Even where the scorer takes all of it for NREM.
    assert len(bursts) >= 6
    assert count(decide(spindles, mouse, found, hypnogram=asleep)) <= 1
    assert count(decide(spindles, mouse, found, hypnogram=asleep, least_share=0.0)) >= 4
    ictal = IctalIntervals(
        start_s=np.array([b.start_s for b in bursts]),
        stop_s=np.array([b.stop_s for b in bursts]),
        kind=np.full(len(bursts), IctalKind.ICTAL, np.int8),
    )
    without = decide(spindles, mouse, found, hypnogram=asleep, least_share=0.0, ictal=ictal)
    assert count(without) == 0
    assert dict(without.left_out)["quarantined, ictal or post-ictal"] >= 4
    assert without.minutes.sum() < decide(spindles, mouse, found, hypnogram=asleep).minutes.sum()


def test_nothing_lies_in_a_gap_or_in_what_is_quarantined(mouse, found):
    gap = mouse.truth.plan.gaps[0]
    candidates = found.event_candidates
    assert not ((candidates.start_s < gap.stop_s) & (candidates.stop_s > gap.start_s)).any()
    touched = (found.event_baseline.start_s + 4 > gap.start_s) & (
        found.event_baseline.start_s < gap.stop_s
    )
    assert np.isnan(found.event_baseline.level_uv[touched]).all()
    apart = Interval(200.0, 500.0)
    events = decide(spindles, mouse, found, quarantined=(Quarantine(apart, "planted"),))
    assert not ((events.start_s < apart.stop_s) & (events.stop_s > apart.start_s)).any()
    assert events.n_rows > 0


def per_row(result):
    names = [f.name for f in dataclasses.fields(result) if f.metadata.get("rows")]
    return {name: getattr(result, name) for name in names}


def test_blocks_of_any_length_give_the_same_bits(mouse, found):
    halo_s = event_candidates.HALO_S
    for block_s in (180.0, 500.0):
        parts = []
        for start_s in np.arange(0, DURATION_S, block_s):
            block = Interval(start_s, min(start_s + block_s, DURATION_S))
            wide = block.widen(halo_s, halo_s)
            spans = tuple(s for span in mouse.spans if (s := span.cut(wide)) is not None)
            # Spans of the whole are kept, since offsets are anchored to them; what lies outside
            # of the halo is not a number, so that looking at it would show.
            hidden = np.full_like(mouse.samples_uv, np.nan)
            for s in spans:
                hidden[:, s.first_sample : s.stop_sample] = mouse.samples_uv[
                    :, s.first_sample : s.stop_sample
                ]
            lfp = Lfp(MemorySource(hidden, mouse.channels, mouse.spans), 1000.0)
            parts.append(find_candidates(lfp, block))
        for name, kind in (
            ("event_candidates", EventCandidates),
            ("event_baseline", EventBaseline),
        ):
            joined = per_row(kind.join([getattr(part, name) for part in parts]))
            for field, values in per_row(getattr(found, name)).items():
                np.testing.assert_array_equal(values, joined[field], err_msg=field)


def quality_of(mouse, channel, start_s, stop_s):
    return ChannelQuality(
        start_s=np.array([start_s]),
        stop_s=np.array([stop_s]),
        channel=np.array([channel], np.int32),
        kind=np.array([FaultKind.DISCONNECTED], np.int8),
        value=np.array([1.0]),
        limit=np.array([0.5]),
        heeded=np.array([True]),
        reason=np.array(["planted"]),
        channels=tuple(c.name for c in mouse.channels),
        regions=tuple(c.region for c in mouse.channels),
    )


def test_the_next_channel_takes_the_place_of_a_bad_one(mouse, found):
    bad = find_candidates(mouse.lfp, quality=quality_of(mouse, 0, 0.0, 300.0))
    baseline = bad.event_baseline
    early = baseline.start_s < 300
    assert set(baseline.channel[early, 0].tolist()) == {1}
    assert set(baseline.channel[baseline.start_s >= 320, 0].tolist()) <= {0, -1}
    events = decide(ripples, mouse, bad)
    assert compare(events, planted(mouse, "ripple"), 0)[0] >= 0.9
    assert {"CSC1", "CSC2"} == {events.channels[i] for i in set(events.channel.tolist())}
    off = find_candidates(mouse.lfp, quality=quality_of(mouse, 0, 0.0, 300.0), use_masks=False)
    np.testing.assert_array_equal(off.event_candidates.start_s, found.event_candidates.start_s)


def test_a_preferred_channel_is_taken_first(mouse):
    got = find_candidates(mouse.lfp, Interval(0, 120), prefer=("CSC3",)).event_baseline
    assert set(got.channel[:, 0].tolist()) == {2}
    assert set(got.channel[:, 1].tolist()) == {3}
    with pytest.raises(BadParameters, match="no channel or region CSC99"):
        find_candidates(mouse.lfp, Interval(0, 120), prefer=("CSC99",))


def test_muscle_on_all_channels_is_no_ripple(mouse):
    samples = mouse.samples_uv.copy()
    t = np.arange(60) / 1000
    burst = (300 * np.sin(np.pi * t / 0.06) ** 2 * np.sin(2 * np.pi * 180 * t)).astype(np.float32)
    first = np.flatnonzero(mouse.truth.state == State.NREM) * 4.0
    times_s = [t for t in first if t < 600][::4]
    for time_s in times_s:
        at = round((time_s + 1.7) * 1000)
        samples[:, at : at + 60] += burst
    lfp = Lfp(MemorySource(samples, mouse.channels, mouse.spans), 1000.0)
    got = find_candidates(lfp)

    def count(events):
        return sum(
            bool(((events.peak_s > t + 1.69) & (events.peak_s < t + 1.77)).any()) for t in times_s
        )

    assert len(times_s) > 15
    assert count(decide(ripples, mouse, got, most_control=1e9)) >= 0.9 * len(times_s)
    events = decide(ripples, mouse, got)
    assert count(events) <= 1
    assert dict(events.left_out)["the same outside the hippocampus"] >= 0.9 * len(times_s)


def test_without_nrem_there_is_no_threshold_and_no_event(mouse, found):
    hypnogram = mouse.truth.hypnogram
    awake = replace(hypnogram, state=np.full_like(hypnogram.state, State.AWAKE))
    events = decide(ripples, mouse, found, hypnogram=awake)
    assert events.n_rows == 0
    assert np.isnan(events.threshold_uv).all()
    assert np.isnan(events.per_min).all()
    assert "less than 15 epochs of NREM" in events.notes[0]


def test_rates_and_regions_without_ripples_say_so(mouse):
    slow = Lfp(
        MemorySource(
            mouse.samples_uv[:, :60_000:4], mouse.channels, (Span(0.0, 15_000, 250.0, 0),)
        ),
        250.0,
    )
    got = find_candidates(slow, Interval(0, 60)).event_candidates
    assert not (got.kind == EventKind.RIPPLE).any()
    assert (got.kind == EventKind.SPINDLE).any()
    assert got.bands_hz[EventKind.RIPPLE] == (0.0, 0.0)
    assert "at 250 samples a second" in got.notes[0]
    unnamed = tuple(replace(c, region="unknown") for c in mouse.channels)
    lfp = Lfp(MemorySource(mouse.samples_uv, unnamed, mouse.spans), 1000.0)
    got = find_candidates(lfp, Interval(0, 60)).event_candidates
    assert not (got.kind == EventKind.RIPPLE).any()
    assert "no region is known" in got.notes[0]
    got = find_candidates(lfp, Interval(0, 60), hippocampus=("unknown",)).event_candidates
    assert (got.kind == EventKind.RIPPLE).any()
    assert "no channel outside" not in " ".join(got.notes)  # the EMG is one


def test_an_empty_block_and_channels_that_are_not_numbers_give_nothing(mouse):
    empty = Lfp(MemorySource(mouse.samples_uv[:, :0], mouse.channels, ()), 1000.0)
    got = find_candidates(empty, Interval(0, 60))
    assert got.event_candidates.n_rows == 0
    assert np.isnan(got.event_baseline.level_uv).all()
    assert got.event_baseline.n_rows == 15
    broken = mouse.samples_uv[:, :120_000].copy()
    broken[3] = np.nan
    lfp = Lfp(MemorySource(broken, mouse.channels, (Span(0.0, 120_000, 1000.0, 0),)), 1000.0)
    got = find_candidates(lfp, Interval(0, 120))
    assert not (got.event_candidates.region == 1).any()
    assert np.isnan(got.event_baseline.level_uv[:, 1]).all()
    assert (got.event_candidates.region == 0).any()


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (event_candidates, "slow_hz", (4.0, 1.0)),
        (event_candidates, "slow_hz", (0.1, 4.0)),
        (event_candidates, "ripple_hz", (20.0, 250.0)),
        (slow_waves, "threshold_sd", 1.0),
        (slow_waves, "longest_s", 0.1),
        (spindles, "least_share", 1.5),
        (spindles, "threshold_sd", float("nan")),
        (ripples, "most_control", 0.5),
        (ripples, "least_s", 0.0),
    ],
)
def test_wrong_parameters_are_named(module, name, value):
    with pytest.raises(BadParameters, match=name):
        module.Params(**{name: value})
