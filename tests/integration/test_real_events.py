"""Events and coupling of a real mouse: half an hour of EEG and EMG, not scored by hand."""

from __future__ import annotations

import numpy as np
import pytest

import wakeful
from wakeful.model.subject import Session, Subject
from wakeful.steps import event_candidates, ripples, slow_waves, spindles, theta_gamma

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def mouse(real_data):
    recording = wakeful.read_recording(real_data / "sleep" / "lishen_openephys_raw")
    lfp, lfp_emg = wakeful.compute_lfp(recording.open(recording.description.streams[0].name))
    muscle = wakeful.compute_muscle_tone(lfp, lfp_emg)
    power = wakeful.compute_band_power(wakeful.compute_spectrogram(lfp))
    session = Session(
        name="lishen",
        subject=Subject(identifier="lishen"),
        start_utc=None,
        duration_s=lfp.spans[-1].stop_s,
    )
    return lfp, muscle, wakeful.score_sleep(power, muscle), session


def test_slow_waves_and_spindles_are_what_mice_have_and_ripples_are_not_claimed(mouse):
    lfp, _, hypnogram, session = mouse
    found = event_candidates.compute(
        event_candidates.Inputs(lfp=lfp, block=session.interval, session=session),
        event_candidates.Params(),
    )

    def decide(module):
        inputs = module.Inputs(
            event_candidates=found.event_candidates,
            event_baseline=found.event_baseline,
            hypnogram=hypnogram,
            lfp=lfp,
            session=session,
        )
        return getattr(module.compute(inputs, module.Params()), module.STEP.name)

    waves, bursts, none = decide(slow_waves), decide(spindles), decide(ripples)
    assert 10 < waves.per_min[0, 0] < 40
    assert 1 < bursts.per_min[0, 0] < 8
    assert 11 < np.median(bursts.frequency_hz) < 13
    middle = len(waves.waveform_s) // 2
    assert abs(int(waves.waveform_uv[0].argmin()) - middle) < 20
    # One EEG of no known region: what looks like ripples there is muscle.
    assert none.n_rows == 0
    assert any("no region is known" in note for note in none.notes)


def test_gamma_hangs_on_theta_in_active_wakefulness(mouse):
    lfp, muscle, hypnogram, session = mouse
    inputs = theta_gamma.Inputs(
        day=session.days()[0], session=session, lfp=lfp, hypnogram=hypnogram, muscle=muscle
    )
    found = theta_gamma.compute(inputs, theta_gamma.Params(n_surrogates=40)).theta_gamma
    assert found.states[0] == "active wake"
    index = found.modulation_index[0, 0]
    phase, amplitude = np.unravel_index(index.argmax(), index.shape)
    assert 6 <= found.phase_hz[phase] <= 9
    assert 45 <= found.amplitude_hz[amplitude] <= 75
    assert index.max() > 2 * found.chance[0, 0]
