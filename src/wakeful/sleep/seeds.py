"""Where the fit of the states starts: Gaussians of the epochs that thresholds part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import State
from wakeful.sleep.features import Features
from wakeful.sleep.markov import Gaussians
from wakeful.sleep.params import LabelFreeParams
from wakeful.sleep.splits import (
    EMG,
    MIN_EPOCHS,
    SPREAD_FLOOR,
    NoSplit,
    Search,
    Split,
    Tone,
    part_by_delta,
    part_by_tone,
)

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

MAX_CONFIDENCE_WITHOUT_TONE = 0.5

_FLOOR_SDS = 1.0
"""Standard deviations below NREM's mean tone at which tone stops to count."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Seeds:
    """A first guess of the states."""

    states: tuple[State, ...]
    """The states of the model, in the order of `gaussians`: awake, NREM and, where seen, REM."""
    gaussians: Gaussians
    observed: Values
    """(n_epochs, n_features) what the model looks at: tone (where used), delta, theta ratio."""
    has_tone: bool
    """Whether the first feature is muscle tone."""
    notes: tuple[str, ...]
    """Signals and thresholds used."""
    signals: tuple[str, ...]
    """As `Hypnogram.signals`."""
    tone_threshold: float = np.nan
    """Between low and high tone, in the unit of the feature."""
    min_tone: float = 0.0
    """Least fall of tone from awake to NREM, in the unit of the feature."""
    min_rise: float = 0.0
    """Least rise of delta from awake to NREM, log units."""
    min_contrast: float = 0.0
    """Least fall of tone and rise of delta together; 0 where they have no common unit."""
    tone_unraised: Values | None = None
    """(n_epochs,) tone as measured; in `observed` it is held above a floor."""
    theta_threshold: float = np.nan
    """Without tone: theta ratio above which an epoch that is not NREM may be REM."""


def propose_seeds(
    features: Features, params: LabelFreeParams
) -> tuple[tuple[Seeds, ...], tuple[str, ...]]:
    """First guesses of the states, the best first, or the reason why there is none.

    Two orders of thresholds are tried on each signal of muscle tone: tone first, then delta and
    theta within low tone; or delta first, then tone within low delta, which finds the little
    wakefulness in a recording that is mostly sleep.

    Parameters
    ----------
    features : of the whole session
    params : thresholds of what counts as two modes

    Returns
    -------
    seeds : to be tried in this order
    reasons : why other splits were refused; where all were, the first says what that means
    """
    found: list[Seeds] = []
    reasons: list[str] = []
    good = features.has_data & ~features.odd
    if good.sum() < 3 * MIN_EPOCHS:
        return (), (f"{good.sum()} usable epochs are too few",)
    one_state = "the recording looks like one state only"
    # Brief awakenings in a recording of little wakefulness drown in the longer window.
    for smoothing_s in (params.smoothing_s, params.smoothing_s / 3):
        search = Search(features, params, smoothing_s)
        for tone in search.list_tones():
            for part in (part_by_tone, part_by_delta):
                try:
                    for split in part(search, tone):
                        search.check_contrast(tone, split)
                        found.append(_seed_with_tone(search, tone, split))
                except NoSplit as reason:
                    reasons.append(str(reason))
    if found:
        return tuple(found), tuple(reasons)
    if np.isfinite(features.emg[good]).any():
        # Delta alone would split waking into two kinds where the EMG sees no sleep.
        return (), (one_state, *dict.fromkeys(reasons))
    why = tuple(dict.fromkeys(reasons)) or ("neither EMG nor LFP-derived EMG",)
    try:
        seeds = _seed_without_tone(Search(features, params, params.smoothing_s), "; ".join(why))
    except NoSplit as reason:
        return (), (one_state, *why, str(reason))
    return (seeds,), why


