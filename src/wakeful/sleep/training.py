"""Training a scorer on labels, with everything that is chosen chosen on epochs held out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from wakeful.model.errors import BadParameters, Unavailable
from wakeful.sleep.across_animals import find_logarithmic_pools, prepare_animals
from wakeful.sleep.artefacts import fit_artefact_detector
from wakeful.sleep.boosted_trees import BoostedTrees, TreeParams, fit_trees
from wakeful.sleep.calibration import LogPool, fit_pool, keep_as_is
from wakeful.sleep.chain_field import fit_chain_field
from wakeful.sleep.context import Context, find_logarithmic
from wakeful.sleep.discriminant import Discriminant, fit_discriminant
from wakeful.sleep.evaluation import Evaluation, Score, compute_coverage, compute_score
from wakeful.sleep.feature_table import FeatureTable, Labels
from wakeful.sleep.folds import find_trainable, make_folds
from wakeful.sleep.likeness import fit_likeness
from wakeful.sleep.rough_states import has_key_features
from wakeful.sleep.semi_markov import UNKNOWN, SemiMarkov, fit_semi_markov
from wakeful.sleep.trained import (
    Emission,
    Fields,
    TrainedScorer,
    columns_alone,
    columns_around,
    make_sources,
    smooth_states,
)
from wakeful.sleep.trained_kinds import Kind

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
States = NDArray[np.int64]

_EVIDENCE_WEIGHTS = (0.3, 0.45, 0.7, 1.0, 1.5, 2.0, 3.0)
LEAST_EPOCHS = 5
"""Of each state: with fewer labels, it can't be learned."""
_LEAST_TO_RECALIBRATE = 60
"""Labelled epochs of the rarest state. Fewer lie in one or two parts held out, seen by models that
hardly met the state: a pool fitted to that learns never to say it."""
_MAX_BOUTS_BIAS = 0.1
_MAX_MINUTES_BIAS = 0.05


@dataclass(frozen=True, kw_only=True)
class TrainParams:
    """What can be chosen in training."""

    kind: Kind = Kind.SEMI_MARKOV
    trees: TreeParams = field(default_factory=TreeParams)
    context_lag_s: float = 12.0
    """Each epoch so near is seen by the trees that look around."""
    context_windows_s: tuple[float, ...] = (12.0, 32.0)
    """Half widths of running means that they see."""
    context_features: int = 20
    """They see neighbours of so many features only: those that gain most where each epoch is seen
    by itself. With hundreds of features, all of their neighbours are thousands of columns."""
    max_age_s: float = 256.0
    """Bouts that have lasted longer end with constant probability."""
    n_folds: int = 5
    recalibrate: bool = True
    """Pool and calibrate after decoding; without it a scorer is as labs run it."""
    min_confidence: float = 0.5
    """Probability below which an epoch stays unclassified; no state is more probable than not."""
    across_animals: bool | None = None
    """Set features against each animal's own levels and pool them over regions, so that animals of
    other gains and regions can be scored. None: where there are two animals or more, and columns
    to find levels by."""

    def __post_init__(self) -> None:
        problems = []
        if self.context_lag_s < 0 or any(w <= 0 for w in self.context_windows_s):
            problems.append("context must not be negative")
        if self.context_features < 1:
            problems.append("context_features must be at least 1")
        if self.max_age_s <= 0:
            problems.append("max_age_s must be above 0")
        if not 0 <= self.min_confidence < 1:
            problems.append("min_confidence must be 0 or more, and below 1")
        if problems:
            raise BadParameters("; ".join(problems), where="training", remedy="correct them")

    def context(self, epoch_s: float) -> Context:
        """The neighbours in epochs."""
        n_lags = max(1, round(self.context_lag_s / epoch_s)) if self.context_lag_s else 0
        windows = {max(1, round(w / epoch_s)) for w in self.context_windows_s}
        return Context(lags=tuple(range(1, n_lags + 1)), windows=tuple(sorted(windows)))


@dataclass(frozen=True, eq=False, kw_only=True)
class Training:
    """A trained scorer, and what cross-validation said of it."""

    scorer: TrainedScorer
    evaluation: Evaluation
    notes: tuple[str, ...]


