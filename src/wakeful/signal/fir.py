"""FIR filters with decimation: the kernel.

Every output sample is one sum of products, computed by the same instructions wherever the sample
lies in the piece at hand: cutting the work into other pieces changes no bit of the result. (The
compiler chooses the order of the sum once, for the processor it compiles for; processors of another
kind may differ in the last bit.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_UNROLLED = 64
"""Products the compiler sums side by side with 512-bit registers; a remainder is slow."""


def pad_taps(taps: Floats) -> tuple[Floats, int]:
    """Zeros on both sides, up to a length that the kernel is fast at.

    Parameters
    ----------
    taps : (n_taps,), an odd number, centred

    Returns
    -------
    The padded taps, and the number of taps before the centre
    """
    n_taps = len(taps)
    unit = _UNROLLED if n_taps > _UNROLLED // 2 else _UNROLLED // 2
    missing = -n_taps % unit
    before = missing // 2
    padded = np.pad(taps, (before, missing - before)).astype(np.float32)
    return padded, before + n_taps // 2


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def fir_decimate(x: NDArray[Any], factor: int, taps: Floats, out: Floats) -> None:
    """out[k] = sum over j of taps[j] * x[k * factor + j].

    Parameters
    ----------
    x : (at least (n_out - 1) * factor + n_taps,), int16 or float32
    factor : keep one sample in so many
    taps : (n_taps,) float32, best from `pad_taps`
    out : (n_out,) float32; filled
    """
    n_taps = taps.size
    for k in range(out.size):
        part = x[k * factor : k * factor + n_taps]
        total = np.float32(0)
        for j in range(n_taps):
            total += taps[j] * np.float32(part[j])
        out[k] = total
