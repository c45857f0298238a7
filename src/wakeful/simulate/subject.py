"""A simulated mouse in memory, at a low rate, without files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.subject import Channel, ChannelKind
from wakeful.model.time import Span
from wakeful.simulate.course import plan_course
from wakeful.simulate.lfp import Signal
from wakeful.simulate.plan import RecordingPlan
from wakeful.simulate.timing import recorded_stretches
from wakeful.simulate.truth import Truth

Progress = Callable[[float], None]
"""Told the part of the work that is done, 0 to 1."""

_PIECE_S = 60


@dataclass(frozen=True, eq=False, kw_only=True)
class SimulatedSubject:
    """Samples and the truth about them."""

    samples_uv: NDArray[np.float32]
    """(n_channels, n_samples), gaps left out; see `spans`."""
    rate_hz: float
    channels: tuple[Channel, ...]
    spans: tuple[Span, ...]
    truth: Truth

    @property
    def lfp(self) -> Lfp:
        """As the steps take it."""
        return Lfp(MemorySource(self.samples_uv, self.channels, self.spans), self.rate_hz)


def make_channels(plan: RecordingPlan) -> tuple[Channel, ...]:
    """The plan's channels: CSC1, CSC2, ... in the brain, then EMG1, ..."""
    subject = plan.subject
    regions = [region.name for region in subject.regions for _ in range(region.n_channels)]
    lfp = [
        Channel(
            name=f"CSC{i + 1}",
            region=region,
            kind=ChannelKind.LFP,
            reference="cerebellum screw",
            highpass_hz=0.1,
            lowpass_hz=8000.0,
            subject=subject.identifier,
        )
        for i, region in enumerate(regions)
    ]
    emg = [
        Channel(
            name=f"EMG{i + 1}",
            region="neck",
            kind=ChannelKind.EMG,
            reference="neck",
            highpass_hz=0.1,
            lowpass_hz=8000.0,
            subject=subject.identifier,
        )
        for i in range(subject.n_emg)
    ]
    return tuple(lfp + emg)


def simulate_subject(
    plan: RecordingPlan, rate_hz: int = 1000, progress: Progress | None = None
) -> SimulatedSubject:
    """Simulate a recording straight at a low rate.

    The same animal, states and waves as `write_neuralynx` gives for the plan, but for the white
    noise of the sensors, whose density is the same. What lies above half the rate is left out.

    Parameters
    ----------
    plan : `rate_hz`, jitter and the staggered start concern files only and are not used here
    rate_hz : a multiple of 10, 200 or more
    progress : told the part done

    Raises
    ------
    BadParameters
        The rate can't be simulated, or the plan's pace does not fit its duration.
    """
    signal = Signal(plan, rate_hz)
    stretches = recorded_stretches(plan, rate_hz)
    n_samples = sum(stretch.span.n_samples for stretch in stretches)
    samples = np.empty((signal.n_channels, n_samples), np.float32)
    for stretch in stretches:
        span, n_piece = stretch.span, _PIECE_S * rate_hz
        for offset in range(0, span.n_samples, n_piece):
            n = min(n_piece, span.n_samples - offset)
            start = span.first_sample + offset
            samples[:, start : start + n] = signal.read_uv(stretch.first_tape_sample + offset, n)
            if progress is not None:
                progress((start + n) / n_samples)
    channels = make_channels(plan)
    return SimulatedSubject(
        samples_uv=samples,
        rate_hz=float(rate_hz),
        channels=channels,
        spans=tuple(stretch.span for stretch in stretches),
        truth=Truth(plan=plan, course=plan_course(plan), channels=channels),
    )
