"""Theta-gamma coupling in REM and active wakefulness, region by region, for one local day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wakeful.model.arrays import Lfp, iterate_epochs
from wakeful.model.epochs import Hypnogram, MuscleTone, State
from wakeful.model.errors import BadParameters
from wakeful.model.ictal import IctalIntervals, IctalKind
from wakeful.model.quality import ChannelQuality
from wakeful.model.rhythms import PhaseAmplitude
from wakeful.model.subject import Channel, Session
from wakeful.model.time import Day, Interval, Quarantine
from wakeful.step import Step, parameter

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PHASES_HZ = tuple(float(f) for f in range(4, 13))
_AMPLITUDES_HZ = tuple(float(f) for f in range(35, 156, 10))
_LONGEST_EPOCHS = 15
"""Epochs in a row that are worked on at once."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """One local day of a session."""

    day: Day
    session: Session
    lfp: Lfp
    hypnogram: Hypnogram
    muscle: MuscleTone | None = None
    """Tells active from quiet wakefulness."""
    channel_quality: ChannelQuality | None = None
    quarantined: tuple[Quarantine, ...] | None = None
    ictal: IctalIntervals | None = None
    """Seizures and what follows them; left out."""


@dataclass(frozen=True, kw_only=True)
class Params:
    """Bands, surrogates, and how much is enough."""

    phase_width_hz: float = parameter(2.0, unit="Hz", source="Tort et al. 2010")
    amplitude_width_hz: float = parameter(
        25.0,
        unit="Hz",
        source="twice the highest phase: a narrower band cuts the side bands off "
        "(Aru et al. 2015, Curr. Opin. Neurobiol. 31: 51)",
    )
    n_surrogates: int = parameter(
        100, unit="", source="the 95th percentile of their largest is then of five"
    )
    most_min: float = parameter(
        10.0, unit="", source="minutes of a state that are used, spread over the day"
    )
    least_s: float = parameter(
        60.0, unit="s", source="some 400 cycles of theta (Tort et al. 2010: the index needs many)"
    )
    active_quantile: float = parameter(
        0.5, unit="", source="active: awake with more muscle tone than this part of waking epochs"
    )
    use_masks: bool = parameter(True, unit="", source="a broken channel has rhythms of its own")

    def __post_init__(self) -> None:
        checks = (
            ("phase_width_hz", self.phase_width_hz, "0.5 to 4", 0.5 <= self.phase_width_hz <= 4),
            (
                "amplitude_width_hz",
                self.amplitude_width_hz,
                "8 to 60",
                8 <= self.amplitude_width_hz <= 60,
            ),
            ("n_surrogates", self.n_surrogates, "20 to 10,000", 20 <= self.n_surrogates <= 10_000),
            ("most_min", self.most_min, "1 to 1,000", 1 <= self.most_min <= 1000),
            ("least_s", self.least_s, "10 or more", self.least_s >= 10),
            ("active_quantile", self.active_quantile, "0 to 0.99", 0 <= self.active_quantile < 1),
        )
        problems = [
            f"{name} = {value:g} is not {wanted}"
            for name, value, wanted, holds in checks
            if not holds
        ]
        if problems:
            raise BadParameters(
                "; ".join(problems), where="parameters of theta_gamma", remedy="correct the values"
            )


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The coupling of the day."""

    theta_gamma: PhaseAmplitude


