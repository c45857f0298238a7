"""Files of frame times: what a camera's program writes beside the video, a time a frame.

CSV or text (one column of times, or several with one that is named or rises), or .npy. Seconds,
milliseconds, microseconds, nanoseconds, Unix times and ISO dates are understood. The unit is taken
from the column's name where it says one, else from the numbers where only one unit makes a camera
of them; else it is asked for, never guessed.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wakeful.io.atomic import write_bytes
from wakeful.model.clock import FrameFlag, FrameTimes
from wakeful.model.errors import BadParameters, BadRecording

Floats = NDArray[np.float64]
Unit = Literal["s", "ms", "us", "ns", "iso"]
UNITS: dict[str, float] = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}

SLOWEST_HZ, FASTEST_HZ = 4.0, 500.0
"""Frame rates of cameras that watch animals: what a unit must make of the numbers."""
_TIME_NAME = re.compile(r"time|stamp|^t$|^ts$", re.IGNORECASE)
_COUNTER_NAME = re.compile(
    r"counter|frame.?(id|number|num|no|index|count)|^frame$|^id$", re.IGNORECASE
)
_UNIT_NAME = re.compile(r"(?:^|[\W_])(ns|us|µs|ms|s|sec|seconds|nanoseconds|microseconds|"
                        r"milliseconds)(?:$|[\W_])", re.IGNORECASE)  # fmt: skip
_UNIT_WORDS: dict[str, Unit] = {
    "ns": "ns", "nanoseconds": "ns", "us": "us", "µs": "us", "microseconds": "us", "ms": "ms",
    "milliseconds": "ms", "s": "s", "sec": "s", "seconds": "s",
}  # fmt: skip
_LARGEST_EXACT = 2**53


@dataclass(frozen=True, eq=False, kw_only=True)
class FrameTimesFile:
    """What a file says of the frames, in its own order: one entry a frame."""

    path: Path
    device_s: Floats
    """(n_frames,) seconds on the camera's clock, from its first frame."""
    origin: str
    """What the first frame's time was in the file."""
    counter: NDArray[np.int64] | None
    """(n_frames,) the camera's count of its frames, where the file has one that skips or rises."""
    unit: Unit
    unit_from: str
    """How the unit was found: "given", "the column's name", "the numbers"."""
    column: str

    @property
    def n_frames(self) -> int:
        """How many frames the file knows."""
        return len(self.device_s)


def read_frame_times(
    path: Path, *, unit: Unit | None = None, column: str | None = None
) -> FrameTimesFile:
    """Read a camera's frame times.

    Parameters
    ----------
    path : .csv, .txt, .tsv or .npy
    unit : of the numbers; found out where None
    column : name (or number, from 1) of the column of times; found out where None

    Raises
    ------
    BadRecording
        It can't be read; no column or several could be the times; a row is damaged (all are named);
        the unit can't be told.
    """
    columns = _read_npy(path) if path.suffix.lower() == ".npy" else _read_text(path)
    name = _choose(path, columns, column)
    cells = columns[name]
    raw, iso = _numbers(path, name, cells)
    if len(raw) < 2:
        raise BadRecording(
            f"holds {len(raw)} frames", where=str(path), remedy="check that it is the right file"
        )
    found: Unit
    if iso:
        found, source = "iso", "the numbers"
    elif unit is not None:
        found, source = unit, "given"
    else:
        found, source = _find_unit(path, name, raw)
    scale = 1e-6 if iso else UNITS[found]
    # Integers first, so that nanoseconds since 1970 lose nothing.
    device_s = (raw - raw[0]).astype(np.float64) * scale
    first = cells[0] if isinstance(cells, list) else str(cells[0])
    return FrameTimesFile(
        path=path,
        device_s=device_s,
        origin=str(first),
        counter=_counter(columns, name),
        unit=found,
        unit_from=source,
        column=name,
    )


Columns = dict[str, list[str] | NDArray[np.generic]]


