"""Rows that people paused, cancelled or want tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from wakeful.ledger import JobState, Ledger, RunState, Wish, WishRecord
from wakeful.ledger.wishes import WHOLE_LIBRARY
from wakeful.service.driver import Driver, DriveState
from wakeful.service.intake import Intake, is_transfer
from wakeful.service.work import Work
from wakeful.sheet.interface import Status

_SERVICE = "service"
OPEN_JOBS = (JobState.INTENDED, JobState.RUNNING)


class Steering:
    """Does what people wish of the rows at work.

    Parameters
    ----------
    ledger : where the wishes are
    driver, intake : what runs
    """

    def __init__(self, ledger: Ledger, driver: Driver, intake: Intake) -> None:
        self._ledger = ledger
        self._driver = driver
        self._intake = intake
        self._wishes: dict[tuple[int, Wish], WishRecord] = {}

    def look(self) -> None:
        """Read the wishes; once a pass."""
        self._wishes = {(w.row_id, w.wish): w for w in self._ledger.wishes()}

    def keeps(self, row_id: int) -> str:
        """Why a standing row makes no rows: "paused by ada"; "" where nobody wished so."""
        if (row_id, Wish.RETRY) in self._wishes:
            self._ledger.take_back(row_id, [Wish.RETRY, Wish.CANCEL], actor=_SERVICE)
            for wish in (Wish.RETRY, Wish.CANCEL):
                self._wishes.pop((row_id, wish), None)
        for key, word in (
            ((row_id, Wish.CANCEL), "cancelled"),
            ((row_id, Wish.PAUSE), "paused"),
            ((WHOLE_LIBRARY, Wish.PAUSE), "paused"),
        ):
            if (found := self._wishes.get(key)) is not None:
                return f"{word} by {found.author}"
        return ""

    def hold(self, row_id: int, work: Work, others: Callable[[], Iterable[Work]]) -> bool:
        """Whether nothing is to be started for a row; its status says why.

        Parameters
        ----------
        others : the works of the other rows, whose jobs are not stopped with this one's
        """
        if (row_id, Wish.RETRY) in self._wishes:
            self._ledger.take_back(row_id, [Wish.RETRY, Wish.CANCEL], actor=_SERVICE)
            self._wishes.pop((row_id, Wish.CANCEL), None)
            work.start_over()
        cancelled = self._wishes.get((row_id, Wish.CANCEL))
        if cancelled is not None:
            if work.status is not Status.CANCELLED:
                self.stop(work, others())
                work.start_over()
                work.status = Status.CANCELLED
                work.message = (
                    f"cancelled by {cancelled.author}; `wakeful retry {row_id}` starts it again"
                )
                self._ledger.set_run(work.run_id, RunState.CANCELLED, work.message)
            work.held = True
            return True
        paused = self._wishes.get((row_id, Wish.PAUSE))
        all_paused = self._wishes.get((WHOLE_LIBRARY, Wish.PAUSE))
        found = paused or all_paused
        if found is not None and not work.has_ended:
            which = f" {row_id}" if paused else ""
            n_running = sum(
                self._driver.state(job.name)[0] is DriveState.RUNNING for job in work.jobs
            )
            ends = f"; {n_running} jobs still run and end by themselves" if n_running else ""
            work.status = Status.PAUSED
            work.message = f"paused by {found.author}{ends}; `wakeful resume{which}` lets it go on"
            work.held = True
            return True
        work.held = False
        if work.status in (Status.CANCELLED, Status.PAUSED):
            work.status, work.message = Status.QUEUED, ""
        return False

    def stop(self, work: Work, others: Iterable[Work]) -> None:
        """Stop what runs for a row and for no other, also where an earlier service started it."""
        shared: set[str] = set()
        folders = set()
        for other in others:
            shared |= {job.name for job in other.jobs}
            folders.add(self._intake.folder_of(other))
        names = {job.name for job in work.jobs}
        for job in self._ledger.jobs(run_id=work.run_id, states=OPEN_JOBS):
            names.add(job.job_id.rpartition(".")[0])
        is_taken_in_for_others = self._intake.folder_of(work) in folders
        for name in names - shared:
            if not (is_taken_in_for_others and is_transfer(name)):
                self._driver.cancel(name)


def stop_gone(
    steering: Steering, works: dict[str, Work], asked: Mapping[str, object], ledger: Ledger
) -> None:
    """Forget the rows that were deleted or unticked, and stop what runs for them alone."""
    for gone in set(works) - set(asked):
        work = works.pop(gone)
        if not work.has_ended:
            steering.stop(work, works.values())
            ledger.set_run(work.run_id, RunState.CANCELLED, "the row was unticked or deleted")
