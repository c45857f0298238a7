"""Samples of several channels that may be far larger than memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from wakeful.model.errors import BadRecording
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Span

if TYPE_CHECKING:
    import xarray

LIMIT_GB = 4.0
"""More than this is not read into memory at once unless somebody says that it may be."""

Samples = NDArray[Any]
"""(n_channels, n_samples) of the source's own type, mostly int16."""


class ArraySource(Protocol):
    """Samples that can be read in pieces, any piece at any time, from any thread."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """In the order of the rows that `read` gives."""
        ...

    @property
    def spans(self) -> tuple[Span, ...]:
        """In order of time, never overlapping; sample numbers grow from span to span."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of a sample."""
        ...

    def read(self, first_sample: int, out: Samples, rows: Sequence[int] | None = None) -> None:
        """Fill `out` with consecutive samples of one span.

        Parameters
        ----------
        first_sample : number of the first sample wanted
        out : (n_rows, n_samples), of `dtype`; filled
        rows : which channels, all where None

        Raises
        ------
        BadRecording
            The samples asked for are not all in one span.
        """
        ...


@runtime_checkable
class ReadsAhead(Protocol):
    """A source on a disk that can begin to fetch what will be read soon."""

    def expect(self, first_sample: int, n_samples: int, rows: Sequence[int]) -> None:
        """Have samples fetched while others are worked on; returns at once, and never fails.

        Parameters
        ----------
        first_sample, n_samples : of one span
        rows : which channels
        """
        ...

    def is_at_hand(self, first_sample: int, n_samples: int, rows: Sequence[int]) -> bool:
        """Whether the system has the samples in memory, as far as a few of them tell.

        Parameters
        ----------
        first_sample, n_samples, rows : as for `expect`
        """
        ...


class ArraySink(Protocol):
    """Takes consecutive pieces of a new array and gives it back as a source."""

    def open(
        self, channels: tuple[Channel, ...], spans: tuple[Span, ...], dtype: np.dtype[Any]
    ) -> None:
        """Say what is going to be written."""
        ...

    def write(self, first_sample: int, samples: Samples) -> None:
        """Write (n_channels, n_samples) of one span; pieces may come in any order."""
        ...

    def finish(self) -> ArraySource:
        """All is written."""
        ...


def find_span(spans: tuple[Span, ...], first_sample: int, n_samples: int) -> int:
    """Index of the span that holds the samples.

    Raises
    ------
    BadRecording
        No single span holds them all.
    """
    for index, span in enumerate(spans):
        if span.first_sample <= first_sample and first_sample + n_samples <= span.stop_sample:
            return index
    raise BadRecording(
        f"samples {first_sample} to {first_sample + n_samples} are not all in one span",
        remedy="ask for samples of one gap-free span at a time",
    )


class MemorySource:
    """Samples held in memory, or memory-mapped.

    Parameters
    ----------
    samples : (n_channels, n_samples); column 0 is sample number `first_sample`
    """

    def __init__(
        self,
        samples: Samples,
        channels: tuple[Channel, ...],
        spans: tuple[Span, ...],
        first_sample: int = 0,
    ) -> None:
        self._samples = samples
        self._first_sample = first_sample
        self.channels = channels
        self.spans = spans
        self.dtype = samples.dtype

    def read(self, first_sample: int, out: Samples, rows: Sequence[int] | None = None) -> None:
        """See `ArraySource.read`."""
        find_span(self.spans, first_sample, out.shape[1])
        start = first_sample - self._first_sample
        piece = self._samples[:, start : start + out.shape[1]]
        if rows is None:
            out[...] = piece
            return
        for place, row in zip(out, rows, strict=True):
            place[...] = piece[row]


