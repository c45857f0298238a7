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
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from wakeful.io.channel_kinds import guess_kind
from wakeful.io.edf_header import (
    EdfHeader,
    EdfSignal,
    bad_edf,
    count_edf_records,
    read_edf_header,
)
from wakeful.io.open_files import read_bytes
from wakeful.io.record_streams import name_stream, name_uniquely
from wakeful.io.records import ChannelRecords, Encoding, FileRecording, RecordLayout, Run
from wakeful.io.registry import Found, by_suffix, reader
from wakeful.model.errors import BadRecording
from wakeful.model.recording import Description, Stream
from wakeful.model.subject import Channel, ChannelKind
from wakeful.model.time import Span

_TO_UV = {"uv": 1.0, "µv": 1.0, "mv": 1e3, "v": 1e6, "nv": 1e-3}


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
    header = read_edf_header(path, size)
    warnings: list[str] = []
    n_records = count_edf_records(path, size, header, warnings)
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


def _read_onsets(path: Path, header: EdfHeader, n_records: int) -> list[float]:
    """Onset of the first record (EDF+C) or of every record (EDF+D); empty for plain EDF."""
    signal = next((s for s in header.signals if s.is_annotation), None)
    if signal is None:
        if header.discontinuous:
            raise bad_edf("the file is discontinuous but its records carry no onset", path)
        return []
    n_bytes = signal.n_samples * header.encoding.n_bytes
    onsets: list[float] = []
    for record in range(n_records if header.discontinuous else 1):
        at = header.header_bytes + record * header.record_bytes + signal.at
        raw = read_bytes(path, at, n_bytes)
        try:
            onsets.append(float(raw.split(b"\x14", 1)[0]))
        except ValueError:
            raise bad_edf(f"data record {record + 1} carries no readable onset", path) from None
    return onsets


def _find_spans(
    path: Path, header: EdfHeader, onsets: Sequence[float], n_records: int
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
            raise bad_edf(f"data record {i + 2} begins before the one before it ends", path)
        if late > tolerance_s:
            starts.append(i + 1)
    return list(pairwise([*starts, n_records]))


def _describe(signal: EdfSignal, where: str, warnings: list[str]) -> Channel:
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
