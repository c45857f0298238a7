"""MATLAB files (.mat): a table of samples, or a vector a channel, and the rate.

Version 7.3 is HDF5 and read in pieces. Older versions can only be loaded whole: those that are
large are refused with what to do. A struct's fields count as variables ("data.EEG").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.io.hdf import HdfDataset, HdfFile
from wakeful.io.nan_gaps import find_recorded, lay_out
from wakeful.io.record_streams import name_stream
from wakeful.io.registry import Found, by_suffix, reader
from wakeful.io.segments import InMemory, SegmentRecording, Stacked, Store
from wakeful.io.sidecar import (
    Sidecar,
    describe_channels,
    example,
    need_rate,
    place_axes,
    read_sidecar,
    sidecar_of,
)
from wakeful.model.errors import BadRecording, NoRecording
from wakeful.model.recording import Description, Stream

LOADED_MAX_BYTES = 1 << 30
"""Samples of an older file that are held in memory at most."""

_RATES = {
    "fs",
    "sf",
    "srate",
    "sfreq",
    "samplerate",
    "samplingrate",
    "samplefrequency",
    "samplingfrequency",
    "ratehz",
    "fshz",
}
_STARTS = {"start", "starttime", "time", "datetime", "recordingstart", "startdatetime"}
_CLOCKS = {"t", "time", "times", "timestamps", "timestamp", "ts", "tvec", "timevector"}
_START_FORMATS = ("%Y%m%d-%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%d-%b-%Y %H:%M:%S", "%Y%m%d_%H%M%S")
_BYTES = {"double": 8, "single": 4, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2}
_BYTES |= {"int32": 4, "uint32": 4, "int64": 8, "uint64": 8, "logical": 1}
_LEAST = 16
"""A vector shorter than this is no recording."""


@dataclass(frozen=True)
class _Variable:
    name: str
    shape: tuple[int, ...]
    """As MATLAB shows it."""
    n_bytes: int
    load: Callable[[], NDArray[Any]]
    """The values, in MATLAB's shape."""
    hdf: tuple[HdfFile, str] | None = None
    """Where it lies, in files of version 7.3."""
    is_text: bool = False

    @property
    def key(self) -> str:
        """The last part of its name, without case and marks: "sampling_rate" is "samplingrate"."""
        return re.sub(r"[^a-z0-9]", "", self.name.rpartition(".")[2].lower())

    @property
    def is_vector(self) -> bool:
        return len(self.shape) == 1 or 1 in self.shape


@reader(name="mat", title="MATLAB (.mat)", sniff=by_suffix(".mat"), rotates=True, gives_way=True)
def open_mat(found: Found) -> SegmentRecording:
    """Open a .mat file that holds samples and says their rate, or has a sidecar that does.

    Raises
    ------
    BadRecording
        It is damaged, too large for an older version, or nothing says the rate or which variable
        holds the samples; shows the sidecar to write.
    NoRecording
        It holds no samples.
    """
    path = found.only_file()
    variables, hdf = _list_variables(path)
    sidecar = read_sidecar(path)
    warnings: list[str] = []
    chosen = _choose(variables, sidecar, path, warnings)
    sidecar = _complete(sidecar or Sidecar(), variables, chosen)
    rate_hz = need_rate(
        sidecar, path, f"it holds {_shorten([v.name for v in variables])}, none of them the rate"
    )
    if len(chosen) == 1:
        shape = chosen[0].shape
        n_channels, n_samples, samples_first = place_axes(shape, sidecar, path, warnings)
    else:
        n_channels, n_samples, samples_first = len(chosen), max(chosen[0].shape), True
        if sidecar.channels and len(sidecar.channels) != n_channels:
            raise BadRecording(
                f"{len(sidecar.channels)} channels are named, {n_channels} vectors hold samples",
                where=sidecar_of(path).name,
                remedy=f"name these: {_shorten([v.name for v in chosen])}",
            )
    store = _make_store(chosen, samples_first, path)
    if hdf is not None:
        hdf.set_bulk(v.hdf[1] for v in chosen if v.hdf is not None)
    channels = describe_channels(n_channels, sidecar, path, warnings)
    stretches = find_recorded(store, range(n_channels), n_samples, path.name)
    spans, segments, late_s = lay_out(stretches, rate_hz, store)
    start = sidecar.start_utc
    if start is not None:
        start += timedelta(seconds=late_s)
    else:
        warnings.append(f"{path.name} does not say when the recording began")
    stream = Stream(
        name=name_stream(rate_hz, n_channels, set()),
        rate_hz=rate_hz,
        channels=channels,
        spans=spans,
        files=(path.name,),
    )
    description = Description(
        format="mat",
        root=str(found.root),
        streams=(stream,),
        start_utc=start,
        start_is_local=sidecar.start_is_local,
        warnings=tuple(warnings),
        ignored_files=tuple(sorted(f.name for f in found.others if f != sidecar_of(path))),
    )
    return SegmentRecording(description, path.parent, {stream.name: segments})


