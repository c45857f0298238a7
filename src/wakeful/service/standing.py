"""Standing rows: every recording that fits a pattern gets a row of its own, now and later."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from wakeful.io.atomic import storable_text
from wakeful.io.recording import recognise
from wakeful.ledger import Ledger, RowCells
from wakeful.model.errors import WakefulError
from wakeful.service.steering import Steering
from wakeful.service.work import LOOK_AGAIN_S, fault
from wakeful.sheet.interface import SheetRow, Status, StatusUpdate
from wakeful.sheet.patterns import matches
from wakeful.sheet.places import Places, find_recording
from wakeful.sheet.request import NaturalKey, Request, natural_key
from wakeful.sheet.validate import CheckedRow

_SERVICE = "service"
_LONGEST_PAUSE_S = 600.0
_MOST_SHOWN = 3


@dataclass
class _NoRow:
    """Something that fits the pattern and can't be a row yet."""

    why: str
    changed: float
    """When the file or folder itself was changed."""
    pause_s: float
    again: float
    """On the monotonic clock: when it is looked at again."""


@dataclass
class _Watched:
    """What is known of one standing row between two passes."""

    cells: RowCells | None = None
    """As they were passed on."""
    looked: float = -math.inf
    without_row: dict[Path, _NoRow] = field(default_factory=dict)
    n_other: int = 0
    """Recordings that fit, and that another row asks for already."""
    problem: str = ""


