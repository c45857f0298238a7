"""Active and quiet waking told apart: by movement where there is any, else by EMG and theta.

1. With movement: an awake epoch is active where the animal moves more than it does in its sleep.
   Twitches of REM move it too, so that the threshold is an upper quantile of the movement in the
   session's own REM (and NREM, whichever is higher), taken inside of bouts: epochs beside a change
   of state hold the movement of waking up.
2. Without: two kinds of waking are looked for in the EMG and in theta over delta, which is strong
   in the hippocampus of a rodent that moves about (Vanderwolf 1969, Electroencephalogr Clin
   Neurophysiol 26:407; Buzsaki 2002, Neuron 33:325). Both are told as two Gaussians whose kinds
   last (`markov`), found without labels. Where they show no two modes nothing is told: a session of
   one kind of waking is not cut in two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import SCORED, BandPower, Hypnogram, MuscleTone, State
from wakeful.model.movement import Movement, WakeKind, WakeKinds
from wakeful.sleep.features import compute_features
from wakeful.sleep.markov import Gaussians, compute_posterior, fit_gaussians
from wakeful.sleep.modes import find_two_modes

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

_HIPPOCAMPUS = ("ca1", "ca3", "ca2", "dg", "dentate", "hpc", "hip")
_LEAST_EPOCHS = 30
_SPREAD_FLOOR = 0.05
_N_ITERATIONS = 30
_PRIOR_SHARE = 0.1
"""Of all awake epochs: the weight of the first guess in the fit, per kind."""


@dataclass(frozen=True, kw_only=True)
class WakeRules:
    """What tells active from quiet waking."""

    sleep_quantile: float
    """Of movement in sleep: above it an awake animal is active."""
    min_ashman_d: float
    """Two kinds of waking must be as far apart as this, or nothing is told."""
    bout_s: float
    """Mean length of a bout of either kind."""
    artefact_sds: float
    """As of the label-free scorer: broadband power so far from the median tells nothing."""


def split_wake(
    hypnogram: Hypnogram,
    rules: WakeRules,
    movement: Movement | None = None,
    band_power: BandPower | None = None,
    muscle: MuscleTone | None = None,
) -> WakeKinds:
    """Divide the awake epochs of a session.

    Parameters
    ----------
    movement : used where it covers half of the awake epochs, and REM enough for a threshold
    band_power : with "delta" and "theta", of the hypnogram's epochs
    muscle : of the same epochs

    Raises
    ------
    BadParameters
        Tables have epochs of other lengths, or bands are missing.
    """
    awake = hypnogram.state == State.AWAKE
    notes: list[str] = []
    if awake.sum() < _LEAST_EPOCHS:
        return _untold(hypnogram, (f"{awake.sum()} awake epochs are too few to be divided",))
    if movement is not None:
        found, note = _by_movement(hypnogram, awake, movement, rules)
        notes.append(note)
        if found is not None:
            return found
    if band_power is not None:
        found, note = _by_tone_and_theta(hypnogram, awake, band_power, muscle, rules)
        notes.append(note)
        if found is not None:
            return found
    return _untold(hypnogram, tuple(notes) or ("neither movement nor EMG nor theta is there",))


def mean_movement(hypnogram: Hypnogram, movement: Movement) -> Values:
    """(n_epochs,) mean of the bins whose middle lies in the epoch; NaN where none has a number."""
    middle_s = movement.start_s + movement.bin_s / 2
    at = np.searchsorted(hypnogram.start_s, middle_s, side="right") - 1
    inside = at >= 0
    inside[inside] = middle_s[inside] < hypnogram.start_s[at[inside]] + hypnogram.epoch_s
    known = inside & np.isfinite(movement.amount)
    n = np.bincount(at[known], minlength=hypnogram.n_rows)
    total = np.bincount(
        at[known], movement.amount[known].astype(np.float64), minlength=hypnogram.n_rows
    )
    mean = np.full(hypnogram.n_rows, np.nan)
    np.divide(total, n, out=mean, where=n > 0)
    return mean


def _by_movement(
    hypnogram: Hypnogram, awake: Mask, movement: Movement, rules: WakeRules
) -> tuple[WakeKinds | None, str]:
    amount = mean_movement(hypnogram, movement)
    known = np.isfinite(amount)
    if known[awake].mean() < 0.5:
        share = f"{100 * known[awake].mean():.0f} %"
        return None, f"movement is known in {share} of the awake epochs: not used"
    inside = _inside_bouts(hypnogram)
    levels: dict[State, float] = {}
    for state in (State.REM, State.NREM):
        chosen = inside & known & (hypnogram.state == state)
        if chosen.sum() >= _LEAST_EPOCHS:
            levels[state] = float(np.quantile(amount[chosen], rules.sleep_quantile))
    # NREM lies stiller than quiet waking; only REM shows what twitches do.
    if State.REM not in levels:
        return None, (
            f"fewer than {_LEAST_EPOCHS} epochs of REM with movement: what twitches do is not "
            "known, movement not used"
        )
    highest = max(levels, key=lambda state: levels[state])
    threshold = levels[highest]
    kind = np.where(known, np.where(amount > threshold, WakeKind.ACTIVE, WakeKind.QUIET), 3)
    note = (
        f"active where movement is above {threshold:.3g} {movement.unit}".rstrip()
        + f": {100 * rules.sleep_quantile:g} % of the epochs in {highest.label} move less "
        f"({movement.source or 'movement'})"
    )
    made = _made(hypnogram, awake, kind, amount, threshold, "movement", ("movement",), note)
    return replace(made, unit=movement.unit), note


def _inside_bouts(hypnogram: Hypnogram) -> Mask:
    """(n_epochs,) whose neighbours on both sides touch it and have its state."""
    same = (np.diff(hypnogram.state) == 0) & np.isclose(
        np.diff(hypnogram.start_s), hypnogram.epoch_s
    )
    return np.asarray(np.r_[False, same] & np.r_[same, False])


def _by_tone_and_theta(
    hypnogram: Hypnogram,
    awake: Mask,
    band_power: BandPower,
    muscle: MuscleTone | None,
    rules: WakeRules,
) -> tuple[WakeKinds | None, str]:
    features = compute_features(band_power, muscle, artefact_sds=rules.artefact_sds)
    rows = _match(hypnogram, features.start_s)
    good = awake & (rows >= 0)
    good[good] &= ~features.odd[rows[good]]

    def taken(values: Values) -> Values:
        return np.where(good, values[np.maximum(rows, 0)], np.nan)

    columns: dict[str, Values] = {}
    emg = taken(features.emg)
    if np.isfinite(emg).sum() >= _LEAST_EPOCHS:
        columns["EMG"] = emg
    hippocampal = [
        i
        for i, region in enumerate(features.regions)
        if region.casefold().startswith(_HIPPOCAMPUS) or "hippocamp" in region.casefold()
    ]
    if hippocampal:
        ratios = [taken(features.theta_ratio[:, i]) for i in hippocampal]
        best = max(range(len(ratios)), key=lambda i: _ashman_d(ratios[i]))
        columns[f"theta of {features.regions[hippocampal[best]]}"] = ratios[best]
    if not columns:
        return None, "neither EMG nor a hippocampal region: active and quiet waking are not told"
    observed = np.column_stack([_standard(values) for values in columns.values()])
    modes = find_two_modes(np.nanmean(observed[np.isfinite(observed).any(axis=1)], axis=1))
    if modes is None or modes.ashman_d < rules.min_ashman_d:
        d = 0.0 if modes is None else modes.ashman_d
        return None, (
            f"{' and '.join(columns)} show one kind of waking (Ashman's D {d:.1f}, "
            f"{rules.min_ashman_d:g} is the least): not divided"
        )
    active = _fit(hypnogram, observed, modes.threshold, rules)
    if active is None:
        return None, f"two kinds of waking by {' and '.join(columns)} did not hold in the fit"
    told = np.isfinite(active)
    kind = np.where(told, np.where(active > 0.5, WakeKind.ACTIVE, WakeKind.QUIET), WakeKind.UNTOLD)
    note = (
        f"active waking told by {' and '.join(columns)} (Ashman's D {modes.ashman_d:.1f}); no "
        "movement was handed in"
    )
    method = " and ".join(name.split(" of ")[0] for name in columns)
    signals = tuple({"EMG": "emg", "theta": "theta ratio"}[m] for m in method.split(" and "))
    return _made(hypnogram, awake, kind, active, 0.5, method, signals, note), note


def _fit(
    hypnogram: Hypnogram, observed: Values, threshold: float, rules: WakeRules
) -> Values | None:
    """(n_epochs,) probability of active waking; NaN where nothing is known; None: no two kinds."""
    usable = np.isfinite(observed).any(axis=1)
    index = np.flatnonzero(usable)
    values = observed[index]
    starts = np.r_[True, np.diff(hypnogram.start_s[index]) > 1.5 * hypnogram.epoch_s]
    high = np.nanmean(values, axis=1) > threshold
    complete = np.isfinite(values).all(axis=1)
    means, covariances = [], []
    for kind in (~high, high):
        part = values[kind & complete]
        if len(part) < _LEAST_EPOCHS // 3:
            return None
        means.append(part.mean(axis=0))
        spread = np.atleast_2d(np.cov(part.T)) + _SPREAD_FLOOR**2 * np.eye(values.shape[1])
        covariances.append(spread)
    leave = min(0.5, hypnogram.epoch_s / rules.bout_s)
    transition = np.array([[1 - leave, leave], [leave, 1 - leave]])
    initial = np.array([0.5, 0.5])
    fitted = fit_gaussians(
        values,
        starts,
        Gaussians(means=np.array(means), covariances=np.array(covariances)),
        transition,
        initial,
        n_iterations=_N_ITERATIONS,
        prior_epochs=_PRIOR_SHARE * len(values),
    )
    if not (fitted.means[1] > fitted.means[0]).all():
        return None
    posterior, _ = compute_posterior(fitted.log_density(values), starts, transition, initial)
    active = np.full(len(observed), np.nan)
    active[index] = posterior[:, 1]
    return active


def _standard(values: Values) -> Values:
    """Less the median, in units of the middle half's width: both features weigh alike."""
    low, middle, high = np.nanquantile(values, [0.25, 0.5, 0.75])
    return np.asarray((values - middle) / max(high - low, 1e-9))


