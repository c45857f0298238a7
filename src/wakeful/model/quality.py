"""The quality of channels: faults found, marks set by hand, and what both together advise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import IntEnum, StrEnum
from typing import Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import PER_ROW, Rows, Times
from wakeful.model.subject import Session
from wakeful.model.time import Interval

_TOUCHING_S = 5e-3
"""Stretches that lie no further apart are one: a slow clock makes a sample some us longer."""


class FaultKind(IntEnum):
    """What is wrong with a channel."""

    FLAT = 0
    DEAD = 1
    CLIPPED = 2
    MAINS = 3
    DISCONNECTED = 4
    COPY = 5
    BY_HAND = 6

    @property
    def label(self) -> str:
        """As written on figures and in tables."""
        return _LABELS[self]


_LABELS = {
    FaultKind.FLAT: "flat",
    FaultKind.DEAD: "dead after",
    FaultKind.CLIPPED: "clipped",
    FaultKind.MAINS: "mains hum",
    FaultKind.DISCONNECTED: "disconnected",
    FaultKind.COPY: "copy",
    FaultKind.BY_HAND: "bad by hand",
}


class Verdict(StrEnum):
    """What a person says of a stretch of a channel."""

    BAD = "bad"
    GOOD = "good"
    """Not bad after all: what was found there is not heeded."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A person's verdict on channels in a stretch of a session. The later of two marks wins."""

    channels: tuple[str, ...]
    """Names; empty for every channel."""
    start_s: float
    """Seconds from the session's start."""
    stop_s: float
    verdict: Verdict
    reason: str
    author: str

    @property
    def interval(self) -> Interval:
        """The stretch."""
        return Interval(self.start_s, self.stop_s)

    def concerns(self, channel: str) -> bool:
        """Whether it says anything of a channel."""
        return not self.channels or channel in self.channels