def compute(inputs: Inputs, params: Params) -> Outputs:
    """Modulation index of every phase and amplitude, with surrogates, per region and state.

    Of each region the channel is used that is good in most epochs of the state, the first of
    several; epochs in which it is bad, and those that are quarantined or ictal, are left out. What
    the rate or the filters can't show is NaN.
    """
    from wakeful.signal.bands import USABLE
    from wakeful.signal.phase_amplitude import N_BINS, compute_coupling

    lfp, hypnogram = inputs.lfp, inputs.hypnogram.cut(inputs.day.interval)
    amplitude_hz = np.array(_AMPLITUDES_HZ)
    highest_hz = USABLE * lfp.rate_hz / 2 - params.amplitude_width_hz / 2
    usable_hz = amplitude_hz[amplitude_hz <= highest_hz]
    phase_hz = np.array(_PHASES_HZ)
    states, chosen, notes = _states(inputs, params, hypnogram)
    regions: dict[str, list[int]] = {}
    for row, channel in enumerate(lfp.channels):
        if channel.kind.is_brain:
            regions.setdefault(channel.region, []).append(row)
    shape = (len(states), len(regions), len(phase_hz), len(amplitude_hz))
    index, z, length, phase = (np.full(shape, np.nan) for _ in range(4))
    profile = np.full((*shape, N_BINS), np.nan)
    chance, used_s = np.full(shape[:2], np.nan), np.zeros(shape[:2])
    channels: list[list[str]] = [[] for _ in regions]
    for i, epochs in enumerate(chosen):
        for j, rows in enumerate(regions.values()):
            row, good = _best_channel(inputs, params, rows, hypnogram, epochs)
            channels[j].append(lfp.channels[row].name)
            found = (
                compute_coupling(
                    _stretches(lfp, row, hypnogram, good, params.most_min),
                    lfp.rate_hz,
                    phase_hz,
                    params.phase_width_hz,
                    usable_hz,
                    params.amplitude_width_hz,
                    n_surrogates=params.n_surrogates,
                    least_s=params.least_s,
                    seed=0,
                )
                if len(usable_hz)
                else None
            )
            if found is None:
                continue
            n = len(usable_hz)
            index[i, j, :, :n], z[i, j, :, :n] = found.modulation_index, found.z
            length[i, j, :, :n], phase[i, j, :, :n] = found.vector_length, found.vector_phase_rad
            profile[i, j, :, :n] = found.profile
            chance[i, j], used_s[i, j] = found.chance, found.duration_s
    if len(usable_hz) < len(amplitude_hz):
        notes.append(f"amplitudes above {highest_hz:g} Hz can't be seen at this rate")
    return Outputs(
        theta_gamma=PhaseAmplitude(
            date="" if inputs.session.start_utc is None else inputs.day.date.isoformat(),
            states=states,
            regions=tuple(regions),
            channels=tuple(tuple(names) for names in channels),
            phase_hz=phase_hz,
            amplitude_hz=amplitude_hz,
            modulation_index=index,
            z=z,
            chance=chance,
            vector_length=length,
            vector_phase_rad=phase,
            profile=profile,
            used_s=used_s,
            least_s=params.least_s,
            notes=tuple(notes),
        )
    )


def _states(
    inputs: Inputs, params: Params, hypnogram: Hypnogram
) -> tuple[tuple[str, ...], list[NDArray[np.bool_]], list[str]]:
    """Names of the states, and (n_epochs,) which epochs are in each."""
    from wakeful.figures.clock import touches
    from wakeful.sleep.ictal import overlay_ictal

    apart = tuple(stretch.interval for stretch in inputs.quarantined or ())
    kept = ~touches(hypnogram.start_s, hypnogram.epoch_s, apart)
    kept &= overlay_ictal(hypnogram, inputs.ictal) == IctalKind.NONE
    awake = kept & (hypnogram.state == State.AWAKE)
    tone = np.full(hypnogram.n_rows, np.nan)
    if inputs.muscle is not None:
        muscle = inputs.muscle.cut(inputs.day.interval)
        values = muscle.emg_uv if np.isfinite(muscle.emg_uv).any() else muscle.lfp_emg
        _, mine, theirs = np.intersect1d(
            np.rint(hypnogram.start_s / hypnogram.epoch_s).astype(np.int64),
            np.rint(muscle.start_s / hypnogram.epoch_s).astype(np.int64),
            return_indices=True,
        )
        tone[mine] = values[theirs]
    known = awake & np.isfinite(tone)
    notes: list[str] = []
    name = "awake"
    if known.any():
        awake = known & (tone > np.quantile(tone[known], params.active_quantile))
        name = "active wake"
    elif awake.any():
        notes.append("nothing tells active from quiet wakefulness: all of it is used")
    return (name, "REM"), [awake, kept & (hypnogram.state == State.REM)], notes


