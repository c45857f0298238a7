"""What reading through a large file has shown, kept for the next process that opens it.

The heads of a file's records lie a kilobyte apart, so finding its gaps means reading all of it:
minutes for a day of 64 channels. A worker that computes one hour of it must not do that again.
What is remembered belongs to one state of one file (size, time of change, inode); any other state
is read anew. Losing this folder costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from dataclasses import astuple, dataclass
from pathlib import Path

from wakeful.io.record_times import SetApart, TickSpan, TimeTable
from wakeful.io.records import Run

WORTH_BYTES = 4 * 1024 * 1024
"""Smaller files are read through faster than their memory is looked up on a network disk."""

SETTLED_S = 2.0
"""A file changed more recently may change again within the resolution of its time of change."""

_VERSION = 1
"""Raised when a scan of the same file gives something else than before."""


@dataclass(frozen=True)
class Scan:
    """What reading through a file has shown."""

    rate_hz: float
    """Nominal."""
    table: TimeTable
    warnings: tuple[str, ...]


def recall_scan(folder: Path | None, path: Path) -> Scan | None:
    """What is remembered of the file as it is now; None where nothing is."""
    if folder is None:
        return None
    try:
        kept = json.loads(_place(folder, path).read_text(encoding="utf-8"))
        if kept["version"] != _VERSION or kept["state"] != file_state(path):
            return None
        table = kept["table"]
        return Scan(
            kept["rate_hz"],
            TimeTable(
                table["base_tick"],
                table["ticks_per_s"],
                tuple(TickSpan(*values) for values in table["spans"]),
                tuple(Run(*values) for values in table["runs"]),
                tuple(SetApart(*values) for values in table["set_apart"]),
                table["wander_s"],
                table["n_empty_last"],
            ),
            tuple(kept["warnings"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        # Never written, half written or of another version: the file is read through again.
        return None


def remember_scan(folder: Path | None, path: Path, state: list[int], scan: Scan) -> None:
    """Keep what was found, where that is worth it and the file has settled.

    Parameters
    ----------
    state : what `file_state` gave before the file was read through
    """
    changed_s = state[1] / 1e9
    if folder is None or state[0] < WORTH_BYTES or time.time() - changed_s < SETTLED_S:
        return
    table = scan.table
    kept = {
        "version": _VERSION,
        "file": str(path),
        "state": state,
        "rate_hz": scan.rate_hz,
        "warnings": scan.warnings,
        "table": {
            "base_tick": table.base_tick,
            "ticks_per_s": table.ticks_per_s,
            "spans": [astuple(span) for span in table.spans],
            "runs": [astuple(run) for run in table.runs],
            "set_apart": [astuple(apart) for apart in table.set_apart],
            "wander_s": table.wander_s,
            "n_empty_last": table.n_empty_last,
        },
    }
    place = _place(folder, path)
    temporary = place.with_name(f".{place.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    # A full disk or a folder that can't be written to makes the next opening slow, not wrong.
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(kept, allow_nan=False), encoding="utf-8")
        temporary.replace(place)


def file_state(path: Path) -> list[int]:
    """What tells one state of a file from another: size, time of change (ns), inode."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino]


def _place(folder: Path, path: Path) -> Path:
    return folder / f"{hashlib.sha256(str(path).encode()).hexdigest()[:32]}.json"
