"""What was computed and what the animal did, as objects of NWB; imported only when writing one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from itertools import pairwise
from typing import Any

import numpy as np
from hdmf.common import DynamicTable, VectorData
from ndx_pose import PoseEstimation, PoseEstimationSeries, Skeleton, Skeletons
from numpy.typing import NDArray
from pynwb import NWBFile, ProcessingModule, TimeSeries
from pynwb.behavior import CompassDirection, Position, SpatialSeries
from pynwb.ecephys import ElectricalSeries
from pynwb.event import EventsTable, TimestampVectorData
from pynwb.misc import DecompositionSeries

from wakeful.io.nwb_sleep import make_sleep_intervals
from wakeful.model.epochs import Rows
from wakeful.model.events import EventSeries, VideoTrack
from wakeful.model.pose import Pose
from wakeful.publish.contents import Compression, SessionContents
from wakeful.publish.nwb_streams import Parts, compressed


def add_results(
    nwbfile: NWBFile,
    contents: SessionContents,
    series: ElectricalSeries | None,
    compression: Compression,
) -> None:
    """Spectra, band powers, muscle tone, the hypnogram and every other table of results."""
    writer = _Results(nwbfile, contents, series, compression)
    writer.add_spectrogram()
    writer.add_band_power()
    writer.add_muscle()
    if contents.hypnogram is not None and contents.hypnogram.n_rows:
        for table in make_sleep_intervals(contents.hypnogram):
            _module(nwbfile, "behavior").add(table)
    for name, rows in contents.tables.items():
        if rows.n_rows:
            _module(nwbfile, "ecephys").add(_table_of(name, rows))


def add_behaviour(nwbfile: NWBFile, contents: SessionContents, compression: Compression) -> None:
    """Events and pulses, positions of the acquisition's tracker, keypoints."""
    taken: set[str] = set()
    for events in contents.events:
        if events.n_events:
            _add_events(nwbfile, events, taken)
    for track in contents.tracks:
        if track.n_frames:
            _add_track(_module(nwbfile, "behavior"), track)
    skeletons: list[Skeleton] = []
    for name, parts in contents.poses.items():
        if len(parts):
            skeletons.append(_add_pose(nwbfile, name, Parts(parts), parts[0], compression))
    if skeletons:
        _module(nwbfile, "behavior").add(Skeletons(skeletons=skeletons))


def _module(nwbfile: NWBFile, name: str) -> ProcessingModule:
    if name in nwbfile.processing:
        return nwbfile.processing[name]
    about = {
        "ecephys": "Samples at a lower rate, and what was computed from them",
        "behavior": "States, movement and position of the animal",
    }
    return nwbfile.create_processing_module(name, about[name])


