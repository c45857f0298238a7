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
from wakeful.figures.lettering import width_pt, wrap
from wakeful.figures.reduce import sorted_quantiles
from wakeful.model.epochs import Hypnogram, Spectrogram, State
from wakeful.model.subject import Session
from wakeful.model.time import Interval
from wakeful.sleep.signals import why_circular

STATES = (State.AWAKE, State.NREM, State.REM)
LEAST_EPOCHS = 10
"""Fewer epochs than this have no quartiles worth drawing."""
_PER_ROW = 3
_LEFT_MM, _RIGHT_MM = 16.0, 4.0
_BETWEEN_MM = 12.0
_ALONE_MM = 90.0
"""Width of the panel where there is one region only."""
_HIGH_MM, _GAP_MM = 48.0, 14.0
_TITLE_MM, _KEY_ROW_MM = 5.0, 3.4
_TICKS_HZ = (1, 2, 4, 8, 16, 32, 64)
_NOTE_MM = 9.0
"""Room for what a reader must know of how states were told."""
_HANDLE, _HANDLE_PAD, _COLUMN_GAP = 1.8, 0.8, 1.6
"""Parts of the key, in units of its letters' size."""
_DASHED = (0, (3, 2))


def draw_state_spectra(
    session: Session,
    spectrogram: Spectrogram,
    hypnogram: Hypnogram,
    interval: Interval | None = None,
) -> Figure:
    """Median (line), quartiles (band) and mean (dashed) spectrum of each state and region.

    States are those after smoothing; epochs are matched by their start. A state with fewer than 10
    epochs that have power is named as not drawn; where no state has them, a small figure says so.

    Parameters
    ----------
    interval : the stretch to take; all where None
    """
    if interval is not None:
        spectrogram, hypnogram = spectrogram.cut(interval), hypnogram.cut(interval)
    state = states_of(spectrogram, hypnogram)
    members = {s: np.flatnonzero(state == s) for s in STATES}
    titles = _titles(session, interval)
    drawable = [
        any(_enough(spectrogram, region, members[s]) for s in STATES)
        for region in range(len(spectrogram.regions))
    ]
    with style.house_style():
        if not any(drawable):
            return _draw_nothing(session, spectrogram, hypnogram, members, titles)
        circular = why_circular(hypnogram.signals, "spectrum")
        return _draw_regions(spectrogram, members, titles, circular)