def _list_variables(path: Path) -> tuple[list[_Variable], HdfFile | None]:
    with path.open("rb") as file:
        head = file.read(520)
    if head[:8] == b"\x89HDF\r\n\x1a\n" or head[512:520] == b"\x89HDF\r\n\x1a\n":
        hdf = HdfFile(path)
        with hdf:
            return list(_walk(hdf, hdf.file, "")), hdf
    return _list_old(path), None


def _walk(hdf: HdfFile, group: Any, prefix: str) -> Iterable[_Variable]:
    import h5py

    for name, node in group.items():
        if name.startswith("#"):
            continue
        if isinstance(node, h5py.Group):
            if not prefix:
                yield from _walk(hdf, node, f"{name}.")
            continue
        kind = node.attrs.get("MATLAB_class", b"")
        text = bytes(kind) == b"char"
        if node.dtype.kind not in "iuf" or node.attrs.get("MATLAB_empty", 0):
            continue
        yield _Variable(
            prefix + name,
            tuple(reversed(node.shape)),
            int(node.nbytes),
            # MATLAB counts columns first: HDF5 shows its arrays turned.
            partial(_turn, node),
            (hdf, node.name),
            text,
        )


def _turn(node: Any) -> NDArray[Any]:
    return np.asarray(node[()]).T


def _list_old(path: Path) -> list[_Variable]:
    from scipy.io import whosmat

    try:
        listed = whosmat(path)
    except Exception as error:  # scipy raises whatever a damaged file leads to
        raise BadRecording(
            f"it can't be read as a MATLAB file ({type(error).__name__}: {error})",
            where=path.name,
            remedy="copy it again; or save it anew in MATLAB with -v7.3",
        ) from error
    found: list[_Variable] = []
    for name, shape, kind in listed:
        if kind == "struct" and int(np.prod(shape)) == 1:
            found += _list_struct(path, name)
        elif kind in _BYTES or kind == "char":
            n_bytes = int(np.prod(shape, dtype=np.int64)) * _BYTES.get(kind, 2)
            load = _loader(path, name, n_bytes)
            found.append(_Variable(name, tuple(shape), n_bytes, load, is_text=kind == "char"))
    return found


def _loader(path: Path, name: str, n_bytes: int) -> Callable[[], NDArray[Any]]:
    def load() -> NDArray[Any]:
        _refuse_large(path, n_bytes)
        return np.asarray(_load(path, name))

    return load


def _refuse_large(path: Path, n_bytes: int) -> None:
    if n_bytes > LOADED_MAX_BYTES:
        raise BadRecording(
            f"its samples take {n_bytes / 1e9:.1f} GB, and a MATLAB file of this version can only "
            "be loaded whole",
            where=path.name,
            remedy="save it again in MATLAB with -v7.3, or as a .npy array: both are read in "
            "pieces",
        )


def _list_struct(path: Path, name: str) -> list[_Variable]:
    """The fields of a struct, which scipy can only load together."""
    _refuse_large(path, path.stat().st_size)
    value = _load(path, name)
    found: list[_Variable] = []
    for field in value.dtype.names or ():
        inside = np.asarray(value[field].reshape(-1)[0])
        if inside.dtype.kind not in "iufU":
            continue
        found.append(
            _Variable(
                f"{name}.{field}",
                inside.shape,
                inside.nbytes,
                partial(np.asarray, inside),
                is_text=inside.dtype.kind == "U",
            )
        )
    return found


def _load(path: Path, name: str) -> Any:
    from scipy.io import loadmat

    try:
        return loadmat(path, variable_names=[name])[name]
    except Exception as error:  # scipy raises whatever a damaged file leads to
        raise BadRecording(
            f"the variable {name} can't be read ({type(error).__name__}: {error})",
            where=path.name,
            remedy="the file is damaged: copy it again, or save it anew in MATLAB",
        ) from error


