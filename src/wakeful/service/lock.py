"""One service a library: held by the kernel, so that a kill releases it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wakeful.model.errors import LibraryBusy

LOCK_NAME = ".wakeful.lock"


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
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
