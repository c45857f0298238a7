"""Features of a day as a picture: every feature a row, each against its own median and spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wakeful.figures import frame, style
from wakeful.figures.absence import why_nothing
from wakeful.figures.clock import TimeView, view_of_rows
from wakeful.figures.day import title_line
from wakeful.figures.lettering import shorten
from wakeful.figures.panels import MAX_COLUMNS, region_label
from wakeful.figures.reduce import Array, mean_columns
from wakeful.model.epochs import SleepFeatures
from wakeful.model.subject import Session
from wakeful.model.time import Interval, Span
from wakeful.sleep.feature_list import TITLES, Group

_LEFT_MM, _RIGHT_MM = 40.0, 19.0
_ROW_MM = 2.7
"""Height of a feature, however many regions lie in it: its name must be readable."""
_TITLE_MM = 4.8
_LIMIT_SDS = 3.0
_MISSING = "#C9C9C9"
_DRAWN: tuple[Group, ...] = ("spectrum", "shape", "pairs", "muscle")
"""Neighbours in time are the same features again, and not drawn."""


@dataclass(frozen=True)
class _Kind:
    """The features of one group: names, and the columns of each, region after region."""

    title: str
    names: tuple[str, ...]
    columns: tuple[tuple[int, ...], ...]
    order: str
    """What the lines within a feature are, top to bottom."""


def draw_sleep_features(
    session: Session,
    features: SleepFeatures,
    interval: Interval | None = None,
    spans: tuple[Span, ...] | None = None,
) -> Figure:
    """Every feature of an epoch over time, in robust standard deviations from its median.

    Grouped by kind; within a feature a line for each region, or pair of regions. The median and
    the spread (interquartile range / 1.349) are those of the time shown.

    Parameters
    ----------
    interval : the stretch to show; all that is given where None
    spans : what was recorded; where None, the epochs that have data tell, to within an epoch
    """
    epoch_s = features.epoch_s
    known = np.asarray(np.isfinite(features.values).any(axis=1))
    view = view_of_rows(session, features, epoch_s, known, interval, spans)
    part = features.cut(view.interval)
    kinds = _kinds(features)
    head_mm, bar_mm = 5.0, 3.0
    has_light = session.light is not None and session.start_utc is not None
    if has_light:
        head_mm = 12.0 + bar_mm
    wide_mm = style.WIDTH_MM - _LEFT_MM - _RIGHT_MM
    high_mm = head_mm + sum(_TITLE_MM + len(kind.names) * _ROW_MM for kind in kinds)
    with style.house_style():
        figure = style.new_figure(style.WIDTH_MM, high_mm + style.FOOT_MM)
        if has_light:
            bar = style.place_axes(figure, _LEFT_MM, 12.0, wide_mm, bar_mm)
            frame.draw_light_bar(bar, view)
        top_mm = head_mm
        for i, kind in enumerate(kinds):
            top_mm += _TITLE_MM
            tall_mm = len(kind.names) * _ROW_MM
            axes = style.place_axes(figure, _LEFT_MM, top_mm, wide_mm, tall_mm)
            _draw_kind(axes, view, part, kind)
            if i == 0:
                _draw_key(axes, figure)
            if len(axes.images):
                frame.shade_missing(axes, view)
            frame.set_time_axis(axes, view, labels=i == len(kinds) - 1)
            top_mm += tall_mm
        style.write_title(figure, title_line(view, view.interval), _LEFT_MM)
    return figure


def _kinds(features: SleepFeatures) -> list[_Kind]:
    """The groups that are drawn; columns of one feature lie together."""
    kinds: list[_Kind] = []
    for group in _DRAWN:
        columns: dict[str, list[int]] = {}
        places: dict[str, None] = {}
        for i, (name, of) in enumerate(zip(features.names, features.groups, strict=True)):
            if of == group:
                place, _, feature = name.rpartition(".")
                columns.setdefault(feature, []).append(i)
                places[place] = None
        if columns:
            shown = ", ".join(region_label(p).replace("~", " ~ ") for p in places if p)
            kinds.append(
                _Kind(
                    title=TITLES[group],
                    names=tuple(columns),
                    columns=tuple(tuple(of) for of in columns.values()),
                    order=f"lines, top to bottom: {shown}" if len(places) > 1 else shown,
                )
            )
    return kinds


def _draw_kind(axes: Axes, view: TimeView, features: SleepFeatures, kind: _Kind) -> None:
    frame.title_panel(axes, kind.title, kind.order)
    chosen = [i for of in kind.columns for i in of]
    deviation = _deviations(features.values[:, chosen])
    if not np.isfinite(deviation).any():
        why = why_nothing(view, features.epoch_s, "features")
        if np.isfinite(features.values).any() and kind.title == TITLES["muscle"]:
            why = "neither EMG nor LFP-derived EMG"
        frame.say_instead(axes, why)
        return
    start_s, column_s, columns = mean_columns(
        features.start_s, deviation, features.epoch_s, view.interval, MAX_COLUMNS
    )
    # A feature has one height whatever the number of its lines: one picture for each.
    at = 0
    for row, of in enumerate(kind.columns):
        axes.imshow(
            columns[:, at : at + len(of)].T,
            origin="upper",
            aspect="auto",
            interpolation="nearest",
            extent=(start_s, start_s + len(columns) * column_s, row + 0.96, row + 0.04),
            cmap=_colours(),
            norm=Normalize(-_LIMIT_SDS, _LIMIT_SDS),
        )
        at += len(of)
    axes.set_ylim(len(kind.names), 0)
    room_pt = (_LEFT_MM - 2.0) * style.POINTS_PER_MM
    axes.set_yticks(
        np.arange(len(kind.names)) + 0.5,
        [shorten(n.replace("_", " "), room_pt, style.NOTE_PT) for n in kind.names],
        fontsize=style.NOTE_PT,
    )
    axes.tick_params(axis="y", length=0)


def _deviations(values: NDArray[np.float32]) -> Array:
    """(n_epochs, n_columns) robust standard deviations from the median, at most 3 shown.

    A feature without spread lies at its median throughout.
    """
    out = np.full(values.shape, np.nan)
    for i in range(values.shape[1]):
        known = np.isfinite(values[:, i])
        if not known.any():
            continue
        own = values[known, i].astype(np.float64)
        lower, middle, upper = np.percentile(own, [25, 50, 75])
        spread = (upper - lower) / 1.349
        out[known, i] = np.clip((own - middle) / spread, -_LIMIT_SDS, _LIMIT_SDS) if spread else 0.0
    return out


def _colours() -> Colormap:
    return colormaps["RdBu_r"].with_extremes(bad=_MISSING)


def _draw_key(axes: Axes, figure: Figure) -> None:
    box = axes.get_position()
    wide, high = figure.get_size_inches() * style.MM_PER_INCH
    bar_axes = figure.add_axes((box.x1 + 2.0 / wide, box.y1 - 30.0 / high, 2.0 / wide, 30.0 / high))
    shades = ScalarMappable(Normalize(-_LIMIT_SDS, _LIMIT_SDS), _colours())
    bar = figure.colorbar(shades, cax=bar_axes, ticks=[-3, 0, 3])
    bar.ax.set_yticklabels(["≤ −3", "0", "≥ 3"])
    bar.set_label("robust SD from the median", fontsize=style.NOTE_PT)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=style.NOTE_PT, length=1.5)
    bar_axes.annotate(
        "grey: no value",
        (0, 0),
        xycoords="axes fraction",
        xytext=(0, -6),
        textcoords="offset points",
        va="top",
        fontsize=style.NOTE_PT,
        color=style.FAINT,
        annotation_clip=False,
    )
