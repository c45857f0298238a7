"""Open Ephys binary (structure.oebin), as the GUI 0.4 to 1.x writes it.

A session's folder holds `Record Node N/experimentN/recordingN/`, and each recording
`structure.oebin`, `continuous/<source>/continuous.dat` (int16, all channels of a moment together)
with a number for every sample, and `events/`. Recordings of one experiment count samples on one
clock: they are read as one recording with gaps. Another experiment counts anew, so it is another
recording. Record nodes hold the same time: they become separate streams.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from wakeful.io.interleaved import (
    FramePiece,
    FrameRecording,
    Frames,
    usable_bytes,
    wait_for,
)
from wakeful.io.npy_files import NpyFile, open_growing_npy, open_npy
from wakeful.io.number_notes import scan_numbers
from wakeful.io.oebin import FILE_NAME, MAX_BYTES, Oebin, OebinStream, parse_oebin
from wakeful.io.openephys_events import EventFolder, read_event_folders
from wakeful.io.record_streams import name_uniquely
from wakeful.io.registry import Found, reader
from wakeful.io.sample_numbers import LOOK_BACK_S, STEPS_BACK, Apart, Stretch, keep_in_order
from wakeful.io.sample_seconds import NumberSpan, Placed, place_stretches
from wakeful.model.errors import AmbiguousStream, BadRecording, NoRecording, TruncatedFile
from wakeful.model.events import EventSeries
from wakeful.model.recording import Description, Stream
from wakeful.model.time import Interval, Quarantine, Span

_NUMBERS = ("sample_numbers.npy", "timestamps.npy")
_SECONDS = ("timestamps.npy", "synchronized_timestamps.npy")
_SOFTWARE_TIME = re.compile(r"milliseconds since midnight Jan 1st 1970 UTC\)\s*:\s*(\d{11,14})\b")
_DATE = re.compile(r"<DATE>\s*(\d{1,2}) ([A-Za-z]{3})[a-z]* (\d{4}) (\d{1,2}):(\d{2}):(\d{2})")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_RAGGED_S = 1.0
"""Numbers and samples of a recording that ended in a crash may differ by this much."""

_SHOWN = 6


def _sniff(files: tuple[Path, ...]) -> tuple[Path, ...]:
    found = tuple(path for path in files if path.name == FILE_NAME)
    if len(found) > 1:
        _refuse_several(found)
    return found


def _refuse_several(found: Sequence[Path]) -> None:
    """Several experiments or sessions are several recordings."""
    experiments = {path.parent.parent for path in found}
    if len({(e.parent.parent, e.name) for e in experiments}) == 1:
        return
    folders = sorted(str(e) for e in experiments)
    more = f" and {len(folders) - _SHOWN} more" if len(folders) > _SHOWN else ""
    raise AmbiguousStream(
        f"it holds {len(folders)} Open Ephys experiments, each with a clock of its own",
        where=str(Path(folders[0]).parent),
        remedy=f"give the folder of one, a row for each: {', '.join(folders[:_SHOWN])}{more}",
    )


@dataclass(frozen=True)
class _Part:
    """One stream in one recording folder."""

    folder: Path
    stream: OebinStream
    n_frames: int
    numbers: NpyFile | None
    seconds: NpyFile | None

    @property
    def samples(self) -> Path:
        return self.folder / "continuous" / self.stream.folder / "continuous.dat"


@dataclass(frozen=True)
class _Timed:
    """One stream through all recordings of an experiment."""

    label: str
    parts: tuple[_Part, ...]
    kept: tuple[Stretch, ...]
    apart: tuple[Apart, ...]
    placed: Placed

    @property
    def spans(self) -> tuple[NumberSpan, ...]:
        return self.placed.spans


class OpenEphysRecording(FrameRecording):
    """Samples with the events beside them."""

    event_folders: tuple[EventFolder, ...] = ()

    def read_events(self) -> tuple[EventSeries, ...]:
        """See `Recording.read_events`: one series a TTL line, one for messages."""
        return read_event_folders(self.event_folders)


@reader(
    name="openephys-binary",
    title="Open Ephys binary (structure.oebin)",
    sniff=_sniff,
    follows=True,
    nested=True,
)
def open_openephys_binary(found: Found) -> OpenEphysRecording:
    """Open a session, record node, experiment or recording folder.

    Raises
    ------
    AmbiguousStream
        Its recordings do not continue each other.
    TruncatedFile
        Samples or sample numbers are missing at the end of a file.
    BadRecording
        A file is damaged, or recordings of one experiment hold different channels.
    NoRecording
        No recording holds samples.
    StillGrowing
        More is being written, and there is no sample yet of some stream.
    """
    if found.root.is_file():
        raise BadRecording(
            "this file only describes the recording",
            where=str(found.root),
            remedy=f"give its folder: {found.root.parent}",
        )
    size_of = partial(usable_bytes, folder=found.folder, growth=found.growth)
    growing = found.growth is not None
    warnings: list[str] = []
    folders = [path.parent for path in found.files if size_of(path)]
    described = {folder: _read_structure(folder) for folder in folders}
    several = len({folder.parent.parent for folder in folders}) > 1
    groups: dict[tuple[Path, str], list[_Part]] = {}
    for folder, oebin in described.items():
        for stream in oebin.streams:
            part = _find_part(folder, stream, found, warnings)
            if part is not None:
                groups.setdefault((folder.parent.parent, stream.folder), []).append(part)
    if growing:
        ahead_s = max(
            (p.n_frames / p.stream.rate_hz for g in groups.values() for p in g), default=0
        )
        wait_for(_await(found, described, set(groups)), ahead_s, found.root)
    timed = [
        _time(_label(node, name, several), parts, found, warnings)
        for (node, name), parts in groups.items()
    ]
    if not timed:
        raise NoRecording(
            "its recordings hold no samples",
            where=str(found.root),
            remedy="check that recording was on and that the copy has ended",
        )
    origin_s = min(t.spans[0].start_s for t in timed)
    first = min(timed, key=lambda t: t.spans[0].start_s)
    streams = tuple(_make_stream(t, origin_s, found.folder, growing) for t in timed)
    start, is_local = _find_start(first.parts[0].folder, found)
    if start is None:
        warnings.append("no file says when the recording began: times of day are unknown")
    description = Description(
        format="openephys-binary",
        root=str(found.root),
        streams=streams,
        start_utc=start,
        start_is_local=is_local,
        warnings=tuple(dict.fromkeys(warnings)),
        ignored_files=_ignored(found),
    )
    frames = {stream.name: _make_frames(t) for stream, t in zip(streams, timed, strict=True)}
    recording = OpenEphysRecording(description, found.folder, frames)
    recording.event_folders = _list_events(found, described, timed, origin_s, several)
    return recording


def _await(
    found: Found, described: dict[Path, Oebin], there: set[tuple[Path, str]]
) -> dict[str, float]:
    """Streams, and record nodes, of which no sample may be read yet -> seconds they may hold."""
    step_bytes = found.growth.step_bytes if found.growth else 0
    nodes = {path.parent.parent.parent for path in found.files}
    seen = {folder.parent.parent for folder in described}
    awaited = {node.name: 0.0 for node in sorted(nodes - seen)}
    for folder, oebin in described.items():
        for stream in oebin.streams:
            if (folder.parent.parent, stream.folder) not in there:
                # Samples count with their numbers, of 8 bytes: the slower of the two files.
                frame_bytes = min(2 * len(stream.channels), 8)
                awaited[stream.folder] = step_bytes / (frame_bytes * stream.rate_hz)
    return awaited


def _read_structure(folder: Path) -> Oebin:
    path = folder / FILE_NAME
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES)
    except OSError as error:
        raise BadRecording(
            f"the file can't be opened ({error.strerror})",
            where=str(path),
            remedy="check that it is still there and that you may read it",
        ) from error
    return parse_oebin(raw, f"{folder.name}/{FILE_NAME}")


def _label(node: Path, folder: str, several: bool) -> str:
    name = f"{node.name}-{folder}" if several else folder
    return re.sub(r"[^A-Za-z0-9._#-]+", "_", name)


def _find_part(
    folder: Path, stream: OebinStream, found: Found, warnings: list[str]
) -> _Part | None:
    """The files of a stream in one recording; None where it holds no samples."""
    size_of = partial(usable_bytes, folder=found.folder, growth=found.growth)
    home = folder / "continuous" / stream.folder
    where = f"{folder.name}/continuous/{stream.folder}"
    size = size_of(home / "continuous.dat")
    if size is None:
        warnings.append(f"{where}: there is no continuous.dat; the stream is left aside there")
        return None
    n_frames, n_over = divmod(size, 2 * len(stream.channels))
    if n_over and found.growth is None:
        raise TruncatedFile(
            f"the file ends within a sample: {n_over} bytes are left over after {n_frames:,} "
            f"samples of {len(stream.channels)} channels",
            where=f"{where}/continuous.dat",
            remedy="copy it again, and wait until the copy has ended; if the original is as "
            f"long, cut it to {size - n_over:,} bytes",
        )
    arrays: dict[str, NpyFile] = {}
    for name in {*_NUMBERS, *_SECONDS}:
        n_bytes = size_of(home / name)
        if n_bytes is None:
            continue
        path = home / name
        array = open_npy(path) if found.growth is None else open_growing_npy(path, n_bytes)
        if array is not None:
            arrays[name] = array
    numbers = next((a for n in _NUMBERS if (a := arrays.get(n)) and a.dtype.kind in "iu"), None)
    seconds = next((a for n in _SECONDS if (a := arrays.get(n)) and a.dtype.kind == "f"), None)
    if numbers is None:
        if found.growth is not None:
            return None
        warnings.append(f"{where}: no sample numbers lie beside the samples: gaps can't be told")
    else:
        n_frames = _agree(n_frames, numbers, stream.rate_hz, found, where, warnings)
    return _Part(folder, stream, n_frames, numbers, seconds) if n_frames else None


def _agree(
    n_frames: int,
    numbers: NpyFile,
    rate_hz: float,
    found: Found,
    where: str,
    warnings: list[str],
) -> int:
    """Samples that have a number."""
    n_used = min(n_frames, numbers.n_items)
    apart = abs(n_frames - numbers.n_items)
    if apart == 0 or found.growth is not None:
        return n_used
    if apart > _RAGGED_S * rate_hz:
        raise TruncatedFile(
            f"continuous.dat holds {n_frames:,} samples of each channel, but there are "
            f"{numbers.n_items:,} sample numbers",
            where=where,
            remedy="the copy is not complete: copy the folder again",
        )
    warnings.append(
        f"{where}: {apart:,} samples at the end are not used: "
        + ("they have no number" if n_frames > numbers.n_items else "only their numbers are there")
    )
    return n_used


def _time(label: str, parts: Sequence[_Part], found: Found, warnings: list[str]) -> _Timed:
    """Where the samples of a stream lie in time, through all its recordings."""
    first = parts[0].stream
    for part in parts[1:]:
        if part.stream.channels != first.channels or part.stream.rate_hz != first.rate_hz:
            raise BadRecording(
                f"its recordings hold different channels of {first.folder}",
                where=f"{parts[0].folder.name} / {part.folder.name}",
                remedy=f"give the folder of one of them: {_folders(parts)}",
            )
    if len(parts) > 1 and any(part.numbers is None for part in parts):
        raise AmbiguousStream(
            f"its {len(parts)} recordings carry no sample numbers, so the time between is unknown",
            where=label,
            remedy=f"give the folder of one of them: {_folders(parts)}",
        )
    stretches = [
        replace(stretch, file=i)
        for i, part in enumerate(parts)
        for stretch in _scan(part, found.scans)
    ]
    kept, apart = keep_in_order(stretches, first.rate_hz)
    for i, part in enumerate(parts):
        n_apart = sum(a.stretch.n_samples for a in apart if a.stretch.file == i)
        if 2 * n_apart <= part.n_frames:
            continue
        if i and any(a.stretch.file == i and a.reason == STEPS_BACK for a in apart):
            raise AmbiguousStream(
                f"{part.folder.name} does not continue the recording before it: its sample "
                "numbers begin again",
                where=label,
                remedy=f"give the folder of one of them: {_folders(parts)}",
            )
        raise BadRecording(
            f"the sample numbers of {n_apart:,} of {part.n_frames:,} samples contradict the rest",
            where=f"{part.folder.name}/{label}",
            remedy="the file is damaged: copy it again",
        )
    for reason in dict.fromkeys(a.reason for a in apart):
        n_samples = sum(a.stretch.n_samples for a in apart if a.reason == reason)
        warnings.append(f"{label}: samples that are not used, {reason}: {n_samples:,}")
    placed = place_stretches(kept, [part.seconds for part in parts], first.rate_hz)
    warnings += [f"{label}: {text}" for text in placed.warnings]
    return _Timed(label, tuple(parts), tuple(kept), tuple(apart), placed)


def _folders(parts: Sequence[_Part]) -> str:
    more = f" and {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""
    return ", ".join(str(part.folder) for part in parts[:_SHOWN]) + more


def _scan(part: _Part, scans: Path | None) -> list[Stretch]:
    numbers = part.numbers
    if numbers is None:
        return [Stretch(0, 0, part.n_frames, 0)]
    where = f"{part.folder.name}/{numbers.path.parent.name}/{numbers.path.name}"
    return scan_numbers(numbers, part.n_frames, scans, where)


def _make_stream(timed: _Timed, origin_s: float, folder: Path, growing: bool) -> Stream:
    first = timed.parts[0].stream
    spans: list[Span] = []
    total = 0
    for span in timed.spans:
        spans.append(Span(span.start_s - origin_s, span.n_samples, span.rate_hz, total))
        total += span.n_samples
    return Stream(
        name=f"{timed.label}-{first.rate_hz:.8g}Hz-{len(first.channels)}ch",
        rate_hz=first.rate_hz,
        channels=name_uniquely(first.channels, [c.name for c in first.channels]),
        spans=tuple(spans),
        quarantined=tuple(_quarantine(timed, spans)),
        files=tuple(part.samples.relative_to(folder).as_posix() for part in timed.parts),
        growing=growing,
        settled_s=_settle(timed, spans, origin_s) if growing else math.inf,
    )


def _settle(timed: _Timed, spans: Sequence[Span], origin_s: float) -> float:
    """Before what time nothing changes any more, while more is being written.

    What the last two seconds of samples claim may turn out to be damage.
    """
    position = spans[-1].stop_sample - math.ceil(2 * LOOK_BACK_S * spans[-1].rate_hz)
    for span in reversed(spans):
        if position > span.first_sample:
            looked_back = min(span.time_of(position - span.first_sample), span.stop_s)
            return max(0.0, min(looked_back, timed.placed.settled_s - origin_s))
    return 0.0


def _quarantine(timed: _Timed, spans: Sequence[Span]) -> list[Quarantine]:
    """What is set apart, at the time that its numbers claim, cut to the recording."""
    whole = Interval(0.0, spans[-1].stop_s)
    numbers = [span.number for span in timed.spans]
    found: list[Quarantine] = []
    for apart in timed.apart:
        number, n_samples = apart.stretch.number, apart.stretch.n_samples
        at = max(0, bisect_right(numbers, number) - 1)
        anchor, span = timed.spans[at], spans[at]
        start_s = span.start_s + (number - anchor.number) / span.rate_hz
        claimed = Interval(start_s, start_s + n_samples / span.rate_hz).intersect(whole)
        if claimed.duration_s > 0:
            found.append(Quarantine(claimed, apart.reason))
    return found


def _make_frames(timed: _Timed) -> Frames:
    """Where the samples of the spans lie; those between two spans are left out."""
    pieces: list[FramePiece] = []
    total = at = 0
    for span in timed.spans:
        # Both are in order: a stretch that ends before this span ends before all later ones.
        while timed.kept[at].end <= span.number:
            at += 1
        number = span.number
        while number < span.end:
            s = timed.kept[at]
            n_samples = min(span.end, s.end) - number
            path = timed.parts[s.file].samples
            pieces.append(FramePiece(path, total, n_samples, s.first_frame + number - s.number))
            total += n_samples
            number += n_samples
            at += s.end == number
    n_columns = len(timed.parts[0].stream.channels)
    return Frames(n_columns, tuple(range(n_columns)), tuple(pieces))


def _list_events(
    found: Found,
    described: dict[Path, Oebin],
    timed: Sequence[_Timed],
    origin_s: float,
    several: bool,
) -> tuple[EventFolder, ...]:
    return tuple(
        EventFolder(
            home=folder / "events" / events.folder,
            root=found.folder,
            label=_label(folder.parent.parent, events.folder.removesuffix("/TTL"), several),
            rate_hz=events.rate_hz,
            clock=_clock_of(folder, events.stream_name, events.folder, timed),
            origin_s=origin_s,
            growth=found.growth,
        )
        for folder, oebin in described.items()
        for events in oebin.events
    )


def _clock_of(
    folder: Path, stream_name: str, events_folder: str, timed: Sequence[_Timed]
) -> tuple[NumberSpan, ...]:
    """Spans of the stream whose sample numbers the events carry; empty where none is known."""
    here = [t for t in timed if any(part.folder == folder for part in t.parts)]
    source = events_folder.split("/", maxsplit=1)[0]
    for t in here:
        stream = t.parts[0].stream
        if stream.folder == source or (stream_name and stream.stream_name == stream_name):
            return t.spans
    rates = {t.parts[0].stream.rate_hz for t in here}
    return here[0].spans if here and len(rates) == 1 else ()


def _find_start(first: Path, found: Found) -> tuple[datetime | None, bool]:
    """When the first sample was taken, and whether that is local time carried as if UTC."""
    text = _read_text(first / "sync_messages.txt", found)
    if (match := _SOFTWARE_TIME.search(text)) is not None:
        return datetime.fromtimestamp(int(match[1]) / 1000, UTC), False
    number = re.sub(r"\D", "", first.parent.name)
    for name in (f"settings_{number}.xml", "settings.xml"):
        path = first.parent.parent / name
        if path.is_relative_to(found.folder):
            match = _DATE.search(_read_text(path, found))
            if match is not None and match[2].lower() in _MONTHS:
                day, year, hour, minute, second = (int(match[i]) for i in (1, 3, 4, 5, 6))
                month = _MONTHS.index(match[2].lower()) + 1
                try:
                    return datetime(year, month, day, hour, minute, second, tzinfo=UTC), True
                except ValueError:
                    continue
    return None, False


def _read_text(path: Path, found: Found, most: int = 64 * 1024) -> str:
    n_bytes = usable_bytes(path, found.folder, found.growth)
    if not n_bytes:
        return ""
    with path.open("rb") as file:
        return file.read(min(n_bytes, most)).decode("utf-8", errors="replace")


def _ignored(found: Found) -> tuple[str, ...]:
    """What is of no use here (spikes, and what is not of the format), whole folders by name."""
    known = re.compile(
        r"(^|/)(continuous/.+/(continuous\.dat|[\w]+\.npy)|events/.+\.npy|sync_messages\.txt|"
        r"settings(_\d+)?\.xml|structure\.oebin|channels\.csv)$"
    )
    names = (path.relative_to(found.folder).as_posix() for path in found.others)
    left = (name for name in names if not known.search(name))
    return tuple(sorted({_whole_folder(name) for name in left}))


def _whole_folder(name: str) -> str:
    folder, slash, _ = name.rpartition("/")
    return re.sub(r"(^|/)spikes/.*", r"\1spikes", folder) + (slash or name)
