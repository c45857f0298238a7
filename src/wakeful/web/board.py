"""The rows as the page shows them: what they hold, what is wrong with them, what changed since."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from wakeful.ledger import WATCHED_COLUMNS, Ledger, RowWatch
from wakeful.model.errors import BadRow
from wakeful.sheet.interface import SheetRow, Status
from wakeful.sheet.request import Request
from wakeful.sheet.validate import BadCells, CheckedRow, ValidationContext, validate, validate_rows

_BAD_VALID_S: Final = 20.0
"""How long a bad cell is taken for bad: what it names may appear on the disk meanwhile."""

_GOOD_VALID_S: Final = 300.0

_PATIENCE_S: Final = 2.0
"""How long rows are judged at a time. Ten thousand paths on a slow disk take minutes: the rows are
shown meanwhile, and their marks come bit by bit."""


@dataclass(frozen=True, kw_only=True)
class ShownRow:
    """A row as it is shown."""

    row: SheetRow
    problems: Mapping[str, str]
    """Column -> what is wrong with its cell and what to do."""
    fault: str
    """All that is wrong with the row, as its message; "" where nothing is."""
    link: str
    """Where the link cell leads, from the page; "" for nowhere."""
    version: int
    """Of the board, when the row last changed."""

    @property
    def status(self) -> str:
        """Under `status`: what the service wrote, unless what was typed since says otherwise."""
        written = self.row.status
        if self.fault and written in ("", Status.WAITING):
            return str(Status.NEEDS_ATTENTION)
        return "" if self._was_corrected else written

    @property
    def message(self) -> str:
        """Under `message`: what is wrong now, else what the service wrote."""
        if self.fault:
            return self.fault
        if self._was_corrected:
            return "corrected; Wakeful has not looked at it yet"
        return self.row.message.removeprefix(f"{self.row.where}: ")

    @property
    def _was_corrected(self) -> bool:
        """Whether the service's complaint was about cells, and none of them is bad any more."""
        is_complaint = self.row.message.startswith(f"{self.row.where}: ")
        return not self.fault and self.row.status == Status.NEEDS_ATTENTION and is_complaint

    def tree(self) -> dict[str, Any]:
        """For the page."""
        return {
            "id": self.row.number,
            **self.row.cells(),
            **self.row.status_cells(),
            "status": self.status,
            "message": self.message,
            "_problems": dict(self.problems),
            "_fault": self.fault,
            "_link": self.link,
            "_version": self.version,
        }


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What is different since a version of the board."""

    version: int
    rows: tuple[ShownRow, ...]
    gone: tuple[int, ...]

    def tree(self) -> dict[str, Any]:
        """For the page."""
        return {
            "version": self.version,
            "rows": [row.tree() for row in self.rows],
            "gone": list(self.gone),
        }


class Board:
    """The rows of the sheet with what is wrong with them, kept up to date by looking.

    Safe to share between threads.

    Parameters
    ----------
    ledger : the library's database
    make_context : what the rows are judged by, as it is now
    find_link : where the text of a link cell leads; "" for nowhere
    """

    def __init__(
        self,
        ledger: Ledger,
        make_context: Callable[[], ValidationContext],
        find_link: Callable[[str], str],
    ) -> None:
        self._watch = RowWatch(ledger)
        self._make_context = make_context
        self._find_link = find_link
        self._lock = threading.Lock()
        self._verdicts = _Verdicts()
        self._shown: dict[int, ShownRow] = {}
        self._texts: dict[int, tuple[str, ...]] = {}
        self._gone: dict[int, int] = {}
        self._version = 0
        self._judge_again_at = 0.0

    def close(self) -> None:
        """Let go of the database."""
        self._watch.close()

    def context(self) -> ValidationContext:
        """What the rows are judged by, as it is now."""
        return self._make_context()

    def look(self) -> int:
        """See what changed; gives the version the board now has."""
        with self._lock:
            texts = self._watch.look()
            changed = texts is not None and texts != self._texts
            if not changed and time.monotonic() < self._judge_again_at:
                return self._version
            self._take(self._texts if texts is None else texts)
            return self._version

    def since(self, version: int) -> Changes:
        """What is different since a version; everything since version 0."""
        self.look()
        with self._lock:
            return Changes(
                version=self._version,
                rows=tuple(row for row in self._shown.values() if row.version > version),
                gone=tuple(n for n, at in self._gone.items() if at > version) if version else (),
            )

    def rows(self, numbers: set[int]) -> tuple[ShownRow, ...]:
        """Some rows as they are now; those that are not in the sheet are left out."""
        self.look()
        with self._lock:
            return tuple(self._shown[number] for number in sorted(numbers & self._shown.keys()))

    def _take(self, texts: dict[int, tuple[str, ...]]) -> None:
        version = self._version + 1
        self._verdicts.begin()
        rows = {
            number: self._shown[number].row
            if number in self._shown and self._texts.get(number) == cells
            else _make_row(number, cells)
            for number, cells in texts.items()
        }
        checked = {
            int(c.row.identifier): c
            for c in validate_rows(rows.values(), self._make_context(), self._verdicts)
        }
        shown: dict[int, ShownRow] = {}
        is_new = False
        for number, row in rows.items():
            problems, fault = _say(checked.get(number))
            before = self._shown.get(number)
            if (
                before is not None
                and before.row is row
                and (before.problems, before.fault) == (problems, fault)
            ):
                shown[number] = before
                continue
            is_new = True
            shown[number] = ShownRow(
                row=row,
                problems=problems,
                fault=fault,
                link=self._find_link(row.link),
                version=version,
            )
        left = self._shown.keys() - shown.keys()
        self._gone = {n: at for n, at in self._gone.items() if n not in shown}
        self._gone |= dict.fromkeys(left, version)
        if is_new or left:
            self._version = version
        self._shown, self._texts = shown, texts
        self._verdicts.forget_all_but(rows.keys())
        some_bad = any(row.fault for row in shown.values())
        pause_s = _BAD_VALID_S if some_bad else _GOOD_VALID_S
        if self._verdicts.n_postponed:
            pause_s = 0.0
        self._judge_again_at = time.monotonic() + pause_s


def _make_row(number: int, cells: tuple[str, ...]) -> SheetRow:
    texts: dict[str, Any] = dict(zip(WATCHED_COLUMNS, cells, strict=True))
    return SheetRow(identifier=str(number), number=number, **texts)


def _say(checked: CheckedRow | None) -> tuple[dict[str, str], str]:
    """What is wrong with each cell, and with the row; its number is left out."""
    if checked is None or checked.error is None or isinstance(checked.error, _NotYetJudged):
        return {}, ""
    error = checked.error
    problems = (
        {problem.column: problem.text for problem in error.problems}
        if isinstance(error, BadCells)
        else {}
    )
    return problems, str(error).removeprefix(f"{error.where}: ")


class _Verdicts:
    """What rows ask for, remembered for a while, bad ones too.

    The page is told at once what an edit did to its row; that nine thousand other rows are still
    what they were need not be found out anew.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[SheetRow, float, Request | BadRow]] = {}
        self._until = 0.0
        self.n_postponed = 0
        """Rows that were left for the next time."""

    def begin(self) -> None:
        """Before all rows are asked for."""
        self._until = time.monotonic() + _PATIENCE_S
        self.n_postponed = 0

    def __call__(self, row: SheetRow, context: ValidationContext) -> Request:
        known = self._known.get(row.identifier)
        now = time.monotonic()
        is_edited = known is not None and known[0].cells() != row.cells()
        if known is None and now > self._until:
            self.n_postponed += 1
            raise _NotYetJudged("not looked at yet", where=row.where)
        if known is None or is_edited or self._known_too_long(known[1], now):
            known = (row, *_judge(row, context, now))
        elif known[0] is not row:
            known = (row, *known[1:])
        self._known[row.identifier] = known
        verdict = known[2]
        if isinstance(verdict, BadRow):
            raise verdict.with_traceback(None)
        return verdict

    def _known_too_long(self, until: float, now: float) -> bool:
        if until > now:
            return False
        if now > self._until:
            self.n_postponed += 1
            return False
        return True

    def forget_all_but(self, numbers: Collection[int]) -> None:
        """Rows that are no longer there need no memory."""
        if len(self._known) > len(numbers) + 100:
            there = {str(number) for number in numbers}
            self._known = {k: v for k, v in self._known.items() if k in there}


class _NotYetJudged(BadRow):
    """There was no time yet to find out what a row asks for."""


def _judge(row: SheetRow, context: ValidationContext, now: float) -> tuple[float, Request | BadRow]:
    try:
        return now + _GOOD_VALID_S, validate(row, context)
    except BadRow as error:
        return now + _BAD_VALID_S, error
