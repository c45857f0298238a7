"""How sure a hypnogram is, as a thin strip: probabilities of the states, and doubt."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from wakeful.figures import style
from wakeful.figures.clock import TimeView, join_epochs
from wakeful.figures.frame import LEAST_DRAWN_SHARE, label_right, title_panel
from wakeful.figures.panels import MAX_COLUMNS
from wakeful.figures.reduce import mean_columns
from wakeful.model.epochs import SCORED, Doubt, Hypnogram, State

DOUBT_COLOURS = {
    Doubt.AMBIGUOUS: style.FAINT,
    Doubt.ARTEFACT: style.INK,
    Doubt.REFUSED: style.GAP_HATCH,
}
_DOUBT_ROWS = {
    Doubt.AMBIGUOUS: (1.06, 0.14),
    Doubt.ARTEFACT: (1.22, 0.14),
    Doubt.REFUSED: (1.06, 0.3),
}
"""Lower edge and height above the probabilities, which end at 1."""
_TOP = 1.38


def has_certainty(hypnogram: Hypnogram) -> bool:
    """Whether its scorer gave probabilities or a reason for what is unclassified."""
    return bool(np.isfinite(hypnogram.probability).any() or hypnogram.doubt.any())


def draw_certainty_panel(axes: Axes, view: TimeView, hypnogram: Hypnogram) -> None:
    """Stacked probabilities of REM, NREM and awake, mean of each column; doubt as ticks above.

    What the states that could be told apart leave up to 1 is white.
    """
    words = ["mean probability of each state"]
    for why, (bottom, height) in _DOUBT_ROWS.items():
        bars = _bars(view, hypnogram, hypnogram.doubt == why)
        if bars:
            axes.broken_barh(bars, (bottom, height), facecolor=DOUBT_COLOURS[why], lw=0, zorder=3)
    above = [why.label for why in reversed(_DOUBT_ROWS) if (hypnogram.doubt == why).any()]
    if above:
        words.append(f"ticks above: {', '.join(above)}")
    title_panel(axes, "How sure", "; ".join(words))
    _stack(axes, view, hypnogram)
    axes.set_ylim(0, _TOP)
    axes.set_yticks([0, 1])
    axes.set_ylabel("prob.")
    shares = hypnogram.doubt_shares()
    gap = hypnogram.provisional_gap
    lines = [
        f"{why.label} {100 * shares[why]:.1f} %"
        for why in (Doubt.ARTEFACT, Doubt.AMBIGUOUS)
        if np.isfinite(shares[why])
    ]
    if np.isfinite(gap):
        lines.append(f"provisional\ndiffers {100 * gap:.1f} %")
    label_right(axes, "\n".join(lines))


def _stack(axes: Axes, view: TimeView, hypnogram: Hypnogram) -> None:
    start_s, column_s, means = mean_columns(
        hypnogram.start_s, hypnogram.probability, hypnogram.epoch_s, view.interval, MAX_COLUMNS
    )
    # Every column with a step at either side: nothing is drawn into a gap.
    edges_s = start_s + np.arange(len(means) + 1) * column_s
    below = np.zeros(len(means))
    for state in (State.REM, State.NREM, State.AWAKE):
        share = means[:, SCORED.index(state)]
        if not np.isfinite(share).any():
            continue
        top = below + np.nan_to_num(share)
        axes.stairs(
            np.where(np.isfinite(share), top, np.nan),
            edges_s,
            baseline=below,
            fill=True,
            color=style.STATE_COLOURS[state],
            lw=0,
        )
        below = top


def _bars(
    view: TimeView, hypnogram: Hypnogram, chosen: NDArray[np.bool_]
) -> list[tuple[float, float]]:
    """Start and width of runs of epochs; seen over a day, none is narrower than a pixel."""
    least_s = view.interval.duration_s * LEAST_DRAWN_SHARE
    return [
        (part.start_s - max(0.0, least_s - part.duration_s) / 2, max(part.duration_s, least_s))
        for part in join_epochs(hypnogram.start_s[chosen], hypnogram.epoch_s)
    ]
