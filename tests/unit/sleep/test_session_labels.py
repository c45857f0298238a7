"""Hand scores on features: epochs, several files, several animals, other regions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wakeful.model.epochs import Hypnogram, SleepFeatures, State
from wakeful.model.errors import BadParameters
from wakeful.sleep.session_labels import (
    LabelledSession,
    join_sessions,
    label_epochs,
    merge_scores,
)

X, A, U, N, R = State.NO_DATA, State.AWAKE, State.UNCLASSIFIED, State.NREM, State.REM


def session(name: str, subject: str, states, regions=("CA1",), epoch_s: float = 4.0):
    names = (*(f"{region}.log_power_delta" for region in regions), "lfp_emg")
    n_epochs = len(states)
    values = np.arange(n_epochs * len(names), dtype=np.float32).reshape(n_epochs, len(names))
    features = SleepFeatures(
        start_s=np.arange(n_epochs) * epoch_s,
        values=values,
        names=names,
        units=("",) * len(names),
        groups=("spectrum",) * len(names),
        regions=tuple(regions),
        channels=(("c",),) * len(regions),
        epoch_s=epoch_s,
    )
    return LabelledSession(
        name=name, subject=subject, features=features, state=np.array(states, np.int8)
    )


def hypnogram(states, first: int = 0) -> Hypnogram:
    state = np.array(states, np.int8)
    return Hypnogram(
        start_s=(np.arange(len(state)) + first) * 4.0,
        raw_state=state,
        state=state,
        confidence=np.ones(len(state), np.float32),
        epoch_s=4.0,
        scorer="by hand",
    )


def test_epochs_get_the_label_of_their_time_and_no_other():
    at = np.array([0.0, 4.0, 12.0, 16.0, 40.0])
    assert label_epochs(hypnogram([N, R, A], first=2), at).tolist() == [X, X, R, A, X]
    assert label_epochs(hypnogram([]), at).tolist() == [X] * 5


def test_two_files_of_one_session_are_laid_together():
    a, b = np.array([A, X, X], np.int8), np.array([X, N, X], np.int8)
    assert merge_scores(a, b).tolist() == [A, N, X]
    with pytest.raises(BadParameters, match="1 epochs are scored in two"):
        merge_scores(a, a)


def test_sessions_of_one_animal_are_one_group_and_do_not_touch():
    table, labels, notes = join_sessions(
        [session("s1", "M1", [A, N, U]), session("s2", "M1", [N, X]), session("s3", "M2", [A, R])]
    )
    assert table.subject.tolist() == ["M1"] * 5 + ["M2"] * 2
    assert table.group.tolist() == table.subject.tolist()
    assert np.flatnonzero(table.starts).tolist() == [0, 3, 5]
    assert labels.states == ("awake", "NREM", "REM")
    assert labels.state.tolist() == [0, 1, -1, 1, -1, 0, 2]
    assert notes == ()


def test_states_that_nobody_scored_are_none_of_the_labels():
    _, labels, _ = join_sessions([session("s1", "M1", [R, U, A])])
    assert labels.states == ("awake", "REM")
    assert labels.state.tolist() == [1, -1, 0]


def test_what_all_have_is_used_and_the_rest_is_named():
    both = [
        session("s1", "M1", [A, N], regions=("PFC", "CA1")),
        session("s2", "M2", [A, N], regions=("CA1",)),
    ]
    table, _, notes = join_sessions(both, across_animals=False)
    assert table.names == ("CA1.log_power_delta", "lfp_emg")
    # Columns are found by name: the first session has CA1 in its second column.
    assert table.values[:2, 0].tolist() == [1.0, 4.0]
    assert notes[0] == "region PFC is left out: it is not in s2"
    assert "2 features are in all recordings and are used (regions CA1); 1 are left out" in notes[1]
    table, _, _ = join_sessions(both, ["lfp_emg"], across_animals=False)
    assert table.names == ("CA1.log_power_delta",)


def test_a_scorer_across_animals_gets_what_each_has():
    both = [
        session("s1", "M1", [A, N], regions=("PFC", "CA1")),
        session("s2", "M2", [A, N], regions=("CA1",)),
    ]
    table, _, notes = join_sessions(both)
    assert set(table.names) == {"PFC.log_power_delta", "CA1.log_power_delta", "lfp_emg"}
    assert notes == ()
    pfc = table.values[:, table.names.index("PFC.log_power_delta")]
    assert np.isfinite(pfc[:2]).all()
    assert np.isnan(pfc[2:]).all()


def test_what_does_not_fit_together_is_refused():
    one = session("s1", "M1", [A, N])
    with pytest.raises(BadParameters, match=r"no region is in all.*s1 has CA1; s2 has V1"):
        join_sessions([one, session("s2", "M2", [A, N], regions=("V1",))], across_animals=False)
    with pytest.raises(BadParameters, match=r"different lengths: s1 4 s, s2 2 s"):
        join_sessions([one, session("s2", "M2", [A, N], epoch_s=2.0)])
    with pytest.raises(BadParameters, match="no feature CA3"):
        join_sessions([one], ["CA3"])


def test_a_feature_without_a_number_where_people_scored_is_left_aside():
    one = session("s1", "M1", [A, N, X])
    values = one.features.values.copy()
    values[:2, 1] = np.nan
    table, _, notes = join_sessions([replace(one, features=replace(one.features, values=values))])
    assert table.names == ("CA1.log_power_delta",)
    assert notes == ("left aside (no number in a labelled epoch): lfp_emg",)
