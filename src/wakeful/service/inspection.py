"""What `wakeful inspect` finds out about a recording, in about a second.

The headers tell what there is; a bounded sample of short stretches, spread over the recording,
tells which channels are dead or hit their rails. Nothing is stored.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from wakeful.io.recording import read_recording, recognise
from wakeful.model.errors import WakefulError
from wakeful.model.recording import Description, Recording, Stream
from wakeful.model.subject import Session, Subject
from wakeful.model.time import Accounting, Day, Interval, Span, account_for
from wakeful.service.targets import local_to_utc
from wakeful.signal.glance import ChannelGlance, Glance

_STRETCH_S = 1.0
_MOST = 64
"""Stretches looked at in each stream at most."""
_LEAST = 8
_SAMPLES = 24_000_000
"""Samples looked at in each stream at most: all channels of all stretches."""
_TIME_S = 1.0
"""After so long a stream is left as it is, however slow the disk."""
_GOLDEN = 0.6180339887498949
"""Steps of the golden ratio visit a recording evenly, wherever one stops."""


@dataclass(frozen=True)
class FileSize:
    """One file and how large it is."""

    file: str
    n_bytes: int


@dataclass(frozen=True)
class Noted:
    """Events of one source, or a tracker's positions: how many there are."""

    name: str
    file: str
    n: int
    first_s: float | None
    """From the recording's start; None where there is none with a time."""
    last_s: float | None


@dataclass(frozen=True)
class DayAccount:
    """Where the time of one local day went."""

    day: Day
    account: Accounting


@dataclass(frozen=True)
class StreamFinding:
    """What was found of one stream."""

    stream: Stream
    rates_hz: tuple[float, ...]
    """Those its spans really have, each once, from the lowest."""
    account: Accounting
    """Of the whole time from the recording's start to the stream's end."""
    days: tuple[DayAccount, ...]
    n_stretches: int
    """How many were looked at for the channels' faults."""
    stretch_s: float
    glances: tuple[ChannelGlance, ...]
    """Of each channel; empty where none was looked at."""


@dataclass(frozen=True)
class Inspection:
    """What was found of a recording."""

    title: str
    """The format, for people."""
    description: Description
    start_local: datetime | None
    """On the lab's clock, with its zone where there is a library."""
    time_zone: str
    """Of the library; "" where there is none."""
    files: tuple[FileSize, ...]
    """Those that hold samples."""
    changed_s: float
    """Seconds since one of them was last written to."""
    growing: bool
    """Whether that is less than a recording needs to settle, or the recording says so."""
    streams: tuple[StreamFinding, ...]
    events: tuple[Noted, ...]
    tracks: tuple[Noted, ...]
    warnings: tuple[str, ...]


def inspect_recording(path: Path, time_zone: str = "", settle_s: float = 10.0) -> Inspection:
    """Look at a recording.

    Parameters
    ----------
    time_zone : IANA name of the lab's time zone; "" where it isn't known
    settle_s : a recording that was written to since is taken to be still growing

    Raises
    ------
    BadRecording
        It can't be read.
    """
    reader, found = recognise(path)
    recording = read_recording(path)
    description = recording.description
    base = found.folder
    names = dict.fromkeys(name for stream in description.streams for name in stream.files)
    stats = {name: (base / name).stat() for name in names}
    changed_s = time.time() - max((s.st_mtime for s in stats.values()), default=0.0)
    warnings = list(description.warnings)
    events, tracks = _count_notes(recording, warnings)
    local = _local_start(description, time_zone)
    return Inspection(
        title=reader.title,
        description=description,
        start_local=local,
        time_zone=time_zone,
        files=tuple(FileSize(name, stat.st_size) for name, stat in stats.items()),
        changed_s=changed_s,
        growing=changed_s < settle_s or any(s.growing for s in description.streams),
        streams=tuple(
            _look_at(recording, stream, local, time_zone, warnings)
            for stream in description.streams
        ),
        events=events,
        tracks=tracks,
        warnings=tuple(warnings),
    )


def _local_start(description: Description, time_zone: str) -> datetime | None:
    """The start on the lab's clock; without a zone it is as the files have it."""
    start = description.start_utc
    if start is None or not time_zone:
        return start
    if description.start_is_local:
        start, _ = local_to_utc(start.replace(tzinfo=None), time_zone)
    return start.astimezone(ZoneInfo(time_zone))


