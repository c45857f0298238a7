"""What a request needs: every result's key, known before anything is computed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wakeful.catalog import Catalog
from wakeful.io.codec import to_plain
from wakeful.io.mirror import Manifest
from wakeful.model.errors import BadParameters, Unavailable
from wakeful.model.quality import Mark, cut_marks
from wakeful.model.recording import Recording, Stream
from wakeful.model.subject import Session
from wakeful.model.time import account_for, cut_spans
from wakeful.pipeline.closing import count_closed_blocks, summary_stop_s
from wakeful.pipeline.keys import digest, figure_key, result_key
from wakeful.pipeline.plan import Plan, RecordingReference, Reference, Scope, ScopeKind, Task
from wakeful.pipeline.raw import name_raw
from wakeful.pipeline.scopes import Scopes, quarantined_in
from wakeful.step import GIVEN, Step, changed_params


def _scope_kind(step: Step) -> ScopeKind:
    return "block" if step.per == "scan" else step.per


@dataclass(frozen=True)
class Target:
    """A recording that was taken in, opened, its stream chosen and its session made."""

    recording: Recording
    stream: Stream
    """With the channels file applied."""
    session: Session
    manifest: Manifest
    manifest_folder: Path
    marks: tuple[Mark, ...] = ()
    """What people said of its channels, in the order they said it."""
    horizon_s: float = math.inf
    """Everything before is settled; infinite where the recording has ended."""
    models: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Name of a trained scorer -> hash of its content."""

    @property
    def goes_on(self) -> bool:
        """Whether more is being recorded."""
        return math.isfinite(self.horizon_s)


def make_plan(
    target: Target,
    catalog: Catalog,
    wanted: Sequence[str],
    parameters: Mapping[str, Mapping[str, Any]],
) -> Plan:
    """Plan all results and figures of a request.

    Parameters
    ----------
    target : what is to be analysed
    catalog : the steps there are
    wanted : names of the steps whose figures are asked for; what they need is planned too
    parameters : step -> field -> value, where they differ from the defaults

    Raises
    ------
    BadParameters
        A parameter set that does not fit its step.
    """
    return _Planner(target, catalog, wanted, parameters).plan()


