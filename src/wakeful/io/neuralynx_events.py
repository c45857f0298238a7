"""Neuralynx events (.nev) and video tracking (.nvt), beside the samples or alone.

Both are a text header of 16,384 bytes and records of one size: 184 bytes an event (time stamp in
microseconds, number, value of the TTL port, 128 characters of text), 1,828 bytes a frame (time
stamp, position and head direction that the tracker found, and the spots they came from). Their
time stamps and those of the .ncs files beside them are of one clock, so that an event's time on the
samples is a subtraction. Order and time stamps are given as they were written; records that are
damaged are left out, counted and named.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.io.neuralynx_header import HEADER_BYTES, HeaderText, read_header_text
from wakeful.io.open_files import open_file, read_exactly
from wakeful.io.records import ChannelRecords, FileRecording, RecordLayout, iterate_heads
from wakeful.io.registry import Growth
from wakeful.model.errors import BadRecording, TruncatedFile
from wakeful.model.events import EventSeries, VideoTrack
from wakeful.model.recording import Description

NEV = np.dtype(
    [
        ("stx", "<u2"),
        ("id", "<u2"),
        ("data_size", "<u2"),
        ("tick", "<u8"),
        ("event_id", "<i2"),
        ("ttl", "<u2"),
        ("crc", "<u2"),
        ("dummy", "<i2", 2),
        ("extra", "<i4", 8),
        ("text", "S128"),
    ]
)
"""One event, 184 bytes."""

NVT = np.dtype(
    [
        ("stx", "<u2"),
        ("id", "<u2"),
        ("data_size", "<u2"),
        ("tick", "<u8"),
        ("points", "<u4", 400),
        ("crc", "<i2"),
        ("x", "<i4"),
        ("y", "<i4"),
        ("angle", "<i4"),
        ("targets", "<i4", 50),
    ]
)
"""One frame of the tracker, 1,828 bytes."""

_STX = np.array([0, 800, 2048], np.uint16)
"""What a record begins with: 800 by the format's description, 0 or 2,048 in what systems write."""

BESIDE = (".nev", ".nvt")
"""Endings of what lies beside the samples."""

_MAX_TICK = 2**62
_FULL_TURN_DEG = 360
_ROTATED = re.compile(r"_\d{4}$")
_SIZE = re.compile(r"(\d{1,5})\D+(\d{1,5})")
_FAR_S = 3600.0


@dataclass(frozen=True, eq=False, kw_only=True)
class NevFile:
    """The events of one .nev file, in the order in which they were written."""

    name: str
    """As the header has it; "" where it has none."""
    tick_us: NDArray[np.int64]
    """(n_events,) microseconds of the acquisition's clock."""
    event_id: NDArray[np.int64]
    ttl: NDArray[np.int64]
    """(n_events,) value of the TTL port, 0 to 65,535."""
    label: tuple[str, ...]
    opened: datetime | None
    """When the file was made: local time, without a zone."""
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class NvtFile:
    """The frames of one .nvt file, in the order in which they were written."""

    name: str
    tick_us: NDArray[np.int64]
    """(n_frames,) microseconds of the acquisition's clock."""
    x_px: NDArray[np.float64]
    """(n_frames,); NaN where nothing was found (the tracker writes zero for both)."""
    y_px: NDArray[np.float64]
    angle_deg: NDArray[np.float64]
    """(n_frames,) as the tracker gives it: clockwise, 0 is up; all NaN where it was switched off
    (zero in every frame)."""
    frame_px: tuple[int, int] | None
    """Width and height of the picture; None where the header does not say."""
    opened: datetime | None
    warnings: tuple[str, ...]


def read_nev(path: Path, n_bytes: int | None = None) -> NevFile:
    """Read the events of a .nev file, in the file's own time.

    Parameters
    ----------
    n_bytes : how much of the file may be used; all where None

    Raises
    ------
    TruncatedFile
        The file ends within its header.
    BadRecording
        It is not a Neuralynx file, or not one of events.
    """
    header, records = _open(path, NEV, n_bytes)
    return _make_nev(header, records, path.name)


