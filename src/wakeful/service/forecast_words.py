"""A forecast in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from wakeful.model.quality import duration_text
from wakeful.service.foresight import Filling, Forecast
from wakeful.service.room import gigabytes


def say_forecast(found: Forecast, zone: ZoneInfo) -> Iterator[str]:
    """A forecast, line by line."""
    if found.noted is not None and found.is_old:
        yield (
            f"as it was {duration_text((found.now - found.noted).total_seconds())} ago: "
            "`wakeful run` has noted nothing since, so inflow and backlog may be others by now"
        )
    yield _inflow(found)
    yield _speed(found)
    yield _backlog(found)
    for filling in found.fillings:
        yield say_filling(filling, zone, found.now)


def _inflow(found: Forecast) -> str:
    if found.window is None or found.inflow_bytes_per_day is None:
        return (
            "inflow: not known yet; it is once `wakeful run` has been at work for an hour of the "
            "last day"
        )
    when_noted = "" if found.is_old else "the last "
    return (
        f"inflow: {gigabytes(found.inflow_bytes_per_day)} and {found.recorded_h_per_day:.1f} h "
        f"recorded a day (of {when_noted}{duration_text(found.window.total_seconds())})"
    )


def _speed(found: Forecast) -> str:
    if found.speed is None:
        return "speed: not known yet; nothing that is there was computed in the last week"
    text = (
        f"speed: {_rounded(found.speed)} h recorded are worked through in an hour, "
        f"on {found.slots} workers"
    )
    ratio = found.times_inflow
    if ratio is None:
        return text
    if ratio < 1:
        return f"{text}: SLOWER than the inflow, {ratio:.2f} of it; the backlog grows"
    return f"{text}: {_rounded(ratio)}x faster than the inflow"


def _rounded(value: float) -> str:
    """To three digits, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _backlog(found: Forecast) -> str:
    if found.backlog_s is None:
        return (
            "backlog: not known; something is still to be taken in, or no results like those that "
            "are missing were made so far"
        )
    if found.backlog_s < 1:
        return "backlog: none"
    gone = found.backlog_gone_s
    work = f"backlog: {duration_text(found.backlog_s)} of work"
    if gone is None:
        return f"{work}; at this inflow it is never worked off"
    return f"{work}, gone in {duration_text(gone)}"


def say_filling(filling: Filling, zone: ZoneInfo, now: datetime) -> str:
    """How much room a disk, or the quota, has and when it is full."""
    name = "quota" if filling.name == "quota" else f"disk of {filling.name}"
    room = f"{name}: {gigabytes(filling.free_bytes)} of {gigabytes(filling.total_bytes)} free"
    if filling.per_day_bytes is None:
        return room
    if filling.full is None:
        return f"{room}; it does not fill"
    return (
        f"{room}; at {gigabytes(filling.per_day_bytes)} a day it is full on "
        f"{when(filling.full, now, zone)}"
    )


def when(moment: datetime, now: datetime, zone: ZoneInfo) -> str:
    """A time to come on the lab's clock, no more exact than it can be known."""
    local = moment.astimezone(zone)
    days = (moment - now).total_seconds() / 86_400
    if days < 2:
        return f"{local:%A, %d %B, about %H:00}"
    return f"{local:%A, %d %B}" if days < 300 else f"{local:%d %B %Y}"
