"""What people were told, so that a restart tells nothing twice and loses nothing unsaid."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import RowMapping, select

from wakeful.ledger.database import Database, now_utc
from wakeful.ledger.errors import UnknownRecord
from wakeful.ledger.schema import NOTICES


@dataclass(frozen=True, kw_only=True)
class NoticeRecord:
    """Something that people are told, or were."""

    id: int
    reason: str
    """Notices of one reason say the same."""
    kind: str
    """"failure", "warning" or "info"."""
    title: str
    text: str
    made: datetime
    delivered_to: frozenset[str]
    """Marks of the addresses that have it."""
    ended: datetime | None
    """When every address had it, or it was given up."""
    n_attempts: int
    next_try: datetime


class NoticeStore(Database):
    """The outbox."""

    def add_notice(
        self,
        reason: str,
        *,
        kind: str,
        title: str,
        text: str,
        repeat_after: timedelta,
        to_be_sent: bool,
        now: datetime | None = None,
    ) -> bool:
        """Note what is to be told, unless the same was told more recently than `repeat_after`.

        Parameters
        ----------
        to_be_sent : False where there is nobody to send it to; it is then only kept
        now : the present time

        Returns
        -------
        Whether it was noted.
        """
        now = now or now_utc()
        since = NOTICES.c.made > now - repeat_after
        with self.writing() as connection:
            known = select(NOTICES.c.id).where(NOTICES.c.reason == reason, since)
            if connection.execute(known).first() is not None:
                return False
            connection.execute(
                NOTICES.insert().values(
                    reason=reason,
                    kind=kind,
                    title=title,
                    text=text,
                    made=now,
                    delivered_to="[]",
                    ended=None if to_be_sent else now,
                    n_attempts=0,
                    next_try=now,
                )
            )
        return True

    def due_notices(self, now: datetime | None = None) -> tuple[NoticeRecord, ...]:
        """Those that some address has not got and that are to be tried by now, oldest first."""
        query = (
            select(NOTICES)
            .where(NOTICES.c.ended.is_(None), NOTICES.c.next_try <= (now or now_utc()))
            .order_by(NOTICES.c.id)
        )
        with self.reading() as connection:
            return tuple(map(_notice, connection.execute(query).mappings()))

    def notices(self, last: int) -> tuple[NoticeRecord, ...]:
        """The latest notices, oldest first."""
        query = select(NOTICES).order_by(NOTICES.c.id.desc()).limit(last)
        with self.reading() as connection:
            return tuple(map(_notice, connection.execute(query).mappings()))[::-1]

    def note_delivery(
        self,
        notice_id: int,
        delivered_to: Iterable[str],
        *,
        ended: bool,
        next_try: datetime,
    ) -> None:
        """Note how an attempt to deliver a notice went.

        Parameters
        ----------
        delivered_to : marks of addresses that have it now
        ended : whether no further attempt is to be made
        next_try : when the next one is due

        Raises
        ------
        UnknownRecord
            There is no such notice.
        """
        with self.writing() as connection:
            found = (
                connection.execute(select(NOTICES).where(NOTICES.c.id == notice_id))
                .mappings()
                .first()
            )
            if found is None:
                raise UnknownRecord("there is no such notice", where=f"notice {notice_id}")
            have = {*json.loads(found["delivered_to"]), *delivered_to}
            connection.execute(
                NOTICES.update()
                .where(NOTICES.c.id == notice_id)
                .values(
                    delivered_to=json.dumps(sorted(have)),
                    ended=now_utc() if ended else None,
                    n_attempts=found["n_attempts"] + 1,
                    next_try=next_try,
                )
            )

    def forget_notices(self, before: datetime) -> int:
        """Forget those that ended before a time; how many."""
        with self.writing() as connection:
            done = connection.execute(
                NOTICES.delete().where(NOTICES.c.ended.is_not(None), NOTICES.c.ended < before)
            )
            return int(done.rowcount)


def _notice(found: RowMapping) -> NoticeRecord:
    values = dict(found)
    return NoticeRecord(**{**values, "delivered_to": frozenset(json.loads(values["delivered_to"]))})
