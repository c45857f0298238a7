"""Events scattered over a recording by the animal's states, at a planned rate.

>>> from dataclasses import replace
>>> from wakeful.model.epochs import State
>>> from wakeful.simulate import EventType, Pace, RecordingPlan, Scatter, scatter_events
>>> plan = RecordingPlan(duration_s=1200.0, pace=Pace.SHORT)
>>> seizures = Scatter(kind=EventType.SPIKE_WAVE, per_min=1.0, states=(State.AWAKE,))
>>> planted = replace(plan, events=scatter_events(plan, (seizures,), seed=4))
>>> {event.kind.value for event in planted.events}
{'spike_wave'}
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import State
from wakeful.model.errors import BadParameters
from wakeful.simulate.course import plan_course
from wakeful.simulate.events import EventType, PlantedEvent
from wakeful.simulate.plan import RecordingPlan, RegionProfile, Substate

Range = tuple[float, float]

_TRIES = 200
_ALL = (RegionProfile.CORTEX, RegionProfile.HIPPOCAMPUS, RegionProfile.THALAMUS)

_FREQUENCY_HZ: dict[EventType, Range] = {
    EventType.SPIKE_WAVE: (6.0, 8.0),
    EventType.SPINDLE: (10.5, 14.5),
    EventType.RIPPLE: (130.0, 190.0),
    EventType.SLOW_WAVE: (0.0, 0.0),
}
_DURATION_S: dict[EventType, Range] = {
    EventType.SPIKE_WAVE: (2.0, 10.0),
    EventType.SPINDLE: (0.6, 1.8),
    EventType.RIPPLE: (0.04, 0.12),
    EventType.SLOW_WAVE: (0.5, 1.2),
}
_AMPLITUDE_UV: dict[EventType, Range] = {
    EventType.SPIKE_WAVE: (500.0, 900.0),
    EventType.SPINDLE: (90.0, 180.0),
    EventType.RIPPLE: (60.0, 140.0),
    EventType.SLOW_WAVE: (350.0, 700.0),
}
_PROFILES: dict[EventType, tuple[RegionProfile, ...]] = {
    EventType.SPIKE_WAVE: _ALL,
    EventType.SPINDLE: (RegionProfile.CORTEX, RegionProfile.THALAMUS),
    EventType.RIPPLE: (RegionProfile.HIPPOCAMPUS,),
    EventType.SLOW_WAVE: (RegionProfile.CORTEX,),
}


@dataclass(frozen=True, kw_only=True)
class Scatter:
    """Events of one kind, at random times within some states. None: typical of the kind."""

    kind: EventType
    per_min: float
    """How many are planted per minute spent in `states`, gaps left out."""
    states: tuple[State, ...] = (State.NREM,)
    frequency_hz: Range | None = None
    """Evenly between these; a slow wave's follows from its duration."""
    duration_s: Range | None = None
    amplitude_uv: Range | None = None
    regions: tuple[str, ...] | None = None
    """Named regions; None: those whose profile shows such events."""
    apart_s: float = 0.5
    """Least time between any two planted events, of whatever kind."""

    def __post_init__(self) -> None:
        problems = []
        if not (math.isfinite(self.per_min) and self.per_min >= 0):
            problems.append(f"per_min is {self.per_min}; it must be finite and not negative")
        if not self.states or State.NO_DATA in self.states:
            problems.append("states names the states that events come in, none of them a gap")
        if self.apart_s < 0:
            problems.append(f"apart_s is {self.apart_s}; it must not be negative")
        for name in ("frequency_hz", "duration_s", "amplitude_uv"):
            low, high = getattr(self, name) or (1.0, 1.0)
            if not 0 < low <= high:
                problems.append(f"{name} is {low} to {high}; it is low to high, above 0")
        if problems:
            raise BadParameters(
                " | ".join(problems),
                where=f"scattered {self.kind}",
                remedy="correct the plan of the simulation",
            )


