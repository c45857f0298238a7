"""What an Open Ephys recording folder says of itself: structure.oebin, from GUI 0.4 to 1.x."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from wakeful.io.channel_kinds import guess_kind
from wakeful.model.errors import BadRecording
from wakeful.model.subject import Channel, ChannelKind

FILE_NAME = "structure.oebin"

MAX_BYTES = 64 * 1024 * 1024
"""Of the file: a probe of 5,000 channels takes two."""

_MAX_RATE_HZ = 1e7
_ENOUGH = 20
"""Problems after which the rest of a file is not looked at."""
_TO_UV = {"uv": 1.0, "µv": 1.0, "μv": 1.0, "mv": 1e3, "v": 1e6}


@dataclass(frozen=True, kw_only=True)
class OebinStream:
    """One entry of `continuous`: channels that one source sends at one rate."""

    folder: str
    """Below `continuous/`."""
    stream_name: str
    rate_hz: float
    channels: tuple[Channel, ...]


@dataclass(frozen=True, kw_only=True)
class OebinEvents:
    """One entry of `events`."""

    folder: str
    """Below `events/`."""
    stream_name: str
    """The stream whose sample numbers it carries; "" in old versions."""
    rate_hz: float | None


@dataclass(frozen=True)
class Oebin:
    """The file's contents, as far as they are used."""

    streams: tuple[OebinStream, ...]
    events: tuple[OebinEvents, ...]


def parse_oebin(raw: bytes, where: str) -> Oebin:
    """Read structure.oebin.

    Parameters
    ----------
    raw : the whole file
    where : the file, for errors

    Raises
    ------
    BadRecording
        It is damaged; names all that is wrong.
    """
    try:
        # In versions before 0.6 texts came as the system had them.
        content = json.loads(raw.decode("utf-8", errors="replace"))
    except (ValueError, RecursionError) as error:
        raise _bad([f"it can't be parsed ({str(error)[:120]})"], where) from error
    if not isinstance(content, dict):
        raise _bad(["it holds no list of streams"], where)
    problems: list[str] = []
    streams: list[OebinStream] = []
    for i, entry in enumerate(_entries(content, "continuous", problems)):
        stream = _read_stream(entry, f"continuous {i + 1}", problems)
        if stream is not None:
            streams.append(stream)
        if len(problems) > _ENOUGH:
            break
    events: list[OebinEvents] = []
    for i, entry in enumerate(_entries(content, "events", problems)):
        event = _read_events(entry, f"events {i + 1}", problems)
        if event is not None:
            events.append(event)
        if len(problems) > _ENOUGH:
            break
    folders = [stream.folder for stream in streams]
    if len(set(folders)) < len(folders):
        problems.append("two streams lie in one folder")
    if problems:
        raise _bad(problems, where)
    return Oebin(tuple(streams), tuple(events))


def _entries(content: dict[str, Any], key: str, problems: list[str]) -> list[dict[str, Any]]:
    entries = content.get(key, [])
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        problems.append(f"{key!r} is not a list of entries")
        return []
    return entries


def _read_stream(entry: dict[str, Any], where: str, problems: list[str]) -> OebinStream | None:
    before = len(problems)
    folder = _read_folder(entry, where, problems)
    rate_hz = _read_rate(entry, where, problems)
    listed = entry.get("channels", [])
    if not isinstance(listed, list) or not all(isinstance(c, dict) for c in listed):
        problems.append(f"{where}: 'channels' is not a list of entries")
        return None
    promised = entry.get("num_channels", len(listed))
    if promised != len(listed):
        problems.append(f"{where}: {_shown(promised)} channels promised, {len(listed)} described")
    elif not listed:
        problems.append(f"{where}: no channels")
    channels: list[Channel] = []
    for i, channel in enumerate(listed):
        described = _read_channel(channel, f"{where}, channel {i + 1}", problems)
        if described is not None:
            channels.append(described)
        if len(problems) > _ENOUGH:
            break
    if len(problems) > before or rate_hz is None:
        return None
    return OebinStream(
        folder=folder,
        stream_name=_text(entry.get("stream_name")),
        rate_hz=rate_hz,
        channels=tuple(channels),
    )


def _read_channel(entry: dict[str, Any], where: str, problems: list[str]) -> Channel | None:
    name = _text(entry.get("channel_name"))
    step = _number(entry.get("bit_volts"))
    if not name:
        problems.append(f"{where}: no name")
    if step is None or step == 0:
        problems.append(f"{where}: bit_volts is {_shown(entry.get('bit_volts'))}")
        return None
    unit = _text(entry.get("units")).lower()
    # Without a unit, headstages count in microvolts, analogue and auxiliary inputs in volts.
    in_volts = re.search(r"(^|_)(ADC|AUX)", name.upper()) is not None
    scale = _TO_UV.get(unit, 1e6 if in_volts and not unit else 1.0)
    kind = ChannelKind.TTL if name.upper().endswith("SYNC") else guess_kind(name)
    known = not unit or unit in _TO_UV
    if kind.is_brain and (in_volts or not known):
        kind = ChannelKind.OTHER
    return Channel(
        name=name,
        kind=kind,
        gain_uv=step * scale,
        notes="" if known else f"measured in {_text(entry.get('units'))}, not in volts",
    )


def _read_events(entry: dict[str, Any], where: str, problems: list[str]) -> OebinEvents | None:
    before = len(problems)
    folder = _read_folder(entry, where, problems)
    if len(problems) > before:
        return None
    rate_hz = _number(entry.get("sample_rate"))
    return OebinEvents(
        folder=folder,
        stream_name=_text(entry.get("stream_name")),
        rate_hz=rate_hz if rate_hz is not None and 0 < rate_hz < _MAX_RATE_HZ else None,
    )


def _read_folder(entry: dict[str, Any], where: str, problems: list[str]) -> str:
    text = _text(entry.get("folder_name")).replace("\\", "/").rstrip("/")
    parts = PurePosixPath(text).parts
    if not parts or parts[0] == "/" or ".." in parts or ":" in text or "\0" in text:
        problems.append(f"{where}: folder_name is {text[:60]!r}")
    return "/".join(parts)


def _read_rate(entry: dict[str, Any], where: str, problems: list[str]) -> float | None:
    rate_hz = _number(entry.get("sample_rate"))
    if rate_hz is None or not 0 < rate_hz < _MAX_RATE_HZ:
        problems.append(f"{where}: sample_rate is {_shown(entry.get('sample_rate'))}")
        return None
    return rate_hz


def _number(value: Any) -> float | None:
    """A finite number; None for anything else (JSON knows no numbers that Python can't hold)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _shown(value: Any) -> str:
    if isinstance(value, str | int | float):
        return repr(value)[:20]
    return "missing" if value is None else f"a {type(value).__name__}"


def _bad(problems: list[str], where: str) -> BadRecording:
    more = f" | and {len(problems) - 6} more" if len(problems) > 6 else ""
    return BadRecording(
        " | ".join(problems[:6]) + more,
        where=where,
        remedy="the file is damaged: copy it again",
    )
