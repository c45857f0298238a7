"""Windows and windowed filters, without the seconds that loading all of `scipy.signal` takes.

Each job of a row is a process of its own, so what it loads is paid for every hour of a recording.
The tests hold these against SciPy's.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def kaiser_beta(stop_db: float) -> float:
    """Shape of Kaiser's window for so much attenuation (Kaiser 1974)."""
    if stop_db > 50:
        return 0.1102 * (stop_db - 8.7)
    if stop_db > 21:
        return float(0.5842 * (stop_db - 21) ** 0.4 + 0.07886 * (stop_db - 21))
    return 0.0


def design_windowed_sinc(
    n_taps: int, band_hz: tuple[float, float], rate_hz: float, stop_db: float
) -> Floats:
    """A linear-phase FIR: the sinc of a pass band under Kaiser's window.

    Parameters
    ----------
    n_taps : an odd number
    band_hz : half-way down at these; from 0 for a low-pass
    rate_hz : sampling rate
    stop_db : attenuation outside, by Kaiser's formula

    Returns
    -------
    (n_taps,), with gain 1 at 0 Hz for a low-pass and in the middle of the band for a band-pass
    """
    low, high = (2 * edge / rate_hz for edge in band_hz)
    m = np.arange(n_taps) - 0.5 * (n_taps - 1)
    taps = high * np.sinc(high * m)
    if low:
        taps -= low * np.sinc(low * m)
    taps *= np.kaiser(n_taps, kaiser_beta(stop_db))
    middle = 0.5 * (low + high) if low else 0.0
    return np.asarray(taps / np.sum(taps * np.cos(np.pi * m * middle)), np.float64)


def design_slepian(n_samples: int, half_bandwidth: float, n_tapers: int) -> Floats:
    """Discrete prolate spheroidal (Slepian) sequences.

    Eigenvectors of the symmetric tridiagonal matrix that commutes with the problem of
    concentration (Percival & Walden 1993, chapter 8), with their conventions for the sign.

    Parameters
    ----------
    half_bandwidth : times the length, in cycles: "NW"

    Returns
    -------
    (n_tapers, n_samples), each of energy 1, the most concentrated first
    """
    from scipy.linalg import eigh_tridiagonal

    n = np.arange(n_samples, dtype=np.float64)
    width = half_bandwidth / n_samples
    diagonal = ((n_samples - 1 - 2 * n) / 2) ** 2 * math.cos(2 * math.pi * width)
    beside = n[1:] * (n_samples - n[1:]) / 2
    _, vectors = eigh_tridiagonal(
        diagonal, beside, select="i", select_range=(n_samples - n_tapers, n_samples - 1)
    )
    tapers = np.ascontiguousarray(vectors[:, ::-1].T)
    # Even ones have a positive mean, odd ones begin with a positive lobe.
    least = max(1e-7, 1 / n_samples)
    for number, taper in enumerate(tapers):
        down = taper.sum() < 0 if number % 2 == 0 else taper[taper * taper > least][0] < 0
        if down:
            taper *= -1
    return tapers
