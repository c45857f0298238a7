"""Formats that are read through neo, samples and all: TDT and CED Spike2.

No recording of these was at hand to try this on; a warning says so each time. neo's chunks are
read piece by piece under a lock, and one recording's files count as a whole: neo does not say which
bytes a sample comes from. TDT stamps every chunk of samples: gaps and the true rate follow from
that. Of Spike2 the gaps are those between neo's segments.

Spike2's newer .smrx files are read by CED's own library only, which Wakeful does not come with:
export those as EDF or .mat.
"""

from __future__ import annotations

import threading
import warnings as python_warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from wakeful.io.channel_kinds import guess_kind
from wakeful.io.fitted_spans import fit_spans
from wakeful.io.record_streams import name_stream, name_uniquely
from wakeful.io.record_times import Clock, SpanFinder, Stamps
from wakeful.io.registry import Found, by_suffix, reader
from wakeful.io.segments import FileBytes, Segment, SegmentRecording, number_segments
from wakeful.model.arrays import Samples
from wakeful.model.errors import BadRecording, NoRecording, TruncatedFile
from wakeful.model.events import EventSeries
from wakeful.model.recording import Description, Stream
from wakeful.model.subject import Channel

_TO_UV = {"uv": 1.0, "µv": 1.0, "mv": 1e3, "v": 1e6, "volts": 1e6, "volt": 1e6, "nv": 1e-3}
_TICKS_PER_S = 1e9
_PIECE = 4_000_000
"""Samples that neo is asked for at a time, all channels."""


_Stretch = tuple[float, int, float, int]
"""When it begins (seconds of neo's clock), samples, true rate, number of its first sample."""
_Locate = Callable[[Any, int, int], list[_Stretch]]
"""neo's reader, stream, segment -> the gap-free stretches of it."""


@dataclass(frozen=True)
class _Parsed:
    """neo's reader after it has parsed the headers, and what is known of it."""

    rawio: Any
    lock: threading.Lock
    files: Mapping[Path, int]
    """Those that hold anything, and how long they are."""
    where: str
    locate: _Locate

    def check_lengths(self) -> None:
        """Refuse files that became shorter: neo maps them, and what is gone would end the process.

        Raises
        ------
        TruncatedFile
            One is shorter than when it was opened.
        """
        for path, n_bytes in self.files.items():
            if path.stat().st_size < n_bytes:
                raise TruncatedFile(
                    "the file is shorter than when it was opened",
                    where=path.name,
                    remedy="copy it again",
                )


@reader(
    name="tdt",
    title="TDT (.tsq, .tev, .sev)",
    sniff=by_suffix(".tsq", ".tev", ".tbk", ".tdx", ".sev", ".tnt"),
)
def open_tdt(found: Found) -> SegmentRecording:
    """Open the folder of a TDT block.

    Raises
    ------
    BadRecording
        neo can't read it.
    NoRecording
        It holds no signals.
    """
    if not found.root.is_dir():
        raise BadRecording(
            "this is one file of several that make a TDT block",
            where=found.root.name,
            remedy=f"give the path of the folder: {found.folder}",
        )
    index = next((path for path in found.files if path.suffix.lower() == ".tsq"), None)
    if index is None:
        raise BadRecording(
            "there is no .tsq file, the index of the block",
            where=str(found.root),
            remedy="give the block's folder, with all its files",
        )

    def make() -> Any:
        from neo.rawio import TdtRawIO

        return TdtRawIO(dirname=str(index))

    return _open(found, "tdt", "TDT", make, _locate_by_chunks)


@reader(name="spike2", title="CED Spike2 (.smr)", sniff=by_suffix(".smr"), rotates=True)
def open_spike2(found: Found) -> SegmentRecording:
    """Open a .smr file of Spike2 (32 bit).

    Raises
    ------
    BadRecording
        neo can't read it.
    NoRecording
        It holds no signals.
    """
    path = found.only_file()

    def make() -> Any:
        from neo.rawio import Spike2RawIO

        return Spike2RawIO(filename=str(path))

    return _open(found, "spike2", "Spike2", make, _locate_whole)


