"""What a row would do and cost, found out without doing it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wakeful.catalog import Catalog
from wakeful.config import Library
from wakeful.io.mirror import (
    FileEntry,
    Manifest,
    base_of,
    intake_folder,
    pieces_of,
    read_manifest,
    source_files,
)
from wakeful.io.store import Store
from wakeful.ledger import Ledger
from wakeful.pipeline.plan import Task
from wakeful.service.history import Expectation, History
from wakeful.service.planning import plan_request
from wakeful.service.room import Room
from wakeful.service.targets import marks_of, prepare
from wakeful.sheet.request import Request


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What a row would do."""

    source: Path
    n_files: int
    source_bytes: int
    to_take_in_bytes: int
    """What has still to be copied; 0 where the recording stays in its place."""
    to_hash_bytes: int
    """What has still to be read once to know it again."""
    is_taken_in: bool
    """Whether the recording, or its beginning, was taken in before: results that are there already
    can be told only then."""
    recorded_s: float
    n_channels: int
    rate_hz: float
    tasks: tuple[Task, ...]
    """All that the row asks for."""
    missing: tuple[Task, ...]
    """What of it is to be made."""
    expected: Expectation
    """What making it is likely to cost."""
    slots: int
    """Jobs that run at one time."""
    warnings: tuple[str, ...]


def dry_run(request: Request, library: Library, ledger: Ledger, catalog: Catalog) -> DryRun:
    """Open and plan a row's recording where it lies; computes nothing, changes no row.

    Raises
    ------
    WakefulError
        What the row would say if it ran.
    """
    source = request.recording
    known = read_manifest(intake_folder(library.raw, source))
    in_place = library.config.work.transfer == "in-place"
    if known is not None and known.in_place != in_place:
        known = None
    is_here = source.exists()
    entries = _entries(source) if is_here or known is None else known.files
    n_bytes = sum(entry.bytes for entry in entries)
    new_bytes = max(0, n_bytes - (known.n_bytes if known else 0)) if is_here else 0
    with _opened(source, library, known, entries) as (manifest, folder):
        prepared = prepare(request, library, manifest, folder, marks_of(ledger, request))
        plan = plan_request(request, library, prepared, catalog)
    store = Store(library.results)
    missing = tuple(
        task for task in plan.tasks if known is None or not store.has(task.folder, task.key)
    )
    expected = History(ledger).expect(missing, plan.session.name)
    room = Room(library)
    stream = prepared.target.stream
    to_copy = 0 if in_place else new_bytes
    lacks = (
        # One after the other: where both are on one disk they must fit together.
        room.why_not(library.raw, to_copy, "copy") if to_copy else "",
        room.why_not(library.results, expected.bytes.high, "results") if missing else "",
    )
    return DryRun(
        source=source,
        n_files=len(entries),
        source_bytes=n_bytes,
        to_take_in_bytes=to_copy,
        to_hash_bytes=new_bytes,
        is_taken_in=known is not None,
        recorded_s=sum(span.interval.duration_s for span in stream.spans),
        n_channels=len(stream.channels),
        rate_hz=stream.rate_hz,
        tasks=plan.tasks,
        missing=missing,
        expected=expected,
        slots=library.config.executor.slots,
        warnings=tuple(filter(None, (*lacks, *prepared.warnings, *plan.notes))),
    )


@contextmanager
def _opened(
    source: Path, library: Library, known: Manifest | None, entries: tuple[FileEntry, ...]
) -> Iterator[tuple[Manifest, Path]]:
    """The recording's manifest; where it has none, one that names nothing and is kept nowhere."""
    if known is not None:
        yield known, intake_folder(library.raw, source)
        return
    with tempfile.TemporaryDirectory(prefix="wakeful-") as folder:
        yield Manifest(str(source), str(source), True, entries), Path(folder)


def _entries(source: Path) -> tuple[FileEntry, ...]:
    entries = []
    for path in source_files(source):
        stat = path.stat()
        n_pieces = len(pieces_of(0, stat.st_size))
        name = path.relative_to(base_of(source)).as_posix()
        entries.append(FileEntry(name, stat.st_size, stat.st_mtime_ns, ("",) * n_pieces))
    return tuple(entries)
