"""Faults of channels for people: a CSV file, a table of the report, and what a row must know."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from wakeful.model.quality import Fault, clock_text, duration_text
from wakeful.model.subject import Session
from wakeful.model.time import Interval
from wakeful.publish.report import ReportTable

_MOST_ROWS = 40
_MOST_NAMES = 6


def channel_quality_csv(session: Session, faults: Sequence[Fault]) -> bytes:
    """One line a fault: channel, region, kind, when, how long, measured, limit, heeded, reason.

    Local times are empty where the session's start is unknown; value and limit are empty for marks
    by hand.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        (
            "channel",
            "region",
            "fault",
            "start_s",
            "stop_s",
            "local_start",
            "local_stop",
            "duration_s",
            "value",
            "limit",
            "heeded",
            "reason",
        )
    )
    for fault in faults:
        part = fault.interval
        writer.writerow(
            (
                _text(fault.channel),
                _text(fault.region),
                fault.kind.label,
                f"{part.start_s:.10g}",
                f"{part.stop_s:.10g}",
                _local(session, part.start_s),
                _local(session, part.stop_s),
                f"{part.duration_s:.3f}",
                _number(fault.value),
                _number(fault.limit),
                "yes" if fault.heeded else "no",
                _text(fault.reason),
            )
        )
    return buffer.getvalue().encode()


def faults_table(session: Session, faults: Sequence[Fault]) -> ReportTable:
    """The longest faults, by channel, for the report."""
    said = sorted(faults, key=lambda f: -f.interval.duration_s)[:_MOST_ROWS]
    rows = tuple(
        (
            fault.channel,
            fault.region,
            fault.kind.label if fault.heeded else f"{fault.kind.label} (marked good)",
            fault.reason,
            clock_text(session, fault.interval.start_s),
            clock_text(session, fault.interval.stop_s),
            duration_text(fault.interval.duration_s),
        )
        for fault in faults
        if fault in said
    )
    left = len(faults) - len(rows)
    return ReportTable(
        title="Channels with faults",
        columns=("channel", "region", "fault", "why", "from", "to", "for"),
        rows=rows,
        n_text_columns=4,
        note="Advice: a step that takes it leaves the channel out for that time; nothing was "
        "removed or filled in."
        + (f" {left} shorter ones are in channel_quality.csv." if left else ""),
    )


def quality_warnings(
    faults: Sequence[Fault], regions: dict[str, tuple[str, ...]], session: Session
) -> list[str]:
    """Which channels are bad for a part of the recording, and which regions have no good one then.

    Parameters
    ----------
    regions : of the brain -> its channels
    """
    heeded = [f for f in faults if f.heeded]
    bad = list(dict.fromkeys(f.channel for f in heeded))
    if not bad:
        return []
    kinds = {
        name: "/".join(dict.fromkeys(f.kind.label for f in heeded if f.channel == name))
        for name in bad
    }
    named = ", ".join(f"{name} {kinds[name]}" for name in bad[:_MOST_NAMES])
    more = f" and {len(bad) - _MOST_NAMES} more" if len(bad) > _MOST_NAMES else ""
    plural = "channel has a fault" if len(bad) == 1 else "channels have faults"
    warnings = [f"{len(bad)} {plural} for a part of the recording: {named}{more}"]
    for region, names in regions.items():
        alone = _without_good(heeded, names)
        if alone:
            lost_s = math.fsum(part.duration_s for part in alone)
            reasons = "; ".join(
                dict.fromkeys(
                    f"{f.channel}: {f.kind.label}"
                    for f in heeded
                    if f.channel in names
                    and any(f.interval.intersect(part).duration_s > 0 for part in alone)
                )
            )
            begins = clock_text(session, alone[0].start_s)
            warnings.append(
                f"{region}: no good channel for {duration_text(lost_s)} from {begins} on, and no "
                f"power there ({reasons})"
            )
    return warnings


def _without_good(faults: Sequence[Fault], names: Sequence[str]) -> list[Interval]:
    """When all of some channels are bad."""
    of_channel = {n: [f.interval for f in faults if f.channel == n] for n in names}
    edges = sorted(
        {t for parts in of_channel.values() for p in parts for t in (p.start_s, p.stop_s)}
    )
    lost: list[Interval] = []
    for start_s, stop_s in pairwise(edges):
        piece = Interval(start_s, stop_s)
        if all(
            any(p.start_s <= piece.start_s and p.stop_s >= piece.stop_s for p in of_channel[n])
            for n in names
        ):
            if lost and lost[-1].stop_s == start_s:
                lost[-1] = Interval(lost[-1].start_s, stop_s)
            else:
                lost.append(piece)
    return lost


def _local(session: Session, time_s: float) -> str:
    if session.start_utc is None:
        return ""
    moment = session.start_utc + timedelta(seconds=time_s)
    return moment.astimezone(ZoneInfo(session.time_zone)).isoformat(timespec="milliseconds")


def _number(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else ""


def _text(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
