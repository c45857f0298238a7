"""From the heads of a file's records to stretches that follow each other without a gap.

A record continues the one before when it comes within `tolerance_ticks` of where the samples before
it end; otherwise a new stretch begins. Which stretches are kept, and how they lie in time, is for
`wakeful.io.record_order` and `wakeful.io.frozen_rates`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.io.head_kernel import follow_each_other
from wakeful.io.record_order import (
    EMPTY,
    LONGEST_GAP_S,
    SetApart,
    TickSpan,
    TimeTable,
    put_in_order,
)
from wakeful.io.stretches import Clock, Fault, Findings, ReadTicks, Stretch
from wakeful.model.errors import BadRecording

__all__ = [
    "EMPTY",
    "LONGEST_GAP_S",
    "MAX_RUNS",
    "Clock",
    "Findings",
    "Judge",
    "ReadTicks",
    "SetApart",
    "SpanFinder",
    "Stamps",
    "TickSpan",
    "TimeTable",
]

MAX_RUNS = 100_000
"""More breaks than this in one file are damage, not gaps; also what keeps memory bounded."""


@dataclass(frozen=True, slots=True)
class Stamps:
    """Heads of consecutive records, one entry a record."""

    ticks: NDArray[np.int64]
    n_valid: NDArray[np.int64]
    fault: NDArray[np.uint8]
    """0 where the head is sound, else the number of a reason."""


Judge = Callable[[NDArray[np.void]], Stamps]
"""Heads as they are stored -> what they say, and which are not sound."""


class SpanFinder:
    """Takes the heads of a file's records piece by piece; memory grows with the gaps only.

    Parameters
    ----------
    samples_per_record : samples in a full record
    clock : rate and resolution of the time stamps
    reasons : what the fault numbers 1, 2, ... mean
    where : the file, for errors
    so_far : what was found in its first records, to go on from there
    """

    def __init__(
        self,
        samples_per_record: int,
        clock: Clock,
        reasons: tuple[str, ...],
        where: str,
        so_far: Findings | None = None,
    ) -> None:
        self._per = samples_per_record
        self._clock = clock
        self._reasons = reasons
        self._where = where
        found = so_far or Findings((), (), 0, False)
        self._stretches = list(found.stretches)
        self._faults = list(found.faults)
        self._n_records = found.n_records
        self._open = found.open

    @property
    def n_records(self) -> int:
        """How many records were taken in."""
        return self._n_records

    @property
    def last(self) -> Stretch | None:
        """The stretch that the next record may continue; None where it can't continue one."""
        if not self._stretches or not self._open:
            return None
        last = self._stretches[-1]
        return last if last.last_n == self._per else None

    def add(self, stamps: Stamps) -> None:
        """The next records of the file.

        Raises
        ------
        BadRecording
            More than `MAX_RUNS` breaks: the time stamps are damaged.
        """
        ticks, n_valid = stamps.ticks, stamps.n_valid
        if len(ticks) == 0:
            return
        if self._add_run(stamps):
            return
        good = (stamps.fault == 0) & (n_valid > 0)
        follows = np.empty(len(ticks), bool)
        late = np.diff(ticks) - n_valid[:-1] * self._clock.period_ticks
        follows[1:] = (
            good[1:]
            & good[:-1]
            & (n_valid[:-1] == self._per)
            & (np.abs(late) <= self._clock.tolerance_ticks)
        )
        last = self.last
        follows[0] = (
            last is not None
            and bool(good[0])
            and abs(int(ticks[0]) - last.last_tick - self._per * self._clock.period_ticks)
            <= self._clock.tolerance_ticks
        )
        starts = np.flatnonzero(good & ~follows)
        if follows[0]:
            starts = np.concatenate([[0], starts])
        stops = np.flatnonzero(good & ~np.append(follows[1:], False)) + 1
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            if not follows[start]:
                self._begin(start, int(ticks[start]))
            self._extend(stop - start, int(ticks[stop - 1]), int(n_valid[stop - 1]))
        self._note_faults(stamps)
        self._n_records += len(ticks)
        self._open = bool(good[-1])
        self._check_number()

    def _add_run(self, stamps: Stamps) -> bool:
        """Take records in that all follow each other, as nearly all do; whether they did."""
        ticks, n_valid, clock = stamps.ticks, stamps.n_valid, self._clock
        period, tolerance = clock.period_ticks, clock.tolerance_ticks
        if not follow_each_other(ticks, n_valid, stamps.fault, self._per, period, tolerance):
            return False
        first, last = int(ticks[0]), self.last
        if last is None or abs(first - last.last_tick - self._per * period) > tolerance:
            self._begin(0, first)
        self._extend(len(ticks), int(ticks[-1]), int(n_valid[-1]))
        self._n_records += len(ticks)
        self._open = True
        self._check_number()
        return True

    def add_even(self, n_records: int, last_tick: int, last_n: int) -> None:
        """The next records of the file, of which it is known that each follows the one before.

        Parameters
        ----------
        last_tick, last_n : time stamp and number of samples of the last of them; the others are
            full
        """
        self._extend(n_records, last_tick, last_n)
        self._n_records += n_records

    def _begin(self, offset: int, tick: int) -> None:
        self._stretches.append(Stretch(self._n_records + offset, 0, 0, tick, tick, 0))

    def _extend(self, n_records: int, last_tick: int, last_n: int) -> None:
        # Inside a stretch all records but the last are full.
        last = self._stretches[-1]
        self._stretches[-1] = Stretch(
            last.first_record,
            last.n_records + n_records,
            last.n_samples + self._per * (n_records - 1) + last_n,
            last.first_tick,
            last_tick,
            last_n,
            last.file,
        )

    def _note_faults(self, stamps: Stamps) -> None:
        faulty = np.flatnonzero(stamps.fault)
        if len(faulty) == 0:
            return
        codes = stamps.fault[faulty]
        edges = np.flatnonzero((np.diff(faulty) > 1) | (np.diff(codes) != 0)) + 1
        for part, code in zip(
            np.split(faulty, edges), codes[np.concatenate([[0], edges])].tolist(), strict=True
        ):
            first = self._n_records + int(part[0])
            if self._faults:
                before = self._faults[-1]
                if before.first_record + before.n_records == first and before.code == code:
                    self._faults[-1] = Fault(
                        before.first_record, before.n_records + len(part), code
                    )
                    continue
            self._faults.append(Fault(first, len(part), code))

    def _check_number(self) -> None:
        if len(self._stretches) + len(self._faults) > MAX_RUNS:
            raise BadRecording(
                f"the time stamps break off more than {MAX_RUNS:,} times",
                where=self._where,
                remedy="the file is damaged: copy it again, or leave it out of the folder",
            )

    def findings(self) -> Findings:
        """What was found so far, to be kept and gone on from."""
        return Findings(tuple(self._stretches), tuple(self._faults), self._n_records, self._open)

    def finish(self, read_ticks: ReadTicks | None = None) -> TimeTable:
        """The file's stretches in order of time, after the last record.

        Parameters
        ----------
        read_ticks : gives the time stamps of records; needed where stamps are measured, not
            counted
        """
        return put_in_order((self.findings(),), self._per, self._clock, self._reasons, read_ticks)
