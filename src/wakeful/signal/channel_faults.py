"""Verdicts on channels: from what was measured to faults, each with value, limit, time and reason.

The criteria, their sources and what they can't see are in docs/explanation/channel-quality.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.model.quality import FaultKind
from wakeful.model.subject import Channel
from wakeful.model.time import Interval
from wakeful.signal.channel_quality import CELL_S, Survey, step_uv
from wakeful.signal.quality_limits import QualityLimits

_TOUCHING_S = 5e-3
_RAIL = 0.98
"""Of the type's largest number: filters and offsets keep a railed input from its very end."""
_LEAST_PLATEAU_CELLS = 5
_PLATEAU_RATIO = 4
"""A plateau holds so many times more cells than the band of amplitudes below it."""
_LEAST_RUN = 3
"""Samples in a row that make a plateau rather than a peak."""
_ALL_SHARE = 0.9
_ALL_LEAST = 3
"""So many channels, and so large a part of all, that have a fault at once share its cause."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Finding:
    """One fault of one channel in one block."""

    row: int
    """Number among the channels surveyed."""
    kind: FaultKind
    interval: Interval
    value: float
    limit: float
    reason: str


@dataclass(frozen=True, eq=False)
class Judged:
    """Faults, and the shares that they were judged by."""

    findings: tuple[Finding, ...]
    flat_share: NDArray[np.float32]
    """(n_channels,) of the recorded time; NaN where nothing was recorded."""
    clipped_share: NDArray[np.float32]
    """(n_channels,) of the samples."""


def judge(
    survey: Survey,
    channels: Sequence[Channel],
    dtype: np.dtype[Any],
    limits: QualityLimits,
) -> Judged:
    """Judge the channels of a block.

    Parameters
    ----------
    survey : of `channels`, in their order
    dtype : of the samples as stored: whole numbers have steps and rails
    limits : what the measures are held against
    """
    steps = np.array([step_uv(c, dtype) for c in channels])
    tolerance_uv = np.where(steps > 0, limits.flat_steps * steps * 1.001, limits.flat_uv)
    length_s = survey.cell_stop_s - survey.cell_start_s
    flat = survey.high_uv - survey.low_uv <= tolerance_uv
    findings: list[Finding] = []
    flat_s = np.zeros(len(channels))
    for row in range(len(channels)):
        runs = [
            run
            for run in _runs(flat[:, row], survey.cell_start_s, survey.cell_stop_s)
            if run.duration_s >= min(limits.flat_s, float(length_s.sum()))
        ]
        flat_s[row] = sum(run.duration_s for run in runs)
        findings += _flat_findings(row, runs, survey, limits)
    findings = _say_all(findings, len(channels))
    clipped = [
        _clipped(survey, row, c, dtype, flat[:, row], limits.plateau)
        for row, c in enumerate(channels)
    ]
    n_samples = max(1, int(survey.n_cell.sum()))
    clipped_share = np.array([n_at / n_samples for n_at, *_ in clipped])
    for row, (_, cells, reason) in enumerate(clipped):
        if cells.any() and clipped_share[row] >= limits.max_clipped_share:
            share = float(clipped_share[row])
            text = f"{share:.2%} of the samples {reason}"
            findings += [
                Finding(row, FaultKind.CLIPPED, run, share, limits.max_clipped_share, text)
                for run in _runs(cells, survey.cell_start_s, survey.cell_stop_s)
            ]
    findings += _slot_findings(survey, channels, steps, limits)
    recorded_s = float(length_s.sum())
    flat_share = flat_s / recorded_s if recorded_s else np.full(len(channels), np.nan)
    if not len(survey.n_cell):
        clipped_share = np.full(len(channels), np.nan)
    return Judged(
        tuple(sorted(findings, key=lambda f: (f.interval, f.row, f.kind))),
        flat_share.astype(np.float32),
        clipped_share.astype(np.float32),
    )


def _runs(hit: Bools, start_s: NDArray[np.float64], stop_s: NDArray[np.float64]) -> list[Interval]:
    """Stretches of neighbouring hits; a gap between two ends a stretch."""
    runs: list[Interval] = []
    for i in np.flatnonzero(hit):
        a, b = float(start_s[i]), float(stop_s[i])
        if runs and a - runs[-1].stop_s <= _TOUCHING_S:
            runs[-1] = Interval(runs[-1].start_s, b)
        else:
            runs.append(Interval(a, b))
    return runs


def _flat_findings(
    row: int, runs: list[Interval], survey: Survey, limits: QualityLimits
) -> Iterator[Finding]:
    for run in runs:
        last = run.stop_s >= float(survey.cell_stop_s[-1]) - _TOUCHING_S
        first = run.start_s <= float(survey.cell_start_s[0]) + _TOUCHING_S
        dead = last and not first and run.duration_s >= limits.dead_s
        kind = FaultKind.DEAD if dead else FaultKind.FLAT
        inside = (survey.cell_start_s >= run.start_s - 1e-9) & (
            survey.cell_stop_s <= run.stop_s + 1e-9
        )
        span_uv = float(survey.high_uv[inside, row].max() - survey.low_uv[inside, row].min())
        level_uv = float(np.median(survey.high_uv[inside, row]))
        change = f"no change but {span_uv:.3g} µV" if span_uv > 0 else "no change at all"
        text = f"{change}, at {level_uv:.4g} µV"
        yield Finding(row, kind, run, run.duration_s, limits.flat_s, text)


def _say_all(findings: list[Finding], n_channels: int) -> list[Finding]:
    """Where all channels lose their signal at once, each says so: the cause is a common one."""
    said: list[Finding] = []
    for finding in findings:
        start_s = finding.interval.start_s
        together = {
            f.row
            for f in findings
            if f.kind is finding.kind and abs(f.interval.start_s - start_s) <= 2 * CELL_S
        }
        if len(together) >= _ALL_LEAST and len(together) >= _ALL_SHARE * n_channels:
            said.append(_with(finding, f"{finding.reason}; {_all_text(len(together))}"))
        else:
            said.append(finding)
    return said


def _all_text(n_channels: int) -> str:
    return f"{n_channels} channels at once: the animal may have died, or a cable come off"


def _with(finding: Finding, reason: str) -> Finding:
    return Finding(
        finding.row, finding.kind, finding.interval, finding.value, finding.limit, reason
    )


def _clipped(
    survey: Survey, row: int, channel: Channel, dtype: np.dtype[Any], flat: Bools, plateau: float
) -> tuple[int, Bools, str]:
    """Samples at the rails, the cells that hold them, and which rails.

    The type's own rails are known. A converter of fewer bits, or an amplifier that saturates below
    them, shows as a plateau: many separate moments of the same extreme value, and hardly any of a
    value just below it. A peak is never so: amplitudes thin out towards their largest.
    """
    low, high = survey.low_uv[:, row], survey.high_uv[:, row]
    none = np.zeros(len(low), np.bool_)
    moving = ~flat & np.isfinite(low) & np.isfinite(high)
    if not moving.any():
        return 0, none, ""
    centre = float(np.median((low[moving] + high[moving]) / 2))
    n_at, cells, texts = 0, none.copy(), []
    sides = (
        (high - centre, survey.n_top[:, row], survey.run_top[:, row], 1.0),
        (centre - low, survey.n_bottom[:, row], survey.run_bottom[:, row], -1.0),
    )
    for reach, n_near, run, sign in sides:
        most = float(reach[moving].max())
        rail = _type_rail(channel, dtype, sign) - sign * centre
        rail = abs(rail) if np.isfinite(rail) else np.inf
        if most >= _RAIL * rail:
            at = moving & (reach >= _RAIL * rail)
            name = "at the type's rail"
        else:
            level = _plateau_level(reach[moving], plateau)
            at = moving & (reach >= (1 - plateau) * level) & (reach <= level)
            if not at.any() or np.median(run[at]) < _LEAST_RUN:
                continue
            name = f"at {centre + sign * level:.4g} µV, a plateau"
        n_at += int(n_near[at].sum())
        cells |= at
        texts.append(name)
    return n_at, cells, " and ".join(dict.fromkeys(texts))


def _plateau_level(reach: NDArray[np.floating], plateau: float) -> float:
    """The extreme value that too many cells share; NaN where amplitudes thin out as they should.

    A level below the largest is possible, where a rail was not there all the time; it must be
    shared by more.
    """
    ordered = np.sort(reach[reach > 0]).astype(np.float64)
    if not len(ordered):
        return float("nan")
    edges = [np.searchsorted(ordered, ordered * (1 - k * plateau)) for k in (1, 2)]
    ends = [np.searchsorted(ordered, ordered * (1 + k * plateau), side="right") for k in (0, 1)]
    n_at = ends[0] - edges[0]
    n_beside = np.maximum(edges[0] - edges[1], ends[1] - ends[0])
    at_top = ends[1] == len(ordered)
    least = np.where(at_top, _LEAST_PLATEAU_CELLS, 4 * _LEAST_PLATEAU_CELLS)
    shared = (n_at >= least) & (n_at >= _PLATEAU_RATIO * (n_beside + 1))
    if not shared.any():
        return float("nan")
    return float(ordered[np.flatnonzero(shared)[np.argmax(n_at[shared])]])


def _type_rail(channel: Channel, dtype: np.dtype[Any], sign: float) -> float:
    """The largest (or smallest) value that the samples' type can hold, microvolts."""
    if not np.issubdtype(dtype, np.integer):
        return sign * np.inf
    info = np.iinfo(dtype)
    ends = [channel.gain_uv * v + channel.offset_uv for v in (info.min + 1, info.max)]
    return max(ends) if sign > 0 else min(ends)


