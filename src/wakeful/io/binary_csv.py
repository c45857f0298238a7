"""Pairs of `NAME_ColMajor.bin` and `NAME_Meta.csv`, as neurodent and its converters write them.

The binary file holds all samples of the first channel, then all of the second, and so on, without
a header. The table has a row a channel: BinColumn (its place, from 1), Label, SampleRate (Hz),
Units and Precision (float32 or int16). The number of samples follows from the size of the file.
Neither file says when the recording began.
"""

from __future__ import annotations

import csv
from pathlib import Path

from wakeful.io.channel_kinds import guess_kind
from wakeful.io.record_streams import name_stream, name_uniquely
from wakeful.io.records import ChannelRecords, Encoding, FileRecording, RecordLayout, Run
from wakeful.io.registry import Found, reader
from wakeful.model.errors import BadRecording, TruncatedFile
from wakeful.model.recording import Description, Stream
from wakeful.model.subject import Channel
from wakeful.model.time import Span

_BINARY = "_ColMajor.bin"
_TABLE = "_Meta.csv"
_COLUMNS = ("BinColumn", "Label", "SampleRate", "Units", "Precision")
_TO_UV = {"uv": 1.0, "µv": 1.0, "μv": 1.0, "mv": 1e3, "v": 1e6}
_ENCODINGS = {"float32": Encoding.FLOAT32, "int16": Encoding.INT16}


def _table_of(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(_BINARY) + _TABLE)


def _sniff(files: tuple[Path, ...]) -> tuple[Path, ...]:
    return tuple(
        path for path in files if str(path).endswith(_BINARY) and _table_of(path).is_file()
    )


@reader(name="binary-csv", title="binary with a table (_ColMajor.bin, _Meta.csv)", sniff=_sniff)
def open_binary_csv(found: Found) -> FileRecording:
    """Open a `_ColMajor.bin` file by the `_Meta.csv` beside it, or a folder with one such pair.

    Raises
    ------
    TruncatedFile
        The file's size is not a whole number of samples of all channels.
    BadRecording
        The table is damaged, names all that is wrong; or the folder holds several pairs.
    """
    path = found.only_file()
    table = _table_of(path)
    rows = _read_table(table)
    encoding, rate_hz = _ENCODINGS[rows[0]["Precision"]], float(rows[0]["SampleRate"])
    size = path.stat().st_size
    n_samples, n_over = divmod(size, encoding.n_bytes * len(rows))
    if n_over or n_samples == 0:
        raise TruncatedFile(
            f"{size:,} bytes are not a whole number of samples of {len(rows)} channels",
            where=path.name,
            remedy="copy the file again, and check that the table beside it belongs to it",
        )
    channels = [
        Channel(
            name=row["Label"], kind=guess_kind(row["Label"]), gain_uv=_TO_UV[row["Units"].lower()]
        )
        for row in rows
    ]
    stream = Stream(
        name=name_stream(rate_hz, len(rows), set()),
        rate_hz=rate_hz,
        channels=name_uniquely(channels, [channel.name for channel in channels]),
        spans=(Span(0.0, n_samples, rate_hz, 0),),
        files=(path.name,),
    )
    records = [
        ChannelRecords(
            (path,),
            RecordLayout(
                0,
                size,
                (int(row["BinColumn"]) - 1) * n_samples * encoding.n_bytes,
                n_samples,
                encoding,
            ),
            (Run(0, n_samples, 0),),
        )
        for row in rows
    ]
    description = Description(
        format="binary-csv",
        root=str(found.root),
        streams=(stream,),
        start_utc=None,
        warnings=("the files do not say when the recording began: times of day are unknown",),
        ignored_files=tuple(sorted(file.name for file in found.others if file != table)),
    )
    return FileRecording(description, path.parent, {stream.name: records})


def _read_table(path: Path) -> list[dict[str, str]]:
    """One row a channel, checked; names everything that is wrong at once."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        reading = csv.DictReader(file)
        columns = reading.fieldnames or []
        rows = [{k: (v or "").strip() for k, v in row.items() if k} for row in reading]
    problems = [f"no column {name}" for name in _COLUMNS if name not in columns]
    if not problems:
        problems = [text for i, row in enumerate(rows, 2) for text in _check_row(i, row)]
        places = sorted(row["BinColumn"] for row in rows)
        if not problems and places != sorted(str(i + 1) for i in range(len(rows))):
            problems.append(f"BinColumn must count from 1 to {len(rows)}, each once")
        for name in ("SampleRate", "Precision"):
            if len({row[name] for row in rows}) > 1:
                problems.append(f"{name} differs between channels")
    if not rows:
        problems.append("no rows")
    if problems:
        raise BadRecording(
            " | ".join(problems),
            where=path.name,
            remedy="correct the table beside the binary file",
        )
    return rows


def _check_row(number: int, row: dict[str, str]) -> list[str]:
    problems: list[str] = []
    if not row["BinColumn"].isdecimal() or int(row["BinColumn"]) < 1:
        problems.append(f"row {number}: BinColumn is {row['BinColumn']!r}")
    if not row["Label"]:
        problems.append(f"row {number}: Label is empty")
    try:
        rate_hz = float(row["SampleRate"])
    except ValueError:
        rate_hz = 0.0
    if not 0 < rate_hz < 1e6:
        problems.append(f"row {number}: SampleRate is {row['SampleRate']!r}")
    if row["Units"].lower() not in _TO_UV:
        problems.append(f"row {number}: Units is {row['Units']!r}, not uV, mV or V")
    if row["Precision"] not in _ENCODINGS:
        problems.append(f"row {number}: Precision is {row['Precision']!r}, not float32 or int16")
    return problems
