"""What agreement costs: kappa of the surest epochs, and how much of each state they are."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wakeful.figures import frame, style
from wakeful.figures.label_curve import state_colour
from wakeful.sleep.evaluation import CoveragePoint

_PANEL_MM, _WIDE_MM, _BETWEEN_MM = 44.0, 60.0, 18.0
_TOP_MM, _BELOW_MM = 12.0, 11.0


def draw_coverage(points: Sequence[CoveragePoint], title: str) -> Figure:
    """Kappa against the share of epochs kept, and the share kept of each state.

    A state below the dashed line is left out more than the others: kappa then rises partly because
    that state is no longer asked for.
    """
    with style.house_style():
        wide_mm = style.LEFT_MM + 2 * _WIDE_MM + _BETWEEN_MM + 6.0
        high_mm = _TOP_MM + _PANEL_MM + _BELOW_MM + style.FOOT_MM
        figure = style.new_figure(wide_mm, high_mm)
        left, right = (
            style.place_axes(
                figure, style.LEFT_MM + i * (_WIDE_MM + _BETWEEN_MM), _TOP_MM, _WIDE_MM, _PANEL_MM
            )
            for i in range(2)
        )
        frame.title_panel(left, "Agreement", "of the epochs kept")
        frame.title_panel(right, "Kept of each state")
        at = [100 * point.coverage for point in points]
        left.plot(at, [p.kappa for p in points], "-o", color=style.INK, ms=3.0, lw=1.0)
        left.set_ylabel("Cohen's kappa")
        states = tuple(points[0].per_state) if points else ()
        for state in states:
            right.plot(
                at,
                [100 * p.per_state[state] for p in points],
                "-o",
                color=state_colour(state, states),
                ms=3.0,
                lw=1.0,
                label=state,
            )
        if points:
            right.plot([0, 100], [0, 100], color=style.FAINT, lw=0.7, ls=(0, (3, 2)), zorder=1)
            right.legend(loc="upper right", handlelength=1.4, borderaxespad=0.2)
            right.set_ylim(0, 102)
        _set_axis(left, at)
        _set_axis(right, at)
        right.set_ylabel("% of its epochs kept")
        style.write_title(figure, title)
    return figure


def _set_axis(axes: Axes, at: Sequence[float]) -> None:
    """Everything kept at the left: further right means more left out."""
    if not at:
        frame.say_instead(axes, "no labelled epoch")
        return
    axes.set_xlim(101, min(*at, 99.0) - 2)
    axes.set_xlabel("% of epochs kept, the surest first")
    axes.grid(visible=True, color="#E6E6E6", lw=0.4)
    axes.set_axisbelow(True)