def _open(
    found: Found, format_name: str, title: str, make: Callable[[], Any], locate: _Locate
) -> SegmentRecording:
    where = found.root.name
    warnings = [
        (
            f"{title} is read through neo, and no real recording was at hand to try this on: "
            "compare one with what you know"
        ),
    ]
    rawio = _parse(make, where, warnings)
    sizes = {path: path.stat().st_size for path in found.files}
    filled = {path: size for path, size in sizes.items() if size}
    parsed = _Parsed(rawio, threading.Lock(), filled, where, locate)
    rows = parsed.rawio.header["signal_streams"]
    streams: list[Stream] = []
    segments: dict[str, tuple[Segment, ...]] = {}
    taken: set[str] = set()
    starts = [
        stretch[0]
        for index in range(len(rows))
        for part in range(_n_segments(parsed))
        for stretch in locate(rawio, index, part)
    ]
    if not starts:
        raise NoRecording(
            "it holds no signals",
            where=str(found.root),
            remedy="give the recording's whole folder, or a file that holds signals",
        )
    zero_s = min(starts)
    for index, row in enumerate(rows):
        stream, of_stream = _make_stream(parsed, index, row, zero_s, taken)
        if stream is not None:
            streams.append(stream)
            segments[stream.name] = of_stream
    if not streams:
        raise NoRecording(
            "its signals hold no samples",
            where=str(found.root),
            remedy="check that recording was on and that the copy has ended",
        )
    start, is_local = _start_of(rawio, zero_s)
    if start is None:
        warnings.append("the files do not say when the recording began: times of day are unknown")
    description = Description(
        format=format_name,
        root=str(found.root),
        streams=tuple(streams),
        start_utc=start,
        start_is_local=is_local,
        warnings=tuple(warnings),
        ignored_files=tuple(sorted(f.name for f in found.others)),
    )
    return SegmentRecording(
        description, found.folder, segments, lambda: _read_events(parsed, zero_s)
    )


def _parse(make: Callable[[], Any], where: str, warnings: list[str]) -> Any:
    """Make neo's reader and parse its headers; what neo warns of is passed on."""
    try:
        with python_warnings.catch_warnings(record=True) as caught:
            python_warnings.simplefilter("always")
            rawio = make()
            rawio.parse_header()
    except Exception as error:  # neo raises whatever a damaged header leads to
        raise BadRecording(
            f"neo can't parse it ({type(error).__name__}: {error})",
            where=where,
            remedy="copy it again, with all its files; or export it as EDF",
        ) from error
    warnings += [f"neo says: {warning.message}" for warning in caught]
    return rawio


def _n_segments(parsed: _Parsed) -> int:
    return int(parsed.rawio.segment_count(0))


def _locate_whole(rawio: Any, index: int, part: int) -> list[_Stretch]:
    n_samples = int(rawio.get_signal_size(0, part, index))
    if n_samples == 0:
        return []
    rate_hz = float(rawio.get_signal_sampling_rate(index))
    return [(float(rawio.get_signal_t_start(0, part, index)), n_samples, rate_hz, 0)]


def _locate_by_chunks(rawio: Any, index: int, part: int) -> list[_Stretch]:
    """TDT: each chunk has its time, which neo has read but does not look at."""
    whole = _locate_whole(rawio, index, part)
    if not whole:
        return []
    rows = rawio.header["signal_channels"]
    row = rawio.header["signal_streams"][index]
    channel = int(np.flatnonzero(rows["stream_id"] == row["id"])[0])
    times = rawio._sigs_index[part][channel]["timestamp"]  # noqa: SLF001
    per_chunk = int(rawio._sig_sample_per_chunk[index])  # noqa: SLF001
    start_s, _, rate_hz, _ = whole[0]
    period = _TICKS_PER_S / rate_hz
    clock = Clock(
        ticks_per_s=_TICKS_PER_S,
        rate_hz=rate_hz,
        period_ticks=period,
        tolerance_ticks=0.5 * period,
    )
    finder = SpanFinder(per_chunk, clock, (), str(row["name"]))
    ticks = np.rint((times - times[0]) * _TICKS_PER_S).astype(np.int64)
    finder.add(
        Stamps(ticks, np.full(len(ticks), per_chunk, np.int64), np.zeros(len(ticks), np.uint8))
    )
    table = finder.finish()
    # A span's samples lie one after the other in the file unless records between were set apart.
    found: list[_Stretch] = []
    for span in fit_spans(table, per_chunk, lambda _, chunks: ticks[chunks]):
        run = next(r for r in reversed(table.runs) if r.first_sample <= span.first_sample)
        offset = run.first_record * per_chunk + span.first_sample - run.first_sample
        begin_s = table.base_tick / _TICKS_PER_S + span.start_s
        found.append((start_s + begin_s, span.n_samples, span.rate_hz, offset))
    return found


