"""Scores as CSV: a row for each epoch or bout, or one label a row.

Columns are told by their names, in any order and with any delimiter:

start : start_s, start, onset, time, ... (seconds, or date and time in ISO 8601)
epoch : epoch, epoch #, epochno, ... (counted from 0 or 1; needs an epoch length)
stop : stop_s, stop, end, ...
duration : duration_s, duration
label : state, stage, score, label, sleep_stage, ...
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wakeful.io.scores.grid import WriteOptions, Written, seconds_text
from wakeful.io.scores.lines import (
    Made,
    ReadOptions,
    gather,
    hold,
    need_epoch,
    parse_clock,
    parse_number,
    read_text_lines,
    uniform_length,
)
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadScores
from wakeful.model.scores import ScoredStretches

_STARTS = {"starts", "start", "onset", "onsets", "time", "times", "starttime", "begin", "datetime"}
_EPOCHS = {"epoch", "epochno", "epochs", "epochnumber", "epochindex", "index"}
_STOPS = {"stops", "stop", "end", "ends", "endtime", "offset", "stoptime"}
_DURATIONS = {"duration", "durations", "length", "lengths"}
LABEL_NAMES = {
    "state",
    "stage",
    "score",
    "label",
    "sleepstage",
    "stages",
    "states",
    "labels",
    "scores",
}
LABEL_NAMES |= {"scoring", "hypnogram", "description", "annotation", "brainstate", "vigilancestate"}
"""Columns of states, as `plain_name` makes them."""
_COLUMNS = {"start": _STARTS, "epoch": _EPOCHS, "stop": _STOPS, "duration": _DURATIONS}


@dataclass(frozen=True)
class _Table:
    path: Path
    rows: list[tuple[int, list[str]]]
    """Number of the line, cells."""
    columns: dict[str, int]
    """Role -> column."""

    def cells(self, role: str) -> list[str]:
        at = self.columns[role]
        return [cells[at].strip() for _, cells in self.rows]

    @property
    def places(self) -> list[str]:
        return [f"line {number}" for number, _ in self.rows]


def read_csv(path: Path, options: ReadOptions) -> ScoredStretches:
    """Read a table of scores.

    Raises
    ------
    BadScores
        Its columns can't be told, a cell is no time, or nothing says how long labels hold.
    """
    table = _read_table(path, options.column)
    labels, places = table.cells("label"), table.places
    if "start" not in table.columns:
        return _by_epoch(table, labels, options)
    start_s, zero = _times(table, "start", None)
    notes: tuple[str, ...] = ()
    if "stop" in table.columns:
        stop_s, _ = _times(table, "stop", zero)
        epoch_s = uniform_length(start_s, stop_s)
    elif "duration" in table.columns:
        stop_s = start_s + _numbers(table, "duration")
        epoch_s = uniform_length(start_s, stop_s)
    else:
        stop_s, epoch_s, notes = hold(start_s, labels, places, options, path)
    made = Made(format="csv", epoch_s=epoch_s, zero_local=zero, notes=notes)
    return gather(start_s, stop_s, labels, places, path, made)


def write_csv(hypnogram: Hypnogram, options: WriteOptions) -> Written:  # noqa: ARG001
    """A row for each epoch that has data: start_s, stop_s, state."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("start_s", "stop_s", "state"))
    for start_s, state in zip(hypnogram.start_s.tolist(), hypnogram.state.tolist(), strict=True):
        if state != State.NO_DATA:
            stop_s = start_s + hypnogram.epoch_s
            writer.writerow((seconds_text(start_s), seconds_text(stop_s), State(state).label))
    return Written(data=buffer.getvalue().encode())


def split_row(line: str, delimiter: str) -> list[str]:
    """The cells of a line; runs of blanks part them where the delimiter is a blank."""
    if delimiter == " ":
        return line.split()
    return next(csv.reader([line], delimiter=delimiter))


def find_delimiter(line: str) -> str:
    """What parts the cells of a line: comma, semicolon, tab; "" where there is one cell."""
    counts = {mark: len(split_row(line, mark)) for mark in ("\t", ";", ",")}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] > 1 else ""


def plain_name(name: str) -> str:
    """A column's name without case, marks and unit: "Start_S" is "starts", "Epoch #" "epoch"."""
    return re.sub(r"[^a-z]", "", name.casefold())


