"""Parting the epochs of a session by thresholds on muscle tone, delta and theta over delta."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.sleep.features import Features, smooth_median
from wakeful.sleep.modes import TwoModes, find_two_modes
from wakeful.sleep.params import LabelFreeParams

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

EMG = "EMG"

MIN_EPOCHS = 8
"""Fewer epochs give no covariance of three features worth the name."""

SPREAD_FLOOR = 0.05
"""Log units: 5 % of power, below any real change from epoch to epoch."""

_OUTLYING_SDS = 3.0
"""Robust standard deviations from NREM at which rare REM is looked for."""


class NoSplit(Exception):
    """Why the epochs can't be parted in the way that was tried."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Tone:
    """One signal of muscle tone."""

    name: str
    values: Values
    """(n_epochs,) natural log of EMG, or Fisher z of the LFP-derived EMG."""
    smooth: Values
    """(n_epochs,) running median."""
    min_separation: float
    """Between awake and asleep, in the unit of the values."""
    min_rise: float
    """Of delta from awake to NREM, log units."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Split:
    """Epochs parted into states; those in no mask are left to the model."""

    tone_threshold: float
    awake: Mask
    nrem: Mask
    rem: Mask
    """All False where no REM was seen."""
    delta_region: int
    theta_region: int
    notes: tuple[str, ...]


class Search:
    """The recording's features, smoothed, and what counts as two modes of them.

    Parameters
    ----------
    smoothing_s : window of the running medians
    """

    def __init__(self, features: Features, params: LabelFreeParams, smoothing_s: float) -> None:
        self.features, self.params = features, params
        self.window = max(1, 2 * int(smoothing_s / features.epoch_s / 2) + 1)
        self.good = features.has_data & ~features.odd
        is_short = features.recorded_s < params.short_recording_s
        self.min_contrast = float(
            np.log(params.min_sleep_contrast_short if is_short else params.min_sleep_contrast)
        )
        self.delta = [self._smooth(column) for column in features.delta.T]
        self.theta = [self._smooth(column) for column in features.theta_ratio.T]
        self.min_delta = float(np.log(params.min_delta_ratio))

    def _smooth(self, values: Values) -> Values:
        kept = np.where(self.good, values, np.nan)
        return smooth_median(kept, self.features.starts, self.window)

    def find_split(self, values: Values, min_separation: float) -> TwoModes | None:
        """Two modes clearly apart, far apart, and neither of them a handful of epochs; or None."""
        modes = find_two_modes(values)
        if (
            modes is not None
            and modes.ashman_d >= self.params.min_ashman_d
            and modes.separation >= min_separation
            and modes.minor_weight >= self.params.min_mode_share
        ):
            return modes
        return None

    def list_tones(self) -> list[Tone]:
        """The signals of muscle tone that there are, the EMG first."""
        return [
            Tone(
                name=name,
                values=np.where(self.good, values, np.nan),
                smooth=self._smooth(values),
                min_separation=min_separation,
                min_rise=float(np.log(min_ratio)),
            )
            for name, values, min_separation, min_ratio in (
                (
                    EMG,
                    self.features.emg,
                    float(np.log(self.params.min_tone_ratio)),
                    self.params.min_delta_ratio,
                ),
                (
                    "LFP-derived EMG",
                    self.features.lfp_emg,
                    self.params.min_lfp_emg_step,
                    self.params.min_delta_ratio_lfp_emg,
                ),
            )
            if np.isfinite(values[self.good]).sum() >= 3 * MIN_EPOCHS
        ]

    def check_contrast(self, tone: Tone, split: Split) -> None:
        """Whether tone falls and delta rises from awake to NREM as much as sleep makes them.

        Raises
        ------
        NoSplit
            They do not: what was parted are two kinds of one state.
        """
        delta = self.delta[split.delta_region]
        for mask in (split.nrem, split.awake):
            if np.isfinite(delta[mask] + tone.smooth[mask]).sum() < MIN_EPOCHS:
                raise NoSplit(f"too few epochs of NREM or waking by {tone.name}")
        rise = np.nanmedian(delta[split.nrem]) - np.nanmedian(delta[split.awake])
        if rise < tone.min_rise:
            raise NoSplit(
                f"delta power at low {tone.name} is {np.exp(rise):.2f} times that at high, "
                f"less than {np.exp(tone.min_rise):.3g}"
            )
        if tone.name != EMG:
            return
        fall = np.nanmedian(tone.smooth[split.awake]) - np.nanmedian(tone.smooth[split.nrem])
        if rise + fall < self.min_contrast:
            raise NoSplit(
                f"{tone.name} and delta together change {np.exp(rise + fall):.1f} times, less "
                f"than {np.exp(self.min_contrast):.3g}"
            )

    def choose_delta_region(self, low: Mask, high: Mask) -> int:
        """The region whose delta power differs most between low and high tone.

        The level of NREM is the upper mode of delta at low tone where there are two (REM is the
        lower), else the median; regions compare by the difference over the spread at high tone.
        """
        effects = []
        for delta in self.delta:
            asleep, awake = delta[low & np.isfinite(delta)], delta[high & np.isfinite(delta)]
            if min(asleep.size, awake.size) < MIN_EPOCHS:
                effects.append(-np.inf)
                continue
            modes = self.find_split(asleep, self.min_delta)
            level = modes.means[1] if modes is not None else float(np.median(asleep))
            contrast = level - float(np.median(awake))
            effects.append(contrast / max(robust_spread(awake), SPREAD_FLOOR))
        if not np.isfinite(effects).any():
            raise NoSplit("no region has delta power at both levels of tone")
        return int(np.argmax(effects))

    def choose_theta_region(self, asleep: Mask) -> tuple[int, TwoModes | None]:
        """The region whose theta ratio shows the clearest two modes among `asleep` epochs."""
        fits = [find_two_modes(theta[asleep]) for theta in self.theta]
        clear = [-1.0 if modes is None else modes.ashman_d for modes in fits]
        best = int(np.argmax(clear))
        return best, fits[best]

    def choose_bimodal_delta(self) -> tuple[int, TwoModes | None]:
        """The region with the clearest two modes of delta; None where no region has them."""
        # Twice the least contrast: this split stands without the support of tone.
        fits = [self.find_split(delta, 2 * self.min_delta) for delta in self.delta]
        clear = [-1.0 if modes is None else modes.ashman_d for modes in fits]
        best = int(np.argmax(clear))
        return best, fits[best]


def part_by_tone(search: Search, tone: Tone) -> Iterator[Split]:
    """Awake by high tone; NREM and REM parted within low tone.

    Raises
    ------
    NoSplit
        Tone has one level.
    """
    modes = search.find_split(tone.smooth, tone.min_separation)
    if modes is None:
        raise NoSplit(f"{tone.name} in one level")
    low, high = tone.smooth < modes.threshold, tone.smooth >= modes.threshold
    region = search.choose_delta_region(low, high)
    how = f"(Ashman's D {modes.ashman_d:.1f})"
    yield from _part_low_tone(search, tone, modes.threshold, how, region, -np.inf)


def part_by_delta(search: Search, tone: Tone) -> Iterator[Split]:
    """A threshold on tone from what it is at high and at low delta, then as `part_by_tone`.

    Raises
    ------
    NoSplit
        Delta has one mode, or tone does not fall with it.
    """
    region, modes = search.choose_bimodal_delta()
    if modes is None:
        raise NoSplit("delta in one mode")
    seen = np.isfinite(tone.smooth)
    asleep = seen & (search.delta[region] >= modes.threshold)
    awake = seen & (search.delta[region] < modes.threshold)
    two = search.find_split(tone.smooth[awake], tone.min_separation)
    if two is not None:
        # The lower mode is REM.
        awake &= tone.smooth >= two.threshold
    if min(awake.sum(), asleep.sum()) < MIN_EPOCHS:
        raise NoSplit("delta in one mode")
    above, below = (float(np.median(tone.smooth[mask])) for mask in (awake, asleep))
    if above - below < tone.min_separation:
        raise NoSplit(f"{tone.name} alike at low and high delta")
    how = f"(by its levels at low and high delta, Ashman's D {modes.ashman_d:.1f})"
    yield from _part_low_tone(search, tone, (above + below) / 2, how, region, modes.threshold)


def _part_low_tone(
    search: Search, tone: Tone, threshold: float, how: str, region: int, least_delta: float
) -> Iterator[Split]:
    """Several ways to tell REM within low tone, the best witness first; the last has none.

    Parameters
    ----------
    threshold : between low and high tone
    how : it was found
    least_delta : log power that NREM has at least
    """
    low, high = tone.smooth < threshold, tone.smooth >= threshold
    theta_region, _ = search.choose_theta_region(low)
    # Theta over delta is the better witness; where the electrode sees little theta, the loss of
    # delta at low tone is what is left; REM too rare for a mode is looked for among the outliers.
    theta, loss = search.theta[theta_region], -search.delta[region]
    theta_modes = search.find_split(theta[low], search.min_delta)
    loss_modes = search.find_split(loss[low], search.min_delta)
    for name, values, least in (
        ("theta over delta", theta, np.inf if theta_modes is None else theta_modes.threshold),
        ("the loss of delta", loss, np.inf if loss_modes is None else loss_modes.threshold),
        ("outlying theta over delta", theta, _find_outlying(theta[low])),
        ("an outlying loss of delta", loss, _find_outlying(loss[low])),
        ("", loss, np.inf),
    ):
        nrem = low & ~(values > least) & (search.delta[region] >= least_delta)
        rem, quiet = _find_atonia(tone, low & (values > least), nrem)
        if name and not _is_plausible(rem, nrem, search.params):
            continue
        yield Split(
            tone_threshold=threshold,
            awake=high | quiet,
            nrem=nrem,
            rem=rem,
            delta_region=region,
            theta_region=theta_region,
            notes=(
                f"{tone.name} parts awake from asleep at {_in_unit(tone, threshold)} {how}",
                f"REM told by {name} at low tone" if name else "no REM seen",
            ),
        )


def robust_spread(values: Values) -> float:
    """Standard deviation of a Gaussian with the same median absolute deviation."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _find_outlying(values: Values) -> float:
    """Threshold for the few epochs far above the others."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return np.inf
    return float(np.median(finite)) + _OUTLYING_SDS * max(robust_spread(finite), SPREAD_FLOOR)


def _find_atonia(tone: Tone, candidates: Mask, nrem: Mask) -> tuple[Mask, Mask]:
    """REM among its candidates, and the others.

    What has the brain waves of REM but more tone than NREM is quiet wakefulness.
    """
    if not nrem.any():
        return np.zeros_like(candidates), candidates
    asleep = tone.smooth[nrem]
    atonia = float(np.median(asleep)) + robust_spread(asleep)
    return candidates & (tone.smooth < atonia), candidates & (tone.smooth >= atonia)


def _is_plausible(rem: Mask, nrem: Mask, params: LabelFreeParams) -> bool:
    n_rem, n_nrem = int(rem.sum()), int(nrem.sum())
    return n_rem >= MIN_EPOCHS and n_rem <= params.max_rem_share * (n_rem + n_nrem)


def _in_unit(tone: Tone, threshold: float) -> str:
    if tone.name == EMG:
        return f"{np.exp(threshold):.3g} µV"
    return f"a correlation of {np.tanh(threshold):.2f}"