def _read_npy(path: Path) -> Columns:
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise BadRecording(
            f"can't be read ({error})", where=str(path), remedy="give a .npy file of numbers"
        ) from error
    if values.dtype.names:
        return {str(name): values[name] for name in values.dtype.names}
    if values.ndim == 2 and min(values.shape) >= 1:
        table = values if values.shape[0] >= values.shape[1] else values.T
        return {str(i + 1): table[:, i] for i in range(table.shape[1])}
    if values.ndim != 1:
        raise BadRecording(
            f"has shape {values.shape}, not (n_frames,)",
            where=str(path),
            remedy="give one time a frame",
        )
    return {"1": values}


def _read_text(path: Path) -> Columns:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRecording(
            f"can't be read ({error})", where=str(path), remedy="give a text or .npy file"
        ) from error
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise BadRecording("is empty", where=str(path), remedy="check that it is the right file")
    sample = lines[min(1, len(lines) - 1)]
    separator = next((c for c in ("\t", ";", ",") if c in sample), None)
    if separator is None:
        iso = re.match(r"\d{4}-\d\d-\d\d \d", sample.strip())
        rows = [[line.strip()] for line in lines] if iso else [line.split() for line in lines]
    else:
        rows = [[c.strip() for c in row] for row in csv.reader(lines, delimiter=separator)]
    head = rows[0]
    named = not any(_is_time(cell) for cell in head)
    names = head if named else [str(i + 1) for i in range(len(head))]
    names = [name or str(i + 1) for i, name in enumerate(names)]
    body = rows[1:] if named else rows
    odd = [i for i, row in enumerate(body, 2 if named else 1) if len(row) != len(names)]
    if odd:
        shown = ", ".join(str(i) for i in islice(odd, 5))
        raise BadRecording(
            f"{len(odd)} rows do not have {len(names)} cells (rows {shown}"
            + (", ...)" if len(odd) > 5 else ")"),
            where=str(path),
            remedy="a row that is left out moves all later frames; write the file anew",
        )
    return {name: [row[i] for row in body] for i, name in enumerate(names)}


