"""Every head that passes by while samples are read is looked at once more.

Opening a large file looks at few of its heads (`wakeful.io.quick_look`), and a file may change
after it was opened. So records that are read for their samples must be what the opening took them
for: full, of the same channel and rate, each following the one before. A record that is not is an
error at once, and the file is read in full when it is next opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wakeful.io.scan_notes import doubt_quick_look
from wakeful.model.errors import BadRecording

_WHAT = {
    1: "is of another channel or rate than the rest of the file",
    2: "does not hold the samples it should",
    3: "does not come when the record before it ends",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadCheck:
    """What the heads of a channel's records must be, all of one run.

    A head is: time stamp (uint64), channel, rate, number of valid samples (uint32 each).
    """

    channel: int
    rate: int
    samples_per_record: int
    period_ticks: float
    tolerance_ticks: float
    scans: Path | None
    """Where it is noted that a file must be read in full; None for nowhere."""
    quick: bool
    """Whether the file was opened by looking at few heads."""

    def verify(
        self, stored: NDArray[np.uint8], path: Path, first_record: int, n_last: int | None = None
    ) -> None:
        """Look at the heads of consecutive records as they were read.

        Parameters
        ----------
        stored : (n_records, bytes of a record), contiguous
        path, first_record : where they were read, for the error
        n_last : samples that are wanted of the last one; all where None

        Raises
        ------
        BadRecording
            A record is not what it was taken for.
        """
        from wakeful.io.head_kernel import find_fault  # numba is slow to import

        per = self.samples_per_record
        fault = find_fault(
            stored.view(np.uint32),
            self.channel,
            self.rate,
            per,
            per if n_last is None else n_last,
            self.period_ticks,
            self.tolerance_ticks,
        )
        if fault >= 0:
            number, why = divmod(int(fault), 8)
            self._raise(path, first_record + number, _WHAT[why])

    def _raise(self, path: Path, record: int, what: str) -> None:
        if not self.quick:
            raise BadRecording(
                f"record {record:,} {what}, but did when the file was read through: the file has "
                "changed since it was opened",
                where=str(path),
                remedy="open the recording again",
            )
        noted = doubt_quick_look(self.scans, path)
        raise BadRecording(
            f"record {record:,} {what}; a quick look at the time stamps can't see that",
            where=str(path),
            remedy="run the row again: the file is then read in full"
            if noted
            else "open it with thorough=True, which reads the file in full",
        )