def _ashman_d(values: Values) -> float:
    modes = find_two_modes(values)
    return 0.0 if modes is None else modes.ashman_d


def _match(hypnogram: Hypnogram, start_s: Values) -> NDArray[np.intp]:
    """(n_epochs,) row of another table with the same start; -1 where there is none."""
    if len(start_s) == 0:
        return np.full(hypnogram.n_rows, -1, np.intp)
    rows = np.clip(np.searchsorted(start_s, hypnogram.start_s - 1e-3), 0, len(start_s) - 1)
    return np.where(np.abs(start_s[rows] - hypnogram.start_s) < 1e-3, rows, -1)


def _made(
    hypnogram: Hypnogram,
    awake: Mask,
    kind: NDArray[np.integer],
    evidence: Values,
    threshold: float,
    method: str,
    signals: tuple[str, ...],
    note: str,
) -> WakeKinds:
    has_state = np.isin(hypnogram.state, SCORED)
    return WakeKinds(
        start_s=hypnogram.start_s,
        kind=np.where(awake, kind, WakeKind.NONE).astype(np.int8),
        evidence=np.where(has_state, evidence, np.nan).astype(np.float32),
        threshold=threshold,
        method=method,
        signals=signals,
        epoch_s=hypnogram.epoch_s,
        notes=(note,),
    )


def _untold(hypnogram: Hypnogram, notes: tuple[str, ...]) -> WakeKinds:
    awake = hypnogram.state == State.AWAKE
    return WakeKinds(
        start_s=hypnogram.start_s,
        kind=np.where(awake, WakeKind.UNTOLD, WakeKind.NONE).astype(np.int8),
        evidence=np.full(hypnogram.n_rows, np.nan, np.float32),
        threshold=float("nan"),
        method="",
        signals=(),
        epoch_s=hypnogram.epoch_s,
        notes=notes,
    )
