"""The samples of an LFP one after the other, as files that are handed on hold them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.model.arrays import Lfp


class Samples:
    """The samples of an LFP one after the other, gaps left out: where each lies in its spans."""

    def __init__(self, lfp: Lfp) -> None:
        self.lfp = lfp
        self._starts = np.cumsum([0, *(span.n_samples for span in lfp.spans)])

    @property
    def n_samples(self) -> int:
        """How many there are."""
        return int(self._starts[-1])

    def pieces(self, start: int, stop: int) -> list[tuple[int, int, int, int]]:
        """Runs within one span: (number of the span, offset in it, place in the whole, length)."""
        found: list[tuple[int, int, int, int]] = []
        number = int(np.searchsorted(self._starts, start, side="right")) - 1
        while start < stop:
            end = min(stop, int(self._starts[number + 1]))
            if end > start:
                found.append((number, start - int(self._starts[number]), start, end - start))
            start, number = end, number + 1
        return found

    def times(self, start: int, stop: int) -> NDArray[np.float64]:
        """When the samples were taken, seconds from the session's start."""
        time_s = np.empty(stop - start, np.float64)
        for number, offset, place, n in self.pieces(start, stop):
            span = self.lfp.spans[number]
            offsets = np.arange(offset, offset + n)
            time_s[place - start : place - start + n] = span.start_s + offsets / span.rate_hz
        return time_s

    def spans(self, start: int, stop: int) -> NDArray[np.int32]:
        """Number of the span of each sample."""
        numbers = np.searchsorted(self._starts, np.arange(start, stop), side="right") - 1
        return numbers.astype(np.int32)

    def stored(self, start: int, stop: int, rows: Sequence[int]) -> NDArray[Any]:
        """(n_samples, n_rows) of the stored type."""
        out = np.empty((len(rows), stop - start), self.lfp.samples.dtype)
        for number, offset, place, n in self.pieces(start, stop):
            first = self.lfp.spans[number].first_sample + offset
            self.lfp.samples.read(first, out[:, place - start : place - start + n], rows)
        return out.T

    def uv(self, start: int, stop: int, rows: Sequence[int]) -> NDArray[np.float32]:
        """(n_samples, n_rows), microvolts."""
        out = np.empty((stop - start, len(rows)), np.float32)
        for number, offset, place, n in self.pieces(start, stop):
            first = self.lfp.spans[number].first_sample + offset
            out[place - start : place - start + n] = self.lfp.read_uv(first, n, rows).T
        return out
