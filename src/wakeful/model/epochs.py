"""Results with one row per epoch (or any other bin of time): what steps hand to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from wakeful.model.errors import BadParameters
from wakeful.model.time import Interval

if TYPE_CHECKING:
    import xarray

Floats = NDArray[np.float32]
Times = NDArray[np.float64]

PER_ROW = {"rows": True}
"""Metadata of a field whose first axis is the row (epoch)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Rows:
    """A table in order of time: fields marked `PER_ROW` have one entry a row."""

    start_s: Times = field(metadata=PER_ROW)
    """(n_rows,) start of each row, seconds from the session's start."""

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.start_s)

    def cut(self, interval: Interval) -> Self:
        """The rows that start in `interval`."""
        start, stop = np.searchsorted(self.start_s, [interval.start_s, interval.stop_s])
        return self._with_rows(lambda values: values[start:stop])

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """One table from consecutive ones; what is not per row must be the same in all."""
        if not parts:
            raise ValueError(f"{cls.__name__}.join needs at least one part")
        first = parts[0]
        for part in parts[1:]:
            for f in fields(first):
                a, b = getattr(first, f.name), getattr(part, f.name)
                if not f.metadata.get("rows") and not _same(a, b):
                    raise ValueError(
                        f"{cls.__name__}.join: {f.name} differs between parts: {a!r} and {b!r}"
                    )
        joined = {
            f.name: np.concatenate([getattr(part, f.name) for part in parts])
            for f in fields(first)
            if f.metadata.get("rows")
        }
        return replace(first, **joined)

    def _with_rows(self, change: Any) -> Self:
        return replace(
            self,
            **{
                f.name: change(getattr(self, f.name))
                for f in fields(self)
                if f.metadata.get("rows")
            },
        )


def _same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return bool(np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True))
    return a == b


@dataclass(frozen=True, eq=False, kw_only=True)
class Spectrogram(Rows):
    """Power spectral density per epoch and region; NaN where an epoch touches a gap."""

    power_uv2_per_hz: Floats = field(metadata=PER_ROW)
    """(n_epochs, n_regions, n_frequencies), one-sided; the mean over each bin."""
    frequency_hz: Times
    """(n_frequencies,) middles of the bins."""
    regions: tuple[str, ...]
    channels: tuple[tuple[str, ...], ...]
    """The channels that each region's power is the median of."""
    epoch_s: float
    method: str
    """For example "multitaper, 3 tapers, half bandwidth 1 Hz"."""
    trusted_from_hz: tuple[float, ...] = ()
    """Of each region: below this frequency the acquisition's high-pass filters took a part of the
    power of all of its channels; 0 where nothing is known against it; empty: not looked at."""
    edges_hz: Times = field(default_factory=lambda: np.empty(0))
    """(n_frequencies + 1,) of the bins, which grow wider with frequency. The first bin begins below
    0 where it holds what lies at 0 Hz alone. Evenly spaced around `frequency_hz` where empty."""

    def __post_init__(self) -> None:
        """Fill in the edges of evenly spaced bins."""
        n = len(self.frequency_hz)
        if len(self.edges_hz) == 0 and n > 1:
            half_hz = float(self.frequency_hz[1] - self.frequency_hz[0]) / 2
            edges_hz = np.append(self.frequency_hz - half_hz, self.frequency_hz[-1] + half_hz)
            object.__setattr__(self, "edges_hz", edges_hz)
        if n > 1 and len(self.edges_hz) != n + 1:
            raise BadParameters(
                f"{len(self.edges_hz)} edges of {n} bins",
                where="Spectrogram",
                remedy="give one edge more than there are bins",
            )

    def to_pynapple(self, region: str | None = None) -> Any:
        """As pynapple: a TsdTensor (epoch, region, frequency), or a TsdFrame of one region.

        Times are the middles of epochs; epochs without a number are left out and end the time
        support.

        Parameters
        ----------
        region : one region, its columns then are frequencies; all of them where None


        Raises
        ------
        Unavailable
            No epoch holds a number, or pynapple is not installed.
        """
        from wakeful.model.sharing import spectrogram_to_pynapple

        return spectrogram_to_pynapple(self, region)

    def to_xarray(self, *, start_utc: datetime | None = None) -> xarray.DataArray:
        """As an xarray DataArray (start_s, region, frequency_hz), uV^2/Hz.

        Parameters
        ----------
        start_utc : the session's start; gives a second coordinate, time_utc

        Raises
        ------
        Unavailable
            xarray is not installed.
        """
        from wakeful.model.sharing import spectrogram_to_xarray

        return spectrogram_to_xarray(self, start_utc)