def _draw_regions(
    spectrogram: Spectrogram,
    members: dict[State, NDArray[np.intp]],
    titles: list[str],
    circular: str,
) -> Figure:
    """One panel a region, in a figure as wide and high as they need."""
    n_regions = len(spectrogram.regions)
    per_row = 2 if n_regions == 4 else min(_PER_ROW, n_regions)
    n_rows = -(-n_regions // per_row)
    wide_mm = style.WIDTH_MM
    if n_regions == 1:
        wide_mm = _LEFT_MM + _ALONE_MM + _RIGHT_MM
    else:
        titles = ["  ·  ".join(titles)]
    key = _key(members)
    room_mm = wide_mm - _LEFT_MM - _RIGHT_MM
    n_columns = _key_columns([str(line.get_label()) for line in key], room_mm * style.POINTS_PER_MM)
    key_mm = 1.0 + _TITLE_MM * len(titles)
    head_mm = key_mm + _KEY_ROW_MM * -(-len(key) // n_columns) + 5.5
    high_mm = head_mm + n_rows * (_HIGH_MM + _GAP_MM) - 5.5 + style.FOOT_MM
    if circular:
        high_mm += _NOTE_MM
    panel_mm = (room_mm - (per_row - 1) * _BETWEEN_MM) / per_row
    figure = style.new_figure(wide_mm, high_mm)
    for region in range(n_regions):
        row, column = divmod(region, per_row)
        axes = style.place_axes(
            figure,
            _LEFT_MM + column * (panel_mm + _BETWEEN_MM),
            head_mm + row * (_HIGH_MM + _GAP_MM),
            panel_mm,
            _HIGH_MM,
        )
        _draw_region(axes, spectrogram, region, members)
        if column == 0:
            axes.set_ylabel("power spectral density (µV²/Hz)")
    _write_titles(figure, titles)
    if circular:
        said = f"{circular[0].upper()}{circular[1:]}."
        lines = wrap(said, room_mm * style.POINTS_PER_MM, style.NOTE_PT, 3)
        figure.text(
            _LEFT_MM / wide_mm,
            (style.FOOT_MM + _NOTE_MM - 1.5) / high_mm,
            "\n".join(lines),
            fontsize=style.NOTE_PT,
            color=style.FAINT,
            va="top",
        )
    figure.legend(
        handles=key,
        loc="upper left",
        bbox_to_anchor=(_LEFT_MM / wide_mm, 1 - key_mm / high_mm),
        ncols=n_columns,
        borderpad=0,
        borderaxespad=0,
        handlelength=_HANDLE,
        handletextpad=_HANDLE_PAD,
        columnspacing=_COLUMN_GAP,
    )
    return figure


def _draw_nothing(
    session: Session,
    spectrogram: Spectrogram,
    hypnogram: Hypnogram,
    members: dict[State, NDArray[np.intp]],
    titles: list[str],
) -> Figure:
    """A small figure that says why there are no spectra."""
    epochs = ", ".join(f"{state.label} {len(members[state])}" for state in STATES)
    text = f"No spectra: no state has {LEAST_EPOCHS} epochs with power (epochs: {epochs})"
    if session.duration_s < spectrogram.epoch_s:
        text += f"; the recording is shorter than one epoch of {spectrogram.epoch_s:g} s"
    elif not any(len(found) for found in members.values()) and hypnogram.notes:
        text += f"; {hypnogram.notes[0]}"
    wide_mm = _LEFT_MM + _ALONE_MM + _RIGHT_MM
    head_mm = 2.0 + _TITLE_MM * len(titles)
    figure = style.new_figure(wide_mm, head_mm + 12.0 + style.FOOT_MM)
    left_mm = 8.0
    axes = style.place_axes(figure, left_mm, head_mm, wide_mm - 2 * left_mm, 12.0)
    axes.set_axis_off()
    frame.say_instead(axes, text, max_lines=4)
    _write_titles(figure, titles, left_mm)
    return figure


def _write_titles(figure: Figure, titles: list[str], left_mm: float = _LEFT_MM) -> None:
    for i, title in enumerate(titles):
        style.write_title(figure, title, left_mm, 2.0 + i * _TITLE_MM)


def _titles(session: Session, interval: Interval | None) -> list[str]:
    """Whose, and what: one line or two."""
    what = ["power spectra of each state"]
    start = None if interval is None else local_time(session, interval.start_s)
    if start is not None:
        what.append(date_label(start.date()))
    return [f"{session.subject.identifier}  ·  {session.name}", "  ·  ".join(what)]


def _enough(spectrogram: Spectrogram, region: int, members: NDArray[np.intp]) -> bool:
    """Whether a state has epochs enough, in which the region has any power above zero."""
    power = spectrogram.power_uv2_per_hz[members, region]
    known = np.isfinite(power).any(axis=1).sum()
    return bool(known >= LEAST_EPOCHS and (power > 0).any())


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
        axes.plot(shown_hz, np.nanmean(power, axis=0), color=colour, lw=0.6, ls=_DASHED)
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
        frame.say_instead(axes, f"no state has {LEAST_EPOCHS} epochs with power")
        return
    axes.set_yscale("log")
    axes.set_ylim(float(values.min()) * 0.7, float(values.max()) * 1.4)
    axes.yaxis.set_major_locator(LogLocator(10, numticks=7))
    axes.yaxis.set_minor_locator(NullLocator())


def _key(members: dict[State, NDArray[np.intp]]) -> list[Line2D]:
    """What the lines and bands are."""
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
    lines.append(Line2D([], [], color=style.INK, lw=0.6, ls=_DASHED, label="mean"))
    return lines


def _key_columns(labels: list[str], room_pt: float) -> int:
    """In how many columns the key fits; its entries go down the columns."""
    size_pt = style.NOTE_PT
    widths = [width_pt(label, size_pt) + (_HANDLE + _HANDLE_PAD) * size_pt for label in labels]
    for n_columns in range(len(labels), 1, -1):
        columns = np.array_split(np.array(widths), n_columns)
        whole_pt = sum(float(column.max()) for column in columns)
        if whole_pt + (n_columns - 1) * _COLUMN_GAP * size_pt <= room_pt:
            return n_columns
    return 1
