"""A hypnogram as intervals of NWB; pynwb takes seconds to import: only when a file is written."""

from __future__ import annotations

from typing import Any

import numpy as np
from hdmf.common import VectorData
from pynwb.epoch import TimeIntervals

from wakeful.model.epochs import SCORED, Doubt, Hypnogram, State

BOUTS, EPOCHS = "sleep_states", "sleep_epochs"
"""Names of the two tables."""


def make_sleep_intervals(hypnogram: Hypnogram) -> list[TimeIntervals]:
    """Bouts of every state, and epochs; of what nobody scored there are epochs, no bouts."""
    notes = "; ".join(hypnogram.notes)
    bouts = [(state, bout) for state, bout in hypnogram.bouts() if state != State.NO_DATA]
    tables = []
    if bouts:
        tables.append(
            TimeIntervals(
                name=BOUTS,
                description="Bouts of awake, NREM, REM and unclassified, after smoothing; a gap "
                f"ends a bout. Scorer: {hypnogram.scorer}. {notes}".strip(),
                columns=[
                    _column("start_time", "Start, s", [bout.start_s for _, bout in bouts]),
                    _column("stop_time", "End, s", [bout.stop_s for _, bout in bouts]),
                    _column("state", "Vigilance state", [state.label for state, _ in bouts]),
                ],
            )
        )
    labels = {int(state): state.label for state in State}
    columns = [
        _column("start_time", "Start, s", hypnogram.start_s),
        _column("stop_time", "End, s", hypnogram.start_s + hypnogram.epoch_s),
        _column("state", "After smoothing", [labels[s] for s in hypnogram.state.tolist()]),
        _column(
            "raw_state",
            "As decided epoch by epoch",
            [labels[s] for s in hypnogram.raw_state.tolist()],
        ),
    ]
    if np.isfinite(hypnogram.confidence).any():
        # Checkers frown at columns in which there is nothing at all; people give no confidence.
        columns.append(_column("confidence", "0 to 1; NaN without data", hypnogram.confidence))
    columns += _doubts(hypnogram, labels)
    tables.append(
        TimeIntervals(
            name=EPOCHS,
            description=f"Every scored epoch of {hypnogram.epoch_s:g} s, counted from the "
            "session's start; 'no data' where one touches a gap",
            columns=columns,
        )
    )
    return tables


def _doubts(hypnogram: Hypnogram, labels: dict[int, str]) -> list[VectorData]:
    """Probabilities and what else a scorer said of its own certainty; none of scores by hand."""
    columns = []
    for j, state in enumerate(SCORED):
        if np.isfinite(hypnogram.probability[:, j]).any():
            name = f"probability_{state.label.lower()}"
            about = f"Probability of {state.label}; NaN where nothing was scored"
            columns.append(_column(name, about, hypnogram.probability[:, j]))
    if hypnogram.doubt.any():
        why = {int(doubt): doubt.label for doubt in Doubt}
        words = [why[d] for d in hypnogram.doubt.tolist()]
        columns.append(_column("doubt", "Why it is unclassified", words))
    if (hypnogram.provisional != State.NO_DATA).any():
        about = "As said from the epoch and earlier ones alone"
        words = [labels[s] for s in hypnogram.provisional.tolist()]
        columns.append(_column("provisional_state", about, words))
    return columns


def _column(name: str, description: str, data: Any) -> VectorData:
    return VectorData(name=name, description=description, data=data)