def _make_stream(
    parsed: _Parsed, index: int, row: Any, zero_s: float, taken: set[str]
) -> tuple[Stream | None, tuple[Segment, ...]]:
    rawio = parsed.rawio
    rows = rawio.header["signal_channels"]
    members = rows[rows["stream_id"] == row["id"]]
    rate_hz = float(members["sampling_rate"][0])
    dtype = np.dtype(str(members["dtype"][0]))
    pieces: list[tuple[float, int, float, _Chunks, int]] = []
    stop_s = -1.0
    for part in range(_n_segments(parsed)):
        store = _Chunks(parsed, index, part, dtype, len(members))
        for begin_s, n_samples, true_hz, offset in parsed.locate(rawio, index, part):
            start_s = begin_s - zero_s
            if start_s < stop_s - 0.5 / rate_hz:
                raise BadRecording(
                    f"segment {part + 1} of {row['name']} begins before the one before it ends",
                    where=parsed.where,
                    remedy="keep one recording to a folder",
                )
            pieces.append((max(start_s, stop_s, 0.0), n_samples, true_hz, store, offset))
            stop_s = pieces[-1][0] + n_samples / true_hz
    if not pieces:
        return None, ()
    spans, segments = number_segments(pieces)
    channels = [_describe(member) for member in members]
    stream = Stream(
        name=name_stream(rate_hz, len(members), taken),
        rate_hz=rate_hz,
        channels=name_uniquely(channels, [f"{row['name']} {c['id']}" for c in members]),
        spans=spans,
        files=tuple(path.name for path in parsed.files),
    )
    return stream, segments


def _describe(row: Any) -> Channel:
    name, unit = str(row["name"]).strip() or f"channel {row['id']}", str(row["units"])
    scale = _TO_UV.get(unit.lower())
    return Channel(
        name=name,
        kind=guess_kind(name),
        gain_uv=float(row["gain"]) * (scale or 1.0),
        offset_uv=float(row["offset"]) * (scale or 1.0),
        notes="" if scale else f"measured in {unit or 'no unit'}, not in volts",
    )


def _start_of(rawio: Any, zero_s: float) -> tuple[datetime | None, bool]:
    """When the first sample was taken, and whether that is the lab's clock."""
    # TDT counts from 1970, UTC.
    begin = getattr(rawio, "_global_t_start", None)
    if begin is not None and np.isfinite(begin) and begin > 0:
        return datetime.fromtimestamp(float(begin), UTC) + timedelta(seconds=zero_s), False
    block = rawio.raw_annotations["blocks"][0]
    for place in (block, *block["segments"]):
        when = place.get("rec_datetime")
        if isinstance(when, datetime):
            return when.replace(tzinfo=UTC), True
    return None, False


class _Chunks:
    """A store over one of neo's segments.

    Parameters
    ----------
    parsed : neo's reader, which serves one thread at a time
    index, part : neo's numbers of the stream and of the segment
    """

    def __init__(
        self, parsed: _Parsed, index: int, part: int, dtype: np.dtype[Any], n_channels: int
    ) -> None:
        self.dtype = dtype.newbyteorder("=")
        self._parsed, self._index, self._part = parsed, index, part
        self._n_channels = n_channels

    def read(self, first: int, out: Samples, rows: Sequence[int]) -> None:
        """See `Store.read`.

        Raises
        ------
        BadRecording
            neo can't read the samples.
        """
        step = max(1, _PIECE // self._n_channels)
        self._parsed.check_lengths()
        for start in range(0, out.shape[1], step):
            n_here = min(step, out.shape[1] - start)
            begin = first + start
            try:
                with self._parsed.lock:
                    chunk = self._parsed.rawio.get_analogsignal_chunk(
                        0, self._part, begin, begin + n_here, self._index, None
                    )
                    piece = np.asarray(chunk)[:, list(rows)].T
            except (OSError, ValueError, IndexError, RuntimeError) as error:
                raise BadRecording(
                    f"neo can't read its samples ({type(error).__name__}: {error})",
                    where=self._parsed.where,
                    remedy="the file is damaged or has changed: copy it again",
                ) from error
            if piece.shape[1] != n_here:
                raise BadRecording(
                    f"the samples end {n_here - piece.shape[1]:,} too early",
                    where=self._parsed.where,
                    remedy="the file is damaged or has changed: copy it again",
                )
            out[:, start : start + n_here] = piece

    def bytes_of(self, parts: Sequence[tuple[int, int]]) -> Iterable[FileBytes]:  # noqa: ARG002
        """See `Store.bytes_of`: the whole files."""
        for path, n_bytes in self._parsed.files.items():
            yield path, 0, n_bytes


def _read_events(parsed: _Parsed, zero_s: float) -> tuple[EventSeries, ...]:
    rawio = parsed.rawio
    series: list[EventSeries] = []
    with parsed.lock:
        for index, row in enumerate(rawio.header["event_channels"]):
            times: list[np.ndarray[Any, Any]] = []
            labels: list[str] = []
            for part in range(_n_segments(parsed)):
                stamps, _, texts = rawio.get_event_timestamps(0, part, index)
                if len(stamps):
                    times.append(rawio.rescale_event_timestamp(stamps, "float64", index))
                    labels += [str(text) for text in texts]
            if times:
                time_s = np.concatenate(times) - zero_s
                series.append(
                    EventSeries(
                        name=str(row["name"]),
                        time_s=time_s,
                        code=np.ones(len(time_s), np.int64),
                        label=tuple(labels),
                    )
                )
    return tuple(series)
