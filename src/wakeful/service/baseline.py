"""Days of sessions of a library, gathered and set against a baseline day."""

from __future__ import annotations

from datetime import date

import numpy as np

from wakeful.config import Library
from wakeful.model.bouts import StateHours
from wakeful.model.errors import BadParameters, Unavailable
from wakeful.model.time import Interval
from wakeful.publish.contents import SessionContents
from wakeful.sleep.baseline import (
    AgainstBaseline,
    DayOutcomes,
    compute_day_outcomes,
    set_against_baseline,
)


def compare_with_baseline(
    session: SessionContents,
    day: date | None,
    baseline: SessionContents,
    baseline_day: date | None,
) -> AgainstBaseline:
    """A day of one session as per cent of a day of another, or of the same.

    Parameters
    ----------
    day, baseline_day : local dates; None for all of a session, which must then be one day at most

    Raises
    ------
    BadParameters
        Animals, channels, regions or bands differ, or a date is not in its session.
    Unavailable
        A result is missing, or hours can't be matched.
    """
    ours, theirs = session.subject.identifier, baseline.subject.identifier
    if ours != theirs:
        raise BadParameters(
            f"{session.name} is of {ours}, {baseline.name} of {theirs}",
            where="baseline",
            remedy="name a baseline of the same animal",
        )
    channels = [
        {c.name: c.region for c in contents.channels if c.kind.is_brain}
        for contents in (session, baseline)
    ]
    differ = sorted(
        name
        for name in channels[0].keys() | channels[1]
        if channels[0].get(name) != channels[1].get(name)
    )
    if differ:
        raise BadParameters(
            f"channels {', '.join(differ)} are not the same, or not in the same region, in "
            f"{session.name} and {baseline.name}",
            where="baseline",
            remedy="name a baseline of the same channels, or correct the channels files",
        )
    return set_against_baseline(_outcomes(session, day), _outcomes(baseline, baseline_day))


def known_baseline(library: Library, subject: str, day: date | None) -> tuple[str, date]:
    """The session of an animal that holds its baseline day, and that day.

    Parameters
    ----------
    day : a local date; None for the first baseline day that is known of the animal

    Raises
    ------
    BadParameters
        No baseline day is known, or no session of the animal had begun by then.
    """
    animal = library.animal(subject)
    if day is None:
        stretches = () if animal is None else animal.baseline_days()
        if not stretches:
            raise BadParameters(
                f"no baseline day is known of {subject}",
                where="--baseline",
                remedy=f"name a session, or write `baseline` under [subjects.{subject}] in "
                "wakeful.toml or in the tab Subjects",
            )
        day = stretches[0][0]
    folder = library.published / subject
    names = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    # Published folders are named after when their session began, on the lab's clock.
    begun = [name for name in names if name[:10] <= day.isoformat()]
    if not begun:
        raise BadParameters(
            f"no session of {subject} had begun on {day}",
            where="--baseline",
            remedy=f"name a session, one of {', '.join(names) or 'none'}",
        )
    return begun[-1], day


def _outcomes(contents: SessionContents, day: date | None) -> DayOutcomes:
    name = contents.name if day is None else f"{contents.name} {day}"
    hours = contents.tables.get("state_hours")
    hypnogram, band_power = contents.hypnogram, contents.band_power
    if not isinstance(hours, StateHours) or hypnogram is None or band_power is None:
        lacking = [
            step
            for step, there in (
                ("sleep_bouts", isinstance(hours, StateHours)),
                ("sleep", hypnogram is not None),
                ("band_power", band_power is not None),
            )
            if not there
        ]
        raise Unavailable(
            f"it has no result of {', '.join(lacking)}",
            where=name,
            remedy="add these to the analyses of its row, then wakeful run",
        )
    assert isinstance(hours, StateHours)
    left_out = np.zeros(hypnogram.n_rows, np.bool_)
    for apart in contents.quarantined:
        left_out |= (hypnogram.start_s < apart.interval.stop_s) & (
            hypnogram.start_s + hypnogram.epoch_s > apart.interval.start_s
        )
    return compute_day_outcomes(
        hours,
        hypnogram,
        band_power,
        name=name,
        day=None if day is None else _interval(contents, day),
        left_out=left_out,
    )


def _interval(contents: SessionContents, day: date) -> Interval:
    days = {d.date: d.interval for d in contents.session.days()}
    if contents.session.start_utc is None or day not in days:
        known = ", ".join(str(d) for d in days) if contents.session.start_utc else "unknown"
        raise BadParameters(
            f"{day} is not a day of the session; its days are {known}",
            where=contents.name,
            remedy="name one of them",
        )
    return days[day]
