"""How good a scorer is on epochs that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Cross-validation: of all parts together, and of each."""

    overall: Score
    parts: tuple[Score, ...]
    """Each held out once: an animal (or more), or blocks of time."""
    held_out: str
    """What each part is."""

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