class _Results:
    """Adds what has a value for every epoch."""

    def __init__(
        self,
        nwbfile: NWBFile,
        contents: SessionContents,
        series: ElectricalSeries | None,
        compression: Compression,
    ) -> None:
        self._nwbfile = nwbfile
        self._contents = contents
        self._series = series
        self._compression = compression

    def add_spectrogram(self) -> None:
        """Power spectral density per epoch and region."""
        parts = self._contents.spectrogram
        if not len(parts):
            return
        first = parts[0]
        table = Parts(parts)
        edges_hz = np.maximum(first.edges_hz, 0.0).tolist()
        self._add_regions(
            [(r, ", ".join(c)) for r, c in zip(first.regions, first.channels, strict=True)]
        )
        self._add_power(
            "spectrogram",
            table,
            lambda rows: rows.power_uv2_per_hz,
            first.regions,
            [
                (f"{frequency:g} Hz", edges)
                for frequency, edges in zip(
                    first.frequency_hz.tolist(), pairwise(edges_hz), strict=True
                )
            ],
            "uV**2/Hz",
            f"Power spectral density, {first.method}; median over the channels of a region",
            first.epoch_s,
        )

    def add_band_power(self) -> None:
        """Power per epoch, region and band."""
        power = self._contents.band_power
        if power is None:
            return
        self._add_power(
            "band_power",
            Parts([power]),
            lambda rows: rows.power_uv2,
            power.regions,
            list(zip(power.bands, power.edges_hz, strict=True)),
            "uV**2",
            "Power in frequency bands",
            power.epoch_s,
        )

    def _add_regions(self, regions: list[tuple[str, str]]) -> None:
        _module(self._nwbfile, "ecephys").add(
            DynamicTable(
                name="regions",
                description="The second axis of spectrogram and band_power, in its order",
                columns=[
                    VectorData(name="region", description="Area", data=[r for r, _ in regions]),
                    VectorData(
                        name="channels",
                        description="The channels it is the median of",
                        data=[channels for _, channels in regions],
                    ),
                ],
            )
        )

    def _add_power(
        self,
        name: str,
        table: Parts[Any],
        get: Callable[[Any], NDArray[np.float32]],
        regions: tuple[str, ...],
        bands: list[tuple[str, tuple[float, float]]],
        unit: str,
        what: str,
        epoch_s: float,
    ) -> None:
        if table.n_rows == 0:
            return
        module = _module(self._nwbfile, "ecephys")
        about = (
            f"{what}. Axes: epoch of {epoch_s:g} s (its time is its start), region "
            f"({', '.join(regions)}), frequency. NaN where an epoch touches a gap."
        )
        if table.n_rows < max(len(bands), len(regions)):
            # Checkers take a series that is wider than long for one that lies on its side.
            self._add_short(name, table, get, bands, f"{about} Unit {unit}.")
            return
        data = table.pieces(get, (len(regions), len(bands)), np.dtype(np.float32))
        source: dict[str, Any] = (
            {"source_timeseries": self._series}
            if self._series is not None
            else {
                "source_channels": self._nwbfile.create_electrode_table_region(
                    list(range(len(self._nwbfile.electrodes))),
                    "The channels it was computed from",
                    name="source_channels",
                )
            }
        )
        series = DecompositionSeries(
            name=name,
            data=compressed(data, self._compression),
            description=about,
            metric="power",
            unit=unit,
            **table.timing(self._compression),
            **source,
        )
        for band, limits_hz in bands:
            series.add_band(band_name=band, band_limits=np.array(limits_hz, np.float32))
        module.add(series)

    def _add_short(
        self,
        name: str,
        table: Parts[Any],
        get: Callable[[Any], NDArray[np.float32]],
        bands: list[tuple[str, tuple[float, float]]],
        about: str,
    ) -> None:
        limits = ", ".join(f"{band} {low:g}-{high:g} Hz" for band, (low, high) in bands[:8])
        more = "" if len(bands) <= 8 else f" and so on to {bands[-1][0]}"
        _module(self._nwbfile, "ecephys").add(
            DynamicTable(
                name=name,
                description=f"{about} Frequencies: {limits}{more}. A table, since there are fewer "
                "epochs than frequencies.",
                columns=[
                    _column("start_s", "Start of the epoch", table.all(lambda r: r.start_s)),
                    _column("power", "(epoch, region, frequency)", table.all(get)),
                ],
            )
        )

    def add_muscle(self) -> None:
        """EMG per epoch, and muscle tone from the LFP."""
        muscle, lfp_emg = self._contents.muscle, self._contents.lfp_emg
        if muscle is not None and np.isfinite(muscle.emg_uv).any():
            low_hz, high_hz = muscle.emg_band_hz
            self._add_series(
                "emg_rms",
                muscle,
                muscle.emg_uv,
                "uV",
                f"Root mean square of the EMG ({', '.join(muscle.emg_channels)}) from {low_hz:g} "
                f"to {high_hz:g} Hz per epoch of {muscle.epoch_s:g} s; its time is its start",
            )
        if lfp_emg is not None and np.isfinite(lfp_emg.correlation).any():
            self._add_series(
                "lfp_emg",
                lfp_emg,
                lfp_emg.correlation,
                "correlation",
                "LFP-derived EMG: mean correlation of 300-600 Hz between the channels "
                f"{', '.join(lfp_emg.channels)} per bin of {lfp_emg.bin_s:g} s; its time is its "
                "start (Schomburg et al. 2014, Neuron 84: 470)",
            )

    def _add_series(
        self, name: str, rows: Rows, values: NDArray[np.float32], unit: str, about: str
    ) -> None:
        _module(self._nwbfile, "ecephys").add(
            TimeSeries(
                name=name,
                data=compressed(values, self._compression),
                unit=unit,
                description=f"{about}. NaN in gaps.",
                **Parts([rows]).timing(self._compression),
            )
        )


def _column(name: str, description: str, data: Any) -> VectorData:
    return VectorData(name=name, description=description, data=data)


def _table_of(name: str, rows: Rows) -> DynamicTable:
    """Any result with a row for each bin of time; what is not per row goes into the description."""
    columns: list[VectorData] = []
    constants: dict[str, Any] = {}
    for f in fields(rows):
        value = getattr(rows, f.name)
        if f.metadata.get("rows"):
            values = np.asarray(value)
            # Checkers frown at columns in which there is nothing at all.
            if values.dtype.kind != "f" or np.isfinite(values).any():
                columns.append(_column(f.name, f"{name}.{f.name}", values))
        else:
            constants[f.name] = value.tolist() if isinstance(value, np.ndarray) else value
    about = json.dumps(constants, ensure_ascii=False, default=str)
    return DynamicTable(
        name=name,
        description=f"Result '{name}', a row for each start_s. The same for all rows: {about}",
        columns=columns,
    )