def _is_time(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return _iso(cell) is not None
    return True


def _iso(cell: str) -> datetime | None:
    try:
        # Cameras write nine digits; datetime keeps six.
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", cell.strip()))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _choose(path: Path, columns: Columns, wanted: str | None) -> str:
    if wanted is not None:
        if wanted in columns:
            return wanted
        raise BadRecording(
            f"has no column {wanted}",
            where=str(path),
            remedy=f"it has {', '.join(columns)}",
        )
    if len(columns) == 1:
        return next(iter(columns))
    likely = [name for name in columns if _TIME_NAME.search(name)]
    if len(likely) == 1:
        return likely[0]
    raise BadRecording(
        "several columns could hold the times" if likely else "no column is called a time",
        where=str(path),
        remedy=f"say which it is: {', '.join(likely or columns)}",
    )


def _numbers(
    path: Path, name: str, cells: list[str] | NDArray[np.generic]
) -> tuple[NDArray[np.int64] | Floats, bool]:
    """The column as numbers, whole ones kept whole; and whether they were dates (then in µs)."""
    if not isinstance(cells, list):
        if cells.dtype.kind == "M":
            return cells.astype("datetime64[us]").astype(np.int64), True
        if cells.dtype.kind not in "iuf":
            raise BadRecording(
                f"column {name} holds {cells.dtype}, not numbers",
                where=str(path),
                remedy="give times as numbers",
            )
        if cells.dtype.kind in "iu":
            return cells.astype(np.int64), False
        stamps = cells.astype(np.float64)
        _check_finite(path, name, stamps)
        return stamps, False
    if cells and _iso(cells[0]) is not None and not _is_number(cells[0]):
        moments = [_iso(cell) for cell in cells]
        _report(path, name, [i for i, moment in enumerate(moments) if moment is None])
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        spans = [moment - epoch for moment in moments if moment is not None]
        return np.array(
            [(s.days * 86_400 + s.seconds) * 1_000_000 + s.microseconds for s in spans], np.int64
        ), True
    _report(path, name, [i for i, cell in enumerate(cells) if not _is_number(cell)])
    if all(re.fullmatch(r"[+-]?\d{1,18}", cell) for cell in cells):
        return np.array([int(cell) for cell in cells], np.int64), False
    return np.array([float(cell) for cell in cells], np.float64), False


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def _check_finite(path: Path, name: str, values: Floats) -> None:
    _report(path, name, np.flatnonzero(~np.isfinite(values)).tolist())


def _report(path: Path, name: str, bad: list[int]) -> None:
    if bad:
        shown = ", ".join(str(i) for i in bad[:5]) + (", ..." if len(bad) > 5 else "")
        raise BadRecording(
            f"column {name}: {len(bad)} frames have no time (frames {shown}, counted from 0)",
            where=str(path),
            remedy="a frame that is left out moves all later ones; write the file anew",
        )


def _find_unit(path: Path, name: str, raw: NDArray[np.int64] | Floats) -> tuple[Unit, str]:
    said = _UNIT_NAME.search(name)
    if said:
        return _UNIT_WORDS[said[1].lower()], "the column's name"
    gap = np.diff(raw)
    gap = gap[gap > 0]
    if len(gap) == 0:
        raise BadRecording(
            f"the times in column {name} never rise", where=str(path), remedy="check the column"
        )
    middle = float(np.median(gap))
    fits: list[Unit] = [
        unit
        for unit in ("s", "ms", "us", "ns")
        if SLOWEST_HZ <= 1 / (middle * UNITS[unit]) <= FASTEST_HZ
    ]
    if len(fits) == 1:
        return fits[0], "the numbers"
    raise BadRecording(
        f"the unit of column {name} can't be told: frames are {middle:g} apart",
        where=str(path),
        remedy="say the unit: s, ms, us or ns",
    )


def _counter(columns: Columns, times: str) -> NDArray[np.int64] | None:
    """The camera's own count, from the one column that is named so and is whole numbers."""
    likely = [name for name in columns if name != times and _COUNTER_NAME.search(name)]
    if len(likely) != 1:
        return None
    cells = columns[likely[0]]
    try:
        values = np.array([float(c) for c in cells]) if isinstance(cells, list) else cells
        counts = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        return None
    whole = np.isfinite(counts) & (np.abs(counts) < _LARGEST_EXACT)
    if not whole.all() or np.any(counts != np.rint(counts)):
        return None
    if np.all(np.diff(counts) == 1):
        return None  # rows numbered by the program that wrote them say nothing of lost frames
    return counts.astype(np.int64)


def read_pulses(path: Path, *, column: str | None = None) -> Floats:
    """Times of pulses from a file: seconds from the recording's start, one a row.

    Raises
    ------
    BadRecording
        As `read_frame_times`.
    """
    columns = _read_npy(path) if path.suffix.lower() == ".npy" else _read_text(path)
    name = _choose(path, columns, column)
    raw, iso = _numbers(path, name, columns[name])
    if iso:
        raise BadRecording(
            "pulses are given as dates",
            where=str(path),
            remedy="give seconds from the recording's start",
        )
    return raw.astype(np.float64)


def write_frame_times(path: Path, frames: FrameTimes) -> None:
    """Write frame times: .npy the times alone, .csv with frame number and how each was found.

    Raises
    ------
    BadParameters
        The name ends in neither.
    """
    suffix = path.suffix.lower()
    if suffix == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, frames.start_s, allow_pickle=False)
        write_bytes(path, buffer.getvalue())
    elif suffix == ".csv":
        names = {flag.value: flag.name.lower().replace("_", " ") for flag in FrameFlag}
        rows = [
            f"{i},{'' if np.isnan(t) else f'{t:.6f}'},{names[int(flag)]}\n"
            for i, (t, flag) in enumerate(zip(frames.start_s, frames.flag, strict=True))
        ]
        write_bytes(path, ("frame,time_s,how\n" + "".join(rows)).encode())
    else:
        raise BadParameters(
            f"frame times are written as .csv or .npy, not as {suffix or 'a name without ending'}",
            where=str(path),
            remedy="choose another name",
        )