class MemorySink:
    """An `ArraySink` for small arrays and for work without a library."""

    def __init__(self) -> None:
        self._samples: Samples | None = None
        self._channels: tuple[Channel, ...] = ()
        self._spans: tuple[Span, ...] = ()

    def open(
        self, channels: tuple[Channel, ...], spans: tuple[Span, ...], dtype: np.dtype[Any]
    ) -> None:
        """See `ArraySink.open`."""
        self._channels, self._spans = channels, spans
        n_samples = (spans[-1].stop_sample - spans[0].first_sample) if spans else 0
        self._samples = np.zeros((len(channels), n_samples), dtype)

    def write(self, first_sample: int, samples: Samples) -> None:
        """See `ArraySink.write`."""
        if self._samples is None:
            raise RuntimeError("MemorySink.write before open")
        find_span(self._spans, first_sample, samples.shape[1])
        start = first_sample - self._spans[0].first_sample
        self._samples[:, start : start + samples.shape[1]] = samples

    def finish(self) -> MemorySource:
        """See `ArraySink.finish`."""
        if self._samples is None:
            raise RuntimeError("MemorySink.finish before open")
        first_sample = self._spans[0].first_sample if self._spans else 0
        return MemorySource(self._samples, self._channels, self._spans, first_sample)


_SAME_TIME_SAMPLES = 1e-3
"""A span that was cut in two continues within this: cutting is exact but for rounding."""


class JoinedSource:
    """Several sources one after the other; a span that was cut between two of them is whole again.

    Only the cuts are healed: two spans of one part are never joined, however near they lie, since
    between them something is missing. Samples are numbered anew from 0, without holes.
    """

    def __init__(self, parts: Sequence[ArraySource]) -> None:
        if not parts:
            raise ValueError("JoinedSource needs at least one part")
        names = [tuple(c.name for c in part.channels) for part in parts]
        if len(set(names)) > 1:
            raise BadRecording(
                "blocks of one recording hold different channels",
                where=" / ".join(",".join(n) for n in dict.fromkeys(names)),
                remedy="convert the recording again with one channels file",
            )
        self.channels = parts[0].channels
        self.dtype = np.result_type(*(part.dtype for part in parts))
        # Where each piece lies: number in the whole, source, number in the source, length.
        self._pieces: list[tuple[int, ArraySource, int, int]] = []
        spans: list[Span] = []
        total = 0
        for part in parts:
            for place, span in enumerate(part.spans):
                self._pieces.append((total, part, span.first_sample, span.n_samples))
                # A part without a span in between (a very short one) is passed over.
                last = spans[-1] if spans and place == 0 else None
                if last is not None and _continues(last, span):
                    spans[-1] = Span(
                        last.start_s,
                        last.n_samples + span.n_samples,
                        last.rate_hz,
                        last.first_sample,
                    )
                else:
                    spans.append(Span(span.start_s, span.n_samples, span.rate_hz, total))
                total += span.n_samples
        self.spans = tuple(spans)

    def read(self, first_sample: int, out: Samples, rows: Sequence[int] | None = None) -> None:
        """See `ArraySource.read`."""
        find_span(self.spans, first_sample, out.shape[1])
        stop_sample = first_sample + out.shape[1]
        for start, part, source_first, n_samples in self._pieces:
            a, b = max(first_sample, start), min(stop_sample, start + n_samples)
            if a < b:
                target = out[:, a - first_sample : b - first_sample]
                part.read(source_first + a - start, target, rows)


def _continues(last: Span, span: Span) -> bool:
    """Whether `span` goes on where `last` was cut: same rate, to the bit, and same time."""
    apart_samples = abs(span.start_s - last.stop_s) * span.rate_hz
    return span.rate_hz == last.rate_hz and apart_samples < _SAME_TIME_SAMPLES


