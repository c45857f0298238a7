"""Anti-aliased decimation by whole factors, streamed, with zero phase.

The filter is a cascade of symmetric (linear-phase) FIR stages designed with Kaiser's window
(Kaiser 1974; Crochiere & Rabiner 1975 for the cascade). Output sample k of a span lies exactly on
raw sample k * factor of that span: the filters' delay is removed and the phase is anchored to the
span's start, so that neither blocks nor pieces change any bit of the result.

What lies before a span's first sample and after its last is not known and never taken to be zero:
the span is mirrored there (the edge sample is not repeated). Only output within
`DecimationFilter.halo_samples` raw samples of a span's edge feels this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from wakeful.model.errors import BadParameters
from wakeful.model.time import Span
from wakeful.signal.dot_products import INT16_TAPS
from wakeful.signal.fir import (
    fir_decimate,
    fir_decimate_int16,
    pad_taps,
    round_taps,
    round_to_int16,
)
from wakeful.signal.windows import design_windowed_sinc

Floats = NDArray[np.float32]
Ints = NDArray[np.int16]

PASS_EDGE = 0.4
"""Flat up to here, as a fraction of the new rate (80 % of the new Nyquist)."""
STOP_EDGE = 0.5
"""Nothing comes through from here, as a fraction of the new rate (the new Nyquist)."""
STOP_DB = 86.0
"""Attenuation each stage is designed for."""
LARGEST_FACTOR = 4096

_COST_PER_INPUT = 6.0
"""Cost of handing a sample to a stage, in multiplications; only chooses between cascades."""


@dataclass(frozen=True, eq=False)
class Stage:
    """One FIR filter and the factor by which it thins."""

    factor: int
    taps: Floats
    """(n_taps,), symmetric about `centre`, summing to 1; zeros at the ends make it a length that
    the kernels take."""
    centre: int
    """The tap that lies on the output sample."""
    whole: Ints | None = None
    """The same taps as whole numbers, for samples of 16 bits; None where they don't fit."""
    scale: float = 1.0
    """What `whole` is to be multiplied by."""


@dataclass(frozen=True, eq=False)
class DecimationFilter:
    """A cascade that thins by `factor` in all."""

    factor: int
    stages: tuple[Stage, ...]
    """In order; none where the factor is 1."""

    @property
    def reach(self) -> tuple[int, int]:
        """Raw samples looked at before and after the one an output sample lies on."""
        before, after, spacing = 0, 0, 1
        for stage in self.stages:
            before += stage.centre * spacing
            after += (len(stage.taps) - 1 - stage.centre) * spacing
            spacing *= stage.factor
        return before, after

    @property
    def halo_samples(self) -> int:
        """Raw samples that are enough on either side."""
        return max(self.reach)

    def impulse_response(self) -> NDArray[np.float64]:
        """The single FIR at the raw rate that the cascade amounts to.

        Returns
        -------
        (before + 1 + after,), see `reach`
        """
        response, spacing = np.ones(1), 1
        for stage in self.stages:
            spread = np.zeros((len(stage.taps) - 1) * spacing + 1)
            spread[::spacing] = stage.taps
            response = np.convolve(response, spread)
            spacing *= stage.factor
        return response


def choose_factor(rate_hz: float, target_hz: float) -> int:
    """The largest whole factor that keeps the new rate at `target_hz` or above.

    A hundredth of the target is let pass, since clocks are never exact: 31,999.6 Hz gives 32. Rates
    below twice the target give 1: they pass unfiltered.

    Raises
    ------
    BadParameters
        A rate is not a positive number.
    """
    for name, value in (("rate", rate_hz), ("target rate", target_hz)):
        if not (math.isfinite(value) and value > 0):
            raise BadParameters(
                f"the {name} is {value} Hz", where="decimation", remedy="give a positive number"
            )
    return max(1, math.floor(rate_hz / target_hz + 0.01))


