"""From channels, each with its own time table, to streams that share a rate and a span pattern."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wakeful.io.record_times import TimeTable
from wakeful.io.records import ChannelRecords, RecordLayout, Run
from wakeful.model.recording import Stream
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Quarantine, Span

SAME_SAMPLES = 0.5
"""Spans of two channels are the same when they begin and end within half a sample."""

RAGGED_S = 1.0
"""Channels that begin or end up to this much apart share a stream, cut to what all have:
acquisitions start their files one after the other."""

_SHOWN = 5


@dataclass(frozen=True)
class TimedChannel:
    """One channel, the file it lies in, and when its samples were taken."""

    channel: Channel
    path: Path
    layout: RecordLayout
    rate_hz: float
    """Nominal."""
    table: TimeTable


@dataclass(frozen=True)
class _Member:
    """A channel with its spans in seconds from the recording's start."""

    timed: TimedChannel
    spans: tuple[Span, ...]
    runs: tuple[Run, ...]


Records = dict[str, tuple[ChannelRecords, ...]]


def group_channels(
    channels: Sequence[TimedChannel], folder: Path
) -> tuple[tuple[Stream, ...], Records, tuple[str, ...]]:
    """Tell streams apart by rate and span pattern.

    Parameters
    ----------
    channels : in the order in which they are to appear
    folder : what the names of files are relative to

    Returns
    -------
    streams, where each stream's samples lie, warnings
    """
    origin = min(channels, key=lambda c: c.table.base_tick + c.table.spans[0].start_ticks).table
    origin_tick, origin_offset = origin.base_tick, origin.spans[0].start_ticks
    members = [_place(channel, origin_tick, origin_offset) for channel in channels]
    exact: list[list[_Member]] = []
    for member in members:
        for group in exact:
            if _same_pattern(group[0], member):
                group.append(member)
                break
        else:
            exact.append([member])
    warnings: list[str] = []
    groups = _merge_ragged(exact, warnings)
    order = {id(member.timed): i for i, member in enumerate(members)}
    groups.sort(key=lambda group: min(order[id(m.timed)] for m in group))
    streams: list[Stream] = []
    records: Records = {}
    taken: set[str] = set()
    for group in groups:
        group.sort(key=lambda m: order[id(m.timed)])
        spans = group[0].spans
        name = name_stream(group[0].timed.rate_hz, len(group), len(spans) - 1, taken)
        stop_s = spans[-1].stop_s
        quarantined = {
            Quarantine(interval, reason)
            for m in group
            for interval, reason in place_apart(m.timed.table, origin_tick, origin_offset, stop_s)
        }
        streams.append(
            Stream(
                name=name,
                rate_hz=group[0].timed.rate_hz,
                channels=name_uniquely(
                    [m.timed.channel for m in group], [m.timed.path.stem for m in group]
                ),
                spans=spans,
                quarantined=tuple(sorted(quarantined, key=lambda q: (q.interval, q.reason))),
                files=tuple(m.timed.path.relative_to(folder).as_posix() for m in group),
            )
        )
        records[name] = tuple(
            ChannelRecords((m.timed.path,), m.timed.layout, m.runs) for m in group
        )
    return tuple(streams), records, (*warnings, *_warn(channels))


def name_stream(rate_hz: float, n_channels: int, n_gaps: int, taken: set[str]) -> str:
    """A short name made from what is there, unlike those `taken`; adds itself to them."""
    name = f"{rate_hz:.8g}Hz-{n_channels}ch"
    if n_gaps:
        name += f"-{n_gaps}gap" + ("s" if n_gaps > 1 else "")
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name}-{number}", number + 1
    taken.add(unique)
    return unique


def name_uniquely(channels: Sequence[Channel], stems: Sequence[str]) -> tuple[Channel, ...]:
    """Channels of which no two have one name: the file's name, then a number, tells them apart."""
    counts = Counter(channel.name for channel in channels)
    names: list[str] = []
    for channel, stem in zip(channels, stems, strict=True):
        wanted = channel.name if counts[channel.name] == 1 else stem
        unique, number = wanted, 2
        while unique in names or (unique != channel.name and counts[unique] == 1):
            unique, number = f"{wanted}-{number}", number + 1
        names.append(unique)
    return tuple(
        channel if channel.name == name else replace(channel, name=name)
        for channel, name in zip(channels, names, strict=True)
    )


def _place(timed: TimedChannel, origin_tick: int, origin_offset: float) -> _Member:
    table = timed.table
    shift = table.base_tick - origin_tick
    spans: list[Span] = []
    first_sample = 0
    for span in table.spans:
        start_s = _to_s(shift, span.start_ticks - origin_offset, table.ticks_per_s)
        spans.append(Span(start_s, span.n_samples, span.rate_hz, first_sample))
        first_sample += span.n_samples
    return _Member(timed, tuple(spans), table.runs)


def _to_s(whole_ticks: int, part_ticks: float, ticks_per_s: float) -> float:
    return (whole_ticks + part_ticks) / ticks_per_s


def _same_pattern(a: _Member, b: _Member) -> bool:
    if a.timed.rate_hz != b.timed.rate_hz or len(a.spans) != len(b.spans):
        return False
    if a.timed.layout.encoding.dtype != b.timed.layout.encoding.dtype:
        return False
    near_s = SAME_SAMPLES / a.timed.rate_hz
    return all(
        p.n_samples == q.n_samples
        and abs(p.start_s - q.start_s) <= near_s
        and abs(p.stop_s - q.stop_s) <= near_s
        for p, q in zip(a.spans, b.spans, strict=True)
    )


