"""Scorers of one recording side by side: hypnograms, where they differ, confusion matrices."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wakeful.figures import frame, style
from wakeful.figures.clock import TimeView, join_epochs, make_view
from wakeful.model.epochs import State
from wakeful.model.subject import Session
from wakeful.model.time import Interval
from wakeful.sleep.agreement import LABELS, Agreement
from wakeful.sleep.scorers import Comparison

_PANEL_MM, _TITLE_MM, _STRIP_MM = 11.0, 4.6, 2.6
_MATRIX_MM, _BETWEEN_MM, _MATRIX_TITLE_MM = 32.0, 9.0, 9.0
_BELOW_MM = 9.0
_PER_ROW = 4
_SHADES = "Blues"
_DARK_SHARE = 0.55
"""Cells with more than this share are written in white."""
CONSENSUS = "consensus"


def draw_scorers(session: Session, comparison: Comparison) -> Figure:
    """Hypnogram of every scorer, the epochs in which they differ, and confusion matrices.

    Matrices are against the consensus of three scorers and more, else of the second scorer against
    the first. Shares are of the reference's epochs (rows).

    Parameters
    ----------
    session : whose clock and light schedule stand along the axis
    """
    view = _make_view(session, comparison)
    matrices = _matrices(comparison)
    per_row = min(_PER_ROW, len(matrices))
    n_rows = -(-len(matrices) // per_row)
    has_light = session.light is not None and session.start_utc is not None
    sizes = [(_TITLE_MM, _PANEL_MM) for _ in comparison.names] + [(_TITLE_MM, _STRIP_MM)]
    if has_light:
        sizes.insert(0, (0.0, 3.0))
    head_mm = 12.0 if has_light else 5.0
    above_mm = head_mm + sum(above + height for above, height in sizes) + 6.0
    high_mm = above_mm + n_rows * (_MATRIX_TITLE_MM + _MATRIX_MM + _BELOW_MM) + style.FOOT_MM
    with style.house_style():
        figure = style.new_figure(style.WIDTH_MM, high_mm)
        axes: list[Axes] = []
        top_mm = head_mm
        wide_mm = style.WIDTH_MM - style.LEFT_MM - style.RIGHT_MM
        for above, height in sizes:
            top_mm += above
            axes.append(style.place_axes(figure, style.LEFT_MM, top_mm, wide_mm, height))
            top_mm += height
        if has_light:
            frame.draw_light_bar(axes.pop(0), view)
        for panel, name, states in zip(axes, comparison.names, comparison.states, strict=False):
            _draw_states(panel, view, name, states, comparison)
        _draw_differences(axes[-1], view, comparison)
        for panel in axes:
            frame.shade_missing(panel, view)
            frame.set_time_axis(panel, view, labels=panel is axes[-1])
        for i, (title, note, agreement) in enumerate(matrices):
            row, column = divmod(i, per_row)
            matrix = style.place_axes(
                figure,
                style.LEFT_MM + 4.0 + column * (_MATRIX_MM + _BETWEEN_MM),
                above_mm + row * (_MATRIX_TITLE_MM + _MATRIX_MM + _BELOW_MM) + _MATRIX_TITLE_MM,
                _MATRIX_MM,
                _MATRIX_MM,
            )
            _draw_matrix(matrix, title, note, agreement, labels=column == 0)
        style.write_title(figure, _title(session, comparison))
    return figure


def _title(session: Session, comparison: Comparison) -> str:
    parts = [comparison.subject or session.subject.identifier, session.name]
    parts.append(f"{len(comparison.names)} scorers, epochs of {comparison.epoch_s:g} s")
    return "  ·  ".join(part for part in parts if part)


def _make_view(session: Session, comparison: Comparison) -> TimeView:
    start_s, epoch_s = comparison.start_s, comparison.epoch_s
    shown = Interval(float(start_s[0]), float(start_s[-1]) + epoch_s)
    known = (comparison.states != State.NO_DATA).any(axis=0)
    return make_view(session, shown, None, start_s[known], epoch_s)


def _draw_states(
    axes: Axes, view: TimeView, name: str, states: NDArray[np.int8], comparison: Comparison
) -> None:
    rows = {state: len(style.STATE_ROWS) - 1 - i for i, state in enumerate(style.STATE_ROWS)}
    at = comparison.names.index(name)
    frame.title_panel(axes, name)
    for state in style.STATE_ROWS:
        blocks = join_epochs(comparison.start_s[states == state], comparison.epoch_s)
        axes.broken_barh(
            [(part.start_s, part.duration_s) for part in blocks],
            (rows[state] - 0.36, 0.72),
            facecolor=style.STATE_COLOURS[state],
            lw=0,
            zorder=3,
        )
        column = LABELS.index(state)
        minutes = comparison.minutes[at, column]
        axes.annotate(
            f"{minutes:.0f} min · {comparison.n_bouts[at, column]}",
            (1, rows[state]),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.NOTE_PT,
            annotation_clip=False,
        )
    missing = join_epochs(comparison.start_s[states == State.NO_DATA], comparison.epoch_s)
    for part in missing:
        axes.axvspan(part.start_s, part.stop_s, facecolor=style.GAP_FACE, lw=0, zorder=4)
    axes.set_ylim(-0.5, len(rows) - 0.5)
    axes.set_yticks(list(rows.values()), [state.label for state in rows])
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(view.interval.start_s, view.interval.stop_s)
    if at == 0:
        axes.annotate(
            "minutes · bouts",
            (1, 1),
            xycoords="axes fraction",
            xytext=(4, 2),
            textcoords="offset points",
            va="bottom",
            fontsize=style.NOTE_PT,
            color=style.FAINT,
            annotation_clip=False,
        )


def _draw_differences(axes: Axes, view: TimeView, comparison: Comparison) -> None:
    shared = (comparison.states != State.NO_DATA).all(axis=0)
    differ = shared & (comparison.states != comparison.states[0]).any(axis=0)
    # Seen over a day, an epoch must not be narrower than a pixel.
    least_s = view.interval.duration_s / 900
    bars = [
        (part.start_s - max(0.0, least_s - part.duration_s) / 2, max(part.duration_s, least_s))
        for part in join_epochs(comparison.start_s[differ], comparison.epoch_s)
    ]
    axes.broken_barh(bars, (0, 1), facecolor=style.INK, lw=0)
    share = 100 * differ.sum() / shared.sum()
    differing = [pair for pair in comparison.pairs if pair.n_disagreements]
    note = ""
    if differing:
        near = _range(pair.near_transition for pair in differing)
        anywhere = _range(pair.all_near_transition for pair in differing)
        note = f"beside a transition: {near} of what two differ in, {anywhere} of all epochs"
    frame.title_panel(
        axes,
        f"Where they differ: {share:.1f} % of epochs",
        note,
    )
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_xlim(view.interval.start_s, view.interval.stop_s)


def _range(shares: Iterable[float]) -> str:
    """Lowest and highest of some shares."""
    percents = sorted(f"{100 * share:.0f}" for share in shares)
    low, high = min(percents, key=int), max(percents, key=int)
    return f"{low} %" if low == high else f"{low}–{high} %"


def _matrices(comparison: Comparison) -> list[tuple[str, str, Agreement]]:
    if comparison.consensus is None:
        pair = comparison.pairs[0]
        return [(pair.second, f"against {pair.first}", pair.agreement)]
    return [
        (name, f"against the {CONSENSUS}", agreement)
        for name, agreement in zip(comparison.names, comparison.consensus.agreements, strict=True)
    ]


def _draw_matrix(axes: Axes, title: str, note: str, agreement: Agreement, *, labels: bool) -> None:
    counts = agreement.confusion.astype(np.float64)
    rows = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, rows, out=np.full_like(counts, np.nan), where=rows > 0)
    used = [i for i in range(len(LABELS)) if counts[i].sum() or counts[:, i].sum()]
    grid = share[np.ix_(used, used)]
    axes.imshow(np.nan_to_num(grid), cmap=_SHADES, vmin=0, vmax=1, aspect="equal")
    for y, i in enumerate(used):
        for x, j in enumerate(used):
            value = share[i, j]
            shown = "–" if not np.isfinite(value) else f"{100 * value:.1f} %"
            axes.text(
                x,
                y,
                f"{shown}\n{int(counts[i, j]):,}",
                ha="center",
                va="center",
                fontsize=style.NOTE_PT - 1.0,
                color="white" if value > _DARK_SHARE else style.INK,
            )
    names = [LABELS[i].label for i in used]
    short = {State.UNCLASSIFIED: "uncl."}
    axes.set_xticks(range(len(used)), [short.get(LABELS[i], LABELS[i].label) for i in used])
    axes.set_yticks(range(len(used)), names if labels else [""] * len(used))
    axes.tick_params(length=0, labelsize=style.NOTE_PT)
    for side in axes.spines.values():
        side.set_visible(False)
    f1 = " · ".join(
        f"{state.label} {value:.2f}" for state, value in agreement.f1.items() if value == value
    )
    frame.title_panel(axes, title, note)
    axes.annotate(
        f"κ {agreement.kappa:.3f}\nF1 {f1}",
        (0, 0),
        xycoords="axes fraction",
        xytext=(0, -10),
        textcoords="offset points",
        va="top",
        fontsize=style.NOTE_PT - 0.5,
        color=style.FAINT,
        annotation_clip=False,
    )
