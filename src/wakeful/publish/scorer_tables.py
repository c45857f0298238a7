"""A comparison of scorers as CSV files and as JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from wakeful.model.epochs import SCORED
from wakeful.sleep.agreement import LABELS, Agreement
from wakeful.sleep.scorers import (
    Comparison,
    bout_differences_of,
    differences_of,
    pairs_of_scorers,
)

CONSENSUS = "consensus"


def comparison_files(comparisons: Sequence[Comparison]) -> dict[str, bytes]:
    """Name -> bytes of CSV files: agreement, confusion, scorers, and Bland-Altman of both kinds."""
    return {
        "agreement.csv": _csv(_agreement_rows(comparisons)),
        "confusion.csv": _csv(_confusion_rows(comparisons)),
        "scorers.csv": _csv(_scorer_rows(comparisons)),
        "bland_altman.csv": _csv(_bland_altman_rows(comparisons)),
        "bland_altman_bouts.csv": _csv(_bout_rows(comparisons)),
    }


def comparison_json(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """The same as plain values; what is no number is None."""
    return {
        "animals": [
            {
                "subject": c.subject,
                "scorers": list(c.names),
                "epoch_s": c.epoch_s,
                "fleiss_kappa": None if c.consensus is None else _value(c.consensus.fleiss_kappa),
                "unanimous": None if c.consensus is None else _value(c.consensus.unanimous),
            }
            for c in comparisons
        ],
        "agreement": list(_agreement_rows(comparisons)),
        "confusion": list(_confusion_rows(comparisons)),
        "scorers": list(_scorer_rows(comparisons)),
        "bland_altman": list(_bland_altman_rows(comparisons)),
        "bland_altman_bouts": list(_bout_rows(comparisons)),
    }


def _compared(c: Comparison) -> list[tuple[str, str, Agreement]]:
    """Every pair, and every scorer against the consensus where there is one."""
    pairs = [(pair.first, pair.second, pair.agreement) for pair in c.pairs]
    if c.consensus is not None:
        pairs += [
            (CONSENSUS, name, found)
            for name, found in zip(c.names, c.consensus.agreements, strict=True)
        ]
    return pairs


def _agreement_rows(comparisons: Sequence[Comparison]) -> Iterable[dict[str, Any]]:
    for c in comparisons:
        beside = {(pair.first, pair.second): pair for pair in c.pairs}
        for reference, scorer, found in _compared(c):
            pair = beside.get((reference, scorer))
            row: dict[str, Any] = {
                "subject": c.subject,
                "reference": reference,
                "scorer": scorer,
                "n_epochs": found.n_epochs,
                "kappa": _value(found.kappa),
                "accuracy": _value(found.accuracy),
                "coverage": _value(found.coverage),
            }
            for state in SCORED:
                name = state.label.lower()
                row[f"{name}_f1"] = _value(found.f1[state])
                row[f"{name}_precision"] = _value(found.precision[state])
                row[f"{name}_recall"] = _value(found.recall[state])
            row["n_disagreements"] = None if pair is None else pair.n_disagreements
            row["near_transition"] = None if pair is None else _value(pair.near_transition)
            row["all_near_transition"] = None if pair is None else _value(pair.all_near_transition)
            yield row


def _confusion_rows(comparisons: Sequence[Comparison]) -> Iterable[dict[str, Any]]:
    for c in comparisons:
        for reference, scorer, found in _compared(c):
            for i, in_reference in enumerate(LABELS):
                for j, in_scorer in enumerate(LABELS):
                    yield {
                        "subject": c.subject,
                        "reference": reference,
                        "scorer": scorer,
                        "reference_state": in_reference.label,
                        "scorer_state": in_scorer.label,
                        "n_epochs": int(found.confusion[i, j]),
                    }


def _scorer_rows(comparisons: Sequence[Comparison]) -> Iterable[dict[str, Any]]:
    for c in comparisons:
        for i, name in enumerate(c.names):
            row: dict[str, Any] = {"subject": c.subject, "scorer": name}
            for j, state in enumerate(LABELS):
                row[f"{state.label.lower()}_min"] = round(float(c.minutes[i, j]), 4)
            for j, state in enumerate(LABELS):
                row[f"{state.label.lower()}_bouts"] = int(c.n_bouts[i, j])
            yield row


def _bland_altman_rows(comparisons: Sequence[Comparison]) -> Iterable[dict[str, Any]]:
    for first, second in pairs_of_scorers(comparisons):
        found = differences_of(comparisons, first, second)
        for unit, states in found.items():
            for state, limits in states.items():
                yield {
                    "first": first,
                    "second": second,
                    "per": unit,
                    "state": state.label,
                    "n": limits.n,
                    "bias_min": _value(limits.bias),
                    "sd_min": _value(limits.sd),
                    "lower_min": _value(limits.lower),
                    "upper_min": _value(limits.upper),
                }


def _bout_rows(comparisons: Sequence[Comparison]) -> Iterable[dict[str, Any]]:
    for first, second in pairs_of_scorers(comparisons):
        for state, limits in bout_differences_of(comparisons, first, second).items():
            yield {
                "first": first,
                "second": second,
                "state": state.label,
                "n_animals": limits.n,
                "bias_bouts": _value(limits.bias),
                "sd_bouts": _value(limits.sd),
                "lower_bouts": _value(limits.lower),
                "upper_bouts": _value(limits.upper),
            }


def _csv(rows: Iterable[Mapping[str, Any]]) -> bytes:
    listed = list(rows)
    buffer = io.StringIO()
    if listed:
        writer = csv.DictWriter(buffer, list(listed[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {name: "" if value is None else value for name, value in row.items()} for row in listed
        )
    return buffer.getvalue().encode()


def _value(number: float | np.floating[Any]) -> float | None:
    return round(float(number), 6) if math.isfinite(number) else None
