"""Results about rhythms: what rises above the aperiodic part, and how regions go together."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import PER_ROW, Floats, Rows, Times


@dataclass(frozen=True, eq=False, kw_only=True)
class SpectralFit(Rows):
    """Aperiodic part and peaks of each epoch's spectrum, region by region.

    NaN where an epoch touches a gap, where no channel was good, or where the fit is refused.
    """

    offset: Floats = field(metadata=PER_ROW)
    """(n_epochs, n_regions) log10 of the aperiodic part's uV^2/Hz at 1 Hz (without a knee)."""
    exponent: Floats = field(metadata=PER_ROW)
    """(n_epochs, n_regions) x of 1/f^x."""
    knee_hz: Floats = field(metadata=PER_ROW)
    """(n_epochs, n_regions) where the aperiodic part bends; NaN for a model without knee."""
    error: Floats = field(metadata=PER_ROW)
    """(n_epochs, n_regions) mean absolute difference of model and spectrum, log10 units."""
    r_squared: Floats = field(metadata=PER_ROW)
    """(n_epochs, n_regions) share of the variance of log power that the model explains."""
    peak_hz: Floats = field(metadata=PER_ROW)
    """(n_epochs, n_regions, max_peaks) centres in order of frequency; NaN beyond the last."""
    peak_height: Floats = field(metadata=PER_ROW)
    """(n_epochs, n_regions, max_peaks) above the aperiodic part, log10 units."""
    peak_width_hz: Floats = field(metadata=PER_ROW)
    """(n_epochs, n_regions, max_peaks) two standard deviations of the Gaussian."""
    theta_hz: Floats = field(metadata=PER_ROW)
    """(n_epochs, n_regions) centre of the theta peak; NaN where there is none."""
    theta_height: Floats = field(metadata=PER_ROW)
    """(n_epochs, n_regions) its height above the aperiodic part, log10 units."""
    theta_power_uv2: Floats = field(metadata=PER_ROW)
    """(n_epochs, n_regions) its power above the aperiodic part; NaN where there is none."""
    regions: tuple[str, ...]
    epoch_s: float
    window_s: float
    """Length of the stretch whose mean spectrum was fitted, centred on the epoch; shorter next to
    a hole."""
    model: str
    """"fixed" or "knee"."""
    range_hz: tuple[float, float]
    """What was fitted."""
    theta_range_hz: tuple[float, float]
    """Where a peak is theta."""
    refused: tuple[str, ...] = ()
    """Which regions are NaN throughout, and why."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Connectivity(Rows):
    """How the signals of two regions go together, per window of epochs and frequency.

    NaN where a window holds too few good epochs.
    """

    coherence: Floats = field(metadata=PER_ROW)
    """(n_windows, n_pairs, n_frequencies) magnitude-squared coherence, 0 to 1."""
    phase_locking: Floats = field(metadata=PER_ROW)
    """(n_windows, n_pairs, n_frequencies) phase locking value, 0 to 1."""
    wpli: Floats = field(metadata=PER_ROW)
    """(n_windows, n_pairs, n_frequencies) debiased squared weighted phase-lag index: 0 on average
    where nothing lags (then as often below 0 as above), 1 where one always leads."""
    n_epochs: NDArray[np.int16] = field(metadata=PER_ROW)
    """(n_windows, n_pairs) epochs that went into it."""
    montage: NDArray[np.int8] = field(metadata=PER_ROW)
    """(n_windows, n_regions) which of the region's `montages` was used; -1 for none."""
    frequency_hz: Times
    """(n_frequencies,)"""
    regions: tuple[str, ...]
    montages: tuple[tuple[str, ...], ...]
    """Of each region, the signals to choose from, the first that is good: "c1 - c4" is a bipolar
    derivation, "c1" a channel against its reference."""
    pairs: tuple[tuple[str, str], ...]
    """The regions of each pair."""
    bipolar: tuple[bool, ...]
    """Of each pair, whether both regions are bipolar derivations."""
    window_s: float
    epoch_s: float
    method: str
    n_tapers: int
    notes: tuple[str, ...] = ()
    """What a reader must know: where both regions share a reference, what was refused."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PhaseAmplitude:
    """How fast amplitudes hang on slow phases, per state and region, for one local day.

    NaN where a state has too little time, or the rate does not show an amplitude's band.
    """

    date: str
    """ISO date; "" where the session's start is unknown."""
    states: tuple[str, ...]
    """"active wake" ("awake" where nothing tells it from quiet wakefulness) and "REM"."""
    regions: tuple[str, ...]
    channels: tuple[tuple[str, ...], ...]
    """Of each region, the channel that stood for it in each state."""
    phase_hz: Times
    """(n_phases,) centres of bands."""
    amplitude_hz: Times
    """(n_amplitudes,) centres of bands."""
    modulation_index: NDArray[np.float64]
    """(n_states, n_regions, n_phases, n_amplitudes), 0 to 1."""
    z: NDArray[np.float64]
    """The same shape; standard deviations above surrogates."""
    chance: NDArray[np.float64]
    """(n_states, n_regions) an index above this is significant at 5 %, all pairs together."""
    vector_length: NDArray[np.float64]
    """The shape of the index; length of the mean vector of amplitudes of mean 1."""
    vector_phase_rad: NDArray[np.float64]
    """The same shape; the phase of largest amplitude, 0 at the crest of the slow wave."""
    profile: NDArray[np.float64]
    """(n_states, n_regions, n_phases, n_amplitudes, 18) amplitude by phase, from -pi on, mean 1."""
    used_s: NDArray[np.float64]
    """(n_states, n_regions) time that went into it."""
    least_s: float
    notes: tuple[str, ...] = ()
