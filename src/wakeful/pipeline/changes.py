"""What would change between two plans of one session: which results, why, and their values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from wakeful.catalog import Catalog
from wakeful.io.codec import to_plain
from wakeful.io.store import Store, load_stored
from wakeful.model.epochs import Hypnogram
from wakeful.model.errors import UnknownResult
from wakeful.model.sleep_events import SleepEvents
from wakeful.pipeline.plan import Plan, Scope, Task
from wakeful.pipeline.planner import resolved_params
from wakeful.sleep.changes import (
    EventsChange,
    HypnogramChange,
    compute_events_change,
    compute_hypnogram_change,
)

Progress = Callable[[str, int, int], None]
"""What is compared, how many are done, how many there are."""

_CHUNK = 1 << 22
"""Values of an array that are compared at a time."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two: a plan under its catalog, by what people call it."""

    name: str
    plan: Plan
    catalog: Catalog
    """Under which it was planned: of an earlier version of the pipeline, its steps' numbers."""


@dataclass(frozen=True, kw_only=True)
class ArrayChange:
    """How one array of a step's results changes, over all blocks or days."""

    name: str
    n_values: int
    n_changed: int
    """Values that differ at all; NaN that stays NaN has not changed."""
    largest: float
    """Largest difference of two finite numbers; NaN for texts and where there is none."""
    reshaped: int
    """Results whose shape differs: their values can't be set beside each other."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StepDifference:
    """How the results of one step change."""

    step: str
    why: str
    n_results: int
    """How many of its results have another key."""
    n_only_before: int
    n_only_after: int
    """Results that just one side has: it asks for other steps, or can't have them."""
    hypnogram: HypnogramChange | None
    events: EventsChange | None
    """Of the step's first output of that type."""
    arrays: tuple[ArrayChange, ...]
    before: SleepEvents | None = None
    after: SleepEvents | None = None
    """The events themselves, to say which."""

    @property
    def changes_values(self) -> bool:
        """Whether any value is another, not the key alone."""
        return bool(
            self.n_only_before
            or self.n_only_after
            or any(a.n_changed or a.reshaped for a in self.arrays)
        )


Pairs = dict[str, list[tuple[Task | None, Task | None]]]


def changed_tasks(before: Side, after: Side) -> Pairs:
    """Step -> its results whose key differs, each beside the one of the same block or day.

    Figures are left out: they follow from the results.
    """
    ours, theirs = _results(before.plan), _results(after.plan)
    found: Pairs = {}
    for place in dict.fromkeys((*ours, *theirs)):
        a, b = ours.get(place), theirs.get(place)
        if a is None or b is None or a.key != b.key:
            found.setdefault(place[0], []).append((a, b))
    order = list(after.catalog.steps)
    return {step: found[step] for step in sorted(found, key=order.index)}


def _results(plan: Plan) -> dict[tuple[str, Scope], Task]:
    return {(t.step, t.scope): t for t in plan.tasks if t.kind == "result"}


def missing_results(store: Store, pairs: Pairs) -> tuple[list[Task], list[Task]]:
    """The results to be compared that are not there: before, after."""
    found = [pair for tasks in pairs.values() for pair in tasks]
    before, after = (
        (
            [t for t in side if t is not None and not store.has(t.folder, t.key)]
            for side in zip(*found, strict=True)
        )
        if found
        else ([], [])
    )
    return before, after


def check_can_be_made(side: Side, installed: Catalog, missing: list[Task]) -> None:
    """Whether the installed steps can make what is missing.

    Raises
    ------
    UnknownResult
        They are of another version than the side asks for.
    """
    for task in missing:
        wanted, there = side.catalog.steps[task.step].version, installed.steps[task.step].version
        if wanted != there:
            raise UnknownResult(
                f"{side.name} needs {task.step} of version {wanted}, whose results are not kept "
                f"({task.scope}), and the installed version {there} can't make them",
                where=side.plan.session.name,
                remedy="run the row with the Wakeful that has that version, or compare parameter "
                "sets of the installed one",
            )


def compare(
    store: Store, before: Side, after: Side, pairs: Pairs, progress: Progress | None = None
) -> tuple[StepDifference, ...]:
    """Set the results of both sides beside each other; all must be there."""
    found = []
    for number, (step, tasks) in enumerate(pairs.items()):
        if progress is not None:
            progress(step, number, len(pairs))
        found.append(_compare_step(store, before, after, step, tasks))
    return tuple(found)


