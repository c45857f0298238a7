"""Events of sleep: how often they come, what they look like, how large and how fast they are."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wakeful.figures import frame, panels, style
from wakeful.figures.clock import TimeView, make_view
from wakeful.figures.day import title_line
from wakeful.figures.lettering import shorten, wrap
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.sleep_events import SleepEvents
from wakeful.model.subject import Session

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Of regions: Okabe and Ito's, told apart with any of the three dichromacies."""
_HYPNOGRAM_MM, _RATE_MM, _LOWER_MM, _TITLE_MM = 13.0, 22.0, 30.0, 5.0
_BETWEEN_MM = 11.0
_NAME_PT = 58.0
"""Room for a region's name beside the rates."""
_BINS_S = (120.0, 300.0, 900.0, 3600.0)
_MOST_BINS = 60
_LEAST_SHARE = 0.1
"""A bin less of which than this was watched in the state shows no rate."""
_STATES = {state.label: state for state in State}


def draw_sleep_events(session: Session, events: SleepEvents, hypnogram: Hypnogram) -> Figure:
    """Rate over time under the hypnogram; mean waves; distributions."""
    has_light = session.light is not None and session.start_utc is not None
    known = hypnogram.state != State.NO_DATA
    view = make_view(session, session.interval, None, hypnogram.start_s[known], hypnogram.epoch_s)
    notes = [*(f"{n} left out: {reason}" for reason, n in events.left_out), *events.notes]
    wide_mm = style.WIDTH_MM - style.LEFT_MM - style.RIGHT_MM
    room_pt = wide_mm * style.POINTS_PER_MM
    lines = [line for note in notes for line in wrap(note, room_pt, style.NOTE_PT, 2)][:10]
    head_mm = 12.0 if has_light else 5.0
    bar_mm = 3.0 if has_light else 0.0
    rate_mm = head_mm + bar_mm + _TITLE_MM + _HYPNOGRAM_MM + _TITLE_MM
    lower_mm = rate_mm + _RATE_MM + 10.0 + _TITLE_MM
    notes_mm = lower_mm + _LOWER_MM + 10.0
    high_mm = notes_mm + 3.1 * len(lines) + style.FOOT_MM
    shown = [i for i in range(len(events.regions)) if np.isfinite(events.per_min[:, i]).any()]
    shown = shown[: len(_COLOURS)]
    with style.house_style():
        figure = style.new_figure(style.WIDTH_MM, high_mm)
        if has_light:
            bar = style.place_axes(figure, style.LEFT_MM, head_mm, wide_mm, bar_mm)
            frame.draw_light_bar(bar, view)
        top_mm = head_mm + bar_mm + _TITLE_MM
        axes = style.place_axes(figure, style.LEFT_MM, top_mm, wide_mm, _HYPNOGRAM_MM)
        panels.draw_hypnogram_panel(axes, view, hypnogram)
        frame.shade_missing(axes, view)
        frame.set_time_axis(axes, view, labels=False)
        axes = style.place_axes(figure, style.LEFT_MM, rate_mm, wide_mm, _RATE_MM)
        _draw_rate(axes, view, events, hypnogram, shown)
        part_mm = (style.WIDTH_MM - style.LEFT_MM - 6.0 - 2 * _BETWEEN_MM) / 3 - 1.5
        # Right of the waves stands their scale.
        lefts = [style.LEFT_MM + i * (part_mm + _BETWEEN_MM) + 4.5 * (i > 0) for i in range(3)]
        place = [style.place_axes(figure, x, lower_mm, part_mm, _LOWER_MM) for x in lefts]
        _draw_waves(place[0], events, shown)
        _draw_distribution(place[1], events, shown, events.amplitude_uv, _amplitude_label(events))
        _draw_distribution(place[2], events, shown, events.frequency_hz, "frequency (Hz)")
        for i, line in enumerate(lines):
            figure.text(
                style.LEFT_MM / style.WIDTH_MM,
                1 - (notes_mm + 3.1 * (i + 0.5)) / high_mm,
                line,
                va="center",
                fontsize=style.NOTE_PT,
                color=style.FAINT,
                parse_math=False,
            )
        style.write_title(figure, title_line(view, view.interval))
    return figure


