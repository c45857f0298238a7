"""`wakeful inspect`: what a recording holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from wakeful.cli.output import (
    JsonOption,
    LibraryOption,
    console,
    duration,
    print_json,
    print_table,
)
from wakeful.config import open_library
from wakeful.io.channels_file import FILE_NAME
from wakeful.io.codec import to_plain
from wakeful.model.errors import NoLibrary
from wakeful.model.subject import Channel, ChannelKind
from wakeful.model.time import Accounting
from wakeful.service.inspection import Inspection, Noted, StreamFinding, inspect_recording
from wakeful.signal.glance import ChannelGlance

_GAPS_SHOWN = 10
_NO_TIME_S = 5e-5
"""Less than this shows as 0.0 ms: files that follow each other at once."""
_CHANNELS_SHOWN = 16
"""Beyond this, channels of which the same is to be said share a line."""
_CLIPPED = 1e-4
"""Share of samples at a rail from which it is said: a tenth of a second in twenty minutes."""

AllOption = Annotated[
    bool, typer.Option("--all", help="Every channel, gap and left-out stretch, however many.")
]


def inspect(
    path: Annotated[Path, typer.Argument(help="A recording's folder or file.")],
    show_all: AllOption = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """What a recording holds: format, channels, rates, spans, gaps, faults, events, hours.

    Looks at the headers and at a few dozen short stretches of the samples; changes nothing. Times
    are on the clock of the library's time zone where there is one.
    """
    zone, settle_s = "", 10.0
    try:
        opened = open_library(library)
    except NoLibrary:
        if library is not None:
            raise
    else:
        zone, settle_s = opened.config.lab.time_zone, opened.config.work.settle_s
    found = inspect_recording(path.expanduser().resolve(), zone, settle_s)
    if as_json:
        print_json(as_tree(found))
        return
    _print_head(found)
    for finding in found.streams:
        _print_stream(finding, found, show_all)
    for warning in found.warnings:
        _say(f"[yellow]note[/] {escape(warning)}")
    ignored = [name for name in found.description.ignored_files if name != FILE_NAME]
    if len(ignored) < len(found.description.ignored_files):
        _say(f"{FILE_NAME} is there: a row takes regions, kinds and references from it")
    if ignored:
        shown = ignored if show_all else ignored[:6]
        more = f" and {len(ignored) - len(shown)} more" if len(ignored) > len(shown) else ""
        _say(f"[dim]left aside: {escape(', '.join(shown) + more)}[/]")


def as_tree(found: Inspection) -> dict[str, Any]:
    """What was found, as plain data for programs; the names stay as they are."""
    description = found.description
    return {
        "root": description.root,
        "format": description.format,
        "title": found.title,
        "subject": description.subject,
        "start_utc": to_plain(description.start_utc),
        "start_is_local": description.start_is_local,
        "start_local": to_plain(found.start_local),
        "time_zone": found.time_zone,
        "growing": found.growing,
        "changed_s": round(found.changed_s, 3),
        "n_bytes": sum(file.n_bytes for file in found.files),
        "files": to_plain(found.files),
        "streams": [_stream_tree(finding) for finding in found.streams],
        "events": to_plain(found.events),
        "tracks": to_plain(found.tracks),
        "warnings": list(found.warnings),
        "ignored_files": list(description.ignored_files),
    }


def _stream_tree(finding: StreamFinding) -> dict[str, Any]:
    stream = finding.stream
    tree: dict[str, Any] = to_plain(stream)
    tree["settled_s"] = stream.settled_s if math.isfinite(stream.settled_s) else None
    for i, glance in enumerate(finding.glances):
        tree["channels"][i] |= {
            "flat": glance.flat,
            "clipped": glance.clipped,
            "missing": glance.missing,
            "findings": _judge(glance, stream.channels[i]),
        }
    return tree | {
        "duration_s": stream.duration_s,
        "fitted_rates_hz": list(finding.rates_hz),
        "gaps": to_plain(stream.gaps),
        "accounting": _account_tree(finding.account),
        "days": [
            {"date": d.day.date.isoformat(), "number": d.day.number} | _account_tree(d.account)
            for d in finding.days
        ],
        "looked_at": {"n_stretches": finding.n_stretches, "stretch_s": finding.stretch_s},
    }


def _account_tree(account: Accounting) -> dict[str, float]:
    return {
        "recorded_s": account.recorded_s,
        "gap_s": account.gap_s,
        "quarantined_s": account.quarantined_s,
        "outside_s": account.outside_s,
        "length_s": account.length_s,
    }


def _print_head(found: Inspection) -> None:
    description = found.description
    _say(f"[bold]{escape(description.root)}[/]")
    subject = f", subject {description.subject}" if description.subject else ""
    _say(f"{escape(found.title)}{escape(subject)}")
    _say(f"start {_say_start(found)}")
    n_bytes = sum(file.n_bytes for file in found.files)
    count = len(found.files)
    state = "[yellow]may still be growing[/]" if found.growing else "not growing"
    _say(
        f"{count} file{'s' if count != 1 else ''} of samples, {_size(n_bytes)}; written to "
        f"{_ago(found.changed_s)}, {state}"
    )
    _say(f"events: {_say_notes(found.events, 'event')}")
    if found.tracks:
        _say(f"positions: {_say_notes(found.tracks, 'frame')}")


def _say_start(found: Inspection) -> str:
    description = found.description
    if found.start_local is None:
        return "unknown"
    if found.time_zone:
        local = f"{found.start_local:%F %T} {escape(found.time_zone)}"
        utc = found.start_local.astimezone(UTC)
        return local if found.time_zone == "UTC" else f"{local} ({utc:%F %T} UTC)"
    clock = "on the lab's clock" if description.start_is_local else "UTC"
    return f"{found.start_local:%F %T} {clock}"


def _say_notes(notes: Sequence[Noted], what: str) -> str:
    if not notes:
        return "none"
    parts = [f"{note.name} {note.n:,} {what}{'s' if note.n != 1 else ''}" for note in notes]
    return escape(", ".join(parts))


def _print_stream(finding: StreamFinding, found: Inspection, show_all: bool) -> None:
    stream = finding.stream
    fitted = ", ".join(f"{rate:,.8g}" for rate in finding.rates_hz[:4])
    if len(finding.rates_hz) > 4:
        fitted += " ..."
    n_spans, n_channels = len(stream.spans), len(stream.channels)
    _say("")
    _say(
        f"[bold cyan]stream {escape(stream.name)}[/]: {n_channels} "
        f"channel{'s' if n_channels != 1 else ''}, nominal {stream.rate_hz:,.6g} Hz "
        f"(fitted {fitted} Hz), {duration(stream.duration_s)}, {n_spans} "
        f"span{'s' if n_spans != 1 else ''}" + (", growing" if stream.growing else "")
    )
    _print_channels(finding, show_all)
    if finding.n_stretches:
        seen = finding.n_stretches * finding.stretch_s
        all_of_it = seen >= sum(s.n_samples for s in stream.spans) / stream.rate_hz
        what = (
            "looked at all samples"
            if all_of_it
            else f"looked at {finding.n_stretches} stretches of {finding.stretch_s:.3g} s"
        )
        _say(f"[dim]{what} for channels that are flat or clipped[/]")
    _print_gaps(finding, show_all)
    _print_account(finding.account)
    if len(finding.days) > 1:
        _print_days(finding, found)


def _print_channels(finding: StreamFinding, show_all: bool) -> None:
    channels = finding.stream.channels
    glances: Sequence[ChannelGlance | None] = finding.glances or (None,) * len(channels)
    lines = [
        (c.name, _tell(c), "" if g is None else _judge(g, c))
        for c, g in zip(channels, glances, strict=True)
    ]
    rows: list[tuple[str, ...]] = []
    at = 0
    while at < len(lines):
        stop = at + 1
        if not show_all and len(lines) > _CHANNELS_SHOWN:
            while stop < len(lines) and lines[stop][1:] == lines[at][1:]:
                stop += 1
        name, told, judged = lines[at]
        if stop - at > 1:
            name = f"{name} to {lines[stop - 1][0]} ({stop - at})"
        rows.append((name, *told, judged or "-"))
        at = stop
    heads = ["channel", "kind", "region", "reference", "filter, Hz", "µV/step", "found"]
    # Columns that say nothing of any channel only take room.
    keep = [
        i
        for i, head in enumerate(heads)
        if head in ("channel", "kind", "µV/step", "found")
        or any(row[i] not in ("unknown", "?") for row in rows)
    ]
    print_table([heads[i] for i in keep], [[row[i] for i in keep] for row in rows])
    absent = [head for i, head in enumerate(heads) if i not in keep]
    if absent:
        _say(f"[dim]not said by the files: {', '.join(a.split(',')[0] for a in absent)}[/]")


def _tell(channel: Channel) -> tuple[str, ...]:
    corners = (channel.highpass_hz, channel.lowpass_hz)
    band = "?"
    if any(corner is not None for corner in corners):
        band = " to ".join("?" if corner is None else f"{corner:g}" for corner in corners)
    return (
        channel.kind.value,
        channel.region,
        channel.reference,
        band,
        f"{channel.gain_uv:.5g}",
    )


def _judge(glance: ChannelGlance, channel: Channel) -> str:
    """What is wrong with a channel, in words; "" where nothing was seen."""
    found: list[str] = []
    if glance.missing >= 1.0:
        return "missing"
    # A line of pulses rests at its rails.
    if channel.kind is ChannelKind.TTL:
        return ""
    if glance.flat >= 1.0:
        found.append("flat")
    elif glance.flat > 0:
        found.append(f"flat in {glance.flat:.0%}")
    if glance.clipped >= _CLIPPED:
        found.append(f"clipped {glance.clipped:.2%}")
    if glance.missing > 0:
        found.append(f"missing {glance.missing:.2%}")
    return ", ".join(found)


def _print_gaps(finding: StreamFinding, show_all: bool) -> None:
    stream = finding.stream
    gaps = stream.gaps
    if not gaps:
        _say("no gaps")
    shown = gaps if show_all else gaps[:_GAPS_SHOWN]
    for gap in shown:
        if gap.duration_s < _NO_TIME_S:
            _say(f"a new span begins at {gap.start_s:,.4f} s, with no time missing before it")
            continue
        _say(f"gap of {_length(gap.duration_s)} at {gap.start_s:,.4f} s")
    if len(gaps) > len(shown):
        total = math.fsum(gap.duration_s for gap in gaps)
        longest = max(gap.duration_s for gap in gaps)
        _say(
            f"and {len(gaps) - len(shown):,} more gaps; all {len(gaps):,} together "
            f"{_length(total)}, the longest {_length(longest)}"
        )
    apart = stream.quarantined if show_all else stream.quarantined[:_GAPS_SHOWN]
    for stretch in apart:
        _say(
            f"[yellow]quarantined[/] {stretch.interval.start_s:,.4f} to "
            f"{stretch.interval.stop_s:,.4f} s: {escape(stretch.reason)}"
        )
    if len(stream.quarantined) > len(apart):
        _say(f"and {len(stream.quarantined) - len(apart):,} more quarantined stretches")


def _print_account(account: Accounting) -> None:
    """Rounded so that what is shown adds up to the last digit."""
    if account.length_s < 3600:
        parts_ms = account.rounded(1000)
        shown = [f"{part / 1000:,.3f} s" for part in (*parts_ms[:3], sum(parts_ms))]
    else:
        parts_s = account.rounded(1)
        shown = [_hours(part) for part in (*parts_s[:3], sum(parts_s))]
    _say("accounted for: {} recorded + {} gaps + {} quarantined = {}".format(*shown))


def _print_days(finding: StreamFinding, found: Inspection) -> None:
    known = found.start_local is not None
    rows = [
        (
            d.day.date.isoformat() if known else f"day {d.day.number + 1}",
            *(_hours(part) for part in d.account.rounded(1)),
            _hours(sum(d.account.rounded(1))),
        )
        for d in finding.days
    ]
    heads = ("local day" if known else "24 h each", "recorded", "gaps", "quarantined", "outside")
    print_table((*heads, "all"), rows, right=5)


def _hours(seconds: int) -> str:
    """Hours, minutes and seconds, as a clock shows them."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _length(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds:.3f} s" if seconds < 60 else duration(seconds)


def _ago(seconds: float) -> str:
    if seconds < 172_800:
        return f"{duration(max(0.0, seconds))} ago"
    return f"{seconds / 86_400:,.0f} days ago"


def _size(n_bytes: int) -> str:
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= scale:
            return f"{n_bytes / scale:,.1f} {unit}"
    return f"{n_bytes / 1e3:,.1f} kB"


def _say(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True)
