"""Makes one result after the other: binds inputs, computes, writes with a receipt."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, get_args, get_type_hints

from wakeful.catalog import Catalog
from wakeful.io.codec import from_plain, to_plain
from wakeful.io.lfp_store import FileSink
from wakeful.io.store import Draft, Receipt, Store
from wakeful.model.arrays import Lfp
from wakeful.model.epochs import Rows
from wakeful.model.errors import BadRecording, StepFailed, WakefulError
from wakeful.model.quality import Mark
from wakeful.model.time import account_for, cut_spans
from wakeful.pipeline.context import remember
from wakeful.pipeline.kept_models import recall_model
from wakeful.pipeline.machine import PeakMemory, code_version, library_versions, machine
from wakeful.pipeline.plan import Job, Reference, Task
from wakeful.pipeline.planner import resolved_params
from wakeful.pipeline.raw import Raw, open_raw
from wakeful.pipeline.scopes import Scopes, quarantined_in
from wakeful.step import GIVEN, SINK_SUFFIX, Step

Report = Callable[[Task, int, int], None]
"""Called before each task: the task, how many are done, how many there are."""


class Runner:
    """Runs the tasks of a job.

    Parameters
    ----------
    catalog : the steps
    store : where results are read and written
    job : what is to be made
    models : where trained scorers are kept, if not beside the results
    """

    def __init__(
        self, catalog: Catalog, store: Store, job: Job, *, models: Store | None = None
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._models = models or store
        self._job = job
        self._scopes = Scopes(job.session)
        self._opened: Raw | None = None
        self._context = remember(store, job.session, job.recording)

    def run(self, report: Report | None = None) -> list[Receipt]:
        """Make what is not there yet; returns the new receipts.

        Where a step fails, what does not need its result is made all the same.

        Raises
        ------
        StepFailed
            Steps ended in an error; what was made stays. The first error is the cause.
        """
        made: list[Receipt] = []
        lost: set[str] = set()
        failures: list[StepFailed] = []
        for number, task in enumerate(self._job.tasks):
            if report is not None:
                report(task, number, len(self._job.tasks))
            if any(need.key in lost for need in task.needs):
                lost.add(task.key)
            elif not self._store.has(task.folder, task.key):
                try:
                    made.append(self._make(task))
                except StepFailed as error:
                    lost.add(task.key)
                    failures.append(error)
        if len(failures) > 1:
            more = " | ".join(str(error) for error in failures[1:])
            first = failures[0]
            raise StepFailed(
                f"{first.what} | {more}", where=first.where, remedy=first.remedy
            ) from first.__cause__
        if failures:
            raise failures[0]
        return made

    def _make(self, task: Task) -> Receipt:
        draft = self._store.begin(task.folder, task.key)
        try:
            return self._fill(task, draft)
        except WakefulError as error:
            draft.discard()
            raise StepFailed(
                error.what,
                where=" ".join(filter(None, (f"{task.step}, {task.scope}:", error.where))).rstrip(
                    ":"
                ),
                remedy=error.remedy,
            ) from error
        except Exception as error:
            draft.discard()
            raise StepFailed(
                f"{type(error).__name__}: {error}",
                where=f"{task.step}, {task.scope}",
                remedy="the job's log has the details; the row can be run again",
            ) from error
        except BaseException:
            draft.discard()
            raise

    def _fill(self, task: Task, draft: Draft) -> Receipt:
        step = self._catalog.steps[task.step]
        started = datetime.now(UTC)
        clock, memory = time.perf_counter(), PeakMemory()
        memory.start()
        params = step.make_params(task.changed)
        inputs = self._bind(step, task, draft)
        if task.kind == "figure":
            outputs = self._draw(step, task, inputs, params, draft)
        else:
            result = step.compute(inputs, params)
            outputs = {
                f.name: draft.write(f.name, getattr(result, f.name)) for f in fields(step.outputs)
            }
        return draft.commit(
            {
                "kind": task.kind,
                "of_step": step.name,
                "step_version": step.draw_version if task.kind == "figure" else step.version,
                "step_source": step.source_digest(),
                "params": resolved_params(step, task.changed),
                "changed_params": task.changed,
                "scope": str(task.scope),
                "interval_s": to_plain(self._scopes.interval(task.scope)),
                "session": self._job.session.name,
                "subject": self._job.session.subject.identifier,
                "context": self._context,
                "inputs": to_plain(task.inputs),
                "results": to_plain(task.results),
                "given": to_plain(task.given),
                "outputs": outputs,
                "code_version": code_version(),
                "libraries": library_versions(),
                "machine": machine(),
                "started_utc": started.isoformat(timespec="milliseconds"),
                "seconds": round(time.perf_counter() - clock, 4),
                "peak_memory_mb": round(memory.mb(), 1),
            }
        )

    def _draw(
        self, step: Step, task: Task, inputs: Any, params: Any, draft: Draft
    ) -> dict[str, dict[str, str]]:
        from wakeful.figures import FORMATS, render, stamp

        if step.draw is None:
            raise StepFailed("draws nothing", where=step.name)
        types = step.output_types()
        result = step.outputs(
            **{name: self._load(task.results, name, types[name], task) for name in types}
        )
        outputs: dict[str, dict[str, str]] = {}
        for name, figure in step.draw(inputs, params, result).items():
            stamp(figure, task.key, f"{step.name} {step.version}.{step.draw_version}")
            outputs[name] = {}
            for fmt in FORMATS:
                file = f"{name}.{fmt}"
                (draft.folder / file).write_bytes(render(figure, fmt, task.key))
                outputs[name][fmt] = file
        return outputs

    def _bind(self, step: Step, task: Task, draft: Draft) -> Any:
        hints = get_type_hints(step.inputs)
        bound: dict[str, Any] = {}
        for f in fields(step.inputs):
            if f.name in GIVEN:
                bound[f.name] = self._given(f.name, task)
            elif f.name.endswith(SINK_SUFFIX):
                name = f.name.removesuffix(SINK_SUFFIX)
                bound[f.name] = FileSink(draft.folder, name, self._scopes.interval(task.scope))
            elif task.inputs.get(f.name):
                bound[f.name] = self._load(
                    task.inputs[f.name], f.name, _without_none(hints[f.name]), task, step.halo_s
                )
            elif not step.input_fields().get(f.name):
                raise StepFailed(f"needs {f.name}, and the plan has none", where=step.name)
        return step.inputs(**bound)

    def _load(
        self,
        references: tuple[Reference, ...],
        field: str,
        kind: Any,
        task: Task,
        halo_s: float = 0.0,
    ) -> Any:
        parts = [self._store.read(r.step, r.key, field, kind) for r in references]
        handed_on = task.kind == "result" and references[0].step == task.step
        timed = isinstance(kind, type) and issubclass(kind, Rows)
        # What a scan step handed on is its state at the end of the block before: never cut.
        if timed and task.scope.kind != "session" and not handed_on:
            wide = self._scopes.interval(task.scope).widen(halo_s, halo_s)
            parts = [part.cut(wide) for part in parts]
        if isinstance(kind, type) and issubclass(kind, Rows | Lfp):
            return kind.join(parts)
        if len(parts) == 1:
            return parts[0]
        raise StepFailed(
            f"{field} comes in {len(parts)} parts and its type says nothing of joining",
            where=task.step,
        )

    def _given(self, field: str, task: Task) -> Any:
        interval = self._scopes.interval(task.scope)
        session = self._job.session
        if field == "block":
            return interval.intersect(session.interval)
        if field == "session":
            return self._scopes.session_for(task.scope, named=task.kind == "figure")
        if field == "day":
            return self._scopes.days[task.scope.number]
        if field == "marks":
            return from_plain(task.given[field], tuple[Mark, ...])
        if field == "sleep_model":
            known = task.given.get(field)
            return recall_model(self._models, known) if known else None
        raw = self._open()
        stream = raw.stream
        if field == "raw":
            if task.kind == "result":
                self._check_raw(raw, task)
            return raw.source
        if field == "channels":
            return stream.channels
        if field == "quarantined":
            return quarantined_in(stream, self._scopes.seen(task.scope))
        if field == "spans":
            return cut_spans(stream.spans, self._scopes.seen(task.scope))
        if field == "accounting":
            return account_for(interval, session.interval, stream.spans, stream.quarantined)
        raise LookupError(field)

    def _check_raw(self, raw: Raw, task: Task) -> None:
        """What is computed must be computed from what its key names."""
        halo_s = self._catalog.steps[task.step].halo_s
        interval = self._scopes.interval(task.scope)
        if raw.name(interval, halo_s) != task.given["raw"]:
            raise BadRecording(
                "has changed since this was planned",
                where=raw.manifest.source,
                remedy="run the row again: it is planned anew",
            )
        raw.check(interval, halo_s)

    def _open(self) -> Raw:
        if self._opened is None:
            self._opened = open_raw(self._job.recording)
        return self._opened


def _without_none(kind: Any) -> Any:
    members = [a for a in get_args(kind) if a is not type(None)]
    return members[0] if type(None) in get_args(kind) and members else kind