def _amplitude_label(events: SleepEvents) -> str:
    what = "trough to crest" if events.kind == "slow wave" else "peak of the envelope"
    return f"amplitude: {what} (µV)"


def _name(events: SleepEvents) -> str:
    return {"slow wave": "Slow waves", "spindle": "Spindles", "ripple": "Ripples"}[events.kind]


def _why_none(events: SleepEvents) -> str:
    said = [note for note in events.notes if "no event" in note or note.startswith("ripples")]
    return said[0] if said else f"no {events.kind}"


def rates(
    events: SleepEvents, hypnogram: Hypnogram, edges_s: NDArray[np.float64], region: int
) -> NDArray[np.float64]:
    """(n_states, n_bins) events a minute of each state; NaN where little of a bin is in it.

    Minutes are those of the hypnogram: an epoch counts for the bin it starts in.
    """
    bin_s = float(edges_s[1] - edges_s[0])
    mine = events.region == region
    out = np.full((len(events.states), len(edges_s) - 1), np.nan)
    for i, label in enumerate(events.states):
        state = _STATES[label]
        epochs = hypnogram.start_s[hypnogram.state == state]
        minutes = _count(epochs, edges_s) * hypnogram.epoch_s / 60
        counts = _count(events.peak_s[mine & (events.state == state)], edges_s)
        enough = minutes >= _LEAST_SHARE * bin_s / 60
        out[i, enough] = counts[enough] / minutes[enough]
    return out


