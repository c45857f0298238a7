"""One Neuralynx file of samples (.ncs): its header and what its records' heads show."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wakeful.io.head_kernel import take_sound
from wakeful.io.heads import HeadReader, Seen
from wakeful.io.neuralynx_header import HEADER_BYTES, NeuralynxHeader, read_header
from wakeful.io.open_files import read_exactly
from wakeful.io.quick_look import QuickLook, look_at_all
from wakeful.io.record_times import SpanFinder, Stamps
from wakeful.io.records import RecordLayout
from wakeful.io.scan_memory import Scan, file_state, recall_scan, remember_scan
from wakeful.io.scan_notes import is_doubted
from wakeful.io.stretches import Clock, Findings
from wakeful.io.twin_scans import TwinScans
from wakeful.model.errors import BadRecording, TruncatedFile

LAYOUT = RecordLayout(HEADER_BYTES, 1044, 20, 512)

HEAD = np.dtype([("tick", "<u8"), ("channel", "<u4"), ("rate", "<u4"), ("n_valid", "<u4")])

CLOCK_RECORDS = 256
"""Records, from the first that was written, that tell the channel, the nominal rate and the
distance of time stamps by which records are joined."""

_TICKS_PER_S = 1e6
_MAX_TICK = 2**62
"""Half a million years in microseconds: a larger time stamp is damage."""

TOLERANCE_SAMPLES = 0.75
TOLERANCE_US = 2.0
"""A record may come this much beside its time before it counts as a gap: time stamps are whole
microseconds and jitter by one; a lost sample is a whole sample."""

_MAX_DRIFT = 0.005
"""How far the measured rate may lie from the nominal one and still be the same rate."""

REASONS = (
    "records of nothing but zeros",
    "records whose head is damaged (impossible time stamp or number of samples)",
    "records of another channel or rate than the rest of the file",
    "records without a sample",
)
_EMPTY, _DAMAGED, _FOREIGN, _VOID = 1, 2, 3, 4


@dataclass(frozen=True)
class NcsFile:
    """One .ncs file, its samples unread."""

    path: Path
    header: NeuralynxHeader
    scan: Scan
    heads: HeadReader

    @property
    def rate_hz(self) -> float:
        """Nominal."""
        return self.scan.clock.rate_hz

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person must know of the file."""
        return (*self.header.warnings, *self.scan.warnings)

    def ticks(self, records: NDArray[np.int64]) -> NDArray[np.int64]:
        """Time stamps of some of its records."""
        return self.heads.at(records)["tick"].astype(np.int64)


def scan_ncs(
    path: Path,
    scans: Path | None = None,
    *,
    thorough: bool = False,
    n_bytes: int | None = None,
    twins: TwinScans | None = None,
) -> NcsFile | None:
    """Read the header of one file and find its gaps; None where it has no records.

    Parameters
    ----------
    scans : a folder in which to remember what was found (see `wakeful.io.scan_memory`)
    thorough : look at the head of every record, which means reading the whole file
    n_bytes : how much of the file may be read while more is being written; a last record that is
        not whole, or was not filled yet, is then no error
    twins : scans of other files of the recording

    Raises
    ------
    TruncatedFile
        The file ends within a record, or its end was never written.
    BadRecording
        The header or the time stamps are damaged.
    """
    state = file_state(path)
    growing = n_bytes is not None
    size = state[0] if n_bytes is None else min(n_bytes, state[0])
    if size < HEADER_BYTES + (LAYOUT.record_bytes if growing else 1):
        return None
    heads = HeadReader(path, LAYOUT, HEAD)
    with heads.keep_open() as descriptor:
        raw = np.empty(HEADER_BYTES, np.uint8)
        read_exactly(descriptor, raw, 0, path)
        header = read_header(raw.tobytes(), path.name)
        thorough = thorough or is_doubted(scans, path)
        twins = None if thorough else twins
        known = None
        if scans is None and twins is not None and not growing:
            # Its last head is looked at as well: one that is known was written.
            n_records, n_over = LAYOUT.n_records(size)
            known = twins.find(heads, n_records, header.rate_hz) if not n_over else None
        if known is None:
            n_records = _count_records(heads, size, growing=growing)
            if n_records == 0:
                return None
            known = recall_scan(scans, path, heads, n_records, growing=growing, thorough=thorough)
        if known is not None or twins is None:
            scan = scan_heads(heads, n_records, header.rate_hz, known, thorough=thorough)
        else:
            scan = _scan_with_twins(heads, n_records, header.rate_hz, twins)
        if scan is not known:
            remember_scan(scans, path, heads, state, scan)
    if not scan.findings.stretches:
        if growing:
            return None
        raise BadRecording(
            "no record of the file can be used",
            where=path.name,
            remedy="the file is damaged: copy it again, or move it out of the folder",
        )
    return NcsFile(path, header, scan, heads)


def _scan_with_twins(
    heads: HeadReader, n_records: int, of_header_hz: float | None, twins: TwinScans
) -> Scan:
    known = twins.find(heads, n_records, of_header_hz)
    if known is not None:
        return known
    heads.seen = seen = Seen()
    try:
        scan = scan_heads(heads, n_records, of_header_hz, thorough=False)
    finally:
        heads.seen = None
    twins.keep(seen, of_header_hz, scan)
    return scan


