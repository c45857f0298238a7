"""Rhythms of a simulated mouse: which, how strong, in which region and state.

All amplitudes are powers (uV^2) of components with known spectra, so that the planted power of
any band is exact. Contrasts between states in the cortex were set against a real mouse EEG and EMG
(delta 3.8 dB higher in NREM than awake and 5.9 dB higher than in REM; EMG amplitude 9 dB higher
awake and 3.5 dB lower in REM); theta is strongest in the hippocampus in running and REM (Buzsaki
2002, Neuron 33:325), quiet wakefulness has weaker and slower theta, spindles are thalamocortical
(10-15 Hz), and muscle reaches LFP channels by volume conduction (Schomburg et al. 2014, Neuron
84:470; 300-600 Hz).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from wakeful.simulate.plan import RegionProfile, SubjectPlan, Substate

BLOCK_S = 4.0
"""Length of a synthesised block; blocks overlap by half under a sine window."""
HOP_S = 2.0
RESOLUTION_HZ = 1.0 / BLOCK_S
BRAIN_HZ = 250.0
"""Upper edge of what the brain contributes."""
MUSCLE_HZ = (20.0, 1000.0)

FREQUENCY_HZ: NDArray[np.float64] = np.asarray(
    np.arange(1, round(BRAIN_HZ * BLOCK_S) + 1) * RESOLUTION_HZ, np.float64
)
"""(1000,) frequencies of the lines of a block of brain signal."""
MUSCLE_FREQUENCY_HZ: NDArray[np.float64] = np.asarray(
    np.arange(round(MUSCLE_HZ[0] * BLOCK_S), round(MUSCLE_HZ[1] * BLOCK_S)) * RESOLUTION_HZ,
    np.float64,
)


class Component(IntEnum):
    """Parts of the brain signal, each with a spectrum of its own."""

    BACKGROUND = 0
    DELTA = 1
    THETA_REM = 2
    THETA_RUN = 3
    THETA_QUIET = 4
    SIGMA = 5
    GAMMA = 6


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """How a component behaves everywhere."""

    global_share: float
    """Part of its power that all regions share."""
    region_share: float
    """Part that the channels of a region share, the global part left out."""
    fast_db: float
    """Standard deviation of its level over some 8 s."""
    slow_db: float
    """Over some 10 min."""


RHYTHMS: dict[Component, Rhythm] = {
    Component.BACKGROUND: Rhythm(global_share=0.2, region_share=0.5, fast_db=1.3, slow_db=0.7),
    Component.DELTA: Rhythm(global_share=0.45, region_share=0.45, fast_db=2.0, slow_db=1.0),
    Component.THETA_REM: Rhythm(global_share=0.75, region_share=0.22, fast_db=1.5, slow_db=0.7),
    Component.THETA_RUN: Rhythm(global_share=0.75, region_share=0.22, fast_db=1.8, slow_db=0.7),
    Component.THETA_QUIET: Rhythm(global_share=0.6, region_share=0.3, fast_db=3.0, slow_db=0.7),
    Component.SIGMA: Rhythm(global_share=0.3, region_share=0.5, fast_db=2.0, slow_db=0.7),
    Component.GAMMA: Rhythm(global_share=0.05, region_share=0.55, fast_db=1.2, slow_db=0.6),
}

# Rows: components in their order; columns: QUIET, ACTIVE, NREM, REM, BRIEF; uV^2.
_POWER: dict[RegionProfile, tuple[tuple[float, ...], ...]] = {
    RegionProfile.CORTEX: (
        (2100, 1900, 3300, 1450, 2200),
        (1250, 900, 3900, 400, 1700),
        (0, 0, 0, 480, 0),
        (0, 400, 0, 0, 50),
        (200, 50, 300, 60, 160),
        (100, 85, 240, 90, 120),
        (65, 85, 32, 50, 60),
    ),
    RegionProfile.HIPPOCAMPUS: (
        (3600, 3300, 4800, 2600, 3700),
        (1700, 1000, 5600, 600, 2300),
        (0, 0, 0, 3900, 0),
        (0, 4300, 0, 0, 350),
        (1150, 250, 420, 200, 800),
        (140, 120, 300, 110, 150),
        (150, 210, 80, 150, 140),
    ),
    RegionProfile.THALAMUS: (
        (1500, 1400, 2000, 1050, 1550),
        (700, 500, 2300, 280, 950),
        (0, 0, 0, 300, 0),
        (0, 330, 0, 0, 40),
        (190, 40, 120, 40, 130),
        (80, 70, 250, 80, 90),
        (35, 45, 20, 28, 33),
    ),
}

SPINDLE_UV: dict[RegionProfile, float] = {
    RegionProfile.CORTEX: 75.0,
    RegionProfile.HIPPOCAMPUS: 22.0,
    RegionProfile.THALAMUS: 70.0,
}
"""Peak amplitude of a typical spindle."""

ONSET_S: dict[Substate, float] = {
    Substate.QUIET: 1.5,
    Substate.ACTIVE: 1.2,
    Substate.NREM: 7.0,
    Substate.REM: 5.0,
    Substate.BRIEF: 1.2,
}
"""Time constant with which the rhythms move to those of a new state."""

TONE_ONSET_S: dict[Substate, float] = {
    Substate.QUIET: 1.0,
    Substate.ACTIVE: 0.4,
    Substate.NREM: 5.0,
    Substate.REM: 4.0,
    Substate.BRIEF: 0.3,
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Traits:
    """What makes this animal and its electrodes differ from others."""

    spectrum: NDArray[np.float64]
    """(n_regions, n_components, n_lines) power per line of a component of 1 uV^2; sums to 1."""
    power_uv2: NDArray[np.float64]
    """(n_regions, n_components, n_substates) typical power of each component."""
    phase_rad: NDArray[np.float64]
    """(n_regions,) by which the signal shared by all regions is turned."""
    muscle_spectrum: NDArray[np.float64]
    """(n_muscle_lines,) power per line of muscle activity of 1 uV^2; sums to 1."""
    tone_uv: NDArray[np.float64]
    """(n_substates,) root mean square of the muscle signal at an EMG electrode of gain 1."""
    spindle_uv: NDArray[np.float64]
    """(n_regions,)"""
    spindle_hz: float
    spindles_per_min: float
    region: NDArray[np.int64]
    """(n_lfp,) region of each LFP channel."""
    gain: NDArray[np.float64]
    """(n_lfp + n_emg,)"""
    noise_uv2_per_hz: NDArray[np.float64]
    """(n_lfp + n_emg,)"""
    muscle_gain: NDArray[np.float64]
    """(n_lfp,) part of the EMG's muscle signal that reaches each LFP channel."""
    mains_uv: NDArray[np.float64]
    """(n_lfp + n_emg, 2) cosine and sine amplitude of the mains hum."""
    theta_rem_hz: float
    theta_run_hz: float


