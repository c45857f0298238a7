"""Sleep and waking of a simulated mouse: a semi-Markov chain with rodent bout lengths.

Bout lengths are log-normal. The medians, spreads and transition probabilities were set against
four laboratory mice scored by experts over 24 h each (4 s and 10 s epochs): mice are awake in 29
to 48 % of the light and 69 to 75 % of the dark phase, REM takes 6 to 9 % and 1.4 to 3.2 %, most
awakenings last less than 20 s and a few long ones make most of the time awake. The general form
follows Lo et al. (2004, PNAS 101:17545; bout lengths) and Simasko and Mukherjee (2009, Behav.
Brain Res. 196:237; long and brief awakenings apart).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import State
from wakeful.model.errors import BadParameters
from wakeful.model.time import Interval
from wakeful.simulate.plan import Pace, RecordingPlan, Substate

TICK_S = 1.0
"""Resolution of the planted states: finer than an epoch, so that some epochs are mixed."""

_SHORT_TRIES = 500


@dataclass(frozen=True, kw_only=True)
class Length:
    """A log-normal bout length, clipped."""

    median_s: float
    log_sd: float
    least_s: float
    most_s: float

    def draw(self, rng: np.random.Generator, scale: float = 1.0) -> int:
        """A whole number of ticks."""
        length_s = self.median_s * scale * np.exp(self.log_sd * rng.standard_normal())
        return max(1, round(float(np.clip(length_s, self.least_s, self.most_s)) / TICK_S))


@dataclass(frozen=True, kw_only=True)
class PhaseTraits:
    """How the animal sleeps in the light or in the dark."""

    nrem: Length
    rem: Length
    brief: Length
    medium: Length
    long: Length
    active: Length
    quiet: Length
    p_rem: float
    """That REM follows an NREM bout, once the animal has slept `rem_latency_s`."""
    p_long: float
    p_medium: float
    rem_latency_s: float = 90.0
    p_nrem_after_rem: float = 0.15


_NREM = Length(median_s=90, log_sd=0.82, least_s=8, most_s=900)
_REM = Length(median_s=53, log_sd=0.66, least_s=8, most_s=220)
_BRIEF = Length(median_s=7, log_sd=0.5, least_s=3, most_s=16)
_MEDIUM = Length(median_s=30, log_sd=0.5, least_s=17, most_s=90)

LIGHT = PhaseTraits(
    nrem=_NREM,
    rem=_REM,
    brief=_BRIEF,
    medium=_MEDIUM,
    long=Length(median_s=620, log_sd=0.8, least_s=90, most_s=7200),
    active=Length(median_s=20, log_sd=0.9, least_s=3, most_s=240),
    quiet=Length(median_s=32, log_sd=0.9, least_s=3, most_s=300),
    p_rem=0.29,
    p_long=0.085,
    p_medium=0.24,
)
DARK = PhaseTraits(
    nrem=_NREM,
    rem=_REM,
    brief=_BRIEF,
    medium=_MEDIUM,
    long=Length(median_s=1200, log_sd=0.8, least_s=120, most_s=10_800),
    active=Length(median_s=40, log_sd=0.9, least_s=3, most_s=400),
    quiet=Length(median_s=22, log_sd=0.9, least_s=3, most_s=240),
    p_rem=0.23,
    p_long=0.22,
    p_medium=0.24,
)
SHORT = PhaseTraits(
    nrem=replace(_NREM, median_s=60, log_sd=0.6, most_s=240),
    rem=replace(_REM, median_s=40, log_sd=0.4, most_s=120),
    brief=_BRIEF,
    medium=_MEDIUM,
    long=Length(median_s=110, log_sd=0.4, least_s=60, most_s=240),
    active=Length(median_s=18, log_sd=0.6, least_s=3, most_s=90),
    quiet=Length(median_s=18, log_sd=0.6, least_s=3, most_s=90),
    p_rem=0.36,
    p_long=0.22,
    p_medium=0.24,
    rem_latency_s=50.0,
)


@dataclass(frozen=True, eq=False)
class SimulatedHypnogram:
    """What the animal really did."""

    substate: NDArray[np.int8]
    """(n_ticks,) values of `Substate`, one a second of the animal's time."""

    @property
    def state(self) -> NDArray[np.int8]:
        """(n_ticks,) values of `State`."""
        table = np.array([s.state for s in Substate], np.int8)
        return table[self.substate]

    def epochs(
        self, n_epochs: int, epoch_s: float, stretch: float = 1.0
    ) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.float32]]:
        """State, substate and purity per epoch.

        The state of an epoch is the one that fills most of it (of two that fill it equally, the
        earlier in the order awake, NREM, REM); its substate the one of that state that fills most.

        Parameters
        ----------
        stretch : seconds of session time per second of the animal's time

        Returns
        -------
        (n_epochs,) `State`; (n_epochs,) `Substate`; (n_epochs,) part of the epoch in that state
        """
        share = self.share(n_epochs, epoch_s, stretch)
        order = (State.AWAKE, State.NREM, State.REM)
        per_state = np.stack(
            [
                share[:, [i for i, sub in enumerate(Substate) if sub.state == state]].sum(1)
                for state in order
            ],
            axis=1,
        ).round(6)
        best = per_state.argmax(1)
        state = np.array(order, np.int8)[best]
        belongs = np.array([[sub.state == s for sub in Substate] for s in order])[best]
        substate = np.where(belongs, share, -1.0).argmax(1).astype(np.int8)
        return state, substate, per_state.max(1).astype(np.float32)

    def share(self, n_epochs: int, epoch_s: float, stretch: float = 1.0) -> NDArray[np.float64]:
        """(n_epochs, n_substates) part of each epoch spent in each substate."""
        one_hot = self.substate[:, None] == np.arange(len(Substate))[None, :]
        return mean_over_epochs(one_hot.astype(np.float64), n_epochs, epoch_s, stretch)

    def bouts(self) -> list[tuple[Substate, Interval]]:
        """Runs of one substate, seconds of the animal's time."""
        edges = np.flatnonzero(np.diff(self.substate)) + 1
        starts, stops = np.r_[0, edges], np.r_[edges, len(self.substate)]
        return [
            (Substate(int(self.substate[a])), Interval(a * TICK_S, b * TICK_S))
            for a, b in zip(starts, stops, strict=True)
        ]


