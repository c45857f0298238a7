"""A camera beside the recording: its frames, its clock, the pulses, and what goes wrong with them.

>>> from wakeful.simulate import CameraPlan, simulate_camera
>>> camera = simulate_camera(CameraPlan(seed=1, duration_s=60.0, dropped_runs=(5,)))
>>> len(camera.frame_s), len(camera.pulses_s)
(1795, 1800)

The camera's oscillator makes frames and time stamps; it runs `drift_ppm` slow against the
acquisition's, and wanders slowly with temperature. The truth is the session time of the start
of the exposure, for every frame that was saved.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from wakeful.model.errors import BadParameters
from wakeful.model.time import Interval

Floats = NDArray[np.float64]


class PulseSource(StrEnum):
    """What pulses the recording and the camera share."""

    STROBE = "strobe"
    """The camera gives one at each exposure."""
    STAMPED = "stamped"
    """Sync pulses at random times, which the camera stamps with its own clock (a GPIO line)."""
    LED = "led"
    """Sync pulses at random times, seen as an LED on the first frame that shows it."""


@dataclass(frozen=True, slots=True)
class ClockStep:
    """The camera's time stamps jump, as when a computer's clock is set."""

    at_s: float
    """Session time."""
    by_s: float
    """Added to all later stamps."""


@dataclass(frozen=True, kw_only=True)
class CameraPlan:
    """A camera, its pulses and their faults. The same plan gives the same arrays."""

    seed: int = 0
    duration_s: float = 600.0
    """Of the recording; session time runs from 0."""
    source: PulseSource = PulseSource.STROBE
    rate_hz: float = 30.0
    """On the camera's own clock."""
    drift_ppm: float = 50.0
    """Session time gained on camera time."""
    wander_ppm: float = 1.0
    """Amplitude of the slow change of the drift."""
    wander_period_s: float = 7200.0
    exposure_jitter_s: float = 2e-4
    """Standard deviation of an exposure about its beat; in the pulses and in the stamps."""
    stamp_noise_s: float = 2e-5
    """Standard deviation of the camera's stamps."""
    pulse_noise_s: float = 2e-5
    """Standard deviation of the recording's pulse times."""
    sync_interval_s: tuple[float, float] = (0.5, 1.5)
    """Sync pulses come so far apart, evenly distributed."""
    origin_s: float = 1000.0
    """What the camera's clock shows when the recording begins."""
    camera: Interval | None = None
    """When the camera ran, session time (may begin before 0); all of the recording where None."""
    lost_share: float = 0.0
    """Share of pulses that the recording missed."""
    extra_share: float = 0.0
    """Stray pulses at random times, as a share of the true ones."""
    n_bursts: int = 0
    """Bursts of 30 stray pulses within 50 ms."""
    n_out_of_order: int = 0
    """Pulses noted one place too late."""
    dropped_single: int = 0
    """Frames dropped one at a time."""
    dropped_runs: tuple[int, ...] = ()
    """Runs of frames dropped somewhere in the middle."""
    dropped_first: int = 0
    dropped_last: int = 0
    n_duplicated: int = 0
    """Frames that were saved twice."""
    steps: tuple[ClockStep, ...] = ()
    gaps: tuple[Interval, ...] = ()
    """When the recording stood still and noted no pulse."""
    pauses: tuple[Interval, ...] = ()
    """When the camera was off; its beat begins anew after each."""
    restarts_clock: bool = False
    """After a pause the camera's clock and counter begin at 0."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SimulatedCamera:
    """What came of a plan. One entry a saved frame, unless said otherwise."""

    plan: CameraPlan
    frame_s: Floats
    """(n_frames,) session time of each exposure: the truth."""
    stamp_s: Floats
    """(n_frames,) the camera's own time of it."""
    counter: NDArray[np.int64]
    """(n_frames,) the camera's count of its exposures."""
    pulses_s: Floats
    """(n_pulses,) what the recording noted, in the order in which it was noted."""
    event_frame: NDArray[np.int64]
    """(n_events,) the frame at which the camera noted each pulse; every frame for a strobe."""
    event_s: Floats
    """(n_events,) camera time of it."""

    @property
    def counted_s(self) -> Floats:
        """(n_frames,) frame number over nominal rate: all there is where there are no stamps."""
        return np.asarray(np.arange(len(self.frame_s)) / self.plan.rate_hz, np.float64)