def draw_traits(plan: SubjectPlan) -> Traits:
    """The animal that a seed stands for."""
    rng = np.random.default_rng([plan.seed, 202])
    unit = plan.variability

    def vary(sd: float, n: int | None = None) -> NDArray[np.float64]:
        return np.asarray(rng.standard_normal(n) * sd * unit)

    theta_rem_hz = 7.2 + float(np.clip(vary(0.3), -0.7, 0.7))
    theta_run_hz = theta_rem_hz + 0.6 + float(np.clip(vary(0.15), -0.4, 0.4))
    theta_quiet_hz = theta_rem_hz - 0.9 + float(np.clip(vary(0.15), -0.4, 0.4))
    animal_db = vary(1.0, len(Component))
    # Theta of one animal is strong or weak in all states alike.
    for component in (Component.THETA_RUN, Component.THETA_QUIET):
        animal_db[component] = animal_db[Component.THETA_REM] + 0.4 * animal_db[component]
    # How much deeper than waking NREM is varies more between animals than most else.
    depth_db = 0.8 + float(vary(0.8))
    slope = 1.9 + float(vary(0.12))

    spectra, powers, spindle_uv = [], [], []
    for region in plan.regions:
        own_slope = slope + float(vary(0.06))
        shapes = [
            _background(own_slope),
            _bump(2.0, 0.95),
            _with_harmonic(theta_rem_hz, 0.5),
            _with_harmonic(theta_run_hz, 0.65),
            _bump(theta_quiet_hz, 1.0),
            _bump(11.5, 2.6),
            _gamma(),
        ]
        spectra.append(np.stack(shapes))
        db = animal_db + vary(0.6, len(Component))
        table = np.array(_POWER[region.profile]) * 10 ** (db[:, None] / 10)
        # Animals differ in how strongly a state shows, not only in amplitude.
        powers.append(table * 10 ** (vary(0.5, table.size).reshape(table.shape) / 10))
        powers[-1][Component.DELTA, Substate.NREM] *= 10 ** (depth_db / 10)
        spindle_uv.append(SPINDLE_UV[region.profile] * float(np.exp(vary(0.15))))

    nrem_uv = 9.0 * float(np.exp(vary(0.25)))
    wake_db, rem_db = float(vary(1.2)), float(np.clip(vary(0.8), -1.5, 1.8))
    tone_db = np.array([7.0 + wake_db, 13.0 + wake_db, 0.0, -5.0 + rem_db, 10.0 + wake_db])
    n_lfp, n_emg = plan.n_lfp, plan.n_emg
    n_all = n_lfp + n_emg
    region_of = np.repeat(np.arange(len(plan.regions)), [r.n_channels for r in plan.regions])
    gain = np.exp(rng.standard_normal(n_all) * plan.gain_spread)
    noise = plan.noise_uv2_per_hz * np.exp(vary(0.2, n_all))
    noise[n_lfp:] *= 3.0
    leak = 0.12 * float(np.exp(np.clip(vary(0.2), -0.5, 0.5)))
    mains_phase = rng.uniform(0, 2 * np.pi) + rng.uniform(-0.4, 0.4, n_all)
    mains_uv = plan.mains_uv * rng.uniform(0.5, 1.5, n_all)
    return Traits(
        spectrum=np.stack(spectra),
        power_uv2=np.stack(powers),
        phase_rad=np.clip(vary(0.3, len(plan.regions)), -0.8, 0.8),
        muscle_spectrum=_muscle(),
        tone_uv=nrem_uv * 10 ** (tone_db / 20),
        spindle_uv=np.array(spindle_uv),
        spindle_hz=12.2 + float(np.clip(vary(0.5), -1.2, 1.2)),
        spindles_per_min=3.5 * float(np.exp(vary(0.2))),
        region=region_of,
        gain=gain,
        noise_uv2_per_hz=noise,
        muscle_gain=leak * np.exp(rng.standard_normal(n_lfp) * 0.12),
        mains_uv=np.stack([mains_uv * np.cos(mains_phase), mains_uv * np.sin(mains_phase)], axis=1),
        theta_rem_hz=theta_rem_hz,
        theta_run_hz=theta_run_hz,
    )


