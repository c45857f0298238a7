from __future__ import annotations

import numpy as np
import pytest

from wakeful.model.epochs import BandPower, Hypnogram, MuscleTone, State
from wakeful.model.errors import BadParameters, Unavailable
from wakeful.model.subject import Session, Subject
from wakeful.step import changed_params
from wakeful.steps.sleep import STEP, Inputs, Params, compute

N_EPOCHS = 1800
SESSION = Session(
    name="s1", subject=Subject(identifier="M1"), start_utc=None, duration_s=N_EPOCHS * 4.0
)
STATE = np.tile(np.repeat([0, 2, 3], [30, 45, 15]), N_EPOCHS // 90).astype(np.int8)


def make_inputs(with_muscle: bool = True) -> Inputs:
    rng = np.random.default_rng(0)
    delta = np.select([STATE == 0, STATE == 2], [5.0, 6.2], 4.6)
    theta = np.select([STATE == 0, STATE == 2], [4.6, 5.0], 5.6)
    tone = np.select([STATE == 0, STATE == 2], [3.6, 2.7], 2.3)
    power = np.exp(np.stack([delta, theta], 1) + rng.normal(0, 0.3, (N_EPOCHS, 2)))
    start_s = np.arange(N_EPOCHS) * 4.0
    muscle = MuscleTone(
        start_s=start_s,
        emg_uv=np.exp(tone + rng.normal(0, 0.2, N_EPOCHS)).astype(np.float32),
        lfp_emg=np.full(N_EPOCHS, np.nan, np.float32),
        emg_channels=("EMG1",),
        emg_band_hz=(30.0, 300.0),
        epoch_s=4.0,
        lfp_emg_unavailable="one channel",
    )
    return Inputs(
        band_power=BandPower(
            start_s=start_s,
            power_uv2=power[:, None, :].astype(np.float32),
            regions=("EEG",),
            bands=("delta", "theta"),
            edges_hz=((1.0, 4.0), (6.0, 9.0)),
            epoch_s=4.0,
        ),
        session=SESSION,
        muscle=muscle if with_muscle else None,
    )


def test_one_eeg_and_an_emg_give_three_states() -> None:
    hypnogram = compute(make_inputs(), Params()).hypnogram
    assert isinstance(hypnogram, Hypnogram)
    assert np.mean(hypnogram.state == STATE) > 0.95
    assert hypnogram.epoch_s == 4.0


def test_muscle_is_optional() -> None:
    optional = {name for name, optional in STEP.input_fields().items() if optional}
    assert optional == {"muscle", "sleep_features", "sleep_model", "ictal"}
    hypnogram = compute(make_inputs(with_muscle=False), Params()).hypnogram
    assert not (hypnogram.state == State.REM).any()
    assert any("no muscle tone" in note for note in hypnogram.notes)


def test_parameters_reach_the_scorer() -> None:
    strict = STEP.make_params({"min_confidence": 0.999})
    assert changed_params(strict) == {"min_confidence": 0.999}
    loose = compute(make_inputs(), Params()).hypnogram
    found = compute(make_inputs(), strict).hypnogram
    assert np.sum(found.state == State.UNCLASSIFIED) > np.sum(loose.state == State.UNCLASSIFIED)


def test_bad_parameters_are_named() -> None:
    with pytest.raises(BadParameters, match="min_confidence"):
        STEP.make_params({"min_confidence": 2.0})


def test_a_model_needs_features_and_says_so() -> None:
    assert STEP.unused_inputs is not None
    assert STEP.unused_inputs(Params()) == {"sleep_features"}
    assert STEP.unused_inputs(Params(model="ours")) == set()
    with pytest.raises(Unavailable, match="needs features"):
        compute(make_inputs(), Params(model="ours"))
