"""Neuralynx continuously sampled channels (.ncs), one file a channel.

A file is a text header of 16,384 bytes and records of 1,044 bytes: time stamp (uint64,
microseconds), channel number, rate, number of valid samples (uint32 each), 512 int16 samples.
Records are short before a gap; the real rate is not the nominal one; channels may begin at
different records; time stamps may step back after a restart. None of this is taken on trust:
every record's head is read when the recording is opened, and spans come from the time stamps.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wakeful.io.channel_kinds import guess_kind
from wakeful.io.neuralynx_header import HEADER_BYTES, NeuralynxHeader, read_header
from wakeful.io.open_files import open_file, read_exactly
from wakeful.io.record_streams import TimedChannel, group_channels
from wakeful.io.record_times import Clock, SpanFinder, Stamps, TimeTable
from wakeful.io.records import FileRecording, RecordLayout, iterate_heads
from wakeful.io.registry import Found, by_suffix, reader
from wakeful.io.scan_memory import Scan, file_state, recall_scan, remember_scan
from wakeful.model.errors import BadRecording, NoRecording, TruncatedFile
from wakeful.model.recording import Description
from wakeful.model.subject import Channel

LAYOUT = RecordLayout(HEADER_BYTES, 1044, 20, 512)

_HEAD = np.dtype(
    {
        "names": ["tick", "channel", "rate", "n_valid"],
        "formats": ["<u8", "<u4", "<u4", "<u4"],
        "offsets": [0, 8, 12, 16],
        "itemsize": LAYOUT.record_bytes,
    }
)

_TICKS_PER_S = 1e6
_MAX_TICK = 2**62
"""Half a million years in microseconds: a larger time stamp is damage."""

TOLERANCE_SAMPLES = 0.75
TOLERANCE_US = 2.0
"""A record may come this much beside its time before it counts as a gap: time stamps are whole
microseconds and jitter by one; a lost sample is a whole sample."""

_MAX_DRIFT = 0.005
"""How far the measured rate may lie from the nominal one and still be the same rate."""

_REASONS = (
    "records of nothing but zeros",
    "records whose head is damaged (impossible time stamp or number of samples)",
    "records of another channel or rate than the rest of the file",
    "records without a sample",
)
_EMPTY, _DAMAGED, _FOREIGN, _VOID = 1, 2, 3, 4

_THREADS = min(4, os.cpu_count() or 1)
_WORTH_THREADS_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class NcsFile:
    """One .ncs file, its samples unread."""

    path: Path
    header: NeuralynxHeader
    rate_hz: float
    """Nominal."""
    table: TimeTable
    warnings: tuple[str, ...]


def scan_ncs(path: Path, scans: Path | None = None) -> NcsFile | None:
    """Read the header and the heads of all records of one file; None where it has no records.

    Parameters
    ----------
    scans : a folder in which to remember what was found (see `wakeful.io.scan_memory`)

    Raises
    ------
    TruncatedFile
        The file ends within a record, or its end was never written.
    BadRecording
        The header or the time stamps are damaged.
    """
    state = file_state(path)
    if state[0] <= HEADER_BYTES:
        return None
    raw = np.empty(HEADER_BYTES, np.uint8)
    descriptor = open_file(path)
    try:
        read_exactly(descriptor, raw, 0, path)
    finally:
        os.close(descriptor)
    header = read_header(raw.tobytes(), path.name)
    scan = recall_scan(scans, path)
    if scan is None:
        scan = _scan_records(path, state[0], header)
        remember_scan(scans, path, state, scan)
    return NcsFile(path, header, scan.rate_hz, scan.table, (*header.warnings, *scan.warnings))


def _scan_records(path: Path, size: int, header: NeuralynxHeader) -> Scan:
    n_records, n_over = LAYOUT.n_records(size)
    if n_over:
        raise TruncatedFile(
            f"the file ends within a record: {n_over} bytes are left over after "
            f"{n_records:,} whole records",
            where=path.name,
            remedy="copy it again, and wait until the copy has ended; if the original is as "
            f"long, cut it to {size - n_over:,} bytes",
        )
    warnings: list[str] = []
    finder: SpanFinder | None = None
    rate_hz, channel, rate = 0.0, 0, 0
    for heads in iterate_heads(path, LAYOUT, _HEAD, n_records):
        if finder is None:
            written = heads[heads["rate"] > 0]
            channel, rate = _commonest(written["channel"]), _commonest(written["rate"])
            clock = _find_clock(heads, header.rate_hz, rate, path.name, warnings)
            rate_hz = clock.rate_hz
            finder = SpanFinder(LAYOUT.samples_per_record, clock, _REASONS, path.name)
        finder.add(_judge(heads, channel, rate))
    assert finder is not None
    table = finder.finish()
    if not table.spans and table.n_empty_last < n_records:
        raise BadRecording(
            "no record of the file can be used",
            where=path.name,
            remedy="the file is damaged: copy it again, or move it out of the folder",
        )
    if table.n_empty_last:
        raise TruncatedFile(
            f"the last {table.n_empty_last:,} of {n_records:,} records hold nothing but zeros: "
            "room was made for them but they were never written",
            where=path.name,
            remedy="the copy is not complete: copy the file again",
        )
    return Scan(rate_hz, table, tuple(warnings))


def _commonest(values: NDArray[np.uint32]) -> int:
    found, counts = np.unique(values, return_counts=True)
    return int(found[np.argmax(counts)]) if len(found) else 0


def _find_clock(
    heads: NDArray[np.void],
    of_header_hz: float | None,
    of_records_hz: int,
    where: str,
    warnings: list[str],
) -> Clock:
    """The nominal rate, and the measured one by which records are joined.

    Measured is the median distance of full records in the first few thousand. Header and records
    each name a rate; where they differ, the one nearer to the measured rate is taken.
    """
    ticks = heads["tick"].astype(np.float64)
    full = heads["n_valid"][:-1] == LAYOUT.samples_per_record
    steps = np.diff(ticks)[full]
    steps = steps[steps > 0]
    measured_hz = None
    if len(steps):
        measured_hz = LAYOUT.samples_per_record * _TICKS_PER_S / float(np.median(steps))
    named = [hz for hz in (of_header_hz, float(of_records_hz)) if hz is not None and hz > 0]
    if not named:
        raise BadRecording(
            "neither the header nor the records name a sampling rate",
            where=where,
            remedy="the file is damaged: copy it again, or move it out of the folder",
        )
    if measured_hz is None:
        rate_hz = named[0]
    else:
        rate_hz = min(named, key=lambda hz: abs(hz / measured_hz - 1))
    if abs(rate_hz / named[0] - 1) > _MAX_DRIFT:
        warnings.append(
            f"{where}: the header says {named[0]:g} Hz but the records say {rate_hz:g} Hz, and "
            f"so do the time stamps; {rate_hz:g} Hz is used"
        )
    period = _TICKS_PER_S / rate_hz
    if measured_hz is not None and len(steps) >= 8:
        if abs(rate_hz / measured_hz - 1) <= _MAX_DRIFT:
            period = _TICKS_PER_S / measured_hz
        else:
            warnings.append(
                f"{where}: time stamps are {measured_hz:g} samples a second apart for a rate of "
                f"{rate_hz:g} Hz: there is a gap after nearly every record"
            )
    return Clock(
        ticks_per_s=_TICKS_PER_S,
        rate_hz=rate_hz,
        period_ticks=period,
        tolerance_ticks=TOLERANCE_SAMPLES * period + TOLERANCE_US,
    )


def _judge(heads: NDArray[np.void], channel: int, rate: int) -> Stamps:
    ticks, n_valid = heads["tick"], heads["n_valid"]
    foreign = (heads["channel"] != channel) | (heads["rate"] != rate)
    damaged = (ticks >= _MAX_TICK) | (n_valid > LAYOUT.samples_per_record)
    void = n_valid == 0
    fault = np.zeros(len(heads), np.uint8)
    if void.any() or foreign.any() or damaged.any():
        fault[void] = _VOID
        fault[foreign] = _FOREIGN
        fault[damaged] = _DAMAGED
        fault[void & (ticks == 0) & (heads["rate"] == 0)] = _EMPTY
    sound = np.where(fault == 0, ticks, 0).astype(np.int64)
    return Stamps(sound, np.where(fault == 0, n_valid, 0).astype(np.int64), fault)


@reader(name="neuralynx", title="Neuralynx (.ncs)", sniff=by_suffix(".ncs"))
def open_neuralynx(found: Found) -> FileRecording:
    """Open a folder of .ncs files, or one of them.

    Raises
    ------
    TruncatedFile
        A file ends within a record.
    BadRecording
        A header or the time stamps are damaged.
    NoRecording
        No file holds a record.
    """
    scanned = _scan_all(found.files, found.scans)
    whole = [file for file in scanned if file is not None]
    bare = [path.name for path, file in zip(found.files, scanned, strict=True) if file is None]
    if not whole:
        raise NoRecording(
            f"none of the {len(found.files)} .ncs files holds a record ({', '.join(bare[:5])})",
            where=str(found.root),
            remedy="check that recording was on and that the copy has ended",
        )
    warnings = [text for file in whole for text in file.warnings]
    if bare:
        warnings.append(f"without records, left aside: {', '.join(bare)}")
    streams, records, more = group_channels([_timed(file) for file in whole], found.folder)
    start, more_start = _find_start(whole)
    description = Description(
        format="neuralynx",
        root=str(found.root),
        streams=streams,
        start_utc=start,
        start_is_local=start is not None,
        warnings=(*warnings, *more, *more_start),
        ignored_files=tuple(sorted([*bare, *(path.name for path in found.others)])),
    )
    return FileRecording(description, found.folder, records)


def _scan_all(files: Sequence[Path], scans: Path | None) -> list[NcsFile | None]:
    scan = partial(scan_ncs, scans=scans)
    if sum(path.stat().st_size for path in files) < _WORTH_THREADS_BYTES:
        return [scan(path) for path in files]
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(scan, files))


def _timed(file: NcsFile) -> TimedChannel:
    header = file.header
    name = header.name or file.path.stem
    channel = Channel(
        name=name,
        kind=guess_kind(name),
        reference=header.reference,
        gain_uv=header.gain_uv,
        polarity=header.polarity,
        highpass_hz=header.highpass_hz,
        lowpass_hz=header.lowpass_hz,
    )
    return TimedChannel(channel, file.path, LAYOUT, file.rate_hz, file.table)


_SAME_CLOCK = timedelta(minutes=10)


def _find_start(found: Sequence[NcsFile]) -> tuple[datetime | None, tuple[str, ...]]:
    """When the first sample was taken, local time carried as if UTC.

    The header tells when the file was made. Newer systems stamp records with the same clock,
    counted from 1970: where that is so, the first time stamp is the more exact.
    """
    opened = min((f.header.opened for f in found if f.header.opened is not None), default=None)
    if opened is None:
        return None, ("no header says when the recording began: times of day are unknown",)
    start = opened.replace(tzinfo=UTC)
    first_tick = min(file.table.base_tick for file in found)
    try:
        stamped = datetime.fromtimestamp(first_tick // 1_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return start, ()
    stamped += timedelta(microseconds=first_tick % 1_000_000)
    if timedelta(0) <= stamped - start < _SAME_CLOCK:
        return stamped, ()
    return start, ()