def _slot_findings(
    survey: Survey, channels: Sequence[Channel], steps: NDArray[np.float64], limits: QualityLimits
) -> list[Finding]:
    """Hum, loose inputs and copies: what takes minutes to be sure of."""
    known = np.isfinite(survey.mains_share)
    brain = np.array([c.kind.is_brain for c in channels])
    connected = survey.likeness > limits.max_likeness_of_noise  # False where not known
    level = known & brain & (survey.slope < limits.min_slope) & ~connected
    odd = known & brain & _unlike(survey, channels, limits)
    hum = known & (survey.mains_share > limits.max_mains_share)
    loose = _persistent(level | odd, known, limits.min_slots)
    findings: list[Finding] = []
    everywhere = loose.sum(axis=1) >= max(_ALL_LEAST, _ALL_SHARE * brain.sum())
    for row, channel in enumerate(channels):
        for run, inside in _slot_runs(survey, loose[:, row]):
            slope = round(float(np.nanmedian(survey.slope[inside, row])), 2) + 0.0
            if np.mean(level[inside, row]) >= 0.5:
                rms_uv = float(np.nanmedian(survey.rms_uv[inside, row]))
                text = f"level spectrum (1/f^{slope:.2f}), {rms_uv:.3g} µV rms: noise, no signal"
                value, limit = slope, limits.min_slope
            else:
                value = float(np.nanmedian(survey.likeness[inside, row]))
                limit = limits.min_likeness
                text = f"correlation {value:.2f} with the likest channel of {channel.region}"
            if np.mean(hum[inside, row]) >= 0.5:
                text += ", mostly mains hum"
            if np.mean(everywhere[inside]) >= 0.5:
                text += f"; {_all_text(int(loose[inside].any(axis=0).sum()))}"
            findings.append(Finding(row, FaultKind.DISCONNECTED, run, value, limit, text))
        hummed = _persistent(hum, known, limits.min_slots)[:, row] & ~loose[:, row]
        for run, inside in _slot_runs(survey, hummed):
            share = float(np.nanmedian(survey.mains_share[inside, row]))
            grid_hz = float(np.median(survey.mains_hz[inside, row]))
            text = f"{share:.0%} of the power is hum of {grid_hz:g} Hz and its multiples"
            findings.append(Finding(row, FaultKind.MAINS, run, share, limits.max_mains_share, text))
        twins = survey.twin[:, row]
        for other in np.unique(twins[twins >= 0]):
            same = _persistent((twins == other)[:, None], known[:, [row]], limits.min_slots)[:, 0]
            for run, inside in _slot_runs(survey, same):
                findings.append(
                    _copy(survey, row, int(other), run, inside, channels, steps, limits)
                )
    return findings


