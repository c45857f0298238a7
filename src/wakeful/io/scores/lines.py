"""What all text files of scores share: lines, numbers, clock times, and how long a label holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import State
from wakeful.model.errors import BadScores
from wakeful.model.scores import ScoredStretches

_MOST_BYTES = 1 << 28
"""A week of labels, one each second, is some megabytes."""
_ROUNDING_S = 1e-3


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """What a file of scores may not say itself."""

    epoch_s: float | None = None
    """Length of its epochs, seconds."""
    column: str | None = None
    """Name of the column (CSV) or variable (.mat) with the labels."""


def read_text_lines(path: Path) -> list[tuple[int, str]]:
    """Lines that hold something, with their numbers counted from 1.

    Raises
    ------
    BadScores
        The file is far too large to be scores, or no text.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise BadScores(
            f"{path.stat().st_size / 1e6:.0f} MB are too much for a file of scores",
            where=path.name,
            remedy="give the file of labels, not the recording",
        )
    raw = path.read_bytes()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = raw.decode("utf-16", errors="replace")
    else:
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
    if "\0" in text:
        raise BadScores("it is no text", where=path.name, remedy="export the scores as text or CSV")
    lines = [(i, line.strip("\r\n")) for i, line in enumerate(text.splitlines(), 1)]
    found = [(i, line) for i, line in lines if line.strip()]
    if not found:
        raise BadScores("it is empty", where=path.name, remedy="give a file that holds scores")
    return found


def parse_number(text: str) -> float | None:
    """A finite number, None where the text is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def parse_clock(text: str) -> datetime | None:
    """A date and time in ISO 8601, its zone left out; None where the text is none."""
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=None)
    except ValueError:
        return None


def need_epoch(options: ReadOptions, path: Path, why: str) -> float:
    """The epoch length that was given.

    Raises
    ------
    BadScores
        None was, or one that is not above 0.
    """
    if options.epoch_s is None:
        raise BadScores(
            f"nothing says how long an epoch is: {why}",
            where=path.name,
            remedy="give the length at which it was scored, for example --epoch 4",
        )
    if not options.epoch_s > 0:
        raise BadScores(
            f"epochs of {options.epoch_s:g} s", where=path.name, remedy="give a length above 0 s"
        )
    return options.epoch_s


def hold(
    start_s: NDArray[np.float64],
    label: Sequence[str],
    place: Sequence[str],
    options: ReadOptions,
    path: Path,
) -> tuple[NDArray[np.float64], float, tuple[str, ...]]:
    """How long labels hold of which only the start is known.

    Where an epoch length was given, each holds for one epoch. Else rows at equal distances (holes
    left out) are epochs, and rows none of which repeats the label before it are changes of state,
    which hold until the next; the last one then has no end and is left out.

    Returns
    -------
    (n,) stops in seconds (equal to the start where there is none), the epoch length or 0, notes

    Raises
    ------
    BadScores
        Times do not rise, or rows are neither epochs nor changes.
    """
    step_s = np.diff(start_s)
    back = np.flatnonzero(step_s <= 0)
    if back.size:
        raise BadScores(
            f"{place[back[0] + 1]} ({start_s[back[0] + 1]:g} s) is not later than "
            f"{place[back[0]]} ({start_s[back[0]]:g} s)",
            where=path.name,
            remedy="sort the rows by time, and leave out what is there twice",
        )
    if options.epoch_s is not None:
        epoch_s = need_epoch(options, path, "")
        return start_s + epoch_s, epoch_s, ()
    if len(start_s) < 2:
        need_epoch(options, path, "there is one row only")
    repeats = any(a == b for a, b in pairwise(label))
    if not repeats and len(start_s) > 2:
        note = f"the last mark ({place[-1]}, {label[-1]!r}) has no end and is left out"
        return np.r_[start_s[1:], start_s[-1]], 0.0, (note,)
    epoch_s = float(np.median(step_s))
    whole = np.abs(step_s / epoch_s - np.rint(step_s / epoch_s)) * epoch_s
    if (step_s < epoch_s - _ROUNDING_S).any() or (whole > _ROUNDING_S).any():
        raise BadScores(
            "its rows are neither epochs of one length nor changes of state: the distance from "
            f"row to row is {step_s.min():g} to {step_s.max():g} s, and labels repeat",
            where=path.name,
            remedy="give the epoch length (--epoch), or a column with the duration of each row",
        )
    epoch_s = _rounded(epoch_s)
    return start_s + epoch_s, epoch_s, (f"its rows are epochs of {epoch_s:g} s",)


def uniform_length(start_s: NDArray[np.float64], stop_s: NDArray[np.float64]) -> float:
    """The length that all stretches have in common, 0 where they have none."""
    length_s = stop_s - start_s
    if len(length_s) == 0:
        return 0.0
    middle = float(np.median(length_s))
    return _rounded(middle) if np.abs(length_s - middle).max() <= _ROUNDING_S else 0.0


def _rounded(seconds: float) -> float:
    return round(seconds, 6)


def gather(
    start_s: NDArray[np.float64],
    stop_s: NDArray[np.float64],
    label: Sequence[str],
    place: Sequence[str],
    path: Path,
    made: Made,
) -> ScoredStretches:
    """Stretches of a file, those without length left out.

    Raises
    ------
    BadScores
        A stretch ends before it begins, or begins before the one before it.
    """
    short = np.flatnonzero(stop_s < start_s)
    back = np.flatnonzero(np.diff(start_s) < 0) + 1
    if short.size or back.size:
        at = int(short[0] if short.size else back[0])
        what = "ends before it begins" if short.size else "begins before the row above it"
        raise BadScores(
            f"{place[at]} ({start_s[at]:g} to {stop_s[at]:g} s) {what}",
            where=path.name,
            remedy="correct the times, or sort the rows by time",
        )
    kept = np.flatnonzero(stop_s > start_s)
    artefact = np.zeros(len(start_s), np.bool_) if made.artefact is None else made.artefact
    return ScoredStretches(
        start_s=start_s[kept],
        stop_s=stop_s[kept],
        label=tuple(label[i] for i in kept.tolist()),
        place=tuple(place[i] for i in kept.tolist()),
        artefact=artefact[kept],
        source=path.name,
        format=made.format,
        epoch_s=made.epoch_s,
        zero_local=made.zero_local,
        meaning=made.meaning,
        notes=made.notes,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Made:
    """What `gather` takes over as it is; see `ScoredStretches`."""

    format: str
    epoch_s: float = 0.0
    zero_local: datetime | None = None
    artefact: NDArray[np.bool_] | None = None
    meaning: tuple[tuple[str, State], ...] = ()
    notes: tuple[str, ...] = ()
