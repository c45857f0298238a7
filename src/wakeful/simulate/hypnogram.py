"""Sleep and waking of a simulated mouse: a semi-Markov chain with rodent bout lengths.

Bout lengths are log-normal. The medians, spreads and transition probabilities were set against
four laboratory mice scored by experts over 24 h each, one in epochs of 4 s, three in epochs of
10 s by three experts each. They are awake in 29 to 47 % of the light and 69 to 75 % of the dark
phase, REM takes 6 to 9 % and 1.4 to 3.2 %, most awakenings last 20 s or less and a few long ones
make most of the time awake. Version 2 was set until the median simulated mouse (seeds 100 to 299)
lay within the range of the latter three in all that `benchmarks/simulated_bouts.py` compares;
those three therefore no longer test the simulator.

The general form follows Lo et al. (2004, PNAS 101:17545; bout lengths) and Simasko and Mukherjee
(2009, Behav. Brain Res. 196:237; long and brief awakenings apart). Sleep and REM are balanced over
hours: an animal that was awake for long wakes for shorter times afterwards, and one that had
little REM enters it oftener (Borbely 1982, Hum. Neurobiol. 1:195; Franken et al. 2001, J.
Neurosci. 21:2610; Franken 2002, J. Sleep Res. 11:17). Without this, the time that one simulated
animal is awake in the dark differs more from day to day than it does between the four mice. Those
were awake for nine tenths of the first hour of the dark and more, so dusk has a pace of its own.
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

MEMORY_H = 12.0
"""Time constant over which owed sleep is forgotten: set by hand, so that a day comes out as one of
the scored mice does; measured ones are of sleep's intensity, which is not simulated."""

DUSK_H = 1.5
"""How long after lights off an animal is most active."""

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
    """A brief awakening out of NREM."""
    after_rem: Length
    """A brief awakening out of REM, which lasts longer."""
    medium: Length
    long: Length
    active: Length
    quiet: Length
    p_rem: float
    """That REM follows an NREM bout, once the animal has slept `rem_latency_s`."""
    p_long: float
    p_medium: float
    usual_wake: float
    """Share of the time awake about which sleep is balanced."""
    usual_rem: float
    """Share of sleep in REM about which REM is balanced."""
    sleep_balance_per_h: float
    """By how much long waking gets rarer and shorter (natural logarithm) an hour of sleep owed."""
    rem_balance_per_h: float
    """By how much REM gets likelier (natural logarithm) an hour of REM owed."""
    rem_latency_s: float = 90.0
    p_nrem_after_rem: float = 0.1


_NREM = Length(median_s=106, log_sd=0.72, least_s=8, most_s=900)
_REM = Length(median_s=53, log_sd=0.66, least_s=8, most_s=220)
_BRIEF = Length(median_s=7, log_sd=0.5, least_s=3, most_s=16)
_AFTER_REM = Length(median_s=12, log_sd=0.5, least_s=4, most_s=40)
_MEDIUM = Length(median_s=30, log_sd=0.5, least_s=17, most_s=90)

