"""Sleep scoring without labels: thresholds found on the recording's own distributions.

The method in short:

1. Natural logs of delta power, theta over delta and muscle tone, so that a gain is a mere shift
   (`features`). Epochs whose broadband power no brain gives are left out.
2. First guesses of the states (`splits`, `seeds`). Two modes of smoothed muscle tone part awake
   from asleep; within low tone, NREM has the greater delta power and REM the greater theta over
   delta (after Watson et al. 2016, Neuron 90:839, who threshold the same three quantities). A
   split counts only where the modes are clearly apart and tone and delta change as much as sleep
   makes them change. Otherwise the recording looks like one state only and nothing is classified:
   users of other scorers complain most of noise split into states.
3. A hidden Markov model with one Gaussian per state, fitted without labels from the first guess
   and held near it; its transitions are fixed at what rodents do, REM from awake being nearly
   impossible (`markov`, `state_model`). Slow drift of electrodes and tone is told from changes of
   state by what the states do not explain (`drift`). A fit whose states are no longer what their
   names say is refused, and the next guess tried.
4. `raw_state` is the likeliest state of each epoch by itself; `state` is what the model gives from
   the whole stretch. REM never goes with high tone. A clear awakening of a single epoch survives
   in both. Nothing is handed across a hole in time.
5. `provisional` is what the same model says of each epoch from it and the earlier ones alone. Its
   thresholds are those of the whole session: what is told is how much hindsight changes the states,
   not how a scorer fares that must find its thresholds on the way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import SCORED, BandPower, Doubt, Hypnogram, MuscleTone, State
from wakeful.sleep.features import Features, compute_features
from wakeful.sleep.markov import compute_filtered, compute_posterior
from wakeful.sleep.params import LabelFreeParams
from wakeful.sleep.seeds import MAX_CONFIDENCE_WITHOUT_TONE, Seeds, propose_seeds
from wakeful.sleep.state_model import DoesNotHold, StateModel, fit_state_model

Values = NDArray[np.float64]

SCORER = "label-free 1"

_IMPOSSIBLE = -50.0
"""Log density of REM at high muscle tone."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Scored:
    raw_state: NDArray[np.int8]
    state: NDArray[np.int8]
    provisional: NDArray[np.int8]
    confidence: Values
    probability: Values
    """(n_epochs, 3)"""
    signals: tuple[str, ...]


def score_label_free(
    band_power: BandPower, muscle: MuscleTone | None, params: LabelFreeParams | None = None
) -> Hypnogram:
    """Score a session without labels; the module says how.

    Parameters
    ----------
    band_power : per epoch and region; needs the bands "delta" and "theta"
    muscle : muscle tone of the same epochs; without it (or where it shows no two levels) REM can't
        be told from wakefulness, and REM-like epochs stay unclassified
    params : the defaults where None

    Returns
    -------
    Hypnogram with one row per row of `band_power`: `no data` where the bands are missing,
    `unclassified` where the evidence is weak, the epoch looks like an artefact, or the recording
    shows one state only. `notes` says which signals and thresholds were used.

    Raises
    ------
    BadParameters
        A band is missing, or the epochs of both tables differ in length.
    """
    params = params or LabelFreeParams()
    features = compute_features(band_power, muscle, artefact_sds=params.artefact_sds)
    proposals, reasons = propose_seeds(features, params)
    if proposals:
        scored, notes = _score(features, proposals, params)
    else:
        scored, notes = None, (_say_refusal(reasons),)
    is_scored = scored is not None
    if scored is None:
        if muscle is not None and np.isfinite(features.emg).any():
            notes += ("if the EMG is faulty, leave its channel out in the channels file",)
        n_epochs = band_power.n_rows
        unknown = np.full(n_epochs, State.UNCLASSIFIED, np.int8)
        scored = _Scored(
            raw_state=unknown,
            state=unknown.copy(),
            provisional=unknown.copy(),
            confidence=np.zeros(n_epochs),
            probability=np.full((n_epochs, len(SCORED)), np.nan),
            signals=(),
        )
    return Hypnogram(
        start_s=band_power.start_s,
        raw_state=_blank(scored.raw_state, features),
        state=_blank(scored.state, features),
        confidence=np.where(features.has_data, scored.confidence, np.nan).astype(np.float32),
        epoch_s=band_power.epoch_s,
        scorer=SCORER,
        notes=notes + _describe_data(features, params, is_scored=is_scored),
        signals=scored.signals,
        probability=np.where(features.has_data[:, None], scored.probability, np.nan).astype(
            np.float32
        ),
        doubt=_doubt(scored.state, features, is_scored=is_scored),
        provisional=_blank(scored.provisional, features),
    )


def find_states(
    features: Features, params: LabelFreeParams | None = None
) -> tuple[NDArray[np.int8], tuple[str, ...]]:
    """States from features that are already there.

    Returns
    -------
    state : (n_epochs,) values of `State`, as `score_label_free` gives them
    refusal : why nothing was classified; empty where it was
    """
    params = params or LabelFreeParams()
    proposals, reasons = propose_seeds(features, params)
    scored, notes = (
        _score(features, proposals, params) if proposals else (None, (_say_refusal(reasons),))
    )
    if scored is None:
        unknown = np.full(len(features.start_s), State.UNCLASSIFIED, np.int8)
        return _blank(unknown, features), notes
    return _blank(scored.state, features), ()


