"""Scores as annotations of EDF+ files (Kemp and Olivan 2003), read and written.

Annotations with the text "Sleep stage W" (or R, N, 1, 2, 3, 4, ?) are scores; where a file has
such, its other annotations are none. Where it has none, each must be a label that is known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from wakeful.io.edf_header import EdfHeader, count_edf_records, read_edf_header
from wakeful.io.open_files import read_bytes
from wakeful.io.scores.grid import WriteOptions, Written, scored_bouts, seconds_text
from wakeful.io.scores.lines import Made, ReadOptions, gather, hold, uniform_length
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadScores
from wakeful.model.scores import ScoredStretches

_STAGES = {State.AWAKE: "W", State.NREM: "N", State.REM: "R", State.UNCLASSIFIED: "?"}
_PREFIX = "sleep stage"
# "?" is what EDF+ calls unscored; hypnograms written here mean "unclassified" by it.
_MEANING = (
    ("1", State.NREM),
    ("2", State.NREM),
    ("3", State.NREM),
    ("4", State.NREM),
    ("N", State.NREM),
    ("W", State.AWAKE),
    ("R", State.REM),
    ("?", State.UNCLASSIFIED),
)
_LIST = re.compile(
    rb"([+-][0-9]+(?:\.[0-9]*)?)(?:\x15([0-9]+(?:\.[0-9]*)?))?\x14((?:[^\x00\x14]*\x14)*)\x00"
)
_TEXT_BYTES = 60
"""Room for one annotation of ours; an even number of bytes."""
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@dataclass(frozen=True)
class Annotation:
    """One text of an EDF+ file."""

    onset_s: float
    """Seconds from the file's start (its header's date and time)."""
    duration_s: float | None
    """None where the file gives none."""
    text: str
    record: int
    """Counted from 1."""


def read_annotations(path: Path) -> tuple[list[Annotation], datetime | None]:
    """All annotations of an EDF+ or BDF+ file in order of time, and its start on the lab's clock.

    Raises
    ------
    BadScores
        It has no channel of annotations.
    TruncatedFile, BadRecording
        The file is damaged.
    """
    size = path.stat().st_size
    header: EdfHeader = read_edf_header(path, size)
    n_records = count_edf_records(path, size, header, [])
    signals = [signal for signal in header.signals if signal.is_annotation]
    if not signals:
        raise BadScores(
            "it is a plain EDF without annotations",
            where=path.name,
            remedy="give the EDF+ file with the scores, often named ..._hypnogram.edf",
        )
    found: list[Annotation] = []
    for record in range(n_records):
        for signal in signals:
            at = header.header_bytes + record * header.record_bytes + signal.at
            raw = read_bytes(path, at, signal.n_samples * header.encoding.n_bytes)
            for onset, duration, texts in _LIST.findall(raw):
                found += [
                    Annotation(
                        float(onset),
                        float(duration) if duration else None,
                        text.decode("utf-8", errors="replace").strip(),
                        record + 1,
                    )
                    # The first list of a record has an empty text: it tells the time.
                    for text in texts.split(b"\x14")
                    if text
                ]
    start = header.start.replace(tzinfo=None) if header.start is not None else None
    return sorted(found, key=lambda a: a.onset_s), start


def read_edf_scores(path: Path, options: ReadOptions) -> ScoredStretches:
    """Read the annotations that are scores.

    Raises
    ------
    BadScores
        It holds no annotation, or some have a duration and others have not.
    """
    annotations, start = read_annotations(path)
    staged = [a for a in annotations if a.text.casefold().startswith(_PREFIX)]
    notes: list[str] = []
    if staged and len(staged) < len(annotations):
        others = sorted({a.text for a in annotations} - {a.text for a in staged})
        shown = ", ".join(others[:6])
        notes.append(f"annotations that are no sleep stages are left out: {shown}")
    chosen = staged or annotations
    if not chosen:
        raise BadScores(
            "it holds no annotation", where=path.name, remedy="give the file with the scores"
        )
    label = [a.text[len(_PREFIX) :].strip() if staged else a.text for a in chosen]
    place = [f"annotation at {seconds_text(a.onset_s)} s (record {a.record})" for a in chosen]
    start_s = np.array([a.onset_s for a in chosen])
    timed = [a.duration_s is not None and a.duration_s > 0 for a in chosen]
    if all(timed):
        stop_s = start_s + np.array([a.duration_s or 0.0 for a in chosen])
        epoch_s = uniform_length(start_s, stop_s) if len(chosen) > 1 else 0.0
    elif not any(timed):
        stop_s, epoch_s, more = hold(start_s, label, place, options, path)
        notes += more
    else:
        raise BadScores(
            f"{place[timed.index(False)]} has no duration, others have one",
            where=path.name,
            remedy="write them all with a duration, or none",
        )
    made = Made(
        format="edf",
        epoch_s=epoch_s or (options.epoch_s or 0.0),
        zero_local=start,
        meaning=_MEANING if staged else (),
        notes=tuple(notes),
    )
    return gather(start_s, stop_s, label, place, path, made)


def write_edf_scores(hypnogram: Hypnogram, options: WriteOptions) -> Written:
    """An EDF+ file of annotations only: one a bout, "Sleep stage W", N, R or ?.

    Time without data has no annotation. Where the session's start is not known, the file says so in
    the way EDF+ has for it (Startdate X).
    """
    bouts = scored_bouts(hypnogram)
    start = options.start_local
    notes: tuple[str, ...] = ()
    if start is None:
        notes = ("the session's start is not known: the file carries no date",)
    elif start.microsecond:
        # The header tells whole seconds; the rest is the onset of the first record.
        notes = ("the header tells whole seconds: onsets count from the second of the start",)
    fraction_s = 0.0 if start is None else start.microsecond / 1e6
    records = [f"+{seconds_text(fraction_s)}\x14\x14\x00".encode().ljust(_TEXT_BYTES, b"\0")]
    for state, part in bouts:
        onset = f"+{seconds_text(fraction_s + part.start_s)}"
        text = f"{onset}\x15{seconds_text(part.duration_s)}\x14Sleep stage {_STAGES[state]}\x14\x00"
        keeper = f"+{seconds_text(fraction_s)}\x14\x14\x00"
        records.append((keeper + text).encode().ljust(_TEXT_BYTES, b"\0"))
    too_long = max(len(record) for record in records)
    records = [record.ljust(too_long + too_long % 2, b"\0") for record in records]
    head = _header(start, len(records), len(records[0]) // 2)
    return Written(data=head + b"".join(records), notes=notes)


def _header(start: datetime | None, n_records: int, n_samples: int) -> bytes:
    date = "X" if start is None else f"{start:%d}-{_MONTHS[start.month - 1]}-{start:%Y}"
    shown = (
        ("01.01.85", "00.00.00") if start is None else (f"{start:%d.%m.%y}", f"{start:%H.%M.%S}")
    )
    fixed = (
        ("0", 8),
        ("X X X X", 80),
        (f"Startdate {date} X X X", 80),
        (shown[0], 8),
        (shown[1], 8),
        ("512", 8),
        ("EDF+C", 44),
        (f"{n_records}", 8),
        ("0", 8),
        ("1", 4),
    )
    signal = (
        ("EDF Annotations", 16),
        ("", 80),
        ("", 8),
        ("-1", 8),
        ("1", 8),
        ("-32768", 8),
        ("32767", 8),
        ("", 80),
        (f"{n_samples}", 8),
        ("", 32),
    )
    return b"".join(text.ljust(width).encode("ascii") for text, width in (*fixed, *signal))
