"""The median spectrum of each state, region by region, for one local day."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wakeful.model.bouts import STATES
from wakeful.model.epochs import Hypnogram, Spectrogram, State
from wakeful.model.errors import BadParameters
from wakeful.model.ictal import IctalIntervals, IctalKind
from wakeful.model.subject import Session
from wakeful.model.time import Day, Quarantine
from wakeful.step import Step, parameter


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """One local day of a session."""

    day: Day
    session: Session
    spectrogram: Spectrogram
    hypnogram: Hypnogram
    quarantined: tuple[Quarantine, ...] | None = None
    ictal: IctalIntervals | None = None
    """Seizures and what follows them; left out."""


@dataclass(frozen=True, kw_only=True)
class Params:
    """How many epochs make a median."""

    least_epochs: int = parameter(
        10, unit="", source="as on the figure: a median of fewer hangs on single epochs"
    )

    def __post_init__(self) -> None:
        if self.least_epochs < 1:
            raise BadParameters(
                f"least_epochs = {self.least_epochs} must be 1 or more",
                where="parameters of state_medians",
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class StateMedians:
    """Power spectral density of each state on one local day, uV^2/Hz."""

    date: str
    """ISO date; "" where the session's start is unknown."""
    day_number: int
    states: tuple[str, ...]
    regions: tuple[str, ...]
    frequency_hz: NDArray[np.float64]
    median_uv2_per_hz: NDArray[np.float64]
    """(n_states, n_regions, n_frequencies) over epochs; NaN of fewer than `least_epochs`."""
    n_epochs: NDArray[np.int64]
    """(n_states, n_regions) epochs with power that went into it."""
    notes: tuple[str, ...] = ()
    """Says so where states that were told apart by power are compared by it here."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The spectra of the day."""

    state_medians: StateMedians


def compute(inputs: Inputs, params: Params) -> Outputs:
    """Medians over the epochs of each state; quarantined and ictal epochs are in none.

    A median, since power over epochs is skewed and artefacts are rare and large.
    """
    from wakeful.figures.clock import touches
    from wakeful.figures.spectra import states_of
    from wakeful.sleep.ictal import overlay_ictal
    from wakeful.sleep.signals import why_circular

    day, session = inputs.day, inputs.session
    spectrogram = inputs.spectrogram.cut(day.interval)
    hypnogram = inputs.hypnogram.cut(day.interval)
    apart = tuple(stretch.interval for stretch in inputs.quarantined or ())
    kept = ~touches(hypnogram.start_s, hypnogram.epoch_s, apart)
    kept &= overlay_ictal(hypnogram, inputs.ictal) == IctalKind.NONE
    trusted = np.where(kept, hypnogram.state, np.int8(State.NO_DATA))
    state = states_of(spectrogram, replace(hypnogram, state=trusted))
    shape = (len(STATES), len(spectrogram.regions), len(spectrogram.frequency_hz))
    median = np.full(shape, np.nan)
    n_epochs = np.zeros(shape[:2], np.int64)
    for i, wanted in enumerate(STATES):
        members = np.flatnonzero(state == wanted)
        for j in range(shape[1]):
            power = spectrogram.power_uv2_per_hz[members, j]
            known = np.isfinite(power)
            n_epochs[i, j] = known.any(axis=1).sum()
            if n_epochs[i, j] >= params.least_epochs:
                # A frequency without any number stays NaN.
                some = known.any(axis=0)
                median[i, j, some] = np.nanmedian(power[:, some].astype(np.float64), axis=0)
    circular = why_circular(hypnogram.signals, "spectrum")
    return Outputs(
        state_medians=StateMedians(
            date="" if session.start_utc is None else day.date.isoformat(),
            day_number=day.number,
            states=tuple(s.label for s in STATES),
            regions=spectrogram.regions,
            frequency_hz=spectrogram.frequency_hz,
            median_uv2_per_hz=median,
            n_epochs=n_epochs,
            notes=(circular,) if circular else (),
        )
    )


STEP = Step(
    title="Spectra of each state",
    summary=(
        "Median power spectral density of each state and region for one local day, over the "
        "epochs of the smoothed hypnogram."
    ),
    inputs=Inputs,
    params=Params,
    outputs=Outputs,
    compute=compute,
    version=2,
    masks="none",
    masks_reason="it works on the spectrogram, out of which bad channels were left",
    per="day",
)
