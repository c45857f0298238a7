"""Tables of features per epoch from CSV and Parquet files: a lab's own, or Wakeful's.

One row an epoch, in order of time. Numeric columns are features; what is text, counts the rows or
never changes is left aside, and said. A column of times tells where there are holes.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.io.table_cells import read_cells, to_numbers, to_texts
from wakeful.model.errors import BadTable
from wakeful.sleep.feature_table import FeatureTable

_TIME_NAMES = {
    "time",
    "times",
    "time_s",
    "t",
    "t_s",
    "start",
    "start_s",
    "epoch_start",
    "epoch_start_s",
    "seconds",
    "timestamp",
    "datetime",
    "date_time",
    "start_time",
    "start_utc",
}
_TOLERANCE = 0.02
"""Of an epoch: steps of time this much off are still one epoch."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What columns are for, where their names do not say it."""

    labels: str = ""
    subject: str = ""
    group: str = ""
    time: str = ""
    left_out: tuple[str, ...] = ()
    """Columns that are no features though they hold numbers."""

    def named(self) -> tuple[tuple[str, str], ...]:
        """(option, column) of those that are given."""
        pairs = (
            ("--labels", self.labels),
            ("--subject", self.subject),
            ("--group", self.group),
            ("--time", self.time),
            *(("--leave-out", name) for name in self.left_out),
        )
        return tuple((option, name) for option, name in pairs if name)


@dataclass(frozen=True, eq=False, kw_only=True)
class TableFile:
    """What a file held."""

    path: Path
    sha256: str
    """Of its bytes."""
    table: FeatureTable
    labels: tuple[str, ...] | None
    """As typed, one per epoch; None where no column was named."""
    times: tuple[str, ...] | None
    """As typed, one per epoch; None where there is no column of times."""
    time_column: str
    n_holes: int
    notes: tuple[str, ...]


def read_feature_table(
    path: Path,
    columns: Columns,
    *,
    epoch_s: float | None = None,
    default_epoch_s: float = 0.0,
    wanted: tuple[str, ...] = (),
) -> TableFile:
    """Read a table.

    Parameters
    ----------
    path : .csv, .tsv or .txt (commas, semicolons or tabs; also .gz), or .parquet
    epoch_s : length of an epoch; from the column of times where None
    default_epoch_s : taken, with a note, where neither says it; 0: an error
    wanted : features to be read, those that are there; all that can be features where empty

    Raises
    ------
    BadTable
        The table can't be used as it is; says which column and row, and what to do.
    """
    if not path.is_file():
        raise BadTable("there is no such file", where=str(path), remedy="check the path")
    data = path.read_bytes()
    cells = read_cells(data, path)
    names = list(cells)
    _check_names(columns, names, path)
    n_epochs = len(next(iter(cells.values())))
    notes: list[str] = []
    time_name = columns.time or next((n for n in names if _plain(n) in _TIME_NAMES), "")
    subject = to_texts(cells[columns.subject]) if columns.subject else np.full(n_epochs, "")
    seconds = None
    if time_name:
        seconds = _read_times(cells[time_name], time_name, path, strict=bool(columns.time))
        if seconds is None:
            notes.append(f"{time_name} is taken for no time: it holds neither seconds nor dates")
            time_name = ""
    else:
        notes.append("no column of times: holes in the recording, if any, are not known")
    _check_subjects(subject, columns.subject, path)
    if seconds is not None:
        _check_order(seconds, subject, time_name, path)
    epoch = _find_epoch(seconds, subject, epoch_s, default_epoch_s, time_name, path, notes)
    starts = _find_starts(seconds, subject, epoch, time_name, path)
    kept, values = _read_features(cells, columns, time_name, wanted, path, notes)
    table = FeatureTable.make(
        kept,
        values,
        epoch_s=epoch,
        starts=starts,
        subject=subject,
        group=to_texts(cells[columns.group]) if columns.group else None,
        start_s=seconds,
    )
    return TableFile(
        path=path,
        sha256=sha256(data).hexdigest(),
        table=table,
        labels=tuple(to_texts(cells[columns.labels]).tolist()) if columns.labels else None,
        times=tuple(to_texts(cells[time_name]).tolist()) if time_name else None,
        time_column=time_name,
        n_holes=int(starts.sum()) - len(np.unique(subject)),
        notes=tuple(notes),
    )


