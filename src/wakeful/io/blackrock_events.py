"""Blackrock's events (.nev): changes of the digital inputs, and comments."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.io.open_files import open_file, read_exactly
from wakeful.model.errors import BadRecording
from wakeful.model.events import EventSeries

_BASIC = np.dtype(
    [
        ("file_id", "S8"),
        ("version", "u1", 2),
        ("flags", "<u2"),
        ("header_bytes", "<u4"),
        ("packet_bytes", "<u4"),
        ("ticks_per_s", "<u4"),
    ]
)
_DIGITAL, _COMMENT = 0, 0xFFFF
_SERIAL = 0x80
_STEP_BYTES = 4 * 1024 * 1024


def read_nev(path: Path, zero_s: float) -> tuple[EventSeries, ...]:
    """The events of an .nev file; none where there is no such file. Spikes are passed over.

    Parameters
    ----------
    zero_s : when the recording's first sample was taken, seconds of the file's clock

    Raises
    ------
    BadRecording
        Its header is damaged.
    """
    if not path.is_file():
        return ()
    size = path.stat().st_size
    descriptor = open_file(path)
    try:
        head = np.zeros(_BASIC.itemsize, np.uint8)
        if size >= _BASIC.itemsize:
            read_exactly(descriptor, head, 0, path)
        basic = head.view(_BASIC)[0]
        packet_bytes, at = int(basic["packet_bytes"]), int(basic["header_bytes"])
        if (
            basic["file_id"] not in (b"NEURALEV", b"BREVENTS")
            or not 12 < packet_bytes <= 4096
            or basic["ticks_per_s"] == 0
        ):
            raise BadRecording(
                "the file does not begin with a Blackrock header",
                where=path.name,
                remedy="copy it again, or move it away: the signals are read without it",
            )
        packet = _packet(int(basic["version"][0]), packet_bytes)
        parts: list[NDArray[Any]] = []
        n_packets, n_over = divmod(max(0, size - at), packet_bytes)
        step = _STEP_BYTES // packet_bytes
        for first in range(0, n_packets, step):
            raw = np.empty(min(step, n_packets - first) * packet_bytes, np.uint8)
            read_exactly(descriptor, raw, at + first * packet_bytes, path)
            found = raw.view(packet)
            parts.append(found[np.isin(found["id"], (_DIGITAL, _COMMENT))])
    finally:
        os.close(descriptor)
    packets = np.concatenate(parts) if parts else np.empty(0, packet)
    warnings = (f"{n_over} bytes are left over after the last packet",) if n_over else ()
    time_s = packets["tick"] / float(basic["ticks_per_s"]) - zero_s
    digital = packets["id"] == _DIGITAL
    serial = digital & ((packets["reason"] & _SERIAL) > 0)
    comments = packets["id"] == _COMMENT
    series = [
        EventSeries(
            name=name,
            time_s=time_s[chosen],
            code=packets["value"][chosen].astype(np.int64),
            label=("",) * int(np.count_nonzero(chosen)),
            file=path.name,
            warnings=warnings,
        )
        for name, chosen in (("digital input", digital & ~serial), ("serial input", serial))
    ]
    series.append(
        EventSeries(
            name="comments",
            time_s=time_s[comments],
            code=np.zeros(int(np.count_nonzero(comments)), np.int64),
            label=tuple(_decode(p) for p in packets[comments]),
            file=path.name,
            warnings=warnings,
        )
    )
    return tuple(s for s in series if s.n_events)


def _packet(major: int, n_bytes: int) -> np.dtype[Any]:
    """A packet as a digital event and as a comment; version 3 has time stamps of 8 bytes."""
    wide = 8 if major >= 3 else 4
    return np.dtype(
        {
            "names": ["tick", "id", "reason", "value", "text"],
            "formats": [f"<u{wide}", "<u2", "u1", "<u2", f"V{n_bytes - wide - 8}"],
            "offsets": [0, wide, wide + 2, wide + 4, wide + 8],
            "itemsize": n_bytes,
        }
    )


def _decode(packet: Any) -> str:
    """A comment's text; the byte after the packet's number says how it is written."""
    code = "utf-16-le" if packet["reason"] == 1 else "latin-1"
    text: str = bytes(packet["text"]).decode(code, "replace")
    return text.replace("\0", "").strip()
