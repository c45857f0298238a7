"""Candidates of slow waves, spindles and ripples on one channel, and how strong its bands are."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.arrays import Lfp
from wakeful.model.sleep_events import EventKind
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Span
from wakeful.signal.bands import USABLE
from wakeful.signal.event_filters import (
    FAST_HZ,
    Burst,
    Piece,
    analyse_band,
    apply,
    design_band,
    mean_frequency_hz,
    read_piece,
    thin,
)
from wakeful.signal.event_kernels import find_bursts, find_waves

CELL_S = 60.0
"""What is usual is the median over such a stretch, counted from the session's start."""
_LEAST_CELL_S = 4.0
BROAD_HZ = (5.0, 30.0)
"""What a spindle is held against, and the band of sharp waves."""
EDGE_SHARE = 0.35
"""A burst reaches to where its envelope falls below this part of its peak."""
_SPINDLE_FLOOR, _RIPPLE_FLOOR, _WAVE_FLOOR = 1.6, 2.5, 2.5
"""Candidates reach at least so many times what is usual around them."""
_SPINDLE_SMOOTH_S, _RIPPLE_SMOOTH_S = 0.06, 0.006
_LONGEST_SPINDLE_S, _LONGEST_RIPPLE_S, _LONGEST_WAVE_S = 3.0, 0.3, 3.0
"""To either side of a burst's peak; of a wave in all."""
_SHARP_S = 0.015
"""To either side of a ripple's peak: the depth of its sharp wave is the mean there."""
_MAD = 1.4826
"""A median absolute deviation times this is a standard deviation, of a Gaussian."""

_HIPPOCAMPAL = re.compile(
    r"(?<![a-z])(l|r|d|v|left|right|dorsal|ventral|dorso|ventro)?[\s_-]*"
    r"(hipp?ocamp\w*|hip|hipp|hpc|ca[1-4]\w*|dg|dentate\w*|subicul\w*)(?![a-z])",
    re.IGNORECASE,
)

COLUMNS = (
    "start_s", "stop_s", "peak_s", "amplitude_uv", "frequency_hz", "trough_s", "slope_uv_per_s",
    "share", "sharp_wave_uv", "control",
)  # fmt: skip
"""Of a table of candidates."""
Table = NDArray[np.float64]


def is_hippocampal(region: str) -> bool:
    """Whether a region's name says that it lies in the hippocampus: CA1, dHPC, left DG, ..."""
    return _HIPPOCAMPAL.search(region) is not None


@dataclass(frozen=True, kw_only=True)
class SearchBands:
    """Where events are looked for; ripples nowhere where None."""

    slow_hz: tuple[float, float]
    spindle_hz: tuple[float, float]
    ripple_hz: tuple[float, float] | None


def usable_ripple_band(band_hz: tuple[float, float], rate_hz: float) -> tuple[float, float] | None:
    """What a rate leaves of a band; None where that is less than half of it."""
    low_hz, high_hz = band_hz
    top_hz = min(high_hz, USABLE * rate_hz / 2)
    return (low_hz, top_hz) if top_hz - low_hz >= 0.5 * (high_hz - low_hz) else None


@dataclass(frozen=True, eq=False)
class Searched:
    """One channel: candidates of each kind, and the envelopes they were looked for in."""

    tables: dict[EventKind, Table]
    """(n, len(COLUMNS)) in order of time."""
    envelopes: dict[tuple[EventKind, int], Piece]
    """By kind and first sample of the span."""

    def level(
        self, kind: EventKind, span: Span, start_s: float, stop_s: float
    ) -> tuple[float, float]:
        """Median and robust standard deviation over a stretch of a span.

        NaN where not all of the stretch is known.
        """
        piece = self.envelopes.get((kind, span.first_sample))
        if piece is not None and _holds(piece, start_s, stop_s):
            values = piece.values[piece.slice_of(start_s, stop_s)]
            if len(values) and np.isfinite(values).all():
                middle = float(np.median(values))
                return middle, _MAD * float(np.median(np.abs(values - middle)))
        return math.nan, math.nan


