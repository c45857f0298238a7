"""Figures over time: the day at a glance, and its parts on their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wakeful.figures import certainty, frame, panels, style
from wakeful.figures.clock import TimeView, date_label, local_time, make_view, view_of_rows
from wakeful.figures.hours import draw_accounting_panel
from wakeful.model.epochs import BandPower, Hypnogram, MuscleTone, Spectrogram, State
from wakeful.model.subject import Session
from wakeful.model.time import Accounting, Day, Interval, Quarantine, Span

_TITLE_MM = 4.8
"""Room above a panel for its title."""
_SMALL_TITLE_MM = 4.3
_MOST_LARGE = 6
"""More regions than this get low panels, so that the figure stays on a page."""
_LABEL_MM = 7.5
"""How far left of the panels the names of their axes stand."""


@dataclass(frozen=True)
class _Panel:
    height_mm: float
    draw: Callable[[Axes], None]
    over_time: bool = True
    title_mm: float = _TITLE_MM


def draw_day(
    session: Session,
    day: Day,
    accounting: Accounting,
    spectrogram: Spectrogram,
    band_power: BandPower,
    muscle: MuscleTone | None,
    hypnogram: Hypnogram,
    spans: tuple[Span, ...] | None = None,
    quarantined: tuple[Quarantine, ...] = (),
) -> Figure:
    """The day at a glance: light, spectrograms, band powers, muscle tone, hypnogram, hours.

    A day of which less than a quarter lies in the session is shown zoomed to that part; the strip
    at the foot tells the whole day in any case.

    Parameters
    ----------
    accounting : of the day
    muscle : None where muscle tone was not computed
    spans : what was recorded; where None, the epochs that have data tell, to within an epoch
    quarantined : stretches that can't be trusted, hatched over every panel
    """
    has_data = hypnogram.state != State.NO_DATA
    view = make_view(
        session,
        day.interval,
        spans,
        hypnogram.start_s[has_data],
        hypnogram.epoch_s,
        tuple(stretch.interval for stretch in quarantined),
    )
    stack = [
        *_spectrogram_panels(view, spectrogram),
        *_band_panels(view, band_power),
        *_muscle_panels(view, muscle),
        *_hypnogram_panels(view, hypnogram),
    ]
    strip = _Panel(4.0, partial(draw_accounting_panel, view=view, day=day, parts=accounting))
    return _compose(view, stack, title=title_line(view, day.interval, day), strip=strip)


def draw_spectrogram(
    session: Session,
    spectrogram: Spectrogram,
    interval: Interval | None = None,
    spans: tuple[Span, ...] | None = None,
) -> Figure:
    """Spectrogram of every region; of all that is given, or of `interval`."""
    known = _any_value(spectrogram.power_uv2_per_hz)
    view = view_of_rows(session, spectrogram, spectrogram.epoch_s, known, interval, spans)
    return _compose(view, _spectrogram_panels(view, spectrogram))


def draw_band_power(
    session: Session,
    band_power: BandPower,
    interval: Interval | None = None,
    spans: tuple[Span, ...] | None = None,
) -> Figure:
    """Band powers of every region; of all that is given, or of `interval`."""
    known = _any_value(band_power.power_uv2)
    view = view_of_rows(session, band_power, band_power.epoch_s, known, interval, spans)
    return _compose(view, _band_panels(view, band_power))


def draw_muscle(
    session: Session,
    muscle: MuscleTone,
    interval: Interval | None = None,
    spans: tuple[Span, ...] | None = None,
) -> Figure:
    """EMG and LFP-derived EMG, or why there is none."""
    known = np.isfinite(muscle.emg_uv) | np.isfinite(muscle.lfp_emg)
    view = view_of_rows(session, muscle, muscle.epoch_s, known, interval, spans)
    return _compose(view, _muscle_panels(view, muscle))


def draw_hypnogram(
    session: Session,
    hypnogram: Hypnogram,
    interval: Interval | None = None,
    spans: tuple[Span, ...] | None = None,
) -> Figure:
    """Hypnogram in four rows (awake, unclassified, NREM, REM), and how sure it is."""
    known = hypnogram.state != State.NO_DATA
    view = view_of_rows(session, hypnogram, hypnogram.epoch_s, known, interval, spans)
    return _compose(view, _hypnogram_panels(view, hypnogram))


def _any_value(values: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(n_rows,) whether a row of (n_rows, ...) has any value."""
    known: NDArray[np.bool_] = np.isfinite(values).reshape(len(values), -1).any(axis=1)
    return known


