"""Minutes of each state, scored less labelled: can they be put right without the test part?

Of the same mouse as `sleep_scorers.py`, hours 0-12 only: scorers are trained on one part and score
another, forwards and backwards in time. Hours 12-24 are never looked at. Each scored part is also
scored with two thirds of its REM left out, by whole bouts, so that REM is about a third as frequent
as in training and nothing else is another: as bouts are dealt out to three groups at random, four
times, each part has twelve such versions, which count as one.

Remedies of two rounds are tried on Wakeful's. Of the first: decoding so that minutes are those that
the probabilities add up to; durations and transitions fitted anew to the scored recording; features
moved by what the states of a first scoring do not explain (one median for the recording). Of the
second: averages of trees of ten seeds or ten bags; weights of REM, or of all states, in growing
trees; shares of the states in the scored part by EM, on the probabilities in the end or in trees
and decoder; features as quantiles of their own recording, beside or in place of those as they are.

Criterion for the second round, written down before any of it was run: a remedy is taken if, over
the four parts and the four with rarer REM, the mean size of REM's bias falls by a third or more,
and mean kappa by no more than 0.003. If several are, the one with the least bias. Those of the
first round are shown, and not asked.

    python benchmarks/sleep_minutes.py DATA/sleep/zfhx3_mouse_features/baseline.csv.gz
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from _sleep_remedies import Found, Way, make_remedies, score_with, train_remedies
from wakeful.io.feature_tables import Columns, read_feature_table
from wakeful.sleep.evaluation import Score, compute_score
from wakeful.sleep.feature_table import FeatureTable, Labels
from wakeful.sleep.label_words import read_labels
from wakeful.sleep.trained_kinds import Kind
from wakeful.sleep.training import TrainParams, train_scorer

HOUR = 900
BLOCK = 450
"""Half an hour of epochs: resampled whole, since neighbours are not independent."""

CONTENDERS = {
    "XGBoost": (Kind.TREES, False),
    "XGBoost + rules": (Kind.TREES_RULES, False),
    "XGBoost + HMM": (Kind.TREES_HMM, False),
    "LDA + HMM": (Kind.DISCRIMINANT_HMM, False),
    "XGBoost, neighbours": (Kind.TREES_CONTEXT, False),
    "Wakeful": (Kind.SEMI_MARKOV, True),
}
"""Kind, and whether it is recalibrated."""
PARTS = (((0, 6), (6, 9)), ((0, 6), (9, 12)), ((6, 12), (0, 3)), ((6, 12), (3, 6)))
"""Hours trained on, and scored."""
N_GROUPS, N_DEALS = 3, 4
"""Groups of REM bouts of which one is kept, and how often bouts are dealt out to them."""
ASKED = (
    "ten seeds",
    "ten bags",
    "REM weighs 3",
    "REM weighs 1/3",
    "states weigh alike",
    "REM weighs 3, left in",
    "prior by EM",
    "prior by EM, in decoder",
    "quantiles too",
    "quantiles alone",
)
"""Remedies of the second round."""
LEAST_GAIN, MOST_LOSS = 1 / 3, 0.003
"""Of the size of REM's bias, and of kappa: the criterion."""