def _copy(
    survey: Survey,
    row: int,
    other: int,
    run: Interval,
    inside: Bools,
    channels: Sequence[Channel],
    steps: NDArray[np.float64],
    limits: QualityLimits,
) -> Finding:
    there = inside & (survey.twin[:, row] == other)
    rho = float(np.median(survey.twin_correlation[there, row]))
    left_uv = float(np.median(survey.twin_residual_uv[there, row]))
    turned = " with its sign turned" if rho < 0 else ""
    step = max(steps[row], steps[other])
    size = f"{left_uv / step:.2g} steps" if step > 0 else f"{left_uv:.2g} µV"
    text = f"the same as {channels[other].name}{turned}: correlation {rho:.5f}, apart by {size}"
    return Finding(row, FaultKind.COPY, run, rho, limits.min_copy_correlation, text)


def _unlike(survey: Survey, channels: Sequence[Channel], limits: QualityLimits) -> Bools:
    """(n_slots, n_channels) unlike every channel of a region whose others are alike."""
    odd = np.zeros(survey.likeness.shape, np.bool_)
    regions = np.array([c.region for c in channels])
    brain = np.array([c.kind.is_brain for c in channels])
    for row, channel in enumerate(channels):
        others = (regions == channel.region) & brain
        others[row] = False
        if not brain[row] or others.sum() < 2:
            continue
        theirs = survey.likeness[:, others]
        n_known = np.isfinite(theirs).sum(axis=1)
        typical = np.median(np.nan_to_num(theirs, nan=0.0), axis=1)
        odd[:, row] = (
            (n_known >= 2)
            & (typical > limits.min_likeness_of_others)
            & (survey.likeness[:, row] < limits.min_likeness)
        )
    return odd


