"""The axis of time: local clock, zeitgeber time and what of it was recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import Rows
from wakeful.model.subject import Session
from wakeful.model.time import Interval, Span

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_STEPS_S = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200),
    *(86_400, 172_800, 604_800),
)
_MAX_TICKS = 11
_LEAST_SHARE = 0.5
"""A day of which less than this lies in the session is shown zoomed to that part."""


@dataclass(frozen=True, kw_only=True)
class TimeView:
    """What stretch of a session is shown, and which of it was recorded."""

    session: Session
    interval: Interval
    """What the axis shows, seconds from the session's start."""
    recorded: tuple[Interval, ...]
    quarantined: tuple[Interval, ...] = field(default=())
    recorded_known: bool = True
    """False where neither spans nor epochs tell what was recorded: then no gap is claimed."""

    @property
    def gaps(self) -> tuple[Interval, ...]:
        """Stretches of the view inside the session without samples."""
        inside = self.interval.intersect(self.session.interval)
        gaps: list[Interval] = []
        at_s = inside.start_s
        for stretch in self.recorded:
            part = inside.intersect(stretch)
            if part.duration_s <= 0:
                continue
            if part.start_s > at_s:
                gaps.append(Interval(at_s, part.start_s))
            at_s = max(at_s, part.stop_s)
        if inside.stop_s > at_s:
            gaps.append(Interval(at_s, inside.stop_s))
        return tuple(gaps)

    @property
    def outside(self) -> tuple[Interval, ...]:
        """Stretches of the view before the session's start and after its end."""
        view, session = self.interval, self.session.interval
        before = Interval(view.start_s, min(view.stop_s, session.start_s))
        after = Interval(max(view.start_s, session.stop_s), view.stop_s)
        return tuple(part for part in (before, after) if part.duration_s > 0)


def make_view(
    session: Session,
    interval: Interval,
    spans: tuple[Span, ...] | None,
    known_s: NDArray[np.float64],
    epoch_s: float,
    quarantined: tuple[Interval, ...] = (),
) -> TimeView:
    """The view of `interval`, zoomed to the session's part where that is short.

    Parameters
    ----------
    spans : what was recorded; None where that is not known better than by the epochs
    known_s : (n,) starts of the epochs that have data, in order
    """
    recorded_known = spans is not None or len(known_s) > 0
    if spans is not None:
        recorded = tuple(span.interval for span in spans)
    elif recorded_known:
        recorded = _to_the_end(join_epochs(known_s, epoch_s), session, epoch_s)
    else:
        recorded = (session.interval,)
    inside = interval.intersect(session.interval)
    shown = interval
    if 0 < inside.duration_s < _LEAST_SHARE * interval.duration_s:
        shown = inside
    return TimeView(
        session=session,
        interval=shown,
        recorded=recorded,
        quarantined=quarantined,
        recorded_known=recorded_known,
    )


def view_of_rows(
    session: Session,
    rows: Rows,
    row_s: float,
    known: NDArray[np.bool_],
    interval: Interval | None,
    spans: tuple[Span, ...] | None,
) -> TimeView:
    """What is shown of a result with a row for each stretch of time: all of it where None is given.

    Parameters
    ----------
    row_s : how long a row lasts
    known : (n_rows,) rows that hold something; without spans they tell what was recorded
    """
    if interval is None:
        interval = session.interval
        if rows.n_rows:
            interval = Interval(float(rows.start_s[0]), float(rows.start_s[-1]) + row_s)
    return make_view(session, interval, spans, rows.start_s[known], row_s)


def _to_the_end(
    recorded: tuple[Interval, ...], session: Session, epoch_s: float
) -> tuple[Interval, ...]:
    """A rest at the session's end that is too short for an epoch is no gap."""
    *others, last = recorded
    stop_s = session.interval.stop_s
    if last.stop_s < stop_s < last.stop_s + epoch_s:
        last = Interval(last.start_s, stop_s)
    return (*others, last)


def join_epochs(start_s: NDArray[np.float64], epoch_s: float) -> tuple[Interval, ...]:
    """Epochs that follow each other without a hole, joined.

    Parameters
    ----------
    start_s : (n_epochs,) in order
    """
    if len(start_s) == 0:
        return ()
    breaks = np.flatnonzero(~np.isclose(np.diff(start_s), epoch_s)) + 1
    first, last = np.r_[0, breaks], np.r_[breaks - 1, len(start_s) - 1]
    return tuple(
        Interval(float(start_s[a]), float(start_s[b]) + epoch_s)
        for a, b in zip(first, last, strict=True)
    )


def touches(
    start_s: NDArray[np.float64], epoch_s: float, intervals: tuple[Interval, ...]
) -> NDArray[np.bool_]:
    """(n_epochs,) whether an epoch shares any time with one of the intervals."""
    touched = np.zeros(len(start_s), np.bool_)
    for part in intervals:
        touched |= (start_s < part.stop_s) & (start_s + epoch_s > part.start_s)
    return touched


def local_time(session: Session, time_s: float) -> datetime | None:
    """Time on the lab's clock; None where the session's start is unknown."""
    if session.start_utc is None:
        return None
    return (session.start_utc + timedelta(seconds=time_s)).astimezone(ZoneInfo(session.time_zone))


def date_label(day: date) -> str:
    """For example "Tue 2026-05-12"; the same under every locale."""
    return f"{_WEEKDAYS[day.weekday()]} {day.isoformat()}"


