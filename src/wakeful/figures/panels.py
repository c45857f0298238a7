"""The building blocks of every figure over time: one function a panel."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray

from wakeful.figures import style
from wakeful.figures.absence import why_nothing
from wakeful.figures.clock import TimeView, touches
from wakeful.figures.frame import (
    LEAST_DRAWN_SHARE,
    axes_width_pt,
    label_right,
    say_below,
    say_instead,
    title_panel,
)
from wakeful.figures.lettering import shorten, width_pt
from wakeful.figures.reduce import Array, log_rows, mean_columns, quantile_columns
from wakeful.model.epochs import BandPower, Hypnogram, MuscleTone, Spectrogram, State
from wakeful.model.subject import UNKNOWN_REGION
from wakeful.model.time import Interval

MAX_COLUMNS = 1100
"""About the pixels of a panel at 200 dots per inch."""
LOWEST_HZ, HIGHEST_HZ = 1.0, 100.0
_ROWS = 128
_ROBUST = (2.0, 25.0, 75.0, 98.0)
_FREQUENCY_TICKS_HZ = (1, 2, 4, 8, 16, 32, 100)
_FEW_TICKS_HZ = (2, 8, 32)
_LEAST_CORRELATION = 0.2
"""The least that the axis of LFP-derived EMG spans."""
_MOST_STEPS = 100
"""A hypnogram of more bouts has no room for the lines between them."""


def draw_spectrogram_panel(
    axes: Axes, view: TimeView, spectrogram: Spectrogram, region: int, *, compact: bool
) -> None:
    """Power of one region over time, dB, with its colour bar on the right."""
    frequency_hz = spectrogram.frequency_hz
    high_hz = min(HIGHEST_HZ, float(frequency_hz[-1]))
    low_hz = max(LOWEST_HZ, float(frequency_hz[frequency_hz > 0][0]))
    first, last = np.searchsorted(frequency_hz, [low_hz * 0.9, high_hz * 1.01])
    names = spectrogram.channels[region]
    note = _channels_label(names)
    if compact and region == 0:
        note += "; colours in dB re 1 µV²/Hz"
    title_panel(axes, region_label(spectrogram.regions[region]), note, what=": spectrogram")
    start_s, column_s, columns = mean_columns(
        spectrogram.start_s,
        spectrogram.power_uv2_per_hz[:, region, first:last],
        spectrogram.epoch_s,
        view.interval,
        MAX_COLUMNS,
    )
    edges_hz, power = log_rows(frequency_hz[first:last], columns, low_hz, high_hz, _ROWS)
    level_db = to_db(power)
    limits = robust_limits(level_db)
    axes.set_ylabel("Hz" if compact else "frequency\n(Hz)")
    if limits is None:
        say_instead(axes, why_nothing(view, spectrogram.epoch_s, "power"))
        return
    norm = Normalize(*limits)
    shades = ScalarMappable(norm, style.spectrogram_map())
    axes.imshow(
        level_db,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(
            start_s,
            start_s + level_db.shape[1] * column_s,
            float(np.log2(edges_hz[0])),
            float(np.log2(edges_hz[-1])),
        ),
        cmap=shades.cmap,
        norm=norm,
    )
    ticks_hz = _FEW_TICKS_HZ if compact else _FREQUENCY_TICKS_HZ
    shown = [f for f in ticks_hz if low_hz <= f <= high_hz]
    axes.set_yticks(np.log2(shown), [f"{f}" for f in shown])
    bar_axes = style.beside_axes(axes, 1.5, 1.8)
    figure = axes.get_figure(root=True)
    if figure is not None:
        bar = figure.colorbar(shades, cax=bar_axes, extend="both", extendfrac=0.06)
        bar.set_label("dB" if compact else "dB re 1 µV²/Hz", fontsize=style.NOTE_PT)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=style.NOTE_PT, length=1.5)
        bar.ax.locator_params(nbins=2 if compact else 4)


def region_label(region: str) -> str:
    """A region's name as a title."""
    return "Unknown region" if region == UNKNOWN_REGION else region


def _channels_label(names: tuple[str, ...]) -> str:
    if not names:
        return ""
    if len(names) == 1:
        return f"channel {names[0]}"
    listed = ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])}, …"
    return f"median of up to {len(names)} channels ({listed})"


