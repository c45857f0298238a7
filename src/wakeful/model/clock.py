"""The clock of another device: how its times map onto the session's, and how well."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import PER_ROW, Rows

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ClockParams:
    """What a fit may assume, and where it gives up."""

    resolution_s: float = 0.0
    """How coarsely the device noted its events: 0 for a hardware stamp, one frame's period where a
    pulse is an LED that was seen on a frame."""
    tolerance_s: float = 0.008
    """Pulses this far from where they are expected are still theirs (`resolution_s` comes on
    top)."""
    largest_drift_ppm: float = 500.0
    """Clocks further apart than this are not two clocks of one experiment."""
    knot_s: float = 30.0
    """A knot for so many seconds of device time."""
    longest_bridge_s: float = 3600.0
    """Device time without pulses that is bridged where there are pulses on both sides."""
    longest_reach_s: float = 60.0
    """How far times are given before the first and after the last pulse."""
    least_pulses: int = 12
    """Matched pulses below which nothing is said."""
    least_matched: float = 0.5
    """Share of the device's events within the pulses' time that must find their pulse."""
    largest_error_s: float = 1 / 60
    """Held-out error (99th percentile) above which the fit is refused: half a frame at 30/s."""
    first_at_first: bool = False
    """The experimenter's word that the device's first event is the first pulse. Only asked where
    nothing in the pulses tells one from the next."""
    near_s: float | None = None
    """Session time minus device time as known from elsewhere (two wall clocks), seconds."""
    near_within_s: float = 0.0
    """How far `near_s` can be wrong."""


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Error at pulses that took no part in the fit, seconds; NaN where too few were left out.

    A pulse that the device noted to a frame only says nothing finer than a frame about the map, so
    that there the error is that of the mean of neighbouring pulses.
    """

    n_pulses: int
    n_together: int
    """Neighbouring pulses whose mean error counts as one: 1 where each has a stamp of its own."""
    p50_s: float
    p99_s: float
    max_s: float
    single_p99_s: float
    """99th percentile of pulses one by one, the coarseness of their stamps on top."""


@dataclass(frozen=True, kw_only=True)
class ClockSegment:
    """A stretch of the device's events through which its clock ran on without a step."""

    first_frame: int
    """Frame (row) of the first matched event."""
    last_frame: int
    first_knot: int
    stop_knot: int
    """Number one past the last knot."""
    n_matched: int
    drift_ppm: float
    """Session time gained on device time, parts per million."""
    step_s: float
    """What the device's clock jumped by before this segment; 0 for the first."""
    open_before: bool = True
    """Whether times may be given shortly before the first pulse: not where events there looked for
    their pulses in vain."""
    open_after: bool = True


@dataclass(frozen=True, eq=False, kw_only=True)
class DeviceClock:
    """A monotone, piecewise-linear map from a device's events to session time.

    Inside a segment, times are interpolated between knots by device time. Segments follow each
    other by frame number, since a clock that was set back shows the same time twice.
    """

    knot_frame: Floats
    """(n_knots,) where each knot lies among the frames, not whole numbers."""
    knot_device_s: Floats
    """(n_knots,)"""
    knot_session_s: Floats
    """(n_knots,)"""
    segments: tuple[ClockSegment, ...]
    n_frozen: int
    """The first so many knots are final: `extend` never changes them."""
    matched_frame: NDArray[np.int64]
    """(n_matched,) frame of each matched event."""
    matched_device_s: Floats
    matched_session_s: Floats
    """(n_matched,) time of its pulse."""
    residual_s: Floats
    """(n_matched,) pulse minus map."""
    held_out: HeldOut
    n_events: int
    """Events of the device."""
    n_pulses: int
    """Pulses of the recording."""
    lost: int
    """Events within the pulses' time that found none."""
    extra: int
    """Pulses within the device's time that belong to no event."""
    evidence: str
    """What told one pulse from the next: "intervals", "jitter", "counts", "first pulse",
    "wall clock"."""
    notes: tuple[str, ...]
    """What a person must know."""
    params: ClockParams

    @property
    def n_matched(self) -> int:
        """Pulses the map rests on."""
        return len(self.matched_frame)

    @property
    def is_count(self) -> bool:
        """Whether the device had no times and its frames were only counted: then nothing is known
        beyond the pulses, where frames may be missing.
        """
        frame, time_s = self.matched_frame, self.matched_device_s
        if self.n_matched < 3 or frame[-1] == frame[0]:
            return False
        rate = (time_s[-1] - time_s[0]) / (frame[-1] - frame[0])
        line_s = time_s[0] + rate * (frame - frame[0])
        return bool(np.all(np.abs(time_s - line_s) < 1e-9 * max(1.0, float(np.abs(time_s).max()))))

    @property
    def is_coarse_count(self) -> bool:
        """Counted frames on which an LED was seen: the least that can be worked with."""
        return self.params.resolution_s > 0 and self.is_count

    @property
    def drift_ppm(self) -> float:
        """Session time gained on device time, weighted by the segments' pulses."""
        weight = np.array([s.n_matched for s in self.segments], np.float64)
        return float(np.average([s.drift_ppm for s in self.segments], weights=weight))

    @property
    def frozen_until_frame(self) -> float:
        """Times of frames up to here never change again."""
        return float(self.knot_frame[self.n_frozen - 1]) if self.n_frozen else -1.0


class FrameFlag(IntEnum):
    """How a frame came by its time."""

    MEASURED = 0
    """Between pulses."""
    BRIDGED = 1
    """Across a stretch without pulses that has pulses on both sides."""
    REACHED = 2
    """Shortly before the first or after the last pulse."""
    TOO_FAR = 3
    """No time: too far from any pulse."""
    AT_STEP = 4
    """No time: the device's clock jumped, or frames are missing, and nothing says where."""
    DAMAGED = 5
    """No time: its own stamp can't be true."""

    @property
    def reason(self) -> str:
        """For people."""
        return _REASONS[self]


_REASONS = {
    FrameFlag.MEASURED: "between pulses",
    FrameFlag.BRIDGED: "across a stretch without pulses",
    FrameFlag.REACHED: "just beyond the pulses",
    FrameFlag.TOO_FAR: "no time: too far from any pulse",
    FrameFlag.AT_STEP: "no time: clock jumped or frames are missing at an unknown place",
    FrameFlag.DAMAGED: "no time: its stamp steps back or jumps ahead",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class FrameTimes(Rows):
    """When each frame of a video was taken; one row a frame, always.

    `start_s` is NaN where no honest time can be given.
    """

    flag: NDArray[np.int8] = field(metadata=PER_ROW)
    """(n_frames,) values of `FrameFlag`."""
    source: str = ""
    """What the times rest on."""

    def count(self, flag: FrameFlag) -> int:
        """How many frames carry a flag."""
        return int(np.sum(self.flag == flag))

    @property
    def n_timed(self) -> int:
        """Frames that have a time."""
        return int(np.isfinite(self.start_s).sum())

    def cut(self, interval: Any) -> FrameTimes:
        """The frames taken in `interval`; those without a time belong to none."""
        inside = (self.start_s >= interval.start_s) & (self.start_s < interval.stop_s)
        return FrameTimes(start_s=self.start_s[inside], flag=self.flag[inside], source=self.source)
