"""Labels of AccuSleep (Barger et al. 2019): a number an epoch, 1 REM, 2 wake, 3 NREM, 4 undefined.

In MATLAB it keeps them as the vector `labels` of a .mat file; its successor in Python as a CSV with
the column `brain_state`, in which -1 is undefined. Neither holds the epoch length.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wakeful.io.scores.csv_table import find_delimiter, split_row
from wakeful.io.scores.grid import WriteOptions, Written, count_missing, on_grid
from wakeful.io.scores.lines import Made, ReadOptions, gather, need_epoch, read_text_lines
from wakeful.io.scores.matlab import load_mat, save_mat
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadScores
from wakeful.model.scores import ScoredStretches

MEANING = (
    ("1", State.REM),
    ("2", State.AWAKE),
    ("3", State.NREM),
    ("4", State.UNCLASSIFIED),
    ("-1", State.UNCLASSIFIED),
    ("NaN", State.UNCLASSIFIED),
)
_NUMBER = {State.REM: 1, State.AWAKE: 2, State.NREM: 3}
VARIABLE, COLUMN = "labels", "brain_state"


def read_accusleep(path: Path, options: ReadOptions) -> ScoredStretches:
    """Read `labels` of a .mat file or `brain_state` of a CSV.

    Raises
    ------
    BadScores
        It has neither, or the epoch length was not given.
    """
    epoch_s = need_epoch(options, path, "AccuSleep's labels come without it")
    if path.suffix.casefold() == ".mat":
        label, place = _from_mat(path), "label"
        places = [f"{place} {i}" for i in range(1, len(label) + 1)]
    else:
        label, places = _from_csv(path)
    start_s = np.arange(len(label), dtype=np.float64) * epoch_s
    made = Made(format="accusleep", epoch_s=epoch_s, meaning=MEANING)
    return gather(start_s, start_s + epoch_s, label, places, path, made)


def _from_mat(path: Path) -> list[str]:
    values = load_mat(path).get(VARIABLE)
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf":
        raise BadScores(
            f"it has no vector {VARIABLE!r} of numbers",
            where=path.name,
            remedy="give a label file of AccuSleep; other vectors are read as the format mat",
        )
    return number_labels(values)


def number_labels(values: NDArray[np.generic]) -> list[str]:
    """Numbers as texts: 3.0 is "3", what is not a number "NaN"."""
    return [
        "NaN" if np.isnan(value) else f"{value:g}" for value in np.ravel(values).astype(np.float64)
    ]


def _from_csv(path: Path) -> tuple[list[str], list[str]]:
    lines = read_text_lines(path)
    delimiter = find_delimiter(lines[0][1])
    rows = [[c.strip() for c in (split_row(t, delimiter) if delimiter else [t])] for _, t in lines]
    if COLUMN not in rows[0]:
        raise BadScores(
            f"its first line has no {COLUMN}",
            where=path.name,
            remedy="give a label file of AccuSleep; other tables are read as the format csv",
        )
    at = rows[0].index(COLUMN)
    bad = next((i for i, row in enumerate(rows) if len(row) <= at), None)
    if bad is not None:
        raise BadScores(
            f"line {lines[bad][0]} has fewer cells than the first",
            where=path.name,
            remedy="export the labels again",
        )
    return [row[at] for row in rows[1:]], [f"line {number}" for number, _ in lines[1:]]


def write_accusleep_csv(hypnogram: Hypnogram, options: WriteOptions) -> Written:  # noqa: ARG001
    """The column `brain_state`; what is unclassified or has no data is -1."""
    states = on_grid(hypnogram)
    numbers = [_NUMBER.get(State(state), -1) for state in states.tolist()]
    text = "\n".join([COLUMN, *(f"{number}" for number in numbers)]) + "\n"
    return Written(data=text.encode(), notes=count_missing(states, "-1, undefined"))


def write_accusleep_mat(hypnogram: Hypnogram, options: WriteOptions) -> Written:  # noqa: ARG001
    """The vector `labels`; what is unclassified or has no data is 4."""
    states = on_grid(hypnogram)
    numbers = np.array([_NUMBER.get(State(state), 4) for state in states.tolist()], np.float64)
    return Written(
        data=save_mat({VARIABLE: numbers[:, None]}), notes=count_missing(states, "4, undefined")
    )
