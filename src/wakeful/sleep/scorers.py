"""Several scorers of the same recording: pairs, consensus, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import SCORED, Hypnogram, State
from wakeful.model.errors import BadParameters, Unavailable
from wakeful.sleep.agreement import LABELS, Agreement, compute_agreement

NEAR_EPOCHS = 1
"""A disagreement counts as beside a transition where it is the epoch before or after one."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Pair:
    """Two scorers; the first is the reference."""

    first: str
    second: str
    agreement: Agreement
    n_disagreements: int
    near_transition: float
    """Share of the disagreements that lie beside a transition of the first; NaN without any."""
    all_near_transition: float
    """The same share of all epochs compared: what chance would give."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Consensus:
    """What most scorers said, and how well each agrees with it; of three scorers and more."""

    state: NDArray[np.int8]
    """(n_epochs,) the state that more than half of the scorers gave; else unclassified; no data
    where one of them has none."""
    agreements: tuple[Agreement, ...]
    """Of each scorer with the consensus, as reference, in the order of the scorers."""
    fleiss_kappa: float
    """Over the epochs that every scorer put into awake, NREM or REM."""
    n_epochs: int
    """How many those are."""
    unanimous: float
    """Share of them in which all scorers agree."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """Scorers of one recording."""

    subject: str
    names: tuple[str, ...]
    epoch_s: float
    start_s: NDArray[np.float64]
    """(n_epochs,) every epoch that one of them has."""
    states: NDArray[np.int8]
    """(n_scorers, n_epochs)"""
    pairs: tuple[Pair, ...]
    """Every two scorers, in the order of the names."""
    minutes: NDArray[np.float64]
    """(n_scorers, 4) in each state of `LABELS`, over the epochs for which all have data."""
    n_bouts: NDArray[np.int64]
    """(n_scorers, 4) runs of each state over the same epochs; a hole ends a run."""
    consensus: Consensus | None
    """None of two scorers."""


@dataclass(frozen=True, kw_only=True)
class BlandAltman:
    """Difference of two ways to measure one quantity (Bland and Altman 1986, Lancet 327:307)."""

    bias: float
    """Mean of second minus first."""
    sd: float
    """Standard deviation of the differences; NaN of fewer than two."""
    lower: float
    """Bias less 1.96 standard deviations."""
    upper: float
    n: int


def compare_scorers(
    hypnograms: Mapping[str, Hypnogram], subject: str = "", near_epochs: int = NEAR_EPOCHS
) -> Comparison:
    """Compare hypnograms of one recording, whose epochs are of one length.

    Parameters
    ----------
    hypnograms : name of the scorer -> hypnogram; the smoothed states are compared
    near_epochs : how many epochs on either side of a transition count as beside it

    Raises
    ------
    BadParameters
        Fewer than two scorers, or epochs of different lengths or places.
    Unavailable
        Two of them have no epoch in common.
    """
    if len(hypnograms) < 2:
        raise BadParameters(
            f"{len(hypnograms)} scorer", where="compare_scorers", remedy="give two or more"
        )
    names = tuple(hypnograms)
    epoch_s, start_s, states = _align(hypnograms)
    pairs = []
    for i, j in combinations(range(len(names)), 2):
        try:
            agreement = compute_agreement(states[i], states[j])
        except Unavailable as error:
            raise Unavailable(
                f"{names[i]} and {names[j]} have no epoch in common",
                where=subject,
                remedy="do both begin at the same time? see --offset and --start",
            ) from error
        pairs.append(
            _pair(names[i], names[j], agreement, start_s, states[[i, j]], epoch_s, near_epochs)
        )
    shared = (states != State.NO_DATA).all(axis=0)
    common = np.where(shared, states, np.int8(State.NO_DATA))
    minutes = np.stack([(common == s).sum(axis=1) for s in LABELS], axis=1) * epoch_s / 60
    n_bouts = np.stack([_count_bouts(row, start_s, epoch_s) for row in common])
    return Comparison(
        subject=subject,
        names=names,
        epoch_s=epoch_s,
        start_s=start_s,
        states=states,
        pairs=tuple(pairs),
        minutes=minutes,
        n_bouts=n_bouts,
        consensus=compute_consensus(states) if len(names) > 2 else None,
    )


def compute_consensus(states: NDArray[np.int8]) -> Consensus:
    """Majority of three scorers and more, and their kappa together.

    Parameters
    ----------
    states : (n_scorers, n_epochs) values of `State`

    Raises
    ------
    Unavailable
        They share no epoch, or none that all of them classified.
    """
    votes = np.stack([(states == s).sum(axis=0) for s in SCORED])
    most = votes.argmax(axis=0)
    state = np.array(SCORED, np.int8)[most]
    state[2 * votes.max(axis=0) <= len(states)] = State.UNCLASSIFIED
    state[(states == State.NO_DATA).any(axis=0)] = State.NO_DATA
    classified = votes.sum(axis=0) == len(states)
    return Consensus(
        state=state,
        agreements=tuple(compute_agreement(state, row) for row in states),
        fleiss_kappa=compute_fleiss_kappa(votes[:, classified].T),
        n_epochs=int(classified.sum()),
        unanimous=float((votes[:, classified].max(axis=0) == len(states)).mean()),
    )


def compute_fleiss_kappa(counts: NDArray[np.integer]) -> float:
    """Agreement of many raters beyond chance (Fleiss 1971, Psychol Bull 76:378).

    Parameters
    ----------
    counts : (n_subjects, n_categories) how many raters chose each category; every row has the same
        sum

    Returns
    -------
    Kappa; NaN where all raters chose one and the same category throughout.

    Raises
    ------
    BadParameters
        Rows have different sums, or sums below two.
    Unavailable
        There is no row.
    """
    if counts.ndim != 2 or len(counts) == 0:
        raise Unavailable(
            "no epoch was classified by every scorer",
            where="Fleiss' kappa",
            remedy="compare scorers of the same stretch of time",
        )
    raters = counts.sum(axis=1)
    n = int(raters[0])
    if n < 2 or (raters != n).any():
        raise BadParameters(
            f"rows have {raters.min()} to {raters.max()} raters",
            where="compute_fleiss_kappa",
            remedy="every subject must be rated by the same number of raters, two or more",
        )
    values = counts.astype(np.float64)
    observed = ((values**2).sum(axis=1) - n).mean() / (n * (n - 1))
    expected = ((values.sum(axis=0) / values.sum()) ** 2).sum()
    return float((observed - expected) / (1 - expected)) if expected < 1 else float("nan")


def compute_bland_altman(first: NDArray[np.floating], second: NDArray[np.floating]) -> BlandAltman:
    """Bias and limits of agreement of paired measurements; pairs with a NaN are left out.

    Raises
    ------
    Unavailable
        No pair is left.
    """
    difference = (second - first)[np.isfinite(first) & np.isfinite(second)]
    if len(difference) == 0:
        raise Unavailable(
            "nothing was measured on both sides", where="Bland-Altman", remedy="give pairs"
        )
    bias = float(difference.mean())
    sd = float(difference.std(ddof=1)) if len(difference) > 1 else float("nan")
    return BlandAltman(
        bias=bias, sd=sd, lower=bias - 1.96 * sd, upper=bias + 1.96 * sd, n=len(difference)
    )


def minutes_per_hour(comparison: Comparison) -> NDArray[np.float64]:
    """Minutes in each state and whole hour of the session, for Bland-Altman plots.

    Returns
    -------
    (n_scorers, n_hours, 4), states as in `LABELS`; NaN in hours in which a scorer misses an epoch
    """
    start_s, epoch_s = comparison.start_s, comparison.epoch_s
    hour = np.floor((start_s + 1e-6) / 3600).astype(np.int64)
    first, n_hours = int(hour[0]), int(hour[-1] - hour[0]) + 1
    shared = (comparison.states != State.NO_DATA).all(axis=0)
    full = np.bincount(hour[shared] - first, minlength=n_hours) >= 3600 / epoch_s - 0.5
    counts = np.stack(
        [
            [np.bincount(hour[shared & (row == s)] - first, minlength=n_hours) for s in LABELS]
            for row in comparison.states
        ]
    )
    minutes = np.moveaxis(counts, 1, 2) * epoch_s / 60
    return np.where(full[None, :, None], minutes, np.nan)


def beside_transitions(
    state: NDArray[np.int8], start_s: NDArray[np.float64], epoch_s: float, near_epochs: int
) -> NDArray[np.bool_]:
    """(n_epochs,) which epochs lie within `near_epochs` of a change of state.

    The epoch before a change and the one after it are both at a distance of one. A hole is no
    change.
    """
    beside = np.zeros(len(state), np.bool_)
    touches = np.abs(np.diff(start_s) - epoch_s) < 1e-3
    known = (state[:-1] != State.NO_DATA) & (state[1:] != State.NO_DATA)
    for at in np.flatnonzero(touches & known & (np.diff(state) != 0)) + 1:
        beside[max(0, at - near_epochs) : at + near_epochs] = True
    return beside


def _align(
    hypnograms: Mapping[str, Hypnogram],
) -> tuple[float, NDArray[np.float64], NDArray[np.int8]]:
    """Epoch length, starts, and states with no data where a scorer has no row."""
    lengths = {name: h.epoch_s for name, h in hypnograms.items()}
    epoch_s = next(iter(lengths.values()))
    if any(abs(length - epoch_s) > 1e-6 for length in lengths.values()):
        listed = ", ".join(f"{name} {length:g} s" for name, length in lengths.items())
        raise BadParameters(
            f"epochs are of different lengths: {listed}",
            where="compare_scorers",
            remedy="bring them to one length first (--resample)",
        )
    numbers: list[NDArray[np.int64]] = []
    for name, hypnogram in hypnograms.items():
        number = np.rint(hypnogram.start_s / epoch_s).astype(np.int64)
        if len(number) and np.abs(number * epoch_s - hypnogram.start_s).max() > 1e-3:
            raise BadParameters(
                f"the epochs of {name} are not counted from the session's start",
                where="compare_scorers",
                remedy="bring them onto the session's grid first (resample_hypnogram)",
            )
        numbers.append(number)
    every = np.unique(np.concatenate(numbers))
    states = np.full((len(hypnograms), len(every)), State.NO_DATA, np.int8)
    for row, number, hypnogram in zip(states, numbers, hypnograms.values(), strict=True):
        row[np.searchsorted(every, number)] = hypnogram.state
    return epoch_s, every.astype(np.float64) * epoch_s, states


def _pair(
    first: str,
    second: str,
    agreement: Agreement,
    start_s: NDArray[np.float64],
    states: NDArray[np.int8],
    epoch_s: float,
    near_epochs: int,
) -> Pair:
    both = (states != State.NO_DATA).all(axis=0)
    differ = both & ((states[0] != states[1]) | (states[0] == State.UNCLASSIFIED))
    beside = beside_transitions(states[0], start_s, epoch_s, near_epochs)
    n_differ = int(differ.sum())
    return Pair(
        first=first,
        second=second,
        agreement=agreement,
        n_disagreements=n_differ,
        near_transition=float(beside[differ].mean()) if n_differ else float("nan"),
        all_near_transition=float(beside[both].mean()),
    )


def _count_bouts(
    state: NDArray[np.int8], start_s: NDArray[np.float64], epoch_s: float
) -> NDArray[np.int64]:
    begins = np.r_[True, (np.diff(state) != 0) | (np.abs(np.diff(start_s) - epoch_s) > 1e-3)]
    return np.array([np.sum(begins & (state == s)) for s in LABELS], np.int64)


def differences_of(
    comparisons: Sequence[Comparison], first: str, second: str
) -> dict[str, dict[State, BlandAltman]]:
    """Bland-Altman of state minutes between two scorers: per animal, and per hour.

    Hours of one animal are not independent: their limits tell how far apart two scorings of an
    hour lie, no more. Animals scored by both alone are taken.

    Returns
    -------
    "animal" and "hour" -> state -> bias and limits, minutes; without "hour" where no hour is whole

    Raises
    ------
    Unavailable
        No animal was scored by both.
    """
    at = _scored_by_both(comparisons, first, second)
    animals = np.stack([[c.minutes[i], c.minutes[j]] for c, i, j in at])
    hours = np.concatenate([minutes_per_hour(c)[[i, j]] for c, i, j in at], axis=1)
    found: dict[str, dict[State, BlandAltman]] = {}
    for unit, a, b in (("animal", animals[:, 0], animals[:, 1]), ("hour", hours[0], hours[1])):
        if np.isfinite(a).any():
            found[unit] = {s: compute_bland_altman(a[:, s], b[:, s]) for s in LABELS}
    return found


def bout_differences_of(
    comparisons: Sequence[Comparison], first: str, second: str
) -> dict[State, BlandAltman]:
    """Bland-Altman of the number of bouts between two scorers, over animals.

    Returns
    -------
    State -> bias and limits, bouts

    Raises
    ------
    Unavailable
        No animal was scored by both.
    """
    at = _scored_by_both(comparisons, first, second)
    counts = np.array([[c.n_bouts[i], c.n_bouts[j]] for c, i, j in at], np.float64)
    return {s: compute_bland_altman(counts[:, 0, s], counts[:, 1, s]) for s in LABELS}


def _scored_by_both(
    comparisons: Sequence[Comparison], first: str, second: str
) -> list[tuple[Comparison, int, int]]:
    """Animals that both scored, and which scorers of theirs the two are."""
    both = [c for c in comparisons if {first, second} <= set(c.names)]
    if not both:
        raise Unavailable(
            f"no animal was scored by {first} and by {second}",
            where="Bland-Altman",
            remedy="give files of both for one animal at least",
        )
    return [(c, c.names.index(first), c.names.index(second)) for c in both]


def pairs_of_scorers(comparisons: Sequence[Comparison]) -> tuple[tuple[str, str], ...]:
    """Every two scorers that share an animal, in the order in which they come."""
    return tuple(dict.fromkeys((p.first, p.second) for c in comparisons for p in c.pairs))