def to_db(power: NDArray[np.floating]) -> NDArray[np.float64]:
    """Power in dB re 1 uV^2/Hz; no power at all is minus infinity, NaN stays NaN."""
    with np.errstate(divide="ignore"):
        level: NDArray[np.float64] = 10 * np.log10(np.maximum(power, 0.0))
    return level


def robust_limits(level_db: NDArray[np.float64]) -> tuple[float, float] | None:
    """The 2nd and 98th percentile of what is finite; None where nothing is.

    Neither lies further from the quartiles than three times their distance, so that artefacts that
    fill more than 2 % of a short recording do not blind the picture either.
    """
    finite = level_db[np.isfinite(level_db)]
    if finite.size == 0:
        return None
    low, lower, upper, high = (float(v) for v in np.percentile(finite, _ROBUST))
    fence = 3 * (upper - lower)
    low, high = max(low, lower - fence), min(high, upper + fence)
    if high - low < 1.0:
        middle = (low + high) / 2
        return middle - 0.5, middle + 0.5
    return low, high


def smoothing_window(interval: Interval, epoch_s: float) -> int:
    """Epochs of the running median (odd): 5 min over a day, shorter where less is shown."""
    hours = interval.duration_s / 3600
    window_s = 300.0 if hours > 6 else 60.0 if hours > 1 else 20.0
    return max(1, int(window_s / epoch_s) // 2 * 2 + 1)


def window_label(window_epochs: int, epoch_s: float) -> str:
    """How long the running median is, in the unit people would say it in."""
    window_s = window_epochs * epoch_s
    return f"{window_s / 60:.3g} min" if window_s >= 60 else f"{window_s:.3g} s"


def draw_band_panel(
    axes: Axes, view: TimeView, power: BandPower, region: int, *, compact: bool
) -> None:
    """Power of one region in each band, running median, on a log axis."""
    window = smoothing_window(view.interval, power.epoch_s)
    has_key = region == 0 or not compact
    title_panel(
        axes,
        region_label(power.regions[region]),
        f"running median of {window_label(window, power.epoch_s)}; band edges in Hz"
        if has_key
        else "",
        what=": band power",
    )
    lines_of = slice(None) if compact else slice(region, region + 1)
    positive = np.isfinite(power.power_uv2) & (power.power_uv2 > 0)
    known: NDArray[np.bool_] = np.asarray(positive[:, lines_of].any(axis=(0, 1)))
    if has_key and known.any():
        label_bands(axes, power, known, down=compact)
    axes.set_ylabel("µV²" if compact else "power\n(µV²)")
    time_s, levels = quantile_columns(
        power.start_s,
        power.power_uv2[:, region],
        power.epoch_s,
        view.interval,
        MAX_COLUMNS,
        window,
        (0.5,),
    )
    levels = np.where(levels > 0, levels, np.nan)[0]
    if not np.isfinite(levels).any():
        say_instead(axes, why_nothing(view, power.epoch_s, "power"))
        return
    for band, colour in enumerate(style.sequence_colours(len(power.bands))):
        axes.plot(time_s, levels[:, band], color=colour, lw=0.8, solid_joinstyle="round")
        mark_alone(axes, time_s, levels[:, band], colour)
    set_log_axis(axes, levels)


def mark_alone(axes: Axes, time_s: NDArray[np.float64], values: Array, colour: str) -> None:
    """A dot for each value without a neighbour: a line would not show it."""
    alone = values_alone(values)
    if alone.any():
        axes.plot(time_s[alone], values[alone], ls="none", marker="o", ms=1.8, mew=0, color=colour)


def values_alone(values: Array) -> NDArray[np.bool_]:
    """(n,) which values have neither a value before nor one after them."""
    known = np.r_[False, np.isfinite(values), False]
    alone: NDArray[np.bool_] = known[1:-1] & ~known[:-2] & ~known[2:]
    return alone


def set_log_axis(axes: Axes, values: NDArray[np.floating]) -> None:
    """A log axis around the values, with a tick for each power of ten."""
    finite = values[np.isfinite(values) & (values > 0)]
    low, high = float(finite.min()), float(finite.max())
    axes.set_yscale("log")
    if high / low < 4:  # a flat line is not blown up to fill the panel
        middle = (low * high) ** 0.5
        low, high = middle / 2, middle * 2
    axes.set_ylim(low * 0.8, high * 1.25)
    narrow = high / low < 40
    axes.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5) if narrow else (1,), numticks=5))
    axes.yaxis.set_minor_locator(NullLocator())
    if narrow:
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def label_bands(axes: Axes, power: BandPower, known: NDArray[np.bool_], *, down: bool) -> None:
    """The key to the lines of `draw_band_panel`, in one column right of the panel.

    Parameters
    ----------
    known : (n_bands,) which bands have a line
    down : go down from the panel's top, as the key to several panels, rather than be centred on it
    """
    room_pt = (style.RIGHT_MM - 1.0) * style.POINTS_PER_MM - 4
    n_bands = len(power.bands)
    height_pt = axes.get_position().height * axes.figure.get_figheight() * 72  # type: ignore[union-attr]
    row_pt = 7.2 if down else min(7.2, 1.25 * height_pt / n_bands)
    middle_pt = height_pt - row_pt * n_bands / 2 if down else height_pt / 2
    for i, (band, edges, colour) in enumerate(
        zip(power.bands, power.edges_hz, style.sequence_colours(n_bands), strict=True)
    ):
        # Highest frequency on top, as on the spectrograms.
        offset = middle_pt + (i - (n_bands - 1) / 2) * row_pt
        name, size_pt = band.replace("_", " "), min(style.NOTE_PT, row_pt)
        end = f" {edges[0]:g}–{edges[1]:g}" if known[i] else ": no data"
        name_room_pt = room_pt - width_pt(end, size_pt)
        axes.annotate(
            shorten(name, name_room_pt, size_pt) + end,
            (1, 0),
            xycoords="axes fraction",
            xytext=(4, offset),
            textcoords="offset points",
            va="center",
            fontsize=size_pt,
            color=colour if known[i] else style.FAINT,
            annotation_clip=False,
            parse_math=False,
        )


