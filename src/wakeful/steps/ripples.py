"""Sharp-wave ripples: short bursts of 100-250 Hz in the hippocampus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wakeful.model.arrays import Lfp
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadParameters
from wakeful.model.ictal import IctalIntervals
from wakeful.model.sleep_events import EventBaseline, EventCandidates, EventKind, SleepEvents
from wakeful.model.subject import Channel, Session
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
        7.0,
        unit="",
        source="robust standard deviations of the envelope above its median in the session's NREM "
        "(ripples do not widen it, as they do a plain one); on simulated mice "
        "(benchmarks/sleep_events.py)",
    )
    least_s: float = parameter(
        0.02, unit="s", source="between the points of 35 % of the peak; three cycles of 150 Hz"
    )
    longest_s: float = parameter(
        0.25, unit="s", source="Fernandez-Ruiz et al. 2019, Science 364: 1082 (long ripples)"
    )
    most_control: float = parameter(
        4.0,
        unit="",
        source="times what is usual outside the hippocampus at that moment: more is muscle",
    )

    def __post_init__(self) -> None:
        problems = [
            f"{name} = {value:g} is not {wanted}"
            for name, value, wanted, holds in (
                ("threshold_sd", self.threshold_sd, "2.5 to 100", 2.5 <= self.threshold_sd <= 100),
                ("least_s", self.least_s, "above 0", self.least_s > 0),
                ("longest_s", self.longest_s, "above least_s", self.longest_s > self.least_s),
                ("most_control", self.most_control, "above 1", self.most_control > 1),
            )
            if not holds
        ]
        if problems:
            raise BadParameters(
                "; ".join(problems), where="parameters of ripples", remedy="correct the values"
            )


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The events of the session."""

    ripples: SleepEvents


def compute(inputs: Inputs, params: Params) -> Outputs:
    """Bursts in NREM and awake that stand out of the session's own NREM, in the hippocampus.

    What shows outside the hippocampus at the same time is muscle or an artefact and left out. In
    REM none are looked for.
    """
    from wakeful.sleep.event_decisions import EventRules, decide_events

    return Outputs(
        ripples=decide_events(
            inputs.event_candidates,
            inputs.event_baseline,
            inputs.hypnogram,
            inputs.lfp,
            tuple(stretch.interval for stretch in inputs.quarantined or ()),
            inputs.ictal,
            EventRules(
                kind=EventKind.RIPPLE,
                states=(State.NREM, State.AWAKE),
                threshold_sd=params.threshold_sd,
                duration_s=(params.least_s, params.longest_s),
                most_control=params.most_control,
            ),
        )
    )


def draw(inputs: Inputs, params: Params, outputs: Outputs) -> Mapping[str, Figure]:  # noqa: ARG001
    """How often they come, what they look like, how large they are."""
    from wakeful.figures import draw_sleep_events

    return {"ripples": draw_sleep_events(inputs.session, outputs.ripples, inputs.hypnogram)}


def unavailable(channels: tuple[Channel, ...]) -> str:
    """A channel in the brain is needed; which of them is hippocampal, parameters may say."""
    return "" if any(c.kind.is_brain for c in channels) else "there is no channel in the brain"


STEP = Step(
    title="Sharp-wave ripples",
    summary="Bursts of 100-250 Hz in hippocampal regions, in NREM and awake, by their envelope and "
    "what shows elsewhere: amplitude, frequency, length, sharp wave, and how many a minute.",
    inputs=Inputs,
    params=Params,
    outputs=Outputs,
    compute=compute,
    draw=draw,
    unavailable=unavailable,
    version=1,
    masks="none",
    masks_reason="bad channels are left out of the candidates",
    per="session",
    sources=(
        "Buzsaki 2015, Hippocampus 25: 1073",
        "Liu et al. 2022, Nat. Commun. 13: 6000 (consensus statement on detection)",
    ),
    captions={
        "ripples": (
            "Ripples a minute over time under the hypnogram, their mean wave (laid on the "
            "trough next to the peak), and the distributions of amplitude and frequency."
        )
    },
)
