"""The service: makes what is there equal to what the rows ask for, pass after pass.

Nothing is remembered between passes that could not be found again: what is there is read from the
store, what runs from the jobs' folders. A service that is killed therefore loses nothing but time.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from wakeful.catalog import Catalog
from wakeful.config import Library
from wakeful.executors.interface import Executor
from wakeful.io.codec import to_plain
from wakeful.io.mirror import (
    Manifest,
    check_settled,
    intake_folder,
    is_current,
    read_manifest,
    source_files,
)
from wakeful.io.store import Store
from wakeful.ledger import Ledger, ResultEntry, RunState
from wakeful.model.errors import StillGrowing, WakefulError
from wakeful.pipeline.keys import digest
from wakeful.pipeline.plan import Job, Plan, Task
from wakeful.pipeline.planner import make_plan
from wakeful.service.driver import Driver, DriveState
from wakeful.service.publication import publish_row
from wakeful.service.targets import Prepared, prepare
from wakeful.sheet.interface import Sheet, SheetRow, Status, StatusUpdate
from wakeful.sheet.request import Request
from wakeful.sheet.validate import CheckedRow, ValidationContext, validate_rows

_PAUSE_S = 0.2


@dataclass
class Work:
    """What is known of one row between two passes."""

    request: Request
    run_id: int
    status: Status = Status.QUEUED
    message: str = ""
    started: datetime | None = None
    finished: datetime | None = None
    link: str = ""
    manifest: Manifest | None = None
    prepared: Prepared | None = None
    plan: Plan | None = None
    jobs: tuple[Job, ...] = ()
    missing: set[str] = field(default_factory=set)
    """Keys of the results that are not there yet."""
    made: int = 0
    """How many results this service saw being made for the row."""
    progress: str = ""
    growing: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.status in _ENDED


_ENDED = frozenset({Status.DONE, Status.DONE_WITH_WARNINGS, Status.FAILED, Status.NEEDS_ATTENTION})


@dataclass(frozen=True)
class RowView:
    """One row as a pass left it; for progress bars and tests."""

    row: SheetRow
    update: StatusUpdate
    n_results: int
    n_present: int
    n_made: int


Watch = Callable[[tuple[RowView, ...], int], None]
"""Called after each pass with the rows and how many jobs run."""


class Service:
    """Reconciles one library.

    Parameters
    ----------
    library, ledger, sheet, executor, catalog : what it works with
    """

    def __init__(
        self,
        library: Library,
        ledger: Ledger,
        sheet: Sheet,
        executor: Executor,
        catalog: Catalog,
    ) -> None:
        self._library = library
        self._ledger = ledger
        self._sheet = sheet
        self._catalog = catalog
        self._store = Store(library.results)
        self._works: dict[str, Work] = {}
        config = library.config.executor
        self._driver = Driver(
            executor, ledger, library.jobs, slots=config.workers, attempts=config.attempts
        )

    def run_once(self, watch: Watch | None = None) -> tuple[RowView, ...]:
        """Pass after pass until nothing is left that would happen by itself.

        A recording that is still being written is waited for as long as it takes to settle, once.
        """
        self._store.sweep()
        patience = time.monotonic() + self._library.config.work.settle_s + 5.0
        while True:
            views = self.run_pass()
            if watch is not None:
                watch(views, self._driver.n_running)
            open_works = [w for w in self._works.values() if not w.has_ended]
            if time.monotonic() > patience:
                open_works = [w for w in open_works if not w.growing]
            if not open_works and self._driver.n_running == 0:
                return views
            time.sleep(_PAUSE_S)

    def run_forever(self, watch: Watch | None = None) -> None:
        """Pass after pass until interrupted."""
        self._store.sweep()
        while True:
            views = self.run_pass()
            if watch is not None:
                watch(views, self._driver.n_running)
            busy = any(not w.has_ended and not w.growing for w in self._works.values())
            time.sleep(_PAUSE_S if busy else self._library.config.executor.poll_s)

    def run_pass(self) -> tuple[RowView, ...]:
        """Look at every row once, start what can be started, write what changed."""
        self._driver.poll()
        rows = self._sheet.read_rows()
        checked = {
            c.row.identifier: c
            for c in validate_rows(rows, make_context(self._library, self._catalog))
        }
        asked = {
            identifier: c.request
            for identifier, c in checked.items()
            if c.request is not None and c.request.run
        }
        for gone in set(self._works) - set(asked):
            del self._works[gone]  # what runs for it ends; nothing new is started
        updates: dict[str, StatusUpdate] = {}
        for row in rows:
            if row.identifier not in asked:
                updates[row.identifier] = _not_asked(row, checked.get(row.identifier))
        order = sorted(
            (row for row in rows if row.identifier in asked),
            key=lambda row: (-asked[row.identifier].priority, row.number),
        )
        for row in order:
            work = self._work_for(row, asked[row.identifier])
            try:
                self._advance(work)
            except WakefulError as error:
                self._fail(work, error)
            except Exception as error:  # noqa: BLE001 -- a fault in one row must not stop the others
                traceback.print_exc()
                self._fail(work, _fault(error))
            updates[row.identifier] = self._update_of(row, work)
        self._sheet.write_statuses(tuple(updates.values()))
        return tuple(self._view(row, updates[row.identifier]) for row in rows)

    def _work_for(self, row: SheetRow, request: Request) -> Work:
        work = self._works.get(row.identifier)
        if work is not None and work.request.asks_for_the_same_work(request):
            work.request = request
            return work
        document = request.to_json()
        run = self._ledger.add_run(int(row.identifier), document, digest(document))
        work = Work(request, run.id)
        self._works[row.identifier] = work
        return work

    def _advance(self, work: Work) -> None:
        if work.has_ended and not self._source_changed(work):
            return
        work.growing = False
        if not self._take_in(work):
            return
        if work.plan is None:
            self._plan(work)
        if not self._run_jobs(work):
            return
        self._publish(work)

    def _source_changed(self, work: Work) -> bool:
        """Whether a row that has ended has new work, because its recording changed."""
        if work.manifest is None:
            return False
        if is_current(work.manifest, work.request.recording, in_place=self._in_place):
            return False
        work.status, work.plan, work.prepared = Status.QUEUED, None, None
        work.finished = None
        return True

    @property
    def _in_place(self) -> bool:
        return self._library.config.work.transfer == "in-place"

    def _take_in(self, work: Work) -> bool:
        source = work.request.recording
        folder = intake_folder(self._library.raw, source)
        manifest = read_manifest(folder)
        if manifest is not None and is_current(manifest, source, in_place=self._in_place):
            if manifest != work.manifest:
                work.manifest, work.plan = manifest, None
            return True
        try:
            check_settled(source, self._library.config.work.settle_s)
        except StillGrowing as error:
            work.growing = True
            work.status, work.message = Status.WAITING, str(error)
            return False
        stamp = digest(
            [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in source_files(source)]
        )
        name = f"intake-{folder.name[-8:]}-{stamp[:12]}"
        state, message, fraction = self._driver.state(name)
        if state is DriveState.FAILED:
            self._driver.forget(name)
            raise WakefulError(message, where=str(source))
        if state is DriveState.DONE:
            # Its manifest does not fit any more: the source changed while it was copied.
            self._driver.forget(name)
        self._begin(work, RunState.TRANSFERRING)
        self._driver.start(
            name,
            {
                "kind": "take_in",
                "source": str(source),
                "folder": str(folder),
                "in_place": self._in_place,
            },
            work.run_id,
            (),
        )
        work.status = Status.TRANSFERRING
        work.progress = f"{fraction:.0%}"
        work.message = message
        return False

    def _plan(self, work: Work) -> None:
        if work.manifest is None:
            raise RuntimeError("planned before it was taken in")
        folder = intake_folder(self._library.raw, work.request.recording)
        work.prepared = prepare(work.request, self._library, work.manifest, folder)
        work.plan = make_plan(
            work.prepared.target,
            self._catalog,
            work.request.analyses,
            self._library.parameters(work.request.params),
        )
        work.jobs = work.plan.jobs()
        work.missing = {
            task.key for task in work.plan.tasks if not self._store.has(task.folder, task.key)
        }
        self._index([task for task in work.plan.tasks if task.key not in work.missing])
        for job in work.jobs:
            if self._driver.state(job.name)[0] in (DriveState.DONE, DriveState.FAILED):
                self._driver.forget(job.name)

    def _run_jobs(self, work: Work) -> bool:
        """Start what can be started; True when every result is there."""
        failures: list[str] = []
        running: list[tuple[str, float]] = []
        open_jobs: set[str] = set()
        for job in work.jobs:
            if not any(task.key in work.missing for task in job.tasks):
                continue
            state, message, fraction = self._driver.state(job.name)
            if state in (DriveState.DONE, DriveState.RUNNING, DriveState.FAILED):
                self._note_results(work, job)
            if state is DriveState.FAILED:
                failures.append(message)
                open_jobs.add(job.name)
                continue
            if state is DriveState.DONE:
                if not any(task.key in work.missing for task in job.tasks):
                    continue
                self._driver.forget(job.name)  # its results were removed meanwhile
            open_jobs.add(job.name)
            if state is DriveState.RUNNING:
                running.append((message, fraction))
            elif not open_jobs.intersection(job.after):
                self._begin(work, RunState.RUNNING)
                self._driver.start(
                    job.name,
                    {
                        "kind": "steps",
                        "results": str(self._library.results),
                        "job": to_plain(job),
                    },
                    work.run_id,
                    [task.key for task in job.tasks if task.key in work.missing],
                )
                if self._driver.state(job.name)[0] is DriveState.RUNNING:
                    running.append(("starting", 0.0))
        if not work.missing:
            return True
        n_tasks = len(work.plan.tasks) if work.plan else 0
        work.progress = f"{n_tasks - len(work.missing)} of {n_tasks} results"
        if failures and not running and not self._can_go_on(work, open_jobs):
            raise WakefulError("; ".join(dict.fromkeys(failures)))
        work.status = Status.RUNNING if work.started else Status.QUEUED
        work.message = " | ".join(dict.fromkeys(m for m, _ in running))
        return False

    def _can_go_on(self, work: Work, open_jobs: set[str]) -> bool:
        """Whether some job of the row still waits for nothing but a free slot."""
        return any(
            job.name in open_jobs
            and self._driver.state(job.name)[0] is DriveState.WAITING
            and not open_jobs.intersection(job.after)
            for job in work.jobs
        )

    def _note_results(self, work: Work, job: Job) -> None:
        fresh = [
            task
            for task in job.tasks
            if task.key in work.missing and self._store.has(task.folder, task.key)
        ]
        if fresh:
            work.missing -= {task.key for task in fresh}
            work.made += len(fresh)
            self._index(fresh)

    def _index(self, tasks: list[Task]) -> None:
        """Put results that are there into the ledger's index."""
        known = self._ledger.known_keys([task.key for task in tasks])
        entries = []
        for task in tasks:
            if task.key not in known:
                receipt = self._store.receipt(task.folder, task.key)
                entries.append(
                    ResultEntry(
                        key=task.key,
                        step=task.step,
                        kind=task.kind,
                        session=str(receipt.tree["session"]),
                        scope=str(task.scope),
                        path=receipt.folder.relative_to(self._library.results).as_posix(),
                        bytes=sum(int(f["bytes"]) for f in receipt.files.values()),
                        seconds=float(receipt.tree["seconds"]),
                        created=datetime.fromisoformat(receipt.tree["started_utc"]),
                    )
                )
        if entries:
            self._ledger.index_results(entries)

    def _publish(self, work: Work) -> None:
        if work.plan is None or work.prepared is None:
            raise RuntimeError("published before it was planned")
        self._begin(work, RunState.PUBLISHING)
        publication = publish_row(
            self._library, self._store, self._catalog, work.request, work.prepared, work.plan
        )
        warnings = publication.warnings
        work.status = Status.DONE_WITH_WARNINGS if warnings else Status.DONE
        work.message = " | ".join(warnings)
        n_tasks = len(work.plan.tasks)
        work.progress = (
            f"{n_tasks} results, nothing was computed anew"
            if work.made == 0
            else f"{n_tasks} results, {work.made} computed"
        )
        work.link = str(publication.report)
        work.finished = datetime.now(UTC)
        self._ledger.set_run(work.run_id, RunState.DONE, work.message)

    def _begin(self, work: Work, state: RunState) -> None:
        if work.started is None:
            work.started = datetime.now(UTC)
            self._ledger.begin_run(work.run_id, state)
        else:
            self._ledger.set_run(work.run_id, state)

    def _fail(self, work: Work, error: WakefulError) -> None:
        work.status = Status.FAILED if work.plan is not None else Status.NEEDS_ATTENTION
        work.message = str(error)
        work.finished = datetime.now(UTC)
        self._ledger.set_run(work.run_id, RunState.FAILED, work.message)

    def _update_of(self, row: SheetRow, work: Work) -> StatusUpdate:
        return StatusUpdate(
            identifier=row.identifier,
            status=work.status,
            progress=work.progress,
            started=self._clock(work.started),
            finished=self._clock(work.finished),
            link=work.link,
            message=work.message,
        )

    def _clock(self, moment: datetime | None) -> str:
        if moment is None:
            return ""
        zone = ZoneInfo(self._library.config.lab.time_zone)
        return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")

    def _view(self, row: SheetRow, update: StatusUpdate) -> RowView:
        work = self._works.get(row.identifier)
        n_results = len(work.plan.tasks) if work is not None and work.plan is not None else 0
        n_present = n_results - len(work.missing) if work is not None else 0
        return RowView(row, update, n_results, n_present, work.made if work is not None else 0)

    def plan_of(self, identifier: str) -> tuple[Plan, Prepared] | None:
        """The plan of a row, once it has one."""
        work = self._works.get(identifier)
        if work is None or work.plan is None or work.prepared is None:
            return None
        return work.plan, work.prepared

    def report_of(self, identifier: str) -> Path | None:
        """The row's report, once it is published."""
        work = self._works.get(identifier)
        return Path(work.link) if work is not None and work.link else None


def make_context(library: Library, catalog: Catalog) -> ValidationContext:
    """What the rows of a library are judged by."""
    return ValidationContext(
        analyses={name: step.title for name, step in catalog.steps.items()},
        params=library.parameter_sets(),
        base=library.root,
        results=(library.results, library.published, library.jobs, library.raw),
    )


def _fault(error: Exception) -> WakefulError:
    return WakefulError(
        f"{type(error).__name__}: {error}",
        where="a fault of Wakeful itself",
        remedy="please report it with the log; the other rows go on",
    )


def _not_asked(row: SheetRow, checked: CheckedRow | None) -> StatusUpdate:
    """A row that nothing is done for: blank, not ticked, or wrong."""
    if checked is None:
        return StatusUpdate(identifier=row.identifier)
    if checked.error is not None:
        return StatusUpdate(
            identifier=row.identifier,
            status=Status.NEEDS_ATTENTION,
            message=str(checked.error),
        )
    return StatusUpdate(
        identifier=row.identifier,
        status=Status.WAITING,
        message="tick run when the row is complete",
    )
