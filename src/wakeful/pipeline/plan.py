"""A plan: every result a request needs, by name, and the jobs that make what is missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from wakeful.model.subject import Channel, Session

ScopeKind = Literal["block", "day", "session"]
TaskKind = Literal["result", "figure"]


@dataclass(frozen=True, order=True)
class Scope:
    """What stretch of a session a task is about."""

    kind: ScopeKind
    number: int = 0

    def __str__(self) -> str:
        return self.kind if self.kind == "session" else f"{self.kind} {self.number}"


@dataclass(frozen=True)
class Reference:
    """A result, by the step that makes it and its key."""

    step: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Task:
    """One result (or one set of figures) to be made."""

    kind: TaskKind
    step: str
    key: str
    scope: Scope
    level: int
    """Tasks of one scope and level run in one process, one after the other."""
    changed: dict[str, Any]
    """The parameters that differ from their defaults."""
    inputs: dict[str, tuple[Reference, ...]]
    """Field -> the results it is joined from, in order of time; optional ones may be missing."""
    results: tuple[Reference, ...] = ()
    """For figures: the step's own results that are drawn."""
    given: dict[str, Any] = field(default_factory=dict)
    """Field -> what of the runner's gifts joined the key; for `wakeful explain`."""

    @property
    def folder(self) -> str:
        """The store's folder: figures of a step lie apart from its results."""
        return figure_folder(self.step) if self.kind == "figure" else self.step

    @property
    def needs(self) -> tuple[Reference, ...]:
        """All results that must be there first."""
        return (*self.results, *(r for references in self.inputs.values() for r in references))


def figure_folder(step: str) -> str:
    """Where the figures of a step lie in the store."""
    return f"{step}.figures"


@dataclass(frozen=True, kw_only=True)
class RecordingReference:
    """How a worker opens the recording again."""

    manifest_folder: str
    stream: str
    channels: tuple[Channel, ...]
    """With regions and kinds applied."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """Tasks that one process runs in order."""

    name: str
    """The same tasks have the same name."""
    session: Session
    recording: RecordingReference
    scope: Scope
    tasks: tuple[Task, ...]
    after: tuple[str, ...]
    """Jobs that must have ended well before."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All tasks of a request, each after what it needs."""

    session: Session
    """As far as its blocks are closed, where it still goes on."""
    recording: RecordingReference
    tasks: tuple[Task, ...]
    notes: tuple[str, ...] = ()
    """What was left out, and why."""
    summary: Session
    """The session as its days and its whole are summed up; shorter than `session` may be, where
    it still goes on."""
    goes_on: bool = False
    """Whether the session was still being recorded: days and the whole are provisional then."""

    def jobs(self) -> tuple[Job, ...]:
        """All jobs, in order; the same plan has the same jobs, whatever is there already.

        A job skips the results that are there: a service that was killed finds the jobs it had
        started by their names.
        """
        groups: dict[tuple[Scope, int], list[Task]] = {}
        for task in self.tasks:
            groups.setdefault((task.scope, task.level), []).append(task)
        names = {
            (scope, level): f"{scope.kind}{scope.number}-{_name_of(tasks)}"
            for (scope, level), tasks in groups.items()
        }
        job_of = {task.key: names[g] for g, tasks in groups.items() for task in tasks}
        return tuple(
            Job(
                name=names[group],
                session=self.session if group[0].kind == "block" else self.summary,
                recording=self.recording,
                scope=group[0],
                tasks=tuple(tasks),
                after=tuple(
                    dict.fromkeys(
                        job_of[r.key]
                        for task in tasks
                        for r in task.needs
                        if job_of[r.key] != names[group]
                    )
                ),
            )
            for group, tasks in groups.items()
        )


def _name_of(tasks: list[Task]) -> str:
    return sha256(" ".join(task.key for task in tasks).encode()).hexdigest()[:12]