@dataclass(frozen=True, eq=False, kw_only=True)
class BandPower(Rows):
    """Power per epoch, region and frequency band; NaN where an epoch touches a gap."""

    power_uv2: Floats = field(metadata=PER_ROW)
    """(n_epochs, n_regions, n_bands); NaN too for a band the recording's rate can't show."""
    regions: tuple[str, ...]
    bands: tuple[str, ...]
    edges_hz: tuple[tuple[float, float], ...]
    epoch_s: float
    refused: tuple[str, ...] = ()
    """Which bands of which regions are NaN throughout because of hardware filters, and why."""

    def to_pynapple(self) -> Any:
        """As a pynapple TsdFrame, uV^2, a column for each region and band ("CA1 theta").

        Times are the middles of epochs; epochs without a number are left out and end the time
        support. Region, band and its limits are the frame's metadata.


        Raises
        ------
        Unavailable
            No epoch holds a number, or pynapple is not installed.
        """
        from wakeful.model.sharing import band_power_to_pynapple

        return band_power_to_pynapple(self)

    def to_xarray(self, *, start_utc: datetime | None = None) -> xarray.DataArray:
        """As an xarray DataArray (start_s, region, band), uV^2.

        Parameters
        ----------
        start_utc : the session's start; gives a second coordinate, time_utc

        Raises
        ------
        Unavailable
            xarray is not installed.
        """
        from wakeful.model.sharing import band_power_to_xarray

        return band_power_to_xarray(self, start_utc)


@dataclass(frozen=True, eq=False, kw_only=True)
class LfpEmg(Rows):
    """Muscle tone read from the LFP: correlation of 300-600 Hz between distant channels."""

    correlation: Floats = field(metadata=PER_ROW)
    """(n_bins,) mean over pairs of channels, -1 to 1; NaN in gaps and where unavailable."""
    bin_s: float
    channels: tuple[str, ...]
    """The channels compared; empty where unavailable."""
    unavailable: str = ""
    """Why there is none, "" where there is."""

    def to_pynapple(self) -> Any:
        """As a pynapple Tsd; times are the middles of bins.


        Raises
        ------
        Unavailable
            It is unavailable in this recording, or pynapple is not installed.
        """
        from wakeful.model.sharing import lfp_emg_to_pynapple

        return lfp_emg_to_pynapple(self)

    def to_xarray(self, *, start_utc: datetime | None = None) -> xarray.DataArray:
        """As an xarray DataArray (start_s).

        Parameters
        ----------
        start_utc : the session's start; gives a second coordinate, time_utc

        Raises
        ------
        Unavailable
            xarray is not installed.
        """
        from wakeful.model.sharing import lfp_emg_to_xarray

        return lfp_emg_to_xarray(self, start_utc)


@dataclass(frozen=True, eq=False, kw_only=True)
class MuscleTone(Rows):
    """Muscle tone per epoch, from EMG channels and from the LFP."""

    emg_uv: Floats = field(metadata=PER_ROW)
    """(n_epochs,) root mean square of the EMG; NaN in gaps and where there is no EMG."""
    lfp_emg: Floats = field(metadata=PER_ROW)
    """(n_epochs,) mean LFP-derived EMG (correlation); NaN in gaps and where unavailable."""
    emg_channels: tuple[str, ...]
    emg_band_hz: tuple[float, float]
    epoch_s: float
    lfp_emg_unavailable: str = ""

    def to_pynapple(self) -> Any:
        """As a pynapple TsdFrame with the columns emg_uv and lfp_emg.

        Times are the middles of epochs; epochs without a number are left out and end the time
        support.


        Raises
        ------
        Unavailable
            No epoch holds a number, or pynapple is not installed.
        """
        from wakeful.model.sharing import muscle_to_pynapple

        return muscle_to_pynapple(self)

    def to_xarray(self, *, start_utc: datetime | None = None) -> xarray.Dataset:
        """As an xarray Dataset of emg_uv and lfp_emg.

        Parameters
        ----------
        start_utc : the session's start; gives a second coordinate, time_utc

        Raises
        ------
        Unavailable
            xarray is not installed.
        """
        from wakeful.model.sharing import muscle_to_xarray

        return muscle_to_xarray(self, start_utc)


