"""Decimation of recordings far larger than memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, pairwise
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.model.arrays import ArraySink, ArraySource, ReadsAhead, Samples
from wakeful.model.time import Interval, Span, cut_spans
from wakeful.signal.decimation import (
    Cascade,
    DecimationFilter,
    decimated_span,
    design_decimation,
    mirror_index,
    output_type,
    store,
    workable,
)

PIECE_SAMPLES = 1_920_000
"""Raw samples of a channel read at a time, 4 MB: smaller pieces cost more in calls than they save
in caches (`benchmarks/convert.py`)."""
PIECE_FROM_DISK = 960_000
"""The same where a disk has to be waited for: it fetches smaller pieces more steadily."""
_LARGEST_OUTPUT = 4_000_000
"""Output samples of all channels held at a time."""


@dataclass(frozen=True, eq=False)
class SideOutput:
    """A second, faster output of some channels, taken in the same pass over the raw samples."""

    factor: int
    rows: tuple[int, ...]
    """Which channels of the source."""
    interval: Interval
    """What is wanted; may reach beyond the main output's interval."""
    receive: Callable[[int, int, NDArray[np.float32]], None]
    """Called in order of time with: number of the span in the source, offset of the first sample
    into the decimated span, samples (n_rows, n) float32 in units of the source. The array is not
    used again."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Outputs computed in one go; offsets into the decimated spans, stop excluded."""

    number: int
    """Of the span in the source."""
    span: Span
    first_sample: int
    """Of the main output, as the sink counts."""
    main: tuple[int, int]
    side: tuple[int, int]


_Row = tuple[int, Samples | None, Samples | None]
"""Number of a channel, and where its main and its side output go."""


