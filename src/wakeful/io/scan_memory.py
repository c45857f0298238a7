"""What the heads of a large file have shown, kept for the next process that opens it.

Finding the gaps of a day of 64 channels takes a second by a quick look and minutes by reading all
of it. A worker that computes one hour of it must not do that again, and a recording that has grown
must not be read from its beginning. What is remembered belongs to one state of one file (size, time
of change, inode), or to its beginning: where the file has only become longer and some heads read
again are what they were, reading goes on behind them. Losing this folder costs time and nothing
else.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.io.heads import HeadReader
from wakeful.io.scan_notes import place_of_scan
from wakeful.io.stretches import Clock, Fault, Findings, Stretch
from wakeful.model.errors import BadRecording

WORTH_BYTES = 4 * 1024 * 1024
"""Smaller files are read through faster than their memory is looked up on a network disk."""

SETTLED_S = 2.0
"""A file changed more recently may change again within the resolution of its time of change."""

N_WITNESSES = 16
"""Heads that are read again before what is known of a file's beginning is believed."""

_VERSION = 2
"""Raised when a scan of the same file gives something else than before."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What the heads of a file's records have shown."""

    clock: Clock
    channel: int
    """As most records say; others are foreign."""
    rate: int
    findings: Findings
    quick: bool
    """Whether few heads were looked at."""
    period_ticks: float | None
    """Ticks between samples as a quick look saw them last."""
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Kept:
    scan: Scan
    state: list[int] | None
    inode: int
    witnesses: list[list[int]]


def recall_scan(
    folder: Path | None,
    path: Path,
    heads: HeadReader,
    n_records: int,
    *,
    growing: bool,
    thorough: bool,
) -> Scan | None:
    """What is remembered of a file, or of its beginning; None where nothing is.

    Parameters
    ----------
    n_records : whole records that the file holds now, or of which it may be read
    growing : more is being written: only the beginning counts, not the file's state
    thorough : what a quick look has shown is not enough
    """
    kept = _read(folder, path)
    if kept is None or (thorough and kept.scan.quick):
        return None
    n_known = kept.scan.findings.n_records
    if n_known == 0 or n_known > n_records:
        return None
    state = file_state(path)
    if not growing and kept.state == state:
        return kept.scan if n_known == n_records else None
    if kept.inode != state[2] or (n_known == n_records and not growing):
        return None
    return kept.scan if _still_there(heads, kept.witnesses) else None


def _still_there(heads: HeadReader, witnesses: list[list[int]]) -> bool:
    try:
        found = heads.at([record for record, *_ in witnesses])
    except (BadRecording, OverflowError):
        return False
    return [list(map(int, head)) for head in found] == [values for _, *values in witnesses]


def _read(folder: Path | None, path: Path) -> _Kept | None:
    if folder is None:
        return None
    try:
        kept: Any = json.loads(place_of_scan(folder, path).read_text(encoding="utf-8"))
        if kept["version"] != _VERSION:
            return None
        found = kept["findings"]
        scan = Scan(
            clock=Clock(**kept["clock"]),
            channel=kept["channel"],
            rate=kept["rate"],
            findings=Findings(
                tuple(Stretch(*values) for values in found["stretches"]),
                tuple(Fault(*values) for values in found["faults"]),
                found["n_records"],
                found["open"],
            ),
            quick=kept["quick"],
            period_ticks=kept["period_ticks"],
            warnings=tuple(kept["warnings"]),
        )
        return _Kept(scan, kept["state"], kept["inode"], kept["witnesses"])
    except (OSError, ValueError, KeyError, TypeError):
        # Never written, half written or of another version: the file is looked at again.
        return None


def remember_scan(
    folder: Path | None, path: Path, heads: HeadReader, state: list[int], scan: Scan
) -> None:
    """Keep what was found, where that is worth it.

    Parameters
    ----------
    state : what `file_state` gave before the file was looked at
    """
    n_records = scan.findings.n_records
    if folder is None or n_records * heads.layout.record_bytes < WORTH_BYTES:
        return
    settled = time.time() - state[1] / 1e9 >= SETTLED_S
    numbers = np.unique(np.linspace(0, n_records - 1, N_WITNESSES).astype(np.int64))
    kept = {
        "version": _VERSION,
        "file": str(path),
        "state": state if settled else None,
        "inode": state[2],
        "witnesses": _witness(heads, numbers),
        "clock": asdict(scan.clock),
        "channel": scan.channel,
        "rate": scan.rate,
        "findings": {
            "stretches": [astuple(stretch) for stretch in scan.findings.stretches],
            "faults": [astuple(fault) for fault in scan.findings.faults],
            "n_records": n_records,
            "open": scan.findings.open,
        },
        "quick": scan.quick,
        "period_ticks": scan.period_ticks,
        "warnings": scan.warnings,
    }
    place = place_of_scan(folder, path)
    temporary = place.with_name(f".{place.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    # A full disk or a folder that can't be written to makes the next opening slow, not wrong.
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(kept, allow_nan=False), encoding="utf-8")
        temporary.replace(place)


def _witness(heads: HeadReader, numbers: NDArray[np.int64]) -> list[list[int]]:
    found = heads.at(numbers)
    return [[number, *map(int, head)] for number, head in zip(numbers.tolist(), found, strict=True)]


def file_state(path: Path) -> list[int]:
    """What tells one state of a file from another: size, time of change (ns), inode."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino]
