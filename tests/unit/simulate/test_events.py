"""Planted events lie where the plan says, look as it says, and change nothing else."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from wakeful.model.epochs import State
from wakeful.model.errors import BadParameters
from wakeful.model.time import Interval
from wakeful.simulate import (
    EventType,
    Pace,
    PlantedEvent,
    RecordingPlan,
    Scatter,
    Signal,
    SubjectPlan,
    scatter_events,
    simulate_subject,
)

DURATION_S = {
    EventType.SPIKE_WAVE: 4.0,
    EventType.SPINDLE: 1.0,
    EventType.RIPPLE: 0.08,
    EventType.SLOW_WAVE: 0.8,
}
FREQUENCY_HZ = {
    EventType.SPIKE_WAVE: 7.0,
    EventType.SPINDLE: 12.0,
    EventType.RIPPLE: 160.0,
    EventType.SLOW_WAVE: 1.25,
}


def event(kind: EventType, *, start_s: float = 10.25, regions: tuple[str, ...] = ("CA1",)):
    return PlantedEvent(
        kind=kind,
        start_s=start_s,
        duration_s=DURATION_S[kind],
        amplitude_uv=400.0,
        frequency_hz=FREQUENCY_HZ[kind],
        regions=regions,
    )


def plan(*events: PlantedEvent, duration_s: float = 30.0, **more) -> RecordingPlan:
    # Channels of gain 1, so that what was added is what was planned.
    subject = SubjectPlan(seed=4, gain_spread=0.0)
    return RecordingPlan(subject=subject, duration_s=duration_s, events=events, **more)


CLEAN = simulate_subject(plan()).samples_uv


@pytest.mark.parametrize("kind", list(EventType))
def test_an_event_is_added_to_its_regions_in_its_time_alone(kind):
    planted = event(kind)
    samples = simulate_subject(plan(planted)).samples_uv
    first, stop = round(planted.start_s * 1000), round(planted.stop_s * 1000)
    # Bit for bit: all else, the EMG included, is what it is without the plan's events.
    assert (samples[3:] == CLEAN[3:]).all()
    assert (samples[:, :first] == CLEAN[:, :first]).all()
    assert (samples[:, stop:] == CLEAN[:, stop:]).all()
    added = samples[:3, first:stop].astype(np.float64) - CLEAN[:3, first:stop]
    np.testing.assert_allclose(added[0], added[2], atol=1e-3)
    largest = np.abs(added[0]).max()
    if kind is EventType.RIPPLE:
        assert added[0].mean() < -200  # the sharp wave
        added -= -400 * 2 * np.sin(np.pi * np.arange(stop - first) / (stop - first)) ** 2
        largest = np.abs(added[0]).max()
    # A sample need not fall on the crest of a ripple.
    assert largest == pytest.approx(400, rel=0.1 if kind is EventType.RIPPLE else 0.04)
    power = np.abs(np.fft.rfft(added[0] - added[0].mean(), 20_000)) ** 2
    peak_hz = power.argmax() * 0.05
    assert peak_hz == pytest.approx(FREQUENCY_HZ[kind], rel=0.25 if stop - first < 1000 else 0.07)


def test_a_spike_wave_has_harmonics_and_slows_down_and_a_spindle_has_none():
    def added(kind: EventType) -> np.ndarray:
        planted = event(kind)
        samples = simulate_subject(plan(planted)).samples_uv[0].astype(np.float64) - CLEAN[0]
        return samples[round(planted.start_s * 1000) : round(planted.stop_s * 1000)]

    def share(wave: np.ndarray, centre_hz: float) -> float:
        power = np.abs(np.fft.rfft(wave, 20_000)) ** 2
        hz = np.arange(len(power)) * 0.05
        return float(power[np.abs(hz - centre_hz) < 2].sum() / power.sum())

    burst = added(EventType.SPIKE_WAVE)
    assert share(burst, 7.0) < 0.8
    assert share(burst, 14.0) > 0.08
    assert share(burst, 21.0) > 0.05
    assert share(added(EventType.SPINDLE), 12.0) > 0.95
    spikes = np.flatnonzero(
        (burst[1:-1] < burst[:-2]) & (burst[1:-1] < burst[2:]) & (burst[1:-1] < -300)
    )
    between = np.diff(spikes)
    assert 1000 / between[:5].mean() > 7.15
    assert 1000 / between[-5:].mean() < 6.85


def test_pieces_and_rates_do_not_change_what_is_planted():
    planted = plan(*(event(kind, start_s=3.0 + i) for i, kind in enumerate(EventType)))
    whole = Signal(planted, 1000).read_uv(0, 12_000)
    signal = Signal(planted, 1000)
    cut = np.concatenate([signal.read_uv(i, 750) for i in range(0, 12_000, 750)], axis=1)
    assert (whole == cut).all()
    slow = Signal(planted, 500).read_uv(0, 6_000) - Signal(plan(), 500).read_uv(0, 6_000)
    fast = whole - CLEAN[:, :12_000]
    np.testing.assert_allclose(slow, fast[:, ::2], atol=1e-3)
    # At 250 Hz the ripple's fast part would fold; its sharp wave is left.
    only = plan(event(EventType.RIPPLE, start_s=4.0))
    low = Signal(only, 250).read_uv(0, 2_000) - Signal(plan(), 250).read_uv(0, 2_000)
    assert low[0].max() < 1
    assert low[0].min() == pytest.approx(-800, rel=0.02)


def test_scattered_events_lie_in_their_states_apart_from_gaps_and_each_other():
    base = RecordingPlan(
        subject=SubjectPlan(seed=8),
        duration_s=2400.0,
        pace=Pace.SHORT,
        gaps=(Interval(600.0, 700.0),),
        clock_drift_ppm=80.0,
    )
    wanted = (
        Scatter(kind=EventType.SPIKE_WAVE, per_min=1.5, states=(State.AWAKE,)),
        Scatter(kind=EventType.SLOW_WAVE, per_min=4.0),
        Scatter(kind=EventType.RIPPLE, per_min=6.0, amplitude_uv=(50.0, 60.0)),
    )
    events = scatter_events(base, wanted, seed=3)
    assert events == scatter_events(base, wanted, seed=3)
    assert events != scatter_events(base, wanted, seed=4)
    planted = replace(base, events=events)
    truth = simulate_subject(replace(planted, duration_s=2400.0), 200).truth
    minutes = {state: np.sum(truth.state == state) * 4 / 60 for state in State}
    for what, state in zip(wanted, (State.AWAKE, State.NREM, State.NREM), strict=True):
        mine = [e for e in events if e.kind is what.kind]
        assert len(mine) == pytest.approx(what.per_min * minutes[state], rel=0.1, abs=2)
    regions = {e.kind: e.regions for e in events}
    assert regions[EventType.RIPPLE] == ("CA1",)
    assert regions[EventType.SLOW_WAVE] == ("PFC",)
    assert regions[EventType.SPIKE_WAVE] == ("CA1", "PFC", "thalamus")
    assert all(50 <= e.amplitude_uv <= 60 for e in events if e.kind is EventType.RIPPLE)
    for interval, found in truth.events:
        assert interval.stop_s <= 600 or interval.start_s >= 700
        assert interval.start_s == pytest.approx(found.start_s * 1.00008)
        ticks = truth.course.hypnogram.state[int(found.start_s) : int(np.ceil(found.stop_s))]
        is_awake = found.kind is EventType.SPIKE_WAVE
        assert set(ticks.tolist()) == {State.AWAKE if is_awake else State.NREM}
    starts = np.array([e.start_s for e in events])
    stops = np.array([e.stop_s for e in events])
    assert (starts[1:] - stops[:-1] >= 0.4999).all()
    # Longer plans keep what was planted by hand clear of what is scattered.
    more = scatter_events(planted, (Scatter(kind=EventType.SPINDLE, per_min=2.0),), seed=9)
    for spindle in more:
        assert ((stops < spindle.start_s) | (starts > spindle.stop_s)).all()


def test_the_truth_lists_each_event():
    planted = plan(event(EventType.SPINDLE, start_s=20.0), event(EventType.RIPPLE, start_s=5.0))
    listed = simulate_subject(planted).truth.to_json()["events"]
    assert listed[0] == {
        "kind": "ripple",
        "start_s": 5.0,
        "stop_s": 5.08,
        "regions": ["CA1"],
        "amplitude_uv": 400.0,
        "frequency_hz": 160.0,
    }
    assert listed[1]["kind"] == "spindle"
    json.dumps(listed)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"regions": ("V1",)}, "no region V1"),
        ({"start_s": 29.5}, "must lie inside"),
        ({"duration_s": 0.0}, "must lie inside"),
        ({"amplitude_uv": 0.0}, "must be positive"),
        ({"amplitude_uv": np.nan}, "must be positive"),
        ({"frequency_hz": 40.0}, "it is 7 to 18"),
        ({"kind": EventType.SLOW_WAVE, "frequency_hz": 2.0}, "one over its duration, 1"),
    ],
)
def test_wrong_events_are_refused(change, said):
    with pytest.raises(BadParameters, match=said):
        plan(replace(event(EventType.SPINDLE), **change))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"per_min": -1.0}, "per_min is -1"),
        ({"states": ()}, "names the states"),
        ({"states": (State.NO_DATA,)}, "names the states"),
        ({"apart_s": -0.1}, "apart_s"),
        ({"amplitude_uv": (20.0, 10.0)}, "low to high"),
    ],
)
def test_wrong_scatters_are_refused(change, said):
    with pytest.raises(BadParameters, match=said):
        Scatter(**({"kind": EventType.SPINDLE, "per_min": 1.0} | change))


def test_too_many_events_and_regions_without_any_are_refused():
    short = RecordingPlan(duration_s=900.0, pace=Pace.SHORT)
    crowd = Scatter(kind=EventType.SPIKE_WAVE, per_min=40.0, states=(State.AWAKE,))
    with pytest.raises(BadParameters, match="no room"):
        scatter_events(short, (crowd,), seed=1)
    only_ca1 = replace(short, subject=SubjectPlan(regions=short.subject.regions[:1]))
    with pytest.raises(BadParameters, match="no region shows a spindle"):
        scatter_events(only_ca1, (Scatter(kind=EventType.SPINDLE, per_min=1.0),), seed=1)
