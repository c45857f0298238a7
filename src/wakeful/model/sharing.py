"""Results as objects of pynapple and xarray, so that a lab's own analyses go on from them.

Both libraries are optional and are imported when they are asked for. Times are seconds from the
session's start. Nothing runs across a gap: in pynapple the time support is what was recorded; in
xarray every sample carries its time and the number of its span.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import (
    BandPower,
    LfpEmg,
    MuscleTone,
    Rows,
    SleepFeatures,
    Spectrogram,
    Times,
)
from wakeful.model.errors import BadParameters, TooLarge, Unavailable
from wakeful.model.time import Interval, Span, cut_spans

if TYPE_CHECKING:
    import xarray

    from wakeful.model.arrays import Lfp
    from wakeful.model.events import EventSeries, VideoTrack

_AHEAD = 1e-6
"""Seconds by which an epoch ends early in a time support: pynapple counts both ends in."""

_PIECE_SAMPLES = 60_000


def optional_library(name: str) -> Any:
    """A library that need not be installed.

    Raises
    ------
    Unavailable
        It is not.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise Unavailable(
            f"{name} is not installed",
            where=f"to_{name}",
            remedy='install it with: pip install "wakeful[analysis]"',
        ) from error


def lfp_to_pynapple(
    lfp: Lfp, interval: Interval | None, channels: Sequence[str] | None, limit_gb: float
) -> Any:
    """See `Lfp.to_pynapple`."""
    nap = optional_library("pynapple")
    rows, spans = _choose(lfp, interval, channels, limit_gb)
    samples_uv, time_s, _ = _read(lfp, rows, spans)
    chosen = [lfp.channels[i] for i in rows]
    # Half a sample after the last one: its own time is counted in, the next span's never is.
    support = nap.IntervalSet(
        start=[span.start_s for span in spans],
        end=[span.stop_s - 0.5 / span.rate_hz for span in spans],
    )
    return nap.TsdFrame(
        t=time_s,
        d=samples_uv,
        columns=[c.name for c in chosen],
        time_support=support,
        metadata={
            "region": np.array([c.region for c in chosen]),
            "kind": np.array([c.kind.value for c in chosen]),
        },
    )


def lfp_to_xarray(
    lfp: Lfp,
    interval: Interval | None,
    channels: Sequence[str] | None,
    start_utc: datetime | None,
    limit_gb: float,
) -> xarray.DataArray:
    """See `Lfp.to_xarray`."""
    xr = optional_library("xarray")
    rows, spans = _choose(lfp, interval, channels, limit_gb)
    samples_uv, time_s, number = _read(lfp, rows, spans)
    chosen = [lfp.channels[i] for i in rows]
    array: xarray.DataArray = xr.DataArray(
        samples_uv.T,
        dims=("channel", "time_s"),
        coords={
            "channel": [c.name for c in chosen],
            "region": ("channel", [c.region for c in chosen]),
            "kind": ("channel", [c.kind.value for c in chosen]),
            "reference": ("channel", [c.reference for c in chosen]),
            **time_coordinates(time_s, start_utc),
            "span": ("time_s", number, {"long_name": "number of the gap-free stretch"}),
        },
        name="lfp",
        attrs={"units": "uV", "long_name": "local field potential", "rate_hz": lfp.rate_hz},
    )
    return array


def _choose(
    lfp: Lfp, interval: Interval | None, channels: Sequence[str] | None, limit_gb: float
) -> tuple[tuple[int, ...], tuple[Span, ...]]:
    """Which rows and samples are meant, if they fit."""
    names = [c.name for c in lfp.channels]
    missing = [name for name in channels or () if name not in names]
    if missing:
        raise BadParameters(
            f"there is no channel {', '.join(missing)}",
            where="channels",
            remedy=f"use some of {', '.join(names)}",
        )
    rows = tuple(range(len(names)) if channels is None else (names.index(n) for n in channels))
    spans = lfp.spans if interval is None else cut_spans(lfp.spans, interval)
    if not spans or not rows:
        where = "" if interval is None else f"{interval.start_s:g} to {interval.stop_s:g} s"
        raise Unavailable(
            "nothing was recorded there",
            where=where or "lfp",
            remedy="see its spans for what was",
        )
    n_samples = sum(span.n_samples for span in spans)
    # The samples as float32, and a time, a span's number and what is made of them meanwhile.
    gigabytes = n_samples * (4 * len(rows) + 24) / 1e9
    if gigabytes > limit_gb:
        seconds = limit_gb * 1e9 / (4 * len(rows) + 24) / spans[0].rate_hz
        raise TooLarge(
            f"{len(rows)} channels of {n_samples:,} samples take {gigabytes:,.1f} GB of memory",
            where="lfp",
            remedy=f"give an interval of at most {seconds:,.0f} s, or fewer channels, or go over "
            "its spans with read_uv, or raise limit_gb",
        )
    return rows, spans