def read_nvt(path: Path, n_bytes: int | None = None) -> NvtFile:
    """Read the positions of a .nvt file, in the file's own time.

    Parameters
    ----------
    n_bytes : how much of the file may be used; all where None

    Raises
    ------
    TruncatedFile
        The file ends within its header.
    BadRecording
        It is not a Neuralynx file, or not one of tracking.
    """
    header, records = _open(path, NVT, n_bytes)
    return _make_nvt(header, records, path.name)


def parse_nev(raw: bytes, where: str) -> NevFile:
    """As `read_nev`, from the bytes of a file."""
    return _make_nev(*_split(raw, NEV, where), where)


def parse_nvt(raw: bytes, where: str) -> NvtFile:
    """As `read_nvt`, from the bytes of a file."""
    return _make_nvt(*_split(raw, NVT, where), where)


@dataclass
class _Records:
    """The records of a file, piece by piece, and how many bytes follow the last whole one."""

    pieces: Iterable[NDArray[np.void]]
    n_over: int


def _open(path: Path, kind: np.dtype[Any], n_bytes: int | None) -> tuple[HeaderText, _Records]:
    layout = RecordLayout(HEADER_BYTES, kind.itemsize, 0, 1)
    descriptor = open_file(path)
    try:
        size = os.fstat(descriptor).st_size
        size = size if n_bytes is None else min(size, n_bytes)
        raw = np.empty(min(size, HEADER_BYTES), np.uint8)
        read_exactly(descriptor, raw, 0, path)
    finally:
        os.close(descriptor)
    header = _check_header(raw.tobytes(), kind, path.name)
    n_records, n_over = layout.n_records(size)
    return header, _Records(iterate_heads(path, layout, kind, n_records), n_over)


def _split(raw: bytes, kind: np.dtype[Any], where: str) -> tuple[HeaderText, _Records]:
    header = _check_header(raw[:HEADER_BYTES], kind, where)
    n_records, n_over = divmod(len(raw) - HEADER_BYTES, kind.itemsize)
    records = np.frombuffer(raw, kind, n_records, HEADER_BYTES) if n_records else np.empty(0, kind)
    return header, _Records((records,), n_over)


def _check_header(raw: bytes, kind: np.dtype[Any], where: str) -> HeaderText:
    if len(raw) < HEADER_BYTES:
        raise TruncatedFile(
            f"the file ends within its header, after {len(raw):,} bytes",
            where=where,
            remedy="copy it again, and wait until the copy has ended",
        )
    header = read_header_text(raw, where)
    promised = header.values.get("recordsize", str(kind.itemsize)).strip()
    if promised != str(kind.itemsize):
        raise BadRecording(
            f"the header promises records of {promised[:20]} bytes, they have {kind.itemsize}",
            where=where,
            remedy="give a .nev file for events and a .nvt file for tracking",
        )
    return header


class _Left:
    """Counts what is left out and why, and remembers the last time stamp."""

    def __init__(self, what: str, where: str) -> None:
        self._what = what
        self._where = where
        self._damaged = 0
        self._empty = 0
        self._back = 0
        self._worst_us = 0
        self._last: int | None = None

    def keep(self, records: NDArray[np.void]) -> NDArray[np.void]:
        """The sound records of the next piece."""
        ticks, stx = records["tick"], records["stx"]
        sound = (ticks < _MAX_TICK) & ((stx == _STX[0]) | (stx == _STX[1]) | (stx == _STX[2]))
        zero = (ticks == 0) & (stx == 0)
        if zero.any():
            whole = records.view(np.uint8).reshape(len(records), -1)
            zero &= ~whole.any(axis=1)
            self._empty += int(np.count_nonzero(zero))
            sound &= ~zero
        n_sound = int(np.count_nonzero(sound))
        self._damaged += len(records) - n_sound - int(np.count_nonzero(zero))
        kept = records if n_sound == len(records) else records[sound]
        if n_sound:
            ticks = kept["tick"].astype(np.int64)
            steps = ticks[1:] - ticks[:-1]
            if self._last is not None:
                steps = np.append(steps, int(ticks[0]) - self._last)
            if len(steps) and (least := int(steps.min())) < 0:
                self._back += int(np.count_nonzero(steps < 0))
                self._worst_us = max(self._worst_us, -least)
            self._last = int(ticks[-1])
        return kept

    def warnings(self, n_over: int) -> list[str]:
        found = []
        if self._damaged:
            found.append(f"damaged {self._what} are left out: {self._damaged:,}")
        if self._empty:
            found.append(f"{self._what} of nothing but zeros are left out: {self._empty:,}")
        if n_over:
            found.append(f"it ends within a record: the last {n_over:,} bytes are left out")
        if self._back:
            found.append(
                f"time stamps step back {self._back:,} times, by up to "
                f"{self._worst_us / 1e6:.6g} s; they are kept as they are"
            )
        return [f"{self._where}: {text}" for text in found]


