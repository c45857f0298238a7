"""Times for every frame of a video, or the reason why a frame has none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wakeful.clock.knots import Knots, map_times
from wakeful.clock.matches import rising
from wakeful.model.clock import ClockSegment, DeviceClock, FrameFlag, FrameTimes
from wakeful.model.errors import BadParameters, Unavailable

Floats = NDArray[np.float64]

_SMALL_STEP_S = 0.004
"""Steps of less than this can be anywhere between two pulses and do no harm."""
_BY_CHANCE = 3
"""Matches next to a step of unknown place that are not trusted with the frames around them."""
_OFF_SHARE = 0.6
"""Share of the largest error by which neighbouring pulses may lie off the map together."""
_OVERLAP_S = 0.010
"""What two segments may overlap by through the scatter of their pulses."""


def time_frames(clock: DeviceClock, frames_s: Floats) -> FrameTimes:
    """When each frame was taken, session time.

    Parameters
    ----------
    frames_s : (n_frames,) the device's time of every frame, in the order of the video. For a device
        without times, frame number / nominal rate (as was given to the fit).

    Returns
    -------
    One row a frame. NaN, with a flag that says why, for frames further from any pulse than the
    clock's limits, and for frames near a step of the device's clock that could lie on either side.

    Raises
    ------
    BadParameters
        There are fewer frames than the clock was fitted to.
    Unavailable
        The times would run backwards.
    """
    frames_s = np.asarray(frames_s, np.float64)
    last = clock.segments[-1].last_frame
    if frames_s.ndim != 1 or len(frames_s) <= last:
        raise BadParameters(
            f"frame times have shape {frames_s.shape}, and the clock knows frame {last}",
            where="clock",
            remedy="give the times of all frames of the video, in order",
        )
    start_s = np.full(len(frames_s), np.nan)
    flag = np.full(len(frames_s), FrameFlag.TOO_FAR, np.int8)
    bounds = _bounds(clock, frames_s, flag)
    for segment, (begin, stop) in zip(clock.segments, bounds, strict=True):
        _time_segment(clock, segment, frames_s, begin, stop, start_s, flag)
    _doubt(clock, flag)
    start_s[flag >= FrameFlag.TOO_FAR] = np.nan
    flag[np.isnan(start_s) & (flag < FrameFlag.TOO_FAR)] = FrameFlag.TOO_FAR
    _put_in_order(start_s)
    return FrameTimes(
        start_s=start_s,
        flag=flag,
        source=f"{clock.n_matched:,} pulses matched by {clock.evidence}",
    )


def check_times(time_s: Floats) -> FrameTimes:
    """Frames that carry session time already (.nvt): taken as they are, where they can be true.

    Times that step back or jump ahead of those that follow are damaged: as few frames as possible
    lose their time so that the others rise. A record that was written twice keeps its time.

    Parameters
    ----------
    time_s : (n_frames,) session time as stamped
    """
    time_s = np.asarray(time_s, np.float64)
    known = np.flatnonzero(np.isfinite(time_s))
    rank = np.empty(len(known), np.int64)
    rank[np.argsort(time_s[known], kind="stable")] = np.arange(len(known))
    good = known[rising(rank)]
    start_s = np.full(len(time_s), np.nan)
    start_s[good] = time_s[good]
    flag = np.where(np.isfinite(start_s), FrameFlag.MEASURED, FrameFlag.DAMAGED)
    return FrameTimes(
        start_s=start_s, flag=flag.astype(np.int8), source="stamped by the acquisition"
    )


def _bounds(clock: DeviceClock, frames_s: Floats, flag: NDArray[np.int8]) -> list[tuple[int, int]]:
    """Frames of each segment, start included and stop excluded; doubtful ones belong to none."""
    begins, stops = [0], []
    for before, after in zip(clock.segments, clock.segments[1:], strict=False):
        low, high = before.last_frame, after.first_frame
        split = _find_step(frames_s, low, high, after.step_s)
        if split is None and abs(after.step_s) > _SMALL_STEP_S:
            if abs(after.step_s) > clock.params.tolerance_s:
                low, high = _without_chance(clock, before, after)
            stops.append(low + 1)
            begins.append(high)
            flag[low + 1 : high] = FrameFlag.AT_STEP
        else:
            at = high if split is None else split
            stops.append(at)
            begins.append(at)
    stops.append(len(frames_s))
    return list(zip(begins, stops, strict=True))


def _doubt(clock: DeviceClock, flag: NDArray[np.int8]) -> None:
    """Where pulses lie off the map together, something happened that no step explains."""
    is_coarse = clock.params.resolution_s > 0
    n_side = 20 if is_coarse else 5
    if clock.n_matched < n_side:
        return
    windows = np.lib.stride_tricks.sliding_window_view(clock.residual_s, n_side)
    # Coarse stamps are evenly spread, where a mean tells more than a median.
    level_s = windows.mean(axis=1) if is_coarse else np.median(windows, axis=1)
    off = np.abs(level_s) > _OFF_SHARE * clock.params.largest_error_s
    for at in np.flatnonzero(off):
        first, last = clock.matched_frame[at], clock.matched_frame[at + n_side - 1]
        flag[first : last + 1] = FrameFlag.AT_STEP


def _without_chance(
    clock: DeviceClock, before: ClockSegment, after: ClockSegment
) -> tuple[int, int]:
    """Frames between which nothing is sure: events next to a step may meet pulses by chance."""
    frames = clock.matched_frame
    low = int(np.searchsorted(frames, before.last_frame)) - _BY_CHANCE
    high = int(np.searchsorted(frames, after.first_frame)) + _BY_CHANCE
    return (
        max(before.first_frame, int(frames[max(0, low)])),
        min(after.last_frame, int(frames[min(len(frames) - 1, high)])),
    )


def _find_step(frames_s: Floats, low: int, high: int, step_s: float) -> int | None:
    """First frame after the step, where the frames' own times show it."""
    gap_s = np.diff(frames_s[low : high + 1])
    if len(gap_s) == 0:
        return None
    if len(gap_s) == 1:
        return low + 1
    odd_s = gap_s - np.median(gap_s)
    at = int(np.argmin(np.abs(odd_s - step_s)))
    near = abs(odd_s[at] - step_s) <= max(0.002, 0.1 * abs(step_s))
    lone = np.sum(np.abs(odd_s - step_s) <= max(0.002, 0.1 * abs(step_s))) == 1
    return low + at + 1 if near and lone else None


