"""From band powers and muscle tone to the few numbers per epoch that the scorer looks at."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import BandPower, MuscleTone
from wakeful.model.errors import BadParameters

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Features:
    """Per-epoch logarithms, NaN where missing, and how the epochs hang together in time."""

    start_s: Values
    """(n_epochs,) seconds from the session's start."""
    epoch_s: float
    delta: Values
    """(n_epochs, n_regions) natural log of delta power; a gain only shifts it."""
    theta_ratio: Values
    """(n_epochs, n_regions) log of theta over delta power."""
    emg: Values
    """(n_epochs,) log of the EMG's root mean square."""
    lfp_emg: Values
    """(n_epochs,) Fisher z of the correlation between distant LFP channels."""
    regions: tuple[str, ...]
    """Sorted by name, so that the order in which they come changes nothing."""
    has_data: NDArray[np.bool_]
    """(n_epochs,) False where the brain's bands are all missing."""
    odd: NDArray[np.bool_]
    """(n_epochs,) broadband power no brain gives: artefacts, and flat signals."""
    starts: NDArray[np.bool_]
    """(n_epochs,) True where a stretch without holes begins."""

    @property
    def recorded_s(self) -> float:
        """Seconds of data."""
        return float(self.has_data.sum()) * self.epoch_s


def compute_features(
    band_power: BandPower, muscle: MuscleTone | None, *, artefact_sds: float
) -> Features:
    """Logarithms of the powers and the muscle tone, and which epochs can't be trusted.

    Parameters
    ----------
    band_power : needs the bands "delta" and "theta"
    muscle : rows are matched to those of `band_power` by their time
    artefact_sds : broadband log power this many robust standard deviations from the median is odd

    Raises
    ------
    BadParameters
        A band is missing, or the epochs of both tables differ in length.
    """
    missing = [name for name in ("delta", "theta") if name not in band_power.bands]
    if missing:
        raise BadParameters(
            f"no band named {' or '.join(missing)} among {', '.join(band_power.bands)}",
            where="band powers given to the sleep scorer",
            remedy="name one band delta (about 1 to 4 Hz) and one theta (about 6 to 9 Hz)",
        )
    if muscle is not None and abs(muscle.epoch_s - band_power.epoch_s) > 1e-9:
        raise BadParameters(
            f"epochs of {muscle.epoch_s} s do not fit epochs of {band_power.epoch_s} s",
            where="muscle tone given to the sleep scorer",
            remedy="compute band powers and muscle tone with the same epoch",
        )
    order = sorted(range(len(band_power.regions)), key=lambda i: band_power.regions[i])
    power = band_power.power_uv2[:, order, :].astype(np.float64)
    has_data = np.asarray(np.isfinite(power).any(axis=(1, 2)), np.bool_)
    log_power = natural_log(power)
    # Only fast recordings have ripples: what is odd must not hang on the rate.
    slow = [i for i, band in enumerate(band_power.bands) if band != "ripple"]
    delta = log_power[:, :, band_power.bands.index("delta")]
    theta = log_power[:, :, band_power.bands.index("theta")]
    emg = lfp_emg = np.full(band_power.n_rows, np.nan)
    if muscle is not None:
        rows = _match_rows(band_power, muscle)
        emg = np.where(rows >= 0, natural_log(muscle.emg_uv.astype(np.float64))[rows], np.nan)
        correlation = np.clip(muscle.lfp_emg.astype(np.float64), -0.999, 0.999)
        lfp_emg = np.where(rows >= 0, np.arctanh(correlation)[rows], np.nan)
    contiguous = np.isclose(np.diff(band_power.start_s), band_power.epoch_s, rtol=0, atol=1e-3)
    starts = np.ones(band_power.n_rows, np.bool_)
    starts[1:] = ~(contiguous & has_data[1:] & has_data[:-1])
    return Features(
        start_s=band_power.start_s,
        epoch_s=band_power.epoch_s,
        delta=delta,
        theta_ratio=theta - delta,
        emg=np.where(has_data, emg, np.nan),
        lfp_emg=np.where(has_data, lfp_emg, np.nan),
        regions=tuple(band_power.regions[i] for i in order),
        has_data=has_data,
        odd=has_data & _find_odd(power[:, :, slow], artefact_sds),
        starts=starts,
    )


def smooth_median(values: Values, starts: NDArray[np.bool_], n_epochs: int) -> Values:
    """Running median that never looks across a start, nor at missing values.

    Parameters
    ----------
    values : (n_epochs,)
    starts : (n_epochs,) True where a stretch begins
    n_epochs : length of the window, odd

    Returns
    -------
    (n_epochs,); NaN where the value itself is missing
    """
    half = n_epochs // 2
    out = np.full(len(values), np.nan)
    edges = [*np.flatnonzero(starts), len(values)]
    for a, b in pairwise(edges):
        padded = np.full(b - a + 2 * half, np.nan)
        padded[half : half + b - a] = values[a:b]
        # NaN sorts last: the median is the middle of what stands before it.
        windows = np.sort(np.lib.stride_tricks.sliding_window_view(padded, n_epochs), axis=1)
        n_finite = np.isfinite(windows).sum(axis=1)
        rows = np.arange(b - a)
        lower = windows[rows, np.maximum(n_finite - 1, 0) // 2]
        upper = windows[rows, np.minimum(n_finite // 2, n_epochs - 1)]
        out[a:b] = np.where(np.isfinite(values[a:b]), (lower + upper) / 2, np.nan)
    return out


def natural_log(values: Values) -> Values:
    """Natural log; NaN for zero (a flat signal has no log) and for what is missing."""
    out = np.full(values.shape, np.nan)
    np.log(values, out=out, where=values > 0)
    return out


def _match_rows(band_power: BandPower, muscle: MuscleTone) -> NDArray[np.intp]:
    """Row of `muscle` for each row of `band_power`, -1 where there is none."""
    if muscle.n_rows == 0:
        return np.full(band_power.n_rows, -1, np.intp)
    rows = np.clip(np.searchsorted(muscle.start_s, band_power.start_s - 1e-3), 0, muscle.n_rows - 1)
    same = np.abs(muscle.start_s[rows] - band_power.start_s) < 1e-3
    return np.where(same, rows, -1)


def _find_odd(power: Values, artefact_sds: float) -> NDArray[np.bool_]:
    """Epochs whose broadband power, in any region, is far from what the region mostly has."""
    odd = np.zeros(len(power), np.bool_)
    for region in range(power.shape[1]):
        bands = power[:, region, :]
        seen = np.isfinite(bands).any(axis=1)
        if not seen.any():
            continue
        total = np.nansum(bands, axis=1)
        flat = seen & (np.where(np.isfinite(bands), bands, 1.0) <= 0).any(axis=1)
        log_total = natural_log(np.where(seen & ~flat, total, np.nan))
        odd |= flat | is_far(log_total, artefact_sds)
    return odd


def is_far(log_total: Values, artefact_sds: float) -> NDArray[np.bool_]:
    """(n_epochs,) whose broadband power is far from what the recording mostly has.

    Parameters
    ----------
    log_total : (n_epochs,) natural log, NaN where missing
    artefact_sds : robust standard deviations from the median
    """
    good = log_total[np.isfinite(log_total)]
    if good.size == 0:
        return np.zeros(len(log_total), np.bool_)
    middle = np.median(good)
    # The floor keeps an unusually even recording from calling its own tails odd.
    spread = max(1.4826 * float(np.median(np.abs(good - middle))), 0.3)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(log_total - middle) > artefact_sds * spread)
