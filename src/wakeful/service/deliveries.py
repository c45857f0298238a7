"""Published folders on their way to where people look: jobs, started after a row was published.

What was delivered last of a session lies in a small file of its own beside the library; a job is
named by a digest of what is published. So what has changed is delivered again, and what has not is
never, also after a restart.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from wakeful.config import Library
from wakeful.delivery import Outcome, read_outcome, target_key
from wakeful.io.atomic import storable_text
from wakeful.io.published import published_digest
from wakeful.pipeline.keys import digest
from wakeful.service.driver import Driver, DriveState
from wakeful.service.work import Work

MEANWHILE_EVERY_S = 600.0
"""The report of a recording that goes on is delivered no more often."""
UNDELIVERED = "not delivered: "
"""How the part of a row's message begins that says so."""
_WAITING = "waiting to be delivered"
_FIRST_PAUSE_S = 60.0
_LONGEST_PAUSE_S = 3600.0

_Place = tuple[str, str]
"""Subject and session, as their folders are called."""


@dataclass(frozen=True)
class Standing:
    """How the delivery of a row stands; nothing said: it goes nowhere else, or has not begun."""

    link: str = ""
    """Where people find what is published now."""
    problem: str = ""
    """Why it could not be delivered."""
    progress: str = ""
    """How far it is, while it goes on or waits for its turn."""


@dataclass
class _Pause:
    """After a failure."""

    until: float
    length_s: float
    problem: str


@dataclass
class _Meanwhile:
    """The last delivery of a recording that goes on."""

    began: float
    name: str
    link: str = field(default="")


class Deliveries:
    """Delivers what rows have published, as wakeful.toml says.

    Parameters
    ----------
    library : whose rows they are
    driver : runs the jobs
    """

    def __init__(self, library: Library, driver: Driver) -> None:
        self._library = library
        self._driver = driver
        self._target = target_key(library)
        self._pauses: dict[_Place, _Pause] = {}
        self._away: _Pause | None = None
        """What holds for all: the target can't be reached."""
        self._asked: set[_Place] = set()
        """What is tried once whatever went wrong before."""
        self._meanwhile: dict[_Place, _Meanwhile] = {}
        self._running = ""
        """The job that was started last."""

    @property
    def is_on(self) -> bool:
        """Whether figures go anywhere."""
        return bool(self._target)

    def outcome_of(self, report: str) -> Outcome | None:
        """What was delivered last of a row, by the path of its report."""
        return read_outcome(self._library, *_place_of(report)) if self.is_on else None

    def ask(self, work: Work) -> None:
        """A row was published, by itself or since somebody wished it: tried at once."""
        self._asked.add(_place_of(work.report))

    def look(self, work: Work) -> Standing:
        """Start what has to be started, and say how it stands."""
        if not self.is_on:
            return Standing()
        if not work.has_ended or self._is_due(work):
            return self._look(work, published_digest(Path(work.report).parent))
        if (pause := self._pause_of(_place_of(work.report))) is not None:
            return Standing(problem=pause.problem)
        return Standing(progress=_WAITING)

    def look_meanwhile(self, work: Work) -> str:
        """Deliver a provisional report now and then; the link where it is by now, or ""."""
        if not self.is_on or not work.report:
            return ""
        place, now = _place_of(work.report), time.monotonic()
        last = self._meanwhile.get(place)
        if last is not None and now - last.began < MEANWHILE_EVERY_S:
            if not last.link and self._driver.state(last.name)[0] is DriveState.DONE:
                outcome = self.outcome_of(work.report)
                last.link = outcome.link if outcome is not None else ""
            return last.link
        published = published_digest(Path(work.report).parent)
        link = last.link if last is not None else ""
        standing = self._look(work, published)
        if not standing.progress or self._running == self._name(place, published):
            link = standing.link or link
            self._meanwhile[place] = _Meanwhile(now, self._name(place, published), link)
        return link

    def _look(self, work: Work, published: str) -> Standing:
        place = _place_of(work.report)
        name = self._name(place, published)
        state, message, _ = self._driver.state(name)
        if state is DriveState.DONE:
            self._away = None
        outcome = self.outcome_of(work.report)
        is_there = outcome is not None and outcome.published == published
        # A job that has done it and has not ended yet is waited for.
        if outcome is not None and is_there and state is not DriveState.RUNNING:
            self._pauses.pop(place, None)
            self._asked.discard(place)
            return Standing(link=outcome.link)
        if state is DriveState.FAILED:
            self._note_failure(place, message, may_pass=self._driver.may_pass(name))
        if state in (DriveState.FAILED, DriveState.DONE):
            self._driver.forget(name)  # done, and not as it is published now: once more
        if (pause := self._pause_of(place)) is not None:
            return Standing(problem=pause.problem)
        description = {
            "kind": "deliver",
            "library": str(self._library.root),
            "target": self._target,
            "folder": str(Path(work.report).parent),
            "subject": place[0],
            "session": place[1],
        }
        self._driver.start(name, description, work.run_id, ())
        state, _, fraction = self._driver.state(name)
        if state is DriveState.RUNNING:
            self._running = name
            return Standing(progress=f"delivering {fraction:.0%}")
        return Standing(progress=_WAITING)

    def _is_due(self, work: Work) -> bool:
        """Whether a row that has ended is to be looked at: cheap, there may be thousands."""
        if self._pause_of(_place_of(work.report)) is not None:
            return False
        if self._driver.state(self._running)[0] is not DriveState.RUNNING:
            return True
        return self._running.startswith(self._name(_place_of(work.report), ""))

    def _pause_of(self, place: _Place) -> _Pause | None:
        """The pause that still holds for a session."""
        if place in self._asked:
            return None
        for pause in (self._pauses.get(place), self._away):
            if pause is not None and time.monotonic() < pause.until:
                return pause
        return None

    def _note_failure(self, place: _Place, problem: str, *, may_pass: bool) -> None:
        """Wait: a little and then longer for what may pass, an hour for what somebody must mend."""
        self._asked.discard(place)
        length_s = _LONGEST_PAUSE_S
        if may_pass:
            before_s = self._away.length_s if self._away is not None else _FIRST_PAUSE_S / 2
            length_s = min(2 * before_s, _LONGEST_PAUSE_S)
        pause = _Pause(time.monotonic() + length_s, length_s, problem)
        if may_pass:
            self._away = pause
        self._pauses[place] = pause

    def _name(self, place: _Place, published: str) -> str:
        """Names the delivery of what is published now."""
        where = digest([self._target, *map(storable_text, place)])
        return f"deliver-{where[:12]}-{published[:12]}"


def without_problem(message: str) -> str:
    """A row's message without what it says of a delivery."""
    return " | ".join(part for part in message.split(" | ") if not part.startswith(UNDELIVERED))


def _place_of(report: str) -> _Place:
    folder = Path(report).parent
    return folder.parent.name, folder.name
