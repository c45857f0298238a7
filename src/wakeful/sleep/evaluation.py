"""How good a scorer is on epochs that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import SCORED, Hypnogram, State
from wakeful.model.errors import BadParameters
from wakeful.sleep.agreement import compute_rates
from wakeful.sleep.calibration import compute_calibration_error

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Score:
    """Agreement with people, over labelled epochs."""

    kappa: float
    """Cohen's kappa."""
    accuracy: float
    f1: dict[str, float]
    """Of each state; NaN where neither side has it."""
    ece: float
    """Expected calibration error."""
    minutes_bias: dict[str, float]
    """Scored over labelled time in each state, less 1; NaN where the labels have none."""
    bouts_bias: float
    """Scored over labelled number of bouts, less 1."""
    n_epochs: int
    n_per_state: dict[str, int]
    """Labelled epochs of each state."""


COVERAGES = (1.0, 0.99, 0.98, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)
"""Shares of the epochs that are kept, where a curve of coverage is made."""


@dataclass(frozen=True, kw_only=True)
class CoveragePoint:
    """Agreement over the epochs that a scorer is surest of."""

    coverage: float
    """Share of the labelled epochs that are kept, 0 to 1."""
    threshold: float
    """Least probability of the most probable state among them."""
    kappa: float
    """Cohen's kappa of the epochs kept; those left out are in no count."""
    accuracy: float
    per_state: dict[str, float]
    """Share of the labelled epochs of each state that is kept; NaN without any. A state that falls
    far below the others is bought out of the result."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Cross-validation: of all parts together, and of each."""

    overall: Score
    parts: tuple[Score, ...]
    """Each held out once: an animal (or more), or blocks of time."""
    held_out: str
    """What each part is."""
    coverage: tuple[CoveragePoint, ...] = ()
    """Of all held-out epochs together, from all of them down to half."""

    @property
    def kappa_range(self) -> tuple[float, float]:
        """Least and greatest kappa of the parts; NaN where no part has one."""
        kappas = [part.kappa for part in self.parts if np.isfinite(part.kappa)]
        return (min(kappas), max(kappas)) if kappas else (float("nan"), float("nan"))


def compute_score(
    truth: NDArray[np.integer],
    state: NDArray[np.integer],
    posterior: Values,
    breaks: Mask,
    states: Sequence[str],
) -> Score:
    """Compare states with labels.

    Parameters
    ----------
    truth : (n_epochs,) numbers of states; below 0 where unlabelled
    state : (n_epochs,) numbers of states; below 0 (unclassified) counts as an error
    posterior : (n_epochs, n_states)
    breaks : (n_epochs,) True where a stretch begins; a bout ends there on both sides
    """
    known = truth >= 0
    n_states = len(states)
    t, s = truth[known], state[known]
    # One label more, for what the scorer left unclassified; people who did are not asked.
    confusion = np.zeros((n_states + 1, n_states + 1), np.int64)
    np.add.at(confusion, (t, np.where(s >= 0, s, n_states)), 1)
    rates = compute_rates(confusion, abstained=n_states)
    of_truth, of_scored = confusion.sum(axis=1), confusion.sum(axis=0)
    bias = {
        name: float(of_scored[i] / of_truth[i] - 1) if of_truth[i] else float("nan")
        for i, name in enumerate(states)
    }
    labelled, scored = count_bouts(truth, known, breaks), count_bouts(state, known, breaks)
    return Score(
        kappa=rates.kappa,
        accuracy=rates.accuracy,
        f1=dict(zip(states, rates.f1.tolist(), strict=False)),
        ece=compute_calibration_error(posterior[known], t),
        minutes_bias=bias,
        bouts_bias=scored / labelled - 1 if labelled else float("nan"),
        n_epochs=len(t),
        n_per_state={name: int(of_truth[i]) for i, name in enumerate(states)},
    )


