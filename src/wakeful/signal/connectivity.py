"""How two signals go together: coherence, phase locking, weighted phase-lag index.

All three are made of the cross spectra of observations, each one taper of one epoch:

- magnitude-squared coherence (Carter 1987, Proc. IEEE 75: 236),
- the phase locking value (Lachaux et al. 1999, Hum. Brain Mapp. 8: 194),
- the debiased estimator of the squared weighted phase-lag index (Vinck et al. 2011, NeuroImage 55:
  1548), which what both channels pick up at once (a shared reference, volume conduction) leaves at
  0 on average.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wakeful.model.errors import BadParameters
from wakeful.signal.spectra import Windows

Floats = NDArray[np.float64]
Spectra = NDArray[np.complex64]


@dataclass(frozen=True, eq=False, kw_only=True)
class PairMeasures:
    """How pairs of signals go together, per frequency."""

    coherence: Floats
    """(n_pairs, n_frequencies) magnitude squared, 0 to 1; by chance 1 / n on average."""
    phase_locking: Floats
    """(n_pairs, n_frequencies) 0 to 1; by chance about 0.89 / sqrt(n)."""
    wpli: Floats
    """(n_pairs, n_frequencies) squared, debiased: by chance 0 on average, -1 / (n - 1) at least
    nearly always; 1 where one of the two always leads. 0 where no observation has any lag."""
    n_observations: int
    """n: epochs times tapers."""


def compute_tapered_spectra(
    samples_uv: NDArray[np.float32], windows: Windows, n_fft: int | None = None
) -> Spectra:
    """Fourier transforms of epochs under each taper, their mean taken away first.

    Parameters
    ----------
    samples_uv : (..., n_samples)
    windows : from `design_multitaper` or `design_hann`, for n_samples
    n_fft : padded with zeros to this length, n_samples where None

    Returns
    -------
    (..., n_tapers, n_fft // 2 + 1)
    """
    from scipy import fft

    mean = np.mean(samples_uv, axis=-1, keepdims=True, dtype=np.float64).astype(np.float32)
    tapered = (samples_uv - mean)[..., None, :] * windows.values
    spectra: Spectra = fft.rfft(tapered, n_fft, axis=-1)
    return spectra


def compare_pairs(spectra: Spectra, pairs: NDArray[np.int64]) -> PairMeasures:
    """Coherence, phase locking and phase-lag index of pairs of signals.

    Parameters
    ----------
    spectra : (n_signals, n_observations, n_frequencies), for example of `compute_tapered_spectra`
        with epochs and tapers in one axis
    pairs : (n_pairs, 2) numbers of signals

    Returns
    -------
    NaN at frequencies at which a signal has no power in any observation

    Raises
    ------
    BadParameters
        Fewer than two observations: everything would be coherent.
    """
    n_signals, n_observations, n_frequencies = spectra.shape
    if n_observations < 2:
        raise BadParameters(
            f"{n_observations} observations are always coherent",
            where="connectivity",
            remedy="give several tapers, epochs or both",
        )
    if len(pairs) and not 0 <= int(pairs.min()) <= int(pairs.max()) < n_signals:
        raise BadParameters(
            f"pairs of signals 0 to {n_signals - 1} are {pairs.tolist()}",
            where="connectivity",
            remedy="give numbers of signals",
        )
    out = np.full((3, len(pairs), n_frequencies), np.nan)
    for number, (first, second) in enumerate(pairs):
        _compare(spectra[first], spectra[second], out[:, number])
    return PairMeasures(
        coherence=out[0], phase_locking=out[1], wpli=out[2], n_observations=n_observations
    )


@njit(nogil=True, cache=True)
def _compare(first: Spectra, second: Spectra, out: Floats) -> None:
    n, n_frequencies = first.shape
    sums = np.zeros((9, n_frequencies))
    for k in range(n):
        for f in range(n_frequencies):
            a, b = np.float64(first[k, f].real), np.float64(first[k, f].imag)
            c, d = np.float64(second[k, f].real), np.float64(second[k, f].imag)
            re, im = a * c + b * d, b * c - a * d
            size = np.sqrt(re * re + im * im)
            sums[0, f] += a * a + b * b
            sums[1, f] += c * c + d * d
            sums[2, f] += re
            sums[3, f] += im
            sums[4, f] += abs(im)
            sums[5, f] += im * im
            if size > 0:
                sums[6, f] += re / size
                sums[7, f] += im / size
                sums[8, f] += 1
    for f in range(n_frequencies):
        power = sums[0, f] * sums[1, f]
        if not power > 0:
            continue
        out[0, f] = (sums[2, f] ** 2 + sums[3, f] ** 2) / power
        if sums[8, f] > 0:
            out[1, f] = np.sqrt(sums[6, f] ** 2 + sums[7, f] ** 2) / sums[8, f]
        of_pairs = sums[4, f] ** 2 - sums[5, f]
        # Two observations or more must have a lag before one can weigh against another.
        out[2, f] = (sums[3, f] ** 2 - sums[5, f]) / of_pairs if of_pairs > 0 else 0.0
