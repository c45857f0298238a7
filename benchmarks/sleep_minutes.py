"""Minutes of each state, scored less labelled: can they be put right without the test part?

Of the same mouse as `sleep_scorers.py`, hours 0-12 only: scorers are trained on one part and score
another, forwards and backwards in time. Hours 12-24 are never looked at. Besides the scorers as
they are, three remedies are tried on Wakeful's: decoding so that minutes are those that the
probabilities add up to; durations and transitions fitted anew to the scored recording; features
moved by what the states of a first scoring do not explain (one median for the recording).

    python benchmarks/sleep_minutes.py DATA/sleep/zfhx3_mouse_features/baseline.csv.gz
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wakeful.io.feature_tables import Columns, read_feature_table
from wakeful.sleep.context import to_logarithms
from wakeful.sleep.evaluation import compute_score
from wakeful.sleep.feature_table import FeatureTable, Labels
from wakeful.sleep.label_words import read_labels
from wakeful.sleep.semi_markov import fit_semi_markov
from wakeful.sleep.trained import TrainedScorer, make_sources, smooth_states
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
_MAX_STEPS = 200


@dataclass(frozen=True, eq=False)
class Found:
    """What one way of scoring says of a part."""

    state: np.ndarray
    posterior: np.ndarray


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
        print(f"{how:24}" + "".join(f"{name:>29}" for name in states))
        for name, one in found.items():
            amount = np.eye(len(states))[one.state] if how == "decoded" else one.posterior
            cells = zip(*compute_bias(truth, amount, n_resamples), strict=True)
            line = "".join(f"{b:+13.1%} ({lo:+.1%}, {hi:+.1%})".rjust(29) for b, lo, hi in cells)
            print(f"{name:24}{line}")


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
        sources = make_sources(
            scorer.kind, emission, chain, scorer.shares, scorer.evidence_weight, table.breaks
        )
        posterior = scorer.pool.apply(sources.final)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--resamples", type=int, default=2000)
    arguments = parser.parse_args()
    file = read_feature_table(arguments.table, Columns(labels="Stage"))
    every, _, _ = read_labels(file.labels)
    states, scorers = every.states, {}
    pooled: dict[str, list[tuple[Found, FeatureTable, np.ndarray]]] = {}
    print(f"kappa, and decoded minutes of {', '.join(states)} over labelled less 1")
    for trained, scored in PARTS:
        a, b = (slice(first * HOUR, stop * HOUR) for first, stop in (trained, scored))
        train, table = file.table.take(a), file.table.take(b)
        labels, truth = Labels(states=states, state=every.state[a]), every.state[b]
        count = np.bincount(truth[truth >= 0], minlength=len(states))
        print(
            f"\ntrained on hours {trained[0]}-{trained[1]}, {scored[0]}-{scored[1]} scored: "
            f"{count[-1]} epochs {states[-1]}"
        )
        for name, (kind, recalibrate) in CONTENDERS.items():
            if (trained, name) not in scorers:
                params = TrainParams(kind=kind, recalibrate=recalibrate)
                scorers[trained, name] = train_scorer(train, labels, params).scorer
            posterior = scorers[trained, name].score(table, anyway=True).posterior
            state = posterior.argmax(axis=1)
            if kind is Kind.TREES_RULES:
                state = smooth_states(state, table.breaks, states)
            pooled.setdefault(name, []).append((Found(state, posterior), table, truth))
        ours = scorers[trained, "Wakeful"]
        tries = {
            "minutes kept": Found(decode_minutes(posterior), posterior),
            "durations anew": decode_anew(ours, table, train, labels),
            "features moved": decode_moved(ours, table, train, labels),
        }
        for name, found in tries.items():
            pooled.setdefault(f"Wakeful, {name}", []).append((found, table, truth))
        for name, parts in pooled.items():
            found, table, truth = parts[-1]
            score = compute_score(truth, found.state, found.posterior, table.breaks, states)
            bias = "".join(f"{x:+8.1%}" for x in score.minutes_bias.values())
            print(f"{name:26}{score.kappa:7.3f}{bias}")
    print("\nall four parts")
    for name, parts in pooled.items():
        kappas, biases = [], []
        for found, table, truth in parts:
            score = compute_score(truth, found.state, found.posterior, table.breaks, states)
            kappas.append(score.kappa)
            biases.append(list(score.minutes_bias.values()))
        size = "".join(f"{x:8.1%}" for x in np.abs(biases).mean(axis=0))
        print(f"{name:26} mean kappa {np.mean(kappas):.3f}, mean size of bias{size}")
    truth = np.concatenate([truth for _, _, truth in pooled["Wakeful"]])
    joined = {
        name: Found(
            np.concatenate([found.state for found, _, _ in parts]),
            np.concatenate([found.posterior for found, _, _ in parts]),
        )
        for name, parts in pooled.items()
    }
    print_minutes(truth, joined, states, arguments.resamples)


if __name__ == "__main__":
    main()
