"""Gathering what a session holds, to be handed on as NWB or zarr."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar, overload

from wakeful.catalog import Catalog
from wakeful.config import Library
from wakeful.io.codec import from_plain
from wakeful.io.store import Store
from wakeful.model.arrays import Lfp
from wakeful.model.epochs import (
    BandPower,
    Hypnogram,
    LfpEmg,
    MuscleTone,
    Rows,
    SleepFeatures,
    Spectrogram,
)
from wakeful.model.errors import UnknownResult
from wakeful.model.pose import Pose
from wakeful.model.time import Interval
from wakeful.pipeline.machine import code_version
from wakeful.pipeline.plan import Reference, Task
from wakeful.publish.contents import LabFacts, MadeBy, SessionContents
from wakeful.service.blinding import is_hidden_now
from wakeful.service.lookup import Found

T = TypeVar("T")

FEATURES = "sleep_features"
_IN_PARTS = (Spectrogram, Pose)
"""What is too long to be held: a day of either is hundreds of megabytes."""
_KNOWN: dict[type[Any], str] = {
    Lfp: "lfp",
    BandPower: "band_power",
    LfpEmg: "lfp_emg",
    MuscleTone: "muscle",
    Hypnogram: "hypnogram",
}


class StoredParts(Sequence[T], Generic[T]):
    """One output of several results, each read from the store when asked for.

    Parameters
    ----------
    store : where the results are
    tasks : in order of time
    field : the output
    kind : its type
    """

    def __init__(self, store: Store, tasks: Sequence[Task], field: str, kind: type[T]) -> None:
        self._store = store
        self._tasks = tuple(tasks)
        self._field = field
        self._kind = kind

    def __len__(self) -> int:
        return len(self._tasks)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> StoredParts[T]: ...
    def __getitem__(self, index: int | slice) -> T | StoredParts[T]:
        if isinstance(index, slice):
            return StoredParts(self._store, self._tasks[index], self._field, self._kind)
        task = self._tasks[index]
        value: T = self._store.read(task.step, task.key, self._field, self._kind)
        return value


def gather(
    library: Library,
    store: Store,
    catalog: Catalog,
    found: Found,
    *,
    so_far: bool = False,
) -> SessionContents:
    """What a session holds: results, what is known of animal and lab, and what made each result.

    Parameters
    ----------
    so_far : take the results that are there, and say in the notes how many are not

    Raises
    ------
    UnknownResult
        Results are missing, and it was not asked for what there is so far.
    """
    planned = [t for t in found.plan.tasks if t.kind == "result"]
    tasks = [t for t in planned if store.has(t.step, t.key)]
    n_missing = len(planned) - len(tasks)
    if n_missing and not so_far:
        raise UnknownResult(
            f"{n_missing} of {len(planned)} results are not there",
            where=found.name,
            remedy="run its row first (wakeful run --once), or take what there is with --so-far",
        )
    values, tables, poses = _outputs(store, catalog, tasks)
    prepared = found.prepared
    target = prepared.target
    sharing = library.config.sharing
    animal = library.animal(found.request.subject)
    notes = [*prepared.warnings, *found.plan.notes]
    if animal is not None and is_hidden_now(library):
        animal = animal.blinded()
        notes.append("genotype, drug, dose and notes of the animal are hidden (blinding)")
    notes += [f"{n_missing} of {len(planned)} results were not there yet"] if n_missing else []
    subject = found.plan.session.subject
    return SessionContents(
        name=found.name,
        session=found.plan.session,
        subject=subject
        if animal is None
        else replace(
            subject,
            species=animal.species or subject.species,
            sex=animal.sex if animal.sex != "U" else subject.sex,
            genotype=animal.genotype or subject.genotype,
            birth=animal.birth or subject.birth,
        ),
        strain="" if animal is None else animal.strain,
        surgery="" if animal is None else animal.surgery,
        pharmacology="" if animal is None else animal.treatment,
        lab=LabFacts(
            institution=sharing.institution,
            lab=sharing.lab,
            experimenters=sharing.experimenters,
            description=sharing.description,
            keywords=sharing.keywords,
        ),
        recording_format=prepared.description.format,
        source=found.request.recording.name,
        stream=target.stream.name,
        channels=target.stream.channels,
        quarantined=target.stream.quarantined,
        tables=tables,
        poses=poses,
        events=target.recording.read_events(),
        tracks=target.recording.read_tracks(),
        made_by=tuple(_made_by(store, task) for task in tasks),
        code_version=code_version(),
        notes=tuple(notes),
        **values,
    )


def gather_features(
    store: Store, catalog: Catalog, found: Found, *, so_far: bool = False
) -> Sequence[SleepFeatures]:
    """The features of a session, hour by hour, each read when asked for.

    Parameters
    ----------
    so_far : take the hours that are there

    Raises
    ------
    UnknownResult
        The row does not ask for them, hours are missing and it was not asked for what there is so
        far, or there is none at all.
    """
    step = catalog.maker_of(FEATURES)
    planned = [t for t in found.plan.tasks if step and t.step == step.name and t.kind == "result"]
    if step is None or not planned:
        raise UnknownResult(
            f"its row does not ask for {FEATURES}",
            where=found.name,
            remedy=f"write {FEATURES} among its analyses and run it",
        )
    tasks = [t for t in planned if store.has(t.step, t.key)]
    if not tasks or (len(tasks) < len(planned) and not so_far):
        raise UnknownResult(
            f"features of {len(planned) - len(tasks)} of {len(planned)} hours are not there",
            where=found.name,
            remedy="run its row first (wakeful run --once)"
            + (", or take what there is with --so-far" if tasks else ""),
        )
    return StoredParts(store, tasks, FEATURES, SleepFeatures)


def _outputs(
    store: Store, catalog: Catalog, tasks: Sequence[Task]
) -> tuple[dict[str, Any], dict[str, Rows], dict[str, Sequence[Pose]]]:
    """The outputs by what they are, not by which step makes them: a new step's tables are in."""
    values: dict[str, Any] = {}
    tables: dict[str, Rows] = {}
    poses: dict[str, Sequence[Pose]] = {}
    for name, step in catalog.steps.items():
        mine = [task for task in tasks if task.step == name]
        if not mine:
            continue
        for field, kind in step.output_types().items():
            if not (isinstance(kind, type) and issubclass(kind, Rows | Lfp)):
                continue  # summaries of what is in the tables
            if issubclass(kind, SleepFeatures):
                continue  # what a scorer looks at: a table of its own, made of what is here
            parts: StoredParts[Any] = StoredParts(store, mine, field, kind)
            if issubclass(kind, Pose):
                poses[field] = parts
            elif issubclass(kind, _IN_PARTS) and "spectrogram" not in values:
                values["spectrogram"] = parts
            elif kind in _KNOWN and _KNOWN[kind] not in values:
                values[_KNOWN[kind]] = kind.join(list(parts))
            elif issubclass(kind, Rows):
                tables[field] = kind.join(list(parts))
    return values, tables, poses


def _made_by(store: Store, task: Task) -> MadeBy:
    tree = store.receipt(task.folder, task.key).tree
    references = [r for parts in tree["inputs"].values() for r in parts]
    return MadeBy(
        step=str(tree["of_step"]),
        version=int(tree["step_version"]),
        scope=str(task.scope),
        interval=from_plain(tree["interval_s"], Interval),
        key=task.key,
        inputs=tuple(from_plain(r, Reference).key for r in references),
        changed=_as_text(tree["changed_params"]),
        params=_as_text(tree["params"]),
        code_version=str(tree["code_version"]),
        libraries=", ".join(f"{name} {v}" for name, v in tree["libraries"].items()),
        machine=str(tree["machine"]["processor"]),
        made_utc=str(tree["started_utc"]),
    )


def _as_text(params: dict[str, Any]) -> str:
    return "; ".join(f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in params.items())
