"""Ways to score a recording whose states are not as frequent as in the one trained on.

Each takes the part trained on and gives a way to score any other part. `sleep_minutes.py` compares
them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from unittest.mock import patch

import numpy as np

from wakeful.sleep import training
from wakeful.sleep.boosted_trees import BoostedTrees, TreeParams, fit_trees
from wakeful.sleep.context import to_logarithms
from wakeful.sleep.feature_table import FeatureTable, Labels
from wakeful.sleep.semi_markov import SemiMarkov, fit_semi_markov
from wakeful.sleep.trained import Emission, TrainedScorer, make_sources, smooth_states
from wakeful.sleep.trained_kinds import Kind
from wakeful.sleep.training import TrainParams, train_scorer

N_MEMBERS = 10
"""Trees grown anew, of each ensemble."""
BAG_BLOCK = 75
"""Five minutes of epochs, drawn together: neighbours are not independent."""
_MAX_STEPS = 200


@dataclass(frozen=True, eq=False)
class Found:
    """What one way of scoring says of a part."""

    state: np.ndarray
    posterior: np.ndarray


Way = Callable[[FeatureTable], Found]
Fit = Callable[..., BoostedTrees]
"""As `fit_trees` is called."""


def score_with(scorer: TrainedScorer) -> Way:
    """As it is."""

    def score(table: FeatureTable) -> Found:
        posterior = scorer.score(table, anyway=True).posterior
        state = posterior.argmax(axis=1)
        if scorer.kind is Kind.TREES_RULES:
            state = smooth_states(state, table.breaks, scorer.states)
        return Found(state, posterior)

    return score


def make_remedies(scorer: TrainedScorer, train: FeatureTable, labels: Labels) -> dict[str, Way]:
    """Those that put right what a scorer says, trained as it is."""

    def keep_minutes(table: FeatureTable) -> Found:
        posterior = scorer.score(table, anyway=True).posterior
        return Found(decode_minutes(posterior), posterior)

    return {
        "minutes kept": keep_minutes,
        "durations anew": lambda table: decode_anew(scorer, table, train, labels),
        "features moved": lambda table: decode_moved(scorer, table, train, labels),
        "prior by EM": lambda table: decode_with_prior(scorer, table),
        "prior by EM, in decoder": lambda table: decode_with_prior_inside(scorer, table),
    }


def train_remedies(train: FeatureTable, labels: Labels) -> dict[str, Way]:
    """Those that are trained otherwise."""
    count = np.bincount(labels.state[labels.known], minlength=len(labels.states))
    more, less = np.ones(len(count)), np.ones(len(count))
    more[-1], less[-1] = 3.0, 1 / 3
    alike = count.sum() / (len(count) * count)
    fits: dict[str, Fit] = {
        "ten seeds": fit_seeds,
        "ten bags": fit_bags,
        "REM weighs 3": weigh(more),
        "REM weighs 1/3": weigh(less),
        "states weigh alike": weigh(alike),
        "REM weighs 3, left in": weigh(more, taken_out=False),
    }
    ways = {}
    for name, fit in fits.items():
        with growing(fit):
            ways[name] = score_with(train_scorer(train, labels, TrainParams()).scorer)
    ranked = score_with(train_scorer(add_ranks(train), labels, TrainParams()).scorer)
    alone = score_with(train_scorer(take_ranks(train), labels, TrainParams()).scorer)
    return {
        **ways,
        "quantiles too": lambda table: ranked(add_ranks(table)),
        "quantiles alone": lambda table: alone(take_ranks(table)),
    }


def decode_minutes(posterior: np.ndarray) -> np.ndarray:
    """States whose numbers are the sums of the probabilities: an offset for each does it."""
    logs = np.log(np.maximum(posterior, 1e-9))
    wanted, offset = posterior.sum(axis=0), np.zeros(posterior.shape[1])
    for step in range(_MAX_STEPS):
        count = np.bincount((logs + offset).argmax(axis=1), minlength=len(wanted))
        offset += 0.5 / (1 + step / 20) * np.log((wanted + 1) / (count + 1))
    return np.asarray((logs + offset).argmax(axis=1))


def decode_anew(
    scorer: TrainedScorer, table: FeatureTable, train: FeatureTable, labels: Labels
) -> Found:
    """With durations and transitions of the labels and of the scored part, scored twice."""
    posterior = scorer.score(table, anyway=True).posterior
    emission = scorer.emit(table)
    assert scorer.chain is not None
    for _ in range(2):
        chain = fit_semi_markov(
            np.r_[labels.state, posterior.argmax(axis=1)],
            np.r_[train.breaks, table.breaks],
            n_states=len(labels.states),
            n_ages=scorer.chain.hazard.shape[1],
        )
        posterior = pool(scorer, emission, chain, table)
    return Found(posterior.argmax(axis=1), posterior)


def decode_moved(
    scorer: TrainedScorer, table: FeatureTable, train: FeatureTable, labels: Labels
) -> Found:
    """With logarithms of features moved so that their medians within states are as in training."""
    everything = np.ones(len(table.names), np.bool_)
    logs, trained_on = (to_logarithms(t.values, everything) for t in (table, train))
    medians = np.stack(
        [np.nanmedian(trained_on[labels.state == i], axis=0) for i, _ in enumerate(labels.states)]
    )
    state = scorer.score(table, anyway=True).posterior.argmax(axis=1)
    off = np.nanmedian(logs - medians[state], axis=0)
    posterior = scorer.score(replace(table, values=np.exp(logs - off)), anyway=True).posterior
    return Found(posterior.argmax(axis=1), posterior)


def decode_with_prior(scorer: TrainedScorer, table: FeatureTable) -> Found:
    """The probabilities in the end, with the states' shares in the scored part by EM."""
    assert scorer.chain is not None
    posterior = pool(scorer, scorer.emit(table), scorer.chain, table)
    posterior = shift(posterior, scorer.shares, fit_prior(posterior, scorer.shares))
    return Found(posterior.argmax(axis=1), posterior)


