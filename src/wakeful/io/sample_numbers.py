"""From a number for every sample to gap-free spans (Open Ephys binary).

The acquisition counts samples from its own start and writes the number of each: where numbers jump,
samples are missing. What counts is decided looking back by no more than `LOOK_BACK_S`, so that the
spans of a recording that is being written are those it has when it is whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wakeful.io.record_times import LONGEST_GAP_S, MAX_RUNS
from wakeful.model.errors import BadRecording

LOOK_BACK_S = 1.0
"""Shorter stretches whose numbers run ahead and come back again are damage; longer ones are kept,
and what steps back behind them is not."""

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
