"""From channels, each with its own time table, to streams: channels whose samples belong together.

Channels of one rate and one clock that begin together are one stream, on the time that all of them
have. Where one of them lacks a stretch or its records can't be trusted, that stretch is quarantined
for the stream, and the reason names the channel. Only where a channel would cost the others more
than a hundredth of their time does it become a stream of its own.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from wakeful.io.common_time import SAME_SAMPLES, Common, Pattern, find_common, missing_between
from wakeful.io.frozen_rates import Line, LineFitter, Part
from wakeful.io.head_check import HeadCheck
from wakeful.io.record_order import TimeTable, slice_runs
from wakeful.io.records import ChannelRecords, RecordLayout
from wakeful.io.stretches import ReadTicks
from wakeful.model.recording import Stream
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Quarantine, Span

RAGGED_S = 1.0
"""Channels that begin up to this much apart share a stream, cut to what all have: acquisitions
start their files one after the other."""

MISSING_SHARE = 0.01
"""A channel that would cost a stream more than this share of its time is a stream of its own..."""

MISSING_RECORDS = 3
"""... but not for so few records."""

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class TimedChannel:
    """One channel, the files it lies in, and when its samples were taken."""

    channel: Channel
    files: tuple[Path, ...]
    """In order of time."""
    layout: RecordLayout
    rate_hz: float
    """Nominal."""
    table: TimeTable
    read_ticks: ReadTicks | None = None
    """Gives the time stamps of its records; None where they count samples exactly."""
    check: HeadCheck | None = None
    """What the heads of its records must be when they are read."""

    @property
    def path(self) -> Path:
        """Its first file."""
        return self.files[0]


Records = dict[str, tuple[ChannelRecords, ...]]


@dataclass(frozen=True, slots=True)
class Origin:
    """The recording's time zero: `tick + part_ticks` on the clock of the time stamps."""

    tick: int
    part_ticks: float
    ticks_per_s: float

    def seconds(self, tick: int, part_ticks: float = 0.0) -> float:
        """Seconds from the recording's start of a time on the clock of the time stamps."""
        return (tick - self.tick + (part_ticks - self.part_ticks)) / self.ticks_per_s


@dataclass(frozen=True)
class Grouped:
    """Streams, where each stream's samples lie, and what a person must know."""

    streams: tuple[Stream, ...]
    records: Records
    warnings: tuple[str, ...]
    origin: Origin


@dataclass
class _Group:
    """Channels that become one stream."""

    members: list[TimedChannel]
    patterns: list[Pattern]
    """Those there are among the members, each once."""
    which: list[int]
    """The pattern of each member."""

    def common(self) -> Common:
        return find_common(self.patterns)


def group_channels(
    channels: Sequence[TimedChannel], folder: Path, *, growing: bool = False
) -> Grouped:
    """Tell streams apart, and give each its time.

    Parameters
    ----------
    channels : in the order in which they are to appear
    folder : what the names of files are relative to
    growing : more is being written: channels that end early are only behind, and all are cut to
        the time that all have
    """
    patterns = _share_patterns(channels)
    groups: list[_Group] = []
    for cluster in _cluster(channels, patterns):
        groups += [_group(cluster, patterns)] if growing else _split(cluster, patterns)
    order = {id(channel): i for i, channel in enumerate(channels)}
    groups.sort(key=lambda g: order[id(g.members[0])])
    warnings: list[str] = []
    timed = [_Timed(group) for group in groups]
    timed = [stream for stream in timed if stream.lines]
    if not timed:
        table = channels[0].table
        return Grouped((), {}, (), Origin(table.base_tick, 0.0, table.ticks_per_s))
    first = min(timed, key=lambda s: s.lines[0].anchor_tick + s.lines[0].start_ticks)
    origin = Origin(first.lines[0].anchor_tick, first.lines[0].start_ticks, first.clock.ticks_per_s)
    # Which channels belong together, and where time begins, is known once all have begun for good.
    begun = first.settled_s(origin) > 0 and all(c.table.settled_tick > -math.inf for c in channels)
    streams: list[Stream] = []
    records: Records = {}
    taken: set[str] = set()
    for each in timed:
        name = name_stream(each.group.members[0].rate_hz, len(each.group.members), taken)
        stream = each.describe(name, origin, folder)
        if growing:
            settled = each.settled_s(origin) if begun else 0.0
            stream = replace(stream, growing=True, settled_s=settled)
        streams.append(stream)
        records[name] = each.records()
        warnings += each.warn(origin, growing)
    return Grouped(tuple(streams), records, (*warnings, *_warn(channels)), origin)