@dataclass(frozen=True, eq=False)
class Lfp:
    """Local field potential (and EEG, EMG) of one stretch of a session."""

    samples: ArraySource
    rate_hz: float
    """Nominal rate; each span carries the rate that was fitted."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """In the order of the rows."""
        return self.samples.channels

    @property
    def spans(self) -> tuple[Span, ...]:
        """The gap-free stretches."""
        return self.samples.spans

    def read_uv(
        self, first_sample: int, n_samples: int, rows: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Consecutive samples of one span, (n_rows, n_samples), microvolts."""
        gain_uv, offset_uv = self.scale_uv(rows)
        # In place: memory that is new costs more than the sums.
        samples_uv = self.read_stored(first_sample, n_samples, rows).astype(np.float32)
        samples_uv *= gain_uv[:, None]
        samples_uv += offset_uv[:, None]
        return samples_uv

    def read_stored(
        self, first_sample: int, n_samples: int, rows: Sequence[int] | None = None
    ) -> Samples:
        """The same as it is stored: to be multiplied with a gain, see `scale_uv`."""
        n_rows = len(self.channels) if rows is None else len(rows)
        stored = np.empty((n_rows, n_samples), self.samples.dtype)
        self.samples.read(first_sample, stored, rows)
        return stored

    def scale_uv(
        self, rows: Sequence[int] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Microvolts of one step as stored, and of 0, each (n_rows,)."""
        chosen = [self.channels[i] for i in (range(len(self.channels)) if rows is None else rows)]
        gain_uv = np.array([channel.gain_uv for channel in chosen], np.float32)
        return gain_uv, np.array([channel.offset_uv for channel in chosen], np.float32)

    def to_pynapple(
        self,
        interval: Interval | None = None,
        channels: Sequence[str] | None = None,
        *,
        limit_gb: float = LIMIT_GB,
    ) -> Any:
        """Samples as a pynapple TsdFrame, microvolts, a column a channel; read into memory.

        The time support is what was recorded: its spans. Regions and kinds of the channels are
        the frame's metadata.

        Parameters
        ----------
        interval : seconds from the session's start; all where None
        channels : their names; all where None
        limit_gb : how much memory it may take

        Raises
        ------
        TooLarge
            It would take more memory; says how long an interval fits.
        Unavailable
            Nothing was recorded there, or pynapple is not installed.
        """
        from wakeful.model.sharing import lfp_to_pynapple

        return lfp_to_pynapple(self, interval, channels, limit_gb)

    def to_xarray(
        self,
        interval: Interval | None = None,
        channels: Sequence[str] | None = None,
        *,
        start_utc: datetime | None = None,
        limit_gb: float = LIMIT_GB,
    ) -> xarray.DataArray:
        """Samples as an xarray DataArray (channel, time_s), microvolts; read into memory.

        Each sample has its own time, in seconds from the session's start, and the number of its
        span: where that changes, there is a gap.

        Parameters
        ----------
        interval, channels, limit_gb : see `to_pynapple`
        start_utc : the session's start; gives a second coordinate, time_utc

        Raises
        ------
        TooLarge, Unavailable
            See `to_pynapple`.
        """
        from wakeful.model.sharing import lfp_to_xarray

        return lfp_to_xarray(self, interval, channels, start_utc, limit_gb)

    @classmethod
    def join(cls, parts: Sequence[Lfp]) -> Lfp:
        """One LFP from consecutive blocks; nothing is copied.

        The nominal rate is that of the first block that holds a sample.
        """
        samples = JoinedSource([part.samples for part in parts])
        told = next((part for part in parts if part.spans), parts[0])
        return cls(samples, told.rate_hz)


def iterate_epochs(
    spans: tuple[Span, ...], interval: Interval, epoch_s: float
) -> Iterator[tuple[int, float, Span | None, int]]:
    """Epochs that start in `interval`: (number in the interval, start_s, span, first sample).

    Epochs are counted from the session's start. Span is None where the epoch touches a gap; the
    first sample is then -1.
    """
    slack = 1e-6
    number = int(np.ceil(interval.start_s / epoch_s - slack))
    stop = int(np.ceil(interval.stop_s / epoch_s - slack))
    position = 0
    for i, epoch in enumerate(range(number, stop)):
        start_s = epoch * epoch_s
        while position < len(spans) and spans[position].stop_s <= start_s:
            position += 1
        span = spans[position] if position < len(spans) else None
        if span is not None:
            offset = span.offset_at(start_s)
            n_samples = round(epoch_s * span.rate_hz)
            early = start_s < span.start_s - 1.001 / span.rate_hz
            if early or offset + n_samples > span.n_samples + 1:
                span = None
            else:
                offset = max(0, min(offset, span.n_samples - n_samples))
        yield i, start_s, span, -1 if span is None else span.first_sample + offset
