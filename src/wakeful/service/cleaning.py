"""Results that no row needs any more, and the folders of jobs that ended long ago."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from wakeful.catalog import Catalog
from wakeful.config import Library
from wakeful.executors.interface import LOCK_NAME
from wakeful.io.holding import is_held
from wakeful.io.mirror import intake_folder, read_manifest
from wakeful.io.store import Receipt, Store
from wakeful.ledger import JobState, Ledger
from wakeful.model.errors import WakefulError
from wakeful.service.planning import plan_request
from wakeful.service.row_rules import make_context
from wakeful.service.targets import marks_of, prepare
from wakeful.sheet.interface import Sheet
from wakeful.sheet.validate import validate_rows

Progress = Callable[[int], None]
"""Told how many results were looked at."""


@dataclass(frozen=True, kw_only=True)
class Spare:
    """One result that no row needs."""

    receipt: Receipt
    why: str
    n_bytes: int


@dataclass(frozen=True, kw_only=True)
class Cleaning:
    """What can go."""

    results: tuple[Spare, ...]
    jobs: tuple[Path, ...]
    """Folders of attempts that ended before the age asked for."""
    n_needed: int
    n_young: int
    """Results that no row needs and that are too young to go."""
    spared: tuple[str, ...]
    """Subjects all of whose results stay, since what a row of theirs needs is not known now."""

    @property
    def n_bytes(self) -> int:
        """How much room the results take."""
        return sum(spare.n_bytes for spare in self.results)


def find_spare(
    library: Library,
    ledger: Ledger,
    sheet: Sheet,
    catalog: Catalog,
    *,
    older_than_days: float,
    progress: Progress | None = None,
) -> Cleaning:
    """Look for what no row needs: results of parameters that were changed, of rows that are gone.

    Raw data, mirrors, kept models and what is published are never looked at. Where a row can't be
    planned just now (its cells are wrong, its recording has not been taken in), all results of its
    subject stay.
    """
    needed, subjects, spared = _needed(library, ledger, sheet, catalog)
    before = datetime.now(UTC) - timedelta(days=older_than_days)
    found: list[Spare] = []
    n_needed = n_young = 0
    for number, receipt in enumerate(Store(library.results).receipts()):
        if progress is not None:
            progress(number)
        subject = str(receipt.tree["subject"])
        if receipt.key in needed or subject in spared:
            n_needed += 1
        elif datetime.fromisoformat(receipt.tree["started_utc"]) > before:
            n_young += 1
        else:
            found.append(
                Spare(
                    receipt=receipt,
                    why=_why(receipt, subject in subjects, catalog),
                    n_bytes=sum(int(entry["bytes"]) for entry in receipt.files.values()),
                )
            )
    return Cleaning(
        results=tuple(found),
        jobs=_old_jobs(library, ledger, older_than_days),
        n_needed=n_needed,
        n_young=n_young,
        spared=tuple(sorted(spared)),
    )


def _needed(
    library: Library, ledger: Ledger, sheet: Sheet, catalog: Catalog
) -> tuple[set[str], set[str], set[str]]:
    """Keys that rows need; subjects that have rows; subjects of rows that can't be planned."""
    needed: set[str] = set()
    subjects: set[str] = set()
    spared: set[str] = set()
    for checked in validate_rows(sheet.read_rows(), make_context(library, catalog)):
        typed = checked.row.subject.strip()
        request = checked.request
        if checked.standing is not None:
            continue  # the rows that it makes are rows of their own
        if request is None:
            spared.add(typed)
            continue
        subjects.add(request.subject)
        folder = intake_folder(library.raw, request.recording)
        try:
            manifest = read_manifest(folder)
            if manifest is None:
                spared.add(request.subject)
                continue
            prepared = prepare(request, library, manifest, folder, marks_of(ledger, request))
            plan = plan_request(request, library, prepared, catalog)
        except WakefulError:
            spared.add(request.subject)
            continue
        needed |= {task.key for task in plan.tasks}
    return needed, subjects, spared - {""}


def _why(receipt: Receipt, has_rows: bool, catalog: Catalog) -> str:
    if not has_rows:
        return "no row of this animal is left"
    step = catalog.steps.get(str(receipt.tree["of_step"]))
    if step is None:
        return "the analysis is gone"
    is_figure = receipt.tree["kind"] == "figure"
    installed = step.draw_version if is_figure else step.version
    if receipt.tree["step_version"] != installed:
        return f"made by version {receipt.tree['step_version']}; rows use version {installed}"
    return "parameters, recording, inputs or analyses of the rows have changed since"


def _old_jobs(library: Library, ledger: Ledger, older_than_days: float) -> tuple[Path, ...]:
    open_jobs = {job.job_id for job in ledger.jobs(states=(JobState.INTENDED, JobState.RUNNING))}
    before = time.time() - older_than_days * 86400
    return tuple(
        folder
        for folder in sorted(library.jobs.glob("[!.]*/[0-9]*"))
        if folder.is_dir()
        and f"{folder.parent.name}.{folder.name}" not in open_jobs
        and not is_held(folder / LOCK_NAME)
        and max((f.stat().st_mtime for f in folder.iterdir()), default=0.0) < before
    )


def remove(library: Library, ledger: Ledger, cleaning: Cleaning) -> None:
    """Remove what was found; nothing half removed is ever taken for a result.

    The caller holds the library: no service may plan with results that are about to go.
    """
    store = Store(library.results)
    for spare in cleaning.results:
        store.remove(spare.receipt)
    ledger.forget_results(spare.receipt.key for spare in cleaning.results)
    for folder in cleaning.jobs:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.parent.is_dir() and not any(folder.parent.iterdir()):
            folder.parent.rmdir()
