"""Neuralynx folders that are still being written: how far each file may be read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wakeful.io.ncs_files import LAYOUT, NcsFile
from wakeful.io.neuralynx_header import HEADER_BYTES, read_header
from wakeful.io.neuralynx_turns import split_turn
from wakeful.io.record_order import SETTLE_S
from wakeful.io.record_streams import TimedChannel, list_names
from wakeful.io.registry import Found
from wakeful.model.errors import StillGrowing

_STEPS_BEHIND = 2
"""Channels whose files are verified in steps lead one another by up to this many."""


@dataclass(frozen=True)
class Following:
    """How far the files of a recording may be read."""

    n_bytes: Mapping[Path, int | None]
    """Bytes from the start of each file that is there; None where it is whole."""
    root: Path
    step_bytes: int = 0
    """Files are verified in steps of up to this much (`Growth.step_bytes`)."""

    def left_aside(self, scanned: Mapping[Path, NcsFile | None]) -> list[str]:
        """Files without a record that are not waited for: their channel is not recorded.

        A file of which only the header is there may be about to get its records, and would then
        be one of the stream's channels: so others must be `SETTLE_S` ahead of all that it may
        hold unseen, at the rate in its header, before it is left aside. A file of which not even
        the header is there is only behind.

        Raises
        ------
        StillGrowing
            A channel is waited for.
        """
        present = [file for file in scanned.values() if file is not None]
        ahead_s = max(map(_recorded_s, present), default=0.0)
        known = {split_turn(file.path)[0] for file in present}
        aside: list[str] = []
        awaited: list[str] = []
        for path, file in scanned.items():
            # What continues a channel only adds to its end.
            if file is not None or (split_turn(path)[1] and split_turn(path)[0] in known):
                continue
            only_header = self.n_bytes[path] == HEADER_BYTES
            is_late = only_header and ahead_s >= SETTLE_S + self._unseen_s(path)
            (aside if is_late else awaited).append(path.name)
        if awaited or not present:
            shown = ", ".join(awaited[:5]) or "any file"
            raise StillGrowing(
                f"no records yet of {shown}{' and others' if len(awaited) > 5 else ''}",
                where=str(self.root),
                remedy="it is looked at again when more has been written",
            )
        return aside

    def say_stalled(self, channels: Sequence[TimedChannel]) -> tuple[str, ...]:
        """Channels that have no new samples for much longer than steps explain, while others go on.

        Only time that all channels have is analysed: where one was switched off, nothing more
        comes before the recording has ended, and somebody should know.
        """
        timed = [channel for channel in channels if channel.table.segments]
        newest = max((c.table.segments[-1].end_tick for c in timed), default=0.0)
        silent: dict[str, float] = {}
        for channel in timed:
            table = channel.table
            behind_s = (newest - table.segments[-1].end_tick) / table.ticks_per_s
            if behind_s > SETTLE_S + _STEPS_BEHIND * self._step_s(channel.rate_hz):
                silent[channel.path.name] = behind_s
        if not silent:
            return ()
        said = (
            f"no new samples of {list_names(silent)} for the last "
            f"{max(silent.values()) / 3600:.1f} h of the others: what all channels have ends "
            "there, and nothing later is analysed until they go on or the recording ends; check "
            "the channel and its disk"
        )
        return (said,)

    def _step_s(self, rate_hz: float) -> float:
        """Seconds of a channel in one step of verification."""
        return self.step_bytes / LAYOUT.record_bytes * LAYOUT.samples_per_record / rate_hz

    def _unseen_s(self, path: Path) -> float:
        """Seconds of records that a file may hold while only its header is verified."""
        if not self.step_bytes:
            return 0.0
        with path.open("rb") as file:
            rate_hz = read_header(file.read(HEADER_BYTES), path.name).rate_hz
        return self._step_s(rate_hz) if rate_hz else math.inf


def _recorded_s(file: NcsFile) -> float:
    return sum(s.n_samples for s in file.scan.findings.stretches) / file.rate_hz


def follow(found: Found) -> Following:
    """How far the files of what was found may be read."""
    if found.growth is None:
        return Following(dict.fromkeys(found.files), found.root)
    listed = found.growth.n_bytes
    names = {path: path.relative_to(found.folder).as_posix() for path in found.files}
    return Following(
        {path: listed[name] for path, name in names.items() if name in listed},
        found.root,
        found.growth.step_bytes,
    )
