"""The header of an EDF, EDF+ or BDF file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wakeful.io.open_files import read_bytes
from wakeful.io.records import Encoding
from wakeful.model.errors import BadRecording, TruncatedFile

_FIXED_BYTES = 256
_PER_SIGNAL = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
"""Widths of the fields of a signal; each field is written for all signals, then the next."""

_MAX_SIGNALS = 4096
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@dataclass(frozen=True, kw_only=True)
class EdfSignal:
    """One signal of the header."""

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
        """Whether it holds annotations, not samples."""
        return self.label in ("EDF Annotations", "BDF Annotations")


@dataclass(frozen=True, kw_only=True)
class EdfHeader:
    """What the header says."""

    encoding: Encoding
    header_bytes: int
    record_bytes: int
    record_s: float
    n_records: int
    """-1 where the file was never closed."""
    discontinuous: bool
    start: datetime | None
    subject: str
    signals: tuple[EdfSignal, ...]


def read_edf_header(path: Path, size: int) -> EdfHeader:
    """Read it.

    Raises
    ------
    TruncatedFile
        The file ends within it.
    BadRecording
        It is damaged.
    """
    raw = read_bytes(path, 0, min(size, _FIXED_BYTES))
    is_bdf = raw[:8] == b"\xffBIOSEMI"
    if len(raw) < _FIXED_BYTES or not (is_bdf or raw[:8].strip() == b"0"):
        raise bad_edf("the file does not begin with an EDF or BDF header", path)
    text = raw.decode("latin-1")
    n_signals = _whole(text[252:256], "number of signals", path)
    n_records = _whole(text[236:244], "number of data records", path)
    record_s = _real(text[244:252], "duration of a data record", path)
    if not 0 < n_signals <= _MAX_SIGNALS:
        raise bad_edf(f"the header names {n_signals} signals", path)
    if not 0 <= record_s < 86_400 or n_records < -1:
        raise bad_edf(f"the header names {n_records} data records of {record_s:g} s", path)
    header_bytes = _FIXED_BYTES * (n_signals + 1)
    if size < header_bytes:
        raise TruncatedFile(
            "the file ends within its header", where=path.name, remedy="copy the file again"
        )
    rest = read_bytes(path, _FIXED_BYTES, header_bytes - _FIXED_BYTES).decode("latin-1")
    signals, record_bytes = _read_signals(rest, n_signals, 3 if is_bdf else 2, path)
    # Records that hold nothing but annotations have no length (Kemp and Olivan 2003).
    if record_s == 0 and not all(signal.is_annotation for signal in signals):
        raise bad_edf(f"the header names {n_records} data records of 0 s", path)
    return EdfHeader(
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
) -> tuple[tuple[EdfSignal, ...], int]:
    columns: list[list[str]] = []
    at = 0
    for width in _PER_SIGNAL:
        columns.append(
            [text[at + i * width : at + (i + 1) * width].strip() for i in range(n_signals)]
        )
        at += n_signals * width
    signals: list[EdfSignal] = []
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
            raise bad_edf(f"digital range {first} to {last}, {n_samples} samples {what}", path)
        gain = (high - low) / (last - first)
        signals.append(
            EdfSignal(
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
        raise bad_edf("data records hold no samples", path)
    return tuple(signals), place


def count_edf_records(path: Path, size: int, header: EdfHeader, warnings: list[str]) -> int:
    """How many whole data records the file holds.

    Raises
    ------
    TruncatedFile
        Fewer than its header says.
    BadRecording
        None.
    """
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
        raise bad_edf("the file holds no data record", path)
    return n_records


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
        raise bad_edf(f"{what} is {text.strip()!r}", path)
    return int(number)


def _real(text: str, what: str, path: Path) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not abs(number) < 1e15:
        raise bad_edf(f"{what} is {text.strip()!r}", path)
    return number


def bad_edf(what: str, path: Path) -> BadRecording:
    """The error of a damaged file."""
    return BadRecording(
        what, where=path.name, remedy="the file is damaged: copy it again, or leave it out"
    )
