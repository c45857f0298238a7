"""TTL events and messages of an Open Ephys binary recording, on the time of its samples.

A TTL folder holds the number of the sample at which a line changed and its new state: the line's
number, counted from 1, negative where it went down. A message folder holds texts. Versions before
0.6 call the sample numbers `timestamps` and the states `channel_states`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.io.interleaved import usable_bytes
from wakeful.io.npy_files import open_growing_npy, open_npy
from wakeful.io.registry import Growth
from wakeful.io.sample_seconds import NumberSpan
from wakeful.model.events import EventSeries

_STATES = ("states.npy", "channel_states.npy")


@dataclass(frozen=True, kw_only=True)
class EventFolder:
    """One folder of events of one recording, and the clock of its sample numbers."""

    home: Path
    root: Path
    """The recording's folder."""
    label: str
    rate_hz: float | None
    clock: tuple[NumberSpan, ...]
    """Spans of the stream that its sample numbers count; empty where none is known."""
    origin_s: float
    """Where the recording's seconds begin, on the acquisition's clock."""
    growth: Growth | None = None

    def load(self, name: str) -> NDArray[Any] | None:
        """An array of the folder; None where there is none."""
        path = self.home / name
        n_bytes = usable_bytes(path, self.root, self.growth)
        if n_bytes is None:
            return None
        file = open_npy(path) if self.growth is None else open_growing_npy(path, n_bytes)
        return None if file is None else file.read(0, file.n_items)


@dataclass(frozen=True, eq=False)
class _Piece:
    """The events of one folder, times already those of the recording."""

    time_s: NDArray[np.float64]
    code: NDArray[np.int64]
    label: tuple[str, ...]
    file: str
    warnings: tuple[str, ...]


def read_event_folders(folders: Sequence[EventFolder]) -> tuple[EventSeries, ...]:
    """All events, the same line or source through all recordings made one series.

    Raises
    ------
    TruncatedFile, BadRecording
        An array is damaged.
    """
    pieces: dict[str, list[_Piece]] = {}
    for folder in folders:
        for name, piece in _read_folder(folder):
            pieces.setdefault(name, []).append(piece)
    return tuple(
        EventSeries(
            name=name,
            time_s=np.concatenate([p.time_s for p in found]),
            code=np.concatenate([p.code for p in found]),
            label=tuple(text for p in found for text in p.label),
            file=found[0].file,
            warnings=tuple(dict.fromkeys(text for p in found for text in p.warnings)),
        )
        for name, found in pieces.items()
    )


def _read_folder(folder: EventFolder) -> Iterator[tuple[str, _Piece]]:
    stamps, seconds = folder.load("sample_numbers.npy"), folder.load("timestamps.npy")
    if stamps is None and seconds is not None and seconds.dtype.kind in "iu":
        stamps, seconds = seconds, None
    if stamps is None and seconds is None:
        return
    warnings: list[str] = []
    for name in _STATES:
        states = folder.load(name)
        if states is not None and states.dtype.kind in "iu":
            times = _place(folder, stamps, seconds, warnings)
            yield from _read_lines(folder, name, times, states.astype(np.int64), warnings)
            return
    texts = folder.load("text.npy")
    if texts is not None and texts.dtype.kind in "SU":
        times = _place(folder, stamps, seconds, warnings)
        n_used = _agree(folder, len(times), len(texts), warnings)
        labels = tuple(_read_text(text) for text in texts[:n_used].tolist())
        path = (folder.home / "text.npy").relative_to(folder.root).as_posix()
        zeros = np.zeros(n_used, np.int64)
        yield folder.label, _Piece(times[:n_used], zeros, labels, path, tuple(warnings))


def _read_lines(
    folder: EventFolder,
    name: str,
    times: NDArray[np.float64],
    states: NDArray[np.int64],
    warnings: list[str],
) -> Iterator[tuple[str, _Piece]]:
    n_used = _agree(folder, len(times), len(states), warnings)
    times, states = times[:n_used], states[:n_used]
    path = (folder.home / name).relative_to(folder.root).as_posix()
    for line in np.unique(np.abs(states)).tolist():
        here = np.abs(states) == line
        level = (states[here] > 0).astype(np.int64)
        texts = ("",) * len(level)
        label = f"{folder.label} ttl {line}"
        yield label, _Piece(times[here], level, texts, path, tuple(warnings))


def _agree(folder: EventFolder, n_times: int, n_values: int, warnings: list[str]) -> int:
    """Events that have both; a folder that is being written may hold one more of either."""
    if n_times != n_values and folder.growth is None:
        warnings.append(
            f"{folder.label}: {n_times:,} times but {n_values:,} events; the first "
            f"{min(n_times, n_values):,} are used"
        )
    return min(n_times, n_values)


def _place(
    folder: EventFolder,
    stamps: NDArray[Any] | None,
    seconds: NDArray[Any] | None,
    warnings: list[str],
) -> NDArray[np.float64]:
    """Seconds from the recording's start: by sample numbers where their clock is known."""
    if stamps is not None and stamps.dtype.kind in "iu" and folder.clock:
        return _by_numbers(stamps.astype(np.int64), folder.clock) - folder.origin_s
    if seconds is not None and seconds.dtype.kind == "f":
        return seconds.astype(np.float64) - folder.origin_s
    if stamps is not None and stamps.dtype.kind in "iu" and folder.rate_hz is not None:
        warnings.append(
            f"{folder.label}: no stream shares its clock: its sample numbers are divided by "
            f"{folder.rate_hz:g} Hz"
        )
        return stamps.astype(np.float64) / folder.rate_hz - folder.origin_s
    warnings.append(f"{folder.label}: its times can't be told; its events are left out")
    return np.empty(0)


def _by_numbers(numbers: NDArray[np.int64], clock: tuple[NumberSpan, ...]) -> NDArray[np.float64]:
    """Seconds of the acquisition's clock; what lies in a gap is counted on from its beginning."""
    index = np.searchsorted([span.number for span in clock], numbers, side="right") - 1
    index = np.maximum(index, 0)
    start_s = np.array([span.start_s for span in clock])
    rate_hz = np.array([span.rate_hz for span in clock])
    first = np.array([span.number for span in clock])
    times: NDArray[np.float64] = start_s[index] + (numbers - first[index]) / rate_hz[index]
    # Counted on at a rate that is slightly too slow, an event in a gap could pass its end.
    following = np.append(start_s[1:], np.inf)
    limited: NDArray[np.float64] = np.minimum(times, following[index])
    return limited


def _read_text(raw: object) -> str:
    text = raw.decode("utf-8", errors="replace") if isinstance(raw, bytes) else str(raw)
    return text.split("\0", 1)[0].strip()
