"""Slow waves of NREM: single large waves of 0.5-4 Hz."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wakeful.model.arrays import Lfp
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadParameters
from wakeful.model.ictal import IctalIntervals
from wakeful.model.sleep_events import EventBaseline, EventCandidates, EventKind, SleepEvents
from wakeful.model.subject import Session
from wakeful.model.time import Quarantine
from wakeful.step import Step, parameter

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Candidates, the baseline, and the states of a session."""

    event_candidates: EventCandidates
    event_baseline: EventBaseline
    hypnogram: Hypnogram
    lfp: Lfp
    """For the mean wave."""
    session: Session
    quarantined: tuple[Quarantine, ...] | None = None
    ictal: IctalIntervals | None = None
    """Seizures and what follows them; left out."""


@dataclass(frozen=True, kw_only=True)
class Params:
    """What counts."""

    threshold_sd: float = parameter(
        4.0,
        unit="",
        source="trough to crest, in robust standard deviations of the band in the session's NREM; "
        "one wave in seven of Gaussian noise is as large (exp(-2))",
    )
    least_s: float = parameter(
        0.3, unit="s", source="from falling to falling zero crossing: 3.3 Hz"
    )
    longest_s: float = parameter(2.0, unit="s", source="0.5 Hz")
    least_trough_s: float = parameter(
        0.125, unit="s", source="Massimini et al. 2004: half a wave of 4 Hz"
    )
    longest_trough_s: float = parameter(
        1.0, unit="s", source="Massimini et al. 2004, J. Neurosci. 24: 6862"
    )

    def __post_init__(self) -> None:
        problems = [
            f"{name} = {value:g} is not {wanted}"
            for name, value, wanted, holds in (
                ("threshold_sd", self.threshold_sd, "2.5 to 100", 2.5 <= self.threshold_sd <= 100),
                ("least_s", self.least_s, "above 0", self.least_s > 0),
                ("longest_s", self.longest_s, "above least_s", self.longest_s > self.least_s),
                (
                    "least_trough_s",
                    self.least_trough_s,
                    "0 to longest_trough_s",
                    0 <= self.least_trough_s < self.longest_trough_s,
                ),
            )
            if not holds
        ]
        if problems:
            raise BadParameters(
                "; ".join(problems), where="parameters of slow_waves", remedy="correct the values"
            )


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The events of the session."""

    slow_waves: SleepEvents


def compute(inputs: Inputs, params: Params) -> Outputs:
    """Waves of NREM whose trough and crest lie far apart, against the session's own NREM.

    The trough is what is negative in the signal as recorded. At the surface of the cortex that is
    the down state; deep in it the down state is positive, and the wave begins half a cycle earlier.
    """
    from wakeful.sleep.event_decisions import EventRules, decide_events

    return Outputs(
        slow_waves=decide_events(
            inputs.event_candidates,
            inputs.event_baseline,
            inputs.hypnogram,
            inputs.lfp,
            tuple(stretch.interval for stretch in inputs.quarantined or ()),
            inputs.ictal,
            EventRules(
                kind=EventKind.SLOW_WAVE,
                states=(State.NREM,),
                threshold_sd=params.threshold_sd,
                duration_s=(params.least_s, params.longest_s),
                trough_s=(params.least_trough_s, params.longest_trough_s),
            ),
        )
    )


def draw(inputs: Inputs, params: Params, outputs: Outputs) -> Mapping[str, Figure]:  # noqa: ARG001
    """How often they come, what they look like, how large they are."""
    from wakeful.figures import draw_sleep_events

    return {"slow_waves": draw_sleep_events(inputs.session, outputs.slow_waves, inputs.hypnogram)}


STEP = Step(
    title="Slow waves",
    summary="Large waves of 0.5-4 Hz in NREM by their zero crossings: amplitude, slope, frequency, "
    "and how many a minute of NREM.",
    inputs=Inputs,
    params=Params,
    outputs=Outputs,
    compute=compute,
    draw=draw,
    version=1,
    masks="none",
    masks_reason="bad channels are left out of the candidates",
    per="session",
    sources=(
        "Massimini et al. 2004, J. Neurosci. 24: 6862 (zero crossings)",
        "Riedner et al. 2007, Sleep 30: 1643 (amplitude and slope)",
    ),
    captions={
        "slow_waves": (
            "Slow waves a minute of NREM over time under the hypnogram, their mean wave, and "
            "the distributions of amplitude and frequency."
        )
    },
)