def _time_segment(
    clock: DeviceClock,
    segment: ClockSegment,
    frames_s: Floats,
    begin: int,
    stop: int,
    start_s: Floats,
    flag: NDArray[np.int8],
) -> None:
    if stop <= begin:
        return
    params = clock.params
    cut = slice(segment.first_knot, segment.stop_knot)
    knots = Knots(clock.knot_frame[cut], clock.knot_device_s[cut], clock.knot_session_s[cut])
    times = frames_s[begin:stop]
    start_s[begin:stop] = map_times(times, knots)
    low, high = np.searchsorted(clock.matched_frame, [segment.first_frame, segment.last_frame + 1])
    pulses = clock.matched_device_s[low:high]
    at = np.searchsorted(pulses, times)
    left = pulses[np.maximum(at - 1, 0)]
    right = pulses[np.minimum(at, len(pulses) - 1)]
    hole_s = right - left
    silent_s = max(5.0, 5 * float(np.median(np.diff(pulses)))) if len(pulses) > 1 else 5.0
    # Seen on frames that were only counted, a frame lost in a long silence can't be told.
    bridge = FrameFlag.AT_STEP if clock.is_coarse_count else FrameFlag.BRIDGED
    kind = np.where(hole_s > silent_s, bridge, FrameFlag.MEASURED)
    far_s = np.minimum(np.abs(times - left), np.abs(right - times))
    kind = np.where(
        (hole_s > params.longest_bridge_s) & (far_s > params.longest_reach_s),
        FrameFlag.TOO_FAR,
        kind,
    )
    steady = _steady(times, pulses, params.largest_error_s / 2)
    longest_reach_s = 0.0 if clock.is_count else params.longest_reach_s
    for beyond, distance_s, is_open in (
        (times < pulses[0], pulses[0] - times, segment.open_before),
        (times > pulses[-1], times - pulses[-1], segment.open_after),
    ):
        near = (distance_s <= longest_reach_s) & is_open & steady
        reached = np.where(near, FrameFlag.REACHED, FrameFlag.TOO_FAR)
        kind = np.where(beyond, reached, kind)
    flag[begin:stop] = kind.astype(np.int8)


def _steady(times: Floats, pulses: Floats, odd_s: float) -> NDArray[np.bool_]:
    """Frames between which and the pulses no interval is odd: it could be a step of the clock."""
    steady = np.ones(len(times), np.bool_)
    gap_s = np.diff(times)
    if len(gap_s) == 0:
        return steady
    odd = np.flatnonzero(np.abs(gap_s - np.median(gap_s)) > odd_s)
    inside = np.flatnonzero((times >= pulses[0]) & (times <= pulses[-1]))
    if len(inside) == 0:
        return steady
    before, after = odd[odd < inside[0]], odd[odd >= inside[-1]]
    if len(before):
        steady[: before[-1] + 1] = False
    if len(after):
        steady[after[0] + 1 :] = False
    return steady


def _put_in_order(start_s: Floats) -> None:
    """Segments that overlap by less than their scatter are put in order; more is refused."""
    known = np.flatnonzero(np.isfinite(start_s))
    times = start_s[known]
    ordered = np.maximum.accumulate(times) if len(times) else times
    back_s = float((ordered - times).max()) if len(times) else 0.0
    if back_s > _OVERLAP_S:
        at = int(known[np.argmax(ordered - times)])
        raise Unavailable(
            f"frame {at} would come {back_s * 1000:.3g} ms before the frame before it",
            where="clock",
            remedy="the frames are not in the order in which they were taken, or their times are "
            "damaged there; correct the file of frame times",
        )
    start_s[known] = ordered
