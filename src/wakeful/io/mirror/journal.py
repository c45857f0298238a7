"""The journal of an intake folder: what has been verified, line by line, across kills.

A line is written, and flushed to the disk, only after the bytes it vouches for have been flushed
and read back. Nothing in the file is ever changed; a later line about the same pieces counts. A
line that a kill cut short is passed over: what it would have vouched for is taken in again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from wakeful.io.atomic import sync_folder
from wakeful.io.mirror.grid import piece_bounds
from wakeful.io.mirror.manifest import LAYOUT

JOURNAL_NAME = "journal.jsonl"


@dataclass
class Vouched:
    """What the journal knows of one file."""

    digests: list[str] = field(default_factory=list)
    """xxh3-128 of each piece, from the first on."""
    stop: int = 0
    """Verified bytes, from the start of the file."""
    probe: str = ""
    """xxh3-64 of the last few verified bytes: tells a file that went on from another one."""
    whole: tuple[int, int] | None = None
    """Size and modification time (ns) at the source of the file that is here to its end."""
    blake3: str = ""
    """Of the whole file."""

    def keep(self, n_bytes: int) -> None:
        """Forget all pieces that do not lie within the first `n_bytes`."""
        while self.stop > n_bytes:
            self.digests.pop()
            self.stop = piece_bounds(len(self.digests), 0)[0]
            self.probe = ""
            self.whole, self.blake3 = None, ""


@dataclass(frozen=True)
class Pieces:
    """Verified pieces of one file that follow each other."""

    file: str
    first: int
    digests: tuple[str, ...]
    stop: int
    """One past the last byte of the last of them."""
    probe: str


class Journal:
    """The open journal of an intake folder; one process at a time has it.

    Parameters
    ----------
    path : the file, made where it is missing
    """

    def __init__(self, path: Path) -> None:
        self.files: dict[str, Vouched] = {}
        self.replaced: list[str] = []
        """Files that were other bytes at first, in the order in which that was found."""
        self.new_heads: list[str] = []
        """Files whose header was taken anew."""
        self._path = path
        self._has_layout = False
        is_new = not path.exists()
        for line in [] if is_new else path.read_bytes().splitlines():
            try:
                tree = json.loads(line)
                self._apply(tree)
            except (ValueError, KeyError, TypeError, IndexError):
                continue
        self._file = path.open("ab")
        if self._file.tell():
            self._file.write(b"\n")  # a kill may have cut the last line short
        if not self._has_layout:
            self._write([{"layout": LAYOUT}])
        if is_new:
            sync_folder(path.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add_pieces(self, pieces: Sequence[Pieces]) -> None:
        """Vouch for pieces that are on the disk and were read back."""
        self._record(
            {
                "file": p.file,
                "first": p.first,
                "pieces": list(p.digests),
                "stop": p.stop,
                "probe": p.probe,
            }
            for p in pieces
        )

    def set_whole(self, file: str, n_bytes: int, modified_ns: int, blake3: str) -> None:
        """Say that a file is here to its end, as it was at the source with this stamp."""
        self._record([{"file": file, "whole": [n_bytes, modified_ns], "blake3": blake3}])

    def set_head(self, file: str, digest: str) -> None:
        """Say that the header was taken anew."""
        self._record([{"file": file, "head": digest}])

    def note_replaced(self, file: str) -> None:
        """Say that the source holds other bytes now; the earlier copy is about to be set aside."""
        self._record([{"file": file, "replaced": True}])

    def drop(self, file: str) -> None:
        """Vouch for nothing of a file any more."""
        self._record([{"file": file, "dropped": True}])

    def _record(self, trees: Iterable[Mapping[str, Any]]) -> None:
        lines = list(trees)
        self._write(lines)
        for tree in lines:
            self._apply(tree)

    def _write(self, trees: Sequence[Mapping[str, Any]]) -> None:
        self._file.write(b"".join(json.dumps(tree).encode() + b"\n" for tree in trees))
        self._file.flush()
        os.fsync(self._file.fileno())

    def _apply(self, tree: Mapping[str, Any]) -> None:
        if "layout" in tree:
            self._has_layout = True
            return
        name = tree["file"]
        if "dropped" in tree:
            self.files.pop(name, None)
            return
        if "replaced" in tree:
            if name not in self.replaced:
                self.replaced.append(name)
            return
        known = self.files.setdefault(name, Vouched())
        if "pieces" in tree:
            first, digests, stop = int(tree["first"]), list(tree["pieces"]), int(tree["stop"])
            if first > len(known.digests):
                raise ValueError("pieces after a hole")
            known.digests[first:] = digests
            known.stop, known.probe = stop, tree["probe"]
            known.whole, known.blake3 = None, ""
        elif "head" in tree:
            known.digests[0] = tree["head"]
            known.whole, known.blake3 = None, ""
            if name not in self.new_heads:
                self.new_heads.append(name)
        elif "whole" in tree:
            n_bytes, modified_ns = tree["whole"]
            if n_bytes != known.stop:
                raise ValueError("whole, but of another size")
            known.whole, known.blake3 = (n_bytes, modified_ns), tree["blake3"]


def is_older(path: Path) -> bool:
    """Whether a journal was written by a version that cut files into other pieces."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        for line in file:
            try:
                return "granules" in json.loads(line)
            except ValueError:
                continue
    return False