def _plain(name: str) -> str:
    return re.sub(r"[\s\-]+", "_", name.strip().casefold())


def _check_names(columns: Columns, names: list[str], path: Path) -> None:
    problems = []
    for option, name in columns.named():
        if name not in names:
            close = difflib.get_close_matches(name, names, 1) or [
                n for n in names if n.casefold() == name.casefold()
            ]
            hint = f" (did you mean {close[0]}?)" if close else ""
            problems.append(f"there is no column {name}, which {option} names{hint}")
    if problems:
        shown = ", ".join(names[:12]) + (" ..." if len(names) > 12 else "")
        raise BadTable("; ".join(problems), where=str(path), remedy=f"the columns are {shown}")


def _read_times(cells: Any, name: str, path: Path, *, strict: bool) -> NDArray[np.float64] | None:
    """Seconds; None where the column, found by its name, holds something else."""
    numbers, odd = to_numbers(cells)
    if not odd and np.isfinite(numbers).all():
        return numbers
    import pandas as pd

    try:
        found = pd.to_datetime(to_texts(cells), utc=True, format="ISO8601")
        seconds = np.asarray((found - pd.Timestamp(0, tz="UTC")).total_seconds(), np.float64)
    except (ValueError, TypeError, OverflowError):
        seconds = np.full(len(numbers), np.nan)
    if np.isfinite(seconds).all():
        return seconds
    if not strict:
        return None
    bad = np.flatnonzero(~np.isfinite(numbers))
    if bad.size > len(numbers) / 2:
        bad = np.flatnonzero(pd.isna(pd.to_datetime(to_texts(cells), utc=True, errors="coerce")))
    bad = np.r_[bad, 0]
    raise BadTable(
        f"{str(to_texts(cells)[bad[0]])!r} is neither seconds nor a date and time",
        where=f"{path}, column {name}, row {bad[0] + 1}",
        remedy="write seconds (4.0) or 2026-03-02 13:02:11 in every row",
    )


def _check_subjects(subject: NDArray[np.str_], name: str, path: Path) -> None:
    if not name:
        return
    blank = np.flatnonzero(np.char.strip(subject) == "")
    if blank.size:
        raise BadTable(
            "no subject is given",
            where=f"{path}, column {name}, row {blank[0] + 1}",
            remedy="name the animal in every row",
        )
    change = np.flatnonzero(np.r_[True, subject[1:] != subject[:-1]])
    seen: set[str] = set()
    for row in change:
        if str(subject[row]) in seen:
            raise BadTable(
                f"{subject[row]} comes back after another subject",
                where=f"{path}, column {name}, row {row + 1}",
                remedy="sort the table by subject, then by time",
            )
        seen.add(str(subject[row]))


def _steps(seconds: NDArray[np.float64], subject: NDArray[np.str_]) -> NDArray[np.float64]:
    """Seconds from each row to the next; NaN where the subject changes."""
    return np.where(subject[1:] == subject[:-1], np.diff(seconds), np.nan)


def _find_epoch(
    seconds: NDArray[np.float64] | None,
    subject: NDArray[np.str_],
    given: float | None,
    default: float,
    name: str,
    path: Path,
    notes: list[str],
) -> float:
    if given is not None and not given > 0:
        raise BadTable(f"an epoch of {given:g} s", where="--epoch-s", remedy="give seconds above 0")
    steps = _steps(seconds, subject) if seconds is not None else np.empty(0)
    steps = steps[np.isfinite(steps) & (steps > 0)]
    step = float(np.median(steps)) if steps.size else 0.0
    if given is None:
        epoch = step or default
        if not epoch:
            raise BadTable(
                "nothing says how long an epoch is",
                where=str(path),
                remedy="give --epoch-s, or name a column of times with --time",
            )
        if not step:
            notes.append(f"nothing says how long an epoch is; {epoch:g} s, as the model has it")
        return round(epoch, 6)
    if step and abs(step - given) > _TOLERANCE * given:
        raise BadTable(
            f"rows are {step:g} s apart, epochs are said to last {given:g} s",
            where=f"{path}, column {name}",
            remedy="correct --epoch-s; times are in seconds; or give another column with --time",
        )
    return given


