"""A day's outcomes hour by hour, in their units and as per cent of a named baseline day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.bouts import StateHours
from wakeful.model.epochs import SCORED, BandPower, Hypnogram
from wakeful.model.errors import BadParameters, Unavailable
from wakeful.model.time import Interval

Values = NDArray[np.float64]
_HOUR_S = 3600.0


@dataclass(frozen=True, eq=False, kw_only=True)
class DayOutcomes:
    """State minutes and band power of each hour of a day."""

    name: str
    """Session and day."""
    start_s: Values
    """(n_hours,)"""
    zeitgeber_h: Values
    """(n_hours,) 0 to 23, each once."""
    states: tuple[str, ...]
    """awake, NREM, REM."""
    minutes: Values
    """(n_hours, 3)"""
    scored_min: Values
    """(n_hours,) minutes that have a state, unclassified included: an hour that is not full has
    fewer minutes of everything."""
    regions: tuple[str, ...]
    bands: tuple[str, ...]
    edges_hz: tuple[tuple[float, float], ...]
    density_uv2_per_hz: Values
    """(n_hours, 3, n_regions, n_bands) mean over the epochs of the state, by the band's width; NaN
    of fewer than `least_epochs`."""
    n_epochs: NDArray[np.int64]
    """(n_hours, 3, n_regions, n_bands) with power."""


@dataclass(frozen=True, eq=False, kw_only=True)
class AgainstBaseline:
    """A day as per cent of another at the same zeitgeber hour."""

    day: DayOutcomes
    baseline: DayOutcomes
    share_percent: Values
    """(n_hours, 3) of the share of scored time, so that part of an hour is comparable;
    NaN where the baseline lacks the hour, or the state in it."""
    density_percent: Values
    """(n_hours, 3, n_regions, n_bands); NaN where either has no number, or the baseline is 0."""
    notes: tuple[str, ...]


def compute_day_outcomes(
    state_hours: StateHours,
    hypnogram: Hypnogram,
    band_power: BandPower,
    *,
    name: str,
    day: Interval | None = None,
    left_out: NDArray[np.bool_] | None = None,
    least_epochs: int = 10,
) -> DayOutcomes:
    """State minutes and band power of the hours that begin within a day.

    Parameters
    ----------
    state_hours, hypnogram, band_power : of one session
    name : of session and day, for errors and tables
    day : which hours to take; all where None
    left_out : (n_epochs,) of the hypnogram: ictal or quarantined epochs, in no mean
    least_epochs : fewer make no mean

    Raises
    ------
    BadParameters
        Epoch lengths differ, `left_out` has another length, an hour of zeitgeber time comes twice,
        or `least_epochs` is below 1.
    Unavailable
        No hour with data begins within the day, or its zeitgeber time is unknown.
    """
    if least_epochs < 1:
        raise BadParameters(f"least_epochs = {least_epochs} must be 1 or more", where=name)
    if abs(hypnogram.epoch_s - band_power.epoch_s) > 1e-6:
        raise BadParameters(
            f"epochs of {hypnogram.epoch_s:g} s and power of {band_power.epoch_s:g} s",
            where=name,
            remedy="give results of one session",
        )
    if left_out is not None and left_out.shape != (hypnogram.n_rows,):
        raise BadParameters(
            f"left_out has shape {left_out.shape}, the hypnogram {hypnogram.n_rows} epochs",
            where=name,
            remedy="give one value an epoch",
        )
    scored_min = state_hours.minutes.sum(axis=1)
    hours = scored_min > 0
    if day is not None:
        hours &= (state_hours.start_s >= day.start_s) & (state_hours.start_s < day.stop_s)
    rows = np.flatnonzero(hours)
    if not rows.size:
        raise Unavailable(
            "no scored hour begins within the day", where=name, remedy="name a day that is scored"
        )
    zeitgeber_h = state_hours.zeitgeber_h[rows]
    if np.isnan(zeitgeber_h).any():
        raise Unavailable(
            "zeitgeber time is unknown: start, time zone or light schedule is missing",
            where=name,
            remedy="give lights on and off and the time zone of the session",
        )
    hour, times = np.unique(zeitgeber_h, return_counts=True)
    if (times > 1).any():
        raise BadParameters(
            f"ZT {hour[times > 1][0]:g} comes {times.max()} times",
            where=name,
            remedy="name one day of the session",
        )
    labels = tuple(state.label for state in SCORED)
    at = np.array([state_hours.states.index(label) for label in labels])
    mean, n_epochs = _mean_power(
        state_hours.start_s[rows], hypnogram, band_power, left_out, least_epochs
    )
    width_hz = np.array([high - low for low, high in band_power.edges_hz])
    return DayOutcomes(
        name=name,
        start_s=state_hours.start_s[rows],
        zeitgeber_h=zeitgeber_h,
        states=labels,
        minutes=state_hours.minutes[np.ix_(rows, at)],
        scored_min=scored_min[rows],
        regions=band_power.regions,
        bands=band_power.bands,
        edges_hz=band_power.edges_hz,
        density_uv2_per_hz=mean / width_hz,
        n_epochs=n_epochs,
    )


def set_against_baseline(day: DayOutcomes, baseline: DayOutcomes) -> AgainstBaseline:
    """Each hour as per cent of the baseline's at the same zeitgeber hour.

    Raises
    ------
    BadParameters
        Regions, bands or their limits differ.
    Unavailable
        The days share no zeitgeber hour.
    """
    for what, ours, theirs in (
        ("regions", day.regions, baseline.regions),
        ("bands", _bands(day), _bands(baseline)),
    ):
        if ours != theirs:
            raise BadParameters(
                f"{what} of {day.name} are {', '.join(ours)}; of the baseline {baseline.name} "
                f"{', '.join(theirs)}",
                where="baseline",
                remedy="name a baseline of the same animal, channels and parameters",
            )
    place = {hour: i for i, hour in enumerate(baseline.zeitgeber_h.tolist())}
    at = np.array([place.get(hour, -1) for hour in day.zeitgeber_h.tolist()])
    if (at < 0).all():
        raise Unavailable(
            f"{day.name} and the baseline {baseline.name} share no zeitgeber hour",
            where="baseline",
            remedy="name a baseline recorded at the same hours",
        )
    shares = [d.minutes / d.scored_min[:, None] for d in (day, baseline)]
    missing = [f"ZT {hour:g}" for hour in day.zeitgeber_h[at < 0].tolist()]
    notes = (f"the baseline has no {', '.join(missing)}",) if missing else ()
    return AgainstBaseline(
        day=day,
        baseline=baseline,
        share_percent=_percent(shares[0], shares[1], at),
        density_percent=_percent(day.density_uv2_per_hz, baseline.density_uv2_per_hz, at),
        notes=notes,
    )


def _bands(day: DayOutcomes) -> tuple[str, ...]:
    return tuple(
        f"{band} {low:g}-{high:g} Hz"
        for band, (low, high) in zip(day.bands, day.edges_hz, strict=True)
    )


def _percent(ours: Values, theirs: Values, at: NDArray[np.intp]) -> Values:
    reference = theirs[at]
    known = (reference > 0) & (at >= 0).reshape(-1, *([1] * (ours.ndim - 1)))
    percent = np.full(ours.shape, np.nan)
    np.divide(100 * ours, reference, out=percent, where=known)
    return percent


def _mean_power(
    start_s: Values,
    hypnogram: Hypnogram,
    band_power: BandPower,
    left_out: NDArray[np.bool_] | None,
    least_epochs: int,
) -> tuple[Values, NDArray[np.int64]]:
    """(n_hours, 3, n_regions, n_bands) mean, and of how many epochs."""
    numbers, power_n = (
        np.rint(t.start_s / t.epoch_s).astype(np.int64) for t in (hypnogram, band_power)
    )
    _, mine, its = np.intersect1d(numbers, power_n, return_indices=True)
    kept = np.ones(len(mine), np.bool_) if left_out is None else ~left_out[mine]
    begins, state = hypnogram.start_s[mine], hypnogram.state[mine]
    shape = (len(start_s), len(SCORED), *band_power.power_uv2.shape[1:])
    mean, n_epochs = np.full(shape, np.nan), np.zeros(shape, np.int64)
    for i, hour_s in enumerate(start_s.tolist()):
        inside = kept & (begins >= hour_s) & (begins < hour_s + _HOUR_S)
        for j, wanted in enumerate(SCORED):
            power = band_power.power_uv2[its[inside & (state == wanted)]].astype(np.float64)
            known = np.isfinite(power)
            n_epochs[i, j] = known.sum(axis=0)
            total = np.where(known, power, 0.0).sum(axis=0)
            np.divide(total, n_epochs[i, j], out=mean[i, j], where=n_epochs[i, j] >= least_epochs)
    return mean, n_epochs
