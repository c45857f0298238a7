"""Files that are whole or not there."""

from __future__ import annotations

import json
import os
import threading
import time

import pytest

from wakeful.io import atomic
from wakeful.io.atomic import storable_text, sweep_temporaries, write_bytes, write_json

NOT_UTF_8 = os.fsdecode(b"M\xe4use.ncs")


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"x": 1})
    write_json(path, {"x": [2, "ä"]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"x": [2, "ä"]}
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_no_temporary(tmp_path, monkeypatch):
    path = tmp_path / "a"
    write_bytes(path, b"old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_nan_is_refused(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_not_utf_8_comes_back_as_it_was(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {NOT_UTF_8: [NOT_UTF_8, "ä\U0001f400"]})
    assert json.loads(path.read_bytes()) == {NOT_UTF_8: [NOT_UTF_8, "ä\U0001f400"]}
    (name,) = json.loads(path.read_bytes())
    assert os.fsencode(name) == b"M\xe4use.ncs"


def test_text_is_made_storable_and_good_text_left_alone():
    assert storable_text("Mäuse \U0001f400") == "Mäuse \U0001f400"
    assert storable_text(NOT_UTF_8) == "M\\udce4use.ncs"


def test_threads_that_write_one_file_never_share_a_temporary(tmp_path):
    path = tmp_path / "a"
    errors: list[BaseException] = []

    def write(data: bytes) -> None:
        try:
            for _ in range(20):
                write_bytes(path, data)
        except BaseException as error:  # noqa: BLE001 -- raised again by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=write, args=(bytes([i]) * 1000,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(set(path.read_bytes())) == 1


def test_only_old_temporaries_of_ours_are_swept(tmp_path, monkeypatch):
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)

    class Killed(BaseException):
        pass

    def kill(*_: object, **__: object) -> None:
        raise Killed

    # What a kill leaves, under the very name that the writer gives.
    with monkeypatch.context() as patch:
        patch.setattr(atomic.Path, "replace", kill)
        patch.setattr(atomic.Path, "unlink", kill)
        with pytest.raises(Killed):
            write_bytes(below / "report.html", b"half")
    (left,) = below.iterdir()
    earlier = below / ".report.html.4711.tmp"
    others = [
        below / "report.html.4711.tmp",
        below / ".report.html.tmp",
        below / ".4711.tmp",
        below / ".notes.4711.tmp.bak",
        tmp_path / ".a.word.tmp",
    ]
    for path in (earlier, *others):
        path.write_bytes(b"x")
    (tmp_path / ".link.1.tmp").symlink_to(others[0])
    (tmp_path / ".folder.1.tmp").mkdir()
    assert sweep_temporaries(tmp_path) == 0  # all are young
    long_ago = time.time() - 3700
    for path in (left, earlier, *others):
        os.utime(path, (long_ago, long_ago))
    young = below / ".table.csv.12-0123abcd.tmp"
    young.write_bytes(b"x")
    assert sweep_temporaries(tmp_path) == 2
    assert not left.exists()
    assert not earlier.exists()
    assert all(path.exists() for path in (young, *others, tmp_path / ".folder.1.tmp"))
    assert (tmp_path / ".link.1.tmp").is_symlink()
    assert sweep_temporaries(tmp_path / "no such folder") == 0