class _Planner:
    def __init__(
        self,
        target: Target,
        catalog: Catalog,
        wanted: Sequence[str],
        parameters: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._target = target
        self._catalog = catalog
        self._wanted = set(wanted)
        self._notes: list[str] = []
        self._parameters = parameters
        self._unused = {
            step.name: step.unused_inputs(self._params_of(step))
            for step in catalog.steps.values()
            if step.unused_inputs is not None
        }
        self._steps = self._choose_steps()
        self._changed = {
            step.name: to_plain(changed_params(self._params_of(step))) for step in self._steps
        }
        self._n_closed = self._count_closed()
        self._session, self._summary = self._cut_session()
        self._scopes = Scopes(self._session, self._summary)
        self._tasks: dict[str, Task] = {}
        # (step, scope) -> the task that makes its result there
        self._made: dict[tuple[str, Scope], Task] = {}

    def _params_of(self, step: Step) -> Any:
        return step.make_params(self._parameters.get(step.name, {}))

    def _choose_steps(self) -> list[Step]:
        """The steps wanted and all they need, but for what these channels can't give."""
        lost: dict[str, str] = {}
        chosen: list[Step] = []
        for name in self._catalog.with_needs(self._wanted, self._unused):
            step = self._catalog.steps[name]
            reason = step.unavailable(self._target.stream.channels) if step.unavailable else ""
            required = (f for f, optional in step.input_fields().items() if not optional)
            makers = (self._catalog.maker_of(f) for f in required if f not in GIVEN)
            reason = reason or next((lost[m.name] for m in makers if m and m.name in lost), "")
            if reason:
                lost[name] = reason
            else:
                chosen.append(step)
        asked = [name for name in lost if name in self._wanted]
        if asked and not self._wanted - set(lost):
            raise Unavailable(
                f"can't be had: {', '.join(asked)} ({'; '.join(dict.fromkeys(lost.values()))})",
                where=self._target.stream.name,
                remedy="correct the channels file, or ask for other analyses",
            )
        if asked:
            reasons = "; ".join(dict.fromkeys(lost[name] for name in asked))
            self._notes.append(f"left out: {', '.join(asked)} ({reasons})")
        return chosen

    def _count_closed(self) -> dict[str, int]:
        """Step -> how many of its blocks can be computed; nothing where the session has ended."""
        target = self._target
        if not target.goes_on:
            return {}
        return count_closed_blocks(
            self._steps, self._catalog, target.session.block_s, target.horizon_s
        )

    def _cut_session(self) -> tuple[Session, Session]:
        """The session as far as its blocks are closed, and as far as it is summed up."""
        session = self._target.session
        if not self._target.goes_on:
            return session, session
        counts = self._n_closed.values()
        blocks_s = max(counts, default=0) * session.block_s
        stop_s = summary_stop_s(session, min(counts, default=0) * session.block_s)
        return replace(session, duration_s=blocks_s), replace(session, duration_s=stop_s)

    def _scopes_of(self, step: Step, kind: ScopeKind) -> list[Scope]:
        """Where a step's results, or its figures, are planned."""
        if not self._target.goes_on:
            return self._scopes.all(kind)
        if kind == "block":
            return self._scopes.all(kind)[: self._n_closed[step.name]]
        return self._scopes.all(kind) if self._summary.duration_s > 0 else []

    def plan(self) -> Plan:
        for step in self._steps:
            for scope in self._scopes_of(step, _scope_kind(step)):
                self._add_result(step, scope)
        for step in self._steps:
            if step.name in self._wanted and step.draw is not None:
                # Figures of block steps are drawn once a local day, as if the day were one block.
                for scope in self._scopes_of(step, "session" if step.per == "session" else "day"):
                    self._add_figures(step, scope)
        target = self._target
        return Plan(
            session=self._session,
            summary=self._summary,
            goes_on=target.goes_on,
            recording=RecordingReference(
                manifest_folder=str(target.manifest_folder),
                stream=target.stream.name,
                channels=target.stream.channels,
            ),
            tasks=tuple(self._tasks.values()),
            notes=tuple(self._notes),
        )

    def _sources(self, maker: Step, scope: Scope, halo_s: float) -> tuple[Reference, ...]:
        """The results of `maker` that a task of `scope` is bound to, in order of time."""
        return tuple(
            Reference(maker.name, self._made[maker.name, s].key)
            for s in self._scopes.touching(_scope_kind(maker), scope, halo_s)
        )

    def _bind(self, step: Step, scope: Scope) -> dict[str, tuple[Reference, ...]]:
        inputs: dict[str, tuple[Reference, ...]] = {}
        unused = self._unused.get(step.name, frozenset())
        for field, optional in step.input_fields().items():
            if field in GIVEN or field in unused:
                continue
            maker = self._catalog.maker_of(field)
            if maker is None:
                if optional:
                    continue
                raise LookupError(f"{step.name} needs {field}, which no step gives")
            if maker.name not in {s.name for s in self._steps}:
                continue  # optional, and these channels can't give it
            if maker.name == step.name:  # a scan step's own result of the block before
                if scope.number > 0:
                    before = self._made[step.name, Scope("block", scope.number - 1)]
                    inputs[field] = (Reference(step.name, before.key),)
                continue
            inputs[field] = self._sources(maker, scope, step.halo_s)
        return inputs

    def _given(self, step: Step, scope: Scope) -> dict[str, Any]:
        target = self._target
        interval = self._scopes.interval(scope)
        given: dict[str, Any] = {}
        for field in step.input_fields():
            if field == "raw":
                given[field] = name_raw(
                    target.recording,
                    target.stream,
                    target.manifest,
                    interval,
                    step.halo_s,
                )
            elif field == "block":
                given[field] = [interval.start_s, interval.stop_s]
            elif field == "session":
                given[field] = digest(self._scopes.session_for(scope, named=False))
            elif field == "day":
                given[field] = to_plain(self._scopes.days[scope.number])
            elif field == "channels":
                given[field] = digest(target.stream.channels)
            elif field == "accounting":
                given[field] = to_plain(
                    account_for(
                        interval,
                        self._summary.interval,
                        target.stream.spans,
                        target.stream.quarantined,
                    )
                )
            elif field == "quarantined":
                given[field] = to_plain(quarantined_in(target.stream, self._scopes.seen(scope)))
            elif field == "spans":
                given[field] = digest(cut_spans(target.stream.spans, self._scopes.seen(scope)))
            elif field == "marks":
                # As they are, not hashed: workers read them here, they never open the database.
                given[field] = to_plain(cut_marks(target.marks, interval))
            elif field == "sleep_model" and (name := self._params_of(step).model):
                # Without one nothing is said of it, so that no key changes.
                given[field] = self._find_model(name)
        return given

    def _find_model(self, name: str) -> str:
        if name not in self._target.models:
            raise BadParameters(
                f"there is no model {name!r}",
                where="parameters of sleep",
                remedy="train one into the library's folder of models (wakeful train sleep ... "
                "-o models/NAME), or correct the parameter set",
            )
        return self._target.models[name]

    def _level(self, scope: Scope, needs: Sequence[Reference]) -> int:
        levels = [0]
        for reference in needs:
            task = self._tasks[reference.key]
            levels.append(task.level if task.scope == scope else task.level + 1)
        return max(levels)

    def _add_result(self, step: Step, scope: Scope) -> None:
        inputs = self._bind(step, scope)
        given = self._given(step, scope)
        changed = self._changed[step.name]
        keys = {f: tuple(r.key for r in references) for f, references in inputs.items()}
        task = Task(
            kind="result",
            step=step.name,
            key=result_key(step, changed, scope.kind, keys, given),
            scope=scope,
            level=self._level(scope, [r for rs in inputs.values() for r in rs]),
            changed=changed,
            inputs=inputs,
            given=given,
        )
        self._tasks[task.key] = self._made[step.name, scope] = task

    def _add_figures(self, step: Step, scope: Scope) -> None:
        from wakeful.figures import STYLE_VERSION

        results = self._sources(step, scope, 0.0)
        inputs = {
            field: references
            for field, references in self._bind(step, scope).items()
            if self._catalog.maker_of(field) is not step
        }
        given = self._given(step, scope)
        given.pop("raw", None)
        given["session"] = digest(self._scopes.session_for(scope, named=True))
        changed = self._changed[step.name]
        keys = {f: tuple(r.key for r in references) for f, references in inputs.items()}
        key = figure_key(step, STYLE_VERSION, changed, tuple(r.key for r in results), keys, given)
        needs = [*results, *(r for rs in inputs.values() for r in rs)]
        task = Task(
            kind="figure",
            step=step.name,
            key=key,
            scope=scope,
            level=self._level(scope, needs),
            changed=changed,
            inputs=inputs,
            results=results,
            given=given,
        )
        self._tasks[key] = task


def resolved_params(step: Step, changed: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a step with the changed ones applied, as plain values."""
    params = step.make_params(changed)
    return {f.name: to_plain(getattr(params, f.name)) for f in dataclasses.fields(params)}
