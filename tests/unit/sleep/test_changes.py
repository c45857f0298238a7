"""What changes between two versions of a hypnogram or of events."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadParameters
from wakeful.model.sleep_events import SleepEvents
from wakeful.sleep.changes import STATES, compute_events_change, compute_hypnogram_change

states = st.sampled_from([int(s) for s in State])


def hypnogram(state, start_s=None, epoch_s=4.0):
    state = np.asarray(state, np.int8)
    start_s = np.arange(len(state)) * epoch_s if start_s is None else np.asarray(start_s)
    return Hypnogram(
        start_s=start_s,
        raw_state=state,
        state=state,
        confidence=np.ones(len(state), np.float32),
        epoch_s=epoch_s,
        scorer="test",
    )


def events(start_s, stop_s, region=None, regions=("CA1", "VISp"), kind="spindle"):
    n = len(start_s)
    one = np.zeros(n, np.float32)
    region = np.zeros(n, np.int16) if region is None else np.asarray(region, np.int16)
    return SleepEvents(
        start_s=np.asarray(start_s, float),
        stop_s=np.asarray(stop_s, float),
        peak_s=np.asarray(start_s, float),
        region=region,
        channel=np.zeros(n, np.int16),
        state=np.full(n, State.NREM, np.int8),
        amplitude_uv=one,
        frequency_hz=one,
        measure=one,
        kind=kind,
        measure_name="share",
        regions=regions,
        channels=("a",),
        band_hz=(10.0, 15.0),
        threshold_uv=np.zeros(len(regions)),
        states=("NREM",),
        minutes=np.ones((1, len(regions))),
        per_min=np.ones((1, len(regions))),
        waveform_s=np.zeros(1),
        waveform_uv=np.zeros((len(regions), 1), np.float32),
        waveform_sd_uv=np.zeros((len(regions), 1), np.float32),
        n_waveforms=(0,) * len(regions),
    )


@given(
    st.integers(0, 60).flatmap(
        lambda n: st.tuples(
            hnp.arrays(np.int8, n, elements=states), hnp.arrays(np.int8, n, elements=states)
        )
    )
)
def test_stretches_are_exactly_the_epochs_that_change(pair):
    before, after = (hypnogram(s) for s in pair)
    change = compute_hypnogram_change(before, after)
    rebuilt = before.state.copy()
    for stretch in change.stretches:
        inside = (before.start_s >= stretch.start_s) & (before.start_s < stretch.stop_s)
        assert (before.state[inside] == stretch.before).all()
        rebuilt[inside] = stretch.after
    np.testing.assert_array_equal(rebuilt, after.state)
    assert change.n_changed == np.sum(pair[0] != pair[1])
    assert change.confusion.sum() == change.n_epochs == len(pair[0])
    for i, state in enumerate(STATES):
        assert change.confusion[i].sum() * 4 / 60 == pytest.approx(change.minutes_before[state])
        assert change.confusion[:, i].sum() * 4 / 60 == pytest.approx(change.minutes_after[state])


def test_a_hole_in_time_parts_a_stretch():
    start_s = [0.0, 4.0, 100.0, 104.0]
    change = compute_hypnogram_change(
        hypnogram([0, 0, 0, 0], start_s), hypnogram([2, 2, 2, 2], start_s)
    )
    assert [(s.start_s, s.stop_s) for s in change.stretches] == [(0.0, 8.0), (100.0, 108.0)]


def test_hypnograms_of_other_epochs_are_refused():
    with pytest.raises(BadParameters, match="not the same stretch"):
        compute_hypnogram_change(hypnogram([0, 1]), hypnogram([0, 1, 2]))
    with pytest.raises(BadParameters, match="not the same stretch"):
        compute_hypnogram_change(hypnogram([0, 1]), hypnogram([0, 1], epoch_s=2.0))


def test_events_stay_move_come_and_go():
    change = compute_events_change(
        events([0, 10, 20, 30], [1, 11, 21, 31]), events([0, 10.5, 30, 40], [1, 11.5, 31, 41])
    )
    assert (change.n_same, change.n_moved) == (2, 1)
    assert change.lost.tolist() == [2]
    assert change.gained.tolist() == [3]


def test_events_of_another_region_are_no_partners():
    one, other = events([5], [6], region=[0]), events([5], [6], region=[1])
    change = compute_events_change(one, other)
    assert (change.lost.tolist(), change.gained.tolist()) == ([0], [0])


def test_regions_are_told_by_name_not_by_place():
    one = events([5], [6], region=[0], regions=("CA1", "VISp"))
    other = events([5], [6], region=[1], regions=("VISp", "CA1"))
    assert compute_events_change(one, other).n_same == 1


@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(1, 8)), max_size=30),
    st.lists(st.tuples(st.integers(0, 99), st.integers(1, 8)), max_size=30),
)
def test_every_event_is_counted_once(one, other):
    before, after = (
        events([float(a) for a, _ in pairs], [float(a + d) for a, d in pairs])
        for pairs in (sorted(one), sorted(other))
    )
    change = compute_events_change(before, after)
    pairs = change.n_same + change.n_moved
    assert pairs + len(change.lost) == change.n_before == len(one)
    assert pairs + len(change.gained) == change.n_after == len(other)
    itself = compute_events_change(before, before)
    assert itself.n_same + itself.n_moved == len(one)


def test_events_of_two_kinds_are_refused():
    with pytest.raises(BadParameters, match="spindles can't be compared with ripples"):
        compute_events_change(events([], []), events([], [], kind="ripple"))
