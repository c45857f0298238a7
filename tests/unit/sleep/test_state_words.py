"""Words for states: one table for files of scores and for columns of labels."""

from __future__ import annotations

import pytest

from wakeful.model.epochs import State
from wakeful.sleep.label_words import find_state
from wakeful.sleep.state_words import find_word


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("W", State.AWAKE),
        ("Active wake", State.AWAKE),
        ("slow-wave_sleep", State.NREM),
        ("NREMS", State.NREM),
        ("Sleep stage N2", State.NREM),
        ("REMs", State.REM),
        ("Paradoxical Sleep", State.REM),
    ],
)
def test_a_state_is_known_wherever_it_is_typed(word: str, state: State) -> None:
    assert find_word(word) is state
    assert find_state(word) is state


@pytest.mark.parametrize("word", ["?", "artefact", "X", "not scored", "puff", "1", ""])
def test_what_is_no_state_is_none_to_train_on(word: str) -> None:
    assert find_state(word) is None
