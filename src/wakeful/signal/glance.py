"""A first look at channels: dead ones and those that hit their rails, from a few short stretches.

It looks at a small part of a recording, so it finds what is wrong most of the time and may miss
what is wrong for an hour. Nothing is computed from its verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RUN = 3
"""Samples in a row at a rail: one may be a peak, three of equal height are a flattened one."""

_LEAST_RANGE = 64
"""Steps of the converter. A signal of fewer repeats its highest value by chance."""


@dataclass(frozen=True)
class ChannelGlance:
    """What was seen of one channel."""

    flat: float
    """Share of the stretches in which all samples are equal, 0 to 1."""
    clipped: float
    """Share of the samples in runs of three or more at the highest or lowest value seen."""
    missing: float
    """Share of the samples that are NaN."""
    lowest: float
    """Of all samples seen, as they are stored; NaN where there was none."""
    highest: float


class Glance:
    """Takes stretches of all channels one by one.

    Parameters
    ----------
    n_channels : rows of each stretch
    dtype : type of the samples
    """

    def __init__(self, n_channels: int, dtype: np.dtype[Any]) -> None:
        self._whole = dtype.kind in "iu"
        self._n_stretches = 0
        self._n_samples = 0
        self._n_flat = np.zeros(n_channels, np.int64)
        self._n_missing = np.zeros(n_channels, np.int64)
        self._edges = [_Edge(n_channels, sign) for sign in (1, -1)]

    def add(self, samples: NDArray[Any]) -> None:
        """One stretch, (n_channels, n_samples)."""
        if samples.shape[1] == 0:
            return
        self._n_stretches += 1
        self._n_samples += samples.shape[1]
        if not self._whole:
            missing = np.isnan(samples)
            self._n_missing += missing.sum(axis=1)
            # What is missing can't be the highest: the lowest number stands for it, and back.
            low = np.where(missing, np.inf, samples).min(axis=1)
            high = np.where(missing, -np.inf, samples).max(axis=1)
        else:
            low, high = samples.min(axis=1), samples.max(axis=1)
        self._n_flat += low == high
        self._edges[0].add(samples, high)
        self._edges[1].add(samples, low)

    def finish(self) -> tuple[ChannelGlance, ...]:
        """What was seen, a channel each."""
        high, low = (edge.extreme for edge in self._edges)
        n_at_rail = self._edges[0].n_held + self._edges[1].n_held
        range_ok = (high - low >= _LEAST_RANGE) if self._whole else (high > low)
        seen = max(1, self._n_samples)
        return tuple(
            ChannelGlance(
                flat=float(self._n_flat[i] / max(1, self._n_stretches)),
                clipped=float(n_at_rail[i] / seen) if range_ok[i] else 0.0,
                missing=float(self._n_missing[i] / seen),
                lowest=float(low[i]) if np.isfinite(low[i]) else float("nan"),
                highest=float(high[i]) if np.isfinite(high[i]) else float("nan"),
            )
            for i in range(len(high))
        )


class _Edge:
    """The highest value seen (or the lowest), and how many samples were held there."""

    def __init__(self, n_channels: int, sign: int) -> None:
        self._sign = sign
        self.extreme = np.full(n_channels, -sign * np.inf)
        self.n_held = np.zeros(n_channels, np.int64)

    def add(self, samples: NDArray[Any], extreme: NDArray[Any]) -> None:
        extreme_f = extreme.astype(np.float64)
        beyond = extreme_f > self.extreme if self._sign > 0 else extreme_f < self.extreme
        self.n_held[beyond] = 0
        self.extreme[beyond] = extreme_f[beyond]
        for i in np.flatnonzero(extreme_f == self.extreme):
            at = samples[i] == extreme[i]
            if np.count_nonzero(at) < _RUN:
                continue
            edges = np.flatnonzero(np.diff(np.concatenate([[False], at, [False]]).view(np.int8)))
            lengths = edges[1::2] - edges[::2]
            self.n_held[i] += int(lengths[lengths >= _RUN].sum())
