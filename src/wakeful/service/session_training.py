"""Sessions of the library with files of hand scores, as a table to train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wakeful.catalog import Catalog
from wakeful.config import Library
from wakeful.io.scorer_files import TrainingFile
from wakeful.io.scores import ReadOptions, read_scores
from wakeful.io.store import Store
from wakeful.model.epochs import SCORED, Hypnogram, SleepFeatures, State
from wakeful.model.errors import BadParameters, BadScores
from wakeful.model.scores import ScoredStretches
from wakeful.model.subject import Session
from wakeful.service.lookup import Found, find_session
from wakeful.service.scorers import LabelledTable
from wakeful.service.sharing import gather_features
from wakeful.service.targets import local_to_utc
from wakeful.sheet.interface import Sheet
from wakeful.sleep.hand_scores import NO_MAP, LabelMap, label_states, make_hypnogram
from wakeful.sleep.session_labels import (
    LabelledSession,
    join_sessions,
    label_epochs,
    merge_scores,
)

MOST_UNLABELLED_S = 86_400.0
"""So much of a session that nobody scored is looked at, to know what the animal's features are
like; a scorer learns no more from weeks of it."""


@dataclass(frozen=True, kw_only=True)
class ScoredRecording:
    """A session of the library, and a file of what a person said of it."""

    session: str
    """As its published folder is called."""
    scores: Path
    offset_s: float | None = None
    """By how much scoring began after the session; None: as the file's clock says, else 0."""


@dataclass(frozen=True, kw_only=True)
class ScoreReading:
    """How files of scores are read; the same for all."""

    format: str | None = None
    """Found from name and contents where None."""
    options: ReadOptions = field(default_factory=ReadOptions)
    labels: LabelMap = NO_MAP


def read_sessions(
    library: Library,
    sheet: Sheet,
    catalog: Catalog,
    recordings: Sequence[ScoredRecording],
    reading: ScoreReading,
    *,
    left_out: Sequence[str] = (),
    so_far: bool = False,
    across_animals: bool | None = None,
) -> LabelledTable:
    """Features of sessions with the labels that people gave them.

    Scores of any epoch length are brought to that of the features. Epochs that were marked as
    artefacts are not trained on.

    Parameters
    ----------
    left_out : features that are not to be looked at
    so_far : take the hours of features that are there
    across_animals : as in `TrainParams`

    Raises
    ------
    UnknownResult
        There is no such session, or its features are not there.
    BadScores
        A file can't be read, or has no epoch in its session; says where both lie in time.
    BadParameters
        Sessions do not fit each other.
    """
    if not recordings:
        raise BadParameters("no recording is named", where="--recording", remedy="name one")
    store = Store(library.results)
    sessions: dict[str, LabelledSession] = {}
    files: list[TrainingFile] = []
    notes: list[str] = []
    label_map: dict[str, str] = {}
    by_name: dict[str, list[ScoredRecording]] = {}
    for recording in recordings:
        by_name.setdefault(recording.session, []).append(recording)
    for name, given in by_name.items():
        found = find_session(library, sheet, catalog, name)
        parts = gather_features(store, catalog, found, so_far=so_far)
        hypnograms = []
        for one in given:
            stretches = read_scores(one.scores, reading.format, reading.options)
            label_map |= _meaning(stretches, reading.labels)
            hypnogram, said = _place(stretches, one, found.plan.session, parts[0], reading.labels)
            hypnograms.append(hypnogram)
            notes += [f"{one.scores.name}: {note}" for note in (*hypnogram.notes, *said)]
        session, about = _read_session(found, parts, hypnograms, given)
        sessions[found.name] = session
        notes += [f"{found.name}: {note}" for note in about]
        files += _files(session, given, hypnograms)
    table, labels, joined = join_sessions(list(sessions.values()), left_out, across_animals)
    return LabelledTable(
        table=table,
        labels=labels,
        label_map=label_map,
        files=tuple(files),
        n_holes=sum(file.n_holes for file in files),
        notes=(*notes, *joined),
    )


def _meaning(stretches: ScoredStretches, labels: LabelMap) -> dict[str, str]:
    """What was typed -> the state it became, of states that are trained on."""
    states, scored, spoilt = label_states(stretches, labels)
    return {
        label: State(int(state)).label
        for label, state, used in zip(stretches.label, states, scored & ~spoilt, strict=True)
        if used and state in SCORED
    }


def _place(
    stretches: ScoredStretches,
    given: ScoredRecording,
    session: Session,
    features: SleepFeatures,
    labels: LabelMap,
) -> tuple[Hypnogram, list[str]]:
    """Scores on the session's clock, in epochs of its features, and what was done to them."""
    offset_s, notes = given.offset_s, []
    if offset_s is None:
        offset_s, note = _offset_by_clock(stretches, session)
        notes.append(note)
    if stretches.epoch_s and abs(stretches.epoch_s - features.epoch_s) > 1e-6:
        notes.append(
            f"scored in epochs of {stretches.epoch_s:g} s, brought to {features.epoch_s:g} s"
        )
    hypnogram = make_hypnogram(
        stretches,
        epoch_s=features.epoch_s,
        offset_s=offset_s,
        labels=labels,
        keep_artefacts=False,
    )
    first_s = float(stretches.start_s[0]) + offset_s
    last_s = float(stretches.stop_s[-1]) + offset_s
    if last_s <= 0 or first_s >= session.duration_s:
        raise BadScores(
            f"nothing in it lies within the session: it scores {_span(first_s, last_s)} from the "
            f"session's start, and the session lasts {_hours(session.duration_s)}",
            where=f"{given.scores.name} for {given.session}",
            remedy="is it the file of another recording? else say with --offset by how many "
            "seconds scoring began after the session",
        )
    if last_s > session.duration_s + features.epoch_s:
        late_s = last_s - session.duration_s
        notes.append(f"{_hours(late_s)} of it lie after the session's end and are left out")
    return hypnogram, notes