def decimated_span(span: Span, factor: int, first_sample: int = 0) -> Span:
    """The span after decimation: same start, every `factor`-th sample."""
    return Span(span.start_s, -(-span.n_samples // factor), span.rate_hz / factor, first_sample)


@lru_cache(maxsize=32)
def design_decimation(factor: int) -> DecimationFilter:
    """A cascade with >= 80 dB from the new Nyquist on and < 0.1 dB of ripple up to 80 % of it.

    Among all ways to split the factor, the cheapest is taken (32 gives 8, 2, 2); a prime factor
    becomes a single stage.

    Raises
    ------
    BadParameters
        The factor is below 1 or above `LARGEST_FACTOR`.
    """
    if not 1 <= factor <= LARGEST_FACTOR:
        raise BadParameters(
            f"a factor of {factor} is not between 1 and {LARGEST_FACTOR}",
            where="decimation",
            remedy="choose a target rate nearer to the recording's",
        )
    best = min(_splits(factor), key=_cost)
    left = factor
    stages: list[Stage] = []
    for part in best:
        stages.append(_build_stage(_design_taps(left, part), part, first=not stages))
        left //= part
    return DecimationFilter(factor, tuple(stages))


def _splits(factor: int) -> list[tuple[int, ...]]:
    """All ordered ways to write a factor as a product of at most four factors above 1."""
    if factor == 1:
        return [()]
    found: list[tuple[int, ...]] = [(factor,)]
    for first in range(2, factor // 2 + 1):
        if factor % first == 0:
            found += [(first, *rest) for rest in _splits(factor // first) if len(rest) < 4]
    return found


def _half_length(left: int, part: int) -> int:
    """Taps on either side that Kaiser's formula asks for.

    Parameters
    ----------
    left : what is still to be thinned by before this stage
    part : the stage's own factor
    """
    stop = left / part - STOP_EDGE
    transition = (stop - PASS_EDGE) / left
    return math.ceil((STOP_DB - 7.95) / (2.285 * 2 * math.pi * transition) / 2)


def _cost(split: tuple[int, ...]) -> float:
    """Multiplications per final output sample."""
    left, total = math.prod(split), 0.0
    for part in split:
        total += left * _COST_PER_INPUT + left / part * (2 * _half_length(left, part) + 1)
        left //= part
    return total


def _build_stage(taps: NDArray[np.float64], factor: int, *, first: bool) -> Stage:
    """The first stage has taps of 16 bits, so that one filter serves raw samples of all types."""
    whole = round_taps(taps) if first else None
    if whole is None:
        return Stage(factor, *pad_taps(taps))
    total = int(whole.astype(np.int64).sum())
    padded, centre = pad_taps(whole, INT16_TAPS)
    return Stage(
        factor,
        (padded / total).astype(np.float32),
        centre,
        padded.astype(np.int16),
        1 / total,
    )


def _design_taps(left: int, part: int) -> NDArray[np.float64]:
    """A windowed sinc; frequencies in units of the final rate, the input rate being `left`."""
    stop = left / part - STOP_EDGE
    band = (0.0, (PASS_EDGE + stop) / 2)
    taps = design_windowed_sinc(2 * _half_length(left, part) + 1, band, left, STOP_DB)
    return np.ascontiguousarray(taps / taps.sum(), np.float64)


class Cascade:
    """A filter with the memory it works in; for one thread at a time."""

    def __init__(self, chosen: DecimationFilter) -> None:
        self.filter = chosen
        self._buffers: list[Floats] = [np.empty(0, np.float32) for _ in chosen.stages]
        self._converted = np.empty(0, np.float32)

    def window(self, start: int, stop: int) -> tuple[int, int]:
        """The raw samples that outputs `start` to `stop` need, start included, stop excluded."""
        factor, (before, after) = self.filter.factor, self.filter.reach
        return start * factor - before, (stop - 1) * factor + after + 1

    def run(self, raw: Ints | Floats, n_outputs: int) -> Floats:
        """Outputs from the raw samples of their `window`.

        Parameters
        ----------
        raw : int16 or float32, as long as `window` says
        n_outputs : how many

        Returns
        -------
        (n_outputs,) float32, valid until the next call
        """
        if not self.filter.stages:
            return np.asarray(raw, np.float32)
        counts = [n_outputs]
        for stage in reversed(self.filter.stages[1:]):
            counts.append((counts[-1] - 1) * stage.factor + len(stage.taps))
        x: Ints | Floats = raw
        out = np.empty(0, np.float32)
        for i, (stage, n) in enumerate(zip(self.filter.stages, reversed(counts), strict=True)):
            if len(self._buffers[i]) < n:
                self._buffers[i] = np.empty(n, np.float32)
            out = self._buffers[i][:n]
            if x.dtype == np.int16 and stage.whole is not None:
                fir_decimate_int16(cast(Ints, x), stage.factor, stage.whole, stage.scale, out)
            else:
                fir_decimate(self._as_floats(x), stage.factor, stage.taps, out)
            x = out
        return out

    def _as_floats(self, x: Ints | Floats) -> Floats:
        if x.dtype == np.float32:
            return cast(Floats, x)
        if len(self._converted) < len(x):
            self._converted = np.empty(len(x), np.float32)
        converted = self._converted[: len(x)]
        converted[...] = x
        return converted


def mirror_index(index: NDArray[np.int64], n_samples: int) -> NDArray[np.int64]:
    """Sample numbers folded into a span of `n_samples`, as between two mirrors."""
    if n_samples == 1:
        return np.zeros_like(index)
    period = 2 * (n_samples - 1)
    folded = np.mod(index, period)
    return np.asarray(np.minimum(folded, period - folded), np.int64)


def decimate_array(samples: NDArray[np.int16] | Floats, factor: int) -> NDArray[np.int16] | Floats:
    """Decimate one gap-free stretch held in memory.

    Parameters
    ----------
    samples : (n_channels, n_samples), int16 or any type that float32 can hold
    factor : keep one sample in so many

    Returns
    -------
    (n_channels, ceil(n_samples / factor)), int16 for int16 (half to even, within +-32,767) and
    float32 for all else. Sample k lies on input sample k * factor.
    """
    if samples.shape[1] == 0:
        return np.empty_like(samples)
    cascade = Cascade(design_decimation(factor))
    n_outputs = -(-samples.shape[1] // factor)
    start, stop = cascade.window(0, n_outputs)
    index = mirror_index(np.arange(start, stop), samples.shape[1])
    out = np.empty((len(samples), n_outputs), output_type(samples.dtype))
    for row, values in zip(out, samples, strict=True):
        store(cascade.run(workable(values)[index], n_outputs), row)
    return out


def output_type(dtype: np.dtype[np.generic]) -> np.dtype[np.generic]:
    """The type samples have after decimation: int16 stays, all else becomes float32."""
    return np.dtype(np.int16 if _is_int16(dtype) else np.float32)


def _is_int16(dtype: np.dtype[np.generic]) -> bool:
    """Whether it is int16, of either byte order."""
    return dtype.kind == "i" and dtype.itemsize == 2


def workable(values: NDArray[np.generic]) -> NDArray[np.int16] | Floats:
    """Samples in a type the kernels take: int16 as it is, all else as float32."""
    if _is_int16(values.dtype):
        return values.astype(np.int16, copy=False)
    return values.astype(np.float32, copy=False)


def store(values: Floats, out: NDArray[np.int16] | Floats) -> None:
    """Write results; to int16 half to even and within +-32,767 (-32,768 means "no data")."""
    if out.dtype == np.int16:
        round_to_int16(values, cast(Ints, out))
    else:
        out[...] = values
