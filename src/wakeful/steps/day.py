"""The day at a glance: minutes and band power per state, and the figure of one local day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import BandPower, Hypnogram, MuscleTone, Spectrogram, State
from wakeful.model.subject import Session
from wakeful.model.time import Accounting, Day, Quarantine, Span
from wakeful.step import Step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STATES = (State.AWAKE, State.UNCLASSIFIED, State.NREM, State.REM)
"""The rows of a summary, as on the hypnogram."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """One local day of a session."""

    day: Day
    session: Session
    accounting: Accounting
    spectrogram: Spectrogram
    band_power: BandPower
    hypnogram: Hypnogram
    muscle: MuscleTone | None = None
    quarantined: tuple[Quarantine, ...] | None = None
    spans: tuple[Span, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Params:
    """None: a summary of a day has nothing to choose."""


@dataclass(frozen=True, eq=False, kw_only=True)
class DaySummary:
    """What an animal did on one local day. States are those after smoothing."""

    date: str
    """ISO date; "" where the session's start is unknown."""
    day_number: int
    """0 for the day the session starts on."""
    recorded_s: float
    gap_s: float
    quarantined_s: float
    outside_s: float
    states: tuple[str, ...]
    """awake, unclassified, NREM, REM."""
    phases: tuple[str, ...]
    """"day" (all of it), then "light" and "dark" where the light schedule is known."""
    minutes: NDArray[np.float64]
    """(n_phases, n_states) minutes in each state."""
    regions: tuple[str, ...]
    bands: tuple[str, ...]
    edges_hz: tuple[tuple[float, float], ...]
    n_epochs: NDArray[np.int64]
    """(n_states,) epochs of each state."""
    band_power_uv2: NDArray[np.float64]
    """(n_states, n_regions, n_bands) mean over the epochs that have power; NaN where none has."""
    emg_uv: NDArray[np.float64]
    """(n_states,) mean root mean square of the EMG; NaN where there is none."""
    lfp_emg: NDArray[np.float64]
    """(n_states,) mean LFP-derived EMG (correlation); NaN where there is none."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The summary of the day."""

    day_summary: DaySummary


def compute(inputs: Inputs, params: Params) -> Outputs:  # noqa: ARG001 - there is nothing to choose
    """Minutes per state and light phase, mean band power and muscle tone per state.

    An epoch belongs to the day, and to the light phase, that it starts in. Gaps and quarantined
    epochs are no state and enter no mean.
    """
    day, session = inputs.day, inputs.session
    hypnogram = _trusted(inputs).cut(day.interval)
    power = inputs.band_power.cut(day.interval)
    muscle = None if inputs.muscle is None else inputs.muscle.cut(day.interval)
    phases = {"day": np.ones(hypnogram.n_rows, np.bool_), **_light(session, day, hypnogram.start_s)}
    member = np.stack([hypnogram.state == state for state in STATES])
    minutes = np.array(
        [[np.sum(row & inside) for row in member] for inside in phases.values()], np.float64
    )
    none = np.full(len(STATES), np.nan)
    return Outputs(
        day_summary=DaySummary(
            date="" if session.start_utc is None else day.date.isoformat(),
            day_number=day.number,
            recorded_s=inputs.accounting.recorded_s,
            gap_s=inputs.accounting.gap_s,
            quarantined_s=inputs.accounting.quarantined_s,
            outside_s=inputs.accounting.outside_s,
            states=tuple(state.label for state in STATES),
            phases=tuple(phases),
            minutes=minutes * hypnogram.epoch_s / 60,
            regions=power.regions,
            bands=power.bands,
            edges_hz=power.edges_hz,
            n_epochs=member.sum(axis=1, dtype=np.int64),
            band_power_uv2=_mean_per_state(hypnogram, power.start_s, power.power_uv2),
            emg_uv=none
            if muscle is None
            else _mean_per_state(hypnogram, muscle.start_s, muscle.emg_uv),
            lfp_emg=none
            if muscle is None
            else _mean_per_state(hypnogram, muscle.start_s, muscle.lfp_emg),
        )
    )


def _trusted(inputs: Inputs) -> Hypnogram:
    """The hypnogram with "no data" wherever an epoch touches a quarantined stretch."""
    from wakeful.figures.clock import touches

    hypnogram = inputs.hypnogram
    stretches = tuple(stretch.interval for stretch in inputs.quarantined or ())
    bad = touches(hypnogram.start_s, hypnogram.epoch_s, stretches)
    state = np.where(bad, np.int8(State.NO_DATA), hypnogram.state)
    return replace(hypnogram, state=state)


def _light(
    session: Session, day: Day, start_s: NDArray[np.float64]
) -> dict[str, NDArray[np.bool_]]:
    """Which epochs start in the light and which in the dark; empty where that is unknown."""
    from wakeful.figures.clock import light_phases

    phases = light_phases(session, day.interval)
    if not phases:
        return {}
    light = np.zeros(len(start_s), np.bool_)
    for stretch, on in phases:
        if on:
            light |= (start_s >= stretch.start_s) & (start_s < stretch.stop_s)
    return {"light": light, "dark": ~light}


def _mean_per_state(
    hypnogram: Hypnogram, start_s: NDArray[np.float64], values: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Mean of (n_epochs, ...) over the epochs of each state, NaN left out: (n_states, ...)."""
    epoch_s = hypnogram.epoch_s
    _, scored, valued = np.intersect1d(
        np.rint(hypnogram.start_s / epoch_s).astype(np.int64),
        np.rint(start_s / epoch_s).astype(np.int64),
        assume_unique=True,
        return_indices=True,
    )
    state, matched = hypnogram.state[scored], values[valued]
    means = np.full((len(STATES), *values.shape[1:]), np.nan)
    for i, wanted in enumerate(STATES):
        chosen = matched[state == wanted].astype(np.float64)
        known = np.isfinite(chosen)
        count = known.sum(axis=0)
        total = np.where(known, chosen, 0.0).sum(axis=0)
        means[i] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return means


def draw(inputs: Inputs, params: Params, outputs: Outputs) -> Mapping[str, Figure]:  # noqa: ARG001
    """The day at a glance and the spectra of each state."""
    from wakeful.figures import draw_day, draw_state_spectra

    return {
        "day": draw_day(
            inputs.session,
            inputs.day,
            inputs.accounting,
            inputs.spectrogram,
            inputs.band_power,
            inputs.muscle,
            inputs.hypnogram,
            spans=inputs.spans,
            quarantined=inputs.quarantined or (),
        ),
        "state_spectra": draw_state_spectra(
            inputs.session, inputs.spectrogram, _trusted(inputs), inputs.day.interval
        ),
    }


STEP = Step(
    title="Day at a glance",
    summary=(
        "Figure of a local day (spectrograms, band powers, muscle tone, hypnogram, hours accounted "
        "for), minutes and band power per state and light phase."
    ),
    inputs=Inputs,
    params=Params,
    outputs=Outputs,
    compute=compute,
    draw=draw,
    version=1,
    draw_version=3,
    masks="none",
    masks_reason="it draws and averages what the others left",
    per="day",
    captions={
        "day": (
            "One local day: light, power spectral density and band powers per region, muscle tone, "
            "states, and where its hours went. Hatched: nothing was recorded. White: no channel of "
            "the region was good."
        ),
        "state_spectra": (
            "Power spectral density of each state and region: median over epochs with quartiles, "
            "and the mean."
        ),
    },
)
