"""What another parameter set, or another version of the pipeline, would change in one session."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from wakeful.catalog import Catalog
from wakeful.config import Library
from wakeful.io.mirror import intake_folder
from wakeful.io.store import Store
from wakeful.ledger import Ledger
from wakeful.model.errors import BadParameters
from wakeful.model.subject import Session
from wakeful.pipeline.changes import (
    Side,
    StepDifference,
    changed_tasks,
    check_can_be_made,
    compare,
    missing_results,
)
from wakeful.pipeline.plan import Plan, Task
from wakeful.pipeline.planner import make_plan
from wakeful.pipeline.runner import Runner
from wakeful.pipeline.versions import read_version, with_versions
from wakeful.service.lookup import Found, find_session
from wakeful.service.targets import marks_of, prepare
from wakeful.sheet.interface import Sheet

Progress = Callable[[str, int, int], None]
"""What is done, how many are done, how many there are."""


@dataclass(frozen=True, eq=False, kw_only=True)
class WhatIf:
    """The two sides of a session, and how their results differ."""

    session: Session
    folder: str
    """As the session's published folder is called."""
    before: str
    after: str
    steps: tuple[StepDifference, ...]
    """Only those whose results have another key."""
    n_made: int
    """Results that were computed for the comparison; they are kept."""
    goes_on: bool
    """Whether the session is still being recorded: only what is closed is compared."""


def compare_versions(
    library: Library,
    sheet: Sheet,
    catalog: Catalog,
    session: str,
    before: str,
    after: str,
    *,
    steps: Collection[str] = (),
    progress: Progress | None = None,
) -> WhatIf:
    """Compare a session's results under two parameter sets or versions of the pipeline.

    What is missing is computed here, in this process, into the library's results: adopting a side
    later costs nothing.

    Parameters
    ----------
    session : as its published folder is called
    before, after : SET, or SET@VERSION for the step numbers of a named version of the pipeline
    steps : compare just these; all that the session's row asks for where empty

    Raises
    ------
    UnknownResult
        There is no such session, or results of an earlier version of a step are no longer there.
    BadConfig
        There is no such parameter set or version.
    BadParameters
        A step is not known, or a set does not fit its steps.
    """
    found = find_session(library, sheet, catalog, session)
    unknown = sorted({*steps} - {*catalog.steps})
    if unknown:
        raise BadParameters(
            f"there is no analysis {', '.join(unknown)}",
            where="--steps",
            remedy=f"use some of {', '.join(catalog.steps)}",
        )
    one, other = (_side(library, catalog, found, name, steps) for name in (before, after))
    sides = (one, other)
    store = Store(library.results)
    pairs = changed_tasks(one, other)
    if steps:
        pairs = {step: tasks for step, tasks in pairs.items() if step in steps}
    wanted = [
        _with_needs(store, side.plan, tasks)
        for side, tasks in zip(sides, missing_results(store, pairs), strict=True)
    ]
    for side, tasks in zip(sides, wanted, strict=True):
        check_can_be_made(side, catalog, tasks)
    n_made = 0
    for side, tasks in zip(sides, wanted, strict=True):
        n_made += _make(store, catalog, side, tasks, progress)
    return WhatIf(
        session=other.plan.session,
        folder=found.name,
        before=before,
        after=after,
        steps=compare(store, one, other, pairs, progress),
        n_made=n_made,
        goes_on=other.plan.goes_on,
    )


def _side(
    library: Library, catalog: Catalog, found: Found, name: str, steps: Collection[str]
) -> Side:
    set_name, _, version = name.partition("@")
    request = replace(found.request, params=set_name or "default")
    folder = intake_folder(library.raw, request.recording)
    parameters = library.parameters(request.params)
    with Ledger.open(library.database) as ledger:
        marks = marks_of(ledger, request)
    # Anew: another set may name another trained scorer.
    prepared = prepare(request, library, found.prepared.target.manifest, folder, marks)
    if version:
        catalog = with_versions(catalog, read_version(library.pipelines, version))
    plan = make_plan(prepared.target, catalog, tuple(steps) or request.analyses, parameters)
    return Side(name=name, plan=plan, catalog=catalog)


def _with_needs(store: Store, plan: Plan, tasks: list[Task]) -> list[Task]:
    """The tasks and what they need that is not there either, each after what it needs."""
    by_key = {task.key: task for task in plan.tasks}
    wanted: set[str] = set()
    waiting = list(tasks)
    while waiting:
        task = waiting.pop()
        if task.key not in wanted and not store.has(task.folder, task.key):
            wanted.add(task.key)
            waiting += [by_key[r.key] for r in task.needs]
    return [task for task in plan.tasks if task.key in wanted]


def _make(
    store: Store, catalog: Catalog, side: Side, tasks: list[Task], progress: Progress | None
) -> int:
    """Compute what is missing, job after job as a worker would."""
    wanted = {task.key for task in tasks}
    done = 0
    for job in side.plan.jobs():
        mine = tuple(task for task in job.tasks if task.key in wanted)
        if not mine:
            continue

        def report(task: Task, number: int, _: int, before: int = done) -> None:
            if progress is not None:
                progress(f"computing {task.step}, {task.scope}", before + number, len(wanted))

        done += len(Runner(catalog, store, replace(job, tasks=mine)).run(report))
    return done
