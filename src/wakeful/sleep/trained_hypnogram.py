"""A session's own features scored by a trained scorer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import SCORED, Doubt, Hypnogram, SleepFeatures, State
from wakeful.model.errors import BadParameters
from wakeful.sleep.feature_table import FeatureTable
from wakeful.sleep.label_words import find_state
from wakeful.sleep.signals import signals_of
from wakeful.sleep.trained import NamedScorer, ScoredEpochs

_SAME_EPOCH = 1e-3
"""Share of an epoch by which its neighbour may be early or late."""


def table_of(features: SleepFeatures, subject: str = "") -> FeatureTable:
    """Features as trained scorers take them; a hole in time begins a new stretch.

    Parameters
    ----------
    subject : the animal
    """
    late_s = np.diff(features.start_s) - features.epoch_s
    starts = np.r_[True, np.abs(late_s) > _SAME_EPOCH * features.epoch_s][: features.n_rows]
    return FeatureTable.make(
        features.names,
        features.values.astype(np.float64),
        epoch_s=features.epoch_s,
        starts=starts,
        subject=subject,
        start_s=features.start_s,
    )


def score_features(features: SleepFeatures, model: NamedScorer) -> Hypnogram:
    """States of a session by a trained scorer.

    Raises
    ------
    BadParameters
        Features that the scorer looks at are not there, epochs have another length, or one of its
        states is none of ours.
    """
    mapping = {name: find_state(name) for name in model.scorer.states}
    strange = [name for name, state in mapping.items() if state is None]
    if strange:
        raise BadParameters(
            f"the model knows {', '.join(strange)}, which is neither awake, NREM nor REM",
            where=model.name,
            remedy="map its labels to these three when it is trained (--map)",
        )
    states = {name: state for name, state in mapping.items() if state is not None}
    scored = model.scorer.score(table_of(features))
    refused = (f"not scored: {scored.refusal}",) if scored.refusal else ()
    return Hypnogram(
        start_s=features.start_s,
        raw_state=replace(scored, state=scored.raw_state).as_states(states),
        state=scored.as_states(states),
        confidence=scored.confidence.astype(np.float32),
        epoch_s=features.epoch_s,
        scorer=model.name,
        notes=(*refused, *scored.notes, *features.refused),
        signals=signals_of(model.scorer.features),
        probability=_probability(scored, states),
        doubt=_doubt(scored),
        provisional=replace(scored, state=scored.provisional).as_states(states),
    )


def _probability(scored: ScoredEpochs, states: dict[str, State]) -> NDArray[np.float32]:
    """(n_epochs, 3) of awake, NREM and REM; NaN for one that the scorer does not know."""
    probability = np.full((len(scored.state), len(SCORED)), np.nan)
    for j, state in enumerate(SCORED):
        columns = [i for i, name in enumerate(scored.states) if states[name] is state]
        if columns:
            probability[:, j] = scored.posterior[:, columns].sum(axis=1)
    return probability.astype(np.float32)


def _doubt(scored: ScoredEpochs) -> NDArray[np.int8]:
    words = scored.doubt
    doubt = np.zeros(len(words), np.int8)
    for why in Doubt:
        doubt[words == why.label] = why
    return doubt