@dataclass(frozen=True, eq=False, kw_only=True)
class SleepFeatures(Rows):
    """What a scorer looks at: some hundred numbers per epoch, named, in one matrix."""

    values: Floats = field(metadata=PER_ROW)
    """(n_epochs, n_features); NaN where missing, and throughout where an epoch touches a gap."""
    names: tuple[str, ...]
    """Of each column: "CA1.log_power_delta", "CA1~PFC.coherence_theta", "lfp_emg.mean_60s"."""
    units: tuple[str, ...]
    """Of each column."""
    groups: tuple[str, ...]
    """Of each column: spectrum, shape, pairs, muscle or neighbours."""
    regions: tuple[str, ...]
    channels: tuple[tuple[str, ...], ...]
    """The channels of each region."""
    epoch_s: float
    refused: tuple[str, ...] = ()
    """What is NaN throughout because of hardware filters, and why."""

    def column(self, name: str) -> Floats:
        """One feature, (n_epochs,).

        Raises
        ------
        BadParameters
            There is none of this name.
        """
        if name not in self.names:
            raise BadParameters(
                f"there is no feature {name!r}",
                where="SleepFeatures",
                remedy="use one of its `names`",
            )
        return self.values[:, self.names.index(name)]

    def to_xarray(self, *, start_utc: datetime | None = None) -> xarray.DataArray:
        """As an xarray DataArray (start_s, feature), with each feature's unit and group.

        Parameters
        ----------
        start_utc : the session's start; gives a second coordinate, time_utc

        Raises
        ------
        Unavailable
            xarray is not installed.
        """
        from wakeful.model.sharing import sleep_features_to_xarray

        return sleep_features_to_xarray(self, start_utc)


class State(IntEnum):
    """Vigilance state of an epoch."""

    NO_DATA = -1
    AWAKE = 0
    UNCLASSIFIED = 1
    NREM = 2
    REM = 3

    @property
    def label(self) -> str:
        """As written on figures and in tables."""
        return _LABELS[self]


_LABELS = {
    State.NO_DATA: "no data",
    State.AWAKE: "awake",
    State.UNCLASSIFIED: "unclassified",
    State.NREM: "NREM",
    State.REM: "REM",
}


class Doubt(IntEnum):
    """Why an epoch is unclassified."""

    NONE = 0
    """It is classified, has no data, or nobody said why."""
    AMBIGUOUS = 1
    """Too close to call."""
    ARTEFACT = 2
    """It looks like no state at all."""
    REFUSED = 3
    """The recording as a whole was not scored."""
    ICTAL = 4
    """A seizure, or what follows one."""

    @property
    def label(self) -> str:
        """As written in tables; "" for none."""
        return "" if self is Doubt.NONE else self.name.lower()


SCORED = (State.AWAKE, State.NREM, State.REM)
"""The states that a scorer tells apart: the columns of `Hypnogram.probability`."""


def _not_given(shape: tuple[int, ...], dtype: Any) -> Any:
    return lambda: np.empty(shape, dtype)