def _read(
    lfp: Lfp, rows: tuple[int, ...], spans: tuple[Span, ...]
) -> tuple[NDArray[np.float32], Times, NDArray[np.int32]]:
    """Samples (n_samples, n_rows) in microvolts, the time of each, the number of its span."""
    n_samples = sum(span.n_samples for span in spans)
    samples_uv = np.empty((n_samples, len(rows)), np.float32)
    time_s = np.empty(n_samples, np.float64)
    number = np.empty(n_samples, np.int32)
    done = 0
    for i, span in enumerate(spans):
        for offset in range(0, span.n_samples, _PIECE_SAMPLES):
            n = min(_PIECE_SAMPLES, span.n_samples - offset)
            here = slice(done, done + n)
            samples_uv[here] = lfp.read_uv(span.first_sample + offset, n, rows).T
            time_s[here] = span.start_s + np.arange(offset, offset + n) / span.rate_hz
            number[here] = i
            done += n
    return samples_uv, time_s, number


def spectrogram_to_pynapple(spectrogram: Spectrogram, region: str | None) -> Any:
    """See `Spectrogram.to_pynapple`."""
    nap = optional_library("pynapple")
    power = spectrogram.power_uv2_per_hz
    kept, time_s, support = epoch_support(nap, spectrogram, [power], spectrogram.epoch_s)
    if region is None:
        return nap.TsdTensor(t=time_s, d=power[kept], time_support=support)
    if region not in spectrogram.regions:
        raise BadParameters(
            f"there is no region {region}",
            where="region",
            remedy=f"use one of {', '.join(spectrogram.regions)}",
        )
    return nap.TsdFrame(
        t=time_s,
        d=power[kept, spectrogram.regions.index(region)],
        columns=spectrogram.frequency_hz,
        time_support=support,
    )


def spectrogram_to_xarray(spectrogram: Spectrogram, start_utc: datetime | None) -> xarray.DataArray:
    """See `Spectrogram.to_xarray`."""
    xr = optional_library("xarray")
    array: xarray.DataArray = xr.DataArray(
        spectrogram.power_uv2_per_hz,
        dims=("start_s", "region", "frequency_hz"),
        coords={
            **time_coordinates(spectrogram.start_s, start_utc, "start_s"),
            "region": list(spectrogram.regions),
            "frequency_hz": ("frequency_hz", spectrogram.frequency_hz, {"units": "Hz"}),
            "frequency_low_hz": ("frequency_hz", spectrogram.edges_hz[:-1], {"units": "Hz"}),
            "frequency_high_hz": ("frequency_hz", spectrogram.edges_hz[1:], {"units": "Hz"}),
            "channels": ("region", [", ".join(names) for names in spectrogram.channels]),
        },
        name="spectrogram",
        attrs={
            "units": "uV^2/Hz",
            "long_name": "power spectral density",
            "epoch_s": spectrogram.epoch_s,
            "method": spectrogram.method,
        },
    )
    return array


def band_power_to_pynapple(power: BandPower) -> Any:
    """See `BandPower.to_pynapple`."""
    nap = optional_library("pynapple")
    kept, time_s, support = epoch_support(nap, power, [power.power_uv2], power.epoch_s)
    pairs = [(r, b) for r in range(len(power.regions)) for b in range(len(power.bands))]
    return nap.TsdFrame(
        t=time_s,
        d=power.power_uv2[kept].reshape(len(time_s), len(pairs)),
        columns=[f"{power.regions[r]} {power.bands[b]}" for r, b in pairs],
        time_support=support,
        metadata={
            "region": np.array([power.regions[r] for r, _ in pairs]),
            "band": np.array([power.bands[b] for _, b in pairs]),
            "low_hz": np.array([power.edges_hz[b][0] for _, b in pairs]),
            "high_hz": np.array([power.edges_hz[b][1] for _, b in pairs]),
        },
    )


