"""What the service knows of one row between two passes, and what it says into it."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from wakeful.io.atomic import storable_text
from wakeful.io.mirror import Manifest, source_files
from wakeful.model.errors import NoRecording, WakefulError
from wakeful.model.quality import Mark, duration_text
from wakeful.pipeline.keys import digest
from wakeful.pipeline.plan import Job, Plan
from wakeful.service.targets import Prepared
from wakeful.sheet.interface import SheetRow, Status, StatusUpdate
from wakeful.sheet.request import Request
from wakeful.sheet.validate import CheckedRow

_ENDED = frozenset({Status.DONE, Status.DONE_WITH_WARNINGS, Status.FAILED, Status.NEEDS_ATTENTION})
_FINISHED = frozenset({Status.DONE, Status.DONE_WITH_WARNINGS})

LOOK_AGAIN_S = 10.0
"""A row that has ended is looked at again after this."""
_LONGEST_QUIET_S = 160.0
_LONGEST_PAUSE_S = 3600.0

Signature = str
"""A digest: what changes is noticed, not what it was."""


@dataclass(frozen=True)
class Counts:
    """Numbers of a row that are shown."""

    session: str = ""
    n_results: int = 0
    n_blocks: int = 0
    taken_in_bytes: int = 0


@dataclass
class Work:
    """What is known of one row between two passes."""

    request: Request
    run_id: int
    status: Status = Status.QUEUED
    message: str = ""
    progress: str = ""
    link: str = ""
    report: str = ""
    """Path of its report here, where `link` leads elsewhere too."""
    delivery: str = ""
    """How far its delivery is, while that goes on."""
    undelivered: bool = False
    """Whether what was published is not yet where people look for it."""
    time_left: str = ""
    """How long it is likely to take yet; "" where nothing is computed."""
    started: datetime | None = None
    finished: datetime | None = None
    manifest: Manifest | None = None
    prepared: Prepared | None = None
    plan: Plan | None = None
    jobs: tuple[Job, ...] = ()
    missing: set[str] = field(default_factory=set)
    """Keys of the results that are not there yet."""
    made: int = 0
    """How many results this service saw being made for the row."""
    given_up: dict[str, str] = field(default_factory=dict)
    """Name of each job that failed and is not tried again -> its message."""
    growing: bool = False
    """Whether the recording goes on."""
    held: bool = False
    """Whether nothing is started for it: paused or cancelled."""
    lacks_room: bool = False
    """Whether it waits for room on a disk."""
    published: bool = False
    """Whether what the plan gives has been published."""
    signature: Signature | None = None
    """What the row's files looked like when what it ended with was taken in."""
    taken_in: Signature | None = None
    """What they look like since they were last taken in; None where they were not."""
    marks: tuple[Mark, ...] | None = None
    """What people had said of its channels when it was planned; None where it was not."""
    facts: str = ""
    """What the lab's sheets said of its animal and parameter set when it was planned."""
    counts: Counts = field(default_factory=Counts)
    """What is shown of it; outlasts the plan."""
    is_trusted: bool = False
    """Whether an earlier service finished it and this one has not looked through it."""
    looked: float = 0.0
    quiet_s: float = LOOK_AGAIN_S
    """How long after a look at its files the next one comes: longer where nothing changes."""
    pause_s: float = LOOK_AGAIN_S

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.status in _ENDED

    @property
    def is_idle(self) -> bool:
        """Whether nothing happens by itself before somebody does something."""
        return self.has_ended or self.held or self.lacks_room

    @property
    def waits(self) -> bool:
        """Whether nothing more happens before its recording has grown."""
        return self.growing and (self.plan is None or self.published)

    def end(self, status: Status, message: str) -> None:
        """Done or failed."""
        self.status, self.message = status, message
        self.finished = datetime.now(UTC)
        # As they were taken in, not as they are: what changed meanwhile is not in the results.
        self.signature = self.taken_in or signature_of(self.request)
        self.looked, self.quiet_s = time.monotonic(), LOOK_AGAIN_S

    def wants_another_look(self) -> bool:
        """Whether a row that has ended may have new work.

        It has where its recording or channels file is no longer as it was. A recording that could
        not be taken in (a full disk, no permission) is tried again after growing pauses, since
        what was in the way leaves no trace in the files.
        """
        now = time.monotonic()
        if now - self.looked < self.quiet_s:
            return False
        current = signature_of(self.request)
        goes_on = self.manifest is not None and not self.manifest.complete
        # A recording that goes on changes all the time: that says nothing of what went wrong.
        changed = current is not None and current != self.signature and not goes_on
        stuck = self.status not in _FINISHED and (self.manifest is None or goes_on)
        if not changed and not (stuck and now - self.looked >= self.pause_s):
            if not stuck:
                self.looked = now
                self.quiet_s = min(2 * self.quiet_s, _LONGEST_QUIET_S)
            return False
        self.pause_s = min(2 * self.pause_s, _LONGEST_PAUSE_S) if stuck else LOOK_AGAIN_S
        return True

    def start_over(self) -> None:
        """Forget what came of the row; the next steps find out anew."""
        self.status, self.message, self.progress = Status.QUEUED, "", ""
        self.started = self.finished = None
        self.manifest = self.prepared = self.plan = self.taken_in = None
        self.jobs, self.missing, self.made, self.given_up = (), set(), 0, {}
        self.growing = self.published = self.lacks_room = self.is_trusted = False
        self.undelivered, self.delivery = False, ""

    def count(self) -> Counts:
        """What is shown of it, as far as it is known."""
        if self.plan is not None:
            session = self.plan.session
            self.counts = Counts(
                session.name,
                len(self.plan.tasks),
                math.ceil(session.duration_s / session.block_s),
                self.manifest.n_bytes if self.manifest else 0,
            )
        return self.counts

    def let_go(self) -> None:
        """Forget how a row that has ended was planned: a library has thousands of them."""
        self.count()
        self.plan = self.prepared = None
        self.jobs = ()