def _make_nev(header: HeaderText, records: _Records, where: str) -> NevFile:
    left = _Left("events", where)
    ticks: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    numbers: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    values: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    labels: list[str] = []
    known: dict[bytes, str] = {}
    for piece in records.pieces:
        kept = left.keep(piece)
        ticks.append(kept["tick"].astype(np.int64))
        numbers.append(kept["event_id"].astype(np.int64))
        values.append(kept["ttl"].astype(np.int64))
        # Most events say the same as others: each text is kept once.
        labels += [
            known.get(text) or known.setdefault(text, _read_text(text))
            for text in kept["text"].tolist()
        ]
    return NevFile(
        name=header.values.get("acqentname", ""),
        tick_us=np.concatenate(ticks),
        event_id=np.concatenate(numbers),
        ttl=np.concatenate(values),
        label=tuple(labels),
        opened=header.opened,
        warnings=tuple(left.warnings(records.n_over)),
    )


def _read_text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("latin-1").strip()


def _make_nvt(header: HeaderText, records: _Records, where: str) -> NvtFile:
    left = _Left("frames", where)
    frame_px = _read_size(header.values.get("resolution", ""))
    ticks: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    places: list[NDArray[np.float64]] = [np.empty((3, 0))]
    n_outside = n_turned = 0
    turns = False
    for piece in records.pieces:
        kept = left.keep(piece)
        x, y, angle = kept["x"], kept["y"], kept["angle"]
        lost = (x == 0) & (y == 0)
        outside = (x < 0) | (y < 0)
        if frame_px is not None:
            outside |= (x > frame_px[0]) | (y > frame_px[1])
        odd = (angle < 0) | (angle > _FULL_TURN_DEG)
        turns |= bool((angle != 0).any())
        n_outside += int(np.count_nonzero(outside))
        n_turned += int(np.count_nonzero(odd & ~lost & ~outside))
        place = np.stack([x, y, angle]).astype(np.float64)
        place[:, lost | outside] = np.nan
        place[2, odd] = np.nan
        ticks.append(kept["tick"].astype(np.int64))
        places.append(place)
    warnings = left.warnings(records.n_over)
    if n_outside:
        size = "" if frame_px is None else f" of {frame_px[0]} x {frame_px[1]} pixels"
        warnings.append(
            f"{where}: positions outside of the picture{size} are left out: {n_outside:,}"
        )
    if n_turned:
        warnings.append(
            f"{where}: head directions that are not 0 to 360 degrees are left out: {n_turned:,}"
        )
    place = np.concatenate(places, axis=1)
    if not turns:
        place[2] = np.nan
    return NvtFile(
        name=header.values.get("acqentname", ""),
        tick_us=np.concatenate(ticks),
        x_px=place[0],
        y_px=place[1],
        angle_deg=place[2],
        frame_px=frame_px,
        opened=header.opened,
        warnings=tuple(warnings),
    )


def _read_size(text: str) -> tuple[int, int] | None:
    match = _SIZE.search(text)
    if match is None:
        return None
    width, height = int(match[1]), int(match[2])
    return (width, height) if width and height else None


