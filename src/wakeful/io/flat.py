"""Flat files of samples that somebody describes by hand: rec.dat (or .bin) with rec.flat.json.

Converters, Intan's one-file-per-signal-type format and home-made rigs write samples and nothing
else. A small JSON file of the same name beside them says what they are:

    {"rate_hz": 20000, "n_channels": 64, "gain_uv": 0.195}

and, where it differs, `dtype` (int16, int16-big-endian, uint16, int24, float32), `order`
(interleaved or channel-major), `names`, `offset_uv`, `header_bytes`, `start` (ISO 8601, local where
it names no zone). Such files have no time stamps: gaps in them can't be told.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wakeful.io.channel_kinds import guess_kind
from wakeful.io.interleaved import FramePiece, FrameRecording, Frames, usable_bytes
from wakeful.io.record_streams import name_uniquely
from wakeful.io.records import ChannelRecords, Encoding, FileRecording, RecordLayout, Run
from wakeful.io.registry import Found, reader
from wakeful.model.errors import BadRecording, NoRecording, StillGrowing, TruncatedFile
from wakeful.model.recording import Description, Recording, Stream
from wakeful.model.subject import Channel
from wakeful.model.time import Span

SIDECAR = ".flat.json"
_SAMPLES = (".dat", ".bin")
_MAX_BYTES = 4 * 1024 * 1024
_MAX_CHANNELS = 65_536
_MAX_RATE_HZ = 1e7
_DTYPES = {
    "int16": Encoding.INT16,
    "int16-big-endian": Encoding.INT16_BIG_ENDIAN,
    "uint16": Encoding.OFFSET_BINARY,
    "int24": Encoding.INT24,
    "float32": Encoding.FLOAT32,
}
_ORDERS = ("interleaved", "channel-major")
_KEYS = {
    "rate_hz",
    "n_channels",
    "gain_uv",
    "offset_uv",
    "dtype",
    "order",
    "names",
    "header_bytes",
    "start",
}


@dataclass(frozen=True, kw_only=True)
class FlatFile:
    """What a .flat.json says."""

    rate_hz: float
    channels: tuple[Channel, ...]
    encoding: Encoding
    interleaved: bool
    header_bytes: int
    start: datetime | None
    start_is_local: bool


def _sidecar_of(path: Path) -> Path:
    return path.with_name(path.stem + SIDECAR)


def _sniff(files: tuple[Path, ...]) -> tuple[Path, ...]:
    return tuple(
        path
        for path in files
        if str(path).lower().endswith(_SAMPLES) and _sidecar_of(path).is_file()
    )


@reader(
    name="flat",
    title="flat samples with a description (.dat or .bin, .flat.json)",
    sniff=_sniff,
    follows=True,
)
def open_flat(found: Found) -> Recording:
    """Open a flat file by the .flat.json beside it, or a folder with one such pair.

    Raises
    ------
    TruncatedFile
        The file's size is not a whole number of samples of all channels.
    StillGrowing
        It is being written channel after channel: nothing can be read before it is whole.
    BadRecording
        The description is damaged, names all that is wrong; or the folder holds several pairs.
    """
    path = found.only_file()
    beside = _sidecar_of(path)
    size = usable_bytes(path, found.folder, found.growth)
    of_beside = usable_bytes(beside, found.folder, found.growth)
    if size is None or not of_beside:
        raise NoRecording(
            "the samples or their description are not there",
            where=str(path),
            remedy="wait until both are copied",
        )
    with beside.open("rb") as file:
        flat = parse_flat(file.read(min(of_beside, _MAX_BYTES)), beside.name)
    growing = found.growth is not None
    if growing and not flat.interleaved:
        raise StillGrowing(
            "it is written channel after channel",
            where=str(path),
            remedy="it is read once the recording has ended",
        )
    n_channels = len(flat.channels)
    frame_bytes = n_channels * flat.encoding.n_bytes
    n_samples, n_over = divmod(max(0, size - flat.header_bytes), frame_bytes)
    if (n_over and not growing) or not n_samples:
        raise TruncatedFile(
            f"{size:,} bytes are not a header of {flat.header_bytes:,} and a whole number of "
            f"samples of {n_channels} channels",
            where=path.name,
            remedy=f"check n_channels, dtype and header_bytes in {beside.name}, and that the copy "
            "has ended",
        )
    stream = Stream(
        name=f"{flat.rate_hz:.8g}Hz-{n_channels}ch",
        rate_hz=flat.rate_hz,
        channels=flat.channels,
        spans=(Span(0.0, n_samples, flat.rate_hz, 0),),
        files=(path.name,),
        growing=growing,
        settled_s=n_samples / flat.rate_hz if growing else math.inf,
    )
    warnings = ["the format has no time stamps: gaps can't be told"]
    if flat.start is None:
        warnings.append(f"{beside.name} names no start: times of day are unknown")
    description = Description(
        format="flat",
        root=str(found.root),
        streams=(stream,),
        start_utc=flat.start,
        start_is_local=flat.start_is_local,
        warnings=tuple(warnings),
        ignored_files=tuple(sorted(file.name for file in found.others if file != beside)),
    )
    if flat.interleaved:
        frames = Frames(
            n_channels,
            tuple(range(n_channels)),
            (FramePiece(path, 0, n_samples, 0),),
            flat.encoding,
            flat.header_bytes,
        )
        return FrameRecording(description, found.folder, {stream.name: frames})
    per_channel = n_samples * flat.encoding.n_bytes
    records = [
        ChannelRecords(
            (path,),
            RecordLayout(
                flat.header_bytes,
                size - flat.header_bytes,
                i * per_channel,
                n_samples,
                flat.encoding,
            ),
            (Run(0, n_samples, 0),),
        )
        for i in range(n_channels)
    ]
    return FileRecording(description, found.folder, {stream.name: records})


def parse_flat(raw: bytes, where: str) -> FlatFile:
    """Read a .flat.json.

    Parameters
    ----------
    raw : the whole file
    where : the file, for errors

    Raises
    ------
    BadRecording
        It can't be used; names all that is wrong.
    """
    try:
        content = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise _bad([f"it is not JSON ({str(error)[:120]})"], where) from error
    if not isinstance(content, dict):
        raise _bad(['it must be one object: {"rate_hz": ..., "n_channels": ...}'], where)
    problems = [f"unknown key {str(key)[:30]!r}" for key in sorted(content.keys() - _KEYS)]
    rate_hz = _number(content.get("rate_hz"))
    if rate_hz is None or not 0 < rate_hz < _MAX_RATE_HZ:
        problems.append(f"rate_hz is {_shown(content.get('rate_hz'))}")
    n_channels = content.get("n_channels")
    if type(n_channels) is not int or not 0 < n_channels <= _MAX_CHANNELS:
        problems.append(f"n_channels is {_shown(n_channels)}")
        n_channels = 0
    gains = _per_channel(content, "gain_uv", None, n_channels, problems)
    offsets = _per_channel(content, "offset_uv", 0.0, n_channels, problems)
    if any(gain == 0 for gain in gains):
        problems.append("a gain_uv is zero")
    names = content.get("names", [f"CH{i + 1}" for i in range(n_channels)])
    if not isinstance(names, list) or not all(isinstance(n, str) and n.strip() for n in names):
        problems.append("names is not a list of texts")
    elif n_channels and len(names) != n_channels:
        problems.append(f"names holds {len(names)} for {n_channels} channels")
    dtype, order = content.get("dtype", "int16"), content.get("order", "interleaved")
    if dtype not in list(_DTYPES):
        problems.append(f"dtype is {_shown(dtype)}, not one of {', '.join(_DTYPES)}")
    if order not in _ORDERS:
        problems.append(f"order is {_shown(order)}, not {' or '.join(_ORDERS)}")
    header_bytes = content.get("header_bytes", 0)
    if type(header_bytes) is not int or not 0 <= header_bytes < 2**40:
        problems.append(f"header_bytes is {_shown(header_bytes)}")
    start = _read_start(content.get("start"), problems)
    if problems or rate_hz is None:
        raise _bad(problems, where)
    channels = [
        Channel(name=name.strip(), kind=guess_kind(name), gain_uv=gain, offset_uv=offset)
        for name, gain, offset in zip(names, gains, offsets, strict=True)
    ]
    return FlatFile(
        rate_hz=rate_hz,
        channels=name_uniquely(channels, [channel.name for channel in channels]),
        encoding=_DTYPES[dtype],
        interleaved=order == _ORDERS[0],
        header_bytes=header_bytes,
        start=None if start is None else start.replace(tzinfo=start.tzinfo or UTC).astimezone(UTC),
        start_is_local=start is not None and start.tzinfo is None,
    )


def _per_channel(
    content: dict[str, Any], key: str, default: float | None, n: int, problems: list[str]
) -> list[float]:
    """One number for all channels, or one for each."""
    given = content.get(key, default)
    values = given if isinstance(given, list) else [given] * n
    numbers = [number for value in values if (number := _number(value)) is not None]
    if len(numbers) != len(values) or (not isinstance(given, list) and _number(given) is None):
        problems.append(f"{key} is {_shown(given)}")
    elif n and len(numbers) != n:
        problems.append(f"{key} holds {len(numbers)} numbers for {n} channels")
    return numbers


def _read_start(given: object, problems: list[str]) -> datetime | None:
    if given is None:
        return None
    try:
        start = datetime.fromisoformat(given) if isinstance(given, str) else None
        if start is not None:
            start.replace(tzinfo=start.tzinfo or UTC).astimezone(UTC)
            return start
    except (ValueError, OverflowError):
        pass
    problems.append(f"start is {_shown(given)}, not like 2026-03-02T10:00:00")
    return None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _shown(value: object) -> str:
    if isinstance(value, str | int | float):
        return repr(value)[:40]
    return "missing" if value is None else f"a {type(value).__name__}"


def _bad(problems: list[str], where: str) -> BadRecording:
    return BadRecording(
        " | ".join(problems),
        where=where,
        remedy='correct it; the least is {"rate_hz": 20000, "n_channels": 64, "gain_uv": 0.195}',
    )
