"""How good a scorer becomes with few labels, tried on labels that there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.errors import BadParameters, Unavailable
from wakeful.sleep.evaluation import Score, compute_score
from wakeful.sleep.feature_table import FeatureTable, Labels
from wakeful.sleep.trained import UNCLASSIFIED
from wakeful.sleep.training import LEAST_EPOCHS, TrainParams, train_scorer

Rows = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class CurveParams:
    """Which labels are taken, and how often."""

    minutes: tuple[float, ...] = (10.0, 30.0, 60.0, 120.0)
    n_draws: int = 8
    stretch_min: float = 5.0
    """A person is taken to score so much in one go, here and there in the recording."""
    margin_s: float = 60.0
    """Epochs so near to a label that was taken are not compared: neighbours are alike."""
    seed: int = 1

    def __post_init__(self) -> None:
        problems = []
        if not self.minutes or min(self.minutes) <= 0:
            problems.append("minutes must be above 0")
        if self.n_draws < 1:
            problems.append("n_draws must be 1 or more")
        if self.stretch_min <= 0 or self.margin_s < 0:
            problems.append("stretch_min must be above 0, margin_s not negative")
        if problems:
            raise BadParameters("; ".join(problems), where="curve", remedy="correct them")


@dataclass(frozen=True, kw_only=True)
class Draw:
    """A scorer from labels that were drawn, held against the labels it did not see."""

    score: Score | None
    """None where nothing could be learned."""
    unlearned: tuple[str, ...]
    """States of which the draw held too few epochs: they are never scored, and count as errors."""
    reason: str = ""
    """Why there is no score; "" where there is."""


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """All draws of as many minutes."""

    minutes: float
    draws: tuple[Draw, ...]
    reason: str = ""
    """Why nothing was drawn; "" where it was."""

    @property
    def scores(self) -> tuple[Score, ...]:
        """Of the draws that a scorer could be learned from."""
        return tuple(draw.score for draw in self.draws if draw.score is not None)

    def n_unlearned(self, state: str) -> int:
        """Draws that held too few epochs of a state, those that nothing was learned from too."""
        return sum(state in draw.unlearned for draw in self.draws)


@dataclass(frozen=True, kw_only=True)
class LabelCurve:
    """Agreement against minutes of labels, and what all labels give."""

    states: tuple[str, ...]
    points: tuple[CurvePoint, ...]
    params: CurveParams
    all_minutes: float
    """Minutes of all labels there are."""
    all_labels: Score
    """Of all labels, cross-validated."""


def compute_label_curve(
    table: FeatureTable,
    labels: Labels,
    all_labels: Score,
    train: TrainParams,
    params: CurveParams | None = None,
    told: Callable[[float], None] | None = None,
) -> LabelCurve:
    """Train on a few minutes of labels, drawn again and again, and score the rest.

    Each draw takes whole stretches at random places, without overlap; whatever was not drawn, but
    for a margin, is scored and compared. Features of the whole table are known to each scorer, as
    they are to a lab that labels a part of its recording.

    Parameters
    ----------
    all_labels : what cross-validation on all labels gave
    told : called with the share of the work that is done
    """
    params = params or CurveParams()
    rng = np.random.default_rng(params.seed)
    known = np.flatnonzero(labels.known & ~table.missing)
    points = []
    n_all = len(params.minutes) * params.n_draws
    for number, minutes in enumerate(params.minutes):
        n_epochs = round(minutes * 60 / table.epoch_s)
        draws: list[Draw] = []
        reason = ""
        if 2 * n_epochs > len(known):
            reason = "fewer than twice as many labels: nothing would be left to compare with"
        else:
            for _ in range(params.n_draws):
                chosen = draw_stretches(table, known, n_epochs, params.stretch_min, rng)
                draws.append(_learn(table, labels, chosen, train, params))
                if told is not None:
                    told((number * params.n_draws + len(draws)) / n_all)
        points.append(CurvePoint(minutes=minutes, draws=tuple(draws), reason=reason))
    return LabelCurve(
        states=labels.states,
        points=tuple(points),
        params=params,
        all_minutes=len(known) * table.epoch_s / 60,
        all_labels=all_labels,
    )


def draw_stretches(
    table: FeatureTable,
    known: Rows,
    n_epochs: int,
    stretch_min: float,
    rng: np.random.Generator,
) -> Rows:
    """Labelled epochs in whole stretches at random places, in order.

    Parameters
    ----------
    known : rows that may be drawn, in order
    n_epochs : how many are drawn; the last stretch is cut short
    """
    length = min(n_epochs, max(1, round(stretch_min * 60 / table.epoch_s)))
    # Borders shift from draw to draw, and none runs across a hole.
    piece = (np.arange(len(known)) + int(rng.integers(length))) // length
    stretch = np.cumsum(table.breaks)[known]
    border = np.r_[True, (np.diff(piece) != 0) | (np.diff(stretch) != 0)]
    pieces = np.split(known, np.flatnonzero(border)[1:])
    chosen: list[Rows] = []
    left = n_epochs
    for i in rng.permutation(len(pieces)):
        if left <= 0:
            break
        chosen.append(pieces[i][:left])
        left -= len(chosen[-1])
    return np.sort(np.concatenate(chosen))


def _learn(
    table: FeatureTable, labels: Labels, chosen: Rows, train: TrainParams, params: CurveParams
) -> Draw:
    n_states = len(labels.states)
    few = np.full(table.n_epochs, -1, np.int64)
    few[chosen] = labels.state[chosen]
    scarce = np.bincount(few[chosen], minlength=n_states) < LEAST_EPOCHS
    # A state that the draw hardly holds is not learned, and costs what it would cost a lab.
    few[np.isin(few, np.flatnonzero(scarce))] = -1
    present = np.flatnonzero(~scarce)
    unlearned = tuple(name for name, none in zip(labels.states, scarce, strict=True) if none)
    number = np.full(n_states + 1, -1)
    number[present] = np.arange(len(present))
    small = Labels(states=tuple(labels.states[i] for i in present), state=number[few])
    try:
        scorer = train_scorer(table, small, train).scorer
    except (BadParameters, Unavailable) as error:
        return Draw(score=None, unlearned=unlearned, reason=error.what)
    scored = scorer.score(table, anyway=True)
    back = np.r_[present, UNCLASSIFIED, UNCLASSIFIED]
    posterior = np.zeros((table.n_epochs, n_states))
    posterior[:, present] = np.nan_to_num(scored.posterior)
    truth = np.where(table.missing, -1, labels.state)
    truth[_near(chosen, table, params.margin_s)] = -1
    score = compute_score(truth, back[scored.state], posterior, table.breaks, labels.states)
    return Draw(score=score, unlearned=unlearned)


def _near(chosen: Rows, table: FeatureTable, margin_s: float) -> NDArray[np.bool_]:
    """(n_epochs,) epochs that were drawn, and those within the margin."""
    reach = round(margin_s / table.epoch_s)
    change = np.zeros(table.n_epochs + 1, np.int64)
    np.add.at(change, np.maximum(chosen - reach, 0), 1)
    np.add.at(change, np.minimum(chosen + reach + 1, table.n_epochs), -1)
    return np.asarray(np.cumsum(change[:-1]) > 0)
