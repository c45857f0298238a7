"""Hypnograms of Visbrain's Sleep (Combrisson et al. 2017), as text.

Stage and duration (the default since its release 0.4): a line for each bout with the stage and the
second at which it *ends*, from 0 on; lines that begin with an asterisk are remarks. One value a
sample (the older way): a number a line, whose meaning and distance stand in a second file,
NAME_description.txt (Time, Wake, N1, N2, N3, REM, Artefact).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from wakeful.io.scores.grid import WriteOptions, Written, scored_bouts, seconds_text
from wakeful.io.scores.lines import (
    Made,
    ReadOptions,
    gather,
    parse_number,
    read_text_lines,
)
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadScores
from wakeful.model.scores import ScoredStretches

_STAGES = {State.AWAKE: "Wake", State.NREM: "N2", State.REM: "REM", State.UNCLASSIFIED: "Art"}
_DESCRIBED = {"wake": State.AWAKE, "n1": State.NREM, "n2": State.NREM, "n3": State.NREM}
_DESCRIBED |= {"n4": State.NREM, "rem": State.REM, "artefact": State.UNCLASSIFIED}
_DESCRIBED |= {"art": State.UNCLASSIFIED}
_DURATION = "*duration_sec"


def description_of(path: Path) -> Path:
    """Where the meaning of sample-wise values stands."""
    return path.with_name(f"{path.stem}_description.txt")


def looks_like_visbrain(path: Path, lines: Sequence[tuple[int, str]]) -> bool:
    """Whether it has remarks with an asterisk, stages with rising seconds, or a description."""
    if description_of(path).is_file():
        return True
    # An asterisk alone is some labs' mark of an artefact.
    first = lines[0][1].strip()
    return first.startswith("*") and len(first.split()) > 1


def read_visbrain(path: Path, options: ReadOptions) -> ScoredStretches:
    """Read either of the two ways.

    Raises
    ------
    BadScores
        A line is neither, seconds do not rise, or the file of meanings is missing or incomplete.
    """
    lines = read_text_lines(path)
    remarks = [line.strip() for _, line in lines if line.startswith("*") and len(line.split()) > 1]
    body = [(n, line.split()) for n, line in lines if not line.startswith("*")]
    if not body:
        raise BadScores("it holds remarks only", where=path.name, remedy="save it again")
    if all(len(cells) == 1 for _, cells in body):
        return _read_samples(path, body, options)
    label: list[str] = []
    stop_s: list[float] = []
    for number, cells in body:
        value = parse_number(cells[-1])
        if len(cells) < 2 or value is None:
            raise BadScores(
                f"line {number} ({' '.join(cells)!r}) is not a stage and the second it ends at",
                where=path.name,
                remedy="correct it, as in: Wake 500",
            )
        label.append(" ".join(cells[:-1]))
        stop_s.append(value)
    for (a, b), (number, _) in zip(pairwise([0.0, *stop_s]), body, strict=True):
        if b <= a:
            raise BadScores(
                f"line {number} ends at {b:g} s, the one above it at {a:g} s",
                where=path.name,
                remedy="seconds count from the start of the file and must rise",
            )
    said = next((r.split()[1] for r in remarks if r.casefold().startswith(_DURATION)), None)
    duration_s = None if said is None else parse_number(said)
    notes: tuple[str, ...] = ()
    if duration_s is not None and abs(duration_s - stop_s[-1]) > 1.0:
        notes = (f"it says it lasts {duration_s:g} s, its stages end at {stop_s[-1]:g} s",)
    made = Made(format="visbrain", epoch_s=options.epoch_s or 0.0, notes=notes)
    return gather(
        np.r_[0.0, stop_s[:-1]],
        np.array(stop_s),
        label,
        [f"line {number}" for number, _ in body],
        path,
        made,
    )


def _read_samples(
    path: Path, body: Sequence[tuple[int, list[str]]], options: ReadOptions
) -> ScoredStretches:
    beside = description_of(path)
    meaning: list[tuple[str, State]] = []
    step_s = options.epoch_s
    if beside.is_file():
        for number, line in read_text_lines(beside):
            name, _, text = line.strip().replace("\t", " ").partition(" ")
            value = parse_number(text)
            if value is None:
                raise BadScores(
                    f"line {number} ({line!r}) is not a name and a number",
                    where=beside.name,
                    remedy="write lines as: Wake 0",
                )
            if name.casefold() == "time":
                step_s = value if step_s is None else step_s
            elif name.casefold() in _DESCRIBED:
                meaning.append((f"{value:g}", _DESCRIBED[name.casefold()]))
    if step_s is None or not step_s > 0:
        raise BadScores(
            "it has one value a line, and nothing says how far apart they are",
            where=path.name,
            remedy=f"put {beside.name} beside it (Time 1, Wake 0, N1 1, N2 2, N3 3, REM 4, "
            "Artefact -1), or give --epoch and --labels",
        )
    cells = [cells[0] for _, cells in body]
    values = [parse_number(cell) for cell in cells]
    label = [
        cell if value is None else f"{value:g}" for cell, value in zip(cells, values, strict=True)
    ]
    start_s = np.arange(len(label), dtype=np.float64) * step_s
    made = Made(format="visbrain", epoch_s=step_s, meaning=tuple(meaning))
    place = [f"line {number}" for number, _ in body]
    return gather(start_s, start_s + step_s, label, place, path, made)


def write_visbrain(hypnogram: Hypnogram, options: WriteOptions) -> Written:  # noqa: ARG001
    """Stages and the seconds they end at; NREM is written as N2, which Visbrain knows.

    Time without data becomes Art: the format can't leave any out.
    """
    lines: list[str] = []
    end_s = 0.0
    n_filled = 0
    for state, part in scored_bouts(hypnogram):
        if part.start_s > end_s + 1e-3:
            lines.append(f"Art\t{seconds_text(part.start_s)}")
            n_filled += 1
        lines.append(f"{_STAGES[state]}\t{seconds_text(part.stop_s)}")
        end_s = part.stop_s
    head = [f"*Duration_sec\t{seconds_text(end_s)}", "*Datafile\tUnspecified"]
    notes = (
        (f"{n_filled:,} stretches without data are written as Art: the format can't leave any out",)
        if n_filled
        else ()
    )
    return Written(data=("\n".join([*head, *lines]) + "\n").encode(), notes=notes)
