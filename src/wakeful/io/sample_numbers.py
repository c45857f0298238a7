"""From a number for every sample to gap-free spans (Open Ephys binary).

The acquisition counts samples from its own start and writes the number of each: where numbers jump,
samples are missing. What counts is decided looking back by no more than `LOOK_BACK_S`, so that the
spans of a recording that is being written are those it has when it is whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wakeful.io.npy_files import NpyFile
from wakeful.io.record_times import LONGEST_GAP_S, MAX_RUNS, RATE_ERROR_MAX, LineFit
from wakeful.model.errors import BadRecording

LOOK_BACK_S = 1.0
"""Shorter stretches whose numbers run ahead and come back again are damage; longer ones are kept,
and what steps back behind them is not."""

FIT_S = 3600.0
"""The rate of a span is fitted to its first hour: it is then final while more is being written."""

_FIT_POINTS = 512
_MAX_DRIFT = 0.005
_MAX_RMS_S = 1e-3
_SLACK_S = 2e-3
_MAX_S = 1e10
"""Three hundred years: more is damage."""
_MAX_SKEW = 1e-5
"""How far a span's rate may drift from that of its first hour."""

JUMPS = "sample numbers jump ahead and back"
STEPS_BACK = "sample numbers step back over time that was recorded already"
FAR = "sample numbers more than 31 days away from the rest"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive samples of one file whose numbers follow each other."""

    file: int
    """Which of the files, in their order."""
    first_frame: int
    n_samples: int
    number: int
    """Of its first sample."""

    @property
    def end(self) -> int:
        """The number that would follow."""
        return self.number + self.n_samples


@dataclass(frozen=True, slots=True)
class Apart:
    """Samples that are not used, and why."""

    stretch: Stretch
    reason: str


def find_stretches(pieces: Iterable[NDArray[np.int64]], where: str) -> list[Stretch]:
    """Where the numbers of one file break off.

    Parameters
    ----------
    pieces : the file's numbers in order
    where : the file, for errors

    Raises
    ------
    BadRecording
        They break off more than `MAX_RUNS` times: the file is damaged.
    """
    found: list[Stretch] = []
    first_frame = frame = number = last = 0
    for piece in pieces:
        if not len(piece):
            continue
        if frame == 0:
            number = int(piece[0])
        elif int(piece[0]) != last + 1:
            found.append(Stretch(0, first_frame, frame - first_frame, number))
            first_frame, number = frame, int(piece[0])
        # Subtraction wraps for damaged numbers; what wraps to exactly one would be the next.
        for at in (np.flatnonzero(np.diff(piece) != 1) + 1).tolist():
            found.append(Stretch(0, first_frame, frame + at - first_frame, number))
            first_frame, number = frame + at, int(piece[at])
            if len(found) > MAX_RUNS:
                raise BadRecording(
                    f"sample numbers break off more than {MAX_RUNS:,} times",
                    where=where,
                    remedy="the file is damaged: copy it again, or leave it out of the folder",
                )
        frame += len(piece)
        last = int(piece[-1])
    if frame:
        found.append(Stretch(0, first_frame, frame - first_frame, number))
    return found


def keep_in_order(
    stretches: Sequence[Stretch], rate_hz: float
) -> tuple[list[Stretch], list[Apart]]:
    """Stretches whose numbers grow, and those that contradict them."""
    short = LOOK_BACK_S * rate_hz
    longest = LONGEST_GAP_S * rate_hz
    kept: list[Stretch] = []
    apart: list[Apart] = []
    for stretch in stretches:
        while (
            kept
            and stretch.number < kept[-1].end
            and kept[-1].n_samples < min(short, stretch.n_samples)
            and (len(kept) == 1 or stretch.number >= kept[-2].end)
        ):
            apart.append(Apart(kept.pop(), JUMPS))
        if not kept:
            kept.append(stretch)
            continue
        over = kept[-1].end - stretch.number
        if -over > longest:
            apart.append(Apart(stretch, FAR))
        elif over <= 0:
            kept.append(stretch)
        elif over >= stretch.n_samples:
            apart.append(Apart(stretch, STEPS_BACK))
        else:
            apart.append(Apart(replace(stretch, n_samples=over), STEPS_BACK))
            kept.append(
                replace(
                    stretch,
                    first_frame=stretch.first_frame + over,
                    n_samples=stretch.n_samples - over,
                    number=stretch.number + over,
                )
            )
    return kept, apart


@dataclass(frozen=True, slots=True)
class NumberSpan:
    """Stretches that continue each other, and when they were taken."""

    number: int
    """Of the first sample."""
    n_samples: int
    start_s: float
    """On the acquisition's clock."""
    rate_hz: float
    fitted: bool
    """Whether the rate comes from time stamps in seconds."""


