"""Bursts and half-waves in evenly spaced values: the kernels.

What is found at a place depends on the values around it and on nothing else, so that cutting the
work into other pieces changes nothing.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Places = NDArray[np.int64]


@njit(nogil=True, cache=True)
def find_bursts(envelope: Floats, floor: Floats, share: float, longest: int) -> Places:
    """Peaks that rule their surroundings, down to a share of their height on either side.

    Parameters
    ----------
    envelope : (n,); what is NaN, or lies beyond the ends, is not known: a burst that reaches it is
        left out
    floor : (n,) a peak below this is none; NaN: none is
    share : of the peak's height, at which a burst begins and ends
    longest : a burst that is longer on either side of its peak is left out

    Returns
    -------
    (n_bursts, 3) peak, first value and last value; bursts never overlap
    """
    n = envelope.size
    found = np.empty((n // 2 + 1, 3), np.int64)
    count = 0
    for i in range(1, n - 1):
        top = envelope[i]
        if not (top >= floor[i] and top > envelope[i - 1] and top >= envelope[i + 1]):
            continue
        limit = share * top
        first = i - 1
        whole = True
        while True:
            if first < 0 or i - first > longest or not envelope[first] < top:
                whole = False
                break
            if envelope[first] < limit:
                break
            first -= 1
        if not whole:
            continue
        last = i + 1
        while True:
            if last >= n or last - i > longest or not envelope[last] <= top:
                whole = False
                break
            if envelope[last] < limit:
                break
            last += 1
        if whole:
            found[count, 0] = i
            found[count, 1] = first + 1
            found[count, 2] = last - 1
            count += 1
    return found[:count].copy()


@njit(nogil=True, cache=True)
def find_waves(x: Floats, floor: Floats, longest: int) -> NDArray[np.float64]:
    """Waves that fall below zero and rise above it, from falling crossing to falling crossing.

    Parameters
    ----------
    x : (n,); a wave that touches NaN or an end is left out
    floor : (n,) waves whose trough and crest lie less than this apart, where the trough is, are
        none; NaN: none is
    longest : values from crossing to crossing

    Returns
    -------
    (n_waves, 6) crossing down, crossing up, next crossing down (in values, between two of them by
    a straight line), place of the trough, trough, crest
    """
    n = x.size
    found = np.empty((n // 4 + 1, 6), np.float64)
    count = 0
    down = -1.0
    up = -1.0
    trough = np.float32(0.0)
    crest = np.float32(0.0)
    at = 0
    for i in range(1, n):
        before, now = x[i - 1], x[i]
        if not (before == before and now == now):
            down, up = -1.0, -1.0
            continue
        if before >= 0 and now < 0:
            cross = i - 1 + float(before) / (float(before) - float(now))
            if (
                down >= 0
                and up >= 0
                and cross - down <= longest
                and crest - trough >= floor[at]
                and count < found.shape[0]
            ):
                found[count, 0] = down
                found[count, 1] = up
                found[count, 2] = cross
                found[count, 3] = at
                found[count, 4] = trough
                found[count, 5] = crest
                count += 1
            down, up = cross, -1.0
            trough, crest, at = now, np.float32(0.0), i
        elif before < 0 and now >= 0 and down >= 0:
            up = i - 1 + float(before) / (float(before) - float(now))
        if down >= 0 and now < trough:
            trough, at = now, i
        if up >= 0 and now > crest:
            crest = now
    return found[:count].copy()
