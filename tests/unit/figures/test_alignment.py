"""The figure of an alignment shows what is there."""

from __future__ import annotations

import numpy as np
import pytest

from wakeful.clock import fit_clock, time_frames
from wakeful.figures.alignment import draw_alignment
from wakeful.figures.render import render
from wakeful.simulate import CameraPlan, ClockStep, PulseSource, simulate_camera


def draw(plan: CameraPlan):
    camera = simulate_camera(plan)
    clock = fit_clock(camera.event_s, camera.pulses_s, frame=camera.event_frame)
    return clock, draw_alignment(clock, time_frames(clock, camera.stamp_s), "M1 · camera on ttl 3")


@pytest.mark.parametrize("source", [PulseSource.STROBE, PulseSource.STAMPED])
def test_it_says_what_was_found(source):
    plan = CameraPlan(
        seed=1, duration_s=400.0, source=source, dropped_runs=(30,), steps=(ClockStep(200.0, -1.0),)
    )
    clock, figure = draw(plan)
    residuals, drift, frames = figure.axes
    texts = " | ".join(t.get_text() for axes in figure.axes for t in axes.texts)
    assert "1 step of the device's clock: -1 s" in texts
    assert f"mean\n{clock.drift_ppm:+.1f} ppm" in texts
    assert residuals.get_ylabel() == "pulse − map (ms)"
    assert drift.get_ylabel() == "drift (ppm)"
    labels = [t.get_text() for t in frames.get_legend().get_texts()]
    assert labels == ["missing from the video (30)", "without a time (0)"]
    assert frames.get_xlabel() == "time from the session's start (min)"
    # The lines of drift are the planted one.
    drawn = np.concatenate([line.get_ydata() for line in drift.lines if len(line.get_ydata()) > 2])
    assert np.median(drawn) == pytest.approx(50, abs=2)
    assert render(figure, "png", "a" * 64) == render(draw(plan)[1], "png", "a" * 64)
