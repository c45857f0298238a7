"""From matched pairs to a map: where the device's clock stepped, and knots between the steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

LEAST_STEP_S = 0.002
"""Steps smaller than this are taken up by the knots: they move times by less than they are."""
LEAST_PAIRS = 4
"""Pairs that a segment needs."""
EDGE_KNOTS = 10
"""Knots whose rate is carried on beyond the ends."""
_STEP_SIGMAS = 5.5
_WANDER = 20e-6
"""How much the rate may change across a hole in the pulses without being taken for a step."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Matched events: where they lie among the frames, device time, session time."""

    frame: Counts
    device_s: Floats
    session_s: Floats

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, chosen: slice | NDArray[np.bool_] | NDArray[np.intp]) -> Pairs:
        """Some of them."""
        return Pairs(self.frame[chosen], self.device_s[chosen], self.session_s[chosen])

    def followed_by(self, other: Pairs) -> Pairs:
        """These and then the others."""
        return Pairs(
            np.concatenate([self.frame, other.frame]),
            np.concatenate([self.device_s, other.device_s]),
            np.concatenate([self.session_s, other.session_s]),
        )


@dataclass(frozen=True, eq=False)
class Knots:
    """Knots of one segment, rising in all three."""

    frame: Floats
    device_s: Floats
    session_s: Floats

    def __len__(self) -> int:
        return len(self.frame)


def find_steps(pairs: Pairs, resolution_s: float) -> NDArray[np.intp]:
    """First pair of each segment but the first.

    The median difference of the clocks over a few pairs is compared with that over the next few,
    the drift taken off. What stands out against the scatter is a step, and is placed where it
    leaves the least scatter on both sides.
    """
    n_side = 5 if resolution_s == 0 else 15
    difference_s = pairs.session_s - pairs.device_s
    back = np.flatnonzero(np.diff(pairs.device_s) < 0) + 1
    if len(pairs) < 2 * n_side:
        return back
    apart_s = pairs.device_s[n_side:] - pairs.device_s[:-n_side]
    usable = apart_s > 0
    if not usable.any():
        return back
    moved_s = difference_s[n_side:] - difference_s[:-n_side]
    slope = float(np.median(moved_s[usable] / apart_s[usable]))
    level_s = difference_s - slope * (pairs.device_s - pairs.device_s[0])
    scatter_s = 1.4826 * float(np.median(np.abs(np.diff(level_s)))) / np.sqrt(2)
    scatter_s = max(scatter_s, resolution_s / np.sqrt(12))
    windows = np.lib.stride_tricks.sliding_window_view(level_s, n_side)
    middle_s = np.median(windows, axis=1)
    jump_s = middle_s[n_side:] - middle_s[:-n_side]
    last = pairs.device_s[n_side - 1 : n_side - 1 + len(jump_s)]
    hole_s = np.abs(pairs.device_s[n_side : n_side + len(jump_s)] - last)
    least_s = max(LEAST_STEP_S, _STEP_SIGMAS * 1.2533 * scatter_s * np.sqrt(2 / n_side))
    above = np.abs(jump_s) > least_s + _WANDER * hole_s
    if not above.any():
        return back
    edges = np.flatnonzero(np.diff(np.r_[False, above, False]))
    found = []
    for low, high in zip(edges[::2], edges[1::2], strict=True):
        found += _place_steps(level_s, int(low), int(high), n_side, jump_s, least_s)
    return np.unique(np.r_[found, back]).astype(np.intp)


def _place_steps(
    level_s: Floats, low: int, high: int, n_side: int, jump_s: Floats, least_s: float
) -> list[int]:
    """The steps in a stretch of jumps: nearby ones make one stretch."""
    found: list[int] = []
    while low < high:
        peak = low + int(np.argmax(np.abs(jump_s[low:high])))
        # Pair `at` is the first after the step; windows at `peak` end before peak + n_side.
        centre = peak + n_side
        first = max(1, centre - n_side)
        last = min(len(level_s) - 1, centre + n_side)
        best, least = centre, np.inf
        left, right = max(0, centre - 2 * n_side), min(len(level_s), centre + 2 * n_side)
        for at in range(first, last + 1):
            a, b = level_s[left:at], level_s[at:right]
            if len(a) < 2 or len(b) < 2:
                continue
            cost = np.abs(a - np.median(a)).sum() + np.abs(b - np.median(b)).sum()
            if cost < least:
                best, least = at, float(cost)
        found.append(best)
        low = peak + n_side
        while low < high and abs(jump_s[low]) <= least_s:
            low += 1
    return found


