"""A CSV of seizures, handed in: start_s, stop_s, and whether ictal or post-ictal."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from wakeful.model.errors import BadScores
from wakeful.model.ictal import IctalIntervals, IctalKind

_KINDS = {
    **dict.fromkeys(("", "ictal", "seizure", "sz", "swd", "burst"), IctalKind.ICTAL),
    **dict.fromkeys(("post-ictal", "postictal", "post ictal"), IctalKind.POST_ICTAL),
}


def read_ictal(path: Path) -> IctalIntervals:
    """Read intervals, sorted by their start; without a column `kind` all of them are ictal.

    Raises
    ------
    BadScores
        A column is missing, a cell is no number, an interval ends before it begins, or a kind is
        not known; says in which line.
    """
    rows: list[tuple[float, float, int]] = []
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        missing = {"start_s", "stop_s"} - set(reader.fieldnames or ())
        if missing:
            raise BadScores(
                f"the column {' and '.join(sorted(missing))} is missing",
                where=path.name,
                remedy="it needs start_s and stop_s (seconds from the session's start), and may "
                "have kind (ictal or post-ictal)",
            )
        for row in reader:
            where = f"{path.name}, line {reader.line_num}"
            try:
                start_s, stop_s = float(row["start_s"]), float(row["stop_s"])
            except (TypeError, ValueError):
                raise BadScores(
                    f"{row['start_s']!r} to {row['stop_s']!r} are no seconds",
                    where=where,
                    remedy="write both as numbers",
                ) from None
            if not (np.isfinite(start_s) and np.isfinite(stop_s) and stop_s > start_s):
                raise BadScores(
                    f"the interval reaches from {start_s:g} to {stop_s:g} s",
                    where=where,
                    remedy="it must end after it begins",
                )
            kind = _KINDS.get((row.get("kind") or "").strip().casefold())
            if kind is None:
                raise BadScores(
                    f"{row['kind']!r} is no kind", where=where, remedy="write ictal or post-ictal"
                )
            rows.append((start_s, stop_s, int(kind)))
    rows.sort()
    return IctalIntervals(
        start_s=np.array([row[0] for row in rows], np.float64),
        stop_s=np.array([row[1] for row in rows], np.float64),
        kind=np.array([row[2] for row in rows], np.int8),
        source=path.name,
    )
