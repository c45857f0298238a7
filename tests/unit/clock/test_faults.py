"""Each fault that a camera and its pulses can have, against planted truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wakeful.model.clock import FrameFlag
from wakeful.model.errors import Unavailable
from wakeful.model.time import Interval
from wakeful.simulate import CameraPlan, ClockStep, PulseSource

HALF_A_FRAME_S = 1 / 60
PLAN = CameraPlan(seed=1, duration_s=900.0)
FAULTS: dict[str, dict[str, object]] = {
    "nothing": {},
    "no drift": {"drift_ppm": 0.0, "wander_ppm": 0.0},
    "drift 200 ppm": {"drift_ppm": 200.0},
    "drift -200 ppm": {"drift_ppm": -200.0},
    "lost pulses": {"lost_share": 0.05},
    "extra pulses": {"extra_share": 0.05},
    "bursts": {"n_bursts": 10},
    "out of order": {"n_out_of_order": 50},
    "a frame dropped": {"dropped_single": 1},
    "many dropped": {"dropped_single": 1500},
    "10,000 in a row": {"dropped_runs": (10_000,)},
    "dropped at the start": {"dropped_first": 100},
    "dropped at the end": {"dropped_last": 500},
    "duplicated": {"n_duplicated": 50},
    "clock set": {"steps": (ClockStep(200.0, 0.05), ClockStep(400.0, -3.0), ClockStep(700, 90.0))},
    "clock set by ms": {"steps": (ClockStep(200.0, 0.003), ClockStep(400.0, -0.009))},
    "clock set by beats": {"steps": (ClockStep(300.0, 10 / 30), ClockStep(600.0, -300 / 30))},
    "camera first": {"camera": Interval(-50.0, 880.0)},
    "camera later": {"camera": Interval(100.0, 950.0)},
    "recording gap": {"gaps": (Interval(300.0, 480.0),)},
    "camera paused": {"pauses": (Interval(300.0, 320.4), Interval(500.0, 560.0))},
    "camera restarted": {
        "pauses": (Interval(300.0, 320.4), Interval(500.0, 560.0)),
        "restarts_clock": True,
    },
}
KNOWN = [
    (PulseSource.STROBE, "counter"),
    (PulseSource.STROBE, "stamps"),
    (PulseSource.STAMPED, "stamps"),
    (PulseSource.LED, "stamps"),
]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("source", "knows"), KNOWN)
def test_frames_are_within_half_a_frame_under_every_fault(aligner, source, knows, fault):
    done = aligner(replace(PLAN, source=source, **FAULTS[fault]), knows)
    limit_s = HALF_A_FRAME_S if source is PulseSource.LED else 0.001
    assert np.percentile(done.error_s, 99) < limit_s
    # What the fit says of itself is true of the frames, and no worse than what is promised.
    held_out = done.clock.held_out
    assert np.percentile(done.error_s, 99) < held_out.p99_s + 0.001
    assert held_out.p99_s < limit_s
    assert held_out.n_together == (8 if source is PulseSource.LED else 1)
    assert np.all(np.diff(done.frames.start_s[np.isfinite(done.frames.start_s)]) >= 0)
    # All frames have a time but those that were taken long before or after the pulses.
    within = (done.camera.frame_s > -1) & (done.camera.frame_s < PLAN.duration_s + 1)
    assert np.mean(np.isfinite(done.frames.start_s[within])) > 0.98
    coarse = source is PulseSource.LED
    assert done.clock.drift_ppm == pytest.approx(
        done.camera.plan.drift_ppm, abs=40 if coarse else 2
    )


@pytest.mark.parametrize("fault", ["nothing", "lost pulses", "extra pulses", "out of order"])
def test_counts_alone_do_where_every_frame_has_its_pulse(aligner, fault):
    done = aligner(replace(PLAN, **FAULTS[fault]), "counted")
    assert np.percentile(done.error_s, 99) < 0.002
    assert done.clock.evidence == "counts"
    assert "nothing but the counts" in done.clock.notes[0]


@pytest.mark.parametrize(
    "fault",
    ["a frame dropped", "many dropped", "10,000 in a row", "dropped at the start", "duplicated"],
)
def test_counts_that_differ_are_refused_not_spread(aligner, fault):
    with pytest.raises(Unavailable, match="nothing tells one from the next"):
        aligner(replace(PLAN, **FAULTS[fault]), "counted")


def test_frames_lost_at_an_unknown_place_have_no_time(aligner):
    plan = replace(PLAN, source=PulseSource.LED, dropped_runs=(3000,))
    done = aligner(plan, "counted")
    assert np.percentile(done.error_s, 99) < HALF_A_FRAME_S
    assert done.error_s.max() < 2 * HALF_A_FRAME_S
    assert 10 < done.frames.count(FrameFlag.AT_STEP) < 1000
    assert [round(s.step_s) for s in done.clock.segments] == [0, -100]


def test_what_was_found_is_what_was_planted(aligner):
    plan = replace(PLAN, dropped_runs=(40,), lost_share=0.02, extra_share=0.03, seed=8)
    done = aligner(plan, "stamps")
    n_frames, n_pulses = len(done.camera.frame_s), len(done.camera.pulses_s)
    assert done.clock.n_events == n_frames
    assert done.clock.n_matched + done.clock.lost == pytest.approx(n_frames, abs=5)
    assert done.clock.n_matched == pytest.approx(0.98 * n_frames, rel=0.01)
    assert done.clock.extra == pytest.approx(n_pulses - done.clock.n_matched, abs=3)
    assert done.clock.evidence == "jitter"


def test_steps_are_found_where_and_as_large_as_they_were(aligner):
    steps = (ClockStep(200.0, 0.05), ClockStep(400.0, -3.0), ClockStep(700.0, 90.0))
    done = aligner(replace(PLAN, steps=steps), "stamps")
    assert [s.step_s for s in done.clock.segments[1:]] == pytest.approx([0.05, -3, 90], abs=0.01)
    first = [s.first_frame for s in done.clock.segments[1:]]
    assert list(np.searchsorted(done.camera.frame_s, [s.at_s for s in steps])) == first


def test_a_gap_of_the_recording_is_bridged_and_said(aligner):
    done = aligner(replace(PLAN, gaps=(Interval(300.0, 480.0),)), "stamps")
    inside = (done.camera.frame_s > 300.1) & (done.camera.frame_s < 479.9)
    assert np.all(done.frames.flag[inside] == FrameFlag.BRIDGED)
    assert done.frames.count(FrameFlag.BRIDGED) == pytest.approx(inside.sum(), abs=10)


def test_nothing_is_given_far_from_the_pulses(aligner):
    done = aligner(replace(PLAN, camera=Interval(-200.0, 880.0)), "stamps")
    early = done.camera.frame_s < -61
    assert early.sum() > 4000
    assert np.all(done.frames.flag[early] == FrameFlag.TOO_FAR)
    assert np.all(np.isnan(done.frames.start_s[early]))
    near = (done.camera.frame_s > -59) & (done.camera.frame_s < -0.1)
    assert np.all(done.frames.flag[near] == FrameFlag.REACHED)
