"""Tiny acquisition files, written byte by byte, whose every sample is known."""

from __future__ import annotations

import importlib.util
import struct
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

NCS = np.dtype(
    [("tick", "<u8"), ("channel", "<u4"), ("rate", "<u4"), ("n_valid", "<u4"), ("x", "<i2", 512)]
)
CONTINUOUS = np.dtype(
    [
        ("tick", "<i8"),
        ("n_valid", "<u2"),
        ("recording", "<u2"),
        ("x", ">i2", 1024),
        ("marker", "u1", 10),
    ]
)
MARKER = [0, 1, 2, 3, 4, 5, 6, 7, 8, 255]


def ramp(stop: int, channel: int = 0, start: int = 0) -> np.ndarray:
    """Samples start to stop of a channel: numbers that tell where they come from."""
    number = np.arange(start, stop, dtype=np.int64)
    return ((number * 7 + channel * 1000) % 30_011 - 15_000).astype(np.int16)


def ncs_header(name: str = "CSC1", rate_hz: float = 2000, **changes: str | None) -> bytes:
    values: dict[str, str | None] = {
        "FileType": "NCS",
        "FileVersion": "3.4",
        "TimeCreated": "2024/03/01 10:00:00",
        "RecordSize": "1044",
        "SamplingFrequency": f"{rate_hz:g}",
        "ADMaxValue": "32767",
        "ADBitVolts": "0.000000030517578125",
        "AcqEntName": name,
        "InputRange": "1000",
        "InputInverted": "True",
        "DSPLowCutFilterEnabled": "True",
        "DspLowCutFrequency": "0.1",
        "DSPHighCutFilterEnabled": "True",
        "DspHighCutFrequency": "500",
    } | changes
    lines = ["######## Neuralynx Data File Header"]
    lines += [f"-{key} {value}" for key, value in values.items() if value is not None]
    return "\r\n".join(lines).encode("latin-1").ljust(16_384, b"\0")


def ncs_records(
    n_records: int,
    rate_hz: float = 2000,
    *,
    start_us: int = 5_000_000,
    true_rate_hz: float | None = None,
    short: dict[int, int] | None = None,
    lost_after: dict[int, int] | None = None,
    channel: int = 0,
) -> np.ndarray:
    """Records of a ramp.

    short : record -> how many of its samples are valid
    lost_after : record -> samples that were lost after it (the ramp goes on as if they had come)
    """
    records = np.zeros(n_records, NCS)
    taken = 0
    for i in range(n_records):
        n = (short or {}).get(i, 512)
        records[i]["n_valid"] = n
        records[i]["x"][:n] = ramp(taken + n, channel, taken)
        records[i]["x"][n:] = 31_111
        records[i]["tick"] = start_us + round(taken / (true_rate_hz or rate_hz) * 1e6)
        taken += n + (lost_after or {}).get(i, 0)
    records["rate"] = round(rate_hz)
    records["channel"] = channel
    return records


def write_ncs(path: Path, header: bytes, records: np.ndarray) -> Path:
    path.write_bytes(header + records.tobytes())
    return path


def write_continuous(
    path: Path,
    n_records: int,
    *,
    channel: str = "CH1",
    rate_hz: int = 1000,
    bit_volts: float = 0.195,
    first_tick: int = 4096,
    lost_after: dict[int, int] | None = None,
    number: int = 0,
    padding: int = 0,
) -> Path:
    header = (
        "header.format = 'Open Ephys Data Format'; \nheader.version = 0.4; \n"
        "header.header_bytes = 1024;\nheader.date_created = '1-Nov-2019 122540';\n"
        f"header.channel = '{channel}';\nheader.channelType = 'Continuous';\n"
        f"header.sampleRate = {rate_hz};\nheader.blockLength = 1024;\n"
        f"header.bufferSize = 480;\nheader.bitVolts = {bit_volts};\n"
    )
    records = np.zeros(n_records, CONTINUOUS)
    taken = 0
    for i in range(n_records):
        records[i]["tick"] = first_tick + taken
        records[i]["x"] = ramp(taken + 1024, number, taken)
        taken += 1024 + (lost_after or {}).get(i, 0)
    if padding:
        records["x"][-1][-padding:] = 0
    records["n_valid"] = 1024
    records["marker"] = MARKER
    path.write_bytes(header.encode().ljust(1024, b" ") + records.tobytes())
    return path


