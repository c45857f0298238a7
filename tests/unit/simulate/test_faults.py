"""Planted faults do what they say, where they say, and nothing else."""

from __future__ import annotations

import json

import numpy as np
import pytest

from wakeful.model.errors import BadParameters
from wakeful.simulate import (
    FaultType,
    PlantedFault,
    RecordingPlan,
    Signal,
    SubjectPlan,
    simulate_subject,
)


def plan(*faults: PlantedFault, duration_s: float = 40.0) -> RecordingPlan:
    return RecordingPlan(subject=SubjectPlan(seed=4), duration_s=duration_s, faults=faults)


CLEAN = simulate_subject(plan())


@pytest.mark.parametrize("kind", list(FaultType))
def test_a_fault_spoils_its_channel_in_its_time_alone(kind):
    of = "CSC2" if kind in (FaultType.COPY, FaultType.INVERTED) else ""
    fault = PlantedFault(channel="CSC5", kind=kind, start_s=10.25, stop_s=20.5, of=of)
    spoilt = simulate_subject(plan(fault)).samples_uv
    same = spoilt == CLEAN.samples_uv
    assert same[[0, 1, 2, 3, 5, 6, 7, 8]].all()
    assert same[4, :10_250].all()
    assert same[4, 20_500:].all()
    inside = spoilt[4, 10_250:20_500]
    other = CLEAN.samples_uv[1, 10_250:20_500]
    if kind is FaultType.FLAT:
        assert (inside == 0).all()
    elif kind is FaultType.CLIPPED:
        assert np.abs(inside).max() == 600
        assert np.mean(np.abs(inside) == 600) > 0.01
    elif kind is FaultType.HUM:
        assert np.std(inside - CLEAN.samples_uv[4, 10_250:20_500]) == pytest.approx(480, rel=0.1)
    elif kind is FaultType.LOOSE:
        assert inside.std() == pytest.approx(6, rel=0.05)
        assert abs(np.corrcoef(inside, other)[0, 1]) < 0.05
    else:
        sign = 1 if kind is FaultType.COPY else -1
        apart = np.abs(inside - sign * other)
        assert 0 < apart.max() <= 3000 / 32768 * 1.01


def test_pieces_do_not_change_what_is_planted():
    spoilt = plan(
        PlantedFault(channel="CSC1", kind=FaultType.LOOSE, start_s=3.3),
        PlantedFault(channel="CSC4", kind=FaultType.COPY, of="CSC1", start_s=5.0),
    )
    whole = Signal(spoilt, 1000).read_uv(0, 12_000)
    signal = Signal(spoilt, 1000)
    parts = [signal.read_uv(a, b - a) for a, b in ((0, 777), (777, 5001), (5001, 12_000))]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_bad_faults_are_named_all_at_once():
    with pytest.raises(BadParameters) as caught:
        plan(
            PlantedFault(channel="X", kind=FaultType.FLAT),
            PlantedFault(channel="CSC1", kind=FaultType.COPY),
            PlantedFault(channel="CSC2", kind=FaultType.HUM, start_s=9, stop_s=3),
        )
    text = str(caught.value)
    assert "fault of 'X'" in text
    assert "it is the copy of no other channel" in text
    assert "9 to 3 s is no stretch" in text


def test_the_truth_tells_them():
    mouse = simulate_subject(plan(PlantedFault(channel="CSC1", kind=FaultType.FLAT, start_s=3)))
    told = json.loads(json.dumps(mouse.truth.to_json(), allow_nan=False))
    assert told["plan"]["faults"] == [
        {"channel": "CSC1", "kind": "flat", "start_s": 3, "stop_s": None, "of": ""}
    ]
