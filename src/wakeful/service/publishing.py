"""The end of a row's way: its folder is published, delivered, and linked."""

from __future__ import annotations

from collections.abc import Callable

from wakeful.catalog import Catalog
from wakeful.config import Library
from wakeful.io.atomic import storable_text
from wakeful.io.store import Store
from wakeful.ledger import Ledger, RunState
from wakeful.pipeline.plan import Plan
from wakeful.service.deliveries import UNDELIVERED, Deliveries, without_problem
from wakeful.service.finished import FinishedRows
from wakeful.service.publication import publish_row
from wakeful.service.set_aside import without_missing
from wakeful.service.targets import Prepared
from wakeful.service.work import LOOK_AGAIN_S, Work, say_how_far
from wakeful.sheet.interface import Status


class Publishing:
    """Publishes rows whose results are there, and sees their delivery through.

    Parameters
    ----------
    library, store, catalog, ledger : what the service works with
    finished : told how rows ended
    deliveries : where what is published goes
    begin : told when a row's publication starts
    """

    def __init__(
        self,
        library: Library,
        store: Store,
        catalog: Catalog,
        ledger: Ledger,
        finished: FinishedRows,
        deliveries: Deliveries,
        begin: Callable[[Work, RunState], None],
    ) -> None:
        self._library = library
        self._store = store
        self._catalog = catalog
        self._ledger = ledger
        self._finished = finished
        self._deliveries = deliveries
        self._begin = begin

    def publish(self, work: Work) -> None:
        """Publish a row whose results are there, once; then see its delivery through."""
        if work.plan is None or work.prepared is None:
            raise RuntimeError("published before it was planned")
        goes_on = work.plan.goes_on
        if not work.published:
            plan = without_missing(work.plan, work.jobs, work.missing, work.given_up)
            if goes_on:
                self._publish_meanwhile(work, plan, work.prepared)
            else:
                self._publish(work, plan, work.prepared)
        if goes_on:
            work.link = self._deliveries.look_meanwhile(work) or work.link
        else:
            self._see_through(work)

    def try_again(self, work: Work) -> None:
        """Deliver what could not be delivered when its row ended."""
        if not work.undelivered:
            return
        standing = self._deliveries.look(work)
        if standing.link:
            self._conclude(work, standing.link, "")
        elif standing.problem and UNDELIVERED not in work.message:
            self._conclude(work, work.report, standing.problem)

    def _publish(self, work: Work, plan: Plan, prepared: Prepared) -> None:
        if work.made:
            self._begin(work, RunState.PUBLISHING)
        publication = publish_row(
            self._library, self._store, self._catalog, work.request, prepared, plan
        )
        work.published = True
        n_tasks = len(plan.tasks)
        work.progress = (
            f"{n_tasks} results, nothing was computed anew"
            if work.made == 0
            else f"{n_tasks} results, {work.made} computed"
        )
        if work.missing:
            work.progress = f"{n_tasks} of {n_tasks + len(work.missing)} results, the rest failed"
        work.report = str(publication.report)
        work.link = work.link or work.report
        work.message = " | ".join(publication.warnings)
        self._deliveries.ask(work)

    def _see_through(self, work: Work) -> None:
        standing = self._deliveries.look(work)
        if standing.progress:
            work.status, work.delivery = Status.PUBLISHING, standing.progress
            return
        work.delivery = ""
        self._conclude(work, standing.link or work.report, standing.problem)

    def _conclude(self, work: Work, link: str, problem: str) -> None:
        """Done, with or without its delivery."""
        said = without_problem(work.message)
        message = " | ".join(filter(None, (said, f"{UNDELIVERED}{problem}" if problem else "")))
        work.link, work.undelivered = link, bool(problem)
        status = Status.DONE_WITH_WARNINGS if message else Status.DONE
        if work.has_ended:
            work.status, work.message = status, message
        else:
            work.end(status, message)
        run = self._ledger.run(work.run_id)
        if run.state is not RunState.DONE:
            self._begin(work, RunState.PUBLISHING)
            self._ledger.set_run(work.run_id, RunState.DONE, storable_text(work.message))
        if not work.given_up:
            self._finished.keep(run.row_id, work)

    def _publish_meanwhile(self, work: Work, plan: Plan, prepared: Prepared) -> None:
        """What a recording that goes on has given so far."""
        warnings = (*prepared.warnings, *plan.notes)
        summed_s, closed_s = plan.summary.duration_s, plan.session.duration_s
        if summed_s > 0:
            publication = publish_row(
                self._library, self._store, self._catalog, work.request, prepared, plan
            )
            work.report, warnings = str(publication.report), publication.warnings
            work.link = work.link or work.report
        work.published, work.pause_s = True, LOOK_AGAIN_S
        work.status = Status.FOLLOWING
        work.progress = say_how_far(closed_s, summed_s, plan.session.block_s)
        work.message = " | ".join(warnings)
