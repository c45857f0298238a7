"""Who changed what, when: every change a person makes, with what was there before."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from wakeful.ledger.database import Database, now_utc
from wakeful.ledger.schema import AUDIT


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One change."""

    id: int
    time: datetime
    actor: str
    """Who: the name a person is known by here."""
    action: str
    """What was done: "add", "edit", "delete", "status", ..."""
    what: str
    """To what: "row 14"."""
    before: str | None
    """JSON; None where there was nothing."""
    after: str | None


def record(
    connection: Connection,
    actor: str,
    action: str,
    what: str,
    before: Mapping[str, object] | None,
    after: Mapping[str, object] | None,
) -> None:
    """Write an entry in the transaction of the change itself: neither exists without the other."""
    record_all(connection, actor, action, [(what, before, after)])


def record_all(
    connection: Connection,
    actor: str,
    action: str,
    changes: Sequence[tuple[str, Mapping[str, object] | None, Mapping[str, object] | None]],
) -> None:
    """Write an entry for each (what, before, after) of one action."""
    time = now_utc()
    connection.execute(
        AUDIT.insert(),
        [
            {
                "time": time,
                "actor": actor,
                "action": action,
                "what": what,
                "before": None if before is None else json.dumps(before, ensure_ascii=False),
                "after": None if after is None else json.dumps(after, ensure_ascii=False),
            }
            for what, before, after in changes
        ],
    )


class AuditStore(Database):
    """The audit log."""

    def record_audit(
        self,
        actor: str,
        action: str,
        what: str,
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
    ) -> None:
        """Log a change that was made outside the database (a score, a label, a setting)."""
        with self.writing() as connection:
            record(connection, actor, action, what, before, after)

    def audit(self, what: str | None = None, *, last: int = 1000) -> tuple[AuditEntry, ...]:
        """The log, oldest first.

        Parameters
        ----------
        what : only of this, for example "row 14"
        last : at most so many, the newest
        """
        query = select(AUDIT).order_by(AUDIT.c.id.desc()).limit(last)
        if what is not None:
            query = query.where(AUDIT.c.what == what)
        with self.reading() as connection:
            found = connection.execute(query).mappings().all()
        return tuple(AuditEntry(**entry) for entry in reversed(found))
