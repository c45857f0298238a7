"""Bouts and transitions of a session: states per hour, survival of bouts, what follows what."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from wakeful.figures import frame, style
from wakeful.figures.clock import TimeView, date_label, duration_label, local_time
from wakeful.model.bouts import STATES, Bouts, BoutStatistics, StateHours
from wakeful.model.epochs import State
from wakeful.model.movement import WAKE_KINDS, WakeKind
from wakeful.model.subject import Session
from wakeful.model.time import Interval
from wakeful.sleep.bouts import compute_survival

_HOURS_MM, _LOWER_MM = 24.0, 36.0
_TITLE_MM = 5.0
_SURVIVAL_MM, _MATRIX_MM = 62.0, 36.0
_BETWEEN_MM, _NAMES_MM = 10.0, 14.0
_ICTAL, _LEFT_OUT = "ictal, post-ictal", "#6B3FA0"
_TICKS_S = (5, 10, 30, 60, 180, 600, 1800, 3600, 10_800, 36_000)
_SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
_LEAST_BOUTS = 3
"""Fewer bouts than this make no curve."""


def draw_bouts(
    session: Session, bouts: Bouts, hours: StateHours, statistics: BoutStatistics
) -> Figure:
    """State time hour by hour, survival curves of bouts, transition matrix, and key numbers."""
    has_light = session.light is not None and session.start_utc is not None
    head_mm = 12.0 if has_light else 5.0
    bar_mm = 3.0 if has_light else 0.0
    lower_mm = head_mm + bar_mm + _TITLE_MM + _HOURS_MM + 10.0 + _TITLE_MM
    high_mm = lower_mm + _LOWER_MM + 9.0 + style.FOOT_MM
    wide_mm = style.WIDTH_MM - style.LEFT_MM - style.RIGHT_MM
    with style.house_style():
        figure = style.new_figure(style.WIDTH_MM, high_mm)
        view = _view(session, hours)
        if has_light:
            bar = style.place_axes(figure, style.LEFT_MM, head_mm, wide_mm, bar_mm)
            frame.draw_light_bar(bar, view)
        top_mm = head_mm + bar_mm + _TITLE_MM
        axes = style.place_axes(figure, style.LEFT_MM, top_mm, wide_mm, _HOURS_MM)
        _draw_hours(axes, view, hours)
        axes = style.place_axes(figure, style.LEFT_MM, lower_mm, _SURVIVAL_MM, _LOWER_MM)
        _draw_survival(axes, bouts, statistics)
        left_mm = style.LEFT_MM + _SURVIVAL_MM + _BETWEEN_MM + _NAMES_MM
        axes = style.place_axes(figure, left_mm, lower_mm, _MATRIX_MM, _LOWER_MM)
        _draw_transitions(axes, statistics)
        left_mm += _MATRIX_MM + 4.0
        _write_numbers(figure, statistics, left_mm / style.WIDTH_MM, 1 - lower_mm / high_mm)
        style.write_title(figure, _title(session))
    return figure


def _title(session: Session) -> str:
    parts = [session.subject.identifier, session.name, "bouts and transitions"]
    start = local_time(session, 0.0)
    if start is not None:
        parts.append(f"from {date_label(start.date())}")
    return "  ·  ".join(part for part in parts if part)


def _view(session: Session, hours: StateHours) -> TimeView:
    shown = Interval(0.0, 3600.0)
    if hours.n_rows:
        shown = Interval(float(hours.start_s[0]), float(hours.start_s[-1]) + 3600.0)
    return TimeView(session=session, interval=shown, recorded=(shown,), recorded_known=False)


def _draw_hours(axes: Axes, view: TimeView, hours: StateHours) -> None:
    frame.title_panel(axes, "Minutes in each state, hour by hour")
    below = np.zeros(hours.n_rows)
    stack = [
        (state.label, hours.minutes[:, STATES.index(state)], style.STATE_COLOURS[state])
        for state in (State.REM, State.NREM, State.UNCLASSIFIED)
    ]
    if np.isfinite(hours.wake_minutes).any():
        stack += [
            (f"awake, {kind.label}", hours.wake_minutes[:, i], style.WAKE_COLOURS[kind.label])
            for i, kind in enumerate(WAKE_KINDS)
            if kind is not WakeKind.UNTOLD or hours.wake_minutes[:, i].any()
        ]
    else:
        awake = hours.minutes[:, STATES.index(State.AWAKE)]
        stack.append((State.AWAKE.label, awake, style.STATE_COLOURS[State.AWAKE]))
    stack.append((_ICTAL, hours.left_out_min, _LEFT_OUT))
    for label, minutes, colour in stack:
        if label == _ICTAL and not minutes.any():
            continue
        axes.bar(
            hours.start_s,
            minutes,
            3600.0,
            below,
            align="edge",
            color=colour,
            edgecolor="white",
            linewidth=0.3 if hours.n_rows < 200 else 0.0,
            label=label,
        )
        below = below + minutes
    axes.set_ylim(0, 60)
    axes.set_yticks([0, 20, 40, 60])
    axes.set_ylabel("min")
    frame.set_time_axis(axes, view, labels=True)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1], labels[::-1], loc="upper left", bbox_to_anchor=(1.0, 1.0), handlelength=1.0
    )


def _draw_survival(axes: Axes, bouts: Bouts, statistics: BoutStatistics) -> None:
    frame.title_panel(axes, "Bouts that last longer", "share of bouts")
    complete = bouts.start_known & bouts.stop_known
    least = 1.0
    drawn = False
    for state in (State.AWAKE, State.NREM, State.REM):
        chosen = bouts.state == state
        if chosen.sum() < _LEAST_BOUTS:
            continue
        times_s, share = compute_survival(bouts.duration_s[chosen], complete[chosen])
        if not len(times_s):
            continue
        drawn = True
        shown = share > 0
        least = min(least, float(share[shown].min()) if shown.any() else 1.0)
        axes.step(
            np.r_[statistics.epoch_s, times_s],
            np.r_[1.0, np.where(shown, share, np.nan)],
            where="post",
            color=style.STATE_COLOURS[state],
            lw=1.1,
            label=f"{state.label} ({chosen.sum():,})",
        )
    if not drawn:
        frame.say_instead(axes, f"no state has {_LEAST_BOUTS} bouts")
        return
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(least * 0.7, 1.15)
    longest = float(bouts.duration_s.max())
    axes.set_xlim(statistics.epoch_s * 0.9, longest * 1.2)
    ticks = [t for t in _TICKS_S if statistics.epoch_s <= t <= longest * 1.2]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: _short(value))
    axes.yaxis.set_major_locator(FixedLocator([t for t in _SHARES if t >= least * 0.7]))
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("length of bout")
    axes.grid(visible=True, color="#E6E6E6", lw=0.4)
    axes.legend(loc="lower left")


def _short(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:g} s"
    return f"{seconds / 60:g} min" if seconds < 3600 else f"{seconds / 3600:g} h"


def _draw_transitions(axes: Axes, statistics: BoutStatistics) -> None:
    frame.title_panel(axes, "Row, then column")
    changes = statistics.transitions * ~np.eye(len(STATES), dtype=np.bool_)
    used = [i for i in range(len(STATES)) if changes[i].sum() or changes[:, i].sum()]
    if not used:
        frame.say_instead(axes, "no state changes")
        axes.set_xticks([])
        return
    share = statistics.next_probability[np.ix_(used, used)]
    axes.imshow(np.nan_to_num(share), cmap="Greys", vmin=0, vmax=1.3, aspect="auto")
    for y, i in enumerate(used):
        for x, j in enumerate(used):
            if i == j:
                text = "–"
            elif np.isfinite(share[y, x]):
                text = f"{100 * share[y, x]:.0f} %\n{changes[i, j]:,}"
            else:
                text = ""
            axes.text(
                x,
                y,
                text,
                ha="center",
                va="center",
                fontsize=style.NOTE_PT,
                color="white" if share[y, x] > 0.7 else style.INK,
            )
    short = {State.UNCLASSIFIED: "uncl."}
    names = [short.get(STATES[i], STATES[i].label) for i in used]
    axes.set_xticks(range(len(used)), names)
    axes.set_yticks(range(len(used)), names)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def _write_numbers(figure: Figure, statistics: BoutStatistics, left: float, top: float) -> None:
    """The numbers people ask for first."""

    def number(value: float, form: str, unit: str = "") -> str:
        return f"{value:{form}}{unit}" if np.isfinite(value) else "–"

    def after(seconds: float) -> str:
        return duration_label(seconds) if np.isfinite(seconds) else "never"

    lines = ["first NREM after", f"  {after(statistics.nrem_latency_s)}"]
    lines += ["first REM after NREM", f"  {after(statistics.rem_after_nrem_s)}"]
    lines += ["median bout (complete)"]
    for state in (State.AWAKE, State.NREM, State.REM):
        j = STATES.index(state)
        median = number(statistics.median_bout_s[0, j], ".0f", " s")
        lines.append(f"  {state.label} {median} ({statistics.n_complete[0, j]:,})")
    lines += [
        "brief awakenings",
        f"  {number(statistics.brief_awakenings_per_hour[0], '.1f')} per h of sleep",
        "stage shifts",
        f"  {number(statistics.stage_shift_index[0], '.1f')} per h of sleep",
    ]
    if statistics.ictal_min or statistics.post_ictal_min:
        lines += [
            "left out",
            f"  ictal {statistics.ictal_min:.1f} min",
            f"  post-ictal {statistics.post_ictal_min:.1f} min",
        ]
    figure.text(
        left,
        top,
        "\n".join(lines),
        ha="left",
        va="top",
        fontsize=style.NOTE_PT,
        linespacing=1.25,
        parse_math=False,
    )
