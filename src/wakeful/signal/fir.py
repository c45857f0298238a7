"""FIR filters with decimation: the kernels.

Every output sample is one sum of products in one fixed order, wherever it lies in the piece at
hand: cutting the work into other pieces changes no bit of the result. (Processors that multiply and
add in one instruction may differ in the last bit from those that don't.)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wakeful.signal.dot_products import (
    FLOAT32_TAPS,
    INT16_TAPS,
    OUTPUTS,
    eight_sums_float32,
    eight_sums_int16,
)

Floats = NDArray[np.float32]
Ints = NDArray[np.int16]

_LARGEST_LANE = 65_535
"""What the taps that meet in one 32-bit sum may add up to: 32,768 times that still fits."""
_SCALES = 64
"""How many scales are tried for the taps of 16 bits."""
_LARGEST_DEVIATION = 2e-5
"""-94 dB, well below the stop band: how far rounding the taps may move the response anywhere."""


def pad_taps(taps: NDArray[Any], multiple: int = FLOAT32_TAPS) -> tuple[Floats, int]:
    """Zeros on both sides, up to a length that the kernels take.

    Parameters
    ----------
    taps : (n_taps,), an odd number, centred

    Returns
    -------
    The padded taps, and the number of taps before the centre
    """
    n_taps = len(taps)
    missing = -n_taps % multiple
    before = missing // 2
    padded = np.pad(taps, (before, missing - before)).astype(np.float32)
    return padded, before + n_taps // 2


def round_taps(taps: NDArray[np.floating[Any]]) -> Ints | None:
    """Taps as whole numbers of 16 bits, to be divided by their sum.

    Of many scales the one is taken at which rounding moves the response least. Sums of products
    with int16 samples can't overflow.

    Parameters
    ----------
    taps : (n_taps,), symmetric, summing to 1

    Returns
    -------
    None where rounding would be felt: the filter is too long, or its taps are too unlike
    """
    exact = np.asarray(taps, np.float64)
    missing = -len(exact) % INT16_TAPS
    lanes = np.pad(np.abs(exact), (missing // 2, missing - missing // 2))
    per_lane = lanes.reshape(-1, INT16_TAPS // 2, 2).sum(axis=(0, 2))
    # Rounding may add half a step to each of the taps that meet in a lane.
    room = _LARGEST_LANE - 2 * (len(lanes) // INT16_TAPS)
    largest = min(32_767 / np.abs(exact).max(), room / per_lane.max())
    n_points = 1 << max(12, math.ceil(math.log2(len(exact))) + 4)
    best: Ints | None = None
    best_deviation = _LARGEST_DEVIATION
    for scale in largest * np.linspace(1.0, 0.75, _SCALES):
        whole = np.rint(exact * scale)
        if whole.sum() <= 0:
            continue
        deviation = np.abs(np.fft.rfft(whole / whole.sum() - exact, n_points)).max()
        if deviation < best_deviation:
            best, best_deviation = whole.astype(np.int16), deviation
    return best


@njit(nogil=True, cache=True)
def fir_decimate(x: Floats, factor: int, taps: Floats, out: Floats) -> None:
    """out[k] = sum over j of taps[j] * x[k * factor + j].

    Parameters
    ----------
    x : (at least (n_out - 1) * factor + n_taps,) float32
    factor : keep one sample in so many
    taps : (n_taps,) float32 from `pad_taps`
    out : (n_out,) float32; filled
    """
    n_out = out.size
    if n_out < OUTPUTS:
        wide = np.zeros((OUTPUTS - 1) * factor + taps.size, np.float32)
        used = (n_out - 1) * factor + taps.size
        wide[:used] = x[:used]
        eight = np.empty(OUTPUTS, np.float32)
        eight_sums_float32(wide, 0, factor, taps, eight, 0)
        out[:] = eight[:n_out]
        return
    for k in range(0, n_out - OUTPUTS + 1, OUTPUTS):
        eight_sums_float32(x, k * factor, factor, taps, out, k)
    if n_out % OUTPUTS:
        k = n_out - OUTPUTS
        eight_sums_float32(x, k * factor, factor, taps, out, k)


@njit(nogil=True, cache=True)
def fir_decimate_int16(x: Ints, factor: int, taps: Ints, scale: float, out: Floats) -> None:
    """out[k] = scale * sum over j of taps[j] * x[k * factor + j].

    Parameters
    ----------
    x : (at least (n_out - 1) * factor + n_taps,) int16
    factor : keep one sample in so many
    taps : (n_taps,) int16 from `round_taps` and padded to a multiple of `INT16_TAPS`
    scale : one over the taps' sum; used as float32
    out : (n_out,) float32; filled
    """
    n_out, by = out.size, np.float32(scale)
    if n_out < OUTPUTS:
        wide = np.zeros((OUTPUTS - 1) * factor + taps.size, np.int16)
        used = (n_out - 1) * factor + taps.size
        wide[:used] = x[:used]
        eight = np.empty(OUTPUTS, np.float32)
        eight_sums_int16(wide, 0, factor, taps, by, eight, 0)
        out[:] = eight[:n_out]
        return
    for k in range(0, n_out - OUTPUTS + 1, OUTPUTS):
        eight_sums_int16(x, k * factor, factor, taps, by, out, k)
    if n_out % OUTPUTS:
        k = n_out - OUTPUTS
        eight_sums_int16(x, k * factor, factor, taps, by, out, k)


@njit(nogil=True, cache=True)
def round_to_int16(values: Floats, out: Ints) -> None:
    """Half to even and within +-32,767; -32,768 means "no data"."""
    for i in range(values.size):
        out[i] = np.int16(np.rint(min(max(values[i], np.float32(-32767)), np.float32(32767))))