def _merge_ragged(exact: list[list[_Member]], warnings: list[str]) -> list[list[_Member]]:
    """Join groups that differ only in where they begin and end, cut to what all have."""
    merged: list[list[_Member]] = []
    for group in sorted(exact, key=len, reverse=True):
        for other in merged:
            if _ragged(other[0], group[0]):
                other += group
                break
        else:
            merged.append(group)
    out: list[list[_Member]] = []
    for group in merged:
        start_s = max(m.spans[0].start_s for m in group)
        stop_s = min(m.spans[-1].stop_s for m in group)
        apart_s = max(max(start_s - m.spans[0].start_s, m.spans[-1].stop_s - stop_s) for m in group)
        if apart_s * group[0].timed.rate_hz <= SAME_SAMPLES:
            out.append(group)
            continue
        cut = [_trim(m, start_s, stop_s) for m in group]
        reference = cut[0].spans
        cut = [replace(m, spans=reference) for m in cut]
        names = _list_names(m.timed.path.name for m in group)
        warnings.append(
            f"{len(group)} channels begin or end up to {apart_s:.3f} s apart ({names}): "
            "the stream holds the time that all of them have"
        )
        out.append(cut)
    return out


def _ragged(a: _Member, b: _Member) -> bool:
    """Whether two patterns differ in nothing but their first start and last stop, and little."""
    rate = a.timed.rate_hz
    if rate != b.timed.rate_hz or len(a.spans) != len(b.spans):
        return False
    if a.timed.layout.encoding.dtype != b.timed.layout.encoding.dtype:
        return False
    last = len(a.spans) - 1
    for i, (p, q) in enumerate(zip(a.spans, b.spans, strict=True)):
        start, stop = (q.start_s - p.start_s) * rate, (q.stop_s - p.stop_s) * rate
        # The samples themselves must coincide, or cutting can't make them the same.
        if abs(start - round(start)) > SAME_SAMPLES / 2 or abs(stop - round(stop)) > SAME_SAMPLES:
            return False
        if abs(start) > (RAGGED_S * rate if i == 0 else SAME_SAMPLES):
            return False
        if abs(stop) > (RAGGED_S * rate if i == last else SAME_SAMPLES):
            return False
        if min(p.stop_s, q.stop_s) <= max(p.start_s, q.start_s):
            return False
    return True


def _trim(member: _Member, start_s: float, stop_s: float) -> _Member:
    first, last = member.spans[0], member.spans[-1]
    n_front = round((start_s - first.start_s) * first.rate_hz)
    n_back = round((last.stop_s - stop_s) * last.rate_hz)
    total = last.stop_sample
    runs: list[Run] = []
    for run in member.runs:
        a = max(run.first_sample, n_front)
        b = min(run.first_sample + run.n_samples, total - n_back)
        if a < b:
            skip = run.skip + a - run.first_sample
            runs.append(Run(a - n_front, b - a, run.first_record, run.file, skip))
    spans: list[Span] = []
    for i, span in enumerate(member.spans):
        front = n_front if i == 0 else 0
        back = n_back if i == len(member.spans) - 1 else 0
        spans.append(
            Span(
                span.time_of(front),
                span.n_samples - front - back,
                span.rate_hz,
                span.first_sample + front - n_front,
            )
        )
    return _Member(member.timed, tuple(spans), tuple(runs))


def place_apart(
    table: TimeTable, origin_tick: int, origin_offset: float, stop_s: float
) -> list[tuple[Interval, str]]:
    """Records that are not used, as intervals of the recording, cut to [0, stop_s)."""
    placed: list[tuple[Interval, str]] = []
    shift = table.base_tick - origin_tick
    for apart in table.set_apart:
        a = _to_s(shift, apart.start_ticks - origin_offset, table.ticks_per_s)
        b = _to_s(shift, apart.stop_ticks - origin_offset, table.ticks_per_s)
        interval = Interval(a, b).intersect(Interval(0.0, stop_s))
        if interval.duration_s > 0:
            placed.append((interval, apart.reason))
    return placed


def _warn(channels: Sequence[TimedChannel]) -> tuple[str, ...]:
    n_records: Counter[str] = Counter()
    where: dict[str, list[str]] = {}
    for timed in channels:
        for apart in timed.table.set_apart:
            n_records[apart.reason] += apart.n_records
            names = where.setdefault(apart.reason, [])
            if timed.path.name not in names:
                names.append(timed.path.name)
    warnings = [
        f"{n:,} {'records are' if n > 1 else 'record is'} not used, {reason} "
        f"({_list_names(where[reason])})"
        for reason, n in n_records.items()
    ]
    wandering = [c for c in channels if c.table.wander_s * c.rate_hz > 1.0]
    if wandering:
        worst = max(c.table.wander_s for c in wandering)
        warnings.append(
            f"time stamps wander by up to {worst * 1e3:.3g} ms (root mean square) about a steady "
            f"rate ({_list_names(c.path.name for c in wandering)})"
        )
    return tuple(warnings)


def _list_names(names: Iterable[str]) -> str:
    listed = list(dict.fromkeys(names))
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