class StandingRows:
    """Keeps the rows of standing rows.

    A row is made once for a recording: what somebody deletes is not made again, and a recording
    that disappears keeps its row. What is changed in a standing row is passed on, but for cells
    that somebody typed into.

    Parameters
    ----------
    ledger : where rows are made
    steering : what people paused
    """

    def __init__(self, ledger: Ledger, steering: Steering) -> None:
        self._ledger = ledger
        self._steering = steering
        self._watched: dict[str, _Watched] = {}

    def look(self, checked: Sequence[CheckedRow], places: Places) -> bool:
        """Make and change rows; whether any was, so that the sheet is to be read again."""
        standing = [c for c in checked if c.standing is not None and c.standing.run]
        names = {c.row.identifier for c in standing}
        for gone in set(self._watched) - names:
            del self._watched[gone]
        due = [c for c in standing if self._is_due(c.row)]
        if not due:
            return False
        keys = {natural_key(c.request) for c in checked if c.request is not None}
        spoilt = set(_spoilt(checked, places))
        changed = False
        for one in due:
            if one.standing is None:
                raise RuntimeError("a row that stands for nothing")
            watched = self._watched.setdefault(one.row.identifier, _Watched())
            watched.looked, watched.problem = time.monotonic(), ""
            try:
                changed |= self._pass_on(one.row, watched)
                changed |= self._find(one.row, one.standing, watched, places, keys, spoilt)
            except OSError as error:
                watched.problem = f"can't be looked for now: {error.filename}: {error.strerror}"
            except WakefulError as error:
                watched.problem = str(error)
            except Exception as error:  # noqa: BLE001 -- a fault in one row must not stop the others
                traceback.print_exc()
                watched.problem = str(fault(error))
        return changed

    def update(self, row: SheetRow) -> StatusUpdate:
        """What a standing row shall show."""
        watched = self._watched.get(row.identifier, _Watched())
        held = self._steering.keeps(int(row.identifier))
        found = self._ledger.found_rows(int(row.identifier))
        n_rows = sum(not f.is_deleted for f in found)
        n_deleted = len(found) - n_rows
        notes = [watched.problem] if watched.problem else []
        if held:
            notes.append(f"{held}: no rows are made for new recordings")
        if watched.n_other:
            notes.append(f"{watched.n_other} have a row that was added otherwise")
        if n_deleted:
            notes.append(f"{n_deleted} rows were deleted and are not made again")
        waiting = sorted(watched.without_row.items())
        notes += [f"no row yet for {path.name}: {w.why}" for path, w in waiting[:_MOST_SHOWN]]
        if len(waiting) > _MOST_SHOWN:
            notes.append(f"no row yet for {len(waiting) - _MOST_SHOWN} more")
        return StatusUpdate(
            identifier=row.identifier,
            status=Status.PAUSED if held else Status.WATCHING,
            progress=f"{n_rows} row{'' if n_rows == 1 else 's'}",
            message=storable_text(" | ".join(notes)),
        )

    def _is_due(self, row: SheetRow) -> bool:
        if self._steering.keeps(int(row.identifier)):
            return False
        watched = self._watched.get(row.identifier)
        return (
            watched is None
            or watched.cells != _typed(row)
            or time.monotonic() - watched.looked >= LOOK_AGAIN_S
        )

    def _pass_on(self, row: SheetRow, watched: _Watched) -> bool:
        """Change the rows that were made before, where the standing row was changed."""
        cells = _typed(row)
        if watched.cells == cells:
            return False
        watched.without_row.clear()  # of another pattern, it may be
        changed = [
            self._ledger.pass_on(found.row_id, _for_found(row), actor=_SERVICE)
            for found in self._ledger.found_rows(int(row.identifier))
            if not found.is_deleted
        ]
        watched.cells = cells
        return any(changed)

    def _find(
        self,
        row: SheetRow,
        standing: Request,
        watched: _Watched,
        places: Places,
        keys: set[NaturalKey],
        spoilt: set[tuple[str, Path]],
    ) -> bool:
        """Make rows for recordings that have none."""
        known = {found.recording for found in self._ledger.found_rows(int(row.identifier))}
        n_made = n_other = 0
        present: set[Path] = set()
        for match in matches(standing.recording):
            path = match.resolve()
            present.add(path)
            if str(path) in known:
                continue
            key = natural_key(replace(standing, recording=path))
            if key in keys or (standing.subject, path) in spoilt:
                n_other += 1
                continue
            if not self._can_be_read(path, watched, places):
                continue
            made = self._ledger.add_found_row(
                int(row.identifier), str(path), _for_found(row), actor=_SERVICE
            )
            known.add(str(path))
            keys.add(key)
            n_made += made is not None
        watched.n_other = n_other
        for gone in set(watched.without_row) - present:
            del watched.without_row[gone]
        return n_made > 0

    def _can_be_read(self, path: Path, watched: _Watched, places: Places) -> bool:
        """Whether there is a recording by now; looked at again after growing pauses."""
        now = time.monotonic()
        try:
            changed = path.stat().st_mtime
        except OSError:
            return False  # gone between two looks
        before = watched.without_row.get(path)
        if before is not None and before.changed == changed and now < before.again:
            return False
        _, why = find_recording(str(path), places)
        if not why:
            try:
                recognise(path)
            except WakefulError as error:
                why = error.what
        if not why:
            watched.without_row.pop(path, None)
            return True
        same = before is not None and before.changed == changed
        pause_s = min(2 * before.pause_s, _LONGEST_PAUSE_S) if before and same else LOOK_AGAIN_S
        watched.without_row[path] = _NoRow(why, changed, pause_s, now + pause_s)
        return False


def _typed(row: SheetRow) -> RowCells:
    return RowCells(**row.cells())


def _for_found(row: SheetRow) -> RowCells:
    """What goes into the rows of a standing row."""
    notes = f"found by row {row.number}"
    return replace(_typed(row), notes=f"{notes}: {row.notes}" if row.notes.strip() else notes)


def _spoilt(checked: Iterable[CheckedRow], places: Places) -> Iterable[tuple[str, Path]]:
    """Subject and recording of rows that are wrong in other cells: they are about to be mended."""
    for one in checked:
        if one.error is not None and (text := one.row.recording.strip()):
            path, _ = find_recording(text, places)
            if path is not None:
                yield one.row.subject.strip(), path
