"""What must hold of every clock that is fitted, whatever the camera and the pulses do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wakeful.clock import fit_clock, time_frames
from wakeful.model.clock import ClockParams
from wakeful.model.errors import Unavailable
from wakeful.model.time import Interval
from wakeful.simulate import CameraPlan, ClockStep, PulseSource, simulate_camera

SLOW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DURATION_S = 400.0
STEPS = st.lists(
    st.builds(
        ClockStep,
        st.floats(40, 360),
        st.one_of(st.floats(-0.02, 0.02), st.floats(-5, 5), st.floats(-180, 180)),
    ),
    max_size=2,
).map(tuple)
PLANS = st.builds(
    CameraPlan,
    seed=st.integers(0, 10_000),
    duration_s=st.just(DURATION_S),
    drift_ppm=st.floats(-200, 200),
    lost_share=st.floats(0, 0.1),
    extra_share=st.floats(0, 0.1),
    n_bursts=st.integers(0, 4),
    n_out_of_order=st.integers(0, 20),
    dropped_single=st.integers(0, 60),
    dropped_runs=st.lists(st.integers(2, 1000), max_size=2).map(tuple),
    dropped_first=st.integers(0, 60),
    dropped_last=st.integers(0, 60),
    n_duplicated=st.integers(0, 10),
    steps=STEPS,
    gaps=st.sampled_from([(), (Interval(100.0, 130.0),)]),
    pauses=st.sampled_from([(), (Interval(200.0, 220.35),)]),
    restarts_clock=st.booleans(),
)
SOURCES = st.sampled_from(
    [
        (PulseSource.STROBE, "counter"),
        (PulseSource.STROBE, "stamps"),
        (PulseSource.STAMPED, "stamps"),
        (PulseSource.LED, "stamps"),
    ]
)


@given(PLANS, SOURCES)
@SLOW
def test_times_are_right_and_rise_or_are_refused(plan, how):
    """Any faults together: what is given is within half a frame of the truth."""
    source, knows = how
    camera = simulate_camera(replace(plan, source=source))
    params = ClockParams(resolution_s=1 / 30 if source is PulseSource.LED else 0.0)
    try:
        clock = fit_clock(
            camera.event_s,
            camera.pulses_s,
            frame=camera.event_frame,
            counter=camera.counter if knows == "counter" else None,
            params=params,
        )
        frames = time_frames(clock, camera.stamp_s)
    except Unavailable:
        return
    assert frames.n_rows == len(camera.frame_s)
    known = np.isfinite(frames.start_s)
    assert np.all(np.diff(frames.start_s[known]) >= 0)
    assert np.percentile(np.abs(frames.start_s - camera.frame_s)[known], 99) <= 1 / 60


@given(
    st.integers(0, 1000),
    st.integers(40, 400),
    st.floats(-200, 200),
    st.floats(-1e5, 1e5),
)
@SLOW
def test_perfect_pulses_are_met_exactly(seed, n_pulses, drift_ppm, offset_s):
    pulses_s = np.cumsum(np.random.default_rng(seed).uniform(0.5, 1.5, n_pulses))
    device_s = (pulses_s - offset_s) / (1 + drift_ppm * 1e-6)
    clock = fit_clock(device_s, pulses_s)
    assert clock.n_matched == n_pulses
    assert (clock.lost, clock.extra) == (0, 0)
    assert np.abs(clock.residual_s).max() < 1e-6
    assert clock.held_out.max_s < 1e-6
    assert clock.drift_ppm == pytest.approx(drift_ppm, abs=1e-3)
    # Between pulses as well.
    between_s = (device_s[:-1] + device_s[1:]) / 2
    expected_s = between_s * (1 + drift_ppm * 1e-6) + offset_s
    again = fit_clock(device_s, pulses_s, frame=2 * np.arange(n_pulses))
    both = np.empty(2 * n_pulses - 1)
    both[::2], both[1::2] = device_s, between_s
    assert np.abs(time_frames(again, both).start_s[1::2] - expected_s).max() < 1e-6


@given(
    st.integers(0, 1000),
    st.sampled_from([PulseSource.STROBE, PulseSource.STAMPED]),
    st.floats(-5000, 5000),
    st.floats(-5000, 5000),
)
@SLOW
def test_shifting_either_clock_shifts_the_times_and_nothing_else(seed, source, by_s, session_by_s):
    camera = simulate_camera(
        CameraPlan(seed=seed, duration_s=120.0, source=source, lost_share=0.05, extra_share=0.05)
    )
    here = fit_clock(camera.event_s, camera.pulses_s, frame=camera.event_frame)
    there = fit_clock(
        camera.event_s + by_s, camera.pulses_s + session_by_s, frame=camera.event_frame
    )
    assert here.n_matched == there.n_matched
    first = time_frames(here, camera.stamp_s)
    second = time_frames(there, camera.stamp_s + by_s)
    assert np.array_equal(first.flag, second.flag)
    moved_s = second.start_s - first.start_s - session_by_s
    assert np.nanmax(np.abs(moved_s)) < 1e-6


@given(st.integers(0, 1000), st.integers(0, 1000), st.sampled_from(["random", "beat"]))
@SLOW
def test_what_does_not_belong_together_is_refused(seed, other, kind):
    rng, another = np.random.default_rng([seed, 1]), np.random.default_rng([other, 2])
    if kind == "random":
        device_s = np.cumsum(rng.uniform(0.5, 1.5, 400))
        pulses_s = np.cumsum(another.uniform(0.5, 1.5, 500))
    else:
        device_s = np.cumsum(rng.normal(1 / 30, 1e-4, 3000))
        pulses_s = np.cumsum(another.normal(1 / 30, 1e-4, 3300))
    with pytest.raises(Unavailable):
        fit_clock(device_s, pulses_s)


@given(st.integers(1, 200), st.integers(200, 600))
@SLOW
def test_counts_that_differ_say_nothing_and_are_refused(n_missing, n_pulses):
    pulses_s = 2 + np.arange(n_pulses + n_missing) / 30
    with pytest.raises(Unavailable, match="nothing tells one from the next"):
        fit_clock(np.arange(n_pulses) / 30, pulses_s)
