"""Animals of different laboratories: other regions, gains, noise, drift, and channels that fail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.errors import BadParameters
from wakeful.simulate.faults import FaultType, PlantedFault
from wakeful.simulate.plan import RecordingPlan, RegionPlan, RegionProfile, SubjectPlan
from wakeful.simulate.subject import SimulatedSubject, simulate_subject

_SITES = (
    ("CA1", RegionProfile.HIPPOCAMPUS),
    ("CA3", RegionProfile.HIPPOCAMPUS),
    ("DG", RegionProfile.HIPPOCAMPUS),
    ("PFC", RegionProfile.CORTEX),
    ("M1", RegionProfile.CORTEX),
    ("S1", RegionProfile.CORTEX),
    ("RSC", RegionProfile.CORTEX),
    ("VPM", RegionProfile.THALAMUS),
    ("MD", RegionProfile.THALAMUS),
)


@dataclass(frozen=True, kw_only=True)
class CohortPlan:
    """How much the rigs of a cohort differ."""

    n_animals: int = 20
    seed: int = 0
    hours: float = 6.0
    """Of each animal; the clock time at which they begin differs."""
    gain_db: float = 10.0
    """Gains of the brain's and of the muscle's channels lie within this, each way."""
    noise_decades: float = 0.75
    """Sensor noise lies within so many powers of ten of the usual, each way."""
    drift_db_per_h: float = 0.5
    """Each channel's gain drifts by up to this, each way."""
    missing_share: float = 0.1
    """Probability that a channel is missing: half of those all of the time, half from some time."""
    n_emg: int = 1

    def __post_init__(self) -> None:
        problems = []
        if self.n_animals < 1 or self.seed < 0 or self.n_emg < 0:
            problems.append("at least one animal is needed; seed and n_emg must not be negative")
        if not self.hours > 0:
            problems.append(f"{self.hours} hours")
        if min(self.gain_db, self.noise_decades, self.drift_db_per_h) < 0:
            problems.append("gain_db, noise_decades and drift_db_per_h must not be negative")
        if not 0 <= self.missing_share < 1:
            problems.append(f"missing_share is {self.missing_share}; it is 0 or more, and below 1")
        if problems:
            raise BadParameters("; ".join(problems), where="cohort", remedy="correct the plan")


@dataclass(frozen=True, kw_only=True)
class CohortAnimal:
    """One animal and its rig."""

    plan: RecordingPlan
    gain: tuple[float, ...]
    """Of each channel at the first sample, beside the spread that the plan has."""
    drift_db_per_h: tuple[float, ...]
    """Of each channel."""


def make_cohort(plan: CohortPlan) -> tuple[CohortAnimal, ...]:
    """Draw the animals; the same plan gives the same, and more animals do not change the first."""
    return tuple(_draw_animal(plan, number) for number in range(plan.n_animals))


def _draw_animal(cohort: CohortPlan, number: int) -> CohortAnimal:
    rng = np.random.default_rng([cohort.seed, 404, number])
    chosen = rng.permutation(len(_SITES))[: rng.integers(2, 5)]
    regions = tuple(
        RegionPlan(name=_SITES[i][0], profile=_SITES[i][1], n_channels=int(rng.integers(1, 4)))
        for i in chosen
    )
    subject = SubjectPlan(
        identifier=f"COHORT{number + 1:03d}",
        seed=10_000 * (cohort.seed + 1) + number,
        regions=regions,
        n_emg=cohort.n_emg,
        noise_uv2_per_hz=0.004 * 10 ** float(rng.uniform(-1, 1) * cohort.noise_decades),
        mains_hz=int(rng.choice([50, 60])),
    )
    n_lfp, n_all = subject.n_lfp, subject.n_lfp + subject.n_emg
    brain_db, muscle_db = rng.uniform(-1, 1, 2) * cohort.gain_db
    gain = 10 ** (np.where(np.arange(n_all) < n_lfp, brain_db, muscle_db) / 20)
    duration_s = cohort.hours * 3600
    faults = []
    missing = rng.uniform(size=n_all) < cohort.missing_share
    since = np.where(rng.uniform(size=n_all) < 0.5, 0.0, rng.uniform(size=n_all) * duration_s)
    # An animal without any brain channel is no recording.
    if missing[:n_lfp].all():
        missing[rng.integers(n_lfp)] = False
    for name, gone, start_s in zip(subject.channel_names, missing, since, strict=True):
        if gone:
            faults.append(
                PlantedFault(channel=name, kind=FaultType.FLAT, start_s=float(round(start_s)))
            )
    plan = RecordingPlan(
        subject=subject,
        duration_s=duration_s,
        start_zeitgeber_h=float(rng.integers(24)),
        faults=tuple(faults),
    )
    drift = rng.uniform(-1, 1, n_all) * cohort.drift_db_per_h
    return CohortAnimal(plan=plan, gain=tuple(gain.tolist()), drift_db_per_h=tuple(drift.tolist()))


def simulate_animal(animal: CohortAnimal, rate_hz: int = 1000) -> SimulatedSubject:
    """Simulate one animal as its rig records it.

    Parameters
    ----------
    rate_hz : a multiple of 10, 200 or more; 2000 for muscle tone read from the LFP
    """
    mouse = simulate_subject(animal.plan, rate_hz)
    gain_db = 20 * np.log10(animal.gain)
    drift = np.asarray(animal.drift_db_per_h)
    samples = mouse.samples_uv
    for span in mouse.spans:
        hours = (span.start_s + np.arange(span.n_samples) / span.rate_hz) / 3600
        here = slice(span.first_sample, span.first_sample + span.n_samples)
        for row in range(len(samples)):
            samples[row, here] *= _ratio(gain_db[row] + drift[row] * hours)
    return mouse


def _ratio(db: NDArray[np.float64]) -> NDArray[np.float32]:
    return (10 ** (db / 20)).astype(np.float32)