def scatter_events(
    plan: RecordingPlan, scattered: tuple[Scatter, ...], *, seed: int
) -> tuple[PlantedEvent, ...]:
    """Events at random times, each wholly inside one bout and outside the plan's gaps.

    Parameters
    ----------
    plan : gives the states; its own events are kept clear of
    seed : the same seed gives the same events

    Returns
    -------
    In order of time; put them in the plan's `events`.

    Raises
    ------
    BadParameters
        There is not room for so many, or no region shows such events.
    """
    taken: list[tuple[float, float]] = [(event.start_s, event.stop_s) for event in plan.events]
    found: list[PlantedEvent] = []
    for number, what in enumerate(scattered):
        # A generator of its own: what comes before in the list changes only what is in the way.
        rng = np.random.default_rng([seed, 1212, number])
        bouts = _free_bouts(plan, what.states)
        lengths = np.array([stop - start for start, stop in bouts])
        n_events = round(what.per_min * float(lengths.sum()) / 60)
        regions = _regions_of(plan, what)
        for _ in range(n_events):
            event = _place(rng, what, bouts, lengths, taken, regions)
            taken.append((event.start_s, event.stop_s))
            found.append(event)
    return tuple(sorted(found, key=lambda event: event.start_s))


def _regions_of(plan: RecordingPlan, what: Scatter) -> tuple[str, ...]:
    if what.regions is not None:
        return what.regions
    shown = _PROFILES[what.kind]
    names = tuple(region.name for region in plan.subject.regions if region.profile in shown)
    if not names:
        raise BadParameters(
            f"no region shows a {what.kind}; that takes {' or '.join(shown)}",
            where=f"scattered {what.kind}",
            remedy="name the regions, or plan such a region",
        )
    return names


def _free_bouts(plan: RecordingPlan, states: tuple[State, ...]) -> list[tuple[float, float]]:
    """Stretches of the states, nominal seconds, gaps cut out."""
    last_s = plan.duration_s / plan.stretch
    pieces: list[tuple[float, float]] = []
    for substate, bout in plan_course(plan).hypnogram.bouts():
        if Substate(substate).state in states:
            start_s, stop_s = bout.start_s, min(bout.stop_s, last_s)
            if pieces and pieces[-1][1] == start_s:
                start_s = pieces.pop()[0]
            if stop_s > start_s:
                pieces.append((start_s, stop_s))
    for gap in plan.gaps:
        low, high = gap.start_s / plan.stretch, gap.stop_s / plan.stretch
        cut = []
        for start_s, stop_s in pieces:
            cut += [(start_s, min(stop_s, low)), (max(start_s, high), stop_s)]
        pieces = [(start_s, stop_s) for start_s, stop_s in cut if stop_s > start_s]
    return pieces


def _place(
    rng: np.random.Generator,
    what: Scatter,
    bouts: list[tuple[float, float]],
    lengths: NDArray[np.float64],
    taken: list[tuple[float, float]],
    regions: tuple[str, ...],
) -> PlantedEvent:
    edges = np.cumsum(lengths)
    others = np.array(taken, np.float64).reshape(-1, 2)
    for _ in range(_TRIES):
        duration_s = float(rng.uniform(*(what.duration_s or _DURATION_S[what.kind])))
        at = float(rng.uniform(0, edges[-1]))
        bout = int(np.searchsorted(edges, at, side="right"))
        start_s = round(bouts[bout][1] - (float(edges[bout]) - at), 4)
        low_s, high_s = start_s - what.apart_s, start_s + duration_s + what.apart_s
        inside = bouts[bout][0] <= start_s and start_s + duration_s <= bouts[bout][1]
        if not inside or bool(((others[:, 0] < high_s) & (others[:, 1] > low_s)).any()):
            continue
        if what.kind is EventType.SLOW_WAVE:
            frequency_hz = 1 / duration_s
        else:
            frequency_hz = float(rng.uniform(*(what.frequency_hz or _FREQUENCY_HZ[what.kind])))
        return PlantedEvent(
            kind=what.kind,
            start_s=start_s,
            duration_s=duration_s,
            amplitude_uv=float(rng.uniform(*(what.amplitude_uv or _AMPLITUDE_UV[what.kind]))),
            frequency_hz=frequency_hz,
            regions=regions,
            phase_rad=float(rng.uniform(0, 2 * np.pi)),
        )
    raise BadParameters(
        f"no room for {what.per_min:g} a minute, {what.apart_s:g} s apart",
        where=f"scattered {what.kind}",
        remedy="plan fewer or shorter events, or a longer recording",
    )
