"""Parameters of the label-free scorer."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from wakeful.model.errors import BadParameters


def _field(default: Any, unit: str, source: str) -> Any:
    return field(default=default, metadata={"unit": unit, "source": source, "choices": ()})


@dataclass(frozen=True, kw_only=True)
class LabelFreeParams:
    """Each field with its unit and its source in the field's metadata."""

    smoothing_s: float = _field(
        36.0, "s", "bouts of sleep last a minute and more; steadies the search for thresholds only"
    )
    min_ashman_d: float = _field(2.0, "", "Ashman et al. 1994: two modes are clearly apart above 2")
    min_tone_ratio: float = _field(
        1.6, "", "EMG of awake over asleep; 1.8 to 3.9 in hours of labelled mouse EMG"
    )
    min_lfp_emg_step: float = _field(
        0.05, "", "the same for the LFP-derived EMG, as a difference of Fisher z"
    )
    min_delta_ratio: float = _field(
        1.35, "", "delta power of NREM over awake; 1.7 to 2.5 in hours of labelled mouse EEG"
    )
    min_delta_ratio_lfp_emg: float = _field(
        1.8,
        "",
        "the same where tone is LFP-derived, whose fall has no absolute size; 1.9 to 4.3 in "
        "simulated mice with both states, mostly below 1.7 in those that are only awake",
    )
    min_sleep_contrast: float = _field(
        3.5,
        "",
        "ratio of EMG, awake over asleep, times ratio of delta, NREM over awake; 3.6 to 9 in "
        "labelled hours with both states, up to 2.9 in hours of wakefulness only",
    )
    min_sleep_contrast_short: float = _field(
        4.0,
        "",
        "the same for recordings below `short_recording_s`, where few bouts make chance modes",
    )
    min_mode_share: float = _field(
        0.03, "", "a mode of fewer epochs is a handful of odd ones, not a state"
    )
    max_rem_share: float = _field(
        0.4, "", "REM of all sleep; 5 to 20 % in rodents, so more is a mistaken split"
    )
    awake_bout_s: float = _field(60.0, "s", "mean bout of wakefulness in mice, order of magnitude")
    nrem_bout_s: float = _field(80.0, "s", "mean bout of NREM in mice, order of magnitude")
    rem_bout_s: float = _field(60.0, "s", "mean bout of REM in mice, order of magnitude")
    drift_window_s: float = _field(
        7200.0,
        "s",
        "several cycles of sleep; electrodes and tone drift more slowly. Used from two "
        "windows of data upwards",
    )
    artefact_sds: float = _field(
        6.0, "robust SD", "broadband log power; marked artefacts lie at 6 and more in labelled data"
    )
    evidence_weight: float = _field(
        0.5,
        "",
        "part of each epoch's evidence that is new: neighbouring epochs resemble each other, and "
        "counted in full they make `confidence` overconfident (labelled mouse, hours 0 to 12)",
    )
    min_confidence: float = _field(
        0.6, "", "probability below which an epoch stays unclassified; 0.5 is a coin's toss"
    )
    awakening_confidence: float = _field(
        0.99, "", "probability, from the epoch alone, at which an awakening of one epoch is kept"
    )
    short_recording_s: float = _field(
        3600.0, "s", "below it a recording may hold a few bouts of each state only: noted"
    )

    def __post_init__(self) -> None:
        problems = [
            f"{f.name} = {getattr(self, f.name)!r} must be above 0"
            for f in fields(self)
            if isinstance(f.default, float) and not getattr(self, f.name) > 0
        ]
        problems += [
            f"{name} = {getattr(self, name)!r} must be at most 1"
            for name in (
                "max_rem_share",
                "evidence_weight",
                "min_confidence",
                "awakening_confidence",
            )
            if getattr(self, name) > 1
        ]
        if problems:
            raise BadParameters(
                "; ".join(problems),
                where="parameters of the label-free scorer",
                remedy="correct the parameter set",
            )