def compute_coverage(
    truth: NDArray[np.integer],
    state: NDArray[np.integer],
    posterior: Values,
    states: Sequence[str],
    coverages: Sequence[float] = COVERAGES,
) -> tuple[CoveragePoint, ...]:
    """How kappa grows as the least sure epochs are left out, and of which state those are.

    Epochs are ranked by their greatest probability; those as sure as the last one kept are kept
    with it, so that no order of equal ones decides.

    Parameters
    ----------
    truth : (n_epochs,) numbers of states; below 0 where unlabelled
    state : (n_epochs,) numbers of states; below 0 (unclassified) is never kept
    posterior : (n_epochs, n_states)
    coverages : shares of the labelled epochs to keep, above 0 to 1

    Raises
    ------
    BadParameters
        A coverage is not above 0 and at most 1.
    """
    if not all(0 < share <= 1 for share in coverages):
        raise BadParameters(
            f"coverages {', '.join(f'{share:g}' for share in coverages)}",
            where="compute_coverage",
            remedy="give shares above 0, at most 1",
        )
    known = truth >= 0
    t, s = truth[known], state[known]
    sure = np.where(s >= 0, np.nan_to_num(posterior[known]).max(axis=1), -1.0)
    ranked = np.sort(sure)[::-1]
    of_truth = np.bincount(t, minlength=len(states))
    points = []
    for share in coverages:
        if not len(t):
            break
        threshold = float(max(ranked[int(np.ceil(share * len(t) - 1e-9)) - 1], 0.0))
        kept = sure >= threshold
        confusion = np.zeros((len(states) + 1,) * 2, np.int64)
        np.add.at(confusion, (t[kept], s[kept]), 1)
        rates = compute_rates(confusion, abstained=len(states))
        of_kept = np.bincount(t[kept], minlength=len(states))
        points.append(
            CoveragePoint(
                coverage=float(kept.mean()),
                threshold=threshold,
                kappa=rates.kappa,
                accuracy=rates.accuracy,
                per_state={
                    name: float(of_kept[i] / of_truth[i]) if of_truth[i] else float("nan")
                    for i, name in enumerate(states)
                },
            )
        )
    return tuple(points)


def compute_hypnogram_coverage(
    reference: Hypnogram, scored: Hypnogram, coverages: Sequence[float] = COVERAGES
) -> tuple[CoveragePoint, ...]:
    """The same of a hypnogram with probabilities, against another one of the same session.

    Epochs that only one has, and those unclassified in the reference, are not asked for.

    Raises
    ------
    BadParameters
        Epochs are of other lengths, share no start, or `scored` has no probabilities.
    """
    if abs(reference.epoch_s - scored.epoch_s) > 1e-6:
        raise BadParameters(
            f"epochs of {reference.epoch_s:g} s and {scored.epoch_s:g} s",
            where="compute_hypnogram_coverage",
            remedy="bring both to one epoch length: wakeful scores convert --epoch",
        )
    if not np.isfinite(scored.probability).any():
        raise BadParameters(
            f"the hypnogram of {scored.scorer} has no probabilities",
            where="compute_hypnogram_coverage",
            remedy="give one by a scorer that says how sure it is",
        )
    mine_n, its_n = (np.rint(h.start_s / h.epoch_s).astype(np.int64) for h in (reference, scored))
    _, mine, its = np.intersect1d(mine_n, its_n, return_indices=True)
    labels = np.full(max(State) + 1, -1)
    labels[list(SCORED)] = range(len(SCORED))
    truth, state = labels[reference.state[mine]], labels[scored.state[its]]
    has_data = scored.state[its] != State.NO_DATA
    if not (has_data & (truth >= 0)).any():
        raise BadParameters(
            "no epoch has a state in both hypnograms",
            where="compute_hypnogram_coverage",
            remedy="give hypnograms of one session, on one clock",
        )
    return compute_coverage(
        np.where(has_data, truth, -1),
        state,
        scored.probability[its].astype(np.float64),
        [s.label for s in SCORED],
        coverages,
    )


def count_bouts(state: NDArray[np.integer], known: Mask, breaks: Mask) -> int:
    """Runs of one state within stretches of labelled epochs.

    An unclassified epoch (below 0) is no bout and ends none: awake, unclassified, awake is one.
    """
    begins = breaks.copy()
    begins[1:] |= known[1:] != known[:-1]
    rows = known & (state >= 0)
    here, stretch = state[rows], np.cumsum(begins)[rows]
    if here.size == 0:
        return 0
    return 1 + int(((here[1:] != here[:-1]) | (stretch[1:] != stretch[:-1])).sum())
