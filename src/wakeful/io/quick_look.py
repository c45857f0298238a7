"""Finding the gaps of a large file without reading all of it.

The heads of records lie a kilobyte apart, so a day of 64 channels has 354 GB of pages with heads in
them. But where the time stamps of two records differ by what the samples between them take, these
follow each other, unless what went wrong between them cancels out. So heads are read in strides;
where one does not fit, in between, and at last one after the other: there the rule is the same as
that of reading them all (`SpanFinder`).

A stride can only be judged by a rate that is known as far: time stamps that jitter by a microsecond
give it over the first `FINE` records to so much that a lost sample could hide in `STRIDE` of them.
So the first heads are read one after the other, and no stride is longer than what the rate was
measured over.

What cancels out inside a stride (a damaged head between sound ones; a short record before a gap of
just what it lacks; a step ahead and back) is seen when the samples are read, as every head then
passes by (`wakeful.io.head_check`), and from then on the file is read in full.
"""

from __future__ import annotations

from collections.abc import Sequence

from wakeful.io.heads import HeadReader
from wakeful.io.record_times import Judge, SpanFinder
from wakeful.io.stretches import Clock, Stretch

STRIDE = 4096
"""Records from one head to the next."""

FINE = 256
"""Records from one head to the next where a stride does not fit; one after the other below."""

SUSPICIOUS_SAMPLES = 0.25
SUSPICIOUS_TICKS = 2.0
"""Two heads this much further apart or nearer than at the rate before are looked between: a third
of what makes a gap, so that a slow change of the rate can't hide one."""

_STRIDES_AT_ONCE = (8, 512)
"""Strides read ahead after one that did not fit, and at most: twice as many each time."""

_SHORT_STRIDES_AT_ONCE = 3
"""The same for strides shorter than `STRIDE`: what is known grows fourfold each time."""


class QuickLook:
    """Takes a file's records into a `SpanFinder`, few of them one by one.

    Parameters
    ----------
    period_ticks : ticks between samples as last seen over a whole stride; None at first
    """

    def __init__(
        self,
        heads: HeadReader,
        judge: Judge,
        finder: SpanFinder,
        clock: Clock,
        period_ticks: float | None = None,
    ) -> None:
        self._heads = heads
        self._judge = judge
        self._finder = finder
        self._per = heads.layout.samples_per_record
        self._limit = SUSPICIOUS_SAMPLES * clock.period_ticks + SUSPICIOUS_TICKS
        self.period_ticks = period_ticks
        self._ahead = _STRIDES_AT_ONCE[0]
        self._n_known = 0
        """Records over which the period was measured."""
        if period_ticks is not None:
            known = (stretch.n_records - 1 for stretch in finder.findings().stretches)
            self._n_known = max(FINE, max(known, default=0))

    def take(self, n_records: int) -> None:
        """Take in all records of the file up to a number.

        Raises
        ------
        BadRecording
            The time stamps are damaged.
        """
        finder = self._finder
        while finder.n_records < n_records:
            if self.period_ticks is None:
                n_more = STRIDE if finder.n_records else FINE + 1
                self._read_all(min(n_records, finder.n_records + n_more))
                self._learn_period(finder.findings().stretches)
            elif finder.last is None:
                self._read_all(min(n_records, finder.n_records + FINE))
            else:
                self._stride(n_records)

    def _read_all(self, stop: int) -> None:
        finder = self._finder
        while finder.n_records < stop:
            upto = min(stop, finder.n_records + STRIDE)
            finder.add(self._judge(self._heads.between(finder.n_records, upto)))

    def _learn_period(self, found: Sequence[Stretch]) -> None:
        """From the longest stretch so far, where it is long enough to tell."""
        longest = max(found, key=lambda s: s.n_records, default=None)
        if longest is not None and longest.n_records > max(FINE, self._n_known + 1):
            self._n_known = longest.n_records - 1
            n_samples = self._n_known * self._per
            self.period_ticks = (longest.last_tick - longest.first_tick) / n_samples

    def _stride(self, n_records: int) -> None:
        """Go on in strides, and look closer where one does not fit."""
        first = self._finder.n_records - 1
        stride = min(STRIDE, self._n_known)
        ahead = self._ahead if stride == STRIDE else _SHORT_STRIDES_AT_ONCE
        knots = list(range(first + stride, n_records, stride)[:ahead])
        if not knots or (len(knots) < ahead and knots[-1] < n_records - 1):
            knots.append(n_records - 1)
        fitted = not self._walk(knots)
        if stride < STRIDE and self._finder.last is not None:
            self._learn_period((self._finder.last,))
        if fitted:
            self._ahead = min(2 * self._ahead, _STRIDES_AT_ONCE[1])
            return
        self._ahead = _STRIDES_AT_ONCE[0]
        # A stride did not fit: its parts are looked at, and those one by one that do not fit.
        first = self._finder.n_records - 1
        stop = min(first + stride, n_records - 1)
        before = self._finder.last
        start_tick = before.last_tick if before is not None else 0
        fits = before is not None
        while self._finder.n_records - 1 < stop:
            here = self._finder.n_records - 1
            fine = [*range(here + FINE, stop, FINE), stop]
            if self._finder.last is None or self._walk(fine, learn=False):
                fits = False
                self._read_all(min(stop + 1, self._finder.n_records + FINE))
        last = self._finder.last
        if fits and last is not None and stop - first == STRIDE:
            self.period_ticks = (last.last_tick - start_tick) / (STRIDE * self._per)

    def _walk(self, knots: list[int], *, learn: bool = True) -> bool:
        """From knot to knot as far as they fit; whether one did not."""
        finder = self._finder
        stamps = self._judge(self._heads.at(knots))
        assert self.period_ticks is not None
        for knot, tick, n_valid, fault in zip(
            knots,
            stamps.ticks.tolist(),
            stamps.n_valid.tolist(),
            stamps.fault.tolist(),
            strict=True,
        ):
            last = finder.last
            if last is None or fault or n_valid == 0:
                return True
            n = knot - (finder.n_records - 1)
            late = tick - last.last_tick - n * self._per * self.period_ticks
            if abs(late) > self._limit:
                return True
            finder.add_even(n, tick, n_valid)
            if learn and n == STRIDE and n_valid == self._per:
                self.period_ticks = (tick - last.last_tick) / (n * self._per)
        return False


def look_at_all(heads: HeadReader, judge: Judge, finder: SpanFinder, n_records: int) -> None:
    """Take in the head of every record up to a number.

    Raises
    ------
    BadRecording
        The time stamps are damaged.
    """
    while finder.n_records < n_records:
        stop = min(n_records, finder.n_records + STRIDE)
        finder.add(judge(heads.between(finder.n_records, stop)))
