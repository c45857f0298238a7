"""Locks that end with their holder."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wakeful.io import holding
from wakeful.io.holding import HeldElsewhere, Hold, hold, is_held

_HOLDER = """
import sys, time
from pathlib import Path
from wakeful.io.holding import hold
held = hold(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_one_holder_at_a_time_within_a_process_too(tmp_path):
    path = tmp_path / "lock"
    assert is_held(path) is None
    with hold(path):
        assert is_held(path) is True
        with pytest.raises(HeldElsewhere):
            hold(path, wait_s=0.05)
    assert is_held(path) is False
    hold(path, wait_s=0).release()


def test_a_killed_holder_holds_no_more(tmp_path):
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert is_held(path) is True
        holder.kill()
    assert is_held(path) is False


def test_a_hold_that_is_handed_on_outlives_who_took_it(tmp_path):
    path = tmp_path / "lock"
    with hold(path) as held:
        child = subprocess.Popen(["sleep", "60"], pass_fds=(held.descriptor,))
    try:
        assert is_held(path) is True
    finally:
        child.kill()
        child.wait()
    assert is_held(path) is False


def test_an_inherited_hold_is_not_handed_on(tmp_path):
    path = tmp_path / "lock"
    taken = hold(path)
    descriptor = os.dup(taken.descriptor)
    os.set_inheritable(descriptor, True)
    taken.release()
    with Hold.inherited(descriptor):
        assert is_held(path) is True
        assert not os.get_inheritable(descriptor)
    assert is_held(path) is False


def test_descriptors_are_closed(tmp_path):
    def count() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = count()
    path = tmp_path / "lock"
    held = hold(path)
    is_held(path)
    with pytest.raises(HeldElsewhere):
        hold(path, wait_s=0)
    assert count() == before + 1
    held.release()
    held.release()
    assert count() == before
    dropped = hold(path)
    del dropped
    assert is_held(path) is False


def test_a_holder_that_lets_go_soon_is_waited_for(tmp_path):
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER.replace("60", "0.3"), str(path)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        started = time.monotonic()
        hold(path, wait_s=20).release()
        assert 0.1 < time.monotonic() - started < 15


def test_a_disk_that_can_not_lock_is_said(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(holding.fcntl, "flock", refuse)
    path = tmp_path / "lock"
    with hold(path):
        assert is_held(path) is None
