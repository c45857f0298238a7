"""Files that continue a channel: CSC1.ncs, then CSC1_0001.ncs, CSC1_0002.ncs, ...

Cheetah begins new files when recording is switched off and on again, or when a file has become as
long as it may. They are one channel where their names differ in nothing but the four digits, and
headers and records name the same channel at the same rate, one after the other in time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wakeful.io.channel_kinds import guess_kind
from wakeful.io.head_check import HeadCheck
from wakeful.io.ncs_files import CLOCK_RECORDS, LAYOUT, REASONS, NcsFile
from wakeful.io.record_order import TimeTable, put_in_order
from wakeful.io.record_streams import TimedChannel
from wakeful.model.errors import BadRecording
from wakeful.model.subject import Channel

_TURN = re.compile(r"(.+)_(\d{4})")


def split_turn(path: Path) -> tuple[str, int]:
    """Name of the channel's first file without its ending, and which turn this one is."""
    match = _TURN.fullmatch(path.stem)
    return (match[1], int(match[2])) if match else (path.stem, 0)


def join_turns(
    files: Sequence[NcsFile], *, scans: Path | None = None, growing: bool = False
) -> list[TimedChannel]:
    """The channels that files hold, in the order of their first files.

    Parameters
    ----------
    scans : where it is noted that a file must be read in full
    growing : more is being written; a file continues another only once that is whole

    Raises
    ------
    BadRecording
        A file continues a channel with another gain.
    """
    named = [(split_turn(file.path), i, file) for i, file in enumerate(files)]
    ordered = sorted(named, key=lambda f: f[:2])
    turns: list[list[NcsFile]] = []
    places: list[int] = []
    stem = ""
    for (of_turn, _), place, file in ordered:
        if turns and of_turn == stem and _continues(turns[-1][-1], file):
            turns[-1].append(file)
            places[-1] = min(places[-1], place)
        else:
            turns.append([file])
            places.append(place)
        stem = of_turn
    known: dict[int, TimeTable] = {}
    channels = [_time(_whole_before(turn) if growing else turn, scans, known) for turn in turns]
    return [channel for _, channel in sorted(zip(places, channels, strict=True), key=_first)]


def _first(placed: tuple[int, TimedChannel]) -> int:
    return placed[0]


def _continues(before: NcsFile, file: NcsFile) -> bool:
    if _identity(before) != _identity(file):
        return False
    if file.scan.findings.stretches[0].first_tick <= before.scan.findings.stretches[-1].last_tick:
        return False
    if file.header.gain_uv != before.header.gain_uv:
        raise BadRecording(
            f"continues {before.path.name} with another gain: {file.header.gain_uv:g} instead of "
            f"{before.header.gain_uv:g} uV a step",
            where=file.path.name,
            remedy="move the files from there on into a folder of their own, with a row of its own",
        )
    return True


def _identity(file: NcsFile) -> tuple[str, int, int, float]:
    return (file.header.name, file.scan.channel, file.scan.rate, file.rate_hz)


def _whole_before(turn: list[NcsFile]) -> list[NcsFile]:
    """Files up to the first of which more is to come."""
    for i, file in enumerate(turn):
        known = file.scan.findings.n_records
        if file.path.stat().st_size >= LAYOUT.header_bytes + (known + 1) * LAYOUT.record_bytes:
            return turn[: i + 1]
    return turn


def _time(turn: Sequence[NcsFile], scans: Path | None, known: dict[int, TimeTable]) -> TimedChannel:
    """A channel with its times.

    Parameters
    ----------
    known : tables of findings that several files share (see `wakeful.io.twin_scans`)
    """
    first = turn[0]
    header, clock = first.header, first.scan.clock

    def read_ticks(file: int, records: NDArray[np.int64]) -> NDArray[np.int64]:
        return turn[file].ticks(records)

    findings = first.scan.findings
    # A single stretch contradicts nothing: no time stamp is read to put it in order.
    plain = len(turn) == 1 and len(findings.stretches) == 1 and not findings.faults
    table = known.get(id(findings)) if plain else None
    if table is None:
        table = put_in_order(
            [file.scan.findings for file in turn],
            LAYOUT.samples_per_record,
            clock,
            REASONS,
            read_ticks,
            is_fixed=findings.n_records >= CLOCK_RECORDS,
        )
        if plain:
            known[id(findings)] = table
    name = header.name or first.path.stem
    return TimedChannel(
        channel=Channel(
            name=name,
            kind=guess_kind(name),
            reference=header.reference,
            gain_uv=header.gain_uv,
            polarity=header.polarity,
            highpass_hz=header.highpass_hz,
            lowpass_hz=header.lowpass_hz,
            filter_delay_s=header.filter_delay_s,
        ),
        files=tuple(file.path for file in turn),
        layout=LAYOUT,
        rate_hz=first.rate_hz,
        table=table,
        read_ticks=read_ticks,
        check=HeadCheck(
            channel=first.scan.channel,
            rate=first.scan.rate,
            samples_per_record=LAYOUT.samples_per_record,
            period_ticks=clock.period_ticks,
            # Files that continue a channel may have measured a period a tick a record apart.
            tolerance_ticks=clock.tolerance_ticks + 1.0,
            scans=scans,
            quick=any(file.scan.quick for file in turn),
        ),
    )
