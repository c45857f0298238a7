"""Faults planted in channels of a simulated recording."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

_LOOSE_UV = 6.0
_RAIL_UV = 600.0
_CLIPPED_GAIN = 6.0
_HUM_UV = 600.0
_HUM_PARTS = ((1, 1.0), (2, 0.15), (3, 0.4), (5, 0.2))
"""Multiples of the mains frequency and their amplitudes: a grid's hum is mostly odd."""

Floats = NDArray[np.float32]


class FaultType(StrEnum):
    """What is done to a channel."""

    FLAT = "flat"
    """It holds its mean: 0 uV."""
    CLIPPED = "clipped"
    """Six times its gain, cut off at 600 uV."""
    HUM = "hum"
    """Mains hum of 600 uV and its multiples on top."""
    LOOSE = "loose"
    """Not connected: white noise of 6 uV rms over 0 to 500 Hz, and no brain."""
    COPY = "copy"
    """Another channel's samples, off by at most one step of the converter."""
    INVERTED = "inverted"
    """The same with the sign turned."""


@dataclass(frozen=True, kw_only=True)
class PlantedFault:
    """One fault of one channel."""

    channel: str
    kind: FaultType
    start_s: float = 0.0
    """Nominal seconds from the first sample."""
    stop_s: float = math.inf
    of: str = ""
    """For a copy: whose."""


def check_faults(faults: Sequence[PlantedFault], names: Sequence[str]) -> list[str]:
    """What is wrong with planted faults; empty where nothing is."""
    problems = []
    for fault in faults:
        if fault.channel not in names:
            problems.append(f"fault of {fault.channel!r}: the channels are {', '.join(names)}")
        is_copy = fault.kind in (FaultType.COPY, FaultType.INVERTED)
        if is_copy and (fault.of not in names or fault.of == fault.channel):
            problems.append(f"fault of {fault.channel!r}: it is the copy of no other channel")
        if fault.of and not is_copy:
            problems.append(f"fault of {fault.channel!r}: {fault.kind} is not of {fault.of}")
        if not 0 <= fault.start_s < fault.stop_s:
            problems.append(
                f"fault of {fault.channel!r}: {fault.start_s} to {fault.stop_s} s is no stretch"
            )
    return problems


def add_faults(
    samples_uv: Floats,
    faults: Sequence[PlantedFault],
    names: Sequence[str],
    *,
    start_s: float,
    rate_hz: int,
    mains_hz: int,
    step_uv: float,
    seed: Sequence[int],
) -> None:
    """Spoil a piece of a recording in place.

    Parameters
    ----------
    samples_uv : (n_channels, n_samples), the piece
    faults : in their order: a copy of a flat channel that comes later in the list is not flat
    names : of the channels
    start_s : of the piece, nominal seconds from the first sample
    seed : of this piece
    """
    n: int = samples_uv.shape[1]
    time_s = start_s + np.arange(n) / rate_hz
    for number, fault in enumerate(faults):
        first = int(np.searchsorted(time_s, fault.start_s))
        stop = int(np.searchsorted(time_s, fault.stop_s))
        if stop <= first:
            continue
        rng = np.random.Generator(np.random.SFC64([*seed, number]))
        row = samples_uv[names.index(fault.channel)][first:stop]
        # All of the piece is drawn, so that where a fault begins does not change what follows.
        noise = rng.standard_normal(n, np.float32)[first:stop]
        if fault.kind is FaultType.FLAT:
            row[:] = 0
        elif fault.kind is FaultType.CLIPPED:
            np.clip(row * np.float32(_CLIPPED_GAIN), -_RAIL_UV, _RAIL_UV, out=row)
        elif fault.kind is FaultType.HUM:
            for multiple, size in _HUM_PARTS:
                angle = 2 * np.pi * mains_hz * multiple * time_s[first:stop]
                if mains_hz * multiple < rate_hz / 2:
                    row += (_HUM_UV * size * np.cos(angle + multiple)).astype(np.float32)
        elif fault.kind is FaultType.LOOSE:
            row[:] = noise * np.float32(_LOOSE_UV * math.sqrt(rate_hz / 1000))
        else:
            sign = -1 if fault.kind is FaultType.INVERTED else 1
            other = samples_uv[names.index(fault.of)][first:stop]
            row[:] = sign * other + np.rint(noise * 0.6).clip(-1, 1) * np.float32(step_uv)
