"""What labels mean, and which state an epoch gets."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.model.epochs import State
from wakeful.model.errors import BadParameters, BadScores
from wakeful.model.scores import ScoredStretches
from wakeful.sleep.hand_scores import (
    LabelMap,
    label_states,
    make_hypnogram,
    offset_from_clock,
    parse_label_map,
    resample_hypnogram,
)

A, U, N, R, X = 0, 1, 2, 3, -1


def make(
    labels: list[str],
    epoch_s: float = 4.0,
    start_s: list[float] | None = None,
    artefact: list[bool] | None = None,
    meaning: tuple[tuple[str, State], ...] = (),
) -> ScoredStretches:
    start = np.arange(len(labels)) * epoch_s if start_s is None else np.array(start_s)
    return ScoredStretches(
        start_s=start,
        stop_s=start + epoch_s,
        label=tuple(labels),
        place=tuple(f"line {i + 2}" for i in range(len(labels))),
        artefact=np.array(artefact or [False] * len(labels)),
        source="mouse.csv",
        format="csv",
        epoch_s=epoch_s,
        meaning=meaning,
    )


@pytest.mark.parametrize(
    ("state", "names"),
    [
        (A, "W w Wake WAKE wa WA AW awake Wakefulness wake_state Sleep stage W"),
        (N, "N nr NR NREM Non-REM SWS S nonrem N2 nrem_sleep NREMstate Slow-wave-sleep"),
        (R, "R REM rem RE P PS REM_sleep Paradoxical-sleep"),
        (U, "U A X * ? Artefact artifact ART unknown undefined"),
    ],
)
def test_common_names_are_known_whatever_their_case(state: int, names: str) -> None:
    found, scored, _ = label_states(make(names.replace("Sleep stage W", "Sleep_stage_W").split()))
    assert set(found.tolist()) == {state}
    assert scored.all()


def test_non_rem_with_a_blank() -> None:
    assert label_states(make(["Non REM", "Sleep stage R"]))[0].tolist() == [N, R]


def test_numbers_are_never_guessed() -> None:
    with pytest.raises(BadScores) as caught:
        label_states(make(["1", "2", "1", "W"]))
    text = str(caught.value)
    assert "'1' (line 2, 2 in all)" in text
    assert "'2' (line 3, 1 in all)" in text
    assert "mouse.csv" in text
    assert "--labels" in text
    assert "'W'" not in text


def test_a_map_goes_before_the_common_names() -> None:
    labels = parse_label_map(["1=NREM, 0 = awake", "S=REM,light off=ignore,z=no data"])
    assert labels == LabelMap(
        states={"1": State.NREM, "0": State.AWAKE, "S": State.REM, "z": State.NO_DATA},
        ignored=frozenset({"light off"}),
    )
    found, scored, _ = label_states(make(["1", "0", "s", "Light Off", "W", "z"]), labels)
    assert found.tolist() == [N, A, R, X, A, X]
    assert scored.tolist() == [True, True, True, False, True, True]


def test_letters_that_differ_by_case_alone() -> None:
    labels = parse_label_map(["n=NREM,N=awake"])
    assert label_states(make(["n", "N"]), labels)[0].tolist() == [N, A]


def test_what_the_format_defines_is_known() -> None:
    stretches = make(["1", "2"], meaning=(("1", State.REM), ("2", State.AWAKE)))
    assert label_states(stretches)[0].tolist() == [R, A]
    assert label_states(stretches, parse_label_map(["1=NREM"]))[0].tolist() == [N, A]


@pytest.mark.parametrize("text", ["W", "W=asleep", "=", "W=awake,W=REM", "a=ignore,a=REM"])
def test_a_map_that_says_nothing(text: str) -> None:
    with pytest.raises(BadParameters):
        parse_label_map([text])


def test_an_empty_label_can_be_mapped() -> None:
    with pytest.raises(BadScores, match="''"):
        label_states(make(["W", ""]))
    assert label_states(make(["W", ""]), parse_label_map(["=no data"]))[0].tolist() == [A, X]


def test_the_same_epochs_come_out_as_they_went_in() -> None:
    hypnogram = make_hypnogram(make(["W", "N", "R", "U"]))
    assert hypnogram.state.tolist() == [A, N, R, U]
    assert hypnogram.start_s.tolist() == [0, 4, 8, 12]
    assert hypnogram.epoch_s == 4.0
    assert "mouse.csv" in hypnogram.scorer


def test_the_state_that_fills_most_of_an_epoch_wins() -> None:
    stretches = make(["W"] * 3 + ["N"] * 2 + ["R"] * 5 + ["W", "N"] * 2 + ["R"], epoch_s=1.0)
    assert make_hypnogram(stretches, epoch_s=5.0).state.tolist() == [A, R, U]
    # Two of four and two of four: a tie.
    assert make_hypnogram(make(["W", "W", "N", "N"], 1.0), epoch_s=4.0).state.tolist() == [U]


def test_shorter_epochs_than_were_scored() -> None:
    assert make_hypnogram(make(["W", "N"], 10.0), epoch_s=4.0).state.tolist() == [A, A, U, N, N]


def test_an_epoch_that_touches_a_hole_has_no_data() -> None:
    stretches = make(["W", "N", "N"], 4.0, start_s=[0.0, 4.0, 11.9])
    assert make_hypnogram(stretches).state.tolist() == [A, N, X, X]
    # Less than a millisecond is how files round.
    stretches = make(["W", "N", "N"], 4.0, start_s=[0.0, 4.0, 8.0004])
    assert make_hypnogram(stretches, epoch_s=4.0).state.tolist()[:3] == [A, N, N]


def test_another_clock() -> None:
    stretches = make(["W", "N", "R"])
    assert make_hypnogram(stretches, offset_s=8.0).start_s.tolist() == [8, 12, 16]
    shifted = make_hypnogram(stretches, offset_s=-3.0)
    assert shifted.start_s.tolist() == [0, 4, 8]
    assert shifted.state.tolist() == [N, R, X]
    assert any("before the session's start" in note for note in shifted.notes)
    assert make_hypnogram(stretches, offset_s=-100.0).n_rows == 0


def test_the_offset_follows_from_the_clock() -> None:
    from dataclasses import replace

    stretches = replace(make(["W"]), zero_local=datetime.fromisoformat("2026-03-02T09:00:30"))
    assert offset_from_clock(stretches, datetime.fromisoformat("2026-03-02T09:00:00")) == 30.0
    with pytest.raises(BadScores, match="--offset"):
        offset_from_clock(make(["W"]), datetime.fromisoformat("2026-03-02T09:00:00"))


def test_artefacts_keep_their_state_or_lose_it() -> None:
    stretches = make(["W", "N"], artefact=[False, True])
    assert make_hypnogram(stretches).state.tolist() == [A, N]
    assert make_hypnogram(stretches, keep_artefacts=False).state.tolist() == [A, U]


def test_one_moment_has_one_state() -> None:
    with pytest.raises(BadScores, match=r"line 3 begins at 2 s, before line 2 ends"):
        make_hypnogram(make(["W", "N"], 4.0, start_s=[0.0, 2.0]))


def test_nothing_says_how_long_epochs_are() -> None:
    from dataclasses import replace

    with pytest.raises(BadScores, match="--resample"):
        make_hypnogram(replace(make(["W"]), epoch_s=0.0))
    with pytest.raises(BadParameters):
        make_hypnogram(make(["W"]), epoch_s=0.0)
    with pytest.raises(BadScores, match="nothing in it is scored"):
        make_hypnogram(make(["unscored"]))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from("WNRU-"), min_size=1, max_size=40),
    st.integers(1, 7),
    st.integers(1, 9),
)
def test_resampling_equals_counting_seconds(labels: list[str], epoch: int, target: int) -> None:
    """Against one label a second, counted by hand."""
    if set(labels) == {"-"}:
        return
    code = {"W": A, "N": N, "R": R, "U": U, "-": X}
    second = np.repeat([code[label] for label in labels], epoch)
    hypnogram = make_hypnogram(
        make(labels, float(epoch)), epoch_s=float(target), labels=parse_label_map(["-=no data"])
    )
    for start_s, state in zip(hypnogram.start_s.astype(int), hypnogram.state, strict=True):
        part = second[start_s : start_s + target]
        if len(part) < target or (part == X).any():
            assert state == X
            continue
        counts = sorted(((np.sum(part == c), c) for c in (A, U, N, R)), reverse=True)
        assert state == (U if counts[0][0] == counts[1][0] else counts[0][1])
    scored = np.flatnonzero(second != X)
    assert hypnogram.start_s[0] == scored[0] // target * target
    assert hypnogram.start_s[-1] == scored[-1] // target * target


def test_a_hypnogram_is_resampled_by_the_same_rule() -> None:
    fine = make_hypnogram(make(list("WWNNNRRR"), 2.0))
    coarse = resample_hypnogram(fine, 4.0)
    assert coarse.state.tolist() == [A, N, U, R]
    back = resample_hypnogram(coarse, 4.0)
    assert back.state.tolist() == coarse.state.tolist()
    with pytest.raises(BadParameters):
        resample_hypnogram(fine, float("nan"))


def test_a_state_with_the_mark_of_an_artefact() -> None:
    """As one mouse's published scores have it: W, NR and R, and W*, NR* and R* where spoilt."""
    labels = ["W", "NR*", "R *", "Wake X", "X", "*"]
    states, _, artefact = label_states(make(labels))
    assert states.tolist() == [A, N, R, A, U, U]
    assert artefact.tolist() == [False, True, True, True, False, False]
    kept = make_hypnogram(make(labels))
    assert any("3 stretches marked as artefacts keep" in note for note in kept.notes)
    dropped = make_hypnogram(make(labels), keep_artefacts=False)
    assert dropped.state.tolist() == [A, U, U, U, U, U]
    with pytest.raises(BadScores, match=r"'zz\*'"):
        label_states(make(["zz*"]))
