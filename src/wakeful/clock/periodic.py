"""Matching trains in which every interval is like the next: a pulse a frame, a pulse a second.

Numbered, the trains differ by a lag, a whole number. It shows in what both share: the small jitter
of the intervals, whose cross-correlation peaks at the true lag; or, where there is none, in the
ends of the trains, when the counts agree. A step of the device's clock or a new start changes the
lag, so every stretch between irregularities is tested by itself. Where nothing decides, nothing is
matched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from wakeful.clock.matches import Matches, rising
from wakeful.clock.trains import Train
from wakeful.model.clock import ClockParams
from wakeful.model.errors import Unavailable

LEAST_PEAK = 8.0
"""Peak of the cross-correlation, in robust standard deviations, that counts as found."""
LEAST_LEAD = 1.6
"""How much higher than every other peak it must be."""
LEAST_STRETCH = 24
"""Intervals that a stretch needs to be tested by itself."""
STRETCH_PEAK = 4.0
_NEIGHBOURHOOD = 40_000
"""Lags looked at around a known one (22 minutes at 30 frames/s) before all are."""
_LARGEST_TRAIN = 60_000_000
_WEAK = (
    "nothing but the counts tells one pulse from the next: a pulse lost at one end and a frame at "
    "the other would move all times by one period unseen"
)
_MOST_SEARCHES = 400
_MOST_FULL_SEARCHES = 6


@dataclass(frozen=True, eq=False)
class _Print:
    """Deviations of the intervals on the grid of numbers; 0 where an interval is not known."""

    first: int
    values: NDArray[np.float32]

    @classmethod
    def of(cls, train: Train) -> _Print:
        first = int(train.number[0])
        if train.n_numbers > _LARGEST_TRAIN:
            raise Unavailable(
                f"the events span {train.n_numbers:,} periods, more than can be one recording",
                where="clock",
                remedy="check the times of the device and their unit",
            )
        values = np.zeros(train.n_numbers, np.float32)
        number, deviation = train.deviations()
        values[number - first] = deviation
        return cls(first, values)

    def at(self, number: NDArray[np.int64]) -> NDArray[np.float32]:
        """Values at numbers; 0 outside."""
        place = number - self.first
        inside = (place >= 0) & (place < len(self.values))
        found = np.zeros(len(number), np.float32)
        found[inside] = self.values[place[inside]]
        return found


def match_periodic(device: Train, pulses: Train, params: ClockParams, period_s: float) -> Matches:
    """Find which numbered event is which numbered pulse.

    Raises
    ------
    Unavailable
        Nothing tells one pulse from the next.
    """
    if len(device.index) < params.least_pulses or len(pulses.index) < params.least_pulses:
        raise Unavailable(
            f"only {min(len(device.index), len(pulses.index))} regular pulses are left on one side",
            where="clock",
            remedy=f"{params.least_pulses} are needed; check that this is the right line",
        )
    of_device, of_pulses = _Print.of(device), _Print.of(pulses)
    allowed = _allowed(device, pulses, params, period_s)
    lag = _search(of_device, of_pulses, allowed)
    for ours in (device.run, _stretches(device)):
        # Two long stretches at two lags outvote each other: the longest is asked alone.
        if lag is None:
            lag = _search(
                _longest(device, of_device, ours),
                _longest(pulses, of_pulses, pulses.run),
                allowed,
            )
    if lag is not None:
        lags = _lags_of_stretches(device, pulses, of_device, of_pulses, lag)
        return _pair(device, pulses, lags, "jitter", ())
    return _by_ends(device, pulses, params, period_s)


def _allowed(
    device: Train, pulses: Train, params: ClockParams, period_s: float
) -> tuple[int, int] | None:
    """The lags that fit what is known from elsewhere."""
    if params.near_s is None:
        return None
    offset_s = float(pulses.time_s[0] - device.time_s[0])
    base = int(pulses.number[0] - device.number[0])
    reach = params.near_within_s / period_s
    middle = base + (params.near_s - offset_s) / period_s
    return math.ceil(middle - reach - 0.5), math.floor(middle + reach + 0.5)


def _longest(train: Train, print_: _Print, stretch: NDArray[np.int64]) -> _Print:
    """The part of a train that lies in the stretch with the most events."""
    chosen = np.flatnonzero(stretch == np.argmax(np.bincount(stretch)))
    number = train.number[chosen]
    return _Print(int(number[0]), _fill(number, print_.at(number)))


def _search(
    device: _Print, pulses: _Print, allowed: tuple[int, int] | None, *, least: float = LEAST_PEAK
) -> int | None:
    """The lag at which the deviations agree; None where no lag stands out."""
    a, b = device.values, pulses.values
    n = fft.next_fast_len(len(a) + len(b), real=True)
    product = np.conj(fft.rfft(a, n)) * fft.rfft(b, n)
    score = fft.irfft(product, n)
    # Lags -(len(a) - 1) ... len(b) - 1 in order.
    score = np.concatenate([score[n - len(a) + 1 :], score[: len(b)]])
    lags = np.arange(-len(a) + 1, len(b)) + pulses.first - device.first
    if allowed is not None:
        chosen = (lags >= allowed[0]) & (lags <= allowed[1])
        # Too few lags say nothing of their own spread.
        spread = _spread(score)
        lags, score = lags[chosen], score[chosen]
    else:
        spread = _spread(score)
    if len(score) == 0 or spread <= 0:
        return None
    at = int(np.argmax(score))
    others = np.delete(score, at)
    second = float(others.max()) if len(others) else 0.0
    peak = float(score[at])
    if peak < least * spread or peak < LEAST_LEAD * second:
        return None
    return int(lags[at])


def _spread(score: NDArray[np.float32]) -> float:
    """Standard deviation of the scores of wrong lags, from their middle."""
    known = score[np.abs(score) > 0]
    if len(known) < 8:
        return 0.0
    # Long trains: the middle half says it, and a sample of it is enough.
    sample = known[:: max(1, len(known) // 200_000)]
    low, high = np.percentile(sample, [25, 75])
    robust = float(high - low) / 1.349
    # Towards the ends little overlaps and scores shrink; the plain one is never far too small.
    return max(robust, 0.5 * float(sample.std()))


def _stretches(device: Train) -> NDArray[np.int64]:
    """(n_events,) number of the stretch each event lies in: stretches hold no irregularity."""
    irregular = np.diff(device.run) != 0
    if not device.is_counted:
        irregular |= np.diff(device.number) != 1
    numbers: NDArray[np.int64] = np.r_[0, np.cumsum(irregular)].astype(np.int64)
    return numbers


def _lags_of_stretches(
    device: Train, pulses: Train, of_device: _Print, of_pulses: _Print, lag: int
) -> NDArray[np.float64]:
    """(n_events,) lag of each event; NaN where it can't be told."""
    stretch = _split_at_pulse_runs(device, pulses, _stretches(device), lag)
    starts = np.flatnonzero(np.r_[True, np.diff(stretch) != 0])
    length = np.diff(np.r_[starts, len(stretch)])
    own = of_device.at(device.number)
    found = np.full(len(starts), np.nan)
    hopeless = np.zeros(len(starts), np.bool_)
    strength = _test(device, own, of_pulses, starts, lag, found, 0.0)
    searches = full = 0
    while searches < _MOST_SEARCHES:
        open_ = np.isnan(found) & ~hopeless & (length >= LEAST_STRETCH)
        # Stretches without pulses at any known lag say nothing, and need no search.
        if not open_.any():
            break
        target = int(np.argmax(np.where(open_, length, 0)))
        begin, stop = starts[target], starts[target] + length[target]
        part = _Print(
            int(device.number[begin]),
            _fill(device.number[begin:stop], own[begin:stop]),
        )
        neighbour = _nearest_lag(found, target, lag)
        middle = part.first + neighbour
        window = _cut(
            of_pulses, middle - _NEIGHBOURHOOD, middle + len(part.values) + _NEIGHBOURHOOD
        )
        searches += 1
        new = _search(part, window, None, least=6.0) if window is not None else None
        if new is None and full < _MOST_FULL_SEARCHES and length[target] >= 300:
            full += 1
            new = _search(part, of_pulses, None)
        if new is None:
            hopeless[target] = True
            continue
        before = int(np.isnan(found).sum())
        _test(device, own, of_pulses, starts, new, found, strength)
        if int(np.isnan(found).sum()) == before:
            hopeless[target] = True
    _inherit(found, length)
    return np.repeat(found, length)


