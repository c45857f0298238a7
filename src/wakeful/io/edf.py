"""EDF, EDF+ and BDF: one file, a header and data records that hold a piece of every channel.

Header fields as in Kemp et al. 1992 (EDF), Kemp and Olivan 2003 (EDF+) and BioSemi's description
of BDF (24 bit). Channels of unequal rates become separate streams. In a discontinuous file
(EDF+D) every record carries its own onset: gaps come out as spans. Annotation channels are left
out. The header is parsed and the records are read here rather than through pyedflib, which serves
one thread, opens a file only once in a process and refuses BDF files of 1 s; the tests compare
every number with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from wakeful.io.channel_kinds import guess_kind
from wakeful.io.open_files import read_bytes
from wakeful.io.record_streams import name_stream, name_uniquely
from wakeful.io.records import ChannelRecords, Encoding, FileRecording, RecordLayout, Run
from wakeful.io.registry import Found, by_suffix, reader
from wakeful.model.errors import BadRecording, TruncatedFile
from wakeful.model.recording import Description, Stream
from wakeful.model.subject import Channel, ChannelKind
from wakeful.model.time import Span

_FIXED_BYTES = 256
_PER_SIGNAL = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
"""Widths of the fields of a signal; each field is written for all signals, then the next."""

_TO_UV = {"uv": 1.0, "µv": 1.0, "mv": 1e3, "v": 1e6, "nv": 1e-3}
_MAX_SIGNALS = 4096
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@dataclass(frozen=True, kw_only=True)
class _Signal:
    label: str
    dimension: str
    gain: float
    """Physical units per step."""
    offset: float
    prefilter: str
    n_samples: int
    """In a data record."""
    at: int
    """First byte in a data record."""

    @property
    def is_annotation(self) -> bool:
        return self.label in ("EDF Annotations", "BDF Annotations")


@dataclass(frozen=True, kw_only=True)
class _Header:
    encoding: Encoding
    header_bytes: int
    record_bytes: int
    record_s: float
    n_records: int
    """-1 where the file was never closed."""
    discontinuous: bool
    start: datetime | None
    subject: str
    signals: tuple[_Signal, ...]


@reader(
    name="edf",
    title="EDF, EDF+, BDF (.edf, .bdf)",
    sniff=by_suffix(".edf", ".bdf"),
    rotates=True,
)
def open_edf(found: Found) -> FileRecording:
    """Open an EDF or BDF file, or a folder that holds one.

    Raises
    ------
    TruncatedFile
        The file is shorter than its header says.
    BadRecording
        The header is damaged, or the folder holds several files.
    """
    path = found.only_file()
    size = path.stat().st_size
    header = _read_header(path, size)
    warnings: list[str] = []
    n_records = _count_records(path, size, header, warnings)
    onsets = _read_onsets(path, header, n_records)
    first_records = _find_spans(path, header, onsets, n_records)
    streams: list[Stream] = []
    records: dict[str, tuple[ChannelRecords, ...]] = {}
    taken: set[str] = set()
    signals = [s for s in header.signals if not s.is_annotation and s.n_samples > 0]
    if not signals:
        raise BadRecording(
            "the file holds annotations but no signals",
            where=path.name,
            remedy="give the file that holds the signals",
        )
    for n_samples in dict.fromkeys(s.n_samples for s in signals):
        members = [s for s in signals if s.n_samples == n_samples]
        rate_hz = n_samples / header.record_s
        spans: list[Span] = []
        runs: list[Run] = []
        for first, stop in first_records:
            number = runs[-1].first_sample + runs[-1].n_samples if runs else 0
            start_s = onsets[first] - onsets[0] if onsets else 0.0
            spans.append(Span(start_s, (stop - first) * n_samples, rate_hz, number))
            runs.append(Run(number, (stop - first) * n_samples, first))
        name = name_stream(rate_hz, len(members), taken)
        channels = [_describe(signal, path.name, warnings) for signal in members]
        streams.append(
            Stream(
                name=name,
                rate_hz=rate_hz,
                channels=name_uniquely(channels, [channel.name for channel in channels]),
                spans=tuple(spans),
                files=(path.name,),
            )
        )
        records[name] = tuple(
            ChannelRecords(
                (path,),
                RecordLayout(
                    header.header_bytes, header.record_bytes, s.at, n_samples, header.encoding
                ),
                tuple(runs),
            )
            for s in members
        )
    start = header.start
    if start is None:
        warnings.append("the header's date is damaged: times of day are unknown")
    elif onsets:
        start += timedelta(seconds=onsets[0])
    description = Description(
        format="bdf" if header.encoding is Encoding.INT24 else "edf",
        root=str(found.root),
        streams=tuple(streams),
        start_utc=start,
        start_is_local=start is not None,
        warnings=tuple(warnings),
        ignored_files=tuple(sorted(file.name for file in found.others)),
        subject=header.subject,
    )
    return FileRecording(description, path.parent, records)


def _read_header(path: Path, size: int) -> _Header:
    raw = read_bytes(path, 0, min(size, _FIXED_BYTES))
    is_bdf = raw[:8] == b"\xffBIOSEMI"
    if len(raw) < _FIXED_BYTES or not (is_bdf or raw[:8].strip() == b"0"):
        raise _bad("the file does not begin with an EDF or BDF header", path)
    text = raw.decode("latin-1")
    n_signals = _whole(text[252:256], "number of signals", path)
    n_records = _whole(text[236:244], "number of data records", path)
    record_s = _real(text[244:252], "duration of a data record", path)
    if not 0 < n_signals <= _MAX_SIGNALS:
        raise _bad(f"the header names {n_signals} signals", path)
    if not 0 < record_s < 86_400 or n_records < -1:
        raise _bad(f"the header names {n_records} data records of {record_s:g} s", path)
    header_bytes = _FIXED_BYTES * (n_signals + 1)
    if size < header_bytes:
        raise TruncatedFile(
            "the file ends within its header", where=path.name, remedy="copy the file again"
        )
    rest = read_bytes(path, _FIXED_BYTES, header_bytes - _FIXED_BYTES).decode("latin-1")
    signals, record_bytes = _read_signals(rest, n_signals, 3 if is_bdf else 2, path)
    return _Header(
        encoding=Encoding.INT24 if is_bdf else Encoding.INT16,
        header_bytes=header_bytes,
        record_bytes=record_bytes,
        record_s=record_s,
        n_records=n_records,
        discontinuous=text[192:197] in ("EDF+D", "BDF+D"),
        start=_read_start(text),
        # EDF+ writes X for what is not said.
        subject=" ".join(word for word in text[8:88].split() if word != "X"),
        signals=signals,
    )


def _read_signals(
    text: str, n_signals: int, n_bytes: int, path: Path
) -> tuple[tuple[_Signal, ...], int]:
    columns: list[list[str]] = []
    at = 0
    for width in _PER_SIGNAL:
        columns.append(
            [text[at + i * width : at + (i + 1) * width].strip() for i in range(n_signals)]
        )
        at += n_signals * width
    signals: list[_Signal] = []
    place = 0
    for label, _, dimension, p_min, p_max, d_min, d_max, prefilter, count, _ in zip(
        *columns, strict=True
    ):
        what = f"of signal {label!r}"
        low, high = (
            _real(p_min, f"physical minimum {what}", path),
            _real(p_max, f"physical maximum {what}", path),
        )
        first, last = (
            _whole(d_min, f"digital minimum {what}", path),
            _whole(d_max, f"digital maximum {what}", path),
        )
        n_samples = _whole(count, f"samples per record {what}", path)
        if last == first or not 0 <= n_samples < 10**8:
            raise _bad(f"digital range {first} to {last}, {n_samples} samples {what}", path)
        gain = (high - low) / (last - first)
        signals.append(
            _Signal(
                label=label,
                dimension=dimension,
                gain=gain,
                offset=low - gain * first,
                prefilter=prefilter,
                n_samples=n_samples,
                at=place,
            )
        )
        place += n_samples * n_bytes
    if place == 0:
        raise _bad("data records hold no samples", path)
    return tuple(signals), place


def _count_records(path: Path, size: int, header: _Header, warnings: list[str]) -> int:
    n_whole, n_over = divmod(size - header.header_bytes, header.record_bytes)
    if header.n_records == -1:
        warnings.append(
            f"{path.name}: the file was never closed; its {n_whole:,} whole records are used"
        )
        n_records = n_whole
    elif n_whole < header.n_records:
        raise TruncatedFile(
            f"the header promises {header.n_records:,} data records, the file holds {n_whole:,} "
            f"and {n_over} bytes",
            where=path.name,
            remedy="copy it again, and wait until the copy has ended",
        )
    else:
        n_records = header.n_records
        if n_whole > n_records or n_over:
            warnings.append(
                f"{path.name}: {size - header.header_bytes - n_records * header.record_bytes:,} "
                "bytes after the last data record are not used"
            )
    if n_records == 0:
        raise _bad("the file holds no data record", path)
    return n_records


def _read_onsets(path: Path, header: _Header, n_records: int) -> list[float]:
    """Onset of the first record (EDF+C) or of every record (EDF+D); empty for plain EDF."""
    signal = next((s for s in header.signals if s.is_annotation), None)
    if signal is None:
        if header.discontinuous:
            raise _bad("the file is discontinuous but its records carry no onset", path)
        return []
    n_bytes = signal.n_samples * header.encoding.n_bytes
    onsets: list[float] = []
    for record in range(n_records if header.discontinuous else 1):
        at = header.header_bytes + record * header.record_bytes + signal.at
        raw = read_bytes(path, at, n_bytes)
        try:
            onsets.append(float(raw.split(b"\x14", 1)[0]))
        except ValueError:
            raise _bad(f"data record {record + 1} carries no readable onset", path) from None
    return onsets


def _find_spans(
    path: Path, header: _Header, onsets: Sequence[float], n_records: int
) -> list[tuple[int, int]]:
    """First record and one past the last of each gap-free stretch."""
    if not header.discontinuous:
        return [(0, n_records)]
    most = max(s.n_samples for s in header.signals if not s.is_annotation)
    tolerance_s = 0.5 * header.record_s / max(most, 1)
    starts = [0]
    for i, (onset, following) in enumerate(pairwise(onsets)):
        late = following - onset - header.record_s
        if late < -tolerance_s:
            raise _bad(f"data record {i + 2} begins before the one before it ends", path)
        if late > tolerance_s:
            starts.append(i + 1)
    return list(pairwise([*starts, n_records]))


def _describe(signal: _Signal, where: str, warnings: list[str]) -> Channel:
    kind = guess_kind(signal.label)
    notes = ""
    scale = _TO_UV.get(signal.dimension.lower())
    if scale is None:
        scale = 1.0
        if signal.dimension:
            notes = f"measured in {signal.dimension}, not in volts"
            if kind is not ChannelKind.TTL:
                kind = ChannelKind.OTHER
        elif kind is not ChannelKind.TTL:
            warnings.append(f"{where}: {signal.label} names no unit; microvolts are assumed")
    return Channel(
        name=signal.label or "unnamed",
        kind=kind,
        gain_uv=signal.gain * scale,
        offset_uv=signal.offset * scale,
        highpass_hz=_corner(signal.prefilter, "HP"),
        lowpass_hz=_corner(signal.prefilter, "LP"),
        notes=notes,
    )


def _corner(prefilter: str, side: str) -> float | None:
    """Corner from text like "HP:0.1Hz LP:75Hz"."""
    match = re.search(rf"\b{side}:?\s*([0-9]+(?:\.[0-9]+)?)\s*(k?)Hz", prefilter, re.IGNORECASE)
    if match is None:
        return None
    return float(match[1]) * (1000 if match[2] else 1) or None


def _read_start(text: str) -> datetime | None:
    """Local date and time; EDF+ repeats the date with all four digits of the year."""
    clock = re.match(r"(\d\d)\.(\d\d)\.(\d\d)", text[176:184])
    date = re.match(r"(\d\d)\.(\d\d)\.(\d\d)", text[168:176])
    full = re.match(r"Startdate (\d\d)-([A-Z]{3})-(\d{4})", text[88:168])
    try:
        if clock is None:
            return None
        hours = (int(clock[1]), int(clock[2]), int(clock[3]))
        if full is not None and full[2] in _MONTHS:
            day = (int(full[3]), _MONTHS.index(full[2]) + 1, int(full[1]))
        elif date is not None:
            # Years are counted from 1985 (Kemp et al. 1992).
            year = int(date[3])
            day = (year + (1900 if year >= 85 else 2000), int(date[2]), int(date[1]))
        else:
            return None
        return datetime(*day, *hours, tzinfo=UTC)
    except ValueError:
        return None


def _whole(text: str, what: str, path: Path) -> int:
    number = _real(text, what, path)
    if number != int(number):
        raise _bad(f"{what} is {text.strip()!r}", path)
    return int(number)


def _real(text: str, what: str, path: Path) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not abs(number) < 1e15:
        raise _bad(f"{what} is {text.strip()!r}", path)
    return number


def _bad(what: str, path: Path) -> BadRecording:
    return BadRecording(
        what, where=path.name, remedy="the file is damaged: copy it again, or leave it out"
    )