def tick_step_s(duration_s: float, max_ticks: int = _MAX_TICKS) -> int:
    """The smallest round step that gives at most `max_ticks` ticks."""
    return next((s for s in _STEPS_S if duration_s / s <= max_ticks), _STEPS_S[-1])


def clock_ticks(
    session: Session, interval: Interval, max_ticks: int = _MAX_TICKS
) -> list[tuple[float, str]]:
    """Where round local times lie: (seconds from the session's start, label).

    An hour that the clocks skip has no tick, one they repeat has two. Where the start is unknown,
    the time from the session's start. The labels of one axis all have seconds, or none has.
    """
    step_s = tick_step_s(interval.duration_s, max_ticks)
    if session.start_utc is None:
        first = int(np.ceil(interval.start_s / step_s - 1e-9))
        last = int(np.floor(interval.stop_s / step_s + 1e-9))
        times_s = [i * step_s for i in range(first, last + 1)]
        return [(float(t), elapsed_label(t, seconds=step_s < 60)) for t in times_s]
    ticks: list[tuple[float, str]] = []
    days_since = 0
    for time_s, local in _quarters(session, interval, step_s):
        since_midnight = local.hour * 3600 + local.minute * 60 + local.second
        if step_s >= 86_400:
            if since_midnight == 0:
                if days_since % (step_s // 86_400) == 0:
                    ticks.append((time_s, f"{_WEEKDAYS[local.weekday()]} {local:%d}"))
                days_since += 1
        elif since_midnight % step_s == 0:
            ticks.append((time_s, f"{local:%H:%M:%S}" if step_s < 60 else f"{local:%H:%M}"))
    return ticks


def _quarters(session: Session, interval: Interval, step_s: int) -> list[tuple[float, datetime]]:
    """Moments at least as dense as the ticks; offsets from UTC are whole quarters of an hour."""
    start = session.start_utc
    if start is None:
        return []
    dense_s = min(step_s, 900)
    zone = ZoneInfo(session.time_zone)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    since_s = (start - epoch).total_seconds()
    first = int(np.ceil((since_s + interval.start_s) / dense_s - 1e-9))
    last = int(np.floor((since_s + interval.stop_s) / dense_s + 1e-9))
    return [
        (i * dense_s - since_s, (epoch + timedelta(seconds=i * dense_s)).astimezone(zone))
        for i in range(first, last + 1)
    ]


def elapsed_label(time_s: float, *, seconds: bool) -> str:
    """Time from the session's start as h:mm or h:mm:ss."""
    sign, whole = ("−" if time_s < 0 else ""), abs(round(time_s))
    text = f"{sign}{whole // 3600}:{whole // 60 % 60:02d}"
    return f"{text}:{whole % 60:02d}" if seconds else text


def light_phases(session: Session, interval: Interval) -> tuple[tuple[Interval, bool], ...]:
    """When the lights were on and off: (stretch, on), in order, covering `interval`.

    Empty where the light schedule or the session's start is unknown.
    """
    if session.light is None or session.start_utc is None:
        return ()
    zone = ZoneInfo(session.time_zone)
    first, last = (local_time(session, t) for t in (interval.start_s, interval.stop_s))
    if first is None or last is None:
        return ()
    edges: list[float] = []
    for i in range(-1, (last.date() - first.date()).days + 2):
        today = first.date() + timedelta(days=i)
        for switch in (session.light.on, session.light.off):
            moment = datetime.combine(today, switch, tzinfo=zone).astimezone(UTC)
            edges.append((moment - session.start_utc).total_seconds())
    inner = sorted({e for e in edges if interval.start_s < e < interval.stop_s})
    bounds = [interval.start_s, *inner, interval.stop_s]
    phases: list[tuple[Interval, bool]] = []
    for a, b in pairwise(bounds):
        middle = local_time(session, (a + b) / 2)
        if b > a and middle is not None:
            phases.append((Interval(a, b), session.light.is_on(_wall(middle))))
    return tuple(phases)


def _wall(moment: datetime) -> time:
    return moment.time().replace(tzinfo=None)


def zeitgeber_ticks(session: Session, interval: Interval) -> list[tuple[float, str]]:
    """Where round zeitgeber hours lie; ZT 0 is lights on."""
    if session.light is None or session.start_utc is None:
        return []
    every_s = next((s for s in _STEPS_S[6:] if interval.duration_s / s <= _MAX_TICKS), 86_400)
    every_s = min(every_s, 86_400)
    on = session.light.on
    on_s = on.hour * 3600 + on.minute * 60 + on.second
    ticks: list[tuple[float, str]] = []
    for time_s, local in _quarters(session, interval, 60 if on_s % 900 else every_s):
        zeitgeber_s = (local.hour * 3600 + local.minute * 60 + local.second - on_s) % 86_400
        if zeitgeber_s % every_s == 0:
            hour, minute = zeitgeber_s // 3600, zeitgeber_s // 60 % 60
            ticks.append((time_s, f"{hour}" if every_s >= 3600 else f"{hour}:{minute:02d}"))
    return ticks


def exact_parts(parts_s: tuple[float, ...]) -> tuple[int, ...]:
    """Whole seconds that add up to the rounded sum of the parts (largest remainders first)."""
    whole = [int(np.floor(part + 1e-6)) for part in parts_s]
    missing = round(sum(parts_s)) - sum(whole)
    order = sorted(range(len(parts_s)), key=lambda i: whole[i] - parts_s[i])
    for i in order[: max(0, missing)]:
        whole[i] += 1
    return tuple(whole)


def duration_label(duration_s: float) -> str:
    """As h:mm:ss."""
    whole = round(duration_s)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