def _read_table(path: Path, column: str | None) -> _Table:
    lines = read_text_lines(path)
    delimiter = find_delimiter(lines[0][1])
    rows = [(number, split_row(line, delimiter) if delimiter else [line]) for number, line in lines]
    head = [cell.strip() for cell in rows[0][1]]
    names = [plain_name(cell) for cell in head]
    known = set().union(*_COLUMNS.values(), LABEL_NAMES)
    if column is None and not known & set(names):
        if len(head) > 1:
            raise BadScores(
                f"its first line ({', '.join(head[:6])}) names no column that says what is scored",
                where=path.name,
                remedy="put a line above it, for example start_s,state or epoch,state; or name the "
                "column with the labels (--column)",
            )
        return _Table(path, rows, {"label": 0})
    columns = _find_columns(names, head, column, path)
    body = rows[1:]
    bad = next((number for number, cells in body if len(cells) <= max(columns.values())), None)
    if bad is not None or not body:
        raise BadScores(
            f"line {bad} has fewer cells than the first" if bad else "it has a head and no rows",
            where=path.name,
            remedy="export the scores again",
        )
    return _Table(path, body, columns)


def _find_columns(
    names: Sequence[str], head: Sequence[str], column: str | None, path: Path
) -> dict[str, int]:
    columns: dict[str, int] = {}
    for role, known in _COLUMNS.items():
        found = [i for i, name in enumerate(names) if name in known and head[i] != column]
        if found:
            columns[role] = found[0]
    if column is not None:
        if column not in head:
            raise BadScores(
                f"there is no column {column!r}",
                where=path.name,
                remedy=f"it has {', '.join(head)}",
            )
        return columns | {"label": head.index(column)}
    labels = [i for i, name in enumerate(names) if name in LABEL_NAMES]
    if len(labels) != 1:
        what = "no column" if not labels else "several columns"
        shown = ", ".join(head[i] for i in labels) if labels else ", ".join(head)
        raise BadScores(
            f"{what} may hold the labels: {shown}",
            where=path.name,
            remedy="name the one to read with --column",
        )
    return columns | {"label": labels[0]}


def _by_epoch(table: _Table, labels: list[str], options: ReadOptions) -> ScoredStretches:
    """Epochs counted by a column, or one a row."""
    epoch_s = need_epoch(options, table.path, "its rows have no times")
    number = np.arange(len(labels), dtype=np.float64)
    if "epoch" in table.columns:
        number = _numbers(table, "epoch")
        if number[0] not in (0, 1):
            raise BadScores(
                f"its epochs are counted from {number[0]:g}",
                where=table.path.name,
                remedy="they must be counted from 0 or 1; else give a column start_s",
            )
        number = number - number[0]
    start_s = number * epoch_s
    made = Made(format="csv", epoch_s=epoch_s)
    return gather(start_s, start_s + epoch_s, labels, table.places, table.path, made)


def _numbers(table: _Table, role: str) -> NDArray[np.float64]:
    cells = table.cells(role)
    values = [parse_number(cell) for cell in cells]
    bad = next((i for i, value in enumerate(values) if value is None), None)
    if bad is not None:
        raise BadScores(
            f"{cells[bad]!r} in {table.places[bad]} is no number",
            where=table.path.name,
            remedy=f"correct the column of the {role}",
        )
    return np.array(values, np.float64)


def _times(
    table: _Table, role: str, zero: datetime | None
) -> tuple[NDArray[np.float64], datetime | None]:
    """Seconds of a column, and what second 0 is where it holds dates and times."""
    cells = table.cells(role)
    if parse_number(cells[0]) is not None:
        return _numbers(table, role), None
    moments = [parse_clock(cell) for cell in cells]
    bad = next((i for i, moment in enumerate(moments) if moment is None), None)
    if bad is not None:
        raise BadScores(
            f"{cells[bad]!r} in {table.places[bad]} is neither seconds nor a date and time",
            where=table.path.name,
            remedy="write times in seconds, or as 2026-03-02 13:02:11",
        )
    known = [moment for moment in moments if moment is not None]
    origin = zero or known[0]
    seconds = np.array([(moment - origin).total_seconds() for moment in known])
    return seconds, origin
