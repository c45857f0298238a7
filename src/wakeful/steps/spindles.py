"""Sleep spindles: waxing and waning bursts of 10-15 Hz in NREM."""

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
        source="robust standard deviations of the envelope above its median in the session's NREM; "
        "on simulated mice (benchmarks/sleep_events.py)",
    )
    least_s: float = parameter(
        0.35, unit="s", source="between the points of 35 % of the peak: spindles of half a second"
    )
    longest_s: float = parameter(3.0, unit="s", source="Warby et al. 2014, Nat. Methods 11: 385")
    least_share: float = parameter(
        0.3,
        unit="",
        source="of the power of 5-30 Hz; spike-wave discharges have theirs at 5-9 Hz and multiples",
    )

    def __post_init__(self) -> None:
        problems = [
            f"{name} = {value:g} is not {wanted}"
            for name, value, wanted, holds in (
                ("threshold_sd", self.threshold_sd, "1.5 to 100", 1.5 <= self.threshold_sd <= 100),
                ("least_s", self.least_s, "above 0", self.least_s > 0),
                ("longest_s", self.longest_s, "above least_s", self.longest_s > self.least_s),
                ("least_share", self.least_share, "0 to 1", 0 <= self.least_share <= 1),
            )
            if not holds
        ]
        if problems:
            raise BadParameters(
                "; ".join(problems), where="parameters of spindles", remedy="correct the values"
            )


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The events of the session."""

    spindles: SleepEvents


def compute(inputs: Inputs, params: Params) -> Outputs:
    """Bursts of NREM that stand out of the session's own NREM, with their power in the band.

    What shares its power with other frequencies of 5-30 Hz is none: spike-wave discharges are
    larger than spindles, and their harmonic lies in the band.
    """
    from wakeful.sleep.event_decisions import EventRules, decide_events

    return Outputs(
        spindles=decide_events(
            inputs.event_candidates,
            inputs.event_baseline,
            inputs.hypnogram,
            inputs.lfp,
            tuple(stretch.interval for stretch in inputs.quarantined or ()),
            inputs.ictal,
            EventRules(
                kind=EventKind.SPINDLE,
                states=(State.NREM,),
                threshold_sd=params.threshold_sd,
                duration_s=(params.least_s, params.longest_s),
                least_share=params.least_share,
            ),
        )
    )


def draw(inputs: Inputs, params: Params, outputs: Outputs) -> Mapping[str, Figure]:  # noqa: ARG001
    """How often they come, what they look like, how large they are."""
    from wakeful.figures import draw_sleep_events

    return {"spindles": draw_sleep_events(inputs.session, outputs.spindles, inputs.hypnogram)}


STEP = Step(
    title="Sleep spindles",
    summary="Bursts of 10-15 Hz (rats: 9-16 Hz) in NREM by their envelope and their share of the "
    "power: amplitude, frequency, length, and how many a minute of NREM.",
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
        "Ferrarelli et al. 2007, Am. J. Psychiatry 164: 483 (envelope)",
        "Warby et al. 2014, Nat. Methods 11: 385",
        "Vallat and Walker 2021, eLife 10: e70092 (share of the power)",
    ),
    captions={
        "spindles": (
            "Spindles a minute of NREM over time under the hypnogram, their mean wave (laid on "
            "the trough next to the peak), and the distributions of amplitude and frequency."
        )
    },
)
