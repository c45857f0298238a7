"""From what people type for a state to states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from wakeful.model.epochs import SCORED, State
from wakeful.model.errors import BadParameters
from wakeful.sleep.feature_table import Labels
from wakeful.sleep.state_words import find_word

_MAX_STATES = 12


def find_state(name: str) -> State | None:
    """Awake, NREM or REM, where a word commonly stands for one; else None."""
    state = find_word(name)
    return state if state in SCORED else None


def parse_mapping(text: str) -> dict[str, str]:
    """`W=awake,NR=NREM` as a mapping from what is typed to a state's name.

    Raises
    ------
    BadParameters
        It can't be read; names every part that can't.
    """
    out: dict[str, str] = {}
    problems = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        typed, equals, name = (p.strip() for p in part.partition("="))
        if not equals or not typed or not name:
            problems.append(f"{part!r} is not LABEL=STATE")
        elif typed in out:
            problems.append(f"{typed} is given twice")
        else:
            state = find_state(name)
            out[typed] = state.label if state is not None else name
    if problems or not out:
        raise BadParameters(
            "; ".join(problems) or "no label is given",
            where="--map",
            remedy='write "W=awake,NR=NREM,R=REM"; labels that are not named are left out',
        )
    return out


def read_labels(
    typed: Sequence[str], mapping: Mapping[str, str] | None = None
) -> tuple[Labels, dict[str, str], tuple[str, ...]]:
    """Numbers of states from what people typed.

    With a mapping, labels that it does not name are left out. Without one, common words become
    awake, NREM and REM and everything else (marks of artefacts, `?`) is left out; where there is
    no common word at all, each label is a state of its own.

    Returns
    -------
    labels : states in the order awake, NREM, REM, then others by name
    used : what was typed -> the state it became
    notes : what was left out

    Raises
    ------
    BadParameters
        No label can be used, or the mapping names one that is not there.
    """
    count = Counter(cell.strip() for cell in typed)
    blank = count.pop("", 0)
    used: dict[str, str] = {}
    if mapping is not None:
        absent = [label for label in mapping if label not in count]
        if len(absent) == len(mapping):
            raise BadParameters(
                f"no epoch is labelled {', '.join(absent)}",
                where="--map",
                remedy=f"the labels are {_list(count)}",
            )
        used = {label: name for label, name in mapping.items() if label in count}
    else:
        absent = []
        for label in count:
            meant = find_state(label)
            if meant is not None:
                used[label] = meant.label
        if not used:
            if not 0 < len(count) <= _MAX_STATES:
                raise BadParameters(
                    f"there are {len(count)} different labels" if count else "there is no label",
                    where="column of labels",
                    remedy="name the column with one word or number per state, or give --map",
                )
            used = {label: label for label in count}
    order = [State.AWAKE.label, State.NREM.label, State.REM.label]
    names = sorted(
        set(used.values()), key=lambda n: (order.index(n) if n in order else len(order), n)
    )
    number = {label: names.index(name) for label, name in used.items()}
    state = np.array([number.get(cell.strip(), -1) for cell in typed], np.int64)
    notes = []
    left = {label: n for label, n in count.items() if label not in used}
    if left:
        listed = ", ".join(f"{label} ({n} epochs)" for label, n in sorted(left.items())[:8])
        notes.append(f"labels left out of training: {listed}; --map can name them")
    if blank:
        notes.append(f"{blank} epochs have no label")
    if absent:
        notes.append(f"no epoch is labelled {', '.join(absent)}")
    return Labels(states=tuple(names), state=state), used, tuple(notes)


def _list(count: Counter[str]) -> str:
    shown = [f"{label} ({n})" for label, n in count.most_common(12)]
    return ", ".join(shown) + (" ..." if len(count) > 12 else "")
