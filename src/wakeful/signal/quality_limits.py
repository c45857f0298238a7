"""What a channel's measures are held against, each limit with its unit and its source."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

from wakeful.model.errors import BadParameters


def _field(default: Any, unit: str, source: str) -> Any:
    return field(default=default, metadata={"unit": unit, "source": source, "choices": ()})


@dataclass(frozen=True, kw_only=True)
class QualityLimits:
    """Each field with its unit and its source in the field's metadata."""

    flat_s: float = _field(
        2.0, "s", "shorter rests are what a coarse converter makes of a quiet moment"
    )
    flat_steps: float = _field(
        1.0, "", "steps of the converter a dead input may toggle by; more is signal"
    )
    flat_uv: float = _field(
        0.01, "uV", "where the samples have no steps: below the noise of any amplifier"
    )
    dead_s: float = _field(
        60.0, "s", "a channel that is flat for so long up to the block's end counts as dead"
    )
    max_clipped_share: float = _field(
        1e-4, "", "of the samples, 0.36 s of an hour: rails are reached by artefacts, not by brains"
    )
    plateau: float = _field(
        0.02,
        "",
        "part of the amplitude next to the highest value that counts as its plateau; the filter "
        "of the conversion ripples by less on what was cut off",
    )
    max_mains_share: float = _field(
        0.5, "", "of the power from 1 Hz on: there is more hum than signal"
    )
    min_slope: float = _field(
        0.5,
        "",
        "field potentials fall with 1/f^1 to 1/f^3 (Miller et al. 2009), amplifier noise is level",
    )
    min_likeness: float = _field(
        0.15,
        "",
        "correlation with the likest channel of its region; chance gives 0.1. PREP takes 0.4 for "
        "the scalp (Bigdely-Shamlo et al. 2015), depth electrodes of one region differ more",
    )
    min_likeness_of_others: float = _field(
        0.5, "", "only in a region whose other channels are this much alike is one of them odd"
    )
    max_likeness_of_noise: float = _field(
        0.5,
        "",
        "what resembles another channel more is connected, however much muscle levels its "
        "spectrum: of 26 such channels of a real scalp recording 25 lie above",
    )
    min_copy_correlation: float = _field(
        0.999, "", "of first differences; neighbours in one layer stay below 0.99"
    )
    max_copy_residual_steps: float = _field(
        2.0, "", "what a copy differs by is rounding; two amplifiers on one wire differ by more"
    )
    max_copy_residual_share: float = _field(
        0.02, "", "the same where the samples have no steps, as a part of the difference's size"
    )
    slot_s: float = _field(
        30.0, "s", "spectra and correlations are looked at once in so long; a fault's resolution"
    )
    window_s: float = _field(
        8.0, "s", "how much of each slot is looked at: bins of 1/8 Hz tell hum from its neighbours"
    )
    min_slots: int = _field(3, "", "slots in a row: what is over sooner is an artefact")

    def __post_init__(self) -> None:
        """Check ranges."""
        shares = (
            "max_clipped_share",
            "plateau",
            "max_mains_share",
            "min_likeness",
            "min_likeness_of_others",
            "max_likeness_of_noise",
            "min_copy_correlation",
            "max_copy_residual_share",
        )
        problems = [
            f"{name} = {value:g} is not 0 to 1"
            for name in shares
            if not 0 <= (value := getattr(self, name)) <= 1
        ]
        problems += [
            f"{name} = {value:g} is not above 0"
            for name in ("flat_s", "flat_steps", "dead_s", "max_copy_residual_steps")
            if not (value := getattr(self, name)) > 0
        ]
        if not 2 <= self.window_s <= self.slot_s <= 600:
            problems.append(
                f"window_s, slot_s = {self.window_s:g}, {self.slot_s:g} are not 2 s or more, the "
                "slot no shorter than its window and at most 600 s"
            )
        if self.min_slots < 1:
            problems.append(f"min_slots = {self.min_slots} is not 1 or more")
        if self.flat_uv < 0 or not -2 <= self.min_slope <= 4:
            problems.append("flat_uv is 0 or more and min_slope -2 to 4")
        problems += [
            f"{f.name} is {getattr(self, f.name)}"
            for f in fields(self)
            if isinstance(getattr(self, f.name), float) and not math.isfinite(getattr(self, f.name))
        ]
        if problems:
            raise BadParameters(
                "; ".join(problems), where="channel_quality", remedy="correct the values"
            )