def _check_order(
    seconds: NDArray[np.float64], subject: NDArray[np.str_], name: str, path: Path
) -> None:
    _refuse_rows(
        _steps(seconds, subject) <= 0,
        "is not later than the row before: rows are not in order of time",
        name,
        path,
    )


def _refuse_rows(wrong: NDArray[np.bool_], what: str, name: str, path: Path) -> None:
    rows = np.flatnonzero(wrong)
    if rows.size:
        more = f" ({rows.size - 1} more rows likewise)" if rows.size > 1 else ""
        raise BadTable(
            f"the row {what}{more}",
            where=f"{path}, column {name}, row {rows[0] + 2}",
            remedy="sort the rows by time and remove copies; several animals need --subject",
        )


def _find_starts(
    seconds: NDArray[np.float64] | None,
    subject: NDArray[np.str_],
    epoch_s: float,
    name: str,
    path: Path,
) -> NDArray[np.bool_]:
    starts = np.ones(len(subject), np.bool_)
    starts[1:] = subject[1:] != subject[:-1]
    if seconds is None:
        return starts
    steps = _steps(seconds, subject)
    _refuse_rows(
        steps < (1 - _TOLERANCE) * epoch_s,
        f"begins within the epoch of {epoch_s:g} s before it",
        name,
        path,
    )
    starts[1:] |= steps > (1 + _TOLERANCE) * epoch_s
    return starts


def _read_features(
    cells: dict[str, Any],
    columns: Columns,
    time_name: str,
    wanted: tuple[str, ...],
    path: Path,
    notes: list[str],
) -> tuple[list[str], NDArray[np.float64]]:
    taken = {name for _, name in columns.named()} | {time_name}
    kept: list[str] = []
    values: list[NDArray[np.float64]] = []
    aside: dict[str, list[str]] = {}
    broken: list[str] = []
    n_infinite = 0
    for name, column in cells.items():
        if name in taken or (wanted and name not in wanted):
            continue
        numbers, odd = to_numbers(column)
        finite = np.isfinite(numbers)
        if odd and finite.sum() < len(numbers) / 2 and name not in wanted:
            aside.setdefault("text", []).append(name)
        elif odd:
            broken.append(f"column {name}, row {odd[0] + 1}: {column[odd[0]]!r} is not a number")
        elif name in wanted:
            # Also what would teach nothing: an hour of one state may hold one value of a feature.
            n_infinite += int(np.isinf(numbers).sum())
            kept.append(name)
            values.append(np.where(finite, numbers, np.nan))
        elif not finite.any():
            aside.setdefault("no number", []).append(name)
        elif _is_counter(numbers):
            aside.setdefault("it counts the rows", []).append(name)
        elif (numbers[finite] == numbers[finite][0]).all() and len(numbers) > 1:
            aside.setdefault("one value throughout", []).append(name)
        else:
            n_infinite += int(np.isinf(numbers).sum())
            kept.append(name)
            values.append(np.where(finite, numbers, np.nan))
    if broken:
        raise BadTable(
            "; ".join(broken[:5]) + (f"; {len(broken) - 5} more" if len(broken) > 5 else ""),
            where=str(path),
            remedy="correct the cells, empty them, or leave the columns out with --leave-out",
        )
    notes += [f"left aside ({why}): {', '.join(names)}" for why, names in aside.items()]
    if n_infinite:
        notes.append(f"{n_infinite} infinite numbers are taken for missing")
    if not kept and wanted:
        raise BadTable(
            f"none of the features that the model was trained on is there: {', '.join(wanted[:8])}",
            where=str(path),
            remedy="rename the columns, or train a model on this table",
        )
    if not kept:
        raise BadTable(
            "no column holds numbers that change: there is no feature",
            where=str(path),
            remedy="give a table with one row an epoch and numeric columns",
        )
    return kept, np.stack(values, axis=1)


def _is_counter(numbers: NDArray[np.float64]) -> bool:
    """Whether a column only counts the rows, and so would give away where in time they lie."""
    return len(numbers) > 2 and bool((np.diff(numbers) == 1).all())
