"""Matching trains whose intervals differ: sync pulses at random times, events, key presses.

Some forty of the device's events are laid over the recording's pulses at every shift there is; at
the true one most of them fall on a pulse (voting among all pairwise differences). From there both
trains are followed event by event, the shift following the drift, until pulses fail to come; then
the place is looked for anew, first near where it was. So clocks that step, lost and extra pulses,
gaps and new starts cost the events around them and no more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wakeful.clock.matches import Matches, rising
from wakeful.model.clock import ClockParams
from wakeful.model.errors import Unavailable

Floats = NDArray[np.float64]

WINDOW = 40
"""Events laid over the pulses to find the place."""
LEAST_WINDOW = 12
LEAST_VOTES = 0.5
"""Share of a window's events that must fall on a pulse."""
LEAST_LEAD = 1.5
"""How many times the votes of every other shift the best must have."""
_NEARBY_S = 900.0
_FULL_TRIES = 24
_LOCAL_TRIES = 400
_THIN, _THIN_HITS = 8, 5
"""At the ends of a track so many of so many events must have their pulse."""
_MISSES = 8
"""Events in a row without their pulse after which the place is looked for anew."""
_GAIN = 0.3
"""How much of an error the shift takes over: follows drift, averages coarse stamps."""
_MOST_DIFFERENCES = 30_000_000


@dataclass(frozen=True, slots=True)
class _Place:
    event: int
    shift_s: float


def match_irregular(device_s: Floats, pulses_s: Floats, params: ClockParams) -> Matches:
    """Find which event is which pulse.

    Parameters
    ----------
    device_s : (n_events,) in the device's order
    pulses_s : (n_pulses,) rising

    Raises
    ------
    Unavailable
        No stretch of the events is found among the pulses, or several places fit as well.
    """
    tolerance_s = params.tolerance_s + params.resolution_s
    search = _Search(device_s, pulses_s, tolerance_s, params)
    pulse_of = np.full(len(device_s), -1, np.int64)
    search.cover(0, len(device_s), pulse_of)
    event = np.flatnonzero(pulse_of >= 0)
    if len(event) == 0:
        raise Unavailable(
            f"no stretch of the device's {len(device_s):,} events is found among the "
            f"{len(pulses_s):,} pulses" + (" beyond doubt" if search.doubtful else ""),
            where="clock",
            remedy="check that this is the right line and that device and recording ran together",
        )
    keep = rising(pulse_of[event])
    return Matches(event=event[keep], pulse=pulse_of[event][keep], evidence="intervals")


class _Search:
    """Places one train along the other."""

    def __init__(
        self, device_s: Floats, pulses_s: Floats, tolerance_s: float, params: ClockParams
    ) -> None:
        self.device_s, self.pulses_s = device_s, pulses_s
        self.tolerance_s = tolerance_s
        self.near = None if params.near_s is None else (params.near_s, params.near_within_s)
        self.window = max(LEAST_WINDOW, min(WINDOW, len(device_s)))
        self.full_tries = _FULL_TRIES
        self.local_tries = _LOCAL_TRIES
        self.doubtful = False

    def cover(self, start: int, stop: int, pulse_of: NDArray[np.int64]) -> None:
        """Match what can be matched of the events from `start` to `stop`."""
        open_ = [(start, stop)]
        while open_:
            begin, end = open_.pop()
            if end - begin < LEAST_WINDOW:
                continue
            place = self._place(begin, end, pulse_of)
            if place is None:
                continue
            trial = np.full(end - begin, -1, np.int64)
            last = follow(
                self.device_s, self.pulses_s, place.event, end, 1, place.shift_s,
                self.tolerance_s, _MISSES, begin, trial,
            )  # fmt: skip
            first = follow(
                self.device_s, self.pulses_s, place.event - 1, begin - 1, -1, place.shift_s,
                self.tolerance_s, _MISSES, begin, trial,
            )  # fmt: skip
            first = min(first, place.event)
            last = max(last, place.event)
            first, last = _sure_stretch(trial, begin, first, last)
            hit = np.arange(first, last + 1)
            hit = hit[trial[hit - begin] >= 0]
            pulse_of[hit] = trial[hit - begin]
            open_ += [(begin, max(begin, first)), (min(end, last + 1), end)]

    def _place(self, begin: int, end: int, pulse_of: NDArray[np.int64]) -> _Place | None:
        for at in _spread_out(begin, max(begin, end - self.window), 12):
            stop = min(end, at + self.window)
            shift_s = self._nearest_shift(at, pulse_of)
            if shift_s is not None and self.local_tries > 0:
                self.local_tries -= 1
                found = self._vote(at, stop, shift_s, _NEARBY_S)
                if found is not None:
                    return found
            if self.full_tries > 0:
                self.full_tries -= 1
                shift_s, within_s = self.near if self.near is not None else (None, np.inf)
                found = self._vote(at, stop, shift_s, within_s)
                if found is not None:
                    return found
        return None

    def _nearest_shift(self, at: int, pulse_of: NDArray[np.int64]) -> float | None:
        """The shift of the matched event before this one (or after it)."""
        known = np.flatnonzero(pulse_of >= 0)
        if len(known) == 0:
            return None
        place = int(np.searchsorted(known, at))
        event = int(known[max(0, place - 1)])
        return float(self.pulses_s[pulse_of[event]] - self.device_s[event])

    def _vote(self, at: int, stop: int, shift_s: float | None, within_s: float) -> _Place | None:
        """The shift at which most of the window's events have a pulse, if it stands alone."""
        own = self.device_s[at:stop]
        if len(own) < LEAST_WINDOW or np.any(np.diff(own) < 0):
            own = own[: 1 + int(np.argmax(np.r_[np.diff(own) < 0, True]))]
            if len(own) < LEAST_WINDOW:
                return None
        differences, owner = [], []
        for number, time_s in enumerate(own):
            if shift_s is None:
                low, high = 0, len(self.pulses_s)
            else:
                low, high = np.searchsorted(
                    self.pulses_s, [time_s + shift_s - within_s, time_s + shift_s + within_s]
                )
            differences.append(self.pulses_s[low:high] - time_s)
            owner.append(np.full(high - low, number, np.int64))
        shifts = np.concatenate(differences)
        if len(shifts) == 0 or len(shifts) > _MOST_DIFFERENCES:
            return None
        order = np.argsort(shifts)
        shifts, owners = shifts[order], np.concatenate(owner)[order]
        votes = count_votes(shifts, owners, len(own), 2 * self.tolerance_s)
        best = int(np.argmax(votes))
        inside = shifts[best:] <= shifts[best] + 2 * self.tolerance_s
        middle_s = float(np.median(shifts[best:][: int(inside.sum())]))
        far = np.abs(shifts - middle_s) > 4 * self.tolerance_s
        second = int(votes[far].max()) if far.any() else 0
        if votes[best] < max(8, LEAST_VOTES * len(own)):
            return None
        if votes[best] < LEAST_LEAD * second:
            self.doubtful = True
            return None
        return _Place(at, middle_s)


