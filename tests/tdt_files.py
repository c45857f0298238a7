"""A tiny TDT block, as neo's reader of the format understands it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

TSQ = np.dtype(
    [
        ("size", "<i4"),
        ("evtype", "<i4"),
        ("evname", "S4"),
        ("channel", "<u2"),
        ("sortcode", "<u2"),
        ("timestamp", "<f8"),
        ("offset", "<i8"),
        ("dataformat", "<i4"),
        ("frequency", "<f4"),
    ]
)
START_S = 1_700_000_000.0
RATE_HZ = 1017.25
PER_CHUNK = 64


def write_tdt(folder: Path, samples: np.ndarray, lost_after: dict[int, int] | None = None) -> Path:
    """A stream of float32 and one of strobes; chunks of all channels take turns.

    samples : (n_channels, n_samples) float32, a whole number of chunks
    lost_after : chunk -> samples that were lost after it
    """
    rows = np.zeros(2, TSQ)
    rows["evname"][1] = b"\x01"
    rows["timestamp"][1] = START_S
    chunks: list[np.ndarray] = []
    raw = b""
    taken = 0
    for number, start in enumerate(range(0, samples.shape[1], PER_CHUNK)):
        for channel, values in enumerate(samples[:, start : start + PER_CHUNK]):
            row = np.zeros(1, TSQ)
            row["size"], row["evtype"], row["evname"] = 10 + PER_CHUNK, 0x8101, b"LFP1"
            row["channel"], row["offset"] = channel + 1, len(raw)
            row["timestamp"] = START_S + 0.5 + taken / RATE_HZ
            row["frequency"] = RATE_HZ
            chunks.append(row)
            raw += values.astype("<f4").tobytes()
        taken += PER_CHUNK + (lost_after or {}).get(number, 0)
    last = np.zeros(1, TSQ)
    last["evname"], last["timestamp"] = b"\x02", START_S + 1 + taken / RATE_HZ
    (folder / "day1.tsq").write_bytes(np.concatenate([rows, *chunks, last]).tobytes())
    (folder / "day1.tev").write_bytes(raw)
    (folder / "day1.tdx").write_bytes(b"")
    fields = {
        "StoreName": "LFP1",
        "HeadName": "LFP1",
        "Enabled": "1",
        "CircType": "0",
        "NumChan": str(len(samples)),
        "StrobeMode": "0",
        "TankEvType": str(0x8101),
        "NumPoints": str(PER_CHUNK),
        "DataFormat": "0",
        "SampleFreq": str(RATE_HZ),
    }
    text = "".join(f"NAME={key};TYPE=S;VALUE={value};\n" for key, value in fields.items())
    (folder / "day1.Tbk").write_bytes(text.encode() + b"[USERNOTEDELIMITER]")
    return folder
