"""The sidecar of a plain array: a small JSON file that says what the array can't say itself.

It lies beside the array and is called as the array, with `.wakeful.json` behind:
`M014_day1.npy` and `M014_day1.npy.wakeful.json`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wakeful.io.channel_kinds import guess_kind
from wakeful.io.record_streams import name_uniquely
from wakeful.model.errors import BadRecording
from wakeful.model.subject import Channel

END = ".wakeful.json"
"""Behind the whole name of the array's file."""

TO_UV = {"uv": 1.0, "µv": 1.0, "μv": 1.0, "mv": 1e3, "v": 1e6, "nv": 1e-3}
"""Unit, in lower case -> microvolts."""

_ORIENTATIONS = ("samples x channels", "channels x samples")
_KEYS = ("rate_hz", "unit", "gain", "orientation", "channels", "start", "variable")
_MAX_BYTES = 4 * 1024 * 1024
_MAX_RATE_HZ = 1e6


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """What is known of an array beside its samples."""

    rate_hz: float | None = None
    unit: str = ""
    """uV, mV, V; "" where it isn't said."""
    gain: float = 1.0
    """How many of the unit a stored 1 stands for."""
    orientation: str = ""
    """One of "samples x channels", "channels x samples"; "" where it follows from the shape."""
    channels: tuple[str, ...] = ()
    start_utc: datetime | None = None
    start_is_local: bool = False
    variable: str = ""
    """Of a .mat file: the variable that holds the samples."""


def sidecar_of(path: Path) -> Path:
    """Where the sidecar of an array lies, whether or not it is there."""
    return path.with_name(path.name + END)


