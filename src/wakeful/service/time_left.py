"""How long the rows at work are likely to take yet."""

from __future__ import annotations

from wakeful.ledger import Ledger
from wakeful.model.quality import duration_text
from wakeful.service.history import NOTHING, Expectation, History, Spread
from wakeful.service.work import Work
from wakeful.sheet.interface import Status

_AT_WORK = frozenset({Status.QUEUED, Status.RUNNING})


class TimeLeft:
    """Notes in each row's work when it is likely to be done, pass by pass.

    Rows get workers in the order in which they are noted: what those before still need comes first.

    Parameters
    ----------
    ledger : holds what past results took
    slots : jobs that run at one time
    """

    def __init__(self, ledger: Ledger, slots: int) -> None:
        self._history = History(ledger)
        self._slots = max(slots, 1)
        self._known: dict[int, tuple[tuple[int, int], Expectation]] = {}
        self._ahead = NOTHING
        self._is_sure = True
        """Whether something is known of all that comes before."""

    def begin(self) -> None:
        """A pass begins."""
        self._ahead, self._is_sure = NOTHING, True

    @property
    def backlog_s(self) -> float | None:
        """Time that the workers need for all rows of this pass; None where that is not known."""
        return self._ahead.mean / self._slots if self._is_sure else None

    def note(self, work: Work) -> None:
        """Note how long a row takes yet, after the rows noted before it in this pass."""
        work.time_left = ""
        if work.plan is None or not work.missing or work.held or work.has_ended:
            self._known.pop(work.run_id, None)
            # What a recording that is still to be taken in takes is known once it is planned.
            is_to_come = work.plan is None and not (work.held or work.has_ended or work.growing)
            self._is_sure = self._is_sure and not is_to_come
            return
        expected = self.expect(work)
        self._ahead += expected.seconds
        self._is_sure = self._is_sure and expected.is_whole
        if work.status in _AT_WORK:
            work.time_left = say_time_left(self._ahead.times(1 / self._slots), self._is_sure)

    def expect(self, work: Work) -> Expectation:
        """What a row's missing results are likely to cost."""
        # Asked again only where something was made, or known anew.
        stamp = (len(work.missing), self._history.edition)
        known = self._known.get(work.run_id)
        if known is None or known[0] != stamp:
            known = self._known[work.run_id] = (stamp, self._look_up(work))
        return known[1]

    def _look_up(self, work: Work) -> Expectation:
        if work.plan is None:
            return self._history.expect(())
        missing = (task for task in work.plan.tasks if task.key in work.missing)
        return self._history.expect(missing, work.plan.session.name)


def say_time_left(seconds: Spread, is_sure: bool) -> str:
    """A length of time in words, no more exact than it is known.

    Parameters
    ----------
    is_sure : whether it is all that is to come; "" where what is known is not worth a word
    """
    if not is_sure:
        return f"more than {duration_text(_rounded(seconds.low))} left" if seconds.low > 60 else ""
    return f"{rounded_text(seconds)} left"


def rounded_text(seconds: Spread) -> str:
    """A length of time between two bounds, in words: "about 2 min", "50 min to 1 h 45 min"."""
    if seconds.high < 60:
        return "less than a minute"
    low, high = duration_text(_rounded(seconds.low)), duration_text(_rounded(seconds.high))
    return f"about {high}" if low == high else f"{low} to {high}"


def _rounded(seconds: float) -> float:
    """To a minute below ten minutes, to five below an hour, to a quarter of an hour above."""
    grain_s = 60 if seconds < 600 else 300 if seconds < 3600 else 900
    return max(60.0, grain_s * round(seconds / grain_s))
