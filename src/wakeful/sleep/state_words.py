"""The words that people use for a state of sleep, whatever their case and marks."""

from __future__ import annotations

import re

from wakeful.model.epochs import State

_WORDS: dict[State, str] = {
    State.AWAKE: "w wa wake waking wakefulness aw awake wk wakestate activewake quietwake qw",
    State.NREM: "n nr nrem nrems nonrem nremsleep nonremsleep nremstate sws s slowwavesleep "
    "n1 n2 n3 n4 nrem1 nrem2 nrem3 nrem4",
    State.REM: "r re rem rems remsleep remstate p ps paradoxical paradoxicalsleep",
    State.UNCLASSIFIED: "u a x * ? art artefact artifact unknown unclassified undefined unsure",
    State.NO_DATA: "nodata unscored notscored",
}
_STATE_OF = {word: state for state, words in _WORDS.items() for word in words.split()}


def plain_word(label: str) -> str:
    """A label without case, blanks and marks: "Sleep stage Non-REM" is "nonrem"."""
    text = re.sub(r"[\s_\-.]", "", label.casefold())
    return text.removeprefix("sleepstage") or label.strip()


def find_word(label: str) -> State | None:
    """The state that a label commonly stands for, unclassified and no data too; else None."""
    return _STATE_OF.get(plain_word(label))