def _seed_with_tone(search: Search, tone: Tone, split: Split) -> Seeds:
    features = search.features
    asleep = tone.values[split.nrem & np.isfinite(tone.values)]
    # Below NREM's own level more or less tone says nothing: the electrode's noise and the posture
    # differ there from hour to hour, and REM would be told by them.
    floor = float(asleep.mean() - _FLOOR_SDS * asleep.std())
    observed = np.column_stack(
        [
            np.maximum(tone.values, floor),
            np.where(search.good, features.delta[:, split.delta_region], np.nan),
            np.where(search.good, features.theta_ratio[:, split.theta_region], np.nan),
        ]
    )
    masks = [split.awake, split.nrem] + ([split.rem] if split.rem.any() else [])
    regions = (
        f"delta from {features.regions[split.delta_region]}, "
        f"theta from {features.regions[split.theta_region]}"
    )
    return Seeds(
        states=(State.AWAKE, State.NREM, State.REM)[: len(masks)],
        gaussians=_estimate(observed, masks),
        observed=observed,
        has_tone=True,
        notes=(*split.notes, regions),
        signals=("delta", "theta ratio", "emg" if tone.name == EMG else "lfp emg"),
        tone_threshold=split.tone_threshold,
        min_tone=tone.min_separation,
        min_rise=tone.min_rise,
        min_contrast=search.min_contrast if tone.name == EMG else 0.0,
        tone_unraised=tone.values,
    )


def _seed_without_tone(search: Search, why: str) -> Seeds:
    """NREM by delta power alone; awake and REM are told apart by theta as far as that goes.

    Raises
    ------
    NoSplit
        Delta has one mode.
    """
    features = search.features
    region, modes = search.choose_bimodal_delta()
    if modes is None:
        raise NoSplit("delta in one mode")
    nrem = search.delta[region] >= modes.threshold
    awake = search.delta[region] < modes.threshold
    theta_region, theta_modes = search.choose_theta_region(awake)
    notes = [
        f"no muscle tone to go by ({why}); confidence is at most {MAX_CONFIDENCE_WITHOUT_TONE:g}",
        f"NREM by delta from {features.regions[region]} (Ashman's D {modes.ashman_d:.1f})",
    ]
    if theta_modes is not None and theta_modes.ashman_d >= search.params.min_ashman_d:
        theta_threshold = theta_modes.threshold
        notes.append(
            f"epochs rich in theta ({features.regions[theta_region]}) may be REM or running: "
            "they stay unclassified, and REM with little theta may be among the awake"
        )
    else:
        theta_threshold = -np.inf
        notes.append("awake and REM can't be told apart: what is not NREM stays unclassified")
    observed = np.column_stack(
        [
            np.where(search.good, features.delta[:, region], np.nan),
            np.where(search.good, features.theta_ratio[:, theta_region], np.nan),
        ]
    )
    return Seeds(
        states=(State.AWAKE, State.NREM),
        gaussians=_estimate(observed, [awake, nrem]),
        observed=observed,
        has_tone=False,
        notes=tuple(notes),
        signals=("delta", "theta ratio"),
        theta_threshold=theta_threshold,
    )


def _estimate(observed: Values, masks: list[Mask]) -> Gaussians:
    """Mean and covariance of the epochs in each mask.

    Raises
    ------
    NoSplit
        A mask holds too few epochs in which nothing is missing.
    """
    n_features = observed.shape[1]
    # A feature missing throughout (theta at a low rate) says nothing, in any state.
    usable = np.flatnonzero(np.isfinite(observed).any(axis=0))
    complete = np.isfinite(observed[:, usable]).all(axis=1)
    means, covariances = [], []
    for mask in masks:
        mean, covariance = np.zeros(n_features), np.eye(n_features)
        rows = observed[mask & complete][:, usable]
        if len(rows) < MIN_EPOCHS:
            raise NoSplit("too few epochs of one of the states")
        mean[usable] = rows.mean(axis=0)
        covariance[np.ix_(usable, usable)] = np.atleast_2d(np.cov(rows.T))
        means.append(mean)
        covariances.append(covariance + SPREAD_FLOOR**2 * np.eye(n_features))
    return Gaussians(means=np.array(means), covariances=np.array(covariances))
