"""Fitting the clock of another device to the pulses that both it and the recording noted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wakeful.clock.irregular import match_irregular
from wakeful.clock.knots import (
    EDGE_KNOTS,
    LEAST_PAIRS,
    Knots,
    Pairs,
    drift_ppm,
    find_steps,
    make_knots,
    map_times,
)
from wakeful.clock.matches import Matches
from wakeful.clock.periodic import match_periodic
from wakeful.clock.trains import (
    is_regular,
    number_by_counter,
    number_by_phase,
    typical_period,
    without_strays,
)
from wakeful.clock.verdict import (
    count_unmatched,
    cut_knots,
    held_out_error,
    knots_of,
    refuse_bad,
)
from wakeful.model.clock import ClockParams, ClockSegment, DeviceClock
from wakeful.model.errors import BadParameters, Unavailable

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_LEAST_KEPT = 0.475
"""Share of the pairs that must be left when segments at impossible rates are left out."""


def fit_clock(
    device_s: Floats,
    pulses_s: Floats,
    *,
    frame: Counts | None = None,
    counter: Counts | None = None,
    params: ClockParams | None = None,
) -> DeviceClock:
    """Fit a device's clock to the pulses of a recording.

    Which event is which pulse is found out first: by the pattern of the intervals where they
    differ, by the jitter of the frames where a pulse came with each, by the counts where nothing
    else tells them apart. Then the difference of the clocks is cut where it steps, and each segment
    gets a knot for every `knot_s`, the mean of its pulses without outliers.

    Parameters
    ----------
    device_s : (n_events,) the device's own time of each event (a frame's exposure, an LED seen),
        seconds, in the order in which the device noted them
    pulses_s : (n_pulses,) rising edges in the recording, session time, seconds; sorted here
    frame : (n_events,) the frame (row of the video) of each event, rising; 0, 1, 2, ... where None
    counter : (n_events,) the device's own count of its exposures, where it keeps one: says exactly
        which frames are missing
    params : limits; `ClockParams()` where None

    Returns
    -------
    The map, with its residuals and its error at pulses that were held out.

    Raises
    ------
    BadParameters
        Arrays that don't belong together, or times that are no numbers.
    Unavailable
        The device can't be aligned, with the reason: too few pulses, no place that fits, or
        several, too few events with a pulse, residuals too large.
    """
    params = ClockParams() if params is None else params
    device_s, frame, counter = _checked(device_s, frame, counter)
    pulses_s, notes = _clean(pulses_s)
    for what, n in (("events of the device", len(device_s)), ("pulses", len(pulses_s))):
        if n < params.least_pulses:
            raise Unavailable(
                f"there are only {n} {what}",
                where="clock",
                remedy=f"at least {params.least_pulses} are needed to tell a clock",
            )
    matches = _match(device_s, pulses_s, counter, params)
    pairs = Pairs(
        frame[matches.event],
        device_s[matches.event],
        # What is noted coarsely happened on average half a step before it was noted.
        pulses_s[matches.pulse] + params.resolution_s / 2,
    )
    clock = _build(pairs, params, matches, n_frozen=0, before=None)
    clock = count_unmatched(clock, device_s, frame, pulses_s, notes)
    refuse_bad(clock)
    return clock


def extend(
    clock: DeviceClock,
    device_s: Floats,
    pulses_s: Floats,
    *,
    frame: Counts,
    counter: Counts | None = None,
) -> DeviceClock:
    """The clock with more events: knots that were final stay as they are, to the last bit.

    Parameters
    ----------
    device_s : (n_events,) events after the last one the clock has matched
    pulses_s : (n_pulses,) pulses after the last one it has matched
    frame : (n_events,) their frames, higher than those the clock knows

    Raises
    ------
    Unavailable
        The new events can't be aligned; the clock that was given stays good for what it covers.
    """
    params = clock.params
    device_s, frame, counter = _checked(device_s, frame, counter)
    pulses_s, notes = _clean(pulses_s)
    if len(frame) and frame[0] <= clock.matched_frame[-1]:
        raise BadParameters(
            f"the new events begin at frame {frame[0]}, the clock knows frames up to "
            f"{clock.matched_frame[-1]}",
            where="clock",
            remedy="give only events that are new",
        )
    last = clock.segments[-1]
    knots = knots_of(clock, last)
    expected_s = float(map_times(device_s[:1], knots)[0]) - params.resolution_s / 2
    ahead_s = abs(float(device_s[0] - clock.matched_device_s[-1]))
    period_s = typical_period(device_s)
    near = replace(
        params,
        near_s=expected_s - float(device_s[0]),
        near_within_s=min(
            params.tolerance_s + params.resolution_s + 20e-6 * ahead_s, 0.45 * period_s
        ),
    )
    try:
        matches = _match(device_s, pulses_s, counter, near)
    except Unavailable:
        # A step of the clock, or a new start: the place is looked for without a guess.
        matches = _match(device_s, pulses_s, counter, params)
    old = Pairs(clock.matched_frame, clock.matched_device_s, clock.matched_session_s)
    new = Pairs(
        frame[matches.event],
        device_s[matches.event],
        pulses_s[matches.pulse] + params.resolution_s / 2,
    )
    built = _build(old.followed_by(new), params, matches, n_frozen=clock.n_frozen, before=clock)
    built = replace(
        built,
        evidence=clock.evidence,
        n_events=clock.n_events + len(device_s),
        n_pulses=clock.n_pulses + len(pulses_s),
        lost=clock.lost + len(device_s) - matches.n_pairs,
        extra=clock.extra + len(pulses_s) - matches.n_pairs,
        notes=tuple(dict.fromkeys((*clock.notes, *notes))),
    )
    refuse_bad(built)
    return built


def _checked(
    device_s: Floats, frame: Counts | None, counter: Counts | None
) -> tuple[Floats, Counts, Counts | None]:
    device_s = np.asarray(device_s, np.float64)
    problems = []
    if device_s.ndim != 1:
        problems.append(f"device times have shape {device_s.shape}, not (n_events,)")
    elif not np.all(np.isfinite(device_s)):
        bad = int(np.flatnonzero(~np.isfinite(device_s))[0])
        problems.append(f"the device time of event {bad} is not a number")
    for name, values in (("frame", frame), ("counter", counter)):
        if values is not None and np.shape(values) != device_s.shape:
            problems.append(
                f"{name} has shape {np.shape(values)}, device times have {device_s.shape}"
            )
    if frame is not None and np.ndim(frame) == 1 and np.any(np.diff(frame) <= 0):
        problems.append("frames don't rise from event to event")
    if problems:
        raise BadParameters("; ".join(problems), where="clock", remedy="give one entry an event")
    frames = np.arange(len(device_s)) if frame is None else np.asarray(frame)
    counts = None if counter is None else np.asarray(counter).astype(np.int64)
    return device_s, frames.astype(np.int64), counts


def _clean(pulses_s: Floats) -> tuple[Floats, tuple[str, ...]]:
    """Pulses in order, each once, and what was put right."""
    pulses_s = np.asarray(pulses_s, np.float64)
    if pulses_s.ndim != 1:
        raise BadParameters(
            f"pulses have shape {pulses_s.shape}, not (n_pulses,)",
            where="clock",
            remedy="give the times of the rising edges of one line",
        )
    notes = []
    known = pulses_s[np.isfinite(pulses_s)]
    if len(known) < len(pulses_s):
        notes.append(f"{len(pulses_s) - len(known)} pulses without a time were left out")
    back = int(np.sum(np.diff(known) < 0))
    if back:
        notes.append(f"{back} pulses were noted out of order and have been sorted")
    ordered = np.unique(known)
    if len(ordered) < len(known):
        notes.append(f"{len(known) - len(ordered)} pulses were noted twice")
    return ordered, tuple(notes)


def _match(
    device_s: Floats, pulses_s: Floats, counter: Counts | None, params: ClockParams
) -> Matches:
    period_s = typical_period(device_s)
    pulse_period_s = typical_period(pulses_s)
    regular = is_regular(device_s, period_s) or counter is not None
    # A train with many stray pulses has too short a median; its beat may still be the device's.
    beat_s = pulse_period_s if abs(pulse_period_s / period_s - 1) < 0.002 else period_s
    if not (regular and is_regular(pulses_s, beat_s)):
        return match_irregular(device_s, pulses_s, params)
    device = (
        number_by_phase(device_s, period_s, has_strays=False)
        if counter is None
        else number_by_counter(device_s, counter, period_s)
    )
    pulses = without_strays(number_by_phase(pulses_s, beat_s, has_strays=True))
    return match_periodic(device, pulses, params, beat_s)


def _build(
    pairs: Pairs,
    params: ClockParams,
    matches: Matches,
    *,
    n_frozen: int,
    before: DeviceClock | None,
) -> DeviceClock:
    """Segments and knots of matched pairs; those of `before` that are final are kept."""
    if len(pairs) < params.least_pulses:
        raise Unavailable(
            f"only {len(pairs)} events found their pulse",
            where="clock",
            remedy="check that this is the right line and that device and recording ran together",
        )
    starts = _segment_starts(pairs, params, before)
    pairs, starts = _without_short(pairs, starts, params)
    segments, parts, knots = _all_knots(pairs, starts, params)
    if before is not None and n_frozen:
        knots = _with_frozen(knots, before, n_frozen)
        segments = [
            replace(s, drift_ppm=drift_ppm(cut_knots(knots, s.first_knot, s.stop_knot)))
            for s in segments
        ]
    residual_s = np.concatenate(
        [
            part.session_s - map_times(part.device_s, cut_knots(knots, s.first_knot, s.stop_knot))
            for s, part in zip(segments, parts, strict=True)
        ]
    )
    in_last = segments[-1].stop_knot - segments[-1].first_knot
    final = segments[-1].first_knot if in_last < EDGE_KNOTS + 2 else len(knots) - 2
    return DeviceClock(
        knot_frame=knots.frame,
        knot_device_s=knots.device_s,
        knot_session_s=knots.session_s,
        segments=tuple(segments),
        n_frozen=max(n_frozen, final),
        matched_frame=pairs.frame,
        matched_device_s=pairs.device_s,
        matched_session_s=pairs.session_s,
        residual_s=residual_s,
        held_out=held_out_error(pairs, starts, params),
        n_events=0,
        n_pulses=0,
        lost=0,
        extra=0,
        evidence=matches.evidence,
        notes=matches.notes,
        params=params,
    )


def _segment_starts(
    pairs: Pairs, params: ClockParams, before: DeviceClock | None
) -> NDArray[np.intp]:
    """First pair of each segment; before the last final knot they are as they were."""
    if before is None:
        return np.asarray(np.r_[0, find_steps(pairs, params.resolution_s)], np.intp)
    known = np.searchsorted(pairs.frame, [s.first_frame for s in before.segments])
    tail = int(np.searchsorted(pairs.frame, before.frozen_until_frame))
    tail = max(tail, int(known[-1]))
    fresh = find_steps(pairs.take(slice(tail, None)), params.resolution_s) + tail
    return np.asarray(np.unique(np.r_[known, fresh]), np.intp)


def _without_short(
    pairs: Pairs, starts: NDArray[np.intp], params: ClockParams
) -> tuple[Pairs, NDArray[np.intp]]:
    """Segments with too few pairs, or at an impossible rate, are left out with their pairs."""
    length = np.diff(np.r_[starts, len(pairs)])
    good = length >= LEAST_PAIRS
    for at in np.flatnonzero(good):
        part = pairs.take(slice(starts[at], starts[at] + length[at]))
        ran_s = part.device_s[-1] - part.device_s[0]
        if ran_s < 60.0:
            continue
        gained_s = (part.session_s - part.device_s)[[0, -1]]
        scatter_s = params.tolerance_s + params.resolution_s
        limit_s = params.largest_drift_ppm * 1e-6 * ran_s + scatter_s
        good[at] = abs(gained_s[1] - gained_s[0]) <= limit_s
    keep = np.repeat(good, length)
    if keep.sum() < max(params.least_pulses, _LEAST_KEPT * len(pairs)):
        raise Unavailable(
            f"the clocks run apart by more than {params.largest_drift_ppm:g} ppm, or step too often"
            " to be followed",
            where="clock",
            remedy="check the unit of the device's times, and that frames or pulses were not lost "
            "all the time",
        )
    kept = length[good]
    return pairs.take(keep), np.r_[0, np.cumsum(kept)[:-1]].astype(np.intp)


def _all_knots(
    pairs: Pairs, starts: NDArray[np.intp], params: ClockParams
) -> tuple[list[ClockSegment], list[Pairs], Knots]:
    segments: list[ClockSegment] = []
    parts: list[Pairs] = []
    made: list[Knots] = []
    slope: float | None = None
    n_knots = 0
    for start, stop in zip(starts, np.r_[starts[1:], len(pairs)], strict=True):
        part = pairs.take(slice(int(start), int(stop)))
        knots = make_knots(part, float(part.device_s[0]), params.knot_s, slope)
        rate = drift_ppm(knots)
        step_s = 0.0
        if made:
            # Device time that passed beyond what the last segment's line says.
            carried_s = float(map_times(part.device_s[:1], made[-1])[0])
            step_s = carried_s - float(map_times(part.device_s[:1], knots)[0])
        segments.append(
            ClockSegment(
                first_frame=int(part.frame[0]),
                last_frame=int(part.frame[-1]),
                first_knot=n_knots,
                stop_knot=n_knots + len(knots),
                n_matched=len(part),
                drift_ppm=rate,
                step_s=step_s,
            )
        )
        if knots.device_s[-1] - knots.device_s[0] > 2 * params.knot_s:
            slope = (knots.session_s[-1] - knots.session_s[-3]) / (
                knots.device_s[-1] - knots.device_s[-3]
            ) - 1.0
        parts.append(part)
        made.append(knots)
        n_knots += len(knots)
    joined = Knots(
        np.concatenate([k.frame for k in made]),
        np.concatenate([k.device_s for k in made]),
        np.concatenate([k.session_s for k in made]),
    )
    return segments, parts, joined


def _with_frozen(knots: Knots, before: DeviceClock, n_frozen: int) -> Knots:
    frame, device_s, session_s = (
        np.concatenate([old[:n_frozen], new[n_frozen:]])
        for old, new in (
            (before.knot_frame, knots.frame),
            (before.knot_device_s, knots.device_s),
            (before.knot_session_s, knots.session_s),
        )
    )
    return Knots(frame, device_s, session_s)