def draw_muscle_panel(axes: Axes, view: TimeView, muscle: MuscleTone, *, use_emg: bool) -> None:
    """EMG (log axis) or LFP-derived EMG: running median with 5th to 95th percentile."""
    values = muscle.emg_uv if use_emg else muscle.lfp_emg
    window = smoothing_window(view.interval, muscle.epoch_s)
    if use_emg:
        low_hz, high_hz = muscle.emg_band_hz
        names = ", ".join(muscle.emg_channels)
        title_panel(axes, "EMG", f"RMS {low_hz:g}–{high_hz:g} Hz of {names}")
        axes.set_ylabel("RMS\n(µV)")
    else:
        note = "" if muscle.emg_channels else "no EMG channel; "
        title_panel(axes, "LFP-derived EMG", f"{note}correlation between channels, 300–600 Hz")
        axes.set_ylabel("correlation")
    time_s, bands = quantile_columns(
        muscle.start_s,
        values[:, None],
        muscle.epoch_s,
        view.interval,
        MAX_COLUMNS,
        window,
        (0.05, 0.5, 0.95),
    )
    low, middle, high = bands[:, :, 0]
    if use_emg:
        low, middle, high = (np.where(v > 0, v, np.nan) for v in (low, middle, high))
    if not np.isfinite(middle).any():
        what = "EMG" if use_emg else "LFP-derived EMG"
        say_instead(axes, why_nothing(view, muscle.epoch_s, what))
        return
    axes.fill_between(time_s, low, high, color="#B9B9B9", lw=0)
    axes.plot(time_s, middle, color=style.INK, lw=0.7)
    alone = values_alone(middle)
    if alone.any():
        axes.vlines(time_s[alone], low[alone], high[alone], color="#B9B9B9", lw=1.2, zorder=1.5)
    mark_alone(axes, time_s, middle, style.INK)
    if use_emg:
        set_log_axis(axes, np.concatenate([low, high]))
    else:
        bottom, top = axes.get_ylim()
        if top - bottom < _LEAST_CORRELATION:  # a flat line is not blown up to fill the panel
            middle_at = (bottom + top) / 2
            axes.set_ylim(middle_at - _LEAST_CORRELATION / 2, middle_at + _LEAST_CORRELATION / 2)
        axes.locator_params(axis="y", nbins=3)
    label_right(axes, f"median and 5th–95th\npercentile of\n{window_label(window, muscle.epoch_s)}")


