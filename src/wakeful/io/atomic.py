"""Writing so that a file is whole or not there, whatever is pulled out of the wall."""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from pathlib import Path
from typing import Any

_TEMPORARY = re.compile(r"\..+\.\d+(-[0-9a-f]{8})?\.tmp")
"""`.name.process.tmp`, as earlier versions named them, or `.name.process-random.tmp`."""


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Make a file's bytes durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a whole file: temporary name, fsync, rename, fsync of the folder.

    Parameters
    ----------
    private : nobody but the owner may read it (mode 600), not even while it is written
    """
    # Random too: numbers of processes repeat on another machine that shares the disk.
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("wb") as file:
            if private:
                os.fchmod(file.fileno(), 0o600)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_json(path: Path, value: Any, *, private: bool = False) -> None:
    """Write JSON as `write_bytes` does; NaN is refused rather than written as something else.

    Names of files need not be UTF-8. Python holds their other bytes as lone surrogates, which are
    written as JSON's own escapes, so that the name comes back as it was.
    """
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode(errors="backslashreplace"), private=private)


def storable_text(text: str) -> str:
    """Text that any file, database or page takes: lone surrogates become visible escapes."""
    return text.encode(errors="backslashreplace").decode()


def sweep_temporaries(folder: Path, older_than_s: float = 3600.0) -> int:
    """Remove temporary files of `write_bytes` that a kill left; returns how many went.

    Parameters
    ----------
    folder : looked through with all folders below it; links are not followed
    older_than_s : younger ones may be being written now
    """
    removed = 0
    latest = time.time() - older_than_s
    for root, _, names in os.walk(folder):
        for name in filter(_TEMPORARY.fullmatch, names):
            path = Path(root, name)
            try:
                if not path.is_symlink() and path.stat().st_mtime <= latest:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # renamed by its writer, or swept by another process
    return removed