@dataclass(frozen=True)
class RecordingClock:
    """Where the recording's seconds begin on the acquisition's clock, and how long it lasts."""

    base_us: int
    offset_us: float
    """Beyond `base_us`."""
    duration_s: float

    def to_s(self, tick_us: NDArray[np.int64]) -> NDArray[np.float64]:
        """Seconds from the recording's start, exact to the microsecond after any uptime."""
        whole: NDArray[np.float64] = (tick_us - self.base_us).astype(np.float64)
        return (whole - self.offset_us) / 1e6


def group_rotated(paths: Sequence[Path]) -> dict[str, tuple[Path, ...]]:
    """Files that continue each other (Events.nev, Events_0001.nev, ...) by their common name.

    Parameters
    ----------
    paths : in order
    """
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(_ROTATED.sub("", path.stem), []).append(path)
    return {name: tuple(members) for name, members in groups.items()}


class NeuralynxRecording(FileRecording):
    """Samples with the events and tracking beside them.

    Parameters
    ----------
    description, folder, records : see `FileRecording`
    clock : where its seconds begin
    beside : the folder's other files, in order
    growth : how much of each may be used, where they are being written
    """

    def __init__(
        self,
        description: Description,
        folder: Path,
        records: Mapping[str, Sequence[ChannelRecords]],
        *,
        clock: RecordingClock,
        beside: Sequence[Path],
        growth: Growth | None = None,
    ) -> None:
        super().__init__(description, folder, records)
        self._clock = clock
        self._sizes = {
            path: None if growth is None else growth.n_bytes[path.name]
            for path in beside
            if growth is None or path.name in growth.n_bytes
        }

    def _beside(self, suffix: str) -> dict[str, tuple[Path, ...]]:
        return group_rotated([p for p in self._sizes if p.suffix.lower() == suffix])

    def read_events(self) -> tuple[EventSeries, ...]:
        """See `Recording.read_events`: one series a .nev file, its code the value of the port."""
        return tuple(self._join_events())

    def read_tracks(self) -> tuple[VideoTrack, ...]:
        """See `Recording.read_tracks`: one track a .nvt file."""
        return tuple(self._join_tracks())

    def _join_events(self) -> Iterator[EventSeries]:
        for name, members in self._beside(".nev").items():
            files = [read_nev(path, self._sizes[path]) for path in members]
            time_s = self._clock.to_s(np.concatenate([file.tick_us for file in files]))
            yield EventSeries(
                name=name,
                time_s=time_s,
                code=np.concatenate([file.ttl for file in files]),
                label=tuple(text for file in files for text in file.label),
                file=members[0].name,
                warnings=(
                    *(text for file in files for text in file.warnings),
                    *_warn_elsewhere(time_s, self._clock, members[0].name),
                ),
            )

    def _join_tracks(self) -> Iterator[VideoTrack]:
        for name, members in self._beside(".nvt").items():
            files = [read_nvt(path, self._sizes[path]) for path in members]
            time_s = self._clock.to_s(np.concatenate([file.tick_us for file in files]))
            yield VideoTrack(
                name=name,
                time_s=time_s,
                x_px=np.concatenate([file.x_px for file in files]),
                y_px=np.concatenate([file.y_px for file in files]),
                angle_deg=np.concatenate([file.angle_deg for file in files]),
                frame_px=files[0].frame_px,
                file=members[0].name,
                warnings=(
                    *(text for file in files for text in file.warnings),
                    *_warn_elsewhere(time_s, self._clock, members[0].name),
                ),
            )


def _warn_elsewhere(
    time_s: NDArray[np.float64], clock: RecordingClock, where: str
) -> tuple[str, ...]:
    """Files of another session are easily copied into a folder: their clock lies elsewhere."""
    if not len(time_s):
        return ()
    near = (time_s >= -_FAR_S) & (time_s <= clock.duration_s + _FAR_S)
    if near.any():
        return ()
    text = (
        f"{where}: none of its {len(time_s):,} time stamps lies within an hour of the recording "
        f"(the first at {time_s[0]:,.1f} s): is it of another session?"
    )
    return (text,)
