"""Flat recordings, Neuralynx events and tracking, written byte by byte; all values are known."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def ramp(start: int, stop: int, channel: int = 0) -> np.ndarray:
    """As `acquisition_files.ramp`: numbers that tell where they come from."""
    number = np.arange(start, stop, dtype=np.int64)
    return ((number * 7 + channel * 1000) % 30_011 - 15_000).astype(np.int16)


def frames(start: int, stop: int, n_channels: int) -> np.ndarray:
    """(n_samples, n_channels) of ramps."""
    return np.stack([ramp(start, stop, c) for c in range(n_channels)], axis=1)


# --- Open Ephys binary ----------------------------------------------------------------------------


def npy(values: np.ndarray, *, promised: int | None = None) -> bytes:
    """A .npy file as the GUI writes it; `promised` is what its header says."""
    n = len(values) if promised is None else promised
    text = f"{{'descr': '{values.dtype.str}', 'fortran_order': False, 'shape': ({n},), }}"
    text = text.ljust(128 - 10 - 1) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + values.tobytes()


def oebin_stream(
    names: Sequence[str],
    *,
    folder: str = "Acq-100.probe/",
    rate_hz: float = 30_000.0,
    bit_volts: float = 0.195,
    stream: str | None = "probe",
    units: str = "",
) -> dict[str, object]:
    entry: dict[str, object] = {
        "folder_name": folder,
        "sample_rate": rate_hz,
        "source_processor_name": "Acq",
        "source_processor_id": 100,
        "num_channels": len(names),
        "channels": [
            {"channel_name": name, "bit_volts": bit_volts, "units": units} for name in names
        ],
    }
    if stream is not None:
        entry["stream_name"] = stream
    return entry


def write_open_ephys(
    recording: Path,
    numbers: np.ndarray,
    *,
    names: Sequence[str] = ("CH1", "CH2", "CH3"),
    rate_hz: float = 30_000.0,
    seconds: np.ndarray | None = None,
    old: bool = False,
    ttl: Sequence[tuple[int, int]] = (),
    messages: Sequence[tuple[int, str]] = (),
    software_ms: int | None = 1_743_680_304_611,
    folder: str = "Acq-100.probe",
    bit_volts: float = 0.195,
) -> Path:
    """One recording folder; sample n of channel c is the ramp at the sample's number.

    old : as GUI 0.4 and 0.5 wrote it
    ttl : (sample number, line, negative where it goes down)
    """
    home = recording / "continuous" / folder
    home.mkdir(parents=True)
    samples = np.stack([_ramp_at(numbers, c) for c in range(len(names))], axis=1)
    (home / "continuous.dat").write_bytes(samples.astype("<i2").tobytes())
    events = recording / "events"
    lines = events / folder / ("TTL_1" if old else "TTL")
    centre = events / ("Message_Center-904.0/TEXT_group_1" if old else "MessageCenter")
    lines.mkdir(parents=True)
    centre.mkdir(parents=True)
    at = np.array([n for n, _ in ttl], "<i8")
    states = np.array([state for _, state in ttl], "<i2")
    texts = np.array([text.encode() for _, text in messages] or [b""], "S64")[: len(messages)]
    said = np.array([n for n, _ in messages], "<i8")
    stamps = "timestamps.npy" if old else "sample_numbers.npy"
    (home / stamps).write_bytes(npy(numbers.astype("<i8")))
    (lines / stamps).write_bytes(npy(at))
    (centre / stamps).write_bytes(npy(said))
    (lines / ("channel_states.npy" if old else "states.npy")).write_bytes(npy(states))
    (centre / "text.npy").write_bytes(npy(texts))
    if not old:
        by_rate = numbers / rate_hz if seconds is None else seconds
        (home / "timestamps.npy").write_bytes(npy(by_rate.astype("<f8")))
        (lines / "timestamps.npy").write_bytes(npy((at / rate_hz).astype("<f8")))
        (centre / "timestamps.npy").write_bytes(npy((said / rate_hz).astype("<f8")))
    stream = None if old else "probe"
    described = {
        "GUI version": "0.5.5" if old else "0.6.7",
        "continuous": [
            oebin_stream(names, folder=f"{folder}/", rate_hz=rate_hz, stream=stream,
                         bit_volts=bit_volts)
        ],
        "events": [
            _oebin_events(lines.relative_to(events), rate_hz, stream),
            _oebin_events(centre.relative_to(events), rate_hz, stream),
        ],
        "spikes": [],
    }  # fmt: skip
    (recording / "structure.oebin").write_text(json.dumps(described), encoding="utf-8")
    if software_ms is not None:
        (recording / "sync_messages.txt").write_text(
            "Software Time (milliseconds since midnight Jan 1st 1970 UTC): "
            f"{software_ms}\nStart Time for Acq (100) - probe @ {rate_hz:g} Hz: {numbers[0]}\n"
        )
    return recording


def _ramp_at(numbers: np.ndarray, channel: int) -> np.ndarray:
    return ((numbers.astype(np.int64) * 7 + channel * 1000) % 30_011 - 15_000).astype(np.int16)


def _oebin_events(folder: Path, rate_hz: float, stream: str | None) -> dict[str, object]:
    entry: dict[str, object] = {
        "folder_name": f"{folder.as_posix()}/",
        "channel_name": "events",
        "sample_rate": rate_hz,
        "type": "int16",
    }
    if stream is not None:
        entry["stream_name"] = stream
    return entry


# --- SpikeGLX -------------------------------------------------------------------------------------


def write_meta(path: Path, values: dict[str, object]) -> Path:
    """The .meta beside a .bin file; None leaves a tag out."""
    lines = [f"{key}={value}" for key, value in values.items() if value is not None]
    beside = path.with_suffix(".meta")
    beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return beside


def imec_meta(path: Path, n_neural: int, n_frames: int, **changes: object) -> dict[str, object]:
    """Neuropixels 1.0: gains 500 (AP) and 250 (LF), the channel c's AP gain 500 + c where odd."""
    band = path.name.split(".")[-2]
    ap = band == "ap"
    subset = f"0:{n_neural - 1},768" if ap else f"384:{384 + n_neural - 1},768"
    rows = "".join(f"({c} 0 0 {500 + (c % 2) * 500} 250 1)" for c in range(384))
    letters = "AP" if ap else "LF"
    first = 0 if ap else 384
    mapped = "".join(f"({letters}{c};{first + c}:{c})" for c in range(n_neural))
    return {
        "acqApLfSy": "384,384,1",
        "appVersion": "20201024",
        "fileCreateTime": "2020-08-29T00:27:54",
        "fileName": f"D:/data/{path.name}",
        "fileSizeBytes": n_frames * (n_neural + 1) * 2,
        "fileTimeSecs": n_frames / (30_000 if ap else 2500),
        "firstSample": 0,
        "imAiRangeMax": "0.6",
        "imAiRangeMin": "-0.6",
        "imDatPrb_pn": "NP1000",
        "imDatPrb_type": 0,
        "imMaxInt": 512,
        "imSampRate": "30000.271" if ap else "2500.022583",
        "nSavedChans": n_neural + 1,
        "snsApLfSy": f"{n_neural},0,1" if ap else f"0,{n_neural},1",
        "snsSaveChanSubset": subset,
        "typeThis": "imec",
        "~imroTbl": f"(0,384){rows}",
        "~snsChanMap": f"(384,384,1){mapped}(SY0;768:{n_neural})",
    } | changes