def _split_at_pulse_runs(
    device: Train, pulses: Train, stretch: NDArray[np.int64], lag: int
) -> NDArray[np.int64]:
    """Stretches end, too, where the pulses lost their beat."""
    changes = pulses.number[1:][np.diff(pulses.run) != 0] - lag
    if len(changes) == 0:
        return stretch
    at = np.searchsorted(device.number, changes)
    extra = np.zeros(len(stretch), np.int64)
    np.add.at(extra, at[at < len(extra)], 1)
    return np.asarray(stretch + np.cumsum(extra), np.int64)


def _fill(number: NDArray[np.int64], values: NDArray[np.float32]) -> NDArray[np.float32]:
    grid = np.zeros(int(number[-1] - number[0]) + 1, np.float32)
    grid[number - number[0]] = values
    return grid


def _cut(print_: _Print, low: int, high: int) -> _Print | None:
    start = max(0, low - print_.first)
    stop = min(len(print_.values), high - print_.first)
    if stop - start < LEAST_STRETCH:
        return None
    return _Print(print_.first + start, print_.values[start:stop])


def _nearest_lag(found: NDArray[np.float64], target: int, default: int) -> int:
    known = np.flatnonzero(np.isfinite(found))
    if len(known) == 0:
        return default
    return int(found[known[np.argmin(np.abs(known - target))]])