def cut_marks(marks: Sequence[Mark], interval: Interval) -> tuple[Mark, ...]:
    """The marks that share time with `interval`, cut to it, in the order given."""
    parts = [(mark, mark.interval.intersect(interval)) for mark in marks]
    return tuple(
        replace(mark, start_s=part.start_s, stop_s=part.stop_s)
        for mark, part in parts
        if part.duration_s > 0
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Stretches(Rows):
    """A table whose rows are stretches of time; they may overlap."""

    stop_s: Times = field(metadata=PER_ROW)
    """(n_rows,) end of each row, seconds from the session's start."""

    def cut(self, interval: Interval) -> Self:
        """The rows that share time with `interval`, whole."""
        kept = (self.start_s < interval.stop_s) & (self.stop_s > interval.start_s)
        return self._with_rows(lambda values: values[kept])


@dataclass(frozen=True, eq=False, kw_only=True)
class ChannelQuality(Stretches):
    """Faults of channels, one row a stretch: found by rule or marked by hand.

    It is advice. A step says whether it takes it (`Step.masks`); nothing is ever removed from a
    recording or filled in because of it.
    """

    channel: NDArray[np.int32] = field(metadata=PER_ROW)
    """(n_rows,) number of the channel in `channels`."""
    kind: NDArray[np.int8] = field(metadata=PER_ROW)
    """(n_rows,) values of `FaultKind`."""
    value: NDArray[np.float64] = field(metadata=PER_ROW)
    """(n_rows,) what was measured; NaN for a mark by hand."""
    limit: NDArray[np.float64] = field(metadata=PER_ROW)
    """(n_rows,) what it was held against; NaN for a mark by hand."""
    heeded: NDArray[np.bool_] = field(metadata=PER_ROW)
    """(n_rows,) False where a person said that the channel is good there after all."""
    reason: NDArray[np.str_] = field(metadata=PER_ROW)
    """(n_rows,) in plain words, without time and channel."""
    channels: tuple[str, ...]
    regions: tuple[str, ...]
    """Of each channel."""
    notes: tuple[str, ...] = ()
    """What the files' headers say of the channels that a reader must know."""

    def is_bad(
        self,
        names: Sequence[str],
        start_s: Times,
        epoch_s: float,
        unheeded: frozenset[FaultKind] = frozenset(),
    ) -> NDArray[np.bool_]:
        """(n_epochs, n_names) whether a channel is bad in a part of an epoch.

        Parameters
        ----------
        names : of channels; one that is not in the table is never bad
        start_s : (n_epochs,) starts of the epochs, in order
        unheeded : kinds of faults that the asker can do with
        """
        bad = np.zeros((len(start_s), len(names)), np.bool_)
        place = {name: i for i, name in enumerate(names)}
        slack = 1e-6
        for row in np.flatnonzero(self.heeded):
            column = place.get(self.channels[self.channel[row]])
            if column is not None and FaultKind(int(self.kind[row])) not in unheeded:
                first = np.searchsorted(start_s, self.start_s[row] - epoch_s + slack)
                stop = np.searchsorted(start_s, self.stop_s[row] - slack)
                bad[first:stop, column] = True
        return bad


@dataclass(frozen=True, eq=False, kw_only=True)
class ChannelMeasures(Stretches):
    """What was measured of every channel, one row a block, faulty or not; NaN: not measurable."""

    flat_share: NDArray[np.float32] = field(metadata=PER_ROW)
    """(n_blocks, n_channels) part of the recorded time without change."""
    clipped_share: NDArray[np.float32] = field(metadata=PER_ROW)
    """(n_blocks, n_channels) part of the samples at the rails."""
    mains_share: NDArray[np.float32] = field(metadata=PER_ROW)
    """(n_blocks, n_channels) part of the power that is mains hum; median over slots."""
    slope: NDArray[np.float32] = field(metadata=PER_ROW)
    """(n_blocks, n_channels) exponent x of a density that falls with 1/f^x; median over slots."""
    likeness: NDArray[np.float32] = field(metadata=PER_ROW)
    """(n_blocks, n_channels) highest correlation with a channel of the region, 1 to 50 Hz."""
    rms_uv: NDArray[np.float32] = field(metadata=PER_ROW)
    """(n_blocks, n_channels) root mean square of 1 Hz and above; median over slots."""
    channels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault of one channel, as long as it lasts, over the borders of blocks."""

    channel: str
    region: str
    kind: FaultKind
    interval: Interval
    value: float
    """The largest of what was measured; of a flat channel, for how long, in seconds."""
    limit: float
    heeded: bool
    reason: str


def join_faults(quality: ChannelQuality) -> tuple[Fault, ...]:
    """The faults by channel and time; those of one kind that touch are one.

    A channel that goes flat and stays so is dead in the block in which it went, and flat in the
    blocks after it: both are one.
    """
    faults: list[Fault] = []
    last_of: dict[tuple[int, int, bool], int] = {}
    for row in np.argsort(quality.start_s, kind="stable"):
        kind = FaultKind(int(quality.kind[row]))
        number = int(quality.channel[row])
        fault = Fault(
            channel=quality.channels[number],
            region=quality.regions[number],
            kind=kind,
            interval=Interval(float(quality.start_s[row]), float(quality.stop_s[row])),
            value=float(quality.value[row]),
            limit=float(quality.limit[row]),
            heeded=bool(quality.heeded[row]),
            reason=str(quality.reason[row]),
        )
        family = FaultKind.FLAT if kind is FaultKind.DEAD else kind
        key = (number, int(family), fault.heeded)
        before = faults[last_of[key]] if key in last_of else None
        if before is not None and _goes_on(before, fault):
            whole = Interval(before.interval.start_s, fault.interval.stop_s)
            flat = family == FaultKind.FLAT
            value = whole.duration_s if flat else float(np.fmax(before.value, fault.value))
            faults[last_of[key]] = replace(before, interval=whole, value=value)
        else:
            last_of[key] = len(faults)
            faults.append(fault)
    place = {name: i for i, name in enumerate(quality.channels)}
    return tuple(sorted(faults, key=lambda f: (place[f.channel], f.interval, f.kind)))


def _goes_on(before: Fault, fault: Fault) -> bool:
    touching = fault.interval.start_s - before.interval.stop_s <= _TOUCHING_S
    # What was marked by two people, or for two reasons, stays two.
    one = before.kind is not FaultKind.BY_HAND or before.reason == fault.reason
    return touching and one and fault.kind is not FaultKind.DEAD


def describe_fault(session: Session, fault: Fault) -> str:
    """A fault in one line: "CSC7: flat from 13:02:11 on, for 47 min (no change ...)"."""
    part, whole = fault.interval, session.interval
    name = "flat" if fault.kind is FaultKind.DEAD else fault.kind.label
    begins = part.start_s <= whole.start_s + _TOUCHING_S
    ends = part.stop_s >= whole.stop_s - _TOUCHING_S
    start, stop = (clock_text(session, t) for t in (part.start_s, part.stop_s))
    if begins and ends:
        when = "throughout"
    elif ends or fault.kind is FaultKind.DEAD:
        when = f"from {start} on, for {duration_text(part.duration_s)}"
    else:
        when = f"{start} to {stop}, {duration_text(part.duration_s)}"
    overruled = "" if fault.heeded else "; marked good by hand, not heeded"
    return f"{fault.channel}: {name} {when} ({fault.reason}{overruled})"


def clock_text(session: Session, time_s: float) -> str:
    """A moment on the lab's clock, with its date where the session has several; else seconds."""
    if session.start_utc is None:
        return f"{time_s:,.1f} s"
    zone = ZoneInfo(session.time_zone)
    moment = (session.start_utc + timedelta(seconds=round(time_s, 3))).astimezone(zone)
    last = session.start_utc + timedelta(seconds=min(session.duration_s, 1e9))
    first_date, last_date = session.start_utc.astimezone(zone).date(), last.astimezone(zone).date()
    return f"{moment:%H:%M:%S}" if first_date == last_date else f"{moment:%Y-%m-%d %H:%M:%S}"


def duration_text(duration_s: float) -> str:
    """A length of time: "3.5 s", "47 min", "2 h 05 min"."""
    if duration_s < 90:
        return f"{duration_s:.3g} s"
    minutes = round(duration_s / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
