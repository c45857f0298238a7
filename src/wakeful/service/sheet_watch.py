"""Looks at the sheets outside the library again and again, each in a thread of its own.

A sheet that can't be reached holds up neither the work nor the other sheets: it is looked at again
after growing pauses, and somebody is told where that goes on.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from wakeful.catalog import load_catalog
from wakeful.config import Library
from wakeful.front_config import inbox_name, sheet_key
from wakeful.google.account import read_account
from wakeful.google.calls import GoogleAway
from wakeful.google.pace import Pace
from wakeful.google.spreadsheet import Spreadsheet
from wakeful.ledger import Ledger
from wakeful.logs import get_log
from wakeful.model.errors import WakefulError
from wakeful.service.outside_rows import OutsideRows
from wakeful.sheet.google_sheet import GoogleSheet
from wakeful.sheet.inbox import InboxFile
from wakeful.sheet.outside import OutsideSheet

_LONGEST_PAUSE_S: Final = 600.0
_LONGEST_REFUSED_S: Final = 120.0
"""Somebody who mends what was refused (shares the sheet, say) does not wait longer than that."""
_TRIES_AT_FIRST: Final = 3
"""Before the work begins without the rows of a sheet that can't be reached."""
_SOON_S: Final = 10.0
"""Between two looks where a line waits for the second one: long enough to finish typing a row."""
_AT_ONCE_S: Final = 2.0
"""The same where somebody has asked for one run now, and of a file, which is saved as a whole."""


@dataclass(frozen=True)
class SheetProblem:
    """Why a sheet can't be read, and since when."""

    where: str
    message: str
    since: float
    """On the monotonic clock."""


class SheetWatch:
    """Looks at one sheet until told to stop.

    Parameters
    ----------
    rows : of the sheet
    poll_s : pause between looks, seconds
    soon_s : the pause where a line waits for the next look; no longer than `poll_s`
    """

    def __init__(self, rows: OutsideRows, poll_s: float, soon_s: float = _SOON_S) -> None:
        self._rows = rows
        self._poll_s = poll_s
        self._soon_s = min(soon_s, poll_s)
        self._stop = threading.Event()
        self._n_failed = 0
        self._since = 0.0
        self._thread: threading.Thread | None = None
        self.problem: SheetProblem | None = None
        """Why it can't be read; None where it can."""

    def start(self) -> None:
        """Begin."""
        name = self._rows.sheet.where
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the look in hand, and show once more how the rows stand."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if self.problem is None:
            self._try(self._rows.show)
        self._rows.close()

    def settle(self, patience_s: float = 60.0) -> None:
        """Look until nothing waits for another look, or the sheet can't be read; before the
        thread is started.
        """
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            if self._look():
                return
            if self.problem is not None and not 0 < self._n_failed < _TRIES_AT_FIRST:
                return
            self._stop.wait(min(_AT_ONCE_S, self._soon_s))

    def _run(self) -> None:
        while not self._stop.is_set():
            is_settled = self._look()
            self._stop.wait(self._pause_s(is_settled))

    def _look(self) -> bool:
        """Once; whether nothing waits for the next look."""
        settled = [True]

        def look() -> None:
            done = self._rows.look()
            settled[0] = done.is_settled
            if done.n_added or done.n_changed or done.n_removed:
                get_log().info(
                    "sheet read",
                    sheet=self._rows.sheet.where,
                    rows=done.n_lines,
                    added=done.n_added,
                    changed=done.n_changed,
                    removed=done.n_removed,
                )

        return self._try(look) and settled[0]

    def _try(self, act: Callable[[], None]) -> bool:
        where = self._rows.sheet.where
        try:
            act()
        except WakefulError as error:
            self._note(str(error), is_passing=isinstance(error, GoogleAway))
            return False
        except Exception as error:  # noqa: BLE001 -- one sheet's fault stops no other, and no work
            get_log().exception("a fault of Wakeful itself", sheet=where)
            self._note(f"{type(error).__name__}: {error}", is_passing=True)
            return False
        if self.problem is not None:
            get_log().info("sheet can be read again", sheet=where)
        self.problem, self._n_failed = None, 0
        return True

    def _note(self, message: str, *, is_passing: bool) -> None:
        self._n_failed = self._n_failed + 1 if is_passing else 0
        before = self.problem
        if before is None or before.message != message:
            get_log().warning("sheet can't be read", sheet=self._rows.sheet.where, message=message)
        since = time.monotonic() if before is None else before.since
        self.problem = SheetProblem(self._rows.sheet.where, message, since)

    def _pause_s(self, is_settled: bool) -> float:
        if self.problem is None:
            return self._poll_s if is_settled else self._soon_s
        if not self._n_failed:
            return min(4 * self._poll_s, _LONGEST_REFUSED_S)
        pause_s = min(self._poll_s * 2 ** min(self._n_failed, 20), _LONGEST_PAUSE_S)
        return float(pause_s * random.uniform(0.75, 1.25))  # not all sheets at one time


class Sheets:
    """All sheets outside a library, while its service runs.

    Parameters
    ----------
    watches : one for each
    """

    def __init__(self, watches: Sequence[SheetWatch]) -> None:
        self._watches = tuple(watches)

    def problems(self) -> tuple[SheetProblem, ...]:
        """Of the sheets that can't be read now."""
        return tuple(w.problem for w in self._watches if w.problem is not None)


def outside_sheets(library: Library) -> tuple[tuple[OutsideSheet, float], ...]:
    """The sheets that wakeful.toml names, each with the pause between looks, seconds.

    Raises
    ------
    BadConfig
        There is no usable Google account.
    """
    google = library.config.google
    found: list[tuple[OutsideSheet, float]] = []
    if google.sheets:
        account, reads, writes = read_account(library), Pace(), Pace()
        found += [
            (GoogleSheet(Spreadsheet(sheet_key(address), account, reads, writes)), google.poll_s)
            for address in google.sheets
        ]
    inbox = library.config.inbox
    found += [
        (InboxFile(library.root / f.expanduser(), name=inbox_name(f)), inbox.poll_s)
        for f in inbox.files
    ]
    return tuple(found)


@contextmanager
def watch_sheets(library: Library, ledger: Ledger, *, at_once: bool = False) -> Iterator[Sheets]:
    """Look at all sheets outside the library, as long as this lasts; at the end statuses are shown
    once more.

    Parameters
    ----------
    at_once : take up what is there before this begins, for a service that makes one run
    """
    named = outside_sheets(library)
    catalog = load_catalog() if named else None
    watches: list[SheetWatch] = []
    try:
        for sheet, poll_s in named:
            assert catalog is not None
            soon_s = _AT_ONCE_S if isinstance(sheet, InboxFile) else _SOON_S
            rows = OutsideRows(library, ledger, catalog, sheet)
            watches.append(SheetWatch(rows, poll_s, soon_s))
        for watch in watches:
            if at_once:
                watch.settle()
            watch.start()
        yield Sheets(watches)
    finally:
        for watch in watches:
            watch.stop()
