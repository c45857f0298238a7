"""Which candidates are events: amplitudes held against the session's own NREM."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.arrays import Lfp
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadParameters
from wakeful.model.ictal import IctalIntervals
from wakeful.model.sleep_events import EventBaseline, EventCandidates, EventKind, SleepEvents
from wakeful.model.time import Interval
from wakeful.sleep.event_waves import mean_waves

Mask = NDArray[np.bool_]

_MEASURES = {
    EventKind.SLOW_WAVE: "slope_uv_per_s",
    EventKind.SPINDLE: "share",
    EventKind.RIPPLE: "sharp_wave_uv",
}
_LEAST_EPOCHS = 15
"""Fewer epochs of NREM than this give no baseline."""
_GAUSSIAN = 1.4826
"""A median magnitude times this is a standard deviation, of a Gaussian."""


@dataclass(frozen=True, kw_only=True)
class EventRules:
    """What a candidate must fulfil."""

    kind: EventKind
    states: tuple[State, ...]
    threshold_sd: float
    """Of a burst, robust standard deviations of the envelope above its median; of a slow wave,
    standard deviations of the band from trough to crest; both in NREM."""
    duration_s: tuple[float, float]
    trough_s: tuple[float, float] = (0.0, math.inf)
    least_share: float = 0.0
    most_control: float = math.inf


def decide_events(
    candidates: EventCandidates,
    baseline: EventBaseline,
    hypnogram: Hypnogram,
    lfp: Lfp,
    apart: tuple[Interval, ...],
    ictal: IctalIntervals | None,
    rules: EventRules,
) -> SleepEvents:
    """Events of one kind.

    Every channel that stands for a region is held against its own NREM, since channels differ in
    gain. Without a minute of NREM on it there is no threshold and no event, and a note says so.

    Parameters
    ----------
    apart : quarantined stretches; an event that touches one is left out
    ictal : seizures and what follows them; the same

    Raises
    ------
    BadParameters
        Candidates and baseline are not of the same channels.
    """
    if candidates.channels != baseline.channels or candidates.regions != baseline.regions:
        raise BadParameters(
            "candidates and baseline are not of the same channels",
            where="events of sleep",
            remedy="give both from one run of event_candidates",
        )
    barred = (*apart, *_intervals(ictal))
    state = _state_at(hypnogram, baseline.start_s + baseline.epoch_s / 2)
    clean = ~_touches(baseline.start_s, baseline.start_s + baseline.epoch_s, barred)
    threshold_uv = _thresholds(baseline, rules, (state == State.NREM) & clean)

    rows = np.flatnonzero(candidates.kind == rules.kind)
    region, channel = candidates.region[rows], candidates.channel[rows]
    amplitude_uv = candidates.amplitude_uv[rows]
    least_uv = np.array(
        [
            threshold_uv.get(pair, math.nan)
            for pair in zip(region.tolist(), channel.tolist(), strict=True)
        ],
        np.float64,
    )
    at = _state_at(hypnogram, candidates.peak_s[rows])
    kept = np.isin(at, np.array(rules.states, np.int8)) & (amplitude_uv >= least_uv)
    length_s = candidates.stop_s[rows] - candidates.start_s[rows]
    checks: list[tuple[str, Mask]] = [
        ("quarantined, ictal or post-ictal", ~_touches(
            candidates.start_s[rows], candidates.stop_s[rows], barred
        )),
        ("too short or too long", (length_s >= rules.duration_s[0])
         & (length_s <= rules.duration_s[1])),
    ]  # fmt: skip
    if rules.kind is EventKind.SLOW_WAVE:
        trough_s = candidates.trough_s[rows]
        low, high = rules.trough_s
        checks.append(("too short or too long a trough", (trough_s >= low) & (trough_s <= high)))
    if rules.kind is EventKind.SPINDLE:
        share = candidates.share[rows]
        checks.append(("power in other bands too", share >= rules.least_share))
    if rules.kind is EventKind.RIPPLE:
        local_uv = _local_threshold(
            baseline, candidates.peak_s[rows], region, rules.kind, rules.threshold_sd
        )
        checks.append(("no larger than what is usual in its epoch", amplitude_uv >= local_uv))
        # Where there is no control, nothing is said against it.
        checks.append(
            ("the same outside the hippocampus", ~(candidates.control[rows] > rules.most_control))
        )
    left_out = []
    for reason, good in checks:
        left_out.append((reason, int(np.sum(kept & ~good))))
        kept = kept & good
    chosen = rows[kept]
    watched = _watched(baseline, threshold_uv, rules.kind) & clean[:, None]
    minutes, per_min = _rates(candidates, chosen, at[kept], state, watched, baseline, rules)
    waves = mean_waves(
        lfp,
        candidates.peak_s[chosen],
        candidates.region[chosen],
        candidates.channel[chosen],
        n_regions=len(candidates.regions),
        band_hz=candidates.bands_hz[rules.kind],
        is_slow=rules.kind is EventKind.SLOW_WAVE,
    )
    return SleepEvents(
        start_s=candidates.start_s[chosen],
        stop_s=candidates.stop_s[chosen],
        peak_s=candidates.peak_s[chosen],
        region=candidates.region[chosen],
        channel=candidates.channel[chosen],
        state=at[kept],
        amplitude_uv=candidates.amplitude_uv[chosen],
        frequency_hz=candidates.frequency_hz[chosen],
        measure=getattr(candidates, _MEASURES[rules.kind])[chosen],
        kind=rules.kind.label,
        measure_name=_MEASURES[rules.kind],
        regions=candidates.regions,
        channels=candidates.channels,
        band_hz=candidates.bands_hz[rules.kind],
        threshold_uv=_of_regions(baseline, threshold_uv),
        states=tuple(s.label for s in rules.states),
        minutes=minutes,
        per_min=per_min,
        waveform_s=waves.time_s,
        waveform_uv=waves.mean_uv,
        waveform_sd_uv=waves.sd_uv,
        n_waveforms=waves.n_events,
        left_out=tuple((reason, n) for reason, n in left_out if n),
        notes=_notes(candidates, baseline, threshold_uv, rules.kind),
    )


def _intervals(ictal: IctalIntervals | None) -> tuple[Interval, ...]:
    if ictal is None:
        return ()
    return tuple(map(Interval, ictal.start_s.tolist(), ictal.stop_s.tolist()))


def _touches(
    start_s: NDArray[np.float64], stop_s: NDArray[np.float64], intervals: tuple[Interval, ...]
) -> Mask:
    touched = np.zeros(len(start_s), np.bool_)
    for part in intervals:
        touched |= (start_s < part.stop_s) & (stop_s > part.start_s)
    return touched


def _state_at(hypnogram: Hypnogram, time_s: NDArray[np.float64]) -> NDArray[np.int8]:
    """The state of the epoch in which each moment lies; no data where there is no epoch."""
    state = np.full(len(time_s), State.NO_DATA, np.int8)
    if hypnogram.n_rows:
        epoch = np.searchsorted(hypnogram.start_s, time_s, side="right") - 1
        inside = epoch >= 0
        inside &= time_s < hypnogram.start_s[np.maximum(epoch, 0)] + hypnogram.epoch_s
        state[inside] = hypnogram.state[epoch[inside]]
    return state


def _thresholds(
    baseline: EventBaseline, rules: EventRules, in_nrem: Mask
) -> dict[tuple[int, int], float]:
    """(region, channel) -> amplitude; pairs without enough NREM are missing."""
    found: dict[tuple[int, int], float] = {}
    for region in range(len(baseline.regions)):
        used = baseline.channel[:, region]
        for channel in np.unique(used[used >= 0]).tolist():
            level = baseline.level_uv[:, region, rules.kind]
            mine = in_nrem & (used == channel) & np.isfinite(level)
            if mine.sum() < _LEAST_EPOCHS:
                continue
            middle = float(np.median(level[mine]))
            if rules.kind is EventKind.SLOW_WAVE:
                least = rules.threshold_sd * _GAUSSIAN * middle
            else:
                spread = float(np.median(baseline.spread_uv[mine, region, rules.kind]))
                least = middle + rules.threshold_sd * spread
            found[region, channel] = least
    return found


def _local_threshold(
    baseline: EventBaseline,
    peak_s: NDArray[np.float64],
    region: NDArray[np.int16],
    kind: EventKind,
    threshold_sd: float,
) -> NDArray[np.float64]:
    """(n,) the same held against the epoch alone: tense muscle raises it. 0 where it is unknown."""
    epoch = np.searchsorted(baseline.start_s, peak_s, side="right") - 1
    local = np.zeros(len(peak_s))
    inside = epoch >= 0
    at = epoch[inside], region[inside], int(kind)
    level, spread = baseline.level_uv[at], baseline.spread_uv[at]
    local[inside] = np.nan_to_num(level + threshold_sd * spread, nan=0.0)
    return local


def _of_regions(
    baseline: EventBaseline, threshold_uv: dict[tuple[int, int], float]
) -> NDArray[np.float64]:
    """(n_regions,) the threshold of the channel that each region had longest."""
    found = []
    for region in range(len(baseline.regions)):
        used = baseline.channel[:, region]
        used = used[used >= 0]
        most = int(np.bincount(used).argmax()) if len(used) else -1
        found.append(threshold_uv.get((region, most), math.nan))
    return np.array(found, np.float64)


def _watched(
    baseline: EventBaseline, threshold_uv: dict[tuple[int, int], float], kind: EventKind
) -> Mask:
    """(n_epochs, n_regions) where an event would have been found."""
    known = np.isfinite(baseline.level_uv[:, :, kind])
    has_threshold = np.zeros_like(known)
    for region, channel in threshold_uv:
        has_threshold[:, region] |= baseline.channel[:, region] == channel
    return known & has_threshold


def _rates(
    candidates: EventCandidates,
    chosen: NDArray[np.int64],
    at: NDArray[np.int8],
    state: NDArray[np.int8],
    watched: Mask,
    baseline: EventBaseline,
    rules: EventRules,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Minutes watched and events a minute, (n_states, n_regions).

    Only events whose peak lies in a watched epoch are counted: both sides of the fraction are of
    the same time.
    """
    n_regions = len(baseline.regions)
    epoch = np.searchsorted(baseline.start_s, candidates.peak_s[chosen], side="right") - 1
    region = candidates.region[chosen]
    counted = np.zeros(len(chosen), np.bool_)
    inside = epoch >= 0
    counted[inside] = watched[epoch[inside], region[inside]]
    minutes = np.zeros((len(rules.states), n_regions))
    per_min = np.full_like(minutes, np.nan)
    for i, wanted in enumerate(rules.states):
        minutes[i] = watched[state == wanted].sum(axis=0) * baseline.epoch_s / 60
        count = np.bincount(region[counted & (at == wanted)], minlength=n_regions)
        known = minutes[i] > 0
        per_min[i, known] = count[known] / minutes[i, known]
    return minutes, per_min


def _notes(
    candidates: EventCandidates,
    baseline: EventBaseline,
    threshold_uv: dict[tuple[int, int], float],
    kind: EventKind,
) -> tuple[str, ...]:
    notes = [n for n in candidates.notes if not n.startswith("ripples") or kind is EventKind.RIPPLE]
    for number, region in enumerate(baseline.regions):
        known = np.isfinite(baseline.level_uv[:, number, kind])
        used = np.unique(baseline.channel[known, number])
        for channel in used[used >= 0].tolist():
            name = baseline.channels[channel]
            if (number, channel) in threshold_uv:
                n_epochs = np.sum(known & (baseline.channel[:, number] == channel))
                part_min = n_epochs * baseline.epoch_s / 60
                long = f"{part_min:.0f} min" if part_min < 90 else f"{part_min / 60:.1f} h"
                notes.append(f"{region}: {name}, its first good channel, for {long}")
            else:
                notes.append(
                    f"{region}: {name} has less than {_LEAST_EPOCHS} epochs of NREM: no threshold, "
                    "no event"
                )
    return tuple(notes)
