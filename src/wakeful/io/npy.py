"""NumPy arrays (.npy) with a sidecar that says the rate; read in pieces, never loaded."""

from __future__ import annotations

import ast
import struct
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from wakeful.io.nan_gaps import find_recorded, lay_out
from wakeful.io.open_files import read_bytes
from wakeful.io.record_streams import name_stream
from wakeful.io.registry import Found, reader
from wakeful.io.segments import Interleaved, Planar, SegmentRecording
from wakeful.io.sidecar import (
    Sidecar,
    describe_channels,
    need_rate,
    place_axes,
    read_sidecar,
    sidecar_of,
)
from wakeful.model.errors import BadRecording, TruncatedFile
from wakeful.model.recording import Description, Stream

_MAGIC = b"\x93NUMPY"
_KINDS = "iuf"


@dataclass(frozen=True)
class _Header:
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    n_bytes: int
    """Of the header; the samples follow."""


def _sniff(files: tuple[Path, ...]) -> tuple[Path, ...]:
    """Arrays with a sidecar; one that was given by itself counts without, to be told what to write.

    Other formats keep time stamps and the like in .npy files too.
    """
    arrays = tuple(path for path in files if str(path).lower().endswith(".npy"))
    return tuple(a for a in arrays if len(files) == 1 or sidecar_of(a).is_file())


@reader(
    name="npy",
    title="NumPy array with a sidecar (.npy, .npy.wakeful.json)",
    sniff=_sniff,
    rotates=True,
    gives_way=True,
)
def open_npy(found: Found) -> SegmentRecording:
    """Open a .npy file of samples and channels, by the sidecar beside it.

    Raises
    ------
    TruncatedFile
        The file is shorter than its header says.
    BadRecording
        It is no array of numbers, or nothing says its rate; shows the sidecar to write.
    """
    path = found.only_file()
    header = _read_header(path)
    sidecar = read_sidecar(path)
    rate_hz = need_rate(sidecar, path, "a .npy file has no room for it")
    warnings: list[str] = []
    n_channels, n_samples, samples_first = place_axes(header.shape, sidecar, path, warnings)
    # In Fortran's order the first side is the one whose neighbours lie side by side.
    interleaved = samples_first != header.fortran or n_channels == 1
    make = Interleaved if interleaved else Planar
    store = make(
        path, header.n_bytes, n_samples, n_channels, header.dtype, header_bytes=header.n_bytes
    )
    channels = describe_channels(n_channels, sidecar, path, warnings)
    stretches = find_recorded(store, range(n_channels), n_samples, path.name)
    spans, segments, late_s = lay_out(stretches, rate_hz, store)
    sidecar = sidecar or Sidecar()
    start = sidecar.start_utc
    if start is not None:
        start += timedelta(seconds=late_s)
    else:
        warnings.append(
            f"{sidecar_of(path).name} does not say when the recording began: times of day are "
            "unknown"
        )
    stream = Stream(
        name=name_stream(rate_hz, n_channels, set()),
        rate_hz=rate_hz,
        channels=channels,
        spans=spans,
        files=(path.name,),
    )
    description = Description(
        format="npy",
        root=str(found.root),
        streams=(stream,),
        start_utc=start,
        start_is_local=sidecar.start_is_local,
        warnings=tuple(warnings),
        ignored_files=tuple(sorted(f.name for f in found.others if f != sidecar_of(path))),
    )
    return SegmentRecording(description, path.parent, {stream.name: segments})


def _read_header(path: Path) -> _Header:
    size = path.stat().st_size
    start = read_bytes(path, 0, min(size, 12))
    if len(start) < 12 or start[:6] != _MAGIC or start[6] not in (1, 2, 3):
        raise _bad("the file does not begin with the header of a NumPy array", path)
    at = 10 if start[6] == 1 else 12
    (length,) = struct.unpack("<H" if at == 10 else "<I", start[8:at])
    if at + length > min(size, 1 << 20):
        raise TruncatedFile(
            "the file ends within its header", where=path.name, remedy="copy the file again"
        )
    try:
        tree = ast.literal_eval(read_bytes(path, at, length).decode("latin-1"))
        dtype = np.dtype(tree["descr"])
        shape = tuple(int(n) for n in tree["shape"])
        fortran = bool(tree["fortran_order"])
    except (ValueError, SyntaxError, KeyError, TypeError) as error:
        raise _bad("the header of the array is damaged", path) from error
    if dtype.kind not in _KINDS or dtype.itemsize > 8:
        raise _bad(f"the array holds {dtype}, not plain numbers", path)
    if any(n < 0 for n in shape):
        raise _bad(f"the header names the shape {shape}", path)
    needed = at + length + int(np.prod(shape, dtype=object)) * dtype.itemsize
    if size < needed:
        raise TruncatedFile(
            f"the header promises {needed:,} bytes, the file holds {size:,}",
            where=path.name,
            remedy="copy it again, and wait until the copy has ended",
        )
    return _Header(dtype, shape, fortran, at + length)


def _bad(what: str, path: Path) -> BadRecording:
    return BadRecording(
        what, where=path.name, remedy="give a .npy file of samples and channels, written by np.save"
    )
