"""The channels file: a CSV that says where each channel lies and what it records.

Columns: channel, subject, region, kind (lfp, eeg, emg, ttl, other), reference, x_mm, y_mm, z_mm,
notes. Only `channel` is required; an empty cell leaves what the recording itself says.
"""

from __future__ import annotations

import csv
import difflib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wakeful.model.arrays import ArraySource, ReadsAhead, Samples
from wakeful.model.errors import BadChannels
from wakeful.model.recording import Stream
from wakeful.model.subject import UNKNOWN_REGION, Channel, ChannelKind
from wakeful.model.time import Span

FILE_NAME = "channels.csv"
"""A file of this name in a recording's folder is found by itself."""

COLUMNS = (
    "channel",
    "subject",
    "region",
    "kind",
    "reference",
    "x_mm",
    "y_mm",
    "z_mm",
    "notes",
)
_FORMULA = ("=", "@")
_MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class ChannelsFile:
    """The rows of a channels file, cells checked but not yet compared with a recording."""

    path: Path
    rows: tuple[tuple[int, Mapping[str, str]], ...]
    """(number of the line in the file, column -> cell)."""


def find_channels_file(root: Path) -> Path | None:
    """The `channels.csv` in a recording's folder (beside it, where the recording is a file)."""
    folder = root if root.is_dir() else root.parent
    path = folder / FILE_NAME
    return path if path.is_file() else None


def read_channels_file(path: Path) -> ChannelsFile:
    """Read and check a channels file; commas, semicolons and tabs are all understood.

    Raises
    ------
    BadChannels
        It can't be read, has no column `channel`, or has bad cells: all named at once, with
        their lines.
    """
    text = _read_text(path)
    head = text.splitlines()[0] if text.strip() else ""
    separator = max(",;\t", key=head.count)
    reading = csv.reader(text.splitlines(keepends=True), delimiter=separator)
    columns = [cell.strip().lower() for cell in next(reading, [])]
    problems = _check_columns(columns)
    rows: list[tuple[int, Mapping[str, str]]] = []
    for cells in reading:
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        line = reading.line_num
        if len(cells) > len(columns) and any(cells[len(columns) :]):
            problems.append(f"line {line}: {len(cells)} cells for {len(columns)} columns")
        row = dict(zip(columns, cells, strict=False))
        if "channel" in columns:
            problems += _check_row(line, row)
        rows.append((line, row))
    if not rows and not problems:
        problems.append("there are no rows")
    counts = Counter(row.get("channel", "") for _, row in rows)
    problems += [
        f"channel {name} is listed {n} times (lines "
        + ", ".join(str(line) for line, row in rows if row.get("channel") == name)
        + ")"
        for name, n in counts.items()
        if name and n > 1
    ]
    _raise_all(problems, path)
    return ChannelsFile(path, tuple(rows))