def _count(time_s: NDArray[np.float64], edges_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n_bins,) how many lie in each bin, its start included and its stop excluded."""
    return np.diff(np.searchsorted(np.sort(time_s), edges_s))


def _draw_rate(
    axes: Axes, view: TimeView, events: SleepEvents, hypnogram: Hypnogram, shown: list[int]
) -> None:
    interval = view.interval
    bin_s = next((b for b in _BINS_S if interval.duration_s / b <= _MOST_BINS), _BINS_S[-1])
    label = f"{bin_s / 60:g} min" if bin_s < 3600 else "hour"
    frame.title_panel(
        axes,
        _name(events),
        f"a minute of the state, per {label}; blank where less than a tenth of it is in the state",
        what=": how often",
    )
    frame.set_time_axis(axes, view, labels=True)
    if not shown:
        frame.say_instead(axes, _why_none(events))
        return
    first, last = (int(f(t / bin_s)) for f, t in (
        (np.floor, interval.start_s), (np.ceil, interval.stop_s)
    ))  # fmt: skip
    edges_s = np.arange(first, last + 1, dtype=np.float64) * np.float64(bin_s)
    looks = ("-", (0, (2, 1)))
    top = 0.0
    for colour, region in zip(_COLOURS, shown, strict=False):
        values = rates(events, hypnogram, edges_s, region)
        for i, state in enumerate(events.states):
            mean = events.per_min[i, region]
            if not np.isfinite(mean):
                continue
            name = panels.region_label(events.regions[region])
            axes.stairs(
                values[i],
                edges_s,
                baseline=None,
                color=colour,
                lw=1.1,
                ls=looks[i % 2],
                label=f"{shorten(name, _NAME_PT, style.NOTE_PT)}\n{state}: {mean:.1f} per min",
            )
            alone = values[i][np.isfinite(values[i])]
            top = max(top, float(alone.max()) if len(alone) else 0.0)
    axes.set_ylim(0, 1.08 * top if top else 1.0)
    axes.set_ylabel("per min")
    axes.locator_params(axis="y", nbins=4)
    frame.shade_missing(axes, view)
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(1.0, 1.05),
        handlelength=1.2,
        fontsize=style.NOTE_PT - 0.5,
        labelspacing=0.3,
    )


def _draw_waves(axes: Axes, events: SleepEvents, shown: list[int]) -> None:
    frame.title_panel(axes, "Mean wave", "± standard deviation")
    drawn = [i for i in shown if events.n_waveforms[i] >= 2]
    if not drawn:
        frame.say_instead(axes, "fewer than two events")
        axes.set_xticks([])
        return
    unit, by = ("ms", 1000.0) if events.waveform_s[-1] < 0.3 else ("s", 1.0)
    time = events.waveform_s * by
    spread = max(
        float(np.nanmax(np.abs(events.waveform_uv[i]) + events.waveform_sd_uv[i])) for i in drawn
    )
    # One below the other, so that none hides another.
    for row, region in enumerate(drawn):
        colour = _COLOURS[shown.index(region)]
        shift = -row * 1.9 * spread
        mean, sd = events.waveform_uv[region], events.waveform_sd_uv[region]
        axes.fill_between(
            time, mean - sd + shift, mean + sd + shift, color=colour, alpha=0.22, lw=0
        )
        axes.plot(time, mean + shift, color=colour, lw=0.9)
        axes.text(
            time[0],
            shift + 1.05 * spread,
            f"{panels.region_label(events.regions[region])} ({events.n_waveforms[region]:,})",
            fontsize=style.NOTE_PT,
            color=colour,
            va="bottom",
            parse_math=False,
        )
    axes.set_xlim(time[0], time[-1])
    axes.set_ylim(-(1.9 * (len(drawn) - 1) + 1.1) * spread, 1.6 * spread)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    where = "the trough" if events.kind == "slow wave" else "the trough next to the peak"
    axes.set_xlabel(f"from {where} ({unit})")
    size_uv = _round(spread)
    x = time[-1]
    axes.plot([x, x], [-size_uv / 2, size_uv / 2], color=style.INK, lw=1.5, clip_on=False)
    axes.annotate(
        f"{size_uv:g}\nµV", (x, 0), xytext=(3, 0), textcoords="offset points", va="center",
        fontsize=style.NOTE_PT, annotation_clip=False,
    )  # fmt: skip


def _round(value: float) -> float:
    """The largest of 1, 2, 5, 10, ... that is no larger."""
    power = 10.0 ** np.floor(np.log10(max(value, 1e-6)))
    return float(max(m * power for m in (1, 2, 5) if m * power <= max(value, 1e-6)))


def _draw_distribution(
    axes: Axes, events: SleepEvents, shown: list[int], values: NDArray[np.float32], label: str
) -> None:
    title = label.split(" ", maxsplit=1)[0].rstrip(":").capitalize()
    frame.title_panel(axes, title, "share; dotted: median")
    axes.set_xlabel(label)
    of = {i: values[(events.region == i) & np.isfinite(values)] for i in shown}
    of = {i: v for i, v in of.items() if len(v)}
    if not of:
        frame.say_instead(axes, f"no {events.kind}")
        axes.set_xticks([])
        return
    whole = np.concatenate(list(of.values()))
    low, high = (float(v) for v in np.percentile(whole, (0.5, 99.5)))
    fewest = min(len(v) for v in of.values())
    n_bins = int(np.clip(1.5 * np.sqrt(fewest), 6, 30))
    edges = np.linspace(low, high if high > low else low + 1.0, n_bins + 1)
    for region, mine in of.items():
        colour = _COLOURS[shown.index(region)]
        counts = np.histogram(mine, edges)[0]
        axes.stairs(counts / len(mine), edges, color=colour, lw=1.0)
        axes.axvline(float(np.median(mine)), color=colour, lw=0.7, ls=(0, (1, 1)))
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, None)
    axes.yaxis.set_major_formatter(lambda v, _: f"{100 * v:.0f} %")
    axes.locator_params(nbins=5)
