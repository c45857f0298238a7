"""What is measured of every channel to tell whether it can be trusted.

One pass over a block. Cells of half a second tell what is flat or at the rails; in every slot of
30 s a window of 8 s tells mains hum, the spectrum's slope, how much a channel is like the others of
its region, and whether it is the copy of another. The criteria follow PREP (Bigdely-Shamlo et al.
2015, Front. Neuroinform. 9: 16) and the bad-channel detection of the International Brain Laboratory
(IBL et al. 2022, Spike sorting pipeline), adapted to few and distant electrodes; `channel_faults`
gives the verdicts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wakeful.model.arrays import Lfp
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Span
from wakeful.signal.bands import USABLE
from wakeful.signal.quality_limits import QualityLimits

Floats = NDArray[np.float32]

CELL_S = 0.5
"""Resolution of flat and clipped stretches."""
MAINS_HZ = (50.0, 60.0)
"""Both are looked for: what a lab's grid is may have been configured wrongly."""
_LOWEST_HZ = 1.0
_HIGHEST_HZ = 250.0
_SLOPE_HZ = (2.0, 100.0)
_LIKENESS_HZ = (1.0, 50.0)
_LINE_HZ = 1.0
"""Half width of a line of hum: the window's main lobe, and the grid's wandering."""
_BESIDE_HZ = (2.0, 6.0)
"""What lies this far to either side says how much would be there without hum."""
_LEAST_WINDOW_S = 2.0
_SLOPE_BINS = 16


@dataclass(frozen=True, eq=False)
class Survey:
    """Everything measured of one block."""

    cell_start_s: NDArray[np.float64]
    """(n_cells,) in order; a gap lies between two cells that do not touch."""
    cell_stop_s: NDArray[np.float64]
    n_cell: NDArray[np.int64]
    """(n_cells,) samples in each."""
    low_uv: Floats
    """(n_cells, n_channels) smallest sample."""
    high_uv: Floats
    """(n_cells, n_channels) largest sample."""
    n_top: NDArray[np.int32]
    """(n_cells, n_channels) samples within the plateau's tolerance of the largest."""
    n_bottom: NDArray[np.int32]
    """(n_cells, n_channels) of the smallest."""
    run_top: NDArray[np.int32]
    """(n_cells, n_channels) longest run of those."""
    run_bottom: NDArray[np.int32]

    slot_start_s: NDArray[np.float64]
    """(n_slots,) slots that hold a window."""
    slot_stop_s: NDArray[np.float64]
    mains_share: Floats
    """(n_slots, n_channels); NaN where a channel is flat in the window, or has a bad number."""
    mains_hz: Floats
    """(n_slots, n_channels) which grid's hum is meant."""
    slope: Floats
    rms_uv: Floats
    likeness: Floats
    """(n_slots, n_channels) NaN too where a region has no other channel."""
    twin: NDArray[np.int32]
    """(n_slots, n_channels) an earlier channel that this one is the copy of; -1: of none."""
    twin_correlation: Floats
    """(n_slots, n_channels) signed, of first differences; 0 where there is no twin."""
    twin_residual_uv: Floats
    """(n_slots, n_channels) root mean square of what the twin does not explain."""


def step_uv(channel: Channel, dtype: np.dtype[Any]) -> float:
    """Microvolts of one step of the converter; 0 where the samples have none."""
    return abs(channel.gain_uv) if np.issubdtype(dtype, np.integer) else 0.0