def decimate_source(
    source: ArraySource,
    interval: Interval,
    factor: int,
    sink: ArraySink,
    *,
    rows: Sequence[int] | None = None,
    side: SideOutput | None = None,
    n_threads: int | None = None,
    piece_samples: int | None = None,
) -> ArraySource:
    """Decimate the part of a source that lies in an interval, span by span, in bounded memory.

    The result is the same to the last bit however a session is cut into intervals, and whatever
    `n_threads` and `piece_samples` are. See `wakeful.signal.decimation` for the filter and for what
    happens at the edges of spans.

    Parameters
    ----------
    source : raw samples; more than the interval, since the filter reaches beyond it
    interval : the output samples whose times lie in it are computed
    factor : keep one sample in so many, see `choose_factor`
    sink : opened, written and finished here; its samples are numbered from 0 without holes
    rows : which channels, all where None
    side : a second output at another rate
    n_threads : one thread per processor where None
    piece_samples : raw samples of a channel that are read at a time; where None, what is fastest

    Returns
    -------
    What the sink gives. int16 in gives int16 out with the same gain; all other types give float32.

    Raises
    ------
    BadParameters
        The factor is out of range.
    """
    main_filter = design_decimation(factor)
    side_filter = design_decimation(side.factor) if side else None
    chosen = tuple(range(len(source.channels))) if rows is None else tuple(rows)
    side_rows = side.rows if side else ()

    waits = _waits_for_disk(source, interval, chosen)
    if piece_samples is None:
        piece_samples = PIECE_FROM_DISK if waits else PIECE_SAMPLES
    parts: list[Span] = []
    pieces: list[Iterator[_Piece]] = []
    step = max(1, min(piece_samples // factor, _LARGEST_OUTPUT // max(1, len(chosen))))
    total = 0
    for number, span in enumerate(source.spans):
        part = decimated_span(span, factor).cut(interval)
        pieces.append(_pieces(number, span, total, factor, interval, side, step))
        if part is not None:
            parts.append(Span(part.start_s, part.n_samples, part.rate_hz, total))
            total += part.n_samples
    dtype = output_type(source.dtype)
    sink.open(tuple(source.channels[i] for i in chosen), tuple(parts), dtype)

    count = n_threads or available_processors()
    workers: SimpleQueue[_Worker] = SimpleQueue()
    for _ in range(count):
        workers.put(_Worker(source, main_filter, side_filter))

    def work(piece: _Piece, left: SimpleQueue[_Row]) -> None:
        # Each thread takes row after row: a job for each would wake the thread that waits for all
        # of them again and again.
        worker = workers.get()
        try:
            with suppress(Empty):
                while True:
                    worker.run(piece, *left.get_nowait())
        finally:
            workers.put(worker)

    def collect(piece: _Piece, main: Samples, aside: Samples, jobs: list[Future[None]]) -> None:
        for job in jobs:
            job.result()
        if main.shape[1]:
            sink.write(piece.first_sample, main)
        if side and aside.shape[1]:
            side.receive(piece.number, piece.side[0], aside)

    def expect(piece: _Piece) -> None:
        # Halos and the side output's few channels come with what lies beside them.
        start = piece.main[0] * factor
        n_samples = min(piece.main[1] * factor, piece.span.n_samples) - start
        if waits and isinstance(source, ReadsAhead) and n_samples > 0:
            source.expect(piece.span.first_sample + start, n_samples, chosen)

    under_way: tuple[_Piece, Samples, Samples, list[Future[None]]] | None = None
    coming = chain.from_iterable(pieces)
    with ThreadPoolExecutor(count) as pool:
        for piece, following in pairwise(chain(coming, (None,))):
            assert piece is not None
            main = np.empty((len(chosen), piece.main[1] - piece.main[0]), dtype)
            aside = np.empty((len(side_rows), piece.side[1] - piece.side[0]), np.float32)
            outs: dict[int, tuple[Samples | None, Samples | None]] = {}
            outs.update({row: (main[i], None) for i, row in enumerate(chosen)})
            for i, row in enumerate(side_rows):
                outs[row] = (outs.get(row, (None, None))[0], aside[i])
            left: SimpleQueue[_Row] = SimpleQueue()
            for row, out in outs.items():
                left.put((row, *out))
            jobs = [pool.submit(work, piece, left) for _ in range(min(count, len(outs)))]
            # The disk fetches what comes, and the threads have the next piece at hand, while this
            # one writes the last.
            if under_way is None:
                expect(piece)
            if following is not None:
                expect(following)
            if under_way is not None:
                collect(*under_way)
            under_way = (piece, main, aside, jobs)
        if under_way is not None:
            collect(*under_way)
    return sink.finish()


def _waits_for_disk(source: ArraySource, interval: Interval, rows: Sequence[int]) -> bool:
    return isinstance(source, ReadsAhead) and not all(
        source.is_at_hand(part.first_sample, part.n_samples, rows)
        for part in cut_spans(tuple(source.spans), interval)
    )


def available_processors() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _pieces(
    number: int,
    span: Span,
    first_sample: int,
    factor: int,
    interval: Interval,
    side: SideOutput | None,
    step: int,
) -> Iterator[_Piece]:
    """Pieces of one span, in order of time; the first is written at `first_sample`."""
    a, b = _range(span, factor, interval)
    c, d = _range(span, side.factor, side.interval) if side else (0, 0)
    if b <= a and d <= c:
        return
    cuts = [*range(a, b, step), b] if b > a else [a, a]
    for i, (start, stop) in enumerate(pairwise(cuts)):
        # The side output is cut where the main one is, its ends apart.
        ratio = factor / side.factor if side else 1.0
        early = c if i == 0 else min(max(int(start * ratio), c), d)
        late = d if i == len(cuts) - 2 else min(max(int(stop * ratio), c), d)
        yield _Piece(number, span, first_sample + start - a, (start, stop), (early, late))


def _range(span: Span, factor: int, interval: Interval) -> tuple[int, int]:
    """Offsets into the decimated span of the samples in an interval."""
    thin = decimated_span(span, factor)
    return thin.offset_at(interval.start_s), thin.offset_at(interval.stop_s)


class _Worker:
    """Reads and filters one channel's piece; for one thread at a time."""

    def __init__(
        self, source: ArraySource, main: DecimationFilter, side: DecimationFilter | None
    ) -> None:
        self._source = source
        self._main = Cascade(main)
        self._side = Cascade(side) if side else None
        self._buffer: NDArray[Any] = np.empty((1, 0), source.dtype)

    def run(
        self,
        piece: _Piece,
        row: int,
        main: Samples | None,
        side: NDArray[np.float32] | None,
    ) -> None:
        jobs: list[tuple[Cascade, tuple[int, int], Samples, tuple[int, int]]] = []
        wanted = ((self._main, piece.main, main), (self._side, piece.side, side))
        for cascade, (start, stop), out in wanted:
            if cascade is not None and out is not None and stop > start:
                jobs.append((cascade, (start, stop), out, cascade.window(start, stop)))
        if not jobs:
            return
        first = min(window[0] for *_, window in jobs)
        last = max(window[1] for *_, window in jobs)
        raw = workable(self._read(piece.span, row, first, last))
        for cascade, (start, stop), out, window in jobs:
            values = cascade.run(raw[window[0] - first : window[1] - first], stop - start)
            store(values, out)

    def _read(self, span: Span, row: int, first: int, last: int) -> NDArray[Any]:
        """Offsets `first` to `last` of the span, mirrored beyond its edges."""
        n_samples = last - first
        if self._buffer.shape[1] < n_samples:
            self._buffer = np.empty((1, n_samples), self._source.dtype)
        out = self._buffer[:, :n_samples]
        low, high = max(first, 0), min(last, span.n_samples)
        self._source.read(span.first_sample + low, out[:, low - first : high - first], [row])
        for start, stop in ((first, low), (high, last)):
            if stop > start:
                index = mirror_index(np.arange(start, stop), span.n_samples)
                a, b = int(index.min()), int(index.max()) + 1
                edge = np.empty((1, b - a), self._source.dtype)
                self._source.read(span.first_sample + a, edge, [row])
                out[0, start - first : stop - first] = edge[0, index - a]
        row_samples: NDArray[Any] = out[0]
        return row_samples
