"""A CSV of movement, handed in: start_s, and how much the animal moved from there on."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from wakeful.model.errors import BadScores
from wakeful.model.movement import Movement

_AMOUNTS = {
    "speed_cm_per_s": "cm/s",
    "speed_px_per_s": "px/s",
    "movement": "",
    "activity": "",
}
"""Column -> its unit."""
_MISSING = ("", "nan", "na")


def read_movement(path: Path) -> Movement:
    """Read movement per bin: start_s and speed_cm_per_s, speed_px_per_s, movement or activity.

    An empty cell, or NaN, is a bin in which the animal was not found. A bin lasts as long as the
    median distance between starts; a hole in them is one in time.

    Raises
    ------
    BadScores
        A column is missing, a cell is no number or below 0, or times do not increase; says in which
        line.
    """
    starts: list[float] = []
    amounts: list[float] = []
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        columns = reader.fieldnames or ()
        name = next((column for column in _AMOUNTS if column in columns), "")
        if "start_s" not in columns or not name:
            raise BadScores(
                f"its columns are {', '.join(columns) or 'none'}",
                where=path.name,
                remedy="it needs start_s (seconds from the session's start) and one of "
                f"{', '.join(_AMOUNTS)}",
            )
        for row in reader:
            where = f"{path.name}, line {reader.line_num}"
            text = (row[name] or "").strip()
            try:
                start_s = float(row["start_s"])
                amount = float("nan") if text.casefold() in _MISSING else float(text)
            except (TypeError, ValueError):
                raise BadScores(
                    f"{row['start_s']!r}, {row[name]!r} are no numbers",
                    where=where,
                    remedy="write both as numbers; leave the second empty where it is not known",
                ) from None
            if not np.isfinite(start_s) or amount < 0 or np.isinf(amount):
                raise BadScores(
                    f"movement of {amount:g} at {start_s:g} s",
                    where=where,
                    remedy="it must be a number, 0 or more, at a time",
                )
            if starts and start_s <= starts[-1]:
                raise BadScores(
                    f"{start_s:g} s comes after {starts[-1]:g} s",
                    where=where,
                    remedy="sort the file by start_s, each time once",
                )
            starts.append(start_s)
            amounts.append(amount)
    if len(starts) < 2:
        raise BadScores(
            f"it has {len(starts)} rows", where=path.name, remedy="give one row a bin of time"
        )
    return Movement(
        start_s=np.array(starts, np.float64),
        amount=np.array(amounts, np.float32),
        bin_s=float(np.median(np.diff(starts))),
        unit=_AMOUNTS[name],
        source=path.name,
    )