def band_power_to_xarray(power: BandPower, start_utc: datetime | None) -> xarray.DataArray:
    """See `BandPower.to_xarray`."""
    xr = optional_library("xarray")
    array: xarray.DataArray = xr.DataArray(
        power.power_uv2,
        dims=("start_s", "region", "band"),
        coords={
            **time_coordinates(power.start_s, start_utc, "start_s"),
            "region": list(power.regions),
            "band": list(power.bands),
            "low_hz": ("band", [low for low, _ in power.edges_hz], {"units": "Hz"}),
            "high_hz": ("band", [high for _, high in power.edges_hz], {"units": "Hz"}),
        },
        name="band_power",
        attrs={"units": "uV^2", "long_name": "band power", "epoch_s": power.epoch_s},
    )
    return array


def muscle_to_pynapple(muscle: MuscleTone) -> Any:
    """See `MuscleTone.to_pynapple`."""
    nap = optional_library("pynapple")
    values = [muscle.emg_uv, muscle.lfp_emg]
    kept, time_s, support = epoch_support(nap, muscle, values, muscle.epoch_s)
    return nap.TsdFrame(
        t=time_s,
        d=np.stack(values, axis=1)[kept],
        columns=["emg_uv", "lfp_emg"],
        time_support=support,
    )


def muscle_to_xarray(muscle: MuscleTone, start_utc: datetime | None) -> xarray.Dataset:
    """See `MuscleTone.to_xarray`."""
    xr = optional_library("xarray")
    dataset: xarray.Dataset = xr.Dataset(
        {
            "emg_uv": ("start_s", muscle.emg_uv, {"units": "uV", "long_name": "EMG, RMS"}),
            "lfp_emg": (
                "start_s",
                muscle.lfp_emg,
                {"units": "1", "long_name": "LFP-derived EMG, correlation"},
            ),
        },
        coords=time_coordinates(muscle.start_s, start_utc, "start_s"),
        attrs={
            "emg_channels": ", ".join(muscle.emg_channels),
            "emg_band_hz": list(muscle.emg_band_hz),
            "epoch_s": muscle.epoch_s,
            "lfp_emg_unavailable": muscle.lfp_emg_unavailable,
        },
    )
    return dataset


def lfp_emg_to_pynapple(lfp_emg: LfpEmg) -> Any:
    """See `LfpEmg.to_pynapple`."""
    nap = optional_library("pynapple")
    if lfp_emg.unavailable:
        raise Unavailable(lfp_emg.unavailable, where="lfp_emg")
    kept, time_s, support = epoch_support(nap, lfp_emg, [lfp_emg.correlation], lfp_emg.bin_s)
    return nap.Tsd(t=time_s, d=lfp_emg.correlation[kept], time_support=support)


def lfp_emg_to_xarray(lfp_emg: LfpEmg, start_utc: datetime | None) -> xarray.DataArray:
    """See `LfpEmg.to_xarray`."""
    xr = optional_library("xarray")
    array: xarray.DataArray = xr.DataArray(
        lfp_emg.correlation,
        dims=("start_s",),
        coords=time_coordinates(lfp_emg.start_s, start_utc, "start_s"),
        name="lfp_emg",
        attrs={
            "units": "1",
            "long_name": "LFP-derived EMG, correlation of 300-600 Hz between channels",
            "bin_s": lfp_emg.bin_s,
            "channels": ", ".join(lfp_emg.channels),
            "unavailable": lfp_emg.unavailable,
        },
    )
    return array


def sleep_features_to_xarray(
    features: SleepFeatures, start_utc: datetime | None
) -> xarray.DataArray:
    """See `SleepFeatures.to_xarray`."""
    xr = optional_library("xarray")
    array: xarray.DataArray = xr.DataArray(
        features.values,
        dims=("start_s", "feature"),
        coords={
            **time_coordinates(features.start_s, start_utc, "start_s"),
            "feature": list(features.names),
            "unit": ("feature", list(features.units)),
            "group": ("feature", list(features.groups)),
        },
        name="sleep_features",
        attrs={
            "long_name": "features for sleep scoring",
            "epoch_s": features.epoch_s,
            "refused": list(features.refused),
        },
    )
    return array


