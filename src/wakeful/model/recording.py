"""What a recording on disk looks like to everything above the readers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from wakeful.model.arrays import ArraySource
from wakeful.model.events import EventSeries, VideoTrack
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Quarantine, Span


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Channels of one recording that share a rate and a clock, on the time that all have."""

    name: str
    """Unique in the recording, made from what is there: e.g. "2000Hz-5ch", "2000Hz-5ch-2"."""
    rate_hz: float
    """Nominal."""
    channels: tuple[Channel, ...]
    spans: tuple[Span, ...]
    """Seconds from the recording's start (the first sample of its earliest stream)."""
    quarantined: tuple[Quarantine, ...] = ()
    files: tuple[str, ...] = ()
    """Paths relative to the recording's folder that hold its samples."""
    growing: bool = False
    """Whether more is still being written."""
    settled_s: float = math.inf
    """Spans, rates and quarantined stretches before this are final: what is written later changes
    none of them. Infinite where nothing more comes."""

    @property
    def duration_s(self) -> float:
        """From the recording's start to the end of the last span."""
        return self.spans[-1].stop_s if self.spans else 0.0

    @property
    def recorded_s(self) -> float:
        """Seconds of samples, gaps left out."""
        return sum(span.n_samples / span.rate_hz for span in self.spans)

    @property
    def gaps(self) -> tuple[Interval, ...]:
        """The holes between the spans."""
        return tuple(
            Interval(a.stop_s, b.start_s) for a, b in zip(self.spans, self.spans[1:], strict=False)
        )


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a recording holds, without its samples: headers, streams, spans, warnings."""

    format: str
    """For example "neuralynx", "openephys-classic", "edf"."""
    root: str
    """Absolute path of the file or folder."""
    streams: tuple[Stream, ...]
    start_utc: datetime | None
    """When the first sample was taken; None where the files do not say."""
    start_is_local: bool = False
    """Whether the files give local time without a zone: `start_utc` then carries it as if UTC,
    and the library's time zone is applied when the session is made."""
    warnings: tuple[str, ...] = ()
    """What a person must know: unknown start, odd headers, files left aside."""
    ignored_files: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Part of one file, start included and stop excluded."""

    file: str
    """Relative to the recording's folder."""
    start: int
    stop: int


class Recording(Protocol):
    """A recording opened for reading: lazy, streamed, spans explicit."""

    @property
    def description(self) -> Description:
        """What it holds."""
        ...

    def open(self, stream: str) -> ArraySource:
        """The samples of one stream, read when asked for."""
        ...

    def byte_ranges(self, stream: str, interval: Interval) -> tuple[ByteRange, ...]:
        """The bytes that the samples of an interval come from (headers included).

        Where a format does not let this be known, the whole files.
        """
        ...

    def read_events(self) -> tuple[EventSeries, ...]:
        """Events and pulses, on the time of the samples; empty where the format has none."""
        ...

    def read_tracks(self) -> tuple[VideoTrack, ...]:
        """Positions that the acquisition's own video tracker wrote; empty where there are none."""
        ...
