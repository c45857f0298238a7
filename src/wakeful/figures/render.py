"""Figures to bytes that carry their receipt's key, and the key read back from a file."""

from __future__ import annotations

import io
import re
import struct
import zlib
from pathlib import Path
from typing import Any, Literal

from matplotlib.figure import Figure

from wakeful.figures import style
from wakeful.model.errors import UnknownResult

Format = Literal["png", "pdf", "svg"]
FORMATS: tuple[Format, ...] = ("png", "pdf", "svg")

_KEYWORD = "wakeful:key"
_KEY = re.compile(r"[0-9A-Za-z_-]{8,128}")
_EMBEDDED = re.compile(rb"wakeful:key=([0-9A-Za-z_-]{8,128})")
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_STAMP = "wakeful-stamp"


def stamp(figure: Figure, key: str, text: str) -> None:
    """Write "wakeful <text> · key <its first 12 characters>" into the lower corner.

    Parameters
    ----------
    text : what drew the figure, for example the step and its version

    A figure that has a stamp already gets the new one in its place.
    """
    for old in [artist for artist in figure.texts if artist.get_gid() == _STAMP]:
        old.remove()
    wide, high = figure.get_size_inches() * style.MM_PER_INCH
    with style.house_style():
        figure.text(
            1 - 2.0 / wide,
            1.2 / high,
            f"wakeful {text} · key {_checked(key)[:12]}",
            ha="right",
            va="bottom",
            fontsize=style.NOTE_PT,
            color=style.FAINT,
            family="DejaVu Sans Mono",
            gid=_STAMP,
            parse_math=False,
        )


def render(figure: Figure, fmt: Format, key: str) -> bytes:
    """The figure as a PNG (200 dots per inch), PDF or SVG with the full key in its metadata.

    The same figure gives the same bytes: no dates, fixed identifiers.

    Raises
    ------
    ValueError
        The format is not one of the three, or the key has characters no key has.
    """
    mark = f"{_KEYWORD}={_checked(key)}"
    metadata: dict[str, Any]
    if fmt == "png":
        metadata = {_KEYWORD: key, "Software": "wakeful"}
    elif fmt == "pdf":
        metadata = {"Keywords": mark, "Creator": "wakeful", "CreationDate": None}
    elif fmt == "svg":
        metadata = {"Keywords": [mark], "Creator": "wakeful", "Date": None}
    else:
        raise ValueError(f"a figure is written as {', '.join(FORMATS)}, not as {fmt!r}")
    buffer = io.BytesIO()
    with style.house_style():
        figure.savefig(buffer, format=fmt, dpi=style.PNG_DPI, metadata=metadata, facecolor="white")
    return buffer.getvalue()


def read_key(path: Path) -> str:
    """The key embedded in a figure that Wakeful wrote (PNG, PDF or SVG).

    Raises
    ------
    UnknownResult
        The file can't be read, is no such figure, is damaged or holds more than one key.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnknownResult(
            f"can't be read ({error.strerror or error})",
            where=str(path),
            remedy="give the path of a figure",
        ) from error
    if data.startswith(_PNG_SIGNATURE):
        keys = _png_keys(data)
    elif data.startswith(b"%PDF-") or b"<svg" in data[:4096]:
        keys = {found.decode("ascii") for found in _EMBEDDED.findall(data)}
    else:
        raise UnknownResult(
            "is not a PNG, PDF or SVG file",
            where=str(path),
            remedy="give a figure as Wakeful published it",
        )
    if len(keys) != 1:
        what = "holds no key" if not keys else f"holds {len(keys)} different keys"
        raise UnknownResult(
            what,
            where=str(path),
            remedy="give the file as Wakeful published it; programs that edit or shrink images "
            "remove the key (its first 12 characters stand in the corner of the picture)",
        )
    return keys.pop()


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} can't be the key of a result")
    return key


def _png_keys(data: bytes) -> set[str]:
    """Keys in the tEXt chunks whose checksums are right (PNG specification, 11.3.4.3)."""
    keys: set[str] = set()
    at = len(_PNG_SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + length]
        tail = data[at + 8 + length : at + 12 + length]
        if len(tail) < 4 or struct.unpack(">I", tail)[0] != zlib.crc32(kind + body):
            break
        if kind == b"tEXt":
            keyword, _, text = body.partition(b"\0")
            value = text.decode("latin-1")
            if keyword == _KEYWORD.encode() and _KEY.fullmatch(value):
                keys.add(value)
        if kind == b"IEND":
            break
        at += 12 + length
    return keys
