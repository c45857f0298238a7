"""Which samples were recorded, and when: gaps and the drift of the acquisition's clock."""

from __future__ import annotations

import math
from dataclasses import dataclass

from wakeful.model.time import Span
from wakeful.simulate.plan import RecordingPlan

_SLACK = 1e-6


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run of recorded samples."""

    span: Span
    """In the session's time, samples numbered without the gaps."""
    first_tape_sample: int
    """Number of the first sample on the animal's tape, where gaps are not left out."""


def recorded_stretches(plan: RecordingPlan, rate_hz: int) -> tuple[Stretch, ...]:
    """What the acquisition wrote, in order of time.

    A sample is missing where its time lies in a gap. Times follow the acquisition's clock: sample
    n of the tape was taken at n (1 + ppm / 1e6) / rate.
    """
    real_rate_hz = rate_hz / plan.stretch
    edges_s = [0.0, *(t for gap in plan.gaps for t in (gap.start_s, gap.stop_s)), plan.duration_s]
    edges = [math.ceil(t * real_rate_hz - _SLACK) for t in edges_s]
    found, written = [], 0
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop > start:
            span = Span(start / real_rate_hz, stop - start, real_rate_hz, written)
            found.append(Stretch(span, start))
            written += stop - start
    return tuple(found)