def survey(lfp: Lfp, rows: Sequence[int], interval: Interval, limits: QualityLimits) -> Survey:
    """Measure channels over an interval, in one pass and in bounded memory.

    Parameters
    ----------
    lfp : what to read
    rows : which channels
    interval : samples in it are used, and no others: no halo
    limits : tolerances and lengths

    Returns
    -------
    Survey; its size grows with the interval by some 100 bytes a channel and second
    """
    channels = [lfp.channels[i] for i in rows]
    steps = np.array([step_uv(c, lfp.samples.dtype) for c in channels], np.float32)
    flat_uv = np.where(steps > 0, limits.flat_steps * steps * 1.001, limits.flat_uv)
    cells: list[tuple[float, float, int]] = []
    of_cells: list[tuple[NDArray[Any], ...]] = []
    slots: list[tuple[float, float]] = []
    of_slots: list[tuple[NDArray[Any], ...]] = []
    for slot, pieces in _slots(lfp.spans, interval, limits.slot_s):
        longest: tuple[int, Floats, float] = (0, np.empty((0, 0), np.float32), 1.0)
        for piece in pieces:
            samples_uv = lfp.read_uv(piece.first_sample, piece.n_samples, tuple(rows))
            edges = _cell_edges(piece)
            of_cells.append(_measure_cells(samples_uv, edges, limits.plateau, steps))
            cells += [
                (piece.time_of(int(a)), piece.time_of(int(b)), int(b - a))
                for a, b in pairwise(edges)
            ]
            if piece.n_samples > longest[0]:
                longest = (piece.n_samples, samples_uv, piece.rate_hz)
        n_samples, samples_uv, rate_hz = longest
        n_window = min(n_samples, round(limits.window_s * rate_hz))
        if n_window >= round(_LEAST_WINDOW_S * rate_hz):
            first = (n_samples - n_window) // 2
            window = samples_uv[:, first : first + n_window]
            slots.append((slot.start_s, slot.stop_s))
            of_slots.append(_measure_window(window, rate_hz, channels, flat_uv, steps, limits))
    n = len(channels)
    low, high, *counts = _stack(of_cells, n, (*2 * (np.float32,), *4 * (np.int32,)))
    of_window = _stack(of_slots, n, (*5 * (np.float32,), np.int32, *2 * (np.float32,)))
    share, grid_hz, slope, rms_uv, likeness, twin, correlation, residual_uv = of_window
    return Survey(
        cell_start_s=np.array([c[0] for c in cells]),
        cell_stop_s=np.array([c[1] for c in cells]),
        n_cell=np.array([c[2] for c in cells], np.int64),
        low_uv=low,
        high_uv=high,
        n_top=counts[0],
        n_bottom=counts[1],
        run_top=counts[2],
        run_bottom=counts[3],
        slot_start_s=np.array([s[0] for s in slots]),
        slot_stop_s=np.array([s[1] for s in slots]),
        mains_share=share,
        mains_hz=grid_hz,
        slope=slope,
        rms_uv=rms_uv,
        likeness=likeness,
        twin=twin,
        twin_correlation=correlation,
        twin_residual_uv=residual_uv,
    )


def _stack(
    parts: list[tuple[NDArray[Any], ...]], n_channels: int, kinds: Sequence[type]
) -> list[NDArray[Any]]:
    """The columns of all parts, (n, n_channels) each; of no parts too."""
    return [
        np.concatenate(
            [np.empty((0, n_channels), kind), *(p[i].reshape(-1, n_channels) for p in parts)]
        )
        for i, kind in enumerate(kinds)
    ]


def _slots(
    spans: tuple[Span, ...], interval: Interval, slot_s: float
) -> Iterator[tuple[Interval, list[Span]]]:
    """Slots counted from the session's start, cut to the interval, with what was recorded."""
    number = math.floor(interval.start_s / slot_s + 1e-9)
    position = 0
    while number * slot_s < interval.stop_s - 1e-9:
        slot = Interval(number * slot_s, (number + 1) * slot_s).intersect(interval)
        number += 1
        while position < len(spans) and spans[position].stop_s <= slot.start_s:
            position += 1
        pieces = []
        for span in spans[position:]:
            if span.start_s >= slot.stop_s:
                break
            piece = span.cut(slot)
            if piece is not None:
                pieces.append(piece)
        if pieces:
            yield slot, pieces


def _cell_edges(piece: Span) -> NDArray[np.int64]:
    """(n_cells + 1,) offsets; the last cell takes what is left where that is less than half."""
    n_cell = max(1, round(CELL_S * piece.rate_hz))
    n_cells = max(1, round(piece.n_samples / n_cell))
    edges = np.arange(n_cells + 1) * n_cell
    edges[-1] = piece.n_samples
    return np.asarray(edges, np.int64)


def _measure_cells(
    samples_uv: Floats, edges: NDArray[np.int64], plateau: float, steps: Floats
) -> tuple[NDArray[Any], ...]:
    shape = (len(edges) - 1, len(samples_uv))
    low, high = np.empty(shape, np.float32), np.empty(shape, np.float32)
    counts = np.zeros((4, *shape), np.int32)
    _cell_kernel(samples_uv, edges, np.float32(plateau / 2), steps, low, high, counts)
    return low, high, counts[0], counts[1], counts[2], counts[3]