def _best_channel(
    inputs: Inputs,
    params: Params,
    rows: list[int],
    hypnogram: Hypnogram,
    epochs: NDArray[np.bool_],
) -> tuple[int, NDArray[np.bool_]]:
    """The first of the channels that are good in most of the epochs, and those epochs."""
    good = np.tile(epochs[:, None], (1, len(rows)))
    if params.use_masks and inputs.channel_quality is not None:
        names = [inputs.lfp.channels[row].name for row in rows]
        good &= ~inputs.channel_quality.is_bad(names, hypnogram.start_s, hypnogram.epoch_s)
    best = int(good.sum(axis=0).argmax())
    return rows[best], good[:, best]


def _stretches(
    lfp: Lfp, row: int, hypnogram: Hypnogram, wanted: NDArray[np.bool_], most_min: float
) -> list[NDArray[np.float32]]:
    """Runs of epochs within spans; where there is too much, runs spread evenly over the day."""
    if not hypnogram.n_rows:
        return []
    epoch_s = hypnogram.epoch_s
    first_s = float(hypnogram.start_s[0])
    whole = Interval(first_s, float(hypnogram.start_s[-1]) + epoch_s / 2)
    places = {round(t / epoch_s): i for i, t in enumerate(hypnogram.start_s.tolist())}
    runs: list[tuple[int, int]] = []
    for _, start_s, span, first in iterate_epochs(lfp.spans, whole, epoch_s):
        at = places.get(round(start_s / epoch_s))
        if span is None or at is None or not wanted[at]:
            continue
        stop = first + round(epoch_s * span.rate_hz)
        limit = _LONGEST_EPOCHS * epoch_s * span.rate_hz
        # Within one span, epochs follow each other to within a sample of rounding.
        if (
            runs
            and 0 <= first - runs[-1][1] + 1 <= 2
            and stop - runs[-1][0] <= limit
            and runs[-1][0] >= span.first_sample
        ):
            runs[-1] = (runs[-1][0], stop)
        else:
            runs.append((first, stop))
    least = 2 * epoch_s * lfp.rate_hz - 1
    runs = [run for run in runs if run[1] - run[0] >= least]
    most = most_min * 60 * lfp.rate_hz
    kept, n_kept = runs, len(runs)
    while n_kept > 1 and sum(b - a for a, b in kept) > most:
        n_kept -= 1
        kept = [runs[i] for i in np.linspace(0, len(runs) - 1, n_kept).round().astype(int)]
    return [lfp.read_uv(a, b - a, [row])[0] for a, b in kept]


def draw(inputs: Inputs, params: Params, outputs: Outputs) -> Mapping[str, Figure]:  # noqa: ARG001
    """Comodulograms of every region and state."""
    from wakeful.figures import draw_phase_amplitude

    return {"theta_gamma": draw_phase_amplitude(inputs.session, outputs.theta_gamma)}


def unavailable(channels: tuple[Channel, ...]) -> str:
    """A channel in the brain is needed."""
    return "" if any(c.kind.is_brain for c in channels) else "there is no channel in the brain"


STEP = Step(
    title="Theta-gamma coupling",
    summary=(
        "Modulation index of 35-155 Hz amplitudes by 4-12 Hz phases in REM and active wakefulness, "
        "with surrogates by time shift, and the mean vector; per region for one local day."
    ),
    inputs=Inputs,
    params=Params,
    outputs=Outputs,
    compute=compute,
    draw=draw,
    unavailable=unavailable,
    version=1,
    draw_version=2,
    masks="takes",
    masks_reason="a region is stood for by the channel that is good most of the time",
    per="day",
    sources=(
        "Tort et al. 2010, J. Neurophysiol. 104: 1195 (modulation index)",
        "Canolty et al. 2006, Science 313: 1626 (mean vector, surrogates by time shift)",
        "Aru et al. 2015, Curr. Opin. Neurobiol. 31: 51 (bandwidths, pitfalls)",
    ),
    captions={
        "theta_gamma": (
            "Comodulograms: how much the amplitude at each frequency hangs on the phase at each "
            "slower one. White lines enclose what exceeds chance at 5 %, all pairs taken together."
        )
    },
)
