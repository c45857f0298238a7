"""The artefact store: one folder a result, named by its key, whole or not there.

A result is written into a folder of its own under `.writing/`, every file and the folder are
fsynced, the receipt is written last, and one rename makes it visible. So a folder that can be seen
is whole, two workers that make the same result never meet (the second rename fails and its copy is
dropped), and a kill at any instant leaves nothing but a stray folder under `.writing/`.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import xxhash

from wakeful.io.atomic import sync_file, sync_folder, write_json
from wakeful.io.codec import read_value, write_value
from wakeful.model.errors import BrokenArtefact, UnknownResult

RECEIPT_NAME = "receipt.json"
_WRITING = ".writing"
_CHUNK = 1 << 22


def digest_file(path: Path) -> str:
    """xxh3-128 of a file's bytes."""
    state = xxhash.xxh3_128()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            state.update(piece)
    return state.hexdigest()


@dataclass(frozen=True)
class Receipt:
    """What made a result, as it stands in `receipt.json`."""

    folder: Path
    tree: dict[str, Any]

    @property
    def key(self) -> str:
        """The result's name."""
        return str(self.tree["key"])

    @property
    def step(self) -> str:
        """The step that made it."""
        return str(self.tree["step"])

    @property
    def files(self) -> dict[str, dict[str, Any]]:
        """File -> bytes and xxh3-128 digest."""
        files: dict[str, dict[str, Any]] = self.tree["files"]
        return files


class Draft:
    """A result being written."""

    def __init__(self, store: Store, step: str, key: str) -> None:
        self._store = store
        self._step = step
        self._key = key
        name = f"{os.getpid()}-{int(psutil.Process().create_time())}-{uuid.uuid4().hex[:8]}"
        self.folder = store.root / _WRITING / name
        self.folder.mkdir(parents=True)

    def write(self, name: str, value: Any) -> Any:
        """Store one output; returns its JSON tree for the receipt."""
        return write_value(self.folder, name, value)

    def commit(self, tree: dict[str, Any]) -> Receipt:
        """Make the result visible; the receipt gets the list of files with their digests."""
        files = {}
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                sync_file(path)
                files[path.relative_to(self.folder).as_posix()] = {
                    "bytes": path.stat().st_size,
                    "xxh3_128": digest_file(path),
                }
        receipt = {**tree, "key": self._key, "step": self._step, "files": files}
        write_json(self.folder / RECEIPT_NAME, receipt)
        target = self._store.folder_of(self._step, self._key)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.folder.rename(target)
        except OSError:
            if not (target / RECEIPT_NAME).is_file():
                raise
            # Another worker was first; equal keys mean equal results.
            self.discard()
        sync_folder(target.parent)
        sync_folder(target.parent.parent)
        return Receipt(target, receipt)

    def discard(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Store:
    """All results of a library.

    Parameters
    ----------
    root : the results folder
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder_of(self, step: str, key: str) -> Path:
        """Where a result is, or would be."""
        return self.root / step / key[:2] / key

    def has(self, step: str, key: str) -> bool:
        """Whether a result is there, whole."""
        return (self.folder_of(step, key) / RECEIPT_NAME).is_file()

    def begin(self, step: str, key: str) -> Draft:
        """Start writing a result."""
        return Draft(self, step, key)

    def receipt(self, step: str, key: str) -> Receipt:
        """What made a result.

        Raises
        ------
        UnknownResult
            There is no such result.
        BrokenArtefact
            Its receipt can't be read.
        """
        return self._read(self.folder_of(step, key))

    def _read(self, folder: Path) -> Receipt:
        path = folder / RECEIPT_NAME
        try:
            return Receipt(folder, json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            raise UnknownResult(
                "there is no such result", where=str(folder), remedy="run its row again"
            ) from error
        except (OSError, ValueError) as error:
            raise BrokenArtefact(
                f"the receipt can't be read ({error})",
                where=str(path),
                remedy="remove the folder; the result is made again on the next run",
            ) from error

    def read(self, step: str, key: str, field: str, kind: Any) -> Any:
        """One output of a result, as the type it was written from."""
        receipt = self.receipt(step, key)
        return read_value(receipt.folder, receipt.tree["outputs"][field], kind)

    def find(self, key_start: str) -> Receipt:
        """The one result whose key begins with `key_start`.

        Raises
        ------
        UnknownResult
            None does, or several do.
        """
        if len(key_start) < 6 or not key_start.isalnum():
            raise UnknownResult(
                f"{key_start!r} is too short for a key",
                remedy="give at least its first 6 characters",
            )
        found = sorted(self.root.glob(f"*/{key_start[:2]}/{key_start}*/{RECEIPT_NAME}"))
        if len(found) != 1:
            raise UnknownResult(
                f"{len(found)} results have a key that begins with {key_start}",
                where=str(self.root),
                remedy="check the key" if not found else "give more of it",
            )
        return self._read(found[0].parent)

    def receipts(self) -> Iterator[Receipt]:
        """Every result; walks the folders, so only for rebuilding an index."""
        for path in sorted(self.root.glob(f"[!.]*/*/*/{RECEIPT_NAME}")):
            yield self._read(path.parent)

    def damaged_files(self, receipt: Receipt) -> tuple[str, ...]:
        """The files that are missing or no longer what the receipt says."""
        return tuple(
            name
            for name, entry in receipt.files.items()
            if not (path := receipt.folder / name).is_file()
            or path.stat().st_size != entry["bytes"]
            or digest_file(path) != entry["xxh3_128"]
        )

    def sweep(self, older_than_s: float = 60.0) -> int:
        """Remove what killed writers left behind; returns how many folders went.

        A folder belongs to a living writer as long as a process with its number and start time
        runs on this machine.
        """
        removed = 0
        for folder in (self.root / _WRITING).glob("*"):
            try:
                pid, started, _ = folder.name.split("-")
                alive = abs(psutil.Process(int(pid)).create_time() - int(started)) < 2
            except (ValueError, psutil.Error):
                alive = False
            if not alive and time.time() - folder.stat().st_mtime >= older_than_s:
                shutil.rmtree(folder, ignore_errors=True)
                removed += 1
        return removed