def _qstring(text: str) -> bytes:
    raw = text.encode("utf-16-le")
    return struct.pack("<I", len(raw)) + raw


def write_rhd(
    path: Path, block_starts: Sequence[int], *, n_channels: int = 2, rate_hz: float = 20_000
) -> Path:
    """An Intan file of version 1.5: amplifier channels only, 60 samples a block."""
    head = struct.pack("<Ihh", 0xC6912702, 1, 5)
    head += struct.pack("<fhffffffhff", rate_hz, 1, 1.0, 0.5, 7500.0, 1.0, 0.1, 7500.0, 0, 1e3, 1e3)
    head += _qstring("") * 3 + struct.pack("<hh", 0, 0)
    head += struct.pack("<h", 1) + _qstring("Port A") + _qstring("A")
    head += struct.pack("<hhh", 1, n_channels, n_channels)
    for i in range(n_channels):
        head += _qstring(f"A-{i:03d}") * 2
        head += struct.pack("<hhhhhhhhhhff", i, i, 0, 1, i, 0, 0, 0, 0, 0, 0.0, 0.0)
    block = np.dtype([("tick", "<i4", 60), ("x", "<u2", (n_channels, 60))])
    blocks = np.zeros(len(block_starts), block)
    for i, start in enumerate(block_starts):
        number = start + np.arange(60)
        blocks[i]["tick"] = number.astype(np.uint32).view(np.int32)
        for c in range(n_channels):
            blocks[i]["x"][c] = ramp(start + 60, c, start).astype(np.int32) + 32_768
    path.write_bytes(head + blocks.tobytes())
    return path


def _edf_field(text: str, width: int) -> bytes:
    return text.encode("latin-1").ljust(width)[:width]


def write_edf(
    path: Path,
    labels: Sequence[str],
    per_record: Sequence[int],
    n_records: int,
    *,
    dimension: str = "uV",
    onsets: Sequence[float] | None = None,
    bdf: bool = False,
    promised: int | None = None,
) -> Path:
    """An EDF(+) or BDF file with records of 1 s; with onsets, a discontinuous one."""
    labels, per_record = list(labels), list(per_record)
    signals = len(labels)
    kind = "BDF" if bdf else "EDF"
    if onsets is not None:
        labels.append(f"{kind} Annotations")
        per_record.append(15)
    n = len(labels)
    steps = (-8_388_608, 8_388_607) if bdf else (-32_768, 32_767)
    head = b"\xffBIOSEMI" if bdf else _edf_field("0", 8)
    head += _edf_field("X X X X", 80) + _edf_field("Startdate 30-MAR-2025 X X X", 80)
    head += _edf_field("30.03.2520.02.43", 16) + _edf_field(str(256 * (n + 1)), 8)
    head += _edf_field(f"{kind}+D" if onsets is not None else ("24BIT" if bdf else ""), 44)
    head += _edf_field(str(n_records if promised is None else promised), 8) + _edf_field("1", 8)
    head += _edf_field(str(n), 4)
    head += b"".join(_edf_field(label, 16) for label in labels)
    head += _edf_field("", 80) * n + _edf_field(dimension, 8) * signals
    head += _edf_field("", 8) * (n - signals)
    head += _edf_field("-3276.8", 8) * n + _edf_field("3276.7", 8) * n
    head += _edf_field(str(steps[0]), 8) * n + _edf_field(str(steps[1]), 8) * n
    head += _edf_field("HP:0.1Hz LP:75Hz", 80) * n
    head += b"".join(_edf_field(str(count), 8) for count in per_record) + _edf_field("", 32) * n
    body = b""
    for record in range(n_records):
        for c, count in enumerate(per_record[:signals]):
            samples = ramp((record + 1) * count, c, record * count)
            if bdf:
                wide = (samples.astype("<i4") * 300)[:, None].view("u1")
                body += wide[:, :3].tobytes()
            else:
                body += samples.astype("<i2").tobytes()
        if onsets is not None:
            text = f"+{onsets[record]:g}\x14\x14\0".encode()
            body += text.ljust(15 * (3 if bdf else 2), b"\0")
    path.write_bytes(head + body)
    return path