def decode_with_prior_inside(scorer: TrainedScorer, table: FeatureTable) -> Found:
    """The trees' probabilities with shares by EM; the decoder, which takes likelihood ratios, has
    transitions under which its states are as frequent as that."""
    emission = scorer.emit(table)
    assert scorer.chain is not None
    assert emission.around is not None
    prior = fit_prior(emission.alone, scorer.shares)
    around = shift(emission.around, scorer.shares, fit_prior(emission.around, scorer.shares))
    posterior = pool(
        scorer, replace(emission, around=around), fit_exits(scorer.chain, prior), table
    )
    return Found(posterior.argmax(axis=1), posterior)


def pool(
    scorer: TrainedScorer, emission: Emission, chain: SemiMarkov, table: FeatureTable
) -> np.ndarray:
    """Posterior of a scorer with another emission, or another chain."""
    sources = make_sources(
        scorer.kind, emission, chain, scorer.shares, scorer.evidence_weight, table.breaks
    )
    return scorer.pool.apply(sources.final)


def fit_prior(posterior: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Shares of the states by EM, each state's features as in training (Saerens et al. 2002, Neural
    Comput 14:21)."""
    prior = shares
    for _ in range(1000):
        found = shift(posterior, shares, prior).mean(axis=0)
        if np.abs(found - prior).max() < 1e-7:
            break
        prior = found
    return np.asarray(prior)


def shift(posterior: np.ndarray, shares: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Posterior under another prior."""
    out = posterior * (prior / shares)
    return np.asarray(out / out.sum(axis=1, keepdims=True))


def fit_exits(chain: SemiMarkov, prior: np.ndarray) -> SemiMarkov:
    """The chain with the same durations whose states are as frequent as that in the long run."""
    for _ in range(_MAX_STEPS):
        exits = chain.exits * np.sqrt(prior / chain.initial.sum(axis=1))
        exits = np.maximum(exits / exits.sum(axis=1, keepdims=True), 1e-3)
        exits *= 1 - np.eye(len(prior))
        chain = replace(chain, exits=exits / exits.sum(axis=1, keepdims=True))
    return chain


