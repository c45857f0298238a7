"""How levels run over a recording: rhythms, muscle tone, spindles, artefacts.

Tables at 1 Hz and 10 Hz, about 0.6 MB an hour; samples are never held.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from wakeful.simulate.hypnogram import SimulatedHypnogram, simulate_hypnogram
from wakeful.simulate.physiology import (
    ONSET_S,
    RHYTHMS,
    TONE_ONSET_S,
    Component,
    Traits,
    draw_traits,
)
from wakeful.simulate.plan import RecordingPlan, SubjectPlan, Substate

KNOTS_PER_S = 10
"""Resolution of the muscle's envelope."""

TICK_WEIGHTS = np.array([0.5 - 1 / np.pi, 0.5 + 1 / np.pi, 0.5 + 1 / np.pi, 0.5 - 1 / np.pi]) / 2
"""Part of a block's power in each of its four seconds under the squared sine window."""


@dataclass(frozen=True, slots=True)
class Spindle:
    """A burst of 10-15 Hz under a Hann envelope."""

    start_s: float
    duration_s: float
    frequency_hz: float
    phase_rad: float
    size: float
    """Times the region's typical amplitude."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """Movement artefact: two slow waves under a Hann envelope, on all channels at once."""

    start_s: float
    duration_s: float
    frequency_hz: tuple[float, float]
    phase_rad: tuple[float, float]
    amplitude_uv: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Course:
    """Everything about a recording but its samples. Times are the animal's (nominal) seconds."""

    traits: Traits
    hypnogram: SimulatedHypnogram
    block_power_uv2: NDArray[np.float64]
    """(n_blocks, n_regions, n_components); block b lies from 2 b - 2 to 2 b + 2 s."""
    envelope_uv: NDArray[np.float64]
    """(n_knots,) amplitude of the muscle signal every 0.1 s, straight lines between."""
    spindles: tuple[Spindle, ...]
    artefacts: tuple[Artefact, ...]

    @property
    def n_hops(self) -> int:
        """How many pieces of 2 s there are."""
        return len(self.block_power_uv2) - 1

    def tick_power_uv2(self) -> NDArray[np.float64]:
        """(n_ticks, n_regions, n_components) expected power of the signal in each second."""
        late, early = 0.5 + 1 / np.pi, 0.5 - 1 / np.pi
        before, after = self.block_power_uv2[:-1], self.block_power_uv2[1:]
        pair = np.stack([late * before + early * after, early * before + late * after], axis=1)
        return np.asarray(pair.reshape(-1, *self.block_power_uv2.shape[1:]))

    def tick_muscle_uv2(self) -> NDArray[np.float64]:
        """(n_ticks,) mean square of the muscle signal in each second."""
        e = self.envelope_uv
        square = (e[:-1] ** 2 + e[:-1] * e[1:] + e[1:] ** 2) / 3
        return np.asarray(square.reshape(-1, KNOTS_PER_S).mean(1))


