"""Rows that an earlier service finished: taken up as they were, without planning them again.

A plan of a row costs milliseconds and a library has thousands of rows. What a finished row depends
on is therefore kept as one digest when it ends. Where nothing of that has changed the row is as
it was; its files are looked at as those of every finished row, and its results one row a minute.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from wakeful.catalog import Catalog
from wakeful.config import Library
from wakeful.ledger import FinishedRow, Ledger
from wakeful.model.quality import Mark
from wakeful.pipeline.keys import digest
from wakeful.pipeline.machine import code_version
from wakeful.pipeline.versions import describe_installed, read_version
from wakeful.service.deliveries import UNDELIVERED, Deliveries
from wakeful.service.work import LOOK_AGAIN_S, Counts, Work
from wakeful.sheet.interface import SheetRow, Status
from wakeful.sheet.request import Request

LOOK_THROUGH_EVERY_S = 60.0
_NO_PART_OF_A_PLAN = {"executor", "service", "notices", "google", "inbox", "delivery", "web"}
"""Tables of wakeful.toml that no plan and no report depends on."""
_OF_THE_PLAN = {"lights", "mains_hz", "excluded", "genotype", "drug"}
"""What of an animal a plan or a row's message depends on."""
_SPREAD = 97
"""Looks at the files of rows that were taken up together are spread over so many steps."""


class RowFacts:
    """What is known of a row's animal and parameter set from the lab's sheets.

    Parameters
    ----------
    library : whose sheets
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._tables = library.lab_tables
        self._known: dict[tuple[str, str], str] = {}

    def of(self, request: Request) -> str:
        """A digest that changes where a plan or a row's message would."""
        tables = self._library.lab_tables
        if tables is not self._tables:
            self._tables, self._known = tables, {}
        place = (request.subject, request.params)
        if place not in self._known:
            animal = self._library.animal(request.subject)
            known = None if animal is None else animal.model_dump_json(include=_OF_THE_PLAN)
            self._known[place] = digest([known, repr(tables.parameters_of(request.params))])
        return self._known[place]


class FinishedRows:
    """Keeps how rows ended, and knows those that need no look now.

    Parameters
    ----------
    library, ledger, catalog : what the service works with
    deliveries : knows where what was published is
    """

    def __init__(
        self, library: Library, ledger: Ledger, catalog: Catalog, deliveries: Deliveries
    ) -> None:
        self._library = library
        self._ledger = ledger
        self._catalog = catalog
        self._deliveries = deliveries
        self._circumstances: str | None = None
        self.facts = RowFacts(library)
        """What sheets say of the rows' animals and parameter sets."""
        self._known: dict[int, FinishedRow] | None = None
        self._looked_through = time.monotonic()

    def take_up(self, row: SheetRow, request: Request, marks: tuple[Mark, ...]) -> Work | None:
        """A row's work as it ended; None where it has to be looked through.

        Parameters
        ----------
        marks : what people say of its channels now
        """
        if self._known is None:
            self._known = self._ledger.finished_rows()
        found = self._known.get(int(row.identifier))
        # What the row shows now is what it showed then, or somebody else wrote there.
        if (
            found is None
            or row.status != found.status
            or found.stamp != self._stamp(request, marks, self.facts.of(request))
            or not Path(found.link).is_file()
        ):
            return None
        number = found.row_id % _SPREAD
        # The ledger has the report here; where that was delivered may have changed since.
        failed = UNDELIVERED in found.message
        outcome = None if failed else self._deliveries.outcome_of(found.link)
        return Work(
            request,
            found.run_id,
            status=Status(found.status),
            message=found.message,
            progress=found.progress,
            link=outcome.link if outcome is not None else found.link,
            report=found.link,
            undelivered=self._deliveries.is_on and outcome is None,
            published=True,
            signature=found.signature,
            marks=marks,
            facts=self.facts.of(request),
            counts=Counts(found.session, found.n_results, found.n_blocks, found.taken_in_bytes),
            is_trusted=True,
            looked=time.monotonic() - LOOK_AGAIN_S + number,
        )

    def keep(self, row_id: int, work: Work) -> None:
        """Note how a row ended."""
        signature = work.signature
        if signature is None or work.marks is None:
            return  # its files can't be looked at just now: the next service looks through it
        counts = work.count()
        ended = FinishedRow(
            row_id=row_id,
            run_id=work.run_id,
            stamp=self._stamp(work.request, work.marks, work.facts),
            signature=signature,
            status=str(work.status),
            progress=work.progress,
            link=work.report,
            message=work.message,
            session=counts.session,
            n_results=counts.n_results,
            n_blocks=counts.n_blocks,
            taken_in_bytes=counts.taken_in_bytes,
        )
        if self._known is None:
            self._known = self._ledger.finished_rows()
        if self._known.get(row_id) != ended:
            self._ledger.keep_finished_row(ended)
            self._known[row_id] = ended

    def _stamp(self, request: Request, marks: tuple[Mark, ...], facts: str) -> str:
        if self._circumstances is None:
            self._circumstances = self._describe()
        asked = replace(request, notes="", priority=0, run=True).to_json()
        said = [asdict(mark) for mark in marks]
        return digest([self._circumstances, asked, repr(said), facts])

    def _describe(self) -> str:
        """All that is common to a library's rows: configuration, steps, models, Wakeful itself."""
        config = self._library.config
        pinned = config.pipeline.version
        version = asdict(read_version(self._library.pipelines, pinned)) if pinned else {}
        models = sorted(
            (path.relative_to(self._library.models).as_posix(), path.stat().st_mtime_ns)
            for path in self._library.models.rglob("*")
            if path.is_file()
        )
        return digest(
            [
                config.model_dump_json(exclude=_NO_PART_OF_A_PLAN),
                repr(version),
                repr(describe_installed(self._catalog, "installed").steps),
                models,
                code_version(),
            ]
        )

    def next_to_look_through(self, works: Iterable[Work]) -> Work | None:
        """A row that was taken up, whose results are to be made sure of now; one a minute."""
        now = time.monotonic()
        if now - self._looked_through < LOOK_THROUGH_EVERY_S:
            return None
        self._looked_through = now
        return next((work for work in works if work.is_trusted), None)
