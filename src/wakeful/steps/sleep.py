"""Sleep scoring: awake, NREM or REM for every epoch of a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wakeful.model.epochs import BandPower, Hypnogram, MuscleTone
from wakeful.model.subject import Channel, Session
from wakeful.sleep.params import LabelFreeParams
from wakeful.step import Step

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the scorer looks at."""

    band_power: BandPower
    session: Session
    muscle: MuscleTone | None = None


@dataclass(frozen=True, kw_only=True)
class Params(LabelFreeParams):
    """Those of the label-free scorer."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """States per epoch."""

    hypnogram: Hypnogram


def compute(inputs: Inputs, params: Params) -> Outputs:
    """Score the whole session at once: its thresholds come from all of its epochs.

    Raises
    ------
    BadParameters
        A band is missing, or the epochs of both tables differ in length.
    """
    from wakeful.sleep.label_free import score_label_free

    hypnogram = score_label_free(inputs.band_power, inputs.muscle, params)
    notes = (*hypnogram.notes, *inputs.band_power.refused)
    return Outputs(hypnogram=replace(hypnogram, notes=notes))


def unavailable(channels: tuple[Channel, ...]) -> str:
    """Slow waves need channels that hold them."""
    from wakeful.signal.header_faults import why_no_delta

    return why_no_delta(channels)


def draw(inputs: Inputs, params: Params, outputs: Outputs) -> Mapping[str, Figure]:  # noqa: ARG001
    """Hypnogram of the whole session."""
    from wakeful.figures import draw_hypnogram

    return {"hypnogram": draw_hypnogram(inputs.session, outputs.hypnogram)}


STEP = Step(
    title="Sleep scoring",
    summary=(
        "Awake, NREM or REM per epoch from delta, theta over delta and muscle tone, without "
        "labels; unclassified where unsure."
    ),
    inputs=Inputs,
    params=Params,
    outputs=Outputs,
    compute=compute,
    draw=draw,
    unavailable=unavailable,
    version=1,
    masks="none",
    masks_reason="it works on band power and tone, out of which bad channels were left",
    per="session",
    sources=(
        "Watson et al. 2016, Neuron 90:839 (delta, theta ratio and EMG, thresholds between modes)",
        "Schomburg et al. 2014, Neuron 84:470 (LFP-derived EMG)",
        "Ashman et al. 1994, Astron J 108:2348 (are two modes apart)",
        "Rabiner 1989, Proc IEEE 77:257 (hidden Markov model)",
    ),
)