def draw_hypnogram_panel(axes: Axes, view: TimeView, hypnogram: Hypnogram) -> None:
    """Four rows, awake on top; blocks after smoothing, light ticks before."""
    # Minutes in the margin leave out what can't be trusted; the blocks under its hatching stay.
    kept = ~touches(hypnogram.start_s, hypnogram.epoch_s, view.quarantined)
    bouts = hypnogram.bouts()
    note = "; light ticks: epochs before smoothing"
    if any(state == State.NO_DATA for state, _ in bouts):
        note += "; grey: no data"
    if any(view.interval.intersect(bad).duration_s > 0 for bad in view.quarantined):
        note += "; crossed: quarantined"
    title_room_pt = width_pt("Hypnogram", style.LABEL_PT, bold=True) + 10
    scorer_room_pt = axes_width_pt(axes) - title_room_pt - width_pt(note, style.NOTE_PT)
    title_panel(axes, "Hypnogram", shorten(hypnogram.scorer, scorer_room_pt, style.NOTE_PT) + note)
    rows = {state: len(style.STATE_ROWS) - 1 - i for i, state in enumerate(style.STATE_ROWS)}
    least_s = view.interval.duration_s * LEAST_DRAWN_SHARE / 2
    for state in style.STATE_ROWS:
        blocks = [(b.start_s, b.duration_s) for s, b in bouts if s == state]
        axes.broken_barh(
            blocks, (rows[state] - 0.36, 0.72), facecolor=style.STATE_COLOURS[state], lw=0, zorder=3
        )
        # Before smoothing: an awakening of one epoch is a finding and must be seen over a day too.
        other = (hypnogram.raw_state == state) & (hypnogram.state != state)
        slots = np.unique(np.floor((hypnogram.start_s[other] + hypnogram.epoch_s / 2) / least_s))
        times_s = (slots + 0.5) * least_s
        axes.add_collection(
            LineCollection(
                [[(t, rows[state] - 0.36), (t, rows[state] + 0.36)] for t in times_s],
                colors=style.STATE_COLOURS[state],
                linewidths=0.35,
                alpha=0.55,
                zorder=2,
            )
        )
    if len(bouts) <= _MOST_STEPS:
        turns = [
            [(b.start_s, rows[was]), (b.start_s, rows[now])]
            for (was, a), (now, b) in pairwise(bouts)
            if was in rows and now in rows and np.isclose(a.stop_s, b.start_s)
        ]
        axes.add_collection(
            LineCollection(turns, colors=style.GAP_HATCH, linewidths=0.4, zorder=2.5)
        )
    for state, part in bouts:
        if state == State.NO_DATA:
            axes.axvspan(part.start_s, part.stop_s, facecolor=style.GAP_FACE, lw=0, zorder=4)
    axes.set_ylim(-0.5, len(style.STATE_ROWS) - 0.5)
    axes.set_yticks(list(rows.values()), [s.label for s in rows])
    axes.tick_params(axis="y", length=0)
    minutes = {
        state: float(np.sum(kept & (hypnogram.state == state))) * hypnogram.epoch_s / 60
        for state in style.STATE_ROWS
    }
    known = sum(minutes[s] for s in style.STATE_ROWS)
    if not (hypnogram.state != State.NO_DATA).any():
        say_below(axes, why_nothing(view, hypnogram.epoch_s, "state"))
    elif known and minutes[State.UNCLASSIFIED] == known and hypnogram.notes:
        say_below(axes, hypnogram.notes[0])
    for state, row in rows.items():
        share = f"{100 * minutes[state] / known:.0f} %" if known else "–"
        digits = 0 if known >= 120 else 1
        axes.annotate(
            f"{minutes[state]:.{digits}f} min · {share}",
            (1, row),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.NOTE_PT,
            annotation_clip=False,
        )
