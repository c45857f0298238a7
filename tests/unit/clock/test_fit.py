"""Fitting, refusing and extending a clock."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace

import numpy as np
import pytest

from wakeful.clock import check_times, extend, fit_clock, time_frames
from wakeful.clock.edges import rising_edges
from wakeful.clock.knots import Pairs, find_steps
from wakeful.clock.matches import rising
from wakeful.clock.trains import number_by_counter, number_by_phase
from wakeful.io.codec import read_value, write_value
from wakeful.model.clock import ClockParams, FrameFlag
from wakeful.model.errors import BadParameters, Unavailable
from wakeful.model.events import EventSeries
from wakeful.model.time import Interval
from wakeful.simulate import CameraPlan, ClockStep, PulseSource, simulate_camera


def random_pulses(n: int = 300, seed: int = 0):
    return 5 + np.cumsum(np.random.default_rng(seed).uniform(0.5, 1.5, n))


@pytest.mark.parametrize("n", [0, 3, 11])
def test_too_few_pulses_are_refused(n):
    with pytest.raises(Unavailable, match=f"only {n} "):
        fit_clock(random_pulses(n), random_pulses())
    with pytest.raises(Unavailable, match=f"only {n} "):
        fit_clock(random_pulses(), random_pulses(n))


def test_trains_of_different_experiments_are_refused():
    with pytest.raises(Unavailable, match="no stretch"):
        fit_clock(random_pulses(seed=1), random_pulses(seed=2))


def test_a_place_that_could_be_two_is_refused():
    pulses_s = random_pulses(60)
    twice = np.r_[pulses_s, pulses_s + 500]
    with pytest.raises(Unavailable, match="beyond doubt"):
        fit_clock(pulses_s, twice)
    # What is known from elsewhere decides.
    clock = fit_clock(pulses_s, twice, params=ClockParams(near_s=499.0, near_within_s=5.0))
    assert clock.matched_session_s[0] == pytest.approx(pulses_s[0] + 500)


def test_a_strict_beat_is_refused_unless_somebody_knows_more():
    device_s, pulses_s = np.arange(200.0), 3.0 + np.arange(230) * 1.00001
    with pytest.raises(Unavailable, match="nothing tells one from the next"):
        fit_clock(device_s, pulses_s)
    clock = fit_clock(device_s, pulses_s, params=ClockParams(first_at_first=True))
    assert clock.evidence == "first pulse"
    assert clock.matched_session_s[0] == 3.0
    clock = fit_clock(device_s, pulses_s, params=ClockParams(near_s=13.2, near_within_s=0.4))
    assert clock.evidence == "wall clock"
    assert clock.matched_session_s[0] == pytest.approx(13.0, abs=1e-3)


def test_a_wrong_unit_is_refused():
    pulses_s = random_pulses()
    with pytest.raises(Unavailable):
        fit_clock(pulses_s * 1.01, pulses_s)
    with pytest.raises(Unavailable):
        fit_clock(pulses_s * 1000, pulses_s)


def test_residuals_above_the_limit_are_refused():
    rng = np.random.default_rng(3)
    pulses_s = random_pulses(600)
    loose = ClockParams(tolerance_s=0.1)
    noisy = pulses_s + rng.normal(0, 0.03, 600)
    with pytest.raises(Unavailable, match="held out of the fit are missed by"):
        fit_clock(noisy, pulses_s, params=loose)


def test_too_many_events_without_a_pulse_are_refused():
    pulses_s = random_pulses(900)
    rng = np.random.default_rng(4)
    strays = rng.uniform(100, 900, 1500)
    with pytest.raises(Unavailable, match="events found their pulse"):
        fit_clock(np.sort(np.r_[pulses_s, strays]), pulses_s)


def test_bad_arrays_are_named_at_once():
    with pytest.raises(BadParameters, match="event 2 is not a number") as error:
        fit_clock(np.array([0, 1, np.nan]), np.arange(3.0), frame=np.array([0, 0, 1]))
    assert "don't rise" in str(error.value)
    with pytest.raises(BadParameters, match=r"not \(n_pulses,\)"):
        fit_clock(np.arange(20.0), np.zeros((2, 2)))


def test_pulses_that_were_put_right_are_said():
    pulses_s = random_pulses()
    messy = np.r_[pulses_s, pulses_s[:3], np.nan]
    messy[[10, 11]] = messy[[11, 10]]
    notes = " | ".join(fit_clock(pulses_s, messy).notes)
    assert "1 pulses without a time" in notes
    assert "noted twice" in notes
    assert "out of order" in notes


@pytest.mark.parametrize("source", [PulseSource.STROBE, PulseSource.STAMPED, PulseSource.LED])
def test_what_is_final_stays_to_the_last_bit_when_more_arrives(source):
    plan = CameraPlan(seed=2, duration_s=2400.0, source=source, drift_ppm=80.0, lost_share=0.02)
    plan = replace(plan, steps=(ClockStep(500.0, -0.4), ClockStep(2000.0, 2.0)))
    camera = simulate_camera(plan)
    params = ClockParams(resolution_s=1 / 30 if source is PulseSource.LED else 0.0)
    cuts_s = [0.0, 1200.0, 1800.0, 2400.0]
    clock, earlier = None, None
    for low_s, high_s in itertools.pairwise(cuts_s):
        seen_s = camera.frame_s[camera.event_frame]
        events = (seen_s >= low_s) & (seen_s < high_s)
        pulses = (camera.pulses_s >= low_s) & (camera.pulses_s < high_s)
        device_s, pulses_s = camera.event_s[events], camera.pulses_s[pulses]
        frame = camera.event_frame[events]
        if clock is None:
            clock = fit_clock(device_s, pulses_s, frame=frame, params=params)
        else:
            clock = extend(clock, device_s, pulses_s, frame=frame)
        n_frames = int(np.searchsorted(camera.frame_s, high_s))
        times = time_frames(clock, camera.stamp_s[:n_frames])
        error = np.abs(times.start_s - camera.frame_s[:n_frames])
        assert np.nanpercentile(error, 99) < 1 / 60
        if earlier is not None:
            before, n_final, knots = earlier
            assert np.array_equal(times.start_s[:n_final], before[:n_final], equal_nan=True)
            assert np.array_equal(clock.knot_session_s[: len(knots)], knots)
        n_final = int(clock.frozen_until_frame)
        assert n_final > 0.8 * n_frames
        earlier = times.start_s, n_final, clock.knot_session_s[: clock.n_frozen].copy()
    assert [round(s.step_s, 1) for s in clock.segments] == [0.0, -0.4, 2.0]


def test_only_new_events_extend_a_clock():
    pulses_s = random_pulses()
    clock = fit_clock(pulses_s, pulses_s)
    with pytest.raises(BadParameters, match="only events that are new"):
        extend(clock, pulses_s, pulses_s, frame=np.arange(300))


def test_fewer_frames_than_were_fitted_are_refused():
    pulses_s = random_pulses()
    clock = fit_clock(pulses_s, pulses_s)
    with pytest.raises(BadParameters, match="frame 299"):
        time_frames(clock, pulses_s[:-1])


def test_times_of_the_acquisition_are_taken_where_they_can_be_true():
    time_s = np.arange(12) / 30
    time_s[3] = time_s[2]  # written twice
    time_s[6] = time_s[1]  # stamped back
    time_s[9] = 500.0  # a damaged stamp
    time_s[10] = np.nan
    frames = check_times(time_s)
    assert frames.n_rows == 12
    assert np.flatnonzero(np.isnan(frames.start_s)).tolist() == [6, 9, 10]
    assert frames.flag[[6, 9, 10]].tolist() == [FrameFlag.DAMAGED] * 3
    assert frames.start_s[3] == frames.start_s[2]


def test_frames_are_cut_by_time():
    frames = check_times(np.arange(90) / 30)
    assert frames.cut(Interval(1.0, 2.0)).n_rows == 30


def series(code: list[int]) -> EventSeries:
    code_ = np.array(code, np.int64)
    return EventSeries(
        name="ttl 1",
        time_s=np.arange(len(code), dtype=np.float64),
        code=code_,
        label=("",) * len(code),
    )


def test_rising_edges_of_a_line_of_a_port_and_of_edges_only():
    assert rising_edges(series([1, 0, 1, 0, 0, 1])).tolist() == [0, 2, 5]
    assert rising_edges(series([0, 4, 5, 1, 3, 0])).tolist() == [1, 2, 4]
    assert rising_edges(series([1, 1, 1])).tolist() == [0, 1, 2]
    assert rising_edges(series([])).tolist() == []


def test_numbers_follow_the_beat_and_leave_out_strays():
    time_s = np.r_[0, 1, 2, 3, 3.4, 4, 6, 7, 7.02, 8, 9, 10.0] / 30
    train = number_by_phase(time_s, 1 / 30, has_strays=True)
    assert (train.number - train.number[0]).tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]
    assert train.index.tolist() == [0, 1, 2, 3, 5, 6, 7, 9, 10, 11]
    assert set(train.run.tolist()) == {0}


def test_a_camera_set_back_by_a_beat_begins_a_new_run():
    time_s = np.r_[np.arange(20), np.arange(19, 40) + 0.1] / 30
    train = number_by_phase(time_s, 1 / 30, has_strays=False)
    assert sorted(set(train.run.tolist())) == [0, 1]


def test_counters_say_what_is_missing_and_when_they_start_over():
    counter = np.array([5, 6, 6, 9, 10, 0, 1])
    time_s = np.array([0, 1, 1, 4, 5, 9, 10.0]) / 30
    train = number_by_counter(time_s, counter, 1 / 30)
    assert train.index.tolist() == [0, 1, 3, 4, 5, 6]
    assert train.number.tolist() == [5, 6, 9, 10, 11, 12]
    assert train.run.tolist() == [0, 0, 0, 0, 1, 1]


def test_the_fewest_pairs_are_lost_where_pulses_do_not_rise():
    assert rising(np.array([0, 1, 9, 2, 3, 4])).tolist() == [True, True, False, True, True, True]
    assert rising(np.empty(0, np.int64)).tolist() == []


def test_a_step_is_placed_at_its_pair():
    rng = np.random.default_rng(0)
    device_s = np.arange(400.0)
    session_s = device_s * 1.0001 + rng.normal(0, 1e-4, 400)
    session_s[157:] += 0.02
    session_s[60] += 0.5  # one outlier is no step
    pairs = Pairs(np.arange(400), device_s, session_s)
    assert find_steps(pairs, 0.0).tolist() == [157]


def test_a_clock_and_its_frames_are_stored_and_read_back(tmp_path):
    pulses_s = random_pulses()
    device_s = pulses_s.copy()
    device_s[150:] -= 3.0
    clock = fit_clock(device_s, pulses_s)
    frames = time_frames(clock, device_s)
    for name, value in (("clock", clock), ("frames", frames)):
        back = read_value(tmp_path, write_value(tmp_path, name, value), type(value))
        for f in fields(value):
            assert np.array_equal(getattr(back, f.name), getattr(value, f.name))
    assert len(clock.segments) == 2


def test_coarse_pulses_are_held_out_together():
    rng = np.random.default_rng(5)
    flash_s = np.cumsum(rng.uniform(0.5, 1.5, 2000))
    frame = np.ceil(flash_s * 30).astype(np.int64)
    clock = fit_clock(frame / 30, flash_s, frame=frame, params=ClockParams(resolution_s=1 / 30))
    held_out = clock.held_out
    assert held_out.n_together == 8
    # One pulse can lie half a frame off a map that has no error at all; eight hardly ever do.
    assert held_out.single_p99_s == pytest.approx(1 / 60, rel=0.15)
    assert held_out.p99_s < 0.75 * held_out.single_p99_s
    few = fit_clock(
        frame[:60] / 30, flash_s[:60], frame=frame[:60], params=ClockParams(resolution_s=1 / 30)
    )
    assert few.held_out.n_together == 1
    assert few.held_out.p99_s == few.held_out.single_p99_s
