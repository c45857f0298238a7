"""The artefact store: one folder a result, named by its key, whole or not there.

A result is written into a folder of its own under `.writing/`, every file and the folder are
fsynced, the receipt is written last, and one rename makes it visible. So a folder that can be seen
is whole, two workers that make the same result never meet (the second rename fails and its copy is
dropped), and a kill at any instant leaves nothing but a stray folder under `.writing/`. Its writer
holds a lock in it as long as it lives, so that a stray folder is told from one being written.
"""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import xxhash

from wakeful.io.atomic import sync_file, sync_folder, write_json
from wakeful.io.codec import read_value, write_value
from wakeful.io.holding import hold, is_held
from wakeful.io.lfp_compression import Packed
from wakeful.io.lfp_store import is_out_of_descriptors
from wakeful.model.errors import BrokenArtefact, UnknownResult

RECEIPT_NAME = "receipt.json"
_WRITING = ".writing"
_LOCK_NAME = ".lock"
_CHUNK = 1 << 22
_RENAMES = 10
_ELSEWHERE_OLDER_THAN_S = 2 * 86400.0
"""Whether a writer on another machine lives can't be seen from here where its locks can't."""


def digest_file(path: Path) -> str:
    """xxh3-128 of a file's bytes."""
    state = xxhash.xxh3_128()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            state.update(piece)
    return state.hexdigest()


def digest_stored(path: Path, n_bytes: int | None = None) -> str | None:
    """xxh3-128 of a result's file, unpacked where it is packed; None where it is not there.

    Parameters
    ----------
    n_bytes : the size it should have; None too where it has another
    """
    if path.is_file():
        return digest_file(path) if n_bytes in (None, path.stat().st_size) else None
    try:
        packed = Packed.find(path.parent, path.stem) if path.suffix == ".npy" else None
        return None if packed is None else packed.digest_again()
    except (BrokenArtefact, FileNotFoundError):
        return None


def load_stored(path: Path) -> Any:
    """A result's array, whole and in memory; unpacked where it is packed."""
    packed = None if path.is_file() else Packed.find(path.parent, path.stem)
    return np.load(path, allow_pickle=False) if packed is None else packed.array()


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
    """A result being written.

    Ends with `commit` or `discard`; until then no `sweep` touches its folder.
    """

    def __init__(self, store: Store, step: str, key: str) -> None:
        self._store = store
        self._step = step
        self._key = key
        self.folder = store.root / _WRITING / _new_name()
        self.folder.mkdir(parents=True)
        self._hold = hold(self.folder / _LOCK_NAME)

    def write(self, name: str, value: Any) -> Any:
        """Store one output; returns its JSON tree for the receipt."""
        return write_value(self.folder, name, value)

    def commit(self, tree: dict[str, Any]) -> Receipt:
        """Make the result visible; the receipt gets the list of files with their digests."""
        files = {}
        lock = self.folder / _LOCK_NAME
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path != lock:
                sync_file(path)
                files[path.relative_to(self.folder).as_posix()] = {
                    "bytes": path.stat().st_size,
                    "xxh3_128": digest_file(path),
                }
        receipt = {**tree, "key": self._key, "step": self._step, "files": files}
        # Before the receipt, whose writing makes the folder's names durable, and the folder young.
        lock.unlink()
        write_json(self.folder / RECEIPT_NAME, receipt)
        target = self._store.folder_of(self._step, self._key)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not self._rename_to(target):
            # Another worker was first; equal keys mean equal results.
            self.discard()
        self._hold.release()
        sync_folder(target.parent)
        sync_folder(target.parent.parent)
        return Receipt(target, receipt)

    def _rename_to(self, target: Path) -> bool:
        """Become the result; False where it is there already."""
        for _ in range(_RENAMES):
            try:
                self.folder.rename(target)
            except OSError as error:
                if (target / RECEIPT_NAME).is_file():
                    return False
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                self._store.set_aside(target)
            else:
                return True
        raise BrokenArtefact(
            "a folder without a receipt is in the way and comes back each time it is moved",
            where=str(target),
            remedy="find out what else writes there",
        )

    def discard(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._hold.release()


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
            if is_out_of_descriptors(error):
                raise
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
            if digest_stored(receipt.folder / name, entry["bytes"]) != entry["xxh3_128"]
        )

    def set_aside(self, folder: Path) -> None:
        """Take away a half-removed result, one without a receipt, that is in the way of a new one.

        It goes under `.writing/` first: seen from the results it is there, or not there.
        """
        aside = self.root / _WRITING / _new_name()
        try:
            folder.rename(aside)
        except FileNotFoundError:
            return  # another worker was first
        if (aside / RECEIPT_NAME).is_file():
            # Between the look and the move another worker had put the whole result there.
            try:
                aside.rename(folder)
            except OSError:
                shutil.rmtree(aside, ignore_errors=True)  # and by now there is one more like it
            return
        shutil.rmtree(aside, ignore_errors=True)

    def remove(self, receipt: Receipt) -> None:
        """Remove a result: seen from outside it is there whole, or not there."""
        aside = self.root / _WRITING / _new_name()
        aside.parent.mkdir(exist_ok=True)
        try:
            receipt.folder.rename(aside)
        except FileNotFoundError:
            return  # somebody else was first
        sync_folder(receipt.folder.parent)
        shutil.rmtree(aside, ignore_errors=True)

    def sweep(self, older_than_s: float = 60.0) -> int:
        """Remove what killed writers left behind; returns how many folders went.

        A folder whose lock is held has a living writer and stays. Where there is no lock, or the
        disk can't lock, a process with the writer's number and start time on this machine counts as
        the writer. Folders from other machines stay for two days besides, since a lock held there
        may not be seen here.
        """
        removed = 0
        for folder in (self.root / _WRITING).glob("*"):
            age_s = time.time() - _last_change(folder)
            host, alive = _writer_of(folder.name)
            elsewhere = host not in ("", _host())
            if age_s < (max(older_than_s, _ELSEWHERE_OLDER_THAN_S) if elsewhere else older_than_s):
                continue
            held = is_held(folder / _LOCK_NAME)
            if held or (held is None and alive and not elsewhere):
                continue
            shutil.rmtree(folder, ignore_errors=True)
            removed += not folder.exists()
        return removed


def _new_name() -> str:
    """A folder's name under `.writing/`: the writer, and what no other name has."""
    started = int(psutil.Process().create_time())
    return f"{_host()}-{os.getpid()}-{started}-{uuid.uuid4().hex[:8]}"


def _host() -> str:
    name = socket.gethostname()
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)[:64] or "unnamed"


def _writer_of(name: str) -> tuple[str, bool]:
    """A writer's machine, and whether it seems to live, provided that this is its machine.

    Names that earlier versions gave have no machine in them.
    """
    parts = name.rsplit("-", 3)
    host = parts[0] if len(parts) == 4 else ""
    try:
        pid, started, _ = parts[-3:]
        return host, abs(psutil.Process(int(pid)).create_time() - int(started)) < 2
    except (ValueError, OverflowError, psutil.Error):
        return host, False


def _last_change(folder: Path) -> float:
    """When the folder or a file in it was written to; never, where it is gone meanwhile."""
    latest = 0.0
    for path in (folder, *folder.rglob("*")):
        try:
            latest = max(latest, path.stat().st_mtime)
        except OSError:
            continue
    return latest or math.inf
