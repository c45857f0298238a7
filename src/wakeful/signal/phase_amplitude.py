"""How the amplitude of fast rhythms hangs on the phase of slow ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

N_BINS = 18
"""Of phase, 20 degrees each (Tort et al. 2010)."""
MARGIN_S = 1.0
"""Cut off at either end of a stretch: there the filters see its edge."""
_COARSE_HZ = 100.0
"""Phases up to 12 Hz and envelopes of bands 25 Hz wide need no more values a second."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Coupling:
    """Coupling of every pair of a phase and an amplitude; NaN where there was too little."""

    modulation_index: Floats
    """(n_phases, n_amplitudes), 0 to 1 (Tort et al. 2010, equation 9)."""
    z: Floats
    """(n_phases, n_amplitudes) standard deviations above surrogates of the same pair."""
    vector_length: Floats
    """(n_phases, n_amplitudes) length of the mean vector, amplitudes being of mean 1."""
    vector_phase_rad: Floats
    """(n_phases, n_amplitudes) phase at which the amplitude is largest; 0 at the crest."""
    chance: float
    """95th percentile of the surrogates' largest index among all pairs: what exceeds it is
    significant at 5 %, all pairs taken together."""
    profile: Floats
    """(n_phases, n_amplitudes, N_BINS) mean amplitude by phase, of mean 1, from -pi on."""
    duration_s: float


def compute_coupling(
    stretches: Sequence[NDArray[np.float32]],
    rate_hz: float,
    phase_hz: Floats,
    phase_width_hz: float,
    amplitude_hz: Floats,
    amplitude_width_hz: float,
    *,
    n_surrogates: int,
    least_s: float,
    seed: int,
) -> Coupling:
    """Modulation index (Tort et al. 2010, J. Neurophysiol. 104: 1195) and mean vector (Canolty et
    al. 2006, Science 313: 1626) over all stretches together.

    Surrogates shift the amplitudes of each stretch against its phases, around its end, by at least
    a second: both keep their own course and lose what binds them.

    Parameters
    ----------
    stretches : each (n,), gap-free; those too short for the margins are passed over
    phase_hz, amplitude_hz : centres of the bands
    phase_width_hz, amplitude_width_hz : half-way down half of this to either side; an amplitude's
        band must hold the side bands that a phase makes, twice the phase's frequency
    least_s : less than this gives NaN
    """
    shape = (len(phase_hz), len(amplitude_hz))
    phase, amplitude_of = (phase_hz, phase_width_hz), (amplitude_hz, amplitude_width_hz)
    parts = [
        _decompose(samples, rate_hz, phase, amplitude_of)
        for samples in stretches
        if len(samples) > (2 * MARGIN_S + 2.0) * rate_hz and np.isfinite(samples).all()
    ]
    step = _step(rate_hz)
    duration_s = sum(p.shape[1] for p, _ in parts) * step / rate_hz
    if duration_s < least_s or not parts:
        nothing = np.full(shape, np.nan)
        return Coupling(
            modulation_index=nothing,
            z=nothing,
            vector_length=nothing,
            vector_phase_rad=nothing,
            chance=math.nan,
            profile=np.full((*shape, N_BINS), np.nan),
            duration_s=duration_s,
        )
    rng = np.random.default_rng(seed)
    least_shift = round(rate_hz / step)
    phases = [_to_bins(p) for p, _ in parts]
    observed = _total(phases, [a for _, a in parts])
    index = _modulation_index(observed)
    shuffled = np.empty((n_surrogates, *shape))
    for number in range(n_surrogates):
        shifted = []
        for _, amplitude in parts:
            n = amplitude.shape[1]
            by = int(rng.integers(least_shift, max(least_shift + 1, n - least_shift)))
            shifted.append(np.roll(amplitude, by, axis=1))
        shuffled[number] = _modulation_index(_total(phases, shifted))
    spread = shuffled.std(axis=0)
    z = np.divide(
        index - shuffled.mean(axis=0), spread, out=np.full(shape, np.nan), where=spread > 0
    )
    vector = sum(np.exp(1j * p) @ a.T.astype(np.complex128) for p, a in parts) / sum(
        a.sum(axis=1, dtype=np.float64) for _, a in parts
    )
    mean = observed / observed.mean(axis=-1, keepdims=True)
    return Coupling(
        modulation_index=index,
        z=z,
        vector_length=np.abs(vector),
        vector_phase_rad=np.angle(vector),
        chance=float(np.quantile(shuffled.reshape(n_surrogates, -1).max(axis=1), 0.95)),
        profile=mean,
        duration_s=duration_s,
    )


