"""A session as a zarr 3 store, for xarray, dask and whoever reads from object stores.

One group, that `xarray.open_zarr` takes for a dataset. Samples lie end to end along `sample`,
without fillers; `time_s` tells when each was taken and `span` which gap-free stretch it belongs to.
A chunk holds a minute or so of one channel, a shard some minutes of all of them, so that a week is
some thousand files and not a million.
"""

from __future__ import annotations

import math
import os
import shutil
import uuid
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wakeful.io.atomic import sync_file, sync_folder
from wakeful.io.codec import to_plain
from wakeful.model.epochs import SCORED, Doubt, Rows, State, Times
from wakeful.model.errors import BadParameters
from wakeful.model.subject import ChannelKind
from wakeful.publish.contents import Progress, SessionContents
from wakeful.publish.samples import Samples
from wakeful.publish.target import check_target

if TYPE_CHECKING:
    import zarr

_CHUNK_SAMPLES = 60_000
_SHARD_CHUNKS = 5
_KINDS = (ChannelKind.LFP, ChannelKind.EEG, ChannelKind.EMG, ChannelKind.OTHER)


def write_zarr(
    contents: SessionContents,
    path: Path,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Write a session as a zarr store; it is whole or not there.

    Parameters
    ----------
    path : the folder to make, ending in .zarr
    overwrite : replace what is there
    progress : told the share of the samples that is written

    Raises
    ------
    BadParameters
        Something is there already, the name does not end in .zarr, or its folder is missing.
    """
    check_target(path, (".zarr",), overwrite=overwrite)
    if path.exists() and not (path / "zarr.json").is_file():
        raise BadParameters(
            "is no zarr store, and is not replaced",
            where=str(path),
            remedy="choose another name with --out",
        )
    unique = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    temporary = path.with_name(f".{path.name}.{unique}.tmp")
    try:
        _fill(contents, temporary, progress)
        for file in temporary.rglob("*"):
            (sync_folder if file.is_dir() else sync_file)(file)
        sync_folder(temporary)
        if path.exists():
            old = path.with_name(f".{path.name}.{unique}.old")
            path.rename(old)
            temporary.rename(path)
            shutil.rmtree(old)
        else:
            temporary.rename(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_folder(path.parent)
    return path


def _fill(contents: SessionContents, folder: Path, progress: Progress | None) -> None:
    import zarr

    group = zarr.create_group(folder, zarr_format=3, attributes=_attributes(contents))
    writer = _Writer(group)
    if contents.lfp is not None and contents.lfp.spans:
        _add_samples(writer, contents, progress)
    _add_epochs(writer, contents)
    if contents.quarantined or contents.gaps:
        bad = [(gap, "gap: nothing was recorded") for gap in contents.gaps]
        bad += [(q.interval, f"quarantined: {q.reason}") for q in contents.quarantined]
        bad.sort()
        writer.add("invalid_start_s", [b.start_s for b, _ in bad], ("invalid",), units="s")
        writer.add("invalid_stop_s", [b.stop_s for b, _ in bad], ("invalid",), units="s")
        writer.add("invalid_reason", [reason for _, reason in bad], ("invalid",))
    for events in contents.events:
        if events.n_events:
            name = "".join(c if c.isalnum() else "_" for c in events.name.lower())
            dims = (f"{name}_event",)
            about = {"coordinates": f"{name}_time_s"}
            writer.add(f"{name}_time_s", events.time_s, dims, units="s")
            writer.add(f"{name}_code", events.code, dims, **about)
            writer.add(f"{name}_label", list(events.label), dims, **about)
    with warnings.catch_warnings():
        # All metadata in one file: not in the specification yet, and what xarray looks for.
        warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
        zarr.consolidate_metadata(folder)


def _attributes(contents: SessionContents) -> dict[str, Any]:
    """What is known of session, animal and lab, and what made each result."""
    session = contents.session
    start = session.start_local
    plain = {
        "title": contents.name,
        "identifier": contents.identifier,
        "start_utc": None if session.start_utc is None else session.start_utc.isoformat(),
        "start_local": None if start is None else start.isoformat(),
        "time_zone": session.time_zone,
        "duration_s": session.duration_s,
        "epoch_s": session.epoch_s,
        "subject": {**asdict(contents.subject), "strain": contents.strain},
        "lab": asdict(contents.lab),
        "recording_format": contents.recording_format,
        "source": contents.source,
        "stream": contents.stream,
        "notes": contents.notes,
        "wakeful_version": contents.code_version,
        "provenance": [asdict(made) for made in contents.made_by],
    }
    attributes: dict[str, Any] = to_plain(plain)
    return attributes


class _Writer:
    """Adds arrays with their dimensions to a group."""

    def __init__(self, group: zarr.Group) -> None:
        self._group = group
        self._epochs: Times | None = None

    def epochs(self, name: str, start_s: Times) -> tuple[str]:
        """The dimension of a table: `start_s`, shared by all that have the same epochs."""
        if self._epochs is None:
            self._epochs = start_s
            self.add("start_s", start_s, ("start_s",), units="s")
        if np.array_equal(self._epochs, start_s):
            return ("start_s",)
        self.add(f"{name}_start_s", start_s, (f"{name}_start_s",), units="s")
        return (f"{name}_start_s",)

    def make(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: Any,
        dims: tuple[str, ...],
        chunks: tuple[int, ...],
        shards: tuple[int, ...] | None = None,
        **attributes: Any,
    ) -> zarr.Array[Any]:
        """An empty array."""
        from zarr.codecs import BloscCodec

        filler: Any = np.nan if np.dtype(dtype).kind == "f" else 0
        return self._group.create_array(
            name,
            shape=shape,
            dtype=dtype,
            chunks=chunks,
            shards=shards,
            compressors=BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"),
            dimension_names=dims,
            fill_value=filler,
            attributes=attributes,
        )

    def stream(
        self,
        name: str,
        parts: Iterable[NDArray[Any]],
        shape: tuple[int, ...],
        dtype: Any,
        dims: tuple[str, ...],
        attributes: dict[str, Any],
    ) -> None:
        """A long array that comes in parts."""
        per_row = np.dtype(dtype).itemsize * max(1, math.prod(shape[1:]))
        length = max(1, min(shape[0], (1 << 22) // per_row))
        chunks = (length, *(max(1, n) for n in shape[1:]))
        array = self.make(name, shape, dtype, dims, chunks, **attributes)
        # Whole chunks: one that is written twice is packed twice.
        held, done = np.empty((0, *shape[1:]), dtype), 0
        for part in parts:
            held = np.concatenate([held, part])
            n = len(held) // length * length
            array[done : done + n] = held[:n]
            held, done = held[n:], done + n
        array[done : done + len(held)] = held

    def add(self, name: str, values: Any, dims: tuple[str, ...], **attributes: Any) -> None:
        """A whole array; texts too."""
        array = np.asarray(values)
        if array.dtype.kind == "U":
            self._group.create_array(
                name,
                shape=array.shape,
                dtype="string",
                chunks=(max(1, len(array)),),
                dimension_names=dims,
                attributes=attributes,
            )[...] = array.astype(np.dtypes.StringDType())
            return
        per_row = max(1, array[0].nbytes if array.ndim > 1 and len(array) else array.itemsize)
        length = max(1, min(len(array), (1 << 22) // per_row))
        chunks = (length, *(max(1, n) for n in array.shape[1:]))
        self.make(name, array.shape, array.dtype, dims, chunks, **attributes)[...] = array


def _add_samples(writer: _Writer, contents: SessionContents, progress: Progress | None) -> None:
    lfp = contents.lfp
    assert lfp is not None
    samples = Samples(lfp)
    n, length = samples.n_samples, min(_CHUNK_SAMPLES, samples.n_samples)
    shard = length * _SHARD_CHUNKS
    described = contents.described_channels
    kinds = [kind for kind in _KINDS if any(c.kind is kind for c in lfp.channels)]
    arrays: list[tuple[zarr.Array[Any], list[int]]] = []
    for kind in kinds:
        rows = [i for i, c in enumerate(lfp.channels) if c.kind is kind]
        chosen, name = [described[i] for i in rows], kind.value
        dims = (f"{name}_channel",)
        coordinates = [
            f"{name}_{field}" for field in ("region", "reference", "gain_uv", "offset_uv")
        ]
        arrays.append(
            (
                writer.make(
                    name,
                    (len(rows), n),
                    lfp.samples.dtype,
                    (*dims, "sample"),
                    (1, length),
                    (len(rows), shard),
                    coordinates=" ".join(["time_s", "span", *coordinates]),
                    long_name=f"{name} as stored",
                    rate_hz=lfp.rate_hz,
                    microvolts=f"{name} * {name}_gain_uv + {name}_offset_uv",
                ),
                rows,
            )
        )
        writer.add(f"{name}_channel", [c.name for c in chosen], dims)
        writer.add(f"{name}_region", [c.region for c in chosen], dims)
        writer.add(f"{name}_reference", [c.reference for c in chosen], dims)
        writer.add(f"{name}_gain_uv", [c.gain_uv for c in chosen], dims, units="uV")
        writer.add(f"{name}_offset_uv", [c.offset_uv for c in chosen], dims, units="uV")
        for axis in "xyz":
            places = [getattr(c, f"{axis}_mm") for c in chosen]
            if any(place is not None for place in places):
                values = [np.nan if place is None else place for place in places]
                writer.add(f"{name}_{axis}_mm", values, dims, units="mm")
    about = {"units": "s", "long_name": "seconds from the session's start"}
    time_s = writer.make("time_s", (n,), np.float64, ("sample",), (length,), (shard,), **about)
    span = writer.make(
        "span", (n,), np.int32, ("sample",), (length,), (shard,), long_name="gap-free stretch"
    )
    for start in range(0, n, shard):
        stop = min(n, start + shard)
        time_s[start:stop] = samples.times(start, stop)
        span[start:stop] = samples.spans(start, stop)
        for array, rows in arrays:
            array[:, start:stop] = samples.stored(start, stop, rows).T
        if progress is not None:
            progress(stop / n)
    spans = lfp.spans
    dims = ("span_number",)
    writer.add("span_start_s", [s.start_s for s in spans], dims, units="s")
    writer.add("span_n_samples", [s.n_samples for s in spans], dims)
    writer.add("span_rate_hz", [s.rate_hz for s in spans], dims, units="Hz")


def _add_epochs(writer: _Writer, contents: SessionContents) -> None:
    """What has a value for every epoch."""
    power = contents.band_power
    if power is not None and power.n_rows:
        dims = (*writer.epochs("band_power", power.start_s), "region", "band")
        writer.add("band_power", power.power_uv2, dims, units="uV^2", coordinates="low_hz high_hz")
        writer.add("region", list(power.regions), ("region",))
        writer.add("band", list(power.bands), ("band",))
        writer.add("low_hz", [low for low, _ in power.edges_hz], ("band",), units="Hz")
        writer.add("high_hz", [high for _, high in power.edges_hz], ("band",), units="Hz")
    _add_spectrogram(writer, contents)
    muscle, lfp_emg, hypnogram = contents.muscle, contents.lfp_emg, contents.hypnogram
    if muscle is not None and muscle.n_rows:
        dim = writer.epochs("muscle", muscle.start_s)
        writer.add("emg_rms", muscle.emg_uv, dim, units="uV", band_hz=list(muscle.emg_band_hz))
    if lfp_emg is not None and np.isfinite(lfp_emg.correlation).any():
        dim = writer.epochs("lfp_emg", lfp_emg.start_s)
        channels = list(lfp_emg.channels)
        writer.add("lfp_emg", lfp_emg.correlation, dim, units="1", channels=channels)
    if hypnogram is not None and hypnogram.n_rows:
        dim = writer.epochs("hypnogram", hypnogram.start_s)
        flags: dict[str, Any] = {
            "flag_values": [int(state) for state in State],
            "flag_meanings": " ".join(state.label.replace(" ", "_") for state in State),
        }
        scorer = {
            "scorer": hypnogram.scorer,
            "signals": list(hypnogram.signals),
            "notes": list(hypnogram.notes),
        }
        writer.add("state", hypnogram.state, dim, **flags, **scorer)
        writer.add("raw_state", hypnogram.raw_state, dim, **flags)
        writer.add("confidence", hypnogram.confidence, dim, units="1")
        writer.add("provisional_state", hypnogram.provisional, dim, **flags)
        writer.add("probability", hypnogram.probability, (*dim, "scored"), units="1")
        writer.add("scored", [state.label for state in SCORED], ("scored",))
        writer.add(
            "doubt",
            hypnogram.doubt,
            dim,
            flag_values=[int(why) for why in Doubt],
            flag_meanings=" ".join(why.label or "none" for why in Doubt),
        )
    for name, rows in contents.tables.items():
        _add_rows(writer, name, (rows,))
    for name, poses in contents.poses.items():
        _add_rows(writer, name, poses)


def _add_spectrogram(writer: _Writer, contents: SessionContents) -> None:
    parts = contents.spectrogram
    if not len(parts):
        return
    first = parts[0]
    start_s = np.concatenate([part.start_s for part in _each(parts)])
    if not len(start_s):
        return
    dims = (*writer.epochs("spectrogram", start_s), "spectrogram_region", "frequency_hz")
    about = {"units": "uV^2/Hz", "method": first.method, "epoch_s": first.epoch_s}
    values = (part.power_uv2_per_hz for part in _each(parts))
    shape = (len(start_s), *first.power_uv2_per_hz.shape[1:])
    writer.stream("spectrogram", values, shape, first.power_uv2_per_hz.dtype, dims, about)
    writer.add("spectrogram_region", list(first.regions), dims[1:2])
    writer.add("frequency_hz", first.frequency_hz, dims[2:], units="Hz")
    writer.add("frequency_low_hz", first.edges_hz[:-1], dims[2:], units="Hz")
    writer.add("frequency_high_hz", first.edges_hz[1:], dims[2:], units="Hz")


def _add_rows(writer: _Writer, name: str, parts: Sequence[Rows]) -> None:
    """Any table: a field with a value a row is an array, what is the same for all an attribute."""
    start_s = np.concatenate([part.start_s for part in _each(parts)])
    if not len(start_s):
        return
    first = parts[0]
    per_row = [f.name for f in fields(first) if f.metadata.get("rows") and f.name != "start_s"]
    constant = {
        f.name: value.tolist() if isinstance(value, np.ndarray) else to_plain(value)
        for f in fields(first)
        if not f.metadata.get("rows")
        for value in (getattr(first, f.name),)
    }
    dim = writer.epochs(name, start_s)
    channels = getattr(first, "channels", ())
    by_channel = False
    for field in per_row:
        example = getattr(first, field)
        axes = [f"{name}_{field}_{axis}" for axis in range(1, example.ndim)]
        if axes and channels and example.shape[1] == len(channels):
            axes[0], by_channel = f"{name}_channel", True
        dims = (*dim, *axes)
        values = (getattr(part, field) for part in _each(parts))
        shape = (len(start_s), *example.shape[1:])
        writer.stream(f"{name}_{field}", values, shape, example.dtype, dims, constant)
    if by_channel:
        writer.add(f"{name}_channel", list(channels), (f"{name}_channel",))


def _each(parts: Sequence[Any]) -> Any:
    """One after the other: never more than one is held."""
    return (parts[i] for i in range(len(parts)))
