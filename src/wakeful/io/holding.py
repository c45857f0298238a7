"""Holding a file: a lock that the kernel gives back when its holder ends, however it ends.

The lock belongs to the open file, not to the process: two holders within one process exclude each
other too, and a child that is handed the descriptor goes on holding after its parent is gone. The
time and the numbers of processes play no part in it.

Some network disks can't lock. There `hold` holds nothing and `is_held` says None, and who asks has
to judge by something else.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
import weakref
from pathlib import Path
from typing import Self

_CAN_NOT_LOCK = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
_LOOK_AGAIN_S = 0.02


class HeldElsewhere(Exception):
    """Somebody else holds the file."""


class Hold:
    """A held file, until `release` or the end of every process that has the descriptor."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        # Closed, never unlocked: unlocking would end the hold of a child that shares it as well.
        self._close = weakref.finalize(self, os.close, descriptor)

    @classmethod
    def inherited(cls, descriptor: int) -> Self:
        """A hold handed on by the process that started this one; not handed on any further."""
        os.set_inheritable(descriptor, False)
        return cls(descriptor)

    def release(self) -> None:
        """Let go; a second time does nothing."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def hold(path: Path, *, wait_s: float = 1.0) -> Hold:
    """Hold a file, which is made where it is missing and stays afterwards.

    Parameters
    ----------
    path : the file; its folder must be there
    wait_s : how long to wait for another holder; a second, since `is_held` holds for an instant

    Raises
    ------
    HeldElsewhere
        Another holder did not let go in time.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    held = Hold(descriptor)
    deadline = time.monotonic() + wait_s
    try:
        while _lock(descriptor, fcntl.LOCK_EX) is False:
            if time.monotonic() >= deadline:
                raise HeldElsewhere(str(path))
            time.sleep(_LOOK_AGAIN_S)
    except BaseException:
        held.release()
        raise
    return held


def is_held(path: Path) -> bool | None:
    """Whether somebody holds a file; None where it is missing or its disk can't tell."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    try:
        locked = _lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)
    return None if locked is None else not locked


def _lock(descriptor: int, how: int) -> bool | None:
    """Try once; None where the disk can't lock."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _CAN_NOT_LOCK:
            return None
        raise
    return True