def _holds(piece: Piece, start_s: float, stop_s: float) -> bool:
    if not len(piece.values):
        return False
    first_s, last_s = piece.time_s(np.array([0.0, len(piece.values) - 1.0]))
    step_s = 1.001 / piece.rate_hz
    return bool(first_s - step_s <= start_s and stop_s <= last_s + step_s)


def search_channel(
    lfp: Lfp,
    row: int,
    interval: Interval,
    bands: SearchBands,
    controls: Sequence[int] = (),
) -> Searched:
    """Look for all events of a channel in an interval, span by span.

    Parameters
    ----------
    interval : with what lies around it: an event is given where its surroundings are known
    controls : channels outside the hippocampus; of a ripple, what the first of them shows is told
    """
    tables: dict[EventKind, list[Table]] = {kind: [] for kind in EventKind}
    envelopes: dict[tuple[EventKind, int], Piece] = {}
    for span in lfp.spans:
        piece = read_piece(lfp, row, span, interval)
        if not len(piece.values):
            continue
        track = thin(piece, lfp.rate_hz)
        track_hz = lfp.rate_hz / track.factor
        broad = apply(track, *design_band(_below(BROAD_HZ, track_hz), 2.0, track_hz))
        slow = apply(track, *design_band(bands.slow_hz, 0.5, track_hz))
        sigma = analyse_band(
            track,
            _below(bands.spindle_hz, track_hz),
            transition_hz=2.0,
            smooth_s=_SPINDLE_SMOOTH_S,
            nominal_hz=track_hz,
        )
        magnitude = Piece(slow.span, slow.first, slow.factor, np.abs(slow.values))
        envelopes[EventKind.SLOW_WAVE, span.first_sample] = magnitude
        envelopes[EventKind.SPINDLE, span.first_sample] = sigma.envelope
        tables[EventKind.SLOW_WAVE].append(_slow_waves(slow, magnitude))
        tables[EventKind.SPINDLE].append(_spindles(sigma, broad))
        if bands.ripple_hz is not None:
            ripple = _ripple_burst(piece, bands.ripple_hz, lfp.rate_hz)
            envelopes[EventKind.RIPPLE, span.first_sample] = ripple.envelope
            control = None
            if controls:
                other = read_piece(lfp, controls[0], span, interval)
                control = _ripple_burst(other, bands.ripple_hz, lfp.rate_hz).envelope
            tables[EventKind.RIPPLE].append(_ripples(ripple, broad, control))
    return Searched({kind: _join(parts) for kind, parts in tables.items()}, envelopes)


def _below(band_hz: tuple[float, float], rate_hz: float) -> tuple[float, float]:
    return band_hz[0], min(band_hz[1], 0.48 * rate_hz)


def _ripple_burst(piece: Piece, band_hz: tuple[float, float], rate_hz: float) -> Burst:
    return analyse_band(
        piece,
        band_hz,
        transition_hz=20.0,
        smooth_s=_RIPPLE_SMOOTH_S,
        nominal_hz=rate_hz,
        factor=max(1, math.floor(rate_hz / FAST_HZ + 0.01)),
    )


def _join(parts: list[Table]) -> Table:
    return np.concatenate([np.empty((0, len(COLUMNS))), *parts])


def usual(piece: Piece) -> NDArray[np.float32]:
    """(n,) of each value, the median over its cell of 60 s; NaN where little of the cell is known.

    The first and the last cell of a piece may be cut: what lies around them must be left out.
    """
    out = np.full(len(piece.values), np.nan, np.float32)
    if not len(out):
        return out
    start_s, stop_s = piece.time_s(np.array([0.0, float(len(out))]))
    for cell in range(math.floor(start_s / CELL_S), math.ceil(stop_s / CELL_S)):
        part = piece.slice_of(cell * CELL_S, (cell + 1) * CELL_S)
        values = piece.values[part]
        values = values[np.isfinite(values)]
        if len(values) >= _LEAST_CELL_S * piece.rate_hz:
            out[part] = np.median(values)
    return out


def _table(n: int) -> Table:
    return np.full((n, len(COLUMNS)), np.nan)


def _put(table: Table, name: str, values: NDArray[np.float64] | float) -> None:
    table[:, COLUMNS.index(name)] = values


