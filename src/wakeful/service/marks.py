"""Marks on channels, as people give them: by row, with local times, in CSV files."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from wakeful.catalog import Catalog
from wakeful.config import Library
from wakeful.io.atomic import storable_text, write_bytes
from wakeful.io.channels_file import find_channels_file, label_stream
from wakeful.io.mirror import intake_folder, read_manifest
from wakeful.io.recording import choose_stream, read_recording
from wakeful.ledger import Ledger, MarkCells, MarkRecord
from wakeful.model.errors import BadMark, BadRow
from wakeful.model.quality import Mark, Verdict
from wakeful.model.subject import Session
from wakeful.service.row_rules import make_context
from wakeful.service.targets import local_to_utc, make_session, prepare
from wakeful.sheet.interface import Sheet
from wakeful.sheet.request import Request
from wakeful.sheet.validate import validate_rows

COLUMNS = (
    "subject",
    "recording",
    "channels",
    "start_s",
    "stop_s",
    "verdict",
    "reason",
    "author",
    "made",
)
"""Of a CSV of marks; `channels` are parted by semicolons, empty for all; `made` is not read."""


@dataclass(frozen=True)
class Markable:
    """A row's recording, as far as marking it needs."""

    request: Request
    session: Session
    channels: tuple[str, ...]


def find_markable(library: Library, sheet: Sheet, catalog: Catalog, number: int) -> Markable:
    """The recording of a row, opened where it was taken in, else where it lies.

    Raises
    ------
    BadRow
        There is no such row, or it is not valid.
    WakefulError
        The recording can't be read.
    """
    for checked in validate_rows(sheet.read_rows(), make_context(library, catalog)):
        if checked.row.number != number:
            continue
        if checked.error is not None:
            raise checked.error
        if checked.standing is not None:
            raise BadRow(
                "stands for many recordings",
                where=checked.row.where,
                remedy="name the row of the recording that is meant",
            )
        if checked.request is not None:
            return _open(library, checked.request)
    raise BadRow("there is no such row", where=f"row {number}", remedy="see `wakeful status`")


def _open(library: Library, request: Request) -> Markable:
    folder = intake_folder(library.raw, request.recording)
    manifest = read_manifest(folder)
    if manifest is not None:
        target = prepare(request, library, manifest, folder).target
        return Markable(request, target.session, tuple(c.name for c in target.stream.channels))
    description = read_recording(request.recording).description
    stream, _ = choose_stream(description, request.stream)
    elsewhere = [c.name for s in description.streams if s is not stream for c in s.channels]
    file = request.channels or find_channels_file(request.recording)
    stream, _ = label_stream(stream, file, elsewhere)
    session, _ = make_session(request, description, stream, library)
    names = tuple(c.name for c in stream.channels if c.subject in ("", request.subject))
    return Markable(request, session, names)


def make_mark(
    markable: Markable,
    *,
    channels: tuple[str, ...],
    start: str,
    stop: str,
    verdict: Verdict,
    reason: str,
    author: str,
) -> MarkCells:
    """A mark from what a person typed, checked against the recording.

    Parameters
    ----------
    channels : names; empty for all
    start, stop : seconds from the session's start, or local time ("2026-03-02 13:02:11", or
        "13:02:11" in a session of one day); "start" and "end" for the session's own

    Raises
    ------
    BadMark
        Everything that is wrong, at once.
    """
    problems = []
    session = markable.session
    unknown = [name for name in channels if name not in markable.channels]
    if unknown:
        problems.append(
            f"the recording has no channel {', '.join(unknown)} (it has "
            f"{', '.join(markable.channels)})"
        )
    times_s: list[float] = []
    for name, text in (("from", start), ("to", stop)):
        try:
            times_s.append(parse_time(text, session))
        except BadMark as error:
            problems.append(f"{name}: {error.what}")
    if len(times_s) == 2:
        if not times_s[0] < times_s[1]:
            problems.append(f"it would end ({stop}) before it begins ({start})")
        elif times_s[0] >= session.duration_s or times_s[1] <= 0:
            problems.append(f"it lies outside the session, which lasts {session.duration_s:,.1f} s")
    if not reason.strip():
        problems.append("the reason is empty: say what you saw")
    if problems:
        raise BadMark(
            " | ".join(problems), where=session.name, remedy="correct it; nothing was marked"
        )
    mark = Mark(
        channels=channels,
        start_s=max(0.0, times_s[0]),
        stop_s=min(times_s[1], session.duration_s),
        verdict=verdict,
        reason=storable_text(reason.strip()),
        author=storable_text(author),
    )
    request = markable.request
    return MarkCells(
        subject=request.subject, recording=storable_text(str(request.recording)), mark=mark
    )


