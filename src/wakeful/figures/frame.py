"""What surrounds the data of a panel: axes of time, titles, what was not recorded."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator

from wakeful.figures import lettering, style
from wakeful.figures.clock import TimeView, clock_ticks, light_phases, zeitgeber_ticks
from wakeful.model.time import Interval

LEAST_DRAWN_SHARE = 1 / 900
"""A gap narrower than this share of the axis is widened to it, so that it is seen."""
LEAST_GAP_S = 1e-3
"""Less than a millisecond of a gap is rounding."""
_TITLE_GAP_PT = 8.0


def set_time_axis(axes: Axes, view: TimeView, *, labels: bool) -> None:
    """Clock time along x; the labels stand under the lowest panel only."""
    ticks = clock_ticks(view.session, view.interval)
    axes.set_xlim(view.interval.start_s, view.interval.stop_s)
    axes.xaxis.set_major_locator(FixedLocator([t for t, _ in ticks]))
    if labels:
        axes.set_xticklabels([label for _, label in ticks])
        axes.set_xlabel(time_axis_label(view, [label for _, label in ticks]))
    else:
        axes.tick_params(axis="x", labelbottom=False)


def time_axis_label(view: TimeView, labels: list[str]) -> str:
    """What the numbers along x are."""
    if view.session.start_utc is None:
        unit = "h:min:s" if any(label.count(":") == 2 for label in labels) else "h:min"
        return f"time from the session's start, {unit} (clock time unknown)"
    return f"local time ({view.session.time_zone})"


def shade_missing(axes: Axes, view: TimeView) -> None:
    """Lay what was not recorded over a panel: nothing is drawn across it."""
    least_s = view.interval.duration_s * LEAST_DRAWN_SHARE
    for part in view.outside:
        axes.axvspan(part.start_s, part.stop_s, facecolor=style.OUTSIDE, lw=0, zorder=4)
    for gap in view.gaps:
        if gap.duration_s <= LEAST_GAP_S:
            continue
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


def axes_width_pt(axes: Axes) -> float:
    """How wide a panel is, points."""
    figure = axes.get_figure(root=True)
    if figure is None:
        raise ValueError("axes_width_pt needs axes that are on a figure")
    return float(axes.get_position().width * figure.get_size_inches()[0] * 72)


def title_panel(axes: Axes, name: str, note: str = "", *, what: str = "") -> None:
    """A line over a panel: what it is, and on the right how it was made.

    What does not fit is shortened.

    Parameters
    ----------
    what : the end of the title, for example ": band power"; it is never cut
    """
    title_pt = lettering.width_pt(name + what, style.LABEL_PT, bold=True)
    note_pt = lettering.width_pt(note, style.NOTE_PT)
    room_pt = axes_width_pt(axes) - (_TITLE_GAP_PT if note else 0.0)
    title_room_pt, note_room_pt = lettering.share_room(title_pt, note_pt, room_pt)
    name_room_pt = title_room_pt - lettering.width_pt(what, style.LABEL_PT, bold=True)
    if title_room_pt >= title_pt:  # letters that are kerned are narrower together than apart
        name_room_pt = lettering.width_pt(name, style.LABEL_PT, bold=True)
    axes.annotate(
        # A hundredth of a point, so that rounding cuts nothing that fits.
        lettering.shorten(name, name_room_pt + 0.01, style.LABEL_PT, bold=True) + what,
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 2),
        textcoords="offset points",
        fontsize=style.LABEL_PT,
        fontweight="bold",
        va="bottom",
        parse_math=False,
    )
    if note:
        axes.annotate(
            lettering.shorten(note, note_room_pt + 0.01, style.NOTE_PT),
            (1, 1),
            xycoords="axes fraction",
            xytext=(0, 2),
            textcoords="offset points",
            fontsize=style.NOTE_PT,
            color=style.FAINT,
            ha="right",
            va="bottom",
            parse_math=False,
        )


def draw_reason(axes: Axes, title: str, text: str) -> None:
    """A panel for what could not be drawn."""
    title_panel(axes, title)
    say_instead(axes, text)


def say_instead(axes: Axes, text: str, max_lines: int = 2) -> None:
    """A panel that has nothing to show says why."""
    axes.set_yticks([])
    _say(axes, text, 0.5, max_lines)


def say_below(axes: Axes, text: str) -> None:
    """Why a panel shows no more than it does, in its lower part."""
    _say(axes, text, 0.25, 2)


def _say(axes: Axes, text: str, height: float, max_lines: int) -> None:
    room_pt = 0.96 * axes_width_pt(axes)
    axes.text(
        0.5,
        height,
        "\n".join(lettering.wrap(text, room_pt, style.NOTE_PT, max_lines)),
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=style.NOTE_PT,
        color=style.FAINT,
        zorder=7,
        parse_math=False,
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
        parse_math=False,
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
    if ticks:
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