def join_stretches(kept: Sequence[Stretch]) -> Iterator[tuple[Stretch, ...]]:
    """Those that continue each other (from file to file, or around what was set apart)."""
    group: list[Stretch] = []
    for stretch in kept:
        if group and stretch.number != group[-1].end:
            yield tuple(group)
            group = []
        group.append(stretch)
    if group:
        yield tuple(group)


@dataclass
class Seconds:
    """Time stamps in seconds beside the sample numbers, one .npy a file; None where it has none."""

    files: Sequence[NpyFile | None]
    warnings: list[str]

    def place(self, group: Sequence[Stretch], nominal_hz: float) -> NumberSpan:
        """Fit a span's start and rate to its time stamps, where there are any that make sense.

        Not sensible are: a rate more than 0.5 % from the nominal one, or time stamps that scatter
        by more than 1 ms about a line, as before the clocks were synchronised.
        """
        number, n_samples = group[0].number, sum(s.n_samples for s in group)
        plain = NumberSpan(number, n_samples, number / nominal_hz, nominal_hz, fitted=False)
        x, seconds = self._sample(group, nominal_hz)
        # Not a number fails both comparisons.
        if len(x) < 2 or not ((seconds >= 0) & (seconds < _MAX_S)).all():
            return plain
        fit = LineFit()
        fit.add(x, seconds - seconds[0] - x / nominal_hz)
        period = 1 / nominal_hz + fit.slope
        if period <= 0 or abs(1 / (period * nominal_hz) - 1) > _MAX_DRIFT:
            return self._refuse(plain, "name another rate than the recording's")
        if fit.rms > _MAX_RMS_S:
            return self._refuse(
                plain, f"wander by {fit.rms * 1e3:.3g} ms (root mean square) about a steady rate"
            )
        # A span too short for a rate of its own still has its place.
        exact = fit.slope_error(1e-6) <= RATE_ERROR_MAX / nominal_hz
        slope = fit.slope if exact else 0.0
        start_s = float(seconds[0]) + fit.mean_d - slope * fit.mean_x
        rate_hz = 1 / (1 / nominal_hz + slope)
        if abs(rate_hz / nominal_hz - 1) < 1e-10:
            rate_hz = nominal_hz
        return NumberSpan(number, n_samples, start_s, rate_hz, fitted=exact)

    def _refuse(self, plain: NumberSpan, why: str) -> NumberSpan:
        text = f"time stamps in seconds {why}: the nominal rate and sample numbers are used"
        if text not in self.warnings:
            self.warnings.append(text)
        return plain

    def _sample(
        self, group: Sequence[Stretch], nominal_hz: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Evenly spread samples of the first hour: (number in the span, seconds)."""
        n_samples = min(sum(s.n_samples for s in group), math.ceil(FIT_S * nominal_hz))
        x = np.unique(np.linspace(0, n_samples - 1, min(_FIT_POINTS, n_samples)).astype(np.int64))
        parts: list[NDArray[np.float64]] = []
        begin = 0
        for stretch in group:
            inside = x[(x >= begin) & (x < begin + stretch.n_samples)] - begin
            begin += stretch.n_samples
            file = self.files[stretch.file]
            if not len(inside):
                continue
            places = inside + stretch.first_frame
            if file is None or places[-1] >= file.n_items:
                return np.empty(0), np.empty(0)
            parts.append(file.pick(places).astype(np.float64))
        return x.astype(np.float64), np.concatenate(parts)


def place_in_order(spans: Sequence[NumberSpan], warnings: list[str]) -> list[NumberSpan]:
    """Spans that never overlap, each as far from the last as both clocks agree on.

    A span without a rate of its own takes that of the last one before it that has one. Where time
    stamps in seconds contradict the sample numbers, the sample numbers count.
    """
    placed: list[NumberSpan] = []
    known_hz: float | None = None
    worst_s = 0.0
    for span in spans:
        if span.fitted:
            known_hz = span.rate_hz
        elif known_hz is not None:
            span = replace(span, rate_hz=known_hz)
        if placed:
            last = placed[-1]
            stop_s = last.start_s + last.n_samples / last.rate_hz
            due_s = last.start_s + (span.number - last.number) / last.rate_hz
            off_s = abs(span.start_s - due_s)
            if off_s > _SLACK_S + _MAX_DRIFT * (due_s - stop_s) + _MAX_SKEW * (
                due_s - last.start_s
            ):
                worst_s = max(worst_s, off_s)
                span = replace(span, start_s=due_s)
            # Two fitted lines may cross by a fraction of a sample.
            span = replace(span, start_s=max(span.start_s, stop_s))
        placed.append(span)
    if worst_s:
        warnings.append(
            f"time stamps in seconds and sample numbers disagree by up to {worst_s:.3g} s about "
            "the length of gaps: sample numbers are used"
        )
    return placed