def _choose(
    variables: Sequence[_Variable], sidecar: Sidecar | None, path: Path, warnings: list[str]
) -> list[_Variable]:
    """The table of samples, or the vectors that are channels."""
    numbers = [v for v in variables if not v.is_text and len(v.shape) <= 2 and 0 not in v.shape]
    if sidecar is not None and sidecar.variable:
        wanted = [v for v in numbers if v.name == sidecar.variable]
        if not wanted:
            raise BadRecording(
                f"there is no variable {sidecar.variable} of numbers",
                where=path.name,
                remedy=f"it holds {_shorten([v.name for v in numbers]) or 'none'}: correct "
                f"{sidecar_of(path).name}",
            )
        return wanted
    longest = max((max(v.shape) for v in numbers), default=0)
    if longest < _LEAST:
        raise NoRecording(
            f"it holds no samples ({_shorten([v.name for v in variables]) or 'no variable'})",
            where=path.name,
            remedy="give a file that holds a table of samples and channels",
        )
    candidates = [v for v in numbers if max(v.shape) == longest and v.key not in _CLOCKS]
    tables = [v for v in candidates if not v.is_vector]
    if len(tables) > 1 or not candidates:
        raise BadRecording(
            "several of its variables may be the samples: "
            + _shorten([f"{v.name} {v.shape}" for v in tables or numbers]),
            where=path.name,
            remedy=f'name one with "variable" beside it, as in {example(path)[:-1]}, '
            f'"variable": "{(tables or numbers)[0].name}"}}',
        )
    chosen = tables or candidates
    if len(chosen) > 1 and len({v.load().dtype for v in chosen if v.hdf is None}) > 1:
        raise BadRecording(
            "its vectors are of different types",
            where=path.name,
            remedy="save them as one table, or all as one type",
        )
    left = [v.name for v in numbers if v not in chosen and max(v.shape) >= _LEAST]
    if left:
        warnings.append(f"{path.name}: not used: {_shorten(left)}")
    return chosen


def _complete(
    sidecar: Sidecar, variables: Sequence[_Variable], chosen: Sequence[_Variable]
) -> Sidecar:
    """What the sidecar says, and what the file says itself where the sidecar doesn't."""
    if sidecar.rate_hz is None:
        rates = {
            float(value)
            for v in variables
            if v.key in _RATES and not v.is_text and np.prod(v.shape) < 4096
            for value in np.ravel(v.load())
        }
        if len(rates) == 1 and 0 < (rate := rates.pop()) < 1e6:
            sidecar = replace(sidecar, rate_hz=rate)
    if not sidecar.channels and len(chosen) > 1:
        sidecar = replace(sidecar, channels=tuple(v.name.rpartition(".")[2] for v in chosen))
    elif not sidecar.channels and chosen[0].is_vector:
        sidecar = replace(sidecar, channels=(chosen[0].name.rpartition(".")[2],))
    if sidecar.start_utc is None:
        texts = [v for v in variables if v.is_text and v.key in _STARTS]
        when = next((t for v in texts if (t := _parse_start(v)) is not None), None)
        if when is not None:
            sidecar = replace(sidecar, start_utc=when, start_is_local=True)
    return sidecar


def _parse_start(variable: _Variable) -> datetime | None:
    value = np.ravel(variable.load())
    if value.dtype.kind == "U":
        text = str(value[0]).strip() if len(value) else ""
    else:
        text = "".join(chr(int(code)) for code in value[:40]).strip()
    for form in _START_FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def _make_store(chosen: Sequence[_Variable], samples_first: bool, path: Path) -> Store:
    stores: list[Store] = []
    for variable in chosen:
        if variable.hdf is not None:
            file, name = variable.hdf
            # HDF5 shows MATLAB's arrays turned.
            turned = not samples_first
            if len(chosen) > 1:
                turned = max(variable.shape) == variable.shape[-1]
            stores.append(HdfDataset(file, name, turned))
            continue
        _refuse_large(path, sum(v.n_bytes for v in chosen))
        values = variable.load()
        if len(chosen) > 1:
            values = values.reshape(1, -1)
        elif values.ndim == 1:
            values = values[None, :]
        elif samples_first:
            values = values.T
        stores.append(InMemory(values, path))
    return stores[0] if len(stores) == 1 else Stacked(stores)


def _shorten(names: Sequence[str], shown: int = 6) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