def _count_notes(
    recording: Recording, warnings: list[str]
) -> tuple[tuple[Noted, ...], tuple[Noted, ...]]:
    events: list[Noted] = []
    tracks: list[Noted] = []
    try:
        for series in recording.read_events():
            events.append(_note(series.name, series.file, series.time_s))
            warnings += series.warnings
        for track in recording.read_tracks():
            tracks.append(_note(track.name, track.file, track.time_s))
            warnings += track.warnings
    except WakefulError as error:
        # The signals can be used without: what is wrong is said, and the rest is shown.
        warnings.append(f"events or positions can't be read: {error}")
    return tuple(events), tuple(tracks)


def _note(name: str, file: str, time_s: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Noted:
    known = time_s[np.isfinite(time_s)]
    if len(known) == 0:
        return Noted(name, file, len(time_s), None, None)
    return Noted(name, file, len(time_s), float(known.min()), float(known.max()))


def _look_at(
    recording: Recording,
    stream: Stream,
    local: datetime | None,
    time_zone: str,
    warnings: list[str],
) -> StreamFinding:
    whole = Interval(0.0, stream.duration_s)
    session = Session(
        name=stream.name,
        subject=Subject(identifier="unknown"),
        start_utc=None if local is None else local.astimezone(ZoneInfo("UTC")),
        duration_s=stream.duration_s,
        time_zone=time_zone or "UTC",
    )
    days = tuple(
        DayAccount(day, account_for(day.interval, whole, stream.spans, stream.quarantined))
        for day in session.days()
    )
    n_stretches, stretch_s = 0, _STRETCH_S
    glances: tuple[ChannelGlance, ...] = ()
    try:
        n_stretches, stretch_s, glances = glance_at(recording, stream)
    except WakefulError as error:
        warnings.append(f"samples of {stream.name} can't be read: {error}")
    return StreamFinding(
        stream=stream,
        rates_hz=tuple(sorted({round(span.rate_hz, 4) for span in stream.spans})),
        account=account_for(whole, whole, stream.spans, stream.quarantined),
        days=days,
        n_stretches=n_stretches,
        stretch_s=stretch_s,
        glances=glances,
    )


def glance_at(recording: Recording, stream: Stream) -> tuple[int, float, tuple[ChannelGlance, ...]]:
    """Look at short stretches of a stream for dead and clipped channels.

    Returns
    -------
    how many stretches, how long each, what was seen of each channel
    """
    n_channels = len(stream.channels)
    n_total = sum(span.n_samples for span in stream.spans)
    if n_channels == 0 or n_total == 0:
        return 0, _STRETCH_S, ()
    per_stretch = max(1, round(_STRETCH_S * stream.rate_hz))
    n_stretches = min(_MOST, max(_LEAST, _SAMPLES // (n_channels * per_stretch)))
    per_stretch = max(16, min(per_stretch, _SAMPLES // (n_channels * n_stretches)))
    n_stretches = min(n_stretches, -(-n_total // per_stretch))
    source = recording.open(stream.name)
    glance = Glance(n_channels, source.dtype)
    buffer = np.empty((n_channels, per_stretch), source.dtype)
    started = time.monotonic()
    n_seen = 0
    for first, n_samples in _spread(stream.spans, n_total, n_stretches, per_stretch):
        if n_seen >= _LEAST and time.monotonic() - started > _TIME_S:
            break
        piece = buffer[:, :n_samples]
        source.read(first, piece)
        glance.add(piece)
        n_seen += 1
    return n_seen, per_stretch / stream.rate_hz, glance.finish()


def _spread(
    spans: tuple[Span, ...], n_total: int, n_stretches: int, per_stretch: int
) -> Iterator[tuple[int, int]]:
    """First sample and length of stretches all over the samples, none across a gap."""
    if n_stretches * per_stretch >= n_total:
        # Shorter than what would be looked at: all of it, in order.
        for span in spans:
            for first in range(span.first_sample, span.stop_sample, per_stretch):
                yield first, min(per_stretch, span.stop_sample - first)
        return
    begin = spans[0].first_sample
    position = 0.5
    for _ in range(n_stretches):
        number = begin + int(position * n_total)
        position = (position + _GOLDEN) % 1.0
        span = next(s for s in spans if number < s.stop_sample)
        first = max(span.first_sample, min(number, span.stop_sample - per_stretch))
        yield first, min(per_stretch, span.stop_sample - first)
