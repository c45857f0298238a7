"""Power spectra of each state, region by region."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator
from numpy.typing import NDArray

from wakeful.figures import frame, panels, style
from wakeful.figures.clock import date_label, local_time
from wakeful.figures.reduce import sorted_quantiles
from wakeful.model.epochs import Hypnogram, Spectrogram, State
from wakeful.model.subject import Session
from wakeful.model.time import Interval

STATES = (State.AWAKE, State.NREM, State.REM)
LEAST_EPOCHS = 10
"""Fewer epochs than this have no quartiles worth drawing."""
_PER_ROW = 3
_LEFT_MM = 16.0
_MOST_WIDE_MM = 90.0
_TICKS_HZ = (1, 2, 4, 8, 16, 32, 64)


def draw_state_spectra(
    session: Session,
    spectrogram: Spectrogram,
    hypnogram: Hypnogram,
    interval: Interval | None = None,
) -> Figure:
    """Median (line), quartiles (band) and mean (dashed) spectrum of each state and region.

    States are those after smoothing; epochs are matched by their start. A state with fewer than 10
    epochs is named as not drawn.

    Parameters
    ----------
    interval : the stretch to take; all where None
    """
    if interval is not None:
        spectrogram, hypnogram = spectrogram.cut(interval), hypnogram.cut(interval)
    state = states_of(spectrogram, hypnogram)
    members = {s: np.flatnonzero(state == s) for s in STATES}
    n_regions = len(spectrogram.regions)
    per_row = min(_PER_ROW, n_regions)
    n_rows = -(-n_regions // per_row)
    height_mm, gap_mm, head_mm = 48.0, 14.0, 14.0
    size_mm = head_mm + n_rows * (height_mm + gap_mm) - 7.0 + style.FOOT_MM
    between_mm = 12.0
    room_mm = style.WIDTH_MM - _LEFT_MM - 4.0 - (per_row - 1) * between_mm
    wide_mm = min(room_mm / per_row, _MOST_WIDE_MM)
    with style.house_style():
        figure = Figure(
            figsize=(style.WIDTH_MM / style.MM_PER_INCH, size_mm / style.MM_PER_INCH),
            dpi=style.PNG_DPI,
        )
        for region in range(n_regions):
            row, column = divmod(region, per_row)
            axes = style.place_axes(
                figure,
                _LEFT_MM + column * (wide_mm + between_mm),
                head_mm + row * (height_mm + gap_mm),
                wide_mm,
                height_mm,
            )
            _draw_region(axes, spectrogram, region, members)
            if column == 0:
                axes.set_ylabel("power spectral density (µV²/Hz)")
        style.write_title(figure, _title(session, interval), _LEFT_MM)
        _draw_key(figure, members)
    return figure


def _title(session: Session, interval: Interval | None) -> str:
    parts = [session.subject.identifier, session.name, "power spectra of each state"]
    start = None if interval is None else local_time(session, interval.start_s)
    if start is not None:
        parts.append(date_label(start.date()))
    return "  ·  ".join(parts)


def states_of(spectrogram: Spectrogram, hypnogram: Hypnogram) -> NDArray[np.int8]:
    """(n_epochs,) state of each row of the spectrogram; no data where the hypnogram has no row."""
    epochs = np.rint(spectrogram.start_s / spectrogram.epoch_s).astype(np.int64)
    scored = np.rint(hypnogram.start_s / hypnogram.epoch_s).astype(np.int64)
    state = np.full(len(epochs), State.NO_DATA, np.int8)
    if len(scored) == 0:
        return state
    at = np.minimum(np.searchsorted(scored, epochs), len(scored) - 1)
    found = scored[at] == epochs
    state[found] = hypnogram.state[at[found]]
    return state


def _draw_region(
    axes: Axes, spectrogram: Spectrogram, region: int, members: dict[State, NDArray[np.intp]]
) -> None:
    frequency_hz = spectrogram.frequency_hz
    first = int(np.searchsorted(frequency_hz, panels.LOWEST_HZ * 0.999))
    last = int(np.searchsorted(frequency_hz, panels.HIGHEST_HZ * 1.001))
    shown_hz = frequency_hz[first:last]
    drawn: list[NDArray[np.float64]] = []
    for state in STATES:
        power = spectrogram.power_uv2_per_hz[members[state], region, first:last]
        known = np.isfinite(power).any(axis=1)
        if known.sum() < LEAST_EPOCHS:
            continue
        power = power[known]
        low, middle, high = sorted_quantiles(power[None], (0.25, 0.5, 0.75))[:, 0]
        colour = style.STATE_COLOURS[state]
        axes.fill_between(shown_hz, low, high, color=colour, alpha=0.25, lw=0)
        axes.plot(shown_hz, middle, color=colour, lw=1.1)
        axes.plot(shown_hz, np.nanmean(power, axis=0), color=colour, lw=0.6, ls=(0, (3, 2)))
        drawn += [low, high]
    frame.title_panel(axes, panels.region_label(spectrogram.regions[region]))
    axes.set_xscale("log")
    axes.set_xlim(shown_hz[0], shown_hz[-1])
    axes.xaxis.set_major_locator(FixedLocator([f for f in _TICKS_HZ if f <= shown_hz[-1]]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("frequency (Hz)")
    axes.grid(visible=True, color="#E6E6E6", lw=0.4)
    axes.set_axisbelow(True)
    values = np.concatenate(drawn) if drawn else np.empty(0)
    values = values[np.isfinite(values) & (values > 0)]
    if values.size == 0:
        frame.say_instead(axes, f"no state has {LEAST_EPOCHS} epochs")
        return
    axes.set_yscale("log")
    axes.set_ylim(float(values.min()) * 0.7, float(values.max()) * 1.4)
    axes.yaxis.set_major_locator(LogLocator(10, numticks=7))
    axes.yaxis.set_minor_locator(NullLocator())


def _draw_key(figure: Figure, members: dict[State, NDArray[np.intp]]) -> None:
    high_mm = figure.get_size_inches()[1] * style.MM_PER_INCH
    lines = [
        Line2D(
            [],
            [],
            color=style.STATE_COLOURS[state],
            lw=2.0,
            label=f"{state.label} ({len(members[state])} epochs"
            + ("" if len(members[state]) >= LEAST_EPOCHS else ", too few to draw")
            + ")",
        )
        for state in STATES
    ]
    lines.append(Line2D([], [], color=style.INK, lw=1.1, label="median; band: quartiles"))
    lines.append(Line2D([], [], color=style.INK, lw=0.6, ls=(0, (3, 2)), label="mean"))
    figure.legend(
        handles=lines,
        loc="upper left",
        bbox_to_anchor=(_LEFT_MM / style.WIDTH_MM, 1 - 5.6 / high_mm),
        ncols=5,
        borderpad=0,
        borderaxespad=0,
        handlelength=1.8,
        columnspacing=1.6,
    )
