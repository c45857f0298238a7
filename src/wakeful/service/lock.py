"""One service a library: held by the kernel, so that a kill releases it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wakeful.model.errors import LibraryBusy

LOCK_NAME = ".wakeful.lock"
_TRIES = 10
_PAUSE_S = 0.03


@contextmanager
def hold_library(root: Path) -> Iterator[None]:
    """Be the only service of a library.

    Raises
    ------
    LibraryBusy
        Another one is; says its process number.
    """
    handle = os.open(root / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            _take(handle)
        except BlockingIOError:
            owner = os.pread(handle, 64, 0).decode(errors="replace").strip() or "unknown"
            raise LibraryBusy(
                f"another `wakeful run` works on this library (process {owner})",
                where=str(root),
                remedy="let it do its work, or stop it first",
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def who_holds(root: Path) -> int | None:
    """The process number of a library's service; None where none is at work."""
    try:
        handle = os.open(root / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(handle, 64, 0).decode(errors="replace").strip()
        return int(owner) if owner.isdigit() else 0
    else:
        return None
    finally:
        os.close(handle)


def _take(handle: int) -> None:
    """Whoever only asks who holds the lock shares it for an instant: that passes."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE_S)
        else:
            return
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
