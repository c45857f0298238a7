"""Oscillatory events of sleep: what might be one, how strong bands are, and what was decided."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import PER_ROW, Floats, Rows, Times

if TYPE_CHECKING:
    import xarray


class EventKind(IntEnum):
    """What an event is."""

    SLOW_WAVE = 0
    SPINDLE = 1
    RIPPLE = 2

    @property
    def label(self) -> str:
        """As written on figures and in tables."""
        return ("slow wave", "spindle", "ripple")[self]


KINDS = tuple(EventKind)


@dataclass(frozen=True, eq=False, kw_only=True)
class EventCandidates(Rows):
    """What might be an event, of any state, before the hypnogram is asked. One row each."""

    stop_s: Times = field(metadata=PER_ROW)
    """(n,) seconds from the session's start."""
    peak_s: Times = field(metadata=PER_ROW)
    """(n,) of a burst where its envelope is largest, of a slow wave its trough."""
    kind: NDArray[np.int8] = field(metadata=PER_ROW)
    """(n,) values of `EventKind`."""
    region: NDArray[np.int16] = field(metadata=PER_ROW)
    """(n,) place in `regions`."""
    channel: NDArray[np.int16] = field(metadata=PER_ROW)
    """(n,) place in `channels`."""
    amplitude_uv: Floats = field(metadata=PER_ROW)
    """(n,) of a burst the peak of its envelope, of a slow wave from trough to crest."""
    frequency_hz: Floats = field(metadata=PER_ROW)
    """(n,) mean frequency of a burst; of a slow wave one over its duration."""
    trough_s: Floats = field(metadata=PER_ROW)
    """(n,) length of a slow wave's first half; NaN for bursts."""
    slope_uv_per_s: Floats = field(metadata=PER_ROW)
    """(n,) of a slow wave, from its trough to the zero crossing; NaN for bursts."""
    share: Floats = field(metadata=PER_ROW)
    """(n,) of a spindle, the part of the power of 5-30 Hz that is in its band; NaN for others."""
    sharp_wave_uv: Floats = field(metadata=PER_ROW)
    """(n,) of a ripple, the signal of 5-30 Hz at its peak, signed; NaN for others."""
    control: Floats = field(metadata=PER_ROW)
    """(n,) of a ripple, the envelope of the same band on a channel outside the hippocampus, times
    what is usual there; NaN for others and where there is no such channel."""
    regions: tuple[str, ...]
    channels: tuple[str, ...]
    bands_hz: tuple[tuple[float, float], ...]
    """Of each kind; (0, 0) where the rate does not allow it."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class EventBaseline(Rows):
    """How strong the bands of events are, per epoch; NaN in gaps and without a good channel."""

    level_uv: Floats = field(metadata=PER_ROW)
    """(n_epochs, n_regions, n_kinds) median of the envelope; of slow waves, of the band's
    magnitude."""
    spread_uv: Floats = field(metadata=PER_ROW)
    """(n_epochs, n_regions, n_kinds) robust standard deviation of the same."""
    channel: NDArray[np.int16] = field(metadata=PER_ROW)
    """(n_epochs, n_regions) place in `channels`; -1 where none was good."""
    regions: tuple[str, ...]
    channels: tuple[str, ...]
    epoch_s: float


@dataclass(frozen=True, eq=False, kw_only=True)
class SleepEvents(Rows):
    """Events of one kind, with how often they come."""

    stop_s: Times = field(metadata=PER_ROW)
    """(n_events,)"""
    peak_s: Times = field(metadata=PER_ROW)
    """(n_events,)"""
    region: NDArray[np.int16] = field(metadata=PER_ROW)
    """(n_events,) place in `regions`."""
    channel: NDArray[np.int16] = field(metadata=PER_ROW)
    """(n_events,) place in `channels`."""
    state: NDArray[np.int8] = field(metadata=PER_ROW)
    """(n_events,) values of `State`, of the epoch in which its peak lies."""
    amplitude_uv: Floats = field(metadata=PER_ROW)
    """(n_events,) see `EventCandidates`."""
    frequency_hz: Floats = field(metadata=PER_ROW)
    """(n_events,)"""
    measure: Floats = field(metadata=PER_ROW)
    """(n_events,) what `measure_name` says."""
    kind: str
    """"slow wave", "spindle" or "ripple"."""
    measure_name: str
    """"slope_uv_per_s" of slow waves, "share" of spindles, "sharp_wave_uv" of ripples."""
    regions: tuple[str, ...]
    channels: tuple[str, ...]
    band_hz: tuple[float, float]
    threshold_uv: NDArray[np.float64]
    """(n_regions,) the amplitude above which a candidate counts; NaN where there is none."""
    states: tuple[str, ...]
    """In which events count."""
    minutes: NDArray[np.float64]
    """(n_states, n_regions) watched: in the state, with a good channel, not set apart."""
    per_min: NDArray[np.float64]
    """(n_states, n_regions) events a minute; NaN where nothing was watched."""
    waveform_s: Times
    """(n_points,) seconds from the peak."""
    waveform_uv: Floats
    """(n_regions, n_points) mean wave of events spread evenly over the session."""
    waveform_sd_uv: Floats
    """(n_regions, n_points) standard deviation over those events."""
    n_waveforms: tuple[int, ...]
    """Of each region, how many events that is."""
    left_out: tuple[tuple[str, int], ...] = ()
    """Why candidates above the threshold were left out, and how many."""
    notes: tuple[str, ...] = ()

    @property
    def duration_s(self) -> Times:
        """(n_events,)"""
        return self.stop_s - self.start_s

    def to_pynapple(self) -> Any:
        """As pynapple IntervalSets, one a region, with channel, state and measures as metadata.

        Raises
        ------
        Unavailable
            There is no event, or pynapple is not installed.
        """
        from wakeful.model.sharing_events import sleep_events_to_pynapple

        return sleep_events_to_pynapple(self)

    def to_xarray(self, *, start_utc: datetime | None = None) -> xarray.Dataset:
        """As an xarray Dataset along start_s.

        Parameters
        ----------
        start_utc : the session's start; gives a second coordinate, time_utc

        Raises
        ------
        Unavailable
            xarray is not installed.
        """
        from wakeful.model.sharing_events import sleep_events_to_xarray

        return sleep_events_to_xarray(self, start_utc)
