"""What people want of the service's work: pause it, cancel it, try it again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from wakeful.ledger import audit
from wakeful.ledger.database import Database, now_utc
from wakeful.ledger.errors import UnknownRecord
from wakeful.ledger.schema import ROWS, WISHES

WHOLE_LIBRARY = 0
"""In place of a row's number: every row."""


class Wish(StrEnum):
    """What somebody wants of a row."""

    PAUSE = "pause"
    """What runs ends, nothing new is started; until it is taken back."""
    CANCEL = "cancel"
    """What runs is stopped, nothing new is started; until it is taken back."""
    RETRY = "retry"
    """Start over what failed; once."""


@dataclass(frozen=True, kw_only=True)
class WishRecord:
    """A wish that has not been taken back."""

    row_id: int
    """`WHOLE_LIBRARY` for all rows."""
    wish: Wish
    author: str
    made: datetime


class WishStore(Database):
    """Wishes. Every change is logged in the same transaction."""

    def make_wish(self, row_id: int, wish: Wish, *, actor: str) -> None:
        """Note a wish; a second time changes nothing.

        Raises
        ------
        UnknownRecord
            There is no such row.
        """
        with self.writing() as connection:
            _check_row(connection, row_id)
            done = connection.execute(
                insert(WISHES)
                .values(row_id=row_id, wish=wish.value, author=actor, made=now_utc())
                .on_conflict_do_nothing()
            )
            if done.rowcount:
                audit.record(connection, actor, wish.value, _name(row_id), None, None)

    def take_back(self, row_id: int, wishes: Iterable[Wish], *, actor: str) -> bool:
        """Forget wishes, fulfilled or not wanted any more; whether there was one.

        Raises
        ------
        UnknownRecord
            There is no such row.
        """
        wanted = [wish.value for wish in wishes]
        with self.writing() as connection:
            _check_row(connection, row_id)
            done = connection.execute(
                WISHES.delete().where(WISHES.c.row_id == row_id, WISHES.c.wish.in_(wanted))
            )
            if done.rowcount:
                what = f"end of {', '.join(wanted)}"
                audit.record(connection, actor, what, _name(row_id), None, None)
            return bool(done.rowcount)

    def wishes(self) -> tuple[WishRecord, ...]:
        """All wishes there are, the oldest first."""
        query = select(WISHES).order_by(WISHES.c.made, WISHES.c.row_id)
        with self.reading() as connection:
            return tuple(
                WishRecord(
                    row_id=found["row_id"],
                    wish=Wish(found["wish"]),
                    author=found["author"],
                    made=found["made"],
                )
                for found in connection.execute(query).mappings()
            )


def _check_row(connection: Connection, row_id: int) -> None:
    if row_id == WHOLE_LIBRARY:
        return
    found = connection.execute(
        select(ROWS.c.id).where(ROWS.c.id == row_id, ROWS.c.deleted.is_(None))
    ).first()
    if found is None:
        raise UnknownRecord(
            "there is no such row", where=f"row {row_id}", remedy="see `wakeful status`"
        )


def _name(row_id: int) -> str:
    return "library" if row_id == WHOLE_LIBRARY else f"row {row_id}"