LIGHT = PhaseTraits(
    nrem=_NREM,
    rem=_REM,
    brief=_BRIEF,
    after_rem=_AFTER_REM,
    medium=_MEDIUM,
    long=Length(median_s=600, log_sd=0.8, least_s=90, most_s=7200),
    active=Length(median_s=20, log_sd=0.9, least_s=3, most_s=240),
    quiet=Length(median_s=32, log_sd=0.9, least_s=3, most_s=300),
    p_rem=0.28,
    p_long=0.08,
    p_medium=0.25,
    usual_wake=0.33,
    usual_rem=0.12,
    sleep_balance_per_h=1.6,
    rem_balance_per_h=5.0,
)
DARK = PhaseTraits(
    nrem=_NREM,
    rem=_REM,
    brief=_BRIEF,
    after_rem=_AFTER_REM,
    medium=_MEDIUM,
    long=Length(median_s=1000, log_sd=0.8, least_s=120, most_s=10_800),
    active=Length(median_s=40, log_sd=0.9, least_s=3, most_s=400),
    quiet=Length(median_s=22, log_sd=0.9, least_s=3, most_s=240),
    p_rem=0.21,
    p_long=0.19,
    p_medium=0.25,
    usual_wake=0.675,
    usual_rem=0.08,
    sleep_balance_per_h=1.6,
    rem_balance_per_h=5.0,
)
DUSK = replace(DARK, long=replace(DARK.long, median_s=3000), p_long=0.8, usual_wake=0.92)
SHORT = PhaseTraits(
    nrem=Length(median_s=60, log_sd=0.6, least_s=8, most_s=240),
    rem=Length(median_s=40, log_sd=0.4, least_s=8, most_s=120),
    brief=_BRIEF,
    after_rem=_BRIEF,
    medium=_MEDIUM,
    long=Length(median_s=110, log_sd=0.4, least_s=60, most_s=240),
    active=Length(median_s=18, log_sd=0.6, least_s=3, most_s=90),
    quiet=Length(median_s=18, log_sd=0.6, least_s=3, most_s=90),
    p_rem=0.36,
    p_long=0.22,
    p_medium=0.24,
    usual_wake=0.0,
    usual_rem=0.0,
    sleep_balance_per_h=0.0,
    rem_balance_per_h=0.0,
    rem_latency_s=50.0,
    p_nrem_after_rem=0.15,
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
    sleep_owed_h: float = 0.0
    rem_owed_h: float = 0.0

    def live(self, traits: PhaseTraits, what: State, n_ticks: int) -> None:
        """Keep the account of sleep and of REM; what is owed is forgotten over `MEMORY_H`."""
        hours = n_ticks * TICK_S / 3600
        kept = float(np.exp(-hours / MEMORY_H))
        awake, rem = float(what is State.AWAKE), float(what is State.REM)
        self.sleep_owed_h = self.sleep_owed_h * kept + (awake - traits.usual_wake) * hours
        if what is not State.AWAKE:
            self.rem_owed_h = self.rem_owed_h * kept + (traits.usual_rem - rem) * hours

    def p_rem(self, traits: PhaseTraits) -> float:
        """That REM follows."""
        owed = float(np.exp(traits.rem_balance_per_h * self.rem_owed_h))
        return traits.p_rem * self.rem_bias * owed

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

    def awakening(
        self, traits: PhaseTraits, *, out_of_rem: bool
    ) -> tuple[list[tuple[Substate, int]], bool]:
        """What follows the end of sleep, and whether it ends the sleep episode."""
        kind = self.rng.random()
        rested = float(np.exp(-traits.sleep_balance_per_h * self.sleep_owed_h))
        p_long = traits.p_long * rested
        if kind < p_long:
            return self.wake(traits, traits.long.draw(self.rng, self.wake_scale * rested)), True
        if kind < p_long + traits.p_medium:
            return self.wake(traits, traits.medium.draw(self.rng)), False
        length = traits.after_rem if out_of_rem else traits.brief
        return [(Substate.BRIEF, length.draw(self.rng))], False

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
            if zeitgeber_h < 12:
                return LIGHT
            return DUSK if zeitgeber_h < 12 + DUSK_H else DARK

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
        elif self.rng.random() < (now := traits()).usual_wake:
            length = int(now.long.draw(self.rng, self.wake_scale) * self.rng.random())
            parts = self.wake(now, max(30, length))[1:]
            put(parts)
            self.live(now, State.AWAKE, sum(n for _, n in parts))
        while position < n_ticks:
            now = traits()
            length = now.nrem.draw(self.rng, self.nrem_scale)
            put([(Substate.NREM, length)])
            self.live(now, State.NREM, length)
            slept_s += length
            ready = slept_s >= now.rem_latency_s and length >= 20
            dreams = ready and self.rng.random() < self.p_rem(now)
            if dreams:
                length = now.rem.draw(self.rng, self.rem_scale)
                put([(Substate.REM, length)])
                self.live(now, State.REM, length)
                if self.rng.random() < now.p_nrem_after_rem:
                    continue
            if plan.pace is Pace.ASLEEP:
                continue
            parts, ends_sleep = self.awakening(now, out_of_rem=dreams)
            put(parts)
            self.live(now, State.AWAKE, sum(n for _, n in parts))
            slept_s = 0.0 if ends_sleep else slept_s
        return substate


def simulate_hypnogram(plan: RecordingPlan) -> SimulatedHypnogram:
    """States of a simulated mouse, one a second.

    NREM follows wakefulness, REM follows NREM, and REM ends in an awakening or (10 %; 15 % with
    `Pace.SHORT`) in NREM.
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
