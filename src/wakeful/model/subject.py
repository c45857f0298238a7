"""The animal, the session and its channels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from wakeful.model.time import Day, Interval


class ChannelKind(StrEnum):
    """What a channel records."""

    LFP = "lfp"
    EEG = "eeg"
    EMG = "emg"
    TTL = "ttl"
    OTHER = "other"

    @property
    def is_brain(self) -> bool:
        """Whether rhythms of the brain are read from it."""
        return self in (ChannelKind.LFP, ChannelKind.EEG)


UNKNOWN_REGION = "unknown"


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One channel of a recording. Microvolts = `gain_uv` * sample + `offset_uv`."""

    name: str
    region: str = UNKNOWN_REGION
    """Brain area, or "unknown"."""
    kind: ChannelKind = ChannelKind.LFP
    reference: str = "unknown"
    gain_uv: float = 1.0
    """Microvolts per step of the stored number, with the sign that undoes an inverted input."""
    offset_uv: float = 0.0
    polarity: int = 1
    """-1 where the acquisition inverted the input (`gain_uv` already undoes it)."""
    highpass_hz: float | None = None
    """Hardware high-pass corner; None where the file does not say."""
    lowpass_hz: float | None = None
    filter_delay_s: float | None = None
    """By how much samples lag behind their time stamps because of the acquisition's digital
    filters: 0 where it has made up for it; None where the files do not say."""
    x_mm: float | None = None
    y_mm: float | None = None
    z_mm: float | None = None
    subject: str = ""
    """Whose channel it is, where several animals share one recording."""
    notes: str = ""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An animal."""

    identifier: str
    species: str = "unknown"
    sex: str = "unknown"
    genotype: str = "unknown"
    birth: date | None = None


@dataclass(frozen=True, kw_only=True)
class LightSchedule:
    """When the lights are on, local time. Zeitgeber time 0 is lights on."""

    on: time = time(7, 0)
    off: time = time(19, 0)

    def is_on(self, local: time) -> bool:
        """Whether the lights are on at a local time of day."""
        if self.on <= self.off:
            return self.on <= local < self.off
        return local >= self.on or local < self.off


@dataclass(frozen=True, kw_only=True)
class Session:
    """One recording of one subject, minutes to weeks long."""

    name: str
    """Folder-safe; unique within the subject."""
    subject: Subject
    start_utc: datetime | None
    """When the first sample was taken; None where the files do not say."""
    duration_s: float
    """From the first sample to the end of the last span."""
    time_zone: str = "UTC"
    """IANA name."""
    light: LightSchedule | None = None
    mains_hz: float = 50.0
    epoch_s: float = 4.0
    """Scoring epochs are counted from the session's start."""
    block_s: float = 3600.0
    """Blocks are counted from the session's start; a multiple of `epoch_s`."""

    @property
    def interval(self) -> Interval:
        """The whole session."""
        return Interval(0.0, self.duration_s)

    @property
    def start_local(self) -> datetime | None:
        """The start on the lab's clock."""
        if self.start_utc is None:
            return None
        return self.start_utc.astimezone(ZoneInfo(self.time_zone))

    def blocks(self) -> tuple[Interval, ...]:
        """The session's blocks; the last one ends with the session."""
        n_blocks = max(1, -int(-self.duration_s // self.block_s))
        return tuple(
            Interval(i * self.block_s, min((i + 1) * self.block_s, self.duration_s))
            for i in range(n_blocks)
        )

    def days(self) -> tuple[Day, ...]:
        """The local calendar days that the session touches.

        A session whose start is unknown has days of 24 h counted from its first sample; their
        dates start at 0001-01-01 and mean nothing.
        """
        if self.start_utc is None:
            n_days = max(1, -int(-self.duration_s // 86_400))
            return tuple(
                Day(date.min + timedelta(days=i), i, Interval(i * 86_400.0, (i + 1) * 86_400.0))
                for i in range(n_days)
            )
        zone = ZoneInfo(self.time_zone)
        date_ = self.start_utc.astimezone(zone).date()
        start_s = (first_instant(date_, zone) - self.start_utc).total_seconds()
        days: list[Day] = []
        while True:
            following = date_ + timedelta(days=1)
            stop_s = (first_instant(following, zone) - self.start_utc).total_seconds()
            # A date that the zone left out (it crossed the date line) has no length and is no day;
            # one whose midnight came twice may have ended before the session began.
            if stop_s > max(start_s, 0.0):
                days.append(Day(date_, len(days), Interval(start_s, stop_s)))
            if stop_s >= self.duration_s and days:
                return tuple(days)
            date_, start_s = following, stop_s


def first_instant(day: date, zone: ZoneInfo) -> datetime:
    """When a local calendar day begins, UTC.

    Midnight, the first of the two where it comes twice; where the clocks skip midnight, the moment
    at which they change.
    """
    midnight = datetime.combine(day, time(), tzinfo=zone)
    # Subtraction and comparison within one zone ignore changes of the clocks: go through UTC.
    early, late = sorted(midnight.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if early == late or _shows(early, midnight, zone):
        return early
    # Skipped: the change lies between the two readings.
    while late - early > timedelta(microseconds=1):
        middle = early + (late - early) // 2
        if middle.astimezone(zone).replace(tzinfo=None) < midnight.replace(tzinfo=None):
            early = middle
        else:
            late = middle
    return late


def _shows(instant: datetime, local: datetime, zone: ZoneInfo) -> bool:
    """Whether the zone's clocks show a local time at an instant."""
    return instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None)
