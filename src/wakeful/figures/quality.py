"""Channels against time: what is wrong with which, from when to when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wakeful.figures import frame, lettering, style
from wakeful.figures.clock import make_view
from wakeful.figures.day import title_line
from wakeful.model.quality import ChannelQuality, Fault, FaultKind, describe_fault, join_faults
from wakeful.model.subject import UNKNOWN_REGION, Session
from wakeful.model.time import Interval, Span

FAULT_COLOURS: Mapping[FaultKind, str] = MappingProxyType(
    {
        FaultKind.FLAT: "#56B4E9",
        FaultKind.DEAD: "#1A1A1A",
        FaultKind.CLIPPED: "#D55E00",
        FaultKind.MAINS: "#E9C716",
        FaultKind.DISCONNECTED: "#0072B2",
        FaultKind.COPY: "#009E73",
        FaultKind.BY_HAND: "#CC79A7",
    }
)
"""Told apart by readers with any of the three dichromacies (after Okabe & Ito 2008)."""
_LANES: Mapping[FaultKind, int] = MappingProxyType({FaultKind.CLIPPED: 1, FaultKind.BY_HAND: 2})
"""Faults that come on top of others lie in a lane of their own; the others exclude each other."""
_ROW_MM = (4.2, 2.6, 1.7)
_FEW, _MANY = 16, 40
_MOST_LINES = 16
_LINE_MM = 3.1
_REGION_PT = (style.RIGHT_MM - 2.5) * style.POINTS_PER_MM
_TITLE_MM = 4.8
_KEY_MM = 14.5
"""Between the panel and the words: labels of the axis, and the key to the colours."""
_KEY_PT = -31.0
_REGION_GAP = 0.35
"""Rows of space between two regions."""


def draw_channel_quality(
    session: Session,
    quality: ChannelQuality,
    interval: Interval | None = None,
    spans: tuple[Span, ...] | None = None,
) -> Figure:
    """Every channel over time, coloured where it has a fault, and the faults in words below.

    Parameters
    ----------
    interval : what is shown; the whole session where None
    spans : what was recorded; what was not is hatched
    """
    view = make_view(session, interval or session.interval, spans, np.empty(0), session.epoch_s)
    faults = join_faults(quality.cut(view.interval))
    places, height = _places(quality)
    n_channels = len(quality.channels)
    row_mm = _ROW_MM[(n_channels > _FEW) + (n_channels > _MANY)]
    lines = _lines(session, faults, quality.notes)
    has_light = session.light is not None and session.start_utc is not None
    sizes = [(_TITLE_MM, max(6.0, height * row_mm)), (_KEY_MM, len(lines) * _LINE_MM)]
    if has_light:
        sizes.insert(0, (0.0, 3.0))
    with style.house_style():
        figure, axes = style.stack_axes(sizes, head_mm=12.0 if has_light else 5.0)
        if has_light:
            frame.draw_light_bar(axes.pop(0), view)
        grid, words = axes
        frame.title_panel(grid, "Channel quality", _summary(faults, n_channels))
        _draw_grid(grid, quality, faults, places, height)
        frame.shade_missing(grid, view)
        frame.set_time_axis(grid, view, labels=True)
        _draw_key(grid, faults)
        _draw_words(words, lines)
        style.write_title(figure, title_line(view, view.interval))
    return figure


def _places(quality: ChannelQuality) -> tuple[list[float], float]:
    """Where each channel's row lies, from the top, and how high all are together."""
    places: list[float] = []
    at = 0.0
    for i, region in enumerate(quality.regions):
        if i and region != quality.regions[i - 1]:
            at += _REGION_GAP
        places.append(at)
        at += 1
    return places, max(at, 1.0)


