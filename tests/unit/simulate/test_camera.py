"""The simulated camera plants what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wakeful.model.errors import BadParameters
from wakeful.model.time import Interval
from wakeful.simulate import CameraPlan, ClockStep, PulseSource, simulate_camera

PLAN = CameraPlan(seed=3, duration_s=300.0, drift_ppm=100.0, wander_ppm=0.0)


def test_the_same_plan_gives_the_same_camera():
    one, two = simulate_camera(PLAN), simulate_camera(PLAN)
    assert np.array_equal(one.frame_s, two.frame_s)
    assert np.array_equal(one.pulses_s, two.pulses_s)
    assert not np.array_equal(one.frame_s, simulate_camera(replace(PLAN, seed=4)).frame_s)


def test_the_clock_drifts_as_planned_and_jitter_is_shared():
    camera = simulate_camera(PLAN)
    slope = np.polyfit(camera.stamp_s - 1000, camera.frame_s, 1)[0]
    assert (slope - 1) * 1e6 == pytest.approx(100, abs=1)
    assert len(camera.pulses_s) == len(camera.frame_s) == 8999
    stamps, pulses = np.diff(camera.stamp_s), np.diff(camera.pulses_s)
    assert np.corrcoef(stamps, pulses)[0, 1] > 0.95


def test_frames_are_missing_where_and_as_many_as_planned():
    plan = replace(
        PLAN, dropped_single=5, dropped_runs=(100,), dropped_first=3, dropped_last=7, n_duplicated=2
    )
    camera = simulate_camera(plan)
    assert len(camera.frame_s) == 8999 - 115 + 2
    step = np.diff(camera.counter)
    assert step.max() in (101, 102)
    assert np.sum(step == 0) == 2
    assert camera.counter[0] == 3
    assert camera.counter[-1] == 8999 - 8
    assert len(camera.pulses_s) == 8999  # dropped frames had their pulse


def test_pulses_are_lost_added_and_moved_as_planned():
    assert len(simulate_camera(replace(PLAN, lost_share=0.1)).pulses_s) == pytest.approx(
        8100, abs=150
    )
    assert len(simulate_camera(replace(PLAN, extra_share=0.1, n_bursts=2)).pulses_s) == (
        8999 + 900 + 60
    )
    moved = simulate_camera(replace(PLAN, n_out_of_order=20)).pulses_s
    assert 10 <= np.sum(np.diff(moved) < 0) <= 20


def test_steps_pauses_and_gaps_are_where_they_were_planned():
    camera = simulate_camera(
        replace(PLAN, steps=(ClockStep(100.0, -2.0),), gaps=(Interval(150.0, 170.0),))
    )
    (back,) = np.flatnonzero(np.diff(camera.stamp_s) < 0)
    assert camera.frame_s[back] < 100 <= camera.frame_s[back + 1]
    assert not np.any((camera.pulses_s > 150) & (camera.pulses_s < 170))
    again = simulate_camera(replace(PLAN, pauses=(Interval(100.0, 120.0),), restarts_clock=True))
    (start,) = np.flatnonzero(np.diff(again.counter) < 0)
    assert again.counter[start + 1] == 0
    assert again.stamp_s[start + 1] == pytest.approx(0, abs=1e-9)
    assert again.frame_s[start + 1] == pytest.approx(120, abs=0.02)


def test_an_led_is_seen_on_the_first_frame_that_shows_it():
    camera = simulate_camera(replace(PLAN, source=PulseSource.LED))
    late_s = camera.frame_s[camera.event_frame] - camera.pulses_s[: len(camera.event_frame)]
    assert np.all((late_s > -1e-3) & (late_s < 0.036))
    stamped = simulate_camera(replace(PLAN, source=PulseSource.STAMPED))
    line = np.polyval(np.polyfit(stamped.stamp_s, stamped.frame_s, 1), stamped.event_s)
    assert np.abs(line - stamped.pulses_s[: len(line)]).max() < 2e-3


def test_more_frames_dropped_than_there_are_is_refused():
    with pytest.raises(BadParameters, match="are to be dropped"):
        simulate_camera(replace(PLAN, dropped_first=9000))
