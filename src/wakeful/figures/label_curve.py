"""How agreement grows with the minutes that a person labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from wakeful.figures import style
from wakeful.model.epochs import State
from wakeful.sleep.label_curve import CurvePoint, LabelCurve

_PANEL_MM, _WIDE_MM, _BETWEEN_MM = 48.0, 68.0, 14.0
_TOP_MM, _BELOW_MM = 14.0, 15.0
_OTHER_COLOURS = ("#4A4A4A", "#3C8D7B", "#7B4B94", "#8C6D31")
"""Of states that are none of the three."""
_LEAST_SHOWN = 0.5


def draw_label_curve(curve: LabelCurve, title: str) -> Figure:
    """Kappa, and F1 of each state, against minutes of labels.

    Every draw is a dot, the line joins medians; at the right, what all labels give when parts of
    them are held out. A draw that taught nothing has no dot, and its number stands below.
    """
    with style.house_style():
        width_mm = style.LEFT_MM + 2 * _WIDE_MM + _BETWEEN_MM + style.RIGHT_MM - 14.0
        figure = style.new_figure(width_mm, _TOP_MM + _PANEL_MM + _BELOW_MM)
        left, right = (
            style.place_axes(
                figure, style.LEFT_MM + i * (_WIDE_MM + _BETWEEN_MM), _TOP_MM, _WIDE_MM, _PANEL_MM
            )
            for i in range(2)
        )
        kappa = [[s.kappa for s in p.scores] for p in curve.points]
        lowest = [_draw_line(left, curve, kappa, curve.all_labels.kappa, style.INK, 0.0)]
        left.set_ylabel("Cohen's kappa")
        shift = np.linspace(-0.05, 0.05, len(curve.states)) if len(curve.states) > 1 else [0.0]
        for state, by in zip(curve.states, shift, strict=True):
            f1 = [[s.f1[state] for s in p.scores] for p in curve.points]
            colour = state_colour(state, curve.states)
            lowest.append(
                _draw_line(right, curve, f1, curve.all_labels.f1[state], colour, float(by), state)
            )
        right.set_ylabel("F1")
        right.legend(loc="lower right", handlelength=1.4, borderaxespad=0.2)
        floor = min(_LEAST_SHOWN, *(0.1 * np.floor(10 * v) for v in lowest if np.isfinite(v)))
        for axes in (left, right):
            _set_axes(axes, curve, float(floor))
        _write_notes(figure, curve)
        style.write_title(figure, title)
    return figure


def _draw_line(
    axes: Axes,
    curve: LabelCurve,
    values: Sequence[Sequence[float]],
    of_all: float,
    colour: str,
    shift: float,
    label: str = "",
) -> float:
    """Dots, medians and their line, shifted by a share of a decade; returns the lowest value."""
    at = [p.minutes * 10**shift for p in curve.points]
    shown = [(x, [v for v in row if np.isfinite(v)]) for x, row in zip(at, values, strict=True)]
    shown = [(x, row) for x, row in shown if row]
    for x, row in shown:
        axes.plot(
            [x] * len(row), row, "o", ms=3.0, mfc=colour, mec="none", alpha=0.45, clip_on=False
        )
    axes.plot(
        [x for x, _ in shown],
        [float(np.median(row)) for _, row in shown],
        "-_",
        color=colour,
        ms=6.0,
        mew=1.4,
        lw=1.0,
        label=label or None,
        clip_on=False,
        zorder=3,
    )
    if np.isfinite(of_all):
        axes.plot(
            [curve.all_minutes * 10**shift],
            [of_all],
            "D",
            ms=3.6,
            mfc="white",
            mec=colour,
            zorder=3,
        )
    lowest = [min(row) for _, row in shown] + ([of_all] if np.isfinite(of_all) else [])
    return min(lowest, default=float("nan"))


def state_colour(state: str, states: Sequence[str]) -> str:
    """The house's colour of a state, or one of its own for a state that is none of the three."""
    for known in State:
        if known.label == state:
            return style.STATE_COLOURS[known]
    return _OTHER_COLOURS[states.index(state) % len(_OTHER_COLOURS)]


def _set_axes(axes: Axes, curve: LabelCurve, floor: float) -> None:
    minutes = [p.minutes for p in curve.points]
    ends = [*minutes, curve.all_minutes]
    axes.set_xscale("log")
    axes.set_xlim(0.8 * min(ends), 1.25 * max(ends))
    ticks = [*minutes]
    if curve.all_minutes > 1.3 * max(minutes):
        ticks.append(curve.all_minutes)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels(
        [f"{m:g}" for m in minutes] + [f"all {m:,.0f}" for m in ticks[len(minutes) :]]
    )
    axes.set_xlabel("minutes of labels (log)")
    axes.set_ylim(floor, 1.0)
    axes.grid(axis="y", color=style.GAP_FACE, lw=0.5)
    axes.set_axisbelow(True)


def _write_notes(figure: Figure, curve: LabelCurve) -> None:
    """How draws were made, and what they could not teach."""
    params = curve.params
    how = (
        f"dots: {params.n_draws} draws of stretches of {params.stretch_min:g} min, each held "
        "against all that it did not see; line: median; diamond: all labels, parts held out"
    )
    lacks = [lack for point in curve.points if (lack := _lack(point, curve.states))]
    wide, high = figure.get_size_inches() * style.MM_PER_INCH
    figure.text(
        style.LEFT_MM / wide,
        1 - 6.4 / high,
        how,
        fontsize=style.NOTE_PT,
        color=style.FAINT,
        va="top",
    )
    figure.text(
        style.LEFT_MM / wide,
        6.5 / high,
        "; ".join(lacks),
        fontsize=style.NOTE_PT,
        color=style.FAINT,
        va="top",
    )


def _lack(point: CurvePoint, states: Sequence[str]) -> str:
    if point.reason:
        return f"{point.minutes:g} min: too few labels"
    counts = {state: point.n_unlearned(state) for state in states}
    said = [f"no {state} in {n}" for state, n in counts.items() if n]
    nothing = len(point.draws) - len(point.scores)
    said += [f"nothing learned in {nothing}"] if nothing else []
    return f"{point.minutes:g} min: {', '.join(said)} of {len(point.draws)}" if said else ""
