"""Files of one acquisition, whose records have the same time stamps, are looked into once.

What a scan finds depends on the heads it looks at and on nothing else. So a file that is as long as
one scanned before, and whose heads are the same at every place where that one was looked at, has
the same stretches, gaps and faults: its heads are read and compared, and the work on them is left
out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wakeful.io.head_kernel import same_but_for
from wakeful.io.heads import HeadReader, Seen
from wakeful.io.scan_memory import Scan

_MOST_HEADS = 20_000
"""A scan that looked at more is not kept: reading them again is most of the work."""
_MOST_KEPT = 4
"""Acquisitions have a few kinds of files that are the same throughout."""


_CHANNEL = 2
"""The word of a head that numbers the channel."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Kept:
    n_records: int
    rate_hz: float | None
    dense: tuple[int, int]
    """The records that were read one after the other."""
    numbers: NDArray[np.int64]
    """Those that were read here and there."""
    run: NDArray[np.uint32]
    """Heads of the former, (n, 5): two words of time stamp, channel, rate, number of samples."""
    apart: NDArray[np.uint32]
    """Heads of the latter."""
    scan: Scan


class TwinScans:
    """Scans of the files opened so far, for those that turn out to be the same.

    Safe to use from several threads at once: the worst that can happen is that two of them do the
    same work.
    """

    def __init__(self) -> None:
        self._kept: tuple[_Kept, ...] = ()

    def find(self, heads: HeadReader, n_records: int, rate_hz: float | None) -> Scan | None:
        """What is known of a file that is the same at all places looked at.

        Parameters
        ----------
        n_records : how many records it holds
        rate_hz : the nominal rate that its header names
        """
        for kept in self._kept:
            if (kept.n_records, kept.rate_hz) != (n_records, rate_hz):
                continue
            run, apart = _words(heads.between(*kept.dense)), _words(heads.at(kept.numbers))
            channel = int(run[0, _CHANNEL])
            if same_but_for(run, kept.run, _CHANNEL, channel) and (
                same_but_for(apart, kept.apart, _CHANNEL, channel)
            ):
                return replace(kept.scan, channel=channel)
        return None

    def keep(self, seen: Seen, rate_hz: float | None, scan: Scan) -> None:
        """Keep a scan with what it looked at, where others can profit from it.

        Parameters
        ----------
        seen : the heads that were read for it
        """
        if len(self._kept) >= _MOST_KEPT or seen.n_heads > _MOST_HEADS or scan.warnings:
            return
        dense, run, numbers, apart = seen.gather()
        if not (
            (run["channel"] == scan.channel).all() and (apart["channel"] == scan.channel).all()
        ):
            return
        kept = _Kept(
            n_records=scan.findings.n_records,
            rate_hz=rate_hz,
            dense=dense,
            numbers=numbers,
            run=_words(run),
            apart=_words(apart),
            scan=scan,
        )
        self._kept = (*self._kept, kept)


def _words(heads: NDArray[np.void]) -> NDArray[np.uint32]:
    return heads.view(np.uint32).reshape(len(heads), heads.dtype.itemsize // 4)
