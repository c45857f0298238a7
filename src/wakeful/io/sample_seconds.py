"""From sample numbers and time stamps in seconds to spans (Open Ephys binary).

Where the acquisition synchronised its devices, `timestamps.npy` holds a time in seconds for every
sample: rate and start of a span are fitted to them as to any other time stamps
(`wakeful.io.frozen_rates`). Where the seconds make no sense, sample numbers and the nominal rate
count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wakeful.io.frozen_rates import RATE_HEADS, RATE_S, Line, LineFitter, Part, fit_line
from wakeful.io.npy_files import NpyFile
from wakeful.io.record_order import Segment, TimeTable
from wakeful.io.sample_numbers import Stretch, join_stretches
from wakeful.io.stretches import Clock
from wakeful.io.stretches import Stretch as Records

_TICKS_PER_S = 1e9
_MAX_S = 9e8
"""Twenty-eight years in seconds: more is damage."""

_MAX_DRIFT = 0.005
_MAX_RMS_S = 1e-3
_MAX_MOVE_S = 0.5
"""A clock that is set by more at once has lost its sense, not moved."""

_SLACK_S = 2e-3
_MAX_SKEW = 1e-5
"""How far a span's rate may drift from that of its beginning."""


@dataclass(frozen=True, slots=True)
class NumberSpan:
    """Samples whose numbers follow each other, on one line in time."""

    number: int
    """Of the first sample."""
    n_samples: int
    start_s: float
    """On the acquisition's clock."""
    rate_hz: float
    fitted: bool
    """Whether the rate comes from time stamps in seconds."""

    @property
    def end(self) -> int:
        """The number that would follow."""
        return self.number + self.n_samples

    @property
    def stop_s(self) -> float:
        """When the sample after the last would have come."""
        return self.start_s + self.n_samples / self.rate_hz


@dataclass(frozen=True)
class Placed:
    """The spans of one stream."""

    spans: tuple[NumberSpan, ...]
    settled_s: float
    """Before what time of the acquisition's clock none of them changes when more is written."""
    warnings: tuple[str, ...]


def place_stretches(
    kept: Sequence[Stretch], seconds: Sequence[NpyFile | None], nominal_hz: float
) -> Placed:
    """When samples were taken.

    Parameters
    ----------
    kept : in order of their numbers
    seconds : time stamps of each of the files; None where a file has none

    Returns
    -------
    Spans that never overlap, each as far from the last as both clocks agree on. Seconds are not
    used where they name a rate more than 0.5 % from the nominal one, or scatter by more than 1 ms
    about a line, as before clocks were synchronised. Where seconds and sample numbers disagree
    about the length of a gap, the numbers count.
    """
    clock = Clock(
        ticks_per_s=_TICKS_PER_S,
        rate_hz=nominal_hz,
        period_ticks=_TICKS_PER_S / nominal_hz,
        tolerance_ticks=0.0,
    )
    placing = _Placing(seconds, clock, LineFitter(1, clock))
    placed: list[NumberSpan] = []
    known_hz: float | None = None
    settled_s = 0.0
    for group in join_stretches(kept):
        settled_s = placed[-1].stop_s if placed else -math.inf
        spans, fixed_s = placing.place(group)
        if spans[0].fitted:
            known_hz = spans[-1].rate_hz
        elif known_hz is not None:
            spans = [replace(span, rate_hz=known_hz) for span in spans]
        shift_s = placing.check_gap(placed[-1], spans[0]) if placed else 0.0
        for span in spans:
            start_s = span.start_s + shift_s
            # Two fitted lines may cross by a fraction of a sample.
            start_s = max(start_s, placed[-1].stop_s) if placed else start_s
            placed.append(replace(span, start_s=start_s))
        settled_s = max(settled_s, fixed_s + shift_s)
    return Placed(tuple(placed), settled_s, tuple(placing.warnings()))


