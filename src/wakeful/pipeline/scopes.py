"""The blocks and days of a session, and the session as a task of each may see it."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from wakeful.model.recording import Stream
from wakeful.model.subject import Session, Subject
from wakeful.model.time import Day, Interval, Quarantine
from wakeful.pipeline.plan import Scope


class Scopes:
    """Where a session's blocks and local days lie.

    Parameters
    ----------
    session : the whole session; of one that goes on, as far as its blocks are closed
    summary : the session as its days and its whole are summed up; the session itself where None
    """

    def __init__(self, session: Session, summary: Session | None = None) -> None:
        self._session = summary or session
        self.blocks: tuple[Interval, ...] = session.blocks()
        self.days: tuple[Day, ...] = self._session.days()

    def interval(self, scope: Scope) -> Interval:
        """The time a scope covers; a day reaches from midnight to midnight."""
        if scope.kind == "block":
            return self.blocks[scope.number]
        if scope.kind == "day":
            return self.days[scope.number].interval
        return self._session.interval

    def seen(self, scope: Scope) -> Interval:
        """The time of a scope of which a task may know what was recorded.

        A day of a session that goes on ends, for now, where it is summed up: what was recorded
        behind that would change its results with every minute.
        """
        interval = self.interval(scope)
        return interval if scope.kind == "block" else interval.intersect(self._session.interval)

    def all(self, kind: Literal["block", "day", "session"]) -> list[Scope]:
        """All scopes of a kind, in order of time."""
        if kind == "session":
            return [Scope("session")]
        n_scopes = len(self.blocks) if kind == "block" else len(self.days)
        return [Scope(kind, i) for i in range(n_scopes)]

    def touching(
        self, kind: Literal["block", "day", "session"], scope: Scope, halo_s: float = 0.0
    ) -> list[Scope]:
        """The scopes of a kind that share time with `scope`, widened by a halo.

        What sums up a session that goes on sees no block behind the time it sums up.
        """
        wide = self.interval(scope).widen(halo_s, halo_s)
        if scope.kind != "block":
            wide = wide.intersect(self._session.interval)
        return [s for s in self.all(kind) if self.interval(s).intersect(wide).duration_s > 0]

    def session_for(self, scope: Scope, *, named: bool) -> Session:
        """The session as a task of `scope` sees it: nothing in it changes with later hours.

        A block knows the grid of time and the mains, and nothing of the rest; a day sees the
        session as it was when the day ended. Only figures (`named`) know what session and subject
        are called: no number depends on it.
        """
        session = self._session
        if not named:
            subject = replace(session.subject, identifier="")
            session = replace(session, name="", subject=subject)
        if scope.kind == "session":
            return session
        if scope.kind == "day":
            stop_s = self.days[scope.number].interval.stop_s
            return replace(session, duration_s=min(session.duration_s, stop_s))
        return Session(
            name="",
            subject=Subject(identifier="", species=session.subject.species),
            start_utc=None,
            duration_s=float("nan"),
            mains_hz=session.mains_hz,
            epoch_s=session.epoch_s,
            block_s=session.block_s,
        )


def quarantined_in(stream: Stream, interval: Interval) -> tuple[Quarantine, ...]:
    """The stretches kept apart that touch an interval."""
    return tuple(q for q in stream.quarantined if q.interval.intersect(interval).duration_s > 0)