def write_spikeglx(
    path: Path, n_frames: int, n_neural: int = 3, *, start: int = 0, **changes: object
) -> Path:
    """A probe's band: ramps that go on over the run, and a sync word with bit 6 at every 100th."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.empty((n_frames, n_neural + 1), "<i2")
    samples[:, :n_neural] = frames(start, start + n_frames, n_neural)
    samples[:, n_neural] = sync_word(start, start + n_frames)
    path.write_bytes(samples.tobytes())
    write_meta(path, imec_meta(path, n_neural, n_frames, firstSample=start) | changes)
    return path


def sync_word(start: int, stop: int) -> np.ndarray:
    """Bit 6 is up for 50 samples of every 100."""
    return ((np.arange(start, stop) // 50 % 2) << 6).astype(np.int16)


def nidq_meta(
    path: Path, counts: Sequence[int], n_frames: int, **changes: object
) -> dict[str, object]:
    n_saved = sum(counts)
    return {
        "fileCreateTime": "2020-08-29T00:27:54",
        "fileName": f"D:/data/{path.name}",
        "fileSizeBytes": n_frames * n_saved * 2,
        "firstSample": 0,
        "nSavedChans": n_saved,
        "niAiRangeMax": 2.5,
        "niMAGain": 2,
        "niMNGain": 200,
        "niSampRate": "25000.127",
        "niXDChans1": "0:7",
        "snsMnMaXaDw": ",".join(str(c) for c in counts),
        "snsSaveChanSubset": "all",
        "typeThis": "nidq",
        "~snsChanMap": "(1,1,1,1,1)"
        + "".join(
            f"({name};{i}:{i})"
            for i, name in enumerate(
                f"{kind}{j}"
                for kind, n in zip(("MN0C", "MA0C", "XA", "XD"), counts, strict=True)
                for j in range(n)
            )
        ),
    } | changes


# --- flat -----------------------------------------------------------------------------------------


def write_flat(path: Path, samples: np.ndarray, description: dict[str, object]) -> Path:
    """Samples (n_samples, n_channels) as they are to be stored, and what describes them."""
    path.write_bytes(samples.tobytes())
    path.with_name(f"{path.stem}.flat.json").write_text(json.dumps(description), encoding="utf-8")
    return path


# --- Neuralynx events and tracking ----------------------------------------------------------------

NEV = np.dtype(
    [("stx", "<i2"), ("id", "<i2"), ("size", "<i2"), ("tick", "<u8"), ("event_id", "<i2"),
     ("ttl", "<i2"), ("crc", "<i2"), ("dummy", "<i2", 2), ("extra", "<i4", 8), ("text", "S128")]
)  # fmt: skip
NVT = np.dtype(
    [("stx", "<u2"), ("id", "<u2"), ("size", "<u2"), ("tick", "<u8"), ("points", "<u4", 400),
     ("crc", "<i2"), ("x", "<i4"), ("y", "<i4"), ("angle", "<i4"), ("targets", "<i4", 50)]
)  # fmt: skip


def neuralynx_header(kind: str, record_bytes: int, **more: str) -> bytes:
    values = {
        "FileType": kind,
        "FileVersion": "3.4",
        "TimeCreated": "2024/03/01 10:00:00",
        "RecordSize": str(record_bytes),
        "AcqEntName": "Events" if kind == "Event" else "VT1",
    } | more
    lines = ["######## Neuralynx Data File Header", *(f"-{k} {v}" for k, v in values.items())]
    return "\r\n".join(lines).encode().ljust(16_384, b"\0")


def nev_bytes(
    ticks: Sequence[int],
    *,
    ttl: Sequence[int] | None = None,
    texts: Sequence[str] | None = None,
    stx: int = 800,
) -> bytes:
    records = np.zeros(len(ticks), NEV)
    records["stx"], records["size"], records["event_id"] = stx, 2, 11
    records["tick"] = ticks
    values = np.zeros(len(ticks)) if ttl is None else np.asarray(ttl)
    records["ttl"] = values.astype(np.uint16).view(np.int16)
    records["text"] = [t.encode() for t in (texts or ["TTL Input"] * len(ticks))]
    return neuralynx_header("Event", 184) + records.tobytes()


def nvt_bytes(
    ticks: Sequence[int],
    xy: Sequence[tuple[int, int]],
    angles: Sequence[int] | None = None,
    resolution: str | None = "720 480",
) -> bytes:
    records = np.zeros(len(ticks), NVT)
    records["stx"], records["size"] = 2048, 1828
    records["tick"] = ticks
    records["x"], records["y"] = np.asarray(xy).reshape(-1, 2).T
    records["angle"] = 0 if angles is None else angles
    more = {} if resolution is None else {"Resolution": resolution}
    return neuralynx_header("Video", 1828, **more) + records.tobytes()