def _test(
    device: Train,
    own: NDArray[np.float32],
    of_pulses: _Print,
    starts: NDArray[np.intp],
    lag: int,
    found: NDArray[np.float64],
    strength: float,
) -> float:
    """Give the lag to all open stretches whose deviations agree at it; returns how well they do."""
    theirs = of_pulses.at(device.number + lag)
    both = (own != 0) & (theirs != 0)
    a = np.where(both, own, 0).astype(np.float64)
    b = np.where(both, theirs, 0).astype(np.float64)
    n_both = np.add.reduceat(both.astype(np.int64), starts)
    energy = np.sqrt(np.add.reduceat(a * a, starts) * np.add.reduceat(b * b, starts))
    with np.errstate(invalid="ignore", divide="ignore"):
        agreement = np.where(energy > 0, np.add.reduceat(a * b, starts) / energy, 0.0)
    sure = (n_both >= LEAST_STRETCH) & (agreement * np.sqrt(n_both) > STRETCH_PEAK)
    if strength == 0.0:
        chosen = agreement[sure]
        strength = float(np.average(chosen, weights=n_both[sure])) if len(chosen) else 0.0
    # Part of a stretch may agree by being half right: it must agree as well as the rest does.
    sure &= agreement > 0.5 * strength
    found[np.isnan(found) & sure] = lag
    return strength


def _inherit(found: NDArray[np.float64], length: NDArray[np.intp]) -> None:
    """Stretches too short to be tested take the lag of both their neighbours, if it is one."""
    known = np.flatnonzero(np.isfinite(found))
    if len(known) == 0:
        return
    for at in np.flatnonzero(np.isnan(found)):
        right = int(np.searchsorted(known, at))
        before = found[known[right - 1]] if right > 0 else np.nan
        after = found[known[right]] if right < len(known) else np.nan
        if before == after:
            found[at] = before
        elif length[at] < LEAST_STRETCH and np.isnan(before) != np.isnan(after):
            # At either end of the train: no clock stepped that anybody could know of.
            found[at] = after if np.isnan(before) else before


def _by_ends(device: Train, pulses: Train, params: ClockParams, period_s: float) -> Matches:
    """Match by counts: the same number of periods between the first and the last of each run."""
    ours, theirs = device.run_spans(), pulses.run_spans()
    spans = [stop - start for start, stop in ours], [stop - start for start, stop in theirs]
    weak = (_WEAK,)
    if spans[0] == spans[1]:
        lag_of_run = np.array([g[0] - k[0] for k, g in zip(ours, theirs, strict=True)], np.float64)
        runs = np.unique(device.run, return_inverse=True)[1]
        return _pair(device, pulses, lag_of_run[runs], "counts", weak)
    if pulses.n_numbers == device.n_numbers and len(theirs) == 1:
        # The device counted its frames while its clock was set.
        lag = float(pulses.number[0] - device.number[0])
        return _pair(device, pulses, np.full(len(device.index), lag), "counts", weak)
    if pulses.n_numbers == len(device.index) and len(theirs) == 1:
        # The device's clock jumped, and no frame was lost.
        plain = np.arange(len(device.index)) - device.number
        lags = pulses.number[0] + plain
        return _pair(device, pulses, lags.astype(np.float64), "counts", weak)
    single = len(ours) == 1 and len(theirs) == 1
    base = int(pulses.number[0] - device.number[0])
    if params.first_at_first and single:
        return _pair(device, pulses, np.full(len(device.index), float(base)), "first pulse", ())
    if params.near_s is not None and params.near_within_s < period_s / 2 and single:
        offset_s = float(pulses.time_s[0] - device.time_s[0])
        lag = base + round((params.near_s - offset_s) / period_s)
        return _pair(device, pulses, np.full(len(device.index), float(lag)), "wall clock", ())
    raise Unavailable(
        f"the pulses come every {period_s * 1000:.3g} ms and nothing tells one from the next: the "
        f"device's events span {_list(spans[0])} periods, the pulses {_list(spans[1])}",
        where="clock",
        remedy="give the device's own frame counter or its time stamps as they were taken, sync "
        "pulses at random intervals, or say that the first frame is the first pulse",
    )


def _list(spans: list[int]) -> str:
    shown = " + ".join(f"{n + 1:,}" for n in spans[:4])
    return shown + (" + ..." if len(spans) > 4 else "")


def _pair(
    device: Train,
    pulses: Train,
    lag: NDArray[np.float64],
    evidence: str,
    notes: tuple[str, ...],
) -> Matches:
    """Events and pulses of the same number."""
    known = np.flatnonzero(np.isfinite(lag))
    wanted = device.number[known] + lag[known].astype(np.int64)
    at = np.minimum(np.searchsorted(pulses.number, wanted), len(pulses.number) - 1)
    hit = pulses.number[at] == wanted
    known, at = known[hit], at[hit]
    if len(known) == 0:
        return Matches(
            event=np.empty(0, np.int64), pulse=np.empty(0, np.int64), evidence=evidence, notes=notes
        )
    keep = rising(pulses.index[at])
    return Matches(
        event=device.index[known][keep],
        pulse=pulses.index[at][keep],
        evidence=evidence,
        notes=notes,
    )
