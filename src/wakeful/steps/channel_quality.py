"""Which channels can be trusted, hour by hour: faults found, and marks set by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from wakeful.model.arrays import Lfp
from wakeful.model.quality import (
    ChannelMeasures,
    ChannelQuality,
    FaultKind,
    Mark,
    Verdict,
)
from wakeful.model.subject import Channel, ChannelKind, Session
from wakeful.model.time import Interval, Span
from wakeful.signal.quality_limits import QualityLimits
from wakeful.step import Step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from wakeful.signal.channel_faults import Finding


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The block's LFP, and what people said of its channels; spans for the figure."""

    lfp: Lfp
    block: Interval
    session: Session
    marks: tuple[Mark, ...]
    spans: tuple[Span, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Params(QualityLimits):
    """What the measures are held against."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Faults, and the measures behind them."""

    channel_quality: ChannelQuality
    channel_measures: ChannelMeasures


@dataclass(frozen=True)
class _Row:
    """One line of the table."""

    number: int
    kind: FaultKind
    interval: Interval
    value: float
    limit: float
    reason: str
    heeded: bool = True


def compute(inputs: Inputs, params: Params) -> Outputs:
    """Survey the block's channels, judge them, and lay the marks set by hand over the verdicts.

    A mark wins over what was found: where a channel is marked good, its faults are kept in the
    table but not heeded; where it is marked bad, that is a line of its own. TTL channels are left
    out.
    """
    from wakeful.signal.channel_faults import judge
    from wakeful.signal.channel_quality import survey
    from wakeful.signal.header_faults import describe_headers

    lfp, block = inputs.lfp, inputs.block
    rows = tuple(i for i, c in enumerate(lfp.channels) if c.kind is not ChannelKind.TTL)
    channels = tuple(lfp.channels[i] for i in rows)
    measured = survey(lfp, rows, block, params)
    judged = judge(measured, channels, lfp.samples.dtype, params)
    table = _merge(judged.findings, inputs.marks, channels, block)
    return Outputs(
        channel_quality=ChannelQuality(
            start_s=np.array([row.interval.start_s for row in table], np.float64),
            stop_s=np.array([row.interval.stop_s for row in table], np.float64),
            channel=np.array([row.number for row in table], np.int32),
            kind=np.array([row.kind for row in table], np.int8),
            value=np.array([row.value for row in table], np.float64),
            limit=np.array([row.limit for row in table], np.float64),
            heeded=np.array([row.heeded for row in table], np.bool_),
            reason=np.array([row.reason for row in table], np.str_),
            channels=tuple(c.name for c in channels),
            regions=tuple(c.region for c in channels),
            notes=describe_headers(channels),
        ),
        channel_measures=ChannelMeasures(
            start_s=np.array([block.start_s]),
            stop_s=np.array([block.stop_s]),
            flat_share=judged.flat_share[None],
            clipped_share=judged.clipped_share[None],
            mains_share=median_over_slots(measured.mains_share),
            slope=median_over_slots(measured.slope),
            likeness=median_over_slots(measured.likeness),
            rms_uv=median_over_slots(measured.rms_uv),
            channels=tuple(c.name for c in channels),
        ),
    )


def median_over_slots(values: np.ndarray) -> np.ndarray:
    """(1, n_channels) median over slots, NaN left out; NaN where nothing is left."""
    known = [column[np.isfinite(column)] for column in values.T]
    return np.array([[np.median(v) if len(v) else np.nan for v in known]], np.float32)


def _merge(
    findings: Sequence[Finding],
    marks: Sequence[Mark],
    channels: Sequence[Channel],
    block: Interval,
) -> list[_Row]:
    rows: list[_Row] = []
    for number, channel in enumerate(channels):
        mine = [mark for mark in marks if mark.concerns(channel.name)]
        found = [f for f in findings if f.row == number]
        pieces = _verdicts(mine, block)
        for f in found:
            row = _Row(number, f.kind, f.interval, f.value, f.limit, f.reason)
            rows += _overrule(row, pieces)
        for part, mark in pieces:
            if mark is not None and mark.verdict is Verdict.BAD:
                text = f"marked by {mark.author}: {mark.reason}"
                rows.append(_Row(number, FaultKind.BY_HAND, part, np.nan, np.nan, text))
    return sorted(rows, key=lambda row: (row.interval, row.number, row.kind))


def _verdicts(marks: Sequence[Mark], block: Interval) -> list[tuple[Interval, Mark | None]]:
    """The block in pieces, each with the last mark that was made of it."""
    edges = sorted(
        {block.start_s, block.stop_s, *(e for m in marks for e in (m.start_s, m.stop_s))}
    )
    pieces: list[tuple[Interval, Mark | None]] = []
    for start_s, stop_s in pairwise(edges):
        part = Interval(start_s, stop_s).intersect(block)
        if part.duration_s <= 0:
            continue
        over = [m for m in marks if m.start_s <= part.start_s and m.stop_s >= part.stop_s]
        mark = over[-1] if over else None
        if pieces and pieces[-1][1] is mark:
            pieces[-1] = (Interval(pieces[-1][0].start_s, part.stop_s), mark)
        else:
            pieces.append((part, mark))
    return pieces


def _overrule(row: _Row, pieces: Sequence[tuple[Interval, Mark | None]]) -> list[_Row]:
    """A fault cut at the borders of marks that say that the channel is good."""
    parts: list[_Row] = []
    for piece, mark in pieces:
        part = row.interval.intersect(piece)
        if part.duration_s <= 0:
            continue
        good = mark is not None and mark.verdict is Verdict.GOOD
        reason = row.reason
        if good and mark is not None:
            reason += f"; marked good by {mark.author}: {mark.reason}"
        if parts and parts[-1].heeded is not good and parts[-1].reason == reason:
            whole = Interval(parts[-1].interval.start_s, part.stop_s)
            parts[-1] = _Row(row.number, row.kind, whole, row.value, row.limit, reason, not good)
        else:
            parts.append(_Row(row.number, row.kind, part, row.value, row.limit, reason, not good))
    return parts


def draw(inputs: Inputs, params: Params, outputs: Outputs) -> Mapping[str, Figure]:  # noqa: ARG001
    """Channels against time, with what is wrong where."""
    from wakeful.figures import draw_channel_quality

    return {
        "channel_quality": draw_channel_quality(
            inputs.session, outputs.channel_quality, inputs.block, inputs.spans
        )
    }


STEP = Step(
    title="Channel quality",
    summary="Flat, dead, clipped, humming, disconnected and copied channels, when and by how much, "
    "with the marks people set.",
    inputs=Inputs,
    params=Params,
    outputs=Outputs,
    compute=compute,
    draw=draw,
    version=1,
    per="block",
    masks="none",
    masks_reason="it makes them",
    sources=(
        "Bigdely-Shamlo et al. 2015, Front. Neuroinform. 9: 16 (PREP: flat, noisy and unlike)",
        "International Brain Laboratory et al. 2022, Spike sorting pipeline (dead and noisy)",
        "Miller et al. 2009, PLoS Comput. Biol. 5: e1000609 (slope of field potentials)",
    ),
    captions={
        "channel_quality": (
            "Every channel over one local day; a stretch in colour has a fault. Faults are advice: "
            "nothing was removed or filled in."
        ),
    },
)
