"""Marks that people set on channels: "bad from here to there", "not bad after all".

They belong to a subject's recording, by the path that its rows name, and to no row: a row that is
deleted, added again or run anew finds them where they were.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, select

from wakeful.ledger import audit
from wakeful.ledger.database import Database, now_utc
from wakeful.ledger.errors import UnknownRecord
from wakeful.ledger.schema import MARKS
from wakeful.model.errors import BadMark
from wakeful.model.quality import Mark, Verdict


@dataclass(frozen=True, kw_only=True)
class MarkCells:
    """A mark and what it is of."""

    subject: str
    recording: str
    """The path that the rows name."""
    mark: Mark

    def plain(self) -> dict[str, object]:
        """For the audit log."""
        mark = self.mark
        return {
            "subject": self.subject,
            "recording": self.recording,
            "channels": list(mark.channels),
            "start_s": mark.start_s,
            "stop_s": mark.stop_s,
            "verdict": mark.verdict.value,
            "reason": mark.reason,
            "author": mark.author,
        }


@dataclass(frozen=True, kw_only=True)
class MarkRecord(MarkCells):
    """A mark in the database."""

    id: int
    made: datetime
    deleted: datetime | None


def _record(found: RowMapping) -> MarkRecord:
    return MarkRecord(
        id=found["id"],
        subject=found["subject"],
        recording=found["recording"],
        mark=Mark(
            channels=tuple(json.loads(found["channels"])),
            start_s=found["start_s"],
            stop_s=found["stop_s"],
            verdict=Verdict(found["verdict"]),
            reason=found["reason"],
            author=found["author"],
        ),
        made=found["made"],
        deleted=found["deleted"],
    )


def _problems(cells: MarkCells) -> list[str]:
    mark = cells.mark
    problems = []
    if not (0 <= mark.start_s < mark.stop_s and math.isfinite(mark.stop_s)):
        problems.append(f"{mark.start_s:g} to {mark.stop_s:g} s is no stretch of a session")
    if not mark.reason.strip():
        problems.append("the reason is empty")
    if not cells.subject.strip() or not cells.recording.strip():
        problems.append("subject or recording is empty")
    if any(not name.strip() for name in mark.channels):
        problems.append("a channel's name is empty")
    texts = (cells.subject, cells.recording, mark.reason, mark.author, *mark.channels)
    if any(not _is_text(text) for text in texts):
        problems.append("a text holds what is not text")
    return problems


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _get(connection: Connection, mark_id: int) -> MarkRecord:
    found = connection.execute(select(MARKS).where(MARKS.c.id == mark_id)).mappings().first()
    if found is None or found["deleted"] is not None:
        raise UnknownRecord(
            "there is no such mark" if found is None else "the mark was deleted",
            where=f"mark {mark_id}",
            remedy="see `wakeful marks list`",
        )
    return _record(found)


class MarkStore(Database):
    """The marks. Every change is logged in the same transaction."""

    def add_marks(self, marks: Sequence[MarkCells], *, actor: str) -> tuple[MarkRecord, ...]:
        """Add all marks, or none. Of two that overlap the one added later wins.

        Raises
        ------
        BadMark
            Names everything that is wrong with any of them.
        """
        problems = [
            f"mark {number}: {problem}"
            for number, cells in enumerate(marks, 1)
            for problem in _problems(cells)
        ]
        if problems:
            raise BadMark(" | ".join(problems), remedy="correct it; nothing was added")
        made: list[MarkRecord] = []
        with self.writing() as connection:
            for cells in marks:
                mark = cells.mark
                answer = connection.execute(
                    MARKS.insert().values(
                        subject=cells.subject,
                        recording=cells.recording,
                        channels=json.dumps(list(mark.channels), ensure_ascii=False),
                        start_s=mark.start_s,
                        stop_s=mark.stop_s,
                        verdict=mark.verdict.value,
                        reason=mark.reason,
                        author=mark.author,
                        made=now_utc(),
                        deleted=None,
                    )
                )
                mark_id = answer.lastrowid
                made.append(_get(connection, mark_id))
                audit.record(connection, actor, "add", f"mark {mark_id}", None, cells.plain())
        return tuple(made)

    def delete_mark(self, mark_id: int, *, actor: str) -> MarkRecord:
        """Take a mark back; it is kept, as deleted.

        Raises
        ------
        UnknownRecord
            There is no such mark, or it was deleted before.
        """
        with self.writing() as connection:
            mark = _get(connection, mark_id)
            connection.execute(
                MARKS.update().where(MARKS.c.id == mark_id).values(deleted=now_utc())
            )
            audit.record(connection, actor, "delete", f"mark {mark_id}", mark.plain(), None)
            return mark

    def marks(
        self, subject: str | None = None, recording: str | None = None
    ) -> tuple[MarkRecord, ...]:
        """The marks that hold, of a subject, of a recording, or all; in the order they were set."""
        query = select(MARKS).where(MARKS.c.deleted.is_(None)).order_by(MARKS.c.id)
        if subject is not None:
            query = query.where(MARKS.c.subject == subject)
        if recording is not None:
            query = query.where(MARKS.c.recording == recording)
        with self.reading() as connection:
            return tuple(map(_record, connection.execute(query).mappings()))
