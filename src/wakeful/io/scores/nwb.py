"""Scores as intervals of an NWB file: a table with start_time, stop_time and a state.

What is written is what `wakeful export nwb` puts into the file of a whole session: the tables
`sleep_states` (bouts) and `sleep_epochs` in processing/behavior. Read are those, or any table of
intervals with a column of states (state, stage, label, ...).
"""

from __future__ import annotations

import io
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from wakeful.io.scores.csv_table import LABEL_NAMES, plain_name
from wakeful.io.scores.grid import WriteOptions, Written, on_grid
from wakeful.io.scores.lines import Made, ReadOptions, gather, parse_clock, uniform_length
from wakeful.model.epochs import Hypnogram
from wakeful.model.errors import BadScores
from wakeful.model.scores import ScoredStretches

_OURS = ("sleep_epochs", "sleep_states")
"""Epochs first: bouts leave out what was not scored, and do not say how long epochs are."""


def read_nwb_scores(path: Path, options: ReadOptions) -> ScoredStretches:
    """Read a table of intervals with states.

    Raises
    ------
    BadScores
        The file can't be read, or it has none, or several none of which is ours.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            tables = _find_tables(file, options.column)
            name = _choose(tables, path, options.column)
            group, column = tables[name]
            start_s = np.asarray(group["start_time"][:], np.float64)
            stop_s = np.asarray(group["stop_time"][:], np.float64)
            label = [str(text) for text in group[column].asstr()[:]]
            zero = _zero(file)
    except OSError as error:
        if error.filename is not None:
            raise
        raise BadScores(
            f"it can't be read as an NWB file ({error})", where=path.name, remedy="copy it again"
        ) from error
    places = [f"row {i} of {name}" for i in range(1, len(label) + 1)]
    made = Made(format="nwb", epoch_s=uniform_length(start_s, stop_s), zero_local=zero)
    return gather(start_s, stop_s, label, places, path, made)


def _find_tables(file: Any, wanted: str | None) -> dict[str, tuple[Any, str]]:
    """Tables of intervals that have a column of states: name -> group and that column."""
    found: dict[str, tuple[Any, str]] = {}

    def look(name: str, item: Any) -> None:
        if not {"start_time", "stop_time", "colnames"} <= {*getattr(item, "keys", dict)()} | {
            *item.attrs
        }:
            return
        for column in item.attrs["colnames"]:
            is_text = column in item and item[column].dtype.kind == "O"
            named = column == wanted if wanted else plain_name(column) in LABEL_NAMES
            if is_text and named:
                found[name] = (item, column)
                return

    file.visititems(look)
    return found


def _choose(tables: dict[str, tuple[Any, str]], path: Path, column: str | None) -> str:
    for ours in _OURS:
        mine = [name for name in tables if name.rsplit("/", 1)[-1] == ours]
        if len(mine) == 1:
            return mine[0]
    if len(tables) == 1:
        return next(iter(tables))
    what = f"column {column!r}" if column else "column of states (state, stage, label, ...)"
    raise BadScores(
        f"several tables have a {what}: {', '.join(tables)}"
        if tables
        else f"no table of intervals in it has a {what}",
        where=path.name,
        remedy="name a column that one of them alone has (--column)"
        if tables
        else "name the column (--column), or export the scores as a table",
    )


def _zero(file: Any) -> datetime | None:
    """What second 0 is on the clock of whoever recorded."""
    for name in ("timestamps_reference_time", "session_start_time"):
        if name in file:
            value = file[name][()]
            return parse_clock(value.decode() if isinstance(value, bytes) else str(value))
    return None


def write_nwb_scores(hypnogram: Hypnogram, options: WriteOptions) -> Written:
    """A small NWB file with nothing but the hypnogram.

    Raises
    ------
    BadScores
        Nothing says when the session began, or in which time zone: NWB can't do without.
    """
    import h5py
    from pynwb import NWBHDF5IO, NWBFile

    from wakeful.io.nwb_sleep import make_sleep_intervals

    on_grid(hypnogram)
    tables = make_sleep_intervals(hypnogram)
    digest = sha256(np.ascontiguousarray(hypnogram.state).tobytes())
    digest.update(hypnogram.scorer.encode())
    nwbfile = NWBFile(
        session_description=f"Vigilance states, {hypnogram.scorer}",
        identifier=digest.hexdigest(),
        session_start_time=_start(options),
        keywords=["sleep", "hypnogram"],
    )
    module = nwbfile.create_processing_module(
        "behavior", "States, movement and position of the animal"
    )
    for table in tables:
        module.add(table)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file, NWBHDF5IO(file=file, mode="w") as writer:
        writer.write(nwbfile)
    return Written(data=buffer.getvalue())


def _start(options: WriteOptions) -> datetime:
    if options.start_local is None or not options.zone:
        lacking = "when the session began" if options.start_local is None else "its time zone"
        raise BadScores(
            f"an NWB file must say {lacking}",
            where="writing NWB",
            remedy='give --start "2026-03-02 09:15:00" and --zone Europe/Berlin',
        )
    try:
        return options.start_local.replace(tzinfo=ZoneInfo(options.zone))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadScores(
            f"there is no time zone {options.zone!r}",
            where="--zone",
            remedy="as in Europe/Berlin",
        ) from error
