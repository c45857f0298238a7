"""Hand scores become a hypnogram: what labels mean, and which state an epoch gets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadParameters, BadScores
from wakeful.model.scores import ScoredStretches
from wakeful.sleep.state_words import find_word, plain_word

ROUNDING_US = 1000
"""Files round times to milliseconds: so much is neither a gap, nor an overlap, nor a majority."""

_TARGETS = {state.label.casefold(): state for state in State} | {"nodata": State.NO_DATA}
_IGNORE = "ignore"
_ARTEFACT = re.compile(r"(\s*\*|\s+[xX])$")


@dataclass(frozen=True, kw_only=True)
class LabelMap:
    """What labels mean that are no common names, or mean something else in this lab."""

    states: Mapping[str, State]
    """Label as written (case counts only where two differ by it alone) -> state."""
    ignored: frozenset[str] = frozenset()
    """Labels that are no scores: remarks, lights, stimuli."""


NO_MAP = LabelMap(states={})


def parse_label_map(texts: Iterable[str]) -> LabelMap:
    """A map from texts like "W=awake, 1=NREM, Lights off=ignore".

    States are awake, NREM, REM, unclassified and "no data"; `ignore` leaves a label out.

    Raises
    ------
    BadParameters
        A part is not label=state, or one label is given two meanings.
    """
    states: dict[str, State] = {}
    ignored: set[str] = set()
    for part in (part.strip() for text in texts for part in text.split(",")):
        if not part:
            continue
        label, equals, name = part.rpartition("=")
        label, name = label.strip(), name.strip().casefold()
        target = _TARGETS.get(name)
        if not equals or (target is None and name != _IGNORE):
            raise BadParameters(
                f"{part!r} does not say what a label means",
                where="labels",
                remedy="write label=state, parted by commas; states are awake, NREM, REM, "
                "unclassified, no data and ignore, as in W=awake, 1=NREM",
            )
        if (
            label in ignored
            or states.get(label, target) != target
            or (label in states) > (target is not None)
        ):
            raise BadParameters(
                f"label {label!r} is given two meanings", where="labels", remedy="keep one of them"
            )
        if target is None:
            ignored.add(label)
        else:
            states[label] = target
    return LabelMap(states=states, ignored=frozenset(ignored))


def label_states(
    stretches: ScoredStretches, labels: LabelMap = NO_MAP
) -> tuple[NDArray[np.int8], NDArray[np.bool_], NDArray[np.bool_]]:
    """State of each stretch, which stretches are scores at all, and which are spoilt.

    A label is looked up in the map, then among those the format defines, then among the common
    names (W, Wake, NR, NREM, SWS, R, REM, PS, A, X, ...), whatever their case, spaces and hyphens.
    A label that is known but for an asterisk or an " X" at its end ("NR*", "Wake X") is that state,
    marked as spoilt by an artefact.

    Returns
    -------
    (n_stretches,) values of `State`; (n_stretches,) False where the map says `ignore`;
    (n_stretches,) whether it is marked as an artefact, by its label or by the file

    Raises
    ------
    BadScores
        Labels that none of them knows: all of them, with where each stands first.
    """
    own = _Lookup(dict(labels.states))
    ignored = _Lookup(dict.fromkeys(labels.ignored, State.NO_DATA))
    defined = _Lookup(dict(stretches.meaning))
    meaning: dict[str, State | None] = {}
    spoilt: set[str] = set()
    unknown: dict[str, str] = {}
    for label, place in zip(stretches.label, stretches.place, strict=True):
        if label in meaning or label in unknown:
            continue
        if ignored.find(label) is not None:
            meaning[label] = None
            continue
        state = _find(label, own, defined)
        if state is None and (bare := _ARTEFACT.sub("", label)) not in ("", label):
            state = _find(bare, own, defined)
            spoilt |= {label} if state is not None else set()
        if state is None:
            unknown[label] = place
        else:
            meaning[label] = state
    if unknown:
        counted = {label: stretches.label.count(label) for label in list(unknown)[:8]}
        said = "; ".join(
            f"{label!r} ({unknown[label]}, {count} in all)" for label, count in counted.items()
        )
        more = f" and {len(unknown) - 8} more" if len(unknown) > 8 else ""
        raise BadScores(
            f"what does this label mean: {said}{more}",
            where=stretches.source,
            remedy=f'say so with --labels "{next(iter(unknown))}=NREM" (or awake, REM, '
            "unclassified, no data, ignore)",
        )
    found = [meaning[label] for label in stretches.label]
    states = np.array([State.NO_DATA if s is None else s for s in found], np.int8)
    scored = np.array([s is not None for s in found], np.bool_)
    marked = np.array([label in spoilt for label in stretches.label], np.bool_)
    return states, scored, marked | stretches.artefact


def _find(label: str, own: _Lookup, defined: _Lookup) -> State | None:
    for source in (own, defined):
        state = source.find(label)
        if state is not None:
            return state
    return find_word(label)


class _Lookup:
    """Labels as written first, then whatever their case and marks where that is unambiguous."""

    def __init__(self, states: dict[str, State]) -> None:
        self._exact = states
        plain: dict[str, set[State]] = {}
        for label, state in states.items():
            plain.setdefault(plain_word(label), set()).add(state)
        self._plain = {label: s.pop() for label, s in plain.items() if len(s) == 1}

    def find(self, label: str) -> State | None:
        if label in self._exact:
            return self._exact[label]
        return self._plain.get(plain_word(label))


def offset_from_clock(stretches: ScoredStretches, session_start: datetime) -> float:
    """Where the file's second 0 lies on the session's clock, seconds.

    Parameters
    ----------
    session_start : on the clock the file is written in, without a zone

    Raises
    ------
    BadScores
        The file has no date and time.
    """
    if stretches.zero_local is None:
        raise BadScores(
            "it has no clock time that could be laid beside the session's start",
            where=stretches.source,
            remedy="say by how many seconds it begins after the session with --offset",
        )
    return (stretches.zero_local - session_start.replace(tzinfo=None)).total_seconds()


def make_hypnogram(
    stretches: ScoredStretches,
    *,
    epoch_s: float | None = None,
    offset_s: float = 0.0,
    labels: LabelMap = NO_MAP,
    keep_artefacts: bool = True,
) -> Hypnogram:
    """Hand scores as a hypnogram on the session's clock, at any epoch length.

    An epoch gets the state that fills most of it. Where two states fill equally much it is
    unclassified; where any of it was not scored it has no data. Less than a millisecond counts
    for nothing. The hypnogram reaches from the first epoch that is touched to the last.

    Parameters
    ----------
    epoch_s : length of the epochs; that of the file where None
    offset_s : where the file's second 0 lies, seconds from the session's start
    keep_artefacts : whether an epoch scored, and marked as an artefact besides, keeps its state;
        else it is unclassified

    Raises
    ------
    BadScores
        A label is unknown, stretches overlap, or nothing says how long epochs are.
    BadParameters
        The epoch length is not positive.
    """
    length_s = stretches.epoch_s if epoch_s is None else epoch_s
    if epoch_s is not None and not (np.isfinite(epoch_s) and epoch_s > 0):
        raise BadParameters(
            f"epochs of {epoch_s:g} s", where="epoch_s", remedy="give a length above 0 s"
        )
    if length_s <= 0:
        raise BadScores(
            "its stretches are of various lengths, and no epoch length was given",
            where=stretches.source,
            remedy="give the epoch length to score at, for example --resample 4",
        )
    states, scored, spoilt = label_states(stretches, labels)
    if not keep_artefacts:
        states = np.where(spoilt, np.int8(State.UNCLASSIFIED), states)
    scored &= states != State.NO_DATA
    if not scored.any():
        raise BadScores(
            "nothing in it is scored", where=stretches.source, remedy="give another file"
        )
    kept = np.flatnonzero(scored)
    begin = _microseconds(stretches.start_s[kept] + offset_s)
    end = _microseconds(stretches.stop_s[kept] + offset_s)
    _refuse_overlap(stretches, kept, begin, end)
    first = int(begin[0] // _microseconds(length_s))
    last = -int(-end[-1] // _microseconds(length_s))
    notes = [*stretches.notes]
    if first < 0:
        notes.append(
            f"{-first:,} epochs before the session's start are left out"
            if last > 0
            else "all of it lies before the session's start"
        )
        first = 0
    numbers = np.arange(first, max(first, last), dtype=np.float64)
    edges = _microseconds(np.arange(first, max(first, last) + 1, dtype=np.float64) * length_s)
    epochs = _fill(begin, end, states[kept], edges) if len(numbers) else np.empty(0, np.int8)
    n_marked = int(spoilt[kept].sum())
    if n_marked:
        kept_as = "keep their states" if keep_artefacts else "are unclassified"
        notes.append(f"{n_marked:,} stretches marked as artefacts {kept_as}")
    return Hypnogram(
        start_s=numbers * length_s,
        raw_state=epochs,
        state=epochs,
        confidence=np.full(len(epochs), np.nan, np.float32),
        epoch_s=length_s,
        scorer=f"by hand ({stretches.source})",
        notes=tuple(notes),
    )


def resample_hypnogram(hypnogram: Hypnogram, epoch_s: float) -> Hypnogram:
    """A hypnogram at another epoch length, by the rule of `make_hypnogram`.

    Raises
    ------
    BadParameters
        The epoch length is not positive.
    """
    if not (np.isfinite(epoch_s) and epoch_s > 0):
        raise BadParameters(
            f"epochs of {epoch_s:g} s", where="epoch_s", remedy="give a length above 0 s"
        )
    known = hypnogram.state != State.NO_DATA
    begin = _microseconds(hypnogram.start_s[known])
    end = _microseconds(hypnogram.start_s[known] + hypnogram.epoch_s)
    numbers = np.empty(0)
    state = raw = np.empty(0, np.int8)
    if len(begin):
        first = int(begin[0] // _microseconds(epoch_s))
        last = -int(-end[-1] // _microseconds(epoch_s))
        numbers = np.arange(first, last, dtype=np.float64)
        edges = _microseconds(np.arange(first, last + 1, dtype=np.float64) * epoch_s)
        state = _fill(begin, end, hypnogram.state[known], edges)
        raw = _fill(begin, end, hypnogram.raw_state[known], edges)
    return Hypnogram(
        start_s=numbers * epoch_s,
        raw_state=raw,
        state=state,
        confidence=np.full(len(state), np.nan, np.float32),
        epoch_s=epoch_s,
        scorer=hypnogram.scorer,
        notes=(*hypnogram.notes, f"from epochs of {hypnogram.epoch_s:g} s"),
        signals=hypnogram.signals,
    )


def _microseconds(seconds: NDArray[np.float64] | float) -> NDArray[np.int64]:
    return np.rint(np.asarray(seconds) * 1e6).astype(np.int64)


def _refuse_overlap(
    stretches: ScoredStretches,
    kept: NDArray[np.intp],
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
) -> None:
    bad = np.flatnonzero(end[:-1] - begin[1:] > ROUNDING_US)
    if bad.size:
        a, b = kept[bad[0]], kept[bad[0] + 1]
        raise BadScores(
            f"{stretches.place[b]} begins at {stretches.start_s[b]:g} s, before "
            f"{stretches.place[a]} ends ({stretches.stop_s[a]:g} s)",
            where=stretches.source,
            remedy="one moment can have one state only: correct the file, or the epoch length "
            "that was given",
        )


def _fill(
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    states: NDArray[np.int8],
    edges: NDArray[np.int64],
) -> NDArray[np.int8]:
    """State of each epoch between `edges`, all in whole microseconds."""
    choices = (State.AWAKE, State.UNCLASSIFIED, State.NREM, State.REM)
    held = np.stack([_time_in(begin[states == s], end[states == s], edges) for s in choices])
    ranked = np.sort(held, axis=0)
    result: NDArray[np.int8] = np.array(choices, np.int8)[held.argmax(axis=0)]
    result[ranked[-1] - ranked[-2] <= ROUNDING_US] = State.UNCLASSIFIED
    result[np.diff(edges) - held.sum(axis=0) > ROUNDING_US] = State.NO_DATA
    return result


def _time_in(
    begin: NDArray[np.int64], end: NDArray[np.int64], edges: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(n_edges - 1,) time that stretches which do not overlap share with each epoch."""
    if len(begin) == 0:
        return np.zeros(len(edges) - 1, np.int64)
    length = end - begin
    before = np.r_[0, np.cumsum(length)]
    at = np.searchsorted(begin, edges, side="right") - 1
    inside = np.maximum(at, 0)
    into = np.clip(edges - begin[inside], 0, length[inside])
    return np.diff(np.where(at < 0, 0, before[inside] + into))