def events_to_pynapple(events: EventSeries) -> Any:
    """See `EventSeries.to_pynapple`."""
    nap = optional_library("pynapple")
    if events.n_events == 0:
        raise Unavailable("it holds no event", where=events.name)
    kinds: dict[tuple[int, str], list[float]] = {}
    for moment, code, label in zip(events.time_s, events.code, events.label, strict=True):
        kinds.setdefault((int(code), label), []).append(float(moment))
    support = nap.IntervalSet(
        start=float(events.time_s.min()) - _AHEAD, end=float(events.time_s.max()) + _AHEAD
    )
    return nap.TsGroup(
        {
            i: nap.Ts(t=np.sort(moments), time_support=support)
            for i, moments in enumerate(kinds.values())
        },
        time_support=support,
        metadata={
            "code": np.array([code for code, _ in kinds]),
            "label": np.array([label for _, label in kinds]),
        },
    )


def events_to_xarray(events: EventSeries, start_utc: datetime | None) -> xarray.Dataset:
    """See `EventSeries.to_xarray`."""
    xr = optional_library("xarray")
    dataset: xarray.Dataset = xr.Dataset(
        {"code": ("time_s", events.code), "label": ("time_s", np.array(events.label, np.str_))},
        coords=time_coordinates(events.time_s, start_utc),
        attrs={"name": events.name, "file": events.file, "warnings": list(events.warnings)},
    )
    return dataset


def track_to_pynapple(track: VideoTrack) -> Any:
    """See `VideoTrack.to_pynapple`."""
    nap = optional_library("pynapple")
    if track.n_frames == 0:
        raise Unavailable("it holds no frame", where=track.name)
    order = np.argsort(track.time_s, kind="stable")
    return nap.TsdFrame(
        t=track.time_s[order],
        d=np.stack([track.x_px, track.y_px, track.angle_deg], axis=1)[order],
        columns=["x_px", "y_px", "angle_deg"],
        time_support=nap.IntervalSet(
            start=float(track.time_s.min()) - _AHEAD, end=float(track.time_s.max()) + _AHEAD
        ),
    )


def track_to_xarray(track: VideoTrack, start_utc: datetime | None) -> xarray.Dataset:
    """See `VideoTrack.to_xarray`."""
    xr = optional_library("xarray")
    dataset: xarray.Dataset = xr.Dataset(
        {
            "x_px": ("time_s", track.x_px, {"units": "px"}),
            "y_px": ("time_s", track.y_px, {"units": "px"}),
            "angle_deg": ("time_s", track.angle_deg, {"units": "deg"}),
        },
        coords=time_coordinates(track.time_s, start_utc),
        attrs={"name": track.name, "file": track.file, "warnings": list(track.warnings)},
    )
    return dataset


def time_coordinates(
    time_s: Times, start_utc: datetime | None, name: str = "time_s"
) -> dict[str, Any]:
    """The coordinate in seconds, and the one in UTC where the start is given."""
    about = {"units": "s", "long_name": "seconds from the session's start"}
    coords: dict[str, Any] = {name: (name, time_s, about)}
    if start_utc is not None:
        if start_utc.tzinfo is None:
            raise BadParameters(
                f"{start_utc.isoformat()} has no time zone",
                where="start_utc",
                remedy="give a time with its zone, e.g. session.start_utc",
            )
        zero = np.datetime64(start_utc.astimezone(UTC).replace(tzinfo=None), "ns")
        nanoseconds = np.round(time_s * 1e9).astype(np.int64).astype("timedelta64[ns]")
        coords["time_utc"] = (name, zero + nanoseconds)
    return coords


def epoch_support(
    nap: Any, rows: Rows, values: Iterable[NDArray[Any]], epoch_s: float
) -> tuple[NDArray[np.bool_], Times, Any]:
    """Which epochs hold a number, the time of their middle, and their runs as a time support.

    The middle, since pynapple counts the end of an interval in: by its start, the epoch after a
    bout would belong to the bout.
    """
    kept = np.zeros(rows.n_rows, np.bool_)
    for value in values:
        kept |= np.isfinite(value).reshape(rows.n_rows, -1).any(axis=1)
    if not kept.any():
        raise Unavailable(
            "no epoch holds a number", where=type(rows).__name__, remedy="see the report's notes"
        )
    start_s = rows.start_s[kept]
    edges = np.flatnonzero(~np.isclose(np.diff(start_s), epoch_s)) + 1
    support = nap.IntervalSet(
        start=start_s[np.r_[0, edges]],
        end=start_s[np.r_[edges, len(start_s)] - 1] + epoch_s - _AHEAD,
    )
    return kept, start_s + epoch_s / 2, support
