"""Which results exist: an index, so that planning never walks the folders.

The receipts are the truth; `clear_results` and `index_results` make the index anew from them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final, Literal, TypeVar

from sqlalchemy import RowMapping, bindparam, func, select, text
from sqlalchemy.dialects.sqlite import insert

from wakeful.ledger.database import Database
from wakeful.ledger.schema import RESULTS

_PER_TRANSACTION: Final = 5_000
"""Some 50 ms: nobody else waits for the lock any longer."""

_PER_LOOKUP: Final = 10_000

_SCAN_FACTOR: Final = 4
"""Reading a key with all the others costs a quarter of looking it up (measured: 0.6 and 2.4 us)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultEntry:
    """One stored result or figure."""

    key: str
    step: str
    kind: Literal["result", "figure"]
    session: str
    scope: str
    """What of the session: "block 3", "day 0", "session"."""
    path: str
    """Relative to the library."""
    bytes: int
    seconds: float
    """How long it took to compute."""
    created: datetime


_Entry = TypeVar("_Entry")


def _in_portions(items: Iterable[_Entry], size: int) -> Iterator[Sequence[_Entry]]:
    left = iter(items)
    while portion := list(islice(left, size)):
        yield portion


def _result(found: RowMapping) -> ResultEntry:
    return ResultEntry(**found)


class ResultStore(Database):
    """The index of results."""

    def index_results(self, entries: Iterable[ResultEntry]) -> int:
        """Add results, or replace what is known of them.

        Written in portions, so that an index of any size is rebuilt without keeping anybody else
        waiting; a kill in between loses only entries that the receipts still hold.

        Returns
        -------
        How many entries were written.
        """
        statement = insert(RESULTS)
        statement = statement.on_conflict_do_update(
            index_elements=[RESULTS.c.key],
            set_={c.name: statement.excluded[c.name] for c in RESULTS.c if c.name != "key"},
        )
        n_written = 0
        for portion in _in_portions(entries, _PER_TRANSACTION):
            values = [{c.name: getattr(entry, c.name) for c in RESULTS.c} for entry in portion]
            with self.writing() as connection:
                connection.execute(statement, values)
            n_written += len(portion)
        return n_written

    def known_keys(self, keys: Collection[str]) -> set[str]:
        """Those of `keys` that have a result: 400,000 in well under a second."""
        wanted = set(keys)
        if not wanted:
            return set()
        with self.reading() as connection:
            n_indexed = connection.execute(select(func.count()).select_from(RESULTS)).scalar_one()
            if len(wanted) * _SCAN_FACTOR > n_indexed:
                return wanted.intersection(connection.execute(select(RESULTS.c.key)).scalars())
            asked = func.json_each(bindparam("asked")).table_valued("value")
            query = select(RESULTS.c.key).join(asked, RESULTS.c.key == asked.c.value)
            known: set[str] = set()
            for portion in _in_portions(wanted, _PER_LOOKUP):
                known.update(connection.execute(query, {"asked": json.dumps(portion)}).scalars())
            return known

    def result(self, key: str) -> ResultEntry | None:
        """What is known of one result; None where there is none."""
        query = select(RESULTS).where(RESULTS.c.key == key)
        with self.reading() as connection:
            found = connection.execute(query).mappings().first()
        return None if found is None else _result(found)

    def results_of(self, session: str) -> tuple[ResultEntry, ...]:
        """All results of a session, by step, scope and key."""
        query = (
            select(RESULTS)
            .where(RESULTS.c.session == session)
            .order_by(RESULTS.c.step, RESULTS.c.scope, RESULTS.c.key)
        )
        with self.reading() as connection:
            return tuple(map(_result, connection.execute(query).mappings()))

    def latest_results(self, last: int) -> tuple[ResultEntry, ...]:
        """The results that were put into the index last, the newest first."""
        query = select(RESULTS).order_by(text("rowid DESC")).limit(last)
        with self.reading() as connection:
            return tuple(map(_result, connection.execute(query).mappings()))

    def count_results(self, since: datetime) -> int:
        """How many results and figures were begun since then."""
        query = select(func.count()).select_from(RESULTS).where(RESULTS.c.created >= since)
        with self.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def forget_results(self, keys: Iterable[str]) -> None:
        """Take results out of the index, because they are gone or broken."""
        asked = func.json_each(bindparam("asked")).table_valued("value")
        statement = RESULTS.delete().where(RESULTS.c.key.in_(select(asked.c.value)))
        for portion in _in_portions(keys, _PER_TRANSACTION):
            with self.writing() as connection:
                connection.execute(statement, {"asked": json.dumps(portion)})

    def clear_results(self) -> None:
        """Empty the index, to make it anew from the receipts."""
        with self.writing() as connection:
            connection.execute(RESULTS.delete())
