"""Tables with one row per epoch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wakeful.model.epochs import BandPower, Hypnogram, State
from wakeful.model.time import Interval


def power(start: int, n: int, regions: tuple[str, ...] = ("CA1",)) -> BandPower:
    return BandPower(
        start_s=np.arange(start, start + n) * 4.0,
        power_uv2=np.full((n, len(regions), 2), start, np.float32),
        regions=regions,
        bands=("delta", "theta"),
        edges_hz=((1.0, 4.0), (6.0, 9.0)),
        epoch_s=4.0,
    )


def test_join_and_cut_keep_rows_in_order():
    joined = BandPower.join([power(0, 3), power(3, 2)])
    assert joined.start_s.tolist() == [0, 4, 8, 12, 16]
    assert joined.power_uv2.shape == (5, 1, 2)
    assert joined.cut(Interval(4, 12)).start_s.tolist() == [4, 8]


def test_join_refuses_parts_that_differ():
    with pytest.raises(ValueError, match="regions differs"):
        BandPower.join([power(0, 3), power(3, 2, ("CA3",))])


def hypnogram(states: list[int], start_s: list[float] | None = None) -> Hypnogram:
    values = np.array(states, np.int8)
    return Hypnogram(
        start_s=np.array(start_s or np.arange(len(states)) * 4.0),
        raw_state=values,
        state=values,
        confidence=np.ones(len(states), np.float32),
        epoch_s=4.0,
        scorer="hand",
    )


def test_what_a_scorer_did_not_say_is_not_made_up():
    by_hand = hypnogram([0, 0, 1, 2])
    assert np.isnan(by_hand.probability).all()
    assert by_hand.probability.shape == (4, 3)
    assert by_hand.doubt.tolist() == [0] * 4
    assert by_hand.provisional.tolist() == [State.NO_DATA] * 4
    assert np.isnan(by_hand.provisional_gap)
    assert by_hand.cut(Interval(4, 12)).probability.shape == (2, 3)
    assert hypnogram([]).probability.shape == (0, 3)
    with pytest.raises(ValueError, match="doubt has 2 rows, there are 4 epochs"):
        replace(by_hand, doubt=np.zeros(2, np.int8))


def test_the_gap_is_of_epochs_classified_both_times():
    found = replace(
        hypnogram([0, 0, 1, 2, -1, 3]), provisional=np.array([0, 2, 2, 1, -1, 3], np.int8)
    )
    assert found.provisional_gap == pytest.approx(1 / 3)


def test_bouts_are_runs_of_one_state():
    bouts = hypnogram([0, 0, 2, 2, 2, 3]).bouts()
    assert bouts == [
        (State.AWAKE, Interval(0, 8)),
        (State.NREM, Interval(8, 20)),
        (State.REM, Interval(20, 24)),
    ]


def test_a_hole_in_time_ends_a_bout():
    assert len(hypnogram([2, 2, 2, 2], [0, 4, 12, 16]).bouts()) == 2
    assert hypnogram([]).bouts() == []


def test_minutes_count_every_epoch_once():
    minutes = hypnogram([0] * 15 + [-1] * 30 + [3] * 15).minutes()
    assert minutes[State.AWAKE] == 1
    assert minutes[State.NO_DATA] == 2
    assert sum(minutes.values()) == 4
    assert State.NO_DATA.label == "no data"