def make_knots(pairs: Pairs, origin_s: float, knot_s: float, slope: float | None) -> Knots:
    """Knots of one segment, each from the pairs of its own stretch of device time and no others.

    Parameters
    ----------
    pairs : of one segment, in order
    origin_s : device time that the stretches are counted from
    slope : session time gained on device time, taken where all pairs lie in one stretch; None to
        take their own
    """
    bin_ = np.floor((pairs.device_s - origin_s) / knot_s).astype(np.int64)
    starts = np.flatnonzero(np.r_[True, np.diff(bin_) != 0]).astype(np.int64)
    stops = np.r_[starts[1:], len(bin_)].astype(np.int64)
    if len(starts) > 1:
        # A stretch with few pairs is worse than none, but the segment keeps two.
        full = stops - starts >= LEAST_PAIRS
        if full.sum() >= 2:
            starts, stops = starts[full], stops[full]
    single = len(starts) == 1
    if single and slope is None and len(pairs) >= 2 * LEAST_PAIRS:
        middle = len(pairs) // 2
        starts, stops = np.array([0, middle]), np.array([middle, len(pairs)])
        single = False
    frame, device_s, gain_s = average_stretches(
        pairs.frame.astype(np.float64),
        pairs.device_s,
        pairs.session_s - pairs.device_s,
        starts,
        stops,
    )
    if single:
        half_s = max(0.5 * float(pairs.device_s[-1] - pairs.device_s[0]), 1e-3)
        half_frames = max(0.5 * float(pairs.frame[-1] - pairs.frame[0]), 0.5)
        rate = slope if slope is not None else 0.0
        device_s = np.array([device_s[0] - half_s, device_s[0] + half_s])
        gain_s = np.array([gain_s[0] - rate * half_s, gain_s[0] + rate * half_s])
        frame = np.array([frame[0] - half_frames, frame[0] + half_frames])
    return Knots(frame, device_s, device_s + gain_s)


@njit(cache=True, nogil=True)
def average_stretches(
    frame: Floats, device_s: Floats, gain_s: Floats, starts: Counts, stops: Counts
) -> tuple[Floats, Floats, Floats]:  # pragma: no cover - compiled
    """Mean frame, device time and difference of the clocks of each stretch, outliers left out.

    A straight line through the pairs of a stretch passes through these means.
    """
    n = starts.size
    frames, times, gains = np.empty(n), np.empty(n), np.empty(n)
    for k in range(n):
        a, b = starts[k], stops[k]
        x, g = device_s[a:b], gain_s[a:b]
        third = max(1, (b - a) // 3)
        run = np.median(x[-third:]) - np.median(x[:third])
        slope = (np.median(g[-third:]) - np.median(g[:third])) / run if run > 0 else 0.0
        slope = min(max(slope, -1e-3), 1e-3)
        left = g - slope * (x - x[0])
        middle = np.median(left)
        spread = 1.4826 * np.median(np.abs(left - middle))
        most = max(4.0 * spread, 1e-5)
        count, sum_f, sum_x, sum_g = 0, 0.0, 0.0, 0.0
        for i in range(b - a):
            if abs(left[i] - middle) <= most:
                count += 1
                sum_f += frame[a + i]
                sum_x += x[i] - x[0]
                sum_g += g[i] - g[0]
        frames[k] = sum_f / count
        times[k] = x[0] + sum_x / count
        gains[k] = g[0] + sum_g / count
    return frames, times, gains


def map_times(device_s: Floats, knots: Knots) -> Floats:
    """Session times of device times; beyond the ends at the rate of the knots next to them."""
    mapped = np.interp(device_s, knots.device_s, knots.session_s)
    if len(knots) < 2:
        return np.asarray(mapped, np.float64)
    reach = min(EDGE_KNOTS, len(knots)) - 1
    for at, inner, beyond in (
        (0, reach, device_s < knots.device_s[0]),
        (-1, -1 - reach, device_s > knots.device_s[-1]),
    ):
        if beyond.any():
            rate = (knots.session_s[at] - knots.session_s[inner]) / (
                knots.device_s[at] - knots.device_s[inner]
            )
            mapped[beyond] = knots.session_s[at] + rate * (device_s[beyond] - knots.device_s[at])
    return np.asarray(mapped, np.float64)


def drift_ppm(knots: Knots) -> float:
    """Session time gained on device time from the first knot to the last."""
    if len(knots) < 2:
        return 0.0
    ran_s = knots.device_s[-1] - knots.device_s[0]
    return float((knots.session_s[-1] - knots.session_s[0] - ran_s) / ran_s * 1e6)