def apply_channels_file(
    stream: Stream, file: ChannelsFile, others: Iterable[str] = ()
) -> tuple[Channel, ...]:
    """The stream's channels with what the file says of them.

    Parameters
    ----------
    stream : whose channels are described
    others : names of channels in the recording's other streams; rows for them are passed over

    Raises
    ------
    BadChannels
        The file names channels that are not in the recording, or leaves out channels that are:
        all named at once.
    """
    names = [channel.name for channel in stream.channels]
    elsewhere = set(others) - set(names)
    rows = {row["channel"]: (line, row) for line, row in file.rows}
    problems: list[str] = []
    for name, (line, _) in rows.items():
        if name not in names and name not in elsewhere:
            near = difflib.get_close_matches(name, names, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            problems.append(f"line {line}: there is no channel {name} in the recording{hint}")
    missing = [name for name in names if name not in rows]
    if missing:
        problems.append(
            f"no line for {', '.join(missing)} (write one; kind `other` leaves a channel out)"
        )
    if problems:
        problems[-1] += f"; stream {stream.name} holds {', '.join(names)}"
    _raise_all(problems, file.path)
    return tuple(_describe(channel, rows[channel.name][1]) for channel in stream.channels)


def label_stream(
    stream: Stream, path: Path | None, others: Iterable[str] = ()
) -> tuple[Stream, tuple[str, ...]]:
    """The stream with its channels described, and what a person must know.

    Parameters
    ----------
    path : the channels file; None where there is none
    others : names of channels in the recording's other streams

    Raises
    ------
    BadChannels
        See `read_channels_file` and `apply_channels_file`.
    """
    if path is not None:
        channels = apply_channels_file(stream, read_channels_file(path), others)
        stream = replace(stream, channels=channels)
    nowhere = [c.name for c in stream.channels if c.kind.is_brain and c.region == UNKNOWN_REGION]
    if not nowhere:
        return stream, ()
    if path is None:
        what = "there is no channels file: regions are unknown and EMG is recognised by name"
        return stream, (
            f"{what}; put a {FILE_NAME} into the recording's folder or give one with --channels",
        )
    return stream, (f"{path.name} names no region for {', '.join(nowhere)}: they are unknown",)


class LabelledSource:
    """An `ArraySource` whose channels are described anew, and perhaps only some of them.

    Parameters
    ----------
    source : where the samples come from
    channels : what each row is
    rows : which rows of `source` they are; all where None
    """

    def __init__(
        self,
        source: ArraySource,
        channels: tuple[Channel, ...],
        rows: Sequence[int] | None = None,
    ) -> None:
        self._source = source
        self._rows = tuple(range(len(source.channels)) if rows is None else rows)
        if len(self._rows) != len(channels):
            raise ValueError(f"{len(channels)} channels for {len(self._rows)} rows")
        self.channels = channels

    @property
    def spans(self) -> tuple[Span, ...]:
        """See `ArraySource.spans`."""
        return self._source.spans

    @property
    def dtype(self) -> Any:
        """See `ArraySource.dtype`."""
        return self._source.dtype

    def read(self, first_sample: int, out: Samples, rows: Sequence[int] | None = None) -> None:
        """See `ArraySource.read`."""
        chosen = self._rows if rows is None else [self._rows[row] for row in rows]
        self._source.read(first_sample, out, chosen)

    def expect(self, first_sample: int, n_samples: int, rows: Sequence[int]) -> None:
        """See `ReadsAhead.expect`."""
        if isinstance(self._source, ReadsAhead):
            self._source.expect(first_sample, n_samples, [self._rows[row] for row in rows])

    def is_at_hand(self, first_sample: int, n_samples: int, rows: Sequence[int]) -> bool:
        """See `ReadsAhead.is_at_hand`."""
        chosen = [self._rows[row] for row in rows]
        source = self._source
        return not isinstance(source, ReadsAhead) or source.is_at_hand(
            first_sample, n_samples, chosen
        )


def _read_text(path: Path) -> str:
    try:
        raw = path.read_bytes() if path.stat().st_size <= _MAX_BYTES else None
    except OSError as error:
        raise BadChannels(
            f"it can't be read ({error.strerror})", where=str(path), remedy="check the path"
        ) from error
    if raw is None or b"\0" in raw:
        raise BadChannels(
            "it is not a CSV file", where=str(path), remedy="save the table as CSV (UTF-8)"
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        # What spreadsheets of older systems write.
        return raw.decode("latin-1")


def _check_columns(columns: Sequence[str]) -> list[str]:
    problems = []
    if "channel" not in columns:
        problems.append(f"there is no column `channel` (found {', '.join(columns) or 'nothing'})")
    unknown = [name for name in columns if name and name not in COLUMNS]
    if unknown:
        problems.append(f"unknown columns {', '.join(unknown)} (known: {', '.join(COLUMNS)})")
    doubled = [name for name, n in Counter(columns).items() if name and n > 1]
    if doubled:
        problems.append(f"columns given twice: {', '.join(doubled)}")
    return problems


def _check_row(line: int, row: Mapping[str, str]) -> list[str]:
    problems = []
    if not row.get("channel"):
        problems.append(f"line {line}: channel is empty")
    kind = row.get("kind", "").lower()
    if kind and kind not in list(ChannelKind):
        problems.append(f"line {line}: kind {kind!r} is not one of {', '.join(ChannelKind)}")
    problems += [
        f"line {line}: {name} {row[name]!r} is not a number"
        for name in ("x_mm", "y_mm", "z_mm")
        if row.get(name) and not math.isfinite(_number(row[name]))
    ]
    problems += [
        f"line {line}: {name} {row[name]!r} looks like a formula"
        for name in ("channel", "subject", "region", "reference", "notes")
        if row.get(name, "").startswith(_FORMULA)
    ]
    return problems


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _describe(channel: Channel, row: Mapping[str, str]) -> Channel:
    def place(name: str, present: float | None) -> float | None:
        return float(row[name]) if row.get(name) else present

    kind = row.get("kind", "").lower()
    return replace(
        channel,
        subject=row.get("subject") or channel.subject,
        region=row.get("region") or channel.region,
        kind=ChannelKind(kind) if kind else channel.kind,
        reference=row.get("reference") or channel.reference,
        x_mm=place("x_mm", channel.x_mm),
        y_mm=place("y_mm", channel.y_mm),
        z_mm=place("z_mm", channel.z_mm),
        notes=row.get("notes") or channel.notes,
    )


def _raise_all(problems: Sequence[str], path: Path) -> None:
    if problems:
        raise BadChannels(
            " | ".join(problems),
            where=str(path),
            remedy="correct the channels file and save it again",
        )
