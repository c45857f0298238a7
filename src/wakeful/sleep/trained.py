"""A scorer that was trained on labels, for any table of features.

The scorer in short:

1. Trees see each epoch alone and give probabilities of the states (`boosted_trees`). The likeliest
   state is `raw_state`.
2. Divided by the states' shares in the training set these probabilities are likelihoods, up to a
   constant (Bourlard and Morgan 1994, Connectionist Speech Recognition, ch. 7). A semi-Markov model
   with the durations and transitions of the labels makes posteriors of them (`semi_markov`).
   Likelihoods are raised to a power that was chosen on epochs held out: neighbouring epochs
   resemble each other and are not each new evidence.
3. Other trees see each epoch with its neighbours in time (`context`).
4. The two are pooled and recalibrated on epochs held out (`calibration`), after decoding, since
   decoding spoils calibration.

Nothing is handed across a hole in time. Other scorers are parts of this one: trees alone, trees
with the smoothing rules that labs use, trees or a linear discriminant with a plain hidden Markov
model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import SCORED, State
from wakeful.model.errors import BadParameters
from wakeful.sleep.across_animals import Prepared, prepare_animal
from wakeful.sleep.agreement import compute_agreement
from wakeful.sleep.anchors import Anchors
from wakeful.sleep.artefacts import ArtefactDetector
from wakeful.sleep.boosted_trees import BoostedTrees
from wakeful.sleep.calibration import LogPool
from wakeful.sleep.chain_field import ChainField, make_evidence
from wakeful.sleep.context import Context, make_columns
from wakeful.sleep.discriminant import Discriminant
from wakeful.sleep.feature_table import FeatureTable
from wakeful.sleep.label_words import find_state
from wakeful.sleep.likeness import Likeness, compare
from wakeful.sleep.semi_markov import SemiMarkov, decode
from wakeful.sleep.smoothing_rules import smooth_by_rules
from wakeful.sleep.trained_kinds import Kind

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
States = NDArray[np.int64]

UNCLASSIFIED = -1
NO_DATA = -2
_FLOOR = 1e-6
_MAX_REM_SHARE = 0.5
"""Of sleep: more is a mistake, or a recording that nobody can judge by itself."""
_MIN_ROUGH_KAPPA = 0.5
"""Below it two scorers do not speak of the same states."""
_MIN_REM_S = 180.0
"""Less REM is too little to speak of shares."""

_MAX_OFF_LEVELS = 0.5
"""Share of a recording's epochs that may lie nearest to REM, or to another state than they got."""
_MIN_OFF_LEVELS_S = 180.0
"""Less of a state is too little to hold against levels."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Emission:
    """Probabilities before time is heeded."""

    alone: Values
    """(n_epochs, n_states) of each epoch by itself."""
    around: Values | None
    """(n_epochs, n_states) of each epoch with its neighbours, where the scorer looks at them."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Fields:
    """Two conditional random fields."""

    final: ChainField
    """Sees all of a stretch, and the trees that look around."""
    causal: ChainField | None
    """Sees each epoch by itself and what came before; None where no stream is decoded."""

    @staticmethod
    def see(emission: Emission, breaks: Mask) -> tuple[Values, Values]:
        """Evidence of the two, each (n_epochs, n_columns)."""
        assert emission.around is not None
        return (
            make_evidence((emission.around, emission.alone), breaks, causal=False),
            make_evidence((emission.alone,), breaks, causal=True),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Sources:
    """What is pooled into a posterior."""

    final: tuple[Values, ...]
    """Each (n_epochs, n_states), from all of a stretch."""
    causal: tuple[Values, ...]
    """Each (n_epochs, n_states), from what came before."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoredEpochs:
    """States of the epochs of a table, as numbers of `states`."""

    states: tuple[str, ...]
    raw_state: States
    """(n_epochs,) likeliest state of each epoch by itself; `NO_DATA` without a number."""
    state: States
    """(n_epochs,) after decoding; `UNCLASSIFIED` if too close to call, an artefact or refused."""
    provisional: States
    """(n_epochs,) what a stream would have said: from earlier epochs only."""
    posterior: Values
    """(n_epochs, n_states) calibrated, rows add up to 1; NaN without a number."""
    confidence: Values
    """(n_epochs,) probability of the likeliest state; NaN without a number."""
    artefact: Mask
    """(n_epochs,) looks like no state at all; confidence does not see it."""
    refusal: str
    """Why nothing was classified; "" where it was."""
    notes: tuple[str, ...]
    """What a reader must know."""

    @classmethod
    def join(cls, parts: Sequence[ScoredEpochs]) -> ScoredEpochs:
        """One after the other, of the same scorer."""
        return cls(
            states=parts[0].states,
            raw_state=np.concatenate([part.raw_state for part in parts]),
            state=np.concatenate([part.state for part in parts]),
            provisional=np.concatenate([part.provisional for part in parts]),
            posterior=np.concatenate([part.posterior for part in parts]),
            confidence=np.concatenate([part.confidence for part in parts]),
            artefact=np.concatenate([part.artefact for part in parts]),
            refusal="; ".join(dict.fromkeys(part.refusal for part in parts if part.refusal)),
            notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        )

    @property
    def doubt(self) -> NDArray[np.str_]:
        """(n_epochs,) why an epoch is unclassified: "artefact", "ambiguous", "refused", or ""."""
        unclassified = self.state == UNCLASSIFIED
        why = np.where(self.artefact, "artefact", "refused" if self.refusal else "ambiguous")
        return np.where(unclassified, why, "")

    @property
    def provisional_gap(self) -> float:
        """Share of classified epochs whose provisional state was another, 0 to 1."""
        both = (self.state >= 0) & (self.provisional >= 0)
        return float(np.mean(self.state[both] != self.provisional[both])) if both.any() else 0.0

    def as_states(self, mapping: dict[str, State]) -> NDArray[np.int8]:
        """The decoded states as values of `State`.

        Parameters
        ----------
        mapping : name of a state -> the State it is

        Raises
        ------
        BadParameters
            A name is not in the mapping.
        """
        lost = [name for name in self.states if name not in mapping]
        if lost:
            raise BadParameters(
                f"no State is given for {', '.join(lost)}",
                where="states of a trained scorer",
                remedy="name all of them in the mapping",
            )
        table = np.array(
            [*(int(mapping[name]) for name in self.states), State.NO_DATA, State.UNCLASSIFIED],
            np.int8,
        )
        return np.asarray(table[self.state])


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedScorer:
    """All that scoring needs; what it was trained on and how good it is stands on its card."""

    kind: Kind
    states: tuple[str, ...]
    features: tuple[str, ...]
    epoch_s: float
    logarithmic: Mask
    """(n_features,) whose logarithms are taken."""
    context: Context
    shares: Values
    """(n_states,) of the training set's labels."""
    alone: BoostedTrees | Discriminant | None
    around: BoostedTrees | None
    chain: SemiMarkov | None
    evidence_weight: float
    """Power of the likelihoods in decoding."""
    pool: LogPool
    causal_pool: LogPool
    likeness: Likeness
    artefacts: ArtefactDetector
    min_confidence: float
    """Probability below which an epoch stays unclassified."""
    fields: Fields | None = None
    """Of the kind that decodes with them."""
    animal_logarithms: frozenset[str] | None = None
    """Where features are set against each animal's own levels and pooled over regions
    (`across_animals`): the pools whose columns' logarithms are taken. None: taken as they come."""

    def score(
        self,
        table: FeatureTable,
        *,
        min_confidence: float | None = None,
        allow_missing: bool = False,
        anyway: bool = False,
        anchors: Anchors | None = None,
    ) -> ScoredEpochs:
        """Score a table.

        Parameters
        ----------
        table : with the features of the training set, in any order; others are left aside
        min_confidence : the model's own where None
        allow_missing : features that are not in the table count as missing in every epoch
        anyway : score also what is unlike the training set; notes say so
        anchors : the animal's levels from other recordings, for a scorer that looks at levels; the
            table's own where None

        Raises
        ------
        BadParameters
            A feature is missing, or epochs have another length than those of the training set.
        """
        if abs(table.epoch_s - self.epoch_s) > 1e-6 * self.epoch_s:
            raise BadParameters(
                f"epochs of {table.epoch_s:g} s do not fit a model of {self.epoch_s:g} s",
                where="feature table",
                remedy="compute features with the model's epoch, or train on epochs of this length",
            )
        threshold = self.min_confidence if min_confidence is None else min_confidence
        if not 0 <= threshold <= 1:
            raise BadParameters(
                f"a confidence of {threshold:g}", where="scoring", remedy="give 0 to 1"
            )
        notes: list[str] = []
        prepared: Prepared | None = None
        if self.animal_logarithms is not None:
            prepared = prepare_animal(table, self.animal_logarithms, anchors)
            if prepared.refusal:
                return self._refuse(table, prepared.refusal)
            notes += prepared.notes
            # Which regions an animal has is its own affair.
            table, allow_missing = prepared.table, True
        known = table.ordered(self.features, allow_missing=allow_missing)
        missing = known.missing
        found = compare(self.likeness, known.values[~missing])
        emission = self.emit(known)
        sources = make_sources(
            self.kind,
            emission,
            self.chain,
            self.shares,
            self.evidence_weight,
            known.breaks,
            self.fields,
        )
        posterior = self.pool.apply(sources.final)
        causal = self.causal_pool.apply(sources.causal)
        state = posterior.argmax(axis=1)
        if self.kind is Kind.TREES_RULES:
            state = smooth_states(state, known.breaks, self.states)
        # Of the likeliest state also after rules: they ask no probability.
        confidence = posterior.max(axis=1)
        raw = emission.alone.argmax(axis=1)
        provisional = causal.argmax(axis=1)
        refusal = found.refusal
        if prepared is not None and not refusal:
            said = state[~missing]
            refusal = self._why_implausible(said, prepared.rough[~missing])
            refusal = refusal or self._why_off_levels(
                said, prepared.nearest[~missing], one_state=prepared.one_state
            )
        artefact = self.artefacts.find(
            columns_alone(known, self.logarithmic), known.values, known.breaks
        )
        artefact &= ~missing
        notes += found.notes
        if refusal and not anyway:
            state = np.full(len(state), UNCLASSIFIED)
            provisional = state.copy()
        else:
            state = np.where((confidence < threshold) | artefact, UNCLASSIFIED, state)
            unsure = (causal.max(axis=1) < threshold) | artefact
            provisional = np.where(unsure, UNCLASSIFIED, provisional)
            if refusal:
                notes.insert(0, f"scored all the same: {refusal}")
        for states in (state, raw, provisional):
            states[missing] = NO_DATA
        posterior[missing] = np.nan
        return ScoredEpochs(
            states=self.states,
            raw_state=raw,
            state=state,
            provisional=provisional,
            posterior=posterior,
            confidence=np.where(missing, np.nan, confidence),
            artefact=artefact,
            refusal="" if anyway else refusal,
            notes=tuple(notes),
        )

    def _why_implausible(self, state: States, rough: NDArray[np.int8]) -> str:
        """Whether states can't be right, levels having been taken for others; "" where they can.

        Parameters
        ----------
        state : (n_epochs,) numbers of `states`
        rough : (n_epochs,) values of `State`, found without labels
        """
        meaning = [find_state(name) for name in self.states]
        if None in meaning or not len(state):
            return ""
        coded = np.array([int(s) for s in meaning if s is not None], np.int8)[state]
        n_asleep, n_rem = int((coded != State.AWAKE).sum()), int((coded == State.REM).sum())
        if n_rem * self.epoch_s >= _MIN_REM_S and n_rem > _MAX_REM_SHARE * n_asleep:
            return (
                f"{n_rem / n_asleep:.0%} of sleep came out as REM, where rodents have 5 to 20 %: "
                "the recording holds hardly any NREM, or something else is taken for REM"
            )
        sure = np.isin(rough, SCORED)
        if sure.any() and len(np.unique(rough[sure])) > 1:
            kappa = compute_agreement(rough[sure], coded[sure]).kappa
            if kappa < _MIN_ROUGH_KAPPA:
                return (
                    f"its states have little in common with what delta and muscle tone say by "
                    f"themselves (kappa {kappa:.2f}): the animal is unlike those trained on, or a "
                    "signal is faulty"
                )
        return ""

    def _why_off_levels(self, state: States, nearest: NDArray[np.int8], *, one_state: bool) -> str:
        """Whether most epochs are another state's by the levels given; "" if they aren't.

        A recording of REM alone shows no rough states to hold against it, or wrong ones, towards
        which its features are then drawn as if they had drifted; the animal's levels in REM tell.

        Parameters
        ----------
        state : (n_epochs,) numbers of `states`
        nearest : (n_epochs,) values of `State` whose levels each epoch lies nearest to
        one_state : no rough states were found. Else each state by itself isn't asked: features
            that drifted lie off all levels
        """
        sure = nearest[np.isin(nearest, SCORED)]
        n_rem = int((sure == State.REM).sum())
        if n_rem * self.epoch_s >= _MIN_OFF_LEVELS_S and n_rem > _MAX_OFF_LEVELS * len(sure):
            return (
                f"{n_rem / len(sure):.0%} of epochs lie nearest to the levels of REM that were "
                "given: the recording holds hardly anything else, or the levels are not this "
                "animal's"
            )
        if not one_state or not sure.size:
            return ""
        # Of the whole recording: the few epochs that a scorer gets wrong lie nearest to what they
        # are, and must not have all others refused.
        for number, name in enumerate(self.states):
            meaning = find_state(name)
            by_levels = nearest[state == number]
            for other in SCORED:
                n_off = int((by_levels == other).sum())
                if meaning is None or other == meaning or n_off * self.epoch_s < _MIN_OFF_LEVELS_S:
                    continue
                if n_off > _MAX_OFF_LEVELS * len(sure):
                    return (
                        f"{n_off / len(sure):.0%} of epochs came out as {name} and lie nearest to "
                        f"the levels of {other.label} that were given: the recording may hold "
                        f"{other.label} alone, or the levels are not this animal's"
                    )
        return ""

    def _refuse(self, table: FeatureTable, refusal: str) -> ScoredEpochs:
        """Nothing classified, and why."""
        unknown = np.where(table.missing, NO_DATA, UNCLASSIFIED)
        blank = np.full((table.n_epochs, len(self.states)), np.nan)
        return ScoredEpochs(
            states=self.states,
            raw_state=unknown,
            state=unknown.copy(),
            provisional=unknown.copy(),
            posterior=blank,
            confidence=blank[:, 0].copy(),
            artefact=np.zeros(table.n_epochs, np.bool_),
            refusal=refusal,
            notes=(),
        )

    def emit(self, table: FeatureTable) -> Emission:
        """Probabilities before time is heeded; the table's columns are this scorer's."""
        around = None
        if self.around is not None:
            around = self.around.predict(columns_around(table, self.logarithmic, self.context))
        if self.alone is not None:
            alone = self.alone.predict(columns_alone(table, self.logarithmic))
        else:
            assert around is not None
            alone = around
        return Emission(alone=alone, around=around)


@dataclass(frozen=True, eq=False, kw_only=True)
class NamedScorer:
    """A scorer, and what results say made them."""

    scorer: TrainedScorer
    name: str
    """Title, kind and content hash."""


def columns_alone(table: FeatureTable, logarithmic: Mask) -> Values:
    """(n_epochs, n_features) what is seen of an epoch by itself."""
    return make_columns(table, logarithmic, Context())


def columns_around(table: FeatureTable, logarithmic: Mask, context: Context) -> Values:
    """(n_epochs, n_columns) what is seen of an epoch with its neighbours."""
    return make_columns(table, logarithmic, context)


def make_sources(
    kind: Kind,
    emission: Emission,
    chain: SemiMarkov | None,
    shares: Values,
    evidence_weight: float,
    breaks: Mask,
    fields: Fields | None = None,
) -> Sources:
    """What a kind of scorer pools.

    Parameters
    ----------
    shares : (n_states,) of the labels that the trees were trained on
    breaks : (n_epochs,) True where a stretch begins
    """
    if fields is not None:
        final, causal = Fields.see(emission, breaks)
        return Sources(
            final=(fields.final.decode(final, breaks)[0],),
            causal=(fields.causal.decode(causal, breaks)[1],) if fields.causal else (),
        )
    if kind is Kind.TREES_CONTEXT:
        assert emission.around is not None
        return Sources(final=(emission.around,), causal=(emission.alone,))
    if chain is None:
        return Sources(final=(emission.alone,), causal=(emission.alone,))
    likelihood = np.log(np.maximum(emission.alone, _FLOOR)) - np.log(np.maximum(shares, _FLOOR))
    decoded = decode(chain, evidence_weight * likelihood, breaks)
    if emission.around is None:
        return Sources(final=(decoded.posterior,), causal=(decoded.filtered,))
    return Sources(final=(emission.around, decoded.posterior), causal=(decoded.filtered,))


def smooth_states(state: States, breaks: Mask, names: tuple[str, ...]) -> States:
    """The smoothing rules; awake and REM are known by their names."""
    lower = [name.casefold() for name in names]
    awake = next((i for i, n in enumerate(lower) if n in _AWAKE), None)
    rem = next((i for i, n in enumerate(lower) if n in _REM), None)
    return smooth_by_rules(state, breaks, min_bout_epochs=2, awake=awake, rem=rem)


_AWAKE = ("awake", "wake", "w", "wakefulness")
_REM = ("rem", "r", "rems", "paradoxical sleep")