def _unit(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(power / power.sum())


def _background(slope: float) -> NDArray[np.float64]:
    """1/f with a knee at 1.5 Hz, rolled off before `BRAIN_HZ`."""
    f = FREQUENCY_HZ
    roll_off = 1 / (1 + (f / 180.0) ** 12)
    return _unit(roll_off / (1.5**slope + f**slope))


def _bump(centre_hz: float, sd_hz: float) -> NDArray[np.float64]:
    return _unit(np.exp(-0.5 * ((FREQUENCY_HZ - centre_hz) / sd_hz) ** 2))


def _with_harmonic(centre_hz: float, sd_hz: float) -> NDArray[np.float64]:
    """Theta is not a sine: 7 % of its power sits at twice its frequency."""
    return 0.93 * _bump(centre_hz, sd_hz) + 0.07 * _bump(2 * centre_hz, 1.5 * sd_hz)


def _gamma() -> NDArray[np.float64]:
    return _unit(np.exp(-0.5 * (np.log(FREQUENCY_HZ / 55.0) / 0.35) ** 2))


def _muscle() -> NDArray[np.float64]:
    """Broad, from 20 Hz, most between 80 and 300 Hz, falling slowly to 1 kHz."""
    f = MUSCLE_FREQUENCY_HZ
    rise = (f / 60.0) ** 2 / (1 + (f / 60.0) ** 2)
    fall = 1 / (1 + (f / 350.0) ** 2)
    edge = 0.5 * (1 + np.cos(np.pi * np.clip((f - 850) / 150, 0, 1)))
    return _unit(rise * fall * edge)