@contextmanager
def growing(fit: Fit) -> Iterator[None]:
    """Scorers trained within have these trees."""
    with patch.object(training, "fit_trees", fit):
        yield


@dataclass(frozen=True, eq=False, kw_only=True)
class Ensemble(BoostedTrees):
    """The mean of several."""

    members: tuple[BoostedTrees, ...]

    def predict(self, columns: np.ndarray) -> np.ndarray:
        return np.mean([one.predict(columns) for one in self.members], axis=0)

    def gain(self, n_columns: int) -> np.ndarray:
        return np.mean([one.gain(n_columns) for one in self.members], axis=0)


def fit_seeds(
    columns: np.ndarray, state: np.ndarray, *, n_states: int, params: TreeParams
) -> BoostedTrees:
    """The same epochs; other draws of epochs and columns in each tree."""
    return _join(
        fit_trees(columns, state, n_states=n_states, params=replace(params, seed=seed))
        for seed in range(N_MEMBERS)
    )


def fit_bags(
    columns: np.ndarray, state: np.ndarray, *, n_states: int, params: TreeParams
) -> BoostedTrees:
    """Five minutes at a time drawn with replacement (Breiman 1996, Mach Learn 24:123)."""
    rng = np.random.default_rng(0)
    blocks = np.array_split(np.arange(len(state)), max(1, len(state) // BAG_BLOCK))
    members = []
    for seed in range(N_MEMBERS):
        rows = np.concatenate([blocks[i] for i in rng.integers(0, len(blocks), len(blocks))])
        own = replace(params, seed=seed)
        members.append(fit_trees(columns[rows], state[rows], n_states=n_states, params=own))
    return _join(iter(members))


def _join(members: Iterator[BoostedTrees]) -> Ensemble:
    kept = tuple(members)
    return Ensemble(booster=kept[0].booster, n_states=kept[0].n_states, members=kept)


@dataclass(frozen=True, eq=False, kw_only=True)
class Weighed(BoostedTrees):
    """Grown with weights of the states."""

    taken_out: np.ndarray
    """(n_states,) what probabilities are divided by: those of the labels' own shares again."""

    def predict(self, columns: np.ndarray) -> np.ndarray:
        out = super().predict(columns) / self.taken_out
        return np.asarray(out / out.sum(axis=1, keepdims=True))


def weigh(weight: np.ndarray, *, taken_out: bool = True) -> Fit:
    """Epochs weigh as their state does, whether or not it is taken out of the probabilities."""

    def fit(
        columns: np.ndarray, state: np.ndarray, *, n_states: int, params: TreeParams
    ) -> BoostedTrees:
        import xgboost

        data = xgboost.DMatrix(
            np.ascontiguousarray(columns, np.float32),
            label=state,
            weight=weight[state],
            nthread=1,
        )
        booster = xgboost.train(params.options(n_states), data, num_boost_round=params.n_rounds)
        out = weight if taken_out else np.ones(n_states)
        return Weighed(booster=booster, n_states=n_states, taken_out=out)

    return fit


def take_ranks(table: FeatureTable) -> FeatureTable:
    """Each feature as the share of the recording's own epochs that lie below it."""
    out = np.full(table.values.shape, np.nan)
    for i, column in enumerate(table.values.T):
        seen = np.isfinite(column)
        ordered = np.sort(column[seen])
        low, high = (np.searchsorted(ordered, column[seen], side) for side in ("left", "right"))
        out[seen, i] = (low + high) / (2 * max(len(ordered), 1))
    return replace(table, names=tuple(f"{name} rank" for name in table.names), values=out)


def add_ranks(table: FeatureTable) -> FeatureTable:
    """Those beside the features as they are."""
    ranks = take_ranks(table)
    return replace(
        table,
        names=(*table.names, *ranks.names),
        values=np.concatenate([table.values, ranks.values], axis=1),
    )