def compute_bias(
    truth: np.ndarray, amount: np.ndarray, n_resamples: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Amount of each state over that of the labels, less 1: itself, and limits of 95 %.

    Parameters
    ----------
    truth : (n_epochs,) below 0 where nobody said; such epochs are left out
    amount : (n_epochs, n_states) 0 or 1 of decoded states, or probabilities
    """
    known = truth >= 0
    labelled = np.eye(amount.shape[1])[np.maximum(truth, 0)] * known[:, None]
    scored = np.where(known[:, None], amount, 0.0)
    edges = np.arange(0, len(truth), BLOCK)
    labelled, scored = (np.add.reduceat(x, edges, axis=0) for x in (labelled, scored))
    draws = np.random.default_rng(0).integers(0, len(edges), (n_resamples, len(edges)))
    resampled = scored[draws].sum(axis=1) / np.maximum(labelled[draws].sum(axis=1), 1) - 1
    low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
    return scored.sum(axis=0) / labelled.sum(axis=0) - 1, low, high


def print_minutes(
    truth: np.ndarray, found: dict[str, Found], states: tuple[str, ...], n_resamples: int
) -> None:
    """Decoded, and as probabilities add up: what is decoded may be biased where those are not."""
    n_blocks = -(-len(truth) // BLOCK)
    print(
        f"\nminutes, scored over labelled less 1 (95 % limits, {n_resamples} resamples of "
        f"{n_blocks} half hours)"
    )
    for how in ("decoded", "probabilities"):
        print(f"{how:32}" + "".join(f"{name:>29}" for name in states))
        for name, one in found.items():
            amount = np.eye(len(states))[one.state] if how == "decoded" else one.posterior
            cells = zip(*compute_bias(truth, amount, n_resamples), strict=True)
            line = "".join(f"{b:+13.1%} ({lo:+.1%}, {hi:+.1%})".rjust(29) for b, lo, hi in cells)
            print(f"{name:32}{line}")


def make_rarer(
    table: FeatureTable, truth: np.ndarray, rare: int, seed: int
) -> list[tuple[FeatureTable, np.ndarray]]:
    """The part with two thirds of a state's labelled bouts left out, each third kept once.

    What was before and after a bout follow each other, as where the state was not entered.
    """
    inside = truth == rare
    begins = inside & ~np.r_[False, inside[:-1]]
    bout = np.where(inside, np.cumsum(begins) - 1, -1)
    length = np.bincount(bout[inside])
    group, filled = np.zeros(len(length), np.int64), np.zeros(N_GROUPS, np.int64)
    for i in np.random.default_rng(seed).permutation(len(length)):
        group[i] = filled.argmin()
        filled[group[i]] += length[i]
    stretch = np.cumsum(table.starts)
    versions = []
    for kept in range(N_GROUPS):
        rows = ~inside | (group[bout] == kept)
        rarer = replace(
            table,
            values=table.values[rows],
            starts=np.diff(stretch[rows], prepend=-1) > 0,
            subject=table.subject[rows],
            group=table.group[rows],
            start_s=table.start_s[rows],
        )
        versions.append((rarer, truth[rows]))
    return versions


def make_ways(train: FeatureTable, labels: Labels) -> dict[str, Way]:
    """All that is compared, trained on a part."""
    scorers = {
        name: train_scorer(train, labels, TrainParams(kind=kind, recalibrate=again)).scorer
        for name, (kind, again) in CONTENDERS.items()
    }
    remedies = make_remedies(scorers["Wakeful"], train, labels) | train_remedies(train, labels)
    return {name: score_with(scorer) for name, scorer in scorers.items()} | {
        f"Wakeful, {name}": way for name, way in remedies.items()
    }


@dataclass(frozen=True, eq=False)
class Tested:
    """One way on one part."""

    found: Found
    score: Score
    rarer: list[Score]
    """Of each version with rarer REM."""


def try_on(
    way: Way,
    table: FeatureTable,
    truth: np.ndarray,
    rarer: list[tuple[FeatureTable, np.ndarray]],
    states: tuple[str, ...],
) -> Tested:
    """A part as it is, and with rarer REM."""
    found, *others = (way(t) for t, _ in [(table, truth), *rarer])
    score, *scores = (
        compute_score(said, f.state, f.posterior, t.breaks, states)
        for f, (t, said) in zip([found, *others], [(table, truth), *rarer], strict=True)
    )
    return Tested(found, score, scores)


def measure(tests: list[Tested], *, rarer: bool) -> tuple[np.ndarray, np.ndarray]:
    """Kappa (n_parts, n_versions) and bias (n_parts, n_versions, n_states)."""
    scores = [one.rarer if rarer else [one.score] for one in tests]
    kappa = np.array([[score.kappa for score in part] for part in scores])
    bias = [[list(score.minutes_bias.values()) for score in part] for part in scores]
    return kappa, np.array(bias)


def print_all_parts(tested: dict[str, list[Tested]]) -> None:
    """Means of kappa and of the size of bias, as it is and with rarer REM."""
    for rarer, title in ((False, "as they are"), (True, "with REM a third as frequent")):
        print(f"\nall four parts {title}; the last column is REM's mean bias, not its size")
        for name, tests in tested.items():
            kappa, bias = measure(tests, rarer=rarer)
            size = "".join(f"{x:8.1%}" for x in np.abs(bias).mean(axis=(0, 1)))
            print(
                f"{name:32} mean kappa {kappa.mean():.3f}, mean size of bias{size}"
                f"{bias[..., -1].mean():+9.1%}"
            )


def print_criterion(tested: dict[str, list[Tested]]) -> None:
    """Which remedies of the second round meet it."""
    print("\nall eight parts: mean kappa, change; mean size of REM's bias, change")
    kept: tuple[float, float] | None = None
    asked = [f"Wakeful, {name}" for name in ASKED]
    for name in ("Wakeful", *asked):
        both = [measure(tested[name], rarer=rarer) for rarer in (False, True)]
        kappa = float(np.mean([kappa.mean() for kappa, _ in both]))
        size = float(np.mean([np.abs(bias[..., -1]).mean() for _, bias in both]))
        kept = kept or (kappa, size)
        more, longer = kappa - kept[0], size / kept[1] - 1
        met = "met" if longer <= -LEAST_GAIN and more >= -MOST_LOSS else "not met"
        changes = (
            f"{more:+8.4f}{size:8.2%}{longer:+8.0%}  {met}" if name in asked else f"{size:16.2%}"
        )
        print(f"{name:32}{kappa:7.4f}{changes}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--resamples", type=int, default=2000)
    arguments = parser.parse_args()
    file = read_feature_table(arguments.table, Columns(labels="Stage"))
    every, _, _ = read_labels(file.labels)
    states = every.states
    ways: dict[tuple[int, int], dict[str, Way]] = {}
    tested: dict[str, list[Tested]] = {}
    truths = []
    print(f"kappa, and decoded minutes of {', '.join(states)} over labelled less 1")
    for trained, scored in PARTS:
        a, b = (slice(first * HOUR, stop * HOUR) for first, stop in (trained, scored))
        table, truth = file.table.take(b), every.state[b]
        truths.append(truth)
        if trained not in ways:
            labels = Labels(states=states, state=every.state[a])
            ways[trained] = make_ways(file.table.take(a), labels)
        rare = len(states) - 1
        rarer = [v for seed in range(N_DEALS) for v in make_rarer(table, truth, rare, seed)]
        count, *counts = ((said == rare).sum() for said in (truth, *(said for _, said in rarer)))
        print(
            f"\ntrained on hours {trained[0]}-{trained[1]}, {scored[0]}-{scored[1]} scored: "
            f"{count} epochs {states[-1]}; on the right with rarer {states[-1]}, "
            f"{min(counts)} to {max(counts)} epochs, mean of {len(rarer)} versions"
        )
        for name, way in ways[trained].items():
            one = try_on(way, table, truth, rarer, states)
            tested.setdefault(name, []).append(one)
            line = f"{name:32}"
            for rare_too in (False, True):
                kappa, bias = measure([one], rarer=rare_too)
                cells = "".join(f"{x:+8.1%}" for x in bias.mean(axis=(0, 1)))
                line += f"{kappa.mean():7.3f}{cells}  "
            print(line.rstrip(), flush=True)
    print_all_parts(tested)
    print_criterion(tested)
    joined = {
        name: Found(
            np.concatenate([one.found.state for one in tests]),
            np.concatenate([one.found.posterior for one in tests]),
        )
        for name, tests in tested.items()
    }
    print_minutes(np.concatenate(truths), joined, states, arguments.resamples)


if __name__ == "__main__":
    main()