def read_sidecar(path: Path) -> Sidecar | None:
    """What the sidecar of the array `path` says; None where there is none.

    Raises
    ------
    BadRecording
        It can't be read, or says something odd: all named at once.
    """
    place = sidecar_of(path)
    if not place.is_file():
        return None
    try:
        if place.stat().st_size > _MAX_BYTES:
            raise ValueError(f"more than {_MAX_BYTES:,} bytes")
        tree = json.loads(place.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise BadRecording(
            f"it can't be read as JSON ({error})",
            where=place.name,
            remedy=f"write it like this: {example(path)}",
        ) from error
    if not isinstance(tree, dict):
        raise BadRecording(
            "it holds no {...}", where=place.name, remedy=f"write it like this: {example(path)}"
        )
    problems = _check(tree)
    if problems:
        raise BadRecording(
            " | ".join(problems), where=place.name, remedy=f"a whole one reads: {example(path)}"
        )
    start = tree.get("start")
    when = datetime.fromisoformat(start) if start else None
    local = when is not None and when.tzinfo is None
    if when is not None:
        when = when.replace(tzinfo=UTC) if local else when.astimezone(UTC)
    return Sidecar(
        rate_hz=float(tree["rate_hz"]) if "rate_hz" in tree else None,
        unit=tree.get("unit", ""),
        gain=float(tree.get("gain", 1.0)),
        orientation=tree.get("orientation", ""),
        channels=tuple(tree.get("channels", ())),
        start_utc=when,
        start_is_local=local,
        variable=tree.get("variable", ""),
    )


def _check(tree: dict[str, Any]) -> list[str]:
    problems = [
        f"{key} is not known (known: {', '.join(_KEYS)})" for key in tree if key not in _KEYS
    ]
    if "rate_hz" in tree and not _is_number(tree["rate_hz"], _MAX_RATE_HZ):
        problems.append(f"rate_hz is {tree['rate_hz']!r}, not a rate in Hz")
    if "gain" in tree and (not _is_number(abs(_or_nan(tree["gain"])), 1e12)):
        problems.append(f"gain is {tree['gain']!r}, not a number")
    if "unit" in tree and str(tree["unit"]).lower() not in TO_UV:
        problems.append(f"unit is {tree['unit']!r}, not uV, mV or V")
    if "orientation" in tree and tree["orientation"] not in _ORIENTATIONS:
        problems.append(f"orientation is {tree['orientation']!r}, not {' or '.join(_ORIENTATIONS)}")
    names = tree.get("channels", [])
    if not isinstance(names, list) or not all(isinstance(n, str) and n.strip() for n in names):
        problems.append("channels is not a list of names")
    elif len(set(names)) != len(names):
        problems.append("channels names one channel twice")
    try:
        datetime.fromisoformat(tree.get("start") or "2000-01-01")
    except (TypeError, ValueError):
        problems.append(f"start is {tree['start']!r}, not like 2024-03-01T10:00:00")
    if not isinstance(tree.get("variable", ""), str):
        problems.append(f"variable is {tree['variable']!r}, not a name")
    return problems


def _or_nan(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _is_number(value: Any, below: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < below


def example(path: Path, channels: Sequence[str] = ("EEG", "EMG")) -> str:
    """A sidecar to copy, with the name it must have."""
    tree = {
        "rate_hz": 1000,
        "unit": "uV",
        "orientation": "samples x channels",
        "channels": list(channels),
        "start": "2024-03-01T10:00:00",
    }
    return f"{sidecar_of(path).name} with {json.dumps(tree)}"


def need_rate(sidecar: Sidecar | None, path: Path, why: str) -> float:
    """The rate of an array.

    Raises
    ------
    BadRecording
        Nothing says it; shows the sidecar to write.
    """
    if sidecar is not None and sidecar.rate_hz is not None:
        return sidecar.rate_hz
    raise BadRecording(
        f"nothing says how many samples a second it holds ({why})",
        where=path.name,
        remedy=f"write beside it {example(path)} (only rate_hz must be there)",
    )


def place_axes(
    shape: tuple[int, ...], sidecar: Sidecar | None, path: Path, warnings: list[str]
) -> tuple[int, int, bool]:
    """How an array lies: (n_channels, n_samples, whether the samples come first).

    The sidecar's word counts; else the number of its channels; else time is the longer side, and
    that is said.

    Raises
    ------
    BadRecording
        The array is neither flat nor a table, is empty, or nothing tells its sides apart.
    """
    if len(shape) not in (1, 2) or 0 in shape:
        raise BadRecording(
            f"an array of shape {shape} is not samples of channels",
            where=path.name,
            remedy="write one with two sides: samples and channels",
        )
    n_named = len(sidecar.channels) if sidecar is not None else 0
    if len(shape) == 1:
        shape = (shape[0], 1)
    said = sidecar.orientation if sidecar is not None else ""
    if not said and n_named and (shape[0] == n_named) != (shape[1] == n_named):
        said = _ORIENTATIONS[1] if shape[0] == n_named else _ORIENTATIONS[0]
    if not said:
        if shape[0] == shape[1]:
            raise BadRecording(
                f"its shape {shape} does not show which side is time",
                where=path.name,
                remedy=f"write the orientation beside it: {example(path)}",
            )
        said = _ORIENTATIONS[0] if shape[0] > shape[1] else _ORIENTATIONS[1]
        if 1 not in shape:
            warnings.append(
                f"{path.name}: of its shape {shape} the longer side is taken to be time ({said})"
            )
    samples_first = said == _ORIENTATIONS[0]
    n_channels = shape[1] if samples_first else shape[0]
    if n_named and n_named != n_channels:
        raise BadRecording(
            f"{n_named} channels are named but the array holds {n_channels} ({said} of {shape})",
            where=sidecar_of(path).name,
            remedy="name each channel once, or correct the orientation",
        )
    return n_channels, shape[0] if samples_first else shape[1], samples_first


def describe_channels(
    n_channels: int, sidecar: Sidecar | None, path: Path, warnings: list[str]
) -> tuple[Channel, ...]:
    """Channels of an array, named as the sidecar says or by their numbers."""
    sidecar = sidecar or Sidecar()
    names = sidecar.channels or tuple(f"ch{i + 1}" for i in range(n_channels))
    if not sidecar.unit:
        warnings.append(f"{path.name} names no unit; microvolts are assumed")
    scale = TO_UV[sidecar.unit.lower()] if sidecar.unit else 1.0
    channels = [
        Channel(name=name, kind=guess_kind(name), gain_uv=sidecar.gain * scale) for name in names
    ]
    return name_uniquely(channels, names)