def _share_patterns(channels: Sequence[TimedChannel]) -> dict[int, Pattern]:
    """Each channel's pattern, one object for all that have the same."""
    known: dict[object, Pattern] = {}
    of_table: dict[object, Pattern] = {}
    found: dict[int, Pattern] = {}
    for c in channels:
        # Channels that share their table need not be compared.
        kind: object = (c.rate_hz, c.layout.samples_per_record, id(c.table))
        pattern = of_table.get(kind)
        if pattern is None:
            pattern = Pattern.of(c.table, c.layout.samples_per_record, c.read_ticks)
            key = (c.rate_hz, c.layout.samples_per_record, pattern.key)
            pattern = of_table[kind] = known.setdefault(key, pattern)
        found[id(c)] = pattern
    return found


def _cluster(
    channels: Sequence[TimedChannel], patterns: dict[int, Pattern]
) -> list[list[TimedChannel]]:
    """Channels that may share a stream: by what can be told from their beginning."""
    clusters: list[list[TimedChannel]] = []
    for channel in channels:
        for cluster in clusters:
            if _fits(channel, cluster, patterns):
                cluster.append(channel)
                break
        else:
            clusters.append([channel])
    return clusters


def _fits(
    channel: TimedChannel, cluster: Sequence[TimedChannel], patterns: dict[int, Pattern]
) -> bool:
    first = cluster[0]
    if channel.rate_hz != first.rate_hz or channel.table.ticks_per_s != first.table.ticks_per_s:
        return False
    if channel.layout.encoding.dtype != first.layout.encoding.dtype:
        return False
    mine, theirs = patterns[id(channel)], patterns[id(first)]
    apart = mine.key[0][0] - theirs.key[0][0]
    if abs(apart) > RAGGED_S * first.table.ticks_per_s:
        return False
    # Two files of one channel with different times are two takes of it, not two channels.
    for other in cluster:
        pattern = patterns[id(other)]
        if pattern is mine or other.channel.name != channel.channel.name:
            continue
        if not pattern.agrees_so_far(mine):
            return False
    return mine is theirs or find_common([theirs, mine]).one_clock


def _group(members: list[TimedChannel], patterns: dict[int, Pattern]) -> _Group:
    distinct: list[Pattern] = []
    which: list[int] = []
    for member in members:
        pattern = patterns[id(member)]
        found = next((i for i, known in enumerate(distinct) if known is pattern), len(distinct))
        if found == len(distinct):
            distinct.append(pattern)
        which.append(found)
    return _Group(members, distinct, which)


def _split(cluster: list[TimedChannel], patterns: dict[int, Pattern]) -> list[_Group]:
    """Groups of a cluster within which no channel costs the others much time."""
    groups: list[_Group] = []
    left = list(cluster)
    while left:
        alike: dict[int, list[TimedChannel]] = {}
        for member in left:
            alike.setdefault(id(patterns[id(member)]), []).append(member)
        # The pattern of most channel-seconds, then the others by what they add.
        ranked = sorted(alike.values(), key=lambda m: -len(m) * m[0].table.n_samples)
        taken = list(ranked[0])
        kept = [patterns[id(taken[0])]]
        shared = find_common(kept)
        for members in ranked[1:]:
            pattern = patterns[id(members[0])]
            both = find_common([*kept, pattern])
            alone = find_common([pattern])
            per = pattern.samples_per_record
            if _costs_little(shared, both, per, pattern) and _costs_little(
                alone, both, per, pattern
            ):
                taken += members
                kept.append(pattern)
                shared = both
        ids = {id(member) for member in taken}
        groups.append(_group([m for m in left if id(m) in ids], patterns))
        left = [m for m in left if id(m) not in ids]
    return groups


def _costs_little(alone: Common, both: Common, per: int, pattern: Pattern) -> bool:
    """Whether channels keep nearly all of their time when others join them."""
    if not both.pieces:
        return False
    clock = pattern.table.clock
    end = (alone.pieces[-1].stop_tick - both.pieces[-1].stop_tick) / clock.period_ticks
    begin = (both.pieces[0].start_tick - alone.pieces[0].start_tick) / clock.period_ticks
    inside = alone.n_samples - both.n_samples - begin - end
    share = MISSING_SHARE * alone.n_samples
    return inside <= max(share, MISSING_RECORDS * per) and end <= max(
        share, RAGGED_S * clock.rate_hz
    )


