"""What surrounds the data of a panel: axes of time, titles, what was not recorded."""

from __future__ import annotations

import textwrap

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator

from wakeful.figures import style
from wakeful.figures.clock import (
    TimeView,
    clock_ticks,
    duration_label,
    exact_parts,
    light_phases,
    zeitgeber_ticks,
)
from wakeful.model.time import Accounting, Day, Interval

LEAST_DRAWN_SHARE = 1 / 900
"""A gap narrower than this share of the axis is widened to it, so that it is seen."""
_LEAST_SAID_S = 1e-3
"""Less than a millisecond of a gap is rounding."""


def set_time_axis(axes: Axes, view: TimeView, *, labels: bool) -> None:
    """Clock time along x; the labels stand under the lowest panel only."""
    ticks = clock_ticks(view.session, view.interval)
    axes.set_xlim(view.interval.start_s, view.interval.stop_s)
    axes.xaxis.set_major_locator(FixedLocator([t for t, _ in ticks]))
    if labels:
        axes.set_xticklabels([label for _, label in ticks])
        axes.set_xlabel(time_axis_label(view))
    else:
        axes.tick_params(axis="x", labelbottom=False)


def time_axis_label(view: TimeView) -> str:
    """What the numbers along x are."""
    if view.session.start_utc is None:
        return "time from the session's start, h:min (clock time unknown)"
    return f"local time ({view.session.time_zone})"


def shade_missing(axes: Axes, view: TimeView) -> None:
    """Lay what was not recorded over a panel: nothing is drawn across it."""
    least_s = view.interval.duration_s * LEAST_DRAWN_SHARE
    for part in view.outside:
        axes.axvspan(part.start_s, part.stop_s, facecolor=style.OUTSIDE, lw=0, zorder=4)
    for gap in view.gaps:
        wide = _at_least(gap, least_s)
        axes.axvspan(
            wide.start_s,
            wide.stop_s,
            facecolor=style.GAP_FACE,
            edgecolor=style.GAP_HATCH,
            hatch="//////",
            lw=0,
            zorder=5,
        )
    for stretch in view.quarantined:
        part = view.interval.intersect(stretch)
        if part.duration_s > 0:
            wide = _at_least(part, least_s)
            axes.axvspan(
                wide.start_s,
                wide.stop_s,
                facecolor="none",
                edgecolor=style.QUARANTINE,
                hatch="xxxx",
                lw=0.4,
                zorder=6,
            )


def _at_least(interval: Interval, least_s: float) -> Interval:
    margin_s = max(0.0, least_s - interval.duration_s) / 2
    return interval.widen(margin_s, margin_s)


def title_panel(axes: Axes, left: str, right: str = "") -> None:
    """A line over a panel: what it is, and how it was made."""
    axes.annotate(
        left,
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 2),
        textcoords="offset points",
        fontsize=style.LABEL_PT,
        fontweight="bold",
        va="bottom",
    )
    if right:
        axes.annotate(
            right,
            (1, 1),
            xycoords="axes fraction",
            xytext=(0, 2),
            textcoords="offset points",
            fontsize=style.NOTE_PT,
            color=style.FAINT,
            ha="right",
            va="bottom",
        )


def draw_reason(axes: Axes, title: str, text: str) -> None:
    """A panel for what could not be drawn."""
    title_panel(axes, title)
    say_instead(axes, text)


def say_instead(axes: Axes, text: str) -> None:
    """A panel that has nothing to show says why."""
    axes.set_yticks([])
    axes.text(
        0.5,
        0.5,
        text,
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=style.NOTE_PT,
        color=style.FAINT,
        wrap=True,
        zorder=7,
    )


def say_below(axes: Axes, text: str) -> None:
    """Why a panel shows no more than it does, in its lower part."""
    lines = textwrap.wrap(text, 110)
    axes.text(
        0.5,
        0.25,
        "\n".join(lines[:2]),
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=style.NOTE_PT,
        color=style.FAINT,
        zorder=7,
    )


def label_right(axes: Axes, text: str) -> None:
    """A note in the margin right of a panel."""
    axes.annotate(
        text,
        (1, 0.5),
        xycoords="axes fraction",
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=style.NOTE_PT,
        color=style.FAINT,
        annotation_clip=False,
    )


def draw_light_bar(axes: Axes, view: TimeView) -> None:
    """Lights on and off, with zeitgeber hours above."""
    for part, on in light_phases(view.session, view.interval):
        colour = style.LIGHT_ON if on else style.LIGHT_OFF
        axes.axvspan(part.start_s, part.stop_s, facecolor=colour, lw=0)
        if part.duration_s > 0.08 * view.interval.duration_s:
            axes.text(
                (part.start_s + part.stop_s) / 2,
                0.47,
                "light" if on else "dark",
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="center",
                fontsize=style.NOTE_PT,
                color=style.INK if on else "white",
            )
    axes.set_xlim(view.interval.start_s, view.interval.stop_s)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    ticks = zeitgeber_ticks(view.session, view.interval)
    axes.xaxis.tick_top()
    axes.xaxis.set_major_locator(FixedLocator([t for t, _ in ticks]))
    axes.set_xticklabels([label for _, label in ticks], fontsize=style.NOTE_PT)
    axes.tick_params(axis="x", labelbottom=False, labeltop=True)
    axes.annotate(
        "ZT (h:min)" if any(":" in label for _, label in ticks) else "ZT (h)",
        (0, 1),
        xycoords="axes fraction",
        xytext=(-15, 2),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=style.NOTE_PT,
    )
    for side in ("left", "bottom", "top"):
        axes.spines[side].set_visible(False)


def draw_accounting_panel(axes: Axes, view: TimeView, day: Day, parts: Accounting) -> None:
    """Where the hours of a local day went: the whole day, whatever the panels above show."""
    whole = TimeView(
        session=view.session,
        interval=day.interval,
        recorded=view.recorded,
        quarantined=view.quarantined,
    )
    inside = day.interval.intersect(view.session.interval)
    axes.axvspan(inside.start_s, inside.stop_s, facecolor=style.RECORDED, lw=0, zorder=1)
    shade_missing(axes, whole)
    set_time_axis(axes, whole, labels=True)
    axes.set_xlabel("")
    axes.set_yticks([])
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(True)
    names = ("recorded", "gap", "quarantined", "outside the session")
    exact_s = (parts.recorded_s, parts.gap_s, parts.quarantined_s, parts.outside_s)
    whole_s = exact_parts(exact_s)
    terms = " + ".join(
        f"{name} {'<1 s' if exact > _LEAST_SAID_S and not whole else duration_label(whole)}"
        for name, exact, whole in zip(names, exact_s, whole_s, strict=True)
    )
    title_panel(axes, "Hours accounted for")
    axes.annotate(
        f"{terms} = {_day_label(view, day, sum(whole_s))}",
        (0, 1),
        xycoords="axes fraction",
        xytext=(90, 2),
        textcoords="offset points",
        fontsize=style.NOTE_PT,
        color=style.FAINT,
        va="bottom",
    )


def _day_label(view: TimeView, day: Day, total_s: int) -> str:
    text = f"{duration_label(total_s)} h"
    if view.session.start_utc is not None and round(day.length_s) != 86_400:
        return f"{text} (clocks changed)"
    return text
