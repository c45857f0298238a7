"""Events planted on top of a simulated recording: one by one, each with its own place and size."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Waves = NDArray[np.float64]

_SPIKE_CYCLES = 0.045
"""Width (standard deviation) of the spike of a spike-and-wave, in cycles: 6 ms at 7 Hz."""
_SPIKE_WAVE_GLIDE = 0.06
"""A discharge begins this part faster than its mean frequency and ends as much slower."""
_SPIKE_WAVE_RAMP_S = 0.4
"""In which a discharge rises to its full size, and falls."""
_SHARP_WAVE = 2.0
"""Size of the sharp wave below a ripple, times the ripple's amplitude."""


class EventType(StrEnum):
    """What is planted."""

    SPIKE_WAVE = "spike_wave"
    """A burst of spike-and-wave: a sharp negative spike and a round positive wave per cycle, so
    that its spectrum holds the frequency and many multiples of it."""
    SPINDLE = "spindle"
    """A waxing and waning sine."""
    RIPPLE = "ripple"
    """A short fast sine on a negative sharp wave twice its size."""
    SLOW_WAVE = "slow_wave"
    """One negative and one positive half-wave; its frequency is one over its duration."""


ALLOWED_HZ: dict[EventType, tuple[float, float]] = {
    EventType.SPIKE_WAVE: (2.0, 12.0),
    EventType.SPINDLE: (7.0, 18.0),
    EventType.RIPPLE: (80.0, 250.0),
    EventType.SLOW_WAVE: (0.25, 5.0),
}
"""Frequencies that may be planted."""


@dataclass(frozen=True, kw_only=True)
class PlantedEvent:
    """One event. It is added to what the channels of its regions would show without it."""

    kind: EventType
    start_s: float
    """Nominal seconds from the first sample."""
    duration_s: float
    amplitude_uv: float
    """Largest excursion of the wave in a channel of gain 1 (of a ripple: of its fast part)."""
    frequency_hz: float
    regions: tuple[str, ...] = ()
    """Where it shows; everywhere in the brain where empty."""
    phase_rad: float = 0.0
    """Of the sine of a spindle or a ripple at its start."""

    @property
    def stop_s(self) -> float:
        """Its end."""
        return self.start_s + self.duration_s


def check_events(
    events: Sequence[PlantedEvent], regions: Sequence[str], duration_s: float
) -> list[str]:
    """What is wrong with planted events; empty where nothing is."""
    problems = []
    for number, event in enumerate(events):
        named = f"event {number} ({event.kind} at {event.start_s} s)"
        strange = [region for region in event.regions if region not in regions]
        if strange:
            problems.append(
                f"{named}: there is no region {', '.join(strange)}; they are {', '.join(regions)}"
            )
        if not (0 <= event.start_s < event.stop_s <= duration_s):
            problems.append(
                f"{named}: it ends at {event.stop_s} s; it must lie inside the recording of "
                f"{duration_s} s"
            )
        if not (math.isfinite(event.amplitude_uv) and event.amplitude_uv > 0):
            problems.append(f"{named}: amplitude_uv is {event.amplitude_uv}; it must be positive")
        low, high = ALLOWED_HZ[event.kind]
        if not low <= event.frequency_hz <= high:
            problems.append(
                f"{named}: frequency_hz is {event.frequency_hz}; it is {low:g} to {high:g}"
            )
        if (
            event.kind is EventType.SLOW_WAVE
            and event.duration_s > 0
            and not math.isclose(event.frequency_hz * event.duration_s, 1.0, rel_tol=1e-6)
        ):
            problems.append(
                f"{named}: frequency_hz is {event.frequency_hz}; a slow wave has one cycle, so it "
                f"is one over its duration, {1 / event.duration_s:g}"
            )
    return problems


class EventTape:
    """The planted events of a recording in order of time, ready to be added piece by piece."""

    def __init__(self, events: Sequence[PlantedEvent], region_names: Sequence[str]) -> None:
        self._events = sorted(events, key=lambda event: event.start_s)
        self._start_s = [event.start_s for event in self._events]
        self._longest_s = max((event.duration_s for event in self._events), default=0.0)
        self._regions = [
            np.array([not e.regions or name in e.regions for name in region_names], np.bool_)
            for e in self._events
        ]

    def add(
        self,
        samples_uv: NDArray[np.float32],
        time_s: Waves,
        *,
        region: NDArray[np.int64],
        gain: Waves,
        rate_hz: float,
    ) -> None:
        """Add what touches a piece, in place; each wave is computed from its own start.

        Parameters
        ----------
        samples_uv : (n_lfp, n_samples)
        time_s : (n_samples,) nominal seconds from the first sample of the recording
        region : (n_lfp,) which region each channel is in
        gain : (n_lfp,)
        """
        low = bisect.bisect_left(self._start_s, float(time_s[0]) - self._longest_s)
        for number in range(low, bisect.bisect_right(self._start_s, float(time_s[-1]))):
            event = self._events[number]
            first, last = np.searchsorted(time_s, [event.start_s, event.stop_s])
            if last <= first:
                continue
            wave = event_wave(event, time_s[first:last] - event.start_s, rate_hz)
            rows = np.flatnonzero(self._regions[number][region])
            samples_uv[rows, first:last] += (gain[rows, None] * wave).astype(np.float32)


def event_wave(event: PlantedEvent, since_s: Waves, rate_hz: float) -> Waves:
    """The wave of an event.

    Parameters
    ----------
    since_s : (n,) seconds since its start, from 0 to its duration
    rate_hz : of the samples; a ripple above half of it is left out, not folded

    Returns
    -------
    (n,) microvolts at gain 1
    """
    u = since_s / event.duration_s
    if event.kind is EventType.SPIKE_WAVE:
        shape = _spike_wave(event, since_s)
    elif event.kind is EventType.SPINDLE:
        angle = 2 * np.pi * event.frequency_hz * since_s + event.phase_rad
        shape = np.sin(np.pi * u) ** 2 * np.cos(angle)
    elif event.kind is EventType.RIPPLE:
        hill = np.sin(np.pi * u) ** 2
        shape = -_SHARP_WAVE * hill
        if event.frequency_hz < rate_hz / 2:
            angle = 2 * np.pi * event.frequency_hz * since_s + event.phase_rad
            shape = shape + hill * np.cos(angle)
    else:
        # A sine whose ends are smoothed; its largest value is 4 / (3 sqrt 3).
        shape = -np.sin(2 * np.pi * u) * np.sin(np.pi * u) * (3 * math.sqrt(3) / 4)
    return np.asarray(event.amplitude_uv * shape, np.float64)


def _spike_wave(event: PlantedEvent, since_s: Waves) -> Waves:
    u = since_s / event.duration_s
    cycles = event.frequency_hz * event.duration_s * (u + _SPIKE_WAVE_GLIDE * u * (1 - u))
    from_spike = (cycles + 0.5) % 1.0 - 0.5
    spike = np.exp(-0.5 * (from_spike / _SPIKE_CYCLES) ** 2)
    wave = 0.5 * np.sin(np.pi * from_spike) ** 2
    # Without a mean, so that a discharge moves no slow wave.
    mean = _SPIKE_CYCLES * math.sqrt(2 * math.pi) - 0.25
    ramp_s = min(_SPIKE_WAVE_RAMP_S, event.duration_s / 2)
    edge = np.clip(np.minimum(since_s, event.duration_s - since_s) / ramp_s, 0, 1)
    return np.asarray(np.sin(0.5 * np.pi * edge) ** 2 * (wave - spike + mean) / (1.0 - mean))