def _persistent(hit: Bools, known: Bools, min_slots: int) -> Bools:
    """Hits that last: `min_slots` in a row, a single good slot between two of them let pass.

    In a block of fewer slots all must be hits.
    """
    kept = np.zeros_like(hit)
    for column in range(hit.shape[1]):
        seen = np.flatnonzero(known[:, column])
        values = hit[seen, column].copy()
        if not len(values):
            continue
        hole = np.zeros_like(values)
        hole[1:-1] = ~values[1:-1] & values[:-2] & values[2:]
        values |= hole
        edges = np.flatnonzero(np.diff(np.r_[False, values, False]))
        for a, b in zip(edges[::2], edges[1::2], strict=True):
            if b - a >= min(min_slots, len(values)):
                kept[seen[a:b], column] = True
    return kept


def _slot_runs(survey: Survey, hit: Bools) -> Iterator[tuple[Interval, Bools]]:
    """Stretches of hits with the slots they are of; not across what was not looked at."""
    places = np.flatnonzero(hit)
    if not len(places):
        return
    breaks = [
        i + 1
        for i, (a, b) in enumerate(pairwise(places))
        if survey.slot_start_s[b] - survey.slot_stop_s[a] > _TOUCHING_S
    ]
    for part in np.split(places, breaks):
        inside = np.zeros(len(hit), np.bool_)
        inside[part] = True
        yield (
            Interval(float(survey.slot_start_s[part[0]]), float(survey.slot_stop_s[part[-1]])),
            inside,
        )