def expect_ncs(path: Path, n_bytes: int) -> None:
    """Ask the system to fetch what `scan_ncs` reads of every file, without waiting for it.

    Parameters
    ----------
    n_bytes : how long the file is
    """
    if not hasattr(os, "posix_fadvise"):
        return
    first = HEADER_BYTES + CLOCK_RECORDS * LAYOUT.record_bytes
    last = max(0, n_bytes - LAYOUT.record_bytes)
    # Nothing may come of it: what is wrong is said when the file is read.
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.posix_fadvise(descriptor, 0, first, os.POSIX_FADV_WILLNEED)
            os.posix_fadvise(descriptor, last, LAYOUT.record_bytes, os.POSIX_FADV_WILLNEED)
        finally:
            os.close(descriptor)


def _count_records(heads: HeadReader, size: int, *, growing: bool) -> int:
    """Whole records that were written."""
    n_records, n_over = LAYOUT.n_records(size)
    if n_over and not growing:
        raise TruncatedFile(
            f"the file ends within a record: {n_over} bytes are left over after "
            f"{n_records:,} whole records",
            where=heads.path.name,
            remedy="copy it again, and wait until the copy has ended; if the original is as "
            f"long, cut it to {size - n_over:,} bytes",
        )
    n_written = _count_written(heads, n_records)
    if n_written < n_records and not growing:
        raise TruncatedFile(
            f"the last {n_records - n_written:,} of {n_records:,} records hold nothing but zeros: "
            "room was made for them but they were never written",
            where=heads.path.name,
            remedy="the copy is not complete: copy the file again",
        )
    return n_written


def _count_written(heads: HeadReader, n_records: int) -> int:
    """Records before the zeros at the end, found by halving."""
    empty, step = n_records, 1
    while empty > 0 and _is_empty(heads, at := max(0, n_records - step)):
        empty, step = at, step * 2
    written = n_records - step if empty > 0 else -1
    while empty - written > 1:
        middle = (empty + written) // 2
        if _is_empty(heads, middle):
            empty = middle
        else:
            written = middle
    return empty


def _is_empty(heads: HeadReader, record: int) -> bool:
    return heads.at([record]).tobytes() == bytes(HEAD.itemsize)


def scan_heads(
    heads: HeadReader,
    n_records: int,
    of_header_hz: float | None,
    known: Scan | None = None,
    *,
    thorough: bool,
) -> Scan:
    """Find the stretches of a file's first records.

    Parameters
    ----------
    n_records : how many records, at least one
    of_header_hz : the nominal rate that the header names
    known : what was found in its beginning before
    """
    where = heads.path.name
    if known is not None and known.findings.n_records == n_records:
        return known
    begun = known or _begin(heads, n_records, of_header_hz, where)
    finder = SpanFinder(
        LAYOUT.samples_per_record, begun.clock, REASONS, where, so_far=begun.findings
    )
    judge = partial(judge_heads, channel=begun.channel, rate=begun.rate)
    if thorough:
        look_at_all(heads, judge, finder, n_records)
        return replace(begun, findings=finder.findings(), quick=False)
    look = QuickLook(heads, judge, finder, begun.clock, begun.period_ticks)
    look.take(n_records)
    return replace(begun, findings=finder.findings(), quick=True, period_ticks=look.period_ticks)


def _begin(heads: HeadReader, n_records: int, of_header_hz: float | None, where: str) -> Scan:
    """Channel, rate and clock, from the first records that were written."""
    found: list[NDArray[np.void]] = []
    for first in range(0, n_records, CLOCK_RECORDS):
        piece = heads.between(first, min(n_records, first + CLOCK_RECORDS))
        found.append(piece[piece["rate"] > 0])
        if sum(map(len, found)) >= CLOCK_RECORDS:
            break
    written = np.concatenate(found)[:CLOCK_RECORDS]
    warnings: list[str] = []
    channel, rate = _commonest(written["channel"]), _commonest(written["rate"])
    clock = _find_clock(written, of_header_hz, rate, where, warnings)
    nothing = Findings((), (), 0, False)
    return Scan(
        clock=clock,
        channel=channel,
        rate=rate,
        findings=nothing,
        quick=True,
        period_ticks=None,
        warnings=tuple(warnings),
    )


def _commonest(values: NDArray[np.uint32]) -> int:
    if len(values) and (values == values[0]).all():
        return int(values[0])
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
    steps = (ticks[1:] - ticks[:-1])[full]
    steps = np.sort(steps[steps > 0])
    measured_hz = None
    if n := len(steps):
        median = (float(steps[(n - 1) // 2]) + float(steps[n // 2])) / 2
        measured_hz = LAYOUT.samples_per_record * _TICKS_PER_S / median
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


def judge_heads(heads: NDArray[np.void], channel: int, rate: int) -> Stamps:
    """What heads say, and which are not sound."""
    n, per = len(heads), LAYOUT.samples_per_record
    words = heads.view(np.uint32).reshape(n, HEAD.itemsize // 4)
    sound, full = np.empty(n, np.int64), np.empty(n, np.int64)
    if take_sound(words, channel, rate, per, _MAX_TICK, sound, full):
        return Stamps(sound, full, np.zeros(n, np.uint8))
    ticks, n_valid = heads["tick"], heads["n_valid"]
    foreign = (heads["channel"] != channel) | (heads["rate"] != rate)
    damaged = (ticks >= _MAX_TICK) | (n_valid > per)
    void = n_valid == 0
    fault = np.zeros(n, np.uint8)
    fault[void] = _VOID
    fault[foreign] = _FOREIGN
    fault[damaged] = _DAMAGED
    fault[void & (ticks == 0) & (heads["rate"] == 0)] = _EMPTY
    sound = np.where(fault == 0, ticks, 0).astype(np.int64)
    return Stamps(sound, np.where(fault == 0, n_valid, 0).astype(np.int64), fault)
