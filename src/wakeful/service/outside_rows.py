"""Keeps the library's rows equal to those of a sheet outside it, and its statuses to theirs.

The database is the truth. A line of the sheet gets a row when it is ticked, complete and has stood
unchanged for two looks; lines that ask for the same share one. A line that went away takes its row
with it, and gets it back when it comes back. Statuses are found anew for every line at each look,
by what is typed into it, so that sorting, copying and inserting lines leaves none on a wrong one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Final

from wakeful.catalog import Catalog
from wakeful.config import Library
from wakeful.io.atomic import storable_text
from wakeful.ledger import ChangeWatch, Ledger, OutsideRow, RowCells, RowRecord
from wakeful.ledger.schema import CELL_COLUMNS
from wakeful.model.errors import BadRow
from wakeful.service.row_rules import make_context
from wakeful.service.sheet_tables import SheetTabs
from wakeful.sheet.interface import SheetRow, Status, StatusUpdate
from wakeful.sheet.outside import OutsideSheet, key_of, shown_text
from wakeful.sheet.request import NaturalKey, Request, natural_key
from wakeful.sheet.validate import NO_TICKS, Checks, validate_rows

_changing: Final = threading.Lock()
"""Sheets are looked at in threads of their own, and two may ask for the same at one time."""
_LOOK_THROUGH_S: Final = 60.0
"""A sheet in which nothing changes is looked through so often: recordings may come or go."""
_AT_ONCE: Final = 200
"""Rows added in one transaction: others who write wait for it."""
_MOST_SHOWN: Final = 4_000
"""Characters of a message in a cell."""


@dataclass(frozen=True)
class Look:
    """What one look at a sheet came to."""

    n_lines: int = 0
    n_added: int = 0
    n_changed: int = 0
    n_removed: int = 0
    is_settled: bool = True
    """Whether nothing waits for the next look."""


@dataclass(frozen=True)
class _Line:
    """A line of the sheet, and what came of it."""

    row: SheetRow
    key: str
    cells: RowCells
    """As they go into the library."""
    request: Request | None
    error: BadRow | None

    @property
    def is_ticked(self) -> bool:
        """Whether somebody said that the line is complete; where it is bad, whether it seems so."""
        if self.request is not None:
            return self.request.run
        return self.row.run.strip().casefold() not in NO_TICKS


@dataclass(frozen=True, eq=False)
class _Quiet:
    """A sheet and a database in which there was nothing to do."""

    rows: tuple[SheetRow, ...]
    version: int
    judged_by: tuple[object, ...]
    at: float = field(default_factory=time.monotonic)

    def is_still(self, now: _Quiet) -> bool:
        """Whether nothing can have changed; now and then all is looked at anyway."""
        return (
            self.rows is now.rows
            and self.version == now.version
            and self.judged_by == now.judged_by
            and now.at - self.at < _LOOK_THROUGH_S
        )


class OutsideRows:
    """The lines of one outside sheet.

    Parameters
    ----------
    library, ledger, catalog : whose rows they become
    sheet : where people type
    """

    def __init__(
        self, library: Library, ledger: Ledger, catalog: Catalog, sheet: OutsideSheet
    ) -> None:
        self._library = library
        self._ledger = ledger
        self._catalog = catalog
        self._sheet = sheet
        self._tabs = SheetTabs(library, catalog, sheet)
        self._checks = Checks()
        self._judged_by: tuple[object, ...] = ()
        self._before: dict[str, set[RowCells]] | None = None
        """Key -> cells of its lines, at the last look."""
        self._judged: dict[str, _Line] = {}
        self._context = make_context(library, catalog)
        self._watch = ChangeWatch(ledger)
        self._quiet: _Quiet | None = None
        """How all was when the last look found nothing to do."""

    def close(self) -> None:
        """Let go of the database file."""
        self._watch.close()

    @property
    def sheet(self) -> OutsideSheet:
        """Where people type."""
        return self._sheet

    def look(self) -> Look:
        """Read the sheet, change rows, write statuses; once.

        Raises
        ------
        WakefulError
            The sheet or the database can't be used now. Nothing was changed by halves: the next
            look goes on from there.
        """
        version = self._watch.version()
        rows = self._sheet.read_rows()
        if self._tabs.take():
            self._quiet = None
        self._tabs.say()
        quiet = _Quiet(rows, version, self._judge_by())
        if self._quiet is not None and self._quiet.is_still(quiet):
            return Look(n_lines=len(rows), is_settled=not self._tabs.waits)
        self._quiet = None
        lines = self._judge_all(rows)
        links = self._let_go(self._ledger.outside_rows(self._sheet.name))
        records = self._ledger.rows_of_sheet(self._sheet.name)
        with _changing:
            changes = self._change(lines, links, records)
        if changes.n_added or changes.n_changed or changes.n_removed:
            links = self._ledger.outside_rows(self._sheet.name)
            records = self._ledger.rows_of_sheet(self._sheet.name)
        self._before = {}
        for line in lines:
            self._before.setdefault(line.key, set()).add(line.cells)
        self._sheet.write_statuses(_statuses(lines, links, records))
        is_good = all(line.error is None for line in lines)
        if changes == Look(n_lines=len(lines)) and is_good:
            self._quiet = quiet
        return replace(changes, is_settled=changes.is_settled and not self._tabs.waits)

    def _let_go(self, links: dict[str, OutsideRow]) -> dict[str, OutsideRow]:
        """The links without those to rows of others that were deleted there: such a line asks for
        a row of its own.
        """
        lost = {key for key, link in links.items() if link.is_deleted and not link.is_owner}
        for key in lost:
            self._ledger.stop_sharing(self._sheet.name, key)
        return {key: link for key, link in links.items() if key not in lost}

    def show(self) -> None:
        """Write statuses once more, without taking anything from the sheet."""
        lines = self._judge_all(self._sheet.read_rows())
        links = self._ledger.outside_rows(self._sheet.name)
        records = self._ledger.rows_of_sheet(self._sheet.name)
        self._sheet.write_statuses(_statuses(lines, links, records))

    def _judge_by(self) -> tuple[object, ...]:
        """What lines are judged by; what they ask for is remembered as long as it is the same."""
        self._context = make_context(self._library, self._catalog)
        by = (tuple(self._context.analyses), tuple(self._context.params))
        if by != self._judged_by:
            self._judged_by, self._checks = by, Checks()
        return by

    def _judge_all(self, rows: Sequence[SheetRow]) -> tuple[_Line, ...]:
        self._judge_by()
        mates: dict[str, set[str]] = {}
        for row in rows:
            mates.setdefault(row.recording, set()).add(row.subject)
        lines = tuple(self._judge(row, mates[row.recording]) for row in rows)
        self._judged = {line.row.identifier: line for line in lines}
        return lines

    def _judge(self, row: SheetRow, mates: Collection[str]) -> _Line:
        channels = self._tabs.channels_for(row, mates)
        meant = row if channels == row.channels else replace(row, channels=channels)
        known = self._judged.get(row.identifier)
        cells = known.cells if known else None
        if cells is None or _typed(cells) != _typed(meant):
            cells = RowCells(**meant.cells())
        try:
            return _Line(row, key_of(row), cells, self._checks(meant, self._context), None)
        except BadRow as error:
            return _Line(row, key_of(row), cells, None, error)

    def _is_settled(self, line: _Line) -> bool:
        """Whether the line stood so at the last look: nobody is in the middle of typing."""
        return self._before is not None and line.cells in self._before.get(line.key, ())

    def _change(
        self,
        lines: Sequence[_Line],
        links: Mapping[str, OutsideRow],
        records: Mapping[int, RowRecord],
    ) -> Look:
        n_changed = n_waiting = 0
        of_row: dict[int, list[_Line]] = {}
        new: list[_Line] = []
        for line in lines:
            link = links.get(line.key)
            if link is not None:
                of_row.setdefault(link.row_id, []).append(line)
            elif line.request is not None and line.is_ticked:
                if self._is_settled(line):
                    new.append(line)
                else:
                    n_waiting += 1
        owned = {link.row_id for link in links.values() if link.is_owner}
        deleted = {link.row_id for link in links.values() if link.is_deleted}
        for row_id, alike in of_row.items():
            if row_id not in owned:
                continue
            changed, waits = self._pass_on(row_id, alike, records.get(row_id), row_id in deleted)
            n_changed += changed
            n_waiting += waits
        n_added = self._add(new, lines, links)
        n_removed, n_going = self._remove(links, {line.key for line in lines})
        return Look(
            n_lines=len(lines),
            n_added=n_added,
            n_changed=n_changed,
            n_removed=n_removed,
            is_settled=n_waiting + n_going == 0,
        )

    def _pass_on(
        self, row_id: int, alike: Sequence[_Line], record: RowRecord | None, is_deleted: bool
    ) -> tuple[bool, bool]:
        """Make a row what its line says; (whether it was changed, whether a line waits)."""
        line = _choose(alike, record)
        if line.request is None:
            return False, False
        if is_deleted:
            if not line.is_ticked:
                return False, False
            if not self._is_settled(line):
                return False, True
            if natural_key(line.request) in self._asked_elsewhere({row_id}):
                # Somebody else asked for it meanwhile: the line shares that row from now on.
                self._ledger.forget_line(self._sheet.name, line.key)
                return False, True
            record = self._ledger.restore_row(row_id, actor=self._sheet.name)
        if record is None:
            return False, False
        if _typed(line.cells) == _typed(record):
            return is_deleted, False
        changes = {
            c: line.cells.cell(c) for c in CELL_COLUMNS if line.cells.cell(c) != record.cell(c)
        }
        if not self._is_settled(line):
            return False, True
        self._ledger.edit_row(row_id, changes, actor=self._sheet.name)
        return True, False

    def _add(
        self, new: Sequence[_Line], lines: Sequence[_Line], links: Mapping[str, OutsideRow]
    ) -> int:
        """Make rows for new lines; those that ask for what another row asks for share it."""
        if not new:
            return 0
        rows = self._rows_by_request(lines, links)
        to_make: dict[NaturalKey, list[_Line]] = {}
        seen: set[str] = set()
        for line in new:
            if line.request is None or line.key in seen:
                continue
            seen.add(line.key)
            asked = natural_key(line.request)
            if asked in rows:
                self._share(line, rows[asked])
            else:
                to_make.setdefault(asked, []).append(line)
        first = [(alike[0].key, alike[0].cells) for alike in to_make.values()]
        made: list[int] = []
        for start in range(0, len(first), _AT_ONCE):
            made += self._ledger.add_outside_rows(
                self._sheet.name, first[start : start + _AT_ONCE], actor=self._sheet.name
            )
        for row_id, alike in zip(made, to_make.values(), strict=True):
            for line in alike[1:]:
                self._ledger.share_row(self._sheet.name, line.key, row_id)
        return len(seen)

    def _rows_by_request(
        self, lines: Sequence[_Line], links: Mapping[str, OutsideRow]
    ) -> dict[NaturalKey, int]:
        """What is asked for by now -> the row that asks for it."""
        found = {
            natural_key(line.request): links[line.key].row_id
            for line in lines
            if line.request is not None and line.key in links and not links[line.key].is_deleted
        }
        ours = {link.row_id for link in links.values()}
        for asked, row_id in self._asked_elsewhere(ours).items():
            found.setdefault(asked, row_id)
        return found

    def _asked_elsewhere(self, ours: Collection[int]) -> dict[NaturalKey, int]:
        """What is asked for by rows that are not among `ours` -> the row."""
        others = [
            SheetRow(
                identifier=str(r.id), number=r.id, counted_as="row", **r.cells(), **r.status_cells()
            )
            for r in self._ledger.rows()
            if r.id not in ours
        ]
        found: dict[NaturalKey, int] = {}
        for checked in validate_rows(others, make_context(self._library, self._catalog)):
            asked = checked.request or checked.standing
            if asked is not None:
                found.setdefault(natural_key(asked), int(checked.row.identifier))
        return found

    def _share(self, line: _Line, row_id: int) -> None:
        """Let a line share a row; it is the line's from then on where nobody else speaks for it: a
        row that nobody ticked, or of a sheet that wakeful.toml no longer names.
        """
        self._ledger.share_row(self._sheet.name, line.key, row_id)
        owners = self._ledger.sheets_of(row_id)
        named = self._library.outside_sheets()
        is_draft = not owners and not self._is_run(row_id)
        if is_draft or (owners and not any(owner in named for owner in owners)):
            self._ledger.take_over(self._sheet.name, line.key, row_id)

    def _is_run(self, row_id: int) -> bool:
        return self._ledger.row(row_id).run.strip().casefold() not in NO_TICKS

    def _remove(self, links: Mapping[str, OutsideRow], present: set[str]) -> tuple[int, int]:
        """Take out the rows of lines that are gone; (how many, how many lines are just gone)."""
        gone = {key for key, link in links.items() if key not in present and not link.is_deleted}
        if self._before is None:
            return 0, len(gone)
        just_gone = {key for key in gone if key in self._before}
        kept = {links[key].row_id for key in present if key in links}
        kept |= {links[key].row_id for key in just_gone}
        n_removed = 0
        for key in gone - just_gone:
            link = links[key]
            if not link.is_owner:
                self._ledger.stop_sharing(self._sheet.name, key)
            elif link.row_id not in kept and not self._ledger.hand_over(
                self._sheet.name, link.row_id
            ):
                self._ledger.delete_row(link.row_id, actor=self._sheet.name)
                n_removed += 1
        return n_removed, len(just_gone)


_typed: Final = attrgetter(*CELL_COLUMNS)
"""The cells that a person types."""


def _choose(alike: Sequence[_Line], record: RowRecord | None) -> _Line:
    """The line that counts among those that share a row: the one the row was made from, else the
    topmost that is right, so that sorting the sheet changes nothing.
    """
    if record is not None and len(alike) > 1:
        for line in alike:
            if _typed(line.cells) == _typed(record):
                return line
    return next((line for line in alike if line.request is not None), alike[0])


def _statuses(
    lines: Sequence[_Line],
    links: Mapping[str, OutsideRow],
    records: Mapping[int, RowRecord],
) -> list[StatusUpdate]:
    """What every line shall show."""
    of_row: dict[int, list[_Line]] = {}
    for line in lines:
        link = links.get(line.key)
        if link is not None and not link.is_deleted:
            of_row.setdefault(link.row_id, []).append(line)
    updates: list[StatusUpdate] = []
    for line in lines:
        link = links.get(line.key)
        record = None if link is None or link.is_deleted else records.get(link.row_id)
        if record is None:
            updates.append(_without_row(line))
            continue
        update = _with_row(line, record)
        counts = _choose(of_row[record.id], record)
        if line.error is None and counts is not line:
            update = replace(update, message=_shared(line, counts, update.message))
        elif line.error is None and link is not None and not link.is_owner:
            update = replace(update, message=_shared_with(line, record, update.message))
        updates.append(update)
    return [
        StatusUpdate(
            identifier=update.identifier,
            **{c: shown_text(text, _MOST_SHOWN) for c, text in update.status_cells().items()},
        )
        for update in updates
    ]


def _without_row(line: _Line) -> StatusUpdate:
    """A line that has no row yet: bad, not ticked, or seen for the first time."""
    identifier = line.row.identifier
    if line.error is not None:
        text = storable_text(str(line.error))
        if line.is_ticked:
            return StatusUpdate(identifier=identifier, status=Status.NEEDS_ATTENTION, message=text)
        return StatusUpdate(
            identifier=identifier, status=Status.WAITING, message=f"not ticked yet; {text}"
        )
    message = (
        "seen; it starts when it has stood unchanged for two looks"
        if line.is_ticked
        else "tick run when the row is complete"
    )
    return StatusUpdate(identifier=identifier, status=Status.WAITING, message=message)


def _with_row(line: _Line, record: RowRecord) -> StatusUpdate:
    shown = StatusUpdate(identifier=line.row.identifier, **record.status_cells())
    if line.error is not None:
        text = storable_text(str(line.error))
        return replace(
            shown,
            status=Status.NEEDS_ATTENTION,
            message=f"{text} | until then it counts as it was",
        )
    if not record.status:
        return replace(shown, status=Status.QUEUED)
    return shown


def _shared(line: _Line, counts: _Line, message: str) -> str:
    """A line that asks for the same as another."""
    differs = [
        c
        for c in ("analyses", "channels", "priority", "run")
        if line.row.cell(c).strip() != counts.row.cell(c).strip()
    ]
    note = f"shares the run of {counts.row.where}"
    if differs:
        note = (
            f"{note}, whose {', '.join(differs)} count{'s' if len(differs) == 1 else ''}: delete "
            "one of the two, or put a new number under rerun"
        )
    return f"{note} | {message}" if message else note


def _shared_with(line: _Line, record: RowRecord, message: str) -> str:
    """A line that asks for what somebody asked for elsewhere."""
    note = f"shares the run of row {record.id} of the library"
    if line.row.analyses.strip() != record.analyses.strip():
        note += f", whose analyses count ({record.analyses.strip() or 'everything standard'})"
    return f"{note} | {message}" if message else note
