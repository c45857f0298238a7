"""The label-free scorer on simulated mice that it was not tuned on, through the real steps.

The simulator (version 1) was frozen before the scorer met it; the scorer was tuned on seeds 1000
to 1011, and seeds 2000 to 2019 were evaluated once, when it was finished.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from wakeful.model.arrays import MemorySink
from wakeful.model.epochs import BandPower, Hypnogram, MuscleTone
from wakeful.model.subject import Session, Subject
from wakeful.simulate import RecordingPlan, SubjectPlan, simulate_subject
from wakeful.sleep.agreement import Agreement, compute_agreement
from wakeful.steps import band_power, convert, muscle, sleep, spectrogram

HELD_OUT = range(2000, 2020)
HOURS = 4.0
RATE_HZ = 2000
"""Enough for the LFP-derived EMG (300-600 Hz)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Features:
    """What the steps make of one simulated mouse, and the truth."""

    band_power: BandPower
    muscle: MuscleTone
    session: Session
    truth: np.ndarray


def make_plan(seed: int) -> RecordingPlan:
    """The first hours of the light phase of one animal."""
    return RecordingPlan(subject=SubjectPlan(seed=seed), duration_s=HOURS * 3600)


def compute_features(plan: RecordingPlan) -> Features:
    """Simulate a mouse and run the steps before the scorer, block by block."""
    mouse = simulate_subject(plan, rate_hz=RATE_HZ)
    session = Session(
        name=f"simulated-{plan.subject.seed}",
        subject=Subject(identifier=plan.subject.identifier),
        start_utc=plan.start_utc,
        duration_s=plan.duration_s,
        epoch_s=plan.epoch_s,
    )
    powers, tones = [], []
    for block in session.blocks():
        low = convert.compute(
            convert.Inputs(raw=mouse.lfp.samples, block=block, lfp_sink=MemorySink()),
            convert.Params(),
        )
        spectra = spectrogram.compute(
            spectrogram.Inputs(lfp=low.lfp, block=block, session=session), spectrogram.Params()
        )
        powers.append(
            band_power.compute(
                band_power.Inputs(spectrogram=spectra.spectrogram), band_power.Params()
            ).band_power
        )
        tones.append(
            muscle.compute(
                muscle.Inputs(lfp=low.lfp, lfp_emg=low.lfp_emg, block=block, session=session),
                muscle.Params(),
            ).muscle
        )
    return Features(
        band_power=BandPower.join(powers),
        muscle=MuscleTone.join(tones),
        session=session,
        truth=mouse.truth.state,
    )


def score(features: Features, *, with_emg: bool) -> tuple[Hypnogram, Agreement]:
    """States, and their agreement with the truth; `with_emg` False leaves the LFP-derived EMG."""
    tone = features.muscle
    if not with_emg:
        tone = replace(tone, emg_uv=np.full(tone.n_rows, np.nan, np.float32), emg_channels=())
    inputs = sleep.Inputs(band_power=features.band_power, session=features.session, muscle=tone)
    hypnogram = sleep.compute(inputs, sleep.Params()).hypnogram
    return hypnogram, compute_agreement(features.truth, hypnogram.state)
