"""Making a result again from the raw data and holding it against what is stored."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wakeful.catalog import Catalog
from wakeful.io.codec import from_plain
from wakeful.io.store import RECEIPT_NAME, Receipt, Store, digest_stored, load_stored
from wakeful.model.errors import BadRecording, UnknownResult
from wakeful.model.subject import Session
from wakeful.model.time import Interval
from wakeful.pipeline.context import recall
from wakeful.pipeline.machine import machine
from wakeful.pipeline.plan import Job, RecordingReference, Reference, Scope, ScopeKind, Task
from wakeful.pipeline.raw import open_raw
from wakeful.pipeline.runner import Runner
from wakeful.pipeline.scopes import Scopes

TOLERANCE = 1e-4
"""On another kind of processor sums are rounded otherwise: relative to the largest value."""

Progress = Callable[[str, int, int], None]
"""What is made again, how many are done, how many there are."""


@dataclass(frozen=True)
class Comparison:
    """One stored file against the same file made again; of a receipt, what the result holds."""

    step: str
    scope: str
    key: str
    file: str
    verdict: str
    """"same bits", "within tolerance" or what differs."""
    holds: bool


@dataclass(frozen=True)
class Verification:
    """What came of verifying a result."""

    key: str
    comparisons: tuple[Comparison, ...]
    other_processor: str
    """The processor it was made on, where it is not this one."""

    @property
    def holds(self) -> bool:
        """Whether everything came out as stored."""
        return all(c.holds for c in self.comparisons)


def chain_of(store: Store, receipt: Receipt) -> tuple[Receipt, ...]:
    """A result and all it was made from, each after what it needs."""
    seen: dict[str, Receipt] = {}

    def visit(current: Receipt) -> None:
        if current.key in seen:
            return
        for reference in _references(current.tree):
            visit(store.receipt(reference.step, reference.key))
        seen[current.key] = current

    visit(receipt)
    return tuple(seen.values())


def verify(
    catalog: Catalog, store: Store, receipt: Receipt, progress: Progress | None = None
) -> Verification:
    """Make a result again, from the raw data on, in a folder of its own, and compare.

    Raises
    ------
    UnknownResult
        It was made by another version of a step than is installed, or the session it was made for
        has no such block or day.
    BadRecording
        The raw data is gone, or is no longer what the result was made from.
    """
    chain = chain_of(store, receipt)
    for link in chain:
        _check_version(catalog, link)
    session, recording = recall(store, str(receipt.tree["context"]))
    scopes = Scopes(session)
    tasks = tuple(_task_of(link, scopes) for link in chain)
    _check_raw(catalog, tasks, session, recording)
    with tempfile.TemporaryDirectory(prefix="wakeful-verify-") as folder:
        again = Store(Path(folder))
        job = Job(
            name="verify",
            session=session,
            recording=recording,
            scope=Scope("session"),
            tasks=tasks,
            after=(),
        )
        Runner(catalog, again, job, models=store).run(
            None
            if progress is None
            else lambda task, done, total: progress(f"{task.step}, {task.scope}", done, total)
        )
        here = machine()["processor"]
        there = {str(link.tree["machine"]["processor"]) for link in chain} - {here}
        comparisons = [
            comparison
            for link, task in zip(chain, tasks, strict=True)
            for comparison in _compare(
                link, again.receipt(task.folder, task.key), str(task.scope), bool(there)
            )
        ]
    return Verification(receipt.key, tuple(comparisons), ", ".join(sorted(there)))


def _references(tree: dict[str, Any]) -> list[Reference]:
    found = [from_plain(r, Reference) for r in tree["results"]]
    for references in tree["inputs"].values():
        found += [from_plain(r, Reference) for r in references]
    return found


def _task_of(receipt: Receipt, scopes: Scopes) -> Task:
    tree = receipt.tree
    return Task(
        kind=tree["kind"],
        step=str(tree["of_step"]),
        key=receipt.key,
        scope=_scope_of(receipt, scopes),
        level=0,
        changed=dict(tree["changed_params"]),
        inputs={
            field: tuple(from_plain(r, Reference) for r in references)
            for field, references in tree["inputs"].items()
        },
        results=tuple(from_plain(r, Reference) for r in tree["results"]),
        given=dict(tree["given"]),
    )


def _scope_of(receipt: Receipt, scopes: Scopes) -> Scope:
    """By its time: its number may come from a session that was cut into other blocks."""
    kind = from_plain(str(receipt.tree["scope"]).partition(" ")[0], ScopeKind)
    interval = from_plain(receipt.tree["interval_s"], Interval)
    for scope in scopes.all(kind):
        if scopes.interval(scope) == interval:
            return scope
    raise UnknownResult(
        f"was made for the {kind} from {interval.start_s:g} to {interval.stop_s:g} s, and the "
        "session it belongs to has none there",
        where=f"{receipt.tree['of_step']} {receipt.key[:12]}",
        remedy="run its row again: what is needed is made anew",
    )


def _check_raw(
    catalog: Catalog, tasks: tuple[Task, ...], session: Session, recording: RecordingReference
) -> None:
    """Other raw data would give other results, and say nothing of those that are stored."""
    from_raw = [task for task in tasks if "raw" in task.given]
    if not from_raw:
        return
    raw, scopes = open_raw(recording), Scopes(session)
    for task in from_raw:
        halo_s = catalog.steps[task.step].halo_s
        name = raw.name(scopes.interval(task.scope), halo_s)
        if name != task.given["raw"]:
            raise BadRecording(
                f"the raw data has changed since this was made ({task.step}, {task.scope})",
                where=raw.manifest.source,
                remedy="this result can't be made again; run the row for one of the data as it is",
            )


def _check_version(catalog: Catalog, receipt: Receipt) -> None:
    name, tree = str(receipt.tree["of_step"]), receipt.tree
    step = catalog.steps.get(name)
    installed = None
    if step is not None:
        installed = step.draw_version if tree["kind"] == "figure" else step.version
    if installed != tree["step_version"]:
        raise UnknownResult(
            f"was made by version {tree['step_version']} of {name}; installed is {installed}",
            where=receipt.key[:12],
            remedy=f"verify it with Wakeful {tree['code_version']}",
        )


def _compare(stored: Receipt, made: Receipt, scope: str, other_processor: bool) -> list[Comparison]:
    step = str(stored.tree["of_step"])
    plain = _compare_plain(stored.tree["outputs"], made.tree["outputs"], other_processor)
    comparisons = [Comparison(step, scope, stored.key, RECEIPT_NAME, *plain)]
    for name in sorted({*stored.files, *made.files}):
        old, new = stored.folder / name, made.folder / name
        digest = digest_stored(old)
        if digest is None:
            verdict, holds = "missing from the store", False
        elif name not in stored.files:
            verdict, holds = "not in the stored result", False
        elif digest != stored.files[name]["xxh3_128"]:
            verdict, holds = "changed since it was stored", False
        elif name not in made.files:
            verdict, holds = "not made again", False
        elif stored.files[name]["xxh3_128"] == made.files[name]["xxh3_128"]:
            verdict, holds = "same bits", True
        elif name.endswith(".npy"):
            verdict, holds = _compare_arrays(load_stored(old), np.load(new), other_processor)
        elif other_processor:
            verdict, holds = "other bits (made on another processor)", True
        else:
            verdict, holds = "other bits", False
        comparisons.append(Comparison(step, scope, stored.key, name, verdict, holds))
    return comparisons


def _compare_plain(old: Any, new: Any, other_processor: bool) -> tuple[str, bool]:
    """The values that stand in a receipt itself."""
    changed = _differences(old, new, "")
    if not changed:
        return "same bits", True
    within = all(
        isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=TOLERANCE)
        for _, a, b in changed
    )
    name, a, b = changed[0]
    more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
    verdict = f"{name}: stored is {a!r}, made again {b!r}{more}"
    return (f"within tolerance ({verdict})" if within else verdict), within and other_processor


def _differences(old: Any, new: Any, name: str) -> list[tuple[str, Any, Any]]:
    """Where two trees differ: name of the value, stored, made again."""
    if isinstance(old, dict) and isinstance(new, dict) and set(old) == set(new):
        below = [(f"{name}.{key}".lstrip("."), old[key], new[key]) for key in old]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = zip(old, new, strict=True)
        below = [(f"{name}[{i}]", a, b) for i, (a, b) in enumerate(pairs)]
    else:
        return [] if type(old) is type(new) and old == new else [(name, old, new)]
    return [found for inner, a, b in below for found in _differences(a, b, inner)]


def _compare_arrays(old: Any, new: Any, other_processor: bool) -> tuple[str, bool]:
    if old.shape != new.shape or old.dtype != new.dtype:
        return f"shape {old.shape} became {new.shape}", False
    if old.dtype.kind not in "fiub":
        return "other texts", False
    if not np.array_equal(np.isnan(old), np.isnan(new)):
        return "NaN at other places", False
    scale = float(np.nanmax(np.abs(old), initial=0.0)) or 1.0
    worst = float(np.nanmax(np.abs(old.astype(float) - new.astype(float)), initial=0.0)) / scale
    within = worst <= TOLERANCE
    verdict = f"differs by {worst:.1e} of the largest value"
    return (f"within tolerance ({verdict})" if within else verdict), within and other_processor
