"""The clock between a camera and the recording, fault by fault, against the planted truth.

Half an hour at 30 frames/s for each fault and each source of pulses; errors are those of all frames
that were given a time. The table in docs/explanation/clock.md is made of these lines.

    python benchmarks/clock_faults.py
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from wakeful.clock import fit_clock, time_frames
from wakeful.model.clock import ClockParams
from wakeful.model.errors import WakefulError
from wakeful.model.time import Interval
from wakeful.simulate import CameraPlan, ClockStep, PulseSource, simulate_camera

FRAME_S = 1 / 30
PAUSES = (Interval(500, 520.4), Interval(900, 1000))
FAULTS = {
    "none": {},
    "drift of 200 ppm": {"drift_ppm": 200.0},
    "5 % of pulses lost": {"lost_share": 0.05},
    "5 % more pulses": {"extra_share": 0.05},
    "bursts of pulses": {"n_bursts": 20},
    "pulses out of order": {"n_out_of_order": 50},
    "1 frame dropped": {"dropped_single": 1},
    "300 frames dropped": {"dropped_single": 300},
    "3,000 frames dropped": {"dropped_single": 3000},
    "10,000 frames in a row": {"dropped_runs": (10_000,)},
    "the first 10 frames": {"dropped_first": 10},
    "the last 500 frames": {"dropped_last": 500},
    "50 frames twice": {"n_duplicated": 50},
    "steps of ms": {
        "steps": (ClockStep(400, 0.003), ClockStep(700, -0.003), ClockStep(1200, 0.008))
    },
    "steps of s": {"steps": (ClockStep(400, 0.05), ClockStep(700, -3.0), ClockStep(1200, 90.0))},
    "steps of whole frames": {
        "steps": (ClockStep(700, 10 * FRAME_S), ClockStep(1200, -300 * FRAME_S))
    },
    "camera 100 s earlier": {"camera": Interval(-100, 1700)},
    "camera 200 s later": {"camera": Interval(200, 1900)},
    "a gap": {"gaps": (Interval(500, 800),)},
    "pauses": {"pauses": PAUSES},
    "restarts": {"pauses": PAUSES, "restarts_clock": True},
}


def measure(fault: str, plan: CameraPlan) -> None:
    camera = simulate_camera(plan)
    coarse = FRAME_S if plan.source is PulseSource.LED else 0.0
    try:
        clock = fit_clock(
            camera.event_s,
            camera.pulses_s,
            frame=camera.event_frame,
            params=ClockParams(resolution_s=coarse),
        )
    except WakefulError as error:
        print(f"{fault:24} refused: {error}")
        return
    frames = time_frames(clock, camera.stamp_s)
    error_ms = np.abs(frames.start_s - camera.frame_s) * 1e3
    timed = np.isfinite(error_ms)
    middle, high = np.percentile(error_ms[timed], [50, 99])
    print(
        f"{fault:24}{middle:9.3f}{high:9.3f}{error_ms[timed].max():9.3f}{timed.mean():9.2%}"
        f"{clock.held_out.p99_s * 1e3:9.3f}"
    )


def main() -> None:
    print(f"half a frame is {FRAME_S / 2 * 1e3:.1f} ms; errors in ms, against the truth")
    base = CameraPlan(seed=1, duration_s=1800.0)
    for source in PulseSource:
        print(f"\n{source.value:24}{'median':>9}{'p99':>9}{'max':>9}{'timed':>9}{'held out':>9}")
        for fault, planted in FAULTS.items():
            measure(fault, replace(base, source=source, **planted))


if __name__ == "__main__":
    main()
