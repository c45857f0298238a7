"""Finding a row's session and its results again, by the session's name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wakeful.catalog import Catalog
from wakeful.config import Library
from wakeful.io.mirror import intake_folder, read_manifest
from wakeful.io.store import Store
from wakeful.ledger import Ledger
from wakeful.model.errors import UnknownResult, WakefulError
from wakeful.pipeline.plan import Plan
from wakeful.service.planning import plan_request
from wakeful.service.publication import folder_name, publish_row
from wakeful.service.row_rules import make_context
from wakeful.service.targets import Prepared, marks_of, prepare
from wakeful.sheet.interface import Sheet
from wakeful.sheet.request import Request
from wakeful.sheet.validate import validate_rows


@dataclass(frozen=True)
class Found:
    """A row's session with its plan."""

    request: Request
    prepared: Prepared
    plan: Plan
    name: str
    """As its published folder is called."""


def find_sessions(library: Library, sheet: Sheet, catalog: Catalog) -> tuple[Found, ...]:
    """The sessions of all rows whose recording has been taken in."""
    found: list[Found] = []
    with Ledger.open(library.database) as ledger:
        for checked in validate_rows(sheet.read_rows(), make_context(library, catalog)):
            if checked.request is not None:
                try:
                    session = _find(library, ledger, catalog, checked.request)
                except WakefulError:
                    continue  # its row says what is wrong; the others can be read all the same
                if session is not None:
                    found.append(session)
    return tuple(found)


def _find(library: Library, ledger: Ledger, catalog: Catalog, request: Request) -> Found | None:
    """The session of a row; None where its recording has not been taken in."""
    folder = intake_folder(library.raw, request.recording)
    manifest = read_manifest(folder)
    if manifest is None:
        return None
    prepared = prepare(request, library, manifest, folder, marks_of(ledger, request))
    plan = plan_request(request, library, prepared, catalog)
    name = folder_name(library, request, prepared.target.session)
    return Found(request, prepared, plan, name)


def find_session(library: Library, sheet: Sheet, catalog: Catalog, name: str) -> Found:
    """The one session of a name: of its published folder, or of the recording alone.

    Raises
    ------
    UnknownResult
        None has it, or several rows do.
    """
    sessions = find_sessions(library, sheet, catalog)
    exact = [s for s in sessions if s.name == name]
    alike = exact or [s for s in sessions if s.prepared.target.session.name == name]
    if len(alike) != 1:
        names = ", ".join(s.name for s in (alike or sessions))
        raise UnknownResult(
            f"{len(alike) or 'no'} rows have a session {name!r}",
            where=str(library.root),
            remedy=f"use one of {names or 'none: run a row first'}",
        )
    return alike[0]


def republish(library: Library, store: Store, catalog: Catalog, found: Found) -> Path:
    """Write a session's report once more, from the results that are there.

    Raises
    ------
    UnknownResult
        Results are missing.
    """
    missing = [t for t in found.plan.tasks if not store.has(t.folder, t.key)]
    if missing:
        raise UnknownResult(
            f"{len(missing)} of {len(found.plan.tasks)} results are not there",
            where=found.name,
            remedy="run its row first: wakeful run --once",
        )
    return publish_row(library, store, catalog, found.request, found.prepared, found.plan).report