def mean_over_epochs(
    per_tick: NDArray[np.float64], n_epochs: int, epoch_s: float, stretch: float
) -> NDArray[np.float64]:
    """Mean of a quantity that is constant within each tick, exact for any epoch and stretch.

    Parameters
    ----------
    per_tick : (n_ticks, n)

    Returns
    -------
    (n_epochs, n)
    """
    total = np.vstack([np.zeros((1, per_tick.shape[1])), np.cumsum(per_tick, axis=0)]) * TICK_S
    edges_s = np.arange(n_epochs + 1) * epoch_s / stretch
    position = np.minimum(edges_s / TICK_S, len(per_tick))
    low = np.minimum(np.floor(position).astype(np.int64), len(per_tick) - 1)
    at_edge = total[low] + (position - low)[:, None] * per_tick[low] * TICK_S
    return np.asarray(np.diff(at_edge, axis=0) / np.diff(edges_s)[:, None])


@dataclass
class _Walk:
    """The chain as it grows."""

    rng: np.random.Generator
    nrem_scale: float
    rem_scale: float
    wake_scale: float
    rem_bias: float

    def wake(self, traits: PhaseTraits, n_ticks: int) -> list[tuple[Substate, int]]:
        """A longer stretch awake: movement first, then quiet and active by turns, quiet last."""
        parts = [(Substate.BRIEF, min(n_ticks, 3 + int(self.rng.integers(6))))]
        left = n_ticks - parts[0][1]
        last = min(left, int(self.rng.integers(8, 40)))
        left -= last
        active = n_ticks >= 60
        while left > 0:
            length = (traits.active if active else traits.quiet).draw(self.rng)
            length = min(length, left)
            parts.append((Substate.ACTIVE if active else Substate.QUIET, length))
            left -= length
            active = not active and n_ticks >= 60
        if last:
            parts.append((Substate.QUIET, last))
        return parts

    def awakening(self, traits: PhaseTraits) -> tuple[list[tuple[Substate, int]], bool]:
        """What follows the end of sleep, and whether it ends the sleep episode."""
        kind = self.rng.random()
        if kind < traits.p_long:
            return self.wake(traits, traits.long.draw(self.rng, self.wake_scale)), True
        if kind < traits.p_long + traits.p_medium:
            return self.wake(traits, traits.medium.draw(self.rng)), False
        return [(Substate.BRIEF, traits.brief.draw(self.rng))], False

    def grow(self, plan: RecordingPlan) -> NDArray[np.int8]:
        """The states of the whole recording."""
        n_ticks = plan.n_ticks
        substate = np.empty(n_ticks, np.int8)
        position = 0
        slept_s = 0.0

        def traits() -> PhaseTraits:
            if plan.pace is Pace.SHORT:
                return SHORT
            zeitgeber_h = (plan.start_zeitgeber_h + position * TICK_S / 3600) % 24
            return LIGHT if zeitgeber_h < 12 else DARK

        def put(parts: list[tuple[Substate, int]]) -> None:
            nonlocal position
            for what, length in parts:
                substate[position : position + length] = what
                position += length

        if plan.pace is Pace.ASLEEP:
            pass
        elif plan.pace is Pace.AWAKE:
            while position < n_ticks:
                put(self.wake(traits(), traits().long.draw(self.rng, self.wake_scale))[1:])
        elif plan.pace is Pace.SHORT:
            put(self.wake(SHORT, int(self.rng.integers(70, 120)))[1:])
        elif self.rng.random() < (0.35 if traits() is LIGHT else 0.72):
            length = int(traits().long.draw(self.rng, self.wake_scale) * self.rng.random())
            put(self.wake(traits(), max(30, length))[1:])
        while position < n_ticks:
            now = traits()
            length = now.nrem.draw(self.rng, self.nrem_scale)
            put([(Substate.NREM, length)])
            slept_s += length
            ready = slept_s >= now.rem_latency_s and length >= 20
            if ready and self.rng.random() < now.p_rem * self.rem_bias:
                put([(Substate.REM, now.rem.draw(self.rng, self.rem_scale))])
                if self.rng.random() < now.p_nrem_after_rem:
                    continue
            if plan.pace is Pace.ASLEEP:
                continue
            parts, ends_sleep = self.awakening(now)
            put(parts)
            slept_s = 0.0 if ends_sleep else slept_s
        return substate


