"""A stored LFP packed to take less disk: `<name>.blosc` in the place of `<name>.npy`.

Each minute of each channel is a Blosc buffer (lz4, bits shuffled) of its own, one after the other
in the order of the array, so that one channel's half hour is thirty small reads. Whole numbers are
packed as differences between neighbouring samples, which are smaller. `<name>.blosc.json` says
where each buffer begins, and holds the digests of both files: that of the packed one, and that of
the `.npy` it came from, which is the one in the receipt. A receipt never changes.

The `.npy` goes only after the packed file has been read back, unpacked, and found to be the same to
the bit. So at any instant one whole form is there; where both are, the `.npy` counts.
"""

from __future__ import annotations

import base64
import json
import math
import os
import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import xxhash
from numpy.typing import NDArray

from wakeful.io.atomic import sync_file, sync_folder, write_json
from wakeful.model.errors import BrokenArtefact

_CODEC = "blosc lz4 5 bitshuffle"
_LEVEL = 5
_BITSHUFFLE = 2


@dataclass(frozen=True)
class Packed:
    """A packed LFP: where its buffers lie."""

    folder: Path
    name: str
    shape: tuple[int, int, int]
    """(minute, channel, samples in a minute)"""
    dtype: np.dtype[Any]
    header: bytes
    """The first bytes of the `.npy`."""
    offsets: tuple[int, ...]
    """Where each buffer begins, and where the last one ends."""
    n_bytes: int
    digest: str
    """xxh3-128 of the packed file."""
    npy_bytes: int
    npy_digest: str

    @property
    def path(self) -> Path:
        """The packed file."""
        return self.folder / f"{self.name}.blosc"

    @classmethod
    def find(cls, folder: Path, name: str) -> Self | None:
        """The packed form of an LFP; None where there is none.

        Raises
        ------
        BrokenArtefact
            There is one, and its index can't be read.
        """
        path = _index(folder, name)
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
            packed = cls(
                folder=folder,
                name=name,
                shape=(int(tree["shape"][0]), int(tree["shape"][1]), int(tree["shape"][2])),
                dtype=np.dtype(tree["dtype"]),
                header=base64.b64decode(tree["npy_header"]),
                offsets=tuple(tree["offsets"]),
                n_bytes=int(tree["bytes"]),
                digest=str(tree["xxh3_128"]),
                npy_bytes=int(tree["npy_bytes"]),
                npy_digest=str(tree["npy_xxh3_128"]),
            )
            if tree["codec"] != _CODEC:
                raise ValueError(f"it is packed by {tree['codec']!r}")
            if len(packed.offsets) != packed.shape[0] * packed.shape[1] + 1:
                raise ValueError("it names too few buffers")
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise _broken(folder, name, f"index can't be read ({error})") from error
        return packed

    def unpack(self, file: int, minute: int, channel: int) -> NDArray[Any]:
        """One minute of one channel, read-only.

        Parameters
        ----------
        file : descriptor of the open packed file

        Raises
        ------
        BrokenArtefact
            The bytes are not what was written.
        """
        from numcodecs import blosc

        place = minute * self.shape[1] + channel
        start, stop = self.offsets[place], self.offsets[place + 1]
        data = os.pread(file, stop - start, start)
        n_bytes = self.shape[2] * self.dtype.itemsize
        try:
            # The head of a Blosc buffer: its length unpacked, of a block, and packed.
            if len(data) != stop - start or struct.unpack("<4xI4xI", data[:16]) != (
                n_bytes,
                len(data),
            ):
                raise ValueError("a buffer is cut off")
            values: NDArray[Any] = np.frombuffer(blosc.decompress(data), self.dtype)
        except (ValueError, RuntimeError, struct.error) as error:
            raise _broken(self.folder, self.name, f"file is damaged ({error})") from error
        if _as_differences(self.dtype):
            values = np.cumsum(values, dtype=self.dtype)
        return values

    def pieces(self) -> Iterator[bytes]:
        """The bytes of the `.npy`, piece by piece."""
        yield self.header
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            for minute in range(self.shape[0]):
                for channel in range(self.shape[1]):
                    yield self.unpack(descriptor, minute, channel).tobytes()
        finally:
            os.close(descriptor)

    def digest_again(self) -> str:
        """xxh3-128 of the `.npy`, from what is on the disk now."""
        state = xxhash.xxh3_128()
        for piece in self.pieces():
            state.update(piece)
        return state.hexdigest()

    def array(self) -> NDArray[Any]:
        """The whole array, in memory."""
        data = b"".join(list(self.pieces())[1:])
        return np.frombuffer(data, self.dtype).reshape(self.shape)


