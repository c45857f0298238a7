"""The service's numbers for Prometheus, served over HTTP while it runs."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wakeful.config import Library
from wakeful.logs import get_log
from wakeful.model.errors import BadConfig
from wakeful.service.pulse import Pulse
from wakeful.service.work import RowView
from wakeful.sheet.interface import Status

if TYPE_CHECKING:
    from prometheus_client import Metric

_PASS_BOUNDS_S: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


class Metrics:
    """What Prometheus is told: the last pass as it stands, disks as they are when it asks.

    Parameters
    ----------
    folders : name -> folder of the library whose disk is told of
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = dict(folders)
        # Replaced as a whole by the service, read by the server's thread.
        self._last: tuple[Pulse, tuple[RowView, ...]] | None = None
        self._passes: tuple[tuple[int, ...], float] = ((0,) * (len(_PASS_BOUNDS_S) + 1), 0.0)

    def note(self, pulse: Pulse, views: tuple[RowView, ...]) -> None:
        """Take note of a pass."""
        counts, total_s = self._passes
        counts = tuple(
            n + (pulse.seconds <= bound)
            for n, bound in zip(counts, (*_PASS_BOUNDS_S, float("inf")), strict=True)
        )
        self._passes = (counts, total_s + pulse.seconds)
        self._last = (pulse, views)

    def collect(self) -> Iterator[Metric]:
        """All metrics, in the form that `prometheus_client` collects."""
        yield from self._of_disks()
        if self._last is None:
            return
        pulse, views = self._last
        yield from _of_rows(views)
        yield from _of_jobs(pulse)
        yield from self._of_passes(pulse)

    def _of_disks(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        free = GaugeMetricFamily(
            "wakeful_disk_free_bytes", "Room on the disk of a folder", labels=["folder"]
        )
        size = GaugeMetricFamily(
            "wakeful_disk_size_bytes", "Size of the disk of a folder", labels=["folder"]
        )
        for name, folder in self._folders.items():
            try:
                usage = shutil.disk_usage(folder)
            except OSError:
                continue  # not there: no number is better than a wrong one
            free.add_metric([name], usage.free)
            size.add_metric([name], usage.total)
        yield free
        yield size

    def _of_passes(self, pulse: Pulse) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily

        yield GaugeMetricFamily(
            "wakeful_last_pass_timestamp_seconds",
            "When the last pass ended, seconds since 1970",
            value=pulse.ended.timestamp(),
        )
        counts, total_s = self._passes
        bounds = [*(repr(bound) for bound in _PASS_BOUNDS_S), "+Inf"]
        yield HistogramMetricFamily(
            "wakeful_pass_seconds",
            "How long a pass over all rows took",
            buckets=list(zip(bounds, counts, strict=True)),
            sum_value=total_s,
        )


def _of_rows(views: Iterable[RowView]) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    views = tuple(views)
    by_status = Counter(str(view.update.status) for view in views)
    rows = GaugeMetricFamily("wakeful_rows", "Rows of the sheet by status", labels=["status"])
    for status in Status:
        rows.add_metric([str(status)], by_status[str(status)])
    yield rows
    results = GaugeMetricFamily(
        "wakeful_row_results", "Results that rows at work ask for", labels=["there"]
    )
    present = sum(view.n_present for view in views)
    results.add_metric(["yes"], present)
    results.add_metric(["no"], sum(view.n_results for view in views) - present)
    yield results
    taken_in: dict[str, dict[str, int]] = {}
    for view in views:
        if view.source:  # several rows may share a recording
            taken_in.setdefault(view.row.subject, {})[view.source] = view.taken_in_bytes
    recorded = GaugeMetricFamily(
        "wakeful_taken_in_bytes",
        "Bytes taken in and verified, of the recordings that rows name",
        labels=["subject"],
    )
    for subject, sources in taken_in.items():
        recorded.add_metric([subject], sum(sources.values()))
    yield recorded


def _of_jobs(pulse: Pulse) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    jobs = GaugeMetricFamily("wakeful_jobs", "Jobs by state", labels=["state"])
    jobs.add_metric(["running"], pulse.n_running)
    jobs.add_metric(["waiting"], pulse.n_waiting)
    yield jobs
    if pulse.backlog_s is not None:
        yield GaugeMetricFamily(
            "wakeful_backlog_seconds",
            "Time that the workers need for all that is missing, as far as past results tell",
            value=pulse.backlog_s,
        )
    tally = pulse.tally
    ended = CounterMetricFamily(
        "wakeful_jobs_ended", "Jobs that ended since the service began", labels=["how"]
    )
    ended.add_metric(["done"], tally.done)
    ended.add_metric(["failed"], tally.failed)
    ended.add_metric(["cancelled"], tally.cancelled)
    yield ended
    for name, what, value in (
        ("wakeful_jobs_started", "Attempts at jobs since the service began", tally.started),
        ("wakeful_jobs_retried", "Attempts that were not a job's first", tally.retried),
        ("wakeful_results_made", "Results made since the service began", tally.results),
    ):
        yield CounterMetricFamily(name, what, value=value)


@contextmanager
def serve_metrics(library: Library) -> Iterator[Metrics]:
    """Serve a library's metrics at `[service] metrics_port`, as long as this lasts.

    Raises
    ------
    BadConfig
        The port can't be had.
    """
    metrics = Metrics(
        {
            "raw": library.raw,
            "results": library.results,
            "published": library.published,
            "database": library.database.parent,
        }
    )
    config = library.config.service
    if not config.metrics_port:
        yield metrics
        return
    from prometheus_client import start_http_server
    from prometheus_client.registry import CollectorRegistry

    registry = CollectorRegistry()
    registry.register(metrics)
    try:
        server, thread = start_http_server(
            config.metrics_port, config.metrics_address, registry=registry
        )
    except OSError as error:
        raise BadConfig(
            f"metrics can't be served at {config.metrics_address} port {config.metrics_port}: "
            f"{error.strerror or error}",
            where="wakeful.toml: service.metrics_port",
            remedy="choose another port, or 0 for none",
        ) from None
    get_log().info(
        "metrics are served",
        address=f"http://{config.metrics_address}:{server.server_port}/metrics",
    )
    try:
        yield metrics
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
