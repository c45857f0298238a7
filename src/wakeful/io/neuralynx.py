"""Neuralynx continuously sampled channels (.ncs), one file a channel, or several in turn.

A file is a text header of 16,384 bytes and records of 1,044 bytes: time stamp (uint64,
microseconds), channel number, rate, number of valid samples (uint32 each), 512 int16 samples.
Records are short before a gap; the real rate is not the nominal one; channels may begin at
different records; time stamps may step back after a restart. None of this is taken on trust: spans
come from the time stamps (see `wakeful.io.quick_look` for how many of them are read).

Recordings that are still being written are read as far as is known to be whole
(`wakeful.io.neuralynx_growth`); files that continue a channel (CSC1.ncs, CSC1_0001.ncs) are joined
(`wakeful.io.neuralynx_turns`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from wakeful.io.ncs_files import NcsFile, expect_ncs, scan_ncs
from wakeful.io.neuralynx_events import BESIDE, NeuralynxRecording, RecordingClock
from wakeful.io.neuralynx_growth import follow
from wakeful.io.neuralynx_turns import join_turns
from wakeful.io.open_files import is_in_memory
from wakeful.io.record_streams import Origin, group_channels
from wakeful.io.records import FileRecording
from wakeful.io.registry import Found, by_suffix, reader
from wakeful.io.twin_scans import TwinScans
from wakeful.model.errors import NoRecording, StillGrowing
from wakeful.model.recording import Description

_THREADS = min(4, os.cpu_count() or 1)
_WORTH_THREADS_BYTES = 16 * 1024 * 1024


@reader(name="neuralynx", title="Neuralynx (.ncs)", sniff=by_suffix(".ncs"), follows=True)
def open_neuralynx(found: Found) -> FileRecording:
    """Open a folder of .ncs files (with the events and tracking beside them), or one of them.

    Raises
    ------
    TruncatedFile
        A file ends within a record.
    BadRecording
        A header or the time stamps are damaged.
    NoRecording
        No file holds a record.
    StillGrowing
        More is being written, and there is no time yet that all channels have.
    """
    growing = found.growth is not None
    following = follow(found)
    scanned = _scan_all(found, following.n_bytes)
    whole = [file for file in scanned.values() if file is not None]
    if growing:
        bare = following.left_aside(scanned)
    else:
        bare = [path.name for path, file in scanned.items() if file is None]
    if not whole:
        raise NoRecording(
            f"none of the {len(found.files)} .ncs files holds a record ({', '.join(bare[:5])})",
            where=str(found.root),
            remedy="check that recording was on and that the copy has ended",
        )
    channels = join_turns(whole, scans=found.scans, growing=growing)
    grouped = group_channels(channels, found.folder, growing=growing)
    if not grouped.streams:
        raise _nothing_common(found, growing)
    start, more_start = _find_start(whole, grouped.origin)
    warnings = [text for file in whole for text in file.warnings]
    if growing:
        warnings += following.say_stalled(channels)
    if bare:
        warnings.append(f"without records, left aside: {', '.join(bare)}")
    description = Description(
        format="neuralynx",
        root=str(found.root),
        streams=grouped.streams,
        start_utc=start,
        start_is_local=start is not None,
        warnings=(*dict.fromkeys(warnings), *grouped.warnings, *more_start),
        ignored_files=tuple(
            sorted([*bare, *(p.name for p in found.others if p.suffix.lower() not in BESIDE)])
        ),
    )
    duration_s = max(stream.duration_s for stream in grouped.streams)
    return NeuralynxRecording(
        description,
        found.folder,
        grouped.records,
        clock=RecordingClock(grouped.origin.tick, grouped.origin.part_ticks, duration_s),
        beside=found.others,
        growth=found.growth,
    )


def _scan_all(found: Found, n_bytes: Mapping[Path, int | None]) -> dict[Path, NcsFile | None]:
    twins = TwinScans()

    def scan(path: Path) -> NcsFile | None:
        return scan_ncs(
            path, found.scans, thorough=found.thorough, n_bytes=n_bytes[path], twins=twins
        )

    paths = list(n_bytes)
    sizes = [path.stat().st_size for path in paths]
    if sum(sizes) < _WORTH_THREADS_BYTES or _at_hand(paths[-1], sizes[-1]):
        return {path: scan(path) for path in paths}
    for path, size in zip(paths, sizes, strict=True):
        expect_ncs(path, size)
    with ThreadPoolExecutor(_THREADS) as pool:
        return dict(zip(paths, pool.map(scan, paths), strict=True))


def _at_hand(path: Path, n_bytes: int) -> bool:
    """Whether no disk is to be waited for: then threads only stand in each other's way."""
    places = (0, n_bytes // 2, max(0, n_bytes - 512))
    return all(is_in_memory(path, place, 512) for place in places)


def _nothing_common(found: Found, growing: bool) -> NoRecording | StillGrowing:
    if growing:
        return StillGrowing(
            "there is no time yet that all channels have",
            where=str(found.root),
            remedy="it is looked at again when more has been written",
        )
    return NoRecording(
        "the records of the files hold no time that can be used",
        where=str(found.root),
        remedy="check the recording with `wakeful inspect`",
    )


_SAME_CLOCK = timedelta(minutes=10)


def _find_start(
    found: Sequence[NcsFile], origin: Origin
) -> tuple[datetime | None, tuple[str, ...]]:
    """When the first sample was taken, local time carried as if UTC.

    The header tells when the file was made. Newer systems stamp records with the same clock,
    counted from 1970: where that is so, the first time stamp is the more exact.
    """
    opened = min((f.header.opened for f in found if f.header.opened is not None), default=None)
    if opened is None:
        return None, ("no header says when the recording began: times of day are unknown",)
    start = opened.replace(tzinfo=UTC)
    try:
        stamped = datetime.fromtimestamp(origin.tick // 1_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return start, ()
    stamped += timedelta(microseconds=origin.tick % 1_000_000)
    if timedelta(0) <= stamped - start < _SAME_CLOCK:
        return stamped, ()
    return start, ()
