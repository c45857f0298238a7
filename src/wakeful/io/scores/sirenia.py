"""Scores exported by Pinnacle's Sirenia Sleep: a comma- or tab-separated table.

Columns "Epoch #", "Start Time", "End Time", "Score #", "Score"; times as 01/02/2019 09:00:00. An
epoch scored as spoilt by an artefact has " X" behind its state and 128 added to its number. Some
versions write lines about the file above the table; they are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from wakeful.io.scores.csv_table import find_delimiter, plain_name, split_row
from wakeful.io.scores.grid import WriteOptions, Written, on_grid
from wakeful.io.scores.lines import (
    Made,
    ReadOptions,
    gather,
    parse_clock,
    read_text_lines,
    uniform_length,
)
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadScores
from wakeful.model.scores import ScoredStretches

_CLOCK = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4}),? +(\d{1,2}):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?: *([AP]M))?",
    re.IGNORECASE,
)
_ORDERS = ("iso", "month first", "day first")
_NEEDED = ("starttime", "endtime", "score")
_CODES = {State.UNCLASSIFIED: (255, "Unscored"), State.NO_DATA: (255, "Unscored")}
_CODES |= {State.AWAKE: (1, "Wake"), State.NREM: (2, "Non REM"), State.REM: (3, "REM")}


def find_head(lines: Sequence[tuple[int, str]]) -> int | None:
    """Which of the first lines is the head of the table; None where none is."""
    for i, (_, line) in enumerate(lines[:60]):
        names = line.casefold()
        if "start time" in names and "end time" in names and "score" in names:
            return i
    return None


def read_sirenia(path: Path, options: ReadOptions) -> ScoredStretches:  # noqa: ARG001
    """Read a table of scores; times are on the clock of the acquisition.

    Raises
    ------
    BadScores
        It has no such table, or a time can't be read.
    """
    lines = read_text_lines(path)
    head = find_head(lines)
    if head is None:
        raise BadScores(
            "it has no line with Start Time, End Time and Score",
            where=path.name,
            remedy="export the scores from Sirenia Sleep again, with their times",
        )
    delimiter = find_delimiter(lines[head][1])
    raw = [cell.strip() for cell in split_row(lines[head][1], delimiter)]
    names = ["number" if cell.endswith("#") else plain_name(cell) for cell in raw]
    at = {name: names.index(name) for name in _NEEDED if name in names}
    if len(at) < len(_NEEDED):
        raise BadScores(
            f"its table has the columns {', '.join(raw)}",
            where=path.name,
            remedy="export the scores with Start Time, End Time and Score",
        )
    rows = [(n, [c.strip() for c in split_row(line, delimiter)]) for n, line in lines[head + 1 :]]
    bad = next((n for n, cells in rows if len(cells) <= max(at.values())), None)
    if bad is not None or not rows:
        raise BadScores(
            f"line {bad} has fewer cells than the head" if bad else "its table has no rows",
            where=path.name,
            remedy="export the scores again",
        )
    place = [f"line {n}" for n, _ in rows]
    starts, stops, notes = _read_times(
        [cells[at["starttime"]] for _, cells in rows],
        [cells[at["endtime"]] for _, cells in rows],
        place,
        path,
    )
    zero = starts[0]
    start_s = np.array([(moment - zero).total_seconds() for moment in starts])
    stop_s = np.array([(moment - zero).total_seconds() for moment in stops])
    written = [cells[at["score"]] for _, cells in rows]
    artefact = np.array([label.endswith(" X") for label in written], np.bool_)
    made = Made(
        format="sirenia",
        epoch_s=uniform_length(start_s, stop_s),
        zero_local=zero,
        artefact=artefact,
        notes=notes,
    )
    label = [text.removesuffix(" X").strip() for text in written]
    return gather(start_s, stop_s, label, place, path, made)


def _read_times(
    starts: list[str], stops: list[str], place: list[str], path: Path
) -> tuple[list[datetime], list[datetime], tuple[str, ...]]:
    """Both columns read by the one form that fits all of them and in which time goes on."""
    fitting: list[tuple[str, list[datetime], list[datetime]]] = []
    for order in _ORDERS:
        first, last = _parse_all(starts, order), _parse_all(stops, order)
        if first is None or last is None:
            continue
        on_and_on = all(a < b for a, b in zip(first, last, strict=True)) and all(
            # Between epochs that touch, a month read for a day would make a gap of weeks.
            timedelta(0) <= b - a <= timedelta(days=7)
            for a, b in zip(last, first[1:], strict=False)
        )
        if on_and_on:
            fitting.append((order, first, last))
    if not fitting:
        raise BadScores(
            f"its times (in {place[0]} {starts[0]!r} to {stops[0]!r}) can't be read or don't go on",
            where=path.name,
            remedy="times must be as 01/31/2019 09:00:00 or 2019-01-31 09:00:00, in order",
        )
    _, first, last = fitting[0]
    two_ways = any(other[1][0] != first[0] for other in fitting[1:])
    note = f"{starts[0]} is read with the month first" if two_ways else ""
    return first, last, (note,) if note else ()


def _parse_all(texts: Sequence[str], order: str) -> list[datetime] | None:
    moments: list[datetime] = []
    for text in texts:
        moment = parse_clock(text) if order == "iso" else _parse(text, order)
        if moment is None:
            return None
        moments.append(moment)
    return moments


def _parse(text: str, order: str) -> datetime | None:
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return None
    month, day, year, hour, minute, second = (int(match[i]) for i in range(1, 7))
    if order == "day first":
        month, day = day, month
    if match[8]:
        hour = hour % 12 + (12 if match[8].upper() == "PM" else 0)
    try:
        micro = int((match[7] or "").ljust(6, "0"))
        return datetime(year, month, day, hour, minute, second, micro, UTC).replace(tzinfo=None)
    except ValueError:
        return None


def write_sirenia(hypnogram: Hypnogram, options: WriteOptions) -> Written:
    """A table with a row for each epoch from the session's start.

    Raises
    ------
    BadScores
        The session's start on the lab's clock is not known.
    """
    start = options.start_local
    if start is None:
        raise BadScores(
            "Sirenia's table needs dates and times",
            where="sirenia",
            remedy="say when the session began with --start",
        )
    if hypnogram.epoch_s % 1 or start.microsecond:
        raise BadScores(
            f"Sirenia's times are whole seconds, the epochs are of {hypnogram.epoch_s:g} s",
            where="sirenia",
            remedy="score at whole seconds (--resample), from a start at a whole second",
        )
    states = on_grid(hypnogram)
    lines = ["Epoch #,Start Time,End Time,Score #, Score"]
    for i, state in enumerate(states.tolist()):
        begin = start + timedelta(seconds=i * hypnogram.epoch_s)
        end = begin + timedelta(seconds=hypnogram.epoch_s)
        number, label = _CODES[State(state)]
        lines.append(f"{i + 1},{begin:%m/%d/%Y %H:%M:%S},{end:%m/%d/%Y %H:%M:%S},{number},{label}")
    n_unsure = int(np.sum(states == State.UNCLASSIFIED))
    notes = (f"{n_unsure:,} unclassified epochs are written as Unscored",) if n_unsure else ()
    return Written(data=("\r\n".join(lines) + "\r\n").encode(), notes=notes)