def _within(folder: Path, path: Path) -> str:
    # As a rule a file lies in the folder itself, and `relative_to` takes a while.
    return path.name if path.parent == folder else path.relative_to(folder).as_posix()


class _Timed:
    """A group with its lines: what becomes a stream."""

    def __init__(self, group: _Group) -> None:
        self.group = group
        self.clock = group.patterns[0].table.clock
        self.common = group.common()
        self.lines: list[Line] = []
        self._ranges: list[list[tuple[int, int]]] = [[] for _ in group.patterns]
        self._settled_tick = -math.inf
        fitter = LineFitter(group.patterns[0].samples_per_record, self.clock)
        for piece in self.common.pieces:
            reference = group.patterns[piece.reference]
            first = piece.first_samples[piece.reference]
            lines, settled = fitter.fit(
                Part(
                    reference.table,
                    reference.read_ticks,
                    piece.segments[piece.reference],
                    first,
                    piece.n_samples,
                )
            )
            if self.lines:
                last = self.lines[-1]
                self._settled_tick = last.anchor_tick + last.stop_from(last.anchor_tick)
            self._settled_tick = max(self._settled_tick, settled)
            self.lines += lines
            for line in lines:
                for ranges, begin in zip(self._ranges, piece.first_samples, strict=True):
                    ranges.append((begin + line.first_sample - first, line.n_samples))
        self.wander_ticks = fitter.wander_ticks
        self._n_doubled = fitter.n_doubled

    def _say_ragged(self, growing: bool) -> list[str]:
        segments = [pattern.segments for pattern in self.group.patterns]
        starts = [s[0].first_tick for s in segments]
        # While more is being written, channels end where they happen to be.
        stops = [s[-1].end_tick for s in segments] if not growing else [0.0]
        apart = max(max(starts) - min(starts), max(stops) - min(stops))
        if apart > SAME_SAMPLES * self.clock.period_ticks:
            names = list_names(m.path.name for m in self.group.members)
            return [
                (
                    f"{len(self.group.members)} channels begin or end up to "
                    f"{apart / self.clock.ticks_per_s:.3f} s apart ({names}): "
                    "the stream holds the time that all of them have"
                )
            ]
        return []

    def settled_s(self, origin: Origin) -> float:
        """Up to when spans and quarantined stretches are final while more is written."""
        tick = min(self._settled_tick, *(m.table.settled_tick for m in self.group.members))
        if tick == -math.inf:
            return 0.0
        return max(0.0, (tick - origin.tick - origin.part_ticks) / origin.ticks_per_s)

    def describe(self, name: str, origin: Origin, folder: Path) -> Stream:
        """The stream as everything above knows it."""
        members = self.group.members
        spans: list[Span] = []
        total = 0
        for line in self.lines:
            rate_hz = self.clock.ticks_per_s / line.period_ticks
            start_s = origin.seconds(line.anchor_tick, line.start_ticks)
            spans.append(Span(start_s, line.n_samples, rate_hz, total))
            total += line.n_samples
        return Stream(
            name=name,
            rate_hz=members[0].rate_hz,
            channels=name_uniquely([m.channel for m in members], [m.path.stem for m in members]),
            spans=tuple(spans),
            quarantined=self._quarantine(origin, spans[-1].stop_s),
            files=tuple(_within(folder, path) for m in members for path in m.files),
        )

    def records(self) -> tuple[ChannelRecords, ...]:
        """Where the samples of each channel lie."""
        runs = {}
        found: list[ChannelRecords] = []
        for member, which in zip(self.group.members, self.group.which, strict=True):
            # Channels of one pattern have their samples in the same records only where their
            # records are the same.
            key = (which, member.table.runs)
            if key not in runs:
                runs[key] = slice_runs(member.table.runs, self._ranges[which])
            found.append(ChannelRecords(member.files, member.layout, runs[key], member.check))
        return tuple(found)

    def _quarantine(self, origin: Origin, stop_s: float) -> tuple[Quarantine, ...]:
        members = self.group.members
        names = [m.channel.name for m in members]
        claimed: dict[tuple[int, int, str], tuple[Interval, list[str]]] = {}
        whole = Interval(0.0, stop_s)
        for member, name in zip(members, names, strict=True):
            for interval, reason in place_apart(
                member.table, origin.tick, origin.part_ticks, stop_s
            ):
                key = (round(interval.start_s * 1e6), round(interval.stop_s * 1e6), reason)
                claimed.setdefault(key, (interval, []))[1].append(name)
        found = {
            Quarantine(interval, reason if len(of) == len(members) else _name(of, reason))
            for (_, _, reason), (interval, of) in claimed.items()
        }
        known = [(interval, set(of)) for interval, of in claimed.values()]
        if len(self.group.patterns) > 1:
            for a, b in pairwise(self.common.pieces):
                for start, stop, lack in missing_between(
                    self.group.patterns, a.stop_tick, b.start_tick
                ):
                    interval = Interval(
                        origin.seconds(0, start), origin.seconds(0, stop)
                    ).intersect(whole)
                    of = [n for n, w in zip(names, self.group.which, strict=True) if w in lack]
                    near = 2 / self.clock.rate_hz
                    said = any(
                        k.start_s <= interval.start_s + near
                        and interval.stop_s <= k.stop_s + near
                        and set(of) <= who
                        for k, who in known
                    )
                    if interval.duration_s > 0 and not said:
                        found.add(Quarantine(interval, _name(of, "no samples")))
        return tuple(sorted(found, key=lambda q: (q.interval, q.reason)))

    def warn(self, origin: Origin, growing: bool) -> list[str]:
        """What a person must know of its time."""
        warnings = self._say_ragged(growing)
        moved = [line for line in self.lines if line.moved_ticks]
        per_ms = self.clock.ticks_per_s / 1e3
        for line in moved[:_SHOWN]:
            at_s = origin.seconds(line.anchor_tick)
            lost = f"; {line.n_left_out:,} samples of doubled time are left out"
            warnings.append(
                f"the clock moved by {line.moved_ticks / per_ms:.2g} ms against the samples at "
                f"{format_time(at_s)}: a new span begins{lost if line.n_left_out else ''}"
            )
        if len(moved) > _SHOWN:
            warnings.append(f"the clock moved {len(moved) - _SHOWN} more times")
        n_doubled = self._n_doubled + sum(x.n_left_out for x in self.lines if not x.moved_ticks)
        if n_doubled:
            warnings.append(
                f"{n_doubled:,} samples are left out: by the steady rate of what was recorded "
                "before them their time is already taken"
            )
        wander_s = self.wander_ticks / self.clock.ticks_per_s
        if wander_s * self.clock.rate_hz > 1.0:
            names = list_names(m.path.name for m in self.group.members)
            warnings.append(
                f"time stamps wander by up to {wander_s * 1e3:.3g} ms (root mean square) about a "
                f"steady rate ({names})"
            )
        return warnings