def simulate_camera(plan: CameraPlan) -> SimulatedCamera:
    """Frames, stamps and pulses with the faults of a plan.

    Raises
    ------
    BadParameters
        More frames are dropped than there are.
    """
    rng = np.random.default_rng([plan.seed, 77])
    camera_s, count = _expose(plan, rng)
    session_s = _to_session(plan, camera_s)
    stamp_s = plan.origin_s + camera_s + rng.normal(0, plan.stamp_noise_s, len(camera_s))
    stamp_s, counter = _set_clocks(plan, session_s, stamp_s, count)
    saved = _saved(plan, len(camera_s), rng)
    frame_s, stamp_s, counter = session_s[saved], stamp_s[saved], counter[saved]
    if plan.source is PulseSource.STROBE:
        true_s = session_s
        event_frame, event_s = np.arange(len(saved)), stamp_s
    else:
        true_s = _sync_pulses(plan, rng)
        event_frame, event_s = _see(plan, true_s, frame_s, stamp_s)
    return SimulatedCamera(
        plan=plan,
        frame_s=frame_s,
        stamp_s=stamp_s,
        counter=counter,
        pulses_s=_note(plan, true_s, rng),
        event_frame=event_frame.astype(np.int64),
        event_s=event_s,
    )


def _to_session(plan: CameraPlan, camera_s: Floats) -> Floats:
    """Session time of the camera's oscillator, which shows 0 when the recording begins."""
    swing_s = plan.wander_ppm * 1e-6 * plan.wander_period_s / (2 * math.pi)
    angle = camera_s * (2 * math.pi / plan.wander_period_s)
    return np.asarray(
        camera_s * (1 + plan.drift_ppm * 1e-6) + swing_s * (1 - np.cos(angle)), np.float64
    )


def _to_camera(plan: CameraPlan, session_s: Floats) -> Floats:
    """The inverse, by Newton's method (the rate is 1 to within a part in a thousand)."""
    camera_s = session_s.copy()
    for _ in range(4):
        camera_s -= _to_session(plan, camera_s) - session_s
    return camera_s


def _expose(plan: CameraPlan, rng: np.random.Generator) -> tuple[Floats, NDArray[np.int64]]:
    """Oscillator time of every exposure, and its number."""
    ran = plan.camera if plan.camera is not None else Interval(0.0, plan.duration_s)
    edges_s = [ran.start_s]
    for pause in sorted(plan.pauses):
        edges_s += [pause.start_s, pause.stop_s]
    edges = _to_camera(plan, np.array([*edges_s, ran.stop_s], np.float64))
    period_s = 1 / plan.rate_hz
    parts = []
    for start_s, stop_s in zip(edges[::2], edges[1::2], strict=True):
        n = int((stop_s - start_s) * plan.rate_hz + 0.5)
        parts.append(start_s + np.arange(n) * period_s)
    camera_s = np.concatenate(parts)
    count = np.concatenate(
        [np.arange(len(p)) + (0 if plan.restarts_clock else before)
         for p, before in zip(parts, np.r_[0, np.cumsum([len(p) for p in parts])], strict=False)]
    )  # fmt: skip
    jitter_s = rng.normal(0, plan.exposure_jitter_s, len(camera_s))
    most_s = 0.2 * period_s
    return camera_s + np.clip(jitter_s, -most_s, most_s), count.astype(np.int64)


def _set_clocks(
    plan: CameraPlan, session_s: Floats, stamp_s: Floats, count: NDArray[np.int64]
) -> tuple[Floats, NDArray[np.int64]]:
    """Stamps with the clock's steps and new starts."""
    stamp_s = stamp_s.copy()
    for step in plan.steps:
        stamp_s[session_s >= step.at_s] += step.by_s
    if plan.restarts_clock:
        for pause in sorted(plan.pauses):
            after = np.flatnonzero(session_s >= pause.stop_s - 0.5 / plan.rate_hz)
            if len(after):
                stamp_s[after] -= stamp_s[after[0]]
    return stamp_s, count