def _add_events(nwbfile: NWBFile, events: EventSeries, taken: set[str]) -> None:
    """Texts and numbers as a table, and the numbers as a series, which more programs know."""
    name = events.name.replace("/", "-").replace(":", "-") or "events"
    while name in taken:
        name += "_"
    taken.add(name)
    order = np.argsort(events.time_s, kind="stable")
    time_s, code = events.time_s[order], events.code[order]
    notes = " ".join(events.warnings)
    if np.any(np.diff(events.time_s) < 0):
        notes = f"Sorted by time: as written, the clock steps back. {notes}".strip()
    meaning = "the level of a TTL line (1 up, 0 down), or the value of a port"
    nwbfile.add_events_table(
        EventsTable(
            name=name,
            description=f"Events of {events.file or 'the recording'}. {notes}".strip(),
            source_description="Acquisition system",
            columns=[
                TimestampVectorData(
                    name="timestamp", description="Seconds from the session's start", data=time_s
                ),
                _column(
                    "annotation", "The text that came with it", [events.label[i] for i in order]
                ),
                _column("code", f"The number that came with it: {meaning}", code),
            ],
        )
    )
    nwbfile.add_acquisition(
        TimeSeries(
            name=f"{name} codes",
            data=code,
            unit="n/a",
            description=f"The number that came with each event of '{name}': {meaning}",
            **_evenly(time_s),
        )
    )


def _evenly(time_s: NDArray[np.float64]) -> dict[str, Any]:
    """Evenly spaced times as a start and a rate; others as they are."""
    steps = np.unique(np.round(np.diff(time_s), 9))
    if len(steps) == 1 and steps[0] > 0:
        rate_hz = (len(time_s) - 1) / (time_s[-1] - time_s[0])
        return {"starting_time": float(time_s[0]), "rate": float(rate_hz)}
    return {"timestamps": time_s}


def _add_track(module: ProcessingModule, track: VideoTrack) -> None:
    order = np.argsort(track.time_s, kind="stable")
    timing = _evenly(track.time_s[order])
    about = f"Written by the acquisition's tracker ({track.file or track.name})"
    name = track.name.replace("/", "-").replace(":", "-")
    module.add(
        Position(
            name=f"Position {name}",
            spatial_series=SpatialSeries(
                name=name,
                data=np.stack([track.x_px, track.y_px], axis=1)[order],
                unit="pixels",
                reference_frame="the tracker's image, x to the right, y as the tracker counts it",
                description=f"{about}; NaN where nothing was found",
                comments=" ".join(track.warnings) or "no comments",
                **timing,
            ),
        )
    )
    if np.isfinite(track.angle_deg).any():
        module.add(
            CompassDirection(
                name=f"HeadDirection {name}",
                spatial_series=SpatialSeries(
                    name=f"{name} angle",
                    data=track.angle_deg[order],
                    unit="degrees",
                    reference_frame="as the tracker counts angles",
                    description=about,
                    **timing,
                ),
            )
        )


def _add_pose(
    nwbfile: NWBFile, name: str, table: Parts[Pose], first: Pose, compression: Compression
) -> Skeleton:
    """Keypoints by ndx-pose, one series each; x and y in one array, streamed."""
    skeleton = Skeleton(
        name=f"{name} skeleton",
        nodes=list(first.keypoints),
        edges=np.array(first.edges, np.uint8).reshape(-1, 2) if first.edges else None,
    )
    timing = table.timing(compression)
    all_series: list[PoseEstimationSeries] = []
    floats = np.dtype(np.float32)
    for i, keypoint in enumerate(first.keypoints):

        def position(rows: Pose, i: int = i) -> NDArray[np.float32]:
            return np.stack([rows.x_px[:, i], rows.y_px[:, i]], axis=1)

        def confidence(rows: Pose, i: int = i) -> NDArray[np.float32]:
            return rows.confidence[:, i]

        all_series.append(
            PoseEstimationSeries(
                name=keypoint.replace("/", "-").replace(":", "-"),
                description=f"Position of {keypoint}; NaN where it was not found",
                data=compressed(table.pieces(position, (2,), floats), compression),
                unit="pixels",
                reference_frame="(0, 0) is the upper left corner of the image",
                confidence=compressed(table.pieces(confidence, (), floats), compression),
                confidence_definition=f"as given by {first.software or 'the tracker'}",
                **timing,
            )
        )
        if "timestamps" in timing:
            timing = {"timestamps": all_series[0]}
    about = "Keypoints of one animal"
    about += f", tracked by {first.software}" if first.software else ""
    about += f", in the video {first.video}" if first.video else ""
    if first.width_px and first.height_px:
        about += f" of {first.width_px} x {first.height_px} pixels"
    _module(nwbfile, "behavior").add(
        PoseEstimation(
            name=name,
            pose_estimation_series=all_series,
            description=about,
            source_software=first.software or None,
            skeleton=skeleton,
        )
    )
    return skeleton