def _name(of: Sequence[str], reason: str) -> str:
    return f"{list_names(of)}: {reason}"


def format_time(time_s: float) -> str:
    """Hours, minutes and seconds from the start: "13:02:00"."""
    whole = int(time_s)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02} from the start"


def name_stream(rate_hz: float, n_channels: int, taken: set[str]) -> str:
    """A short name made from what is there, unlike those `taken`; adds itself to them."""
    name = f"{rate_hz:.8g}Hz-{n_channels}ch"
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


def place_apart(
    table: TimeTable, origin_tick: int, origin_offset: float, stop_s: float
) -> list[tuple[Interval, str]]:
    """Records that are not used, as intervals of the recording, cut to [0, stop_s)."""
    placed: list[tuple[Interval, str]] = []
    origin = Origin(origin_tick, origin_offset, table.ticks_per_s)
    for apart in table.set_apart:
        a = origin.seconds(table.base_tick, apart.start_ticks)
        b = origin.seconds(table.base_tick, apart.stop_ticks)
        interval = Interval(a, b).intersect(Interval(0.0, stop_s))
        if interval.duration_s * table.clock.rate_hz > SAME_SAMPLES:
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
    return tuple(
        f"{n:,} {'records are' if n > 1 else 'record is'} not used, {reason} "
        f"({list_names(where[reason])})"
        for reason, n in n_records.items()
    )


def list_names(names: Iterable[str]) -> str:
    """The first few names, and how many more there are."""
    listed = list(dict.fromkeys(names))
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