def compress_lfp(folder: Path, name: str, digest: str) -> tuple[int, int]:
    """Put the packed form in the place of `<name>.npy`; returns bytes before and after.

    A kill at any instant leaves the `.npy`, the packed form or both. What is packed already stays.
    Two that do this, or undo it, in one folder at one time must be kept apart by the caller.

    Parameters
    ----------
    digest : xxh3-128 of the `.npy`, from the receipt

    Raises
    ------
    BrokenArtefact
        The `.npy` is not what the receipt says, or does not come back to the bit; it stays.
    """
    npy = folder / f"{name}.npy"
    if not npy.is_file():
        packed = Packed.find(folder, name)
        if packed is None:
            raise _broken(folder, name, "file is missing")
        return packed.npy_bytes, packed.n_bytes
    _sweep(folder, name)
    temporary = folder / f".{name}.blosc.{_unique()}.tmp"
    try:
        packed = _pack(npy, temporary, folder, name)
        if packed.npy_digest != digest:
            raise _broken(folder, name, "file does not match its receipt")
        sync_file(temporary)
        # From here on by what the disk gives back, not by what was meant to be written.
        temporary.replace(packed.path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(folder)
    if packed.digest_again() != digest:
        _index(folder, name).unlink(missing_ok=True)
        packed.path.unlink(missing_ok=True)
        raise _broken(folder, name, "file did not come back from its packed form")
    write_json(
        _index(folder, name),
        {
            "codec": _CODEC,
            "differences": _as_differences(packed.dtype),
            "dtype": packed.dtype.str,
            "shape": list(packed.shape),
            "bytes": packed.n_bytes,
            "xxh3_128": packed.digest,
            "npy_bytes": packed.npy_bytes,
            "npy_xxh3_128": packed.npy_digest,
            "npy_header": base64.b64encode(packed.header).decode(),
            "offsets": list(packed.offsets),
        },
    )
    npy.unlink()
    sync_folder(folder)
    return packed.npy_bytes, packed.n_bytes


def expand_lfp(folder: Path, name: str, digest: str) -> tuple[int, int]:
    """Put `<name>.npy` back, the same to the bit; returns bytes before and after.

    Raises
    ------
    BrokenArtefact
        The packed form does not give what the receipt says; it stays.
    """
    npy = folder / f"{name}.npy"
    packed = Packed.find(folder, name)
    _sweep(folder, name)
    if not npy.is_file():
        if packed is None:
            raise _broken(folder, name, "file is missing")
        temporary = folder / f".{name}.npy.{_unique()}.tmp"
        state = xxhash.xxh3_128()
        try:
            with temporary.open("wb") as file:
                for piece in packed.pieces():
                    file.write(piece)
                    state.update(piece)
            if state.hexdigest() != digest:
                raise _broken(folder, name, "packed form does not match its receipt")
            sync_file(temporary)
            temporary.replace(npy)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(folder)
    size = npy.stat().st_size
    before = size if packed is None else packed.n_bytes
    _index(folder, name).unlink(missing_ok=True)
    (folder / f"{name}.blosc").unlink(missing_ok=True)
    sync_folder(folder)
    return before, size


def _pack(npy: Path, target: Path, folder: Path, name: str) -> Packed:
    from numcodecs import blosc

    source, packed = xxhash.xxh3_128(), xxhash.xxh3_128()
    with npy.open("rb") as file, target.open("wb") as out:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = read(file)
        length = file.tell()
        file.seek(0)
        header = file.read(length)
        source.update(header)
        offsets = [0]
        n_bytes = shape[2] * dtype.itemsize
        for _ in range(shape[0] * shape[1]):
            data = file.read(n_bytes)
            if len(data) != n_bytes:
                raise _broken(folder, name, "file ends too early")
            source.update(data)
            values = np.frombuffer(data, dtype)
            if _as_differences(dtype):
                values = np.diff(values, prepend=dtype.type(0))
            buffer = blosc.compress(values, b"lz4", _LEVEL, _BITSHUFFLE)
            out.write(buffer)
            packed.update(buffer)
            offsets.append(offsets[-1] + len(buffer))
    return Packed(
        folder=folder,
        name=name,
        shape=(shape[0], shape[1], shape[2]),
        dtype=dtype,
        header=header,
        offsets=tuple(offsets),
        n_bytes=offsets[-1],
        digest=packed.hexdigest(),
        npy_bytes=len(header) + math.prod(shape) * dtype.itemsize,
        npy_digest=source.hexdigest(),
    )


def _as_differences(dtype: np.dtype[Any]) -> bool:
    """Whole numbers wrap around and come back; others would be rounded."""
    return dtype.kind in "iu"


def _sweep(folder: Path, name: str) -> None:
    """What a kill left half written; nobody else writes here meanwhile."""
    for form in ("blosc", "npy"):
        for path in folder.glob(f".{name}.{form}.*.tmp"):
            path.unlink(missing_ok=True)


def _index(folder: Path, name: str) -> Path:
    return folder / f"{name}.blosc.json"


def _unique() -> str:
    return f"{os.getpid()}-{uuid.uuid4().hex[:8]}"


def _broken(folder: Path, name: str, what: str) -> BrokenArtefact:
    return BrokenArtefact(
        f"the {'packed ' if what.startswith(('index', 'file is damaged')) else ''}LFP's {what}",
        where=str(folder / name),
        remedy="remove the folder; the block is converted again on the next run",
    )
