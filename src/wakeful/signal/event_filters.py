"""Envelopes and band-passed signals that events are looked for in, piece by piece.

Every value lies on a grid that is anchored to its span; only values whose filters lie wholly inside
the span are given. So nothing runs across a gap, and cutting a session elsewhere changes no bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from wakeful.model.arrays import Lfp
from wakeful.model.time import Interval, Span
from wakeful.signal.decimation import Cascade, choose_factor, design_decimation
from wakeful.signal.fir import fir_decimate, pad_taps
from wakeful.signal.windows import design_windowed_sinc

Floats = NDArray[np.float32]

STOP_DB = 50.0
"""Attenuation outside a band."""
TRACK_HZ = 100.0
"""Slow waves and spindles are looked for at about this rate."""
FAST_HZ = 1000.0
"""And ripples at this."""


@dataclass(frozen=True, eq=False)
class Piece:
    """Values of one stretch of one span, evenly spaced."""

    span: Span
    first: int
    """Number of the first value on the span's grid: value k lies on sample k * factor."""
    factor: int
    values: Floats

    def slice_of(self, start_s: float, stop_s: float) -> slice:
        """The values whose times lie in a stretch."""
        low, high = (-(-self.span.offset_at(t) // self.factor) for t in (start_s, stop_s))
        n = len(self.values)
        return slice(min(max(low - self.first, 0), n), min(max(high - self.first, 0), n))

    def time_s(self, place: NDArray[np.float64]) -> NDArray[np.float64]:
        """Times of values by their place in `values`, between two of them too."""
        at = (place + self.first) * self.factor / self.span.rate_hz
        return np.asarray(self.span.start_s + at, np.float64)

    @property
    def rate_hz(self) -> float:
        """Values a second."""
        return self.span.rate_hz / self.factor


def _n_taps(transition_hz: float, rate_hz: float) -> int:
    half = math.ceil((STOP_DB - 7.95) / (2.285 * 2 * math.pi * transition_hz / rate_hz) / 2)
    return 2 * half + 1


@lru_cache(maxsize=32)
def design_band(
    band_hz: tuple[float, float], transition_hz: float, rate_hz: float
) -> tuple[Floats, int]:
    """A band-pass for `apply`: taps and the number of the middle one."""
    taps = design_windowed_sinc(_n_taps(transition_hz, rate_hz), band_hz, rate_hz, STOP_DB)
    return pad_taps(taps)


@lru_cache(maxsize=32)
def design_quadrature(
    band_hz: tuple[float, float], transition_hz: float, rate_hz: float
) -> tuple[Floats, Floats, int]:
    """Two filters a quarter turn apart, whose outputs are the parts of an analytic signal.

    A low-pass half as wide as the band, turned by the band's middle: of a sine inside the band the
    root of the sum of squares is its amplitude, at every instant.
    """
    low_hz, high_hz = band_hz
    n_taps = _n_taps(transition_hz, rate_hz)
    shape = design_windowed_sinc(n_taps, (0.0, (high_hz - low_hz) / 2), rate_hz, STOP_DB)
    turn = 2 * np.pi * (low_hz + high_hz) / 2 / rate_hz * (np.arange(n_taps) - n_taps // 2)
    cosine, centre = pad_taps(2 * shape * np.cos(turn))
    # An output is a sum over the samples ahead as well: their turn runs the other way.
    sine, _ = pad_taps(-2 * shape * np.sin(turn))
    return cosine, sine, centre


@lru_cache(maxsize=32)
def design_smoothing(sigma_s: float, rate_hz: float) -> tuple[Floats, int]:
    """A Gaussian that sums to 1, three standard deviations to either side."""
    half = max(1, math.ceil(3 * sigma_s * rate_hz))
    shape = np.exp(-0.5 * (np.arange(-half, half + 1) / (sigma_s * rate_hz)) ** 2)
    return pad_taps(shape / shape.sum())


def apply(piece: Piece, taps: Floats, centre: int, factor: int = 1) -> Piece:
    """A filter over a piece, thinned by a factor; where it does not fit there is no value."""
    first = -(-(piece.first + centre) // factor)
    last = (piece.first + len(piece.values) - (len(taps) - centre)) // factor
    n = max(0, last - first + 1)
    out = np.empty(n, np.float32)
    if n:
        start = first * factor - centre - piece.first
        fir_decimate(piece.values[start:], factor, taps, out)
    return Piece(piece.span, first, piece.factor * factor, out)


def read_piece(lfp: Lfp, row: int, span: Span, interval: Interval) -> Piece:
    """The samples of a channel that lie in an interval, as recorded, microvolts."""
    start, stop = span.offset_at(interval.start_s), span.offset_at(interval.stop_s)
    values = np.empty(0, np.float32)
    if stop > start:
        values = lfp.read_uv(span.first_sample + start, stop - start, [row])[0]
    return Piece(span, start, 1, np.ascontiguousarray(values))


def thin(piece: Piece, nominal_hz: float) -> Piece:
    """A piece at about `TRACK_HZ`, without what would fold."""
    factor = choose_factor(nominal_hz, TRACK_HZ)
    chosen = design_decimation(factor)
    if not chosen.stages:
        return piece
    before, after = chosen.reach
    first = -(-(piece.first + before) // factor)
    last = (piece.first + len(piece.values) - 1 - after) // factor
    n = max(0, last - first + 1)
    values = np.empty(0, np.float32)
    if n:
        cascade = Cascade(chosen)
        low, high = cascade.window(first, first + n)
        values = cascade.run(piece.values[low - piece.first : high - piece.first], n).copy()
    return Piece(piece.span, first, factor, values)


@dataclass(frozen=True, eq=False)
class Burst:
    """An analytic signal and its smoothed envelope, on one grid."""

    analytic: NDArray[np.complex64]
    """(n,) beginning with the envelope's first value."""
    envelope: Piece


def analyse_band(
    piece: Piece,
    band_hz: tuple[float, float],
    *,
    transition_hz: float,
    smooth_s: float,
    nominal_hz: float,
    factor: int = 1,
) -> Burst:
    """Analytic signal of a band and the root of its smoothed power.

    Parameters
    ----------
    transition_hz : in which the filter falls off
    smooth_s : standard deviation of the Gaussian that smooths the power
    nominal_hz : rate of the piece that filters are designed for
    factor : keep one value in so many
    """
    cosine, sine, centre = design_quadrature(band_hz, transition_hz, nominal_hz)
    real, imaginary = apply(piece, cosine, centre, factor), apply(piece, sine, centre, factor)
    power = Piece(real.span, real.first, real.factor, real.values**2 + imaginary.values**2)
    smooth = apply(power, *design_smoothing(smooth_s, nominal_hz / factor))
    late = smooth.first - real.first
    inside = slice(late, late + len(smooth.values))
    analytic = (real.values[inside] + 1j * imaginary.values[inside]).astype(np.complex64)
    envelope = np.sqrt(np.maximum(smooth.values, 0))
    return Burst(analytic, Piece(smooth.span, smooth.first, smooth.factor, envelope))


def mean_frequency_hz(analytic: NDArray[np.complex64], rate_hz: float) -> float:
    """Frequency of an analytic signal, its instants weighted by their power."""
    if len(analytic) < 2:
        return math.nan
    turn = np.vdot(analytic[:-1].astype(np.complex128), analytic[1:].astype(np.complex128))
    return float(np.angle(turn)) * rate_hz / (2 * math.pi) % rate_hz