def _slow_waves(slow: Piece, magnitude: Piece) -> Table:
    # Trough to crest of a wave of one standard deviation is twice the root of two of it.
    floor = usual(magnitude) * np.float32(_MAD * _WAVE_FLOOR)
    found = find_waves(slow.values, floor, round(_LONGEST_WAVE_S * slow.rate_hz))
    table = _table(len(found))
    start_s, middle_s, stop_s, trough_s = (slow.time_s(np.asarray(found[:, i])) for i in range(4))
    _put(table, "start_s", start_s)
    _put(table, "stop_s", stop_s)
    _put(table, "peak_s", trough_s)
    _put(table, "amplitude_uv", found[:, 5] - found[:, 4])
    _put(table, "frequency_hz", 1 / (stop_s - start_s))
    _put(table, "trough_s", middle_s - start_s)
    _put(table, "slope_uv_per_s", -found[:, 4] / np.maximum(middle_s - trough_s, 1e-3))
    return table


def _bursts(burst: Burst, floor_times: float, longest_s: float) -> tuple[NDArray[np.int64], Table]:
    envelope = burst.envelope
    floor = usual(envelope) * np.float32(floor_times)
    longest = round(longest_s * envelope.rate_hz)
    found = find_bursts(envelope.values, floor, EDGE_SHARE, longest)
    table = _table(len(found))
    _put(table, "start_s", envelope.time_s(found[:, 1].astype(np.float64)))
    _put(table, "stop_s", envelope.time_s((found[:, 2] + 1).astype(np.float64)))
    _put(table, "peak_s", envelope.time_s(found[:, 0].astype(np.float64)))
    _put(table, "amplitude_uv", envelope.values[found[:, 0]].astype(np.float64))
    rate_hz = envelope.rate_hz
    frequency = [mean_frequency_hz(burst.analytic[a : b + 1], rate_hz) for _, a, b in found]
    _put(table, "frequency_hz", np.array(frequency, np.float64))
    return found, table


def _spindles(sigma: Burst, broad: Piece) -> Table:
    found, table = _bursts(sigma, _SPINDLE_FLOOR, _LONGEST_SPINDLE_S)
    late = sigma.envelope.first - broad.first
    power = np.abs(sigma.analytic) ** 2 / 2
    share = np.full(len(found), np.nan)
    for i, (_, first, last) in enumerate(found):
        if first + late >= 0 and last + late < len(broad.values):
            whole = broad.values[first + late : last + late + 1].astype(np.float64)
            total = float(np.mean(whole**2))
            if total > 0:
                share[i] = float(power[first : last + 1].mean(dtype=np.float64)) / total
    _put(table, "share", share)
    return table


def _ripples(ripple: Burst, broad: Piece, control: Piece | None) -> Table:
    found, table = _bursts(ripple, _RIPPLE_FLOOR, _LONGEST_RIPPLE_S)
    sharp = np.full(len(found), np.nan)
    beside = np.full(len(found), np.nan)
    common = usual(control) if control is not None else None
    peaks_s = table[:, COLUMNS.index("peak_s")]
    for i, (_, first, last) in enumerate(found):
        peak_s = float(peaks_s[i])
        near = broad.values[broad.slice_of(peak_s - _SHARP_S, peak_s + _SHARP_S)]
        if len(near):
            sharp[i] = near.mean(dtype=np.float64)
        if control is not None and common is not None:
            shift = ripple.envelope.first - control.first
            values = control.values[max(0, first + shift) : last + shift + 1]
            place = first + shift
            if len(values) and 0 <= place < len(common) and common[place] > 0:
                beside[i] = float(values.max()) / float(common[place])
    _put(table, "sharp_wave_uv", sharp)
    _put(table, "control", beside)
    return table


def order_channels(
    channels: Sequence[Channel], rows: Sequence[int], prefer: Sequence[str]
) -> tuple[int, ...]:
    """Channels of a region in the order in which they are taken: those preferred, then the rest."""
    named = [row for name in prefer for row in rows if channels[row].name == name]
    return (*dict.fromkeys([*named, *rows]),)
