"""The mean wave of events, as recorded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.arrays import Lfp

_MOST = 300
"""Events of a region that go into the mean, spread evenly over the session."""


@dataclass(frozen=True, eq=False)
class MeanWaves:
    """Mean and spread of the waves of each region."""

    time_s: NDArray[np.float64]
    """(n_points,)"""
    mean_uv: NDArray[np.float32]
    """(n_regions, n_points); NaN without events."""
    sd_uv: NDArray[np.float32]
    n_events: tuple[int, ...]


def mean_waves(
    lfp: Lfp,
    peak_s: NDArray[np.float64],
    region: NDArray[np.int16],
    channel: NDArray[np.int16],
    *,
    n_regions: int,
    band_hz: tuple[float, float],
    is_slow: bool,
) -> MeanWaves:
    """Waves of events laid over each other.

    A slow wave is laid on its trough, a burst on the trough of its band next to its peak: laid on
    the peaks of their envelopes, bursts of any phase would cancel. Events whose surroundings are
    not all recorded in one span are passed over.

    Parameters
    ----------
    peak_s : (n_events,)
    band_hz : (0, 0) where there are no events
    """
    reach_s = 1.5 if is_slow else 8.0 / max(band_hz[0], 1e-9)
    reach_s = min(reach_s, 1.5)
    half = round(reach_s * lfp.rate_hz)
    time_s = np.arange(-half, half + 1) / lfp.rate_hz
    mean = np.full((n_regions, len(time_s)), np.nan, np.float32)
    sd = np.full_like(mean, np.nan)
    counts = []
    for number in range(n_regions):
        mine = np.flatnonzero(region == number)
        if len(mine) > _MOST:
            mine = mine[np.linspace(0, len(mine) - 1, _MOST).round().astype(np.int64)]
        waves = []
        for i in mine.tolist():
            wave = _cut(lfp, float(peak_s[i]), int(channel[i]), half, band_hz, is_slow)
            if wave is not None:
                waves.append(wave)
        counts.append(len(waves))
        if waves:
            stack = np.stack(waves).astype(np.float64)
            mean[number], sd[number] = stack.mean(axis=0), stack.std(axis=0)
    return MeanWaves(time_s, mean, sd, tuple(counts))


def _cut(
    lfp: Lfp, peak_s: float, row: int, half: int, band_hz: tuple[float, float], is_slow: bool
) -> NDArray[np.float32] | None:
    for span in lfp.spans:
        if not span.start_s <= peak_s < span.stop_s:
            continue
        at = round((peak_s - span.start_s) * span.rate_hz)
        margin = half if is_slow else 2 * half
        if at - margin < 0 or at + margin >= span.n_samples:
            return None
        values = lfp.read_uv(span.first_sample + at - margin, 2 * margin + 1, [row])[0]
        if not np.isfinite(values).all():
            return None
        if is_slow:
            return np.asarray(values, np.float32)
        spectrum = np.fft.rfft(values - values.mean())
        hz = np.fft.rfftfreq(len(values), 1 / lfp.rate_hz)
        spectrum[(hz < band_hz[0]) | (hz > band_hz[1])] = 0
        band = np.fft.irfft(spectrum, len(values))
        near = max(1, round(0.6 * lfp.rate_hz / (0.5 * (band_hz[0] + band_hz[1]))))
        trough = margin - near + int(np.argmin(band[margin - near : margin + near + 1]))
        return np.asarray(values[trough - half : trough + half + 1], np.float32)
    return None
