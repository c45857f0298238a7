"""All that goes on beside the work while `wakeful run` runs: log, metrics, notices."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from wakeful.config import Library
from wakeful.ledger import Ledger
from wakeful.logs import get_log, write_logs
from wakeful.model.errors import WakefulError
from wakeful.pipeline.machine import code_version
from wakeful.service.foresight import Sampler
from wakeful.service.messenger import Messenger, read_addresses
from wakeful.service.metrics import Metrics, serve_metrics
from wakeful.service.notices import Lookout, Notice, digest_due, digest_of_the_day, foreseen
from wakeful.service.pulse import Pulse
from wakeful.service.reconcile import Service
from wakeful.service.row_log import RowLog
from wakeful.service.sheet_watch import SheetProblem, Sheets
from wakeful.service.work import RowView, Watch

_UNREAD_S: Final = 600.0
"""A sheet that can't be read for so long is told of."""
_SHOWN_ANYWAY: Final = frozenset({"row", "notice"})
"""`wakeful run` shows the rows and what became of them as it goes on."""


class Oversight:
    """Looks at each pass of a library's service.

    Parameters
    ----------
    library, ledger : what is served
    metrics : told of each pass
    messenger : told what people should know
    """

    def __init__(
        self, library: Library, ledger: Ledger, metrics: Metrics, messenger: Messenger
    ) -> None:
        self._library = library
        self._ledger = ledger
        self._metrics = metrics
        self._messenger = messenger
        self._rows = RowLog()
        self._lookout = Lookout(library)
        self._sampler = Sampler(library, ledger)
        self._digested = ""
        """The reason of the last digest."""
        self._views: tuple[RowView, ...] = ()
        self.sheets: Sheets | None = None
        """The sheets outside the library, where there are any."""

    def look(self, views: tuple[RowView, ...], pulse: Pulse | None) -> None:
        """After each pass. Nothing that goes wrong here stops the work."""
        try:
            self._rows.look(views)
            if pulse is not None:
                self._metrics.note(pulse, views)
            self._views = views
            self._tell(views)
            if self._sampler.look(views, pulse):
                for notice in foreseen(self._library, self._ledger):
                    self._messenger.tell(notice)
            self._messenger.poll()
        except Exception:  # noqa: BLE001 -- who looks on must not stop who works
            get_log().exception("the service could not be looked over")

    def end(self) -> None:
        """Tell what the last pass left, and wait a little until it is delivered."""
        try:
            self._tell(self._views, at_the_end=True)
            self._messenger.flush()
        except Exception:  # noqa: BLE001 -- as above
            get_log().exception("the last notices could not be sent")

    def _tell(self, views: tuple[RowView, ...], *, at_the_end: bool = False) -> None:
        for notice in self._lookout.look(views, at_the_end=at_the_end):
            self._messenger.tell(notice)
        for problem in self.sheets.problems() if self.sheets else ():
            if at_the_end or time.monotonic() - problem.since >= _UNREAD_S:
                self._messenger.tell(unread(problem))
        due = digest_due(self._library)
        if due and due != self._digested:
            self._digested = due
            digest = digest_of_the_day(self._library, self._ledger, views)
            if digest is not None:
                self._messenger.tell(digest, repeat_after=timedelta(days=2))

    def watch(self, service: Service, then: Watch | None) -> Watch:
        """A watch for a service that looks, and then lets another one look."""

        def both(views: tuple[RowView, ...], n_running: int) -> None:
            self.look(views, service.pulse)
            if then is not None:
                then(views, n_running)

        return both


def unread(problem: SheetProblem) -> Notice:
    """A sheet whose rows are not taken up."""
    return Notice(
        reason=f"sheet {problem.where}",
        kind="warning",
        title=f"{problem.where} can't be read",
        text=f"{problem.message}. Its new rows wait, its statuses stand still.",
    )


@contextmanager
def oversee(library: Library, ledger: Ledger, *, verbose: bool = False) -> Iterator[Oversight]:
    """Everything set up, as long as the service runs.

    Parameters
    ----------
    verbose : show the whole log in the terminal
    """
    config = library.config.service
    addresses = read_addresses(library)
    with write_logs(
        library.logs,
        most_mb=config.log_mb,
        terminal_level="info" if verbose else config.terminal,
        not_on_terminal=() if verbose else _SHOWN_ANYWAY,
        secrets=[address.url for address in addresses],
    ):
        log = get_log()
        log.info(
            "service started",
            library=str(library.root),
            version=code_version(),
            pid=os.getpid(),
            executor=library.config.executor.kind,
        )
        try:
            repeat_after = timedelta(hours=library.config.notices.repeat_hours)
            with (
                serve_metrics(library) as metrics,
                Messenger(ledger, addresses, repeat_after=repeat_after) as messenger,
            ):
                oversight = Oversight(library, ledger, metrics, messenger)
                yield oversight
                oversight.end()
        except KeyboardInterrupt:
            log.info("service stopped", reason="interrupted")
            raise
        except WakefulError as error:
            log.error("service stopped", reason=str(error))  # noqa: TRY400 -- says all by itself
            raise
        except Exception:
            log.exception("service stopped")
            raise
        log.info("service stopped")
