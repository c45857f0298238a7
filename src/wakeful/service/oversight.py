"""All that goes on beside the work while `wakeful run` runs: the log, for now."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from wakeful.config import Library
from wakeful.ledger import Ledger
from wakeful.logs import get_log, write_logs
from wakeful.pipeline.machine import code_version
from wakeful.service.lookout import RowLog
from wakeful.service.work import RowView, Watch


class Oversight:
    """Looks at each pass of a library's service.

    Parameters
    ----------
    library, ledger : what is served
    """

    def __init__(self, library: Library, ledger: Ledger) -> None:
        self._library = library
        self._ledger = ledger
        self._rows = RowLog()

    def look(self, views: tuple[RowView, ...], n_running: int) -> None:
        """After each pass. Nothing that goes wrong here stops the work."""
        del n_running
        try:
            self._rows.look(views)
        except Exception:  # noqa: BLE001 -- who looks on must not stop who works
            get_log().exception("the service could not be looked over")

    def watch(self, then: Watch | None) -> Watch:
        """A watch for the service that looks, and then lets another one look."""

        def both(views: tuple[RowView, ...], n_running: int) -> None:
            self.look(views, n_running)
            if then is not None:
                then(views, n_running)

        return both


@contextmanager
def oversee(library: Library, ledger: Ledger, *, verbose: bool = False) -> Iterator[Oversight]:
    """Everything set up, as long as the service runs.

    Parameters
    ----------
    verbose : show the whole log in the terminal
    """
    config = library.config.service
    with write_logs(
        library.logs,
        most_mb=config.log_mb,
        terminal_level="info" if verbose else config.terminal,
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
            yield Oversight(library, ledger)
        except KeyboardInterrupt:
            log.info("service stopped", reason="interrupted")
            raise
        except Exception:
            log.exception("service stopped")
            raise
        log.info("service stopped")
