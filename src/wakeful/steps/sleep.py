"""Sleep scoring: awake, NREM or REM for every epoch of a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import BandPower, Hypnogram, MuscleTone, SleepFeatures
from wakeful.model.errors import Unavailable
from wakeful.model.ictal import IctalIntervals, IctalKind
from wakeful.model.subject import Channel, Session
from wakeful.sleep.params import LabelFreeParams
from wakeful.sleep.trained import NamedScorer
from wakeful.step import Step, parameter

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the scorer looks at."""

    band_power: BandPower
    session: Session
    muscle: MuscleTone | None = None
    sleep_features: SleepFeatures | None = None
    sleep_model: NamedScorer | None = None
    ictal: IctalIntervals | None = None
    """Seizures and what follows them: not scored, and seen by no scorer."""


@dataclass(frozen=True, kw_only=True)
class Params(LabelFreeParams):
    """Which scorer; the others are those of the label-free one."""

    model: str = parameter(
        "",
        unit="",
        source="a scorer trained on labels, by its name in the library's folder of models; without "
        "one the label-free scorer is used",
    )


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """States per epoch."""

    hypnogram: Hypnogram


def compute(inputs: Inputs, params: Params) -> Outputs:
    """Score the whole session at once: its thresholds come from all of its epochs.

    Raises
    ------
    BadParameters
        A band is missing, the epochs of both tables differ in length, or the model looks at
        features that this session does not have.
    """
    from wakeful.sleep.ictal import mark_ictal, set_apart

    score = _score_trained if params.model else _score_label_free
    rows = inputs.sleep_features if params.model else inputs.band_power
    hypnogram = score(inputs, params)
    if inputs.ictal is not None and rows is not None:
        marks = mark_ictal(hypnogram.start_s, hypnogram.epoch_s, inputs.ictal)
        has_data = np.asarray(np.isfinite(_of_rows(rows)).any(axis=1), np.bool_)
        hypnogram = set_apart(hypnogram, marks, has_data)
    return Outputs(hypnogram=hypnogram)


def _of_rows(rows: BandPower | SleepFeatures) -> NDArray[np.float32]:
    values = rows.power_uv2 if isinstance(rows, BandPower) else rows.values
    return values.reshape(len(values), -1)


def _score_label_free(inputs: Inputs, params: Params) -> Hypnogram:
    from wakeful.sleep.ictal import mark_ictal
    from wakeful.sleep.label_free import score_label_free

    band_power, muscle = inputs.band_power, inputs.muscle
    if inputs.ictal is not None:
        # A 5 to 9 Hz discharge would pass as theta, and shift every threshold.
        marked = mark_ictal(band_power.start_s, band_power.epoch_s, inputs.ictal) != IctalKind.NONE
        power = np.where(marked[:, None, None], np.float32(np.nan), band_power.power_uv2)
        band_power = replace(band_power, power_uv2=power)
    hypnogram = score_label_free(band_power, muscle, params)
    return replace(hypnogram, notes=(*hypnogram.notes, *band_power.refused))


def _score_trained(inputs: Inputs, params: Params) -> Hypnogram:  # noqa: ARG001
    from wakeful.sleep.ictal import blank_ictal, mark_ictal
    from wakeful.sleep.trained_hypnogram import score_features

    if inputs.sleep_features is None or inputs.sleep_model is None:
        raise Unavailable(
            "a trained scorer needs features of the brain's channels",
            where="sleep",
            remedy="give the channels' kinds in a channels file, or leave out the parameter model",
        )
    features = inputs.sleep_features
    if inputs.ictal is not None:
        marks = mark_ictal(features.start_s, features.epoch_s, inputs.ictal)
        features = blank_ictal(features, marks)
    return score_features(features, inputs.sleep_model)


def unused_inputs(params: Params) -> frozenset[str]:
    """The label-free scorer looks at no features, trained ones at nothing else."""
    return frozenset() if params.model else frozenset({"sleep_features"})


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
        "labels, or by a scorer trained on labels; unclassified where unsure."
    ),
    inputs=Inputs,
    params=Params,
    outputs=Outputs,
    compute=compute,
    draw=draw,
    unavailable=unavailable,
    unused_inputs=unused_inputs,
    version=2,
    draw_version=2,
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