def train_scorer(
    table: FeatureTable,
    labels: Labels,
    params: TrainParams | None = None,
    told: Callable[[float], None] | None = None,
) -> Training:
    """Train a scorer.

    Trees are trained once for each part held out. Durations, transitions, the weight of evidence
    and the calibration are fitted to probabilities of epochs held out, and each figure of the
    evaluation is of a part that none of them has seen. Then all is fitted to all labels.

    Parameters
    ----------
    told : called with the share of the work that is done

    Raises
    ------
    BadParameters
        Table and labels do not fit, a state has too few epochs, or a feature holds no number.
    Unavailable
        There is one state only: nothing can be told apart.
    """
    params = params or TrainParams()
    pools: frozenset[str] | None = None
    said: tuple[str, ...] = ()
    if _is_across_animals(table, params):
        pools = find_logarithmic_pools(table, find_logarithmic(table.values))
        table, said = _set_against_anchors(table, labels, pools)
    notes = (*said, *_check(table, labels))
    work = _Work(table, labels, params, told or (lambda _: None))
    held_out = work.predict_held_out()
    weight, evaluation = work.choose(held_out)
    return Training(
        scorer=replace(work.fit_all(held_out, weight), animal_logarithms=pools),
        evaluation=evaluation,
        notes=(*notes, *work.notes),
    )


def _is_across_animals(table: FeatureTable, params: TrainParams) -> bool:
    if params.across_animals is not None:
        return params.across_animals
    return len(np.unique(table.subject)) > 1 and has_key_features(table.names)


def _set_against_anchors(
    table: FeatureTable, labels: Labels, pools: frozenset[str]
) -> tuple[FeatureTable, tuple[str, ...]]:
    """The table as scorers across animals see it, and which animals it says nothing of.

    Levels come from the label-free scorer's states, never from the labels: an animal that nobody
    labelled has no others.
    """
    prepared, animals = prepare_animals(table, pools)
    lost = {name: part.refusal for name, part in animals.items() if part.refusal}
    notes = [f"{name or 'the animal'} is left out: {why}" for name, why in lost.items()]
    if not (labels.known & ~prepared.missing).any():
        raise Unavailable(
            "no animal's levels in awake and NREM could be found: " + "; ".join(notes[:2]),
            where="training across animals",
            remedy="train with the features as they are: --as-they-are",
        )
    seen = np.isfinite(prepared.values[labels.known]).any(axis=0)
    kept = tuple(prepared.names[i] for i in np.flatnonzero(seen))
    how = "each animal's features were set against its own levels in awake and NREM"
    return prepared.ordered(kept), (f"{how}, and pooled over regions", *notes)


def _check(table: FeatureTable, labels: Labels) -> tuple[str, ...]:
    if labels.state.shape != (table.n_epochs,):
        raise BadParameters(
            f"{len(labels.state)} labels for {table.n_epochs} epochs",
            where="training",
            remedy="give one label (or -1) per epoch",
        )
    count = labels.count()
    here = {name: n for name, n in count.items() if n}
    if len(here) < 2:
        what = f"only {next(iter(here))}" if here else "no label"
        raise Unavailable(
            f"there is {what} among the labelled epochs: nothing can be told apart",
            where="training",
            remedy="label a stretch with two states or more",
        )
    few = [f"{name} ({n})" for name, n in count.items() if n < LEAST_EPOCHS]
    if few:
        raise BadParameters(
            f"too few epochs of {', '.join(few)}; {LEAST_EPOCHS} are the least",
            where="training",
            remedy="label more of them, or map them to another state or to none",
        )
    seen = np.isfinite(table.values[labels.known])
    empty = [name for i, name in enumerate(table.names) if not seen[:, i].any()]
    if empty or not table.names:
        raise BadParameters(
            f"no number in {', '.join(empty[:8])}" if empty else "no feature",
            where="training, labelled epochs",
            remedy="leave out these columns, or correct them",
        )
    blank = int((labels.known & table.missing).sum())
    return (f"{blank} labelled epochs hold no number and are left out",) if blank else ()