def _step(rate_hz: float) -> int:
    return max(1, math.floor(rate_hz / _COARSE_HZ + 0.01))


def _decompose(
    samples: NDArray[np.float32],
    rate_hz: float,
    phase: tuple[Floats, float],
    amplitude: tuple[Floats, float],
) -> tuple[Floats, NDArray[np.float32]]:
    """(n_phases, n) phases in rad and (n_amplitudes, n) amplitudes, at about 100 a second."""
    from scipy.fft import fft, ifft, next_fast_len

    n = len(samples)
    n_fft = next_fast_len(n)
    spectrum = fft(samples - samples.mean(dtype=np.float64), n_fft)
    hz = np.arange(n_fft) * (rate_hz / n_fft)
    margin, step = round(MARGIN_S * rate_hz), _step(rate_hz)
    kept = slice(margin, n - margin, step)

    def band(centre_hz: float, width_hz: float) -> NDArray[np.complex128]:
        # A Gaussian: half of the amplitude is left at half of the width.
        sigma_hz = 0.5 * width_hz / math.sqrt(2 * math.log(2))
        weight = np.exp(-0.5 * ((hz - centre_hz) / sigma_hz) ** 2)
        weight[n_fft // 2 + 1 :] = 0
        return np.asarray(ifft(2 * spectrum * weight)[kept], np.complex128)

    phases = np.stack([np.angle(band(f, phase[1])) for f in phase[0]])
    amplitudes = np.stack([np.abs(band(f, amplitude[1])) for f in amplitude[0]])
    return phases, amplitudes.astype(np.float32)


def _to_bins(phases: Floats) -> NDArray[np.int8]:
    at = np.floor((phases + np.pi) / (2 * np.pi) * N_BINS).astype(np.int8)
    return np.asarray(np.clip(at, 0, N_BINS - 1), np.int8)


def _total(phases: list[NDArray[np.int8]], amplitudes: list[NDArray[np.float32]]) -> Floats:
    """(n_phases, n_amplitudes, N_BINS) mean amplitude of each phase bin over all stretches."""
    shape = (len(phases[0]), len(amplitudes[0]), N_BINS)
    total, count = np.zeros(shape), np.zeros((shape[0], N_BINS))
    for bins, amplitude in zip(phases, amplitudes, strict=True):
        add_by_phase(bins, amplitude, total, count)
    return np.asarray(total / np.maximum(count, 1)[:, None, :], np.float64)


@njit(nogil=True, cache=True)
def add_by_phase(
    bins: NDArray[np.int8], amplitude: NDArray[np.float32], total: Floats, count: Floats
) -> None:
    """Add amplitudes to the bins of the phases at which they came; changes the last two.

    Parameters
    ----------
    bins : (n_phases, n)
    amplitude : (n_amplitudes, n)
    total : (n_phases, n_amplitudes, n_bins)
    count : (n_phases, n_bins)
    """
    for p in range(bins.shape[0]):
        for i in range(bins.shape[1]):
            count[p, bins[p, i]] += 1
        for a in range(amplitude.shape[0]):
            for i in range(bins.shape[1]):
                total[p, a, bins[p, i]] += amplitude[a, i]


def _modulation_index(mean_amplitude: Floats) -> Floats:
    """Distance (Kullback-Leibler) of amplitude over phase from evenness, over the largest."""
    share = mean_amplitude / mean_amplitude.sum(axis=-1, keepdims=True)
    terms = np.where(share > 0, share * np.log(np.maximum(share, 1e-300)), 0.0)
    return np.asarray(1 + terms.sum(axis=-1) / math.log(N_BINS), np.float64)