def signature_of(request: Request) -> Signature | None:
    """Size and time of change of a row's files; None where they can't be looked at just now.

    A source that is gone is no change: a mirror outlives its source.
    """
    try:
        files = source_files(request.recording)
        looked_at = [*files, *([request.channels] if request.channels else [])]
        stats = [(str(path), path.stat()) for path in looked_at]
    except (OSError, NoRecording):
        return None
    return digest([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])


@dataclass(frozen=True)
class RowView:
    """One row as a pass left it; for progress bars and tests."""

    row: SheetRow
    update: StatusUpdate
    n_results: int
    n_present: int
    n_made: int
    session: str = ""
    """The session's name, once it is known."""
    goes_on: bool = False
    """Whether more is being recorded."""
    source: str = ""
    """Where the recording is, in full."""
    taken_in_bytes: int = 0
    """How much of it has been taken in and verified."""
    n_blocks: int = 0
    """Blocks of its session, as far as they have been recorded whole."""
    n_set_aside: int = 0
    """Jobs that failed while the rest went on."""


Watch = Callable[[tuple[RowView, ...], int], None]
"""Called after each pass with the rows and how many jobs run."""


def make_update(row: SheetRow, work: Work, clock: Callable[[datetime], str]) -> StatusUpdate:
    """What the row shall show.

    Where everything was there already, the times of the run that made it stay.
    """
    keep = work.status in _FINISHED and work.made == 0 and bool(row.finished)
    started = clock(work.started) if work.started else ""
    finished = clock(work.finished) if work.finished else ""
    return StatusUpdate(
        identifier=row.identifier,
        status=work.status,
        progress=storable_text(
            ", ".join(filter(None, (work.progress, work.delivery, work.time_left)))
        ),
        started=row.started if keep else started,
        finished=row.finished if keep else finished,
        link=storable_text(work.link),
        message=storable_text(work.message),
    )


def make_idle_update(row: SheetRow, checked: CheckedRow | None) -> StatusUpdate:
    """A row that nothing is done for: blank, not ticked, or wrong. What was made stays linked."""
    if checked is None:
        return StatusUpdate(identifier=row.identifier)
    error = checked.error
    return StatusUpdate(
        identifier=row.identifier,
        status=Status.NEEDS_ATTENTION if error is not None else Status.WAITING,
        progress=row.progress,
        started=row.started,
        finished=row.finished,
        link=row.link,
        message="tick run when the row is complete" if error is None else storable_text(str(error)),
    )


def make_view(row: SheetRow, update: StatusUpdate, work: Work | None) -> RowView:
    """The row as it now stands."""
    if work is None:
        return RowView(row, update, 0, 0, 0)
    counts = work.count()
    return RowView(
        row,
        update,
        counts.n_results,
        counts.n_results - len(work.missing),
        work.made,
        session=counts.session,
        goes_on=work.growing,
        source=str(work.request.recording),
        taken_in_bytes=counts.taken_in_bytes,
        n_blocks=counts.n_blocks,
        n_set_aside=len(work.given_up),
    )


def name_source(text: str, manifest: Manifest | None) -> str:
    """A message about the mirror in terms of the path that the person gave."""
    if manifest is None or manifest.in_place:
        return text
    root, source = Path(manifest.root), Path(manifest.source)
    text = text.replace(str(root), str(source))
    is_file = any(entry.file == root.name for entry in manifest.files)
    return text.replace(str(root.parent), str(source.parent)) if is_file else text


def fault(error: Exception) -> WakefulError:
    """An error that nobody foresaw."""
    return WakefulError(
        f"{type(error).__name__}: {error}",
        where="a fault of Wakeful itself",
        remedy="please report it with the log; the other rows go on",
    )


_BLOCK = re.compile(r", (block|day) \d+")


def summarise(failures: Iterable[str]) -> str:
    """One line for each reason, however many blocks it struck."""
    alike: dict[str, list[str]] = {}
    for failure in failures:
        alike.setdefault(_BLOCK.sub(r", \1", failure), []).append(failure)
    return " | ".join(
        found[0] + (f" (and {len(found) - 1} more like it)" if len(found) > 1 else "")
        for found in alike.values()
    )


def say_how_far(closed_s: float, summed_s: float, block_s: float) -> str:
    """How far a recording that goes on has been worked through, for its row.

    Parameters
    ----------
    closed_s : up to where every block is analysed
    summed_s : up to where the report goes
    block_s : length of a block
    """
    if closed_s <= 0:
        return f"the first {duration_text(block_s)} is not complete yet"
    shown = duration_text(summed_s) if summed_s > 0 else "nothing"
    return f"{duration_text(closed_s)} analysed, {shown} in the report"