def _sure_stretch(trial: NDArray[np.int64], begin: int, first: int, last: int) -> tuple[int, int]:
    """First and last event of a track without ends where finds are thin, and may be chance."""
    hits = np.convolve(trial[first - begin : last + 1 - begin] >= 0, np.ones(_THIN), "valid")
    dense = np.flatnonzero(hits >= _THIN_HITS)
    if len(dense) == 0:
        return first, last
    return first + int(dense[0]), first + int(dense[-1]) + _THIN - 1


def _spread_out(low: int, high: int, n: int) -> list[int]:
    """Places from low to high: the first, then halves, quarters, ... (van der Corput)."""
    if high <= low:
        return [low]
    places = [low]
    for number in range(1, n):
        value, base = 0.0, 0.5
        while number:
            value += base * (number & 1)
            number >>= 1
            base /= 2
        places.append(low + int(value * (high - low)))
    return list(dict.fromkeys(places))


@njit(cache=True, nogil=True)
def count_votes(
    shifts: Floats, owners: NDArray[np.int64], n_owners: int, wide_s: float
) -> NDArray[np.int64]:  # pragma: no cover - compiled
    """For each shift how many different events have one within `wide_s` from it upwards.

    Parameters
    ----------
    shifts : (n,) rising
    owners : (n,) which event each belongs to
    """
    votes = np.zeros(shifts.size, np.int64)
    inside = np.zeros(n_owners, np.int64)
    different = 0
    stop = 0
    for start in range(shifts.size):
        while stop < shifts.size and shifts[stop] <= shifts[start] + wide_s:
            if inside[owners[stop]] == 0:
                different += 1
            inside[owners[stop]] += 1
            stop += 1
        votes[start] = different
        inside[owners[start]] -= 1
        if inside[owners[start]] == 0:
            different -= 1
    return votes


@njit(cache=True, nogil=True)
def follow(
    device_s: Floats,
    pulses_s: Floats,
    begin: int,
    end: int,
    step: int,
    shift_s: float,
    tolerance_s: float,
    most_misses: int,
    base: int,
    out: NDArray[np.int64],
) -> int:  # pragma: no cover - compiled
    """Match events one by one from a known place on, forwards (step 1) or backwards (-1).

    Parameters
    ----------
    begin, end : the first event looked at, and the one to stop before
    shift_s : session time minus device time there
    base : the event that `out` begins with
    out : (n,) pulse of each event; filled where one is found

    Returns
    -------
    The last event that was matched; `begin` - `step` where none was
    """
    last = begin - step
    misses = 0
    used = -1 if step > 0 else pulses_s.size
    i = begin
    while i != end:
        expected = device_s[i] + shift_s
        j = np.searchsorted(pulses_s, expected)
        best = -1
        error = tolerance_s
        for candidate in (j - 1, j):
            if candidate < 0 or candidate >= pulses_s.size:
                continue
            if step > 0 and candidate <= used:
                continue
            if step < 0 and candidate >= used:
                continue
            off = abs(pulses_s[candidate] - expected)
            if off <= error:
                best = candidate
                error = off
        if best >= 0:
            out[i - base] = best
            used = best
            shift_s += _GAIN * (pulses_s[best] - expected)
            last = i
            misses = 0
        else:
            misses += 1
            if misses > most_misses:
                break
        i += step
    return last
