"""Marks of Spike2 (CED) exported as text: an event or TextMark channel with the states.

Two shapes are read. A text export has sections; in the one of the channel ("CHANNEL") each line
holds a time in seconds, maybe codes, and at its end the mark's text. A plain list has a time and a
text on each line. Every mark holds until the next one, or for one epoch where they are epochs.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wakeful.io.scores.grid import WriteOptions, Written, seconds_text
from wakeful.io.scores.lines import Made, ReadOptions, gather, hold, parse_number, read_text_lines
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadScores
from wakeful.model.scores import ScoredStretches

_MARKS = {State.AWAKE: "W", State.NREM: "NR", State.REM: "R", State.UNCLASSIFIED: "U"}
_MARKS[State.NO_DATA] = "NO DATA"


def looks_like_spike2(lines: Sequence[tuple[int, str]]) -> bool:
    """Whether it has the sections of a text export."""
    heads = {line.strip().strip('"').split('"')[0].strip() for _, line in lines[:200]}
    return bool(heads & {"INFORMATION", "SUMMARY"}) and any(
        head == "CHANNEL" or head.startswith("CHANNEL\t") for head in heads
    )


def read_spike2(path: Path, options: ReadOptions) -> ScoredStretches:
    """Read the marks of one channel.

    Raises
    ------
    BadScores
        It holds no marks, those of several channels, or a line can't be read.
    """
    lines = read_text_lines(path)
    channels = [
        i for i, (_, line) in enumerate(lines) if line.strip().strip('"').startswith("CHANNEL")
    ]
    found: dict[str, list[tuple[int, float, str]]] = {}
    for first, stop in zip(channels or [-1], [*channels[1:], len(lines)], strict=False):
        name = _cells(lines[first][1])[-1] if channels else ""
        marks = _marks(lines[first + 1 : stop], path, strict=not channels)
        if marks:
            found[name] = marks
    if options.column is not None and channels:
        found = {name: marks for name, marks in found.items() if name == options.column}
    if len(found) != 1:
        what = f"channels {', '.join(found)} hold marks" if found else "it holds no marks with text"
        raise BadScores(
            what,
            where=path.name,
            remedy="name the channel of the states with --column"
            if found
            else "export the channel with the states (TextMark or Marker) as text",
        )
    (marks,) = found.values()
    start_s = np.array([time_s for _, time_s, _ in marks])
    label = [text for _, _, text in marks]
    place = [f"line {number}" for number, _, _ in marks]
    stop_s, epoch_s, notes = hold(start_s, label, place, options, path)
    made = Made(format="spike2", epoch_s=epoch_s, notes=notes)
    return gather(start_s, stop_s, label, place, path, made)


def _cells(line: str) -> list[str]:
    """Cells parted by blanks, tabs or commas; those in quotes are kept whole."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace = " \t,"
    lexer.whitespace_split = True
    lexer.commenters = ""
    lexer.quotes = '"'
    lexer.escape = ""
    try:
        return list(lexer)
    except ValueError:
        return line.replace('"', " ").split()


def _marks(
    lines: Sequence[tuple[int, str]], path: Path, *, strict: bool
) -> list[tuple[int, float, str]]:
    """Line, time and text of each mark; other lines of a section are its description."""
    marks: list[tuple[int, float, str]] = []
    for number, line in lines:
        cells = _cells(line)
        time_s = parse_number(cells[0]) if cells else None
        if time_s is None or len(cells) < 2:
            if strict and marks:
                raise BadScores(
                    f"line {number} ({line.strip()!r}) is not a time and a text",
                    where=path.name,
                    remedy="correct it, as in: 12.5 NR",
                )
            continue
        if strict or '"' in line:
            marks.append((number, time_s, cells[-1]))
    return marks


def write_spike2(hypnogram: Hypnogram, options: WriteOptions) -> Written:  # noqa: ARG001
    """A time and a text for each change of state, for Spike2's import of text marks.

    What has no data begins with the mark NO DATA, and so does what comes behind the last bout.
    """
    lines: list[str] = []
    end_s: float | None = None
    before: State | None = None
    for state, part in hypnogram.bouts():
        if end_s is not None and part.start_s > end_s + 1e-3 and before != State.NO_DATA:
            lines.append(f'{seconds_text(end_s)}\t"{_MARKS[State.NO_DATA]}"')
            before = State.NO_DATA
        if state != before:
            lines.append(f'{seconds_text(part.start_s)}\t"{_MARKS[state]}"')
        end_s, before = part.stop_s, state
    if end_s is None:
        raise BadScores("the hypnogram is empty", remedy="give one that holds epochs")
    if before != State.NO_DATA:
        lines.append(f'{seconds_text(end_s)}\t"{_MARKS[State.NO_DATA]}"')
    return Written(data=("\n".join(lines) + "\n").encode())
