"""A day of video laid on a day of recording: seconds, and how far off frames are.

2.6 million frames with a strobe each, and 86,400 sync pulses at random times, first without faults,
then with the faults of a real day. The peers are what labs write down: one straight line through
first-to-first matched pulses (numpy.polyfit), and interpolation between them (numpy.interp), which
take the pulses in the order in which they come. Errors are against planted truth.

    python benchmarks/clock.py [--hours 24] [--runs 3]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from dataclasses import replace

import numpy as np

from wakeful.clock import fit_clock, time_frames
from wakeful.model.errors import Unavailable
from wakeful.model.time import Interval
from wakeful.simulate import CameraPlan, ClockStep, PulseSource, simulate_camera


def ours(camera):
    clock = fit_clock(camera.event_s, camera.pulses_s, frame=camera.event_frame)
    return time_frames(clock, camera.stamp_s).start_s


def straight_line(camera):
    n = min(len(camera.event_s), len(camera.pulses_s))
    x = camera.event_s[:n] - camera.event_s[0]
    slope, offset = np.polyfit(x, np.sort(camera.pulses_s)[:n], 1)
    return offset + slope * (camera.stamp_s - camera.event_s[0])


def interpolation(camera):
    n = min(len(camera.event_s), len(camera.pulses_s))
    return np.interp(camera.stamp_s, camera.event_s[:n], np.sort(camera.pulses_s)[:n])


def faults(duration_s):
    return {
        "lost_share": 0.001,
        "extra_share": 0.001,
        "n_bursts": 20,
        "n_out_of_order": 20,
        "dropped_single": 300,
        "dropped_runs": (20, 500, 10_000),
        "n_duplicated": 20,
        "steps": (ClockStep(0.4 * duration_s, -0.35), ClockStep(0.8 * duration_s, 45.0)),
        "gaps": (Interval(0.6 * duration_s, 0.6 * duration_s + 300),),
    }


def measure(name, run, camera, runs):
    seconds = []
    for _ in range(runs):
        start = time.process_time()
        try:
            found = run(camera)
        except Unavailable as error:
            print(f"    {name:28} refused: {error}")
            return
        seconds.append(time.process_time() - start)
    error = np.abs(found - camera.frame_s) * 1000
    known = np.isfinite(error)
    p50, p99 = np.percentile(error[known], [50, 99])
    print(
        f"    {name:28}{statistics.median(seconds):8.2f} s of processor; frames off by "
        f"{p50:.3f} ms (median), {p99:.3f} ms (99 %), {error[known].max():,.3f} ms at most; "
        f"{100 * known.mean():.2f} % have a time"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    duration_s = arguments.hours * 3600
    plan = CameraPlan(seed=1, duration_s=duration_s, drift_ppm=60.0)
    ours(simulate_camera(replace(plan, duration_s=120.0)))  # compiles
    ours(simulate_camera(replace(plan, duration_s=120.0, source=PulseSource.STAMPED)))
    for source in (PulseSource.STROBE, PulseSource.STAMPED):
        for what, changes in (("no faults", {}), ("a real day", faults(duration_s))):
            camera = simulate_camera(replace(plan, source=source, **changes))
            print(
                f"{source.value}, {what}: {len(camera.frame_s):,} frames, "
                f"{len(camera.pulses_s):,} pulses"
            )
            measure("wakeful", ours, camera, arguments.runs)
            measure("one line (numpy.polyfit)", straight_line, camera, arguments.runs)
            measure("numpy.interp", interpolation, camera, arguments.runs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory, simulated day included: {peak:.0f} MB")


if __name__ == "__main__":
    main()
