"""What rises above the aperiodic part, and how regions go together, over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wakeful.figures import frame, panels, style
from wakeful.figures.absence import why_nothing
from wakeful.figures.clock import TimeView, view_of_rows
from wakeful.figures.day import title_line
from wakeful.figures.lettering import wrap
from wakeful.figures.reduce import log_rows, mean_columns, quantile_columns
from wakeful.model.rhythms import Connectivity, SpectralFit
from wakeful.model.subject import Session
from wakeful.model.time import Interval, Span

_TITLE_MM, _LABEL_MM = 4.8, 7.5
_MOST_PAIRS = 12
"""More pairs than this do not fit on a page: those that go together most are shown."""
_HEIGHT_DB = (0.0, 12.0)
"""Heights of a theta peak that the colours tell apart."""
_LEAST_EXPONENT = 0.5
"""The least that the axis of exponents spans."""
_ROWS = 96
_TICKS_HZ = (1, 2, 4, 8, 16, 32, 100)

Draw = Callable[[Axes], None]


def draw_spectral_fit(
    session: Session,
    fit: SpectralFit,
    interval: Interval | None = None,
    spans: tuple[Span, ...] | None = None,
) -> Figure:
    """Exponent and theta peak of every region; of all that is given, or of `interval`."""
    known = np.asarray(np.isfinite(fit.exponent).any(axis=1))
    view = view_of_rows(session, fit, fit.epoch_s, known, interval, spans)
    part = fit.cut(view.interval)
    stack: list[tuple[float, Draw]] = []
    for region in range(len(fit.regions)):
        stack += [
            (10.0, partial(_draw_exponent, view=view, fit=part, region=region)),
            (14.0, partial(_draw_theta, view=view, fit=part, region=region)),
        ]
    return _compose(view, stack)


def draw_connectivity(
    session: Session,
    connectivity: Connectivity,
    interval: Interval | None = None,
    spans: tuple[Span, ...] | None = None,
    *,
    measure: str = "wpli",
) -> Figure:
    """One measure of every pair of regions, frequency against time.

    Parameters
    ----------
    measure : "coherence", "phase_locking" or "wpli"
    """
    values: NDArray[np.float32] = getattr(connectivity, measure)
    known = np.asarray(np.isfinite(values).any(axis=(1, 2)))
    view = view_of_rows(session, connectivity, connectivity.window_s, known, interval, spans)
    part = connectivity.cut(view.interval)
    shown = _strongest(getattr(part, measure))
    stack: list[tuple[float, Draw]] = [
        (
            19.0 if len(shown) <= 3 else 13.0,
            partial(_draw_pair, view=view, connectivity=part, measure=measure, pair=pair),
        )
        for pair in shown
    ]
    notes = list(part.notes)
    if len(shown) < len(part.pairs):
        notes.insert(0, f"shown are the {len(shown)} of {len(part.pairs)} pairs with most of it")
    return _compose(view, stack, notes)


def _strongest(values: NDArray[np.float32]) -> list[int]:
    """The pairs to show, in their own order."""
    n_pairs = values.shape[1]
    if n_pairs <= _MOST_PAIRS:
        return list(range(n_pairs))
    known = np.isfinite(values)
    count = known.sum(axis=(0, 2))
    total = np.where(known, values, 0).sum(axis=(0, 2), dtype=np.float64)
    mean = np.where(count > 0, total / np.maximum(count, 1), -np.inf)
    return sorted(int(i) for i in np.argsort(-mean, kind="stable")[:_MOST_PAIRS])


def _compose(
    view: TimeView, stack: Sequence[tuple[float, Draw]], notes: Sequence[str] = ()
) -> Figure:
    """Panels below each other under title and light bar; notes at the foot."""
    has_light = view.session.light is not None and view.session.start_utc is not None
    sizes = [(_TITLE_MM, height) for height, _ in stack]
    if has_light:
        sizes.insert(0, (0.0, 3.0))
    room_pt = (style.WIDTH_MM - style.LEFT_MM - style.RIGHT_MM) * style.POINTS_PER_MM
    lines = [line for note in notes for line in wrap(note, room_pt, style.NOTE_PT, 4)]
    if lines:
        sizes.append((9.0, 3.1 * len(lines)))
    with style.house_style():
        figure, axes = style.stack_axes(sizes, head_mm=12.0 if has_light else 5.0)
        if has_light:
            frame.draw_light_bar(axes.pop(0), view)
        if lines:
            _write_lines(axes.pop(), lines)
        for (_, draw), panel in zip(stack, axes, strict=True):
            draw(panel)
            frame.shade_missing(panel, view)
            frame.set_time_axis(panel, view, labels=panel is axes[-1])
            wide_mm = style.WIDTH_MM - style.LEFT_MM - style.RIGHT_MM
            panel.yaxis.set_label_coords(-_LABEL_MM / wide_mm, 0.5)
        style.write_title(figure, title_line(view, view.interval))
    return figure


def _write_lines(axes: Axes, lines: Sequence[str]) -> None:
    axes.set_axis_off()
    for i, line in enumerate(lines):
        axes.text(
            0,
            1 - (i + 0.5) / len(lines),
            line,
            transform=axes.transAxes,
            va="center",
            fontsize=style.NOTE_PT,
            color=style.FAINT,
            parse_math=False,
        )


def _refusal(fit: SpectralFit, region: int) -> str:
    """Why a region has no fit; "" where nothing was refused."""
    for text in fit.refused:
        where, _, why = text.partition(": ")
        if where in (fit.regions[region], "every region"):
            return why
    return ""


def _draw_exponent(axes: Axes, view: TimeView, fit: SpectralFit, region: int) -> None:
    window = panels.smoothing_window(view.interval, fit.epoch_s)
    low_hz, high_hz = fit.range_hz
    explained = fit.r_squared[:, region]
    explained = explained[np.isfinite(explained)]
    quality = f"; R² {np.median(explained):.2f} (median)" if len(explained) else ""
    frame.title_panel(
        axes,
        panels.region_label(fit.regions[region]),
        f"fit of {low_hz:g}–{high_hz:g} Hz ({fit.model}){quality}",
        what=": aperiodic part",
    )
    axes.set_ylabel("exponent")
    time_s, bands = quantile_columns(
        fit.start_s,
        fit.exponent[:, region, None],
        fit.epoch_s,
        view.interval,
        panels.MAX_COLUMNS,
        window,
        (0.05, 0.5, 0.95),
    )
    low, middle, high = bands[:, :, 0]
    if not np.isfinite(middle).any():
        reason = _refusal(fit, region) or why_nothing(view, fit.epoch_s, "power")
        frame.say_instead(axes, reason)
        return
    axes.fill_between(time_s, low, high, color="#B9B9B9", lw=0)
    axes.plot(time_s, middle, color=style.INK, lw=0.7)
    panels.mark_alone(axes, time_s, middle, style.INK)
    bottom, top = float(np.nanmin(low)), float(np.nanmax(high))
    margin = max(0.0, _LEAST_EXPONENT - (top - bottom)) / 2 + 0.05
    axes.set_ylim(bottom - margin, top + margin)
    axes.locator_params(axis="y", nbins=3)
    frame.label_right(
        axes, f"median and 5th–95th\npercentile of\n{panels.window_label(window, fit.epoch_s)}"
    )


def _draw_theta(axes: Axes, view: TimeView, fit: SpectralFit, region: int) -> None:
    low_hz, high_hz = fit.theta_range_hz
    fitted = np.isfinite(fit.exponent[:, region])
    has_peak = np.isfinite(fit.theta_hz[:, region])
    share = (
        f"; {100 * has_peak.sum() / fitted.sum():.0f} % of epochs have one" if fitted.any() else ""
    )
    frame.title_panel(
        axes,
        panels.region_label(fit.regions[region]),
        f"peak in {low_hz:g}–{high_hz:g} Hz above the aperiodic part{share}",
        what=": theta",
    )
    axes.set_ylabel("frequency\n(Hz)")
    if not has_peak.any():
        reason = _refusal(fit, region)
        if not reason:
            reason = (
                "no epoch has a theta peak"
                if fitted.any()
                else why_nothing(view, fit.epoch_s, "power")
            )
        frame.say_instead(axes, reason)
        return
    height_db = 10 * fit.theta_height[has_peak, region]
    norm = Normalize(*_HEIGHT_DB)
    shades = ScalarMappable(norm, style.height_map())
    # Weak peaks first: the strong ones lie on top.
    order = np.argsort(height_db, kind="stable")
    axes.scatter(
        (fit.start_s[has_peak] + fit.epoch_s / 2)[order],
        fit.theta_hz[has_peak, region][order],
        c=height_db[order],
        cmap=shades.cmap,
        norm=norm,
        s=_dot_size(axes, view, fit.epoch_s),
        marker="o",
        lw=0,
        rasterized=True,
    )
    axes.set_ylim(low_hz, high_hz)
    ticks = [f for f in (4, 6, 8, 10, 12, 14) if low_hz <= f <= high_hz]
    axes.set_yticks(ticks)
    _colour_bar(axes, shades, "dB above\naperiodic")


def _dot_size(axes: Axes, view: TimeView, epoch_s: float) -> float:
    """Points squared: as wide as an epoch, but to be seen and not a blot."""
    wide_pt = frame.axes_width_pt(axes) * epoch_s / max(view.interval.duration_s, epoch_s)
    return min(3.0, max(1.0, wide_pt)) ** 2


def _colour_bar(axes: Axes, shades: ScalarMappable, label: str) -> None:
    figure = axes.get_figure(root=True)
    if figure is None:
        raise ValueError("a colour bar needs axes that are on a figure")
    bar = figure.colorbar(shades, cax=style.beside_axes(axes, 1.5, 1.8), extend="max")
    bar.set_label(label, fontsize=style.NOTE_PT)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=style.NOTE_PT, length=1.5)
    bar.ax.locator_params(nbins=3)


_MEASURES = {
    "coherence": "coherence",
    "phase_locking": "phase locking value",
    "wpli": "squared wPLI, debiased",
}


def _draw_pair(
    axes: Axes, view: TimeView, connectivity: Connectivity, measure: str, pair: int
) -> None:
    names = connectivity.pairs[pair]
    ends = " and ".join(panels.region_label(name) for name in names)
    what = "bipolar" if connectivity.bipolar[pair] else "not bipolar: see the note below"
    used = ", ".join(_used(connectivity, name) for name in names)
    frame.title_panel(axes, ends, f"{used} ({what})", what=f": {_MEASURES[measure]}")
    axes.set_ylabel("frequency\n(Hz)")
    frequency_hz = connectivity.frequency_hz
    values = getattr(connectivity, measure)[:, pair]
    start_s, column_s, columns = mean_columns(
        connectivity.start_s, values, connectivity.window_s, view.interval, panels.MAX_COLUMNS
    )
    if len(frequency_hz) == 0 or not np.isfinite(columns).any():
        frame.say_instead(axes, why_nothing(view, connectivity.epoch_s, _MEASURES[measure]))
        return
    low_hz, high_hz = max(1.0, float(frequency_hz[0])), float(frequency_hz[-1])
    first = int(np.searchsorted(frequency_hz, low_hz * 0.99))
    edges_hz, grid = log_rows(frequency_hz[first:], columns[:, first:], low_hz, high_hz, _ROWS)
    finite = grid[np.isfinite(grid)]
    # Never stretched over what chance gives: noise would look like a finding.
    top = max(0.5, float(np.percentile(finite, 99.5)))
    norm = Normalize(0.0, min(1.0, top))
    shades = ScalarMappable(norm, style.spectrogram_map())
    axes.imshow(
        grid,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(
            start_s,
            start_s + grid.shape[1] * column_s,
            float(np.log2(edges_hz[0])),
            float(np.log2(edges_hz[-1])),
        ),
        cmap=shades.cmap,
        norm=norm,
    )
    ticks = [f for f in _TICKS_HZ if low_hz <= f <= high_hz]
    axes.set_yticks(np.log2(ticks), [f"{f}" for f in ticks])
    _colour_bar(axes, shades, "squared\nwPLI" if measure == "wpli" else _MEASURES[measure])


def _used(connectivity: Connectivity, region: str) -> str:
    """The signal that stood for a region most of the time."""
    place = connectivity.regions.index(region)
    choice = connectivity.montage[:, place]
    choice = choice[choice >= 0]
    montages = connectivity.montages[place]
    if not len(choice):
        return montages[0]
    return montages[int(np.bincount(choice).argmax())]
