"""What an epoch's spectrum says: band powers and their ratios, edges, entropy, the theta peak."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wakeful.signal.bands import (
    BANDS,
    BETA,
    DELTA,
    FAST_GAMMA,
    SIGMA,
    SLOW_GAMMA,
    THETA,
    Band,
    bin_weights,
    compute_band_power,
)
from wakeful.signal.feature import Feature

Floats = NDArray[np.float32]

HIGH = Band("high frequency", 100.0, 200.0)
"""Ripples, and in the awake animal muscle."""
POWER_BANDS = (*BANDS, HIGH)
TOTAL_HZ = (1.0, 100.0)
"""What relative powers, edges and entropy refer to; less where 80 % of Nyquist is lower."""
PEAK_HZ = (5.0, 12.0)
EDGES = (0.5, 0.9, 0.95)
RATIOS = (
    (THETA, DELTA),
    (SIGMA, DELTA),
    (BETA, DELTA),
    (SIGMA, THETA),
    (SLOW_GAMMA, DELTA),
    (FAST_GAMMA, DELTA),
)
_BAND_SOURCES = {
    SLOW_GAMMA.name: "Colgin et al. 2009, Nature 462: 353",
    FAST_GAMMA.name: "Colgin et al. 2009, Nature 462: 353",
    HIGH.name: "ripples (Buzsaki 2015, Hippocampus 25: 1073), and in the awake animal muscle",
}
_TOTAL_TEXT = f"{TOTAL_HZ[0]:g} to {TOTAL_HZ[1]:g} Hz (or 80 % of Nyquist, where lower)"


def band_key(band: Band) -> str:
    """A band's name as part of a feature's name."""
    return band.name.replace(" ", "_")


def _range_text(band: Band) -> str:
    return f"{band.low_hz:g} to {band.high_hz:g} Hz"


SPECTRUM = (
    Feature(
        name="log_power_total",
        unit="ln uV^2",
        formula=f"ln of the power in {_TOTAL_TEXT}",
        source="density integrated; parts of bins counted exactly",
    ),
    *(
        Feature(
            name=f"log_power_{band_key(band)}",
            unit="ln uV^2",
            formula=f"ln of the power in {_range_text(band)}",
            source=_BAND_SOURCES.get(band.name, "Buzsaki & Draguhn 2004, Science 304: 1926"),
        )
        for band in POWER_BANDS
    ),
    *(
        Feature(
            name=f"relative_power_{band_key(band)}",
            unit="",
            formula=f"power in {_range_text(band)} over the power in {_TOTAL_TEXT}",
            source="does not change with the amplifier's gain",
        )
        for band in BANDS
    ),
    *(
        Feature(
            name=f"log_ratio_{band_key(over)}_{band_key(under)}",
            unit="ln",
            formula=f"ln of the power in {_range_text(over)} over that in {_range_text(under)}",
            source="Watson et al. 2016, Neuron 90: 839"
            if (over, under) == (THETA, DELTA)
            else "a tree compares numbers with limits, and can't divide",
        )
        for over, under in RATIOS
    ),
    *(
        Feature(
            name=f"edge_{share * 100:.0f}",
            unit="Hz",
            formula=f"frequency below which {share * 100:.0f} % of the power in {_TOTAL_TEXT} lies",
            source="Szeto 1990, Pediatr Res 27: 289 (spectral edge frequency)",
        )
        for share in EDGES
    ),
    Feature(
        name="spectral_entropy",
        unit="",
        formula=f"entropy of the shares of the bins in {_TOTAL_TEXT}, over ln of their number",
        source="Inouye et al. 1991, Electroenceph Clin Neurophysiol 79: 204",
    ),
    Feature(
        name="peak_theta",
        unit="Hz",
        formula=f"where density times frequency is highest in {PEAK_HZ[0]:g} to {PEAK_HZ[1]:g} Hz, "
        "by a parabola through the ln of three bins; NaN where that is at an end of the range",
        source="theta lies higher awake than in REM; times frequency takes a 1/f slope away",
    ),
)
"""In the order of the last axis of `compute_spectrum`."""


def compute_spectrum(
    psd: Floats, frequency_hz: NDArray[np.float64], trusted_from_hz: NDArray[np.float64]
) -> Floats:
    """The features `SPECTRUM` of densities.

    Parameters
    ----------
    psd : (n_epochs, n_regions, n_frequencies), uV^2/Hz, one-sided
    frequency_hz : (n_frequencies,) evenly spaced from 0, up to the last that is usable
    trusted_from_hz : (n_regions,) below it a region's power is not to be believed; 0 for none

    Returns
    -------
    (n_epochs, n_regions, n_features); NaN where the density is, where a band reaches beyond the
    last frequency, and where it, or the whole range, begins below `trusted_from_hz`
    """
    low_hz, high_hz = TOTAL_HZ[0], min(TOTAL_HZ[1], float(frequency_hz[-1]))
    bands = compute_band_power(psd, frequency_hz, POWER_BANDS).astype(np.float64)
    for i, band in enumerate(POWER_BANDS):
        bands[:, band.low_hz < trusted_from_hz - 1e-9, i] = np.nan
    weights = bin_weights(frequency_hz, low_hz, high_hz)
    used = np.flatnonzero(weights)
    first, stop = int(used[0]), int(used[-1]) + 1
    # Counted up bin by bin: the last is the total, so that shares end at exactly 1.
    parts = psd[..., first:stop].astype(np.float64) * weights[first:stop]
    parts[:, low_hz < trusted_from_hz - 1e-9] = np.nan
    grown = np.cumsum(parts, axis=-1)
    total = grown[..., -1]
    place = {band.name: i for i, band in enumerate(POWER_BANDS)}
    columns = [_log(total), *(_log(bands[..., i]) for i in range(len(POWER_BANDS)))]
    positive = np.where(total > 0, total, np.nan)
    columns += [bands[..., place[band.name]] / positive for band in BANDS]
    columns += [
        _log(bands[..., place[over.name]]) - _log(bands[..., place[under.name]])
        for over, under in RATIOS
    ]
    width_hz = float(frequency_hz[1] - frequency_hz[0])
    left_hz = np.maximum(frequency_hz[first:stop] - width_hz / 2, low_hz)
    shares = grown / positive[..., None]
    columns += [_edge(shares, left_hz, weights[first:stop], share) for share in EDGES]
    bin_shares = parts / positive[..., None]
    terms = np.where(bin_shares > 0, bin_shares, 1.0)
    entropy = -np.sum(terms * np.log(terms), axis=-1) / np.log(max(2, stop - first))
    columns.append(np.where(np.isfinite(positive), entropy, np.nan))
    peak = _find_peak(psd, frequency_hz)
    peak[:, PEAK_HZ[0] < trusted_from_hz - 1e-9] = np.nan
    columns.append(peak)
    return np.stack(columns, axis=-1).astype(np.float32)


def _edge(
    shares: NDArray[np.float64],
    left_hz: NDArray[np.float64],
    width_hz: NDArray[np.float64],
    share: float,
) -> NDArray[np.float64]:
    """Where the power counted up reaches a share of it, linear within a bin."""
    at = np.argmax(shares >= share, axis=-1)[..., None]
    above = np.take_along_axis(shares, at, axis=-1)
    below = np.where(at > 0, np.take_along_axis(shares, np.maximum(at - 1, 0), axis=-1), 0.0)
    inside = (share - below) / np.where(above > below, above - below, np.nan)
    found: NDArray[np.float64] = (left_hz[at] + inside * width_hz[at])[..., 0]
    return found


def _find_peak(psd: Floats, frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.flatnonzero(
        (frequency_hz >= PEAK_HZ[0] - 1e-9) & (frequency_hz <= PEAK_HZ[1] + 1e-9)
    )
    if len(inside) < 3 or frequency_hz[-1] < PEAK_HZ[1] - 1e-9:
        return np.full(psd.shape[:-1], np.nan)
    raised = _log(psd[..., inside].astype(np.float64) * frequency_hz[inside])
    known = np.asarray(np.isfinite(raised).all(axis=-1), np.bool_)
    at = np.argmax(np.where(known[..., None], raised, 0.0), axis=-1)
    middle = np.clip(at, 1, len(inside) - 2)
    three = [
        np.take_along_axis(raised, (middle + step)[..., None], axis=-1)[..., 0]
        for step in (-1, 0, 1)
    ]
    bend = three[0] - 2 * three[1] + three[2]
    bent = bend < 0
    offset = np.where(bent, (three[0] - three[2]) / np.where(bent, 2 * bend, 1.0), 0.0)
    width_hz = float(frequency_hz[1] - frequency_hz[0])
    peak_hz = frequency_hz[inside][middle] + offset * width_hz
    return np.where(known & (at == middle), peak_hz, np.nan)


def _log(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural log; NaN for zero (a flat signal has no log) and for what is missing."""
    out = np.full(values.shape, np.nan)
    np.log(values, out=out, where=values > 0)
    return out
