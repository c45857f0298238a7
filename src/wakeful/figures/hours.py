"""The strip at the foot of a day: where its hours went."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from wakeful.figures import style
from wakeful.figures.clock import TimeView, duration_label, exact_parts
from wakeful.figures.frame import LEAST_GAP_S, axes_width_pt, set_time_axis, title_panel
from wakeful.figures.lettering import width_pt
from wakeful.model.time import Accounting, Day, Interval

TITLE = "Hours accounted for"
_CELLS = 450
"""The strip's width in marks: 0.3 mm each."""
_NEAR = 2
"""What has no mark of its own within so many cells is given one."""
_VISIBLE_SHARE = 0.5
_RECORDED_CELLS = 3
"""A mark of recorded time is this wide, so that one of a gap or quarantine upon it leaves some."""
_LEAST_PT = 4.5
_GAP_PT = 8.0

Intervals = tuple[Interval, ...]


def draw_accounting_panel(axes: Axes, view: TimeView, day: Day, parts: Accounting) -> None:
    """Where the hours of a local day went: the whole day, whatever the panels above show.

    What is too short to be seen gets a mark; what the accounting has none of gets none.
    """
    inside = day.interval.intersect(view.session.interval)
    whole = TimeView(
        session=view.session,
        interval=day.interval,
        recorded=view.recorded,
        quarantined=view.quarantined,
    )
    gaps = _within(whole.gaps, inside) if parts.gap_s > LEAST_GAP_S else ()
    recorded = _within(whole.recorded, inside) if gaps else _within((inside,), inside)
    bad = _within(whole.quarantined, inside) if parts.quarantined_s > 0 else ()
    for part in whole.outside:
        axes.axvspan(part.start_s, part.stop_s, facecolor=style.OUTSIDE, lw=0, zorder=1)
    narrow = marks({"recorded": recorded, "gap": gaps, "quarantined": bad}, day.interval)
    for layer, stretches in enumerate(
        ({"recorded": recorded, "gap": gaps, "quarantined": bad}, narrow)
    ):
        _draw_bars(axes, stretches, 2.0 + 3 * layer)
    set_time_axis(axes, whole, labels=True)
    axes.set_xlabel("")
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(True)
    _say_hours(axes, view, day, parts)


def _within(stretches: Intervals, inside: Interval) -> Intervals:
    return tuple(part for s in stretches if (part := inside.intersect(s)).duration_s > 0)


def _draw_bars(axes: Axes, stretches: Mapping[str, Intervals], zorder: float) -> None:
    looks: dict[str, dict[str, object]] = {
        "recorded": {"facecolor": style.RECORDED},
        "gap": {"facecolor": style.GAP_FACE, "edgecolor": style.GAP_HATCH, "hatch": "//////"},
        "quarantined": {"facecolor": style.QUARANTINE},
    }
    for i, (kind, look) in enumerate(looks.items()):
        bars = [(part.start_s, part.duration_s) for part in stretches[kind]]
        if bars:
            drawn = axes.broken_barh(bars, (0, 1), lw=0, zorder=zorder + i, label=kind)
            drawn.set(**look)


def marks(stretches: Mapping[str, Intervals], whole: Interval) -> dict[str, Intervals]:
    """Where each kind of time needs a mark, because it is there but too short to be seen.

    Parameters
    ----------
    stretches : "recorded", "gap" and "quarantined" (which lies in what was recorded)
    """
    edges = np.linspace(whole.start_s, whole.stop_s, _CELLS + 1)
    cell_s = whole.duration_s / _CELLS
    covered = {kind: _cover(parts, edges) for kind, parts in stretches.items()}
    trusted = {**covered, "recorded": covered["recorded"] - covered["quarantined"]}
    placed: dict[str, Intervals] = {}
    for kind, share_s in trusted.items():
        wide = _RECORDED_CELLS if kind == "recorded" else 1
        seen = share_s >= _VISIBLE_SHARE * cell_s
        cells: list[Interval] = []
        for cell in np.flatnonzero(share_s > 1e-6):
            if seen[max(0, cell - _NEAR) : cell + _NEAR + 1].any():
                continue
            first = min(max(0, int(cell) - wide // 2), _CELLS - wide)
            seen[first : first + wide] = True
            cells.append(Interval(float(edges[first]), float(edges[first + wide])))
        placed[kind] = tuple(cells)
    return placed


def _cover(parts: Intervals, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_edges - 1,) seconds of each cell that lie in the stretches, which do not overlap."""
    if not parts:
        return np.zeros(len(edges) - 1)
    ordered = sorted(parts)
    start_s = np.array([part.start_s for part in ordered])
    length_s = np.array([part.duration_s for part in ordered])
    before_s = np.r_[0.0, np.cumsum(length_s)]
    at = np.searchsorted(start_s, edges, side="right") - 1
    into_s = np.clip(edges - start_s[np.maximum(at, 0)], 0.0, length_s[np.maximum(at, 0)])
    total_s = np.where(at < 0, 0.0, before_s[np.maximum(at, 0)] + into_s)
    return np.diff(total_s)


def _say_hours(axes: Axes, view: TimeView, day: Day, parts: Accounting) -> None:
    """The sum beside the title; it may run on into the margin on the right, no further."""
    names = ("recorded", "gap", "quarantined", "outside the session")
    exact_s = (parts.recorded_s, parts.gap_s, parts.quarantined_s, parts.outside_s)
    whole_s = exact_parts(exact_s)
    terms = " + ".join(
        f"{name} {'<1 s' if exact > LEAST_GAP_S and not whole else duration_label(whole)}"
        for name, exact, whole in zip(names, exact_s, whole_s, strict=True)
    )
    text = f"{terms} = {duration_label(sum(whole_s))} h"
    changed = view.session.start_utc is not None and round(day.length_s) != 86_400
    title = f"{TITLE} (clocks changed)" if changed else TITLE
    title_panel(axes, title)
    begin_pt = width_pt(title, style.LABEL_PT, bold=True) + _GAP_PT
    margin_pt = (style.RIGHT_MM - 2.0) * style.POINTS_PER_MM
    room_pt = axes_width_pt(axes) + margin_pt - begin_pt
    needed_pt = width_pt(text, style.NOTE_PT)
    axes.annotate(
        text,
        (0, 1),
        xycoords="axes fraction",
        xytext=(begin_pt, 2),
        textcoords="offset points",
        fontsize=style.NOTE_PT * min(1.0, max(_LEAST_PT / style.NOTE_PT, room_pt / needed_pt)),
        color=style.FAINT,
        va="bottom",
    )