def _offset_by_clock(stretches: ScoredStretches, session: Session) -> tuple[float, str]:
    """Where the file's second 0 lies on the session's clock, and how that is known."""
    if stretches.zero_local is None:
        return 0.0, "it has no clock time: it is taken to begin with the session"
    if session.start_utc is None:
        return 0.0, "nothing says when the session began: scores are taken to begin with it"
    zero_utc, ambiguous = local_to_utc(stretches.zero_local, session.time_zone)
    offset_s = (zero_utc - session.start_utc) / timedelta(seconds=1)
    doubt = " (the clocks changed then: the first is taken)" if ambiguous else ""
    return offset_s, f"by its clock, it begins {offset_s:+,.3f} s from the session's start{doubt}"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.2f} h"


def _span(first_s: float, last_s: float) -> str:
    return f"{_hours(first_s)} to {_hours(last_s)}"


def _read_session(
    found: Found,
    parts: Sequence[SleepFeatures],
    hypnograms: Sequence[Hypnogram],
    given: Sequence[ScoredRecording],
) -> tuple[LabelledSession, list[str]]:
    """The hours that hold labels, and at most a day of the others."""
    states: list[NDArray[np.int8]] = []
    unlabelled: list[int] = []
    for number, part in enumerate(parts):
        state = np.full(part.n_rows, State.NO_DATA, np.int8)
        for hypnogram in hypnograms:
            state = merge_scores(state, label_epochs(hypnogram, part.start_s))
        states.append(state)
        if not np.isin(state, SCORED).any():
            unlabelled.append(number)
    if len(unlabelled) == len(parts):
        names = ", ".join(one.scores.name for one in given)
        raise BadScores(
            "no epoch of its features is scored as awake, NREM or REM",
            where=f"{names} for {found.name}",
            remedy="correct --offset, or give scores of a stretch that has features",
        )
    taken = set(range(len(parts))) - set(unlabelled)
    most = max(1, round(MOST_UNLABELLED_S / found.plan.session.block_s))
    spread = np.unique(np.linspace(0, len(unlabelled) - 1, most).round().astype(int))
    taken |= {unlabelled[i] for i in spread} if len(unlabelled) > most else set(unlabelled)
    chosen = sorted(taken)
    notes = []
    if len(chosen) < len(parts):
        notes.append(f"{len(parts) - len(chosen)} blocks that nobody scored are not looked at")
    features = SleepFeatures.join([parts[i] for i in chosen])
    state = np.concatenate([states[i] for i in chosen])
    n_known = int(np.isin(state, SCORED).sum())
    minutes = n_known * features.epoch_s / 60
    notes.append(f"{n_known:,} of {len(state):,} epochs are scored ({minutes:,.1f} min)")
    session = LabelledSession(
        name=found.name,
        subject=found.plan.session.subject.identifier,
        features=features,
        state=state,
    )
    return session, notes


def _files(
    session: LabelledSession, given: Sequence[ScoredRecording], hypnograms: Sequence[Hypnogram]
) -> list[TrainingFile]:
    """What was trained on, for the card: the features by their values, the scores by their file."""
    features = session.features
    digest = sha256("\n".join(features.names).encode())
    digest.update(np.ascontiguousarray(features.start_s).tobytes())
    digest.update(np.ascontiguousarray(features.values).tobytes())
    late_s = np.diff(features.start_s) - features.epoch_s
    made = TrainingFile(
        name=f"features of {session.name}",
        sha256=digest.hexdigest(),
        n_epochs=features.n_rows,
        n_holes=int((np.abs(late_s) > 1e-3 * features.epoch_s).sum()),
    )
    return [
        made,
        *(
            TrainingFile(
                name=one.scores.name,
                sha256=sha256(one.scores.read_bytes()).hexdigest(),
                n_epochs=int(np.isin(hypnogram.state, SCORED).sum()),
                n_holes=0,
            )
            for one, hypnogram in zip(given, hypnograms, strict=True)
        ),
    ]


def pair_up(
    recordings: Sequence[str], scores: Sequence[Path], offsets_s: Sequence[float]
) -> tuple[ScoredRecording, ...]:
    """Recordings with their files of scores, and offsets, as they were given in turn.

    Raises
    ------
    BadParameters
        There are not as many of one as of the other.
    """
    if len(recordings) != len(scores):
        raise BadParameters(
            f"{len(recordings)} recordings and {len(scores)} files of scores",
            where="--recording, --scores",
            remedy="give a --scores for each --recording, in the same order",
        )
    if len(offsets_s) not in (0, 1, len(recordings)):
        raise BadParameters(
            f"{len(offsets_s)} offsets for {len(recordings)} recordings",
            where="--offset",
            remedy="give one for all, or one for each, in the order of the recordings",
        )
    given = [ScoredRecording(session=r, scores=s) for r, s in zip(recordings, scores, strict=True)]
    if offsets_s:
        many = list(offsets_s) * (len(given) if len(offsets_s) == 1 else 1)
        given = [replace(one, offset_s=offset) for one, offset in zip(given, many, strict=True)]
    return tuple(given)