@njit(nogil=True, cache=True)
def _cell_kernel(
    x: Floats,
    edges: NDArray[np.int64],
    part: np.float32,
    steps: Floats,
    low: Floats,
    high: Floats,
    counts: NDArray[np.int32],
) -> None:
    """Extremes of every cell, and how many samples, in how long a run, lie near them."""
    for c in range(edges.size - 1):
        a, b = edges[c], edges[c + 1]
        for r in range(x.shape[0]):
            row = x[r]
            bottom, top = row[a], row[a]
            for i in range(a, b):
                value = row[i]
                if not value >= bottom:  # a NaN stays one
                    bottom = value
                if not value <= top:
                    top = value
            low[c, r], high[c, r] = bottom, top
            near = max((top - bottom) * part, np.float32(1.5) * steps[r])
            n_top, n_bottom, run_top, run_bottom = 0, 0, 0, 0
            longest_top, longest_bottom = 0, 0
            for i in range(a, b):
                if row[i] >= top - near:
                    n_top += 1
                    run_top += 1
                    longest_top = max(longest_top, run_top)
                else:
                    run_top = 0
                if row[i] <= bottom + near:
                    n_bottom += 1
                    run_bottom += 1
                    longest_bottom = max(longest_bottom, run_bottom)
                else:
                    run_bottom = 0
            counts[0, c, r], counts[1, c, r] = n_top, n_bottom
            counts[2, c, r], counts[3, c, r] = longest_top, longest_bottom


def _measure_window(
    window_uv: Floats,
    rate_hz: float,
    channels: Sequence[Channel],
    flat_uv: NDArray[np.floating],
    steps: Floats,
    limits: QualityLimits,
) -> tuple[NDArray[Any], ...]:
    from scipy import fft

    n = window_uv.shape[1]
    window_uv = window_uv - window_uv.mean(axis=1, keepdims=True)
    halves = np.array_split(window_uv, max(1, int(n / (CELL_S * rate_hz))), axis=1)
    moving = np.min([h.max(axis=1) - h.min(axis=1) for h in halves], axis=0) > flat_uv
    live = moving & np.isfinite(window_uv).all(axis=1)
    window_uv[~live] = 0
    hann = np.hanning(n + 1)[:-1].astype(np.float32)
    spectra = fft.rfft(window_uv * hann, axis=1)
    power = (spectra.real**2 + spectra.imag**2) * (2 / np.sum(hann**2) / n)
    frequency_hz = np.arange(power.shape[1]) * (rate_hz / n)
    mains_share, mains_hz = _mains(power, frequency_hz, rate_hz)
    slope = _slope(power, frequency_hz, rate_hz)
    above = frequency_hz >= _LOWEST_HZ
    rms_uv = np.sqrt(power[:, above].sum(axis=1))
    likeness = _likeness(spectra, frequency_hz, live, [c.region for c in channels])
    twin = _twins(window_uv, live, steps, limits)
    for values in (mains_share, slope, rms_uv, likeness):
        values[~live] = np.nan
    return (mains_share, mains_hz, slope, rms_uv, likeness, *twin)


def _near_mains(frequency_hz: NDArray[np.float64], width_hz: float) -> NDArray[np.bool_]:
    """(n_frequencies,) within a width of a multiple of either grid's frequency."""
    near = np.zeros(len(frequency_hz), np.bool_)
    for mains_hz in MAINS_HZ:
        number = np.maximum(1, np.round(frequency_hz / mains_hz))
        near |= np.abs(frequency_hz - number * mains_hz) <= width_hz
    return near


def _mains(
    power: Floats, frequency_hz: NDArray[np.float64], rate_hz: float
) -> tuple[Floats, Floats]:
    """Part of the power above 1 Hz that hum adds, and of which grid: (n_channels,) each."""
    top_hz = min(_HIGHEST_HZ, USABLE * rate_hz / 2)
    inside = (frequency_hz >= _LOWEST_HZ) & (frequency_hz <= top_hz)
    total = power[:, inside].sum(axis=1)
    shares = np.zeros((len(MAINS_HZ), len(power)), np.float32)
    for i, mains_hz in enumerate(MAINS_HZ):
        added = np.zeros(len(power))
        for line_hz in np.arange(mains_hz, top_hz - _LINE_HZ, mains_hz):
            distance_hz = np.abs(frequency_hz - line_hz)
            at = distance_hz <= _LINE_HZ
            beside = (distance_hz >= _BESIDE_HZ[0]) & (distance_hz <= _BESIDE_HZ[1])
            expected = np.median(power[:, beside], axis=1) * at.sum()
            added += np.maximum(0.0, power[:, at].sum(axis=1) - expected)
        shares[i] = added / np.maximum(total, 1e-30)
    best = np.argmax(shares, axis=0)
    grid = np.array(MAINS_HZ, np.float32)[best]
    return np.take_along_axis(shares, best[None], axis=0)[0], grid