def _compose(
    view: TimeView, stack: list[_Panel], title: str = "", strip: _Panel | None = None
) -> Figure:
    """Panels one below the other under a title and the light bar; clock time under the last."""
    has_light = view.session.light is not None and view.session.start_utc is not None
    sizes = [(panel.title_mm, panel.height_mm) for panel in stack]
    if has_light:
        sizes.insert(0, (0.0, 3.0))
    if strip is not None:
        sizes.append((_TITLE_MM + 6.5, strip.height_mm))
    with style.house_style():
        figure, axes = style.stack_axes(sizes, head_mm=12.0 if has_light else 5.0)
        if has_light:
            frame.draw_light_bar(axes.pop(0), view)
        if strip is not None:
            strip.draw(axes.pop())
        for panel, panel_axes in zip(stack, axes, strict=True):
            panel.draw(panel_axes)
            if panel.over_time:
                frame.shade_missing(panel_axes, view)
            frame.set_time_axis(panel_axes, view, labels=panel_axes is axes[-1])
            wide_mm = style.WIDTH_MM - style.LEFT_MM - style.RIGHT_MM
            panel_axes.yaxis.set_label_coords(-_LABEL_MM / wide_mm, 0.5)
        style.write_title(figure, title or title_line(view, view.interval))
    return figure


def title_line(view: TimeView, interval: Interval, day: Day | None = None) -> str:
    """Subject, session and date: the line over a figure."""
    session = view.session
    parts = [session.subject.identifier, session.name]
    start = local_time(session, interval.start_s)
    if day is not None and session.start_utc is not None:
        parts.append(f"{date_label(day.date)}, day {day.number + 1} of the session")
    elif day is not None:
        parts.append(f"day {day.number + 1} from the session's start (date unknown)")
    elif start is not None:
        parts.append(f"from {date_label(start.date())}, {start:%H:%M:%S}")
    return "  ·  ".join(parts)


def _spectrogram_panels(view: TimeView, spectrogram: Spectrogram) -> list[_Panel]:
    n_regions = len(spectrogram.regions)
    compact = n_regions > _MOST_LARGE
    height_mm = 7.5 if compact else 15.0 if n_regions > 3 else 19.0
    part = spectrogram.cut(view.interval)
    return [
        _Panel(
            height_mm,
            partial(
                panels.draw_spectrogram_panel,
                view=view,
                spectrogram=part,
                region=region,
                compact=compact,
            ),
            title_mm=_SMALL_TITLE_MM if compact and region else _TITLE_MM,
        )
        for region in range(n_regions)
    ]


def _band_panels(view: TimeView, band_power: BandPower) -> list[_Panel]:
    n_regions = len(band_power.regions)
    compact = n_regions > _MOST_LARGE
    height_mm = 5.0 if compact else 12.0 if n_regions > 3 else 16.0
    part = band_power.cut(view.interval)
    return [
        _Panel(
            height_mm,
            partial(panels.draw_band_panel, view=view, power=part, region=region, compact=compact),
            title_mm=_SMALL_TITLE_MM if compact and region else _TITLE_MM,
        )
        for region in range(n_regions)
    ]


def _muscle_panels(view: TimeView, muscle: MuscleTone | None) -> list[_Panel]:
    if muscle is None:
        return [_reason_panel("neither EMG nor LFP-derived EMG was computed for this recording")]
    stack: list[_Panel] = []
    part = muscle.cut(view.interval)
    if muscle.emg_channels:
        stack.append(
            _Panel(12.0, partial(panels.draw_muscle_panel, view=view, muscle=part, use_emg=True))
        )
    if not muscle.lfp_emg_unavailable:
        stack.append(
            _Panel(12.0, partial(panels.draw_muscle_panel, view=view, muscle=part, use_emg=False))
        )
    if not stack:
        text = f"no EMG channel; LFP-derived EMG unavailable: {muscle.lfp_emg_unavailable}"
        stack.append(_reason_panel(text))
    return stack


def _reason_panel(text: str) -> _Panel:
    draw = partial(frame.draw_reason, title="Muscle tone", text=text)
    return _Panel(5.0, draw, over_time=False)


def _hypnogram_panels(view: TimeView, hypnogram: Hypnogram) -> list[_Panel]:
    part = hypnogram.cut(view.interval)
    stack = [_Panel(18.0, partial(panels.draw_hypnogram_panel, view=view, hypnogram=part))]
    if certainty.has_certainty(part):
        stack.append(
            _Panel(8.0, partial(certainty.draw_certainty_panel, view=view, hypnogram=part))
        )
    return stack
