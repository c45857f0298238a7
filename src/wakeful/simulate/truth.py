"""What was planted: states, powers, spindles, artefacts, gaps; computed, never measured."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import Hypnogram, State
from wakeful.model.subject import Channel
from wakeful.model.time import Interval
from wakeful.simulate.course import Course
from wakeful.simulate.events import PlantedEvent
from wakeful.simulate.hypnogram import mean_over_epochs
from wakeful.simulate.lfp import mean_spread
from wakeful.simulate.physiology import FREQUENCY_HZ, MUSCLE_FREQUENCY_HZ
from wakeful.simulate.plan import SIMULATOR_VERSION, RecordingPlan

Band = tuple[float, float]

DEFAULT_BANDS: dict[str, Band] = {
    "delta": (1.0, 4.0),
    "theta": (6.0, 9.0),
    "sigma": (10.0, 15.0),
    "beta": (15.0, 30.0),
    "low gamma": (30.0, 45.0),
    "high gamma": (65.0, 90.0),
}
"""Bands of truth.json (Hz); any other is given by `Truth.band_power_uv2`."""

LFP_EMG_HZ: Band = (300.0, 600.0)
_SCORED = (State.AWAKE, State.NREM, State.REM)


@dataclass(frozen=True, eq=False, kw_only=True)
class Truth:
    """The answers to a simulated recording. Times are seconds from the session's start."""

    plan: RecordingPlan
    course: Course
    channels: tuple[Channel, ...]
    files: tuple[str, ...] = field(default=())
    """Names of the acquisition files, one per channel; empty where none were written."""

    @property
    def n_epochs(self) -> int:
        """Whole epochs that the recording holds."""
        return int(self.plan.duration_s / self.plan.epoch_s + 1e-9)

    @property
    def start_s(self) -> NDArray[np.float64]:
        """(n_epochs,) start of each epoch."""
        return np.asarray(np.arange(self.n_epochs) * self.plan.epoch_s, np.float64)

    @cached_property
    def _epochs(self) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.float32]]:
        return self.course.hypnogram.epochs(self.n_epochs, self.plan.epoch_s, self.plan.stretch)

    @cached_property
    def in_gap(self) -> NDArray[np.bool_]:
        """(n_epochs,) epochs that touch a gap."""
        return self._touched(self.plan.gaps)

    @property
    def state(self) -> NDArray[np.int8]:
        """(n_epochs,) values of `State`; `NO_DATA` where the epoch touches a gap."""
        return np.where(self.in_gap, np.int8(State.NO_DATA), self._epochs[0]).astype(np.int8)

    @property
    def substate(self) -> NDArray[np.int8]:
        """(n_epochs,) values of `Substate` (quiet, active, ...), gaps or not."""
        return self._epochs[1]

    @property
    def purity(self) -> NDArray[np.float32]:
        """(n_epochs,) part of the epoch that was spent in its state; below 1: mixed."""
        return self._epochs[2]

    @cached_property
    def artefacts(self) -> tuple[tuple[Interval, float], ...]:
        """Movement artefacts and their amplitudes in microvolts."""
        scale = self.plan.stretch
        return tuple(
            (Interval(a.start_s * scale, (a.start_s + a.duration_s) * scale), a.amplitude_uv)
            for a in self.course.artefacts
            if a.start_s * scale < self.plan.duration_s
        )

    @cached_property
    def has_artefact(self) -> NDArray[np.bool_]:
        """(n_epochs,) epochs that a movement artefact touches."""
        return self._touched(tuple(interval for interval, _ in self.artefacts))

    @property
    def is_clean(self) -> NDArray[np.bool_]:
        """(n_epochs,) of one state alone, without artefact or gap."""
        return ~self.in_gap & ~self.has_artefact & (self.purity >= 1)

    @property
    def hypnogram(self) -> Hypnogram:
        """The planted states as a scorer would give them."""
        state = self.state
        confidence = np.where(state == State.NO_DATA, np.nan, self.purity).astype(np.float32)
        return Hypnogram(
            start_s=self.start_s,
            raw_state=state,
            state=state,
            confidence=confidence,
            epoch_s=self.plan.epoch_s,
            scorer=f"planted by simulator {SIMULATOR_VERSION}",
        )

    @property
    def spindles(self) -> tuple[tuple[Interval, float], ...]:
        """Spindles and their frequencies in Hz."""
        scale = self.plan.stretch
        return tuple(
            (
                Interval(s.start_s * scale, (s.start_s + s.duration_s) * scale),
                s.frequency_hz / scale,
            )
            for s in self.course.spindles
            if (s.start_s + s.duration_s) * scale < self.plan.duration_s
        )

    @property
    def events(self) -> tuple[tuple[Interval, PlantedEvent], ...]:
        """Planted events in order of time, each with when it lies in the session's time."""
        scale = self.plan.stretch
        return tuple(
            (Interval(event.start_s * scale, event.stop_s * scale), event)
            for event in sorted(self.plan.events, key=lambda event: event.start_s)
        )

    def band_power_uv2(self, bands: tuple[Band, ...]) -> NDArray[np.float64]:
        """Expected power of each epoch, channel and band: what a perfect estimate would average to.

        The sum of the components' powers at that moment times the square of the channel's gain,
        each times the part of its spectrum that lies in the band (the spread by the synthesis
        window included); spindles; muscle; mains hum; sensor noise. Movement artefacts are left
        out (`has_artefact`), and so are planted events. The clock's drift moves frequencies by less
        than 0.1 % and is left out.

        Returns
        -------
        (n_epochs, n_channels, n_bands), uV^2; NaN where an epoch touches a gap
        """
        traits = self.course.traits
        n_lfp, n_regions = len(traits.region), len(traits.spindle_uv)
        inside = _part_inside(FREQUENCY_HZ, bands)
        part = np.einsum("rkf,fb->rkb", traits.spectrum, inside)
        power = self.course.tick_power_uv2()
        per_epoch = self._mean(power.reshape(len(power), -1)).reshape(self.n_epochs, n_regions, -1)
        region = np.einsum("erk,rkb->erb", per_epoch, part)
        region += self._spindle_power(bands)[:, None, :] * traits.spindle_uv[:, None] ** 2

        muscle_part = traits.muscle_spectrum @ _part_inside(MUSCLE_FREQUENCY_HZ, bands)
        muscle = self.muscle_uv2()[:, None] * muscle_part
        gain2 = traits.gain**2
        out = np.empty((self.n_epochs, len(traits.gain), len(bands)))
        out[:, :n_lfp] = region[:, traits.region] * gain2[:n_lfp, None]
        out[:, :n_lfp] += muscle[:, None, :] * traits.muscle_gain[:, None] ** 2
        out[:, n_lfp:] = muscle[:, None, :] * gain2[n_lfp:, None]
        width_hz = np.array([high - low for low, high in bands])
        hum = np.array([low <= self.plan.subject.mains_hz < high for low, high in bands])
        out += traits.noise_uv2_per_hz[:, None] * width_hz
        out += (traits.mains_uv**2).sum(1)[:, None] / 2 * hum
        out[self.in_gap] = np.nan
        return out

    def muscle_uv2(self) -> NDArray[np.float64]:
        """(n_epochs,) mean square of the muscle signal at an EMG electrode of gain 1, all bands."""
        return self._mean(self.course.tick_muscle_uv2()[:, None])[:, 0]

    def lfp_emg(self) -> NDArray[np.float64]:
        """Expected correlation of 300-600 Hz between channels of different regions.

        Returns
        -------
        (n_epochs,) mean over pairs (all pairs where there is one region only); NaN in gaps and
        where there is but one channel
        """
        traits = self.course.traits
        power = self.muscle_uv2() * float(
            (traits.muscle_spectrum @ _part_inside(MUSCLE_FREQUENCY_HZ, (LFP_EMG_HZ,)))[0]
        )
        n_lfp = len(traits.region)
        pairs = list(itertools.combinations(range(n_lfp), 2))
        apart = [p for p in pairs if traits.region[p[0]] != traits.region[p[1]]] or pairs
        found = np.full(self.n_epochs, np.nan)
        if apart:
            noise = traits.noise_uv2_per_hz[:n_lfp] * (LFP_EMG_HZ[1] - LFP_EMG_HZ[0])
            part = traits.muscle_gain[:, None] ** 2 * power
            clear = np.sqrt(part / (part + noise[:, None]))
            found = np.mean([clear[i] * clear[j] for i, j in apart], axis=0)
        found[self.in_gap] = np.nan
        return found

    def state_band_power_uv2(self, bands: tuple[Band, ...]) -> NDArray[np.float64]:
        """(3 states, n_channels, n_bands) mean over the clean epochs awake, in NREM, in REM."""
        power, clean = self.band_power_uv2(bands), self.is_clean
        means = []
        for state in _SCORED:
            chosen = clean & (self.state == state)
            means.append(
                power[chosen].mean(0) if chosen.any() else np.full(power.shape[1:], np.nan)
            )
        return np.stack(means)

    def _touched(self, intervals: tuple[Interval, ...]) -> NDArray[np.bool_]:
        touched = np.zeros(self.n_epochs, np.bool_)
        for interval in intervals:
            first = int(interval.start_s // self.plan.epoch_s)
            touched[first : int(np.ceil(interval.stop_s / self.plan.epoch_s))] = True
        return touched

    def _mean(self, per_tick: NDArray[np.float64]) -> NDArray[np.float64]:
        return mean_over_epochs(per_tick, self.n_epochs, self.plan.epoch_s, self.plan.stretch)

    def _spindle_power(self, bands: tuple[Band, ...]) -> NDArray[np.float64]:
        """(n_epochs, n_bands) mean square of spindles of 1 uV per epoch and band."""
        out = np.zeros((self.n_epochs, len(bands)))
        epoch_s = self.plan.epoch_s / self.plan.stretch
        for spindle in self.course.spindles:
            first = int(spindle.start_s // epoch_s)
            last = int((spindle.start_s + spindle.duration_s) // epoch_s)
            part = _hann_part(spindle.frequency_hz, spindle.duration_s, bands)
            for epoch in range(first, min(last + 1, self.n_epochs)):
                edges = (epoch_s * np.array([epoch, epoch + 1]) - spindle.start_s) / (
                    spindle.duration_s
                )
                low, high = _hann_energy(np.clip(edges, 0, 1))
                energy = spindle.size**2 / 2 * spindle.duration_s * (high - low)
                out[epoch] += energy / epoch_s * part
        return out

    def to_json(self) -> dict[str, Any]:
        """What truth.json holds; keys say the units."""
        from wakeful.simulate.report import describe_truth

        return describe_truth(self)

    def write(self, path: Path) -> None:
        """Write truth.json."""
        path.write_text(json.dumps(self.to_json(), indent=1, allow_nan=False) + "\n", "utf-8")


def _part_inside(line_hz: NDArray[np.float64], bands: tuple[Band, ...]) -> NDArray[np.float64]:
    """(n_lines, n_bands) part of each line's power that lies in each band."""
    distance_hz, below = mean_spread()
    edges = [
        np.interp(np.array([edge]) - line_hz[:, None], distance_hz, below)[:, 0]
        for band in bands
        for edge in band
    ]
    return np.stack([high - low for low, high in zip(edges[::2], edges[1::2], strict=True)], axis=1)


def _hann_energy(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integral of sin(pi v)^4 from 0 to u."""
    return 3 * u / 8 - np.sin(2 * np.pi * u) / (4 * np.pi) + np.sin(4 * np.pi * u) / (32 * np.pi)


def _hann_part(
    frequency_hz: float, duration_s: float, bands: tuple[Band, ...]
) -> NDArray[np.float64]:
    """(n_bands,) part of a Hann burst's energy that lies in each band."""
    f = np.linspace(-12, 12, 961)
    x = f * duration_s
    power = (np.sinc(x) + 0.5 * np.sinc(x - 1) + 0.5 * np.sinc(x + 1)) ** 2
    below = np.cumsum(power)
    below /= below[-1]
    edges_hz = np.array(bands) - frequency_hz
    at_edge = np.interp(edges_hz, f, below)
    return np.asarray(at_edge[:, 1] - at_edge[:, 0])