class _Work:
    """The state of one training."""

    def __init__(
        self,
        table: FeatureTable,
        labels: Labels,
        params: TrainParams,
        told: Callable[[float], None],
    ) -> None:
        self.table, self.labels, self.params, self.told = table, labels, params, told
        self.notes: list[str] = []
        self.n_states = len(labels.states)
        self.breaks = table.breaks
        self.truth: States = np.where(table.missing, UNKNOWN, labels.state)
        self.known: Mask = np.asarray(self.truth >= 0)
        self.logarithmic = find_logarithmic(table.values)
        self.context = params.context(table.epoch_s)
        self.fold = make_folds(table, self.known, n_folds=params.n_folds)
        self.alone = columns_alone(table, self.logarithmic)
        self.looks_around = params.kind in (
            Kind.SEMI_MARKOV,
            Kind.TREES_CONTEXT,
            Kind.CHAIN_FIELD,
        )
        self.has_chain = params.kind in (
            Kind.TREES_HMM,
            Kind.DISCRIMINANT_HMM,
            Kind.SEMI_MARKOV,
        )

    @property
    def folds(self) -> list[int]:
        """Those with labels."""
        return [int(f) for f in np.unique(self.fold[self.known])]

    def predict_held_out(self) -> Emission:
        """Probabilities of every epoch from models that have not seen its part."""
        alone = np.zeros((self.table.n_epochs, self.n_states))
        around = np.zeros_like(alone) if self.looks_around else None
        for number, held_out in enumerate(self.folds):
            reach = self.context.reach_epochs if self.looks_around else 0
            rows = self.known & find_trainable(self.fold, self.breaks, held_out, reach_epochs=reach)
            here = self.fold == held_out
            if not rows.any():
                raise BadParameters(
                    "no labelled epoch is far enough from the part held out",
                    where="training",
                    remedy="label more, in longer stretches",
                )
            seer = self.fit_alone(rows)
            alone[here] = seer.predict(self.alone[here])
            if around is not None:
                model, context = self.fit_around(rows, seer)
                columns = columns_around(self.table, self.logarithmic, context)
                around[here] = model.predict(columns[here])
            self.told((number + 1) / (len(self.folds) + 1))
        return Emission(alone=alone, around=around)

    def fit_alone(self, rows: Mask) -> BoostedTrees | Discriminant:
        """The model that sees each epoch by itself."""
        if self.params.kind is Kind.DISCRIMINANT_HMM:
            columns, state = self.alone[rows], self.truth[rows]
            return fit_discriminant(columns, state, n_states=self.n_states)
        rows = self.thin(rows)
        columns, state = self.alone[rows], self.truth[rows]
        return fit_trees(columns, state, n_states=self.n_states, params=self.params.trees)

    def fit_around(
        self, rows: Mask, alone: BoostedTrees | Discriminant
    ) -> tuple[BoostedTrees, Context]:
        """The model that sees neighbours of the features that tell most, and which these are."""
        context = self.context
        n_features = len(self.table.names)
        if n_features > self.params.context_features:
            gain = self.gain(alone)
            best = np.argsort(-gain, kind="stable")[: self.params.context_features]
            context = replace(context, features=tuple(sorted(best.tolist())))
        columns = columns_around(self.table, self.logarithmic, context)
        rows = self.thin(rows)
        trees = fit_trees(
            columns[rows], self.truth[rows], n_states=self.n_states, params=self.params.trees
        )
        return trees, context

    def thin(self, rows: Mask) -> Mask:
        """Every second, third, ... of the epochs where there are more than trees are to see."""
        stride = -(-int(rows.sum()) // self.params.trees.max_epochs)
        if stride <= 1:
            return rows
        out = np.zeros_like(rows)
        out[np.flatnonzero(rows)[::stride]] = True
        return out

    def fit_chain(self, rows: Mask) -> SemiMarkov | None:
        """Durations and transitions of the labels in `rows`."""
        if not self.has_chain:
            return None
        semi = self.params.kind is Kind.SEMI_MARKOV
        n_ages = max(1, round(self.params.max_age_s / self.table.epoch_s)) if semi else 1
        return fit_semi_markov(
            np.where(rows, self.truth, UNKNOWN),
            self.breaks,
            n_states=self.n_states,
            n_ages=n_ages,
        )

    def fit_fields(
        self, emission: Emission, rows: Mask, *, causal_too: bool = False
    ) -> Fields | None:
        """Weights of evidence and of transitions under which the labels in `rows` are likeliest."""
        if self.params.kind is not Kind.CHAIN_FIELD:
            return None
        final, causal = Fields.see(emission, self.breaks)
        truth = np.where(rows, self.truth, UNKNOWN)
        return Fields(
            final=fit_chain_field(final, truth, self.breaks, n_states=self.n_states),
            causal=fit_chain_field(causal, truth, self.breaks, n_states=self.n_states)
            if causal_too
            else None,
        )

    def shares(self, rows: Mask) -> Values:
        """(n_states,) of the labels in `rows`."""
        count = np.bincount(self.truth[rows], minlength=self.n_states) + 0.5
        return np.asarray(count / count.sum())

    def pool_held_out(self, emission: Emission, weight: float) -> tuple[Values, States]:
        """Posterior and state of each epoch; its part has no share in anything."""
        posterior = np.full((self.table.n_epochs, self.n_states), np.nan)
        for held_out in self.folds:
            here = self.fold == held_out
            others = self.known & ~here
            sources = make_sources(
                self.params.kind,
                emission,
                self.fit_chain(others),
                self.shares(others),
                weight,
                self.breaks,
                self.fit_fields(emission, others),
            ).final
            pool = self.fit_pool(sources, others)
            posterior[here] = pool.apply([source[here] for source in sources])
        state: States = np.nan_to_num(posterior).argmax(axis=1)
        if self.params.kind is Kind.TREES_RULES:
            state = smooth_states(state, self.breaks, self.labels.states)
        return posterior, state

    def fit_pool(self, sources: tuple[Values, ...], rows: Mask) -> LogPool:
        """The pool for these sources, fitted to the labels in `rows`."""
        fewest = np.bincount(self.truth[rows], minlength=self.n_states).min()
        if not self.params.recalibrate or fewest < _LEAST_TO_RECALIBRATE:
            return keep_as_is(len(sources), self.n_states)
        return fit_pool([source[rows] for source in sources], self.truth[rows])

    def choose(self, emission: Emission) -> tuple[float, Evaluation]:
        """The weight of evidence, and how good the scorer is with it.

        The most probable labels decide, among weights whose bouts and minutes are about as many as
        the labels'; a scorer that smooths brief awakenings away has the most probable labels too.
        """
        weights = _EVIDENCE_WEIGHTS if self.params.kind is Kind.SEMI_MARKOV else (1.0,)
        best: tuple[tuple[bool, float], float, Values, States] | None = None
        for weight in weights:
            posterior, state = self.pool_held_out(emission, weight)
            score = self.score(posterior, state, self.known)
            p = posterior[self.known, self.truth[self.known]]
            cost = float(-np.log(np.maximum(p, 1e-12)).mean())
            excess = max(0.0, abs(score.bouts_bias) - _MAX_BOUTS_BIAS) + max(
                0.0, max(abs(b) for b in score.minutes_bias.values()) - _MAX_MINUTES_BIAS
            )
            rank = (excess > 0, excess if excess > 0 else cost)
            if best is None or rank < best[0]:
                best = (rank, weight, posterior, state)
        assert best is not None
        _, weight, posterior, state = best
        n_groups = len(np.unique(self.table.group[self.known]))
        return weight, Evaluation(
            overall=self.score(posterior, state, self.known),
            parts=tuple(
                self.score(posterior, state, self.known & (self.fold == f)) for f in self.folds
            ),
            held_out="animals or groups" if n_groups > 1 else "blocks of time",
            coverage=compute_coverage(
                np.where(self.known, self.truth, UNKNOWN), state, posterior, self.labels.states
            ),
        )

    def score(self, posterior: Values, state: States, rows: Mask) -> Score:
        """Agreement over the labels in `rows`."""
        return compute_score(
            np.where(rows, self.truth, UNKNOWN),
            state,
            posterior,
            self.breaks,
            self.labels.states,
        )

    def fit_all(self, emission: Emission, weight: float) -> TrainedScorer:
        """Everything on all labels; what combines is fitted to what was held out."""
        known = self.known
        seer = self.fit_alone(known)
        alone = seer if self.params.kind is not Kind.TREES_CONTEXT else None
        around, context = None, Context()
        if self.looks_around:
            around, context = self.fit_around(known, seer)
        chain, shares = self.fit_chain(known), self.shares(known)
        fields = self.fit_fields(emission, known, causal_too=True)
        sources = make_sources(
            self.params.kind, emission, chain, shares, weight, self.breaks, fields
        )
        gain = self.gain(seer)
        self.told(1.0)
        return TrainedScorer(
            kind=self.params.kind,
            states=self.labels.states,
            features=self.table.names,
            epoch_s=self.table.epoch_s,
            logarithmic=self.logarithmic,
            context=context,
            shares=shares,
            alone=alone,
            around=around,
            chain=chain,
            fields=fields,
            evidence_weight=weight,
            pool=self.fit_pool(sources.final, known),
            causal_pool=self.fit_pool(sources.causal, known),
            likeness=fit_likeness(self.table.names, self.table.values[~self.table.missing], gain),
            artefacts=fit_artefact_detector(
                self.alone,
                self.table.values,
                self.breaks,
                self.truth,
                n_states=self.n_states,
                gain=gain,
                logarithmic=self.logarithmic,
            ),
            min_confidence=self.params.min_confidence,
        )

    def gain(self, alone: BoostedTrees | Discriminant) -> Values:
        """(n_features,) what each feature counts."""
        if isinstance(alone, BoostedTrees):
            return alone.gain(len(self.table.names))
        spread = np.nanstd(self.alone[self.known], axis=0)
        return np.asarray(
            np.abs(alone.weights - alone.weights.mean(axis=1, keepdims=True)).sum(axis=1) * spread
        )
