"""All that goes on beside the work while `wakeful run` runs: log, metrics, notices."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from wakeful.config import Library
from wakeful.logs import get_log, write_logs
from wakeful.model.errors import WakefulError
from wakeful.pipeline.machine import code_version
from wakeful.service.lookout import RowLog
from wakeful.service.metrics import Metrics, serve_metrics
from wakeful.service.pulse import Pulse
from wakeful.service.reconcile import Service
from wakeful.service.work import RowView, Watch


class Oversight:
    """Looks at each pass of a library's service.

    Parameters
    ----------
    metrics : told of each pass
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._rows = RowLog()

    def look(self, views: tuple[RowView, ...], pulse: Pulse | None) -> None:
        """After each pass. Nothing that goes wrong here stops the work."""
        try:
            self._rows.look(views)
            if pulse is not None:
                self._metrics.note(pulse, views)
        except Exception:  # noqa: BLE001 -- who looks on must not stop who works
            get_log().exception("the service could not be looked over")

    def watch(self, service: Service, then: Watch | None) -> Watch:
        """A watch for a service that looks, and then lets another one look."""

        def both(views: tuple[RowView, ...], n_running: int) -> None:
            self.look(views, service.pulse)
            if then is not None:
                then(views, n_running)

        return both


@contextmanager
def oversee(library: Library, *, verbose: bool = False) -> Iterator[Oversight]:
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
            with serve_metrics(library) as metrics:
                yield Oversight(metrics)
        except KeyboardInterrupt:
            log.info("service stopped", reason="interrupted")
            raise
        except WakefulError as error:
            log.error("service stopped", reason=str(error))
            raise
        except Exception:
            log.exception("service stopped")
            raise
        log.info("service stopped")
