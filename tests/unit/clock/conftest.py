"""Simulated cameras and their alignment, shared by the tests of the clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from wakeful.clock import fit_clock, time_frames
from wakeful.model.clock import ClockParams, DeviceClock, FrameTimes
from wakeful.simulate import CameraPlan, PulseSource, SimulatedCamera, simulate_camera

PERIOD_S = 1 / 30


@dataclass(frozen=True)
class Aligned:
    camera: SimulatedCamera
    clock: DeviceClock
    frames: FrameTimes

    @property
    def error_s(self) -> NDArray[np.float64]:
        """Of the frames that have a time."""
        error = np.abs(self.frames.start_s - self.camera.frame_s)
        return error[np.isfinite(error)]


def align(plan: CameraPlan, knows: str = "stamps") -> Aligned:
    """Align a simulated camera by its stamps, its counter too, or frames that were counted."""
    camera = simulate_camera(plan)
    times = camera.counted_s if knows == "counted" else camera.stamp_s
    events = times[camera.event_frame] if knows == "counted" else camera.event_s
    is_led = plan.source is PulseSource.LED
    clock = fit_clock(
        events,
        camera.pulses_s,
        frame=camera.event_frame,
        counter=camera.counter if knows == "counter" else None,
        params=ClockParams(resolution_s=PERIOD_S if is_led else 0.0),
    )
    return Aligned(camera, clock, time_frames(clock, times))


@pytest.fixture
def aligner():
    return align