def parse_time(text: str, session: Session) -> float:
    """Seconds from the session's start, from seconds or a time on the lab's clock.

    Raises
    ------
    BadMark
        It is neither, or the lab's clock showed it twice, or never, or the session's start is not
        known, or a time without date could be of several days.
    """
    text = text.strip()
    if text in ("start", "end"):
        return 0.0 if text == "start" else session.duration_s
    try:
        seconds = float(text)
    except ValueError:
        return _parse_local(text, session)
    if not math.isfinite(seconds):
        raise BadMark(f"{text} is no time")
    return seconds


def _parse_local(text: str, session: Session) -> float:
    if session.start_utc is None or session.start_local is None:
        raise BadMark(f"{text!r} is no number of seconds, and when the session began is not known")
    zone = session.time_zone
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        dates = {day.date for day in session.days()}
        if len(dates) > 1:
            raise BadMark(
                f"{text!r} is no number of seconds and no date with time (2026-03-02 13:02:11)"
            ) from None
        try:
            moment = datetime.fromisoformat(f"{dates.pop().isoformat()} {text}")
        except ValueError:
            raise BadMark(
                f"{text!r} is no number of seconds and no time (13:02:11, 2026-03-02 13:02:11)"
            ) from None
    if moment.tzinfo is not None:
        return (moment.astimezone(UTC) - session.start_utc).total_seconds()
    utc, ambiguous = local_to_utc(moment, zone)
    if ambiguous:
        offset = utc.astimezone(ZoneInfo(zone)).isoformat()[-6:]
        raise BadMark(
            f"{text} came twice, or never, in {zone}: the clocks changed; give it with its offset, "
            f"for example {text}{offset}, or in seconds"
        )
    return (utc - session.start_utc).total_seconds()


def write_marks(path: Path, marks: tuple[MarkRecord, ...]) -> None:
    """Write marks to a CSV file that `read_marks` reads."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for found in marks:
        mark = found.mark
        writer.writerow(
            [
                found.subject,
                found.recording,
                ";".join(mark.channels),
                repr(mark.start_s),
                repr(mark.stop_s),
                mark.verdict.value,
                _guard(mark.reason),
                _guard(mark.author),
                found.made.isoformat(timespec="seconds"),
            ]
        )
    write_bytes(path, buffer.getvalue().encode())


def _guard(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _unguard(text: str) -> str:
    return text[1:] if text.startswith(("'=", "'+", "'-", "'@")) else text


def read_marks(path: Path, author: str) -> tuple[MarkCells, ...]:
    """The marks of a CSV file; those without an author are `author`'s.

    Raises
    ------
    BadMark
        Names every line that can't be used.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadMark(
            f"is not UTF-8 ({error.reason})", where=str(path), remedy="save it as CSV, UTF-8"
        ) from None
    reader = csv.DictReader(io.StringIO(text))
    needed = [name for name in COLUMNS if name not in ("author", "made", "channels")]
    missing = [name for name in needed if name not in (reader.fieldnames or ())]
    if missing:
        raise BadMark(
            f"lacks the columns {', '.join(missing)}",
            where=str(path),
            remedy=f"its first line names {', '.join(COLUMNS)}",
        )
    marks: list[MarkCells] = []
    problems: list[str] = []
    for number, line in enumerate(reader, 2):
        cells = {name: _unguard((line.get(name) or "").strip()) for name in COLUMNS}
        try:
            marks.append(_from_cells(cells, author))
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        raise BadMark(" | ".join(problems), where=str(path), remedy="correct it; nothing was added")
    return tuple(marks)


def _from_cells(cells: dict[str, str], author: str) -> MarkCells:
    if cells["verdict"] not in list(Verdict):
        raise ValueError(f"verdict is {cells['verdict']!r}; it is bad or good")
    names = tuple(name for part in cells["channels"].split(";") if (name := part.strip()))
    if not cells["reason"]:
        raise ValueError("the reason is empty")
    return MarkCells(
        subject=cells["subject"],
        recording=cells["recording"],
        mark=Mark(
            channels=names,
            start_s=float(cells["start_s"]),
            stop_s=float(cells["stop_s"]),
            verdict=Verdict(cells["verdict"]),
            reason=cells["reason"],
            author=cells["author"] or author,
        ),
    )


def import_marks(ledger: Ledger, path: Path, actor: str) -> tuple[int, int]:
    """Add the marks of a CSV file, all or none; those that are there already are passed over.

    Returns
    -------
    How many were added, and how many were there.
    """
    read = read_marks(path, actor)
    there = {
        MarkCells(subject=m.subject, recording=m.recording, mark=m.mark) for m in ledger.marks()
    }
    new = [cells for cells in dict.fromkeys(read) if cells not in there]
    ledger.add_marks(new, actor=actor)
    return len(new), len(read) - len(new)
