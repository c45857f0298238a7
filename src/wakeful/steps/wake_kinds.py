"""Active and quiet waking: the awake epochs of a hypnogram divided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wakeful.model.epochs import BandPower, Hypnogram, MuscleTone
from wakeful.model.errors import BadParameters
from wakeful.model.movement import Movement, WakeKinds
from wakeful.model.subject import Session
from wakeful.step import Step, parameter

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """States, and what waking is divided by."""

    hypnogram: Hypnogram
    session: Session
    band_power: BandPower | None = None
    muscle: MuscleTone | None = None
    movement: Movement | None = None
    """From tracking; where it is there, it alone decides."""


@dataclass(frozen=True, kw_only=True)
class Params:
    """What tells active from quiet waking."""

    sleep_quantile: float = parameter(
        0.99,
        unit="",
        source="movement in the session's own REM and NREM, inside of bouts: what twitches do; "
        "awake and above it is active",
    )
    min_ashman_d: float = parameter(
        1.5,
        unit="",
        source="without movement: two kinds of waking less far apart are not told; 1.9 to 3.6 in "
        "simulated mice",
    )
    bout_s: float = parameter(
        20.0, unit="s", source="mean bout of either kind of waking, order of magnitude"
    )
    artefact_sds: float = parameter(
        6.0, unit="robust SD", source="as of the label-free scorer: broadband log power beyond it"
    )

    def __post_init__(self) -> None:
        problems = []
        if not 0.5 <= self.sleep_quantile < 1:
            problems.append(f"sleep_quantile = {self.sleep_quantile} must be 0.5 to below 1")
        problems += [
            f"{name} = {value} must be above 0"
            for name, value in (
                ("min_ashman_d", self.min_ashman_d),
                ("bout_s", self.bout_s),
                ("artefact_sds", self.artefact_sds),
            )
            if not value > 0
        ]
        if problems:
            raise BadParameters(" | ".join(problems), where="parameters of wake_kinds")


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The kind of waking of every epoch."""

    wake_kinds: WakeKinds


def compute(inputs: Inputs, params: Params) -> Outputs:
    """Divide the awake epochs of the whole session at once: its own sleep gives the threshold."""
    from wakeful.sleep.wake_kinds import WakeRules, split_wake

    rules = WakeRules(
        sleep_quantile=params.sleep_quantile,
        min_ashman_d=params.min_ashman_d,
        bout_s=params.bout_s,
        artefact_sds=params.artefact_sds,
    )
    found = split_wake(inputs.hypnogram, rules, inputs.movement, inputs.band_power, inputs.muscle)
    return Outputs(wake_kinds=found)


def draw(inputs: Inputs, params: Params, outputs: Outputs) -> Mapping[str, Figure]:  # noqa: ARG001
    """What waking was divided by, against what sleep shows."""
    from wakeful.figures import draw_wake_kinds

    return {
        "wake_kinds": draw_wake_kinds(
            inputs.session, inputs.hypnogram, outputs.wake_kinds, inputs.band_power, inputs.muscle
        )
    }


STEP = Step(
    title="Active and quiet waking",
    summary=(
        "Awake epochs divided into active and quiet: by movement above that of the session's own "
        "sleep where tracking gives it, else by EMG and hippocampal theta where they show two "
        "kinds of waking."
    ),
    inputs=Inputs,
    params=Params,
    outputs=Outputs,
    compute=compute,
    draw=draw,
    version=1,
    masks="none",
    masks_reason="it works on band power and tone, out of which bad channels were left",
    per="session",
    sources=(
        "Vanderwolf 1969, Electroencephalogr Clin Neurophysiol 26:407 (theta and movement)",
        "Buzsaki 2002, Neuron 33:325 (theta of the hippocampus in running and REM)",
        "Ashman et al. 1994, Astron J 108:2348 (are two modes apart)",
    ),
    captions={
        "wake_kinds": (
            "Left: what waking was divided by, as distributions in active and quiet waking and in "
            "sleep. Right: muscle tone and theta over delta of single epochs, coloured by kind."
        )
    },
)