def _saved(plan: CameraPlan, n_exposures: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The exposure of each frame in the video's file."""
    n_dropped = (
        plan.dropped_single + sum(plan.dropped_runs) + plan.dropped_first + plan.dropped_last
    )
    if n_dropped >= n_exposures:
        raise BadParameters(
            f"{n_dropped} frames are to be dropped and there are {n_exposures}",
            where="camera plan",
            remedy="make the recording longer or drop fewer",
        )
    keep = np.ones(n_exposures, np.bool_)
    keep[: plan.dropped_first] = False
    keep[n_exposures - plan.dropped_last :] = False
    for length in plan.dropped_runs:
        low, high = plan.dropped_first + 1, n_exposures - plan.dropped_last - length - 1
        start = int(rng.integers(low, max(low + 1, high)))
        keep[start : start + length] = False
    left = np.flatnonzero(keep)[1:-1]
    keep[rng.choice(left, plan.dropped_single, replace=False)] = False
    saved = np.flatnonzero(keep)
    twice = rng.choice(saved, plan.n_duplicated, replace=False)
    return np.sort(np.concatenate([saved, twice]))


def _sync_pulses(plan: CameraPlan, rng: np.random.Generator) -> Floats:
    low_s, high_s = plan.sync_interval_s
    ran = plan.camera if plan.camera is not None else Interval(0.0, plan.duration_s)
    start_s, stop_s = min(0.0, ran.start_s), max(plan.duration_s, ran.stop_s)
    n = int((stop_s - start_s) / low_s) + 2
    times = start_s + np.cumsum(rng.uniform(low_s, high_s, n))
    return np.asarray(times[times < stop_s], np.float64)


def _see(
    plan: CameraPlan, true_s: Floats, frame_s: Floats, stamp_s: Floats
) -> tuple[NDArray[np.int64], Floats]:
    """Frame and camera time at which each sync pulse was noted."""
    at = np.searchsorted(frame_s, true_s)
    inside = at < len(frame_s)
    at = np.minimum(at, len(frame_s) - 1)
    lit_s = 0.1  # the LED stays on so long
    seen = inside & (frame_s[at] - true_s < lit_s)
    at, true_s = at[seen], true_s[seen]
    if plan.source is PulseSource.LED:
        at = np.unique(at)
        return at.astype(np.int64), stamp_s[at]
    # The camera's clock ran on from the frame, at the oscillator's rate.
    back_s = _to_camera(plan, frame_s[at]) - _to_camera(plan, true_s)
    event_s = stamp_s[at] - back_s
    fresh = np.r_[True, np.diff(at) > 0]
    return at[fresh].astype(np.int64), event_s[fresh]


def _note(plan: CameraPlan, true_s: Floats, rng: np.random.Generator) -> Floats:
    """What the recording notes of the pulses."""
    inside = (true_s >= 0) & (true_s < plan.duration_s)
    for gap in plan.gaps:
        inside &= (true_s < gap.start_s) | (true_s >= gap.stop_s)
    kept_s = true_s[inside]
    kept_s = kept_s[rng.random(len(kept_s)) >= plan.lost_share]
    kept_s = kept_s + rng.normal(0, plan.pulse_noise_s, len(kept_s))
    n_extra = round(plan.extra_share * len(kept_s))
    stray = [rng.uniform(0, plan.duration_s, n_extra)]
    stray += [
        rng.uniform(0, plan.duration_s - 0.05) + np.sort(rng.uniform(0, 0.05, 30))
        for _ in range(plan.n_bursts)
    ]
    pulses_s = np.sort(np.concatenate([kept_s, *stray]))
    for gap in plan.gaps:
        pulses_s = pulses_s[(pulses_s < gap.start_s) | (pulses_s >= gap.stop_s)]
    if plan.n_out_of_order and len(pulses_s) > 2:
        for place in rng.integers(0, len(pulses_s) - 1, plan.n_out_of_order):
            pulses_s[[place, place + 1]] = pulses_s[[place + 1, place]]
    return np.asarray(pulses_s, np.float64)
