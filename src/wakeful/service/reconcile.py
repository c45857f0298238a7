"""The service: makes what is there equal to what the rows ask for, pass after pass.

Nothing is remembered between passes that could not be found again: what is there is read from the
store, what runs from the jobs' folders. A service that is killed therefore loses nothing but time.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from wakeful.catalog import Catalog
from wakeful.config import Library
from wakeful.executors.interface import Executor
from wakeful.io.atomic import storable_text, sweep_temporaries
from wakeful.io.store import Store
from wakeful.ledger import Ledger, ResultEntry, RunState
from wakeful.logs import facts_of, get_log
from wakeful.model.errors import NoRecording, StillGrowing, WakefulError
from wakeful.model.quality import Mark
from wakeful.pipeline.keys import digest
from wakeful.pipeline.needs import describe_job
from wakeful.pipeline.plan import Job, Plan, Task
from wakeful.service.deliveries import Deliveries
from wakeful.service.driver import Driver, DriveState
from wakeful.service.finished import FinishedRows
from wakeful.service.intake import Intake
from wakeful.service.planning import check_can_compute, plan_request
from wakeful.service.publishing import Publishing
from wakeful.service.pulse import Pulse
from wakeful.service.room import Room
from wakeful.service.row_rules import make_context
from wakeful.service.set_aside import makeable
from wakeful.service.standing import StandingRows
from wakeful.service.steering import Steering, stop_gone
from wakeful.service.targets import all_marks, marks_of, prepare
from wakeful.service.time_left import TimeLeft
from wakeful.service.work import (
    RowView,
    Watch,
    Work,
    fault,
    make_idle_update,
    make_update,
    make_view,
    name_source,
    summarise,
)
from wakeful.sheet.interface import Sheet, SheetRow, Status, StatusUpdate
from wakeful.sheet.request import Request
from wakeful.sheet.validate import Checks, validate_rows

_PAUSE_S = 0.2
_SWEEP_EVERY_S = 3600.0


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
        self._marks: dict[tuple[str, str], tuple[Mark, ...]] = {}
        self._checks = Checks()
        self._room = Room(library)
        self._time_left = TimeLeft(ledger, library.config.executor.slots)
        self._swept = -_SWEEP_EVERY_S
        self._stopping = False
        self._is_standing = False
        self._to_look_through: Work | None = None
        config = library.config.executor
        self._driver = Driver(
            executor, ledger, library.jobs, slots=config.slots, attempts=config.attempts
        )
        deliveries = Deliveries(library, self._driver)
        self._finished = FinishedRows(library, ledger, catalog, deliveries)
        self.pulse: Pulse | None = None
        """How the last pass went."""
        self._intake = Intake(library, self._driver, self._room, self._begin)
        self._steering = Steering(ledger, self._driver, self._intake)
        self._standing = StandingRows(ledger, self._steering)
        self._publishing = Publishing(
            library, self._store, catalog, ledger, self._finished, deliveries, self._begin
        )

    def run_once(
        self, watch: Watch | None = None, patience_s: float | None = None
    ) -> tuple[RowView, ...]:
        """Pass after pass until nothing is left that would happen by itself.

        Parameters
        ----------
        patience_s : how long recordings that are still being written are waited for; as long as
            it takes them to settle where None
        """
        if patience_s is None:
            patience_s = self._library.config.work.settle_s + 5.0
        patience = time.monotonic() + patience_s
        self._intake.follow_on()
        while True:
            views = self.run_pass()
            if watch is not None:
                watch(views, self._driver.n_running)
            open_works = [w for w in self._works.values() if not w.is_idle]
            if time.monotonic() > patience:
                open_works = [w for w in open_works if not w.waits]
                # Else a fast recording would have something to be taken in for ever.
                self._intake.follow_once()
            if self._stopping or (not open_works and self._driver.n_running == 0):
                return views
            time.sleep(_PAUSE_S)

    def run_forever(self, watch: Watch | None = None) -> None:
        """Pass after pass until stopped."""
        self.stand()
        while not self._stopping:
            views = self.run_pass()
            if watch is not None:
                watch(views, self._driver.n_running)
            busy = any(not (w.is_idle or w.waits) for w in self._works.values())
            pause_s = _PAUSE_S if busy else self._library.config.executor.poll_s
            until = time.monotonic() + pause_s
            while not self._stopping and (left_s := until - time.monotonic()) > 0:
                time.sleep(min(left_s, _PAUSE_S))

    def stand(self) -> None:
        """Take up rows that an earlier service finished as they were, and keep no plans of them.

        Who looks just once wants all looked through.
        """
        self._is_standing = True

    def stop(self) -> None:
        """End after the pass in hand, which starts nothing more; safe in a signal handler.

        Jobs that run go on: the next service adopts them.
        """
        self._stopping = True
        self._driver.start_nothing()

    def run_pass(self) -> tuple[RowView, ...]:
        """Look at every row once, start what can be started, write what changed."""
        began = time.perf_counter()
        self._sweep()
        self._driver.poll()
        self._room.begin()
        self._steering.look()
        context = make_context(self._library, self._catalog)
        rows = self._sheet.read_rows()
        found = validate_rows(rows, context, self._checks)
        if self._standing.look(found, context.places):
            rows = self._sheet.read_rows()
            found = validate_rows(rows, context, self._checks)
        checked = {c.row.identifier: c for c in found}
        asked = {
            identifier: c.request
            for identifier, c in checked.items()
            if c.request is not None and c.request.run
        }
        self._marks = all_marks(self._ledger)
        stop_gone(self._steering, self._works, asked, self._ledger)
        updates: dict[str, StatusUpdate] = {}
        for row in rows:
            this = checked.get(row.identifier)
            if this is not None and this.standing is not None and this.standing.run:
                updates[row.identifier] = self._standing.update(row)
            elif row.identifier not in asked:
                updates[row.identifier] = make_idle_update(row, this)
        order = sorted(
            (row for row in rows if row.identifier in asked),
            key=lambda row: (-asked[row.identifier].priority, row.number),
        )
        self._time_left.begin()
        self._to_look_through = self._finished.next_to_look_through(self._works.values())
        for row in order:
            work = self._work_for(row, asked[row.identifier])
            with facts_of(row=row.number, subject=row.subject):
                try:
                    if not self._is_held(row, work):
                        self._advance(work)
                except WakefulError as error:
                    self._fail(work, error)
                except Exception as error:  # noqa: BLE001 -- one row's fault stops no other
                    get_log().exception("a fault of Wakeful itself")
                    self._fail(work, fault(error))
            self._time_left.note(work)
            updates[row.identifier] = make_update(row, work, self._clock)
        self._driver.flush()
        self._sheet.write_statuses(tuple(updates.values()))
        self.pulse = self._driver.pulse(time.perf_counter() - began, self._time_left.backlog_s)
        return tuple(
            make_view(row, updates[row.identifier], self._works.get(row.identifier)) for row in rows
        )

    def _sweep(self) -> None:
        """Remove what killed writers left behind, now and then."""
        now = time.monotonic()
        if now - self._swept >= _SWEEP_EVERY_S:
            self._swept = now
            self._store.sweep()
            sweep_temporaries(self._library.published)

    def _work_for(self, row: SheetRow, request: Request) -> Work:
        work = self._works.get(row.identifier)
        if work is not None and work.request.asks_for_the_same_work(request):
            work.request = request
            return work
        if work is None and self._is_standing:
            work = self._finished.take_up(row, request, self._marks_on(request))
            if work is not None:
                self._works[row.identifier] = work
                return work
        document = request.to_json()
        key = digest(document)
        earlier = self._ledger.runs(row_id=int(row.identifier), request_key=key)
        run = earlier[-1] if earlier else self._ledger.add_run(int(row.identifier), document, key)
        work = Work(request, run.id)
        self._works[row.identifier] = work
        return work

    def _is_held(self, row: SheetRow, work: Work) -> bool:
        """Whether somebody paused or cancelled a row."""
        others = (
            w for w in self._works.values() if w is not work and w.status is not Status.CANCELLED
        )
        return self._steering.hold(int(row.identifier), work, lambda: others)

    def _advance(self, work: Work) -> None:
        if work.has_ended:
            is_due = work is self._to_look_through or work.wants_another_look()
            if not (is_due or self._marks_changed(work)):
                self._publishing.try_again(work)
                return
            work.start_over()
        work.lacks_room = False
        if not self._intake.bring(work):
            return
        if work.plan is None and not self._plan(work):
            return
        if not self._run_jobs(work):
            return
        self._publishing.publish(work)
        if work.has_ended and self._is_standing:
            work.let_go()

    def _plan(self, work: Work) -> bool:
        """Plan what can be computed; False where a recording that goes on has nothing yet."""
        if work.manifest is None:
            raise RuntimeError("planned before it was taken in")
        # Before the plan: what a sheet says meanwhile is to be seen as a change at the next pass.
        facts = self._finished.facts.of(work.request)
        try:
            work.prepared = prepare(
                work.request,
                self._library,
                work.manifest,
                self._intake.folder_of(work),
                marks_of(self._ledger, work.request),
            )
        except (NoRecording, StillGrowing) as error:
            if work.manifest.complete:
                raise
            work.status = Status.FOLLOWING
            work.message = f"nothing can be read yet: {name_source(str(error), work.manifest)}"
            return False
        plan = plan_request(work.request, self._library, work.prepared, self._catalog)
        missing = [task for task in plan.tasks if not self._store.has(task.folder, task.key)]
        check_can_compute(self._library, self._catalog, missing)
        work.plan, work.jobs, work.marks = plan, plan.jobs(), work.prepared.target.marks
        work.missing, work.facts = {t.key for t in missing}, facts
        self._index([task for task in plan.tasks if task.key not in work.missing])
        for job in work.jobs:
            if self._driver.state(job.name)[0] in (DriveState.DONE, DriveState.FAILED):
                self._driver.forget(job.name)
        work.published = False
        return True

    def _plan_anew(self, work: Work) -> bool:
        """Plan once more what failed; whether something else is to be made now.

        A worker may have found that the recording is not what it was taken for: where a quick look
        at a file misled, it has noted that the file must be read in full.
        """
        planned = work.jobs
        work.plan = None
        if not self._plan(work):
            return True
        return {job.name for job in work.jobs} != {job.name for job in planned}

    def _marks_changed(self, work: Work) -> bool:
        """Whether people have said something of a row's channels or animal since it was planned."""
        now = (self._marks_on(work.request), self._finished.facts.of(work.request))
        return work.marks is not None and (work.marks, work.facts) != now

    def _marks_on(self, request: Request) -> tuple[Mark, ...]:
        place = (request.subject, storable_text(str(request.recording)))
        return self._marks.get(place, ())

    def _run_jobs(self, work: Work) -> bool:
        """Start what can be started; True when every result is there that can be had."""
        failures: dict[str, str] = dict(work.given_up)
        running: list[tuple[str, float]] = []
        open_jobs: set[str] = set()
        # Jobs that failed, or for which nothing is left that can be made without those.
        hopeless: set[str] = set()
        lacks = ""
        if work.missing:
            to_come = self._time_left.expect(work).bytes.high
            lacks = self._room.why_not(self._library.results, to_come, f"run {work.run_id}")
        for job in work.jobs:
            if not any(task.key in work.missing for task in job.tasks):
                continue
            state, message, fraction = self._driver.state(job.name)
            if state in (DriveState.DONE, DriveState.RUNNING, DriveState.FAILED):
                self._note_results(work, job)
            if state is DriveState.FAILED or job.name in work.given_up:
                failures.setdefault(job.name, message)
                open_jobs.add(job.name)
                hopeless.add(job.name)
                continue
            todo = makeable(job, work.missing)
            if state is DriveState.DONE:
                if not any(task.key in work.missing for task in job.tasks):
                    continue
                if todo:
                    self._driver.forget(job.name)  # its results were removed meanwhile
            open_jobs.add(job.name)
            if state is DriveState.RUNNING:
                running.append((message, fraction))
            elif open_jobs.intersection(job.after) <= hopeless:
                if not todo:
                    hopeless.add(job.name)
                    continue
                if lacks:
                    continue
                self._begin(work, RunState.RUNNING)
                self._driver.start(
                    job.name,
                    describe_job(replace(job, tasks=todo), self._library.results, self._catalog),
                    work.run_id,
                    [task.key for task in todo],
                )
                if self._driver.state(job.name)[0] is DriveState.RUNNING:
                    running.append(("starting", 0.0))
        if not work.missing:
            return True
        n_tasks = len(work.plan.tasks) if work.plan else 0
        work.progress = f"{n_tasks - len(work.missing)} of {n_tasks} results"
        if failures and not running and open_jobs <= hopeless:
            return self._set_aside(work, failures)
        work.status = Status.RUNNING if work.started else Status.QUEUED
        work.message = " | ".join(dict.fromkeys(m for m, _ in running))
        if lacks and not running:
            work.status, work.message, work.lacks_room = Status.WAITING, lacks, True
        return False

    def _set_aside(self, work: Work, failures: dict[str, str]) -> bool:
        """Give up what failed; whether there is something to publish without it.

        Raises
        ------
        WakefulError
            Nothing that could be shown has been made.
        """
        if failures.keys() - work.given_up.keys() and self._plan_anew(work):
            return False
        work.given_up = failures
        if work.plan is None or not any(
            task.kind == "figure" and task.key not in work.missing for task in work.plan.tasks
        ):
            raise WakefulError(summarise(dict.fromkeys(failures.values())))
        return True

    def _note_results(self, work: Work, job: Job) -> None:
        fresh = [
            task
            for task in job.tasks
            if task.key in work.missing and self._store.has(task.folder, task.key)
        ]
        if fresh:
            work.missing -= {task.key for task in fresh}
            work.made += len(fresh)
            self._driver.tally.results += len(fresh)
            for entry in self._index(fresh):
                get_log().info(
                    "result made",
                    session=entry.session,
                    step=entry.step,
                    kind=entry.kind,
                    scope=entry.scope,
                    seconds=entry.seconds,
                    bytes=entry.bytes,
                    key=entry.key[:12],
                )

    def _index(self, tasks: list[Task]) -> list[ResultEntry]:
        """Put results that are there into the ledger's index; gives those that are new there."""
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
        return entries

    def _begin(self, work: Work, state: RunState) -> None:
        if work.started is None:
            work.started = datetime.now(UTC)
            self._ledger.begin_run(work.run_id, state)
        else:
            self._ledger.set_run(work.run_id, state)

    def _fail(self, work: Work, error: WakefulError) -> None:
        planned = work.plan is not None
        work.progress = work.progress if planned else ""
        message = name_source(str(error), work.manifest)
        work.end(Status.FAILED if planned else Status.NEEDS_ATTENTION, message)
        self._begin(work, RunState.RUNNING)
        self._ledger.set_run(work.run_id, RunState.FAILED, storable_text(work.message))

    def _clock(self, moment: datetime) -> str:
        zone = ZoneInfo(self._library.config.lab.time_zone)
        return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")

    def plan_of(self, identifier: str) -> Plan | None:
        """The plan of a row, once it has one; `run_forever` keeps none of rows that have ended."""
        work = self._works.get(identifier)
        return work.plan if work is not None else None