@lru_cache(maxsize=2)
def plan_course(plan: RecordingPlan) -> Course:
    """Draw everything about a recording that is not a sample."""
    traits = draw_traits(plan.subject)
    hypnogram = simulate_hypnogram(plan)
    n_hops = -(-len(hypnogram.substate) // 2)
    substate = np.resize(hypnogram.substate, 2 * n_hops)
    substate[len(hypnogram.substate) :] = hypnogram.substate[-1]
    return Course(
        traits=traits,
        hypnogram=hypnogram,
        block_power_uv2=_block_power(plan.subject, traits, substate),
        envelope_uv=_envelope(plan.subject, traits, substate),
        spindles=_spindles(plan.subject, traits, substate),
        artefacts=_artefacts(plan.subject, substate),
    )


def _wander(
    rng: np.random.Generator, n_steps: int, time_constant_steps: float
) -> NDArray[np.float64]:
    """(n_steps,) Ornstein-Uhlenbeck process of variance 1."""
    # A generator of its own: a longer recording starts as a shorter one does.
    rng = rng.spawn(1)[0]
    keep = np.exp(-1.0 / time_constant_steps)
    start = rng.standard_normal(1) * keep
    drive = rng.standard_normal(n_steps) * np.sqrt(1 - keep**2)
    return np.asarray(lfilter([1.0], [1.0, -keep], drive, zi=start)[0])


def _follow(
    substate: NDArray[np.int8], targets: NDArray[np.float64], onset_s: dict[Substate, float]
) -> NDArray[np.float64]:
    """Levels that move to their targets exponentially, bout by bout.

    Parameters
    ----------
    targets : (n_substates, n)

    Returns
    -------
    (n_ticks, n)
    """
    edges = np.r_[0, np.flatnonzero(np.diff(substate)) + 1, len(substate)]
    level = targets[substate[0]].copy()
    out = np.empty((len(substate), targets.shape[1]))
    for a, b in itertools.pairwise(edges.tolist()):
        what = Substate(int(substate[a]))
        # The middle of each second stands for it.
        fade = np.exp(-(np.arange(b - a) + 0.5) / onset_s[what])[:, None]
        out[a:b] = targets[what] + (level - targets[what]) * fade
        level = targets[what] + (level - targets[what]) * np.exp(-(b - a) / onset_s[what])
    return out


def _block_power(
    plan: SubjectPlan, traits: Traits, substate: NDArray[np.int8]
) -> NDArray[np.float64]:
    rng = np.random.default_rng([plan.seed, 303])
    n_ticks = len(substate)
    n_regions, n_components, n_substates = traits.power_uv2.shape
    flat = traits.power_uv2.reshape(-1, n_substates)
    power = _follow(substate, flat.T, ONSET_S)

    # Wakefulness is the most varied state, REM and deep NREM the steadiest.
    restless = np.array([1.15, 1.15, 0.85, 0.85, 1.0])[substate]
    # Electrodes and impedances drift over hours; slow waves come and go in quiet wakefulness.
    drift_db = 0.5 * _wander(rng, n_ticks, 3 * 3600.0)
    drowsy_db = np.clip(2.6 * _wander(rng, n_ticks, 20.0), 0.0, 6.0)
    drowsy_db[substate != Substate.QUIET] = 0.0
    n_blocks = n_ticks // 2 + 1
    blocks = np.empty((n_blocks, n_regions, n_components))
    for component in Component:
        rhythm = RHYTHMS[component]
        fast, slow = _wander(rng, n_ticks, 8.0), _wander(rng, n_ticks, 600.0)
        for region in range(n_regions):
            own_fast, own_slow = _wander(rng, n_ticks, 8.0), _wander(rng, n_ticks, 600.0)
            level_db = restless * rhythm.fast_db * _mix(fast, own_fast)
            level_db += rhythm.slow_db * _mix(slow, own_slow) + drift_db
            if component is Component.DELTA:
                level_db += drowsy_db
            level = power[:, region * n_components + component] * 10 ** (level_db / 10)
            padded = np.pad(level, 2, mode="edge")
            blocks[:, region, component] = sum(
                weight * padded[i : i + 2 * n_blocks : 2] for i, weight in enumerate(TICK_WEIGHTS)
            )
    return blocks


def _mix(shared: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of variance 1; regions share 60 % of it."""
    return np.asarray(np.sqrt(0.6) * shared + np.sqrt(0.4) * own)


def _envelope(plan: SubjectPlan, traits: Traits, substate: NDArray[np.int8]) -> NDArray[np.float64]:
    rng = np.random.default_rng([plan.seed, 404])
    n_ticks = len(substate)
    fine = np.repeat(substate, KNOTS_PER_S)
    onset = {what: seconds * KNOTS_PER_S for what, seconds in TONE_ONSET_S.items()}
    tone_db = _follow(fine, 20 * np.log10(traits.tone_uv)[:, None], onset)[:, 0]

    # Slow changes of tone: posture; largest in quiet wakefulness.
    posture = np.repeat(
        np.array([2.0, 1.5, 1.1, 0.9, 1.5])[substate] * _wander(rng, n_ticks, 12.0)
        + 1.7 * _wander(rng, n_ticks, 240.0),
        KNOTS_PER_S,
    )
    # Bursts within a second: phasic when moving, smooth in sleep.
    burst_db = np.array([2.5, 4.0, 0.8, 0.8, 4.0])[fine] * _wander(rng, len(fine), 3.0)
    envelope = 10 ** ((tone_db + posture + burst_db) / 20)

    # Twitches in REM come in clusters; rare startles in NREM.
    nrem_uv = traits.tone_uv[Substate.NREM]
    excited = np.repeat(_wander(rng, n_ticks, 8.0) > 0.8, KNOTS_PER_S)
    chance = np.select(
        [(fine == Substate.REM) & excited, fine == Substate.REM, fine == Substate.NREM],
        [0.022, 0.003, 0.0006],
        0.0,
    )
    comes, size = rng.spawn(2)
    twitch = (comes.random(len(fine)) < chance) * nrem_uv * size.lognormal(0.9, 0.5, len(fine))
    shape = np.array([0.5, 1.0, 0.6, 0.2])
    envelope = envelope + np.convolve(twitch, shape)[: len(fine)]
    return np.append(envelope, envelope[-1])


def _spindles(plan: SubjectPlan, traits: Traits, substate: NDArray[np.int8]) -> tuple[Spindle, ...]:
    rng = np.random.default_rng([plan.seed, 505])
    rate = np.where(substate == Substate.NREM, traits.spindles_per_min / 60, 0.0)
    # Most spindles come in the last half minute of NREM before REM (the intermediate state).
    onsets = np.flatnonzero(np.diff((substate == Substate.REM).astype(np.int8)) == 1) + 1
    for onset in onsets.tolist():
        before = slice(max(0, onset - 30), onset)
        rate[before] = np.where(rate[before] > 0, 2.2 * traits.spindles_per_min / 60, 0.0)
    ticks = np.flatnonzero(rng.spawn(1)[0].random(len(substate)) < rate)
    found: list[Spindle] = []
    free_s = 0.0
    for tick in ticks:
        start_s = float(tick + rng.random())
        duration_s = float(np.clip(0.75 * np.exp(0.25 * rng.standard_normal()), 0.5, 1.5))
        frequency_hz = float(np.clip(traits.spindle_hz + 0.6 * rng.standard_normal(), 10.3, 14.7))
        phase_rad = float(rng.uniform(0, 2 * np.pi))
        size = float(np.clip(np.exp(0.3 * rng.standard_normal()), 0.4, 2.0))
        stop = int(start_s + duration_s)
        if start_s < free_s or stop >= len(substate) or substate[stop] != Substate.NREM:
            continue
        found.append(Spindle(start_s, duration_s, frequency_hz, phase_rad, size))
        free_s = start_s + duration_s + 0.5
    return tuple(found)


def _artefacts(plan: SubjectPlan, substate: NDArray[np.int8]) -> tuple[Artefact, ...]:
    rng = np.random.default_rng([plan.seed, 606])
    moving = np.isin(substate, (Substate.ACTIVE, Substate.BRIEF))
    chance = plan.artefacts_per_active_min / 60
    ticks = np.flatnonzero(moving & (rng.spawn(1)[0].random(len(substate)) < chance))
    return tuple(
        Artefact(
            start_s=float(tick + rng.random()),
            duration_s=float(rng.uniform(0.3, 1.8)),
            frequency_hz=(float(rng.uniform(0.5, 2.0)), float(rng.uniform(2.0, 6.0))),
            phase_rad=(float(rng.uniform(0, 6.28)), float(rng.uniform(0, 6.28))),
            amplitude_uv=float(np.clip(rng.lognormal(5.8, 0.5), 120, 1500)),
        )
        for tick in ticks
    )
