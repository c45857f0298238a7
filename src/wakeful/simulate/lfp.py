"""Samples of a simulated recording: any stretch, at any rate, in bounded memory.

The brain signal is synthesised in blocks of 4 s that overlap by half. Every block is a sum of
lines with Gaussian amplitudes whose variances are the power spectrum of that moment; under a sine
window (whose squares add up to one) neighbouring blocks fade into each other, so that the power
spectrum at every instant is known exactly: the lines' powers, each spread by the window's
transform. A block depends on nothing but the seed and its number, and its lines do not depend on
the sampling rate: the same animal at 1 kHz and at 32 kHz gives the same signal, but for the white
noise of the sensors.
"""

from __future__ import annotations

import bisect

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft

from wakeful.model.errors import BadParameters
from wakeful.simulate.course import KNOTS_PER_S, Artefact, Spindle, plan_course
from wakeful.simulate.events import EventTape
from wakeful.simulate.faults import add_faults
from wakeful.simulate.physiology import (
    BLOCK_S,
    FREQUENCY_HZ,
    HOP_S,
    MUSCLE_FREQUENCY_HZ,
    RESOLUTION_HZ,
    RHYTHMS,
)
from wakeful.simulate.plan import RecordingPlan, check_rate

_SHARED_EMG = 0.6
"""Part of an EMG channel's muscle power that all electrodes share."""
_EMG_ARTEFACT = 0.7
_LONGEST_EVENT_S = 2.0

Floats = NDArray[np.float32]


