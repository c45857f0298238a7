"""How good a fitted clock is: error at held-out pulses, what is left over, when to refuse it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wakeful.clock.knots import LEAST_PAIRS, Knots, Pairs, drift_ppm, make_knots, map_times
from wakeful.clock.trains import typical_period
from wakeful.model.clock import ClockParams, ClockSegment, DeviceClock, HeldOut
from wakeful.model.errors import Unavailable

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_LEFT_OUT = 5
"""Every fifth pulse (or group of eight, where there are many) is held out of the test fit."""
_TOGETHER = 8
_MANY = 400
_MANY_COARSE = 2 * _LEFT_OUT * _TOGETHER
"""Pulses noted coarsely are asked for in groups even where there are fewer."""
_SILENCE_S = 5.0
"""Shorter pauses between pulses are no silence."""
_IN_VAIN = 2
"""Events without their pulse beyond an end of a segment that close it."""
_COUNTED_SHARE = 0.2


def cut_knots(knots: Knots, start: int, stop: int) -> Knots:
    """Some of the knots."""
    return Knots(knots.frame[start:stop], knots.device_s[start:stop], knots.session_s[start:stop])


def knots_of(clock: DeviceClock, segment: ClockSegment) -> Knots:
    """The knots of a segment."""
    whole = Knots(clock.knot_frame, clock.knot_device_s, clock.knot_session_s)
    return cut_knots(whole, segment.first_knot, segment.stop_knot)


def held_out_error(pairs: Pairs, starts: NDArray[np.intp], params: ClockParams) -> HeldOut:
    """The error at pulses that a second fit, made without them, is asked for."""
    coarse = params.resolution_s > 0
    size = _TOGETHER if len(pairs) >= (_MANY_COARSE if coarse else _MANY) else 1
    group = np.arange(len(pairs)) // size
    out = group % _LEFT_OUT == _LEFT_OUT - 1
    singles, means = [], []
    slope: float | None = None
    for start, stop in zip(starts, np.r_[starts[1:], len(pairs)], strict=True):
        here = slice(int(start), int(stop))
        part, left = pairs.take(here), out[here]
        if (~left).sum() < LEAST_PAIRS or not left.any():
            continue
        knots = make_knots(part.take(~left), float(part.device_s[0]), params.knot_s, slope)
        if len(knots) > 2:
            slope = drift_ppm(knots) * 1e-6
        asked = part.take(left)
        error_s = asked.session_s - map_times(asked.device_s, knots)
        singles.append(np.abs(error_s))
        # Groups that a step has cut are too small to say anything.
        edges = np.flatnonzero(np.diff(group[here][left], prepend=-1))
        n_members = np.diff(np.r_[edges, len(error_s)])
        means.append(np.abs(np.add.reduceat(error_s, edges) / n_members)[n_members == size])
    single_s = np.concatenate(singles) if singles else np.empty(0)
    every = np.concatenate(means) if coarse and means else single_s
    if len(every) == 0:
        nan = float("nan")
        return HeldOut(
            n_pulses=len(single_s),
            n_together=1,
            p50_s=nan,
            p99_s=nan,
            max_s=nan,
            single_p99_s=float(np.percentile(single_s, 99)) if len(single_s) else nan,
        )
    p50_s, p99_s = np.percentile(every, [50, 99])
    return HeldOut(
        n_pulses=len(single_s),
        n_together=size if coarse else 1,
        p50_s=float(p50_s),
        p99_s=float(p99_s),
        max_s=float(every.max()),
        single_p99_s=float(np.percentile(single_s, 99)),
    )


def count_unmatched(
    clock: DeviceClock,
    device_s: Floats,
    frame: Counts,
    pulses_s: Floats,
    notes: tuple[str, ...],
) -> DeviceClock:
    """How many events lack a pulse, and pulses an event, where the other side was there at all."""
    matched = np.isin(frame, clock.matched_frame)
    alone_s = np.full(len(frame), np.nan)
    first = np.array([s.first_frame for s in clock.segments])
    owner = np.clip(np.searchsorted(first, frame, side="right") - 1, 0, len(first) - 1)
    for number, segment in enumerate(clock.segments):
        mine = (owner == number) & ~matched
        if mine.any():
            alone_s[mine] = map_times(device_s[mine], knots_of(clock, segment))
    clock = replace(clock, segments=_close_ends(clock.segments, owner, frame, alone_s, pulses_s))
    alone_s = alone_s[~matched]
    used_s = clock.matched_session_s - clock.params.resolution_s / 2
    pulses_left = pulses_s[~np.isin(pulses_s, used_s)] if clock.params.resolution_s == 0 else None
    n_extra = (
        _near_any(pulses_left, clock.matched_session_s)
        if pulses_left is not None
        else max(0, int(np.sum((pulses_s >= used_s[0] - 1e-6) & (pulses_s <= used_s[-1] + 1e-6)))
                 - clock.n_matched)
    )  # fmt: skip
    return replace(
        clock,
        n_events=len(device_s),
        n_pulses=len(pulses_s),
        lost=_near_any(alone_s, pulses_s),
        extra=n_extra,
        notes=(*clock.notes, *notes),
    )


def _close_ends(
    segments: tuple[ClockSegment, ...],
    owner: NDArray[np.intp],
    frame: Counts,
    alone_s: Floats,
    pulses_s: Floats,
) -> tuple[ClockSegment, ...]:
    """Segments beyond whose ends two events or more looked for their pulses in vain are closed.

    Parameters
    ----------
    alone_s : (n_events,) session time of events without a pulse; NaN for the others
    """
    closed = []
    for number, segment in enumerate(segments):
        mine = (owner == number) & np.isfinite(alone_s)
        before = alone_s[mine & (frame < segment.first_frame)]
        after = alone_s[mine & (frame > segment.last_frame)]
        closed.append(
            replace(
                segment,
                open_before=_near_any(before, pulses_s) < _IN_VAIN,
                open_after=_near_any(after, pulses_s) < _IN_VAIN,
            )
        )
    return tuple(closed)


def _near_any(time_s: Floats, others_s: Floats) -> int:
    """How many times lie inside the others, silences of the others left out."""
    inside = time_s[(time_s >= others_s[0]) & (time_s <= others_s[-1])]
    if len(inside) == 0:
        return 0
    at = np.clip(np.searchsorted(others_s, inside), 1, len(others_s) - 1)
    silent_s = max(_SILENCE_S, 5 * typical_period(others_s))
    return int(np.sum(others_s[at] - others_s[at - 1] <= silent_s))


def refuse_bad(clock: DeviceClock) -> None:
    """Refuse what is not good enough, with every reason at once."""
    params, reasons = clock.params, []
    share = clock.n_matched / max(1, clock.n_matched + clock.lost)
    if share < params.least_matched:
        reasons.append(
            f"only {share:.0%} of the device's events found their pulse "
            f"({params.least_matched:.0%} are asked for)"
        )
    # Held-out pulses carry the coarseness of their stamps. Counted frames get little on top of
    # that: where frames are missing the count lies, and coarse stamps hide it.
    share_of_limit = _COUNTED_SHARE if clock.is_coarse_count else 1.0
    limit_s = params.largest_error_s * share_of_limit + params.resolution_s / 2
    error_s = clock.held_out.single_p99_s
    if error_s <= limit_s and clock.held_out.n_together > 1:
        error_s, limit_s = clock.held_out.p99_s, params.largest_error_s
    if abs(clock.drift_ppm) > params.largest_drift_ppm:
        reasons.append(
            f"the clocks run apart by {clock.drift_ppm:,.0f} ppm (the limit is "
            f"{params.largest_drift_ppm:g})"
        )
    if not error_s <= limit_s:
        reasons.append(
            f"pulses held out of the fit are missed by {error_s * 1000:.3g} ms "
            f"(99th percentile; the limit is {limit_s * 1000:.3g} ms)"
        )
    for segment in clock.segments:
        knots = knots_of(clock, segment)
        if np.any(np.diff(knots.session_s) <= 0) or np.any(np.diff(knots.device_s) <= 0):
            reasons.append(f"the map runs backwards after frame {segment.first_frame}")
            break
    if reasons:
        raise Unavailable(
            "; ".join(reasons),
            where="clock",
            remedy="check that the line and the device belong together; the limits are parameters",
        )