def _doubt(state: NDArray[np.int8], features: Features, *, is_scored: bool) -> NDArray[np.int8]:
    """(n_epochs,) why an epoch is unclassified."""
    why = np.where(features.odd, Doubt.ARTEFACT, Doubt.AMBIGUOUS if is_scored else Doubt.REFUSED)
    doubtful = features.has_data & (state == State.UNCLASSIFIED)
    return np.where(doubtful, why, Doubt.NONE).astype(np.int8)


def _score(
    features: Features, proposals: tuple[Seeds, ...], params: LabelFreeParams
) -> tuple[_Scored | None, tuple[str, ...]]:
    """States from the first proposal whose fit holds; None, and why, where none does."""
    refused: list[str] = []
    for seeds in proposals:
        try:
            model = fit_state_model(features, seeds, params)
        except DoesNotHold as reason:
            refused.append(str(reason))
            continue
        return _decide(features, seeds, model, params), seeds.notes
    return None, (_say_refusal(("the recording looks like one state only", *refused)),)


def _say_refusal(reasons: tuple[str, ...]) -> str:
    what, *why = dict.fromkeys(reasons)
    return f"not scored: {what}" + (f" ({'; '.join(why)})" if why else "")


def _decide(
    features: Features, seeds: Seeds, model: StateModel, params: LabelFreeParams
) -> _Scored:
    log_density = model.gaussians.log_density(model.level)
    tone = model.level[:, 0] if seeds.has_tone else np.full(len(log_density), np.nan)
    if State.REM in seeds.states:
        log_density[tone > seeds.tone_threshold, seeds.states.index(State.REM)] = _IMPOSSIBLE
    evidence = params.evidence_weight * log_density
    chain = (features.starts, model.transition, model.initial)
    posterior, _ = compute_posterior(evidence, *chain)
    filtered = compute_filtered(evidence, *chain)
    usable = np.isfinite(seeds.observed).any(axis=1)
    alone = log_density + np.log(np.maximum(posterior[usable].mean(axis=0), 1e-3))
    alone = np.exp(alone - alone.max(axis=1, keepdims=True))
    alone /= alone.sum(axis=1, keepdims=True)

    names = np.array([int(s) for s in seeds.states], np.int8)
    raw_state, raw_confidence = names[alone.argmax(axis=1)], alone.max(axis=1)
    awakening = (
        (raw_state == State.AWAKE)
        & (raw_confidence >= params.awakening_confidence)
        & (tone > seeds.tone_threshold)
    )
    for decoded in (posterior, filtered):
        # Seen by itself such an epoch is awake, whatever its neighbours make of it.
        lost = awakening & (names[decoded.argmax(axis=1)] != State.AWAKE)
        decoded[lost] = alone[lost]

    def classify(probability: Values) -> NDArray[np.int8]:
        states = names[probability.argmax(axis=1)]
        doubtful = (probability.max(axis=1) < params.min_confidence) | ~usable
        if seeds.has_tone:
            doubtful |= (states == State.REM) & ~np.isfinite(tone)
        else:
            doubtful |= (states == State.AWAKE) & ~(seeds.observed[:, 1] <= seeds.theta_threshold)
        states[doubtful] = State.UNCLASSIFIED
        return np.asarray(states, np.int8)

    confidence = np.where(usable, posterior.max(axis=1), 0.0)
    if not seeds.has_tone:
        confidence = np.minimum(confidence, MAX_CONFIDENCE_WITHOUT_TONE)
    probability = np.full((len(posterior), len(SCORED)), np.nan)
    if seeds.has_tone:
        for i, one in enumerate(seeds.states):
            probability[usable, SCORED.index(one)] = posterior[usable, i]
    else:
        # What is not NREM may be awake or REM.
        probability[usable, SCORED.index(State.NREM)] = posterior[
            usable, seeds.states.index(State.NREM)
        ]
    return _Scored(
        raw_state=classify(alone),
        state=classify(posterior),
        provisional=classify(filtered),
        confidence=confidence,
        probability=probability,
        signals=seeds.signals,
    )


def _describe_data(
    features: Features, params: LabelFreeParams, *, is_scored: bool
) -> tuple[str, ...]:
    notes = []
    duration_s = features.recorded_s
    if is_scored and duration_s < params.short_recording_s:
        notes.append(
            f"only {duration_s / 60:.0f} min of data: thresholds rest on few bouts, are uncertain"
        )
    n_odd = int(features.odd.sum())
    if n_odd:
        notes.append(f"{n_odd} epochs look like artefacts or a flat signal: unclassified")
    return tuple(notes)


def _blank(states: NDArray[np.int8], features: Features) -> NDArray[np.int8]:
    return np.where(features.has_data, states, np.int8(State.NO_DATA)).astype(np.int8)