class Signal:
    """The endless tape of one animal: rows are LFP channels in the plan's order, then EMG.

    Parameters
    ----------
    rate_hz : a multiple of 10; what lies above its half is left out, not folded

    Raises
    ------
    BadParameters
        The rate can't be simulated.
    """

    def __init__(self, plan: RecordingPlan, rate_hz: int) -> None:
        problems = check_rate(rate_hz)
        if problems:
            raise BadParameters(problems[0], where="simulation", remedy="choose another rate")
        self.plan = plan
        self.rate_hz = int(rate_hz)
        self._course = plan_course(plan)
        traits = self._course.traits
        subject = plan.subject
        self.n_lfp, self.n_emg = subject.n_lfp, subject.n_emg
        self.n_channels = self.n_lfp + self.n_emg
        self._n_block = round(BLOCK_S * rate_hz)
        self._n_hop = round(HOP_S * rate_hz)
        self._time_s = np.arange(self._n_hop) / rate_hz

        nyquist_hz = 0.499 * rate_hz
        self._n_lines = int(np.searchsorted(FREQUENCY_HZ, nyquist_hz))
        self._n_muscle_lines = int(np.searchsorted(MUSCLE_FREQUENCY_HZ, nyquist_hz))
        self._first_muscle_line = round(MUSCLE_FREQUENCY_HZ[0] / RESOLUTION_HZ)
        share = np.array([[r.global_share, r.region_share] for r in RHYTHMS.values()])
        share = np.column_stack([share, 1 - share.sum(1)])
        lines = traits.spectrum[:, :, : self._n_lines]
        # (n_regions, 3 sources, n_components, n_lines)
        self._share = np.einsum("ks,rkf->rskf", share, lines)
        self._turn = np.exp(1j * traits.phase_rad).astype(np.complex64)
        self._muscle_amplitude = np.sqrt(traits.muscle_spectrum[: self._n_muscle_lines]).astype(
            np.float32
        )

        ramp = np.sin(np.pi * np.arange(self._n_hop) / self._n_block)
        fall = np.cos(np.pi * np.arange(self._n_hop) / self._n_block)
        self._rise, self._fall = ramp.astype(np.float32), fall.astype(np.float32)
        # 2 s hold a whole number of mains cycles: the hum of every piece is the same.
        angle = 2 * np.pi * subject.mains_hz * self._time_s
        wave = np.stack([np.cos(angle), np.sin(angle)])
        self._hum: Floats = (traits.mains_uv @ wave).astype(np.float32)
        self._noise_uv = np.sqrt(traits.noise_uv2_per_hz * rate_hz / 2).astype(np.float32)
        self._between_knots = np.arange(rate_hz // KNOTS_PER_S) * (KNOTS_PER_S / rate_hz)
        self._spindle_start_s = [s.start_s for s in self._course.spindles]
        self._artefact_start_s = [a.start_s for a in self._course.artefacts]
        self._planted = EventTape(plan.events, [region.name for region in subject.regions])
        self._blocks: dict[int, tuple[Floats, Floats]] = {}
        self._hop: tuple[int, Floats] | None = None

    @property
    def n_samples(self) -> int:
        """How many nominal samples the tape holds; a little more than the recording."""
        return self._course.n_hops * self._n_hop

    def read_uv(self, first_sample: int, n_samples: int) -> Floats:
        """Consecutive samples, the same to the last bit however they are cut into pieces.

        Returns
        -------
        (n_channels, n_samples), microvolts

        Raises
        ------
        BadParameters
            Samples outside the recording.
        """
        if first_sample < 0 or n_samples < 0 or first_sample + n_samples > self.n_samples:
            raise BadParameters(
                f"samples {first_sample} to {first_sample + n_samples} of {self.n_samples}",
                where="simulation",
                remedy="ask for samples inside the recording",
            )
        out = np.empty((self.n_channels, n_samples), np.float32)
        position = 0
        while position < n_samples:
            hop, offset = divmod(first_sample + position, self._n_hop)
            n = min(self._n_hop - offset, n_samples - position)
            out[:, position : position + n] = self._make_hop(hop)[:, offset : offset + n]
            position += n
        return out

    def _make_hop(self, hop: int) -> Floats:
        if self._hop is not None and self._hop[0] == hop:
            return self._hop[1]
        before, after = self._make_block(hop), self._make_block(hop + 1)
        self._blocks = {hop + 1: after}
        rng = np.random.Generator(np.random.SFC64([self.plan.subject.seed, 909, hop]))
        out = rng.standard_normal((self.n_channels, self._n_hop), np.float32)
        out *= self._noise_uv[:, None]
        out += self._hum

        n_lfp = self.n_lfp
        brain = before[0][:, self._n_hop :] * self._fall
        brain += after[0][:, : self._n_hop] * self._rise
        out[:n_lfp] += brain

        muscle = before[1][:, self._n_hop :] * self._fall
        muscle += after[1][:, : self._n_hop] * self._rise
        traits = self._course.traits
        n_knots = round(HOP_S * KNOTS_PER_S)
        knots = self._course.envelope_uv[hop * n_knots : (hop + 1) * n_knots + 1]
        envelope = knots[:-1, None] + np.diff(knots)[:, None] * self._between_knots
        muscle *= envelope.ravel().astype(np.float32)
        out[:n_lfp] += traits.muscle_gain[:, None].astype(np.float32) * muscle[0]
        if self.n_emg:
            own = np.float32(np.sqrt(1 - _SHARED_EMG)) * muscle[1:]
            own += np.float32(np.sqrt(_SHARED_EMG)) * muscle[0]
            out[n_lfp:] += traits.gain[n_lfp:, None].astype(np.float32) * own
        self._add_events(hop, out)
        if self.plan.events:
            self._planted.add(
                out[:n_lfp],
                hop * HOP_S + self._time_s,
                region=traits.region,
                gain=traits.gain[:n_lfp],
                rate_hz=self.rate_hz,
            )
        if self.plan.faults:
            subject = self.plan.subject
            add_faults(
                out,
                self.plan.faults,
                subject.channel_names,
                start_s=hop * HOP_S,
                rate_hz=self.rate_hz,
                mains_hz=subject.mains_hz,
                step_uv=self.plan.ad_bit_uv,
                seed=[subject.seed, 1111, hop],
            )
        self._hop = (hop, out)
        return out

    def _make_block(self, block: int) -> tuple[Floats, Floats]:
        """(n_lfp, n_block) brain signal and (1 + n_emg, n_block) muscle signal of unit power."""
        if block in self._blocks:
            return self._blocks[block]
        traits = self._course.traits
        seed = self.plan.subject.seed
        n_regions = len(traits.spindle_uv)
        power = self._course.block_power_uv2[block]
        amplitude = np.sqrt(np.einsum("rk,rskf->srf", power, self._share)).astype(np.float32)

        rng = np.random.Generator(np.random.SFC64([seed, 707, block]))
        # Lines first: a lower rate draws the first part of what a higher rate draws.
        drawn = rng.standard_normal((self._n_lines, 1 + n_regions + self.n_lfp, 2), np.float32)
        source = np.ascontiguousarray(drawn.view(np.complex64)[:, :, 0].T)
        shared = amplitude[0] * source[0] * self._turn[:, None]
        shared += amplitude[1] * source[1 : 1 + n_regions]
        lines = np.zeros((self.n_lfp, self._n_block // 2 + 1), np.complex64)
        inside = lines[:, 1 : 1 + self._n_lines]
        inside += shared[traits.region] + amplitude[2][traits.region] * source[1 + n_regions :]
        inside *= (traits.gain[: self.n_lfp, None] * (self._n_block / 2)).astype(np.float32)
        brain = irfft(lines, self._n_block, axis=1, overwrite_x=True)

        rng = np.random.Generator(np.random.SFC64([seed, 808, block]))
        drawn = rng.standard_normal((self._n_muscle_lines, 1 + self.n_emg, 2), np.float32)
        lines = np.zeros((1 + self.n_emg, self._n_block // 2 + 1), np.complex64)
        first = self._first_muscle_line
        lines[:, first : first + self._n_muscle_lines] = (
            drawn.view(np.complex64)[:, :, 0].T
            * self._muscle_amplitude
            * np.float32(self._n_block / 2)
        )
        muscle = irfft(lines, self._n_block, axis=1, overwrite_x=True)
        self._blocks[block] = (brain, muscle)
        return self._blocks[block]

    def _add_events(self, hop: int, out: Floats) -> None:
        """Spindles and movement artefacts that touch this piece, each computed from its start."""
        start_s, stop_s = hop * HOP_S, (hop + 1) * HOP_S
        traits = self._course.traits
        n_lfp = self.n_lfp
        low = bisect.bisect_left(self._spindle_start_s, start_s - _LONGEST_EVENT_S)
        for spindle in self._course.spindles[low : bisect.bisect(self._spindle_start_s, stop_s)]:
            inside, wave = _spindle_wave(spindle, start_s + self._time_s)
            size_uv = traits.spindle_uv[traits.region] * traits.gain[:n_lfp]
            out[:n_lfp, inside] += (size_uv[:, None] * wave).astype(np.float32)
        low = bisect.bisect_left(self._artefact_start_s, start_s - _LONGEST_EVENT_S)
        for artefact in self._course.artefacts[low : bisect.bisect(self._artefact_start_s, stop_s)]:
            inside, wave = _artefact_wave(artefact, start_s + self._time_s)
            size = np.where(np.arange(self.n_channels) < n_lfp, 1.0, _EMG_ARTEFACT) * traits.gain
            out[:, inside] += (size[:, None] * wave).astype(np.float32)


def _inside(start_s: float, duration_s: float, time_s: NDArray[np.float64]) -> slice:
    first, last = np.searchsorted(time_s, [start_s, start_s + duration_s])
    return slice(int(first), int(last))


def _spindle_wave(
    spindle: Spindle, time_s: NDArray[np.float64]
) -> tuple[slice, NDArray[np.float64]]:
    inside = _inside(spindle.start_s, spindle.duration_s, time_s)
    t = time_s[inside] - spindle.start_s
    envelope = spindle.size * np.sin(np.pi * t / spindle.duration_s) ** 2
    return inside, envelope * np.cos(2 * np.pi * spindle.frequency_hz * t + spindle.phase_rad)


def _artefact_wave(
    artefact: Artefact, time_s: NDArray[np.float64]
) -> tuple[slice, NDArray[np.float64]]:
    inside = _inside(artefact.start_s, artefact.duration_s, time_s)
    t = time_s[inside] - artefact.start_s
    waves = sum(
        weight * np.cos(2 * np.pi * f * t + phase)
        for weight, f, phase in zip(
            (0.7, 0.3), artefact.frequency_hz, artefact.phase_rad, strict=True
        )
    )
    envelope = artefact.amplitude_uv * np.sin(np.pi * t / artefact.duration_s) ** 2
    return inside, np.asarray(envelope * waves)


def mean_spread() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How the sine window spreads the power of one line.

    Returns
    -------
    distance_hz : (n,) from the line
    below : (n,) part of its power that lies below that distance
    """
    distance_hz = np.linspace(-4, 4, 8001)
    x = distance_hz * BLOCK_S
    near_half = np.abs(np.abs(x) - 0.5) < 1e-9
    transform = np.where(
        near_half, np.pi / 4, np.cos(np.pi * x) / np.where(near_half, 1.0, 1 - 4 * x**2)
    )
    below = np.cumsum(transform**2)
    return distance_hz, below / below[-1]