def _compare_step(
    store: Store,
    before: Side,
    after: Side,
    step: str,
    tasks: list[tuple[Task | None, Task | None]],
) -> StepDifference:
    both = [(a, b) for a, b in tasks if a is not None and b is not None]
    arrays: dict[str, ArrayChange] = {}
    for a, b in both:
        for change in _array_changes(store, a, b):
            earlier = arrays.get(change.name)
            arrays[change.name] = change if earlier is None else _sum(earlier, change)
    hypnogram: HypnogramChange | None = None
    events: EventsChange | None = None
    sides: list[Any] = [None, None]
    types = after.catalog.steps[step].output_types()
    for field, kind in types.items():
        if kind is Hypnogram and len(both) == 1:
            hypnogram = compute_hypnogram_change(*_read(store, both[0], field, kind))
        elif kind is SleepEvents and len(both) == 1:
            sides = _read(store, both[0], field, kind)
            events = compute_events_change(*sides)
    return StepDifference(
        step=step,
        why=_why(before, after, *next(iter(both), (None, None))),
        n_results=len(tasks),
        n_only_before=sum(b is None for _, b in tasks),
        n_only_after=sum(a is None for a, _ in tasks),
        hypnogram=hypnogram,
        events=events,
        arrays=tuple(arrays.values()),
        before=sides[0],
        after=sides[1],
    )


def _read(store: Store, pair: tuple[Task, Task], field: str, kind: Any) -> list[Any]:
    return [store.read(task.step, task.key, field, kind) for task in pair]


def _why(before: Side, after: Side, a: Task | None, b: Task | None) -> str:
    """What of a result's making differs: first what was asked, then what it was made from."""
    if a is None or b is None:
        return "just one of the two has it"
    words = []
    old, new = (side.catalog.steps[a.step] for side in (before, after))
    if old.version != new.version:
        words.append(f"version {new.version} instead of {old.version}")
    was, now = resolved_params(new, a.changed), resolved_params(new, b.changed)
    words += [
        f"{name} = {now[name]} instead of {was[name]}" for name in now if now[name] != was[name]
    ]
    steps = [
        {r.step: None for refs in task.inputs.values() for r in refs if r.step != a.step}
        for task in (a, b)
    ]
    keys = [
        {
            step: tuple(r.key for refs in t.inputs.values() for r in refs if r.step == step)
            for step in s
        }
        for t, s in zip((a, b), steps, strict=True)
    ]
    other = [s for s in keys[1] if keys[0].get(s) != keys[1][s]]
    gone = [s for s in keys[0] if s not in keys[1]]
    if other or gone:
        words.append(f"from {', '.join((*other, *gone))}")
    words += [
        f"{name} differs"
        for name in {**a.given, **b.given}
        if to_plain(a.given.get(name)) != to_plain(b.given.get(name))
    ]
    return "; ".join(words) or "the result before it"


def _array_changes(store: Store, a: Task, b: Task) -> Iterator[ArrayChange]:
    ours, theirs = store.receipt(a.folder, a.key), store.receipt(b.folder, b.key)
    for name in sorted({*ours.files, *theirs.files}):
        if not name.endswith(".npy"):
            continue
        label = name.removesuffix(".npy")
        if name not in ours.files or name not in theirs.files:
            yield ArrayChange(name=label, n_values=0, n_changed=0, largest=float("nan"), reshaped=1)
            continue
        # Packed arrays of the same values have other bits: only equal bits say something here.
        if ours.files[name]["xxh3_128"] == theirs.files[name]["xxh3_128"]:
            array = load_stored(ours.folder / name)
            yield ArrayChange(
                name=label, n_values=array.size, n_changed=0, largest=float("nan"), reshaped=0
            )
            continue
        yield _compare_arrays(
            label, load_stored(ours.folder / name), load_stored(theirs.folder / name)
        )


def _compare_arrays(name: str, old: Any, new: Any) -> ArrayChange:
    """Piece by piece: an hour of LFP is not held twice."""
    if old.shape != new.shape:
        return ArrayChange(
            name=name, n_values=old.size, n_changed=0, largest=float("nan"), reshaped=1
        )
    flat_old, flat_new = old.reshape(-1), new.reshape(-1)
    numeric = old.dtype.kind in "fiub" and new.dtype.kind in "fiub"
    n_changed, largest = 0, float("nan")
    for start in range(0, flat_old.size, _CHUNK):
        a, b = flat_old[start : start + _CHUNK], flat_new[start : start + _CHUNK]
        if not numeric:
            n_changed += int(np.sum(a != b))
            continue
        x, y = a.astype(np.float64), b.astype(np.float64)
        n_changed += int(np.sum((x != y) & ~(np.isnan(x) & np.isnan(y))))
        apart = np.abs(x - y)
        apart = apart[np.isfinite(apart)]
        if apart.size:
            largest = float(np.fmax(largest, apart.max()))
    return ArrayChange(
        name=name, n_values=old.size, n_changed=n_changed, largest=largest, reshaped=0
    )


def _sum(a: ArrayChange, b: ArrayChange) -> ArrayChange:
    return ArrayChange(
        name=a.name,
        n_values=a.n_values + b.n_values,
        n_changed=a.n_changed + b.n_changed,
        largest=float(np.fmax(a.largest, b.largest)),
        reshaped=a.reshaped + b.reshaped,
    )
