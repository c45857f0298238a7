"""What a session holds when it is handed on: results, what is known of animal and lab, sources.

Long results come in parts, read one after the other: nothing here grows with the recording.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from wakeful.model.arrays import Lfp
from wakeful.model.epochs import BandPower, Hypnogram, LfpEmg, MuscleTone, Rows, Spectrogram
from wakeful.model.events import EventSeries, VideoTrack
from wakeful.model.pose import Pose
from wakeful.model.subject import Channel, Session, Subject
from wakeful.model.time import Interval, Quarantine

Progress = Callable[[float], None]
"""Told the share that is done, 0 to 1."""

Compression = Literal["gzip", "blosc", "none"]

_NAMESPACE = uuid.UUID("6c9a2f3e-2f0b-5a53-9a0e-7a4b8d1c5e70")


@dataclass(frozen=True, kw_only=True)
class MadeBy:
    """What made one result: the gist of its receipt."""

    step: str
    version: int
    scope: str
    """ "block 3", "day 0", "session"."""
    interval: Interval
    key: str
    inputs: tuple[str, ...]
    """Keys of the results it was made from."""
    changed: str
    """Parameters that differ from their defaults, "theta_hz = [5.0, 10.0]; ..."."""
    params: str
    """All parameters in force, in the same form."""
    code_version: str
    libraries: str
    machine: str
    made_utc: str


@dataclass(frozen=True, kw_only=True)
class LabFacts:
    """What a library says about who recorded."""

    institution: str = ""
    lab: str = ""
    experimenters: tuple[str, ...] = ()
    """ "Last, First"."""
    description: str = ""
    """What the experiment is about."""
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class SessionContents:
    """Everything of one session that is worth handing on."""

    name: str
    """As its published folder is called."""
    session: Session
    subject: Subject
    strain: str = ""
    surgery: str = ""
    pharmacology: str = ""
    """What it was given, how much and when."""
    lab: LabFacts = LabFacts()
    recording_format: str
    source: str
    """What the recording's folder or file is called."""
    stream: str
    channels: tuple[Channel, ...]
    """As the channels file describes them now."""
    quarantined: tuple[Quarantine, ...] = ()
    lfp: Lfp | None = None
    spectrogram: Sequence[Spectrogram] = ()
    band_power: BandPower | None = None
    lfp_emg: LfpEmg | None = None
    muscle: MuscleTone | None = None
    hypnogram: Hypnogram | None = None
    tables: Mapping[str, Rows] = field(default_factory=dict)
    """Other results with a row for each bin of time, by the name of the output."""
    poses: Mapping[str, Sequence[Pose]] = field(default_factory=dict)
    events: tuple[EventSeries, ...] = ()
    tracks: tuple[VideoTrack, ...] = ()
    made_by: tuple[MadeBy, ...] = ()
    code_version: str
    notes: tuple[str, ...] = ()
    """What a reader must know: warnings of the row, what is missing."""

    @property
    def identifier(self) -> str:
        """A UUID made from the keys of all results: the same contents have the same one."""
        keys = "\n".join(sorted(made.key for made in self.made_by))
        return str(uuid.uuid5(_NAMESPACE, f"{self.subject.identifier}\n{self.name}\n{keys}"))

    @property
    def described_channels(self) -> tuple[Channel, ...]:
        """The channels of the samples in their order: gains as stored, the rest as known now."""
        if self.lfp is None:
            return self.channels
        now = {channel.name: channel for channel in self.channels}
        return tuple(
            replace(now.get(c.name, c), gain_uv=c.gain_uv, offset_uv=c.offset_uv, kind=c.kind)
            for c in self.lfp.channels
        )

    @property
    def gaps(self) -> tuple[Interval, ...]:
        """Where nothing was recorded, within the session."""
        if self.lfp is None:
            return ()
        spans = self.lfp.spans
        stops = [0.0, *(span.stop_s for span in spans)]
        starts = [*(span.start_s for span in spans), self.session.duration_s]
        # Less than a sample is how clocks are rounded, not a gap.
        least_s = 1.5 / self.lfp.rate_hz
        return tuple(
            Interval(stop, start)
            for stop, start in zip(stops, starts, strict=True)
            if start - stop > least_s
        )


@dataclass(frozen=True, kw_only=True)
class NwbOptions:
    """How an NWB file is written."""

    compression: Compression = "gzip"
    """gzip opens everywhere; blosc is written several times as fast and needs hdf5plugin to be
    read; none is fastest and largest."""
    start: datetime | None = None
    """The session's start, where the recording does not say; without a zone, on the lab's clock."""
    lfp: bool = True
    """Whether samples go into it: without them a week is some megabytes."""
    overwrite: bool = False
