"""The step that divides waking, and the bouts that count its kinds."""

from __future__ import annotations

import numpy as np
import pytest

from wakeful.figures import render
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadParameters
from wakeful.model.movement import Movement
from wakeful.model.subject import Session, Subject
from wakeful.steps import sleep_bouts
from wakeful.steps.wake_kinds import STEP, Inputs, Params, compute, draw


def make_inputs() -> Inputs:
    """Ten rounds of 40 quiet and 20 active epochs, 50 of NREM and 40 of REM that twitches."""
    state = np.tile(np.repeat([State.AWAKE, State.NREM, State.REM], [60, 50, 40]), 10)
    level = np.tile(np.repeat([0.5, 6.0, 0.1, 1.0], [40, 20, 50, 40]), 10)
    start_s = np.arange(len(state)) * 4.0
    return Inputs(
        hypnogram=Hypnogram(
            start_s=start_s,
            raw_state=state.astype(np.int8),
            state=state.astype(np.int8),
            confidence=np.ones(len(state), np.float32),
            epoch_s=4.0,
            scorer="s",
        ),
        session=Session(
            name="a", subject=Subject(identifier="M1"), start_utc=None, duration_s=6000.0
        ),
        movement=Movement(
            start_s=start_s, amount=level.astype(np.float32), bin_s=4.0, unit="cm/s", source="t.csv"
        ),
    )


def test_bouts_count_both_kinds_and_they_add_up_to_awake() -> None:
    inputs = make_inputs()
    outputs = compute(inputs, Params())
    kinds = outputs.wake_kinds
    assert kinds.threshold == 1.0
    found = sleep_bouts.compute(
        sleep_bouts.Inputs(hypnogram=inputs.hypnogram, session=inputs.session, wake_kinds=kinds),
        sleep_bouts.Params(),
    )
    statistics = found.bout_statistics
    assert statistics.wake_kinds == ("quiet", "active", "not told")
    assert statistics.wake_method == "movement"
    assert statistics.wake_minutes[0].tolist() == pytest.approx([400 / 15, 200 / 15, 0])
    assert statistics.wake_n_bouts[0].tolist() == [10, 10, 0]
    assert statistics.wake_mean_bout_s[0, :2].tolist() == [160, 80]
    awake = found.state_hours.minutes[:, 0]
    np.testing.assert_allclose(found.state_hours.wake_minutes.sum(axis=1), awake)
    figure = draw(inputs, Params(), outputs)["wake_kinds"]
    assert render(figure, "png", "a" * 64)[:4] == b"\x89PNG"


def test_bad_parameters_are_named() -> None:
    with pytest.raises(BadParameters, match=r"sleep_quantile = 1.5 .* \| bout_s = 0"):
        STEP.make_params({"sleep_quantile": 1.5, "bout_s": 0.0})