def _draw_grid(
    axes: Axes,
    quality: ChannelQuality,
    faults: Sequence[Fault],
    places: Sequence[float],
    height: float,
) -> None:
    place_of = dict(zip(quality.channels, places, strict=True))
    for place in places:
        axes.axhspan(place + 0.08, place + 0.92, facecolor="#EFEFEC", lw=0, zorder=0.5)
    for fault in faults:
        top, bottom = _lane(fault.kind, place_of[fault.channel])
        colour = FAULT_COLOURS[fault.kind]
        axes.broken_barh(
            [(fault.interval.start_s, fault.interval.duration_s)],
            (top, bottom - top),
            facecolor=colour if fault.heeded else "white",
            edgecolor=colour,
            # An edge keeps what lasts seconds visible on a day.
            lw=0.6,
            ls="-" if fault.heeded else ":",
            zorder=2 + _LANES.get(fault.kind, 0),
        )
    axes.set_ylim(height, 0)
    step = 1 if len(places) <= _MANY else 4
    axes.set_yticks(
        [p + 0.5 for p in places[::step]],
        [lettering.shorten(n, 38.0, style.NOTE_PT) for n in quality.channels[::step]],
        fontsize=style.NOTE_PT if len(places) <= _MANY else 4.5,
    )
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    _label_regions(axes, quality, places)


def _lane(kind: FaultKind, place: float) -> tuple[float, float]:
    """Upper and lower edge of a fault's bar in its channel's row."""
    lane = _LANES.get(kind)
    if lane is None:
        return place + 0.08, place + 0.92
    return (place + 0.08, place + 0.4) if lane == 1 else (place + 0.6, place + 0.92)


def _label_regions(axes: Axes, quality: ChannelQuality, places: Sequence[float]) -> None:
    """Regions on the right of their rows."""
    for region in dict.fromkeys(quality.regions):
        rows = [p for p, r in zip(places, quality.regions, strict=True) if r == region]
        name = "unknown region" if region == UNKNOWN_REGION else region
        axes.annotate(
            lettering.shorten(name, _REGION_PT, style.NOTE_PT),
            (1, (min(rows) + max(rows) + 1) / 2),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.NOTE_PT,
            color=style.FAINT,
            annotation_clip=False,
            parse_math=False,
        )


def _draw_key(axes: Axes, faults: Sequence[Fault]) -> None:
    """The kinds that occur, below the axis of time, on the right."""
    kinds = sorted({f.kind for f in faults})
    at_pt = frame.axes_width_pt(axes)
    for kind in reversed(kinds):
        at_pt -= lettering.width_pt(kind.label, style.NOTE_PT) + 14
        axes.annotate(
            "■",
            (0, 0),
            xycoords="axes fraction",
            xytext=(at_pt, _KEY_PT),
            textcoords="offset points",
            fontsize=style.LABEL_PT,
            color=FAULT_COLOURS[kind],
            annotation_clip=False,
        )
        axes.annotate(
            kind.label,
            (0, 0),
            xycoords="axes fraction",
            xytext=(at_pt + 8, _KEY_PT + 0.5),
            textcoords="offset points",
            fontsize=style.NOTE_PT,
            annotation_clip=False,
        )


def _summary(faults: Sequence[Fault], n_channels: int) -> str:
    bad = {f.channel for f in faults if f.heeded}
    text = f"{len(bad)} of {n_channels} channels have a fault; nothing was removed or filled in"
    if not all(f.heeded for f in faults):
        text += "; dotted: marked good by hand"
    return text


def _lines(session: Session, faults: Sequence[Fault], notes: Sequence[str]) -> list[str]:
    """Faults in words, the longest first where not all can be said, then the headers' notes."""
    said = sorted(faults, key=lambda f: -f.interval.duration_s)[:_MOST_LINES]
    lines = [describe_fault(session, f) for f in faults if f in said]
    if len(said) < len(faults):
        lines.append(f"and {len(faults) - len(said)} shorter ones: see channel_quality.csv")
    if not faults:
        lines.append("no fault was found, and none marked by hand")
    return [*lines, *notes]


def _draw_words(axes: Axes, lines: Sequence[str]) -> None:
    axes.set_axis_off()
    room_pt = (style.WIDTH_MM - style.LEFT_MM - 4.0) * style.POINTS_PER_MM
    for i, line in enumerate(lines):
        axes.text(
            0.0,
            1 - (i + 0.5) / len(lines),
            lettering.shorten(line, room_pt, style.NOTE_PT),
            transform=axes.transAxes,
            va="center",
            fontsize=style.NOTE_PT,
            parse_math=False,
        )