@dataclass(frozen=True, eq=False, kw_only=True)
class Hypnogram(Rows):
    """State per epoch, as decided epoch by epoch and as smoothed, and how sure that is."""

    raw_state: NDArray[np.int8] = field(metadata=PER_ROW)
    """(n_epochs,) before smoothing: short awakenings are findings, not noise."""
    state: NDArray[np.int8] = field(metadata=PER_ROW)
    """(n_epochs,) values of `State`."""
    confidence: Floats = field(metadata=PER_ROW)
    """(n_epochs,) 0 to 1; NaN where there is no data."""
    epoch_s: float
    scorer: str
    """Which scorer, with its version."""
    notes: tuple[str, ...] = ()
    """What a reader must know: which signals were used, thresholds found, what was missing."""
    signals: tuple[str, ...] = ()
    """What states were told by ("delta", "theta ratio", "emg", ...; `wakeful.sleep.signals`); empty
    where nobody said. That states differ in these is how they were made, not a finding."""
    probability: Floats = field(default_factory=_not_given((0, 3), np.float32), metadata=PER_ROW)
    """(n_epochs, 3) of awake, NREM and REM, once the whole stretch is known; NaN where there is no
    data, where nothing was scored, and throughout for a state that could not be told apart."""
    doubt: NDArray[np.int8] = field(default_factory=_not_given((0,), np.int8), metadata=PER_ROW)
    """(n_epochs,) values of `Doubt`: why an epoch is unclassified."""
    provisional: NDArray[np.int8] = field(
        default_factory=_not_given((0,), np.int8), metadata=PER_ROW
    )
    """(n_epochs,) values of `State`: what would have been said when the epoch came in, from it and
    those before it; no data where nothing was said."""

    def __post_init__(self) -> None:
        # Scores by hand have none of these: nothing is made up for them.
        for name, unsaid in (("probability", np.nan), ("doubt", 0), ("provisional", -1)):
            given = getattr(self, name)
            if len(given) == 0 and self.n_rows:
                shape = (self.n_rows, *given.shape[1:])
                object.__setattr__(self, name, np.full(shape, unsaid, given.dtype))
            elif len(given) != self.n_rows:
                raise ValueError(
                    f"Hypnogram: {name} has {len(given)} rows, there are {self.n_rows} epochs"
                )

    @property
    def provisional_gap(self) -> float:
        """Share of epochs whose provisional state was another, of those classified both times.

        NaN where there is no such epoch.
        """
        both = np.isin(self.state, SCORED) & np.isin(self.provisional, SCORED)
        if not both.any():
            return float("nan")
        return float(np.mean(self.state[both] != self.provisional[both]))

    def doubt_shares(self) -> dict[Doubt, float]:
        """Share of the epochs with data that each reason left unclassified; NaN without data."""
        n_known = int(np.sum(self.state != State.NO_DATA))
        return {
            why: float(np.sum(self.doubt == why)) / n_known if n_known else float("nan")
            for why in (Doubt.AMBIGUOUS, Doubt.ARTEFACT, Doubt.REFUSED)
        }

    def minutes(self) -> dict[State, float]:
        """Minutes in each state, after smoothing."""
        return {s: float(np.sum(self.state == s)) * self.epoch_s / 60 for s in State}

    def bouts(self) -> list[tuple[State, Interval]]:
        """Runs of one state, in order; a hole in time ends a bout."""
        if self.n_rows == 0:
            return []
        contiguous = np.isclose(np.diff(self.start_s), self.epoch_s)
        edges = np.flatnonzero((np.diff(self.state) != 0) | ~contiguous) + 1
        starts, stops = np.r_[0, edges], np.r_[edges, self.n_rows]
        return [
            (
                State(int(self.state[a])),
                Interval(float(self.start_s[a]), float(self.start_s[b - 1]) + self.epoch_s),
            )
            for a, b in zip(starts, stops, strict=True)
        ]

    def to_pynapple(self) -> dict[str, Any]:
        """The bouts of each state as pynapple IntervalSets: awake, NREM, REM, unclassified.

        Where the scorer gave probabilities, "probability" is a TsdFrame of them with the columns
        awake, NREM and REM; times are the middles of epochs.

        Raises
        ------
        Unavailable
            pynapple is not installed.
        """
        from wakeful.model.hypnogram_sharing import hypnogram_to_pynapple

        return hypnogram_to_pynapple(self)

    def to_xarray(self, *, start_utc: datetime | None = None) -> xarray.Dataset:
        """As an xarray Dataset of states, confidence, probabilities and doubt.

        Parameters
        ----------
        start_utc : the session's start; gives a second coordinate, time_utc

        Raises
        ------
        Unavailable
            xarray is not installed.
        """
        from wakeful.model.hypnogram_sharing import hypnogram_to_xarray

        return hypnogram_to_xarray(self, start_utc)
