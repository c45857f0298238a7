"""Active and quiet waking: what told them apart, beside what sleep shows."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray

from wakeful.figures import frame, style
from wakeful.model.epochs import BandPower, Hypnogram, MuscleTone, State
from wakeful.model.movement import WakeKind, WakeKinds
from wakeful.model.subject import Session

_PANEL_MM, _HIGH_MM, _BETWEEN_MM, _RIGHT_MM = 58.0, 38.0, 16.0, 30.0
_N_BINS = 60
_MOST_POINTS = 3000
"""Of a group: more only hide each other."""

GROUPS: tuple[tuple[str, str], ...] = (
    ("quiet", style.WAKE_COLOURS["quiet"]),
    ("active", style.WAKE_COLOURS["active"]),
    ("NREM", style.STATE_COLOURS[State.NREM]),
    ("REM", style.STATE_COLOURS[State.REM]),
)


def draw_wake_kinds(
    session: Session,
    hypnogram: Hypnogram,
    kinds: WakeKinds,
    band_power: BandPower | None,
    muscle: MuscleTone | None,
) -> Figure:
    """Distributions of the evidence, and epochs by muscle tone and theta over delta."""
    members = {
        "quiet": kinds.kind == WakeKind.QUIET,
        "active": kinds.kind == WakeKind.ACTIVE,
        "NREM": hypnogram.state == State.NREM,
        "REM": hypnogram.state == State.REM,
    }
    head_mm = 12.0
    wide_mm = style.LEFT_MM + 2 * _PANEL_MM + _BETWEEN_MM + _RIGHT_MM
    with style.house_style():
        figure = style.new_figure(wide_mm, head_mm + _HIGH_MM + 9.0 + style.FOOT_MM)
        left = style.place_axes(figure, style.LEFT_MM, head_mm, _PANEL_MM, _HIGH_MM)
        _draw_evidence(left, kinds, members)
        at_mm = style.LEFT_MM + _PANEL_MM + _BETWEEN_MM
        right = style.place_axes(figure, at_mm, head_mm, _PANEL_MM, _HIGH_MM)
        _draw_plane(right, hypnogram, band_power, muscle, members)
        minutes = {
            name: float(chosen.sum()) * kinds.epoch_s / 60 for name, chosen in members.items()
        }
        right.legend(
            handles=[
                Line2D([], [], color=colour, lw=3.0, label=f"{name} {minutes[name]:,.0f} min")
                for name, colour in GROUPS
            ],
            loc="upper left",
            bbox_to_anchor=(1.02, 1.0),
            handlelength=1.0,
        )
        parts = (session.subject.identifier, session.name, "active and quiet waking")
        style.write_title(figure, "  ·  ".join(part for part in parts if part))
    return figure


def _draw_evidence(axes: Axes, kinds: WakeKinds, members: dict[str, NDArray[np.bool_]]) -> None:
    by_movement = kinds.method == "movement"
    frame.title_panel(axes, f"Told by {kinds.method}" if kinds.method else "Not told")
    if not kinds.method:
        frame.say_instead(axes, "; ".join(kinds.notes), max_lines=4)
        axes.set_xticks([])
        return
    values = kinds.evidence.astype(np.float64)
    if by_movement:
        # A tracker's zero has no logarithm: it stands at the left edge.
        positive = values[values > 0]
        least = float(np.quantile(positive, 0.01)) if positive.size else 1e-3
        values = np.maximum(values, least)
        edges = np.geomspace(least, max(float(np.nanmax(values)), 2 * least), _N_BINS + 1)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(10, numticks=6))
        axes.xaxis.set_minor_locator(NullLocator())
        unit = f" ({kinds.unit})" if kinds.unit else ""
        axes.set_xlabel(f"mean movement of an epoch{unit}")
    else:
        edges = np.linspace(0, 1, _N_BINS + 1)
        axes.set_xlabel("probability of active waking")
    for name, colour in GROUPS:
        chosen = values[members[name] & np.isfinite(values)]
        if chosen.size:
            counts, _ = np.histogram(chosen, edges)
            axes.stairs(100 * counts / counts.sum(), edges, color=colour, lw=1.0)
    axes.axvline(kinds.threshold, color=style.INK, lw=0.7, ls=(0, (3, 2)))
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, None)
    axes.set_ylabel("% of epochs")


def _draw_plane(
    axes: Axes,
    hypnogram: Hypnogram,
    band_power: BandPower | None,
    muscle: MuscleTone | None,
    members: dict[str, NDArray[np.bool_]],
) -> None:
    frame.title_panel(axes, "Tone and theta", "single epochs")
    if (
        muscle is None
        or band_power is None
        or not muscle.emg_channels
        or not {"delta", "theta"} <= set(band_power.bands)
        or not muscle.n_rows == band_power.n_rows == hypnogram.n_rows
    ):
        frame.say_instead(axes, "no EMG, or no delta and theta, of the same epochs")
        axes.set_xticks([])
        return
    region = _theta_region(band_power)
    theta, delta = (
        band_power.power_uv2[:, region, band_power.bands.index(b)] for b in ("theta", "delta")
    )
    known = (delta > 0) & (theta > 0) & (muscle.emg_uv > 0)
    if not any((members[name] & known).any() for name, _ in GROUPS):
        frame.say_instead(axes, "no epoch of any state with EMG, delta and theta")
        axes.set_xticks([])
        return
    ratio = np.divide(theta, delta, out=np.full(len(delta), np.nan), where=known)
    for name, colour in reversed(GROUPS):
        rows = np.flatnonzero(members[name] & known)
        rows = rows[:: max(1, len(rows) // _MOST_POINTS)]
        axes.plot(
            muscle.emg_uv[rows], ratio[rows], ls="none", marker=".", ms=2.4, mew=0, color=colour,
            alpha=0.7, rasterized=True,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(10, subs=(1, 2, 5), numticks=6))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("EMG, RMS (µV)")
    axes.set_ylabel(f"theta / delta, {band_power.regions[region]}")


def _theta_region(band_power: BandPower) -> int:
    """The region whose theta over delta varies most: the hippocampus where there is one."""
    theta, delta = (
        band_power.power_uv2[:, :, band_power.bands.index(b)] for b in ("theta", "delta")
    )
    known = (delta > 0) & (theta > 0)
    log = np.log(np.divide(theta, delta, out=np.full(delta.shape, np.nan), where=known))
    spread = [
        float(np.nanstd(log[:, i])) if known[:, i].any() else -1.0 for i in range(log.shape[1])
    ]
    return int(np.argmax(spread))