def simulate_hypnogram(plan: RecordingPlan) -> SimulatedHypnogram:
    """States of a simulated mouse, one a second.

    NREM follows wakefulness, REM follows NREM, and REM ends in an awakening or (15 %) in NREM.
    With `Pace.SHORT` hypnograms are redrawn until awake, NREM and REM each come in three bouts or
    more and take 8 % of the time or more; short demonstrations are therefore not a fair sample of
    natural sleep.

    Raises
    ------
    BadParameters
        `Pace.SHORT` and so short a recording that three bouts of each state do not fit.
    """
    subject = plan.subject
    for attempt in range(_SHORT_TRIES):
        rng = np.random.default_rng([subject.seed, 101, attempt])
        spread = rng.standard_normal(4) * 0.12 * subject.variability
        scales = np.exp(spread)
        walk = _Walk(rng, scales[0], scales[1], scales[2], scales[3])
        found = SimulatedHypnogram(walk.grow(plan))
        if plan.pace is not Pace.SHORT or _is_varied(found.state[: int(plan.duration_s)]):
            return found
    raise BadParameters(
        f"no hypnogram of {plan.duration_s:g} s holds each state in three bouts",
        where="pace short",
        remedy="simulate 15 min or more, or use the natural pace",
    )


def _is_varied(state: NDArray[np.int8]) -> bool:
    starts = np.r_[True, np.diff(state) != 0]
    return all(
        np.sum(starts & (state == s)) >= 3 and np.mean(state == s) >= 0.08
        for s in (State.AWAKE, State.NREM, State.REM)
    )
