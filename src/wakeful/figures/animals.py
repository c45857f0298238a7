"""Scorers of several animals: kappa and F1 of each, and how far minutes and bouts lie apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from wakeful.figures import frame, style
from wakeful.model.epochs import SCORED, State
from wakeful.sleep.scorers import (
    BlandAltman,
    Comparison,
    bout_differences_of,
    differences_of,
    pairs_of_scorers,
)

_WIDE_MM, _BETWEEN_MM, _HIGH_MM = 68.0, 17.0, 32.0
_HEAD_MM, _ABOVE_MM, _FIRST_BELOW_MM = 8.0, 12.0, 4.0
_MARKS = "osD^vP*X"
"""Of pairs of scorers; a ninth begins anew."""
_MOST_PAIRS = 6
"""More are left to the tables."""


def draw_animals(comparisons: Sequence[Comparison]) -> Figure:
    """Agreement of each animal, and Bland-Altman plots of each two scorers over the animals.

    Above: Cohen's kappa and F1 of each state, a mark for each two scorers. Below, a row for each
    two scorers: difference against mean of minutes and of bouts, a dot an animal; lines are the
    bias, dashed the limits of agreement (Bland and Altman 1986, Lancet 327:307).
    """
    every = pairs_of_scorers(comparisons)
    pairs = every[:_MOST_PAIRS]
    n_rows = 1 + len(pairs)
    high_mm = _HEAD_MM + n_rows * (_ABOVE_MM + _HIGH_MM) + _FIRST_BELOW_MM + 12.0
    with style.house_style():
        width_mm = style.LEFT_MM + 2 * _WIDE_MM + _BETWEEN_MM + 6.0
        figure = style.new_figure(width_mm, high_mm)

        def place(row: int, column: int) -> Axes:
            top_mm = _HEAD_MM + row * (_ABOVE_MM + _HIGH_MM) + _ABOVE_MM
            left_mm = style.LEFT_MM + column * (_WIDE_MM + _BETWEEN_MM)
            shift_mm = _FIRST_BELOW_MM if row else 0.0
            return style.place_axes(figure, left_mm, top_mm - 5.0 + shift_mm, _WIDE_MM, _HIGH_MM)

        _draw_kappa(place(0, 0), comparisons, every)
        _draw_f1(place(0, 1), comparisons, every)
        for row, (first, second) in enumerate(pairs, start=1):
            both = [c for c in comparisons if {first, second} <= set(c.names)]
            at = [(c, c.names.index(first), c.names.index(second)) for c in both]
            minutes = np.array([[c.minutes[i], c.minutes[j]] for c, i, j in at])
            bouts = np.array([[c.n_bouts[i], c.n_bouts[j]] for c, i, j in at], np.float64)
            axes = place(row, 0)
            limits = differences_of(comparisons, first, second).get("animal", {})
            _draw_differences(axes, minutes, limits, "minutes")
            frame.title_panel(axes, f"{second} less {first}", f"{len(both)} animals")
            axes = place(row, 1)
            _draw_differences(axes, bouts, bout_differences_of(comparisons, first, second), "bouts")
        more = len(every) - len(pairs)
        title = f"{len(comparisons)} animals, {len(every)} pairs of scorers"
        style.write_title(figure, title + (f" ({more} more in the tables)" if more else ""))
    return figure


def _draw_kappa(
    axes: Axes, comparisons: Sequence[Comparison], pairs: Sequence[tuple[str, str]]
) -> None:
    for column, comparison in enumerate(comparisons):
        for pair in comparison.pairs:
            number = pairs.index((pair.first, pair.second))
            axes.plot(
                column + _aside(number, len(pairs)),
                pair.agreement.kappa,
                _MARKS[number % len(_MARKS)],
                ms=4.0,
                mfc="white",
                mec=style.INK,
                mew=0.8,
            )
    _set_animals(axes, comparisons, "Cohen's kappa")
    frame.title_panel(axes, "Agreement of each animal")
    if len(pairs) <= _MOST_PAIRS:
        marks = [
            Line2D([], [], ls="", marker=_MARKS[i], ms=4.0, mfc="white", mec=style.INK)
            for i in range(len(pairs))
        ]
        names = [f"{first} – {second}" for first, second in pairs]
        axes.legend(marks, names, loc="lower left", handletextpad=0.2, borderaxespad=0.2)


def _draw_f1(
    axes: Axes, comparisons: Sequence[Comparison], pairs: Sequence[tuple[str, str]]
) -> None:
    for column, comparison in enumerate(comparisons):
        for pair in comparison.pairs:
            number = pairs.index((pair.first, pair.second))
            for place, state in enumerate(SCORED):
                axes.plot(
                    column + 0.26 * (place - 1) + 0.3 * _aside(number, len(pairs)),
                    pair.agreement.f1[state],
                    _MARKS[number % len(_MARKS)],
                    ms=4.0,
                    mfc="none",
                    mec=style.STATE_COLOURS[state],
                    mew=0.9,
                )
    _set_animals(axes, comparisons, "F1")
    frame.title_panel(axes, "F1 of each state")
    _add_states(axes)


def _add_states(axes: Axes) -> None:
    marks = [
        Line2D([], [], ls="", marker="o", ms=3.6, color=style.STATE_COLOURS[s]) for s in SCORED
    ]
    axes.legend(
        marks,
        [s.label for s in SCORED],
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=3,
        handletextpad=0.1,
        columnspacing=0.9,
        borderaxespad=0.1,
    )


def _aside(number: int, n_pairs: int) -> float:
    """Marks of one animal stand beside each other."""
    return 0.0 if n_pairs == 1 else 0.4 * (number / (n_pairs - 1) - 0.5)


def _set_animals(axes: Axes, comparisons: Sequence[Comparison], what: str) -> None:
    names = [c.subject or "?" for c in comparisons]
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_xticks(range(len(names)), names)
    if len(names) > 8 or max(map(len, names)) > 12:
        axes.tick_params(axis="x", labelrotation=30.0)
    values = [float(v) for line in axes.lines for v in np.atleast_1d(line.get_ydata())]
    known = [v for v in values if np.isfinite(v)]
    lowest = min(known, default=0.0)
    axes.set_ylim(0.1 * np.floor(10 * lowest - 0.5), 1.0)
    axes.set_ylabel(what)
    axes.grid(axis="y", color=style.GAP_FACE, lw=0.5)
    axes.set_axisbelow(True)


def _draw_differences(
    axes: Axes,
    values: NDArray[np.float64],
    limits: dict[State, BlandAltman],
    unit: str,
) -> None:
    """Difference against mean of (n_animals, 2, 4) values; a colour for each state."""
    mean, difference = values.mean(axis=1), values[:, 1] - values[:, 0]
    span = float(np.ptp(mean[:, list(SCORED)])) or 1.0
    for state in SCORED:
        colour = style.STATE_COLOURS[state]
        x = mean[:, state]
        ends = (float(x.min()) - 0.03 * span, float(x.max()) + 0.03 * span)
        found = limits.get(state)
        if found is not None:
            if np.isfinite(found.sd):
                # Lines, not areas: awake and NREM have about as many bouts, and lie on each other.
                for limit in (found.lower, found.upper):
                    axes.plot(ends, [limit] * 2, color=colour, lw=0.8, ls=(0, (3, 1.5)))
            axes.plot(ends, [found.bias] * 2, color=colour, lw=1.2)
        axes.plot(x, difference[:, state], "o", ms=3.2, mfc=colour, mec="white", mew=0.4)
    axes.axhline(0, color=style.FAINT, lw=0.5, ls=(0, (3, 3)), zorder=0)
    axes.set_xlabel(f"mean of both, {unit}")
    axes.set_ylabel(f"difference, {unit}")
    axes.margins(x=0.04, y=0.12)