def write_binary_csv(folder: Path, n_samples: int, n_channels: int = 3) -> Path:
    rows = ["Entity,BinColumn,Label,ProbeInfo,SampleRate,Units,Precision,LastEdit"]
    rows += [
        f"{i + 1},{i + 1},C-{i:03d},port,1000,\N{MICRO SIGN}V,float32,2023-12-13T11:17:32"
        for i in range(n_channels)
    ]
    (folder / "M1_Meta.csv").write_text("\n".join(rows), encoding="utf-8")
    samples = np.stack([ramp(n_samples, c) for c in range(n_channels)]).astype("<f4") / 8
    path = folder / "M1_ColMajor.bin"
    path.write_bytes(samples.tobytes())
    return path


def write_intan_dat(
    folder: Path, numbers: np.ndarray, *, by_channel: bool = False, n_channels: int = 2
) -> Path:
    """Intan's header with the samples in .dat files; `numbers` counts the samples, with gaps."""
    header = write_rhd(folder / "info.rhd", [], n_channels=n_channels)
    stop = int(numbers.max()) + 1
    samples = np.stack([ramp(stop, c)[numbers] for c in range(n_channels)])
    (folder / "time.dat").write_bytes(numbers.astype("<i4").tobytes())
    if by_channel:
        for i, row in enumerate(samples):
            (folder / f"amp-A-{i:03d}.dat").write_bytes(row.astype("<i2").tobytes())
    else:
        (folder / "amplifier.dat").write_bytes(samples.T.astype("<i2").tobytes())
    return header


def write_rhs(
    path: Path, block_starts: Sequence[int], rate_hz: float = 30_000, *, dc: bool = False
) -> Path:
    """An Intan stimulator's file: two amplifier channels, 128 samples a block, with currents.

    dc : with the slow amplifier's channels, at 512 steps, which is 0 V
    """
    head = struct.pack("<Ihh", 0xD69127AC, 3, 0)
    head += struct.pack("<fhffffffff", rate_hz, 1, 1.0, 0.5, 0.5, 7500.0, 1.0, 0.1, 0.5, 7500.0)
    head += struct.pack("<hff", 0, 1e3, 1e3) + struct.pack("<hh", 0, 0)
    head += struct.pack("<fff", 1e-6, 0.0, 0.0) + _qstring("") * 3
    head += struct.pack("<hh", dc, 0) + _qstring("n/a")
    head += struct.pack("<h", 1) + _qstring("Port A") + _qstring("A") + struct.pack("<hhh", 1, 2, 2)
    for i in range(2):
        head += _qstring(f"A-{i:03d}") * 2
        head += struct.pack("<hhhhhhhhhhhff", i, i, 0, 1, i, 0, 0, 0, 0, 0, 0, 0.0, 0.0)
    fields = [("tick", "<i4", 128), ("x", "<u2", (2, 128)), ("dc", "<u2", (2 * dc, 128))]
    block = np.dtype([*fields, ("stim", "<u2", (2, 128))])
    blocks = np.zeros(len(block_starts), block)
    for i, start in enumerate(block_starts):
        blocks[i]["tick"] = start + np.arange(128)
        for c in range(2):
            blocks[i]["x"][c] = ramp(start + 128, c, start).astype(np.int32) + 32_768
    blocks["dc"] = 512
    path.write_bytes(head + blocks.tobytes())
    return path


def _flat_files() -> ModuleType:
    path = Path(__file__).with_name("acquisition_files_flat.py")
    spec = importlib.util.spec_from_file_location("acquisition_files_flat", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


flat = _flat_files()
"""The writers of tests/acquisition_files_flat.py."""