class _Placing:
    def __init__(self, seconds: Sequence[NpyFile | None], clock: Clock, fitter: LineFitter) -> None:
        self._seconds = seconds
        self._clock = clock
        self._fitter = fitter
        self._refused: dict[str, None] = {}
        self._worst_s = 0.0
        self._odd = False
        self._n_moved = 0

    def place(self, group: tuple[Stretch, ...]) -> tuple[list[NumberSpan], float]:
        """The spans of stretches that continue each other; up to when they are final."""
        number, n_samples = group[0].number, sum(s.n_samples for s in group)
        nominal_hz = self._clock.rate_hz
        plain = NumberSpan(number, n_samples, number / nominal_hz, nominal_hz, fitted=False)
        if any(
            (file := self._seconds[s.file]) is None or file.n_items < s.first_frame + s.n_samples
            for s in group
        ):
            return [plain], plain.stop_s
        if not self._make_sense(group, n_samples):
            long_enough = n_samples > RATE_S * nominal_hz
            return [plain], plain.stop_s if long_enough else -math.inf
        lines, settled = self._fitter.fit(self._make_part(group, n_samples))
        return self._to_spans(plain, lines), settled / _TICKS_PER_S

    def _make_sense(self, group: tuple[Stretch, ...], n_samples: int) -> bool:
        n = min(n_samples, math.ceil(RATE_S * self._clock.rate_hz))
        x = np.unique(np.arange(RATE_HEADS) * (n - 1) // (RATE_HEADS - 1))
        found = [self._pick(s.file, inside) for s, inside in _spread(group, x)]
        seconds = np.concatenate(found)
        # Not a number fails both comparisons.
        if not ((seconds >= 0) & (seconds < _MAX_S)).all():
            return False
        ticks = np.round((seconds - seconds[0]) * _TICKS_PER_S).astype(np.int64)
        _, _, slope, error, rms = fit_line(x.tolist(), ticks.tolist(), self._clock)
        nominal = self._clock.nominal_ticks
        if math.isfinite(error) and error < nominal and abs(slope) > _MAX_DRIFT * nominal + error:
            self._refused["name another rate than the recording's"] = None
            return False
        if rms > _MAX_RMS_S * _TICKS_PER_S:
            text = f"scatter by {rms / 1e6:.3g} ms (root mean square) about a steady rate"
            self._refused[text] = None
            return False
        return True

    def _pick(self, file: int, frames: NDArray[np.int64]) -> NDArray[np.float64]:
        array = self._seconds[file]
        assert array is not None
        return array.pick(frames).astype(np.float64)

    def _read_ticks(self, file: int, records: NDArray[np.int64]) -> NDArray[np.int64]:
        seconds = self._pick(file, records)
        sound = np.where((seconds >= 0) & (seconds < _MAX_S), seconds, 0.0)
        return np.round(sound * _TICKS_PER_S).astype(np.int64)

    def _make_part(self, group: tuple[Stretch, ...], n_samples: int) -> Part:
        """Every sample a record of its own, with a time stamp."""
        edges = [
            self._read_ticks(s.file, np.array([s.first_frame, s.first_frame + s.n_samples - 1]))
            for s in group
        ]
        stretches = tuple(
            Records(s.first_frame, s.n_samples, s.n_samples, int(first), int(last), 1, s.file)
            for s, (first, last) in zip(group, edges, strict=True)
        )
        first, end = stretches[0].first_tick, stretches[-1].last_tick + self._clock.nominal_ticks
        segment = Segment(first, end, n_samples, 0, 0, len(stretches))
        table = TimeTable(first, self._clock, stretches, (segment,), (), (), 0, -math.inf)
        return Part(table, self._read_ticks, segment, 0, n_samples)

    def _to_spans(self, plain: NumberSpan, lines: Sequence[Line]) -> list[NumberSpan]:
        """Lines as spans; once the seconds lose their sense, the last sound line goes on."""
        spans: list[NumberSpan] = []
        for line in lines:
            start_s = line.anchor_tick / _TICKS_PER_S + line.start_ticks / _TICKS_PER_S
            rate_hz = _TICKS_PER_S / line.period_ticks
            # Time stamps that were made from sample numbers name the nominal rate but for rounding.
            if abs(rate_hz / plain.rate_hz - 1) < 1e-10:
                rate_hz = plain.rate_hz
            number = plain.number + line.first_sample
            span = NumberSpan(number, line.n_samples, start_s, rate_hz, fitted=True)
            if not self._follows(spans[-1] if spans else None, span):
                self._odd = True
                if not spans:
                    return [plain]
                spans[-1] = replace(spans[-1], n_samples=plain.end - spans[-1].number)
                break
            self._n_moved += line.moved_ticks != 0
            spans.append(span)
        return spans

    def _follows(self, last: NumberSpan | None, span: NumberSpan) -> bool:
        """Whether a line can be one of a clock that moves a little."""
        if span.rate_hz <= 0 or abs(span.rate_hz / self._clock.rate_hz - 1) > _MAX_DRIFT:
            return False
        if last is None:
            return True
        # Where the clock moved back, samples that would lie in time already taken are left out.
        left_out_s = (span.number - last.end) / self._clock.rate_hz
        due_s = last.start_s + (span.number - last.number) / last.rate_hz
        return left_out_s < _MAX_MOVE_S and abs(span.start_s - due_s) < _MAX_MOVE_S

    def check_gap(self, last: NumberSpan, span: NumberSpan) -> float:
        """How far a span is moved so that the gap before it is as long as its numbers say."""
        due_s = last.start_s + (span.number - last.number) / last.rate_hz
        slack_s = _SLACK_S + _MAX_DRIFT * (due_s - last.stop_s) + _MAX_SKEW * (due_s - last.start_s)
        off_s = abs(span.start_s - due_s)
        if off_s <= slack_s:
            return 0.0
        self._worst_s = max(self._worst_s, off_s)
        return due_s - span.start_s

    def warnings(self) -> list[str]:
        """What a person must know."""
        found = [
            f"time stamps in seconds {why}: the nominal rate and sample numbers are used"
            for why in self._refused
        ]
        if self._n_moved:
            found.append(
                "time stamps in seconds move against the samples by more than 2 ms, a new span "
                f"begins there: {self._n_moved:,} times"
            )
        if self._odd:
            found.append("time stamps in seconds lose their sense: the rate before is kept")
        if self._worst_s:
            found.append(
                f"time stamps in seconds and sample numbers disagree by up to {self._worst_s:.3g} "
                "s about the length of gaps: sample numbers are used"
            )
        return found


def _spread(
    group: tuple[Stretch, ...], numbers: NDArray[np.int64]
) -> list[tuple[Stretch, NDArray[np.int64]]]:
    """Samples of the group, counted from its first, as frames of their stretches."""
    found: list[tuple[Stretch, NDArray[np.int64]]] = []
    begin = 0
    for stretch in group:
        inside = numbers[(numbers >= begin) & (numbers < begin + stretch.n_samples)] - begin
        begin += stretch.n_samples
        if len(inside):
            found.append((stretch, inside + stretch.first_frame))
    return found
