"""Bouts and transitions: how long states last, what follows what, how broken sleep is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wakeful.model.bouts import Bouts, BoutStatistics, StateHours
from wakeful.model.epochs import Hypnogram
from wakeful.model.errors import BadParameters
from wakeful.model.ictal import IctalIntervals
from wakeful.model.movement import WakeKinds
from wakeful.model.subject import Session
from wakeful.model.time import Quarantine
from wakeful.step import Step, parameter

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HOUR_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The hypnogram of a session."""

    hypnogram: Hypnogram
    session: Session
    quarantined: tuple[Quarantine, ...] | None = None
    ictal: IctalIntervals | None = None
    """Seizures and what follows them; left out of everything."""
    wake_kinds: WakeKinds | None = None
    """Waking divided into active and quiet."""


@dataclass(frozen=True, kw_only=True)
class Params:
    """What is called brief, and what an onset."""

    brief_awakening_s: float = parameter(
        16.0, unit="s", source="Franken et al. 1999, Sleep 22:155: up to four epochs of 4 s"
    )
    onset_s: float = parameter(
        0.0,
        unit="s",
        source="0: the first epoch of a state is its onset; raise it where only consolidated "
        "sleep is to count",
    )

    def __post_init__(self) -> None:
        bad = [
            f"{name} = {value!r} must be a number of seconds, 0 or more"
            for name, value in (
                ("brief_awakening_s", self.brief_awakening_s),
                ("onset_s", self.onset_s),
            )
            if not 0 <= value < float("inf")
        ]
        if bad:
            raise BadParameters(" | ".join(bad), where="parameters of sleep_bouts")


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Every bout, the hours, and the counts."""

    bouts: Bouts
    state_hours: StateHours
    bout_statistics: BoutStatistics


def compute(inputs: Inputs, params: Params) -> Outputs:
    """Bouts after smoothing, minutes per hour and light phase, transitions, latencies, rates.

    Holes, quarantined and ictal epochs end a bout and are in no number.
    """
    from wakeful.figures.clock import touches
    from wakeful.sleep.bout_statistics import (
        Covered,
        Rules,
        Waking,
        compute_bout_statistics,
        compute_state_hours,
    )
    from wakeful.sleep.ictal import overlay_ictal

    hypnogram, session = inputs.hypnogram, inputs.session
    apart = tuple(stretch.interval for stretch in inputs.quarantined or ())
    covered = Covered(
        ictal=overlay_ictal(hypnogram, inputs.ictal),
        untrusted=touches(hypnogram.start_s, hypnogram.epoch_s, apart),
    )
    kinds = inputs.wake_kinds
    waking = None
    if kinds is not None and kinds.method:
        waking = Waking(kind=kinds.kind, method=kinds.method)
    bouts, statistics = compute_bout_statistics(
        hypnogram,
        covered,
        _light(session, hypnogram),
        Rules(brief_awakening_s=params.brief_awakening_s, onset_s=params.onset_s),
        waking,
    )
    if kinds is not None:
        statistics = replace(statistics, notes=(*statistics.notes, *kinds.notes))
    edges_s = _hour_edges(session, hypnogram)
    zeitgeber_h = np.array([_zeitgeber_h(session, t) for t in edges_s[:-1].tolist()], np.float64)
    hours = compute_state_hours(hypnogram, covered, edges_s, zeitgeber_h, waking)
    return Outputs(bouts=bouts, state_hours=hours, bout_statistics=statistics)


def _light(session: Session, hypnogram: Hypnogram) -> NDArray[np.bool_] | None:
    """Which epochs start in the light; None where the schedule or the clock is unknown."""
    from wakeful.figures.clock import light_phases

    phases = light_phases(session, session.interval)
    if not phases:
        return None
    light = np.zeros(hypnogram.n_rows, np.bool_)
    for stretch, on in phases:
        if on:
            first, last = np.searchsorted(hypnogram.start_s, [stretch.start_s, stretch.stop_s])
            light[first:last] = True
    return light


def _hour_edges(session: Session, hypnogram: Hypnogram) -> NDArray[np.float64]:
    """Whole hours of zeitgeber time, or of the clock, or from the start; around all epochs."""
    from wakeful.figures.clock import local_time

    if hypnogram.n_rows == 0:
        return np.zeros(1)
    late_s = 0.0
    start = local_time(session, 0.0)
    if start is not None:
        zero = session.light.on if session.light is not None else None
        zero_s = 0 if zero is None else zero.minute * 60 + zero.second
        late_s = start.minute * 60 + start.second + start.microsecond / 1e6 - zero_s
    late_s %= _HOUR_S
    first = np.floor((hypnogram.start_s[0] + late_s) / _HOUR_S)
    last = np.floor((hypnogram.start_s[-1] + late_s) / _HOUR_S) + 1
    edges: NDArray[np.float64] = np.arange(first, last + 1) * _HOUR_S - late_s
    return edges


def _zeitgeber_h(session: Session, time_s: float) -> float:
    from wakeful.figures.clock import local_time

    local = local_time(session, time_s)
    if local is None or session.light is None:
        return float("nan")
    on = session.light.on
    since_s = (local.hour - on.hour) * 3600 + (local.minute - on.minute) * 60
    since_s += local.second - on.second + round(local.microsecond / 1e6)
    return float(since_s % 86_400 / _HOUR_S)


def draw(inputs: Inputs, params: Params, outputs: Outputs) -> Mapping[str, Figure]:  # noqa: ARG001
    """State per hour, how long bouts last, what follows what."""
    from wakeful.figures import draw_bouts

    return {
        "sleep_bouts": draw_bouts(
            inputs.session, outputs.bouts, outputs.state_hours, outputs.bout_statistics
        )
    }


STEP = Step(
    title="Bouts and transitions",
    summary=(
        "Bouts of each state, minutes per hour and light phase, transitions, latencies and "
        "fragmentation, from the smoothed hypnogram; holes, quarantined and ictal epochs are in "
        "no number."
    ),
    inputs=Inputs,
    params=Params,
    outputs=Outputs,
    compute=compute,
    draw=draw,
    version=2,
    draw_version=2,
    masks="none",
    masks_reason="it works on the hypnogram, which no bad channel went into",
    per="session",
    sources=(
        "Franken et al. 1999, Sleep 22:155 (brief awakenings)",
        "Haba-Rubio et al. 2004, Sleep Med 5:577 (stage shifts per hour of sleep)",
        "Kaplan and Meier 1958, J Am Stat Assoc 53:457 (bouts not seen to their end)",
    ),
    captions={
        "sleep_bouts": (
            "Minutes in each state hour by hour, waking divided into active and quiet where that "
            "was told; how long bouts last (share of bouts that outlast a "
            "time, those not seen to their end counted as far as they were seen); and which state "
            "follows which."
        )
    },
)
