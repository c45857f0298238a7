"""How well a device's clock was laid on the session's, along the session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wakeful.figures import frame, style
from wakeful.model.clock import DeviceClock, FrameFlag, FrameTimes

Floats = NDArray[np.float64]

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#7B4B94"
"""Told apart with any of the three dichromacies (after Okabe & Ito 2008)."""
_BINS = 300
_LEGEND: dict[str, Any] = {"frameon": True, "facecolor": "white", "edgecolor": "none"}
_POINTS = 4000
"""Residuals up to this many are drawn one by one."""


def draw_alignment(clock: DeviceClock, frames: FrameTimes, title: str) -> Figure:
    """Residuals, drift, and frames that are missing or have no time, over the session.

    Parameters
    ----------
    title : whose alignment, for example "M014 · camera 1 on ttl 3"
    """
    with style.house_style():
        figure, (residuals, drift, missing) = style.stack_axes(
            [(4.0, 30.0), (8.0, 24.0), (8.0, 20.0)], 8.0
        )
        style.write_title(figure, title)
        scale, unit = _time_unit(clock.matched_session_s[-1])
        _draw_residuals(residuals, clock, scale)
        _draw_drift(drift, clock, scale)
        _draw_frames(missing, frames, scale)
        known = frames.start_s[np.isfinite(frames.start_s)]
        low = min(0.0, float(known[0])) if len(known) else 0.0
        high = float(max(clock.matched_session_s[-1], known[-1] if len(known) else 0.0))
        for axes in (residuals, drift, missing):
            axes.set_xlim(low / scale, high / scale)
            for segment in clock.segments[1:]:
                at_s = _segment_start(clock, segment.first_frame)
                axes.axvline(at_s / scale, color=style.FAINT, lw=0.6, ls=(0, (3, 2)), zorder=1)
            if axes is not missing:
                axes.tick_params(axis="x", labelbottom=False)
        missing.set_xlabel(f"time from the session's start ({unit})")
    return figure


def _time_unit(last_s: float) -> tuple[float, str]:
    if last_s > 3 * 3600:
        return 3600.0, "h"
    return (60.0, "min") if last_s > 180 else (1.0, "s")


def _segment_start(clock: DeviceClock, first_frame: int) -> float:
    at = int(np.searchsorted(clock.matched_frame, first_frame))
    return float(clock.matched_session_s[at])


def _draw_residuals(axes: Axes, clock: DeviceClock, scale: float) -> None:
    time_s, off_ms = clock.matched_session_s / scale, clock.residual_s * 1000
    if clock.n_matched <= _POINTS:
        axes.plot(time_s, off_ms, ".", ms=1.5, color=BLUE, mew=0, rasterized=True)
    else:
        edges = np.linspace(time_s[0], time_s[-1], _BINS + 1)
        starts = np.searchsorted(time_s, edges[:-1])
        stops = np.r_[starts[1:], len(time_s)]
        full = stops > starts
        parts = [off_ms[a:b] for a, b in zip(starts[full], stops[full], strict=True)]
        low, q1, middle, q99, high = (
            np.array([np.percentile(part, q) for part in parts]) for q in (0, 1, 50, 99, 100)
        )
        at = ((edges[:-1] + edges[1:]) / 2)[full]
        spaced = _break_at_holes(at, edges[1] - edges[0])
        for lower, upper, alpha, label in (
            (low, high, 0.18, "all"),
            (q1, q99, 0.45, "98 % of pulses"),
        ):
            axes.fill_between(
                spaced(at), spaced(lower), spaced(upper), color=BLUE, alpha=alpha, lw=0, label=label
            )
        axes.plot(spaced(at), spaced(middle), color=style.INK, lw=0.6, label="median")
        axes.legend(loc="upper left", ncols=3, borderaxespad=0.2, handlelength=1.4, **_LEGEND)
    # The few that lie far off are in the note; drawn whole they would hide all others.
    most = max(4 * float(np.percentile(np.abs(off_ms), 99)), 1e-3)
    axes.set_ylim(-most, most)
    axes.axhline(0, color=style.FAINT, lw=0.4, zorder=0)
    axes.set_ylabel("pulse − map (ms)")
    held = clock.held_out
    together = f", {held.n_together} at a time" if held.n_together > 1 else ""
    note = (
        f"held-out pulses{together}: median {held.p50_s * 1000:.2g} ms, "
        f"99 % within {held.p99_s * 1000:.2g} ms, all within {held.max_s * 1000:.2g} ms"
    )
    frame.title_panel(axes, "Residuals", note)
    frame.label_right(axes, f"{clock.n_matched:,}\npulses")


def _break_at_holes(at: Floats, step: float) -> Callable[[Floats], Floats]:
    """A function that puts a NaN wherever neighbouring bins are empty."""
    holes = np.flatnonzero(np.diff(at) > 1.5 * step) + 1
    return lambda values: np.insert(values.astype(np.float64), holes, np.nan)


def _draw_drift(axes: Axes, clock: DeviceClock, scale: float) -> None:
    rates: list[Floats] = []
    for segment in clock.segments:
        cut = slice(segment.first_knot, segment.stop_knot)
        device_s, session_s = clock.knot_device_s[cut], clock.knot_session_s[cut]
        # Knots close together say little of the rate, those from coarse stamps least of all.
        coarse = 10 if clock.params.resolution_s > 0 else 1
        step = max(coarse, len(device_s) // 60)
        n_drawn = max(2, (len(device_s) - 1) // step + 1)
        chosen = np.unique(np.linspace(0, len(device_s) - 1, n_drawn).astype(np.int64))
        device_s, session_s = device_s[chosen], session_s[chosen]
        if len(device_s) < 2:
            continue
        ppm = (np.diff(session_s) / np.diff(device_s) - 1) * 1e6
        axes.step(session_s / scale, np.r_[ppm, ppm[-1]], where="post", color=ORANGE, lw=0.9)
        rates.append(ppm)
    axes.set_ylabel("drift (ppm)")
    if rates:
        every = np.concatenate(rates)
        low, high = np.percentile(every, [2, 98])
        margin = max(1.0, 0.3 * (high - low))
        axes.set_ylim(low - margin, high + margin)
    n_steps = len(clock.segments) - 1
    steps = ", ".join(f"{s.step_s:+,.3g} s" for s in clock.segments[1:5])
    count = "1 step" if n_steps == 1 else f"{n_steps} steps"
    note = "no steps" if n_steps == 0 else f"{count} of the device's clock: {steps}"
    if n_steps > 4:
        note += ", ..."
    frame.title_panel(axes, "Session time gained on device time", note)
    frame.label_right(axes, f"mean\n{clock.drift_ppm:+.1f} ppm")


def _draw_frames(axes: Axes, frames: FrameTimes, scale: float) -> None:
    time_s = frames.start_s
    known = np.isfinite(time_s)
    if known.sum() < 3:
        frame.say_instead(axes, "no frame has a time")
        return
    # Frames without a time are drawn where their neighbours are.
    place_s = np.interp(np.arange(len(time_s)), np.flatnonzero(known), time_s[known])
    gap_s = np.diff(time_s[known])
    period_s = float(np.median(gap_s))
    # Frames without a time are in the video all the same.
    lost = np.maximum(np.rint(gap_s / period_s) - np.diff(np.flatnonzero(known)), 0)
    edges = np.linspace(place_s[0], place_s[-1], _BINS // 2 + 1)
    # A pause is no loss of frames, and would dwarf all that is.
    short = gap_s < 60.0
    dropped, _ = np.histogram(time_s[known][:-1][short], edges, weights=lost[short])
    untimed, _ = np.histogram(place_s[~known], edges)
    wide = np.diff(edges) / scale
    bottom = np.zeros(len(wide))
    for counts, colour, label in (
        (dropped, GREEN, f"missing from the video ({int(lost[short].sum()):,})"),
        (untimed.astype(np.float64), PURPLE, f"without a time ({int((~known).sum()):,})"),
    ):
        axes.bar(edges[:-1] / scale, counts, wide, bottom, align="edge", color=colour, label=label)
        bottom += counts
    axes.set_ylim(0, max(1.0, 1.5 * float(bottom.max())))
    axes.set_ylabel("frames")
    axes.legend(loc="upper left", ncols=2, borderaxespad=0.2, handlelength=1.0, **_LEGEND)
    share = frames.n_timed / max(1, frames.n_rows)
    bridged = frames.count(FrameFlag.BRIDGED)
    note = f"{frames.n_timed:,} of {frames.n_rows:,} frames have a time ({100 * share:.2f} %)"
    if bridged:
        note += f", {bridged:,} of them bridged"
    frame.title_panel(axes, "Frames", note)