def _slope(power: Floats, frequency_hz: NDArray[np.float64], rate_hz: float) -> Floats:
    """Exponent x of 1/f^x, a line through the density on log axes from 2 to 100 Hz, hum left out.

    (n_channels,); NaN where the rate leaves less than two octaves.
    """
    top_hz = min(_SLOPE_HZ[1], USABLE * rate_hz / 2)
    if top_hz < 4 * _SLOPE_HZ[0]:
        return np.full(len(power), np.nan, np.float32)
    edges_hz = np.geomspace(_SLOPE_HZ[0], top_hz, _SLOPE_BINS + 1)
    clear = ~_near_mains(frequency_hz, _BESIDE_HZ[0])
    points_hz, levels = [], []
    for low_hz, high_hz in pairwise(edges_hz):
        chosen = clear & (frequency_hz >= low_hz) & (frequency_hz < high_hz)
        if chosen.any():
            points_hz.append(math.sqrt(low_hz * high_hz))
            levels.append(np.log10(np.maximum(power[:, chosen].mean(axis=1), 1e-30)))
    x = np.log10(points_hz)
    x = x - x.mean()
    y = np.stack(levels, axis=1)
    return np.asarray(-(y @ x) / (x @ x), np.float32)


def _likeness(
    spectra: NDArray[np.complex64],
    frequency_hz: NDArray[np.float64],
    live: NDArray[np.bool_],
    regions: Sequence[str],
) -> Floats:
    """(n_channels,) highest absolute correlation with a live channel of the region, 1 to 50 Hz.

    Frequencies count alike, by a weight that undoes 1/f^2: by slow waves alone two strangers are
    alike now and then. Hum is left out: two floating inputs hum alike. The sign is left out: a
    layer of cells turns it.
    """
    band = (frequency_hz >= _LIKENESS_HZ[0]) & (frequency_hz <= _LIKENESS_HZ[1])
    band &= ~_near_mains(frequency_hz, _BESIDE_HZ[0])
    weights = np.tile(frequency_hz[band], 2).astype(np.float32)
    found = np.full(len(spectra), np.nan, np.float32)
    for region in dict.fromkeys(regions):
        members = np.flatnonzero(live & (np.array(regions) == region))
        if len(members) < 2:
            continue
        inside = spectra[np.ix_(members, np.flatnonzero(band))]
        part = np.concatenate([inside.real, inside.imag], axis=1) * weights
        part /= np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-30)
        alike = np.abs(part @ part.T)
        np.fill_diagonal(alike, 0)
        found[members] = alike.max(axis=1)
    return found


def _twins(
    window_uv: Floats, live: NDArray[np.bool_], steps: Floats, limits: QualityLimits
) -> tuple[NDArray[np.int32], Floats, Floats]:
    """For each channel the first earlier one that it is the copy of, correlation, residual.

    First differences weigh all frequencies of a 1/f^2 signal alike: what neighbours share of slow
    waves does not hide what is their own.
    """
    twin = np.full(len(window_uv), -1, np.int32)
    correlation = np.zeros(len(window_uv), np.float32)
    residual = np.full(len(window_uv), np.nan, np.float32)
    change = np.diff(window_uv, axis=1)
    norm = np.linalg.norm(change, axis=1)
    scaled = change / np.maximum(norm, 1e-30)[:, None]
    alike = scaled @ scaled.T
    for i, j in np.argwhere(np.tril(np.abs(alike), -1) >= limits.min_copy_correlation - 1e-4):
        if not (live[i] and live[j]) or twin[i] >= 0:
            continue
        a, b = change[i].astype(np.float64), change[j].astype(np.float64)
        rho = float(a @ b / math.sqrt((a @ a) * (b @ b)))
        left_uv = math.sqrt(np.mean((a - (a @ b) / (b @ b) * b) ** 2))
        step = float(max(steps[i], steps[j]))
        size_uv = math.sqrt(np.mean(a**2))
        most_uv = (
            limits.max_copy_residual_steps * step
            if step > 0
            else limits.max_copy_residual_share * size_uv
        )
        if abs(rho) >= limits.min_copy_correlation and left_uv <= most_uv:
            twin[i], correlation[i], residual[i] = j, rho, left_uv
    return twin, correlation, residual
